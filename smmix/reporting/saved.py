"""A fit without its data: what a JSON file holds, and what it can still do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError, UnavailableError
from smmix.inference.covariance import proportions, sigmas
from smmix.inference.prediction import MixturePrediction, get_prediction
from smmix.inference.table import parameter_table
from smmix.mixture import effects
from smmix.mixture.fitted import Fitted
from smmix.mixture.outcome_prediction import predict_outcomes, refuse_arrays
from smmix.mixture.outcomes import checked_outcome
from smmix.mixture.prediction import predict_rows
from smmix.mixture.rows import new_rows
from smmix.mixture.specification import Specification
from smmix.reporting.outcome import OutcomeFit, outcome_fit
from smmix.reporting.publication import glance, publication_table, tidy
from smmix.support.docstrings import documented_by

__all__ = ["SavedFit"]


def _shown(name: str, doc: str) -> Any:
    def value(self: SavedFit) -> Any:
        return getattr(self.fitted, name)

    return property(value, doc=doc)


class SavedFit:
    """A fitted mixture that was read from JSON.

    Attributes
    ----------
    params, bse : Series, (V,)
    coef : DataFrame
        Terms x components.
    sigma, mixing_weights : Series
        By component.
    k : int
    llf, nobs, df_resid : float
    converged : bool
    status : str
    cov_type : str
    formula, concomitant : str or None
    info_criteria : Series
        All information criteria by name.
    """

    def __init__(self, fitted: Fitted, content: Mapping[str, Any]):
        self.fitted = fitted
        self._summary = str(content["summary"])
        self.info_criteria = pd.Series(content["criteria"], dtype=float, name="value")

    @classmethod
    def of(cls, content: Mapping[str, Any], *, trust: bool = False) -> SavedFit:
        """The fit that `describe` described.

        Raises
        ------
        SmmixError
            If the description is not of a fit, or a formula in it is refused.
        """
        specification = Specification.from_plain(content["model"], trust=trust)
        params = np.asarray(content["params"], dtype=float)
        if params.shape != (specification.parameters.size,) or not np.isfinite(params).all():
            raise SmmixError("The file is damaged: its parameters do not fit its model.")
        matrix, df = content["cov_params"], float(content["df_resid"])
        mean, jacobian = (np.asarray(part) for part in content["mean_prior"])
        fitted = Fitted(
            specification,
            params,
            None if matrix is None else np.asarray(matrix, dtype=float),
            bool(content["use_t"]),
            df,
            str(content["cov_type"]),
            "",
            float(content["llf"]),
            float(content["nobs"]),
            df,
            bool(content["converged"]),
            str(content["status"]),
            prior=(mean, jacobian),
        )
        return cls(fitted, content)

    k = _shown("k", "Number of components.")
    llf = _shown("llf", "Log-likelihood.")
    nobs = _shown("nobs", "Observations.")
    df_resid = _shown("df_resid", "Degrees of freedom of the residuals.")
    use_t = _shown("use_t", "Whether tests and intervals refer to Student's t.")
    cov_type = _shown("cov_type", "Type of the covariance.")
    converged = _shown("converged", "Whether the search reached a maximum.")
    status = _shown("status", "How the fit ended, in words.")
    coef = _shown("coef", "Coefficients, terms x components.")
    sigma = _shown("sigma", "Standard deviation of the errors of each component.")
    mixing_weights = _shown("mixing_weights", "Mixing weights.")
    model = _shown("specification", "What was fitted.")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnavailableError(
            f"A fit that was read from a file has no {name}; what needs the rows or the search is "
            "in the results of fit(), which results.save() keeps."
        )

    @property
    @documented_by(effects.random_cov, "fit")
    def random_cov(self) -> pd.DataFrame:
        return effects.random_cov(self.fitted)

    @property
    def formula(self) -> Any:
        """The formula of the fit."""
        return self.fitted.specification.formula

    @property
    def concomitant(self) -> str | None:
        """The formula of the mixing model."""
        return self.fitted.specification.concomitant

    @property
    def params(self) -> pd.Series:
        """Estimates."""
        return self._named(self.fitted.params)

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        return self._named(self.fitted.bse)

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values; NaN for sigma, whose zero is on the boundary."""
        return parameter_table(self.fitted)["p"].rename(None)

    def _named(self, values: Any) -> Any:
        names = self.fitted.specification.param_names
        frame = pd.DataFrame if values.ndim == 2 else pd.Series
        return frame(values, names)

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the estimates.

        Returns
        -------
        DataFrame, (V, V)

        Raises
        ------
        SmmixError
            If the fit had none.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> saved = smmix.read_json(results.to_json())
        >>> saved.cov_params().shape
        (7, 7)
        """
        if self.fitted.covariance is None:
            raise SmmixError("The fit had no covariance matrix when it was saved.")
        names = self.fitted.specification.param_names
        return pd.DataFrame(self.fitted.covariance, names, names)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals of the parameters, as those of the fit.

        Parameters
        ----------
        alpha : float
            The intervals have the level 1 - ``alpha``.

        Returns
        -------
        DataFrame, (V, 2)

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> saved = smmix.read_json(results.to_json())
        >>> saved.conf_int().loc["income[0]"].round(3).tolist()
        [0.634, 0.686]
        """
        limits: pd.DataFrame = self._named(self.fitted.conf_int(alpha))
        return limits

    @documented_by(proportions)
    def proportions(self, alpha: float = 0.05) -> pd.DataFrame:
        return proportions(self.fitted, alpha)

    @documented_by(sigmas)
    def sigmas(self, alpha: float = 0.05) -> pd.DataFrame:
        return sigmas(self.fitted, alpha)

    @documented_by(tidy)
    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        return tidy(self.fitted, alpha)

    @documented_by(glance, "results", "criteria")
    def glance(self) -> pd.DataFrame:
        return glance(self.fitted, self.info_criteria)

    @documented_by(publication_table)
    def table(
        self,
        kind: str = "text",
        *,
        beside: Sequence[Any] = (),
        intervals: bool = False,
        stars: bool = False,
        alpha: float = 0.05,
        float_format: str = "%.3f",
        names: Sequence[str] | None = None,
    ) -> Any:
        return publication_table(
            self.fitted,
            kind,
            beside=beside,
            intervals=intervals,
            stars=stars,
            alpha=alpha,
            float_format=float_format,
            names=names,
        )

    def predict(
        self,
        exog: Any,
        *,
        which: str = "mean",
        endog: Any = None,
        transform: bool = True,
        q: Any = 0.5,
        exog_concomitant: Any = None,
        offset: Any = None,
        groups: Any = None,
        outcome: str | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Predict for new rows, as `MixtureResults.predict` does.

        Parameters
        ----------
        exog : DataFrame or array_like, (m, p)
            New rows: for a model of formulas a table with their variables.
        which, endog, transform, q, exog_concomitant, offset, groups, outcome : optional
            As in `MixtureResults.predict`.

        Returns
        -------
        Series, or DataFrame with a column per component, with the index of the new rows

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
        >>> saved = smmix.read_json(results.to_json())
        >>> saved.predict({"income": [1000]}).round(2).tolist()
        [645.31]
        """
        if self.fitted.specification.outcomes:
            refuse_arrays(
                endog=endog, exog_concomitant=exog_concomitant, offset=offset, transform=transform
            )
            return predict_outcomes(self.fitted, exog, which, q, outcome, groups)
        if outcome is not None:
            checked_outcome(self.fitted.specification, outcome)
        rows = new_rows(
            self.fitted.specification,
            exog,
            exog_concomitant=exog_concomitant,
            endog=endog,
            offset=offset,
            groups=groups,
            transform=transform,
        )
        return predict_rows(self.fitted.specification, self.fitted.unpacked, rows, which, q)

    @documented_by(outcome_fit)
    def outcome(self, name: str) -> OutcomeFit:
        return outcome_fit(self.fitted, name)

    @documented_by(get_prediction)
    def get_prediction(
        self,
        exog: Any,
        *,
        which: str = "mean",
        exog_concomitant: Any = None,
        offset: Any = None,
        transform: bool = True,
    ) -> MixturePrediction:
        return get_prediction(
            self.fitted,
            exog,
            which=which,
            exog_concomitant=exog_concomitant,
            offset=offset,
            transform=transform,
        )

    def summary(self) -> str:
        """The summary as it was when the fit was saved.

        Returns
        -------
        str

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> saved = smmix.read_json(results.to_json())
        >>> saved.summary() == str(results.summary())
        True
        """
        return self._summary

    def __repr__(self) -> str:
        formula = self.formula
        what = "; ".join(formula) if isinstance(formula, list) else formula
        what = what or self.fitted.specification.endog_name
        return f"<SavedFit: {what}, k={self.k}, log-likelihood {self.llf:.6g}, n = {self.nobs:g}>"
