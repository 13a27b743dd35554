"""How the mean of y depends on one variable in each component, the others held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.mixture.fitted import Fitted

__all__ = ["Effect", "MeanDesign", "effects"]

#: Values of a number at which a line is evaluated.
GRID = 101


@dataclass(frozen=True)
class Effect:
    """One variable: its rows, and the lines of the components with their bands.

    Attributes
    ----------
    name : str
    levels : list or None
        Values of a category, in order; None for a number.
    x : ndarray, (m,)
        Values of the rows; for a category the position of the level.
    y : ndarray, (m, k)
        Partial residuals: the mean at the row's value of the variable, the others held, plus the
        row's residual, by component.
    grid : ndarray, (g,)
    mean, reach : ndarray, (g, k)
        Means of the components, and half the width of their confidence band (NaN without
        standard errors).
    """

    name: str
    levels: list[Any] | None
    x: np.ndarray
    y: np.ndarray
    grid: np.ndarray
    mean: np.ndarray
    reach: np.ndarray


class MeanDesign:
    """Variables of some rows, and how the columns of the mean are made from them.

    With formulas the variables are columns of the data, otherwise columns of ``exog``.

    Parameters
    ----------
    fitted : Fitted
    picked : ndarray of int
        Positions of rows.
    """

    def __init__(self, fitted: Fitted, picked: np.ndarray):
        design = fitted.data.rows()
        self.exog = design.exog[picked]
        self.to_exog: Callable[[pd.DataFrame], np.ndarray]
        formulas, frame = design.formulas, design.frame
        # A term such as x - x.mean() has no meaning at new values; then its columns are shown.
        if formulas is not None and frame is not None and not formulas.row_dependent:
            self.all_rows = frame
            self.to_exog = lambda table: formulas.transform(table).exog
        else:
            self.all_rows = pd.DataFrame(design.exog, columns=design.exog_names, copy=False)
            self.to_exog = lambda table: table.to_numpy(dtype=float)
        self.frame = self.all_rows.iloc[picked].reset_index(drop=True)
        self.typical = {name: _typical(column) for name, column in self.all_rows.items()}
        first = {str(name): self._first_column(str(name)) for name in self.frame.columns}
        self.names = sorted((n for n, i in first.items() if i >= 0), key=lambda n: first[n])

    def _first_column(self, name: str) -> int:
        """The first column of the mean that depends on a variable, -1 when none does."""
        held = self.frame.copy(deep=False)
        held[name] = self._repeated(name, len(held))
        differs = (self.to_exog(held) != self.exog).any(axis=0)
        return int(np.argmax(differs)) if differs.any() else -1

    def _repeated(self, name: str, m: int) -> pd.Series:
        """The typical value of a variable m times, in the type of its column."""
        column = self.all_rows[name]
        return column.iloc[np.full(m, self.typical[name])].reset_index(drop=True)

    def at(self, name: str, values: pd.Series) -> np.ndarray:
        """Columns of the mean where one variable has ``values`` and the others are typical."""
        columns = {other: self._repeated(str(other), len(values)) for other in self.frame.columns}
        return self.to_exog(pd.DataFrame(columns | {name: values.reset_index(drop=True)}))

    def grid(self, name: str) -> tuple[pd.Series, list[Any] | None, np.ndarray]:
        """Values at which to evaluate, the levels of a category, and the columns of the mean."""
        column = self.all_rows[name]
        if column.dtype.kind in "iuf" and column.nunique() > 2:
            values = pd.Series(np.linspace(float(column.min()), float(column.max()), GRID))
            try:
                return values, None, self.at(name, values)
            except SmmixError:
                # C(x): numbers that are no levels cannot be evaluated, so it is a category.
                pass
        observed = pd.Series(column.unique(), dtype=column.dtype).sort_values()
        return observed, list(observed), self.at(name, observed)


def _typical(column: pd.Series) -> int:
    """Position of the lower median of numbers, or of the most frequent value."""
    if column.dtype.kind in "iuf":
        return int(column.to_numpy().argsort(kind="stable")[(len(column) - 1) // 2])
    return int(np.argmax((column == column.mode().iloc[0]).to_numpy()))


def effects(
    fitted: Fitted, picked: np.ndarray, variables: Sequence[str] | None, alpha: float
) -> list[Effect]:
    """The effect of each variable, in every component.

    Parameters
    ----------
    fitted : Fitted
    picked : ndarray of int
        Rows to be drawn.
    variables : sequence of str or None
        None: all variables that the mean of y depends on.
    alpha : float
        Bands have the level 1 - alpha.

    Raises
    ------
    SmmixError
        If the mean does not depend on a variable asked for.
    """
    made = MeanDesign(fitted, picked)
    wanted = made.names if variables is None else list(variables)
    unknown = [name for name in wanted if name not in made.names]
    if unknown or (made.names and not wanted):
        what = f"does not depend on {unknown[0]!r}; it depends" if unknown else "depends"
        raise SmmixError(
            f"The mean {what} on {', '.join(made.names) or 'no variable'}: name one of these in "
            "variables, or leave it out."
        )
    coef = fitted.unpacked.coef[0].T
    design = fitted.data.rows()
    shift = 0.0 if design.offset is None else design.offset[picked]
    resid = (design.endog[picked] - shift)[:, None] - made.exog @ coef
    found = []
    for name in wanted:
        values, levels, columns = made.grid(name)
        rows = made.frame[name]
        x = rows.to_numpy(dtype=float) if levels is None else _places(rows, levels)
        grid = values.to_numpy(dtype=float) if levels is None else np.arange(len(levels))
        y = made.at(name, rows) @ coef + resid
        found.append(
            Effect(name, levels, x, y, grid, columns @ coef, _reach(fitted, columns, alpha))
        )
    return found


def _places(rows: pd.Series, levels: list[Any]) -> np.ndarray:
    place = {level: i for i, level in enumerate(levels)}
    return np.array([place[value] for value in rows], dtype=float)


def _reach(fitted: Fitted, columns: np.ndarray, alpha: float) -> np.ndarray:
    """Half widths (g, k) of the intervals of the components' means at ``columns`` (g, p)."""
    quantile, specification = fitted.quantile(alpha), fitted.specification
    basis = specification.expand.basis[specification.layout.coef]
    own = np.split(basis, fitted.k)
    return np.column_stack([quantile * fitted.errors_of(columns @ part) for part in own])
