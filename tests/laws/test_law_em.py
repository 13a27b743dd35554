"""Laws: EM never goes down, and estimates come near the parameters that made the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from laws.problems import two_lines

import smmix


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"variance": "equal"},
        {"concomitant": "~ z"},
        {"common": ["x"]},
        {"groups": "id"},
        {"freq_weights": "w"},
        pytest.param(
            {"concomitant": "~ z", "groups": "id", "variance": "equal", "common": ["x"]},
            # z separates the components, so that the likelihood has no maximum in the logits.
            marks=pytest.mark.filterwarnings(
                "ignore::statsmodels.tools.sm_exceptions.HessianInversionWarning"
            ),
        ),
    ],
    ids=lambda options: "+".join(options) or "plain",
)
def test_em_ascends(options):
    rng = np.random.default_rng(3)
    frame = two_lines(11, gap=2.0).assign(
        z=lambda f: (np.arange(len(f)) // 4 % 7) - 3.0,
        id=lambda f: np.arange(len(f)) // 4,
        w=lambda f: rng.integers(1, 4, len(f)),
    )
    model = smmix.from_formula("y ~ x", frame, k=2, **options)
    fit = model.fit(method="em", gtol=1e-6, maxiter=5000)
    path = fit.history.loc[fit.history["phase"] == "em", "llf"].to_numpy()
    assert len(path) > 2
    assert np.diff(path).min() >= -1e-10 * abs(path[-1])
    assert fit.llf >= path[-1] - 1e-10 * abs(path[-1])


def test_em_alone_and_newton_finish_end_in_one_place():
    model = smmix.from_formula("y ~ x", two_lines(12), k=2)
    em, newton = model.fit(method="em"), model.fit()
    assert em.llf == pytest.approx(newton.llf, rel=1e-12)
    np.testing.assert_allclose(em.params, newton.params, rtol=1e-5)


def simulate(rng, n, coef, sigma, gamma=None, group_size=1):
    """Written here, not with the library's simulator: both sides of a law must not share code."""
    k = len(coef)
    x, z = rng.normal(size=n), np.repeat(rng.normal(size=n // group_size), group_size)
    gamma = np.zeros((k, 2)) if gamma is None else np.asarray(gamma)
    prior = np.exp(gamma[:, 0] + np.outer(z, gamma[:, 1]))
    prior /= prior.sum(axis=1, keepdims=True)
    uniform = np.repeat(rng.uniform(size=n // group_size), group_size)
    component = (uniform[:, None] > prior.cumsum(axis=1)).sum(axis=1)
    coef = np.asarray(coef)[component]
    y = coef[:, 0] + coef[:, 1] * x + np.asarray(sigma)[component] * rng.normal(size=n)
    unit = np.arange(n) // group_size
    return pd.DataFrame({"y": y, "x": x, "z": z, "id": unit, "component": component})


def z_scores(fit, truth):
    return [(fit.params[name] - value) / fit.bse[name] for name, value in truth.items()]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("group_size", [1, 4])
def test_parameters_are_recovered(seed, group_size):
    rng = np.random.default_rng(seed)
    coef, sigma = [[0.0, 1.0], [4.0, -1.0], [9.0, 0.5]], [1.0, 0.6, 1.5]
    gamma = [[0.0, 0.0], [-0.5, 0.8], [-1.1, -0.6]]
    frame = simulate(rng, 3000, coef, sigma, gamma, group_size)
    options = {"groups": "id"} if group_size > 1 else {}
    model = smmix.from_formula("y ~ x", frame, k=3, concomitant="~ z", **options)
    fit = model.fit(order="Intercept")
    truth = {}
    for c in range(3):
        truth |= {f"Intercept[{c}]": coef[c][0], f"x[{c}]": coef[c][1], f"sigma[{c}]": sigma[c]}
    for c in (1, 2):
        truth |= {f"mixing.Intercept[{c}]": gamma[c][0], f"mixing.z[{c}]": gamma[c][1]}
    scores = np.array(z_scores(fit, truth))
    assert np.abs(scores).max() < 4
    assert (scores**2).mean() < 2.5


@pytest.mark.slow
def test_standard_errors_are_the_spread_of_the_estimates():
    """Over 200 samples the mean reported error is the spread of the estimates, within 20%."""
    rng = np.random.default_rng(8)
    estimates, errors = [], []
    for _ in range(200):
        frame = simulate(rng, 300, [[0.0, 1.0], [4.0, -1.0]], [1.0, 0.6])
        start = [0.0, 1.0, 4.0, -1.0, 1.0, 0.6, 0.0]
        fit = smmix.from_formula("y ~ x", frame, k=2).fit(start_params=start)
        estimates.append(fit.params.to_numpy())
        errors.append(fit.bse.to_numpy())
    ratio = np.mean(errors, axis=0) / np.std(estimates, axis=0)
    assert np.abs(ratio - 1).max() < 0.2
