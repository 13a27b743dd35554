"""One scoring step of nuisance parameters that have no closed form, from the sums of a pass.

A family whose M-step is not explicit asks the pass for the sums of its first derivatives and of
a positive semidefinite information (`nuisance_sums`, on the natural scale), and moves all its
nuisance parameters at once in their working coordinates (`scored_update`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smmix.core.family import Derivatives, Nuisance, Penalty
from smmix.core.statistics import ComponentStats

__all__ = ["nuisance_scores", "nuisance_sums", "packed", "scored_update"]

#: Added to the unit diagonal of an information before it is solved: parameters that the rows
#: cannot tell apart (a shape at its limit) move little instead of wildly.
DAMPING = 1e-8


def packed(
    first: Sequence[np.ndarray],
    information: Sequence[Sequence[np.ndarray]],
    shape: tuple[int, ...],
) -> list[np.ndarray]:
    """The list that ``sums`` of a family with d nuisance parameters gives.

    Parameters
    ----------
    first : sequence of d arrays
        Derivatives of the log-density, natural scale; they broadcast to ``shape``.
    information : sequence of d sequences
        Lower triangle, row by row, of a positive semidefinite information; likewise.
    shape : tuple
        (S, K, m).

    Returns
    -------
    list of d + d (d + 1) / 2 arrays (S, K, m)
        Read-only views where a value is the same in many rows.
    """
    return [
        np.broadcast_to(value, shape)
        for value in (*first, *(entry for row in information for entry in row))
    ]


def nuisance_sums(derivatives: Derivatives, shape: tuple[int, ...]) -> list[np.ndarray]:
    """`packed` of the nuisance part of a family's derivatives."""
    return packed(derivatives.first[1:], derivatives.nuisance_information, shape)


def nuisance_scores(stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
    """Scores (S, K, d), natural scale, of a family whose ``sums`` are `packed`."""
    if stats.extra is None:
        return np.zeros_like(nuisance)
    return stats.extra[..., : nuisance.shape[-1]]


def scored_update(
    stats: ComponentStats,
    nuisance: np.ndarray,
    parameters: Sequence[Nuisance],
    penalty: Penalty,
    shared: frozenset[str],
    scale: tuple[int, float] | None,
) -> np.ndarray:
    """Nuisance parameters after one damped scoring step in working coordinates.

    Parameters
    ----------
    stats : ComponentStats
        ``extra`` (S, K, d + d (d + 1) / 2) holds the sums of what `packed` gives.
    nuisance : ndarray (S, K, d)
        Present values, natural scale.
    parameters : sequence of d Nuisance
        Their names and coordinates.
    penalty : Penalty
        Of the spread that ``scale`` names; a shared spread is bounded without it.
    shared : frozenset of str
        Names of the parameters that are one over all components, and equal there already.
    scale : (int, float) or None
        As `Family.scale`.

    Returns
    -------
    ndarray (S, K, d)
        A component whose sums are zero, too large or not numbers keeps its values, and so does
        a parameter that would leave its range.
    """
    if stats.extra is None or not parameters:
        return nuisance
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        score, information = _in_working_coordinates(stats.extra, nuisance, parameters)
        if scale is not None and penalty.strength > 0.0 and parameters[scale[0]].name not in shared:
            _penalise(score, information, nuisance, parameters, penalty, scale)
        sound = np.isfinite(score).all(axis=-1) & np.isfinite(information).all(axis=(-2, -1))
        score = np.where(sound[..., None], score, 0.0)
        information = np.where(sound[..., None, None], information, 0.0)
        tied = [parameter.name in shared for parameter in parameters]
        if any(tied) and nuisance.shape[1] > 1:
            step = _tied_step(score, information, np.array(tied))
        else:
            step = _solved(score, information)
        moved = np.stack(
            [p.transform.moved(nuisance[..., j], step[..., j]) for j, p in enumerate(parameters)],
            axis=-1,
        )
        inside = np.isfinite(moved) & np.stack(
            [p.transform.allows(moved[..., j]) for j, p in enumerate(parameters)], axis=-1
        )
    return np.where(inside, moved, nuisance)


def _in_working_coordinates(
    sums: np.ndarray, nuisance: np.ndarray, parameters: Sequence[Nuisance]
) -> tuple[np.ndarray, np.ndarray]:
    d = len(parameters)
    slope = np.stack(
        [p.transform.slope(nuisance[..., j]) for j, p in enumerate(parameters)], axis=-1
    )
    information = np.empty((*nuisance.shape, d))
    rows, columns = np.tril_indices(d)
    # Beside other families there may be sums of theirs behind.
    own = sums[..., d : d + rows.size]
    information[..., rows, columns] = own
    information[..., columns, rows] = own
    information *= slope[..., :, None] * slope[..., None, :]
    return sums[..., :d] * slope, information


def _penalise(
    score: np.ndarray,
    information: np.ndarray,
    nuisance: np.ndarray,
    parameters: Sequence[Nuisance],
    penalty: Penalty,
    scale: tuple[int, float],
) -> None:
    i, power = scale
    value = nuisance[..., i]
    per_step = parameters[i].transform.slope(value) / value  # d log(value) / dw
    ratio = (penalty.reference / value**power) ** 2
    score[..., i] += 2.0 * power * penalty.strength * (ratio - 1.0) * per_step
    information[..., i, i] += 4.0 * power**2 * penalty.strength * ratio * per_step**2


def _solved(score: np.ndarray, information: np.ndarray) -> np.ndarray:
    """Step (..., d) of a score (..., d) and an information (..., d, d), zero where it has none."""
    diagonal = np.diagonal(information, axis1=-2, axis2=-1)
    unit = np.where(diagonal > 0.0, 1.0 / np.sqrt(np.maximum(diagonal, 1e-300)), 0.0)
    if score.shape[-1] == 1:
        return np.asarray(score * unit * unit)
    scaled = information * unit[..., :, None] * unit[..., None, :]
    # A parameter without information has a row of zeros: one on its diagonal leaves its step 0.
    scaled += np.eye(score.shape[-1]) * (DAMPING + (unit == 0.0)[..., None, :])
    step = unit * np.linalg.solve(scaled, (unit * score)[..., None])[..., 0]
    return np.asarray(np.where(np.isfinite(step), step, 0.0))


def _tied_step(score: np.ndarray, information: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Step where the parameters marked in ``tied`` (d,) have one value in all components."""
    n_sets, k, d = score.shape
    free = int((~tied).sum())
    own = np.where(tied, 0, np.cumsum(~tied) - 1)
    common = k * free + np.cumsum(tied) - 1
    position = np.where(tied, common, np.arange(k)[:, None] * free + own)  # (K, d)
    choose = np.zeros((k, d, k * free + int(tied.sum())))
    np.put_along_axis(choose, position[..., None], 1.0, axis=-1)
    total = np.einsum("skd,kdr->sr", score, choose)
    joint = np.einsum("skde,kdr,keq->srq", information, choose, choose, optimize=True)
    return np.asarray(np.take(_solved(total, joint), position, axis=-1).reshape(n_sets, k, d))
