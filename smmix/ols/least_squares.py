"""Linear least squares by the normal equations, with a way out when digits are being lost.

The path of ``least_squares``, from the cheapest step on:

1. One pass gives X'WX and X'Wr, r being the residuals of a first guess made from a few rows: the
   increment form, in which a response far from zero costs no digits.
2. Column-scaled Cholesky. Its factor T, (X'WX)^-1 = T T', tells the condition number and so how
   many digits the rounding of X'WX has cost.
3. If it has cost some, a second pass refines both the coefficients and T T' with the columns of
   X T, which are nearly orthonormal: what is lost is then the condition number, not its square.
4. If that is too much, Householder QR with column pivoting takes the place of Cholesky, and the
   residuals are formed in twice the working precision. Small problems get such residuals always.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import qr, solve_triangular

from smmix.core.linalg import dependent_columns, merge_r, remove_span
from smmix.errors import SmmixError
from smmix.ols.first_pass import (
    EPS,
    LARGEST_SCALE,
    LOST,
    LOST_OF_ERROR,
    SUM_ERROR,
    Problem,
    View,
    gram_step,
    merge_gram,
    power_of_two,
    residuals,
)
from smmix.ols.refinement import Refined, refine
from smmix.ols.rows import Rows, RowSource

Method = Literal["auto", "cholesky", "qr", "lu"]

#: Entries of X up to which residuals in twice the working precision cost next to nothing.
SMALL = 1 << 12
#: A column of unit length whose part orthogonal to the others is shorter than this many ``EPS``
#: times the root of the number of columns is a combination of them: rounding X leaves less.
RANK_EPS = 16.0
#: Part of a step in doubles that may be rounding error when it starts a refinement.
LOOSE_STEP = 1e-3


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
        Estimated rounding error of a solution in doubles; zero for one that was refined.
    root_rss : float
    root_diagonal : ndarray, (p,)
        Roots of ``rss`` and of the diagonal of ``inverse``, which are doubles where their squares
        over- or underflow.
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
    root_rss: float = 0.0
    root_diagonal: np.ndarray = np.zeros(0)


@dataclass(frozen=True)
class Factor:
    """T for which X T is nearly orthonormal; ``unit`` is T for columns of X of unit length."""

    unit: np.ndarray
    width: np.ndarray

    @cached_property
    def matrix(self) -> np.ndarray:
        return self.unit / self.width[:, None]

    @cached_property
    def inverse(self) -> np.ndarray:
        """(X'WX)^-1."""
        return self.matrix @ self.matrix.T

    @cached_property
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
    # What a single pass has lost can be made good only by another one.
    power = 1 if source.repeatable else 2
    if factor is not None and SUM_ERROR * EPS * factor.norm**power <= LOST:
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


class _Solution(NamedTuple):
    """Coefficients, (X'WX)^-1, the residual sum of squares, and the last step taken."""

    coef: np.ndarray
    inverse: np.ndarray
    rss: float
    step: np.ndarray


def _by_cholesky(problem: Problem, factor: Factor, *, refining: bool) -> Fit:
    """Solve by (X'WX)^-1 = T T'; without ``refining`` in doubles, whatever they give."""
    stats, inverse = problem.stats, factor.inverse
    step = inverse @ stats.xwr
    rss = max(stats.rwr - float(step @ stats.xwr), 0.0)
    solution = _Solution(problem.start + step, inverse, rss, step)
    power, small = 2, refining and problem.n_entries <= SMALL
    precise = not small and _is_precise(problem, factor, solution, power)
    if problem.source.repeatable and not (precise or small):
        solution, power = _second_pass(problem, factor, solution.coef), 1
        precise = _is_precise(problem, factor, solution, power)
    error = SUM_ERROR * EPS * factor.norm**power
    done = Refined(solution.coef, solution.inverse, solution.rss)
    if refining and not precise:
        done, error = _refined(problem, problem.view, factor, solution.coef), 0.0
    return _finish(problem, Fit(*done, len(step), [], 0.0, "cholesky", stats.nobs, error))


def _is_precise(problem: Problem, factor: Factor, solution: _Solution, power: int) -> bool:
    """Whether rounding has left everything that matters.

    Coefficients are taken in units in which the columns of X have length one, and per root of the
    diagonal of (X'WX)^-1. The rounding of X'WX acts on the step that was taken, and by the
    condition number to the given power on the inverse; that of the residuals acts on the fit.
    """
    nobs, size = problem.stats.nobs, np.abs(solution.coef * factor.width)
    length = float(np.linalg.norm(solution.step * factor.width))
    from_gram = factor.norm ** (power - 1) * length
    from_residuals = (np.sqrt(solution.rss) + float(size.sum())) / np.sqrt(nobs)
    deviation = np.sqrt(solution.rss / max(nobs - len(size), 1))
    relative = LOST * size / np.linalg.norm(factor.unit, axis=1)
    allowed = np.maximum(relative, LOST_OF_ERROR * deviation)
    error = SUM_ERROR * EPS * (from_gram + from_residuals)
    return SUM_ERROR * EPS * factor.norm**power <= LOST and bool((error <= allowed).all())


def _rotated_step(
    rows: Rows, view: View, matrix: np.ndarray, coef: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    x, y, weight = view(rows)
    rotated, residual = x @ matrix, residuals(x, y, coef)
    if weight is not None:
        root = np.sqrt(weight)
        rotated *= root[:, None]
        residual = root * residual
    return rotated.T @ rotated, residual @ rotated, float(residual @ residual)


def _second_pass(problem: Problem, factor: Factor, coef: np.ndarray) -> _Solution:
    """One step of refinement with the columns of X T."""
    matrix = factor.matrix
    gram, rhs, rwr = problem.source.fold(
        partial(_rotated_step, view=problem.view, matrix=matrix, coef=coef),
        lambda a, b: (a[0] + b[0], a[1] + b[1], a[2] + b[2]),
    )
    core = np.linalg.inv(gram)
    step = matrix @ (core @ rhs)
    rss = max(rwr - float(rhs @ core @ rhs), 0.0)
    return _Solution(coef + step, matrix @ core @ matrix.T, rss, step)


def _refined(problem: Problem, view: View, factor: Factor, start: np.ndarray) -> Refined:
    """Refinement in twice the working precision, with columns of about unit length."""
    base = 1.0 if view.x_scale is None else view.x_scale
    with np.errstate(over="ignore"):
        largest = np.ldexp(1.0, LARGEST_SCALE) / base
    scale = np.minimum(power_of_two(factor.width), largest)
    done = refine(
        problem.source,
        replace(view, x_scale=base * scale),
        factor.matrix / scale[:, None],
        start / scale,
    )
    return Refined(done.coef * scale, done.inverse * scale[:, None] * scale, done.rss)


def _r_step(rows: Rows, view: View) -> np.ndarray:
    x, _, weight = view(rows)
    return merge_r(x[:0], x if weight is None else x * np.sqrt(weight)[:, None])


def _by_qr(problem: Problem) -> Fit:
    """Householder QR with column pivoting; refined when the rows can be read again."""
    source, view, stats, p = problem.source, problem.view, problem.stats, len(problem.start)
    joined = stats.r_factor
    if source.repeatable or joined is None:
        joined = source.fold(partial(_r_step, view=view), merge_r)
    kept, factor = _pivoted(joined[:, :p])
    dependent = [j for j in range(p) if j not in kept]
    basis = joined[:, kept]
    relation = _coefficients(basis, joined[:, dependent], factor)
    start = problem.start[kept] + relation @ problem.start[dependent]
    error = 0.0
    if not kept:
        solved = Refined(start, np.zeros((0, 0)), stats.rwr)
    elif source.repeatable:
        if dependent:
            scale = None if view.x_scale is None else view.x_scale[kept]
            view = replace(view, columns=kept, x_scale=scale)
        if problem.n_entries > SMALL and EPS * factor.norm**2 < LOOSE_STEP:
            # A rough step in doubles saves a pass in twice their precision.
            start = start + factor.inverse @ stats.xwr[kept]
        solved = _refined(problem, view, factor, start)
    else:
        step = _coefficients(basis, joined[:, p:], factor)[:, 0]
        rest = joined[:, p] - basis @ step
        solved = Refined(start + step, factor.inverse, float(rest @ rest))
        error = SUM_ERROR * EPS * factor.norm
    coef, inverse = np.zeros(p), np.zeros((p, p))
    coef[kept] = solved.coef
    inverse[np.ix_(kept, kept)] = solved.inverse
    fit = Fit(coef, inverse, solved.rss, len(kept), dependent, 0.0, "qr", stats.nobs, error)
    null_space = np.zeros((p, len(dependent)))
    null_space[kept], null_space[dependent] = -relation, np.eye(len(dependent))
    return _finish(problem, fit, null_space)


def _coefficients(basis: np.ndarray, target: np.ndarray, factor: Factor) -> np.ndarray:
    """Regression of ``target`` on ``basis``, small matrices, refined once in doubles."""
    matrix = factor.matrix
    orthonormal = basis @ matrix
    coef = matrix @ (orthonormal.T @ target)
    return np.asarray(coef + matrix @ (orthonormal.T @ (target - basis @ coef)))


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


def _finish(problem: Problem, fit: Fit, null_space: np.ndarray | None = None) -> Fit:
    """The fit in the units of the source, of minimum norm and with its condition number."""
    x_scale, y_scale, w_scale = problem.x_scale, problem.view.y_scale, problem.view.w_scale
    with np.errstate(over="ignore", under="ignore"):
        coef = fit.coef / y_scale * x_scale
        inverse = fit.inverse * x_scale[:, None] * x_scale * w_scale
        rss = fit.rss / y_scale / y_scale / w_scale
        root_rss = float(np.sqrt(fit.rss) / y_scale / np.sqrt(w_scale))
        root_diagonal = np.sqrt(np.diag(fit.inverse)) * x_scale * np.sqrt(w_scale)
    condition_number = np.inf
    if fit.dependent and null_space is not None:
        span = null_space * x_scale[:, None]
        coef = remove_span(coef, span)
        inverse = remove_span(remove_span(inverse, span).T, span)
        root_diagonal = np.sqrt(np.maximum(np.diag(inverse), 0.0))
    else:
        condition_number = _condition_number(problem.stats.xwx, fit.inverse, x_scale)
    return fit._replace(
        coef=coef, inverse=inverse, rss=rss, condition_number=condition_number,
        root_rss=root_rss, root_diagonal=root_diagonal,
    )  # fmt: skip


def _condition_number(gram: np.ndarray, inverse: np.ndarray, x_scale: np.ndarray) -> float:
    """Condition number in the units of the source, of matrices for scaled columns."""
    if not (np.isfinite(gram).all() and np.isfinite(inverse).all()):
        return np.inf
    with np.errstate(over="ignore", under="ignore"):
        small, large = x_scale.min() / x_scale, x_scale / x_scale.max()
        of_gram = np.linalg.eigvalsh(gram * small[:, None] * small)[-1]
        of_inverse = np.linalg.eigvalsh(inverse * large[:, None] * large)[-1]
        spread = x_scale.max() / x_scale.min()
        return max(float(np.sqrt(of_gram) * np.sqrt(of_inverse) * spread), 1.0)


def _by_lu(source: RowSource) -> Fit:
    """The textbook: X'WX b = X'Wy by LU, in doubles and without scaling or refinement."""
    p = source.n_columns
    origin = np.zeros(p)
    step = partial(gram_step, view=View(), coef=origin, with_r_factor=False)
    stats = source.fold(step, merge_gram)
    problem = Problem(source, View(), origin, stats)
    if not problem.is_finite:
        if source.repeatable:
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
    rss = max(stats.rwr - float(coef @ stats.xwr), 0.0)
    if source.repeatable:
        step = partial(gram_step, view=View(), coef=coef, with_r_factor=False)
        rss = source.fold(step, merge_gram).rwr
    error = EPS * float(np.linalg.cond(stats.xwx))
    return _finish(problem, Fit(coef, inverse, rss, p, [], 0.0, "lu", stats.nobs, error))
