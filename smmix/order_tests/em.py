"""The EM test of the number of components."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from smmix.core.components import RowComponents
from smmix.core.memory import MemorySource
from smmix.core.mixture import project
from smmix.core.params import MixtureParams, concatenate
from smmix.core.scale import spread
from smmix.core.statistics import EStats
from smmix.errors import SmmixError
from smmix.fit.estimable import check_estimable
from smmix.fit.from_fewer import moved_apart, twins
from smmix.fit.run import one_blas_thread
from smmix.mixing.constant import constant_logits
from smmix.order_tests.batches import BatchSearch, NullFits
from smmix.order_tests.checks import checked_fraction, checked_null
from smmix.order_tests.monte_carlo import MonteCarloTest, null_statistics
from smmix.resampling.replicates import BatchObjective
from smmix.resampling.samples import Resample, members, resampling
from smmix.results import MixtureResults, MixtureResultsWrapper
from smmix.search.policy import ORDER_TEST
from smmix.support.arguments import refuses_unknown
from smmix.support.checks import MOST_RUNS, check_flag, check_whole, generator, listed
from smmix.support.processes import processes_for

__all__ = ["em_test"]

TITLE = "EM Test"
#: EM passes with the proportion of the halves held.
HELD_PASSES = 50


@refuses_unknown
def em_test(
    results: MixtureResults | MixtureResultsWrapper,
    n_boot: int = 199,
    *,
    proportions: Sequence[float] = (0.1, 0.3, 0.5),
    n_steps: int = 3,
    alpha: float = 0.05,
    stop_early: bool = True,
    rng: Any = 0,
    threads: int | None = None,
    progress: bool | None = None,
) -> MonteCarloTest:
    """EM test of k against k + 1 components.

    Each component of the null fit is split in two at fixed proportions; a few EM steps that let
    the proportions go follow, and the best of these fits is compared with the null fit. Fixing
    the proportion first keeps the statistic away from the places where the likelihood ratio
    misbehaves: components of hardly any weight or spread [1]_, [2]_.

    Parameters
    ----------
    results : MixtureResults
        The fit with k components, the null hypothesis.
    n_boot : int
        Most data sets drawn from it for the null distribution.
    proportions : sequence of float
        Share of a component's weight that its first half gets, between 0 and 1/2.
    n_steps : int
        EM steps with free proportions.
    alpha, stop_early, rng, threads, progress
        As for `bootstrap_lrt`.

    Returns
    -------
    MonteCarloTest
        ``statistic``, ``pvalue``, ``mc_error``, ``replicates``, ``rejected``, ``summary()``.

    Raises
    ------
    SmmixError
        For a model with concomitant variables, for which the test is not known; and as
        `bootstrap_lrt`.

    Notes
    -----
    The statistic is 2 (l - l0), with l the log-likelihood after the last step, largest over the
    components split, the proportions, and starting directions along every coefficient and sigma.
    Variances are kept from collapsing by Chen and Tan's penalty towards the variance of the
    component that was split, of strength n^(-1/2). Its distribution is simulated from the null
    fit, as Kasahara and Shimotsu do for more than a few components.

    References
    ----------
    .. [1] Chen, J. and Li, P. (2009). Hypothesis test for normal mixture models: the EM approach.
       Annals of Statistics 37, 2523-2542.
    .. [2] Kasahara, H. and Shimotsu, K. (2015). Testing the number of components in normal mixture
       regression models. Journal of the American Statistical Association 110, 1632-1645.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> from smmix.order_tests import em_test
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=1).fit()
    >>> em_test(results, n_boot=19).pvalue
    0.05
    """
    null = checked_null(results, "em_test")
    check_whole("n_boot", n_boot, most=MOST_RUNS)
    check_whole("n_steps", n_steps, most=MOST_RUNS)
    checked_fraction("alpha", alpha)
    check_flag("stop_early", stop_early)
    processes = processes_for(threads)
    if null.fitted.specification.spec.random is not None:
        raise SmmixError(
            "em_test is not known for components with random effects; use bootstrap_lrt."
        )
    if null.fitted.specification.outcomes:
        raise SmmixError("em_test is not known for several outcomes; use bootstrap_lrt.")
    if null.fitted.specification.concomitant_names is not None:
        raise SmmixError(
            "em_test is not known for component probabilities that depend on concomitant "
            "variables; use bootstrap_lrt."
        )
    shares = [
        checked_fraction("each of proportions", share)
        for share in listed("proportions", proportions, "shares")
    ]
    if not shares:
        raise SmmixError("proportions is empty; give at least one number such as 0.5.")
    test = _Splits(BatchSearch(null, ORDER_TEST), shares, n_steps)
    check_estimable(*test.search.larger)
    rng = generator(rng)
    with one_blas_thread():
        statistic = float(test.statistics(test.search.observed(), rng.spawn(1))[0])
    replicates = null_statistics(
        statistic,
        partial(_statistics, test, resampling(null.fitted, "parametric")),
        n_boot,
        test.search.batch_size,
        alpha if stop_early else None,
        rng,
        processes,
        progress,
    )
    return MonteCarloTest.of(TITLE, statistic, replicates, int(null.k), alpha, n_boot)


def _statistics(
    test: _Splits, make: Resample, generators: Sequence[np.random.Generator]
) -> np.ndarray:
    """Statistics of data sets drawn."""
    return test.statistics(make(generators), generators)


class _Splits:
    """Null fits with one component split, and what the likelihood gains by it."""

    def __init__(self, search: BatchSearch, shares: list[float], n_steps: int):
        self.search, self.shares, self.n_steps = search, shares, n_steps
        self.spec = search.large_spec
        self.strength = search.n_rows**-0.5

    def statistics(
        self, natural: MemorySource, generators: Sequence[np.random.Generator]
    ) -> np.ndarray:
        """The statistic of each data set of a batch."""
        null = self.search.null_fits(natural, generators)
        best = null.loglike.copy()
        for c, doubled in enumerate(twins(null.params, null.source)):
            params, share = self._begun(doubled, c)
            owner = np.tile(np.arange(best.size), share.size // best.size)
            loglike = self._climbed(null, params, share, c, owner)
            np.maximum.at(best, owner, np.where(np.isfinite(loglike), loglike, -np.inf))
        return 2.0 * (best - null.loglike)

    def _begun(self, doubled: MixtureParams, c: int) -> tuple[MixtureParams, np.ndarray]:
        """Splits of component c in every direction at every proportion; the proportions."""
        size, axes = doubled.size, doubled.coef.shape[2] + 1
        parts, shares = [], []
        for share in self.shares:
            for axis in range(axes):
                for sign in (1.0, -1.0):
                    direction = np.zeros((size, axes))
                    direction[:, axis] = sign
                    scale = self.search.whole.x_scale
                    parts.append(moved_apart(self.spec, scale, doubled, c, direction))
                    shares.append(np.full(size, share))
        return concatenate(parts), np.concatenate(shares)

    def _climbed(
        self,
        null: NullFits,
        params: MixtureParams,
        share: np.ndarray,
        c: int,
        owner: np.ndarray,
    ) -> np.ndarray:
        """Log-likelihood after EM with the proportion held, then free."""
        objective = BatchObjective(
            self.spec,
            members(null.source, owner),
            self.search.whole.x_scale,
            self.search.whole.z_scale,
        )
        parents = np.r_[np.arange(null.params.k), c]
        target = spread(self.spec.family, null.params.nuisance[owner][:, parents])
        params = self._with_share(params, objective.expectations(params), share, c)
        for step in range(HELD_PASSES + self.n_steps):
            stats = objective.expectations(params)
            params = self._m_step(params, stats, target)
            if step < HELD_PASSES:
                params = self._with_share(params, stats, share, c)
        loglike: np.ndarray = objective.expectations(params).loglike
        return loglike

    def _m_step(self, params: MixtureParams, stats: EStats, target: np.ndarray) -> MixtureParams:
        """EM step with spreads drawn a little towards those of the components split."""
        new = self.spec.m_step(params, stats)
        if self.spec.bounded:
            return project(self.spec, new)
        spec = self.spec
        drawn = RowComponents(spec.family, spec.shared, spec.coef_basis, target)
        _, nuisance = drawn.update(params, stats.component, self.strength)
        return MixtureParams(new.coef, nuisance, new.mixing)

    @staticmethod
    def _with_share(
        params: MixtureParams, stats: EStats, share: np.ndarray, c: int
    ) -> MixtureParams:
        """The same with the proportion of the halves (components c and the last) as given."""
        counts = stats.prior.counts.copy()
        both = counts[:, c] + counts[:, -1]
        counts[:, c], counts[:, -1] = share * both, (1.0 - share) * both
        return MixtureParams(params.coef, params.nuisance, constant_logits(counts)[:, :, None])
