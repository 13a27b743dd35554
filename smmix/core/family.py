"""The contract of a family: p(y | x, component), known to the rest through these methods alone.

Arrays carry the batch of parameter sets ``S``, the components ``K`` and the rows ``m``:
linear predictors are (S, K, m), nuisance parameters (S, K, d).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from smmix.core.statistics import WLSStats


class Working(NamedTuple):
    """Log-density and the working regression of one block."""

    log_density: np.ndarray  # (S, K, m)
    residual: np.ndarray  # (S, K, m) working residual at the current coefficients
    weight: np.ndarray | None  # (S, K, m) working weight; None is one everywhere


class Derivatives(NamedTuple):
    """Derivatives of the log-density in the linear predictor (0) and nuisance parameters (1..)."""

    first: list[np.ndarray]  # 1 + d arrays (S, K, m)
    second: list[list[np.ndarray]]  # lower triangle, rows 0..d, arrays that broadcast to (S, K, m)
    information: np.ndarray  # broadcasts to (S, K, m): expected -second[0][0], positive


class Family(Protocol):
    """What a component distribution must offer."""

    name: str
    #: whether y -> (y - x'b) / s maps the family to itself, with b and s known
    location_scale: bool

    @property
    def nuisance_names(self) -> tuple[str, ...]:
        """Names of the nuisance parameters of a component, such as ``sigma``."""

    def evaluate(self, y: np.ndarray, eta: np.ndarray, nuisance: np.ndarray) -> Working:
        """Log-density and working regression; ``eta`` may be overwritten."""

    def derivatives(self, y: np.ndarray, working: Working, nuisance: np.ndarray) -> Derivatives:
        """Analytic first and second derivatives of the log-density that ``evaluate`` gave."""

    def update_nuisance(
        self, stats: WLSStats, deviance: np.ndarray, nuisance: np.ndarray, penalty: float
    ) -> np.ndarray:
        """Nuisance parameters (S, K, d) that maximise the penalised complete-data likelihood.

        ``deviance`` (S, K) is the weighted sum of squares left after the coefficients' update,
        ``penalty`` the strength a_n of the penalty (0 for plain maximum likelihood).
        """

    def score(self, stats: WLSStats, nuisance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the coefficients (S, K, p) and nuisance parameters (S, K, d)."""

    def nuisance_information(self, counts: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """Expected complete-data information (S, K, d) of the log nuisance parameters."""

    def penalty(
        self, nuisance: np.ndarray, strength: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Penalty (S,) and its first two derivatives (S, K, d) in the log nuisance parameters."""

    def sample(self, eta: np.ndarray, nuisance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws with linear predictor ``eta`` and first nuisance parameter of the same shape."""
