"""A fitted mixture as statsmodels results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.base.model import LikelihoodResultsWrapper

from smmix.errors import SmmixError
from smmix.fit.run import opened
from smmix.inference import prediction
from smmix.inference.influence import Influence, influence
from smmix.large.build import is_large
from smmix.large.predict import predict_large
from smmix.mixture.fitted import FitRecord
from smmix.mixture.hypotheses import positions
from smmix.mixture.observed import refuse_rows
from smmix.mixture.outcome_prediction import predict_outcomes, refuse_arrays
from smmix.mixture.outcomes import checked_outcome
from smmix.mixture.prediction import predict_rows
from smmix.mixture.rows import new_rows, own_rows, with_response
from smmix.reporting import json_file, publication
from smmix.reporting.bootstrap import BootstrapResults
from smmix.reporting.outcome import OutcomeFit, outcome_fit
from smmix.reporting.summary import summarize
from smmix.reporting.tables import MixtureSummary
from smmix.resampling import draws
from smmix.resampling.bootstrap import bootstrap
from smmix.results.uncertainty import MixtureUncertainty
from smmix.support.arguments import refuses_unknown
from smmix.support.checks import shown
from smmix.support.docstrings import documented_by

__all__ = ["FitRecord", "MixtureResults", "MixtureResultsWrapper"]

#: What statsmodels or other modules need, and ``dir(results)`` does not list.
INTERNAL = frozenset({
    "bsejac", "bsejhj", "covjac", "covjhj", "criteria", "df_modelwc", "directions", "fitted",
    "get_nlfun", "hessv", "info", "initialize", "interrupted", "k_constant", "mean_prior",
    "mle_retvals", "mle_settings", "mode_found", "normalized_cov_params", "record", "row", "scale",
    "score_obsv", "t_test_pairwise", "unpacked",
})  # fmt: skip


class MixtureResults(MixtureUncertainty):
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

    def __dir__(self) -> list[str]:
        hidden = INTERNAL
        if self.fitted.specification.spec.random is None:
            hidden = hidden | {"random_cov", "random_effects"}
        if not self.fitted.specification.outcomes:
            hidden = hidden | {"outcome"}
        return sorted(set(super().__dir__()) - hidden)

    def mode(self, i: int) -> MixtureResultsWrapper:
        """Another mode as results of their own, to be read and compared like any fit.

        Parameters
        ----------
        i : int
            Row of `starts`.

        Returns
        -------
        MixtureResults
            With the same type of covariance.

        Raises
        ------
        SmmixError
            If `starts` has no such row.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> rival = results.mode(1)
        >>> round(rival.llf, 2), round(results.llf, 2)
        (-1379.16, -1378.54)
        """
        count = len(self.record.modes.modes)
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or not 0 <= i < count:
            raise SmmixError(f"There is no mode {shown(i)}; starts has the rows 0 to {count - 1}.")
        given = self._kwds_of_a_mode
        model = self.model
        modes = opened(model.specification, model.observed, self.record.modes, int(i))
        found = replace(self.record, modes=modes)
        results = MixtureResults(model, found, int(i), self.cov_type, given, self.use_t)
        return MixtureResultsWrapper(results)

    # -- inference ------------------------------------------------------------------------------

    def get_robustcov_results(
        self, cov_type: str = "HC1", use_t: bool | None = None, **cov_kwds: Any
    ) -> MixtureResultsWrapper:
        """The same estimates with another covariance.

        Parameters
        ----------
        cov_type : {"nonrobust", "oim", "opg", "HC0", "HC1", "cluster", "bootstrap"}
            Observed information (the first two), outer product of the scores, sandwich without
            and with n / (n - df), sandwich of clusters, bootstrap replicates.
        use_t : bool, optional
            Student's t in place of the normal distribution; by default as in the fit.
        **cov_kwds
            As ``cov_kwds`` of `MixtureOLS.fit`: "cluster" takes ``groups`` and
            ``use_correction``, "bootstrap" takes ``replicates`` or what `bootstrap` takes.

        Returns
        -------
        MixtureResults

        Raises
        ------
        SmmixError
            If the type is unknown, or lacks an argument.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> robust = results.get_robustcov_results("HC0")
        >>> robust.bse.loc[["income[0]", "income[1]"]].round(3).tolist()
        [0.024, 0.032]
        """
        use_t = self.use_t if use_t is None else use_t
        return MixtureResultsWrapper(
            MixtureResults(self.model, self.record, self.row, cov_type, cov_kwds, use_t)
        )

    @documented_by(influence)
    def get_influence(self) -> Influence:
        return influence(self.fitted)

    # -- prediction -----------------------------------------------------------------------------

    @refuses_unknown
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
        outcome: str | None = None,
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
            function of the mixture at y; "quantile": its ``q`` quantile; "conditional", with random
            effects: the mean given all that is known of the row's group, by the responses given
            here or else, for groups of the fit, by its rows.
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
        outcome : str, optional
            One of several outcomes. Without it each of them has a column (or, where a prediction
            has a column per component or level, these below it); "prob", "posterior" and "label"
            are of a row with all its outcomes.

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
        if self.model.specification.outcomes and is_large(exog):
            raise SmmixError(
                "Several outcomes are predicted for tables in memory; read the rows into one first."
            )
        if is_large(exog) or (exog is None and not self.model.observed.in_memory):
            if any(part is not None for part in (endog, exog_concomitant, offset, groups)):
                raise refuse_rows()
            return predict_large(
                self.model.specification, self.model.observed, self.unpacked, exog, which, q
            )
        if exog is None and which == "posterior" and endog is None:
            return self.posterior
        if exog is None and which == "label" and endog is None:
            return self.labels
        if self.model.specification.outcomes:
            refuse_arrays(
                endog=endog, exog_concomitant=exog_concomitant, offset=offset, transform=transform
            )
            return predict_outcomes(self.fitted, exog, which, q, outcome, groups)
        if outcome is not None:
            checked_outcome(self.model.specification, outcome)
        if exog is None:
            rows = with_response(self.model.specification, own_rows(self.model.observed), endog)
        else:
            rows = new_rows(
                self.model.specification,
                exog,
                exog_concomitant=exog_concomitant,
                endog=endog,
                offset=offset,
                groups=groups,
                transform=transform,
            )
        model = self.model
        return predict_rows(model.specification, self.unpacked, rows, which, q, model.observed)

    @documented_by(outcome_fit)
    def outcome(self, name: str) -> OutcomeFit:
        return outcome_fit(self.fitted, name)

    @documented_by(prediction.get_prediction)
    @refuses_unknown
    def get_prediction(
        self,
        exog: Any = None,
        *,
        which: str = "mean",
        exog_concomitant: Any = None,
        offset: Any = None,
        transform: bool = True,
    ) -> prediction.MixturePrediction:
        return prediction.get_prediction(
            self.fitted,
            exog,
            which=which,
            exog_concomitant=exog_concomitant,
            offset=offset,
            transform=transform,
        )

    @documented_by(draws.simulate)
    @refuses_unknown
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
        own = {"exog_concomitant": exog_concomitant, "offset": offset, "groups": groups}
        return draws.simulate(self.fitted, exog, nobs, rng, **own)

    @documented_by(bootstrap)
    @refuses_unknown
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
        made = bootstrap(self.fitted, n_boot, kind, rng, threads, progress, n_starts=n_starts)
        return BootstrapResults(**vars(made))

    # -- output ---------------------------------------------------------------------------------

    @documented_by(summarize, "results", "model")
    @refuses_unknown
    def summary(
        self,
        yname: str | None = None,
        xname: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> MixtureSummary:
        return summarize(self.fitted, alpha, title, type(self.model).__name__, yname, xname)

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())

    @documented_by(publication.tidy)
    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        return publication.tidy(self.fitted, alpha)

    @documented_by(publication.glance, "results", "criteria")
    def glance(self) -> pd.DataFrame:
        return publication.glance(self.fitted, self.info_criteria())

    @documented_by(publication.publication_table)
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
        return publication.publication_table(
            self.fitted,
            kind,
            beside=beside,
            intervals=intervals,
            stars=stars,
            alpha=alpha,
            float_format=float_format,
            names=names,
        )

    @documented_by(json_file.to_json)
    def to_json(self, path: str | Path | None = None) -> str | None:
        return json_file.to_json(self.fitted, path)

    def save(self, fname: str | Path, remove_data: bool = False) -> None:
        """Write the results as a pickle, the data included.

        Parameters
        ----------
        fname : str or Path
        remove_data : bool
            Whether to take the data out first, as `remove_data` does.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "fit.pickle"
        >>> results.save(path, remove_data=True)
        >>> int(smmix.MixtureResults.load(path).nobs)
        235
        """
        super().save(fname, remove_data)

    @classmethod
    def load(cls, fname: str | Path) -> Any:
        """Results from a file that `save` wrote.

        It is a pickle: load only files that you trust. `smmix.read_json` reads what `to_json`
        wrote, in which no code can hide.

        Parameters
        ----------
        fname : str or Path

        Returns
        -------
        MixtureResults

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "fit.pickle"
        >>> results.save(path)
        >>> bool((smmix.MixtureResults.load(path).params == results.params).all())
        True
        """
        return super().load(fname)

    def remove_data(self) -> None:
        """Take the data out of results and model, for a small pickle; in place.

        The summary, tests, and predictions for new rows stay possible. What needs the rows of the
        fit (posteriors, residuals, pictures, the bootstrap) then says so.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.remove_data()
        >>> results.predict({"income": [1000]}).round(2).tolist()
        [645.31]
        """
        kept = (self.criteria, self.mixing_weights, self.mean_prior, self.components, self.starts)
        self.model.remove_data()
        assert all(part is not None for part in kept)
        # A fit that holds the rows no longer.
        assert self.fitted.observed is self.model.observed


class MixtureResultsWrapper(LikelihoodResultsWrapper):
    """`MixtureResults` with the names of parameters and rows attached."""

    @documented_by(MixtureResults.cov_params)
    def cov_params(
        self,
        r_matrix: Any = None,
        column: Any = None,
        scale: float | None = None,
        cov_p: Any = None,
        other: Any = None,
    ) -> Any:
        matrix = self._results.cov_params(r_matrix, column, scale, cov_p, other)
        if r_matrix is not None or column is not None:
            return matrix
        names = self._results.model.param_names
        return pd.DataFrame(matrix, names, names)

    @documented_by(MixtureResults.conf_int)
    def conf_int(self, alpha: float = 0.05, cols: Any = None) -> pd.DataFrame:
        names = self._results.model.param_names
        limits = pd.DataFrame(self._results.conf_int(alpha), names)
        return limits if cols is None else limits.iloc[positions("cols", cols, names)]

    @documented_by(MixtureResults.save)
    def save(self, fname: str | Path, remove_data: bool = False) -> None:
        super().save(fname, remove_data)

    @classmethod
    @documented_by(MixtureResults.load)
    def load(cls, fname: str | Path) -> Any:
        return super().load(fname)

    # isinstance(results, MixtureResults) holds, as users expect.
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._results)

    def __reduce__(self) -> tuple[Any, ...]:
        return MixtureResultsWrapper, (self._results,)

    def _repr_html_(self) -> str:
        return str(self._results._repr_html_())
