"""Components with random effects: a group of rows has one normal density, no product over its rows.

The rows of a group g in component c have y ~ N(X b, Z D Z' + s^2 I), with D and s those of the
component [1]_. Everything that is needed of the inverse V^-1 of a group's covariance goes through
matrices of the size of D: with M = Z'Z and W = (s^2 I + M D)^-1 it is Z'V^-1 = W Z', so that
nothing of D is ever inverted, and D may be singular.

References
----------
.. [1] Laird, N. M. and Ware, J. H. (1982). Random-effects models for longitudinal data.
   Biometrics 38, 963-974.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from smmix.core.blocks import Block
from smmix.core.components import Evaluated, RowComponents
from smmix.core.derivatives import Parts
from smmix.core.grams import weighted_grams
from smmix.core.params import MixtureParams
from smmix.core.random_effects import RandomEffects
from smmix.core.statistics import ComponentStats

__all__ = ["Group", "GroupComponents"]

LOG_2PI = float(np.log(2.0 * np.pi))


def to_rows(block: Block, units: np.ndarray) -> np.ndarray:
    """Values of units (.., u) for each of their rows (.., m)."""
    return np.repeat(units, block.group_sizes(), axis=-1)


def sums(block: Block, rows: np.ndarray) -> np.ndarray:
    """Sums of values of rows (.., m) over the units, a row as often as it stands there."""
    return block.to_units(rows if block.repeat is None else rows * block.repeat)


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Products of small matrices (i, j, ..) and (j, l, ..), or vectors (j, ..)."""
    return np.stack([sum(a * b for a, b in zip(row, right, strict=True)) for row in left])


def trace(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Traces of products of small matrices (q, q, ..)."""
    return np.asarray(
        sum(
            a * b
            for row, other in zip(left, np.swapaxes(right, 0, 1), strict=True)
            for a, b in zip(row, other, strict=True)
        )
    )


def inverse(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses (q, q, ..) and determinants (..) of small matrices (q, q, ..).

    One or two random effects, by far the most common, are told apart: LAPACK takes one matrix at a
    time, and many times as long.
    """
    if len(matrices) == 1:
        return 1.0 / matrices, matrices[0, 0]
    if len(matrices) == 2:
        (a, b), (c, d) = matrices
        determinant = a * d - b * c
        return np.stack([np.stack([d, -b]), np.stack([-c, a])]) / determinant, determinant
    last = np.moveaxis(matrices, (0, 1), (-2, -1))
    return np.moveaxis(np.linalg.inv(last), (-2, -1), (0, 1)), np.linalg.det(last)


class Group:
    """What a block's groups are under one batch of parameters.

    Matrices have the shape (q, q, S, K, u), vectors (q, S, K, u); ``v`` stands for a group's
    covariance V, and ``r`` for its residual.
    """

    def __init__(self, random: RandomEffects, params: MixtureParams, block: Block):
        assert block.aux is not None, "random effects have a design"
        self.block, self.z = block, block.aux.T
        self.scale = params.nuisance[..., 0][..., None]
        self.d = np.moveaxis(random.matrix(params.nuisance[..., 1:]), (2, 3), (0, 1))[..., None]
        self.m = sums(block, self.z[:, None] * self.z)[:, :, None, None]
        self.rows = sums(block, np.ones(block.x.shape[0]))
        variance = self.scale**2
        scaled = product(self.m, self.d / variance)
        for i in range(random.q):
            scaled[i, i] += 1.0
        w, determinant = inverse(scaled)
        self.log_det, self.w = np.log(determinant), w / variance

    @cached_property
    def z_v_z(self) -> np.ndarray:
        """Z'V^-1 Z."""
        return product(self.w, self.m)

    @cached_property
    def z_x(self) -> np.ndarray:
        """Z'X, (q, p, u)."""
        return sums(self.block, self.z[:, None] * self.block.x.T)

    @cached_property
    def explained(self) -> np.ndarray:
        """Trace of D Z'V^-1 Z, (S, K, u)."""
        return trace(self.d, self.z_v_z)

    @cached_property
    def v_trace(self) -> np.ndarray:
        """Trace of V^-1, (S, K, u)."""
        return np.asarray((self.rows - self.explained) / self.scale**2)

    def residual(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Z'V^-1 r, and r less the predicted effects (S, K, m): s^2 V^-1 r."""
        z_v_r = product(self.w, np.stack([sums(self.block, rows * z) for z in self.z]))
        left = rows
        for z, effect in zip(self.z, self.effects(z_v_r), strict=True):
            left = left - to_rows(self.block, effect) * z
        return z_v_r, left

    def effects(self, z_v_r: np.ndarray) -> np.ndarray:
        """Best linear unbiased predictions D Z'V^-1 r."""
        return product(self.d, z_v_r)


@dataclass(frozen=True)
class GroupComponents:
    """Normal regressions with random effects, whose units are groups of rows.

    The working residual of a row is its residual less the predicted random effects. The M-step
    takes the coefficients by generalised least squares at the present covariances, and these from
    the expected squares of the effects and of the errors at the present coefficients.

    Attributes
    ----------
    rows : RowComponents
        The same regressions without random effects.
    random : RandomEffects
    """

    rows: RowComponents
    random: RandomEffects

    def evaluate(self, params: MixtureParams, block: Block) -> Evaluated:
        group = Group(self.random, params, block)
        residual = block.y - self.rows.linear_predictor(params, block)
        z_v_r, left = group.residual(residual)
        squares = sums(block, left * left)
        log_density = squares / group.scale**2
        log_density += (group.effects(z_v_r) * z_v_r).sum(axis=0)
        log_density += group.log_det
        log_density += group.rows * (2.0 * np.log(group.scale) + LOG_2PI)
        log_density *= -0.5
        return Evaluated(log_density, (group, z_v_r, left, squares))

    def statistics(
        self, params: MixtureParams, block: Block, evaluated: Evaluated, weight: np.ndarray
    ) -> ComponentStats:
        group, z_v_r, left, squares = evaluated.state
        rows = block.to_rows(weight)
        size, k, m = rows.shape
        squares = squares + group.explained * group.scale**2
        row, column = self.random.entries
        moments = z_v_r[row] * z_v_r[column] - group.z_v_z[row, column]
        extra = [*(moments * weight).sum(axis=-1), weight.sum(axis=2)]
        return ComponentStats(
            rows.sum(axis=2),
            _grams(group, rows, weight),
            ((rows * left).reshape(size * k, m) @ block.x).reshape(size, k, -1),
            (squares * weight).sum(axis=2),
            np.stack(extra, axis=-1),
        )

    def update(
        self, params: MixtureParams, stats: ComponentStats, strength: float
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.rows.update(params, stats, strength)

    def score(self, params: MixtureParams, stats: ComponentStats) -> tuple[np.ndarray, np.ndarray]:
        return self.rows.score(params, stats)

    def derivatives(
        self, params: MixtureParams, block: Block, evaluated: Evaluated
    ) -> GroupDerivatives:
        return GroupDerivatives(self.random, block, evaluated.state)


def _grams(group: Group, rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums of s^2 X'V^-1 X, (S, K, p, p)."""
    block = group.block
    out = weighted_grams(rows, block.x, block.products)
    size, k, u = weight.shape
    p = block.x.shape[1]
    for own, x in zip(product(group.d, group.w), group.z_x, strict=True):
        for shrunk, other in zip(own, group.z_x, strict=True):
            crossed = (x[:, None] * other).reshape(p * p, u)
            part = (shrunk * weight).reshape(size * k, u) @ crossed.T
            out = out - part.reshape(size, k, p, p)
    return out


class GroupDerivatives:
    """First and second derivatives of the groups' log-densities, in s and the entries of D."""

    def __init__(self, random: RandomEffects, block: Block, state: Any):
        self.block = block
        self.group, self.z_v_r, self.left, self.squares = state
        group: Group = self.group
        # Entry (i, j) of D and (j, i) are one parameter: V changes by c (z_i z_j' + z_j z_i').
        self.row, self.column = random.entries
        self.half = np.where(self.row == self.column, 0.5, 1.0)
        x_v_r = np.stack([sums(block, self.left * x) for x in block.x.T])
        self.x_v_r = x_v_r / group.scale**2  # (p, S, K, u)
        self.scores = self._scores()

    def _scores(self) -> np.ndarray:
        """Scores (S, K, p + d, u)."""
        group, w = self.group, self.z_v_r
        in_scale = group.scale * (self.squares / group.scale**4 - group.v_trace)
        in_d = w[self.row] * w[self.column] - group.z_v_z[self.row, self.column]
        in_d *= self.half[:, None, None, None]
        return np.stack([*self.x_v_r, in_scale, *in_d], axis=2)

    def fill_scores(self, tau: np.ndarray, coef: np.ndarray, nuisance: np.ndarray) -> None:
        """Write tau times the scores into (S, K, p, u) and (S, K, d, u)."""
        p = coef.shape[2]
        np.multiply(self.scores[:, :, :p], tau[:, :, None], out=coef)
        np.multiply(self.scores[:, :, p:], tau[:, :, None], out=nuisance)

    def add_second(self, tau: np.ndarray, hessian: Parts, complete: Parts) -> np.ndarray:
        """Add sums of tau (S S' + C) and of the complete-data information; sizes (S, K) in rows."""
        rows, p = self.block.to_rows(tau), self.block.x.shape[1]
        gram = _grams(self.group, rows, tau) / self.group.scale[..., None] ** 2
        complete.coef += gram
        moments = (self.scores * tau[:, :, None]) @ np.swapaxes(self.scores, 2, 3)
        hessian.coef += moments[..., :p, :p] - gram
        cross = moments[..., :p, p:] - _summed(self._crossed(), tau)
        hessian.coef_nuisance += cross
        hessian.nuisance_coef += np.swapaxes(cross, 2, 3)
        observed, expected = self._nuisance()
        hessian.nuisance += moments[..., p:, p:] - _summed(observed, tau)
        complete.nuisance += _summed(expected, tau)
        return np.asarray(rows.sum(axis=2))

    def _crossed(self) -> np.ndarray:
        """Minus second derivatives in coefficients and nuisance parameters, (p, d, S, K, u)."""
        group, w = self.group, self.z_v_r
        z_x = group.z_x[:, :, None, None]
        # X'V^-2 r and Z'V^-1 X
        x_v_v_r = self.x_v_r - product(np.swapaxes(z_x, 0, 1), group.effects(product(group.w, w)))
        z_v_x = product(group.w, z_x)
        in_scale = 2.0 / group.scale * x_v_v_r
        in_d = [
            c * (z_v_x[i] * w[j] + z_v_x[j] * w[i])
            for i, j, c in zip(self.row, self.column, self.half, strict=True)
        ]
        return np.stack([in_scale, *in_d], axis=1)

    def _nuisance(self) -> tuple[np.ndarray, np.ndarray]:
        """Minus second derivatives in the nuisance parameters (d, d, S, K, u), and expected ones.

        With V_a the derivative of V in parameter a and r' V^-1 V_a V^-1 V_b V^-1 r called Q, half
        the trace of V^-1 V_a V^-1 V_b called T, they are Q - T and T. V is linear in D; in s it
        bends by 2 I, which adds tr V^-1 - r'V^-2 r.
        """
        group, w, s = self.group, self.z_v_r, self.group.scale
        row, column, half = self.row, self.column, self.half[:, None, None, None]
        k, z_v_v_z, z_v_v_r = group.z_v_z, product(group.w, group.z_v_z), product(group.w, w)
        r_v_v_r = self.squares / s**4
        v_v_trace = (group.v_trace - trace(group.d, z_v_v_z)) / s**2
        r_v_v_v_r = (r_v_v_r - (group.effects(z_v_v_r) * w).sum(axis=0)) / s**2
        size = 1 + row.size
        form = np.empty((size, size, *w.shape[1:]))
        expected = np.empty_like(form)
        form[0, 0] = 4.0 * s**2 * r_v_v_v_r
        expected[0, 0] = 2.0 * s**2 * v_v_trace
        mixed = w[row] * z_v_v_r[column] + w[column] * z_v_v_r[row]
        form[0, 1:] = form[1:, 0] = 2.0 * s * half * mixed
        expected[0, 1:] = expected[1:, 0] = 2.0 * s * half * z_v_v_z[row, column]
        for e, (i, j) in enumerate(zip(row, column, strict=True)):
            pairs = self.half[e] * half
            form[1 + e, 1:] = pairs * (
                (w[i] * k[j, row] + w[j] * k[i, row]) * w[column]
                + (w[i] * k[j, column] + w[j] * k[i, column]) * w[row]
            )
            expected[1 + e, 1:] = pairs * (k[i, row] * k[j, column] + k[i, column] * k[j, row])
        observed = form - expected
        observed[0, 0] += group.v_trace - r_v_v_r
        return observed, expected


def _summed(values: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """Sums (S, K, a, b) over the units of values (a, b, S, K, u) times tau."""
    return np.moveaxis((values * tau).sum(axis=-1), (0, 1), (2, 3))
