"""Where the rows of a linear regression come from: arrays, or blocks that are read one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import cache, reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from smmix.errors import SmmixError
from smmix.support.checks import reason

Stats = TypeVar("Stats")

#: Entries of X handled at a time: small enough to stay in cache from one product to the next.
BLOCK_ENTRIES = 1 << 17
#: Rows of such a block at least.
FEWEST_ROWS = 1 << 10
#: Blocks that one task of the pool adds up before it hands over.
BLOCKS_PER_TASK = 4
#: Below this many entries of X a pass takes less time than the start of threads.
THREADED_ENTRIES = 1 << 19
#: Columns of square matrices that the BLAS shares among threads, which take longer to wake than one
#: of them takes to work.
MATRICES = 32, 512
#: Blocks of a source that can be read only once are kept when they have fewer entries together.
KEPT_ENTRIES = 1 << 20
#: Rows that the first guess of the coefficients is made from.
HEAD_ROWS = 1024


class Rows(NamedTuple):
    """Some rows of a weighted linear regression.

    Attributes
    ----------
    x : ndarray, (m, p)
    y : ndarray, (m,)
    weight : ndarray, (m,), or None
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None

    def cut(self, size: int) -> Iterator[Rows]:
        for start in range(0, len(self.y), size):
            part = slice(start, start + size)
            yield Rows(
                self.x[part],
                self.y[part],
                None if self.weight is None else self.weight[part],
            )


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def threads_for(n_columns: int) -> Iterator[None]:
    """The BLAS with one thread where matrices of so many columns are slower with several."""
    slower = MATRICES[0] <= n_columns <= MATRICES[1]
    with _blas().limit(limits=1, user_api="blas") if slower else nullcontext():
        yield


def _available_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _rows_at_a_time(n_columns: int, entries: int) -> int:
    # With few rows, the sums over blocks of X'X would cost more than their products.
    return max(entries // n_columns, FEWEST_ROWS * entries // BLOCK_ENTRIES)


def _fold(
    parts: Iterable[Rows], step: Callable[[Rows], Stats], merge: Callable[[Stats, Stats], Stats]
) -> Stats:
    return _merged(map(step, parts), merge)


def _merged(stats: Iterable[Stats], merge: Callable[[Stats, Stats], Stats]) -> Stats:
    # A value that is not finite shows in the sums, where it is dealt with.
    with np.errstate(over="ignore", invalid="ignore"):
        return reduce(merge, stats)


class ArrayRows:
    """Rows held in memory; a pass is shared by threads.

    Parameters
    ----------
    rows : Rows
    names : sequence of str, optional
        Names of the columns of X, for messages.
    """

    repeatable = True

    def __init__(self, rows: Rows, names: Sequence[str] | None = None) -> None:
        check_weights(rows.weight, 0)
        if rows.weight is not None and not rows.weight.any():
            raise SmmixError("All weights are zero: at least one row must have a positive weight.")
        self.rows = rows
        self.names = names

    @property
    def n_columns(self) -> int:
        return self.rows.x.shape[1]

    @property
    def n_rows(self) -> int | None:
        return len(self.rows.y)

    def head(self) -> Rows:
        """Rows spread over the whole of the data."""
        stride = max(len(self.rows.y) // max(HEAD_ROWS, 4 * self.n_columns), 1)
        weight = self.rows.weight
        return Rows(
            np.ascontiguousarray(self.rows.x[::stride]),
            self.rows.y[::stride],
            None if weight is None else weight[::stride],
        )

    def fold(
        self,
        step: Callable[[Rows], Stats],
        merge: Callable[[Stats, Stats], Stats],
        entries: int = BLOCK_ENTRIES,
    ) -> Stats:
        """Merge what ``step`` makes of each block; the order never depends on the threads."""
        size = _rows_at_a_time(self.n_columns, entries)
        tasks = list(self.rows.cut(size * BLOCKS_PER_TASK))
        cores = min(_available_cores(), len(tasks))
        if cores == 1 or self.rows.x.size < THREADED_ENTRIES:
            return _merged((_fold(task.cut(size), step, merge) for task in tasks), merge)
        with (
            _blas().limit(limits=1, user_api="blas"),
            ThreadPoolExecutor(cores, thread_name_prefix="smmix") as pool,
        ):
            return _merged(pool.map(lambda t: _fold(t.cut(size), step, merge), tasks), merge)


class BlockRows:
    """Rows that come in blocks (X, y) or (X, y, weights).

    Parameters
    ----------
    blocks : iterable or callable
        A collection of blocks, a function that opens a new iterator over them, or an iterator.
        An iterator can be run through once only; what it yields is kept when it is little.
    names : sequence of str, optional
        Names of the columns of X, for messages.
    """

    #: Not known before the blocks are read.
    n_rows: int | None = None

    def __init__(
        self,
        blocks: Iterable[Sequence[object]] | Callable[[], Iterable[Sequence[object]]],
        names: Sequence[str] | None = None,
    ) -> None:
        self.names = names
        self._open = blocks if callable(blocks) else lambda: blocks
        self._kept: list[Rows] | None = None
        self.repeatable = callable(blocks) or not isinstance(blocks, Iterator)
        self._stream = self._read()
        first = next(self._stream, None)
        if first is None:
            raise SmmixError("There are no blocks: give at least one (X, y) with one row.")
        self._first = first
        self.n_columns = first.x.shape[1]
        if self.repeatable:
            # What was opened to look at the first block is closed again.
            self._stream.close()

    def _read(self) -> Generator[Rows, None, None]:
        """Checked blocks with at least one row."""
        width, start = None, 0
        for number, block in enumerate(self._open()):
            rows = _checked_block(block, number, width, start)
            width = rows.x.shape[1]
            start += len(rows.y)
            if len(rows.y):
                yield rows

    def head(self) -> Rows:
        """The first rows."""
        return next(self._first.cut(max(HEAD_ROWS, 4 * self.n_columns)))

    def _blocks(self) -> Iterator[Rows]:
        if self._kept is not None:
            yield from self._kept
        elif self.repeatable:
            yield from self._read()
        else:
            yield from self._only_time()

    def _only_time(self) -> Iterator[Rows]:
        kept: list[Rows] | None = []
        total = 0
        rows: Rows | None = self._first
        while rows is not None:
            total += rows.x.size
            if total > KEPT_ENTRIES:
                kept = None
            if kept is not None:
                # The caller may fill the same buffer again for the next block.
                kept.append(Rows(*(None if a is None else a.copy() for a in rows)))  # type: ignore[arg-type]
            yield rows
            rows = next(self._stream, None)
        self._kept = kept
        self.repeatable = kept is not None

    def fold(
        self,
        step: Callable[[Rows], Stats],
        merge: Callable[[Stats, Stats], Stats],
        entries: int = BLOCK_ENTRIES,
    ) -> Stats:
        """Merge what ``step`` makes of each block, in their order."""
        size = _rows_at_a_time(self.n_columns, entries)
        return _fold((part for rows in self._blocks() for part in rows.cut(size)), step, merge)


RowSource = ArrayRows | BlockRows


def check_weights(weight: np.ndarray | None, start: int) -> None:
    """Refuse weights that are negative or not finite; ``start`` is the number of the first row."""
    if weight is None:
        return
    bad = ~((weight >= 0.0) & (weight < np.inf))
    if bad.any():
        row = int(bad.argmax())
        raise SmmixError(
            f"The weight of row {start + row} is {weight[row]}: weights must be finite and not "
            "negative."
        )


def _checked_block(block: Any, number: int, width: int | None, start: int) -> Rows:
    if isinstance(block, np.ndarray) or not 2 <= len(block) <= 3:
        raise SmmixError(f"Block {number} is not a pair (X, y), or a triple (X, y, weights).")
    try:
        arrays = [np.asarray(part, dtype=float) for part in block]
    except (TypeError, ValueError) as error:
        raise SmmixError(
            f"Block {number} holds something that is no number: {reason(error)}."
        ) from error
    x, others = arrays[0], [np.squeeze(a, 1) if a.shape[1:] == (1,) else a for a in arrays[1:]]
    if x.ndim != 2 or (width is not None and x.shape[1] != width) or not x.shape[1]:
        expected = "at least one column" if width is None else f"{width} columns"
        raise SmmixError(
            f"X of block {number} has shape {x.shape}: it must be a matrix of {expected}."
        )
    if any(a.shape != x.shape[:1] for a in others):
        shapes = " and ".join(str(a.shape) for a in others)
        raise SmmixError(
            f"Block {number} has {len(x)} rows of X, but y or weights of shape {shapes}."
        )
    rows = Rows(x, *others)
    check_weights(rows.weight, start)
    return rows


def _column_name(names: Sequence[str] | None, column: int) -> str:
    return f"column {column} of X" if names is None else f"column {names[column]!r}"


def describe_bad_value(source: RowSource) -> str:
    """One sentence on the first NaN or infinity of a source that can still be read."""
    row = 0
    for rows in [source.rows] if isinstance(source, ArrayRows) else source._blocks():
        for part in rows.cut(_rows_at_a_time(source.n_columns, BLOCK_ENTRIES)):
            bad = ~np.isfinite(np.column_stack([part.y, part.x]))
            if bad.any():
                at, column = (int(i) for i in np.argwhere(bad)[0])
                value = (part.x[at, column - 1] if column else part.y[at]).item()
                name = _column_name(source.names, column - 1) if column else "y"
                return (
                    f"Row {row + at} of {name} is {value}: drop or fill missing and infinite "
                    "values first."
                )
            row += len(part.y)
    return "X or y holds NaN or an infinite value: drop or fill missing and infinite values first."
