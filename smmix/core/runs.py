"""Runs under way in a search: their parameters, the starts they stand for, how they got there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smmix.core.em import Ascent
from smmix.core.params import MixtureParams, concatenate


@dataclass(frozen=True)
class Runs:
    """A batch of runs.

    Attributes
    ----------
    params : MixtureParams
    hits : ndarray of int, (S,)
        Starts that each run stands for.
    traces : list of list of (str, float, float)
        Phase, log-likelihood and score of each run's iterations on the whole data.
    n_iter : ndarray of int, (S,)
    degenerate : ndarray of bool, (S,), or None
        Which of them are, where this is known.
    """

    params: MixtureParams
    hits: np.ndarray
    traces: list[list[tuple[str, float, float]]]
    n_iter: np.ndarray
    degenerate: np.ndarray | None = None

    @classmethod
    def fresh(cls, params: MixtureParams) -> Runs:
        """Runs that begin at ``params``."""
        size = params.size
        return cls(
            params,
            np.ones(size, dtype=int),
            [[] for _ in range(size)],
            np.zeros(size, dtype=int),
        )

    def take(self, index: np.ndarray) -> Runs:
        """The runs at the positions ``index``."""
        return Runs(
            self.params.take(index),
            self.hits[index],
            [self.traces[i] for i in index],
            self.n_iter[index],
            None if self.degenerate is None else self.degenerate[index],
        )

    def followed(self, ascent: Ascent, shift: float | None) -> Runs:
        """The runs after an ascent; it is recorded when ``shift``, to natural units, is given."""
        traces = [list(trace) for trace in self.traces]
        if shift is not None:
            for i, trace in enumerate(traces):
                # The batch goes on when this run has ended.
                for phase, loglike, norm in ascent.trace[: ascent.n_iter[i] + 1]:
                    trace.append((phase, float(loglike[i]) + shift, float(norm[i])))
        return Runs(ascent.params, self.hits, traces, self.n_iter + ascent.n_iter)

    def with_(self, other: Runs) -> Runs:
        """These runs and others."""
        return Runs(
            concatenate([self.params, other.params]),
            np.concatenate([self.hits, other.hits]),
            self.traces + other.traces,
            np.concatenate([self.n_iter, other.n_iter]),
        )

    def joined(self, value: np.ndarray, leader: np.ndarray) -> tuple[Runs, np.ndarray]:
        """Distinct runs by falling ``value`` (S,), and their positions before.

        ``leader`` (S,) is the position of the run with which each coincides; the hits add up.
        """
        kept = np.flatnonzero(leader == np.arange(leader.size))
        kept = kept[np.argsort(-value[kept], kind="stable")]
        hits = np.array([self.hits[leader == i].sum() for i in kept])
        return replace(self.take(kept), hits=hits), kept
