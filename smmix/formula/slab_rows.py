"""The rows of one slab of a large table that a model uses, checked as those of a whole table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.engine import PROVIDED
from smmix.formula.rows import (
    checked_weights,
    complete_rows,
    query_rows,
    row_values,
    values_used,
)
from smmix.formula.terms import check_finite, factor_values, missing_masks
from smmix.support.frames import map_columns, plain

__all__ = ["Chosen", "RowRules", "located"]


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say in errors in which part of the data a row is; positions within it mean nothing."""
    try:
        yield
    except SmmixError as error:
        text = re.sub(r" \(position \d+\)", "", str(error))
        raise SmmixError(f"In {where}: {text}") from error


@dataclass(frozen=True)
class Chosen:
    """Rows of a slab that are used, and what was seen on the way to them.

    Attributes
    ----------
    frame : DataFrame
        Columns of the formulas, complete rows, plain types.
    extras : dict
        Argument name to an array of the rows, or None.
    values : dict
        Factor to its values in all rows that were looked at.
    complete : ndarray of bool
        Which of those rows are complete.
    rows : Index
        Labels of the rows that were looked at.
    missing : dict
        What is missing to the number of rows in which it is.
    """

    frame: pd.DataFrame
    extras: dict[str, np.ndarray | None]
    values: dict[str, Any]
    complete: np.ndarray
    rows: pd.Index
    missing: dict[str, int]


@dataclass(frozen=True)
class RowRules:
    """Which rows of a slab are used: subset, positive weights, nothing missing.

    Attributes
    ----------
    columns : list of str
        Columns that the formulas use.
    codes : list of str
        Factors of the formulas, the response first.
    scope : dict
        Values of the names in them that are no columns.
    extras : dict
        Argument name (groups, freq_weights, ..) to column name.
    subset : str or None
    subset_columns : list of str
        Columns that ``subset`` uses.
    names : dict
        What ``@name`` stands for in ``subset``.
    missing : {"drop", "raise", "none"}
    as_float : frozenset of str
        Whole numbers that are missing somewhere in the data, and so are floats everywhere.
    levels : dict
        Categorical column to (levels, ordered).
    """

    columns: Sequence[str]
    codes: Sequence[str]
    scope: Mapping[str, Any]
    extras: Mapping[str, str]
    subset: str | None
    subset_columns: Sequence[str]
    names: Mapping[str, Any]
    missing: str
    as_float: frozenset[str] = frozenset()
    levels: Mapping[str, tuple[list[Any], bool]] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        own = {n: v for n, v in self.scope.items() if PROVIDED.get(n) is not v}
        return self.__dict__ | {"scope": own, "_provided": [*self.scope.keys() - own.keys()]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        provided = {name: PROVIDED[name] for name in state.pop("_provided")}
        self.__dict__.update(state | {"scope": provided | state["scope"]})

    @property
    def needed(self) -> list[str]:
        """All columns to be read."""
        return list(dict.fromkeys([*self.columns, *self.extras.values(), *self.subset_columns]))

    def choose(self, frame: pd.DataFrame) -> Chosen:
        """The rows of a slab that are used."""
        labels = frame.index
        positions = np.arange(len(frame))
        if self.subset is not None:
            positions = query_rows(self.subset, frame, self.names)
        extras = {a: frame[c].reset_index(drop=True) for a, c in self.extras.items()}
        keep = np.ones(positions.size, dtype=bool)
        for weights in checked_weights(extras, labels, positions).values():
            keep &= weights > 0
        positions = positions[keep]
        rows = labels[positions]
        raw = frame.loc[:, list(self.columns)].iloc[positions].reset_index(drop=True)
        taken, masks = row_values(extras, positions, rows)
        cells = self._typed(raw)
        values = factor_values(self.codes, cells, self.scope, rows)
        masks = missing_masks(values) | masks
        complete = ~np.logical_or.reduce([*masks.values(), np.zeros(len(rows), dtype=bool)])
        if self.missing != "drop" and not complete.all():
            complete_rows(masks, self.missing, rows)
        check_finite(values, cells, complete, rows)
        return Chosen(
            self._leveled(map_columns(cells[complete].reset_index(drop=True), plain)),
            values_used(taken, complete, rows),
            values,
            complete,
            rows,
            {what: int(mask.sum()) for what, mask in masks.items() if mask.any()},
        )

    def _typed(self, raw: pd.DataFrame) -> pd.DataFrame:
        def typed(column: pd.Series) -> pd.Series:
            column = plain(column)
            if column.name in self.as_float and column.dtype.kind in "iu":
                return column.astype(np.float64)
            return column

        return map_columns(raw, typed)

    def _leveled(self, frame: pd.DataFrame) -> pd.DataFrame:
        for name, (levels, ordered) in self.levels.items():
            frame[name] = pd.Categorical(frame[name], categories=levels, ordered=ordered)
        return frame
