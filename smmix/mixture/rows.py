"""Rows to predict for: those of the fit, or made from new data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula import FormulaSpec
from smmix.formula.rows import by_label, per_row
from smmix.mixture.observed import Observed
from smmix.mixture.response import coded, is_timed, with_trials
from smmix.mixture.specification import Specification
from smmix.mixture.units import log_indicators
from smmix.support.checks import check_flag, reason
from smmix.support.frames import (
    as_frame,
    codes_of,
    is_single,
    is_structured,
    numbers,
    quoted,
    row_name,
)

__all__ = ["Rows", "new_rows", "own_rows", "with_response"]


@dataclass(frozen=True)
class Rows:
    """Rows to predict for; incomplete rows hold NaN.

    Attributes
    ----------
    exog : ndarray, (m, p)
    concomitant : ndarray, (m, q), or None
    offset : ndarray, (m,), or None
    endog : ndarray, (m,), or None
        NaN where the response is not known.
    group_codes : ndarray of int, (m,), or None
        Rows of one group share a component.
    index : Index of length m
    repeat : ndarray, (m,), or None
        How often each row stands in its group.
    membership : ndarray, (m, k), or None
        Log indicators of the components that a row may belong to.
    aux : ndarray, (m, a), or None
        What the family must know of each row beside its response.
    groups : ndarray, (m,), or None
        Groups as they are called.
    """

    exog: np.ndarray
    concomitant: np.ndarray | None
    offset: np.ndarray | None
    endog: np.ndarray | None
    group_codes: np.ndarray | None
    index: pd.Index
    repeat: np.ndarray | None = None
    membership: np.ndarray | None = None
    aux: np.ndarray | None = None
    groups: np.ndarray | None = None


def own_rows(observed: Observed) -> Rows:
    """The rows that a model was fitted to."""
    design, units = observed.rows(), observed.units
    z, membership = observed.source.z, observed.source.membership
    return Rows(
        design.exog,
        None if z is None else units.to_rows(z),
        design.offset,
        design.endog,
        units.codes,
        design.index,
        design.freq_weights,
        None if membership is None else units.to_rows(membership),
        design.aux,
        design.groups,
    )


def with_response(model: Specification, rows: Rows, endog: Any) -> Rows:
    """The rows of a fit with another response, when one is given."""
    if endog is None:
        return rows
    assert rows.endog is not None, "the rows of a fit"
    ended = (rows.endog > 0.0).astype(float)
    return _with_event(model, replace(rows, endog=_response(model, endog, rows.index)), ended)


def new_rows(
    model: Specification,
    exog: Any,
    *,
    exog_concomitant: Any = None,
    endog: Any = None,
    offset: Any = None,
    groups: Any = None,
    transform: bool = True,
) -> Rows:
    """Rows made from new data, through the formulas when the model has them.

    Raises
    ------
    SmmixError
        If a column is absent or a length does not fit.
    """
    check_flag("transform", transform)
    if model.outcomes:
        raise SmmixError(
            "The rows of several outcomes are made one outcome at a time: use results.predict(..) "
            "or results.outcome(..)."
        )
    formulas = model.formulas
    if formulas is not None and transform:
        return _from_frame(model, formulas, exog, exog_concomitant, endog, offset, groups)
    if model.family.ancillary is not None:
        raise SmmixError(
            f"The family's formula {model.family.ancillary!r} needs columns of its own; give the "
            "new data as a table, without transform=False."
        )
    if isinstance(exog, pd.Series):
        # One row, labelled by the columns, unless there is one column only.
        exog = exog.to_frame() if len(model.exog_names) == 1 else exog.to_frame().T
    x = _matrix(exog, model.exog_names, "exog")
    index = exog.index if isinstance(exog, pd.DataFrame) else pd.RangeIndex(len(x))
    z = None
    if model.concomitant_names is not None:
        if exog_concomitant is None:
            raise SmmixError(
                "The component probabilities depend on concomitant variables; give them for the "
                f"new rows as exog_concomitant ({len(model.concomitant_names or [])} columns)."
            )
        if isinstance(exog_concomitant, pd.DataFrame) and isinstance(exog, pd.DataFrame):
            exog_concomitant = by_label(exog_concomitant, index, "exog_concomitant")
        z = _matrix(exog_concomitant, model.concomitant_names or [], "exog_concomitant")
    elif exog_concomitant is not None:
        raise SmmixError("exog_concomitant means nothing here: the model has no concomitants.")
    if z is not None and len(z) != len(x):
        raise SmmixError(f"exog_concomitant has {len(z)} rows but exog {len(x)}.")
    rows = _with_extras(model, Rows(x, z, None, None, None, index), endog, offset, groups)
    return _with_event(model, rows, None)


def _from_frame(
    model: Specification,
    formulas: FormulaSpec,
    exog: Any,
    exog_concomitant: Any,
    endog: Any,
    offset: Any,
    groups: Any,
) -> Rows:
    if exog_concomitant is not None:
        raise SmmixError(
            "exog_concomitant is for models of arrays; put the concomitant variables into the "
            "frame of new data."
        )
    frame = with_trials(as_frame(exog, "the new data"), model.column_names.get("trials", ""))
    made = formulas.transform(frame)
    response = None
    if endog is None and all(name in frame.columns for name in model.response_columns):
        read = {name: coded(frame[name], model.family) for name in model.response_columns}
        response = formulas.transform(frame.assign(**read), need_endog=True).endog
    group_name = model.column_names.get("groups")
    if groups is None and group_name is not None and group_name in frame.columns:
        groups = frame[group_name]
    extras = {}
    for argument in ("freq_weights", "known", "trials", "event"):
        name = model.column_names.get(argument)
        if name is not None and name in frame.columns:
            extras[argument] = _vector(frame[name], made.index, f"the column {name!r}")
    known = extras.get("known")
    rows = Rows(
        made.exog,
        made.concomitant,
        made.offset,
        response,
        None,
        made.index,
        extras.get("freq_weights"),
        None if known is None else log_indicators(known, model.k, made.index),
        made.ancillary
        if made.ancillary is not None
        else _trials(model, extras.get("trials"), response is not None or endog is not None),
    )
    rows = _with_extras(model, rows, endog, offset, groups)
    return _with_event(model, rows, extras.get("event"))


def _with_event(model: Specification, rows: Rows, event: np.ndarray | None) -> Rows:
    """The rows with the sign that tells a family of times which of them were cut off."""
    if rows.endog is None or not is_timed(model):
        return rows
    # Zero is no time, and is refused where the response is used.
    times = np.where(rows.endog < 0.0, 0.0, rows.endog)
    return replace(rows, endog=times if event is None else np.where(event == 0.0, -times, times))


def _trials(
    model: Specification, trials: np.ndarray | None, has_response: bool
) -> np.ndarray | None:
    """Trials (m, 1) of new rows; rows without them have one each, which a response may not."""
    name = model.column_names.get("trials")
    if trials is None and name is not None and has_response:
        raise SmmixError(
            f"The new data have a response but no column {name!r} of its trials; add it, or leave "
            f"out the column {model.endog_name!r}."
        )
    return None if trials is None else trials[:, None]


def _with_extras(model: Specification, rows: Rows, endog: Any, offset: Any, groups: Any) -> Rows:
    """Attach what the caller gives per row; an offset of the model that is not given is zero."""
    response = rows.endog if endog is None else _response(model, endog, rows.index)
    shift = rows.offset if offset is None else _vector(offset, rows.index, "offset")
    codes = named = None
    if groups is not None:
        if not model.grouped:
            raise SmmixError("The model has no groups, so leave groups out of the call.")
        named = per_row({"groups": groups}, rows.index)[0]["groups"]
        codes, _ = codes_of(named, "groups")
        # A row whose group is not known stands alone.
        alone = codes < 0
        codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return replace(
        rows,
        endog=response,
        offset=shift,
        group_codes=codes,
        groups=None if named is None else named.to_numpy(),
    )


def _matrix(values: Any, names: list[str], what: str) -> np.ndarray:
    if isinstance(values, pd.Series):
        values = values.to_frame() if len(names) == 1 else values.to_frame().T
    if is_structured(values):
        values = as_frame(values, what)
    if isinstance(values, pd.DataFrame):
        if all(name in values.columns for name in names):
            values = values[names]
        columns = [
            numbers(values.iloc[:, i], f"{what} column {name!r}", values.index, booleans=True)
            for i, name in enumerate(values.columns)
        ]
        array = np.column_stack(columns) if columns else np.empty((len(values), 0))
    else:
        try:
            array = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise SmmixError(f"{what} must hold numbers ({reason(error)}).") from error
        if array.ndim < 2:
            array = array.ravel()
            array = array[:, None] if len(names) == 1 else array[None, :]
    if array.ndim != 2 or array.shape[1] != len(names):
        raise SmmixError(
            f"{what} has the shape {array.shape}; it must have {len(names)} columns: "
            f"{quoted(names)}."
        )
    infinite = np.isinf(array)
    if infinite.any():
        row, column = (int(i) for i in np.argwhere(infinite)[0])
        raise SmmixError(f"The column {names[column]!r} of {what} is infinite in row {row}.")
    return array


def _response(model: Specification, endog: Any, index: pd.Index) -> np.ndarray:
    """A response that comes beside the rows, in the numbers that the family computes with."""
    column = _per_row(endog, index, "endog").rename("endog")
    return _finite(coded(column, model.family), index, "endog")


def _vector(values: Any, index: pd.Index, what: str) -> np.ndarray:
    return _finite(_per_row(values, index, what), index, what)


def _per_row(values: Any, index: pd.Index, what: str) -> pd.Series:
    """One value for each row, by label or position; a single one is that of all rows."""
    return per_row({what: [values] * len(index) if is_single(values) else values}, index)[0][what]


def _finite(column: pd.Series, index: pd.Index, what: str) -> np.ndarray:
    array = numbers(column, what, index, booleans=what == "offset")
    if np.isinf(array).any():
        raise SmmixError(
            f"{what} is infinite in {row_name(index, int(np.argmax(np.isinf(array))))}."
        )
    return array
