"""Normal scores of observations: the quantile residuals of a mixture."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, ndtri, ndtri_exp

from smmix.mixture.prediction import Law

__all__ = ["normal_scores"]


def normal_scores(law: Law, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normal quantiles (m,) of the distribution function at y (m,).

    Where y has a probability of its own, a uniform number between P(Y < y) and P(Y <= y) takes
    the place of the distribution function.
    """
    low, high = law.cdf(y, below=True), law.cdf(y)
    below, above = (logsumexp(tail, axis=1, b=law.prior) for tail in law.log_tails(y))
    # Far from every component one tail is 1 in floating point, so each side has its own.
    scores = np.where(below < above, ndtri_exp(below), -ndtri_exp(above))
    jumps = high > low
    uniform = rng.random(y.size)
    drawn = low + uniform * (high - low)
    # Beyond the middle the distance to one has more digits than the number itself.
    upper = (1.0 - high) + (1.0 - uniform) * (high - low)
    tiny = np.finfo(float).tiny
    inside = np.where(drawn < 0.5, ndtri(np.maximum(drawn, tiny)), -ndtri(np.maximum(upper, tiny)))
    return np.where(jumps, inside, scores)
