"""What a search may spend and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smmix.search.policy import FIT, SearchPolicy


@dataclass(frozen=True)
class SearchControl:
    """Limits of a search.

    Attributes
    ----------
    policy : SearchPolicy
        What it spends on finding modes.
    method : {"em-newton", "em"}
        How the best runs go to their end.
    maxiter : int
        Most iterations of that end.
    gtol : float
        Largest score per observation, in scale-free units, that counts as zero.
    progress : callable, optional
        Called with (stage, done, total, best log-likelihood).
    """

    policy: SearchPolicy = FIT
    method: str = "em-newton"
    maxiter: int = 1000
    gtol: float = 1e-8
    progress: Callable[[str, int, int, float], None] | None = None
