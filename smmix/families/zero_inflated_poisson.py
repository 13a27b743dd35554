"""Zero-inflated Poisson components: some of the zeros come from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, expm1, gammaln, log_expit, pdtr, pdtrc

from smmix.core.family import Derivatives, Nuisance, Working
from smmix.core.transforms import IDENTITY, LOGIT
from smmix.errors import SmmixError
from smmix.families.exponential import (
    LARGEST,
    Array,
    Aux,
    first_not,
    mean_of,
    smallest_reaching,
)
from smmix.families.links import LINKS
from smmix.families.negative_binomial import LARGEST_DRAWN
from smmix.families.scored import ScoredFamily

__all__ = ["ZeroInflatedPoisson"]

TAKES: tuple[str, ...] = ("inflate",)
#: Inflations of the start.
FEWEST, MOST = 0.05, 0.9
#: Logits beyond are one or zero.
LARGEST_LOGIT = 700.0


class _State(NamedTuple):
    rate: np.ndarray  # (S, K, m)
    extra: np.ndarray  # probability that the zero comes from elsewhere, given y
    inflate: np.ndarray  # the same without y
    kept: np.ndarray  # one less that
    zero: np.ndarray  # P(y = 0), no smaller than 1 / LARGEST


@dataclass(frozen=True, repr=False)
class ZeroInflatedPoisson(ScoredFamily):
    """Poisson regressions with extra zeros, whose probability has a logit of its own [1]_.

    Coefficients move by the EM of the extra zeros: a row counts by the probability that it is
    Poisson's.

    Attributes
    ----------
    terms : tuple of str
        Names of the columns of the inflation's design, which ``aux`` holds. Without them the
        inflation of a component is one probability.

    References
    ----------
    .. [1] Lambert, D. (1992). Zero-inflated Poisson regression, with an application to defects in
       manufacturing. Technometrics 34, 1-14.

    Examples
    --------
    >>> from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
    >>> [parameter.name for parameter in ZeroInflatedPoisson(("Intercept", "t")).nuisance]
    ['inflate.Intercept', 'inflate.t']
    """

    terms: Any = ()
    link = LINKS["log"]
    name = "zero_inflated_poisson"
    label = "zero-inflated Poisson regressions"
    discrete = True
    takes = TAKES

    def __post_init__(self) -> None:
        if isinstance(self.terms, str):
            raise SmmixError(f"terms is {self.terms!r}; give a tuple of names.")
        object.__setattr__(self, "terms", tuple(self.terms))

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:  # type: ignore[override]
        if not self.terms:
            return (Nuisance("inflate", LOGIT),)
        return tuple(Nuisance(f"inflate.{term}", IDENTITY) for term in self.terms)

    def _logit(self, aux: Aux, nuisance: Array) -> Array:
        """Of the inflation, to broadcast to (S, K, m)."""
        if not self.terms:
            inflate = nuisance[..., :1]
            return np.log(inflate) - np.log(1.0 - inflate)
        if aux is None or aux.shape[1] != len(self.terms):
            raise SmmixError(
                f"The inflation has the terms {', '.join(self.terms)}; give a design with a column "
                "for each."
            )
        return np.clip(nuisance @ aux.T, -LARGEST_LOGIT, LARGEST_LOGIT)

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        row = first_not((y >= 0.0) & np.isfinite(y) & (np.floor(y) == y))
        words = "a zero-inflated Poisson response is a whole number from 0 up"
        return None if row is None else (row, words)

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """Zeros beyond those of a Poisson distribution with the mean of what is not zero."""
        some = y[y > 0.0]
        none = np.exp(-np.mean(some)) if some.size else 0.0
        extra = np.clip((np.mean(y == 0.0) - none) / (1.0 - none), FEWEST, MOST)
        if not self.terms:
            return np.array([extra])
        assert aux is not None, "terms come with their design"
        level = np.full(y.size, np.log(extra) - np.log1p(-extra))
        return np.asarray(np.linalg.lstsq(aux, level, rcond=None)[0])

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        factorial = gammaln(y + 1.0)
        rate, log_rate, *_ = mean_of(self.link, eta)
        logit = self._logit(aux, nuisance)
        log_inflate, log_kept = _log_expit(logit), _log_expit(-logit)
        poisson = log_kept - rate
        log_zero = _log_sum(log_inflate, poisson)
        counted = y > 0.0
        log_density = np.where(counted, poisson + y * log_rate - factorial, log_zero)
        ours = np.where(counted, 1.0, np.exp(poisson - log_zero))
        extra = np.where(counted, 0.0, np.exp(log_inflate - log_zero))
        zero = np.maximum(np.exp(log_zero), 1.0 / LARGEST)
        state = _State(rate, extra, np.exp(log_inflate), np.exp(log_kept), zero)
        return Working(log_density, y / rate - 1.0, ours * rate, state)

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        rate, extra, inflate, kept, zero = working.state
        weight = np.asarray(working.weight)
        none, some = np.exp(-rate), -expm1(-rate)
        mixed = weight * extra  # in eta and the logit
        information = rate * kept * (1.0 - rate * none * inflate / zero)
        first = [weight * working.residual]
        second = [[rate * mixed - weight]]
        if not self.terms:
            # Exact where the inflation vanishes, as products of the logit's are not.
            slope = np.where(y > 0.0, -1.0 / kept, some / zero)
            mixed = np.where(y > 0.0, 0.0, weight / (kept * zero))
            return Derivatives(
                first=[*first, slope],
                second=[*second, [mixed, -(slope**2)]],
                information=information,
                nuisance_information=[[some / (kept * zero)]],
            )
        assert aux is not None, "terms come with their design"
        slope = extra - inflate
        bend = extra * (1.0 - extra) - inflate * kept
        expected = inflate**2 * kept * some / zero
        columns = aux.T
        for i, column in enumerate(columns):
            first.append(slope * column)
            second.append([mixed * column, *(bend * column * other for other in columns[: i + 1])])
        lower = [
            [expected * column * other for other in columns[: i + 1]]
            for i, column in enumerate(columns)
        ]
        return Derivatives(first, second, information, lower)

    def _parts(self, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array, Array]:
        """Rate, probability of an extra zero, and one less it."""
        logit = self._logit(aux, nuisance)
        rate = mean_of(self.link, np.array(eta, dtype=float)).value
        return rate, expit(logit), expit(-logit)

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        rate, _, kept = self._parts(aux, eta, nuisance)
        return kept * rate

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        rate, inflate, kept = self._parts(aux, eta, nuisance)
        if not self.terms:
            return [kept * rate, -rate]
        assert aux is not None, "terms come with their design"
        return [kept * rate, *(-rate * inflate * kept * column for column in aux.T)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        rate, inflate, kept = self._parts(aux, eta, nuisance)
        return kept * rate * (1.0 + inflate * rate)

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        rate, inflate, kept = self._parts(aux, eta, nuisance)
        count = np.maximum(np.floor(y), 0.0)
        below = inflate + kept * pdtr(count, rate)
        return np.where(y < 0.0, 0.0, below), np.where(y < 0.0, 1.0, kept * pdtrc(count, rate))

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        unlimited = np.full(eta.shape, np.inf)
        return smallest_reaching(lambda y: self.cdf(y, aux, eta, nuisance), q, unlimited)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        rate, inflate, _ = self._parts(aux, eta, nuisance)
        drawn = rng.poisson(np.minimum(rate, LARGEST_DRAWN))
        return np.where(rng.random(rate.shape) < inflate, 0.0, drawn)


def _log_expit(logit: Array) -> Array:
    if np.isrealobj(logit):
        return np.asarray(log_expit(logit))
    return -_log_sum(np.zeros_like(logit), -logit)


def _log_sum(a: Array, b: Array) -> Array:
    """Log(exp(a) + exp(b)), of complex numbers too."""
    if np.isrealobj(a) and np.isrealobj(b):
        return np.asarray(np.logaddexp(a, b))
    high = np.where(a.real > b.real, a, b)
    return np.asarray(high + np.log(np.exp(a - high) + np.exp(b - high)))
