"""The parametric bootstrap of the likelihood ratio of k against k + 1 components."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.fit.estimable import check_estimable
from smmix.fit.from_fewer import Fewer, seeded_modes
from smmix.fit.run import one_blas_thread
from smmix.order_tests.batches import BatchSearch
from smmix.order_tests.checks import checked_fraction, checked_null
from smmix.order_tests.monte_carlo import MonteCarloTest, null_statistics
from smmix.resampling.samples import Resample, resampling
from smmix.results import FitRecord, MixtureResults, MixtureResultsWrapper
from smmix.search.control import SearchControl
from smmix.search.policy import ORDER_TEST
from smmix.support.arguments import refuses_unknown
from smmix.support.checks import MOST_RUNS, check_flag, check_whole, generator
from smmix.support.processes import processes_for

__all__ = ["bootstrap_lrt", "sequential_lrt"]

TITLE = "Bootstrap Likelihood Ratio Test"


@refuses_unknown
def bootstrap_lrt(
    results: MixtureResults | MixtureResultsWrapper,
    n_boot: int = 199,
    *,
    alpha: float = 0.05,
    stop_early: bool = True,
    n_starts: int = 100,
    rng: Any = 0,
    threads: int | None = None,
    progress: bool | None = None,
) -> MonteCarloTest:
    """Likelihood ratio test of k against k + 1 components by the parametric bootstrap.

    The likelihood ratio has no known distribution here, so it is simulated: data are drawn from
    the fit with k components, and both fits are made to each data set as they are to the
    observed data [1]_. The statistic is that of ``results`` and of the fit with k + 1 components
    that `select_k` makes with the same ``rng``.

    Parameters
    ----------
    results : MixtureResults
        The fit with k components, the null hypothesis.
    n_boot : int
        Most data sets to draw.
    alpha : float
        Level of the decision.
    stop_early : bool
        End when no further data sets could change the decision at level ``alpha`` [2]_. The
        decision is that of all ``n_boot``, so the level and the power are kept.
    n_starts : int
        Short runs from starts of all kinds for each fit with k + 1 components to data drawn,
        beside those from the fit with k.
    rng : int, Generator, SeedSequence or None
        Seed; with the same seed the outcome is the same, whatever ``threads``.
    threads : int, optional
        Processes that share the data sets where they last some seconds; by default one for each
        processor.
    progress : bool, optional
        True and False force a progress bar on and off.

    Returns
    -------
    MonteCarloTest
        ``statistic``, ``pvalue`` = (1 + b) / (1 + B), ``mc_error``, ``replicates``,
        ``alternative`` (the fit with k + 1 components), ``rejected``, ``stopped``, ``summary()``.

    Raises
    ------
    SmmixError
        If the fit is degenerate or has restrictions of single components, or the rows are too few
        for k + 1.

    Notes
    -----
    New responses are drawn at the observed regressors, concomitant variables, groups, offset and
    sampling weights; a row of frequency weight 2 is drawn twice. The fit with k components, one of
    them doubled, is a fit with k + 1, so the statistic is never negative, and no data set is left
    out. Both fits are chosen by the rule on sharp components, in the observed data and in those
    drawn. These are searched many at a time, with ``n_starts`` short runs and as many moves from
    the best mode.

    References
    ----------
    .. [1] McLachlan, G. J. (1987). On bootstrapping the likelihood ratio test statistic for the
       number of components in a normal mixture. Applied Statistics 36, 318-324.
    .. [2] Besag, J. and Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika 78,
       301-304.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> from smmix.order_tests import bootstrap_lrt
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=1).fit()
    >>> bootstrap_lrt(results, n_boot=19).pvalue
    0.05
    """
    null = checked_null(results, "bootstrap_lrt")
    check_whole("n_boot", n_boot, most=MOST_RUNS)
    check_whole("n_starts", n_starts, most=MOST_RUNS)
    checked_fraction("alpha", alpha)
    check_flag("stop_early", stop_early)
    processes = processes_for(threads)
    search = BatchSearch(null, replace(ORDER_TEST, n_starts=n_starts))
    check_estimable(*search.larger)
    rng = generator(rng)
    alternative = _alternative(null, rng)
    statistic = max(2.0 * (alternative.llf - null.llf), 0.0)
    replicates = null_statistics(
        statistic,
        partial(_ratios, search, resampling(null.fitted, "parametric")),
        n_boot,
        search.batch_size,
        alpha if stop_early else None,
        rng,
        processes,
        progress,
    )
    return MonteCarloTest.of(TITLE, statistic, replicates, int(null.k), alpha, n_boot, alternative)


def _ratios(
    search: BatchSearch, make: Resample, generators: Sequence[np.random.Generator]
) -> np.ndarray:
    """Likelihood ratios of data sets drawn."""
    return 2.0 * search.pair_fits(make(generators), generators).gain


def _alternative(null: MixtureResults, rng: np.random.Generator) -> MixtureResultsWrapper:
    """The fit with k + 1 components: that of fit(), which starts from the null fit as well."""
    model, fewer = null.model.with_k(null.k + 1), Fewer(null.model.spec, null.unpacked, null.llf)
    source = replace(model.source, threads=1)
    with one_blas_thread():
        modes = seeded_modes(model.spec, source, SearchControl(), rng, fewer, model.pooled)
    record = FitRecord(modes, "em-newton", "weight")
    with warnings.catch_warnings():
        # Under the null hypothesis the extra component is hardly identified, as a rule.
        warnings.simplefilter("ignore")
        results = MixtureResults(model, record, modes.selected, "nonrobust", None, False)
    return MixtureResultsWrapper(results)


@refuses_unknown
def sequential_lrt(
    results: MixtureResults | MixtureResultsWrapper,
    n_boot: int = 199,
    *,
    max_k: int = 6,
    alpha: float = 0.05,
    n_starts: int = 100,
    rng: Any = 0,
    threads: int | None = None,
    progress: bool | None = None,
) -> list[MonteCarloTest]:
    """Test k against k + 1 components, then k + 1 against k + 2, until one is not refused.

    Parameters
    ----------
    results : MixtureResults
        The fit to begin with, most often with one component.
    max_k : int
        The last number of components that is tested.
    n_boot, alpha, n_starts, rng, threads, progress
        As for `bootstrap_lrt`.

    Returns
    -------
    list of MonteCarloTest
        One for each k tested. The last one's ``k`` is the number of components found, unless it
        is ``max_k`` and refused too.

    Raises
    ------
    SmmixError
        As `bootstrap_lrt`.

    Notes
    -----
    The chance to find more components than there are is at most ``alpha``, since the tests end at
    the first true k that is not refused.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> from smmix.order_tests import sequential_lrt
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=1).fit()
    >>> [test.k for test in sequential_lrt(results, n_boot=19, max_k=1)]
    [1]
    """
    check_whole("max_k", max_k)
    null = checked_null(results, "sequential_lrt")
    if null.k > max_k:
        raise SmmixError(f"The fit has k={null.k} components but max_k is {max_k}; raise max_k.")
    rng = generator(rng)
    tests: list[MonteCarloTest] = []
    while not tests or (tests[-1].rejected and tests[-1].k < max_k):
        tests.append(
            bootstrap_lrt(
                tests[-1].alternative if tests else null,
                n_boot,
                alpha=alpha,
                n_starts=n_starts,
                rng=rng,
                threads=threads,
                progress=progress,
            )
        )
    return tests
