"""Normal scores of observations: the quantile residuals of a mixture."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, ndtri_exp

from smmix.mixture.prediction import Law

__all__ = ["normal_scores"]


def normal_scores(law: Law, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normal quantiles (m,) of the distribution function at y (m,).

    Where y has a probability of its own, a uniform number between P(Y < y) and P(Y <= y) takes
    the place of the distribution function.
    """
    at = _log_tails(law, y)
    jumps = law.cdf(y) > law.cdf(y, below=True)
    if law.family.discrete:
        jumps = np.ones(y.size, dtype=bool)
        before = _log_tails(law, y - 1.0)
    else:
        low = law.cdf(y, below=True)
        with np.errstate(divide="ignore"):
            before = np.log(low), np.log1p(-np.minimum(low, 1.0))
    uniform = rng.random(y.size)
    with np.errstate(divide="ignore"):
        share, rest = np.log(uniform), np.log1p(-uniform)
    below, above = (
        np.where(jumps, np.logaddexp(share + here, rest + there), here)
        for here, there in zip(at, before, strict=True)
    )
    # Far from every component one tail is 1 in floating point, so each side has its own.
    return np.where(
        below < above, ndtri_exp(np.minimum(below, 0.0)), -ndtri_exp(np.minimum(above, 0.0))
    )


def _log_tails(law: Law, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logs of P(Y <= y) and P(Y > y) under the mixture, (m,)."""
    lower, upper = (logsumexp(tail, axis=1, b=law.prior) for tail in law.log_tails(y))
    return lower, upper
