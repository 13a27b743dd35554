"""A confidence set for the number of components by universal inference."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.errors import SmmixError
from smmix.fit.held_out import check_part, held_out
from smmix.fit.run import one_blas_thread
from smmix.model import MixtureRegression
from smmix.order_tests.checks import checked_fraction
from smmix.reporting.tables import MixtureSummary, Section
from smmix.resampling.draws import observations
from smmix.search.control import SearchControl
from smmix.search.modes import Modes
from smmix.search.policy import CONFIDENCE_SET
from smmix.search.search import find_modes
from smmix.support.arguments import refuses_unknown
from smmix.support.checks import MOST_RUNS, check_whole, generator
from smmix.support.processes import processes_for, shared
from smmix.support.progress import progress_bar

__all__ = ["ConfidenceSetK", "confidence_set_k"]


@dataclass(frozen=True, eq=False)
class ConfidenceSetK:
    """A confidence set for the number of components: all k of at least ``lower``.

    Attributes
    ----------
    lower : int
        Smallest number of components that is not refused; ``max_k`` + 1 when all are.
    table : DataFrame, index k
        ``log_e``, the logarithm of the e-value against "at most k components"; ``pvalue``,
        min(1, 1 / e); ``in_set``.
    alpha : float
        The set holds the true number with probability 1 - alpha or more.
    """

    lower: int
    table: pd.DataFrame
    alpha: float

    def __contains__(self, k: object) -> bool:
        return isinstance(k, int | np.integer) and bool(k >= self.lower)

    def summary(self) -> MixtureSummary:
        """The table, with the confidence set.

        Returns
        -------
        MixtureSummary
            Prints as text, HTML, LaTeX or CSV.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> model = smmix.from_formula("foodexp ~ income", data)
        >>> found = smmix.confidence_set_k(model, max_k=2)
        >>> found.summary().as_text().splitlines()[0].strip()
        'Universal Confidence Set for k'
        """
        left = [("Level:", f"{1.0 - self.alpha:g}")]
        right = [("Confidence set:", f"k >= {self.lower}")]
        rows = [
            [str(k), f"{row['log_e']:.3f}", f"{row['pvalue']:.4f}", "yes" if row["in_set"] else ""]
            for k, row in self.table.iterrows()
        ]
        section = Section(["At most k", "log e-value", "p-value", "In set"], rows)
        return MixtureSummary("Universal Confidence Set for k", left, right, [[section]], [])

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())


@refuses_unknown
def confidence_set_k(
    model: MixtureRegression,
    *,
    max_k: int = 5,
    alpha: float = 0.05,
    n_splits: int = 5,
    n_starts: int = 50,
    rng: Any = 0,
    threads: int | None = None,
    progress: bool | None = None,
) -> ConfidenceSetK:
    """Numbers of components that the data do not refuse, valid in samples of any size.

    The data are halved at random. One half gives a density, the mixture with as many components
    as BIC likes; its likelihood in the other half, over the largest there with at most k
    components, has an expectation of at most one when k components are enough: it is an e-value,
    and k is refused when it exceeds 1 / alpha [1]_. No regularity conditions and no simulation
    are needed. More components always fit better, so that the set has no upper end.

    Parameters
    ----------
    model : MixtureOLS
        Any number of components; data and options are taken.
    max_k : int
        Largest k that is tested.
    alpha : float
        One minus the confidence level.
    n_splits : int
        Halvings; each is used both ways, and the e-values are averaged, which keeps the level.
    n_starts, rng, progress
        As for `MixtureOLS.fit`.
    threads : int, optional
        Processes that share the halves where they last some seconds; by default one for each
        processor. The result does not depend on it.

    Returns
    -------
    ConfidenceSetK
        ``lower``, ``table``, ``summary()``; ``3 in result`` works.

    Raises
    ------
    SmmixError
        If half of the rows are too few for ``max_k``; with sampling weights, which leave no
        likelihood; and for models with restrictions of single components.

    Notes
    -----
    The level holds if the largest likelihood under the null hypothesis is found: too low a mode
    would make the e-value too large. All modes found count for it, degenerate ones as well, which
    errs on the safe side. With free variances the likelihood has no upper bound, and the set is
    for mixtures whose sigmas are not further apart than those that a search can find. The price
    of the generality is power: expect fewer components to be refused than by `bootstrap_lrt`.

    References
    ----------
    .. [1] Wasserman, L., Ramdas, A. and Balakrishnan, S. (2020). Universal inference. Proceedings
       of the National Academy of Sciences 117, 16880-16890.

    Examples
    --------
    >>> import smmix
    >>> from smmix.order_tests import confidence_set_k
    >>> sim = smmix.simulate_mixture(n=200, coef=[[0, 3], [8, -3]], rng=1)
    >>> confidence_set_k(smmix.from_formula("y ~ x1", sim.frame), max_k=2, n_splits=1).lower
    2
    """
    _check_model(model)
    check_whole("max_k", max_k)
    checked_fraction("alpha", alpha)
    check_whole("n_splits", n_splits, most=MOST_RUNS)
    check_whole("n_starts", n_starts, most=MOST_RUNS)
    halves = _Halves(model, max_k, n_splits, generator(rng))
    search = partial(
        _searched,
        halves.source,
        [larger.spec for larger in halves.models],
        SearchControl(replace(CONFIDENCE_SET, n_starts=n_starts)),
    )
    fits: dict[int, list[Modes]] = {}
    with (
        progress_bar(progress) as report,
        one_blas_thread(),
        closing(shared(search, halves.tasks, processes_for(threads))) as searched,
    ):
        for number, found in searched:
            fits[number] = found
            if report is not None:
                report("halves", len(fits), len(halves.tasks), np.nan)
    logs = halves.log_evidence([fits[number] for number in range(len(fits))])
    evidence = logsumexp(np.array(logs), axis=0) - np.log(len(logs))
    inside = evidence <= -np.log(alpha)
    table = pd.DataFrame(
        {
            "log_e": evidence,
            "pvalue": np.exp(-np.maximum(evidence, 0.0)),
            "in_set": inside,
        },
        index=pd.RangeIndex(1, max_k + 1, name="k"),
    )
    return ConfidenceSetK(int((~inside).sum()) + 1, table, alpha)


def _check_model(model: Any) -> None:
    if not isinstance(model, MixtureRegression):
        raise SmmixError(f"confidence_set_k needs a MixtureOLS model, not {type(model).__name__}.")
    if model.specification.sampled:
        raise SmmixError(
            "With sampling weights there is no likelihood, so confidence_set_k has no level."
        )
    if not model.observed.in_memory:
        raise SmmixError("confidence_set_k needs the rows in memory; use a sample of them.")


def _observations(model: MixtureRegression) -> MemorySource:
    """The data with one unit for each observation that frequency weights count."""
    source: MemorySource = model.source
    frequency = model.design.freq_weights
    if frequency is None or source.group is not None:
        return source
    if (frequency != np.rint(frequency)).any():
        raise SmmixError(
            "confidence_set_k takes the observations apart that freq_weights count, so they must "
            "be whole numbers."
        )
    return replace(source.take_units(observations(frequency, frequency.size)), weight=None)


def _searched(
    source: MemorySource,
    specs: list[MixtureSpec],
    control: SearchControl,
    half: tuple[np.ndarray, np.random.Generator],
) -> list[Modes]:
    """Modes with 1, 2, .. components in some units, each from those with one component fewer."""
    units, rng = half
    rows, found = source.take_units(units), list[Modes]()
    for spec in specs:
        fewer = found[-1].modes[found[-1].selected].params if found else None
        found.append(find_modes(spec, rows, control, rng, fewer=fewer))
    return found


class _Halves:
    """Random halves of a model's units, one after the other, and what fits to them say."""

    def __init__(
        self, model: MixtureRegression, max_k: int, n_splits: int, rng: np.random.Generator
    ):
        self.models = [model.specification.with_k(k) for k in range(1, max_k + 1)]
        self.source = _observations(model)
        orders = [rng.permutation(self.source.n_units) for _ in range(n_splits)]
        units = [np.sort(part) for order in orders for part in np.array_split(order, 2)]
        self.tasks = list(zip(units, rng.spawn(len(units)), strict=True))
        for number in range(len(units)):
            rows = self.rows(number)
            for larger in self.models:
                check_part(larger, rows, "Half of the data")

    def rows(self, number: int) -> MemorySource:
        """One of the halves."""
        return self.source.take_units(self.tasks[number][0])

    def log_evidence(self, fits: list[list[Modes]]) -> list[np.ndarray]:
        """Log e-values (max_k,) against at most 1, 2, .. components, from each half."""
        out = []
        for one in range(len(fits)):
            other = one ^ 1
            chosen = self._chosen(fits[one], self.rows(one).n_rows)
            params = chosen.modes[chosen.selected].params
            alternative = held_out(self.models[params.k - 1], params, self.rows(other))
            largest = [max(mode.loglike for mode in fit.modes) for fit in fits[other]]
            out.append(alternative - np.maximum.accumulate(largest))
        return out

    def _chosen(self, fits: list[Modes], n_rows: int) -> Modes:
        """The fit of smallest BIC among those that are not degenerate."""
        best, lowest = fits[0], np.inf
        for model, fit in zip(self.models, fits, strict=True):
            mode = fit.modes[fit.selected]
            bic = -2.0 * mode.worth + model.n_free * np.log(n_rows)
            if not mode.degenerate and bic < lowest:
                best, lowest = fit, bic
        return best
