"""How the mean of y depends on one variable in each component, the others held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from smmix.core.family import Family
from smmix.core.family_list import members
from smmix.errors import SmmixError
from smmix.formula import NewRows
from smmix.inference.surface import component_surface
from smmix.mixture.fitted import Fitted
from smmix.mixture.prediction import Law
from smmix.mixture.response import seen
from smmix.mixture.rows import Rows

__all__ = ["Effect", "MeanDesign", "effects", "is_positive", "shares"]

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
        Partial residuals, by component: the mean at the row's value of the variable, the others
        held, plus the row's residual; under links of positive means times the row's ratio to its
        mean. The offset is zero, and successes are shares of the trials.
    grid : ndarray, (g,)
    mean, lower, upper : ndarray, (g, k)
        Means of the components, and their confidence band (NaN without standard errors).
    """

    name: str
    levels: list[Any] | None
    x: np.ndarray
    y: np.ndarray
    grid: np.ndarray
    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Columns(NamedTuple):
    """Columns of the mean, (m, p), and those of the family's own formula, (m, a), if it has one."""

    exog: np.ndarray
    own: np.ndarray | None

    @classmethod
    def of(cls, made: NewRows) -> Columns:
        """Those that formulas make of new rows."""
        return cls(made.exog, made.ancillary)


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
        self.to_columns: Callable[[pd.DataFrame], Columns]
        formulas, frame = design.formulas, design.frame
        # A term such as x - x.mean() has no meaning at new values; then its columns are shown.
        if formulas is not None and frame is not None and not formulas.row_dependent:
            self.all_rows = frame
            self.to_columns = lambda table: Columns.of(formulas.transform(table))
        else:
            self.all_rows = pd.DataFrame(design.exog, columns=design.exog_names, copy=False)
            self.to_columns = lambda table: Columns(table.to_numpy(dtype=float), None)
        self.frame = self.all_rows.iloc[picked].reset_index(drop=True)
        self.typical = {name: _typical(column) for name, column in self.all_rows.items()}
        first = {str(name): self._first_column(str(name)) for name in self.frame.columns}
        self.names = sorted((n for n, i in first.items() if i >= 0), key=lambda n: first[n])

    def _first_column(self, name: str) -> int:
        """The first column of the mean that depends on a variable, -1 when none does."""
        held = self.frame.copy(deep=False)
        held[name] = self._repeated(name, len(held))
        differs = (self.to_columns(held).exog != self.exog).any(axis=0)
        return int(np.argmax(differs)) if differs.any() else -1

    def _repeated(self, name: str, m: int) -> pd.Series:
        """The typical value of a variable m times, in the type of its column."""
        column = self.all_rows[name]
        return column.iloc[np.full(m, self.typical[name])].reset_index(drop=True)

    def at(self, name: str, values: pd.Series) -> Columns:
        """Columns where one variable has ``values`` and the others are typical."""
        columns = {other: self._repeated(str(other), len(values)) for other in self.frame.columns}
        return self.to_columns(pd.DataFrame(columns | {name: values.reset_index(drop=True)}))

    def grid(self, name: str) -> tuple[pd.Series, list[Any] | None, Columns]:
        """Values at which to evaluate, the levels of a category, and the columns there."""
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
    made, k = MeanDesign(fitted, picked), fitted.k
    wanted = made.names if variables is None else list(variables)
    unknown = [name for name in wanted if name not in made.names]
    if unknown or (made.names and not wanted):
        what = f"does not depend on {unknown[0]!r}; it depends" if unknown else "depends"
        raise SmmixError(
            f"The mean {what} on {', '.join(made.names) or 'no variable'}: name one of these in "
            "variables, or leave it out."
        )
    design = fitted.data.rows()
    aux = None if design.aux is None else design.aux[picked]
    held = _held_aux(fitted)
    offset = None if design.offset is None else design.offset[picked]
    y = shares(fitted, design.endog)[picked, None]
    own = _law(fitted, made.exog, offset, held if _in_trials(fitted) else aux).means
    positive = np.array([is_positive(one) for one in members(fitted.specification.family, k)])
    found = []
    for name in wanted:
        values, levels, columns = made.grid(name)
        rows = made.frame[name]
        x = rows.to_numpy(dtype=float) if levels is None else _places(rows, levels)
        grid = values.to_numpy(dtype=float) if levels is None else np.arange(len(levels))
        moved = made.at(name, rows)
        at = _law(fitted, moved.exog, None, held if moved.own is None else moved.own).means
        with np.errstate(divide="ignore", invalid="ignore"):
            points = np.where(positive, y * (at / own), at + (y - own))
        typical = held if columns.own is None else columns.own
        band = _band(fitted, columns.exog, typical, alpha)
        found.append(Effect(name, levels, x, points, grid, *band))
    return found


def shares(fitted: Fitted, endog: np.ndarray) -> np.ndarray:
    """The response as it is drawn: times without a sign, successes as shares of the trials."""
    aux, y = fitted.data.rows().aux, seen(fitted.specification, endog)
    return y / aux[:, 0] if aux is not None and _in_trials(fitted) else y


def is_positive(family: Family) -> bool:
    """Whether means are positive numbers without a limit, so that rows differ by factors."""
    name = getattr(family.link, "name", "")
    return family.reads == "numbers" and name in ("log", "sqrt", "inverse_power", "inverse_squared")


def _is_share(family: Family) -> bool:
    """Whether means lie between zero and one."""
    bounded = getattr(family.link, "name", "") in ("logit", "probit", "cloglog")
    return family.reads == "successes" or (bounded and family.reads == "numbers")


def _in_trials(fitted: Fitted) -> bool:
    families = members(fitted.specification.family, fitted.k)
    return any("trials" in one.takes for one in families)


def _held_aux(fitted: Fitted) -> np.ndarray | None:
    """What families know of a row beside its response, (1, a), for one that is typical."""
    aux = fitted.data.rows().aux
    if aux is None:
        return None
    return np.ones((1, 1)) if _in_trials(fitted) else aux.mean(axis=0)[None]


def _rows(
    fitted: Fitted, exog: np.ndarray, offset: np.ndarray | None, aux: np.ndarray | None
) -> Rows:
    m, names = len(exog), fitted.specification.concomitant_names
    z = None if names is None else np.zeros((m, len(names)))
    if aux is not None and len(aux) != m:
        aux = np.repeat(aux, m, axis=0)
    return Rows(exog, z, offset, None, None, pd.RangeIndex(m), aux=aux)


def _law(
    fitted: Fitted, exog: np.ndarray, offset: np.ndarray | None, aux: np.ndarray | None
) -> Law:
    return Law.of(fitted.specification, fitted.unpacked, _rows(fitted, exog, offset, aux))


def _band(
    fitted: Fitted, columns: np.ndarray, aux: np.ndarray | None, alpha: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of the components at ``columns`` (g, p), and the ends of their intervals, (g, k).

    The intervals are symmetric in the log of means that are positive, and in the logit of
    probabilities, so that they stay where means can be.
    """
    specification, quantile = fitted.specification, fitted.quantile(alpha)
    rows = _rows(fitted, columns, None, aux)
    mean, jacobian = component_surface(specification, fitted.unpacked, rows)
    visible = jacobian @ specification.expand.basis
    reach = quantile * fitted.errors_of(visible.reshape(-1, visible.shape[-1])).reshape(mean.shape)
    lower, upper = mean - reach, mean + reach
    for c, one in enumerate(members(specification.family, fitted.k)):
        m, r = mean[:, c], reach[:, c]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if is_positive(one):
                lower[:, c], upper[:, c] = m * np.exp(-r / m), m * np.exp(r / m)
            elif _is_share(one):
                at, width = logit(m), r / (m * (1.0 - m))
                lower[:, c], upper[:, c] = expit(at - width), expit(at + width)
    return mean, lower, upper


def _places(rows: pd.Series, levels: list[Any]) -> np.ndarray:
    place = {level: i for i, level in enumerate(levels)}
    return np.array([place[value] for value in rows], dtype=float)
