"""The search for the highest mode: many short runs together, the best to the end by Newton."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from smmix.core.family_list import FamilyList
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec, project
from smmix.core.params import MixtureParams
from smmix.core.source import Source
from smmix.search.control import SearchControl
from smmix.search.coordinates import PooledFit
from smmix.search.em import (
    EMControl,
    expectation_maximisation,
    newton,
)
from smmix.search.ending import RANKING_SCORE, SAME_MODE, Ending
from smmix.search.labelling import relabelled
from smmix.search.modes import (
    Modes,
    compared,
    distinct,
    is_degenerate,
    posteriors,
)
from smmix.search.moves import move_starts, number_of_moves
from smmix.search.patience import clear, patience
from smmix.search.pilot import Pilot
from smmix.search.runs import Runs
from smmix.search.starts import (
    agree_with_known,
    default_starts,
    fresh_starts,
    params_from_labels,
    params_from_posterior,
)
from smmix.search.state import SearchState

__all__ = ["SearchControl", "climb", "find_modes"]

#: Degenerate short runs that are followed beside the others.
FOLLOWED_DEGENERATE = 4
#: Best runs that are followed, one start or many, where most starts of a clear case have met.
PROMINENT = 5
#: Columns from which short runs make rough steps, without products of the columns.
MANY_COLUMNS = 12
#: Modes that moves start from, and the share of the moves that is followed.
MOVED, MOVES_FOLLOWED = 4, 1 / 8
#: Rows for each parameter, and least and most rows, of the sample on which starts are followed to
#: modes. These are then compared on so many rows, but on no more than this share of all.
PILOT_ROWS_PER_PARAMETER, PILOT_ROWS = 80, (1500, 4000)
SECOND_ROWS, SECOND_SHARE = 20000, 1 / 4
#: Runs under all names of the components that are followed, where it matters what they are called.
MOST_RELABELLED = 40
#: EM passes and Newton iterations when modes are only to be ranked.
RANKING_PASSES, RANKING_ITERATIONS = 6, 8
#: Most iterations that bring modes from which moves start to their maxima, and times that others
#: take the places of those that turn out to be none.
SETTLED, SETTLING_ITERATIONS = 2, 20
#: Mean absolute difference of the units' log-likelihoods under runs that are as good as the same.
SAME_RUN = 0.02
#: Log-likelihood by which a mode is better than another, not the same one nearer to its maximum.
BETTER = 1e-3
#: A mode that is this many standard errors behind on a sample is not followed on all rows.
HOPELESS = 6.0
#: Degenerate modes of a sample that are followed on all rows.
DEGENERATE_ON_ALL_ROWS = 2


def find_modes(
    spec: MixtureSpec,
    source: Source,
    control: SearchControl,
    rng: np.random.Generator,
    starts: np.ndarray | None = None,
    pooled: PooledFit | None = None,
    fewer: MixtureParams | None = None,
) -> Modes:
    """Find the modes of a mixture's likelihood.

    Parameters
    ----------
    spec : MixtureSpec
    source : Source
    control : SearchControl
    rng : Generator
    starts : ndarray, (S, K, u), optional
        Posteriors to start from; by default starts of all kinds together.
    pooled : PooledFit, optional
        One regression of all rows, when it is known already.
    fewer : MixtureParams, optional
        The best mode with one component fewer (natural coordinates), from which some starts are
        made; by default it is searched for.

    Returns
    -------
    Modes
    """
    return _Search(SearchState(spec, source, control, rng, pooled), fewer).run(starts)


def climb(
    spec: MixtureSpec,
    source: Source,
    params: MixtureParams,
    control: SearchControl,
    pooled: PooledFit | None = None,
) -> Modes:
    """Climb from given parameters (natural coordinates) to their mode; labels stay.

    Where the penalty led a run down, it begins at the parameters.
    """
    state = SearchState(spec, source, control, np.random.default_rng(0), pooled)
    search, begun = _Search(state), project(state.spec, state.coordinates.to_working(params))
    runs = search.short(Runs.fresh(begun), state.source, state.spec)
    fallen = np.array([trace[-1][1] < trace[0][1] for trace in runs.traces])
    return search.ending.finish(replace(runs, params=begun.where(fallen, runs.params)))


class _Search:
    """One search: the stages on ever more rows."""

    def __init__(self, state: SearchState, fewer: MixtureParams | None = None):
        self.state, self.ending = state, Ending(state)
        self.fewer = None if fewer is None else state.coordinates.to_working(fewer)

    def run(self, starts: np.ndarray | None) -> Modes:
        if self.state.spec.layout.k == 1:
            single = params_from_posterior(
                self.state.spec, self.state.source, np.ones((1, 1, 1)), 0.0
            )
            runs = Runs.fresh(single)
            if not self.state.spec.family.location_scale or self.state.spec.random is not None:
                runs = self.short(runs, self.state.source, self.state.spec)
            return self.ending.finish(runs)
        if starts is not None:
            source = cast(MemorySource, self.state.source)
            self.state.n_starts += len(starts)
            params = params_from_posterior(self.state.spec, source, starts, self.state.penalty)
            runs = self.short(Runs.fresh(project(self.state.spec, params)), source, self.state.spec)
            return self.ending.finish(
                self.follow(runs, source, self.state.spec, self.state.policy.followed)
            )
        rows = int(np.clip(PILOT_ROWS_PER_PARAMETER * self.state.spec.layout.size, *PILOT_ROWS))
        pilot = self.state.source.sample(self.state.units(rows), self.state.rng)
        for number in (self.state.policy.followed, self.state.policy.n_starts):
            runs = self.pilot_modes(pilot, self.state.spec, self.state.policy.n_starts, number)
            if pilot.n_units < self.state.source.n_units:
                runs = self.enlarge(runs, pilot)
            modes = self.ending.finish(runs)
            if self.state.interrupted or not modes.modes[modes.selected].degenerate:
                break
        return modes

    # -- on the pilot rows ----------------------------------------------------------------------

    def pilot_modes(
        self, pilot: MemorySource, spec: MixtureSpec, n_starts: int, number: int
    ) -> Runs:
        """Modes on the pilot rows, from short runs of every kind and moves from the best."""
        k = spec.layout.k
        data = Pilot.of(spec, pilot, self.state.coordinates.response(pilot))
        fewer = None
        if k > 2 and not isinstance(spec.family, FamilyList):
            smaller = replace(spec.free(), layout=replace(spec.layout, k=k - 1))
            free = replace(pilot, membership=None)
            best = self.fewer
            if best is None:
                half = max(n_starts // 2, 10)
                runs = self.pilot_modes(free, smaller, half, self.state.policy.followed)
                best = runs.params.take(slice(0, 1))
            fewer = posteriors(smaller, best, free)[0], best.coef[0]
        labels = default_starts(data, k, n_starts, fewer, self.state.rng)
        runs = self.short(self.begin(labels, pilot, spec), pilot, spec)
        # Whether the end of the search may come next, whose Newton steps settle the same runs.
        ends = (
            spec is self.state.spec and not self.state.named and self.state.control.method != "em"
        )
        ends &= pilot.n_units == self.state.source.n_units
        runs = self.follow(runs, pilot, spec, number, ends)
        return self.improve(runs, data, spec)

    def improve(self, runs: Runs, data: Pilot, spec: MixtureSpec) -> Runs:
        """Modes reached from the best by dropping a component and finding another [1]_.

        Goes on from better modes for as long as they are found.

        References
        ----------
        .. [1] Ueda, N., Nakano, R., Ghahramani, Z. and Hinton, G. E. (2000). SMEM algorithm for
           mixture models. Neural Computation 12, 2109-2128.
        """
        pilot, idle = data.source, 0
        runs, best = self.settled(runs, pilot, spec)
        while idle < self.rounds(runs, pilot, spec) and not self.state.interrupted:
            moved = self.begin(self.moves(runs, data, spec), pilot, spec)
            number = int(MOVES_FOLLOWED * moved.hits.size) + 1
            moved = self.short(moved, pilot, spec)
            moved = self.follow(moved, pilot, spec, number, hunt=False)
            runs, value = self.settled(runs.with_(moved), pilot, spec)
            idle = 0 if value > best + BETTER else idle + 1
            best = max(best, value)
        return runs

    def settled(self, runs: Runs, source: MemorySource, spec: MixtureSpec) -> tuple[Runs, float]:
        """Distinct runs of which the best sound ones are at their modes, and what the best has.

        After few iterations a component that shrinks without limit looks like a sharp one.
        """
        control = EMControl(SETTLING_ITERATIONS, RANKING_SCORE, self.state.penalty, False)
        runs, value = distinct(spec, source, runs, self.state.penalty, SAME_MODE)
        for _ in range(SETTLED):
            assert runs.degenerate is not None, "distinct runs know it"
            at = np.flatnonzero(~runs.degenerate)[:MOVED]
            if self.state.interrupted or not at.size:
                break
            best = runs.take(at)
            ascent = newton(self.state.objective(source, spec), best.params, control)
            best = self.state.after(best, ascent, source)
            runs = best.with_(runs.take(np.setdiff1d(np.arange(runs.hits.size), at)))
            runs, value = distinct(spec, source, runs, self.state.penalty, SAME_MODE)
            if not ascent.n_iter.any():
                break
        return runs, value

    def rounds(self, runs: Runs, source: MemorySource, spec: MixtureSpec) -> int:
        """Rounds of moves without a better mode before they end."""
        return min(patience(runs, source.n_rows, spec), self.state.policy.rounds)

    def moves(self, runs: Runs, data: Pilot, spec: MixtureSpec) -> np.ndarray:
        """Labels: each component of the best modes dropped in turn, and a new one found."""
        sound = np.flatnonzero(~self.state.degenerate(runs, data.source, spec))[:MOVED]
        params = runs.params.take(sound if sound.size else np.arange(1))
        posterior = posteriors(spec, params, data.source)
        number = number_of_moves(spec.layout.k, data.source.n_rows)
        moved = move_starts(data, posterior, params.coef, number // 2, self.state.rng)
        fresh = fresh_starts(data, spec.layout.k, number - number // 2, self.state.rng)
        return np.concatenate([moved, fresh])

    # -- stages ---------------------------------------------------------------------------------

    def begin(self, labels: np.ndarray, source: MemorySource, spec: MixtureSpec) -> Runs:
        """Runs from starting labels (S, u)."""
        if source.membership is not None:
            labels = agree_with_known(labels, source.membership)
        self.state.n_starts += len(labels)
        params = params_from_labels(spec, source, labels, self.state.penalty)
        return Runs.fresh(project(spec, params))

    def short(self, runs: Runs, source: Source, spec: MixtureSpec) -> Runs:
        """All runs through a few EM passes together."""
        control = EMControl(
            penalty=self.state.penalty, report=self.state.reporter("starts", source)
        )
        own = spec.family.location_scale and spec.random is None
        if own and spec.layout.p >= MANY_COLUMNS:
            spec = replace(spec, gram=source.reduce(lambda b: b.x.T @ b.x) / source.n_rows)
        objective = self.state.objective(source, spec)
        ascent = expectation_maximisation(
            objective, runs.params, control, self.state.policy.short_passes
        )
        return self.state.after(runs, ascent, source)

    def follow(
        self,
        runs: Runs,
        source: MemorySource,
        spec: MixtureSpec,
        number: int,
        ends: bool = False,
        hunt: bool = True,
    ) -> Runs:
        """The best ``number`` distinct runs near their modes.

        With ``hunt`` there are more while all are degenerate. In a clear case, with ``ends``, they
        are left where they are, for the end to settle.
        """
        left, _ = distinct(spec, source, runs, self.state.penalty, SAME_RUN)
        if ends and clear(left, source.n_rows, spec):
            return left.prominent(PROMINENT)
        degenerate, few = self.state.degenerate(left, source, spec), FOLLOWED_DEGENERATE
        sound, bad = np.flatnonzero(~degenerate), np.flatnonzero(degenerate)
        order = np.concatenate([sound[:number], bad[:few], sound[number:], bad[few:]])
        found: Runs | None = None
        while order.size and (found is None or self.state.degenerate(found, source, spec).all()):
            batch = self.rank(left.take(order[: number + few]), source, spec, ends)
            order = order[number + few :]
            found = batch if found is None else found.with_(batch)
            if found.degenerate is None:
                found, _ = distinct(spec, source, found, self.state.penalty, SAME_MODE)
            if self.state.interrupted or not hunt:
                break
        assert found is not None, "there is at least one run"
        return found

    def rank(self, runs: Runs, source: MemorySource, spec: MixtureSpec, ends: bool) -> Runs:
        """Runs near enough to their modes to be compared."""
        if self.state.interrupted:
            return runs
        objective, report = self.state.objective(source, spec), self.state.reporter("modes", source)
        control = EMControl(RANKING_ITERATIONS, RANKING_SCORE, self.state.penalty, False, report)
        ascent = expectation_maximisation(objective, runs.params, control, RANKING_PASSES)
        runs, _ = distinct(
            spec, source, self.state.after(runs, ascent, source), self.state.penalty, SAME_RUN
        )
        if self.state.named and spec is self.state.spec:
            params, origin = relabelled(spec, runs.params)
            runs = replace(runs.take(origin), params=params)
            runs, _ = distinct(spec, source, runs, self.state.penalty, SAME_RUN)
            runs = runs.take(np.arange(min(runs.hits.size, MOST_RELABELLED)))
        elif ends and clear(runs, source.n_rows, spec):
            return runs.prominent(PROMINENT)
        return self.state.after(runs, newton(objective, runs.params, control), source)

    def enlarge(self, runs: Runs, pilot: MemorySource) -> Runs:
        """Modes of the pilot followed on more rows, those without hope left behind."""
        runs = self.hopeful(runs, pilot)
        if runs.hits.size == 1:
            return runs
        n_units = min(self.state.units(SECOND_ROWS), int(SECOND_SHARE * self.state.source.n_units))
        if n_units <= pilot.n_units:
            return runs
        second = self.state.source.sample(n_units, self.state.rng)
        control = EMControl(RANKING_ITERATIONS, RANKING_SCORE, self.state.penalty, False)
        ascent = newton(self.state.objective(second, self.state.spec), runs.params, control)
        runs, _ = distinct(
            self.state.spec,
            second,
            self.state.after(runs, ascent, second),
            self.state.penalty,
            SAME_MODE,
        )
        return self.hopeful(runs, second)

    def hopeful(self, runs: Runs, source: MemorySource) -> Runs:
        """Runs that are not far behind the best sound one, of the degenerate ones but few."""
        signature, sizes = compared(self.state.spec, runs.params, source)
        degenerate = is_degenerate(self.state.spec, runs.params, sizes, self.state.penalty)
        best = int(np.argmin(degenerate))
        behind = signature[best] - signature
        spread = behind.std(axis=1) * np.sqrt(source.n_units)
        hopeful = behind.sum(axis=1) <= HOPELESS * spread
        hopeful &= ~degenerate | (np.cumsum(degenerate) <= DEGENERATE_ON_ALL_ROWS)
        hopeful[best] = True
        # On other rows it may be others that are degenerate.
        return replace(runs.take(np.flatnonzero(hopeful)), degenerate=None)
