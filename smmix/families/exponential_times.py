"""Exponential components: Weibull times whose shape is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.core.family import Nuisance
from smmix.families.exponential import Array
from smmix.families.weibull import Weibull

__all__ = ["Exponential"]

NONE: tuple[Nuisance, ...] = ()


@dataclass(frozen=True, repr=False)
class Exponential(Weibull):
    """Exponential regressions of times that may be censored from the right; see `Weibull`.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.families.exponential_times import Exponential
    >>> Exponential().mean(None, np.zeros((1, 1, 1)), np.empty((1, 1, 0)))
    array([[[1.]]])
    """

    name = "exponential"
    label = "exponential regressions"
    scale = None
    nuisance = NONE

    def _shape(self, nuisance: Array) -> Array:
        return np.ones((1, 1, 1))
