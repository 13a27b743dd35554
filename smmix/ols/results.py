"""statsmodels' results with the digits of the solution kept."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.linalg import qr
from scipy.linalg.lapack import dgejsv
from statsmodels.regression.linear_model import OLSResults
from statsmodels.tools.sm_exceptions import ValueWarning

from smmix.core.linalg import scaled_inverse
from smmix.errors import SmmixError
from smmix.formula import linear_constraint
from smmix.support.callers import user_level

__all__ = ["NormalEquationResults"]


#: Residual variances below this, or above one over it, have moments that are no doubles.
LEAST_MOMENT = 1e-70


class NormalEquationResults(OLSResults):
    """Results of statsmodels' OLS whose sums of squares keep the digits of the solution.

    Examples
    --------
    >>> from smmix.ols import NormalEquationOLS
    >>> results = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]]).fit()
    >>> results.rank, round(float(results.rsquared), 3)
    (2, 0.7)
    """

    model: Any

    @property
    def ssr(self) -> float:
        """Sum of squared (weighted) residuals."""
        return self.model.solution.rss

    @property
    def scale(self) -> float:
        """Residual variance, ssr / df_resid unless it was fixed."""
        return self._scale

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale = value

    @property
    def nobs(self) -> float:
        """Number of rows."""
        return self.model.nobs

    @property
    def rank(self) -> int:
        """Number of linearly independent columns."""
        return self.model.solution.rank

    @property
    def condition_number(self) -> float:
        """Ratio of the largest to the smallest singular value of W^1/2 X."""
        return self.model.solution.condition_number

    @property
    def eigenvals(self) -> np.ndarray:
        """Eigenvalues of X'WX, falling; from those of its inverse, which has the small ones."""
        inverse = np.asarray(self.normalized_cov_params)
        n_zero = len(inverse) - self.rank
        if n_zero:
            found = np.linalg.eigvalsh(inverse)[n_zero:]
            return np.append(np.sort(1.0 / found)[::-1], np.zeros(n_zero))
        # Jacobi's method keeps the digits of all of them, whatever the units of the columns
        # (Drmac & Veselic 2008, SIAM J. Matrix Anal. Appl. 29:1322-1342).
        size = np.sqrt(np.diag(inverse))
        root = np.linalg.cholesky(inverse / size[:, None] / size).T * size
        found, _, _, work, *_ = dgejsv(root, jobu=3, jobv=3, jobr=0)
        # It takes those a factor of 1e150 below the largest for zero; they are the pivots then.
        pivots = np.abs(np.diag(qr(root, mode="r", pivoting=True)[0]))
        singular = np.where(found > 0.0, found * (work[0] / work[1]), pivots)
        return np.asarray(singular**-2.0)[::-1]

    # An exact fit has residuals and standard errors of zero; these statistics then have a limit,
    # or are taken as zero when there was nothing to explain either.
    @property
    def tvalues(self) -> np.ndarray:
        """Coefficients over their standard errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return _zero_for_nan(self.params / self.bse)

    @property
    def rsquared(self) -> float:
        """Part of the sum of squares of the response that is explained."""
        total = self.centered_tss if self.k_constant else self.uncentered_tss
        return 1.0 - self.ssr / total if total > 0.0 else 0.0

    @property
    def fvalue(self) -> float:
        """F statistic of all coefficients but the constant."""
        if self.df_model == 0.0:
            return np.nan
        if self.ssr == 0.0:
            return np.inf if self.ess > 0.0 else 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(OLSResults.fvalue.fget(self))  # type: ignore[attr-defined]
        return 0.0 if np.isnan(value) and self.cov_type == "nonrobust" else value

    @property
    def llf(self) -> float:
        """Log-likelihood at the estimates."""
        half = self.nobs / 2.0
        weights = self.model.given_weights
        with np.errstate(divide="ignore"):
            value = -half * (np.log(2.0 * np.pi * self.ssr / self.nobs) + 1.0)
            if weights is not None:
                value += 0.5 * np.log(weights[weights > 0.0]).sum()
            return float(value)

    def wald_test(
        self,
        r_matrix: Any,
        cov_p: Any = None,
        invcov: Any = None,
        use_f: bool | None = None,
        df_constraints: int | None = None,
        scalar: bool = True,
    ) -> Any:
        """Wald test of linear hypotheses, as of statsmodels but in any units of the columns.

        Parameters
        ----------
        r_matrix : str, array_like, or tuple (R, q)
            The hypotheses R params = q.
        cov_p, invcov, use_f, df_constraints, scalar
            As of statsmodels.

        Returns
        -------
        ContrastResults

        Raises
        ------
        SmmixError
            If the hypotheses have no variance, as in an exact fit.

        Notes
        -----
        The covariance of the hypotheses is inverted, and its rank is found, with its diagonal
        scaled to one: a regressor in other units makes the same test.

        Examples
        --------
        >>> from smmix import NormalEquationOLS
        >>> results = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]]).fit()
        >>> round(float(results.wald_test("x1 = 0", use_f=True).fvalue), 4)
        4.6667
        """
        if invcov is None:
            matrix = linear_constraint(self.model.data.cov_names, r_matrix)[0]
            covariance = np.asarray(self.cov_params(r_matrix=matrix, cov_p=cov_p))
            invcov, rank = scaled_inverse(covariance)
            if rank == 0:
                raise SmmixError(
                    "The hypotheses have a covariance of zero, as in an exact fit, so that there "
                    "is no test of them; compare the params themselves."
                )
            if rank < len(matrix):
                warnings.warn(
                    f"Of {len(matrix)} hypotheses only {rank} are independent.",
                    ValueWarning,
                    stacklevel=user_level(),
                )
            df_constraints = rank if df_constraints is None else df_constraints
        return super().wald_test(
            r_matrix, cov_p=cov_p, invcov=invcov, use_f=use_f, df_constraints=df_constraints,
            scalar=scalar,
        )  # fmt: skip

    def get_influence(self) -> Any:
        """Influence and outlier measures, as of statsmodels' OLS.

        Returns
        -------
        OLSInfluence

        Raises
        ------
        SmmixError
            For a fit with weights.

        Examples
        --------
        >>> from smmix import NormalEquationOLS
        >>> results = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]]).fit()
        >>> results.get_influence().hat_matrix_diag.round(2).tolist()
        [0.7, 0.3, 0.3, 0.7]
        """
        if self.model.given_weights is not None:
            raise SmmixError(
                "Influence measures know no weights: fit W^1/2 y on W^1/2 X without weights."
            )
        return super().get_influence()

    def summary(self, *args: Any, slim: bool = False, **kwargs: Any) -> Any:
        """Table of statsmodels; the short one for an exact fit, which has no residuals to test.

        Parameters
        ----------
        *args, **kwargs
            As for statsmodels' ``OLSResults.summary``.
        slim : bool
            Whether to leave out the tests of the residuals.

        Returns
        -------
        Summary

        Examples
        --------
        >>> from smmix import NormalEquationOLS
        >>> results = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]]).fit()
        >>> results.summary(slim=True).tables[0].title
        'NormalEquationOLS Regression Results'
        """
        slim = slim or self.ssr == 0.0
        if slim or LEAST_MOMENT < self.scale < 1.0 / LEAST_MOMENT:
            return super().summary(*args, slim=slim, **kwargs)
        # The tests of the residuals know no units, but their fourth moments over- or underflow.
        residuals = self.wresid
        self._cache["wresid"] = residuals / np.sqrt(self.scale)
        try:
            return super().summary(*args, slim=slim, **kwargs)
        finally:
            self._cache["wresid"] = residuals


def _zero_for_nan(values: Any) -> Any:
    return np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
