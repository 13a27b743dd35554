"""The information in coordinates where the columns of both designs are orthonormal.

Inverted in the units of nearly collinear columns, such as a year and its square, the information
loses twice the digits that the design has lost. In orthonormal coordinates it loses none, and
mapping its inverse back loses them once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from smmix.core.blocks import Block
from smmix.core.information import information, unit_design
from smmix.core.linalg import merge_r
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.core.statistics import InfoStats
from smmix.sources.base import Source

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
    x_factor = _factor(source, lambda block: block.x)
    z_factor = None
    if spec.layout.q > 1:
        z_factor = _factor(source, unit_design)
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
    turned = MixtureParams(coef, params.nuisance, mixing)

    def step(block: Block) -> InfoStats:
        x, z = _turned(block.x, x_factor), _turned(block.z, z_factor)
        return information(spec, turned, block._replace(x=x, z=z, products=None))

    info = InfoStats(*(part[0] for part in source.reduce(step, params.k)))
    basis, shape = np.linalg.qr(to_working @ given.full)
    return Directions(info, basis, np.linalg.solve(shape.T, given.visible.T).T)


def _factor(source: Source, columns: Callable[[Block], np.ndarray]) -> np.ndarray | None:
    """R with columns @ R^-1 near orthonormal; None when the columns are well conditioned."""
    gram = source.reduce(lambda block: columns(block).T @ columns(block))
    width = np.sqrt(np.diag(gram))
    if np.linalg.eigvalsh(gram / width[:, None] / width)[0] > WELL_CONDITIONED:
        return None
    factor = np.empty((0, width.size))
    n_rows = 0
    for block in source.blocks():
        factor = merge_r(factor, columns(block) / width)
        n_rows += len(columns(block))
    return factor * width / np.sqrt(n_rows)


def _turned(columns: np.ndarray | None, factor: np.ndarray | None) -> np.ndarray | None:
    if columns is None or factor is None:
        return columns
    return np.ascontiguousarray(np.linalg.solve(factor.T, columns.T).T)
