"""Components with several outcomes: the rows of a unit are independent, each of its own family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.core.components import RowComponents
from smmix.core.family import Penalty
from smmix.core.outcome_families import OutcomeFamilies
from smmix.core.params import MixtureParams
from smmix.core.statistics import ComponentStats

__all__ = ["OutcomeComponents"]


@dataclass(frozen=True)
class OutcomeComponents(RowComponents):
    """Regressions of several outcomes; a family learns what is left of its own squares.

    ``reference`` holds a spread of the errors for each outcome.
    """

    family: OutcomeFamilies

    def update(
        self, params: MixtureParams, stats: ComponentStats, strength: float
    ) -> tuple[np.ndarray, np.ndarray]:
        step = self.step(params, stats)
        deviance = [
            np.maximum(own.rwr - np.vecdot(step[..., part.outcome.columns], own.xwr), 0.0)
            for part, own in zip(
                self.family.parts, self.family.own_stats(stats, params.nuisance), strict=True
            )
        ]
        penalty = Penalty(strength, self.reference)
        return params.coef + step, self.family.update_nuisance(
            stats, np.array(deviance), params.nuisance, penalty, self.shared
        )
