"""What stands for one family among several that are fitted side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smmix.core.family import Family, Working

__all__ = ["Own", "Part", "without"]


class Part(NamedTuple):
    """Components of one family: their numbers, and where their nuisance parameters stand."""

    family: Family
    components: np.ndarray
    slots: np.ndarray


class Own(NamedTuple):
    """What one family made of a block, and the response that it made it of."""

    working: Working
    y: np.ndarray


def without(working: Working, impossible: np.ndarray) -> Working:
    """With density zero, and no score of the coefficients, in rows that a family cannot have."""
    shape = np.shape(working.log_density)
    rows = np.broadcast_to(impossible, shape)
    return working._replace(
        log_density=np.where(rows, -np.inf, working.log_density),
        residual=np.where(rows, 0.0, working.residual),
    )
