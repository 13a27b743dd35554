"""A fitted mixture as statsmodels results."""

from __future__ import annotations

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.base.model import LikelihoodResultsWrapper
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from smmix import draws, inference, intervals, persistence
from smmix.bootstrap import BootstrapResults, bootstrap
from smmix.callers import user_level
from smmix.covariance import covariance
from smmix.errors import DegenerateComponentWarning, SmmixError
from smmix.estimates import FitRecord, MixtureEstimates
from smmix.formula import linear_constraint
from smmix.large import is_large, refuse_rows
from smmix.lazy import predict_large
from smmix.prediction import new_rows, own_rows, predict_rows, with_response
from smmix.summary import summarize
from smmix.summary_format import MixtureSummary

__all__ = ["FitRecord", "MixtureResults", "MixtureResultsWrapper", "warn_of"]


class MixtureResults(MixtureEstimates):
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

    def mode(self, i: int) -> MixtureResultsWrapper:
        """Results at row ``i`` of `starts`, to be compared like any fit."""
        count = len(self.record.modes.modes)
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < count:
            raise SmmixError(f"There is no mode {i!r}; starts has the rows 0 to {count - 1}.")
        given = self._kwds_of_a_mode
        record, row = self.record.opened(self.model, int(i)), int(i)
        results = MixtureResults(self.model, record, row, self.cov_type, given, self.use_t)
        return MixtureResultsWrapper(results)

    # -- inference ------------------------------------------------------------------------------

    def get_robustcov_results(
        self, cov_type: str = "HC1", use_t: bool | None = None, **cov_kwds: Any
    ) -> MixtureResultsWrapper:
        """The same estimates with another covariance; types and their options as in `fit`."""
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
            New rows: for a model of formulas a table with their variables. For what
            `scan_parquet` gives and for a Dask frame the predictions are made when needed.
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
        if is_large(exog) or (exog is None and self.model.large is not None):
            if any(part is not None for part in (endog, exog_concomitant, offset, groups)):
                raise refuse_rows()
            return predict_large(self, exog, which, q)
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

    def simulate(
        self,
        exog: Any = None,
        nobs: int | None = None,
        rng: Any = 0,
        *,
        exog_concomitant: Any = None,
        offset: Any = None,
        groups: Any = None,
    ) -> pd.DataFrame:
        """Draw new responses, and the components they come from, from the fitted mixture.

        Parameters
        ----------
        exog : DataFrame or array_like, (m, p), optional
            Rows to draw for; by default those of the fit.
        nobs : int, optional
            Number of rows, taken from those at random with replacement.
        rng : int, Generator, SeedSequence or None
        exog_concomitant, offset, groups : array_like, optional
            For the rows of ``exog``, as in `predict`.
        """
        own = {"exog_concomitant": exog_concomitant, "offset": offset, "groups": groups}
        return draws.simulate(self, exog, nobs, rng, **own)

    def bootstrap(
        self,
        n_boot: int = 199,
        kind: str = "parametric",
        rng: Any = 0,
        threads: int | None = None,
        progress: bool | None = None,
        *,
        n_starts: int = 0,
    ) -> BootstrapResults:
        """Fit replicates of the data; see `smmix.bootstrap.bootstrap`.

        Parameters
        ----------
        n_boot : int
        kind : {"parametric", "rows", "groups"}
            Responses drawn from the fit; rows, or groups, drawn with replacement.
        rng : int, Generator, SeedSequence or None
        threads : int, optional
        progress : bool, optional
        n_starts : int
            Starts of a search in every replicate, beside the climb from the fit.
        """
        return bootstrap(self, n_boot, kind, rng, threads, progress, n_starts=n_starts)

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

    def to_json(self, path: str | Path | None = None) -> str | None:
        """Write the fit, without its data, as JSON that `smmix.read_json` reads.

        Parameters
        ----------
        path : str or Path, optional
            Where to write; by default the text is returned.
        """
        return persistence.to_json(self, path)

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

    def conf_int(self, alpha: float = 0.05, cols: Any = None) -> pd.DataFrame:
        """Wald intervals of level 1 - ``alpha``; those of sigma are better in `sigmas`."""
        limits = pd.DataFrame(self._results.conf_int(alpha), self._results.model.param_names)
        return limits if cols is None else limits.iloc[np.asarray(cols)]

    # isinstance(results, MixtureResults) holds, as users expect.
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._results)

    def __reduce__(self) -> tuple[Any, ...]:
        return MixtureResultsWrapper, (self._results,)

    def _repr_html_(self) -> str:
        return str(self._results._repr_html_())


def warn_of(results: MixtureResults) -> None:
    """The warnings that a fit may deserve, pointing at the caller of fit()."""
    mode, modes = results.mode_found, results.record.modes.modes
    lost, hits = sum(m.hits for m in modes if m.degenerate), sum(m.hits for m in modes)
    advice = "Use fewer components or variance='equal'."
    told = ""
    if mode.degenerate:
        told = (
            f"Every mode found is degenerate: in the best of them a component rests on "
            f"{mode.min_size:.1f} rows, and the smallest sigma is {mode.sigma_ratio:.2g} times the "
            f"largest. {advice}"
        )
    elif lost > 0.8 * hits:
        told = (
            f"{lost} of {hits} starts ended in degenerate modes (see results.starts); the fit is "
            f"the best mode that is not. {advice}"
        )
    if told:
        warnings.warn(told, DegenerateComponentWarning, stacklevel=user_level())
    if not mode.degenerate and not results.converged:
        warnings.warn(
            f"The fit did not converge: {results.status} (largest score per observation "
            f"{results.score_norm:.2g}).",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
