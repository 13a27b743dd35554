"""Negative binomial components: counts that vary more than Poisson counts of the same mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import betainc, betaincc, log1p, pdtr, pdtrc

from smmix.core.family import Derivatives, Nuisance, Working
from smmix.core.transforms import LOG
from smmix.errors import SmmixError
from smmix.families.counts import CountFamily, log_factorial, of_counts, poisson_draws
from smmix.families.exponential import LARGEST, Array, Aux, mean_of
from smmix.families.location_scale import is_finite_number
from smmix.families.rising import (
    log_ratio,
    log_ratio_bend,
    log_ratio_gap,
    log_rising,
    rising_bend,
    rising_slope,
)
from smmix.support.checks import shown

__all__ = ["NegativeBinomial"]

#: Below this overdispersion of a row the distribution is Poisson's to the last digit.
NO_OVERDISPERSION = 1e-14


class _State(NamedTuple):
    mean: np.ndarray  # (S, K, m)
    own: np.ndarray  # a: the variance of a row is mean + a mean^2
    x: np.ndarray  # (variance - mean) / mean
    alpha: np.ndarray  # (S, K, 1), or (1, 1, 1) where it is held
    slope: np.ndarray | None = None  # of the rising product, where it is known


@dataclass(frozen=True, repr=False)
class NegativeBinomial(CountFamily):
    """Negative binomial regressions by maximum likelihood, alpha included.

    As alpha goes to zero the density becomes Poisson's, without loss of digits [1]_.

    Attributes
    ----------
    kind : int
        2: variance mu + alpha mu^2. 1: variance mu + alpha mu.
    link : Link
        "log", the only one.
    alpha : float or None
        Overdispersion of every component; estimated for each when None.

    Raises
    ------
    SmmixError
        If ``kind`` is neither, the link another, or ``alpha`` not a positive finite number.

    Notes
    -----
    The expected information of kind 1 has no closed form. The working weight mu / (1 + alpha), that
    of quasi-likelihood, is a lower bound.

    References
    ----------
    .. [1] Cameron, A. C. and Trivedi, P. K. (2013). Regression Analysis of Count Data, 2nd ed.,
       section 3.3.

    Examples
    --------
    >>> from smmix.families.negative_binomial import NegativeBinomial
    >>> NegativeBinomial(kind=1)
    NegativeBinomial(kind=1, link='log')
    >>> NegativeBinomial(alpha=0.5).nuisance
    ()
    """

    kind: int = 2
    link: Any = "log"
    alpha: float | None = None
    name = "negative_binomial"
    becomes: ClassVar[dict[tuple[str, float], str]] = {("alpha", 0.0): "a Poisson regression"}
    label = "negative binomial regressions"
    limits = (1e-60, 1e40)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.kind, int) or self.kind not in (1, 2) or self.kind is True:
            raise SmmixError(
                f"kind is {shown(self.kind)}; give 2 for the variance mu + alpha mu^2, or 1 for "
                "mu + alpha mu."
            )
        if self.alpha is None:
            return
        if not is_finite_number(self.alpha) or self.alpha <= 0.0:
            raise SmmixError(
                f"alpha is {shown(self.alpha)}; give a positive finite number, or None."
            )
        object.__setattr__(self, "alpha", float(self.alpha))

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:  # type: ignore[override]
        return (Nuisance("alpha", LOG),) if self.alpha is None else ()

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """From the first two moments, but not below a tenth."""
        mean = max(float(np.mean(y)), 1e-3)
        excess = float(np.var(y)) / mean - 1.0
        start = max(excess / mean if self.kind == 2 else excess, 0.1)
        return np.array([start][: len(self.nuisance)])

    def _state(self, mean: Array, nuisance: Array) -> _State:
        alpha = nuisance[..., :1] if self.alpha is None else np.full((1, 1, 1), self.alpha)
        alpha = np.clip(alpha, *self.limits)
        if self.kind == 2:
            return _State(mean, alpha, alpha * mean, alpha)
        return _State(mean, alpha / mean, alpha, alpha)

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        factorial = log_factorial(y)
        mean, log_mean, *_ = mean_of(self.link, eta)
        state = self._state(mean, nuisance)
        log = log1p(state.x)
        log_density = y * (log_mean - log)
        log_density += of_counts(log_rising, y, state.own)
        pulled = mean * log_ratio(state.x)
        log_density -= pulled
        log_density -= factorial
        weight = mean / (1.0 + state.x)
        if self.kind == 2:
            return Working(log_density, y / mean - 1.0, weight, state)
        slope = rising_slope(y, state.own)
        score = y - slope - pulled
        return Working(log_density, score / weight, weight, state._replace(slope=slope))

    def sums(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> list[Array]:
        if self.alpha is not None:
            return []
        in_alpha = _in_alpha(y, working.state, _slope(y, working.state))
        return [in_alpha, in_alpha**2]

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        state = working.state
        mean, own, x, alpha, _ = state
        slope = _slope(y, state)
        curve = rising_bend(y, own, slope)
        q = 1.0 / (1.0 + x)
        part = x * q
        weight = np.asarray(working.weight)
        in_alpha = _in_alpha(y, state, slope)
        twice = (curve + y * part**2 - mean * log_ratio_bend(x)) / alpha**2
        if self.kind == 2:
            in_eta = -weight * (1.0 + own * y) * q
            mixed = -(y - mean) * part * q / alpha
        else:
            in_eta = slope + curve - mean * log_ratio(x)
            mixed = (mean * log_ratio_gap(x) - slope - curve) / alpha
        d = len(self.nuisance)
        return Derivatives(
            first=[weight * working.residual, in_alpha][: 1 + d],
            second=[[in_eta], [mixed, twice]][: 1 + d],
            information=weight,
            nuisance_information=[[in_alpha**2]][:d],
        )

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        state = self._state(self.mean(aux, eta, nuisance), nuisance)
        return state.mean * (1.0 + state.x)

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        mean, own, x, *_ = self._state(self.mean(aux, eta, nuisance), nuisance)
        count = np.maximum(np.floor(y), 0.0)
        shape, other = 1.0 / own, 1.0 / (1.0 + x)
        poisson = x + own * np.minimum(count, LARGEST) ** 2 < NO_OVERDISPERSION
        # Of the two probabilities of the beta distribution, the one that does not round to one.
        near, at, opposite = x < 1.0, count + 1.0, (shape, count + 1.0, other)
        below = np.where(near, betaincc(at, shape, x * other), betainc(*opposite))
        above = np.where(near, betainc(at, shape, x * other), betaincc(*opposite))
        below = np.where(poisson, pdtr(count, mean), below)
        above = np.where(poisson, pdtrc(count, mean), above)
        return np.where(y < 0.0, 0.0, below), np.where(y < 0.0, 1.0, above)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        """A Poisson draw whose mean is drawn from a gamma distribution."""
        mean, own, *_ = self._state(self.mean(aux, eta, nuisance), nuisance)
        drawn = mean * own * rng.standard_gamma(1.0 / own, size=mean.shape)
        return poisson_draws(drawn, rng)


def _slope(y: Array, state: _State) -> Array:
    """Derivative of the rising product in log(a)."""
    return of_counts(rising_slope, y, state.own) if state.slope is None else state.slope


def _in_alpha(y: Array, state: _State, slope: Array) -> Array:
    """Derivative of the log-density in alpha."""
    gap = state.mean * log_ratio_gap(state.x)
    return np.asarray((slope - y * state.x / (1.0 + state.x) + gap) / state.alpha)
