"""Responses that are no numbers: True and False, successes and failures, ordered categories."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from smmix.core.family import Family
from smmix.core.family_list import FamilyList, members
from smmix.core.outcome_families import OutcomeFamilies, outcome_rows
from smmix.errors import SmmixError
from smmix.mixture.specification import Specification
from smmix.support.checks import shown
from smmix.support.frames import numbers, row_name

__all__ = ["TWO_COLUMNS", "Response", "coded", "is_timed", "read_response", "seen", "with_trials"]

#: A left-hand side of two columns, as in "s + f ~ x".
TWO_COLUMNS = re.compile(r"^\s*([^\W\d]\w*)\s*\+\s*([^\W\d]\w*)\s*$")


class Response(NamedTuple):
    """A formula and a table whose response is a number, and what was learnt on the way.

    Attributes
    ----------
    formula : str
    frame : DataFrame
    family : Family
    trials : str or None
        The column of ``frame`` that holds successes and failures together.
    """

    formula: str
    frame: pd.DataFrame
    family: Family
    trials: str | None = None


def read_response(formula: str, frame: pd.DataFrame, family: Family) -> Response:
    """The response as numbers, where the family reads something else.

    Raises
    ------
    SmmixError
        If the columns are none that the family can read.
    """
    if family.reads == "numbers" or not isinstance(formula, str):
        return Response(formula, frame, family)
    left, tilde, right = formula.partition("~")
    pair = TWO_COLUMNS.match(left)
    if family.reads == "successes" and pair and all(n in frame.columns for n in pair.groups()):
        name = " + ".join(pair.groups())
        return Response(f"{pair.group(1)} ~{right}", with_trials(frame, name), family, name)
    name = left.strip()
    if not tilde or name not in frame.columns:
        return Response(formula, frame, family)
    column = frame[name]
    if family.reads == "levels":
        family = _named(family, _levels(column))
    return Response(formula, frame.assign(**{name: coded(column, family)}), family)


def _named(family: Family, levels: tuple[str, ...]) -> Family:
    """The family with names of its levels, where it has none."""
    if isinstance(family, FamilyList):
        return FamilyList(tuple(_named(one, levels) for one in family.families))
    known: Any = getattr(family, "levels", None)
    if family.reads != "levels" or known:
        return family
    return replace(family, levels=levels)  # type: ignore[type-var]


def with_trials(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """A frame with the column of trials ``name``, where that is the sum of two others."""
    pair = TWO_COLUMNS.match(name)
    if name in frame.columns or pair is None or any(n not in frame.columns for n in pair.groups()):
        return frame
    successes, failures = (
        numbers(frame[part], f"the column {part!r}", frame.index) for part in pair.groups()
    )
    return frame.assign(**{name: successes + failures})


def seen(
    specification: Specification, endog: np.ndarray, aux: np.ndarray | None = None
) -> np.ndarray:
    """The response (n,) as it was given: a time that was cut off without its sign."""
    if isinstance(specification.family, OutcomeFamilies):
        out = endog.copy()
        for part in specification.family.parts:
            if "event" in part.family.takes:
                rows = outcome_rows(aux, part.number)
                out[rows] = np.abs(endog[rows])
        return out
    return np.abs(endog) if is_timed(specification) else endog


def is_timed(specification: Specification) -> bool:
    """Whether a response is a time that may have been cut off, which its sign tells."""
    return any("event" in one.takes for one in members(specification.family, specification.k))


def _levels(column: pd.Series) -> tuple[str, ...]:
    """Names of the levels that occur, in their order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = set(column.dropna())
        return tuple(_label(level) for level in column.cat.categories if level in used)
    return tuple(_label(level) for level in sorted(column.dropna().unique()))


def _label(level: Any) -> str:
    number = isinstance(level, int | float | np.number) and not isinstance(level, bool | np.bool_)
    return f"{level:g}" if number else str(level)


def coded(column: pd.Series, family: Family) -> pd.Series:
    """A response column as the numbers that a family computes with.

    Raises
    ------
    SmmixError
        If a value is no level of the family.
    """
    if family.reads == "successes" and pd.api.types.is_bool_dtype(column.dtype):
        return column.astype(float)
    if family.reads != "levels":
        return column
    levels: tuple[Any, ...] = getattr(family, "levels", ())
    place = {_label(level): float(i) for i, level in enumerate(levels)}
    labels = column.map(_label, na_action="ignore").astype(object)
    codes = labels.map(place).astype(float)
    unknown = (codes.isna() & column.notna()).to_numpy()
    if unknown.any():
        row = int(np.argmax(unknown))
        value = column.iloc[row]
        raise SmmixError(
            f"The response {column.name!r} is "
            f"{value.item() if isinstance(value, np.generic) else shown(value)} in "
            f"{row_name(column.index, row)}, which is none of the levels "
            f"{', '.join(map(_label, levels))}."
        )
    return codes
