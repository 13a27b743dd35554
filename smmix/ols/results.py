"""statsmodels' results with the digits of the solution kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from statsmodels.regression.linear_model import OLSResults

from smmix.errors import SmmixError

__all__ = ["NormalEquationResults"]


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
        inverse = np.linalg.eigvalsh(self.normalized_cov_params)
        n_zero = len(inverse) - self.rank
        values = np.append(np.sort(1.0 / inverse[n_zero:])[::-1], np.zeros(n_zero))
        if not n_zero:
            values[0] = values[-1] * self.condition_number**2
        return values

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
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(_zero_for_nan(OLSResults.fvalue.fget(self)))  # type: ignore[attr-defined]

    @property
    def llf(self) -> float:
        """Log-likelihood at the estimates."""
        half = self.nobs / 2.0
        weights = self.model.given_weights
        with np.errstate(divide="ignore"):
            value = -half * (np.log(2.0 * np.pi * self.ssr / self.nobs) + 1.0)
            return float(value if weights is None else value + 0.5 * np.log(weights).sum())

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
        return super().summary(*args, slim=slim or self.ssr == 0.0, **kwargs)


def _zero_for_nan(values: Any) -> Any:
    return np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
