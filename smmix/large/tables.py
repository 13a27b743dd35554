"""Tables that are not in memory as slabs of pandas rows, and as a source of the model's rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from smmix.core.memory import MemorySource
from smmix.formula.incremental import LearntDesign
from smmix.mixture.rows_away import SlabRows
from smmix.sources.parquet import ParquetScan, RawSlab, reading
from smmix.sources.streamed import HeldSource, StreamedSource, in_order

__all__ = ["ParquetTable", "designed_width", "frame_of"]

Result = TypeVar("Result")


def designed_width(learnt: LearntDesign) -> int:
    """Bytes that a row of the design takes."""
    design = learnt.design
    return 8 * (len(design.exog_names) + len(design.concomitant_names or []) + 4)


@dataclass(frozen=True)
class ParquetTable:
    """Parquet files as `TableSlabs`.

    Attributes
    ----------
    scan : ParquetScan
    rows : int
        Rows of a slab.
    threads : int
    """

    scan: ParquetScan
    rows: int
    threads: int
    contiguous: bool = True

    @classmethod
    def of(cls, scan: ParquetScan, threads: int | None = None) -> ParquetTable:
        threads = threads or os.cpu_count() or 1
        return cls(scan, scan.slab_rows(16 * len(scan.columns), threads + 2), threads)

    @property
    def names(self) -> Sequence[str]:
        return self.scan.columns

    @property
    def n_rows(self) -> int:
        return self.scan.n_rows

    def map(
        self, function: Callable[[pd.DataFrame, str], Result], columns: Sequence[str], group: Any
    ) -> list[Result]:
        def work(_: int, raw: RawSlab) -> Result:
            return function(*frame_of(raw))

        return list(
            in_order(lambda: self.scan.slabs(columns, self.rows, group), work, self.threads)
        )

    def frames(self, columns: Sequence[str], group: Any) -> Iterator[tuple[pd.DataFrame, str]]:
        for raw in self.scan.slabs(columns, self.rows, group):
            yield frame_of(raw)

    def regroup(self, group: str) -> str:
        return f"sort the data by {group!r} first"

    def narrowed(self, bytes_per_row: int) -> ParquetTable:
        """The same table in slabs whose designs fit into memory too."""
        # A design, what it is made of, and the temporaries of making it.
        rows = self.scan.slab_rows(4 * bytes_per_row, self.threads + 2)
        return self if rows >= self.rows else replace(self, rows=rows)

    def source(
        self, learnt: LearntDesign, build: SlabRows, units: np.ndarray
    ) -> StreamedSource | HeldSource:
        """The rows of the model, held in memory when they fit into half of what is allowed."""
        needed, group = learnt.designer.rules.needed, learnt.designer.rules.extras.get("groups")
        found = learnt.findings
        source = StreamedSource(
            _Read(self.scan, tuple(needed), self.rows, group),
            _Build(build),
            units,
            found.n_used,
            len(learnt.design.exog_names),
            unit_weight_sum(learnt),
            self.threads,
        )
        fits = found.n_used * designed_width(learnt) <= self.scan.memory // 2
        return source.held() if fits else source


def unit_weight_sum(learnt: LearntDesign) -> float:
    """Sum of the case weights of the units."""
    found, extras = learnt.findings, learnt.designer.rules.extras
    n_units = float(sum(slab.n_units for slab in found.slabs))
    if "groups" not in extras:
        return found.frequency
    # The weights of groups are known only when their rows are: the caller adds them up.
    return n_units if "prob_weights" not in extras else np.nan


@dataclass(frozen=True)
class _Read:
    scan: ParquetScan
    columns: tuple[str, ...]
    rows: int
    group: str | None

    def __call__(self) -> Iterator[RawSlab]:
        return self.scan.slabs(self.columns, self.rows, self.group)


@dataclass(frozen=True)
class _Build:
    rows: SlabRows

    def __call__(self, raw: RawSlab) -> MemorySource | None:
        return self.rows(*frame_of(raw))


def frame_of(raw: RawSlab) -> tuple[pd.DataFrame, str]:
    """Rows as read, with row numbers as labels, and where they come from."""
    with reading(raw.path):
        # Text that is no UTF-8 would fail only when it is used, far from here.
        raw.table.validate(full=True)
        frame = raw.table.replace_schema_metadata().to_pandas(ignore_metadata=True)
    frame.index = pd.RangeIndex(raw.first, raw.first + len(frame))
    return frame, f"{raw.path}"
