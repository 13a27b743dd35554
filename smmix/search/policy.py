"""What each caller's search for modes spends: in these values alone their searches differ."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONFIDENCE_SET", "FIT", "LOST", "ORDER_TEST", "PENALTY", "SearchPolicy"]

#: Strength of the penalty on small spreads that keeps runs going, times the rows: so little that
#: it shapes no mode.
PENALTY = 1e-3


@dataclass(frozen=True)
class SearchPolicy:
    """What a search spends.

    Attributes
    ----------
    n_starts : int
        Short runs from starts of all kinds together.
    short_passes : int
        EM passes of a short run.
    followed : int
        Best distinct short runs that are followed to their modes.
    rounds : int
        Rounds of moves from the best modes without a better one, at most. A search of one data set
        ends earlier when one more start would hardly find a mode that has not been seen.
    """

    n_starts: int = 50
    short_passes: int = 12
    followed: int = 16
    rounds: int = 6


#: `fit`, `select_k` and cross-validation.
FIT = SearchPolicy()
#: A replicate of a bootstrap whose climb from the fit failed: most of its modes are degenerate,
#: and moves from them would take many times as long as all other replicates together.
LOST = SearchPolicy(rounds=0)
#: Fits with 1, 2, .. components to halves of the data, each from the one before: spikes in a few
#: rows, for which most rounds go on, count for the null hypothesis as they are.
CONFIDENCE_SET = SearchPolicy(rounds=1)
#: Fits with one component more to data drawn from a fit, many data sets at once: the same round of
#: ``n_starts`` moves for each of them.
ORDER_TEST = SearchPolicy(n_starts=100, short_passes=15, rounds=1)
