"""Linear least squares by the normal equations, with a way out when digits are being lost.

The path of ``least_squares``, from the cheapest step on:

1. One pass gives X'WX and X'Wr, r being the residuals of a first guess made from a few rows: the
   increment form, in which a response far from zero costs no digits.
2. Column-scaled Cholesky. Its factor tells how ill-conditioned X'WX is, hence how many digits the
   rounding of its entries has cost.
3. When few were lost: a second pass in doubles, if the first guess was too far off.
4. When more were lost: Householder QR with column pivoting in place of Cholesky, and residuals in
   twice the working precision. Small problems get such residuals always.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import qr, solve_triangular

from smmix.core.extended import Refined, refine
from smmix.core.linalg import dependent_columns, merge_r, remove_span, solve_gram
from smmix.core.row_sources import Rows, RowSource, describe_bad_value
from smmix.errors import SmmixError

Method = Literal["auto", "cholesky", "qr", "lu"]

EPS = float(np.finfo(float).eps)
#: Relative rounding error, of a coefficient against the larger of its size and its standard
#: error, from which on digits count as being lost.
LOST = 1e-12
#: Rounding error of a sum of products made by the BLAS, in units of ``EPS``, as seen in practice.
SUM_ERROR = 4.0
#: Entries of X up to which residuals in twice the working precision cost next to nothing.
SMALL = 1 << 12
#: Sums of squares outside this range are brought back by scaling, before they over- or underflow.
SAFE = (1e-200, 1e200)
#: A column of unit length whose part orthogonal to the others is shorter than this many ``EPS``
#: times the root of the number of columns is a combination of them: rounding X leaves less.
RANK_EPS = 16.0


class Fit(NamedTuple):
    """What a least-squares solution consists of.

    Attributes
    ----------
    coef : ndarray, (p,)
    inverse : ndarray, (p, p)
        (X'WX)^-1, or its pseudo-inverse.
    rss : float
        Weighted residual sum of squares.
    rank : int
    dependent : list of int
        Columns that are combinations of others, of earlier ones where possible.
    condition_number : float
        2-norm condition number of W^1/2 X, infinite when columns depend on each other.
    method : str
    nobs : int
    relative_error : float
        Estimated rounding error of a solution that was not refined; zero for one that was.
    """

    coef: np.ndarray
    inverse: np.ndarray
    rss: float
    rank: int
    dependent: list[int]
    condition_number: float
    method: str
    nobs: int
    relative_error: float = 0.0


@dataclass(frozen=True)
class View:
    """Rows as they are worked on: columns selected and scaled by powers of two."""

    columns: list[int] | None = None
    x_scale: np.ndarray | None = None
    y_scale: float = 1.0

    def __call__(self, rows: Rows) -> Rows:
        x = rows.x if self.columns is None else rows.x[:, self.columns]
        if self.x_scale is not None:
            x = x * self.x_scale
        return Rows(x, rows.y if self.y_scale == 1.0 else rows.y * self.y_scale, rows.weight)


class GramStats(NamedTuple):
    """Sums over rows at some coefficients; ``r_factor`` of W^1/2 [X, r] where it is wanted."""

    nobs: int
    xwx: np.ndarray
    xwr: np.ndarray
    rwr: float
    r_factor: np.ndarray | None


def _gram_step(rows: Rows, view: View, coef: np.ndarray, with_r_factor: bool) -> GramStats:
    x, y, weight = view(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        residual = y - x @ coef
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
            r_factor = np.linalg.qr(joined, mode="r") if np.isfinite(joined).all() else joined[:0]
        return GramStats(len(y), gram, weighted @ x, float(weighted @ residual), r_factor)


def _merge_gram(a: GramStats, b: GramStats) -> GramStats:
    r_factor = None
    if a.r_factor is not None and b.r_factor is not None:
        r_factor = merge_r(a.r_factor, b.r_factor)
    return GramStats(a.nobs + b.nobs, a.xwx + b.xwx, a.xwr + b.xwr, a.rwr + b.rwr, r_factor)


def _residual_step(rows: Rows, view: View, coef: np.ndarray) -> tuple[np.ndarray, float]:
    x, y, weight = view(rows)
    residual = y - x @ coef
    weighted = residual if weight is None else weight * residual
    return weighted @ x, float(weighted @ residual)


def _r_step(rows: Rows, view: View) -> np.ndarray:
    x, _, weight = view(rows)
    return np.asarray(np.linalg.qr(x if weight is None else x * np.sqrt(weight)[:, None], mode="r"))


def _extreme_step(rows: Rows) -> tuple[np.ndarray, float]:
    return np.abs(rows.x).max(axis=0), float(np.abs(rows.y).max())


def _merge_extremes(
    a: tuple[np.ndarray, float], b: tuple[np.ndarray, float]
) -> tuple[np.ndarray, float]:
    return np.maximum(a[0], b[0]), float(np.maximum(a[1], b[1]))


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
        largest, y_largest = source.fold(_extreme_step, _merge_extremes)
        if not (np.isfinite(largest).all() and np.isfinite(y_largest)):
            raise SmmixError(describe_bad_value(source))
        view = View(None, _power_of_two(largest), float(_power_of_two(np.array(y_largest))))
        return cls._pass(source, view)

    @classmethod
    def _pass(cls, source: RowSource, view: View) -> Problem:
        start = _guess(view(source.head()))
        step = partial(_gram_step, view=view, coef=start, with_r_factor=not source.repeatable)
        return cls(source, view, start, source.fold(step, _merge_gram))

    @property
    def is_finite(self) -> bool:
        s = self.stats
        return bool(np.isfinite(s.xwx).all() and np.isfinite(s.xwr).all() and np.isfinite(s.rwr))

    @property
    def _is_safe(self) -> bool:
        squares = np.append(np.diag(self.stats.xwx), self.stats.rwr or 1.0)
        return bool(((squares > SAFE[0]) & (squares < SAFE[1])).all())

    @property
    def n_entries(self) -> int:
        return self.stats.nobs * len(self.start)

    def finish(self, fit: Fit, null_space: np.ndarray | None = None) -> Fit:
        """The fit in the units of the source, of minimum norm and with its condition number."""
        p = len(self.start)
        x_scale = np.ones(p) if self.view.x_scale is None else self.view.x_scale
        y_scale = self.view.y_scale
        with np.errstate(over="ignore", under="ignore"):
            coef = fit.coef * x_scale / y_scale
            inverse = fit.inverse * x_scale[:, None] * x_scale
            rss = fit.rss / y_scale / y_scale
            gram = self.stats.xwx / x_scale[:, None] / x_scale
        condition_number = np.inf
        if null_space is not None:
            span = null_space * x_scale[:, None]
            coef = remove_span(coef, span)
            inverse = remove_span(remove_span(inverse, span).T, span)
        elif np.isfinite(gram).all() and np.isfinite(inverse).all():
            largest = np.linalg.eigvalsh(gram)[-1], np.linalg.eigvalsh(inverse)[-1]
            condition_number = float(np.sqrt(largest[0]) * np.sqrt(largest[1]))
        return fit._replace(coef=coef, inverse=inverse, rss=rss, condition_number=condition_number)


def _guess(head: Rows) -> np.ndarray:
    """Coefficients from some rows only: what remains to be found is then small."""
    with np.errstate(over="ignore", invalid="ignore"):
        weighted = head.x if head.weight is None else head.x * head.weight[:, None]
        gram, rhs = weighted.T @ head.x, weighted.T @ head.y
    if not (np.isfinite(gram).all() and np.isfinite(rhs).all()):
        return np.zeros(head.x.shape[1])
    return solve_gram(gram, rhs)[0]


def _power_of_two(size: np.ndarray) -> np.ndarray:
    """Powers of two that bring sizes into [1/2, 1); one for a size of zero."""
    return np.where(size > 0.0, np.ldexp(1.0, -np.frexp(size)[1]), 1.0)


class Factor(NamedTuple):
    """T for which X T is nearly orthonormal; ``unit`` is T for columns of X of unit length."""

    unit: np.ndarray
    width: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        return self.unit / self.width[:, None]

    @property
    def norm(self) -> float:
        """Condition number of X with columns of unit length, within a factor root p."""
        return float(np.sqrt(np.linalg.eigvalsh(self.unit @ self.unit.T)[-1]))


def least_squares(source: RowSource, method: Method = "auto") -> Fit:
    """Weighted linear least squares; of minimum norm when columns depend on each other.

    Parameters
    ----------
    source : RowSource
        The rows.
    method : {"auto", "cholesky", "qr", "lu"}
        "auto" begins with Cholesky and goes on to QR when digits are being lost; "cholesky" and
        "lu" solve X'WX b = X'Wy in doubles and leave it at that.

    Returns
    -------
    Fit

    Raises
    ------
    SmmixError
        For a value that is not finite, and for dependent columns with "cholesky" and "lu".
    """
    if method == "lu":
        return _by_lu(source)
    problem = Problem.read(source)
    factor = None if method == "qr" else _cholesky(problem.stats.xwx)
    if method == "cholesky":
        if factor is None:
            raise SmmixError(
                "Columns of X are linear combinations of others, so X'X has no Cholesky factor: "
                "drop them, or leave method at 'auto'."
            )
        return _by_cholesky(problem, factor, refining=False)
    if factor is not None and SUM_ERROR * EPS * factor.norm**2 <= LOST:
        return _by_cholesky(problem, factor, refining=source.repeatable)
    return _by_qr(problem)


def _cholesky(gram: np.ndarray) -> Factor | None:
    diagonal = np.diag(gram)
    if not (diagonal > 0.0).all():
        return None
    width = np.sqrt(diagonal)
    try:
        lower = np.linalg.cholesky(gram / width[:, None] / width)
    except np.linalg.LinAlgError:
        return None
    identity = np.eye(len(gram))
    return Factor(solve_triangular(lower, identity, lower=True, check_finite=False).T, width)


def _by_cholesky(problem: Problem, factor: Factor, *, refining: bool) -> Fit:
    """Solve by (X'WX)^-1 = T T'; without ``refining`` in doubles, whatever they give."""
    stats, matrix = problem.stats, factor.matrix
    step = matrix @ (matrix.T @ stats.xwr)
    coef, rss = problem.start + step, max(stats.rwr - float(step @ stats.xwr), 0.0)
    small = refining and problem.n_entries <= SMALL
    precise = not small and _is_precise(problem, factor, coef, step, rss)
    if not (precise or small) and problem.source.repeatable:
        xwr, rwr = problem.source.fold(
            partial(_residual_step, view=problem.view, coef=coef),
            lambda a, b: (a[0] + b[0], a[1] + b[1]),
        )
        step = matrix @ (matrix.T @ xwr)
        coef, rss = coef + step, max(rwr - float(step @ xwr), 0.0)
        precise = _is_precise(problem, factor, coef, step, rss)
    inverse = matrix @ matrix.T
    error = SUM_ERROR * EPS * factor.norm**2
    if refining and not precise:
        coef, inverse, rss = _refined(problem, problem.view, factor, coef)
        error = 0.0
    fit = Fit(coef, inverse, rss, len(coef), [], 0.0, "cholesky", stats.nobs, error)
    return problem.finish(fit)


def _is_precise(
    problem: Problem, factor: Factor, coef: np.ndarray, step: np.ndarray, rss: float
) -> bool:
    """Whether rounding has moved no coefficient by more than ``LOST`` of it or its standard error.

    Everything is in units in which the columns of X have length one, and per root of the diagonal
    of (X'WX)^-1. The rounding of X'WX acts on the step, that of the residuals on the fit.
    """
    nobs, size = problem.stats.nobs, np.abs(coef * factor.width)
    from_gram = factor.norm * float(np.linalg.norm(step * factor.width))
    from_residuals = (np.sqrt(rss) + float(size.sum())) / np.sqrt(nobs)
    sigma = np.sqrt(rss / max(nobs - len(coef), 1))
    scale = np.maximum(size / np.linalg.norm(factor.unit, axis=1), sigma)
    return bool((SUM_ERROR * EPS * (from_gram + from_residuals) <= LOST * scale).all())


def _refined(problem: Problem, view: View, factor: Factor, start: np.ndarray) -> Refined:
    """Refinement in twice the working precision, with columns of about unit length."""
    scale = _power_of_two(factor.width)
    base = 1.0 if view.x_scale is None else view.x_scale
    done = refine(
        problem.source,
        replace(view, x_scale=base * scale),
        factor.matrix / scale[:, None],
        start / scale,
    )
    return Refined(done.coef * scale, done.inverse * scale[:, None] * scale, done.rss)


def _by_qr(problem: Problem) -> Fit:
    """Householder QR with column pivoting; refined when the rows can be read again."""
    source, view, stats, p = problem.source, problem.view, problem.stats, len(problem.start)
    if source.repeatable:
        joined = source.fold(partial(_r_step, view=view), merge_r)
    else:
        assert stats.r_factor is not None
        joined = stats.r_factor
    kept, factor = _pivoted(joined[:, :p])
    dependent = [j for j in range(p) if j not in kept]
    basis = joined[:, kept]
    relation = np.linalg.lstsq(basis / factor.width, joined[:, dependent], rcond=None)[0]
    relation /= factor.width[:, None]
    start = problem.start[kept] + relation @ problem.start[dependent]
    error = 0.0
    if not kept:
        solved = Refined(start, np.zeros((0, 0)), stats.rwr)
    elif source.repeatable:
        if dependent:
            scale = None if view.x_scale is None else view.x_scale[kept]
            view = replace(view, columns=kept, x_scale=scale)
        solved = _refined(problem, view, factor, start)
    else:
        solved = _from_r_factor(basis, joined[:, p], factor, start)
        error = SUM_ERROR * EPS * factor.norm
    coef, inverse = np.zeros(p), np.zeros((p, p))
    coef[kept] = solved.coef
    inverse[np.ix_(kept, kept)] = solved.inverse
    fit = Fit(coef, inverse, solved.rss, len(kept), dependent, 0.0, "qr", stats.nobs, error)
    if not dependent:
        return problem.finish(fit)
    null_space = np.zeros((p, len(dependent)))
    null_space[kept], null_space[dependent] = -relation, np.eye(len(dependent))
    return problem.finish(fit, null_space)


def _pivoted(r_factor: np.ndarray) -> tuple[list[int], Factor]:
    """Columns that are kept, and their factor by QR with column pivoting."""
    p = r_factor.shape[1]
    tolerance = RANK_EPS * EPS * np.sqrt(p)
    dropped = set(dependent_columns(r_factor, tolerance=tolerance))
    while True:
        kept = [j for j in range(p) if j not in dropped]
        if not kept:
            return kept, Factor(np.zeros((0, 0)), np.zeros(0))
        width = np.linalg.norm(r_factor[:, kept], axis=0)
        triangle, pivots = qr(r_factor[:, kept] / width, mode="r", pivoting=True)
        triangle = triangle[: len(kept)]
        tiny = np.abs(np.diag(triangle)) <= tolerance
        if not tiny.any():
            break
        dropped.update(kept[i] for i in pivots[tiny])
    unit = np.zeros((len(kept), len(kept)))
    unit[pivots] = solve_triangular(triangle, np.eye(len(kept)), check_finite=False)
    return kept, Factor(unit, width)


def _from_r_factor(
    basis: np.ndarray, target: np.ndarray, factor: Factor, start: np.ndarray
) -> Refined:
    """Solve the triangular problem that a single pass leaves, refined once in doubles."""
    matrix = factor.matrix
    orthonormal = basis @ matrix
    step = np.zeros(len(start))
    for _ in range(2):
        step = step + matrix @ (orthonormal.T @ (target - basis @ step))
    rest = target - basis @ step
    return Refined(start + step, matrix @ matrix.T, float(rest @ rest))


def _by_lu(source: RowSource) -> Fit:
    """The textbook: X'WX b = X'Wy by LU, in doubles and without scaling or refinement."""
    p = source.n_columns
    repeatable = source.repeatable
    step = partial(_gram_step, view=View(), coef=np.zeros(p), with_r_factor=False)
    stats = source.fold(step, _merge_gram)
    problem = Problem(source, View(), np.zeros(p), stats)
    if not problem.is_finite:
        if repeatable:
            Problem.read(source)
        raise SmmixError("X'X overflows: rescale the columns of X, or leave method at 'auto'.")
    try:
        coef = np.linalg.solve(stats.xwx, stats.xwr)
        inverse = np.linalg.inv(stats.xwx)
    except np.linalg.LinAlgError:
        raise SmmixError(
            "X'X is singular, so LU finds no solution: columns of X are linear combinations of "
            "others; leave method at 'auto' for the solution of minimum norm."
        ) from None
    if source.repeatable:
        rss = source.fold(lambda rows: _residual_step(rows, View(), coef)[1], lambda a, b: a + b)
    else:
        rss = max(stats.rwr - float(coef @ stats.xwr), 0.0)
    fit = problem.finish(Fit(coef, inverse, rss, p, [], 0.0, "lu", stats.nobs))
    return fit._replace(relative_error=EPS * float(np.linalg.cond(stats.xwx)))
