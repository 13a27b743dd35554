"""The first pass of a least-squares problem: X'WX and X'Wr at a first guess of the coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from smmix.core.linalg import merge_r, solve_gram
from smmix.errors import SmmixError
from smmix.ols.rows import Rows, RowSource, describe_bad_value

EPS = float(np.finfo(float).eps)
#: Rounding error of a sum of products made by the BLAS, in units of ``EPS``, as seen in practice.
SUM_ERROR = 4.0
#: Relative rounding error of a result from which on digits count as being lost ..
LOST = 1e-12
#: .. and the error of a coefficient, in standard errors of it, that is below any interest.
LOST_OF_ERROR = 1e-11
#: Sums of squares outside this range are brought back by scaling, before they over- or underflow.
SAFE = (1e-200, 1e200)
#: Binary exponent of a zero, far below that of any other double ..
LEAST_EXPONENT = -100_000
#: .. and the largest of a scale: its inverse, and products with it, have to be doubles too.
LARGEST_SCALE = 1000
#: A first guess must bring the sum of squared residuals within this factor of the least.
LOOSEST_GUESS = 1e3


@dataclass(frozen=True)
class View:
    """Rows as they are worked on: columns selected, and all numbers scaled by powers of two."""

    columns: list[int] | None = None
    x_scale: np.ndarray | None = None
    y_scale: float = 1.0
    w_scale: float = 1.0

    def __call__(self, rows: Rows) -> Rows:
        x = rows.x if self.columns is None else rows.x[:, self.columns]
        if self.x_scale is not None:
            x = x * self.x_scale
        weight = rows.weight
        if weight is not None and self.w_scale != 1.0:
            weight = weight * self.w_scale
        return Rows(x, rows.y if self.y_scale == 1.0 else rows.y * self.y_scale, weight)


class GramStats(NamedTuple):
    """Sums over rows at some coefficients; ``r_factor`` of W^1/2 [X, r] where it is wanted."""

    nobs: int
    xwx: np.ndarray
    xwr: np.ndarray
    rwr: float
    r_factor: np.ndarray | None


def gram_step(rows: Rows, view: View, coef: np.ndarray, with_r_factor: bool) -> GramStats:
    """Sums of one block."""
    x, y, weight = view(rows)
    residual = residuals(x, y, coef)
    if weight is None:
        weighted, gram = residual, x.T @ x
    else:
        weighted = weight * residual
        gram = x.T @ (x * weight[:, None])
    r_factor = None
    if with_r_factor:
        joined = np.column_stack([x, residual])
        if weight is not None:
            joined *= np.sqrt(weight)[:, None]
        finite = bool(np.isfinite(joined).all())
        r_factor = merge_r(joined[:0], joined) if finite else joined[:0]
    return GramStats(len(y), gram, weighted @ x, float(weighted @ residual), r_factor)


def merge_gram(a: GramStats, b: GramStats) -> GramStats:
    """Sums over both."""
    r_factor = None
    if a.r_factor is not None and b.r_factor is not None:
        r_factor = merge_r(a.r_factor, b.r_factor)
    return GramStats(a.nobs + b.nobs, a.xwx + b.xwx, a.xwr + b.xwr, a.rwr + b.rwr, r_factor)


def residuals(x: np.ndarray, y: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Y - x coef, the cheaper the more coefficients are zero."""
    used = np.flatnonzero(coef)
    if len(used) > 1:
        return np.asarray(y - x @ coef)
    return np.asarray(y - x[:, used[0]] * coef[used[0]]) if len(used) else y


def _exponents(rows: Rows) -> np.ndarray:
    """Largest binary exponents of W^1/2 [X, y] and of W, (p + 2,), each rounded up."""
    joined = np.column_stack([rows.x, rows.y])
    found = np.where(joined != 0.0, np.frexp(joined)[1], LEAST_EXPONENT)
    if rows.weight is None:
        return np.append(found.max(axis=0), 0)
    # A row of weight zero must not decide on the scale of the others.
    of_weight = np.where(rows.weight > 0.0, np.frexp(rows.weight)[1], 2 * LEAST_EXPONENT)
    return np.append((found + (of_weight[:, None] + 1) // 2).max(axis=0), of_weight.max())


def _all_finite(rows: Rows) -> bool:
    return bool(np.isfinite(rows.x).all() and np.isfinite(rows.y).all())


@dataclass(frozen=True)
class Problem:
    """A least-squares problem after its first pass.

    Attributes
    ----------
    source : RowSource
    view : View
    start : ndarray, (p,)
        Coefficients that the residuals of ``stats`` belong to.
    stats : GramStats
    """

    source: RowSource
    view: View
    start: np.ndarray
    stats: GramStats

    @classmethod
    def read(cls, source: RowSource) -> Problem:
        """Make the first pass; refuse what is not finite."""
        problem = cls._pass(source, View())
        if problem.is_finite and (problem._is_safe or not source.repeatable):
            return problem
        if not source.repeatable:
            raise SmmixError(
                "X or y holds NaN, an infinite value or one beyond 1e150: drop or fill missing "
                "values first, and rescale very large columns."
            )
        if not source.fold(_all_finite, lambda a, b: a and b):
            raise SmmixError(describe_bad_value(source))
        exponents = source.fold(_exponents, np.maximum)
        # The scaled weights are at most one, and so are the columns that their roots multiply; the
        # root of the scale is a power of two as well.
        exponents[-1] += exponents[-1] % 2
        exponents[:-1] -= exponents[-1] // 2
        exponents[exponents <= LEAST_EXPONENT // 2] = 0
        scales = np.ldexp(1.0, -np.clip(exponents, -LARGEST_SCALE, LARGEST_SCALE))
        return cls._pass(source, View(None, scales[:-2], float(scales[-2]), float(scales[-1])))

    @classmethod
    def _pass(cls, source: RowSource, view: View) -> Problem:
        start = _guess(view(source.head()), source.n_rows)
        step = partial(gram_step, view=view, coef=start, with_r_factor=not source.repeatable)
        return cls(source, view, start, source.fold(step, merge_gram))

    @property
    def is_finite(self) -> bool:
        s = self.stats
        return bool(np.isfinite(s.xwx).all() and np.isfinite(s.xwr).all() and np.isfinite(s.rwr))

    @property
    def _is_safe(self) -> bool:
        squares = np.append(np.diag(self.stats.xwx), self.stats.rwr)
        return bool(((squares > SAFE[0]) & (squares < SAFE[1])).all())

    @property
    def n_entries(self) -> int:
        return self.stats.nobs * len(self.start)

    @property
    def x_scale(self) -> np.ndarray:
        return np.ones(len(self.start)) if self.view.x_scale is None else self.view.x_scale


def _guess(head: Rows, n_rows: int | None) -> np.ndarray:
    """Coefficients from some rows only, as few of them as leave the rest of the way short enough.

    The rounding of X'WX acts on the way from the guess to the solution, and the residual sum of
    squares is a difference that loses digits with its length. All lengths grow with the root of
    the number of rows (unknown for blocks) but the standard errors, in which they count.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        weighted_x = head.x if head.weight is None else head.x * head.weight[:, None]
        weighted_y = head.y if head.weight is None else head.y * head.weight
        gram, rhs = weighted_x.T @ head.x, weighted_x.T @ head.y
        norm = float(weighted_y @ head.y)
        if not (np.isfinite(gram).all() and np.isfinite(rhs).all() and np.isfinite(norm)):
            return np.zeros(head.x.shape[1])
        coef = solve_gram(gram, rhs)[0]
        if not np.isfinite(coef).all():
            return np.zeros(head.x.shape[1])
        if n_rows is None:
            return coef
        diagonal = np.where(np.diag(gram) > 0.0, np.diag(gram), np.inf)
        gains = rhs * (rhs / diagonal)
        least = max(norm - float(rhs @ coef), 0.0)
        sizes = np.abs(coef) * np.sqrt(np.diag(gram))
        # The least error allowed to any coefficient, per root of a row.
        lost = np.maximum(LOST * sizes, LOST_OF_ERROR * np.sqrt(least / n_rows)).min()
        way = (0.5 * lost / (SUM_ERROR * EPS)) ** 2
        allowed = least + min(way, LOOSEST_GUESS * least)
    best = int(gains.argmax())
    single = np.zeros(len(coef))
    if norm > allowed:
        single[best] = rhs[best] / diagonal[best]
    return single if norm - gains[best] <= allowed else coef


def power_of_two(size: np.ndarray) -> np.ndarray:
    """Powers of two that bring sizes into [1/2, 1); one for a size of zero."""
    return np.where(size > 0.0, np.ldexp(1.0, -np.frexp(size)[1]), 1.0)
