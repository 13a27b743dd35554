"""What results of several outcomes say of rows: predictions, draws, files, tables and pictures."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers_outcomes import DATA, model, with_gaps
from scipy import stats

import smmix
from smmix.errors import SmmixError

FRAME = with_gaps()
NEW = pd.DataFrame({"id": [1, 1, 2], "age": [0, 3, 1]}, index=["a", "b", "c"])


@pytest.fixture(scope="module")
def results():
    return model(FRAME).fit(n_starts=10)


def test_predictions_have_columns_by_outcome(results):
    coef, weight = results.coef, results.mixing_weights
    bp = np.outer(np.ones(3), coef.loc["bp:Intercept"]) + np.outer(NEW["age"], coef.loc["bp:age"])
    visits = np.exp(
        coef.loc["visits:Intercept"].to_numpy()
        + np.outer(NEW["age"], coef.loc["visits:age"])
        + np.outer(NEW["age"] ** 2, coef.loc["visits:I(age ** 2)"])
    )
    means = results.predict(NEW)
    assert list(means.columns) == ["bp", "visits", "smokes"]
    assert list(means.index) == ["a", "b", "c"]
    assert means["bp"].to_numpy() == pytest.approx(bp @ weight)
    assert means["visits"].to_numpy() == pytest.approx(visits @ weight)
    parts = results.predict(NEW, which="components")
    assert parts["visits"].to_numpy() == pytest.approx(visits)
    one = results.predict(NEW, which="components", outcome="visits")
    pd.testing.assert_frame_equal(one, parts["visits"], check_names=False)
    low = results.predict(NEW, which="quantile", q=[0.1, 0.9])["bp"][0.1]
    sigma = results.nuisance.loc["bp:sigma"].to_numpy()
    below = stats.norm.cdf(low.to_numpy()[:, None], bp, sigma) @ weight
    assert below == pytest.approx(0.1, abs=1e-9)


def test_posteriors_of_new_rows_use_all_that_is_known(results):
    again = results.predict(FRAME, which="posterior")
    assert again.loc[results.posterior.index].to_numpy() == pytest.approx(
        results.posterior.to_numpy(), abs=1e-12
    )
    row = pd.DataFrame({"id": [1], "age": [2], "bp": [140.0]})
    told = stats.norm.logpdf(
        140.0,
        results.coef.loc["bp:Intercept"] + 2 * results.coef.loc["bp:age"],
        results.nuisance.loc["bp:sigma"],
    )
    joint = results.mixing_weights * np.exp(told)
    posterior = results.predict(row, which="posterior")
    assert posterior.to_numpy()[0] == pytest.approx((joint / joint.sum()).to_numpy())
    assert results.predict(row, which="label").iloc[0] == int(np.argmax(joint))
    prob = results.predict(NEW, which="prob").to_numpy()
    assert prob == pytest.approx(np.tile(results.mixing_weights, (3, 1)))


def test_rows_of_the_fit(results):
    used = FRAME[["bp", "visits", "smokes"]].notna().any(axis=1)
    assert list(results.posterior.index) == list(FRAME.index[used])
    own = results.predict()
    assert own["bp"].notna().sum() == FRAME["bp"].notna().sum()
    assert own.loc[FRAME["bp"].isna() & used, "bp"].isna().all()
    names = ["bp", "visits", "smokes"]
    resid = results.resid.unstack()[names]  # noqa: PD010
    assert resid.to_numpy() == pytest.approx(
        (FRAME.loc[used, names] - own[names]).to_numpy(), nan_ok=True
    )
    outcome = results.outcome("visits")
    assert outcome.resid.to_numpy() == pytest.approx(resid["visits"].dropna().to_numpy())
    members = results.membership_table()
    assert members["n_rows"].sum() == results.nobs


def test_a_row_without_an_outcome_counts_with_the_others(results):
    assert results.nobs == FRAME[["bp", "visits", "smokes"]].notna().to_numpy().sum()
    said = " ".join(str(results.summary()).split())
    missing = FRAME[["bp", "visits", "smokes"]].isna().sum()
    assert f"bp ({missing['bp']}), visits ({missing['visits']})" in said


def test_an_outcome_by_itself_is_a_mixture_of_one_response(results):
    """Means, intervals and margins are those of a model with these parameters."""
    one = smmix.from_formula("visits ~ age + I(age**2)", FRAME, 2, groups="id", family="poisson")
    own = results.outcome("visits")
    assert list(own.params.index) == one.param_names
    assert own.predict(NEW).to_numpy() == pytest.approx(one.predict(own.params, NEW))
    errors = own.get_prediction(NEW).se_mean
    h = 1e-6 * np.maximum(np.abs(own.params.to_numpy()), 1.0)
    slopes = np.array(
        [
            (one.predict(own.params + step, NEW) - one.predict(own.params - step, NEW))
            / (2.0 * step.sum())
            for step in np.diag(h)
        ]
    )
    names = [n if n.startswith("mixing") else f"visits:{n}" for n in one.param_names]
    covariance = results.cov_params().loc[names, names].to_numpy()
    expected = np.sqrt(np.einsum("vm,vw,wm->m", slopes, covariance, slopes))
    assert errors == pytest.approx(expected, rel=1e-6)
    assert own.ratios().loc["age[0]", "ratio"] == pytest.approx(np.exp(own.params["age[0]"]))
    assert list(own.margins().index) == ["age"]


def test_hypotheses_name_the_outcome(results):
    test = results.t_test("bp:age[0] = bp:age[1], visits:I(age ** 2)[0] = 0")
    difference = results.params["bp:age[0]"] - results.params["bp:age[1]"]
    assert test.effect[0] == pytest.approx(difference)
    assert "smokes:Intercept" in results.wald_test_terms().summary_frame().index.get_level_values(0)


def test_draws(results):
    drawn = results.simulate(rng=2)
    assert list(drawn) == ["id", "age", "bp", "visits", "smokes", "component"]
    groups = drawn.groupby("id")["component"]
    assert (groups.min() == groups.max()).all()
    many = pd.concat([NEW.assign(id=i) for i in range(3000)])
    sample = results.simulate(many, rng=1)
    means = sample.groupby(sample.index)[["bp", "visits", "smokes"]].mean()
    error = sample.groupby(sample.index)[["bp", "visits", "smokes"]].std() / np.sqrt(3000)
    assert (np.abs(means - results.predict(NEW)) < 4.5 * error).to_numpy().all()
    with pytest.raises(SmmixError, match="cannot be taken one by one"):
        results.simulate(nobs=3)
    rows = model(groups=None).fit(n_starts=4)
    assert len(rows.simulate(nobs=3)) == 3


@pytest.mark.parametrize("kind", ["parametric", "groups"])
def test_bootstrap(results, kind):
    boot = results.bootstrap(n_boot=15, kind=kind)
    assert boot.n_failed == 0
    spread = 1.4826 * (boot.params - boot.params.median()).abs().median()
    assert 0.4 < (spread / results.bse).median() < 2.5


def test_files(results):
    saved = smmix.read_json(results.to_json())
    pd.testing.assert_frame_equal(saved.predict(NEW), results.predict(NEW))
    pd.testing.assert_frame_equal(
        saved.predict(FRAME, which="posterior"), results.predict(FRAME, which="posterior")
    )
    own = saved.outcome("bp").get_prediction(NEW).summary_frame()
    pd.testing.assert_frame_equal(own, results.outcome("bp").get_prediction(NEW).summary_frame())
    back = pickle.loads(pickle.dumps(results))
    pd.testing.assert_frame_equal(back.posterior, results.posterior)
    back.remove_data()
    pd.testing.assert_frame_equal(back.predict(NEW), results.predict(NEW))
    with pytest.raises(SmmixError, match="taken away"):
        back.predict()


def test_pictures(results):
    from matplotlib import pyplot as plt

    axes = results.plot_trajectories(by="age", outcome="visits")
    assert axes.get_ylabel() == "visits"
    posterior = results.membership_table()["posterior[0]"]
    line = next(line for line in axes.get_lines() if line.get_marker() not in ("", "None", None))
    known = FRAME.dropna(subset=["visits"])
    weight = posterior[known["id"]].to_numpy()
    at = known["age"].to_numpy() == 0
    expected = np.average(known["visits"].to_numpy()[at], weights=weight[at])
    assert line.get_ydata()[0] == pytest.approx(expected)
    own = results.outcome("bp")
    own.plot_fit(), own.plot_residuals(), own.plot_trajectories(by="age")
    results.outcome("visits").plot_rootogram()
    plt.close("all")


@pytest.mark.slow
def test_report(results):
    page = results.report()
    assert "Fit of bp" in page
    assert "Residuals of smokes" in page


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.margins(), r"outcome\('bp'\)\.margins"),
        (lambda r: r.ratios(), r"outcome\('bp'\)\.ratios"),
        (lambda r: r.get_prediction(), r"outcome\('bp'\)\.get_prediction"),
        (lambda r: r.plot_fit(), r"outcome\('bp'\)\.plot_fit"),
        (lambda r: r.plot_residuals(), r"outcome\('bp'\)\.plot_residuals"),
        (lambda r: r.plot_rootogram(), r"outcome\('bp'\)\.plot_rootogram"),
        (lambda r: r.plot_trajectories(), r"plot_trajectories\(outcome='bp'"),
        (lambda r: r.sigma, "results.nuisance"),
        (lambda r: r.outcome("x"), "no outcome 'x'"),
        (lambda r: r.predict(NEW, outcome="x"), "no outcome 'x'"),
        (lambda r: r.predict(NEW, which="posterior"), "needs a response"),
        (lambda r: r.predict(NEW, which="prob", outcome="bp"), "leave outcome out"),
        (lambda r: r.predict(NEW, offset=[1, 2, 3]), "offset is for one response"),
        (lambda r: smmix.em_test(model(k=1).fit()), "use bootstrap_lrt"),
        (
            lambda r: smmix.from_formula("bp ~ age", DATA, 1).fit().predict(NEW, outcome="bp"),
            "one response",
        ),
    ],
)
def test_what_has_no_meaning_is_refused_in_a_sentence(results, call, words):
    with pytest.raises(SmmixError, match=words):
        call(results)


def test_rows_that_are_not_in_memory_are_refused(results, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "new.parquet"
    DATA.to_parquet(path)
    with pytest.raises(SmmixError, match="tables in memory"):
        results.predict(smmix.scan_parquet(path))
    with pytest.raises(SmmixError, match="rows in memory"):
        model(smmix.scan_parquet(path))


def test_formulas_of_several_responses_are_told_of_outcomes():
    with pytest.raises(SmmixError, match="say outcomes=True"):
        smmix.from_formula(["bp ~ age", "visits ~ age"], DATA, 2)


@pytest.mark.parametrize(
    "options", [{"common": ["age"]}, {"variance": "equal"}, {"concomitant": "~ risk"}]
)
def test_files_of_restricted_models(options):
    results = model(FRAME, **options).fit(n_starts=4)
    saved = smmix.read_json(results.to_json())
    pd.testing.assert_frame_equal(
        saved.predict(FRAME, which="posterior"), results.predict(FRAME, which="posterior")
    )
    own = saved.outcome("bp")
    assert own.params.to_numpy() == pytest.approx(results.outcome("bp").params.to_numpy())
    assert own.params["mixing.Intercept[1]"] == results.params["mixing.Intercept[1]"]


def test_quantile_residuals_of_a_continuous_outcome(results):
    """The normal quantile of the mixture's distribution function, row by row."""
    own = results.quantile_residuals.xs("bp", level="outcome")
    known = FRAME["bp"].dropna()
    mean = np.outer(np.ones(len(known)), results.coef.loc["bp:Intercept"]) + np.outer(
        FRAME["age"][known.index], results.coef.loc["bp:age"]
    )
    sigma = results.nuisance.loc["bp:sigma"].to_numpy()
    below = stats.norm.cdf(known.to_numpy()[:, None], mean, sigma) @ results.mixing_weights
    assert own.to_numpy() == pytest.approx(stats.norm.ppf(below), abs=1e-8)
