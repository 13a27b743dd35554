"""The solution of the normal equations as plain numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import numpy as np
from statsmodels.tools.sm_exceptions import PrecisionWarning, SingularMatrixWarning

from smmix.errors import SmmixError
from smmix.ols.inputs import block_source, matrix, vector
from smmix.ols.least_squares import Fit, Method, least_squares
from smmix.ols.rows import ArrayRows, BlockRows, Rows

__all__ = ["Method", "NormalSolution", "fit_rows", "require_residual_df", "solve_normal_equations"]

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
        Residual sum of squares, weighted.
    condition_number : float
        Ratio of the largest to the smallest singular value of W^1/2 X; infinite when rank < p.
    method : str
        The path that ran: "cholesky", "qr" or "lu".
    nobs : int
        Number of rows.
    normalized_cov_params : ndarray, (p, p)
        (X'WX)^-1, or its pseudo-inverse.
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

    @property
    def scale(self) -> float:
        """Residual variance, rss / (nobs - rank)."""
        require_residual_df(self.nobs, self.rank)
        return self.rss / (self.nobs - self.rank)

    @property
    def bse(self) -> np.ndarray:
        """Standard errors of the coefficients, (p,)."""
        return np.sqrt(self.scale * np.diag(self.normalized_cov_params))


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
        tuple(fit.dependent),
    )  # fmt: skip


def fit_rows(source: ArrayRows | BlockRows, method: str) -> Fit:
    """Fit, and warn of what the user must know."""
    if method not in get_args(Method):
        choices = ", ".join(repr(choice) for choice in get_args(Method))
        raise SmmixError(f"method is {method!r}: it must be one of {choices}.")
    fit = least_squares(source, cast(Method, method))
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


def require_residual_df(nobs: int, rank: int) -> None:
    """Refuse standard errors of a regression with no more rows than coefficients."""
    if nobs <= rank:
        raise SmmixError(
            f"{nobs} rows leave no degrees of freedom for {rank} independent columns, so there "
            "are no standard errors: give more rows, or use solve_normal_equations for the "
            "coefficients alone."
        )
