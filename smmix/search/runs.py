"""Runs under way in a search: their parameters, the starts they stand for, how they got there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smmix.core.params import MixtureParams, concatenate
from smmix.search.em import Ascent


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

    def unseen(self) -> float:
        """Chance that one more start would end in a sound run not among these (Good, Turing)."""
        assert self.degenerate is not None, "distinct runs know it"
        hits = self.hits[~self.degenerate]
        return float((hits == 1).sum() / hits.sum()) if hits.size else 1.0

    def best_share(self) -> float:
        """Share of the starts that have met in the best sound run."""
        assert self.degenerate is not None, "distinct runs know it"
        return float(self.hits[~self.degenerate][:1].sum() / self.hits.sum())

    def prominent(self, number: int) -> Runs:
        """The best ``number`` sound runs, the best degenerate one, and all with several starts."""
        assert self.degenerate is not None, "distinct runs know it"
        bad = self.degenerate
        best = np.where(bad, np.cumsum(bad) <= 1, np.cumsum(~bad) <= number)
        return self.take(np.flatnonzero(best | (self.hits > 1)))

    def followed(self, ascent: Ascent, shift: float | None) -> Runs:
        """The runs after an ascent; it is recorded when ``shift``, to natural units, is given."""
        traces = self.traces
        if shift is not None:
            phases, loglike, norm = zip(*ascent.trace, strict=True)
            loglike, norm = (np.array(loglike).T + shift).tolist(), np.array(norm).T.tolist()
            # The batch goes on when a run has ended.
            made = zip(loglike, norm, ascent.n_iter.tolist(), strict=True)
            new = [list(zip(phases, *each, strict=True))[: n + 1] for *each, n in made]
            traces = [before + after for before, after in zip(traces, new, strict=True)]
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
        hits = np.bincount(leader, self.hits)[kept].astype(int)
        return replace(self.take(kept), hits=hits), kept
