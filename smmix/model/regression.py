"""What every mixture of regressions does with its parameters and rows: it is fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smmix.fit.options import FitOptions
from smmix.fit.run import search_modes
from smmix.fit.warnings import warn_of
from smmix.inference.covariance import check_cov_type
from smmix.mixture.fitted import FitRecord
from smmix.mixture.hypotheses import nothing_free, read_hypotheses
from smmix.model.likelihood import MixtureLikelihood
from smmix.results import MixtureResults, MixtureResultsWrapper
from smmix.support.arguments import refuses_unknown

__all__ = ["MixtureRegression"]


class MixtureRegression(MixtureLikelihood):
    """A mixture of regressions that can be fitted; use `MixtureOLS` or `MixtureGLM`."""

    @refuses_unknown
    def fit(
        self,
        start_params: Any = None,
        *,
        method: str = "em-newton",
        n_starts: int = 50,
        starts: Any = "default",
        maxiter: int = 1000,
        gtol: float = 1e-8,
        rng: Any = 0,
        cov_type: str | None = None,
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool = False,
        order: str | None = "weight",
        threads: int | None = None,
        progress: bool | None = None,
        callback: Callable[[str, int, int, float], Any] | None = None,
        checkpoint: str | Path | None = None,
    ) -> MixtureResultsWrapper:
        """Fit by maximum likelihood: EM from many starts, then Newton on the analytic Hessian.

        The likelihood of a mixture has many modes, and with free variances it is unbounded. The
        fit is the local maximum of highest log-likelihood less its price among those found that
        are not degenerate. The price is what a sharp line through rows that are in line by chance
        is expected to gain (docs/methods, "Sharp components"); a component is degenerate when it
        rests on fewer than p + 2 rows or when its sigma is below a thousandth of the largest. All
        modes found are listed in ``results.starts`` and opened by ``results.mode(i)``.

        Parameters
        ----------
        start_params : array_like, (V,), or Series by parameter name, optional
            Climb from here alone, and keep the numbers of the components.
        method : {"em-newton", "em"}
            "em" is plain EM to the end.
        n_starts : int
            Short runs from starts of all kinds.
        starts : "default", or array_like, (n, k) or (n,)
            Posterior probabilities, or labels, to start from alone.
        maxiter : int
            Most iterations of the final ascent.
        gtol : float
            Converged means that max |score| / nobs is at most this, with the score in units of
            sigma and of the standard deviation of each column.
        rng : int, Generator, SeedSequence or None
            Seed of the starts; with the same seed the answer is the same.
        cov_type : str, optional
            "nonrobust" (= "oim", the observed information; the default), "opg", "HC0" (the
            default with ``prob_weights``), "HC1", "cluster" or "bootstrap".
        cov_kwds : dict, optional
            ``{"groups": ..}`` for "cluster". For "bootstrap" the arguments of
            `MixtureResults.bootstrap`, or ``{"replicates": ..}``, what it gave.
        use_t : bool
            Student's t in place of the normal distribution; no theory stands behind it.
        order : str or None
            Components by falling mixing proportion ("weight"), by a coefficient ("Intercept",
            rising), or as found (None). Components that differ by construction keep their
            numbers; after ``start_params`` only a coefficient given here reorders.
        threads : int, optional
            Threads that share a pass over the data; the result does not depend on it. By default
            one for rows in memory, where more seldom help, and one for each processor from files.
        progress : bool, optional
            True and False force a progress bar on and off; by default it is shown when standard
            error is a terminal and the work lasts.
        callback : callable, optional
            Called with (stage, done, total, best log-likelihood) as the search goes on.
        checkpoint : str or Path, optional
            File in which every pass over the data is recorded as it ends. The same fit with the
            same file goes on from there, and arrives at the identical result.

        Returns
        -------
        MixtureResults

        Raises
        ------
        SmmixError
            For options that make no sense, and data from which nothing can be estimated.

        Warns
        -----
        ConvergenceWarning
            When the fit did not converge; ``results.status`` says why.
        DegenerateComponentWarning
            When every mode found is degenerate.

        References
        ----------
        .. [1] Chen, J. and Tan, X. (2009). Inference for multivariate normal mixtures.
           Journal of Multivariate Analysis 100, 1367-1383.
        .. [2] Redner, R. A. and Walker, H. F. (1984). Mixture densities, maximum likelihood and
           the EM algorithm. SIAM Review 26, 195-239.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> smmix.from_formula("foodexp ~ income", data, k=2).fit().converged
        True
        """
        if not self.n_free:
            raise nothing_free()
        options = FitOptions.checked(
            self.specification,
            rng,
            method=method,
            n_starts=n_starts,
            starts=starts,
            maxiter=maxiter,
            gtol=gtol,
            order=order,
            threads=threads,
            progress=progress,
            callback=callback,
            checkpoint=checkpoint,
        )
        if cov_type is None:
            cov_type = "nonrobust" if self.prob_weights is None else "HC0"
        check_cov_type(cov_type, cov_kwds)
        modes = search_modes(self.specification, self.observed, start_params, options)
        kept = start_params is not None and order == "weight"
        record = FitRecord(modes, method, None if kept else order)
        results = MixtureResults(self, record, modes.selected, cov_type, cov_kwds, use_t)
        warn_of(results.fitted)
        return MixtureResultsWrapper(results)

    def fit_constrained(
        self, constraints: Any, start_params: Any = None, **fit_options: Any
    ) -> MixtureResultsWrapper:
        """Fit under linear equalities of parameters, also across components.

        Parameters
        ----------
        constraints : str, sequence of str, dict, array_like, DataFrame or tuple
            ``"x1[0] = x1[1], x2[2] = 0"``, or anything else that ``t_test`` takes. One equality
            joins parameters of one kind: coefficients, sigmas or mixing logits.
        start_params : array_like, (V,), optional
            As in `fit`; moved to the nearest parameters that satisfy the equalities.
        **fit_options
            The keyword arguments of `fit`.

        Returns
        -------
        MixtureResults
            ``params`` keeps its length and its covariance is singular; ``df_model`` and the
            criteria count the free parameters.

        Raises
        ------
        SmmixError
            If a name is unknown or the equalities contradict each other.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> model = smmix.from_formula("foodexp ~ income", data, k=2)
        >>> results = model.fit_constrained("Intercept[0] = Intercept[1]")
        >>> bool(results.params["Intercept[0]"] == results.params["Intercept[1]"])
        True
        """
        matrix, values = read_hypotheses(constraints, self.param_names, "constraints")
        restricted = self.specification.restricted(matrix, values, "constraints")
        results: MixtureResultsWrapper = self._with(restricted).fit(start_params, **fit_options)
        return results
