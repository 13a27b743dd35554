"""Negative binomial components: counts that vary more than Poisson counts of the same mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import betainc, betaincc, gammaln, log1p, pdtr, pdtrc

from smmix.core.family import Derivatives, Nuisance, Working
from smmix.core.transforms import LOG
from smmix.errors import SmmixError
from smmix.families.counts import CountFamily, poisson_draws
from smmix.families.exponential import LARGEST, Array, Aux, mean_of
from smmix.families.rising import log_ratios, log_rising, rising_bend, rising_slope

__all__ = ["NegativeBinomial"]

#: Below this overdispersion of a row the distribution is Poisson's to the last digit.
NO_OVERDISPERSION = 1e-14


class _State(NamedTuple):
    mean: np.ndarray  # (S, K, m)
    own: np.ndarray  # a: the variance of a row is mean + a mean^2
    x: np.ndarray  # (variance - mean) / mean
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

    Raises
    ------
    SmmixError
        If ``kind`` is neither, or the link another.

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
    """

    kind: int = 2
    link: Any = "log"
    name = "negative_binomial"
    label = "negative binomial regressions"
    limits = (1e-60, 1e40)
    nuisance = (Nuisance("alpha", LOG),)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in (1, 2) or isinstance(self.kind, bool):
            raise SmmixError(
                f"kind is {self.kind!r}; give 2 for the variance mu + alpha mu^2, or 1 for "
                "mu + alpha mu."
            )

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """From the first two moments, but not below a tenth."""
        mean = max(float(np.mean(y)), 1e-3)
        excess = float(np.var(y)) / mean - 1.0
        return np.array([max(excess / mean if self.kind == 2 else excess, 0.1)])

    def _state(self, mean: Array, nuisance: Array) -> _State:
        alpha = np.clip(nuisance[..., :1], *self.limits)
        if self.kind == 2:
            return _State(mean, alpha, alpha * mean)
        return _State(mean, alpha / mean, alpha)

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        factorial = gammaln(y + 1.0)
        mean, log_mean, *_ = mean_of(self.link, eta)
        state = self._state(mean, nuisance)
        log = log1p(state.x)
        log_density = y * (log_mean - log)
        log_density += _of_counts(log_rising, y, state.own)
        ratio, *_ = log_ratios(state.x)
        log_density -= mean * ratio
        log_density -= factorial
        weight = mean / (1.0 + state.x)
        if self.kind == 2:
            return Working(log_density, y / mean - 1.0, weight, state)
        slope = rising_slope(y, state.own)
        score = y - slope - mean * ratio
        return Working(log_density, score / weight, weight, state._replace(slope=slope))

    def sums(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> list[Array]:
        state = working.state
        alpha = np.clip(nuisance[..., :1], *self.limits)
        in_alpha = _in_alpha(y, state, _slope(y, state), alpha)
        return [in_alpha, in_alpha**2]

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        state = working.state
        mean, own, x, _ = state
        slope = _slope(y, state)
        alpha = np.clip(nuisance[..., :1], *self.limits)
        curve = rising_bend(y, own, slope)
        q = 1.0 / (1.0 + x)
        part = x * q
        ratio, gap, bend = log_ratios(x)
        weight = np.asarray(working.weight)
        in_alpha = _in_alpha(y, state, slope, alpha)
        twice = (curve + y * part**2 - mean * bend) / alpha**2
        if self.kind == 2:
            in_eta = -weight * (1.0 + own * y) * q
            mixed = -(y - mean) * part * q / alpha
        else:
            in_eta = slope + curve - mean * ratio
            mixed = (mean * gap - slope - curve) / alpha
        return Derivatives(
            first=[weight * working.residual, in_alpha],
            second=[[in_eta], [mixed, twice]],
            information=weight,
            nuisance_information=[[in_alpha**2]],
        )

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        state = self._state(self.mean(aux, eta, nuisance), nuisance)
        return state.mean * (1.0 + state.x)

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        mean, own, x, _ = self._state(self.mean(aux, eta, nuisance), nuisance)
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
    return _of_counts(rising_slope, y, state.own) if state.slope is None else state.slope


def _in_alpha(y: Array, state: _State, slope: Array, alpha: Array) -> Array:
    """Derivative of the log-density in alpha."""
    _, gap, _ = log_ratios(state.x)
    return np.asarray((slope - y * state.x / (1.0 + state.x) + state.mean * gap) / alpha)


def _of_counts(function: Callable[[Array, Array], Array], y: Array, own: Array) -> Array:
    """A function of y and a: once for each count where components have one a for all rows."""
    if own.shape[-1] > 1 or y.ndim > 1:
        return function(y, own)
    values, index = np.unique(y, return_inverse=True)
    return function(values, own)[..., index]
