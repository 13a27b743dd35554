"""Predicted means with their errors, and intervals for observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.inference.runs import shortest_runs
from smmix.inference.surface import component_surface, mean_surface
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcomes import one_response
from smmix.mixture.prediction import Law
from smmix.mixture.rows import Rows, new_rows, own_rows
from smmix.support.checks import check_alpha, check_flag, shown

__all__ = ["MixturePrediction", "get_prediction"]

WHICH = ("mean", "components")


class MixturePrediction:
    """Predicted means with delta-method errors, and intervals of the fitted distribution.

    Attributes
    ----------
    predicted_mean : ndarray, (m,) or (m, k)
        E[y | x, z], or with ``which="components"`` the mean within each component.
    se_mean : ndarray, (m,) or (m, k)
        Standard errors of the estimated means.
    row_labels : Index of length m
    which : {"mean", "components"}
    """

    def __init__(self, fitted: Fitted, rows: Rows, which: str = "mean"):
        if not isinstance(which, str) or which not in WHICH:
            raise SmmixError(
                f"which must be one of {', '.join(map(repr, WHICH))}, not {shown(which)}; what has "
                "no "
                "standard errors is in results.predict(which=..)."
            )
        self._fitted, self.which = fitted, which
        self._law = Law.of(fitted.specification, fitted.unpacked, rows)
        self.row_labels = rows.index
        surface = mean_surface if which == "mean" else component_surface
        found = surface(fitted.specification, fitted.unpacked, rows)
        self.predicted_mean = found.value
        visible = found.jacobian @ fitted.specification.expand.basis
        error = fitted.errors_of(visible.reshape(-1, visible.shape[-1]))
        self.se_mean = error.reshape(found.value.shape)

    def __repr__(self) -> str:
        return str(self.summary_frame())

    def _repr_html_(self) -> str:
        return str(self.summary_frame().to_html())

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> np.ndarray:
        """Intervals of level 1 - ``alpha``.

        Parameters
        ----------
        obs : bool
            False: of the mean, symmetric. True: of a new observation under the distribution at
            the estimates, so the uncertainty of the estimates is not in it: the ``alpha`` / 2 and
            1 - ``alpha`` / 2 quantiles, and for a response of whole numbers the shortest run of
            them that has a probability of at least 1 - ``alpha`` (of several, the most probable).
            Runs that would begin within more than 20,000 numbers have their ends on a grid of
            that many.
        alpha : float

        Returns
        -------
        ndarray, (m, 2), or (m, k, 2) for components

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
        check_alpha(alpha)
        check_flag("obs", obs)
        if obs and self.which == "components":
            each = [_of_observations(self._law.only(c), alpha) for c in range(self._fitted.k)]
            return np.stack(each, axis=1)
        if obs:
            return _of_observations(self._law, alpha)
        reach = self._fitted.quantile(alpha) * self.se_mean
        return np.stack([self.predicted_mean - reach, self.predicted_mean + reach], axis=-1)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means, errors and intervals.

        Parameters
        ----------
        alpha : float
            The intervals have the level 1 - ``alpha``.

        Returns
        -------
        DataFrame, (m, 6), or (m, 6 k) for components
            Columns mean, mean_se, mean_ci_lower, mean_ci_upper, obs_ci_lower, obs_ci_upper. For
            components the columns have two levels, the component first: ``frame[0]`` is the frame
            of component 0.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> frame = results.get_prediction({"income": [500.0, 900.0]}).summary_frame()
        >>> frame["mean"].round(1).tolist()
        [368.4, 589.9]
        >>> prediction = results.get_prediction({"income": [500.0]}, which="components")
        >>> prediction.summary_frame()[1]["mean"].round(1).tolist()
        [406.3]
        """
        mean, obs = self.conf_int(alpha=alpha), self.conf_int(obs=True, alpha=alpha)
        values = {
            "mean": self.predicted_mean,
            "mean_se": self.se_mean,
            "mean_ci_lower": mean[..., 0],
            "mean_ci_upper": mean[..., 1],
            "obs_ci_lower": obs[..., 0],
            "obs_ci_upper": obs[..., 1],
        }
        if self.which == "mean":
            return pd.DataFrame(values, index=self.row_labels)
        parts = {
            c: pd.DataFrame({name: value[:, c] for name, value in values.items()}, self.row_labels)
            for c in range(self._fitted.k)
        }
        return pd.concat(parts, axis=1, names=["component", None])


def _of_observations(law: Law, alpha: float) -> np.ndarray:
    """Ends (m, 2) of the intervals of observations."""
    if law.family.discrete:
        return shortest_runs(law, alpha)
    return np.column_stack([law.quantile(alpha / 2.0), law.quantile(1.0 - alpha / 2.0)])


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
        The mean of the mixture, or the mean within each component.
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
        If ``which`` is none of these, a column is absent or a length does not fit.

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
    fitted = one_response(fitted_of(results), "get_prediction")
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
