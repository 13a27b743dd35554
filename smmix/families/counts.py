"""What families of counts share: whole numbers from 0 or 1 up, found and drawn one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from smmix.families.exponential import Array, Aux, first_not, smallest_reaching
from smmix.families.scored import ScoredFamily

__all__ = ["CountFamily", "log_factorial", "of_counts", "poisson_draws"]

#: The largest mean of a Poisson draw that NumPy makes.
LARGEST_DRAWN = 1e18
LOG_FACTORIALS = gammaln(np.arange(1.0, 1025.0))


class CountFamily(ScoredFamily):
    """A family of counts from ``least`` up."""

    discrete = True
    least = 0

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        row = first_not((y >= self.least) & np.isfinite(y) & (np.floor(y) == y))
        words = f"{self.label} have a response that is a whole number from {self.least} up"
        return None if row is None else (row, words)

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        unlimited = np.full(eta.shape, np.inf)
        found = smallest_reaching(lambda y: self.cdf(y, aux, eta, nuisance), q, unlimited)
        return np.maximum(found, self.least)


def poisson_draws(mean: Array, rng: np.random.Generator) -> Array:
    """Poisson numbers (S, K, m), as floating-point numbers."""
    return np.asarray(rng.poisson(np.minimum(mean, LARGEST_DRAWN)), dtype=float)


def of_counts(function: Callable[[Array, Array], Array], y: Array, own: Array) -> Array:
    """A function of y and a: once for each count where components have one a for all rows."""
    if own.shape[-1] > 1 or y.ndim > 1:
        return function(y, own)
    if y.max(initial=0.0) < y.size:
        index: Array = y.astype(np.intp)
        values = np.arange(index.max(initial=0) + 1.0)
    else:
        values, index = np.unique(y, return_inverse=True)
    return function(values, own)[..., index]


def log_factorial(y: Array) -> Array:
    """Logarithm of y!, from a table where all are small."""
    if y.max(initial=0.0) < LOG_FACTORIALS.size:
        return LOG_FACTORIALS[y.astype(np.intp)]
    return np.asarray(gammaln(y + 1.0))
