"""What the stages of a search share: the data in working coordinates, and the book that is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from smmix.core.mixture import MixtureSpec
from smmix.core.source import Source
from smmix.search.control import SearchControl
from smmix.search.coordinates import PooledFit, working_setting
from smmix.search.em import Ascent, Objective
from smmix.search.labelling import exchangeable
from smmix.search.modes import component_sizes, is_degenerate
from smmix.search.policy import PENALTY
from smmix.search.runs import Runs

__all__ = ["SearchState"]


class SearchState:
    """What is searched, in working coordinates, and what has been spent on it."""

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
