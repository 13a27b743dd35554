"""Calls that build a model, of formulas or arrays and of every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from hypothesis import strategies as st
from laws.calls.outcome import Refused, answer
from laws.calls.strange import columns, per_row, things
from laws.calls.tables import DAMAGES, ROWS, table
from laws.families_data import data_for, names

import smmix
from smmix import families as fam

SM = sm.families
#: Ways to name a family, by the family that the response is drawn for.
FAMILIES: dict[str, list[Any]] = {
    "gaussian": ["gaussian", "normal", fam.Gaussian(link="log"), SM.Gaussian()],
    "student_t": ["t", fam.StudentT(df=4), fam.StudentT, ["t", "gaussian", "laplace"]],
    "laplace": ["laplace", "Laplace", ["laplace", "gaussian"]],
    "censored_gaussian": [fam.CensoredGaussian(lower=0.0), "tobit"],
    "measured_gaussian": [fam.MeasuredGaussian("v"), "gaussian"],
    "poisson": ["poisson", fam.Poisson(link="sqrt"), SM.Poisson(), ["poisson", "zero"]],
    "negative_binomial": ["nb2", fam.NegativeBinomial(kind=1), SM.NegativeBinomial(alpha=0.5)],
    "zero_truncated_poisson": ["zero_truncated_poisson", "poisson", ["poisson", "nb2"]],
    "zero_inflated_poisson": ["zip", ["poisson", "poisson", "zero"], ["zip", "poisson"]],
    "binomial": ["binomial", "bernoulli", fam.Binomial(link="probit"), SM.Binomial()],
    "gamma": ["gamma", SM.Gamma(SM.links.Log()), fam.Gamma(link="inverse_power")],
    "inverse_gaussian": ["inverse_gaussian", SM.InverseGaussian(SM.links.Log()), "gamma"],
    "beta": ["beta", fam.Beta(link="probit"), ["beta", "beta", fam.PointMass(0.5)]],
    "ordered": ["ordered", "ordered_logit", fam.Ordered(link="probit")],
    "weibull": ["weibull", ["weibull", fam.PointMass(np.inf)], ["weibull", "exponential"]],
    "exponential": ["exponential", "weibull", SM.Gamma(SM.links.Log())],
}
#: Right and wrong, for any response.
OTHER_FAMILIES: list[Any] = [
    "poison",
    "",
    "zero",
    "gaussian,poisson",
    SM.Tweedie(),
    SM.Binomial(SM.links.CLogLog()),
    SM.Gaussian(SM.links.InversePower()),
    ["gaussian"],
    ["zero", "zero"],
    [],
    [None, "t"],
    ("poisson", "t"),
    fam.PointMass(1.0),
    fam.Poisson,
    *names(),
]
FORMULAS = [
    "y ~ x1",
    "y ~ x1 + x2",
    "y ~ 1",
    "y ~ 0 + x1",
    "y ~ x1 * g",
    "y ~ C(g)",
    "y ~ flag + x1",
    "y ~ x1 + I(x1**2)",
    "y ~ bs(x1, df=4)",
    "y ~ np.exp(x1 / 4)",
    "y ~ Q('odd name')",
    "y ~ center(x1) + standardize(x2)",
    "y ~ poly(x1, 2)",
]
BY_COMPONENT: list[Any] = [
    {0: "y ~ 1", 1: "y ~ x1"},
    ["y ~ x1", "y ~ 1"],
    ["y ~ x1", "y ~ x1 + x2", "y ~ 1"],
    {0: "y ~ x1"},
    {0: "y ~ x1", 1: "x1 ~ x2"},
    {1: "y ~ x1", 2: "y ~ 1"},
    ["y ~ x1", None],
]
ODD_FORMULAS: list[Any] = [
    "",
    "~",
    "y ~",
    "~ x1",
    "x1",
    "y ~ x1 +",
    "y ~ x3",
    "y ~ X1",
    "y ~ %x1",
    "y ~ {}",
    "y ~ x1 ~ x2",
    "y + x2 ~ x1",
    "y ~ 0",
    "y ~ y",
    "log(y) ~ x1",
    "np.log(y) ~ x1",
    "y ~ bs(g)",
    "y ~ cr(g)",
    "y ~ bs(x1, df=1)",
    "y ~ x1 / 0",
    "y ~ np.log(x1)",
    "y ~ np.sqrt(-x1**2 - 1)",
    "y ~ when",
    "y ~ who",
    "y ~ odd name",
    "y ~ x1:g:x2",
    "y ~ x1 + x1",
    "y ~ x1**2",
    "y ~ (x1 + x2)**2",
    "y ~ C(x1)",
    "y ~ nothing(x1)",
    "y ~ x1.real",
    "y ~ x1[0]",
    "y ~ lambda: 1",
    "y ~ 1 / 0",
    "y ~ I(1 / 0)",
    "y ~ C(g, Treatment('z'))",
    "y ~ C(g, Sum)",
    "g ~ x1",
    "y ~ mixing.x1",
    "é ~ x1",
    "y ~ x1 + offset(off)",
    "y ~ x1 | z1",
    "y ~ te(cr(x1, 3), cr(x2, 3))",
    "y \n ~ x1",
    "y ~ 'x1'",
    "y ~ x1 + 1e400",
    "y ~ exec('1')",
    "y + t ~ x1",
    "y ~ np.array([1, 2])",
    "y ~ pd.Series([1.0])",
]
STARTS_OF_NAMES = ["weights", "trial", "exposures", "freq_weight", "n_components", "formula", "K"]


def sound(n: int) -> dict[str, list[Any]]:
    """Values of the arguments that a model of formulas can have."""
    column = columns(n)
    return {
        "concomitant": ["~ z1", "z1", "~ x1", "~ 1", "x1 + g"],
        "groups": ["id", np.arange(n) // 2, "g"],
        "freq_weights": ["w", np.full(n, 2), "months"],
        "prob_weights": ["pw", column["ones"]],
        "offset": ["off", 0.01 * column["numbers"]],
        "exposure": ["months", column["ones"]],
        "known": ["who", np.where(np.arange(n) < 4, 0, np.nan)],
        "variance": ["free", "equal"],
        "common": [["x1"], "~ x1", "~ x2", "x1", []],
        "fixed": [{"x1[0]": 0.0}, {"x1[1]": 1.0}, {"Intercept[0]": 0.5}, {}],
        "shared": [["alpha"], ["sigma"], "scale", ["df"], []],
        "subset": ["x1 > -0.5", np.arange(n) > 4, slice(0, n - 3), list(range(n - 5))],
        "missing": ["drop", "raise", "none"],
        "hasconst": [True, False],
        "trials": ["t", 20, np.full(n, 30)],
        "event": ["ended", "flag"],
        "eval_env": [0, 1],
        "random": ["~ 1", "~ 1 + x1", "~ 0 + x1", "x1"],
        "random_cov": ["free", "equal", "diagonal"],
        "error_variance": ["~ 0 + v", "x2**2", "months"],
    }


#: Arguments that a model of arrays has not.
FORMULAS_ONLY = ("concomitant", "subset", "eval_env", "random", "random_cov", "error_variance")
#: Arguments of which a call has some without being refused for it.
HARMLESS = ("concomitant", "freq_weights", "offset", "known", "common", "missing", "prob_weights")


@st.composite
def spoiled(draw: Any, given: dict[str, Any], allowed: list[str], n: int) -> dict[str, Any]:
    """The arguments, one of them replaced by what nobody expects, or one that does not exist."""
    given = dict(given)
    if draw(st.integers(0, 9)) == 0:
        given[draw(st.sampled_from(STARTS_OF_NAMES))] = draw(things)
    else:
        given[draw(st.sampled_from(allowed))] = draw(per_row(n))
    return given


@st.composite
def model_calls(draw: Any, odd: bool = True) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """A function that builds a model, its arguments, and its keyword arguments.

    Without ``odd`` the arguments suit each other, most times.
    """
    drawn = draw(st.sampled_from(sorted(FAMILIES)))
    n = draw(st.sampled_from(ROWS))
    frame = table(drawn, draw(st.integers(0, 30)), n)
    family = draw(st.sampled_from(FAMILIES[drawn]))
    k = len(family) if isinstance(family, list) else draw(st.sampled_from([2, 2, 2, 1, 3]))
    options = {name: value for name, value in data_for(drawn)[1].items() if name != "groups"}
    if "groups" in data_for(drawn)[1]:
        options["groups"] = "id"
    possible = sound(n)
    some = st.sampled_from(sorted(possible) if odd else HARMLESS)
    for name in draw(st.lists(some, unique=True, max_size=3)):
        options[name] = draw(st.sampled_from(possible[name]))
    options["family"] = family
    if draw(st.booleans()) and "concomitant" not in options and "common" not in options:
        return draw(_array_call(frame, k, options, odd))
    formula = draw(st.sampled_from(FORMULAS))
    if drawn in ("gaussian", "measured_gaussian") and draw(st.integers(0, 3)) == 0:
        # Effects of the groups, which no other family can have.
        options |= {"groups": "id", "random": draw(st.sampled_from(possible["random"]))}
        options["family"] = "gaussian"
    if not odd:
        return smmix.from_formula, (formula, frame, k), options
    return draw(_odd_call(formula, frame, k, options))


@st.composite
def _odd_call(
    draw: Any, formula: Any, frame: pd.DataFrame, k: Any, options: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """A call of a formula, most times with something that does not suit it."""
    n = len(frame)
    data: Any = frame
    kind = draw(st.integers(0, 11))
    if kind == 0:
        formula = draw(st.one_of(st.sampled_from(ODD_FORMULAS), things))
    elif kind == 1:
        formula = draw(st.sampled_from(BY_COMPONENT))
    elif kind == 2:
        options["family"] = draw(st.one_of(st.sampled_from(OTHER_FAMILIES), things))
    elif kind == 3:
        k = draw(st.one_of(st.sampled_from([0, 5, 40, 2000, "2", 2.0, [2]]), things))
    elif kind < 7:
        data = DAMAGES[draw(st.sampled_from(sorted(DAMAGES)))](frame)
    elif kind == 7:
        data = draw(things)
    elif kind < 11:
        options = draw(spoiled(options, [*sound(n), "family"], n))
    return smmix.from_formula, (formula, data, k), options


@st.composite
def _array_call(
    draw: Any, frame: pd.DataFrame, k: int, options: dict[str, Any], odd: bool
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    n = len(frame)
    given = {}
    for name, value in options.items():
        if name in FORMULAS_ONLY:
            continue
        given[name] = frame[value] if isinstance(value, str) and value in frame else value
    endog, exog = frame["y"], sm.add_constant(frame[["x1", "x2"]])
    if draw(st.booleans()):
        endog, exog = endog.to_numpy(), exog.to_numpy()
    if draw(st.integers(0, 3)) == 0:
        given["exog_concomitant"] = (
            sm.add_constant(frame[["z1"]]).set_axis(exog.index)
            if (isinstance(exog, pd.DataFrame))
            else sm.add_constant(frame[["z1"]]).to_numpy()
        )
    face: Any = smmix.MixtureGLM
    if given["family"] in ("gaussian", "normal") or not draw(st.integers(0, 9)):
        face = smmix.MixtureOLS
        for name in ("family", "exposure", "trials", "event", "shared"):
            given.pop(name, None)
    arguments: list[Any] = [endog, exog, k]
    if odd and draw(st.booleans()):
        place = draw(st.integers(0, 5))
        if place < 3:
            arguments[place] = draw(per_row(n))
        else:
            names = [*sound(n), "exog_concomitant", "present", "family"]
            for name in FORMULAS_ONLY:
                names.remove(name)
            given = draw(spoiled(given, names, n))
    return face, tuple(arguments), given


def check_model(model: Any, seed: int) -> None:
    """The likelihood at any parameters that are allowed, and what is said of others."""
    rng = np.random.default_rng(seed)
    count = len(model.param_names)
    assert count == len(set(model.param_names))
    assert np.isfinite(model.endog).all()
    assert np.isfinite(model.exog).all()
    assert model.nobs > 0
    params = rng.uniform(0.1, 0.9, count)
    value = answer(model.loglike, params)
    if isinstance(value, Refused) or value == -np.inf:
        return
    assert np.isfinite(value)
    np.testing.assert_allclose(model.loglikeobs(params).sum(), value, rtol=1e-9, atol=1e-9)
    score = answer(model.score, params)
    assert isinstance(score, Refused) or np.isfinite(score).all()
    posterior = model.posterior(params)
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0, rtol=1e-9)
    assert isinstance(answer(model.loglike, params[:-1]), Refused)
