"""Fits whose random effects have a singular covariance: what it means, and what errors there are.

The maximum lies at the boundary of the covariance matrices: an effect has no variance, or effects
are combinations of fewer. Matrices of that rank are a surface on which the maximum is inside, so
that everything has its standard error along it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smmix.core.random_effects import RandomEffects
from smmix.core.statistics import InfoStats
from smmix.mixture.boundary import Boundary
from smmix.mixture.observed import Observed
from smmix.mixture.parameters import NUISANCE
from smmix.mixture.specification import Specification
from smmix.search.conditioning import Directions
from smmix.search.coordinates import root_mean_squares

__all__ = ["Singular", "singular"]

#: Variances below this share of the errors' variance, or of what other effects leave of them, are
#: what an ascent has left of zero.
ZERO = 1e-8


class Singular(NamedTuple):
    """A fit with its singular covariances told.

    Attributes
    ----------
    params : ndarray, (V,)
        Estimates, with variances that are zero but for rounding exactly zero.
    boundary : tuple of Boundary
    moves : ndarray, (V, V')
        Directions in which visible parameters stay on the surface.
    bend : ndarray, (V, V)
        What the bend of the surface adds to the Hessian, along these directions.
    """

    params: np.ndarray
    boundary: tuple[Boundary, ...]
    moves: np.ndarray
    bend: np.ndarray

    def along(self, at: Directions) -> Directions:
        """The directions of a fit that stay on the surface."""
        kept = np.linalg.lstsq(at.visible, self.moves, rcond=None)[0]
        return at._replace(full=at.full @ kept, visible=at.visible @ kept)

    def bent(self, at: Directions, places: np.ndarray) -> Directions:
        """Derivatives on the surface; ``places`` (V,) are those of parameters in the full vector.

        Nuisance parameters have the same coordinates in whatever others the rest is.
        """
        hessian = at.info.hessian.copy()
        hessian[np.ix_(places, places)] += self.bend
        return at._replace(info=at.info._replace(hessian=hessian))


def singular(
    specification: Specification, observed: Observed, params: np.ndarray, info: InfoStats
) -> Singular | None:
    """Which covariances of random effects are singular at a maximum; None where none is.

    Parameters
    ----------
    specification : Specification
    observed : Observed
    params : ndarray, (V,)
    info : InfoStats
        Derivatives at ``params``, without the batch axis.
    """
    random = specification.spec.random
    if random is None:
        return None
    score = info.score @ specification.expand.basis
    size = root_mean_squares(observed.source)
    params, found = params.copy(), []
    moves, bend = np.eye(params.size), np.zeros((params.size, params.size))
    dropped: list[int] = []
    places = specification.parameters.by_component(NUISANCE)
    for own in np.unique(places[:, 1:], axis=0):
        c = int(np.argmax((places[:, 1:] == own).all(axis=1)))
        unit = params[places[c, 0]] / size
        entries, gone = _without_rounding(random, params[own], unit)
        if not gone.any():
            continue
        params[own] = entries
        found += _told(specification, params, own, c)
        active = ~gone[random.entries[1]]
        tangent = random.jacobian(entries)[:, active]
        back = np.linalg.pinv(tangent)
        bend[np.ix_(own, own)] = back.T @ random.bend(score[own])[np.ix_(active, active)] @ back
        moves[np.ix_(own, own)] = 0.0
        moves[np.ix_(own, own[: tangent.shape[1]])] = tangent
        dropped += own[tangent.shape[1] :].tolist()
    if not found:
        return None
    return Singular(params, tuple(found), np.delete(moves, dropped, axis=1), bend)


def _without_rounding(
    random: RandomEffects, values: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Entries (e,) without what rounding has left of zeros, and which columns (q,) of L are gone.

    ``unit`` (q,) is the standard deviation at which an effect is as large as the errors.
    """
    factor = random.factor(values)
    variance = np.diag(factor @ factor.T)
    factor[variance < ZERO * unit**2] = 0.0
    pivot = np.diag(factor) ** 2
    gone = pivot <= ZERO * np.maximum(variance, unit**2)
    factor[:, gone] = 0.0
    return random.values(factor @ factor.T), gone


def _told(
    specification: Specification, params: np.ndarray, own: np.ndarray, c: int
) -> list[Boundary]:
    """What goes to zero, a sentence for each."""
    random = specification.spec.random
    assert random is not None
    names = specification.param_names
    of = (
        "the components"
        if len(specification.parameters.rows[own[0]].places) > 1
        else (f"component {c}")
    )
    matrix = random.matrix(params[own])
    absent = np.diag(matrix) == 0.0
    found = []
    for i, j, place in zip(*random.entries, own, strict=True):
        if i == j and absent[i]:
            effect = random.names[i]
            words = f"{names[place]} is zero: within {of} {effect!r} has no random effect."
            found.append(Boundary(names[place], 0.0, NUISANCE, words))
        elif absent[i] or absent[j]:
            words = f"{names[place]} is zero with the variance."
            found.append(Boundary(names[place], 0.0, NUISANCE, words))
    present = int((~absent).sum())
    if np.linalg.matrix_rank(matrix, hermitian=True) < present:
        words = (
            f"the random effects within {of} have a singular covariance matrix: they are "
            "combinations of fewer effects; use fewer, or random_cov='equal' or 'diagonal'."
        )
        last = int(own[np.flatnonzero(random.entries[0] == random.entries[1])[~absent][-1]])
        found.append(Boundary(names[last], float(params[last]), NUISANCE, words, held=False))
    return found
