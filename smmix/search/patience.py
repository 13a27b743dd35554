"""How long a search goes on from the modes that it has."""

from __future__ import annotations

from smmix.core.mixture import MixtureSpec
from smmix.search.runs import Runs

__all__ = ["clear", "patience"]

#: Rounds of moves without a better mode before they end: most of them, and few where this share of
#: the starts followed has met in the best mode, or where the chance that one more start would end
#: in a mode not yet seen is tiny.
PATIENCE, FEW = 6, 2
CLEAR_SHARE, UNSEEN = 0.5, 0.03
#: Half as many rounds unless that chance is large, where there are so many rows for each parameter:
#: a number for each component, but no more than a limit.
LARGE, MANY_ROWS, MOST_MANY_ROWS = 0.2, 7.5, 30.0
#: Rounds at least where no scale is free: starts meet in a mode that shares the rows out evenly,
#: and a few rows far away, which one scale cannot make a component of, stay with it.
BOUNDED_ROUNDS = 2


def patience(runs: Runs, n_rows: int, spec: MixtureSpec) -> int:
    """Rounds of moves without a better mode before they end."""
    k = spec.layout.k
    many = n_rows >= min(MANY_ROWS * k, MOST_MANY_ROWS) * spec.layout.size
    if runs.best_share() > CLEAR_SHARE:
        few = BOUNDED_ROUNDS if spec.bounded else min(k - 2, 1)
        return few if many else FEW
    if runs.unseen() < UNSEEN:
        return 1 if many else FEW
    return PATIENCE // 2 if many and runs.unseen() < LARGE else PATIENCE


def clear(runs: Runs, n_rows: int, spec: MixtureSpec) -> bool:
    """Whether most starts have met in the best run, and no moves from it are worthwhile."""
    return runs.best_share() > CLEAR_SHARE and not patience(runs, n_rows, spec)
