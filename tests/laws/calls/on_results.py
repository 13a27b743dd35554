"""Calls of the methods of a fit: prediction, tests, intervals, margins, bootstrap, tables."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from laws.calls.outcome import Refused, answer
from laws.calls.strange import per_row, things
from laws.calls.tables import DAMAGES, table
from laws.families_data import data_for, family_named, names

import smmix

WHICH = [
    "mean",
    "components",
    "linear",
    "variance",
    "prob",
    "posterior",
    "label",
    "cdf",
    "quantile",
]
N = 50
#: Kinds of models, beside their families.
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "category": {"formula": "y ~ x1 + g"},
    "concomitant": {"concomitant": "~ z1"},
    "common": {"common": ["x2"]},
    "one": {"k": 1},
    "groups": {"groups": "id"},
    "weights": {"freq_weights": "w"},
    "sampling": {"prob_weights": "pw"},
    "offset": {"offset": "off"},
    "fixed": {"fixed": {"x1[0]": 0.0}},
    "saved": {},
    "arrays": {},
    "transforms": {"formula": "y ~ bs(x1, df=4) + np.exp(x2 / 3)"},
    "by component": {"formula": {0: "y ~ 1", 1: "y ~ x1"}},
    "random": {"groups": "id", "random": "~ 1"},
}


@cache
def fit_of(family: str, shape: str) -> Any:
    """A fit of the family, and the table that it was made from; None where there is none."""
    frame = table(family, 3, N)
    options = {**data_for(family)[1], **SHAPES[shape]}
    formula, k = options.pop("formula", "y ~ x1 + x2"), options.pop("k", 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if shape == "arrays":
            given = {name: frame[column] for name, column in options.items()}
            exog = frame[["x1", "x2"]].assign(const=1.0)
            model: Any = smmix.MixtureGLM(frame["y"], exog, k, family=family_named(family), **given)
        else:
            model = smmix.from_formula(formula, frame, k, family=family_named(family), **options)
        results = model.fit(n_starts=3, maxiter=100, threads=1)
    return smmix.read_json(results.to_json()) if shape == "saved" else results


@st.composite
def new_rows(draw: Any, family: str, shape: str) -> Any:
    """Rows that a fit may be asked about, damaged one time in three."""
    if draw(st.integers(0, 3)) == 0:
        return None
    frame = table(family, draw(st.integers(0, 9)), draw(st.sampled_from([30, N])))
    if shape == "arrays":
        frame = frame[["x1", "x2"]].assign(const=1.0)
        if draw(st.booleans()):
            return frame.to_numpy()
    kind = draw(st.integers(0, 8))
    if kind == 0:
        return draw(things)
    if kind < 4 and shape != "arrays":
        return DAMAGES[draw(st.sampled_from(sorted(DAMAGES)))](frame)
    return frame.head(draw(st.sampled_from([1, 4, 30])))


def hypotheses(names: list[str]) -> st.SearchStrategy[Any]:
    """Hypotheses in the names of the parameters, as text, arrays and dicts; and what is none."""
    name = st.sampled_from(names)
    text = st.one_of(
        name.map("{} = 0".format),
        st.tuples(name, name).map(" = ".join),
        st.tuples(name, name).map(lambda pair: f"2*{pair[0]} - {pair[1]} = 1, {pair[1]} = 0"),
        st.tuples(name, name).map(lambda pair: f"{pair[0]} / {pair[1]} = 1"),
        st.sampled_from(["x1 = 0", "x9[0] = 0", "= 0", "x1[0] =", "x1[0] > 0", "1 = 1", "x1[7]=0"]),
    )
    count = len(names)
    arrays = st.sampled_from(
        [
            np.eye(count)[:1],
            np.eye(count),
            np.ones(count),
            np.zeros(count),
            np.ones(count + 1),
            (np.eye(count)[:2], [0.0, 1.0]),
            (np.eye(count)[:2], [1.0]),
            np.full(count, np.nan),
            pd.DataFrame([[1.0, -1.0]], columns=[names[0], names[-1]]),
            pd.Series([1.0], index=["no"]),
            np.vstack([np.ones(count)] * 3),
        ]
    )
    return st.one_of(text, text, st.lists(text, max_size=3), arrays, things)


#: Levels, sound and odd.
ALPHAS = st.one_of(st.sampled_from([0.05, 0.1, 0.5, 1e-10, 0.999]), things)
SMALL = st.one_of(st.sampled_from([1, 2, 3]), st.sampled_from([0, -1, 2.0, "3", None, True]))


@st.composite
def result_calls(draw: Any) -> tuple[str, str, str, dict[str, Any]]:
    """Family and shape of a fit, the name of a method, and its arguments."""
    family = draw(st.sampled_from([*names(), "gaussian", "poisson"]))
    # Every shape for two families, and a few for the others: a fit takes longer than a call.
    shapes = {"gaussian": SHAPES, "poisson": ("one", "saved", "groups", "offset", "arrays")}
    shapes = shapes.get(family, ("plain",))
    shape = draw(st.sampled_from(sorted(shapes)))
    results = fit_of(family, shape)
    parameters = list(results.params.index)
    methods = _methods(family, shape, parameters)
    method = draw(st.sampled_from([*methods, "predict", "predict", "get_prediction"]))
    given = {}
    for name, values in methods[method].items():
        if name in FIRST or draw(st.booleans()):
            given[name] = draw(values)
    if draw(st.integers(0, 15)) == 0:
        given[draw(st.sampled_from(["wich", "level", "ci", "x", "exogs"]))] = draw(things)
    return family, shape, method, given


#: Arguments that a call is not made without.
FIRST = ("variables", "r_matrix", "name", "n_boot", "hypotheses", "i", "exog")


def _methods(family: str, shape: str, names: list[str]) -> dict[str, dict[str, Any]]:
    per = per_row(30)
    rows = new_rows(family, shape)
    name = st.one_of(st.sampled_from(names), things)
    tests = hypotheses(names)
    covariance = st.one_of(st.just(np.eye(len(names))), things)
    new = {"exog": rows, "offset": per, "exog_concomitant": per}
    return {
        "predict": {
            **new,
            "which": st.one_of(st.sampled_from(WHICH), st.sampled_from(WHICH), things),
            "q": st.one_of(st.sampled_from([0.5, 0.1, [0.1, 0.9]]), things),
            "endog": per,
            "groups": per,
            "transform": st.one_of(st.booleans(), things),
        },
        "get_prediction": {
            **new,
            "which": st.one_of(st.sampled_from(["mean", "components", "prob"]), things),
        },
        "simulate": {**new, "groups": per, "nobs": SMALL, "rng": things},
        "t_test": {
            "r_matrix": tests,
            "cov_p": covariance,
            "use_t": st.one_of(st.booleans(), things),
        },
        "wald_test": {
            "r_matrix": tests,
            "cov_p": covariance,
            "invcov": things,
            "use_f": st.booleans(),
            "scalar": st.booleans(),
            "df_constraints": SMALL,
        },
        "f_test": {"r_matrix": tests, "cov_p": covariance},
        "wald_test_terms": {
            "skip_single": st.one_of(st.booleans(), things),
            "extra_constraints": things,
            "combine_terms": st.one_of(st.just(["x1"]), things),
        },
        "pairwise": {
            "term": st.one_of(st.just("x1"), things),
            "alpha": ALPHAS,
            "method": st.one_of(st.sampled_from(["hs", "holm", None]), things),
        },
        "conf_int": {"alpha": ALPHAS, "cols": st.one_of(name, st.lists(st.integers(0, 3)), things)},
        "cov_params": {"r_matrix": tests, "column": name, "cov_p": covariance, "other": things},
        "proportions": {"alpha": ALPHAS},
        "ratios": {"alpha": ALPHAS},
        "sigmas": {"alpha": ALPHAS},
        "margins": {
            "alpha": ALPHAS,
            "dummy": st.one_of(st.booleans(), things),
            "at": st.one_of(st.sampled_from(["mean", "median", {"x1": 1.0}]), things),
        },
        "profile_likelihood_ci": {"name": name, "alpha": ALPHAS},
        "bootstrap": {
            "n_boot": SMALL,
            "kind": st.one_of(st.sampled_from(["parametric", "rows"]), things),
            "rng": things,
            "threads": st.just(1),
        },
        "get_robustcov_results": {
            "cov_type": st.one_of(st.sampled_from(["opg", "HC0", "HC1", "cluster"]), things),
            "groups": st.one_of(st.sampled_from(["id", np.arange(N) // 5]), per_row(N)),
            "use_t": st.one_of(st.booleans(), things),
            "use_correction": things,
        },
        "profiles": {
            "variables": st.one_of(
                st.sampled_from(["x2", "g", "who", "when", ["z1", "flag"], "nosuch"]), per_row(N)
            ),
            "method": st.one_of(st.sampled_from(["bch", "ml", "posterior"]), things),
            "alpha": ALPHAS,
        },
        "tidy": {"alpha": ALPHAS},
        "glance": {},
        "table": {
            "kind": st.one_of(st.sampled_from(["latex", "html", "markdown", "text"]), things),
            "beside": things,
            "stars": st.booleans(),
            "float_format": st.one_of(st.just("%.2f"), things),
            "names": things,
        },
        "adequacy_table": {"alpha": ALPHAS},
        "membership_table": {},
        "random_effects": {},
        "random_cov": {},
        "mode": {"i": st.one_of(st.integers(0, 4), things)},
        "summary": {"alpha": ALPHAS, "title": things},
        "info_criteria": {
            "crit": st.one_of(st.sampled_from(["aic", "bic"]), things),
            "dk_params": st.one_of(st.integers(0, 3), things),
        },
        "compare_lr_test": {"restricted": things},
        "get_influence": {},
        "classification_table": {},
        "to_json": {"path": st.sampled_from([None, "", "/no/such/folder/fit.json", 5])},
        "resid": {},
        "resid_component": {},
        "quantile_residuals": {},
    }


def check_result_call(call: tuple[str, str, str, dict[str, Any]]) -> str:
    """Make the call, and check what is right for any answer of its method."""
    family, shape, name, given = call
    results = fit_of(family, shape)
    method = answer(getattr, results, name, None)
    if method is None:
        return "absent"
    out = answer(method, **given) if callable(method) else method
    if isinstance(out, Refused):
        return "refused"
    if name == "predict":
        check_prediction(results, given, out)
    elif name == "get_prediction":
        check_intervals(answer(out.summary_frame))
    elif name in ("conf_int", "proportions", "sigmas", "ratios"):
        check_intervals(out)
    elif name in ("t_test", "wald_test", "f_test"):
        p = np.asarray(out.pvalue, dtype=float)
        assert ((p >= 0) & (p <= 1) | np.isnan(p)).all()
        assert "object at 0x" not in str(answer(out.summary))
    elif name == "profile_likelihood_ci":
        at = results.params[given["name"]]
        assert out.iloc[0] <= at <= out.iloc[1]
    elif name == "bootstrap":
        assert len(out.params) == given["n_boot"]
        check_intervals(answer(out.conf_int))
        assert str(out)
    elif name == "get_robustcov_results":
        np.testing.assert_array_equal(out.params, results.params)
        answer(out.summary)
    elif name == "margins":
        assert np.isfinite(out["dy/dx"].to_numpy(dtype=float)).all()
    else:
        str(out)
    return "answered"


def check_intervals(frame: Any) -> None:
    if isinstance(frame, Refused):
        return
    if isinstance(frame, np.ndarray):
        frame = pd.DataFrame(np.atleast_2d(frame)).set_axis(["lower", "upper"], axis=1)
    if frame.columns.nlevels > 1:
        for component in frame.columns.levels[0]:
            check_intervals(frame[component])
        return
    pairs = (
        ("lower", "upper"),
        ("mean_ci_lower", "mean_ci_upper"),
        (0, 1),
        ("ci_lower", "ci_upper"),
        ("obs_ci_lower", "obs_ci_upper"),
    )
    for low, high in pairs:
        if low in frame and high in frame:
            both = frame[[low, high]].dropna()
            assert (both[low] <= both[high]).all()


def check_prediction(results: Any, given: dict[str, Any], out: Any) -> None:
    """Probabilities sum to one, and a row without gaps has no gap in its prediction."""
    which, exog = given.get("which", "mean"), given.get("exog")
    values = np.asarray(out, dtype=float)
    if which in ("prob", "posterior"):
        sums = values.sum(axis=1)
        np.testing.assert_allclose(sums[~np.isnan(sums)], 1.0, rtol=1e-9)
    if which == "cdf":
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()
    if not isinstance(exog, pd.DataFrame) or any(n in given for n in ("endog", "offset", "groups")):
        return
    assert len(out) == len(exog)
    complete = exog.drop(columns="who", errors="ignore").notna().all(axis=1).to_numpy()
    assert not np.isnan(values[complete]).any()
    q = given.get("q", 0.5)
    if which == "quantile" and isinstance(q, float) and len(exog):
        at = answer(results.predict, exog, which="cdf", endog=values)
        if not isinstance(at, Refused):
            assert (at.dropna() >= q - 1e-7).all()
