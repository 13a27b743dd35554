"""Mixing weights that are the same for every unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.core.statistics import PriorStats

#: A component's share is kept above this, so that its logit stays finite.
SMALLEST_SHARE = 1e-12
#: Logits up to this are exponentiated as they are.
LARGEST_LOGIT = 500.0


def constant_logits(counts: np.ndarray) -> np.ndarray:
    """Logits (S, K - 1) against component 0 of shares proportional to ``counts`` (S, K)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    log_share = np.log(np.maximum(share, SMALLEST_SHARE))
    return log_share[:, 1:] - log_share[:, :1]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities (S, K, u) from logits (S, K - 1, u) of components 1..K-1."""
    size, others, n_units = logits.shape
    top = np.zeros((size, 1, n_units), dtype=logits.dtype)
    if others and logits.real.max() > LARGEST_LOGIT:
        top = np.maximum(logits.max(axis=1, keepdims=True), 0.0)
    full = np.empty((size, others + 1, n_units), dtype=logits.dtype)
    np.subtract(logits, top, out=full[:, 1:])
    total = np.exp(full[:, 1:]).sum(axis=1, keepdims=True)
    total += np.exp(-top)
    np.log(total, out=total)
    np.negative(top, out=full[:, :1])
    full -= total
    return full


@dataclass(frozen=True)
class ConstantMixing:
    """P(component) without covariates; one logit per component beyond the first."""

    name = "constant"

    def log_prior(self, gamma: np.ndarray, z: np.ndarray | None) -> np.ndarray:
        return log_softmax(gamma)

    def accumulate(
        self,
        log_prior: np.ndarray,
        z: np.ndarray | None,
        posterior: np.ndarray,
        weight: np.ndarray | None,
    ) -> PriorStats:
        return PriorStats(posterior.sum(axis=2))

    def update(self, gamma: np.ndarray, stats: PriorStats, cautious: np.ndarray) -> np.ndarray:
        return constant_logits(stats.counts)[:, :, None]

    def score(self, gamma: np.ndarray, stats: PriorStats) -> np.ndarray:
        expected = np.exp(log_softmax(gamma)[..., 0]) * stats.counts.sum(axis=1, keepdims=True)
        return (stats.counts - expected)[:, 1:, None]

    def information(
        self, log_prior: np.ndarray, z: np.ndarray | None, weight: np.ndarray | None, n_units: int
    ) -> np.ndarray:
        prior = np.exp(log_prior[:, 1:, 0])
        total = n_units if weight is None else weight.sum(axis=-1)
        covariance = prior[:, :, None] * (np.eye(prior.shape[1]) - prior[:, None, :])
        return np.reshape(total, (-1, 1, 1)) * covariance
