"""A fit without its data: what a JSON file holds, and what it can still do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams, ParamLayout
from smmix.errors import SmmixError
from smmix.families.gaussian import Gaussian
from smmix.formula import FormulaSpec
from smmix.inference.covariance import proportions, sigmas
from smmix.inference.delta import confidence_quantile, covariance_or_none
from smmix.inference.intervals import MixturePrediction
from smmix.mixing.constant import ConstantMixing
from smmix.mixing.multinomial import MultinomialMixing
from smmix.mixture.prediction import new_rows, predict_rows
from smmix.support.docstrings import documented_by

__all__ = ["SavedFit", "SavedModel"]


@dataclass(frozen=True)
class _Names:
    """The names of a design whose rows are gone."""

    exog_names: list[str]
    concomitant_names: list[str] | None
    column_names: dict[str, str]
    endog_name: str
    formulas: FormulaSpec | None


@dataclass(frozen=True)
class SavedModel:
    """The part of a model that predictions need.

    Attributes
    ----------
    spec : MixtureSpec
    expand : LinearMap
        Full parameter vector of the parameters.
    param_names : list of str
    design : object
        Names of the columns, and the formulas.
    response_columns : list of str
        Columns of a table that the response is made of.
    group_codes : ndarray or None
        Empty when rows were grouped.
    """

    spec: MixtureSpec
    expand: LinearMap
    param_names: list[str]
    design: _Names
    response_columns: list[str]
    group_codes: np.ndarray | None

    @property
    def layout(self) -> ParamLayout:
        return self.spec.layout

    @property
    def k(self) -> int:
        return self.spec.layout.k

    def unpack(self, params: Any) -> MixtureParams:
        return self.layout.unpack(self.expand.full(np.asarray(params)))


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

    def __init__(self, model: SavedModel, content: Mapping[str, Any]):
        self.model: Any = model
        self._content = content
        self.k = model.k
        self._values = np.asarray(content["params"], dtype=float)
        matrix = content["cov_params"]
        self.normalized_cov_params = None if matrix is None else np.asarray(matrix, dtype=float)
        self.use_t, self.df_resid = bool(content["use_t"]), float(content["df_resid"])
        self.cov_type = str(content["cov_type"])
        self.llf, self.nobs = float(content["llf"]), float(content["nobs"])
        self.converged, self.status = bool(content["converged"]), str(content["status"])
        self.mean_prior = tuple(np.asarray(part) for part in content["mean_prior"])
        self.info_criteria = pd.Series(content["criteria"], dtype=float, name="value")
        formulas = model.design.formulas
        self.formula = None if formulas is None else formulas.formula
        self.concomitant = None if formulas is None else formulas.concomitant_formula

    @classmethod
    def of(cls, content: Mapping[str, Any], *, trust: bool = False) -> SavedFit:
        """The fit that `describe` described.

        Raises
        ------
        SmmixError
            If the description is not of a fit, or a formula in it is refused.
        """
        given = content["model"]
        layout = ParamLayout(*(int(given[name]) for name in ("k", "p", "d", "q")))
        names = list(given["param_names"])
        places = np.asarray(given["places"], dtype=int)
        _check_shapes(content, layout, places, len(names))
        basis = np.zeros((layout.size, len(names)))
        rows = np.flatnonzero(places >= 0)
        basis[rows, places[rows]] = 1.0
        mixing = MultinomialMixing() if given["concomitant_names"] else ConstantMixing()
        shared = frozenset({"sigma"} if given["variance"] == "equal" else ())
        spec = MixtureSpec(Gaussian(), mixing, layout, shared=shared)
        formulas = None
        if given["formulas"] is not None:
            formulas = FormulaSpec.from_plain(given["formulas"], trust=trust)
        design = _Names(
            list(given["exog_names"]),
            given["concomitant_names"],
            dict(given["column_names"]),
            str(given["endog_name"]),
            formulas,
        )
        codes = np.empty(0, dtype=int) if given["grouped"] else None
        expand = LinearMap(basis, np.zeros(layout.size))
        model = SavedModel(spec, expand, names, design, list(given["response_columns"]), codes)
        return cls(model, content)

    @property
    def params(self) -> pd.Series:
        return pd.Series(self._values, self.model.param_names)

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        if self.normalized_cov_params is None:
            return self.params * np.nan
        return pd.Series(np.sqrt(np.diag(self.normalized_cov_params)), self.model.param_names)

    @property
    def coef(self) -> pd.DataFrame:
        names = self.model.design.exog_names
        return pd.DataFrame(self._unpacked.coef[0].T, names, self._components)

    @property
    def sigma(self) -> pd.Series:
        return pd.Series(self._unpacked.nuisance[0, :, 0], self._components, name="sigma")

    @property
    def mixing_weights(self) -> pd.Series:
        return pd.Series(self.mean_prior[0], self._components, name="weight")

    @property
    def _components(self) -> pd.RangeIndex:
        return pd.RangeIndex(self.k, name="component")

    @property
    def _unpacked(self) -> MixtureParams:
        return self.model.unpack(self._values)

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
        matrix = covariance_or_none(self)
        if matrix is None:
            raise SmmixError("The fit had no covariance matrix when it was saved.")
        return pd.DataFrame(matrix, self.model.param_names, self.model.param_names)

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
        reach = confidence_quantile(self, alpha) * self.bse
        return pd.DataFrame({0: self.params - reach, 1: self.params + reach})

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values; NaN for sigma, whose zero is on the boundary."""
        ratio = np.abs(self.params / self.bse)
        values = 2.0 * (stats.t.sf(ratio, self.df_resid) if self.use_t else stats.norm.sf(ratio))
        nuisance = self.model.expand.basis[self.model.layout.nuisance].any(axis=0)
        return pd.Series(np.where(nuisance, np.nan, values), self.model.param_names)

    @documented_by(proportions)
    def proportions(self, alpha: float = 0.05) -> pd.DataFrame:
        return proportions(self, alpha)

    @documented_by(sigmas)
    def sigmas(self, alpha: float = 0.05) -> pd.DataFrame:
        return sigmas(self, alpha)

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
    ) -> pd.Series | pd.DataFrame:
        """Predict for new rows, as `MixtureResults.predict` does.

        Parameters
        ----------
        exog : DataFrame or array_like, (m, p)
            New rows: for a model of formulas a table with their variables.
        which, endog, transform, q, exog_concomitant, offset, groups : optional
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
        rows = new_rows(
            self.model,
            exog,
            exog_concomitant=exog_concomitant,
            endog=endog,
            offset=offset,
            groups=groups,
            transform=transform,
        )
        return predict_rows(self.model, self._unpacked, rows, which, q)

    def get_prediction(
        self, exog: Any, *, exog_concomitant: Any = None, offset: Any = None, transform: bool = True
    ) -> MixturePrediction:
        """Predicted means with their errors, and intervals for observations.

        Parameters
        ----------
        exog : DataFrame or array_like, (m, p)
            New rows: for a model of formulas a table with their variables.
        exog_concomitant, offset, transform : optional
            As in `MixtureResults.get_prediction`.

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
        >>> saved = smmix.read_json(results.to_json())
        >>> saved.get_prediction({"income": [500.0]}).predicted_mean.round(1).tolist()
        [368.4]
        """
        rows = new_rows(
            self.model, exog, exog_concomitant=exog_concomitant, offset=offset, transform=transform
        )
        return MixturePrediction(self, rows)

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
        return str(self._content["summary"])

    def __repr__(self) -> str:
        what = self.formula or self.model.design.endog_name
        return f"<SavedFit: {what}, k={self.k}, log-likelihood {self.llf:.6g}, n = {self.nobs:g}>"


def _check_shapes(
    content: Mapping[str, Any], layout: ParamLayout, places: np.ndarray, n_params: int
) -> None:
    params = np.asarray(content["params"], dtype=float)
    sound = (
        params.shape == (n_params,)
        and np.isfinite(params).all()
        and places.shape == (layout.size,)
        and (places < n_params).all()
        and len(content["model"]["exog_names"]) == layout.p
        and len(content["model"]["concomitant_names"] or ["Intercept"]) == layout.q
    )
    if not sound:
        raise SmmixError("The file is damaged: its parameters do not fit its model.")
