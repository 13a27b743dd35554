"""One of several outcomes of a fit, as results of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from smmix import plots
from smmix.inference import prediction
from smmix.inference.ratios import ratios
from smmix.inference.residuals import quantile_residuals
from smmix.inference.table import parameter_table
from smmix.inference.terms import margins
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcome_prediction import predict_outcomes
from smmix.mixture.outcomes import marginal
from smmix.mixture.prediction import predict_rows
from smmix.mixture.response import seen
from smmix.mixture.rows import own_rows
from smmix.reporting.margins import Margins
from smmix.support.arguments import refuses_unknown
from smmix.support.docstrings import documented_by

__all__ = ["OutcomeFit", "outcome_fit"]


class OutcomeFit:
    """One of several outcomes: a mixture of one response, with the components of all.

    Estimates and covariance are those of the whole fit, and so are the posteriors by which rows
    are drawn. What it says of the response is what a model of one response says.

    Attributes
    ----------
    params, bse : Series, (V,)
        Parameters of the outcome, under names without its own, and those of the mixing model.
    coef, nuisance : DataFrame
        Terms, and parameters beside the coefficients, by component.
    """

    def __init__(self, fitted: Fitted, name: str):
        self._whole, self._name = fitted, name
        self.fitted = marginal(fitted, name)

    def __repr__(self) -> str:
        return f"<OutcomeFit: {self._name}, k={self.fitted.k}>"

    @property
    def params(self) -> pd.Series:
        """Estimates."""
        return pd.Series(self.fitted.params, self.fitted.specification.param_names)

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        return pd.Series(self.fitted.bse, self.fitted.specification.param_names)

    @property
    def coef(self) -> pd.DataFrame:
        """Coefficients, terms x components; zero where a component lacks one."""
        return self.fitted.coef

    @property
    def nuisance(self) -> pd.DataFrame:
        """Parameters beside the coefficients, parameters x components."""
        return self.fitted.nuisance

    @documented_by(parameter_table, "fit")
    def table(self, alpha: float = 0.05) -> pd.DataFrame:
        return parameter_table(self.fitted, alpha)

    @property
    def fittedvalues(self) -> pd.Series:
        """E[y | x, z] under the mixture, for the rows in which the outcome was used."""
        rows = own_rows(self.fitted.data)
        mean = predict_rows(self.fitted.specification, self.fitted.unpacked, rows, "mean")
        return pd.Series(mean).rename(None)

    @property
    def resid(self) -> pd.Series:
        """The response minus its mean under the mixture."""
        endog: np.ndarray = seen(self.fitted.specification, self.fitted.data.rows().endog)
        return endog - self.fittedvalues

    @property
    def quantile_residuals(self) -> pd.Series:
        """Normal quantiles of the fitted distribution function at the response."""
        return quantile_residuals(self.fitted)

    @refuses_unknown
    def predict(
        self, exog: Any = None, *, which: str = "mean", q: Any = 0.5
    ) -> pd.Series | pd.DataFrame:
        """As ``predict(.., outcome=..)`` of the whole fit.

        Parameters
        ----------
        exog : DataFrame, optional
            New rows; by default those of the fit.
        which : str
            "mean", "components", "linear", "variance", "cdf" or "quantile".
        q : float or sequence of float
            Levels of the quantiles.

        Returns
        -------
        Series, or DataFrame with a column per component

        Raises
        ------
        SmmixError
            If a column is absent, or ``which`` is about all outcomes of a row.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.grunfeld.load_pandas().data
        >>> two = ["invest ~ year", "capital ~ year"]
        >>> model = smmix.from_formula(two, data, k=2, groups="firm", outcomes=True)
        >>> results = model.fit(n_starts=10)
        >>> results.outcome("invest").predict({"year": [1950]}, which="components").shape
        (1, 2)
        """
        return predict_outcomes(self._whole, exog, which, q, self._name, None)

    @refuses_unknown
    def get_prediction(
        self, exog: Any = None, *, which: str = "mean"
    ) -> prediction.MixturePrediction:
        """Predicted means with their errors, and intervals for observations.

        Parameters
        ----------
        exog : DataFrame, optional
            New rows; by default those of the fit.
        which : {"mean", "components"}
            The mean of the mixture, or the mean within each component.

        Returns
        -------
        MixturePrediction

        Raises
        ------
        SmmixError
            If ``which`` is none of these, or a column is absent.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.grunfeld.load_pandas().data
        >>> two = ["invest ~ year", "capital ~ year"]
        >>> model = smmix.from_formula(two, data, k=2, groups="firm", outcomes=True)
        >>> results = model.fit(n_starts=10)
        >>> prediction = results.outcome("invest").get_prediction({"year": [1950]})
        >>> prediction.summary_frame().shape
        (1, 6)
        """
        return prediction.get_prediction(self.fitted, exog, which=which)

    @documented_by(ratios)
    def ratios(self, alpha: float = 0.05) -> pd.DataFrame:
        return ratios(self.fitted, alpha)

    @documented_by(margins)
    def margins(self, alpha: float = 0.05, *, at: Any = None, dummy: bool = False) -> Margins:
        return Margins.of(margins(self.fitted, alpha, at=at, dummy=dummy), self.fitted, at)

    # -- pictures -------------------------------------------------------------------------------

    @documented_by(plots.plot_fit)
    def plot_fit(
        self,
        ax: Any = None,
        *,
        variables: Sequence[str] | None = None,
        alpha: float = 0.05,
        max_points: int = 5000,
        rng: Any = 0,
    ) -> Any:
        return plots.plot_fit(
            self.fitted, ax, variables=variables, alpha=alpha, max_points=max_points, rng=rng
        )

    @documented_by(plots.plot_trajectories, "results", "outcome")
    def plot_trajectories(
        self,
        ax: Any = None,
        *,
        by: str | None = None,
        alpha: float = 0.05,
        max_lines: int = 60,
        rng: Any = 0,
    ) -> Any:
        return plots.plot_trajectories(
            self.fitted, ax, by=by, alpha=alpha, max_lines=max_lines, rng=rng
        )

    @documented_by(plots.plot_residuals)
    def plot_residuals(
        self, ax: Any = None, *, max_points: int = 5000, alpha: float = 0.05, rng: Any = 0
    ) -> Any:
        return plots.plot_residuals(self.fitted, ax, max_points=max_points, alpha=alpha, rng=rng)

    @documented_by(plots.plot_rootogram)
    def plot_rootogram(self, ax: Any = None) -> Any:
        return plots.plot_rootogram(self.fitted, ax)


def outcome_fit(results: Fit, name: str) -> OutcomeFit:
    """One of several outcomes by itself: predictions, margins and pictures of one response.

    Parameters
    ----------
    results : MixtureResults
        Of a model with ``outcomes=True``.
    name : str
        The response, as its formula has it.

    Returns
    -------
    OutcomeFit
        With `predict`, `get_prediction`, `margins`, `ratios`, `plot_fit`, `plot_trajectories`,
        `plot_residuals` and `plot_rootogram`, as those of a model of one response.

    Raises
    ------
    SmmixError
        If the model has no such outcome.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.grunfeld.load_pandas().data
    >>> two = ["invest ~ year", "capital ~ year"]
    >>> model = smmix.from_formula(two, data, k=2, groups="firm", outcomes=True)
    >>> results = model.fit(n_starts=10)
    >>> results.outcome("capital").coef.shape
    (2, 2)
    """
    return OutcomeFit(fitted_of(results), name)
