"""Mixing weights that are the same for every unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from smmix.core.statistics import PriorStats
from smmix.mixing.base import Prior

#: A component's share is kept above this, so that its logit stays finite.
SMALLEST_SHARE = 1e-12
#: Sums of exponentials up to this are divided by as they are.
LARGEST_TOTAL = 1e200


def constant_logits(counts: np.ndarray) -> np.ndarray:
    """Logits (S, K - 1) against component 0 of shares proportional to ``counts`` (S, K)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    log_share = np.log(np.maximum(share, SMALLEST_SHARE))
    return log_share[:, 1:] - log_share[:, :1]


def softmax(logits: np.ndarray) -> Prior:
    """Probabilities (S, K, u) from logits (S, K - 1, u) of components 1..K-1."""
    size, others, n_units = logits.shape
    probability = np.empty((size, others + 1, n_units), dtype=logits.dtype)
    with np.errstate(over="ignore"):
        odds = np.exp(logits, out=probability[:, 1:])
        total = odds.sum(axis=1, keepdims=True)
    total += 1.0
    if total.real.max() > LARGEST_TOTAL:
        probability[:, :1], probability[:, 1:] = 0.0, logits
        log_total = logsumexp(probability, axis=1, keepdims=True)
        probability -= log_total
        return Prior(logits, log_total, np.exp(probability, out=probability))
    odds *= np.divide(1.0, total, out=probability[:, :1])
    return Prior(logits, np.log(total, out=total), probability)


@dataclass(frozen=True)
class ConstantMixing:
    """P(component) without covariates; one logit per component beyond the first."""

    name = "constant"

    def prior(self, gamma: np.ndarray, z: np.ndarray | None) -> Prior:
        return softmax(gamma)

    def accumulate(
        self,
        prior: Prior,
        z: np.ndarray | None,
        posterior: np.ndarray,
        weight: np.ndarray | None,
    ) -> PriorStats:
        return PriorStats(posterior.sum(axis=2))

    def update(self, gamma: np.ndarray, stats: PriorStats, cautious: np.ndarray) -> np.ndarray:
        return constant_logits(stats.counts)[:, :, None]

    def score(self, gamma: np.ndarray, stats: PriorStats) -> np.ndarray:
        expected = softmax(gamma).probability[..., 0] * stats.counts.sum(axis=1, keepdims=True)
        return (stats.counts - expected)[:, 1:, None]

    def information(
        self, prior: Prior, z: np.ndarray | None, weight: np.ndarray | None, n_units: int
    ) -> np.ndarray:
        share = prior.probability[:, 1:, 0]
        total = n_units if weight is None else weight.sum(axis=-1)
        covariance = share[:, :, None] * (np.eye(share.shape[1]) - share[:, None, :])
        return np.reshape(total, (-1, 1, 1)) * covariance
