"""Many data sets fitted together: each climbs from the fit they resemble, along one batch axis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
from scipy.optimize import linear_sum_assignment

from smmix.core.blocks import Block
from smmix.core.linalg import solve_gram
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams, concatenate
from smmix.core.scale import relative_spread
from smmix.core.source import Source
from smmix.core.statistics import ComponentStats
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.resampling.samples import Redraw, Resample, member_rows, members
from smmix.search import rule
from smmix.search.control import SearchControl
from smmix.search.coordinates import Coordinates, pooled_fit, working_setting
from smmix.search.em import EMControl, EMStatus, Objective, expectation_maximisation, newton
from smmix.search.labelling import exchangeable
from smmix.search.modes import COMPARED_UNITS, judged, unit_loglike
from smmix.search.policy import FIT, LOST, PENALTY
from smmix.search.search import find_modes
from smmix.sources.reweighted import ReweightedSource
from smmix.support.processes import shared
from smmix.support.progress import Report

__all__ = ["Outcome", "Replicator", "Stop", "batch_size", "run_batches"]

#: EM passes from the fit before Newton: they cost a tenth of Newton's.
WARM_PASSES = 8
#: Most iterations of Newton; a replicate that needs more is searched afresh.
MAXITER = 100
#: A rival mode is tried when it is at most so many standard errors behind the fit ..
RIVAL_ERRORS = 3.0
#: .. and so many of them at most.
RIVALS = 3
#: A candidate replaces another when its log-likelihood is higher by this.
HIGHER = 1e-6
#: Component densities that a batch evaluates at once, and the most replicates in it.
BATCH_DENSITIES, BATCH = 1 << 15, 50
#: Replicates that share a pass over rows that are not in memory.
LARGE_BATCH = 20


def batch_size(fitted: Fitted) -> int:
    """Replicates that are best fitted together: many when they are small, or read from disk."""
    if not fitted.data.in_memory:
        return LARGE_BATCH
    return int(np.clip(BATCH_DENSITIES // (fitted.data.source.n_rows * fitted.k), 1, BATCH))


class Outcome(NamedTuple):
    """Fits of a batch of replicates.

    Attributes
    ----------
    params : ndarray, (S, V)
        Visible parameters, relabelled to the fit.
    loglike : ndarray, (S,)
    status : list of str
        "converged", or why the replicate failed.
    start : list of str
        Where the fit of the replicate came from: "fit", "rival mode" or "search".
    """

    params: np.ndarray
    loglike: np.ndarray
    status: list[str]
    start: list[str]


class Candidates(NamedTuple):
    """One fit (working coordinates) for each replicate of a batch."""

    params: MixtureParams
    loglike: np.ndarray  # (S,) in the units of the response
    status: np.ndarray  # (S,) of str
    start: np.ndarray  # (S,) of str

    def or_better(self, other: Candidates) -> Candidates:
        """For each replicate the sound one, and of two sound ones the higher."""
        sound, others = self.status == "converged", other.status == "converged"
        keep = np.where(sound == others, other.loglike <= self.loglike + HIGHER, sound)
        return Candidates(
            self.params.where(keep, other.params),
            *(np.where(keep, a, b) for a, b in zip(self[1:], other[1:], strict=True)),
        )


@dataclass(frozen=True)
class BatchObjective(Objective):
    """A mixture on a batch of data sets, one for each parameter set."""

    def members(self, index: np.ndarray) -> BatchObjective:
        if isinstance(self.source, ReweightedSource):
            return replace(self, source=self.source.members(index))
        return replace(self, source=members(cast(MemorySource, self.source), index))


class Replicator:
    """Fits replicates of the data of a fitted mixture.

    Parameters
    ----------
    results : MixtureResults
    make : callable
        See `smmix.resampling.resampling`, and `drawn_on_each_pass` for rows not in memory.
    n_starts : int
        Starts of a search in every replicate beside the climb from the fit; with none the search
        is made where that climb fails.
    tick : callable
        Called after every pass over a batch, with whatever is reported; may raise to stop.
    """

    def __init__(
        self, results: Fit, make: Resample | Redraw, n_starts: int, tick: Callable[..., None]
    ):
        fitted = fitted_of(results)
        specification, data = fitted.specification, fitted.data
        source = replace(data.source, threads=1) if data.in_memory else data.source
        self.specification, self.in_memory = specification, data.in_memory
        self.make, self.n_starts, self.tick = make, n_starts, tick
        setting = working_setting(specification.spec, source, data.pooled)
        self.coordinates: Coordinates = setting.coordinates
        self.objective: Objective = setting.objective
        self.penalty = PENALTY / setting.n_rows
        self.fit = self.coordinates.to_working(fitted.unpacked)
        self.rivals = self._rivals(fitted)
        self.sets = exchangeable(specification.spec, specification.told_apart)

    def _rivals(self, fitted: Fitted) -> MixtureParams:
        """Sound modes of the data that another sample could have put before the fit."""
        modes = fitted.modes
        others = [mode for i, mode in enumerate(modes.modes) if i != fitted.row]
        sound = [mode.params for mode in others if not mode.degenerate]
        if fitted.row != modes.selected or not sound:
            return self.fit.take(slice(0, 0))
        rivals = self.coordinates.to_working(concatenate(sound))
        spec, n_units = self.objective.spec, self.objective.source.n_units
        drawn = n_units if self.in_memory else COMPARED_UNITS
        source = self.objective.source.sample(drawn, np.random.default_rng(0))
        loglike = unit_loglike(spec, concatenate([self.fit, rivals]), source)
        if source.weight is not None:
            loglike = loglike * source.weight
        behind = loglike[0] - loglike[1:]
        error = behind.std(axis=1) / np.sqrt(n_units)
        near = np.flatnonzero(behind.mean(axis=1) <= RIVAL_ERRORS * error)
        return rivals.take(near[:RIVALS])

    def run(self, seeds: Sequence[np.random.SeedSequence]) -> Outcome:
        """Make and fit one replicate for each seed."""
        generators = [np.random.default_rng(seed) for seed in seeds]
        natural, rows = self._data_sets(seeds, generators)
        whole = self.objective
        objective = BatchObjective(whole.spec, rows, whole.x_scale, whole.z_scale)
        best = self._climb(objective, self.fit, len(seeds), "fit")
        for i in range(self.rivals.size):
            rival = self.rivals.take(slice(i, i + 1))
            best = best.or_better(self._climb(objective, rival, len(seeds), "rival mode"))
        searched = best.status != "converged"
        if self.n_starts:
            searched[:] = True
        if natural is not None:
            for s in np.flatnonzero(searched).tolist():
                found = self._search(member_rows(natural, s), generators[s])
                if found is not None:
                    best = self._offer(objective, best, s, *found)
        params = self.coordinates.from_working(self._relabelled(best.params))
        specification = self.specification
        visible = specification.parameters.of_full(specification.layout.pack(params))
        if specification.equalities is not None:
            visible = specification.equalities.map.full(visible[:, specification.equalities.free])
        return Outcome(visible, best.loglike, list(best.status), list(best.start))

    def _data_sets(
        self, seeds: Sequence[np.random.SeedSequence], generators: list[np.random.Generator]
    ) -> tuple[MemorySource | None, Source]:
        """The data sets as they are, where they can be held, and in working coordinates."""
        if not self.in_memory:
            numbers = [int(seed.generate_state(1, np.uint64)[0]) for seed in seeds]
            return None, cast("Redraw", self.make)(self.objective.source, numbers)
        natural = cast("Resample", self.make)(generators)
        return natural, self.coordinates.rows(replace(natural, threads=1))

    # -- one climb ------------------------------------------------------------------------------

    def _climb(
        self, objective: BatchObjective, origin: MixtureParams, size: int, start: str
    ) -> Candidates:
        """All replicates from one parameter set to their modes."""
        params = MixtureParams(*(np.repeat(part, size, axis=0) for part in origin))
        if self.specification.em_keeps_restrictions:
            control = EMControl(penalty=self.penalty, report=self.tick)
            ascent = expectation_maximisation(objective, params, control, WARM_PASSES)
            params = ascent.params.where(np.isfinite(ascent.loglike), params)
        control = EMControl(MAXITER, polish=False, report=self.tick)
        ascent = newton(objective, params, control)
        return self._assessed(objective, ascent.params, ascent.status, start)

    def _assessed(
        self,
        objective: BatchObjective,
        params: MixtureParams,
        status: list[EMStatus],
        start: str,
    ) -> Candidates:
        """What the replicates' fits are worth."""
        stats = objective.expectations(params)
        sizes = stats.component.nobs
        ratio = relative_spread(objective.spec.family, params.nuisance)
        told = judged(objective.spec, params, sizes)
        reasons = [str(rule.reason(told, ratio, sizes, s)) for s in range(params.size)]
        identified = is_identified(objective.spec, params, stats.component)
        words = []
        for how, reason, good in zip(status, reasons, identified, strict=True):
            if reason:
                words.append(reason)
            elif how not in (EMStatus.CONVERGED, EMStatus.BOUNDARY):
                words.append(how.value)
            else:
                words.append("converged" if good else "a coefficient is not identified")
        shift = stats.component.nobs.sum(axis=1) * np.log(self.coordinates.scale)
        origin = np.full(len(words), start, object)
        return Candidates(params, stats.loglike - shift, np.array(words, object), origin)

    # -- a search of one replicate --------------------------------------------------------------

    def _search(
        self, rows: MemorySource, rng: np.random.Generator
    ) -> tuple[MixtureParams, EMStatus] | None:
        """The best mode of a replicate from fresh starts; None where there is nothing to find."""
        pooled = pooled_fit(rows)
        exact = self.specification.family.location_scale and not pooled.spread > 0.0
        if exact or not solve_gram(pooled.gram, np.zeros(rows.n_columns))[1]:
            return None
        policy = replace(FIT, n_starts=self.n_starts) if self.n_starts else LOST
        control = SearchControl(policy, progress=self.tick)
        modes = find_modes(self.specification.spec, rows, control, rng, pooled=pooled)
        mode = modes.modes[modes.selected]
        return self.coordinates.to_working(mode.params), mode.status

    def _offer(
        self,
        objective: BatchObjective,
        best: Candidates,
        position: int,
        params: MixtureParams,
        status: EMStatus,
    ) -> Candidates:
        """The best fits with another candidate for the replicate at ``position``."""
        at = np.array([position])
        found = self._assessed(objective.members(at), params, [status], "search")
        held = Candidates(best.params.take(at), *(part[at] for part in best[1:]))
        chosen = held.or_better(found)
        for mine, theirs in zip(best.params, chosen.params, strict=True):
            mine[at] = theirs
        for mine, theirs in zip(best[1:], chosen[1:], strict=True):
            mine[at] = theirs
        return best

    # -- from working coordinates to the user's -------------------------------------------------

    def _relabelled(self, params: MixtureParams) -> MixtureParams:
        """The components numbered so that their posteriors agree best with those of the fit."""
        if all(len(members) == 1 for members in self.sets):
            return params
        spec, both = self.objective.spec, concatenate([self.fit, params])

        def step(block: Block) -> np.ndarray:
            posterior = spec.posterior(both, block)[0]
            weighted = posterior[0] if block.weight is None else posterior[0] * block.weight
            return posterior[1:] @ weighted.T

        agreement = self.objective.source.reduce(step, both.size * both.k)
        orders = np.stack([best_order(table, self.sets) for table in agreement])
        for order in np.unique(orders, axis=0):
            at = np.flatnonzero((orders == order).all(axis=1))
            moved = params.take(at).permute(order)
            for mine, theirs in zip(params, moved, strict=True):
                mine[at] = theirs
        return params


def best_order(agreement: np.ndarray, sets: list[np.ndarray]) -> np.ndarray:
    """Component to be called c, (k,), from the agreement of component d with c, (k, k) [d, c].

    Only the components of a set of exchangeable ones change names.
    """
    order = np.arange(len(agreement))
    for members_ in sets:
        found, name = linear_sum_assignment(agreement[np.ix_(members_, members_)], maximize=True)
        order[members_[name]] = members_[found]
    return order


def is_identified(spec: MixtureSpec, params: MixtureParams, stats: ComponentStats) -> np.ndarray:
    """Whether the rows that each component holds determine the coefficients, (S,)."""
    gram = stats.xwx
    if spec.coef_basis is not None:
        k, p = params.coef.shape[1:]
        basis = spec.coef_basis.reshape(k, p, -1)
        gram = np.einsum("kpa,skpq,kqb->sab", basis, gram, basis)[:, None]
    return np.asarray(solve_gram(gram, np.zeros(gram.shape[:-1]))[1].all(axis=1))


class StoppedError(Exception):
    """Raised within a batch that nobody waits for any more."""


class Stop:
    """A flag that ends the batches under way in this process after their current pass."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def check(self, *_: object) -> None:
        if self.event.is_set():
            raise StoppedError

    def __reduce__(self) -> tuple[type[Stop], tuple[()]]:
        return Stop, ()


def run_batches(
    work: Callable[[list[np.random.SeedSequence]], Outcome],
    batches: list[list[np.random.SeedSequence]],
    processes: int,
    stop: Stop,
    report: Report | None,
) -> dict[int, Outcome]:
    """Outcomes by the number of their batch; those that Ctrl-C left undone are missing."""
    outcomes: dict[int, Outcome] = {}
    total, done = sum(map(len, batches)), 0
    with closing(shared(work, batches, processes)) as found:
        try:
            for number, outcome in found:
                outcomes[number] = outcome
                done += len(batches[number])
                if report is not None:
                    report("replicates", done, total, np.nan)
        except KeyboardInterrupt:
            if not outcomes:
                raise
        finally:
            stop.event.set()
    return outcomes
