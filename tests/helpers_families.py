"""One line for each family and link: what tests of the contract need of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special, stats

from smmix.core.family import Penalty
from smmix.core.statistics import ComponentStats
from smmix.families.binomial import Binomial
from smmix.families.gamma import Gamma
from smmix.families.inverse_gaussian import InverseGaussian
from smmix.families.negative_binomial import NegativeBinomial
from smmix.families.poisson import Poisson
from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
from smmix.families.zero_truncated_poisson import ZeroTruncatedPoisson

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


class Table:
    """A distribution of the whole numbers 0, 1 .. by its probabilities, (..., values)."""

    def __init__(self, pmf):
        self.table, self.values = pmf, np.arange(float(pmf.shape[-1]))

    def pmf(self, y):
        own = np.broadcast_to(y, self.table.shape[:-1]).astype(int)[..., None]
        return np.take_along_axis(self.table, own, axis=-1)[..., 0]

    def logpmf(self, y):
        return np.log(self.pmf(y))

    def cdf(self, y):
        return (self.table * (self.values <= np.asarray(y)[..., None])).sum(axis=-1)

    def moment(self, power, about=0.0):
        gaps = self.values - np.asarray(about)[..., None]
        return (self.table * gaps**power).sum(axis=-1)

    def mean(self):
        return self.moment(1)

    def var(self):
        return self.moment(2, self.mean())

    def stats(self, moments):
        assert moments == "mvk"
        variance = self.var()
        return self.mean(), variance, self.moment(4, self.mean()) / variance**2 - 3.0

    def rvs(self, size, random_state):
        below = np.cumsum(self.table, axis=-1)[..., :-1]
        return (below < random_state.random(size)[..., None]).sum(axis=-1)


def poisson_table(mean):
    return stats.poisson(mean[..., None]).pmf(np.arange(250))


def zero_truncated(mean):
    table = poisson_table(mean)
    table[..., 0] = 0.0
    return Table(table / -np.expm1(-mean)[..., None])


def zero_inflated(mean, inflate):
    table = (1.0 - inflate)[..., None] * poisson_table(mean)
    table[..., 0] += inflate
    return Table(table)


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
    "negative-binomial": Case(
        NegativeBinomial(),
        lambda e, a, n: stats.nbinom(1.0 / a, 1.0 / (1.0 + a * np.exp(e))),
        (-2, 3),
        ((0.4,), (1.7,)),
    ),
    "negative-binomial-concentrated": Case(
        NegativeBinomial(),
        lambda e, a, n: stats.nbinom(1.0 / a, 1.0 / (1.0 + a * np.exp(e))),
        (-2, 3),
        ((0.002,), (0.03,)),
    ),
    "negative-binomial-1": Case(
        NegativeBinomial(kind=1),
        lambda e, a, n: stats.nbinom(np.exp(e) / a, 1.0 / (1.0 + a)),
        (-2, 3),
        ((0.4,), (1.7,)),
    ),
    "negative-binomial-held": Case(
        NegativeBinomial(alpha=0.7),
        lambda e, n: stats.nbinom(1.0 / 0.7, 1.0 / (1.0 + 0.7 * np.exp(e))),
        (-2, 3),
    ),
    "negative-binomial-1-held": Case(
        NegativeBinomial(kind=1, alpha=0.7),
        lambda e, n: stats.nbinom(np.exp(e) / 0.7, 1.0 / 1.7),
        (-2, 3),
    ),
    "zero-truncated-poisson": Case(
        ZeroTruncatedPoisson(), lambda e, n: zero_truncated(np.exp(e)), (-4, 4)
    ),
    "zero-inflated-poisson": Case(
        ZeroInflatedPoisson(),
        lambda e, p, n: zero_inflated(np.exp(e), p),
        (-2, 3),
        ((0.3,), (0.6,)),
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


def fitted(family, y, aux, x, beta, case_weights, passes=80):
    """Coefficients, nuisance parameters and log-likelihood of the contract's two updates."""
    nuisance = family.start_nuisance(y, aux)[None, None]
    for _ in range(passes):
        working = family.evaluate(y, aux, (x @ beta)[None, None], nuisance)
        weight = case_weights * (np.ones(1) if working.weight is None else working.weight[0, 0])
        gram, moment = (x.T * weight) @ x, (x.T * weight) @ working.residual[0, 0]
        squares = float(weight @ working.residual[0, 0] ** 2)
        extra = [case_weights @ v[0, 0] for v in family.sums(y, aux, working, nuisance)]
        stats = ComponentStats(
            np.full((1, 1), case_weights.sum()),
            gram[None, None],
            moment[None, None],
            np.full((1, 1), squares),
            np.array(extra)[None, None] if extra else None,
        )
        step = np.linalg.solve(gram, moment)
        left = np.full((1, 1), squares - step @ moment)
        nuisance = family.update_nuisance(stats, left, nuisance, Penalty(), frozenset())
        beta = beta + step
    score = family.score(stats, nuisance)
    llf = float(case_weights @ working.log_density[0, 0])
    return beta, nuisance[0, 0], llf, score
