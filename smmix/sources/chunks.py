"""Slabs of rows in memory that together are one set of data: how they join and where they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TypeVar

import numpy as np

from smmix.core.blocks import Block
from smmix.core.memory import MemorySource
from smmix.core.statistics import merge

Stats = TypeVar("Stats")


def slab_blocks(slab: MemorySource, first: int, width: int) -> Iterator[Block]:
    """Blocks of a slab whose first unit is number ``first`` of the data."""
    for block in slab.blocks(width):
        yield block._replace(start=block.start + first)


def reduce_slab(
    slab: MemorySource, first: int, step: Callable[[Block], Stats], width: int
) -> Stats:
    """Sum of ``step`` over the blocks of one slab."""
    return reduce(merge, map(step, slab_blocks(slab, first, width)))


def draw_units(n_units: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of units, ascending: the ones that the same data in memory would give."""
    if size >= n_units:
        return np.arange(n_units)
    return np.sort(rng.choice(n_units, size, replace=False))


def split_positions(positions: np.ndarray, units: np.ndarray) -> list[np.ndarray]:
    """Ascending ``positions`` as positions within each slab, given the slabs' ``units``."""
    stops = np.cumsum(units)
    cuts = np.searchsorted(positions, stops)
    parts = np.split(positions, cuts[:-1])
    return [part - first for part, first in zip(parts, stops - units, strict=True)]


def joined(slabs: Sequence[MemorySource]) -> MemorySource:
    """One source of the rows of several."""

    def join(name: str) -> np.ndarray | None:
        parts = [getattr(slab, name) for slab in slabs]
        return None if parts[0] is None else np.concatenate(parts)

    group = None
    if slabs[0].group is not None:
        starts = np.cumsum([0, *(slab.n_rows for slab in slabs)])
        group = np.concatenate([s.group + at for s, at in zip(slabs, starts, strict=False)])
    return MemorySource(
        y=np.concatenate([slab.y for slab in slabs]),
        x=np.concatenate([slab.x for slab in slabs]),
        z=join("z"),
        weight=join("weight"),
        repeat=join("repeat"),
        offset=join("offset"),
        group=group,
        membership=join("membership"),
        aux=join("aux"),
    )
