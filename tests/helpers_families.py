"""One line for each family and link: what tests of the contract need of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special, stats

from smmix.families.binomial import Binomial
from smmix.families.gamma import Gamma
from smmix.families.inverse_gaussian import InverseGaussian
from smmix.families.poisson import Poisson

SETS, COMPONENTS, ROWS = 2, 2, 40


class Case(NamedTuple):
    """A family, a distribution of scipy that it must equal, and where to try it.

    ``reference`` takes eta and the nuisance parameters, one argument each, and the trials.
    """

    family: Any
    reference: Callable[..., Any]
    etas: tuple[float, float]
    nuisance: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    trials: bool = False


class Problem(NamedTuple):
    y: np.ndarray  # (m,)
    aux: np.ndarray | None
    eta: np.ndarray  # (S, K, m)
    nuisance: np.ndarray  # (S, K, d)
    reference: Any  # frozen distribution, (S, K, m)


def poisson(mean):
    return stats.poisson(mean)


def gamma(mean, scale):
    return stats.gamma(1.0 / scale, scale=mean * scale)


def inverse_gaussian(mean, scale):
    return stats.invgauss(mean * scale, scale=1.0 / scale)


CASES = {
    "poisson-log": Case(Poisson(), lambda e, n: poisson(np.exp(e)), (-3, 4)),
    "poisson-identity": Case(Poisson("identity"), lambda e, n: poisson(e), (0.1, 30)),
    "poisson-sqrt": Case(Poisson("sqrt"), lambda e, n: poisson(e**2), (-4, 5)),
    "gamma-log": Case(Gamma(), lambda e, s, n: gamma(np.exp(e), s), (-3, 4), ((0.3,), (2.0,))),
    "gamma-concentrated": Case(
        Gamma(), lambda e, s, n: gamma(np.exp(e), s), (-0.1, 0.1), ((0.002,), (0.011,))
    ),
    "gamma-inverse": Case(
        Gamma("inverse_power"), lambda e, s, n: gamma(1 / e, s), (0.2, 9), ((0.3,), (2.0,))
    ),
    "gamma-identity": Case(
        Gamma("identity"), lambda e, s, n: gamma(e, s), (0.2, 9), ((0.3,), (2.0,))
    ),
    "inverse-gaussian-log": Case(
        InverseGaussian(), lambda e, s, n: inverse_gaussian(np.exp(e), s), (-2, 2), ((0.3,), (2.0,))
    ),
    "inverse-gaussian-squared": Case(
        InverseGaussian("inverse_squared"),
        lambda e, s, n: inverse_gaussian(e**-0.5, s),
        (0.2, 9),
        ((0.3,), (2.0,)),
    ),
    "bernoulli": Case(Binomial(), lambda e, n: stats.binom(1, special.expit(e)), (-5, 5)),
    "binomial-logit": Case(
        Binomial(), lambda e, n: stats.binom(n, special.expit(e)), (-5, 5), trials=True
    ),
    "binomial-probit": Case(
        Binomial("probit"), lambda e, n: stats.binom(n, special.ndtr(e)), (-3, 3), trials=True
    ),
    "binomial-cloglog": Case(
        Binomial("cloglog"),
        lambda e, n: stats.binom(n, -np.expm1(-np.exp(e))),
        (-4, 1.5),
        trials=True,
    ),
    "binomial-log": Case(
        Binomial("log"), lambda e, n: stats.binom(n, np.exp(e)), (-4, -0.05), trials=True
    ),
}


def problem(case: Case, seed: int = 0, rows: int = ROWS) -> Problem:
    """Rows of the case, drawn from the reference of the first component of the first set."""
    rng = np.random.default_rng(seed)
    eta = rng.uniform(*case.etas, (SETS, COMPONENTS, rows))
    nuisance = np.array(case.nuisance, dtype=float) * rng.uniform(0.8, 1.25, (SETS, 1, 1))
    trials = rng.integers(1, 12, rows)
    parameters = [nuisance[..., j, None] for j in range(nuisance.shape[-1])]
    reference = case.reference(eta, *parameters, trials)
    y = reference.rvs(size=eta.shape, random_state=rng)[0, 0].astype(float)
    return Problem(
        y, trials[:, None].astype(float) if case.trials else None, eta, nuisance, reference
    )


def log_density(family, at: Problem, eta, nuisance):
    """What ``evaluate`` gives, of real or complex parameters."""
    return family.evaluate(at.y, at.aux, eta.copy(), nuisance).log_density


def derivatives(family, at: Problem):
    working = family.evaluate(at.y, at.aux, at.eta.copy(), at.nuisance)
    return working, family.derivatives(at.y, at.aux, working, at.nuisance)


def gradient(family, at: Problem, eta, nuisance):
    """The 1 + d first derivatives by a complex step, exact to rounding."""
    step = 1e-30
    moved = [(eta + 1j * step, nuisance.astype(complex))]
    for j in range(nuisance.shape[-1]):
        by = nuisance.astype(complex)
        by[..., j] += 1j * step
        moved.append((eta.astype(complex), by))
    return [log_density(family, at, *point).imag / step for point in moved]


def curvature(family, at: Problem):
    """Lower triangle of second derivatives: extrapolated differences of `gradient`."""
    rows = []
    for i in range(1 + at.nuisance.shape[-1]):
        size = 1e-3 * (1.0 + 0.0 * at.eta if i == 0 else at.nuisance[..., i - 1, None])
        size = np.minimum(size, 1e-2 * np.abs(at.eta)) if i == 0 else size

        def ahead(by, i=i, size=size):
            if i == 0:
                return gradient(family, at, at.eta + by * size, at.nuisance)
            nuisance = at.nuisance.copy()
            nuisance[..., i - 1] += by * size[..., 0]
            return gradient(family, at, at.eta, nuisance)

        points = {by: ahead(by) for by in (-3, -2, -1, 1, 2, 3)}
        rows.append(
            [
                sum(
                    c * (points[by][j] - points[-by][j])
                    for by, c in ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))
                )
                / size
                for j in range(i + 1)
            ]
        )
    return rows
