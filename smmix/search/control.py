"""What a search may spend and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class SearchControl:
    """Limits of a search.

    Attributes
    ----------
    n_starts : int
        Short runs, before any moves from the modes that they lead to.
    method : {"em-newton", "em"}
        How the best runs go to their end.
    maxiter : int
        Most iterations of that end.
    gtol : float
        Largest score per observation, in scale-free units, that counts as zero.
    progress : callable, optional
        Called with (stage, done, total, best log-likelihood).
    """

    n_starts: int = 50
    method: str = "em-newton"
    maxiter: int = 1000
    gtol: float = 1e-8
    progress: Callable[[str, int, int, float], None] | None = None
