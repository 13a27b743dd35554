"""What the fit says about observations: bands of the mean, residuals, influence of units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.inference.influence import Influence, influence
from smmix.inference.scores import normal_scores
from smmix.inference.surface import component_surface, mean_surface
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.prediction import Law
from smmix.mixture.rows import Rows, new_rows, own_rows

__all__ = [
    "Influence",
    "MixturePrediction",
    "get_prediction",
    "influence",
    "quantile_residuals",
]


class MixturePrediction:
    """Predicted means with delta-method errors, and intervals of the distribution.

    Attributes
    ----------
    predicted_mean : ndarray, (m,) or (m k,)
        E[y | x, z], or that of each component, the components of a row one after another.
    se_mean : ndarray, of the same shape
        Standard errors of the estimated mean.
    row_labels : Index of the same length
        Rows, or rows and components.
    """

    def __init__(self, fitted: Fitted, rows: Rows, which: str = "mean"):
        self._fitted, self._which = fitted, which
        self._law = Law.of(fitted.specification, fitted.unpacked, rows)
        surface = component_surface if which == "components" else mean_surface
        value, jacobian = surface(fitted.specification, fitted.unpacked, rows)
        self.row_labels = rows.index
        if which == "components":
            self.row_labels = pd.MultiIndex.from_product([rows.index, fitted.components])
        self.predicted_mean = value.ravel()
        self.se_mean = self._standard_errors(jacobian.reshape(value.size, -1))

    def _standard_errors(self, jacobian: np.ndarray) -> np.ndarray:
        """Errors of the means, whose derivatives in the full parameter vector are given."""
        matrix = self._fitted.covariance
        if matrix is None:
            return np.full(len(jacobian), np.nan)
        visible = jacobian @ self._fitted.specification.expand.basis
        variance = np.einsum("ij,ij->i", visible @ matrix, visible)
        return np.sqrt(np.maximum(variance, 0.0))

    def _quantile(self, q: float) -> np.ndarray:
        if self._which == "components":
            return self._law.component_quantiles(q).ravel()
        return self._law.quantile(q)

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> np.ndarray:
        """Intervals of level 1 - ``alpha``.

        Parameters
        ----------
        obs : bool
            False: of the mean, symmetric. True: of a new observation, the ``alpha`` / 2 and
            1 - ``alpha`` / 2 quantiles of the mixture itself at the estimates, so the
            uncertainty of the estimates is not in it.
        alpha : float

        Returns
        -------
        ndarray, (m, 2)

        Raises
        ------
        SmmixError
            If ``alpha`` is not between 0 and 1.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> prediction = results.get_prediction({"income": [500.0]})
        >>> prediction.conf_int(obs=True).round(1).tolist()
        [[226.5, 531.8]]
        """
        reach = self._fitted.quantile(alpha)
        if obs:
            ends = [self._quantile(q) for q in (alpha / 2.0, 1.0 - alpha / 2.0)]
            return np.column_stack(ends)
        return np.column_stack(
            [self.predicted_mean - reach * self.se_mean, self.predicted_mean + reach * self.se_mean]
        )

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means, errors and intervals.

        Parameters
        ----------
        alpha : float
            The intervals have the level 1 - ``alpha``.

        Returns
        -------
        DataFrame, (m, 6)
            Columns mean, mean_se, mean_ci_lower, mean_ci_upper, obs_ci_lower, obs_ci_upper.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> frame = results.get_prediction({"income": [500.0, 900.0]}).summary_frame()
        >>> frame["mean"].round(1).tolist()
        [368.4, 589.9]
        """
        mean, obs = self.conf_int(alpha=alpha), self.conf_int(obs=True, alpha=alpha)
        table = {
            "mean": self.predicted_mean,
            "mean_se": self.se_mean,
            "mean_ci_lower": mean[:, 0],
            "mean_ci_upper": mean[:, 1],
            "obs_ci_lower": obs[:, 0],
            "obs_ci_upper": obs[:, 1],
        }
        return pd.DataFrame(table, index=self.row_labels)


def get_prediction(
    results: Fit,
    exog: Any = None,
    *,
    which: str = "mean",
    exog_concomitant: Any = None,
    offset: Any = None,
    transform: bool = True,
) -> MixturePrediction:
    """Predicted means with their errors, and intervals for observations.

    Parameters
    ----------
    results : MixtureResults
    exog : DataFrame or array_like, (m, p), optional
        New rows; by default the rows of the fit.
    which : {"mean", "components"}
        The mean of the mixture, or the mean of each component.
    exog_concomitant, offset : array_like, optional
        Of the new rows, for a model of arrays.
    transform : bool
        Whether ``exog`` passes through the model's formulas.

    Returns
    -------
    MixturePrediction

    Raises
    ------
    SmmixError
        If a column is absent or a length does not fit.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> frame = results.get_prediction({"income": [500.0, 900.0]}).summary_frame()
    >>> frame["mean"].round(1).tolist()
    [368.4, 589.9]
    """
    fitted = fitted_of(results)
    if which not in ("mean", "components"):
        raise SmmixError(f"which must be 'mean' or 'components', not {which!r}.")
    if exog is not None:
        rows = new_rows(
            fitted.specification,
            exog,
            exog_concomitant=exog_concomitant,
            offset=offset,
            transform=transform,
        )
        return MixturePrediction(fitted, rows, which)
    if exog_concomitant is not None or offset is not None:
        raise SmmixError("Without exog the rows of the fit are used; give exog for new rows.")
    return MixturePrediction(fitted, own_rows(fitted.data), which)


def quantile_residuals(results: Fit) -> pd.Series:
    """Normal quantiles of the fitted distribution function at the observations.

    If the model holds they are standard normal, apart from the uncertainty of the estimates
    [1]_; residuals from the mean are not, for the mixture is not normal around it. Rows of a
    group each have the mixture's marginal distribution.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.

    Returns
    -------
    Series
        One value per row of the fit.

    References
    ----------
    .. [1] Dunn, P. K. and Smyth, G. K. (1996). Randomized quantile residuals. Journal of
       Computational and Graphical Statistics 5, 236-244.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.quantile_residuals.head(3).round(2).tolist()
    [-0.84, -1.1, -1.32]
    """
    fitted = fitted_of(results)
    rows = own_rows(fitted.data)
    law = Law.of(fitted.specification, fitted.unpacked, rows)
    assert rows.endog is not None, "the rows of a fit have their response"
    scores = normal_scores(law, rows.endog, np.random.default_rng(0))
    return pd.Series(scores, rows.index, name="quantile_residual")
