"""The solution of the normal equations as plain numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import numpy as np
from statsmodels.tools.sm_exceptions import PrecisionWarning, SingularMatrixWarning

from smmix.errors import SmmixError
from smmix.ols.inputs import block_source, matrix, vector
from smmix.ols.least_squares import Fit, Method, least_squares
from smmix.ols.rows import ArrayRows, BlockRows, Rows, threads_for
from smmix.support.checks import check_choice

__all__ = [
    "Method",
    "NormalSolution",
    "fit_rows",
    "require_range",
    "require_residual_df",
    "solve_normal_equations",
]

#: Numbers outside this range have squares that lose digits, or are no doubles.
ROOTS = (1e-152, 1e153)
#: Estimated relative error of coefficients that a user must hear of.
IMPRECISE = 1e-8


@dataclass(frozen=True)
class NormalSolution:
    """Solution of a least-squares problem.

    Attributes
    ----------
    coef : ndarray, (p,)
        Coefficients; those of minimum norm when columns depend on each other.
    rank : int
        Number of linearly independent columns.
    rss : float
        Residual sum of squares, weighted; infinite or zero where doubles cannot hold it.
    condition_number : float
        Ratio of the largest to the smallest singular value of W^1/2 X; infinite when rank < p.
    method : str
        The path that ran: "cholesky", "qr" or "lu".
    nobs : int
        Number of rows.
    normalized_cov_params : ndarray, (p, p)
        (X'WX)^-1, or its pseudo-inverse; infinite or zero where doubles cannot hold it.
    dependent : tuple of int
        Positions of columns that are linear combinations of earlier ones.
    """

    coef: np.ndarray
    rank: int
    rss: float
    condition_number: float
    method: str
    nobs: int
    normalized_cov_params: np.ndarray = field(repr=False)
    dependent: tuple[int, ...] = ()
    _roots: tuple[float, np.ndarray] = field(repr=False, default=(0.0, np.zeros(0)))

    @property
    def scale(self) -> float:
        """Residual variance, rss / (nobs - rank)."""
        require_residual_df(self.nobs, self.rank)
        if _is_outside(self._roots[0]):
            raise SmmixError(
                f"The root of the residual sum of squares is {self._roots[0]:.2g}, so doubles "
                "cannot hold its square: scale y by a constant."
            )
        return self.rss / (self.nobs - self.rank)

    @property
    def bse(self) -> np.ndarray:
        """Standard errors of the coefficients, (p,)."""
        require_residual_df(self.nobs, self.rank)
        # As a product of roots, because squares may over- or underflow where this does not.
        root_rss, root_diagonal = self._roots
        return np.asarray(root_rss / np.sqrt(self.nobs - self.rank) * root_diagonal)


def solve_normal_equations(
    X: Any,
    y: Any = None,
    weights: Any = None,
    *,
    method: Method = "auto",
) -> NormalSolution:
    """Solve the normal equations X'WX b = X'Wy.

    Parameters
    ----------
    X : array_like or frame, (n, p), or iterable of blocks, or callable
        The design; no constant is added. Without ``y``: blocks (X, y) or (X, y, weights) of rows,
        as a collection, as a function that returns a new iterator over them each time it is
        called, or as an iterator. An iterator can be run through only once, so when digits are
        being lost its solution is by QR and not refined (unless the blocks are small).
    y : array_like, (n,)
        The response.
    weights : array_like, (n,), optional
        Weights >= 0, proportional to one over the variance of each row.
    method : {"auto", "cholesky", "qr", "lu"}
        "auto" begins with the cheapest and goes on to what the condition number asks for.
        "cholesky" and "lu" stay with doubles, "lu" being the textbook's way without scaling.

    Returns
    -------
    NormalSolution

    Raises
    ------
    SmmixError
        For values that are no finite numbers, lengths that differ, negative weights, and for
        dependent columns when ``method`` is "cholesky" or "lu".

    Warns
    -----
    SingularMatrixWarning
        When columns are linear combinations of earlier ones; it names them.
    PrecisionWarning
        When the solution could not be refined and fewer than eight digits are to be relied on.

    Notes
    -----
    X'WX and X'Wr, with r the residuals of a first guess, are summed over blocks of rows that stay
    in cache, at O(n p^2) operations; solving them takes O(p^3). The columns are scaled to unit
    length and X'WX is factored by Cholesky, a pass over the orthonormalised columns refines the
    result, and where the condition number says that this is not enough, Householder QR with
    column pivoting and residuals in twice the working precision take over [1]_ [2]_.

    References
    ----------
    .. [1] Björck, Å. (1996). Numerical Methods for Least Squares Problems. SIAM.
    .. [2] Ozaki, K., Ogita, T., Oishi, S., & Rump, S. M. (2012). Error-free transformations of
       matrix multiplication by using fast routines of matrix multiplication and its applications.
       Numerical Algorithms, 59, 95-118.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.ols import solve_normal_equations
    >>> X = np.column_stack([np.ones(4), [1.0, 2.0, 3.0, 4.0]])
    >>> solution = solve_normal_equations(X, [6.0, 5.0, 7.0, 10.0])
    >>> solution.coef.tolist(), solution.method
    ([3.5, 1.4], 'cholesky')
    >>> blocks = [(X[:2], [6.0, 5.0]), (X[2:], [7.0, 10.0])]
    >>> solve_normal_equations(blocks).coef.tolist()
    [3.5, 1.4]
    """
    if y is None:
        source: ArrayRows | BlockRows = block_source(X, weights)
    else:
        x, names = matrix(X)
        weight = None if weights is None else vector(weights, len(x), "weights")
        source = ArrayRows(Rows(x, vector(y, len(x), "y"), weight), names)
    fit = fit_rows(source, method)
    return NormalSolution(
        fit.coef, fit.rank, fit.rss, fit.condition_number, fit.method, fit.nobs, fit.inverse,
        tuple(fit.dependent), (fit.root_rss, fit.root_diagonal),
    )  # fmt: skip


def fit_rows(source: ArrayRows | BlockRows, method: str) -> Fit:
    """Fit, and warn of what the user must know."""
    check_choice("method", method, get_args(Method))
    with threads_for(source.n_columns):
        fit = least_squares(source, cast(Method, method))
    lost = ~np.isfinite(fit.coef)
    if lost.any():
        column = int(lost.argmax())
        name = str(column) if source.names is None else repr(source.names[column])
        raise SmmixError(
            f"The coefficient of column {name} of X is beyond what doubles can hold: multiply the "
            "column by a constant, or divide y by one."
        )
    if fit.dependent:
        warnings.warn(
            f"{_columns(fit.dependent, source.names)} linearly dependent on other columns, so "
            "single coefficients are not identified: these are the ones of minimum norm.",
            SingularMatrixWarning,
            stacklevel=3,
        )
    elif fit.relative_error > IMPRECISE:
        digits = max(int(-np.log10(fit.relative_error)), 0)
        how = (
            "leave method at 'auto'"
            if source.repeatable
            else "give the blocks as a list, or as a function that opens them anew"
        )
        warnings.warn(
            f"X is so ill-conditioned that only about {digits} digits of the coefficients are to "
            f"be relied on; to get them all, {how}.",
            PrecisionWarning,
            stacklevel=3,
        )
    return fit


def _columns(positions: list[int], names: Sequence[str] | None) -> str:
    called = [str(j) if names is None else repr(names[j]) for j in positions]
    plural = len(called) > 1
    return f"Column{'s' * plural} {', '.join(called)} of X {'are' if plural else 'is'}"


def require_range(
    fit: Fit, y: np.ndarray, weights: np.ndarray | None, names: Callable[[], Sequence[str]]
) -> None:
    """Refuse a fit with sums of squares that doubles cannot hold.

    Parameters
    ----------
    fit : Fit
    y, weights : ndarray, (n,)
    names : callable
        Returns the names of the columns, which statsmodels makes up by looking at all of them.

    Raises
    ------
    SmmixError
        When that of the response, or the variance of a coefficient, is too large or too small.
    """
    with np.errstate(over="ignore", under="ignore"):
        weighted = y if weights is None else y * np.sqrt(weights)
        largest = max(float(weighted.max()), -float(weighted.min()))
        total = largest * np.sqrt(fit.nobs)
        bse = fit.root_rss / np.sqrt(max(fit.nobs - fit.rank, 1)) * fit.root_diagonal
    what = "response" if weights is None else "response times the root of its weights"
    for root in (total, fit.root_rss):
        if _is_outside(root):
            size, happens, how = _advice(root > 1.0)
            raise SmmixError(
                f"The {what} is too {size} (up to {largest:.2g}): its sums of squares {happens}; "
                f"{how} it by a constant."
            )
    for roots in (fit.root_diagonal, bse):
        for column, root in enumerate(roots):
            if _is_outside(root):
                size, _, how = _advice(root < 1.0)
                raise SmmixError(
                    f"The column {names()[column]!r} is too {size} for doubles: the variance of "
                    f"its coefficient {'underflows' if root < 1.0 else 'overflows'}; {how} the "
                    "column by a constant."
                )


def _is_outside(root: float) -> bool:
    return bool(root != 0.0 and not ROOTS[0] < root < ROOTS[1])


def _advice(is_large: bool) -> tuple[str, str, str]:
    return ("large", "overflow", "divide") if is_large else ("small", "underflow", "multiply")


def require_residual_df(nobs: int, rank: int) -> None:
    """Refuse standard errors of a regression with no more rows than coefficients."""
    if nobs <= rank:
        raise SmmixError(
            f"{nobs} rows leave no degrees of freedom for {rank} independent columns, so there "
            "are no standard errors: give more rows, or use solve_normal_equations for the "
            "coefficients alone."
        )
