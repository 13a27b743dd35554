"""The shortest run of whole numbers that has a given probability."""

from __future__ import annotations

import numpy as np

from smmix.mixture.prediction import Law

__all__ = ["shortest_runs"]

#: Places at which the distribution function of one row is looked at, at most.
WIDEST = 20_000
#: Values of the distribution function that are computed together.
TOGETHER = 1_000_000
#: Digits that a sum of probabilities may lack.
ROUNDING = 4.0 * float(np.finfo(float).eps)


def shortest_runs(law: Law, alpha: float) -> np.ndarray:
    """First and last number (m, 2) of the shortest run with probability 1 - ``alpha`` at least.

    Of several the most probable, then the lowest. Where the run may begin is known from
    quantiles: it ends at or above the 1 - ``alpha`` quantile, begins at or below the first number
    above the ``alpha`` quantile, and is no longer than the run between the quantiles of
    ``alpha`` / 2. Every number of that window is tried; of one wider than `WIDEST` evenly spaced
    numbers, so that the run covers but may be longer by twice their distance.

    Parameters
    ----------
    law : Law
        Of whole numbers.
    alpha : float

    Returns
    -------
    ndarray, (m, 2)
        NaN where a row is incomplete, infinite where the distribution has no such run.
    """
    ends = [law.quantile(q) for q in (alpha / 2.0, alpha, 1.0 - alpha, 1.0 - alpha / 2.0)]
    result = np.column_stack([ends[0], ends[3]])
    bounded = np.isfinite(ends).all(axis=0)
    longest = ends[3] - ends[0]
    # One below where the run may begin, up to where it may end.
    start = np.floor(ends[2] - longest) - 1.0
    stop = ends[1] + 1.0 + longest
    stride = np.maximum(np.ceil((stop - start) / WIDEST), 1.0)
    size = np.where(bounded, np.ceil((stop - start) / stride) + 1.0, 0.0)
    rows = np.flatnonzero(bounded)
    before = np.concatenate([[0.0], np.cumsum(size[rows])])
    while rows.size:
        count = max(1, int(np.searchsorted(before - before[0], TOGETHER, side="right")) - 1)
        part, rows, before = rows[:count], rows[count:], before[count:]
        owner = np.repeat(part, size[part].astype(np.intp))
        first = np.repeat(np.cumsum(size[part]) - size[part], size[part].astype(np.intp))
        number = start[owner] + stride[owner] * (np.arange(owner.size) - first)
        reached = law.repeated(owner).cdf(number)
        cuts = np.cumsum(size[part].astype(np.intp))[:-1]
        for row, y, below in zip(
            part, np.split(number, cuts), np.split(reached, cuts), strict=True
        ):
            run = _shortest(below, 1.0 - alpha)
            if run is not None:
                result[row] = y[run[0]] + 1.0, y[run[1]]
    return result


def _shortest(below: np.ndarray, level: float) -> tuple[int, int] | None:
    """Places (before, last) of the shortest stretch over which a distribution rises by ``level``.

    Parameters
    ----------
    below : ndarray, (w,)
        The distribution function, not falling.
    level : float
    """
    below = np.maximum.accumulate(below)
    last = np.searchsorted(below, below + level - ROUNDING)
    before = np.flatnonzero(last < below.size)
    if not before.size:
        return None
    last = last[before]
    length = last - before
    best = np.flatnonzero(length == length.min())
    chosen = best[np.argmax(below[last[best]] - below[before[best]])]
    return int(before[chosen]), int(last[chosen])
