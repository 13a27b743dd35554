"""Working coordinates: the response less its pooled fit, in units of the pooled residual.

A location-scale family is fitted to (y - x'b) / s with b and s from the pooled least squares, so
that a large offset of the response costs no digits and no threshold knows the units of the data.
When the columns of the design are nearly collinear they are rotated to be orthonormal as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from smmix.core.blocks import Block
from smmix.core.grams import weighted_grams
from smmix.core.linalg import merge_r, solve_gram
from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams, ParamLayout
from smmix.sources.base import Source
from smmix.sources.memory import MemorySource

#: Smallest eigenvalue of the column-scaled Gram matrix that Newton's step is trusted with.
SMALLEST_EIGENVALUE = 1e-8


class PooledStats(NamedTuple):
    """Sums for one regression of all rows."""

    weight: np.ndarray
    xwx: np.ndarray
    xwr: np.ndarray
    rwr: np.ndarray
    sums: np.ndarray


def row_weight(block: Block) -> np.ndarray:
    """Case weight of every row, (m,)."""
    if block.group is None:
        return np.ones(block.x.shape[0]) if block.weight is None else np.ravel(block.weight)
    units = np.ones(block.n_units) if block.weight is None else block.weight
    return block.to_rows(units)


def pooled_statistics(block: Block, coef: np.ndarray) -> PooledStats:
    """Weighted least squares of one block at the current coefficients."""
    weight = row_weight(block)
    residual = block.y - block.x @ coef
    if block.offset is not None:
        residual = residual - block.offset
    weighted = weight * residual
    return PooledStats(
        weight.sum(),
        weighted_grams(weight[None], block.x, block.products)[0],
        weighted @ block.x,
        np.asarray(weighted @ residual),
        weight @ block.x,
    )


class PooledFit(NamedTuple):
    """One regression of all rows.

    Attributes
    ----------
    coef : ndarray, (p,)
    sigma : float
        Root of the mean squared residual.
    gram : ndarray, (p, p)
        x'Wx.
    x_scale : ndarray, (p,)
        Standard deviations of the columns; one for a constant column.
    """

    coef: np.ndarray
    sigma: float
    gram: np.ndarray
    x_scale: np.ndarray


def pooled_fit(source: Source, n_refinements: int = 2) -> PooledFit:
    """Least squares of all rows, refined until the increments are rounding errors."""
    coef = np.zeros(source.n_columns)
    for _ in range(1 + n_refinements):
        stats = source.reduce(lambda b, at=coef: pooled_statistics(b, at))  # type: ignore[misc]
        coef = coef + solve_gram(stats.xwx, stats.xwr)[0]
    stats = source.reduce(lambda b: pooled_statistics(b, coef))
    scale = column_scale(stats.weight, stats.sums, np.diag(stats.xwx))
    return PooledFit(coef, float(np.sqrt(stats.rwr / stats.weight)), stats.xwx, scale)


def column_scale(count: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Standard deviations of columns from their sums; one for a constant column."""
    second = squares / count
    variance = second - (sums / count) ** 2
    varies = variance > 1e-12 * second
    return np.where(varies, np.sqrt(np.where(varies, variance, 1.0)), 1.0)


class Totals(NamedTuple):
    """Sum of the rows' case weights; number of units, sums and squares of the mixing design."""

    rows: np.ndarray
    units: np.ndarray
    z_sums: np.ndarray
    z_squares: np.ndarray


def totals(source: Source) -> Totals:
    """What a search must know of all rows besides the pooled fit."""

    def step(block: Block) -> Totals:
        z = np.ones((block.n_units, 1)) if block.z is None else block.z
        rows, units = row_weight(block).sum(), np.asarray(float(block.n_units))
        return Totals(np.asarray(rows), units, z.sum(axis=0), (z * z).sum(axis=0))

    return source.reduce(step)


@dataclass(frozen=True)
class Coordinates:
    """y -> (y - x'center) / scale and x -> x rotation^-1, and what they do to parameters.

    Attributes
    ----------
    center : ndarray, (p,)
    scale : float
    rotation : ndarray, (p, p), or None
    """

    center: np.ndarray
    scale: float
    rotation: np.ndarray | None = None

    @classmethod
    def of(cls, source: Source, pooled: PooledFit) -> Coordinates:
        """Coordinates that suit a source."""
        width = np.sqrt(np.diag(pooled.gram))
        scaled = pooled.gram / width[:, None] / width
        rotation = None
        if np.linalg.eigvalsh(scaled)[0] < SMALLEST_EIGENVALUE:
            factor = np.empty((0, width.size))
            for block in source.blocks():
                factor = merge_r(factor, block.x / width)
            rotation = factor * width / np.sqrt(source.n_rows)
        return cls(pooled.coef, pooled.sigma, rotation)

    def source(self, source: Source) -> Source:
        """The same data in working coordinates; the design is copied only when rotated."""
        return source.mapped(self.rows)

    def rows(self, source: MemorySource) -> MemorySource:
        """Rows in memory in working coordinates."""
        residual = source.y - source.x @ self.center
        if source.offset is not None:
            residual -= source.offset
        residual /= self.scale
        x = source.x
        if self.rotation is not None:
            x = np.linalg.solve(self.rotation.T, source.x.T).T
        return replace(source, y=residual, x=np.ascontiguousarray(x), offset=None)

    def to_working(self, params: MixtureParams) -> MixtureParams:
        coef = (params.coef - self.center) / self.scale
        if self.rotation is not None:
            coef = coef @ self.rotation.T
        return MixtureParams(coef, params.nuisance / self.scale, params.mixing)

    def from_working(self, params: MixtureParams) -> MixtureParams:
        coef = params.coef
        if self.rotation is not None:
            coef = np.linalg.solve(self.rotation, np.swapaxes(coef, 1, 2)).swapaxes(1, 2)
        return MixtureParams(
            self.center + self.scale * coef, params.nuisance * self.scale, params.mixing
        )

    def spec(self, spec: MixtureSpec) -> MixtureSpec:
        """The mixture with its restrictions expressed in working coordinates."""
        if spec.restriction is None:
            return spec
        layout, given = spec.layout, spec.restriction
        linear = np.eye(layout.size)
        block = np.eye(layout.p) if self.rotation is None else self.rotation
        linear[layout.coef, layout.coef] = np.kron(np.eye(layout.k), block) / self.scale
        linear[layout.nuisance, layout.nuisance] /= self.scale
        shift = np.zeros(layout.size)
        shift[layout.coef] = np.tile(self.center, layout.k)
        touches = np.abs(given.basis[: layout.mixing.start]).any(axis=0)
        basis = linear @ given.basis * np.where(touches, self.scale, 1.0)
        restriction = LinearMap(basis, linear @ (given.origin - shift))
        coef_basis = spec.coef_basis
        if coef_basis is not None:
            coef_basis = linear[layout.coef, layout.coef] @ coef_basis
        return replace(spec, restriction=restriction, coef_basis=coef_basis)


def project(spec: MixtureSpec, params: MixtureParams) -> MixtureParams:
    """Nearest parameters that satisfy the restrictions."""
    if spec.restriction is None:
        return params
    layout: ParamLayout = spec.layout
    full = layout.pack(params)
    restricted = spec.restriction.full(spec.restriction.free(full))
    nuisance = restricted[:, layout.nuisance]
    restricted[:, layout.nuisance] = np.where(nuisance > 0.0, nuisance, full[:, layout.nuisance])
    return layout.unpack(restricted)
