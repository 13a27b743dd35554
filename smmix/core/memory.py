"""Data in memory: views of arrays as blocks, passed over by a pool of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TypeVar

import numpy as np

from smmix.core.blocks import Block, rows_per_block
from smmix.core.grams import MAX_COLUMNS_FOR_PRODUCTS, column_products
from smmix.core.statistics import merge

Stats = TypeVar("Stats")

#: Products of columns are kept between passes when they fit in this many bytes.
KEPT_PRODUCTS_BYTES = 1 << 20
#: Blocks that one task of the pool handles and adds before it hands over.
BLOCKS_PER_TASK = 8


@dataclass(frozen=True)
class MemorySource:
    """Arrays in memory, rows of a group side by side.

    Attributes
    ----------
    y : ndarray, (n,) or (S, 1, n)
    x : ndarray, (n, p)
    z : ndarray, (u, q), or None
    weight : ndarray, (u,) or (S, 1, u), or None
    repeat, offset : ndarray, (n,), or None
    group : ndarray of int, (u,), or None
        First row of each group.
    membership : ndarray, (u, K), or None
    aux : ndarray, (n, a), or None
    threads : int
        Threads that share a pass; the sums do not depend on it. With few columns NumPy's calls on
        a block are so short that threads lose what they gain by waiting for each other.
    """

    y: np.ndarray
    x: np.ndarray
    z: np.ndarray | None = None
    weight: np.ndarray | None = None
    repeat: np.ndarray | None = None
    offset: np.ndarray | None = None
    group: np.ndarray | None = None
    membership: np.ndarray | None = None
    aux: np.ndarray | None = None
    threads: int = 1

    @property
    def n_rows(self) -> int:
        return self.x.shape[0]

    @property
    def n_columns(self) -> int:
        return self.x.shape[1]

    @property
    def n_units(self) -> int:
        return self.n_rows if self.group is None else self.group.shape[0]

    @cached_property
    def weight_sum(self) -> float:
        if self.weight is None:
            return float(self.n_units)
        return float(np.mean(np.sum(self.weight, axis=-1)))

    @cached_property
    def _products(self) -> np.ndarray | None:
        p = self.x.shape[1]
        small = 4 * self.n_rows * p * (p + 1) <= KEPT_PRODUCTS_BYTES
        return column_products(self.x) if small and p <= MAX_COLUMNS_FOR_PRODUCTS else None

    @cached_property
    def _whole(self) -> Block:
        """All rows as one block."""
        return self._block((0, self.n_units))

    def blocks(self, width: int = 1) -> Iterator[Block]:
        rows = rows_per_block(width, self.x.shape[1])
        if self.n_rows <= rows:
            return iter([self._whole])
        return map(self._block, self._cuts(rows))

    def _cuts(self, rows: int) -> Iterator[tuple[int, int]]:
        """First and last unit (exclusive) of each block of about ``rows`` rows."""
        if self.group is None:
            for start in range(0, self.n_rows, rows):
                yield start, min(start + rows, self.n_rows)
            return
        bounds = np.append(self.group, self.n_rows)
        start = 0
        while start < self.n_units:
            stop = int(np.searchsorted(bounds, bounds[start] + rows, side="right")) - 1
            stop = min(max(stop, start + 1), self.n_units)
            yield start, stop
            start = stop

    def _block(self, cut_at: tuple[int, int]) -> Block:
        start, stop = cut_at
        units = slice(start, stop)
        rows, group = units, None
        if self.group is not None:
            first = self.group[start]
            last = self.n_rows if stop == self.n_units else self.group[stop]
            rows = slice(int(first), int(last))
            group = self.group[units] - first

        def cut(array: np.ndarray | None, where: slice) -> np.ndarray | None:
            if array is None:
                return None
            return array[..., where] if array.ndim != 2 else array[where]

        return Block(
            y=self.y[..., rows],
            x=np.asfortranarray(self.x[rows]),
            z=None if self.z is None else np.asfortranarray(self.z[units]),
            weight=cut(self.weight, units),
            repeat=cut(self.repeat, rows),
            offset=cut(self.offset, rows),
            group=group,
            membership=cut(self.membership, units),
            products=cut(self._products, rows),
            start=start,
            aux=cut(self.aux, rows),
        )

    def reduce(self, step: Callable[[Block], Stats], width: int = 1) -> Stats:
        rows = rows_per_block(width, self.x.shape[1])
        if self.n_rows <= rows:
            return step(self._whole)
        cuts = list(self._cuts(rows))

        def task(chunk: list[tuple[int, int]]) -> Stats:
            return reduce(merge, map(step, map(self._block, chunk)))

        chunks = [cuts[i : i + BLOCKS_PER_TASK] for i in range(0, len(cuts), BLOCKS_PER_TASK)]
        if self.threads == 1 or len(chunks) == 1:
            return reduce(merge, map(task, chunks))
        return reduce(merge, self._pool.map(task, chunks))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="smmix")

    def sample(self, n_units: int, rng: np.random.Generator) -> MemorySource:
        if n_units >= self.n_units:
            return self
        return self.take_units(np.sort(rng.choice(self.n_units, n_units, replace=False)))

    def take_units(self, units: np.ndarray) -> MemorySource:
        """The units at the given positions, in that order."""
        rows, group = units, None
        if self.group is not None:
            stops = np.append(self.group[1:], self.n_rows)
            rows = np.concatenate([np.arange(self.group[u], stops[u]) for u in units])
            group = np.concatenate([[0], np.cumsum((stops - self.group)[units])[:-1]])

        def cut(array: np.ndarray | None, where: np.ndarray) -> np.ndarray | None:
            if array is None:
                return None
            return array[..., where] if array.ndim != 2 else array[where]

        return replace(
            self,
            y=self.y[..., rows],
            x=self.x[rows],
            z=cut(self.z, units),
            weight=cut(self.weight, units),
            repeat=cut(self.repeat, rows),
            offset=cut(self.offset, rows),
            group=group,
            membership=cut(self.membership, units),
            aux=cut(self.aux, rows),
        )

    def mapped(self, function: Callable[[MemorySource], MemorySource]) -> MemorySource:
        return function(self)

    def __getstate__(self) -> dict[str, object]:
        cached = ("_pool", "_products", "_whole")
        return {name: value for name, value in vars(self).items() if name not in cached}


def group_starts(sorted_codes: np.ndarray) -> np.ndarray:
    """First row of each run of equal codes (n,)."""
    return np.flatnonzero(np.r_[True, sorted_codes[1:] != sorted_codes[:-1]])
