"""Ordered components: one of several ordered levels, by cut points of a latent response."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from smmix.core.family import Derivatives, Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import IDENTITY
from smmix.errors import SmmixError
from smmix.families.cuts import edges, in_cuts, kept_in_order
from smmix.families.exponential import Array, Aux, first_not
from smmix.families.intervals import interval
from smmix.families.scored import ScoredFamily
from smmix.support.checks import listed

__all__ = ["Ordered"]

#: How far from zero linear predictors are told apart.
FARTHEST = 1e40
#: The smallest working weight.
SMALLEST_WEIGHT = 1e-100


@dataclass(frozen=True, repr=False)
class Ordered(ScoredFamily):
    """Ordered regressions, of proportional odds or of a normal latent response [1]_.

    The response holds the numbers 0, 1 .. of the levels, and P(Y < level j) = F(cut_j - eta). The
    cuts take the place of an intercept.

    Attributes
    ----------
    link : Link
        Given by its name: "logit" or "probit".
    levels : tuple
        What the levels are called, in their order; learnt from the response where it is empty.

    Raises
    ------
    SmmixError
        Where the link is none of these, or there is one level only.

    References
    ----------
    .. [1] McCullagh, P. (1980). Regression models for ordinal data. Journal of the Royal
       Statistical Society B 42, 109-142.

    Examples
    --------
    >>> from smmix.families.ordered import Ordered
    >>> [parameter.name for parameter in Ordered(levels=("low", "middle", "high")).nuisance]
    ['below.middle', 'below.high']
    """

    link: Any = "logit"
    levels: tuple[Any, ...] = ()
    name = "ordered"
    label = "ordered regressions"
    links = ("logit", "probit")
    discrete = True
    intercept = False
    reads = "levels"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "levels", tuple(listed("levels", self.levels, "levels")))
        if len(self.levels) == 1:
            raise SmmixError(
                f"The ordered response has one level only, {self.levels[0]!r}; it needs two."
            )

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:  # type: ignore[override]
        return tuple(Nuisance(f"below.{level}", IDENTITY) for level in self.levels[1:])

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        highest = len(self.levels) - 1 if self.levels else np.inf
        row = first_not((y >= 0.0) & (y <= highest) & np.isfinite(y) & (np.floor(y) == y))
        words = "an ordered response holds the numbers of its levels, from 0 up"
        return None if row is None else (row, words)

    def bound(self, y: Array) -> Ordered:
        """With as many levels as there are, called 0, 1 .., where none are given.

        Raises
        ------
        SmmixError
            If a level between is in no row, so that its cuts cannot be told apart.
        """
        levels = self.levels or tuple(range(int(y.max()) + 1))
        empty = np.flatnonzero(np.bincount(y.astype(int), minlength=len(levels)) == 0)
        if empty.size:
            raise SmmixError(
                f"No row has the level {levels[empty[0]]!r} of the ordered response; leave it out "
                "of the levels, and number those that remain without a gap."
            )
        return replace(self, levels=levels)

    def outcomes(self, aux: Aux) -> int:
        return len(self.levels) - 1

    def start_response(self, y: Array, aux: Aux) -> Array:
        """The link of the middle of each level's share."""
        shares = np.bincount(np.ravel(y).astype(int)) / y.size
        middle = np.cumsum(shares) - 0.5 * shares
        return np.asarray(self.link.inverse(middle)[y.astype(int)])

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """The link of the cumulative shares, each level given half a row more."""
        counts = np.bincount(y.astype(int), minlength=len(self.levels)) + 0.5
        return np.asarray(self.link.inverse(np.cumsum(counts)[:-1] / counts.sum()))

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        eta = np.clip(eta, -FARTHEST, FARTHEST)
        rising = np.all(np.diff(nuisance.real, axis=-1) > 0.0, axis=-1, keepdims=True)
        low, high = edges(y, nuisance)
        gap = np.where(rising, high - low, 1.0)
        low, high = np.where(rising, low - eta, 0.0), np.where(rising, high - eta, 1.0)
        state = interval(self.link.name, low, high, gap)
        log_density = np.where(rising, state.log_probability, -np.inf)
        weight = np.maximum(-state.shift_shift.real, SMALLEST_WEIGHT)
        residual = np.where(rising, -state.shift / weight, 0.0)
        return Working(log_density, residual, np.where(rising, weight, 0.0), (state, rising))

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        found, rising = working.state
        return in_cuts(y, found, rising, nuisance.shape[-1])

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: Array,
        nuisance: Array,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> Array:
        """A scoring step, shortened where it would all but close a gap between cuts."""
        moved = super().update_nuisance(stats, deviance, nuisance, penalty, shared)
        return kept_in_order(nuisance, moved, bool(shared))

    def _reached(self, eta: Array, nuisance: Array) -> Array:
        """P(Y < level), (S, K, m, L - 1), of all levels but the first."""
        return self._cdf(nuisance[..., None, :] - eta[..., None])

    def _cdf(self, x: Array) -> Array:
        return np.asarray(expit(x) if self.link.name == "logit" else ndtr(x))

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        """Mean of the levels' numbers."""
        return self._reached(-eta, -nuisance).sum(axis=-1)

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        slopes = self.link.slope(nuisance[..., None, :] - eta[..., None])
        return [slopes.sum(axis=-1), *(-slopes[..., j] for j in range(slopes.shape[-1]))]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        above = self._reached(-eta, -nuisance)
        odd = 2.0 * np.arange(above.shape[-1]) + 1.0
        return np.maximum((odd * above).sum(axis=-1) - above.sum(axis=-1) ** 2, 0.0)

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        level = np.clip(np.floor(y), -1.0, len(self.levels) - 1.0)
        cut = edges(np.maximum(level, 0.0), nuisance)[1] - np.clip(eta, -FARTHEST, FARTHEST)
        below, above = self._cdf(cut), self._cdf(-cut)
        return np.where(level < 0.0, 0.0, below), np.where(level < 0.0, 1.0, above)

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return (self._reached(eta, nuisance) < q).sum(axis=-1).astype(float)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        drawn = rng.random(eta.shape)
        return (self._reached(eta, nuisance) < drawn[..., None]).sum(axis=-1).astype(float)
