"""The end of a search: unpenalised maxima, and which of them are modes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from smmix.core.mixture import project
from smmix.core.params import MixtureParams
from smmix.search.em import Ascent, EMControl, EMStatus, expectation_maximisation, newton
from smmix.search.modes import Modes, chosen, component_sizes, describe, judged
from smmix.search.newton import LocalModel
from smmix.search.patience import clear
from smmix.search.runs import Runs
from smmix.search.state import SearchState

__all__ = ["RANKING_SCORE", "SAME_MODE", "Ending"]

#: Iterations at the end for modes that are degenerate, or settled and behind by more than this.
LAST_ITERATIONS, BEHIND = 3, 5.0
#: Score at which a run is as good as at its mode.
RANKING_SCORE = 1e-4
#: Mean absolute difference of the units' log-likelihoods at what is one mode.
SAME_MODE = 1e-3


class Ending:
    """The last stage, on all rows."""

    def __init__(self, state: SearchState):
        self.state = state

    def finish(self, runs: Runs) -> Modes:
        """The end of the search: unpenalised maxima, described in natural coordinates.

        Beside sound modes degenerate ones get a few iterations only: many have no maximum to
        arrive at. Modes far behind have their last digits when they are opened.
        """
        degenerate = self.state.degenerate(runs, self.state.source, self.state.spec)
        if self.state.interrupted:
            runs = runs.take(np.argsort(degenerate, kind="stable")[:1])
            degenerate = np.zeros(1, dtype=bool)
        runs = replace(runs, degenerate=degenerate)
        limit = 0 if self.state.interrupted else self.state.control.maxiter
        told = self.state.reporter("convergence", self.state.source)
        control = EMControl(limit, self.state.control.gtol, report=told)
        # In a clear case runs that are far behind and slow are worth no more iterations.
        n_slow = (
            LAST_ITERATIONS if clear(runs, self.state.source.n_rows, self.state.spec) else limit
        )
        if self.state.control.method == "em":
            ascent = expectation_maximisation(self.state.whole, runs.params, control)
        else:
            begun, going = self.approached(runs, control), partial(self.worthwhile, n_slow=n_slow)
            ascent = newton(self.state.whole, begun.params, control, going)
        return self.completed(self.described(runs, ascent, n_slow), control)

    def completed(self, modes: Modes, control: EMControl) -> Modes:
        """The modes with the fit at its end, where it was left behind one that then collapsed."""
        while not self.state.interrupted:
            fit = modes.modes[modes.selected]
            if fit.status is not EMStatus.LEFT_BEHIND:
                break
            begun = Runs.fresh(
                project(self.state.exact, self.state.coordinates.to_working(fit.params))
            )
            begun = replace(begun, hits=np.array([fit.hits]), degenerate=np.zeros(1, dtype=bool))
            ascent = newton(self.state.whole, begun.params, control)
            followed = self.described(begun, ascent, control.maxiter).modes[0]
            others = [mode for mode in modes.modes if mode is not fit]
            known = [m for m in others if np.isclose(m.loglike, followed.loglike, rtol=1e-9)]
            if known:
                known[0].hits += followed.hits
            every = sorted([*others, *([] if known else [followed])], key=lambda m: -m.loglike)
            modes = replace(
                modes, modes=every, selected=chosen(every), n_passes=self.state.n_passes
            )
        return modes

    def approached(self, runs: Runs, control: EMControl) -> Runs:
        """Runs along the families by which one with kinks is approached, all but the last."""
        for family in self.state.stages[:-1]:
            objective = self.state.objective(
                self.state.source, replace(self.state.exact, family=family)
            )
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
        if self.state.spec.family.uncensored(np.zeros(1)) is not None:
            # Its sizes count the censored rows too.
            sizes = component_sizes(self.state.spec, params, self.state.source)
        told = judged(self.state.spec, params, sizes)
        sound, value = ~told.degenerate.any(axis=1), model.objective - told.total
        if not sound.any():
            return np.asarray(~sound)
        best = np.max(value, where=sound, initial=-np.inf)
        hopeless = (model.score_norm <= RANKING_SCORE) | (n_iter >= n_slow)
        hopeless &= value < best - BEHIND
        return np.asarray((sound & ~hopeless) | (n_iter < LAST_ITERATIONS))

    def described(self, before: Runs, ascent: Ascent, n_slow: int) -> Modes:
        """Distinct modes; where the plain likelihood collapsed, the penalised maximum stands."""
        after, degenerate = self.state.after(before, ascent, self.state.source), before.degenerate
        assert degenerate is not None, "finish() told it"
        status, norm = np.array(ascent.status), ascent.score_norm
        # Where a run has been left without having settled, there is no mode to tell of.
        slow = (status == EMStatus.LEFT_BEHIND) & (ascent.n_iter >= n_slow) & (norm > RANKING_SCORE)
        if slow.any():
            sizes = component_sizes(self.state.spec, after.params, self.state.source)
            value = ascent.loglike - judged(self.state.spec, after.params, sizes).total
            slow &= value < np.max(value, where=~degenerate, initial=-np.inf)
        left = (status == EMStatus.LEFT_BEHIND) & ~degenerate
        if left.any():
            status[left & self.state.degenerate(after, self.state.source, self.state.spec)] = (
                EMStatus.COLLAPSED
            )
        lost = status == EMStatus.COLLAPSED
        if not degenerate.all():
            lost |= degenerate & (status != EMStatus.CONVERGED) & (status != EMStatus.BOUNDARY)
        after = replace(after, params=after.params.where(~lost, before.params))
        told = np.flatnonzero(~slow)
        after, kinds, norm = after.take(told), status[told].tolist(), norm[told]
        modes = describe(self.state.exact, self.state.source, after, kinds, norm, SAME_MODE)
        for mode in modes:
            mode.params = self.state.coordinates.from_working(mode.params)
            mode.loglike += self.state.shift
        selected = chosen(modes)
        if self.state.interrupted:
            modes[selected].status = EMStatus.INTERRUPTED
        return Modes(
            modes, selected, self.state.n_passes, self.state.n_starts, self.state.interrupted
        )
