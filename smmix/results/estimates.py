"""The estimates of a mixture: parameters, rows, criteria, and the search they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from statsmodels.base.model import GenericLikelihoodModelResults

from smmix import plots
from smmix.errors import SmmixError
from smmix.inference import memberships, residuals
from smmix.inference.criteria import Criteria, classification_table
from smmix.inference.profiles import profiles
from smmix.inference.table import parameter_table
from smmix.mixture import effects
from smmix.mixture.fitted import FitRecord, Fitted
from smmix.mixture.observed import Observed
from smmix.mixture.prediction import component_means, labels_of, predict_rows
from smmix.mixture.response import seen
from smmix.mixture.rows import own_rows
from smmix.mixture.specification import Specification
from smmix.reporting.components import ComponentView, component_views
from smmix.reporting.page import report
from smmix.reporting.summary import METHOD_NAMES
from smmix.results.compute import fitted_mode
from smmix.support.checks import shown
from smmix.support.docstrings import documented_by

__all__ = ["FitRecord", "MixtureEstimates"]


class Model(Protocol):
    """statsmodels' face of what was fitted."""

    specification: Specification
    observed: Observed


def _shown(name: str, doc: str) -> Any:
    def value(self: MixtureEstimates) -> Any:
        return getattr(self.fitted, name)

    return property(value, doc=doc)


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
        model: Model,
        record: FitRecord,
        row: int,
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool = False,
    ):
        fitted = fitted_mode(
            model.specification, model.observed, record, row, cov_type, cov_kwds, use_t
        )
        # The class in between would count the degrees of freedom of one regression.
        super(GenericLikelihoodModelResults, self).__init__(
            model, fitted.params, fitted.covariance, 1.0
        )
        self._fitted, self.use_t = fitted, fitted.use_t
        self._asked_kwds = dict(cov_kwds or {})
        self.cov_type = cov_type
        self.cov_kwds = {**self._asked_kwds, "description": fitted.cov_sentence}
        self.nobs, self.n_free = fitted.nobs, fitted.specification.n_free
        self.df_model, self.df_resid = fitted.specification.df_model, fitted.df_resid
        if fitted.df_t != fitted.df_resid:
            self.df_resid_inference = fitted.df_t
        self._data_attr: list[str] = []
        self._cache: dict[str, Any] = {}
        mode = fitted.mode
        self.n_iter, self.n_passes = mode.n_iter, record.modes.n_passes
        self.score_norm, self.interrupted = mode.score_norm, record.modes.interrupted
        self.mle_retvals = {
            "converged": self.converged,
            "iterations": self.n_iter,
            "fopt": -fitted.llf,
        }
        self.mle_settings = {"optimizer": METHOD_NAMES[record.method]}

    @property
    def fitted(self) -> Fitted:
        """The fit as a value: what is fitted, the estimates, and how they are inferred from."""
        if self._fitted.observed is not self.model.observed:
            self._fitted = self._fitted.beside(self.model.observed)
        return self._fitted

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

    k = _shown("k", "Number of components.")
    order = _shown("order", "By what components are numbered; None when they keep their numbers.")
    converged = _shown("converged", "Whether the search reached a maximum.")
    status = _shown("status", "How the fit ended, in words.")
    curvature = _shown(
        "curvature",
        "Smallest eigenvalue of the observed information relative to that with known memberships.",
    )
    record = _shown("record", "The search.")
    row = _shown("row", "Row of `starts` that this fit is.")
    mode_found = _shown("mode", "The mode that this fit is.")
    info = _shown("info", "Derivatives of the log-likelihood in the core's full vector.")
    directions = _shown("directions", "The same in coordinates that are well-conditioned.")
    unpacked = _shown("unpacked", "The estimates as the core's parameters.")
    llf = _shown("llf", "Log-likelihood at the estimates.")
    coef = _shown("coef", "Coefficients, terms x components; zero where a component lacks one.")
    boundary = _shown("boundary", "Parameters whose maximum lies at the end of their range.")
    sigma = _shown("sigma", "Standard deviation of the errors of each component.")
    nuisance = _shown(
        "nuisance",
        "Parameters beside the coefficients, parameters x components; NaN where there is none.",
    )
    mixing_weights = _shown(
        "mixing_weights",
        "Mixing weights; with concomitants the average of the prior probabilities.",
    )
    mean_prior = _shown("mean_prior", "Mixing weights (k,) and their derivatives (k, V).")

    @property
    @documented_by(effects.random_cov, "fit")
    def random_cov(self) -> pd.DataFrame:
        return effects.random_cov(self.fitted)

    @cached_property
    @documented_by(effects.random_effects, "fit")
    def random_effects(self) -> pd.DataFrame:
        return effects.random_effects(self.fitted)

    @cached_property
    def bse(self) -> np.ndarray:
        """Standard errors; NaN for parameters whose maximum lies at the end of their range."""
        return self.fitted.bse

    @cached_property
    def pvalues(self) -> np.ndarray:
        """Two-sided p-values; NaN for sigma, whose zero is on the boundary."""
        return parameter_table(self.fitted)["p"].to_numpy()

    @cached_property
    def components(self) -> list[ComponentView]:
        """Each component by itself: coefficients, then sigma; for ``summary_col``."""
        return component_views(self.fitted)

    # -- rows -----------------------------------------------------------------------------------

    @property
    def posterior(self) -> pd.DataFrame:
        """Posterior probabilities of the components, n x k, for the rows used."""
        rows = self.model.units.to_rows(self.model.posterior(self.params))
        index, first, _ = self.model.observed.rows_of_data()
        return pd.DataFrame(rows[first], index, self.fitted.components)

    @property
    def labels(self) -> pd.Series:
        """The component of highest posterior of each row used."""
        posterior = self.posterior
        return labels_of(posterior.to_numpy(), posterior.index)

    @property
    def fittedvalues(self) -> np.ndarray:
        """E[y | x, z] under the mixture, (n,)."""
        return predict_rows(
            self.model.specification, self.unpacked, own_rows(self.model.observed), "mean"
        ).to_numpy()

    @property
    def resid(self) -> np.ndarray:
        """The response minus its mean under the mixture, (n,)."""
        return self._response - self.fittedvalues

    @property
    def _response(self) -> np.ndarray:
        design = self.model.kept_design
        return seen(self.model.specification, design.endog, design.aux)

    @property
    def resid_component(self) -> pd.DataFrame:
        """The response minus its mean under each component, n x k."""
        design = self.model.kept_design
        means = component_means(
            self.fitted.specification, self.unpacked, own_rows(self.model.observed)
        )
        return pd.DataFrame(self._response[:, None] - means, design.index, self.fitted.components)

    @property
    def quantile_residuals(self) -> pd.Series:
        """Normal quantiles of the fitted distribution function at the response."""
        return residuals.quantile_residuals(self.fitted)

    # -- how good the fit is --------------------------------------------------------------------

    @cached_property
    def criteria(self) -> Criteria:
        """Information criteria, and the sums of the posteriors that they rest on."""
        return Criteria.of(self.fitted)

    def info_criteria(self, crit: str | None = None, dk_params: Any = 0) -> Any:
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
        if not isinstance(dk_params, int | float | np.number):
            raise SmmixError(f"dk_params must be a number of parameters, not {shown(dk_params)}.")
        if crit is None:
            return self.criteria.with_df(self.n_free + dk_params)
        return self.criteria.get(crit, float(dk_params))

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

    @documented_by(memberships.adequacy_table)
    def adequacy_table(self, alpha: float = 0.05) -> pd.DataFrame:
        return memberships.adequacy_table(self.fitted, alpha)

    @documented_by(memberships.membership_table)
    def membership_table(self) -> pd.DataFrame:
        return memberships.membership_table(self.fitted)

    @documented_by(profiles)
    def profiles(self, variables: Any, *, method: str = "bch", alpha: float = 0.05) -> pd.DataFrame:
        return profiles(self.fitted, variables, method=method, alpha=alpha)

    # -- the search -----------------------------------------------------------------------------

    @property
    def starts(self) -> pd.DataFrame:
        """The distinct modes that the search found, best first; open one with `mode`.

        Columns: ``llf``; ``hits``, the starts that led there; ``min_weight``, the smallest mixing
        weight; ``sigma_ratio``, the smallest sigma over the largest; ``degenerate``; ``reason``,
        why a mode is rejected ("chance line", "too few rows", "collapsed") with the figure that
        says so, empty for the others; ``selected``, this fit.
        """
        return self.fitted.starts

    @property
    def unseen(self) -> float:
        """Estimated chance that one more start would end in a mode that is not in `starts`.

        It is the share of starts that alone led to their mode among those that were followed, the
        estimate of Good and Turing [1]_, first used for mixtures by Finch, Mendell and Thode [2]_.
        NaN where fewer than two starts were followed, as after ``start_params``.

        References
        ----------
        .. [1] Good, I. J. (1953). The population frequencies of species and the estimation of
           population parameters. Biometrika 40, 237-264.
        .. [2] Finch, S. J., Mendell, N. R. and Thode, H. C. (1989). Probabilistic measures of
           adequacy of a numerical search for a global maximum. JASA 84, 1020-1023.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> 0.0 <= results.unseen < 0.5
        True
        """
        return self.fitted.unseen

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

    @documented_by(plots.plot_trajectories)
    def plot_trajectories(
        self,
        ax: Any = None,
        *,
        by: str | None = None,
        alpha: float = 0.05,
        max_lines: int = 60,
        rng: Any = 0,
        outcome: str | None = None,
    ) -> Any:
        return plots.plot_trajectories(
            self, ax, by=by, alpha=alpha, max_lines=max_lines, rng=rng, outcome=outcome
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
    def plot_residuals(
        self, ax: Any = None, *, max_points: int = 5000, alpha: float = 0.05, rng: Any = 0
    ) -> Any:
        return plots.plot_residuals(self, ax, max_points=max_points, alpha=alpha, rng=rng)

    @documented_by(plots.plot_rootogram)
    def plot_rootogram(self, ax: Any = None) -> Any:
        return plots.plot_rootogram(self, ax)

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
