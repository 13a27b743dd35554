"""The rows that a mixture is fitted to, wherever they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.memory import MemorySource
from smmix.core.source import Source
from smmix.errors import SmmixError
from smmix.formula import Design
from smmix.formula.rows import PER_ROW
from smmix.mixture.rows_away import LargeRows
from smmix.mixture.units import Units, make_source
from smmix.search.coordinates import PooledFit, pooled_fit

__all__ = ["COMPARED_UNITS", "Observed", "refuse_rows", "without_rows"]

#: Units on which two models of data that are not in memory are compared.
COMPARED_UNITS = 5000


@dataclass(frozen=True, eq=False)
class Observed:
    """Rows, units and weights: in memory, or read in slabs.

    Attributes
    ----------
    design : Design
        The rows; names alone where they are not in memory.
    units : Units
    nobs : float
        Sum of the frequency weights; the number of rows without them.
    k : int or None
        Number of components, where the members of some are known.
    slabs : LargeRows or None
        What is known of rows that are not in memory.
    slab_source : Source or None
        Reads them.
    table : DataFrame or None
        What the rows were made from; not pickled, for it holds columns that were never used.
    removed : bool
        Whether the rows were taken away.
    outcomes : tuple of Observed
        The rows of each outcome by itself, where there are several.
    """

    design: Design
    units: Units
    nobs: float
    k: int | None = None
    slabs: LargeRows | None = None
    slab_source: Source | None = None
    table: pd.DataFrame | None = field(default=None, repr=False)
    removed: bool = False
    outcomes: tuple[Observed, ...] = ()

    @classmethod
    def of(cls, design: Design, k: int, table: pd.DataFrame | None = None) -> Observed:
        """Rows in memory.

        Raises
        ------
        SmmixError
            If weights, or known members, make no sense.
        """
        weights = design.freq_weights
        nobs = design.endog.size if weights is None else float(weights.sum())
        known = None if design.known is None else k
        made = cls(design, Units.of(design.groups), nobs, known, table=table)
        # Read now, so that weights and memberships that make no sense are refused here.
        assert made.source is not None
        return made

    def rows(self) -> Design:
        """The rows, refused when they are not in memory."""
        if self.removed or self.slabs is not None:
            raise refuse_rows(removed=self.removed)
        return self.design

    def rows_of_data(self) -> tuple[pd.Index, np.ndarray, np.ndarray]:
        """Labels of the rows of the data that are used, their first rows here, and whose each is.

        With several outcomes a row of the data is one here for each of them.
        """
        design = self.rows()
        if not self.outcomes:
            every = np.arange(len(design.index))
            return design.index, every, every
        _, first, which = np.unique(design.positions, return_index=True, return_inverse=True)
        index = design.index[first]
        assert isinstance(index, pd.MultiIndex), "rows tell their outcome"
        return index.droplevel([index.nlevels - 1]), first, which

    @property
    def in_memory(self) -> bool:
        """Whether the rows are, or were, in memory."""
        return self.slabs is None

    @cached_property
    def source(self) -> Any:
        """The data in blocks, as the core reads them."""
        if self.slab_source is not None and not self.removed:
            return self.slab_source
        if self.removed:
            raise refuse_rows(removed=True)
        return make_source(self.rows(), self.units, self.k or 1)

    @cached_property
    def pooled(self) -> PooledFit:
        """One regression of all rows."""
        return pooled_fit(self.source)

    @property
    def n_groups(self) -> int | None:
        """Groups of rows; None when rows stand for themselves."""
        return None if self.units.labels is None else len(self.units.labels)

    @property
    def given(self) -> set[str]:
        """Arguments (groups, freq_weights, ..) that rows not in memory have."""
        return set() if self.slabs is None else self.slabs.given

    @property
    def freq_weights(self) -> np.ndarray | None:
        return self.design.freq_weights

    def response_range(self) -> tuple[float, float, bool]:
        """Smallest and largest response less the offset, and whether there is one."""
        if self.slabs is not None:
            return *self.slabs.response_range, "offset" in self.slabs.extras
        design = self.rows()
        response = design.endog if design.offset is None else design.endog - design.offset
        return float(response.min()), float(response.max()), design.offset is not None

    def at_hand(self) -> MemorySource:
        """All rows when they are in memory, else the same sample on every call."""
        if self.in_memory:
            rows: MemorySource = self.source
            return rows
        sample: MemorySource = self.source.sample(COMPARED_UNITS, np.random.default_rng(0))
        return sample

    def column(self, name: str) -> np.ndarray | None:
        """A column of the table that the rows were made from, for the rows used.

        None when there is no such column, or no table: after pickling only the columns that the
        formulas name are left.
        """
        if self.table is not None and name in self.table.columns:
            return np.asarray(self.table[name].iloc[self.design.positions])
        frame = self.design.frame
        return None if frame is None or name not in frame.columns else np.asarray(frame[name])

    def with_k(self, k: int) -> Observed:
        """The same rows for another number of components.

        Raises
        ------
        SmmixError
            If rows that are not in memory have known components.
        """
        if self.slabs is not None and self.slabs.learnt.findings.known:
            raise SmmixError("known belongs to one number of components; leave it out.")
        outcomes = tuple(one.with_k(k) for one in self.outcomes)
        return self if self.k in (None, k) else replace(self, k=k, outcomes=outcomes)

    def without_rows(self) -> Observed:
        """What is left when the rows are taken away: how many they were, and their names."""
        units = self.units
        if units.labels is not None:
            units = Units(labels=pd.RangeIndex(len(units.labels)))
        return Observed(
            without_rows(self.design),
            units,
            self.nobs,
            self.k,
            self.slabs,
            removed=True,
            outcomes=tuple(one.without_rows() for one in self.outcomes),
        )

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"table": None}
        if self.slabs is None:
            # Made again from the design when needed.
            state.pop("source", None)
        return state


def without_rows(design: Design) -> Design:
    """The names of a design, and how many rows it lacked."""
    nothing: dict[str, Any] = dict.fromkeys(("concomitant", "aux", *PER_ROW, "frame"))
    del nothing["exposure"]
    empty = np.empty((0, len(design.exog_names)))
    index = pd.RangeIndex(0)
    return replace(design, endog=np.empty(0), exog=empty, index=index, **nothing)


def refuse_rows(*, removed: bool = False, read: bool = False) -> SmmixError:
    """The error for what needs rows that are not in memory, were taken away, or not in a file."""
    if read:
        return SmmixError(
            "A fit that was read from a file has no rows, which this needs; fit the model again, "
            "or keep the results with results.save()."
        )
    if removed:
        return SmmixError(
            "The data were taken away by remove_data(); only what was computed before and "
            "predictions for new data are left."
        )
    return SmmixError(
        "The rows of this model are not in memory: results.predict(which=..) goes through them "
        "slab by slab; for what needs all of them at once, fit a sample."
    )
