"""Responses of new rows, in the table or beside it: read alike, used as the family means them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smmix import SmmixError, from_formula, read_json

RNG = np.random.default_rng(8)
N = 100


def frame():
    x = RNG.normal(size=N)
    high = RNG.random(N) < 0.5
    shift = np.where(high, 2.0, 0.0)
    times = RNG.exponential(np.exp(0.5 + 0.3 * x + shift))
    ended = RNG.random(N) < 0.7
    levels = pd.cut(x + shift + RNG.logistic(size=N), [-99, 0, 2, 99], labels=[1, 2, 5])
    return pd.DataFrame(
        {
            "x": x,
            "time": times + 1e-3,
            "ended": ended.astype(int),
            "level": levels.astype(int),
            "count": RNG.poisson(np.exp(0.5 + 0.2 * x + shift / 2)),
            "trials": 9,
            "s": RNG.binomial(9, 1 / (1 + np.exp(-x - shift))),
            "real": 1 + x + 3 * shift + RNG.normal(size=N),
        }
    )


DATA = frame()
MODELS = {
    "exponential": ("time ~ x", {"family": "exponential", "event": "ended"}),
    "ordered": ("level ~ x", {"family": "ordered"}),
    "binomial": ("s ~ x", {"family": "binomial", "trials": "trials"}),
    "poisson": ("count ~ x", {"family": "poisson"}),
    "gaussian": ("real ~ x", {}),
}


@pytest.fixture(scope="module")
def fits():
    made = {}
    for name, (formula, options) in MODELS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            made[name] = from_formula(formula, DATA, k=2, **options).fit(n_starts=2, maxiter=40)
    return made


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("which", ["posterior", "label", "cdf"])
def test_beside_the_table_as_within_it(fits, model, which):
    fit = fits[model]
    name = MODELS[model][0].partition(" ")[0]
    expected = fit.predict(DATA, which=which)
    pd.testing.assert_frame_equal(*map(pd.DataFrame, (fit.predict(which=which), expected)))
    beside = fit.predict(DATA.assign(**{name: 1}), which=which, endog=DATA[name].tolist())
    pd.testing.assert_frame_equal(*map(pd.DataFrame, (beside, expected)))
    saved = read_json(fit.to_json()).predict(DATA, which=which, endog=DATA[name])
    pd.testing.assert_frame_equal(*map(pd.DataFrame, (saved, expected)))


def test_times_that_were_cut_off(fits):
    fit = fits["exponential"]
    means = fit.predict(DATA, which="components").to_numpy()
    law = stats.expon(scale=means)
    time, ended = DATA[["time"]].to_numpy(), DATA[["ended"]].to_numpy()
    joint = np.where(ended == 1, law.pdf(time), law.sf(time)) * fit.mixing_weights.to_numpy()
    expected = joint / joint.sum(axis=1, keepdims=True)
    for found in (
        fit.predict(DATA, which="posterior"),
        fit.predict(DATA.drop(columns="time"), which="posterior", endog=DATA["time"]),
        fit.predict(which="posterior", endog=DATA["time"]),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)
    # P(T <= t) is what it is, whether the time was cut off or not.
    np.testing.assert_allclose(
        fit.predict(DATA, which="cdf"), law.cdf(time) @ fit.mixing_weights.to_numpy(), rtol=1e-9
    )


IMPOSSIBLE = {
    "poisson": (-1, "a whole number from 0 up"),
    "binomial": (10, "to its number of trials"),
    "exponential": (-2.0, "a time is a positive number"),
    "ordered": (3, "none of the levels 1, 2, 5"),
    "gaussian": (1e200, "density is zero in double precision"),
}


@pytest.mark.parametrize("model", IMPOSSIBLE)
def test_impossible_ones_are_refused_where_they_matter(fits, model):
    fit, (value, words) = fits[model], IMPOSSIBLE[model]
    response = DATA[MODELS[model][0].partition(" ")[0]].astype(type(value)).copy()
    response.iloc[7] = value
    with pytest.raises(SmmixError, match=f"row 7.*{words}"):
        fit.predict(DATA, which="posterior", endog=response)
    if model == "exponential":
        assert fit.predict(DATA, which="cdf", endog=response).iloc[7] == 0.0
    if model != "ordered":
        moved = DATA.assign(**{response.name: response})
        np.testing.assert_array_equal(fit.predict(moved), fit.predict(DATA))


@pytest.mark.parametrize("given", [[[1, 2], [3]], np.ones((N, 2)), [1.0], np.ones((N // 2, 2))])
@pytest.mark.parametrize("argument", ["endog", "offset"])
def test_one_value_for_each_row(fits, argument, given):
    with pytest.raises(SmmixError, match=f"{argument} (has|must have)"):
        fits["gaussian"].predict(DATA, which="posterior", **{argument: given})


def test_a_value_to_hold_margins_at_is_one_number(fits):
    with pytest.raises(SmmixError, match=r"at\['x'\] must be one value"):
        fits["gaussian"].margins(at={"x": [[1, 2], [3]]})
