"""The search for the highest mode: many short runs together, the best to the end by Newton."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from smmix.core.coordinates import Coordinates, PooledFit, pooled_fit, project
from smmix.core.em import (
    Ascent,
    EMControl,
    EMStatus,
    Objective,
    expectation_maximisation,
    newton,
)
from smmix.core.mixture import MixtureSpec
from smmix.core.modes import (
    Mode,
    Modes,
    component_sizes,
    degeneracy,
    leaders,
    unit_loglike,
)
from smmix.core.newton import diagonalise, free_derivatives
from smmix.core.params import MixtureParams, ParamLayout, concatenate
from smmix.core.starts import (
    Pilot,
    cut_starts,
    elemental_starts,
    params_from_labels,
    params_from_posterior,
    random_starts,
    sharp_starts,
    extension_starts,
)
from smmix.sources.memory import MemorySource

#: EM passes of a short run.
SHORT_PASSES = 15
#: Short runs followed to their modes, and how many degenerate ones among them.
FOLLOWED, FOLLOWED_DEGENERATE = 16, 4
#: Rounds of moves without a better mode before they end; moves in a round, from how many modes,
#: and how many of them are followed.
PATIENCE, MOVES, MOVED, IMPROVED = 3, 48, 3, 8
#: Rows of the samples on which short runs and then their modes are found when there are more.
PILOT_ROWS, SECOND_ROWS = 2000, 20000
#: Newton iterations, and the score that ends them, when modes are only to be ranked.
RANKING_ITERATIONS, RANKING_SCORE = 12, 1e-4
#: Newton iterations for degenerate modes beside sound ones.
DEGENERATE_ITERATIONS = 6
#: Mean absolute difference of the units' log-likelihoods under runs that are as good as the same.
SAME_RUN, SAME_MODE = 0.02, 1e-3
#: A mode that is this many standard errors behind on a sample is not followed on all rows.
HOPELESS = 6.0


@dataclass(frozen=True)
class SearchControl:
    """What a search may spend and when it ends.

    Attributes
    ----------
    n_starts : int
        Short runs.
    method : {"em-newton", "em"}
        How the best runs go to their end.
    maxiter : int
    gtol : float
    progress : callable, optional
        Called with (stage, done, total, best log-likelihood).
    callback : callable, optional
        Called with (phase, iteration, log-likelihood) after each stage.
    """

    n_starts: int = 50
    method: str = "em-newton"
    maxiter: int = 1000
    gtol: float = 1e-8
    progress: Callable[[str, int, int, float], None] | None = None


@dataclass
class _Runs:
    """Parameter sets under way, with the starts and the record that each stands for."""

    params: MixtureParams
    hits: np.ndarray
    traces: list[list[tuple[str, float, float]]]
    n_iter: np.ndarray

    def take(self, index: np.ndarray) -> _Runs:
        return _Runs(
            self.params.take(index),
            self.hits[index],
            [self.traces[i] for i in index],
            self.n_iter[index],
        )

    def follow(self, ascent: Ascent, shift: float | None) -> _Runs:
        """The runs after an ascent; its record is kept when ``shift`` is given."""
        traces = [list(trace) for trace in self.traces]
        if shift is not None:
            for phase, loglike, norm in ascent.trace:
                for i, trace in enumerate(traces):
                    trace.append((phase, float(loglike[i]) + shift, float(norm[i])))
        return _Runs(ascent.params, self.hits, traces, self.n_iter + ascent.n_iter)


def find_modes(
    spec: MixtureSpec,
    source: MemorySource,
    control: SearchControl,
    rng: np.random.Generator,
    starts: np.ndarray | None = None,
) -> Modes:
    """Find the modes of a mixture's likelihood.

    Parameters
    ----------
    spec : MixtureSpec
    source : MemorySource
    control : SearchControl
    rng : Generator
    starts : ndarray, (S, K, u), optional
        Posteriors to start from; by default starts of all kinds together.

    Returns
    -------
    Modes
    """
    return _Search(spec, source, control, rng).run(starts)


def climb(
    spec: MixtureSpec, source: MemorySource, params: MixtureParams, control: SearchControl
) -> Modes:
    """Climb from given parameters (natural coordinates) to their mode; labels stay."""
    search = _Search(spec, source, control, np.random.default_rng(0))
    runs = _fresh(project(search.spec, search.coordinates.to_working(params)))
    return search.finish(search.warm_up(runs))


def _fresh(params: MixtureParams) -> _Runs:
    size = params.size
    return _Runs(params, np.ones(size, dtype=int), [[] for _ in range(size)], np.zeros(size, int))


class _Search:
    """One search: the data in working coordinates and the stages on ever more rows."""

    def __init__(
        self,
        spec: MixtureSpec,
        source: MemorySource,
        control: SearchControl,
        rng: np.random.Generator,
        pooled: PooledFit | None = None,
    ):
        self.control, self.rng = control, rng
        self.natural = spec
        pooled = pooled_fit(source) if pooled is None else pooled
        if spec.family.location_scale:
            self.coordinates = Coordinates.of(source, pooled)
            self.source = self.coordinates.source(source)
        else:
            self.coordinates = Coordinates(np.zeros(spec.layout.p), 1.0)
            self.source = source
        self.spec = self.coordinates.spec(spec)
        self.row_sum = float(_row_weights(source))
        self.shift = -self.row_sum * float(np.log(self.coordinates.scale))
        self.x_scale = self._x_scale(pooled)
        self.z_scale = _z_scale(source, spec.layout)
        self.penalty = 1.0 / self.row_sum
        self.n_passes = 0
        self.n_starts = 0
        self.interrupted = False

    def _x_scale(self, pooled: PooledFit) -> np.ndarray:
        if self.coordinates.rotation is not None:
            return np.ones(self.spec.layout.p)
        return pooled.x_scale

    def objective(self, source: MemorySource, spec: MixtureSpec | None = None) -> Objective:
        return Objective(spec or self.spec, source, self.x_scale, self.z_scale)

    def run(self, starts: np.ndarray | None) -> Modes:
        if self.spec.layout.k == 1:
            single = np.zeros((1, self.source.n_units), dtype=int)
            return self.finish(_fresh(params_from_labels(self.spec, self.source, single, 0.0)))
        if starts is not None:
            runs = _fresh(params_from_posterior(self.spec, self.source, starts, self.penalty))
            return self.finish(
                self.follow(self.short(runs, self.source), self.source, self.spec, FOLLOWED)
            )
        rows_per_unit = self.source.n_rows / self.source.n_units
        pilot = self.source.sample(max(int(PILOT_ROWS / rows_per_unit), 50), self.rng)
        runs = self.pilot_modes(pilot, self.spec, self.control.n_starts)
        return self.finish(self.enlarge(runs, pilot))

    # -- stages ---------------------------------------------------------------------------------

    def pilot_modes(self, pilot: MemorySource, spec: MixtureSpec, n_starts: int) -> _Runs:
        """Modes on the pilot rows, from short runs of every kind."""
        labels = self.labels(pilot, spec, n_starts)
        runs = _fresh(project(spec, params_from_labels(spec, pilot, labels, self.penalty)))
        runs = self.follow(self.short(runs, pilot, spec), pilot, spec, FOLLOWED)
        return self.improve(runs, pilot, spec) if spec.layout.k > 2 else runs

    def improve(self, runs: _Runs, pilot: MemorySource, spec: MixtureSpec) -> _Runs:
        """Modes reached by dropping a component of the best mode and splitting another [1]_.

        Goes on from a better mode for as long as one is found.

        References
        ----------
        .. [1] Ueda, N., Nakano, R., Ghahramani, Z. and Hinton, G. E. (2000). SMEM algorithm for
           mixture models. Neural Computation 12, 2109-2128.
        """
        best, idle = -np.inf, 0
        while idle < PATIENCE:
            moves = self.moves(runs, pilot, spec)
            moved = _fresh(project(spec, params_from_labels(spec, pilot, moves, self.penalty)))
            moved = self.follow(self.short(moved, pilot, spec), pilot, spec, IMPROVED)
            runs, value = self.join(_both(runs, moved), pilot, spec)
            idle = 0 if value > best + 1e-6 and np.isfinite(best) else idle + 1
            best = max(best, value)
        return runs

    def moves(self, runs: _Runs, pilot: MemorySource, spec: MixtureSpec) -> np.ndarray:
        """Labels: each component of the best modes dropped in turn, and a new one found."""
        data = Pilot(pilot, self.response(pilot))
        sizes = component_sizes(spec, runs.params, pilot)
        sound = np.flatnonzero(~degeneracy(spec, runs.params, sizes)[0])[:MOVED]
        sound = sound if sound.size else np.arange(1)
        k = spec.layout.k
        each = max(MOVES // (k * sound.size), 2)
        labels = []
        for i in sound:
            mode = runs.params.take(slice(i, i + 1))
            posterior = np.concatenate(
                [spec.posterior(mode, b)[0][0] for b in pilot.blocks(k)], axis=1
            )
            for c in range(k):
                others = np.arange(k) != c
                labels.append(
                    extension_starts(data, posterior[others], mode.coef[0, others], each, self.rng)
                )
        return np.concatenate(labels)

    def join(
        self,
        runs: _Runs,
        source: MemorySource,
        spec: MixtureSpec,
        tolerance: float = SAME_MODE,
    ) -> tuple[_Runs, float]:
        """Distinct modes, best first, and the value of the best that is not degenerate."""
        signature = unit_loglike(spec, runs.params, source)
        weight = 1.0 if source.weight is None else source.weight
        value = (signature * weight).sum(axis=1)
        value = value + spec.family.penalty(runs.params.nuisance, self.penalty)[0]
        runs, kept = _join(runs, value, signature, tolerance)
        sizes = component_sizes(spec, runs.params, source)
        degenerate, _ = degeneracy(spec, runs.params, sizes)
        return runs, float(np.max(value[kept], where=~degenerate, initial=-np.inf))

    def labels(self, pilot: MemorySource, spec: MixtureSpec, n_starts: int) -> np.ndarray:
        """Starting labels (n_starts, u) of all kinds."""
        k = spec.layout.k
        data = Pilot(pilot, self.response(pilot))
        n_cuts = min(3 + 2 * (spec.layout.p - 1), max(3, n_starts // 3))
        parts = [cut_starts(data, k, n_cuts, self.rng)]
        left = n_starts - len(parts[0])
        if k > 2:
            n_splits = left // 3
            parts.append(self.splits(data, spec, n_splits, n_starts))
            left -= n_splits
        n_random = max(left // 10, 1)
        n_sharp = (left - n_random) // 2
        parts.append(sharp_starts(data, k, n_sharp, self.rng))
        parts.append(random_starts(data, k, n_random, self.rng))
        parts.append(elemental_starts(data, k, left - n_random - n_sharp, self.rng))
        return np.concatenate(parts)

    def splits(self, data: Pilot, spec: MixtureSpec, n_splits: int, n_starts: int) -> np.ndarray:
        """Splits of the best fit with one component fewer."""
        fewer = replace(spec.free(), layout=replace(spec.layout, k=spec.layout.k - 1))
        runs = self.pilot_modes(data.source, fewer, max(n_starts // 2, 10))
        best = runs.params.take(slice(0, 1))
        posterior = np.concatenate(
            [fewer.posterior(best, b)[0] for b in data.source.blocks(best.k)], axis=2
        )
        return extension_starts(data, posterior[0], best.coef[0], n_splits, self.rng)

    def response(self, pilot: MemorySource) -> np.ndarray:
        """The response of the pilot rows, the pooled fit added back."""
        center = self.coordinates.center / self.coordinates.scale
        if self.coordinates.rotation is not None:
            center = self.coordinates.rotation @ center
        return np.ravel(pilot.y) + pilot.x @ center

    def short(self, runs: _Runs, source: MemorySource, spec: MixtureSpec | None = None) -> _Runs:
        """All runs through a few EM passes together."""
        control = EMControl(penalty=self.penalty)
        self.n_starts += runs.params.size
        ascent = expectation_maximisation(
            self.objective(source, spec), runs.params, control, SHORT_PASSES
        )
        self.count(ascent, source)
        return runs.follow(ascent, self.record(source))

    def follow(self, runs: _Runs, source: MemorySource, spec: MixtureSpec, number: int) -> _Runs:
        """The best ``number`` distinct runs near their modes, more when all are degenerate."""
        left, _ = self.join(runs, source, spec, SAME_RUN)
        order = self.follow_order(left, source, spec, number)
        found, value = None, -np.inf
        while order.size and not np.isfinite(value):
            batch = self.rank(left.take(order[: number + FOLLOWED_DEGENERATE]), source, spec)
            order = order[number + FOLLOWED_DEGENERATE :]
            found = batch if found is None else _both(found, batch)
            found, value = self.join(found, source, spec)
        return found

    def follow_order(
        self, runs: _Runs, source: MemorySource, spec: MixtureSpec, number: int
    ) -> np.ndarray:
        """Positions of runs, best first, with few degenerate ones among the first ``number``."""
        sizes = component_sizes(spec, runs.params, source)
        degenerate, _ = degeneracy(spec, runs.params, sizes)
        sound, bad = np.flatnonzero(~degenerate), np.flatnonzero(degenerate)
        few = FOLLOWED_DEGENERATE
        return np.concatenate([sound[:number], bad[:few], sound[number:], bad[few:]])

    def ascend(
        self,
        runs: _Runs,
        source: MemorySource,
        spec: MixtureSpec | None = None,
        penalty: float | None = None,
    ) -> _Runs:
        """Runs to their modes on a source; those that meet are joined, best first."""
        spec = spec or self.spec
        control = EMControl(
            self.control.maxiter,
            self.control.gtol,
            self.penalty if penalty is None else penalty,
        )
        objective = self.objective(source, spec)
        method = newton if self.control.method == "em-newton" else expectation_maximisation
        ascent = method(objective, runs.params, control)
        self.count(ascent, source)
        runs = runs.follow(ascent, self.record(source))
        signature = unit_loglike(spec, runs.params, source)
        value = ascent.loglike + spec.family.penalty(runs.params.nuisance, self.penalty)[0]
        return _join(runs, value, signature, SAME_MODE)[0]

    def rank(self, runs: _Runs, source: MemorySource, spec: MixtureSpec) -> _Runs:
        """Runs near enough to their modes to be ranked; those that meet are joined."""
        control = EMControl(RANKING_ITERATIONS, RANKING_SCORE, self.penalty)
        ascent = newton(self.objective(source, spec), runs.params, control)
        self.count(ascent, source)
        return self.join(runs.follow(ascent, self.record(source)), source, spec)[0]

    def enlarge(self, runs: _Runs, pilot: MemorySource) -> _Runs:
        """Modes of the pilot followed on more rows, those without hope left behind."""
        if pilot is self.source:
            return runs
        rows_per_unit = self.source.n_rows / self.source.n_units
        second = self.source.sample(int(SECOND_ROWS / rows_per_unit), self.rng)
        runs = self.hopeful(self.ascend(runs, second), second)
        return runs if second is self.source else self.ascend(runs, self.source)

    def hopeful(self, runs: _Runs, source: MemorySource) -> _Runs:
        """Runs that are not far behind the best one that is not degenerate."""
        signature = unit_loglike(self.spec, runs.params, source)
        sizes = component_sizes(self.spec, runs.params, source)
        degenerate, _ = degeneracy(self.spec, runs.params, sizes)
        best = int(np.argmin(degenerate))
        behind = signature[best] - signature
        spread = behind.std(axis=1) * np.sqrt(source.n_units)
        keep = behind.sum(axis=1) <= HOPELESS * spread
        keep[best] = True
        return runs.take(np.flatnonzero(keep))

    def warm_up(self, runs: _Runs) -> _Runs:
        """A few EM passes before Newton, from parameters that may be far from a mode."""
        return self.short(runs, self.source)

    def finish(self, runs: _Runs) -> Modes:
        """The end of the search: unpenalised maxima, described in natural coordinates.

        Degenerate modes get a few iterations only: many have no maximum to arrive at.
        """
        sizes = component_sizes(self.spec, runs.params, self.source)
        degenerate, _ = degeneracy(self.spec, runs.params, sizes)
        method = newton if self.control.method == "em-newton" else expectation_maximisation
        parts = []
        for chosen, maxiter in (
            (~degenerate, self.control.maxiter),
            (degenerate, self.control.maxiter if degenerate.all() else DEGENERATE_ITERATIONS),
        ):
            index = np.flatnonzero(chosen)
            if index.size:
                before = runs.take(index)
                control = EMControl(maxiter, self.control.gtol)
                ascent = method(self.objective(self.source), before.params, control)
                self.count(ascent, self.source)
                parts.append((before, before.follow(ascent, self.shift), ascent))
        return self.describe(parts)

    def describe(self, parts: list[tuple[_Runs, _Runs, Ascent]]) -> Modes:
        """Distinct modes; where the plain likelihood collapsed, the penalised maximum stands."""
        status = [s for _, _, ascent in parts for s in ascent.status]
        norm = np.concatenate([ascent.score_norm for _, _, ascent in parts])
        unfinished = np.array([s is EMStatus.COLLAPSED for s in status])
        if len(parts) == 2:
            lost = np.array([s is not EMStatus.CONVERGED for s in parts[1][2].status])
            unfinished[-lost.size :] |= lost
        runs = parts[0][1] if len(parts) == 1 else _both(parts[0][1], parts[1][1])
        before = concatenate([first.params for first, _, _ in parts])
        params = runs.params.where(~unfinished, before)
        signature = unit_loglike(self.spec, params, self.source)
        weight = 1.0 if self.source.weight is None else self.source.weight
        loglike = (signature * weight).sum(axis=1)
        leader = leaders(loglike, signature, SAME_MODE)
        sizes = component_sizes(self.spec, params, self.source)
        degenerate, reasons = degeneracy(self.spec, params, sizes)
        natural = self.coordinates.from_working(params)
        modes = []
        for i in np.flatnonzero(leader == np.arange(leader.size)):
            sigma = natural.nuisance[i, :, 0] if self.spec.layout.d else np.ones(1)
            collapsed = status[i] is EMStatus.COLLAPSED
            modes.append(
                Mode(
                    params=natural.take(slice(i, i + 1)),
                    loglike=float(loglike[i]) + self.shift,
                    hits=int(runs.hits[leader == i].sum()),
                    min_size=float(sizes[i].min()),
                    sigma_ratio=float(sigma.min() / sigma.max()),
                    degenerate=bool(degenerate[i] or collapsed),
                    reason=reasons[i] or ("a component collapsed" if collapsed else ""),
                    status=status[i],
                    score_norm=float(norm[i]),
                    n_iter=int(runs.n_iter[i]),
                    trace=runs.traces[i],
                )
            )
        modes.sort(key=lambda mode: -mode.loglike)
        sound = [i for i, mode in enumerate(modes) if not mode.degenerate]
        selected = sound[0] if sound else 0
        modes[selected].curvature = self.curvature(modes[selected])
        return Modes(modes, selected, self.n_passes, self.n_starts, self.interrupted)

    def curvature(self, mode: Mode) -> float:
        """Smallest eigenvalue of a mode's observed information in the metric of EM."""
        spec, params = self.spec, self.coordinates.to_working(mode.params)
        info = self.objective(self.source).information(params)
        self.n_passes += 1
        derivatives = free_derivatives(spec, params, info, 0.0)
        return float(diagonalise(derivatives.observed, derivatives.complete)[1].min())

    # -- bookkeeping ----------------------------------------------------------------------------

    def count(self, ascent: Ascent, source: MemorySource) -> None:
        if source is self.source:
            self.n_passes += ascent.n_passes

    def record(self, source: MemorySource) -> float | None:
        return self.shift if source is self.source else None


def _both(first: _Runs, second: _Runs) -> _Runs:
    return _Runs(
        concatenate([first.params, second.params]),
        np.concatenate([first.hits, second.hits]),
        first.traces + second.traces,
        np.concatenate([first.n_iter, second.n_iter]),
    )


def _join(
    runs: _Runs, value: np.ndarray, signature: np.ndarray, tolerance: float
) -> tuple[_Runs, np.ndarray]:
    """Distinct runs, best first, each with the hits of those that coincide with it."""
    leader = leaders(value, signature, tolerance)
    kept = np.flatnonzero(leader == np.arange(leader.size))
    kept = kept[np.argsort(-value[kept], kind="stable")]
    hits = np.array([runs.hits[leader == i].sum() for i in kept])
    return replace(runs.take(kept), hits=hits), kept


def _row_weights(source: MemorySource) -> float:
    """Sum of the rows' case weights."""
    from smmix.core.coordinates import row_weight

    return source.reduce(lambda b: row_weight(b).sum())


def _z_scale(source: MemorySource, layout: ParamLayout) -> np.ndarray:
    if source.z is None:
        return np.ones(layout.q)
    spread = source.z.std(axis=0)
    return np.where(spread > 0.0, spread, 1.0)


__all__ = ["Modes", "SearchControl", "climb", "concatenate", "find_modes"]
