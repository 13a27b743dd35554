"""Mixing weights that are the same for every unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from smmix.core.linalg import diagonals
from smmix.core.mixing import Prior
from smmix.core.statistics import PriorStats

#: A component's share is kept above this, so that its logit stays finite.
SMALLEST_SHARE = 1e-12
#: Logits up to this are taken the exponential of as they are.
LARGEST_LOGIT = 460.0


def constant_logits(counts: np.ndarray) -> np.ndarray:
    """Logits (S, K - 1) against component 0 of shares proportional to ``counts`` (S, K)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    log_share = np.log(np.maximum(share, SMALLEST_SHARE))
    return log_share[:, 1:] - log_share[:, :1]


def softmax(logits: np.ndarray) -> Prior:
    """Probabilities (S, K, u) from logits (S, K - 1, u) of components 1..K-1."""
    size, others, n_units = logits.shape
    probability = np.empty((size, others + 1, n_units), dtype=logits.dtype)
    if logits.real.max(initial=0.0) > LARGEST_LOGIT:
        probability[:, :1], probability[:, 1:] = 0.0, logits
        log_total = logsumexp(probability, axis=1, keepdims=True)
        probability -= log_total
        return Prior(logits, log_total, np.exp(probability, out=probability))
    odds = np.exp(logits, out=probability[:, 1:])
    total = odds.sum(axis=1, keepdims=True)
    total += 1.0
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
        counts = posterior.sum(axis=2)
        expected = prior.probability[:, 1:] * counts.sum(axis=1)[:, None, None]
        return PriorStats(counts, counts[:, 1:, None] - expected)

    def update(self, gamma: np.ndarray, stats: PriorStats, cautious: np.ndarray) -> np.ndarray:
        return constant_logits(stats.counts)[:, :, None]

    def score(self, gamma: np.ndarray, stats: PriorStats) -> np.ndarray:
        return stats.score

    def information(
        self, prior: Prior, z: np.ndarray | None, weight: np.ndarray | None, n_units: int
    ) -> np.ndarray:
        share = prior.probability[:, 1:]
        total = n_units if weight is None else weight.sum(axis=-1)[..., None]
        covariance = -share * np.swapaxes(share, 1, 2)
        diagonals(covariance)[:] += share[:, :, 0]
        covariance *= total
        return covariance
