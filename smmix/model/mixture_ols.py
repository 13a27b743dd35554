"""Finite mixtures of linear regressions in the manner of statsmodels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smmix.fit.run import FitOptions, search_modes
from smmix.fit.warnings import warn_of
from smmix.formula import validate_arrays
from smmix.inference.covariance import check_cov_type
from smmix.mixture.hypotheses import nothing_free, read_hypotheses
from smmix.mixture.likelihood import MixtureLikelihood
from smmix.model.build import build_model
from smmix.results import FitRecord, MixtureResults, MixtureResultsWrapper

__all__ = ["MixtureOLS", "from_formula"]


class MixtureOLS(MixtureLikelihood):
    """Finite mixture of linear regressions with Gaussian errors.

    Row i belongs to component c with probability pi_c(z_i), and then
    y_i ~ N(offset_i + x_i'b_c, sigma_c^2).

    Parameters
    ----------
    endog : array_like, (n,)
        Response.
    exog : array_like, (n, p)
        Design of the component regressions; add the constant yourself, as in statsmodels.
    k : int
        Number of components.
    exog_concomitant : array_like, (n, q), optional
        Design of the multinomial logit model of the component probabilities, its constant
        included; component 0 is the base. With ``groups`` the first row of each group counts.
    groups : array_like, (n,), optional
        All rows of a group share one component (repeated measures).
    freq_weights : array_like, (n,), optional
        A weight of 2 is the row twice; a row of weight 0 is left out.
    prob_weights : array_like, (n,), optional
        Sampling weights, constant within groups. They are scaled to a mean of one, the
        log-likelihood becomes a pseudo log-likelihood, and standard errors are robust (HC0)
        unless another ``cov_type`` is asked for.
    offset : array_like, (n,), optional
        Added to the linear predictor of every component.
    known : array_like, (n,), optional
        Number of the component that a row is known to belong to; NaN where it is not known.
    variance : {"free", "equal"}
        Whether each component has its own sigma.
    common : list of str, optional
        Columns of ``exog`` whose coefficients all components share.
    fixed : dict, optional
        Parameter name to the value at which it is held, as ``{"x1[0]": 0.0}``.
    present : array_like of bool, (k, p), optional
        Which component has which column of ``exog``; by default all have all.
    missing : {"none", "raise", "drop"}
        What to do with rows that hold NaN: "none" and "raise" refuse them.
    hasconst : bool, optional
        As in statsmodels: whether ``exog`` has a constant; by default found out.

    Attributes
    ----------
    param_names : list of str
        ``x1[0]``, ``sigma[0]`` (``sigma`` when the variance is equal), ``x2`` when common,
        ``mixing.z1[1]``.
    nobs : float
        Sum of the frequency weights; the number of rows without them.

    Raises
    ------
    SmmixError
        For bad data or options, in one sentence that names the column, row or argument.

    Notes
    -----
    ``params`` = [coefficients of component 0, .., k-1 | common coefficients | sigma of each |
    mixing logits of components 1, .., k-1], sigma on its natural scale. Sigma is the maximum
    likelihood estimate, without a correction for degrees of freedom [1]_. For when the components
    are identified see [2]_.

    References
    ----------
    .. [1] DeSarbo, W. S. and Cron, W. L. (1988). A maximum likelihood methodology for clusterwise
       linear regression. Journal of Classification 5, 249-282.
    .. [2] Hennig, C. (2000). Identifiability of models for clusterwise linear regression.
       Journal of Classification 17, 273-296.

    Examples
    --------
    >>> import numpy as np
    >>> import statsmodels.api as sm
    >>> from smmix import MixtureOLS
    >>> data = sm.datasets.engel.load_pandas().data
    >>> model = MixtureOLS(data["foodexp"], sm.add_constant(data["income"]), k=2)
    >>> model.param_names[:2]
    ['const[0]', 'income[0]']
    """

    def __init__(
        self,
        endog: Any,
        exog: Any,
        k: int = 2,
        *,
        exog_concomitant: Any = None,
        groups: Any = None,
        freq_weights: Any = None,
        prob_weights: Any = None,
        offset: Any = None,
        known: Any = None,
        variance: str = "free",
        common: Sequence[str] | str | None = None,
        fixed: Mapping[str, float] | None = None,
        present: Any = None,
        missing: str = "none",
        hasconst: bool | None = None,
    ):
        design = validate_arrays(
            endog,
            exog,
            exog_concomitant=exog_concomitant,
            groups=groups,
            freq_weights=freq_weights,
            prob_weights=prob_weights,
            offset=offset,
            known=known,
            common=common,
            missing=missing,
        )
        self._build(design, k, variance, fixed, present, hasconst)

    @classmethod
    def from_formula(
        cls,
        formula: str | Mapping[int, str] | Sequence[str],
        data: Any,
        k: int = 2,
        *,
        concomitant: str | None = None,
        groups: Any = None,
        freq_weights: Any = None,
        prob_weights: Any = None,
        offset: Any = None,
        known: Any = None,
        variance: str = "free",
        common: Sequence[str] | str | None = None,
        fixed: Mapping[str, float] | None = None,
        subset: Any = None,
        missing: str = "drop",
        eval_env: int = 0,
        hasconst: bool | None = None,
    ) -> MixtureOLS:
        """Build a model from formulas and a table.

        Parameters
        ----------
        formula : str, or dict or list with a str for each component
            ``"y ~ x1 + x2"`` in the language of patsy; with one formula for each component the
            components keep their numbers.
        data : DataFrame, polars frame, pyarrow table, dict of columns, or what is read in slabs
            `scan_parquet` of files, or a Dask frame: rows that need not fit into memory.
        k : int
            Number of components.
        concomitant : str, optional
            One-sided formula of the component probabilities; the "~" may be left out.
        groups, freq_weights, prob_weights, offset, known : str or array_like, (n,), optional
            A column of ``data``, or one value per row; see `MixtureOLS`.
        variance, fixed, hasconst
            See `MixtureOLS`.
        common : list of str, or str, optional
            Terms whose coefficients all components share, as names or as a formula; those that
            ``formula`` lacks are added.
        subset : str, mask, slice or list of labels, optional
            Rows of ``data`` to use.
        missing : {"drop", "raise", "none"}
            What to do with rows in which anything is missing: "drop" leaves them out, the others
            refuse them.
        eval_env : int
            Where functions in the formulas are looked up: 0 is the caller, 1 its caller, ..

        Returns
        -------
        MixtureOLS

        Raises
        ------
        SmmixError
            For bad input, in one sentence that names the column, row or argument.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> smmix.from_formula("foodexp ~ income", data, k=2).param_names[-1]
        'mixing.Intercept[1]'
        """
        model = cls.__new__(cls)
        build_model(
            model,
            formula,
            data,
            k,
            variance=variance,
            fixed=fixed,
            hasconst=hasconst,
            eval_env=eval_env,
            concomitant=concomitant,
            groups=groups,
            freq_weights=freq_weights,
            prob_weights=prob_weights,
            offset=offset,
            known=known,
            common=common,
            subset=subset,
            missing=missing,
        )
        return model

    # -- fitting --------------------------------------------------------------------------------

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
            self,
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
        modes = search_modes(self, start_params, options)
        kept = start_params is not None and order == "weight"
        record = FitRecord(modes, method, None if kept else order)
        results = MixtureResults(self, record, modes.selected, cov_type, cov_kwds, use_t)
        warn_of(results)
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
        if self.equalities is not None:
            matrix = np.concatenate([self.equalities.matrix, matrix])
            values = np.concatenate([self.equalities.values, values])
        model = copy.copy(self)
        model._restrict(matrix, values, "constraints")
        return model.fit(start_params, **fit_options)


from_formula = MixtureOLS.from_formula
