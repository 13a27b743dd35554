"""Extra zeros whose probability has a formula, through every layer of the package."""

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

import smmix
from smmix.cli import main
from smmix.errors import SmmixError
from smmix.families import ZeroInflatedPoisson

HERE = Path(__file__).parent
BIOCHEMISTS = HERE.parent / "reference" / "families" / "data" / "bioChemists.csv"
INFLATED = ZeroInflatedPoisson(inflate="~ kid5 + mar")


@pytest.fixture(scope="module")
def articles():
    return pd.read_csv(BIOCHEMISTS)


@pytest.fixture(scope="module")
def one(articles):
    return smmix.from_formula("art ~ fem + ment", articles, k=1, family=INFLATED).fit()


@pytest.fixture(scope="module")
def two():
    """Two components of persons with four rows each, and their fit."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"id": np.repeat(np.arange(150), 4), "x": rng.normal(size=600)})
    frame["t"] = rng.normal(size=600)
    high = frame["id"] % 3 == 0
    rate = np.exp(np.where(high, 2.0 - 0.3 * frame["x"], 0.3 + 0.5 * frame["x"]))
    extra = special.expit(np.where(high, -1.0 + 0.5 * frame["t"], -0.5 - frame["t"]))
    frame["y"] = rng.poisson(rate) * (rng.random(600) > extra)
    family = ZeroInflatedPoisson(inflate="~ t")
    model = smmix.from_formula("y ~ x", frame, k=2, family=family, groups="id")
    return model.fit(n_starts=20), frame


def test_one_component_is_the_model_of_statsmodels_and_of_pscl(one, articles):
    """The errors are those of pscl; statsmodels' Hessian of an inflation is an approximation."""
    inflation = pd.get_dummies(articles[["kid5", "mar"]], drop_first=True, dtype=float)
    regressors = pd.get_dummies(articles[["fem", "ment"]], drop_first=True, dtype=float)
    theirs = sm.ZeroInflatedPoisson(
        articles["art"], sm.add_constant(regressors), exog_infl=sm.add_constant(inflation)
    ).fit(method="newton", maxiter=200, tol=1e-14, disp=False)
    assert one.llf == pytest.approx(theirs.llf, rel=1e-10)
    assert one.params["inflate.kid5[0]"] == pytest.approx(theirs.params["inflate_kid5"], rel=1e-8)
    peer = json.loads((HERE / "r" / "zeroinfl.json").read_text())
    assert one.llf == pytest.approx(peer["llf"], rel=1e-10)
    names = {
        "Intercept[0]": "count_(Intercept)", "fem[T.Women][0]": "count_femWomen",
        "ment[0]": "count_ment", "inflate.Intercept[0]": "zero_(Intercept)",
        "inflate.kid5[0]": "zero_kid5", "inflate.mar[T.Single][0]": "zero_marSingle",
    }  # fmt: skip
    assert set(one.params.index) == set(names)
    for ours, own in names.items():
        assert one.params[ours] == pytest.approx(peer["params"][own], rel=1e-5)
        assert one.bse[ours] == pytest.approx(peer["bse"][own], rel=1e-4)
    ratio = peer["params"]["zero_kid5"] / peer["bse"]["zero_kid5"]
    assert one.pvalues["inflate.kid5[0]"] == pytest.approx(2 * stats.norm.sf(ratio), rel=1e-3)


def test_score_and_hessian_of_two_components_are_those_of_the_density(two):
    results, frame = two
    model = results.model
    point = results.params.to_numpy() + 0.1 * np.random.default_rng(1).normal(size=9)
    x, t, y = (frame[name].to_numpy() for name in ("x", "t", "y"))

    def log_likelihood(values):
        total, named = [], dict(zip(model.param_names, values, strict=True))
        for c in (0, 1):
            eta = named[f"Intercept[{c}]"] + named[f"x[{c}]"] * x
            logit = named[f"inflate.Intercept[{c}]"] + named[f"inflate.t[{c}]"] * t
            count = y * eta - np.exp(eta) - special.gammaln(y + 1.0)
            zero = np.log(np.exp(logit) + np.exp(-np.exp(eta)))
            rows = np.where(y == 0, zero, count) - np.log(1.0 + np.exp(logit))
            total.append(np.add.reduceat(rows, np.arange(0, 600, 4)))
        share = np.exp(values[8]) / (1.0 + np.exp(values[8]))
        return np.sum(np.log((1.0 - share) * np.exp(total[0]) + share * np.exp(total[1])))

    def slopes(p):
        steps = 1e-30j * np.eye(9)
        return np.array([log_likelihood(p + step).imag / 1e-30 for step in steps])

    assert model.loglike(point) == pytest.approx(log_likelihood(point), rel=1e-12)
    np.testing.assert_allclose(model.score(point), slopes(point), rtol=1e-9, atol=1e-8)
    rows = [(slopes(point + h) - slopes(point - h)) / 2e-5 for h in 1e-5 * np.eye(9)]
    np.testing.assert_allclose(model.hessian(point), rows, rtol=1e-5, atol=1e-4)


def test_names_nuisance_and_predictions_of_new_rows(two):
    results, frame = two
    assert {"inflate.Intercept[0]", "inflate.t[1]"} < set(results.params.index)
    assert list(results.nuisance.index) == ["inflate.Intercept", "inflate.t"]
    row, p = pd.DataFrame({"x": [0.4], "t": [1.3]}), results.params
    rate = np.exp(p["Intercept[0]"] + 0.4 * p["x[0]"])
    zero = special.expit(p["inflate.Intercept[0]"] + 1.3 * p["inflate.t[0]"])
    means = results.predict(row, which="components")
    assert means.loc[0, 0] == pytest.approx((1.0 - zero) * rate, rel=1e-12)
    np.testing.assert_allclose(results.predict(frame), results.fittedvalues, rtol=1e-12)
    assert np.isnan(results.predict(pd.DataFrame({"x": [0.4], "t": [np.nan]}))[0])
    with pytest.raises(SmmixError, match="no column 't'"):
        results.predict(row[["x"]])
    with pytest.raises(SmmixError, match="needs columns of its own"):
        results.predict([[1.0, 0.4]], transform=False)


def test_margins_move_the_inflation_as_well(two):
    results, frame = two
    table = results.margins()
    for name in ("x", "t"):
        up, down = (
            results.predict(frame.assign(**{name: frame[name] + h})).mean() for h in (1e-5, -1e-5)
        )
        assert table.loc[name, "dy/dx"] == pytest.approx((up - down) / 2e-5, rel=1e-6)
    model, errors = results.model, []
    basis = np.eye(len(results.params)) * 1e-5
    for name in ("x", "t"):

        def effect(p, name=name):
            pair = [frame.assign(**{name: frame[name] + h}) for h in (1e-4, -1e-4)]
            return (model.predict(p, pair[0]).mean() - model.predict(p, pair[1]).mean()) / 2e-4

        at = results.params.to_numpy()
        slope = np.array([(effect(at + h) - effect(at - h)) / 2e-5 for h in basis])
        errors.append(np.sqrt(slope @ results.cov_params().to_numpy() @ slope))
    np.testing.assert_allclose(table["std err"], errors, rtol=1e-4)
    at_mean = results.margins(at="mean")
    assert np.isfinite(at_mean.to_numpy()).all()


def test_files_pickles_and_draws(two):
    results, frame = two
    read = smmix.read_json(results.to_json())
    np.testing.assert_array_equal(read.predict(frame), results.predict(frame))
    np.testing.assert_array_equal(
        read.predict(frame, which="posterior"), results.predict(frame, which="posterior")
    )
    assert pickle.loads(pickle.dumps(results)).model.family == results.model.family
    rows = pd.DataFrame({"x": [0.0] * 4000, "t": [1.0] * 4000})
    drawn = results.simulate(rows, rng=2)["y"]
    expected = results.predict(rows)[0]
    assert drawn.mean() == pytest.approx(expected, abs=5 * drawn.std() / np.sqrt(4000))
    assert results.bootstrap(3, rng=0, progress=False).params.shape == (3, 9)


def test_a_row_without_the_regressor_of_the_inflation_is_left_out(two):
    _, frame = two
    gaps = frame.astype({"t": float})
    gaps.loc[[3, 7], "t"] = np.nan
    model = smmix.from_formula("y ~ x", gaps, k=1, family=ZeroInflatedPoisson(inflate="~ t"))
    assert model.nobs == 598
    with pytest.raises(SmmixError, match="'t' is missing"):
        smmix.from_formula(
            "y ~ x", gaps, k=1, family=ZeroInflatedPoisson(inflate="~ t"), missing="raise"
        )


def test_shared_terms_and_lists(two):
    _, frame = two
    family = ZeroInflatedPoisson(inflate="~ t")
    model = smmix.from_formula("y ~ x", frame, k=2, family=family, shared=["inflate.t"])
    assert model.param_names[4:7] == ["inflate.Intercept[0]", "inflate.Intercept[1]", "inflate.t"]
    mixed = smmix.from_formula("y ~ x", frame, k=2, family=[family, "poisson"], groups="id")
    assert mixed.param_names[4:6] == ["inflate.Intercept[0]", "inflate.t[0]"]
    plain = smmix.from_formula("y ~ x", frame, k=1, family=family)
    p = [0.1, 0.2, -0.5, 0.7]
    # The second component is as unlikely as a large logit makes it.
    both = mixed.loglike([0.1, 0.2, 0.0, 0.0, -0.5, 0.7, -50.0])
    assert both == pytest.approx(plain.loglike(p), rel=1e-8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"family": ZeroInflatedPoisson(inflate="~ nope")}, "names 'nope', which is not a column"),
        ({"family": ZeroInflatedPoisson(inflate="y ~ t")}, "must be one-sided"),
        ({"family": ZeroInflatedPoisson(inflate="~ 0")}, "has no columns"),
        ({"family": ZeroInflatedPoisson(inflate="~ t"), "shared": ["inflate"]}, "inflate.t"),
        (
            {"family": [ZeroInflatedPoisson("~ t"), ZeroInflatedPoisson("~ x")], "k": 2},
            "one formula or trials",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(two, options, words):
    with pytest.raises(SmmixError, match=words):
        smmix.from_formula("y ~ x", two[1], **{"k": 1, **options})


def test_collinear_columns_arrays_and_simulated_data_are_refused(two):
    _, frame = two
    twice = ZeroInflatedPoisson(inflate="~ t + I(2 * t)")
    with pytest.raises(SmmixError, match="of the family's design is a linear combination"):
        smmix.from_formula("y ~ x", frame, k=1, family=twice).fit()
    family = ZeroInflatedPoisson(inflate="~ t")
    with pytest.raises(SmmixError, match="build the model from a formula and a table"):
        smmix.MixtureGLM(frame["y"], frame[["x"]], k=1, family=family)
    with pytest.raises(SmmixError, match="has no columns here"):
        smmix.simulate_mixture(50, coef=[[0, 1]], family=family)


def test_rows_that_are_not_in_memory(two, tmp_path):
    results, frame = two
    frame.to_parquet(tmp_path / "data.parquet", row_group_size=200)
    scan = smmix.scan_parquet(tmp_path / "data.parquet")
    family = ZeroInflatedPoisson(inflate="~ t")
    large = smmix.from_formula("y ~ x", scan, k=2, family=family, groups="id").fit(n_starts=10)
    np.testing.assert_allclose(large.params, results.params, rtol=1e-6, atol=1e-7)
    predicted = np.concatenate([slab.to_numpy().ravel() for slab in large.predict()])
    np.testing.assert_allclose(predicted, results.fittedvalues, rtol=1e-6)


def test_columns_of_any_size_converge(two):
    _, frame = two
    wide = frame.assign(t=2000.0 + 10.0 * frame["t"], income=1e5 * frame["x"] ** 2)
    family = ZeroInflatedPoisson(inflate="~ t + income")
    assert smmix.from_formula("y ~ x", wide, k=1, family=family).fit().converged


def test_the_command_line(capsys, tmp_path, articles, one):
    path, fit = tmp_path / "articles.csv", tmp_path / "fit.json"
    articles.to_csv(path, index=False)
    family = "zip(inflate='~ kid5 + mar')"
    call = ["fit", "art ~ fem + ment", str(path), "-k", "1", "--family", family, "--json"]
    assert main([*call, "--quiet", "--save", str(fit)]) == 0
    assert json.loads(capsys.readouterr().out)["llf"] == pytest.approx(one.llf, rel=1e-9)
    assert main(["predict", str(fit), str(path)]) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    np.testing.assert_allclose(printed["mean"], one.fittedvalues, rtol=1e-9)
