"""How long a search goes on from the modes that it has."""

from __future__ import annotations

from smmix.core.mixture import MixtureSpec
from smmix.search.runs import Runs

__all__ = ["clear", "patience"]

#: Rounds of moves without a better mode before they end; fewer when this share of the starts
#: followed has met in one mode, fewest when there are also so many rows for each parameter: a
#: number for each component, but no more than a limit.
PATIENCE, CLEAR_SHARE, MANY_ROWS, MOST_MANY_ROWS = 6, 0.5, 7.5, 30.0
#: Rounds at least where no scale is free: starts meet in a mode that shares the rows out evenly,
#: and a few rows far away, which one scale cannot make a component of, stay with it.
BOUNDED_ROUNDS = 2


def patience(runs: Runs, n_rows: int, spec: MixtureSpec) -> int:
    """Rounds of moves without a better mode before they end."""
    agreed = runs.largest_share() > CLEAR_SHARE
    k = spec.layout.k
    if n_rows < min(MANY_ROWS * k, MOST_MANY_ROWS) * spec.layout.size:
        return PATIENCE // 3 if agreed else PATIENCE
    if not agreed:
        return PATIENCE // 2
    return BOUNDED_ROUNDS if spec.bounded else min(k - 2, 1)


def clear(runs: Runs, n_rows: int, spec: MixtureSpec) -> bool:
    """Whether most starts have met in the best run, and no moves from it are worthwhile."""
    return runs.best_share() > CLEAR_SHARE and not patience(runs, n_rows, spec)
