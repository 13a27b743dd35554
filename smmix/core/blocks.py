"""A block: one slab of rows, and the sizes in which data are cut into blocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: Bytes of temporaries that one pass over a block may use: about a second-level cache. Much less
#: is slower: NumPy copies the operands of a broadcast into its buffer when a row of them takes up
#: less than half of the buffer, which is 4096 numbers, and threads wait for the interpreter's lock
#: more often than they work.
BLOCK_BYTES = 3 << 20
MIN_ROWS, MAX_ROWS = 256, 16384


class Block(NamedTuple):
    """One slab of ``m`` rows forming ``u`` independent units (a unit is a row, or a group of rows).

    Attributes
    ----------
    y : ndarray, (m,) or (S, 1, m)
        Response; the second form holds one response per parameter set of a batch.
    x : ndarray, (m, p)
        Design of the component regressions.
    z : ndarray, (u, q), or None
        Design of the mixing model, one row per unit; None means an intercept alone.
    weight : ndarray, (u,) or (S, 1, u), or None
        Case weights of the units.
    repeat : ndarray, (m,), or None
        How often each row stands in its group; only with groups (else it is ``weight``).
    offset : ndarray, (m,), or None
        Added to every component's linear predictor.
    group : ndarray of int, (u,), or None
        First row of each group; None means that each row is a unit.
    membership : ndarray, (u, K), or None
        Log of the indicator of the components that a unit may belong to (0 or -inf).
    products : ndarray, (m, p (p + 1) / 2), or None
        Products of the columns of ``x`` when they are kept between passes.
    start : int
        Position of the first unit in the data.
    aux : ndarray, (m, a), or None
        What the family must know of each row besides, such as the trials of a binomial response.
    """

    y: np.ndarray
    x: np.ndarray
    z: np.ndarray | None = None
    weight: np.ndarray | None = None
    repeat: np.ndarray | None = None
    offset: np.ndarray | None = None
    group: np.ndarray | None = None
    membership: np.ndarray | None = None
    products: np.ndarray | None = None
    start: int = 0
    aux: np.ndarray | None = None

    @property
    def n_units(self) -> int:
        return self.x.shape[0] if self.group is None else self.group.shape[0]

    def group_sizes(self) -> np.ndarray:
        """Rows of each unit, (u,)."""
        if self.group is None:
            return np.ones(self.x.shape[0], dtype=np.intp)
        return np.diff(self.group, append=self.x.shape[0])

    def to_units(self, rows: np.ndarray) -> np.ndarray:
        """Sum values of rows (last axis m) over each unit (last axis u)."""
        return rows if self.group is None else np.add.reduceat(rows, self.group, axis=-1)

    def to_rows(self, units: np.ndarray) -> np.ndarray:
        """Spread values of units (last axis u) over their rows (last axis m)."""
        if self.group is None:
            return units
        rows = np.repeat(units, self.group_sizes(), axis=-1)
        return rows if self.repeat is None else rows * self.repeat


def rows_per_block(width: int, n_columns: int) -> int:
    """Rows of a block whose temporaries stay in cache.

    Parameters
    ----------
    width : int
        Number of component densities evaluated per row (parameter sets times components).
    n_columns : int
        Columns of the design.
    """
    per_row = 8 * (4 * width + 2 * n_columns + min(n_columns * (n_columns + 1) // 2, 100))
    return min(max(BLOCK_BYTES // per_row, MIN_ROWS), MAX_ROWS)
