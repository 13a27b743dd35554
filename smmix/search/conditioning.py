"""The information in coordinates where the columns of both designs are orthonormal.

Inverted in the units of nearly collinear columns, such as a year and its square, the information
loses twice the digits that the design has lost. In orthonormal coordinates it loses none, and
mapping its inverse back loses them once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from smmix.core.blocks import Block
from smmix.core.information import information, unit_design
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.core.statistics import InfoStats
from smmix.search.coordinates import orthonormal_factor, totals, turned
from smmix.search.newton import diagonalise

if TYPE_CHECKING:
    from smmix.core.source import Source

#: Designs whose column-scaled Gram matrix has no smaller eigenvalue are taken as they are.
WELL_CONDITIONED = 1e-3


class Directions(NamedTuple):
    """Derivatives, and the directions in which parameters are free.

    Attributes
    ----------
    info : InfoStats
        In some coordinates of the full parameter vector, without the batch axis.
    full : ndarray, (F, V')
        Free directions in those coordinates.
    visible : ndarray, (V, V')
        The same directions in the parameters that users see.
    """

    info: InfoStats
    full: np.ndarray
    visible: np.ndarray


def conditioned(
    spec: MixtureSpec, params: MixtureParams, source: Source, given: Directions
) -> Directions:
    """``given``, or the same in orthonormal coordinates when the designs are ill-conditioned.

    Parameters
    ----------
    spec : MixtureSpec
    params : MixtureParams
        One parameter set, natural coordinates.
    source : Source
        The data in natural coordinates.
    given : Directions
        In natural coordinates.

    Returns
    -------
    Directions
        A covariance formed from it is that of the visible parameters all the same.
    """
    gram = source.reduce(lambda block: block.x.T @ block.x)
    x_factor = orthonormal_factor(source, lambda block: block.x, gram, WELL_CONDITIONED)
    z_gram = totals(source).z_gram
    z_factor = orthonormal_factor(source, unit_design, z_gram, WELL_CONDITIONED)
    if x_factor is None and z_factor is None:
        return given
    layout = spec.layout
    to_working = np.eye(layout.size)
    coef, mixing = params.coef, params.mixing
    if x_factor is not None:
        coef = coef @ x_factor.T
        to_working[layout.coef, layout.coef] = np.kron(np.eye(layout.k), x_factor)
    if z_factor is not None:
        mixing = mixing @ z_factor.T
        to_working[layout.mixing, layout.mixing] = np.kron(np.eye(layout.k - 1), z_factor)
    working = MixtureParams(coef, params.nuisance, mixing)

    def step(block: Block) -> InfoStats:
        x, z = turned(block.x, x_factor), turned(block.z, z_factor)
        return information(spec, working, block._replace(x=x, z=z, products=None))

    info = InfoStats(*(np.asarray(part)[0] for part in source.reduce(step, params.k)))
    basis, shape = np.linalg.qr(to_working @ given.full)
    return Directions(info, basis, np.linalg.solve(shape.T, given.visible.T).T)


def smallest_curvature(at: Directions) -> float:
    """Smallest eigenvalue of the observed information in the metric of the complete-data one."""
    observed = -at.full.T @ at.info.hessian @ at.full
    complete = at.full.T @ at.info.complete @ at.full
    return float(diagonalise(observed[None], complete[None])[1].min(initial=1.0))
