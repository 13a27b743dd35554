"""The contract of a source of data: it knows blocks and how to add statistics, never EM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from smmix.core.blocks import Block

if TYPE_CHECKING:
    from smmix.core.memory import MemorySource

Stats = TypeVar("Stats")


class Source(Protocol):
    """Rows in blocks.

    ``n_rows`` and ``n_units`` count rows and independent units (rows, or groups of rows);
    ``weight_sum`` is the sum of the units' case weights, ``n_columns`` those of the design.
    """

    @property
    def n_rows(self) -> int: ...

    @property
    def n_units(self) -> int: ...

    @property
    def n_columns(self) -> int: ...

    @property
    def weight_sum(self) -> float: ...

    def blocks(self, width: int = 1) -> Iterator[Block]:
        """Blocks in the order of the data, sized for ``width`` densities per row."""

    def reduce(self, step: Callable[[Block], Stats], width: int = 1) -> Stats:
        """Sum of ``step(block)`` over all blocks, in an order that depends on the data alone."""

    def sample(self, n_units: int, rng: np.random.Generator) -> MemorySource:
        """At most ``n_units`` units drawn without replacement, held in memory."""

    def mapped(self, function: Callable[[MemorySource], MemorySource]) -> Source:
        """The same units with ``function`` applied to their rows, slab by slab."""
