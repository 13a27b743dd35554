"""Rows read slab after slab on every pass, in memory that does not grow with their number.

One thread reads the next slab while a pool turns earlier ones into blocks and sums their
statistics; the sums are added in the order of the data, so that they do not depend on timing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any, TypeVar

import numpy as np

from smmix.core.blocks import Block
from smmix.core.memory import MemorySource
from smmix.core.statistics import merge
from smmix.sources.chunks import draw_units, joined, reduce_slab, slab_blocks, split_positions

Stats = TypeVar("Stats")
Result = TypeVar("Result")


def in_order(
    items: Callable[[], Iterator[Any]], work: Callable[[int, Any], Result], threads: int
) -> Iterator[Result]:
    """``work(number, item)`` of all items, by a pool of threads, in the order of the items.

    At most ``threads + 2`` items are held at a time.
    """
    with closing(_as_generator(items)) as source, closing(_Pools(threads)) as pools:
        waiting: deque[Future[Result]] = deque()
        coming = pools.reader.submit(next, source, None)
        number = 0
        while (item := coming.result()) is not None:
            coming = pools.reader.submit(next, source, None)
            waiting.append(pools.workers.submit(work, number, item))
            number += 1
            del item
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _as_generator(items: Callable[[], Iterator[Any]]) -> Any:
    yield from items()


class _Pools:
    """A reader and its workers, all gone when closed, whatever happened."""

    def __init__(self, threads: int):
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="smmix-reader")
        self.workers = ThreadPoolExecutor(threads, thread_name_prefix="smmix")

    def close(self) -> None:
        for pool in (self.reader, self.workers):
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class StreamedSource:
    """Data that are read, or held, in slabs.

    Attributes
    ----------
    read : callable
        Gives an iterator over raw slabs in the order of the data.
    build : callable
        Turns a raw slab into rows in memory; None when no row of it is used.
    units : ndarray of int, (slabs,)
        Units of each slab.
    n_rows, n_columns : int
    weight_sum : float
    threads : int
        Threads that share a pass; the sums do not depend on it.
    """

    read: Callable[[], Iterator[Any]]
    build: Callable[[Any], MemorySource | None]
    units: np.ndarray
    n_rows: int
    n_columns: int
    weight_sum: float
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def n_units(self) -> int:
        return int(self.units.sum())

    @cached_property
    def _first(self) -> np.ndarray:
        return np.cumsum(self.units) - self.units

    def slabs(self) -> Iterator[tuple[int, MemorySource]]:
        """First unit and rows of each slab that has any."""
        for number, slab in enumerate(in_order(self.read, self._built, self.threads)):
            if slab is not None:
                yield int(self._first[number]), slab

    def _built(self, number: int, raw: Any) -> MemorySource | None:
        return self.build(raw) if self.units[number] else None

    def blocks(self, width: int = 1) -> Iterator[Block]:
        for first, slab in self.slabs():
            yield from slab_blocks(slab, first, width)

    def reduce(self, step: Callable[[Block], Stats], width: int = 1) -> Stats:
        def work(number: int, raw: Any) -> Stats | None:
            slab = self._built(number, raw)
            if slab is None:
                return None
            return reduce_slab(slab, int(self._first[number]), step, width)

        parts = in_order(self.read, work, self.threads)
        return reduce(merge, (part for part in parts if part is not None))

    def sample(self, n_units: int, rng: np.random.Generator) -> MemorySource:
        parts = split_positions(draw_units(self.n_units, n_units, rng), self.units)

        def work(number: int, raw: Any) -> MemorySource | None:
            if not parts[number].size:
                return None
            slab = self._built(number, raw)
            return None if slab is None else slab.take_units(parts[number])

        drawn = in_order(self.read, work, self.threads)
        return joined([slab for slab in drawn if slab is not None])

    def mapped(self, function: Callable[[MemorySource], MemorySource]) -> StreamedSource:
        def build(raw: Any) -> MemorySource | None:
            slab = self.build(raw)
            return None if slab is None else function(slab)

        return replace(self, build=build)

    def held(self) -> HeldSource:
        """The same data with all slabs kept in memory."""
        return HeldSource(
            [slab for _, slab in self.slabs()], self.n_rows, self.weight_sum, self.threads
        )

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_first"}


@dataclass(frozen=True)
class HeldSource:
    """Slabs that fit into memory, built once.

    Attributes
    ----------
    slabs : list of MemorySource
    n_rows : int
    weight_sum : float
    threads : int
    """

    slabs: list[MemorySource]
    n_rows: int
    weight_sum: float
    threads: int

    @cached_property
    def _stream(self) -> StreamedSource:
        def built(slab: MemorySource) -> MemorySource:
            return slab

        return StreamedSource(
            lambda: iter(self.slabs),
            built,
            np.array([slab.n_units for slab in self.slabs]),
            self.n_rows,
            self.n_columns,
            self.weight_sum,
            self.threads,
        )

    @property
    def n_columns(self) -> int:
        return self.slabs[0].n_columns

    @property
    def n_units(self) -> int:
        return self._stream.n_units

    def blocks(self, width: int = 1) -> Iterator[Block]:
        return self._stream.blocks(width)

    def reduce(self, step: Callable[[Block], Stats], width: int = 1) -> Stats:
        return self._stream.reduce(step, width)

    def sample(self, n_units: int, rng: np.random.Generator) -> MemorySource:
        return self._stream.sample(n_units, rng)

    def mapped(self, function: Callable[[MemorySource], MemorySource]) -> HeldSource:
        return replace(self, slabs=[function(slab) for slab in self.slabs])

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_stream"}
