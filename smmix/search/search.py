"""The search for the highest mode: many short runs together, the best to the end by Newton."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np

from smmix.core.family_list import FamilyList
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec, project
from smmix.core.params import MixtureParams
from smmix.core.source import Source
from smmix.search.control import SearchControl
from smmix.search.coordinates import PooledFit, working_setting
from smmix.search.em import (
    Ascent,
    EMControl,
    EMStatus,
    Objective,
    expectation_maximisation,
    newton,
)
from smmix.search.labelling import exchangeable, relabelled
from smmix.search.modes import (
    Modes,
    chosen,
    compared,
    component_sizes,
    describe,
    distinct,
    is_degenerate,
    judged,
    posteriors,
)
from smmix.search.newton import LocalModel
from smmix.search.patience import clear, patience
from smmix.search.policy import PENALTY
from smmix.search.runs import Runs
from smmix.search.starts import (
    Pilot,
    agree_with_known,
    default_starts,
    move_starts,
    number_of_moves,
    params_from_labels,
    params_from_posterior,
)

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
#: EM passes, Newton iterations and the score that ends them when modes are only to be ranked.
RANKING_PASSES, RANKING_ITERATIONS, RANKING_SCORE = 6, 8, 1e-4
#: Most iterations that bring modes from which moves start to their maxima, and times that others
#: take the places of those that turn out to be none.
SETTLED, SETTLING_ITERATIONS = 2, 20
#: Iterations at the end for modes that are degenerate, or settled and behind by more than this.
LAST_ITERATIONS, BEHIND = 3, 5.0
#: Mean absolute difference of the units' log-likelihoods under runs that are as good as the same.
SAME_RUN, SAME_MODE = 0.02, 1e-3
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

    Returns
    -------
    Modes
    """
    return _Search(spec, source, control, rng, pooled).run(starts)


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
    search = _Search(spec, source, control, np.random.default_rng(0), pooled)
    begun = project(search.spec, search.coordinates.to_working(params))
    runs = search.short(Runs.fresh(begun), search.source, search.spec)
    fallen = np.array([trace[-1][1] < trace[0][1] for trace in runs.traces])
    return search.finish(replace(runs, params=begun.where(fallen, runs.params)))


class _Search:
    """One search: the data in working coordinates and the stages on ever more rows."""

    def __init__(
        self,
        spec: MixtureSpec,
        source: Source,
        control: SearchControl,
        rng: np.random.Generator,
        pooled: PooledFit | None,
    ):
        self.control, self.policy, self.rng = control, control.policy, rng
        self.coordinates, self.whole, n_rows = working_setting(spec, source, pooled)
        self.exact, self.source = self.whole.spec, self.whole.source
        self.stages = spec.family.stages
        # Short runs and moves climb the bluntest of the families that approach one with kinks.
        self.spec = replace(self.exact, family=self.stages[0]) if self.stages else self.exact
        self.shift = -n_rows * float(np.log(self.coordinates.scale))
        self.penalty = PENALTY / n_rows
        self.named = len(exchangeable(spec)) > 1
        self.n_passes = self.n_starts = 0
        self.interrupted = False

    def run(self, starts: np.ndarray | None) -> Modes:
        if self.spec.layout.k == 1:
            single = params_from_posterior(self.spec, self.source, np.ones((1, 1, 1)), 0.0)
            runs = Runs.fresh(single)
            if not self.spec.family.location_scale or self.spec.random is not None:
                runs = self.short(runs, self.source, self.spec)
            return self.finish(runs)
        if starts is not None:
            source = cast(MemorySource, self.source)
            self.n_starts += len(starts)
            params = params_from_posterior(self.spec, source, starts, self.penalty)
            runs = self.short(Runs.fresh(project(self.spec, params)), source, self.spec)
            return self.finish(self.follow(runs, source, self.spec, self.policy.followed))
        rows = int(np.clip(PILOT_ROWS_PER_PARAMETER * self.spec.layout.size, *PILOT_ROWS))
        pilot = self.source.sample(self.units(rows), self.rng)
        for number in (self.policy.followed, self.policy.n_starts):
            runs = self.pilot_modes(pilot, self.spec, self.policy.n_starts, number)
            if pilot.n_units < self.source.n_units:
                runs = self.enlarge(runs, pilot)
            modes = self.finish(runs)
            if self.interrupted or not modes.modes[modes.selected].degenerate:
                break
        return modes

    # -- on the pilot rows ----------------------------------------------------------------------

    def pilot_modes(
        self, pilot: MemorySource, spec: MixtureSpec, n_starts: int, number: int
    ) -> Runs:
        """Modes on the pilot rows, from short runs of every kind and moves from the best."""
        k = spec.layout.k
        data = Pilot.of(spec, pilot, self.coordinates.response(pilot))
        fewer = None
        if k > 2 and not isinstance(spec.family, FamilyList):
            smaller = replace(spec.free(), layout=replace(spec.layout, k=k - 1))
            free = replace(pilot, membership=None)
            half = max(n_starts // 2, 10)
            best = self.pilot_modes(free, smaller, half, self.policy.followed).take(np.arange(1))
            fewer = posteriors(smaller, best.params, free)[0], best.params.coef[0]
        labels = default_starts(data, k, n_starts, fewer, self.rng)
        runs = self.short(self.begin(labels, pilot, spec), pilot, spec)
        # Whether the end of the search may come next, whose Newton steps settle the same runs.
        ends = spec is self.spec and not self.named and self.control.method != "em"
        ends &= pilot.n_units == self.source.n_units
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
        while idle < self.rounds(runs, pilot, spec) and not self.interrupted:
            moved = self.begin(self.moves(runs, data, spec), pilot, spec)
            number = int(MOVES_FOLLOWED * moved.hits.size) + 1
            moved = self.short(moved, pilot, spec)
            moved = self.follow(moved, pilot, spec, number, hunt=False)
            runs, value = self.settled(runs.with_(moved), pilot, spec)
            idle = 0 if value > best + 1e-6 else idle + 1
            best = max(best, value)
        return runs

    def settled(self, runs: Runs, source: MemorySource, spec: MixtureSpec) -> tuple[Runs, float]:
        """Distinct runs of which the best sound ones are at their modes, and what the best has.

        After few iterations a component that shrinks without limit looks like a sharp one.
        """
        control = EMControl(SETTLING_ITERATIONS, RANKING_SCORE, self.penalty, False)
        runs, value = distinct(spec, source, runs, self.penalty, SAME_MODE)
        for _ in range(SETTLED):
            assert runs.degenerate is not None, "distinct runs know it"
            at = np.flatnonzero(~runs.degenerate)[:MOVED]
            if self.interrupted or not at.size:
                break
            best = runs.take(at)
            ascent = newton(self.objective(source, spec), best.params, control)
            best = self.after(best, ascent, source)
            runs = best.with_(runs.take(np.setdiff1d(np.arange(runs.hits.size), at)))
            runs, value = distinct(spec, source, runs, self.penalty, SAME_MODE)
            if not ascent.n_iter.any():
                break
        return runs, value

    def rounds(self, runs: Runs, source: MemorySource, spec: MixtureSpec) -> int:
        """Rounds of moves without a better mode before they end."""
        return min(patience(runs, source.n_rows, spec), self.policy.rounds)

    def moves(self, runs: Runs, data: Pilot, spec: MixtureSpec) -> np.ndarray:
        """Labels: each component of the best modes dropped in turn, and a new one found."""
        sound = np.flatnonzero(~self.degenerate(runs, data.source, spec))[:MOVED]
        params = runs.params.take(sound if sound.size else np.arange(1))
        posterior = posteriors(spec, params, data.source)
        number = number_of_moves(spec.layout.k, data.source.n_rows)
        return move_starts(data, posterior, params.coef, number, self.rng)

    # -- stages ---------------------------------------------------------------------------------

    def begin(self, labels: np.ndarray, source: MemorySource, spec: MixtureSpec) -> Runs:
        """Runs from starting labels (S, u)."""
        if source.membership is not None:
            labels = agree_with_known(labels, source.membership)
        self.n_starts += len(labels)
        params = params_from_labels(spec, source, labels, self.penalty)
        return Runs.fresh(project(spec, params))

    def short(self, runs: Runs, source: Source, spec: MixtureSpec) -> Runs:
        """All runs through a few EM passes together."""
        control = EMControl(penalty=self.penalty, report=self.reporter("starts", source))
        own = spec.family.location_scale and spec.random is None
        if own and spec.layout.p >= MANY_COLUMNS:
            spec = replace(spec, gram=source.reduce(lambda b: b.x.T @ b.x) / source.n_rows)
        objective = self.objective(source, spec)
        ascent = expectation_maximisation(objective, runs.params, control, self.policy.short_passes)
        return self.after(runs, ascent, source)

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
        left, _ = distinct(spec, source, runs, self.penalty, SAME_RUN)
        if ends and clear(left, source.n_rows, spec):
            return left.prominent(PROMINENT)
        degenerate, few = self.degenerate(left, source, spec), FOLLOWED_DEGENERATE
        sound, bad = np.flatnonzero(~degenerate), np.flatnonzero(degenerate)
        order = np.concatenate([sound[:number], bad[:few], sound[number:], bad[few:]])
        found: Runs | None = None
        while order.size and (found is None or self.degenerate(found, source, spec).all()):
            batch = self.rank(left.take(order[: number + few]), source, spec, ends)
            order = order[number + few :]
            found = batch if found is None else found.with_(batch)
            if found.degenerate is None:
                found, _ = distinct(spec, source, found, self.penalty, SAME_MODE)
            if self.interrupted or not hunt:
                break
        assert found is not None, "there is at least one run"
        return found

    def rank(self, runs: Runs, source: MemorySource, spec: MixtureSpec, ends: bool) -> Runs:
        """Runs near enough to their modes to be compared."""
        if self.interrupted:
            return runs
        objective, report = self.objective(source, spec), self.reporter("modes", source)
        control = EMControl(RANKING_ITERATIONS, RANKING_SCORE, self.penalty, False, report)
        ascent = expectation_maximisation(objective, runs.params, control, RANKING_PASSES)
        runs, _ = distinct(spec, source, self.after(runs, ascent, source), self.penalty, SAME_RUN)
        if self.named and spec is self.spec:
            params, origin = relabelled(spec, runs.params)
            runs = replace(runs.take(origin), params=params)
            runs, _ = distinct(spec, source, runs, self.penalty, SAME_RUN)
            runs = runs.take(np.arange(min(runs.hits.size, MOST_RELABELLED)))
        elif ends and clear(runs, source.n_rows, spec):
            return runs.prominent(PROMINENT)
        return self.after(runs, newton(objective, runs.params, control), source)

    def enlarge(self, runs: Runs, pilot: MemorySource) -> Runs:
        """Modes of the pilot followed on more rows, those without hope left behind."""
        runs = self.hopeful(runs, pilot)
        if runs.hits.size == 1:
            return runs
        n_units = min(self.units(SECOND_ROWS), int(SECOND_SHARE * self.source.n_units))
        if n_units <= pilot.n_units:
            return runs
        second = self.source.sample(n_units, self.rng)
        control = EMControl(RANKING_ITERATIONS, RANKING_SCORE, self.penalty, False)
        ascent = newton(self.objective(second, self.spec), runs.params, control)
        runs, _ = distinct(
            self.spec, second, self.after(runs, ascent, second), self.penalty, SAME_MODE
        )
        return self.hopeful(runs, second)

    def hopeful(self, runs: Runs, source: MemorySource) -> Runs:
        """Runs that are not far behind the best sound one, of the degenerate ones but few."""
        signature, sizes = compared(self.spec, runs.params, source)
        degenerate = is_degenerate(self.spec, runs.params, sizes, self.penalty)
        best = int(np.argmin(degenerate))
        behind = signature[best] - signature
        spread = behind.std(axis=1) * np.sqrt(source.n_units)
        hopeful = behind.sum(axis=1) <= HOPELESS * spread
        hopeful &= ~degenerate | (np.cumsum(degenerate) <= DEGENERATE_ON_ALL_ROWS)
        hopeful[best] = True
        # On other rows it may be others that are degenerate.
        return replace(runs.take(np.flatnonzero(hopeful)), degenerate=None)

    def finish(self, runs: Runs) -> Modes:
        """The end of the search: unpenalised maxima, described in natural coordinates.

        Beside sound modes degenerate ones get a few iterations only: many have no maximum to
        arrive at. Modes far behind have their last digits when they are opened.
        """
        degenerate = self.degenerate(runs, self.source, self.spec)
        if self.interrupted:
            runs = runs.take(np.argsort(degenerate, kind="stable")[:1])
            degenerate = np.zeros(1, dtype=bool)
        runs = replace(runs, degenerate=degenerate)
        limit = 0 if self.interrupted else self.control.maxiter
        told = self.reporter("convergence", self.source)
        control = EMControl(limit, self.control.gtol, report=told)
        # In a clear case runs that are far behind and slow are worth no more iterations.
        n_slow = LAST_ITERATIONS if clear(runs, self.source.n_rows, self.spec) else limit
        if self.control.method == "em":
            ascent = expectation_maximisation(self.whole, runs.params, control)
        else:
            begun, going = self.approached(runs, control), partial(self.worthwhile, n_slow=n_slow)
            ascent = newton(self.whole, begun.params, control, going)
        return self.completed(self.described(runs, ascent, n_slow), control)

    def completed(self, modes: Modes, control: EMControl) -> Modes:
        """The modes with the fit at its end, where it was left behind one that then collapsed."""
        while not self.interrupted:
            fit = modes.modes[modes.selected]
            if fit.status is not EMStatus.LEFT_BEHIND:
                break
            begun = Runs.fresh(project(self.exact, self.coordinates.to_working(fit.params)))
            begun = replace(begun, hits=np.array([fit.hits]), degenerate=np.zeros(1, dtype=bool))
            ascent = newton(self.whole, begun.params, control)
            followed = self.described(begun, ascent, control.maxiter).modes[0]
            others = [mode for mode in modes.modes if mode is not fit]
            known = [m for m in others if np.isclose(m.loglike, followed.loglike, rtol=1e-9)]
            if known:
                known[0].hits += followed.hits
            every = sorted([*others, *([] if known else [followed])], key=lambda m: -m.loglike)
            modes = replace(modes, modes=every, selected=chosen(every), n_passes=self.n_passes)
        return modes

    def approached(self, runs: Runs, control: EMControl) -> Runs:
        """Runs along the families by which one with kinks is approached, all but the last."""
        for family in self.stages[:-1]:
            objective = self.objective(self.source, replace(self.exact, family=family))
            rough = newton(objective, runs.params, replace(control, polish=False))
            runs = replace(runs, params=rough.params)
        return runs

    def worthwhile(
        self, params: MixtureParams, model: LocalModel, n_iter: np.ndarray, n_slow: int
    ) -> np.ndarray:
        """Which runs (S,) to go on with at the end of the search.

        Those far behind are left when they are settled, or after ``n_slow`` iterations.
        """
        sizes = model.sizes
        if self.spec.family.uncensored(np.zeros(1)) is not None:
            # Its sizes count the censored rows too.
            sizes = component_sizes(self.spec, params, self.source)
        told = judged(self.spec, params, sizes)
        sound, value = ~told.degenerate.any(axis=1), model.objective - told.total
        if not sound.any():
            return np.asarray(~sound)
        best = np.max(value, where=sound, initial=-np.inf)
        hopeless = (model.score_norm <= RANKING_SCORE) | (n_iter >= n_slow)
        hopeless &= value < best - BEHIND
        return np.asarray((sound & ~hopeless) | (n_iter < LAST_ITERATIONS))

    def described(self, before: Runs, ascent: Ascent, n_slow: int) -> Modes:
        """Distinct modes; where the plain likelihood collapsed, the penalised maximum stands."""
        after, degenerate = self.after(before, ascent, self.source), before.degenerate
        assert degenerate is not None, "finish() told it"
        status, norm = np.array(ascent.status), ascent.score_norm
        # Where a run has been left without having settled, there is no mode to tell of.
        slow = (status == EMStatus.LEFT_BEHIND) & (ascent.n_iter >= n_slow) & (norm > RANKING_SCORE)
        sizes = component_sizes(self.spec, after.params, self.source)
        value = ascent.loglike - judged(self.spec, after.params, sizes).total
        slow &= value < np.max(value, where=~degenerate, initial=-np.inf)
        left = (status == EMStatus.LEFT_BEHIND) & ~degenerate
        if left.any():
            status[left & self.degenerate(after, self.source, self.spec)] = EMStatus.COLLAPSED
        lost = status == EMStatus.COLLAPSED
        if not degenerate.all():
            lost |= degenerate & (status != EMStatus.CONVERGED) & (status != EMStatus.BOUNDARY)
        after = replace(after, params=after.params.where(~lost, before.params))
        told = np.flatnonzero(~slow)
        after, kinds, norm = after.take(told), status[told].tolist(), norm[told]
        modes = describe(self.exact, self.source, after, kinds, norm, SAME_MODE)
        for mode in modes:
            mode.params = self.coordinates.from_working(mode.params)
            mode.loglike += self.shift
        selected = chosen(modes)
        if self.interrupted:
            modes[selected].status = EMStatus.INTERRUPTED
        return Modes(modes, selected, self.n_passes, self.n_starts, self.interrupted)

    # -- what the stages share ------------------------------------------------------------------

    def objective(self, source: Source, spec: MixtureSpec) -> Objective:
        return replace(self.whole, spec=spec, source=source)

    def units(self, n_rows: int) -> int:
        """Number of units that hold about ``n_rows`` rows."""
        return max(int(n_rows * self.source.n_units / self.source.n_rows), 50)

    def degenerate(self, runs: Runs, source: Source, spec: MixtureSpec) -> np.ndarray:
        """Which runs are degenerate, (S,)."""
        if runs.degenerate is not None:
            return runs.degenerate
        sizes = component_sizes(spec, runs.params, source)
        return is_degenerate(spec, runs.params, sizes, self.penalty)

    def after(self, runs: Runs, ascent: Ascent, source: Source) -> Runs:
        """The runs after an ascent, with the book kept."""
        whole = source is self.source
        if whole:
            self.n_passes += ascent.n_passes
        self.interrupted |= ascent.interrupted
        return runs.followed(ascent, self.shift if whole else None)

    def reporter(self, stage: str, source: Source) -> Callable[[int, int, float], None] | None:
        """What an ascent tells of its progress; None when nobody listens."""
        tell = self.control.progress
        if tell is None:
            return None
        shift = self.shift if source is self.source else 0.0

        def report(done: int, total: int, best: float) -> None:
            tell(stage, done, total, best + shift)

        return report
