"""A fitted mixture as statsmodels results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.base.model import GenericLikelihoodModelResults, LikelihoodResultsWrapper

from smmix import inference, intervals
from smmix.components import ComponentView, component_views
from smmix.core.em import EMStatus
from smmix.core.modes import Mode, Modes, component_sizes
from smmix.core.params import MixtureParams
from smmix.covariance import count_clusters, covariance, proportions, sigmas
from smmix.criteria import Criteria, classification_table, separation, single_loglike
from smmix.delta import mean_prior
from smmix.errors import SmmixError
from smmix.fitting import component_order, mixing_shares
from smmix.formula import linear_constraint
from smmix.mixture_model import MixtureModel
from smmix.prediction import (
    component_means,
    labels_of,
    new_rows,
    own_rows,
    predict_rows,
    with_response,
)
from smmix.summary import summarize
from smmix.summary_format import MixtureSummary

__all__ = ["FitRecord", "MixtureResults", "MixtureResultsWrapper"]

METHOD_NAMES = {"em-newton": "EM + Newton", "em": "EM"}


@dataclass(frozen=True)
class FitRecord:
    """What a search found, and how its components are to be numbered.

    Attributes
    ----------
    modes : Modes
    method : str
    order : str or None
        None keeps the numbers that the search gave.
    """

    modes: Modes
    method: str
    order: str | None


def _criterion(name: str, doc: str) -> property:
    def value(self: MixtureResults) -> float:
        return self.criteria.get(name)

    return property(value, doc=doc)


class MixtureResults(GenericLikelihoodModelResults):
    """Results of a fitted mixture of regressions.

    Obtained from `MixtureOLS.fit`, where `params`, `bse`, `tvalues`, `pvalues`, `conf_int()` and
    `cov_params()` carry the names of the parameters.

    Attributes
    ----------
    params : Series, (V,)
    bse, tvalues, pvalues : Series, (V,)
        The p-values of sigma are NaN: zero is on the boundary of its range.
    llf : float
        Log-likelihood.
    nobs : float
        Observations (the sum of the frequency weights).
    df_model, df_resid : float
    k : int
        Components.
    order : str or None
        By what the components are numbered; None when they keep the numbers given.
    converged : bool
    status : str
        How the fit ended, in words.
    n_iter, n_passes : int
        Iterations of the ascent to this mode; passes of the whole search over the data.
    score_norm : float
        Largest score per observation, in units of sigma and of each column.
    curvature : float
        Smallest eigenvalue of the observed information relative to that with known memberships:
        near zero, a parameter is hardly identified.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.coef.round(3).shape
    (2, 2)
    """

    def __init__(
        self,
        model: MixtureModel,
        record: FitRecord,
        row: int,
        cov_type: str,
        cov_kwds: Mapping[str, Any] | None,
        use_t: bool,
    ):
        mode = record.modes.modes[row]
        order = component_order(model, mode.params, record.order)
        full = model.layout.pack(mode.params.permute(order))[0]
        params = model.visible.of_full(full)
        if model.equalities is not None:
            params = model.equalities.impose(params)
        self.info = model.information(params)
        matrix, description = covariance(model, params, self.info, cov_type, cov_kwds)
        # The class in between would count the degrees of freedom of one regression.
        super(GenericLikelihoodModelResults, self).__init__(model, params, matrix, 1.0)
        self.use_t = use_t
        self.cov_type = cov_type
        self.cov_kwds = {**(cov_kwds or {}), "description": description}
        self.record, self.row, self.mode_found = record, row, mode
        self.k, self.order = model.k, record.order
        self.nobs, self.n_free = model.nobs, model.n_free
        self.df_model, self.df_resid = model.df_model, model.df_resid
        if cov_type == "cluster":
            # As in statsmodels: with few clusters the normal distribution is too short-tailed.
            self.df_resid_inference = count_clusters(model, (cov_kwds or {})["groups"]) - 1
        self._data_attr: list[str] = []
        self._cache: dict[str, Any] = {}
        self.interrupted = record.modes.interrupted
        self.status = EMStatus.INTERRUPTED.value if self.interrupted else mode.status.value
        self.converged = mode.status is EMStatus.CONVERGED and not self.interrupted
        self.n_iter, self.n_passes = mode.n_iter, record.modes.n_passes
        self.score_norm, self.curvature = mode.score_norm, mode.curvature
        self.mle_retvals = {
            "converged": self.converged,
            "iterations": self.n_iter,
            "fopt": -float(self.info.loglike),
        }
        self.mle_settings = {"optimizer": METHOD_NAMES[record.method]}

    # -- estimates ------------------------------------------------------------------------------

    @cached_property
    def unpacked(self) -> MixtureParams:
        """The estimates as the core's parameters."""
        return self.model.unpack(self.params)

    @property
    def llf(self) -> float:
        """Log-likelihood at the estimates."""
        return float(self.info.loglike)

    @cached_property
    def pvalues(self) -> np.ndarray:
        """Two-sided p-values; NaN for sigma, whose zero is on the boundary."""
        values = np.array(super().pvalues)
        values[self.model.visible.kinds == "sigma"] = np.nan
        return values

    @property
    def coef(self) -> pd.DataFrame:
        """Coefficients, terms x components; zero where a component lacks a column."""
        return pd.DataFrame(
            self.unpacked.coef[0].T, self.model.design.exog_names, self._component_index
        )

    @property
    def sigma(self) -> pd.Series:
        """Standard deviation of the errors of each component."""
        return pd.Series(self.unpacked.nuisance[0, :, 0], self._component_index, name="sigma")

    @cached_property
    def mixing_weights(self) -> pd.Series:
        """Mixing weights; with concomitants the average of the prior probabilities."""
        shares = mixing_shares(self.model, self.unpacked)
        return pd.Series(shares, self._component_index, name="weight")

    @property
    def _component_index(self) -> pd.RangeIndex:
        return pd.RangeIndex(self.k, name="component")

    def proportions(self, alpha: float = 0.05) -> pd.DataFrame:
        """Mixing weights with delta-method errors and intervals from the logit scale."""
        return proportions(self, alpha)

    def sigmas(self, alpha: float = 0.05) -> pd.DataFrame:
        """Sigmas with errors and intervals from the log scale."""
        return sigmas(self, alpha)

    @cached_property
    def mean_prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mixing weights (k,) and their derivatives (k, V) in the parameters."""
        return mean_prior(self.model, self.params)

    @cached_property
    def components(self) -> list[ComponentView]:
        """Each component by itself: coefficients, then sigma; for ``summary_col``."""
        sizes = component_sizes(self.model.spec, self.unpacked, self.model.source)[0]
        return component_views(self, sizes)

    # -- rows -----------------------------------------------------------------------------------

    @property
    def posterior(self) -> pd.DataFrame:
        """Posterior probabilities of the components, n x k, for the rows used."""
        rows = self.model.units.to_rows(self.model.posterior(self.params))
        return pd.DataFrame(rows, self.model.kept_design.index, self._component_index)

    @property
    def labels(self) -> pd.Series:
        """The component of highest posterior of each row used."""
        posterior = self.posterior
        return labels_of(posterior.to_numpy(), posterior.index)

    @property
    def fittedvalues(self) -> np.ndarray:
        """E[y | x, z] under the mixture, (n,)."""
        return predict_rows(self.model, self.unpacked, own_rows(self.model), "mean").to_numpy()

    @property
    def resid(self) -> np.ndarray:
        """The response minus its mean under the mixture, (n,)."""
        return self.model.kept_design.endog - self.fittedvalues

    @property
    def resid_component(self) -> pd.DataFrame:
        """The response minus its mean under each component, n x k."""
        design = self.model.kept_design
        means = component_means(self.unpacked, own_rows(self.model))
        return pd.DataFrame(design.endog[:, None] - means, design.index, self._component_index)

    @property
    def quantile_residuals(self) -> pd.Series:
        """Normal quantiles of the fitted distribution function at the response."""
        return intervals.quantile_residuals(self)

    # -- how good the fit is --------------------------------------------------------------------

    @cached_property
    def criteria(self) -> Criteria:
        """Information criteria, and the sums of the posteriors that they rest on."""
        model = self.model
        groups = model.group_labels
        return Criteria(
            self.llf,
            self.n_free,
            self.nobs,
            self.k,
            separation(model.spec, self.unpacked, model.source),
            single_loglike(model.source),
            None if groups is None else float(len(groups)),
        )

    def info_criteria(self, crit: str | None = None, dk_params: float = 0) -> Any:
        """All information criteria as a Series, or one of them by name.

        Parameters
        ----------
        crit : str, optional
            Name of a criterion.
        dk_params : float
            Added to the number of free parameters.
        """
        if crit is None:
            return self.criteria.with_df(self.n_free + dk_params)
        return self.criteria.get(crit, dk_params)

    @property
    def df_modelwc(self) -> int:
        """Free parameters."""
        return int(self.n_free)

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return -2.0 * self.llf + 2.0 * self.n_free

    @property
    def bic(self) -> float:
        """Bayesian information criterion; n is the number of observations, not of groups."""
        return -2.0 * self.llf + float(np.log(self.nobs)) * self.n_free

    aicc = _criterion("aicc", "AIC with the small-sample correction.")
    aic3 = _criterion("aic3", "AIC with three in place of two per parameter.")
    caic = _criterion("caic", "Consistent AIC.")
    sabic = _criterion("sabic", "BIC with n adjusted to (n + 2) / 24.")
    hqic = _criterion("hqic", "Hannan and Quinn's criterion.")
    icl = _criterion("icl", "Integrated completed likelihood, hard: units at their best component.")
    icl_soft = _criterion("icl_soft", "Integrated completed likelihood, soft: BIC + 2 entropy.")
    clc = _criterion("clc", "Classification likelihood criterion.")
    awe = _criterion("awe", "Approximate weight of evidence.")
    nec = _criterion("nec", "Normalised entropy; one for k = 1.")
    entropy = _criterion("entropy", "Entropy of the posteriors, -sum tau log tau.")
    entropy_r2 = _criterion("entropy_r2", "1 - entropy / (n log k); undefined (NaN) for k = 1.")

    def classification_table(self) -> pd.DataFrame:
        """By component: share, expected and assigned units, average posterior, odds."""
        return classification_table(self.criteria.posterior, self.mixing_weights.to_numpy())

    # -- the search -----------------------------------------------------------------------------

    @cached_property
    def starts(self) -> pd.DataFrame:
        """The distinct modes that the search found, best first; open one with `mode`.

        Columns: ``llf``; ``hits``, the starts that led there; ``min_weight``, the smallest mixing
        weight; ``sigma_ratio``, the smallest sigma over the largest; ``degenerate``;
        ``selected``, this fit.
        """
        modes: list[Mode] = self.record.modes.modes
        return pd.DataFrame(
            {
                "llf": [mode.loglike for mode in modes],
                "hits": [mode.hits for mode in modes],
                "min_weight": [mixing_shares(self.model, m.params).min() for m in modes],
                "sigma_ratio": [mode.sigma_ratio for mode in modes],
                "degenerate": [mode.degenerate for mode in modes],
                "selected": np.arange(len(modes)) == self.row,
            }
        )

    def mode(self, i: int) -> MixtureResultsWrapper:
        """Results at row ``i`` of `starts`, to be compared like any fit."""
        count = len(self.record.modes.modes)
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < count:
            raise SmmixError(f"There is no mode {i!r}; starts has the rows 0 to {count - 1}.")
        given = {name: v for name, v in self.cov_kwds.items() if name != "description"}
        return MixtureResultsWrapper(
            MixtureResults(self.model, self.record, int(i), self.cov_type, given, self.use_t)
        )

    @property
    def history(self) -> pd.DataFrame:
        """Phase, log-likelihood and largest scale-free score of each iteration on all rows."""
        frame = pd.DataFrame(self.mode_found.trace, columns=["phase", "llf", "score"])
        return frame.rename_axis("iteration")

    # -- inference ------------------------------------------------------------------------------

    def get_robustcov_results(
        self, cov_type: str = "HC1", use_t: bool | None = None, **cov_kwds: Any
    ) -> MixtureResultsWrapper:
        """The same estimates with another covariance; see `MixtureOLS.fit` for the types."""
        use_t = self.use_t if use_t is None else use_t
        return MixtureResultsWrapper(
            MixtureResults(self.model, self.record, self.row, cov_type, cov_kwds, use_t)
        )

    def _constraint(self, hypothesis: Any) -> Any:
        """Text as matrix and values, whatever formula engine statsmodels is set to."""
        if isinstance(hypothesis, np.ndarray | tuple):
            return hypothesis
        matrix, values = linear_constraint(self.model.param_names, hypothesis)
        return matrix, values

    def t_test(self, r_matrix: Any, cov_p: Any = None, use_t: bool | None = None) -> Any:
        """T tests of linear hypotheses such as ``"x1[0] = x1[1]"``, one by one."""
        return super().t_test(self._constraint(r_matrix), cov_p, use_t)

    def wald_test(
        self,
        r_matrix: Any,
        cov_p: Any = None,
        invcov: Any = None,
        use_f: bool | None = None,
        df_constraints: int | None = None,
        scalar: bool = True,
    ) -> Any:
        """Wald test of linear hypotheses together, such as ``"x1[0] = x1[1], x2[0] = 0"``."""
        return super().wald_test(
            self._constraint(r_matrix), cov_p, invcov, use_f, df_constraints, scalar
        )

    def wald_test_terms(self) -> Any:
        """Wald tests of every term: zero in all components, and equal across components."""
        return inference.wald_test_terms(self)

    def pairwise(
        self, term: str | None = None, method: str | None = "hs", alpha: float = 0.05
    ) -> pd.DataFrame:
        """Differences between all pairs of components, p-values adjusted for multiplicity."""
        return inference.pairwise(self, term, method, alpha)

    def compare_lr_test(self, restricted: Any) -> inference.LRTest:
        """Likelihood ratio test against a nested fit with the same number of components."""
        return inference.compare_lr_test(self, restricted)

    def profile_likelihood_ci(self, name: str, alpha: float = 0.05) -> pd.Series:
        """Profile likelihood interval of one parameter."""
        return inference.profile_likelihood_ci(self, name, alpha)

    def margins(self, alpha: float = 0.05) -> pd.DataFrame:
        """Average marginal effects on E[y], through the components and the mixing model."""
        return inference.margins(self, alpha)

    def get_influence(self) -> intervals.Influence:
        """What leaving out each unit would change, by one Newton step."""
        return intervals.influence(self)

    # -- prediction -----------------------------------------------------------------------------

    def predict(
        self,
        exog: Any = None,
        *,
        which: str = "mean",
        endog: Any = None,
        transform: bool = True,
        q: Any = 0.5,
        exog_concomitant: Any = None,
        offset: Any = None,
        groups: Any = None,
    ) -> pd.Series | pd.DataFrame:
        """Predict for new rows, or for the rows of the fit.

        Parameters
        ----------
        exog : DataFrame or array_like, (m, p), optional
            New rows: for a model of formulas a table with their variables.
        which : str
            "mean": E[y | x, z]; "components": the mean within each component; "prob": P(component
            | z); "posterior" and "label": given y too where it is known (from ``endog``, or from
            the table when it has the response), else from the prior; "cdf": the distribution
            function of the mixture at y; "quantile": its ``q`` quantile.
        endog : array_like, (m,), optional
            Response of the new rows.
        transform : bool
            Whether ``exog`` passes through the model's formulas.
        q : float or sequence of float
            Levels of the quantiles.
        exog_concomitant : array_like, (m, q), optional
            Concomitant design of the new rows, for a model of arrays.
        offset : array_like, (m,), optional
            Offset of the new rows; by default the model's offset column, else zero.
        groups : array_like, (m,), optional
            Groups of the new rows: rows of a group share their posterior.

        Returns
        -------
        Series, or DataFrame with a column per component, with the index of the new rows
            Rows in which something is missing are missing.

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
        >>> results.predict({"income": [500.0, 900.0]}).shape
        (2,)
        """
        if exog is None and which == "posterior" and endog is None:
            return self.posterior
        if exog is None and which == "label" and endog is None:
            return self.labels
        if exog is None:
            rows = with_response(own_rows(self.model), endog)
        else:
            rows = new_rows(
                self.model,
                exog,
                exog_concomitant=exog_concomitant,
                endog=endog,
                offset=offset,
                groups=groups,
                transform=transform,
            )
        return predict_rows(self.model, self.unpacked, rows, which, q)

    def get_prediction(
        self,
        exog: Any = None,
        *,
        exog_concomitant: Any = None,
        offset: Any = None,
        transform: bool = True,
    ) -> intervals.MixturePrediction:
        """Predicted means with their errors, and intervals for observations."""
        return intervals.get_prediction(
            self, exog, exog_concomitant=exog_concomitant, offset=offset, transform=transform
        )

    # -- output ---------------------------------------------------------------------------------

    def summary(self, *, title: str | None = None, alpha: float = 0.05) -> MixtureSummary:
        """Tables of the estimates and notes on the fit, as text, HTML or LaTeX.

        Parameters
        ----------
        title : str, optional
        alpha : float
            The confidence intervals have the level 1 - alpha.
        """
        return summarize(self, alpha, title)

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())

    def remove_data(self) -> None:
        """Take the data out of results and model; the summary and new predictions remain."""
        kept = (self.criteria, self.mixing_weights, self.mean_prior, self.components, self.starts)
        self.model.remove_data()
        assert all(part is not None for part in kept)

    # -- what statsmodels has and a mixture has not ---------------------------------------------

    @cached_property
    def covjac(self) -> np.ndarray | None:
        """Covariance from the outer product of the scores."""
        return covariance(self.model, self.params, self.info, "opg")[0]

    @cached_property
    def covjhj(self) -> np.ndarray | None:
        """Sandwich covariance."""
        return covariance(self.model, self.params, self.info, "HC0")[0]

    def t_test_pairwise(self, *args: Any, **kwargs: Any) -> None:
        """Not for mixtures: use `pairwise`."""
        raise NotImplementedError(
            "t_test_pairwise knows one set of coefficients; use pairwise(term), which compares "
            "components, or t_test with parameter names."
        )

    def get_nlfun(self, fun: Any) -> None:
        """Not for mixtures: use `bootstrap`."""
        raise NotImplementedError(
            "get_nlfun is not available; use bootstrap() for functions of the parameters."
        )


class MixtureResultsWrapper(LikelihoodResultsWrapper):
    """`MixtureResults` with the names of parameters and rows attached."""

    def cov_params(self, *args: Any, **kwargs: Any) -> Any:
        """Covariance of the estimates, labelled; of contrasts or single columns as arrays."""
        matrix = self._results.cov_params(*args, **kwargs)
        if any(kwargs.get(name) is not None for name in ("r_matrix", "column")) or args:
            return matrix
        names = self._results.model.param_names
        return pd.DataFrame(matrix, names, names)

    # isinstance(results, MixtureResults) holds, as users expect.
    @property
    def __class__(self) -> type:  # type: ignore[override]
        return type(self._results)

    def __reduce__(self) -> tuple[Any, ...]:
        return MixtureResultsWrapper, (self._results,)

    def _repr_html_(self) -> str:
        return str(self._results._repr_html_())
