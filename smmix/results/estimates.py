"""The estimates of a mixture: parameters, rows, criteria, and the search they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.base.model import GenericLikelihoodModelResults

from smmix import plots
from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.fit.run import component_order, effective_order, mixing_shares, opened
from smmix.inference import intervals
from smmix.inference.covariance import check_cov_type, count_clusters, covariance
from smmix.inference.criteria import Criteria, classification_table, separation, single_loglike
from smmix.inference.delta import mean_prior, tangent
from smmix.mixture.base import MixtureModel
from smmix.mixture.prediction import (
    component_means,
    labels_of,
    own_rows,
    predict_rows,
)
from smmix.reporting.components import ComponentView, component_views
from smmix.reporting.page import report
from smmix.resampling.bootstrap import bootstrap
from smmix.search.conditioning import Directions, conditioned, smallest_curvature
from smmix.search.em import EMStatus
from smmix.search.modes import Mode, Modes, component_sizes
from smmix.support.docstrings import documented_by

__all__ = ["FitRecord", "MixtureEstimates"]

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

    def opened(self, model: MixtureModel, row: int) -> FitRecord:
        """The same with the mode at ``row`` followed to its end."""
        return replace(self, modes=opened(model, self.modes, row))


def _criterion(name: str, doc: str) -> property:
    def value(self: MixtureEstimates) -> float:
        return self.criteria.get(name)

    return property(value, doc=doc)


class MixtureEstimates(GenericLikelihoodModelResults):
    """Estimates of a mixture, what they say about the rows, and how good they are.

    The part of `MixtureResults` that needs nothing but the fit; users meet it there.
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
            found, params = params, model.equalities.impose(params)
            if not np.allclose(found, params, rtol=1e-6, atol=1e-6 * np.abs(params).max()):
                raise SmmixError(
                    "No maximum was found inside the restrictions; give start_params that satisfy "
                    "them, or restrictions that the data come nearer to."
                )
        self.info = model.information(params)
        self._asked_kwds = check_cov_type(cov_type, cov_kwds)
        if not isinstance(use_t, bool | np.bool_):
            raise SmmixError(
                f"use_t must be True or False, not {type(use_t).__name__}; options of a "
                "covariance are given by name, such as replicates=boot."
            )
        if cov_type == "bootstrap" and "replicates" not in self._asked_kwds:
            plain = type(self)(model, record, row, "nonrobust", None, use_t)
            cov_kwds = {"replicates": bootstrap(plain, **self._asked_kwds).params}
        given = Directions(self.info, *tangent(model))
        self.directions = conditioned(model.spec, model.unpack(params), model.source, given)
        matrix, description = covariance(model, params, self.directions, cov_type, cov_kwds)
        # The class in between would count the degrees of freedom of one regression.
        super(GenericLikelihoodModelResults, self).__init__(model, params, matrix, 1.0)
        self.use_t = use_t
        self.cov_type = cov_type
        self.cov_kwds = {**(cov_kwds or {}), "description": description}
        self.record, self.row, self.mode_found = record, row, mode
        self.k, self.order = model.k, effective_order(model, record.order)
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
        self.score_norm, self.curvature = mode.score_norm, smallest_curvature(self.directions)
        self.mle_retvals = {
            "converged": self.converged,
            "iterations": self.n_iter,
            "fopt": -float(self.info.loglike),
        }
        self.mle_settings = {"optimizer": METHOD_NAMES[record.method]}

    @property
    def _kwds_of_a_mode(self) -> dict[str, Any]:
        """Options of the covariance that suit another mode as well."""
        if "replicates" in self._asked_kwds:
            raise SmmixError(
                "The bootstrap replicates are those of this fit; take the mode from "
                "get_robustcov_results('nonrobust') and bootstrap it by itself."
            )
        return self._asked_kwds

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
            single_loglike(self.nobs, model.pooled.sigma),
            None if groups is None else float(len(groups)),
        )

    def info_criteria(self, crit: str | None = None, dk_params: float = 0) -> Any:
        """All information criteria, or one of them.

        Parameters
        ----------
        crit : str, optional
            Name of a criterion; by default all.
        dk_params : float
            Added to the number of free parameters.

        Returns
        -------
        Series, or float with ``crit``

        Raises
        ------
        SmmixError
            If there is no criterion of that name.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.info_criteria()[["aic", "bic", "icl"]].round(1).tolist()
        [2771.1, 2795.3, 2919.8]
        >>> results.info_criteria("bic") == results.bic
        True
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

    @documented_by(classification_table, "posterior", "shares")
    def classification_table(self) -> pd.DataFrame:
        return classification_table(self.criteria.posterior, self.mixing_weights.to_numpy())

    # -- the search -----------------------------------------------------------------------------

    @cached_property
    def starts(self) -> pd.DataFrame:
        """The distinct modes that the search found, best first; open one with `mode`.

        Columns: ``llf``; ``hits``, the starts that led there; ``min_weight``, the smallest mixing
        weight; ``sigma_ratio``, the smallest sigma over the largest; ``price``, what
        chance may have added to the log-likelihood; ``degenerate``; ``selected``, this fit;
        ``reason``, why a mode is rejected ("chance line", "too few rows", "collapsed") with the
        figure that says so, empty for the others.
        """
        modes: list[Mode] = self.record.modes.modes
        return pd.DataFrame(
            {
                "llf": [mode.loglike for mode in modes],
                "hits": [mode.hits for mode in modes],
                "min_weight": [mixing_shares(self.model, m.params).min() for m in modes],
                "sigma_ratio": [mode.sigma_ratio for mode in modes],
                "price": [mode.price for mode in modes],
                "degenerate": [mode.degenerate for mode in modes],
                "selected": np.arange(len(modes)) == self.row,
                "reason": [mode.reason for mode in modes],
            }
        )

    @property
    def history(self) -> pd.DataFrame:
        """Phase, log-likelihood and largest scale-free score of each iteration on all rows."""
        frame = pd.DataFrame(self.mode_found.trace, columns=["phase", "llf", "score"])
        return frame.rename_axis("iteration")

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
            self, ax, variables=variables, alpha=alpha, max_points=max_points, rng=rng
        )

    @documented_by(plots.plot_posterior)
    def plot_posterior(self, ax: Any = None, *, bins: int = 20, threshold: float = 1e-4) -> Any:
        return plots.plot_posterior(self, ax, bins=bins, threshold=threshold)

    @documented_by(plots.plot_coef)
    def plot_coef(
        self, ax: Any = None, *, terms: Sequence[str] | None = None, alpha: float = 0.05
    ) -> Any:
        return plots.plot_coef(self, ax, terms=terms, alpha=alpha)

    @documented_by(plots.plot_starts)
    def plot_starts(self, ax: Any = None, *, max_modes: int = 25) -> Any:
        return plots.plot_starts(self, ax, max_modes=max_modes)

    @documented_by(plots.plot_residuals)
    def plot_residuals(self, ax: Any = None, *, max_points: int = 5000, alpha: float = 0.05) -> Any:
        return plots.plot_residuals(self, ax, max_points=max_points, alpha=alpha)

    @documented_by(report)
    def report(
        self,
        path: str | Path | None = None,
        *,
        selection: Any = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> str | None:
        return report(self, path, selection=selection, title=title, alpha=alpha)
