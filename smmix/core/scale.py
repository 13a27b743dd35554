"""The spread of a component's errors, and the penalty that keeps it from vanishing.

A family with a free scale has a likelihood without limit: a component that passes through a few
rows exactly may make its spread as small as it likes. Chen and Tan's penalty [1]_ bounds it.

References
----------
.. [1] Chen, J. and Tan, X. (2009). Inference for multivariate normal mixtures.
   Journal of Multivariate Analysis 100, 1367-1383.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.core.family import Family
from smmix.core.family_list import members

__all__ = ["is_bounded", "penalty", "penalty_value", "predictor_unit", "spread"]


def _places(family: Family, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Place and power (K,) of each component's spread among its nuisance parameters."""
    if family.scale is None:
        return np.zeros(k, dtype=int), np.zeros(k)
    position, power = family.scale
    return np.broadcast_to(position, k), np.broadcast_to(power, k)


def is_bounded(family: Family, shared: frozenset[str]) -> bool:
    """Whether the likelihood has an upper bound: no scale, or one that all components share."""
    if family.scale is None:
        return True
    free = np.ravel(family.scale[0])[np.ravel(family.scale[1]) != 0.0]
    return all(family.nuisance[i].name in shared for i in free)


def spread(family: Family, nuisance: np.ndarray) -> np.ndarray:
    """Spread (S, K) of the errors at nuisance parameters (S, K, d); ones where it has no limit."""
    if family.scale is None:
        return np.ones(nuisance.shape[:2])
    position, power = family.scale
    if not isinstance(position, np.ndarray):
        values = nuisance[..., position]
        return np.asarray(values if power == 1.0 else values**power)
    values = nuisance[:, np.arange(nuisance.shape[1]), position]
    return np.asarray(values**power)


def predictor_unit(family: Family, k: int) -> np.ndarray:
    """Power (K,) of its spread in which each component's linear predictor is measured."""
    position, power = _places(family, k)
    units = np.array([parameter.unit for parameter in family.nuisance] or [0])
    identity = [f.link is not None and f.link.name == "identity" for f in members(family, k)]
    return np.asarray(np.where((power != 0.0) & np.array(identity), units[position], 0))


def penalty_value(family: Family, nuisance: np.ndarray, strength: float, reference: Any) -> Any:
    """Penalty (S,) on small spreads."""
    if family.scale is None or strength == 0.0:
        return np.zeros(nuisance.shape[0])
    relative = spread(family, nuisance) / reference
    return -strength * (relative**-2.0 + 2.0 * np.log(relative) - 1.0).sum(axis=1)


def penalty(
    family: Family, nuisance: np.ndarray, strength: float, reference: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Penalty (S,), and its first two derivatives (S, K, d) in the log nuisance parameters."""
    first, second = np.zeros_like(nuisance), np.zeros_like(nuisance)
    if family.scale is None or strength == 0.0:
        return penalty_value(family, nuisance, strength, reference), first, second
    position, power = family.scale
    at: Any = (..., position)
    if isinstance(position, np.ndarray):
        at = (slice(None), np.arange(nuisance.shape[1]), position)
    ratio = (spread(family, nuisance) / reference) ** -2.0
    first[at] = -2.0 * power * strength * (1.0 - ratio)
    second[at] = -4.0 * power**2 * strength * ratio
    return penalty_value(family, nuisance, strength, reference), first, second
