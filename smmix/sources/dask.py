"""Rows in the partitions of a Dask collection: kept where they are, only sums and samples travel.

A pass is one map over the slabs and a tree of sums. It runs on the default scheduler of Dask, or
on the cluster of a distributed Client, which rebuilds the slabs of a worker that was lost.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property, reduce
from typing import Any, TypeVar

import numpy as np

from smmix.core.blocks import Block
from smmix.core.memory import MemorySource
from smmix.core.statistics import merge
from smmix.errors import SmmixError
from smmix.sources.chunks import draw_units, joined, reduce_slab, slab_blocks, split_positions

__all__ = ["DaskSource"]

Stats = TypeVar("Stats")

#: Sums that are added in one task of the tree.
BRANCHES = 8


@dataclass(frozen=True)
class DaskSource:
    """Slabs of rows held by Dask.

    Attributes
    ----------
    slabs : list of Delayed
        Rows in memory (`MemorySource`) of each partition that has any.
    units : ndarray of int, (slabs,)
        Units of each slab.
    n_rows, n_columns : int
    weight_sum : float
    """

    slabs: Sequence[Any]
    units: np.ndarray
    n_rows: int
    n_columns: int
    weight_sum: float

    @property
    def n_units(self) -> int:
        return int(self.units.sum())

    @cached_property
    def _first(self) -> list[int]:
        return [int(first) for first in np.cumsum(self.units) - self.units]

    def blocks(self, width: int = 1) -> Iterator[Block]:
        for first, slab in zip(self._first, self.slabs, strict=True):
            (rows,) = computed([slab])
            yield from slab_blocks(rows, first, width)

    def reduce(self, step: Callable[[Block], Stats], width: int = 1) -> Stats:
        work, add = dask_delayed(_reduced), dask_delayed(_added)
        sums = [
            work(slab, first, step, width)
            for slab, first in zip(self.slabs, self._first, strict=True)
        ]
        while len(sums) > 1:
            sums = [add(sums[i : i + BRANCHES]) for i in range(0, len(sums), BRANCHES)]
        total: Stats = computed(sums)[0]
        return total

    def sample(self, n_units: int, rng: np.random.Generator) -> MemorySource:
        parts = split_positions(draw_units(self.n_units, n_units, rng), self.units)
        take = dask_delayed(_taken)
        drawn = [
            take(slab, part) for slab, part in zip(self.slabs, parts, strict=True) if part.size
        ]
        return joined(computed(drawn))

    def mapped(self, function: Callable[[MemorySource], MemorySource]) -> DaskSource:
        call = dask_delayed(_applied)
        return replace(self, slabs=persisted([call(slab, function) for slab in self.slabs]))

    def __deepcopy__(self, memo: dict[int, object]) -> DaskSource:
        return self

    def __getstate__(self) -> dict[str, object]:
        raise SmmixError(
            "Rows that Dask holds cannot be pickled; keep the fit with results.to_json(), or call "
            "results.remove_data() first."
        )


def dask_delayed(function: Callable[..., Any]) -> Any:
    """A function whose calls become tasks of their own."""
    import dask

    return dask.delayed(function, pure=False)


#: What the schedulers of one process say, by version, of rows that are elsewhere.
LOST = ("Missing dependency", "Found no accessible jobs")


def computed(tasks: Sequence[Any]) -> list[Any]:
    """Results of tasks on rows that Dask holds."""
    import dask

    try:
        return list(dask.compute(*tasks, traverse=False))
    except Exception as error:
        lost = "Cancelled" in type(error).__name__ or any(text in str(error) for text in LOST)
        if not lost:
            raise
        raise SmmixError(
            "The rows were kept by a Dask cluster that is no longer in use; fit again on the "
            "present one."
        ) from error


def persisted(slabs: Sequence[Any]) -> list[Any]:
    """Slabs that are made once and kept: in this process, or on the workers of a cluster."""
    import dask

    return list(dask.persist(*slabs, traverse=False))


def _reduced(slab: MemorySource, first: int, step: Callable[[Block], Stats], width: int) -> Stats:
    with steady_heap():
        return reduce_slab(slab, first, step, width)


def _added(parts: Sequence[Stats]) -> Stats:
    return reduce(merge, parts)


def _taken(slab: MemorySource, units: np.ndarray) -> MemorySource:
    return slab.take_units(units)


def _applied(slab: MemorySource, function: Callable[[MemorySource], MemorySource]) -> MemorySource:
    return function(slab)


def _size(slab: MemorySource) -> int:
    arrays = (part for part in vars(slab).values() if isinstance(part, np.ndarray))
    return 1000 + sum(part.nbytes for part in arrays)


def register_size() -> None:
    """Tell Dask what rows weigh, so that workers spill them to disk in time."""
    from dask.sizeof import sizeof

    sizeof.register(MemorySource, _size)


#: Names of glibc's mallopt() for the sizes from which memory is given back to the system at once.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
#: Temporaries of a pass are far smaller than this.
KEPT_BYTES = 1 << 25
#: What glibc starts with.
MMAP_BYTES = 1 << 17


@contextmanager
def steady_heap() -> Iterator[None]:
    """Memory of temporaries stays with the process for the length of a task.

    Dask starts its workers with MALLOC_TRIM_THRESHOLD_ set, so that they give freed memory back
    at once. A pass allocates the same small temporaries for every block, and would spend more
    time on fetching their pages again than on sums. Afterwards all is as Dask wants it.
    """
    trim = os.environ.get("MALLOC_TRIM_THRESHOLD_", "")
    libc = _glibc() if trim.isdigit() else None
    if libc is None:
        yield
        return
    libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, int(trim))
        libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    try:
        libc = ctypes.CDLL(None)
        return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
    except (OSError, TypeError):
        return None
