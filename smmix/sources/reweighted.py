"""Units drawn again, whatever holds them: case weights times random counts, made on every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.stats import poisson

from smmix.core.blocks import Block

if TYPE_CHECKING:
    from smmix.core.memory import MemorySource
    from smmix.core.source import Source

Stats = TypeVar("Stats")

#: Cumulative probabilities of Poisson counts with mean one.
UNIT_COUNTS = poisson.cdf(np.arange(20), 1.0)


@dataclass(frozen=True)
class ReweightedSource:
    """The units of another source with Poisson counts, one set for each parameter set of a batch.

    A bootstrap of units draws n of them with replacement. Where n is large, independent Poisson
    counts do the same [1]_, and need neither n nor the other units. The counts belong to the seed
    and to the number of the unit in the data, however these are cut into blocks.

    Attributes
    ----------
    base : Source
    seeds : tuple of int
        One for each data set.
    counted : bool
        Whether the case weights of ``base`` are numbers of rows, each drawn by itself.

    References
    ----------
    .. [1] Hanley, J. A. and MacGibbon, B. (2006). Creating non-parametric bootstrap samples using
       Poisson frequencies. Computer Methods and Programs in Biomedicine 83, 57-62.
    """

    base: Source
    seeds: tuple[int, ...]
    counted: bool

    @property
    def n_rows(self) -> int:
        return self.base.n_rows

    @property
    def n_units(self) -> int:
        return self.base.n_units

    @property
    def n_columns(self) -> int:
        return self.base.n_columns

    @property
    def weight_sum(self) -> float:
        return self.base.weight_sum

    def members(self, index: np.ndarray) -> ReweightedSource:
        """The data sets of the batch at the positions ``index``."""
        return replace(self, seeds=tuple(self.seeds[i] for i in index))

    def blocks(self, width: int = 1) -> Iterator[Block]:
        for block in self.base.blocks(width):
            yield reweighted(block, self.seeds, self.counted)

    def reduce(self, step: Callable[[Block], Stats], width: int = 1) -> Stats:
        return self.base.reduce(partial(_stepped, step, self.seeds, self.counted), width)

    def sample(self, n_units: int, rng: np.random.Generator) -> MemorySource:
        return self.base.sample(n_units, rng)

    def mapped(self, function: Callable[[MemorySource], MemorySource]) -> ReweightedSource:
        return replace(self, base=self.base.mapped(function))


def reweighted(block: Block, seeds: tuple[int, ...], counted: bool) -> Block:
    """A block with weights (S, 1, u) that count how often each data set holds a unit."""
    mean = block.weight if counted else None
    weight = np.stack([_counts(seed, block.start, block.n_units, mean) for seed in seeds])[:, None]
    if block.weight is not None and not counted:
        weight *= block.weight
    return block._replace(weight=weight)


def _stepped(
    step: Callable[[Block], Stats], seeds: tuple[int, ...], counted: bool, block: Block
) -> Stats:
    return step(reweighted(block, seeds, counted))


def _counts(seed: int, first: int, number: int, mean: np.ndarray | None) -> np.ndarray:
    """Poisson counts of units ``first``, ``first + 1``, .., each from a draw of its own."""
    # One step of this generator is one draw, so that it can be set to any unit.
    uniform = np.random.Generator(np.random.PCG64(seed).advance(first)).random(number)
    if mean is None:
        return UNIT_COUNTS.searchsorted(uniform, side="right").astype(float)
    return np.asarray(poisson.ppf(uniform, mean))
