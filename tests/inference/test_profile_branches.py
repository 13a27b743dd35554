"""Profile intervals where the likelihood has several modes of nearly one height."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import logsumexp

import smmix

DROP = stats.chi2.isf(0.05, 1) / 2


def crossing_lines(seed: int, n: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    first = rng.random(n) < 0.5
    return {"x": x, "y": np.where(first, 1.2 * x, 1 - 0.8 * x) + 0.8 * rng.normal(size=n)}


@functools.cache
def fitted(seed: int, variance: str = "equal"):
    model = smmix.from_formula("y ~ x", crossing_lines(seed), k=2, variance=variance)
    return model.fit(n_starts=10)


def near_modes(results):
    starts = results.starts
    sound = starts[~starts["degenerate"].astype(bool) & (starts["llf"] > results.llf - DROP)]
    return [results.mode(i) for i in sound.index]


def log_likelihood(params: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Two lines with one sigma, from the definition: a0, b0, a1, b1, log sigma, logit."""
    a0, b0, a1, b1, log_sigma, logit = params
    lines = np.stack([a0 + b0 * x, a1 + b1 * x])
    weights = np.array([0.0, logit]) - np.logaddexp(0.0, logit)
    densities = stats.norm.logpdf(y, lines, np.exp(log_sigma))
    return float(logsumexp(weights[:, None] + densities, axis=0).sum())


def held_maximum(results, start, position: int, value: float) -> float:
    """The log-likelihood maximised by BFGS with one parameter held, from a mode."""
    data = crossing_lines(21)
    begin = start.params.to_numpy(copy=True)
    begin[4] = np.log(begin[4])
    others = np.delete(np.arange(6), position)

    def loss(free: np.ndarray) -> float:
        return -log_likelihood(np.insert(free, position, value), data["x"], data["y"])

    return -optimize.minimize(loss, begin[others], method="BFGS", options={"gtol": 1e-6}).fun


def test_the_end_of_another_branch_is_where_its_profile_has_fallen():
    results = fitted(21)
    rival = max(near_modes(results), key=lambda mode: mode.params["x[0]"])
    lower, upper = results.profile_likelihood_ci("x[0]")
    # The branch of the fit is far below: it ends before the rival.
    assert lower < results.params["x[0]"] < 0.0 < rival.params["x[0]"] < upper
    for start, end in ((results, lower), (rival, upper)):
        assert held_maximum(results, start, 1, end) == pytest.approx(results.llf - DROP, abs=1e-4)
    between = 0.5 * (rival.params["x[0]"] + upper)
    assert held_maximum(results, rival, 1, between) > results.llf - DROP


@pytest.mark.parametrize(("seed", "variance"), [(11, "equal"), (36, "equal"), (1, "free")])
def test_every_mode_that_is_high_enough_lies_inside(seed, variance):
    results = fitted(seed, variance)
    modes = near_modes(results)
    for name in results.params.index:
        lower, upper = results.profile_likelihood_ci(name)
        for mode in modes:
            assert lower - 1e-6 <= mode.params[name] <= upper + 1e-6


def test_a_likelihood_that_one_line_explains_sets_no_bounds():
    """A component without weight may have any slope, and one line is hardly worse."""
    results = fitted(29)
    one = smmix.from_formula("y ~ x", crossing_lines(29), k=1).fit()
    assert one.llf > results.llf - DROP
    assert results.profile_likelihood_ci("x[0]").tolist() == [-np.inf, np.inf]


@pytest.mark.parametrize("seed", [3, 8])
def test_spikes_of_few_rows_do_not_count(seed):
    """With free variances every data set has higher points on lines through a few rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=24)
    y = np.where(rng.random(24) < 0.5, 2.0 + x, -2.0 - x) + 0.7 * rng.normal(size=24)
    results = smmix.from_formula("y ~ x", {"x": x, "y": y}, k=2).fit(n_starts=10)
    assert (results.starts["llf"] > results.llf).any() or results.starts["degenerate"].any()
    for name in ("x[0]", "sigma[0]", "sigma[1]"):
        lower, upper = results.profile_likelihood_ci(name)
        assert lower < results.params[name] < upper
