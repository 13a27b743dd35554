"""Designs of plain numeric columns and their products, made without asking patsy every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from smmix.formula.engine import DesignInfo
from smmix.formula.rows import PER_ROW, exposed
from smmix.formula.slab_rows import RowRules

__all__ = ["NumericPlan"]

#: Arguments that are plain numbers.
_NUMBERS = {"freq_weights", "prob_weights", "offset"}


@dataclass(frozen=True)
class NumericPlan:
    """Designs whose columns are products of numeric columns of the table.

    Only for rows that were checked before: finite where they are not missing, weights that are
    none below zero.

    Attributes
    ----------
    parts : tuple
        For each design, for each of its columns, the names of the columns that it multiplies.
    columns : list of str
    extras : dict
        Argument name to column name.
    """

    parts: tuple[tuple[tuple[str, ...], ...], ...]
    columns: Sequence[str]
    extras: dict[str, str]

    @classmethod
    def of(cls, infos: Sequence[DesignInfo], rules: RowRules) -> NumericPlan | None:
        """The plan of some designs; None when they hold anything but numeric columns."""
        plain = set(rules.codes) <= set(rules.columns) and not rules.levels
        if not plain or rules.subset is not None or set(rules.extras) - _NUMBERS:
            return None
        parts = []
        for info in infos:
            if any(known.type != "numerical" for known in info.factor_infos.values()):
                return None
            if len(info.terms) != len(info.column_names):
                return None
            parts.append(tuple(tuple(f.name() for f in term.factors) for term in info.terms))
        return cls(tuple(parts), list(rules.columns), dict(rules.extras))

    def evaluate(
        self, frame: pd.DataFrame
    ) -> tuple[list[np.ndarray], dict[str, np.ndarray | None], np.ndarray] | None:
        """Designs, per-row arguments and the mask of the rows used, which the first two are of.

        None when a column of this slab is not of a plain numeric type.
        """
        names = dict.fromkeys([*self.columns, *self.extras.values()])
        values = {}
        for name in names:
            column = frame[name]
            if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iuf":
                return None
            values[name] = column.to_numpy(dtype=np.float64)
        used = np.ones(len(frame), dtype=bool)
        for name in names:
            used &= ~np.isnan(values[name])
        for argument, name in self.extras.items():
            if argument in ("freq_weights", "prob_weights"):
                used &= values[name] > 0
        if not used.all():
            values = {name: column[used] for name, column in values.items()}
        n_rows = int(used.sum())
        matrices = []
        for part in self.parts:
            matrix = np.ones((n_rows, len(part)))
            for j, product in enumerate(part):
                for position, name in enumerate(product):
                    if position:
                        matrix[:, j] *= values[name]
                    else:
                        matrix[:, j] = values[name]
            matrices.append(matrix)
        extras: dict[str, np.ndarray | None] = dict.fromkeys(PER_ROW)
        extras |= {argument: values[name] for argument, name in self.extras.items()}
        exposure = extras.pop("exposure")
        if exposure is not None:
            extras["offset"] = exposed(extras["offset"], exposure, frame.index[used])
        return matrices, extras, used
