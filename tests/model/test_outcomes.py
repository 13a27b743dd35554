"""Several outcomes that share the components: likelihood, its derivatives, and fits."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from helpers_outcomes import DATA, FAMILIES, FOLDER, FORMULAS, log_likelihood, model, with_gaps

import smmix
from smmix.errors import SmmixError

PEERS = json.loads((FOLDER / "peers.json").read_text())


@pytest.mark.parametrize(("name", "groups"), [("groups", "id"), ("rows", None)])
def test_flexmix_with_a_list_of_models(name, groups):
    """flexmix 2.3-18; it stops where the log-likelihood stands still, before its parameters do."""
    results, peer = model(groups=groups).fit(), PEERS[name]
    assert results.llf == pytest.approx(peer["llf"], abs=1e-7)
    order = np.argsort(-np.array(peer["prior"]))
    assert results.mixing_weights.tolist() == pytest.approx(
        np.array(peer["prior"])[order].tolist(), abs=3e-6
    )
    for c, theirs in enumerate(order):
        own = peer["components"][theirs]
        *bp, sigma = own["bp"]
        coef = [*bp, *own["visits"], *own["smokes"]]
        assert results.coef[c].tolist() == pytest.approx(coef, abs=2e-5)
        assert results.params[f"bp:sigma[{c}]"] == pytest.approx(sigma, abs=2e-5)
    posterior = results.posterior if groups is None else results.posterior[:: len(DATA) // 90]
    first = posterior[int(np.flatnonzero(order == 0)[0])]
    assert first.to_numpy() == pytest.approx(np.array(peer["posterior"]), abs=1e-5)


def test_one_component_is_a_model_of_each_outcome():
    frame = with_gaps()
    results = model(frame, k=1).fit()
    bp = smf.ols("bp ~ age", frame).fit()
    glm = [
        smf.glm(formula, frame.dropna(subset=[formula.split()[0]]), family=family).fit()
        for formula, family in [
            (FORMULAS[1], sm.families.Poisson()),
            (FORMULAS[2], sm.families.Binomial()),
        ]
    ]
    assert results.llf == pytest.approx(bp.llf + sum(fit.llf for fit in glm), rel=1e-12)
    found = np.concatenate([bp.params, *(fit.params for fit in glm)])
    assert results.coef[0].to_numpy() == pytest.approx(found, rel=1e-8)
    assert results.params["bp:sigma[0]"] == pytest.approx(np.sqrt(bp.ssr / bp.nobs), rel=1e-9)
    errors = np.concatenate([fit.bse for fit in glm])
    assert results.bse.iloc[2:6].to_numpy() == pytest.approx(errors, rel=1e-6)
    assert results.nobs == frame[["bp", "visits", "smokes"]].notna().to_numpy().sum()


@pytest.mark.parametrize("groups", ["id", "row"])
def test_derivatives_against_the_definition(groups):
    frame = with_gaps()
    frame["row"] = np.arange(len(frame))
    mixture = model(frame, groups=None if groups == "row" else "id", concomitant="~ risk")
    names = mixture.param_names
    rng = np.random.default_rng(1)
    start = {"Intercept": 0.3, "bp:Intercept": 124.0, "bp:sigma": 7.0}
    point = np.array([start.get(name.rpartition("[")[0], 0.1) for name in names])
    point = point * (1.0 + 0.1 * rng.standard_normal(point.size))

    def value(params):
        return log_likelihood(frame, names, params, groups)

    def gradient(params):
        steps = params + 1e-30j * np.eye(params.size)
        return np.array([value(step).imag / 1e-30 for step in steps])

    assert mixture.loglike(point) == pytest.approx(value(point).real, rel=1e-12)
    size = np.abs(gradient(point)).max()
    assert mixture.score(point) == pytest.approx(gradient(point), rel=1e-10, abs=1e-10 * size)
    assert mixture.score_obs(point).sum(axis=0) == pytest.approx(
        mixture.score(point), rel=1e-9, abs=1e-9 * size
    )
    h = 1e-4 * np.maximum(np.abs(point), 1.0)
    columns = [(gradient(point + d) - gradient(point - d)) / (2 * d.sum()) for d in np.diag(h)]
    hessian = np.array(columns)
    scale = np.sqrt(np.outer(np.abs(np.diag(hessian)), np.abs(np.diag(hessian))))
    assert np.abs((mixture.hessian(point) - hessian) / scale).max() < 1e-5


def test_the_order_of_the_outcomes_means_nothing():
    first = model().fit(n_starts=6)
    back = smmix.from_formula(
        FORMULAS[::-1], DATA, 2, groups="id", family=FAMILIES[::-1], outcomes=True
    ).fit(n_starts=6)
    assert back.llf == pytest.approx(first.llf, abs=1e-9)
    assert back.params[first.params.index].to_numpy() == pytest.approx(
        first.params.to_numpy(), abs=1e-6
    )


def test_units_of_an_outcome_shift_the_likelihood_alone():
    first = model().fit(n_starts=6)
    scaled = model(DATA.assign(bp=1e6 * DATA["bp"])).fit(n_starts=6)
    assert scaled.llf == pytest.approx(first.llf - len(DATA) * np.log(1e6), rel=1e-10)
    assert scaled.posterior.to_numpy() == pytest.approx(first.posterior.to_numpy(), abs=1e-6)


def test_an_outcome_twice_is_a_likelihood_of_squares():
    """A copy of an outcome, with the same parameters, counts each row of it twice."""
    frame = DATA.assign(copy=DATA["visits"], w=2.0)
    two = smmix.from_formula(
        ["visits ~ age", "copy ~ age"], frame, 2, groups="id", family="poisson", outcomes=True
    ).fit(n_starts=6)
    weighted = smmix.from_formula(
        "visits ~ age", frame, 2, groups="id", family="poisson", freq_weights="w"
    ).fit(n_starts=6)
    assert two.llf == pytest.approx(weighted.llf, rel=1e-10)
    for name in ("visits", "copy"):
        own = two.coef.loc[[f"{name}:Intercept", f"{name}:age"]].to_numpy()
        assert own == pytest.approx(weighted.coef.to_numpy(), abs=1e-6)


@pytest.mark.parametrize(
    ("options", "free"),
    [
        ({"variance": "equal"}, 14),
        ({"common": ["age"]}, 13),
        ({"common": ["bp:age"]}, 14),
        ({"fixed": {"smokes:Intercept[0]": 0.0}}, 14),
    ],
)
def test_restrictions_by_either_method(options, free):
    mixture = model(**options)
    best = mixture.fit(n_starts=6)
    slow = mixture.fit(best.params * 1.001, method="em", gtol=1e-7)
    assert best.n_free == free
    assert slow.llf == pytest.approx(best.llf, abs=1e-7)
    assert best.llf < PEERS["groups"]["llf"]
    assert best.score_norm < 1e-8


def test_all_families_beside_another():
    """One component is a fit of each outcome by itself, whatever their families."""
    rng = np.random.default_rng(9)
    n = 120
    x = rng.standard_normal(n)
    frame = smmix.simulate_mixture(n=n, coef=[[0.0, 1.0]], rng=1).frame.assign(
        count=rng.poisson(np.exp(0.3 * x)),
        zeros=rng.poisson(np.exp(0.5 + 0.3 * x)) * (rng.random(n) < 0.7),
        hits=rng.binomial(5, 0.4, n),
        tries=5,
        years=rng.uniform(1.0, 2.0, n),
        share=rng.beta(2.0, 3.0, n),
        size=rng.gamma(2.0, 1.0, n),
        level=rng.integers(0, 3, n),
        time=rng.weibull(1.5, n) + 0.01,
        seen=(rng.random(n) < 0.8).astype(int),
        noise=rng.standard_t(5, n),
        x=x,
    )
    of = {
        "count ~ x": ("poisson", {"exposure": "years"}),
        "zeros ~ x": ("zip", {}),
        "hits ~ x": ("binomial", {"trials": "tries"}),
        "share ~ x": ("beta", {}),
        "size ~ x": ("gamma", {}),
        "level ~ x": ("ordered", {}),
        "time ~ x": ("weibull", {"event": "seen"}),
        "noise ~ x": ("student_t", {}),
    }
    formulas, options = list(of), {}
    for formula, (_, own) in of.items():
        for argument, column in own.items():
            options.setdefault(argument, {})[formula.split()[0]] = column
    families = [family for family, _ in of.values()]
    joint = smmix.from_formula(formulas, frame, 1, family=families, outcomes=True, **options).fit()
    llf = 0.0
    for formula, (family, own) in of.items():
        single = smmix.from_formula(formula, frame, 1, family=family, **own).fit()
        llf += single.llf
        name = formula.split()[0]
        mine = joint.params[[f"{name}:{term}" for term in single.params.index]]
        assert mine.to_numpy() == pytest.approx(single.params.to_numpy(), rel=2e-4, abs=2e-4)
    assert joint.llf == pytest.approx(llf, abs=1e-6)


def test_laplace_which_has_no_curvature_at_its_kinks():
    joint = smmix.from_formula(
        ["bp ~ age", "visits ~ age"], DATA, 1, family=["laplace", "poisson"], outcomes=True
    ).fit()
    single = sum(
        smmix.from_formula(formula, DATA, 1, family=family).fit().llf
        for formula, family in [("bp ~ age", "laplace"), ("visits ~ age", "poisson")]
    )
    assert joint.llf == pytest.approx(single, abs=1e-5)


def test_a_collapsed_component_is_no_fit():
    """Two persons whose bp is a line: a sigma of zero on them has a likelihood without limit."""
    frame = DATA.copy()
    line = frame["id"].isin([0, 50])
    frame.loc[line, "bp"] = 122.0 + 2.0 * frame.loc[line, "age"]
    results = model(frame).fit(n_starts=20)
    assert results.params[["bp:sigma[0]", "bp:sigma[1]"]].min() > 1.0
    assert not results.starts.loc[results.starts["selected"], "degenerate"].any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"formula": "bp ~ age"}, "a formula for each outcome"),
        ({"formula": []}, "lists no outcome"),
        ({"formula": ["bp ~ age", "bp ~ 1", "smokes ~ 1"]}, "'bp' has two formulas"),
        ({"family": ["gaussian"]}, "1 families for 3 outcomes"),
        ({"family": ["gaussian", "poisson", ["binomial"]]}, "for one outcome"),
        ({"random": "~ 1"}, "fit each outcome by itself"),
        ({"error_variance": "age"}, "MeasuredGaussian"),
        ({"offset": "age"}, r"offset=\{'bp': 'a column'\}"),
        ({"exposure": {"y": "age"}}, "none of 'bp'"),
        ({"common": ["zz"]}, "which no outcome has"),
        ({"shared": ["alpha"]}, "which no outcome has"),
        ({"outcomes": 1}, "outcomes must be True or False"),
        ({"groups": None, "freq_weights": "age"}, "name the groups"),
        ({"family": "poisson"}, "a Poisson response is a whole number"),
        ({"fixed": {"age[0]": 0.0}}, "did you mean 'bp:age"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(change, words):
    given = {"formula": FORMULAS, "data": DATA, "groups": "id", "family": FAMILIES}
    with pytest.raises(SmmixError, match=words):
        smmix.from_formula(**{"outcomes": True, **given, **change})


def test_concomitants_that_depend_on_the_rows_are_refused():
    with pytest.raises(SmmixError, match="means something else on the rows of 'visits'"):
        model(with_gaps(), concomitant="~ center(risk)")


def test_a_constant_outcome_is_named():
    with pytest.raises(SmmixError, match="The response 'bp' is constant"):
        model(DATA.assign(bp=3.0)).fit()


def test_number_of_components():
    chosen = smmix.select_k(
        FORMULAS, DATA, [1, 2], groups="id", family=FAMILIES, outcomes=True, n_starts=6
    )
    assert chosen.best_k == 2
    assert chosen.table.loc[2, "llf"] == pytest.approx(PEERS["groups"]["llf"], abs=1e-7)


def test_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(with_gaps()).fit().summary()


def test_one_outcome_is_the_model_of_one_response():
    frame = with_gaps()
    listed = smmix.from_formula(["bp ~ age"], frame, 2, groups="id", outcomes=True).fit()
    plain = smmix.from_formula("bp ~ age", frame, 2, groups="id").fit()
    assert listed.llf == pytest.approx(plain.llf, abs=1e-9)
    assert listed.params.to_numpy() == pytest.approx(plain.params.to_numpy(), rel=1e-6)
    assert listed.bse.to_numpy() == pytest.approx(plain.bse.to_numpy(), rel=1e-5)


def test_starts_and_clusters_are_given_by_rows_of_the_data():
    frame = with_gaps()
    results = model(frame).fit(n_starts=4)
    for starts in (results.labels, results.labels.to_numpy(), results.posterior):
        assert model(frame).fit(starts=starts).llf == pytest.approx(results.llf, abs=1e-9)
    half = frame["id"] // 2
    named = model(frame.assign(half=half)).fit(n_starts=4)
    by_name = named.get_robustcov_results("cluster", groups="half").bse
    for groups in (half, half.to_numpy()):
        errors = results.get_robustcov_results("cluster", groups=groups).bse
        assert errors.to_numpy() == pytest.approx(by_name.to_numpy(), rel=1e-9)


def test_successes_and_failures():
    frame = with_gaps().assign(s=lambda d: 1 + d["id"] % 2, f=lambda d: d["age"])
    frame["t"] = frame["s"] + frame["f"]
    families = ["binomial", "gaussian"]
    pair, counted = (
        smmix.from_formula(
            [formula, "bp ~ age"], frame, 1, family=families, outcomes=True, **options
        ).fit()
        for formula, options in [("s + f ~ age", {}), ("s ~ age", {"trials": {"s": "t"}})]
    )
    assert list(pair.params.index) == list(counted.params.index)
    single = smf.glm("s + f ~ age", frame, family=sm.families.Binomial()).fit()
    for results in (pair, counted):
        assert results.coef.loc[["s:Intercept", "s:age"], 0].to_numpy() == pytest.approx(
            single.params.to_numpy(), rel=1e-7
        )
    pd.testing.assert_frame_equal(
        pair.predict(frame, which="posterior"), counted.predict(frame, which="posterior")
    )
