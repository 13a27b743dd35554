"""Working coordinates: the response less its pooled fit, in units of the pooled residual.

A location-scale family is fitted to (y - x'b) / s with b and s from the pooled least squares, so
that a large offset of the response costs no digits and no threshold knows the units of the data.
When the columns of the design are nearly collinear they are rotated to be orthonormal as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, overload

import numpy as np

from smmix.core.blocks import Block
from smmix.core.family import Family
from smmix.core.grams import weighted_grams
from smmix.core.information import unit_design
from smmix.core.linalg import merge_r, solve_gram
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams
from smmix.core.random_effects import RandomEffects
from smmix.core.source import Source
from smmix.search.em import Objective
from smmix.search.single import with_start

#: First rows that show to what the response was rounded.
ROUNDED_ROWS = 2000
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
    spread : float
        Root of the mean squared residual.
    gram : ndarray, (p, p)
        x'Wx.
    x_scale : ndarray, (p,)
        Standard deviations of the columns; one for a constant column.
    """

    coef: np.ndarray
    spread: float
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


def rounding(source: Source) -> float:
    """Standard deviation of the errors that rounding has made of the response; zero where few tie.

    Errors of a number rounded to multiples of d are spread evenly over d.
    """
    block = next(iter(source.blocks()))
    values = np.unique(block.y[:ROUNDED_ROWS])
    if not 1 < values.size <= min(block.y.size, ROUNDED_ROWS) / 2:
        return 0.0
    return float(np.diff(values).min() / np.sqrt(12.0))


def column_scale(count: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Standard deviations of columns from their sums; one for a constant column."""
    second = squares / count
    variance = second - (sums / count) ** 2
    varies = variance > 1e-12 * second
    return np.where(varies, np.sqrt(np.where(varies, variance, 1.0)), 1.0)


class Totals(NamedTuple):
    """Sum of the rows' case weights; number of units, sums and Gram matrix of the mixing design."""

    rows: np.ndarray
    units: np.ndarray
    z_sums: np.ndarray
    z_gram: np.ndarray


def totals(source: Source) -> Totals:
    """What a search must know of all rows besides the pooled fit."""

    def step(block: Block) -> Totals:
        z = unit_design(block)
        rows, units = row_weight(block).sum(), np.asarray(float(block.n_units))
        return Totals(np.asarray(rows), units, z.sum(axis=0), z.T @ z)

    return source.reduce(step)


def orthonormal_factor(
    source: Source, columns: Callable[[Block], np.ndarray], gram: np.ndarray, smallest: float
) -> np.ndarray | None:
    """R with columns @ R^-1 near orthonormal, (p, p), by QR of the blocks' columns.

    None when no eigenvalue of ``gram`` (p, p), scaled to a unit diagonal, is below ``smallest``.
    """
    width = np.sqrt(np.diag(gram))
    width = np.where(width > 0.0, width, 1.0)
    if np.linalg.eigvalsh(gram / width[:, None] / width)[0] > smallest:
        return None
    factor, n_rows = np.empty((0, width.size)), 0
    for block in source.blocks():
        slab = columns(block)
        factor = merge_r(factor, slab / width)
        n_rows += len(slab)
    return factor * width / np.sqrt(n_rows)


@overload
def turned(columns: np.ndarray, factor: np.ndarray | None) -> np.ndarray: ...
@overload
def turned(columns: None, factor: np.ndarray | None) -> None: ...
def turned(columns: np.ndarray | None, factor: np.ndarray | None) -> np.ndarray | None:
    """``columns`` @ ``factor``^-1; as they are without a factor."""
    if columns is None or factor is None:
        return columns
    return np.ascontiguousarray(np.linalg.solve(factor.T, columns.T).T)


def turned_back(coef: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
    """Coefficients (S, K, p) of columns, from those of ``turned`` columns."""
    if factor is None:
        return coef
    return np.swapaxes(np.linalg.solve(factor, np.swapaxes(coef, 1, 2)), 1, 2)


@dataclass(frozen=True)
class Coordinates:
    """A change of coordinates: y -> (y - x'center) / scale, x -> x rotation^-1, z likewise.

    Attributes
    ----------
    center : ndarray, (p,)
    scale : float
    rotation : ndarray, (p, p), or None
    z_rotation : ndarray, (q, q), or None
    unit_powers : tuple of int
        Powers of the unit of y in which the nuisance parameters are measured.
    effects : ndarray, (q, q), or None
        R with the design of the random effects R^-1 near orthonormal, or of unit mean squares
        where the effects are independent.
    random : RandomEffects or None
        Their covariance D is R D R' / scale^2.
    """

    center: np.ndarray
    scale: float
    rotation: np.ndarray | None = None
    z_rotation: np.ndarray | None = None
    unit_powers: tuple[int, ...] = (1,)
    effects: np.ndarray | None = None
    random: RandomEffects | None = None

    @classmethod
    def of(cls, source: Source, pooled: PooledFit, sums: Totals, family: Family) -> Coordinates:
        """Coordinates that suit a source; only location-scale families move the response."""
        powers = tuple(parameter.unit for parameter in family.nuisance)
        z_rotation = orthonormal_factor(source, unit_design, sums.z_gram, SMALLEST_EIGENVALUE)
        rotation = orthonormal_factor(source, lambda b: b.x, pooled.gram, SMALLEST_EIGENVALUE)
        if not family.location_scale:
            return cls(np.zeros_like(pooled.coef), 1.0, rotation, z_rotation, powers)
        random = getattr(family, "random", None)
        effects = None if random is None else _effects_factor(source, random)
        return cls(pooled.coef, pooled.spread, rotation, z_rotation, powers, effects, random)

    def source(self, source: Source) -> Source:
        """The same data in working coordinates; a design is copied only when rotated."""
        return source.mapped(self.rows)

    def rows(self, source: MemorySource) -> MemorySource:
        """Rows in memory in working coordinates."""
        x, z = turned(source.x, self.rotation), turned(source.z, self.z_rotation)
        if self.effects is not None:
            source = replace(source, aux=turned(source.aux, self.effects))
        if self.scale == 1.0 and not self.center.any():
            return replace(source, x=x, z=z)
        residual = source.y - source.x @ self.center
        if source.offset is not None:
            residual -= source.offset
        residual /= self.scale
        return replace(source, y=residual, x=np.ascontiguousarray(x), z=z, offset=None)

    def response(self, working: MemorySource) -> np.ndarray:
        """The response (n,) of rows in working coordinates, any pooled fit added back."""
        center = self.center / self.scale
        if self.rotation is not None:
            center = self.rotation @ center
        return np.ravel(working.y) + working.x @ center

    def to_working(self, params: MixtureParams) -> MixtureParams:
        coef, mixing = (params.coef - self.center) / self.scale, params.mixing
        if self.rotation is not None:
            coef = coef @ self.rotation.T
        if self.z_rotation is not None:
            mixing = mixing @ self.z_rotation.T
        nuisance = self._turned_effects(params.nuisance / self.factors, self.effects)
        return MixtureParams(coef, nuisance, mixing)

    def from_working(self, params: MixtureParams) -> MixtureParams:
        coef = turned_back(params.coef, self.rotation)
        mixing = turned_back(params.mixing, self.z_rotation)
        back = None if self.effects is None else np.linalg.inv(self.effects)
        nuisance = self._turned_effects(params.nuisance, back) * self.factors
        return MixtureParams(self.center + self.scale * coef, nuisance, mixing)

    @property
    def factors(self) -> np.ndarray:
        """What nuisance parameters (d,) are in natural units where they are one here."""
        return np.asarray(self.scale ** np.array(self.unit_powers, dtype=float))

    def _turned_effects(self, nuisance: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
        """Nuisance parameters with the covariance D of random effects as ``factor`` D factor'."""
        if self.random is None or factor is None:
            return nuisance
        matrix = factor @ self.random.matrix(nuisance[..., 1:]) @ factor.T
        return np.concatenate([nuisance[..., :1], self.random.values(matrix)], axis=-1)

    def spec(self, spec: MixtureSpec) -> MixtureSpec:
        """The mixture with its restrictions expressed in working coordinates."""
        if spec.restriction is None:
            return spec
        layout, given = spec.layout, spec.restriction
        linear = np.eye(layout.size)
        block = np.eye(layout.p) if self.rotation is None else self.rotation
        linear[layout.coef, layout.coef] = np.kron(np.eye(layout.k), block) / self.scale
        factors = np.tile(self.factors, layout.k)
        linear[layout.nuisance, layout.nuisance] /= factors
        if self.z_rotation is not None:
            turn = np.kron(np.eye(layout.k - 1), self.z_rotation)
            linear[layout.mixing, layout.mixing] = turn
        shift = np.zeros(layout.size)
        shift[layout.coef] = np.tile(self.center, layout.k)
        # A free parameter keeps its unit, so that entries of one stay one.
        units = np.concatenate([np.full(layout.k * layout.p, self.scale), factors])
        touched = np.abs(given.basis[: layout.mixing.start]) > 0.0
        first = np.where(touched.any(axis=0), units[touched.argmax(axis=0)], 1.0)
        basis = linear @ given.basis * first
        if self.rotation is not None:
            # Columns that were nearly collinear are so still, as directions of coefficients.
            free = ~touched[layout.p * layout.k :].any(axis=0) & touched.any(axis=0)
            basis[layout.coef, free] = np.linalg.qr(basis[layout.coef, free])[0]
        restriction = LinearMap(basis, linear @ (given.origin - shift))
        coef_basis = spec.coef_basis
        if coef_basis is not None:
            coef_basis = linear[layout.coef, layout.coef] @ coef_basis
            if self.rotation is not None:
                coef_basis = np.linalg.qr(coef_basis)[0]
        return replace(spec, restriction=restriction, coef_basis=coef_basis)


def _effects_factor(source: Source, random: RandomEffects) -> np.ndarray:
    """R (q, q) that makes the columns of the random effects' design near orthonormal."""
    scale = root_mean_squares(source)
    if random.diagonal:
        return np.diag(scale)
    factor = orthonormal_factor(source, random_design, np.diag(scale**2), np.inf)
    assert factor is not None, "no eigenvalue is infinite"
    return factor


def random_design(block: Block) -> np.ndarray:
    """Design of the random effects, (m, q)."""
    assert block.aux is not None, "random effects have a design"
    return block.aux


def root_mean_squares(source: Source) -> np.ndarray:
    """Of the columns of a design of random effects, (q,); one for a column of zeros."""

    def step(block: Block) -> np.ndarray:
        z = random_design(block)
        return np.einsum("mi,mi->i", z, z)

    squares = source.reduce(step) / source.n_rows
    return np.asarray(np.sqrt(np.where(squares > 0.0, squares, 1.0)))


class Setting(NamedTuple):
    """A mixture on a source in working coordinates.

    Attributes
    ----------
    coordinates : Coordinates
    objective : Objective
        What is climbed, in working coordinates, with second derivatives.
    n_rows : float
        Sum of the rows' case weights.
    """

    coordinates: Coordinates
    objective: Objective
    n_rows: float


def working_setting(spec: MixtureSpec, source: Source, pooled: PooledFit | None = None) -> Setting:
    """Put a mixture and its data into working coordinates."""
    pooled = pooled_fit(source) if pooled is None else pooled
    sums = totals(source)
    coordinates = Coordinates.of(source, pooled, sums, spec.family)
    x_scale = pooled.x_scale
    if coordinates.rotation is not None:
        x_scale = np.ones(spec.layout.p)
    z_scale = column_scale(sums.units, sums.z_sums, np.diag(sums.z_gram))
    if coordinates.z_rotation is not None:
        z_scale = np.ones(spec.layout.q)
    working = coordinates.source(source)
    stages = spec.family.stages
    curved = replace(spec, family=stages[-1]) if stages else spec
    started = with_start(coordinates.spec(curved), working)
    if spec.family.location_scale:
        started = replace(started, rounding=rounding(source) / coordinates.scale)
    objective = Objective(started, working, x_scale, z_scale)
    return Setting(coordinates, objective, float(sums.rows))
