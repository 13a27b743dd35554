"""Mixing weights that are the same for every unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from smmix.core.statistics import PriorStats
from smmix.mixing.base import Prior

#: A component's share is kept above this, so that its logit stays finite.
SMALLEST_SHARE = 1e-12
#: Logits up to this are exponentiated as they are.
LARGEST_LOGIT = 500.0


def constant_logits(counts: np.ndarray) -> np.ndarray:
    """Logits (S, K - 1) against component 0 of shares proportional to ``counts`` (S, K)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    log_share = np.log(np.maximum(share, SMALLEST_SHARE))
    return log_share[:, 1:] - log_share[:, :1]


def softmax(logits: np.ndarray) -> Prior:
    """Probabilities (S, K, u) from logits (S, K - 1, u) of components 1..K-1."""
    size, others, n_units = logits.shape
    log = np.empty((size, others + 1, n_units), dtype=logits.dtype)
    if others and logits.real.max() > LARGEST_LOGIT:
        log[:, :1], log[:, 1:] = 0.0, logits
        log -= logsumexp(log, axis=1, keepdims=True)
        return Prior(log, np.exp(log))
    probability = np.empty_like(log)
    odds = np.exp(logits, out=probability[:, 1:])
    total = odds.sum(axis=1, keepdims=True)
    total += 1.0
    base = np.divide(1.0, total, out=probability[:, :1])
    odds *= base
    np.negative(np.log(total, out=total), out=log[:, :1])
    np.add(logits, log[:, :1], out=log[:, 1:])
    return Prior(log, probability)


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
