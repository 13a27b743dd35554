"""Refinement of a least-squares solution with residuals in twice the working precision.

Any approximate factor T for which Z = X T has nearly orthonormal columns turns ill-conditioned
normal equations into X'WX = T^-T (Z'WZ) T^-1 with Z'WZ close to the identity. The residuals
y - X b and the products X'Wr are formed in twice the working precision, Z'WZ needs the ordinary
one, and each step then adds some 15 digits until the condition number is 10^13 or so. This is the
iterative refinement of Björck (1967, BIT 7:257-278), preconditioned as in his corrected seminormal
equations (1987, Linear Algebra Appl. 88/89:31-48).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from smmix.ols.exact import Pair, Slices, product, product_of_slices
from smmix.ols.rows import Rows, RowSource

#: Entries of X handled at a time: the slices of a block take about ten times its memory.
BLOCK_ENTRIES = 1 << 14
#: Passes at most; two are enough unless the fit is exact.
MAX_PASSES = 6
#: A step smaller than this part of the coefficient leaves an error below its last digit.
SMALL_STEP = 1e-3
#: Unit roundoff of a pair of doubles.
PAIR_EPS = 2.0**-104


class ResidualStats(NamedTuple):
    """X'Wr as a pair, r'Wr, y'Wy, and Z'WZ in the first pass."""

    xwr: Pair
    rwr: float
    ywy: float
    zwz: np.ndarray | None


def _merge(a: ResidualStats, b: ResidualStats) -> ResidualStats:
    zwz = None if a.zwz is None or b.zwz is None else a.zwz + b.zwz
    return ResidualStats(a.xwr.plus(b.xwr), a.rwr + b.rwr, a.ywy + b.ywy, zwz)


def _step(
    rows: Rows, view: Callable[[Rows], Rows], coef: Slices, factor: Slices | None
) -> ResidualStats:
    x, y, weight = view(rows)
    cut = Slices(x, 1)
    joined = product_of_slices(cut, coef)
    fitted = joined.columns(slice(0, 1)).plus(joined.columns(slice(1, 2)))
    zwz = None
    if factor is not None:
        z = product_of_slices(cut, factor).high
        if weight is not None:
            z *= np.sqrt(weight)[:, None]
        zwz = z.T @ z
    residual = Pair.of(y[:, None]).plus(-fitted)
    weighted = residual if weight is None else residual.times(weight[:, None])
    r, wr = residual.high[:, 0], weighted.high[:, 0]
    wy = y if weight is None else weight * y
    return ResidualStats(product(x.T, weighted), float(r @ wr), float(y @ wy), zwz)


class Refined(NamedTuple):
    """Coefficients (p,), (X'WX)^-1 and the weighted residual sum of squares."""

    coef: np.ndarray
    inverse: np.ndarray
    rss: float


def refine(
    source: RowSource, view: Callable[[Rows], Rows], factor: np.ndarray, start: np.ndarray
) -> Refined:
    """Solve a least-squares problem of full rank to the last digit.

    Parameters
    ----------
    source : RowSource
        Rows that can be read several times.
    view : callable
        Makes of some rows those that are worked on; entries of X must be far from overflow.
    factor : ndarray, (p, p)
        T, a matrix for which X T has columns that are roughly orthonormal.
    start : ndarray, (p,)
        Coefficients to begin with.
    """
    coef, core = Pair.of(start[:, None]), np.eye(len(start))
    cut_factor = Slices(factor, 0)
    rss, last = 0.0, np.inf
    for n_pass in range(MAX_PASSES):
        step = partial(
            _step,
            view=view,
            coef=Slices(np.concatenate(coef, axis=1), 0),
            factor=None if n_pass else cut_factor,
        )
        stats = source.fold(step, _merge, BLOCK_ENTRIES)
        if stats.zwz is not None:
            core = np.linalg.inv(stats.zwz)
        inner = product(factor.T, stats.xwr).high
        rotated = core @ inner
        gain = float((inner * rotated)[:, 0].sum())
        rss = max(stats.rwr - gain, 0.0)
        if rss <= stats.ywy * PAIR_EPS**2 * len(start):
            rss = 0.0
        if gain >= last:
            break
        last = gain
        move = product(factor, Pair.of(rotated))
        coef = coef.plus(move)
        small = np.abs(move.high) <= SMALL_STEP * np.abs(coef.high)
        if (small.all() and gain <= SMALL_STEP * stats.rwr) or gain == 0.0:
            break
    return Refined(coef.high[:, 0], factor @ core @ factor.T, rss)
