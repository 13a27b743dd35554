"""Fits with k and k + 1 components to many data sets together, along one batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec, project
from smmix.core.params import MixtureParams, concatenate
from smmix.fit.from_fewer import moved_apart, sound_worth, twins
from smmix.mixture.fitted import Fit, fitted_of
from smmix.resampling.replicates import BatchObjective
from smmix.resampling.samples import member_rows, members
from smmix.search.coordinates import working_setting
from smmix.search.em import Ascent, EMControl, expectation_maximisation, newton
from smmix.search.moves import move_starts
from smmix.search.pilot import Pilot
from smmix.search.policy import PENALTY, SearchPolicy
from smmix.search.search import SearchControl, find_modes
from smmix.search.starts import default_starts, params_from_labels

__all__ = ["BatchSearch", "NullFits", "PairFits"]

#: EM passes from the null parameters before Newton, and most iterations of Newton.
WARM_PASSES, MAXITER = 8, 200
#: Short runs are made on a sample of so many units when there are more.
PILOT_UNITS = 2000
#: Twins of each component of the null fit.
TWINS = 2
#: Short runs whose log-likelihoods differ by less than this are the same.
SAME_RUN = 1e-3
#: Component densities that a batch of short runs evaluates at once, and the most data sets in it.
BATCH_DENSITIES, BATCH = 1 << 19, 32


class NullFits(NamedTuple):
    """Fits with k components, one for each data set of a batch, in working coordinates."""

    source: MemorySource
    params: MixtureParams
    loglike: np.ndarray  # (B,)


class PairFits(NamedTuple):
    """Fits with k and k + 1 components, one pair for each data set of a batch."""

    loglike: np.ndarray  # (B,) with k components, in working coordinates
    gain: np.ndarray  # (B,) log-likelihood that one more component gains, never negative
    params: MixtureParams  # k + 1 components, natural coordinates; where the gain is zero, twins


class BatchSearch:
    """The search of fit() in many data sets drawn from the null fit at once.

    Fits with k components climb from the null fit. Those with k + 1 climb from the twins of these
    and from starts of all kinds after short runs, then from moves of the best; the one that is
    worth most by the rule of fit() counts. The null fit with a component doubled is itself a fit
    with k + 1 components, so there is always one.

    Parameters
    ----------
    results : MixtureResults
        The null fit.
    policy : SearchPolicy
    """

    def __init__(self, results: Fit, policy: SearchPolicy):
        fitted = fitted_of(results)
        self.small, self.data = fitted.specification, fitted.data
        self.large = fitted.specification.with_k(fitted.k + 1)
        self.larger = self.large, fitted.data.with_k(fitted.k + 1)
        source = replace(fitted.data.source, threads=1)
        setting = working_setting(self.small.spec, source, fitted.data.pooled)
        self.coordinates, self.whole = setting.coordinates, setting.objective
        self.policy, self.n_rows = policy, setting.n_rows
        self.penalty = PENALTY / setting.n_rows
        # Penalties and prices of both refer to the same regression of all rows.
        large = self.coordinates.spec(self.large.spec)
        self.large_spec: MixtureSpec = replace(large, start=self.whole.spec.start)
        self.fit = self.coordinates.to_working(fitted.unpacked)

    @property
    def batch_size(self) -> int:
        """Data sets that are best handled together."""
        rows = min(self.data.source.n_rows, PILOT_UNITS)
        each = rows * self.large.k * (self.policy.n_starts + TWINS * self.small.k)
        return int(np.clip(BATCH_DENSITIES // each, 1, BATCH))

    def observed(self) -> MemorySource:
        """The observed data as a batch of one."""
        source = self.data.source
        return replace(source, y=source.y[None, None], threads=1)

    def objective(self, source: MemorySource, spec: MixtureSpec) -> BatchObjective:
        return BatchObjective(spec, source, self.whole.x_scale, self.whole.z_scale)

    def null_fits(
        self, natural: MemorySource, generators: Sequence[np.random.Generator]
    ) -> NullFits:
        """Fits with k components to a batch of data sets with responses (B, 1, n)."""
        source = self.coordinates.rows(natural)
        objective = self.objective(source, self.whole.spec)
        size = natural.y.shape[0]
        params = MixtureParams(*(np.repeat(part, size, axis=0) for part in self.fit))
        control = EMControl(penalty=self.penalty)
        params = expectation_maximisation(objective, params, control, WARM_PASSES).params
        ascent = newton(objective, params, EMControl(MAXITER, polish=False))
        value, params = ascent.loglike.copy(), MixtureParams(*map(np.array, ascent.params))
        for b in np.flatnonzero(np.isneginf(sound_worth(objective, ascent))).tolist():
            # The mode of the null fit does not exist in these data: search for others.
            modes = find_modes(
                self.small.spec, member_rows(natural, b), SearchControl(), generators[b]
            )
            found = self.coordinates.to_working(modes.modes[modes.selected].params)
            for mine, theirs in zip(params, found, strict=True):
                mine[b] = theirs[0]
            alone = self.objective(members(source, np.array([b])), self.whole.spec)
            value[b] = alone.expectations(found).loglike[0]
        return NullFits(source, params, value)

    def pair_fits(
        self, natural: MemorySource, generators: Sequence[np.random.Generator]
    ) -> PairFits:
        """Fits with k and with k + 1 components to a batch of data sets."""
        null = self.null_fits(natural, generators)
        doubled = twins(null.params, null.source)
        begun = MixtureParams(*map(np.array, doubled[0]))
        best = Best(null.loglike.copy(), np.full(null.loglike.size, -np.inf), begun)
        pilots = self._pilots(null.source)
        runs, owner = self._labelled(null.source, self._starts(null, pilots, generators))
        for c, pair in enumerate(doubled):
            for _ in range(TWINS):
                noise = np.stack([g.standard_normal(self.large.layout.p + 1) for g in generators])
                moved = moved_apart(self.large_spec, self.whole.x_scale, pair, c, noise)
                runs = concatenate([runs, moved])
                owner = np.r_[owner, np.arange(moved.size)]
        self._follow(null.source, runs, owner, best)
        for _ in range(self.policy.rounds):
            labels = self._moves(best, pilots, generators)
            self._follow(null.source, *self._labelled(null.source, labels), best)
        params = self.coordinates.from_working(best.params)
        return PairFits(null.loglike, np.maximum(best.loglike - null.loglike, 0.0), params)

    # -- starts ---------------------------------------------------------------------------------

    def _pilot(self, source: MemorySource) -> MemorySource:
        """The same sample of the units of every data set, when there are many."""
        return source.sample(PILOT_UNITS, np.random.default_rng(0))

    def _pilots(self, source: MemorySource) -> list[Pilot]:
        """What starts are made from, for each data set."""
        pilot = self._pilot(source)
        center = self.coordinates.center / self.coordinates.scale
        if self.coordinates.rotation is not None:
            center = self.coordinates.rotation @ center
        rows = [member_rows(pilot, b) for b in range(pilot.y.shape[0])]
        return [Pilot.of(self.small.spec, one, np.ravel(one.y) + one.x @ center) for one in rows]

    def _starts(
        self, null: NullFits, data: list[Pilot], generators: Sequence[np.random.Generator]
    ) -> list[np.ndarray]:
        """Labels of all kinds for each data set."""
        labels, k = [], self.small.k
        for b, rng in enumerate(generators):
            fewer = None
            if k > 1:
                alone = null.params.take(slice(b, b + 1))
                fewer = posteriors(self.whole.spec, alone, data[b].source), alone.coef[0]
            labels.append(default_starts(data[b], k + 1, self.policy.n_starts, fewer, rng))
        return labels

    def _moves(
        self, best: Best, data: list[Pilot], generators: Sequence[np.random.Generator]
    ) -> list[np.ndarray]:
        """Labels for each data set: components of its best fit dropped, and others found."""
        labels = []
        for b, rng in enumerate(generators):
            params = best.params.take(slice(b, b + 1))
            posterior = posteriors(self.large_spec, params, data[b].source)
            moved = move_starts(data[b], posterior[None], params.coef, self.policy.n_starts, rng)
            labels.append(moved)
        return labels

    def _labelled(
        self, source: MemorySource, labels: list[np.ndarray]
    ) -> tuple[MixtureParams, np.ndarray]:
        """Parameters from labels (S, u) of each data set, and the data set of each."""
        owner = np.repeat(np.arange(len(labels)), [len(part) for part in labels])
        rows = members(self._pilot(source), owner)
        begun = params_from_labels(self.large_spec, rows, np.concatenate(labels), self.penalty)
        return project(self.large_spec, begun), owner

    # -- runs -----------------------------------------------------------------------------------

    def _follow(
        self, source: MemorySource, runs: MixtureParams, owner: np.ndarray, best: Best
    ) -> None:
        """Short runs, the best of which are followed to their modes; enters what is better.

        A data set none of whose runs ends in a sound mode gets the next best ones followed.
        """
        objective = self.objective(members(self._pilot(source), owner), self.large_spec)
        control = EMControl(penalty=self.penalty)
        ascent = expectation_maximisation(objective, runs, control, self.policy.short_passes)
        value, begun = sound_worth(objective, ascent), ascent.params
        waiting = np.ones(best.loglike.size, dtype=bool)
        while (chosen := _leaders(value, owner, waiting, self.policy.followed)).size:
            at = owner[chosen]
            objective = self.objective(members(source, at), self.large_spec)
            ascent = newton(objective, begun.take(chosen), EMControl(MAXITER, polish=False))
            reached = sound_worth(objective, ascent)
            value[chosen] = -np.inf
            for i in np.flatnonzero(np.isfinite(reached)).tolist():
                waiting[at[i]] = False
                best.offer(int(at[i]), ascent, i, float(reached[i]))


class Best(NamedTuple):
    """The best fit to each data set of a batch so far, by the rule that fit() chooses by."""

    loglike: np.ndarray  # (B,)
    worth: np.ndarray  # (B,) log-likelihood less the price of sharp components
    params: MixtureParams

    def offer(self, place: int, ascent: Ascent, position: int, worth: float) -> None:
        """Enter a fit for the data set at ``place`` if it is better than what stands there."""
        if worth <= self.worth[place]:
            return
        self.worth[place], self.loglike[place] = worth, ascent.loglike[position]
        for mine, theirs in zip(self.params, ascent.params, strict=True):
            mine[place] = theirs[position]


def posteriors(spec: MixtureSpec, params: MixtureParams, source: MemorySource) -> np.ndarray:
    """Posteriors (K, u) under one parameter set."""
    parts = [spec.posterior(params, block)[0][0] for block in source.blocks(params.k)]
    return np.concatenate(parts, axis=1)


def _leaders(value: np.ndarray, owner: np.ndarray, waiting: np.ndarray, number: int) -> np.ndarray:
    """Positions of the ``number`` best distinct runs of each data set that waits for one."""
    chosen: list[int] = []
    for b in np.flatnonzero(waiting):
        own = np.flatnonzero((owner == b) & np.isfinite(value))
        own = own[np.argsort(-value[own], kind="stable")]
        apart = np.r_[True, -np.diff(value[own]) > SAME_RUN][: own.size]
        chosen += own[apart][:number].tolist()
    return np.array(chosen, dtype=int)
