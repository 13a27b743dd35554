"""What is known of rows that are not in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.family import Family
from smmix.core.memory import MemorySource
from smmix.formula.incremental import LearntDesign, SlabDesigner
from smmix.mixture.kind import as_read
from smmix.mixture.units import Units, make_source

__all__ = ["LargeRows", "SlabRows"]


@dataclass(frozen=True)
class SlabRows:
    """Turns a slab into the rows that the core reads; can be sent elsewhere.

    Attributes
    ----------
    designer : SlabDesigner
    k : int
    sampling_scale : float
        Brings the sampling weights of all rows to a mean of one.
    family : Family
    """

    designer: SlabDesigner
    k: int
    sampling_scale: float
    family: Family

    def __call__(self, frame: pd.DataFrame, where: str) -> MemorySource | None:
        design = self.designer(frame, where)
        if design is None:
            return None
        design = as_read(design, self.family)
        units = Units.of(design.groups)
        rows = make_source(design, units, self.k)
        given, weight = design.prob_weights, rows.weight
        if given is None or weight is None:
            return rows
        frequency = np.ones(given.size) if design.freq_weights is None else design.freq_weights
        correction = self.sampling_scale * float(frequency @ given) / float(frequency.sum())
        if units.codes is None and design.freq_weights is not None:
            # Rows that are their own units ignore it; robust covariances need it by itself.
            rows = replace(rows, repeat=design.freq_weights)
        return replace(rows, weight=weight * correction)


@dataclass(frozen=True)
class LargeRows:
    """What a model knows of rows that are not in memory.

    Attributes
    ----------
    data : ParquetScan or Dask frame
        As given.
    learnt : LearntDesign
    build : SlabRows
    """

    data: Any
    learnt: LearntDesign
    build: SlabRows

    @property
    def response_range(self) -> tuple[float, float]:
        """Smallest and largest response less the offset."""
        return self.learnt.findings.low, self.learnt.findings.high

    @property
    def extras(self) -> Mapping[str, str]:
        """Argument name (groups, freq_weights, ..) to column name."""
        return self.learnt.designer.rules.extras

    @property
    def given(self) -> set[str]:
        """The arguments of `extras` that name a column."""
        return {name for name, column in self.extras.items() if column is not None}
