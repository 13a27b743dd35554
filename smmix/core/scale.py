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
from smmix.core.outcome_families import OutcomeFamilies

__all__ = [
    "is_bounded", "penalty", "penalty_value", "predictor_scale", "references", "relative_spread",
    "shares", "spread", "widths",
]  # fmt: skip


def _scales(family: Family) -> list[tuple[Any, Any]]:
    """Place and power of each spread of a component: one, or one for each outcome."""
    if isinstance(family, OutcomeFamilies):
        return list(family.scales)
    return [] if family.scale is None else [family.scale]


def shares(family: Family) -> list[float]:
    """Share of the rows that each spread is about."""
    if isinstance(family, OutcomeFamilies):
        return [part.outcome.share for part in family.scaled]
    return [] if family.scale is None else [1.0]


def is_bounded(family: Family, shared: frozenset[str]) -> bool:
    """Whether the likelihood has an upper bound: no scale, or one that all components share."""
    free = [np.ravel(place)[np.ravel(power) != 0.0] for place, power in _scales(family)]
    return all(family.nuisance[i].name in shared for places in free for i in places)


def widths(family: Family, nuisance: np.ndarray) -> list[np.ndarray]:
    """Spreads (S, K) of the errors at nuisance parameters (S, K, d): none, one, or by outcome."""
    return [_width(position, power, nuisance) for position, power in _scales(family)]


def _width(position: Any, power: Any, nuisance: np.ndarray) -> np.ndarray:
    if isinstance(position, np.ndarray):
        return np.asarray(nuisance[:, np.arange(nuisance.shape[1]), position] ** power)
    values = nuisance[..., position]
    return np.asarray(values if power == 1.0 else values**power)


def spread(family: Family, nuisance: np.ndarray) -> np.ndarray:
    """Spread (S, K) of the errors at nuisance parameters (S, K, d); ones where it has no limit.

    That of several outcomes is the geometric mean over their rows, by which densities grow as one
    of them shrinks.
    """
    if not isinstance(family, OutcomeFamilies) and family.scale is not None:
        return _width(*family.scale, nuisance)
    parts = list(zip(widths(family, nuisance), shares(family), strict=True))
    if not parts:
        return np.ones(nuisance.shape[:2])
    return np.asarray(np.prod([width**share for width, share in parts], axis=0))


def references(family: Family, start: np.ndarray | None) -> list[Any]:
    """Spreads of one regression of all rows, from its nuisance parameters (1 or K, d)."""
    return [1.0 for _ in _scales(family)] if start is None else widths(family, start[None])


def relative_spread(family: Family, nuisance: np.ndarray) -> np.ndarray:
    """Spread (S, K) of the errors over the largest: of several outcomes the smallest such ratio."""
    out = np.ones(nuisance.shape[:2])
    for width in widths(family, nuisance):
        out = np.minimum(out, width / width.max(axis=1, keepdims=True))
    return out


def predictor_power(family: Family, k: int) -> np.ndarray | None:
    """Power (K,) of its spread in which a linear predictor is measured; None where all are zero.

    One where the spread is in units of the linear predictor: beside an identity link.
    """
    if family.scale is None or isinstance(family, OutcomeFamilies):
        return None
    units = np.array([parameter.unit for parameter in family.nuisance])
    position, power = (np.broadcast_to(part, k) for part in family.scale)
    identity = [f.link is not None and f.link.name == "identity" for f in members(family, k)]
    unit = np.where((power != 0.0) & np.array(identity), units[position], 0)
    return unit if unit.any() else None


def predictor_scale(
    family: Family, nuisance: np.ndarray, power: np.ndarray | None
) -> np.ndarray | None:
    """Size (S, K, 1 or p) in which linear predictors are measured; None where all is one."""
    if isinstance(family, OutcomeFamilies):
        units = np.array([parameter.unit for parameter in family.nuisance])
        out = np.ones((*nuisance.shape[:2], sum(len(one.columns) for one in family.outcomes_of)))
        of = zip(family.scaled, family.scales, widths(family, nuisance), strict=True)
        for part, (place, _), width in of:
            if part.family.link is not None and part.family.link.name == "identity":
                out[..., part.outcome.columns] = (width ** units[place])[..., None]
        return out
    return None if power is None else (spread(family, nuisance) ** power)[..., None]


def penalty_value(
    family: Family, nuisance: np.ndarray, strength: float, references: list[Any]
) -> Any:
    """Penalty (S,) on small spreads."""
    value = np.zeros(nuisance.shape[0])
    if strength == 0.0:
        return value
    for width, reference in zip(widths(family, nuisance), references, strict=True):
        relative = width / reference
        value -= strength * (relative**-2.0 + 2.0 * np.log(relative) - 1.0).sum(axis=1)
    return value


def penalty(
    family: Family, nuisance: np.ndarray, strength: float, references: list[Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Penalty (S,), and its first two derivatives (S, K, d) in the log nuisance parameters."""
    first, second = np.zeros_like(nuisance), np.zeros_like(nuisance)
    value = penalty_value(family, nuisance, strength, references)
    if strength == 0.0:
        return value, first, second
    scales = zip(_scales(family), widths(family, nuisance), references, strict=True)
    for (position, power), width, reference in scales:
        at: Any = (..., position)
        if isinstance(position, np.ndarray):
            at = (slice(None), np.arange(nuisance.shape[1]), position)
        ratio = (width / reference) ** -2.0
        first[at] = -2.0 * power * strength * (1.0 - ratio)
        second[at] = -4.0 * power**2 * strength * ratio
    return value, first, second
