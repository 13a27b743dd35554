"""The contract of a mixing model: p(component | z), known to the rest through these methods."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from smmix.core.statistics import PriorStats


class Prior(NamedTuple):
    """Prior probabilities of the components; ``u`` is 1 when they do not vary.

    Their logs are the logits, that of component 0 being zero, less ``log_total``.
    """

    logits: np.ndarray  # (S, K - 1, u) of components 1..K-1 against component 0
    log_total: np.ndarray  # (S, 1, u)
    probability: np.ndarray  # (S, K, u)


class Mixing(Protocol):
    """What a model of the component probabilities must offer.

    Logits ``gamma`` are (S, K - 1, q), designs ``z`` (u, q) or None, posteriors (S, K, u).
    """

    name: str

    def prior(self, gamma: np.ndarray, z: np.ndarray | None) -> Prior:
        """Prior probabilities at logits ``gamma``."""

    def accumulate(
        self,
        prior: Prior,
        z: np.ndarray | None,
        posterior: np.ndarray,
        weight: np.ndarray | None,
    ) -> PriorStats:
        """Statistics of a block; ``posterior`` is already multiplied by the case weights."""

    def update(self, gamma: np.ndarray, stats: PriorStats, cautious: np.ndarray) -> np.ndarray:
        """New logits; where ``cautious`` (S,) holds, by a step that cannot lower the likelihood."""

    def score(self, gamma: np.ndarray, stats: PriorStats) -> np.ndarray:
        """Score of the logits, (S, K - 1, q)."""

    def information(
        self, prior: Prior, z: np.ndarray | None, weight: np.ndarray | None, n_units: int
    ) -> np.ndarray:
        """Complete-data information of a block, (S, (K-1) q, (K-1) q)."""
