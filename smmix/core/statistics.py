"""The additive statistics of a pass over the data, and how two of them are merged.

Every array has the batch of parameter sets as its leading axis ``S``, then the components ``K``.
Residuals are relative to the current coefficients, so that an update is an increment and keeps
its digits however large the response is.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, cast

import numpy as np


class ComponentStats(NamedTuple):
    """Weighted least squares of the working residual, one regression per component."""

    nobs: np.ndarray  # (S, K) sum of posterior times case weight over rows
    xwx: np.ndarray  # (S, K, p, p)
    xwr: np.ndarray  # (S, K, p)
    rwr: np.ndarray  # (S, K)
    extra: np.ndarray | None = None  # (S, K, E) sums of what else the family needs


class PriorStats(NamedTuple):
    """What the mixing model needs: posterior counts, score and, with covariates, information."""

    counts: np.ndarray  # (S, K) sum of posterior times case weight over units
    score: np.ndarray  # (S, K-1, q)
    grams: np.ndarray | None = None  # (S, K (K-1) / 2 + 1, q, q), parts of the information


class EStats(NamedTuple):
    """Everything that an EM step takes from the data."""

    loglike: np.ndarray  # (S,)
    component: ComponentStats
    prior: PriorStats


class InfoStats(NamedTuple):
    """Derivatives of the observed-data log-likelihood, in the full natural parameter vector."""

    loglike: np.ndarray  # (S,)
    score: np.ndarray  # (S, F)
    hessian: np.ndarray  # (S, F, F)
    opg: np.ndarray | None  # (S, F, F) sum of w^2 s s'
    complete: np.ndarray  # (S, F, F) expected complete-data information
    sizes: np.ndarray  # (S, K) sum of posterior times case weight over rows


Stats = TypeVar("Stats")


def merge(left: Stats, right: Stats) -> Stats:
    """Add two statistics of the same kind, field by field."""
    return cast("Stats", _sum(left, right))


def _sum(left: Any, right: Any) -> Any:
    if left is None:
        return left
    if isinstance(left, tuple):
        return type(left)(*map(_sum, left, right))
    return left + right
