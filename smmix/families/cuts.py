"""Cut points between ordered levels: those around a level, derivatives in them, and their order."""

from __future__ import annotations

import numpy as np

from smmix.core.family import Derivatives
from smmix.families.intervals import Interval

__all__ = ["edges", "in_cuts", "kept_in_order"]

#: Where the cuts below the first and above the last level stand in for infinite ones.
INFINITE = 1e60
#: The part of a gap between cuts that one step may take away.
LARGEST_SHARE = 0.9


def edges(y: np.ndarray, cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts (S, K, m) below and above each level of ``y`` from those of all levels (S, K, d)."""
    end = np.full((*cuts.shape[:-1], 1), INFINITE)
    cuts = np.concatenate([-end, cuts, end], axis=-1)
    level = y.astype(int)
    if y.ndim == 1:
        return cuts[..., level], cuts[..., level + 1]
    level = np.broadcast_to(level, (*cuts.shape[:2], y.shape[-1]))
    return np.take_along_axis(cuts, level, -1), np.take_along_axis(cuts, level + 1, -1)


def in_cuts(y: np.ndarray, found: Interval, rising: np.ndarray, d: int) -> Derivatives:
    """Derivatives of log-probabilities of levels in the linear predictor and ``d`` cuts.

    The log-probability is concave in all of them [1]_: what is observed is an information. It and
    all derivatives are zero where ``rising`` does not hold.

    References
    ----------
    .. [1] Pratt, J. W. (1981). Concavity of the log likelihood. Journal of the American
       Statistical Association 76, 103-106.
    """
    first = [np.where(rising, -found.shift, 0.0)]
    second = [[np.where(rising, found.shift_shift, 0.0)]]
    information = []
    in_low, in_high = found.low_low + found.low_high, found.high_high + found.low_high
    for j in range(d):
        above, below = (y == j + 1) * rising, (y == j) * rising  # rows on either side of the cut
        first.append(above * found.low + below * found.high)
        row = [np.zeros(1)] * j + [above * found.low_low + below * found.high_high]
        if j:
            row[-2] = below * found.low_high
        second.append([-(above * in_low + below * in_high), *row])
        information.append([-entry for entry in row])
    return Derivatives(first, second, -second[0][0], information)


def kept_in_order(cuts: np.ndarray, moved: np.ndarray, tied: bool) -> np.ndarray:
    """``moved``, or as far towards it as leaves a part of every gap between ``cuts`` (S, K, d).

    ``tied`` components go equally far.
    """
    gap = np.diff(cuts, axis=-1)
    closing = gap - np.diff(moved, axis=-1)
    tight = closing > LARGEST_SHARE * gap
    share = np.where(tight, LARGEST_SHARE * gap / np.where(tight, closing, 1.0), 1.0)
    share = share.min(axis=-1, keepdims=True, initial=1.0)
    if tied:
        share = share.min(axis=1, keepdims=True)
    return np.asarray(cuts + share * (moved - cuts))
