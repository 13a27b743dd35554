"""The array path of a model: the constant and the dummies are the user's, as in statsmodels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.design import Design
from smmix.formula.rows import (
    check_missing_option,
    complete_rows,
    per_row,
    refuse_infinite,
    row_values,
    values_used,
    weighted_rows,
)
from smmix.support.checks import listed
from smmix.support.frames import (
    as_frame,
    is_pandas,
    is_structured,
    native,
    numbers,
    placed,
    similar_names,
)

__all__ = ["check_names", "validate_arrays"]


def validate_arrays(
    endog: Any,
    exog: Any,
    *,
    exog_concomitant: Any = None,
    groups: Any = None,
    freq_weights: Any = None,
    prob_weights: Any = None,
    offset: Any = None,
    known: Any = None,
    exposure: Any = None,
    trials: Any = None,
    event: Any = None,
    common: Sequence[str] | str | None = None,
    missing: str = "none",
) -> Design:
    """Check the arrays of a model and return its complete rows.

    Parameters
    ----------
    endog : (n,) array-like
    exog : (n, p) array-like
        Columns are named by a pandas frame, otherwise ``const`` (a constant column) and
        ``x1``, ``x2``, .., as statsmodels does.
    exog_concomitant : (n, q) array-like, optional
    groups, freq_weights, prob_weights, offset, known, exposure, trials, event : (n,) array-like
        A Series is matched by label when ``endog`` or ``exog`` is of pandas.
    common : list of str, optional
        Names of columns of ``exog``.
    missing : {"none", "drop", "raise"}
        "none" and "raise" refuse missing values, "drop" leaves such rows out.

    Returns
    -------
    Design

    Raises
    ------
    SmmixError
        For anything but finite real numbers in arrays of equal length.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.formula import validate_arrays
    >>> validate_arrays([1.0, 2, 3], np.array([[1, 0], [1, 2], [1, 5]])).exog_names
    ['const', 'x1']
    """
    check_missing_option(missing)
    sources = {"endog": endog, "exog": exog}
    sources |= {} if exog_concomitant is None else {"exog_concomitant": exog_concomitant}
    tables = {what: native(_columns(values, what)) for what, values in sources.items()}
    rows = _common_rows(tables, sources)
    own = {"groups": groups, "known": known, "trials": trials, "event": event}
    shifts = {"offset": offset, "exposure": exposure}
    given = {**own, **shifts, "freq_weights": freq_weights, "prob_weights": prob_weights}
    extras, _ = per_row(given, rows)
    positions = weighted_rows(extras, rows, np.arange(len(rows)))
    used = rows if len(positions) == len(rows) else rows[positions]
    if used is not rows:
        tables = {what: table.iloc[positions] for what, table in tables.items()}
    with placed(positions):
        arrays = {what: _array(table, what, used) for what, table in tables.items()}
        taken, masks = row_values(extras, positions, used)
        complete = _complete(tables, arrays, masks, missing, used)
    values: dict[str, Any] = values_used(taken, complete, used)
    dropped = positions[:0]
    if not complete.all():
        arrays = {what: array[complete] for what, array in arrays.items()}
        dropped, positions, used = positions[~complete], positions[complete], used[complete]
    names = {what: _names(table, arrays[what], what) for what, table in tables.items()}
    check_names(names["exog"])
    return Design(
        endog=arrays["endog"][:, 0],
        endog_name=names["endog"][0],
        exog=arrays["exog"],
        exog_names=names["exog"],
        concomitant=arrays.get("exog_concomitant"),
        concomitant_names=names.get("exog_concomitant"),
        column_names={},
        index=used,
        missing_rows=dropped,
        positions=positions,
        frame=None,
        common_names=_common(common, names["exog"]),
        exog_terms={name: [i] for i, name in enumerate(names["exog"])},
        concomitant_terms={name: [i] for i, name in enumerate(names.get("exog_concomitant", []))},
        formulas=None,
        ancillary_names=None,
        **values,
    )


def _columns(values: Any, what: str) -> pd.DataFrame:
    if values is None:
        raise SmmixError(f"{what} is missing; give an array with one row per observation.")
    if isinstance(values, pd.Series):
        return pd.DataFrame({0: values}) if values.name is None else values.to_frame()
    if isinstance(values, pd.DataFrame):
        return values
    if is_structured(values):
        return as_frame(values, what)
    if hasattr(values, "to_pandas"):
        return _columns(values.to_pandas(), what)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise SmmixError(f"{what} has rows of different lengths.") from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise SmmixError(f"{what} must have one or two dimensions, not {array.ndim}.")
    return pd.DataFrame(array, copy=False)


def _common_rows(tables: dict[str, pd.DataFrame], given: dict[str, Any]) -> pd.Index:
    n, responses = tables["endog"].shape
    if responses != 1:
        raise SmmixError(f"endog must be one column, not {responses}; a mixture has one response.")
    if n == 0:
        raise SmmixError("endog has no rows.")
    labelled: pd.Index | None = None
    owner = ""
    for what, table in tables.items():
        if len(table) != n:
            raise SmmixError(f"{what} has {len(table)} rows but endog {n}.")
        if table.shape[1] == 0:
            raise SmmixError(f"{what} has no columns.")
        if not is_pandas(given[what]):
            continue
        if labelled is not None and not labelled.equals(table.index):
            raise SmmixError(
                f"The indices of {owner} and {what} differ; bring them into one order, as in "
                f"{what}.loc[{owner}.index]."
            )
        labelled, owner = table.index, owner or what
    return pd.RangeIndex(n) if labelled is None else labelled


def _array(table: pd.DataFrame, what: str, rows: pd.Index) -> np.ndarray:
    """The numbers of a table, row by row; the user's own array when it is of that kind."""
    if (table.dtypes == np.float64).all():
        return np.ascontiguousarray(table.to_numpy())
    array = np.empty(table.shape)
    for i, name in enumerate(table.columns):
        column = table.iloc[:, i]
        array[:, i] = numbers(column, _column_text(what, name), rows, booleans=what != "endog")
    return array


def _complete(
    tables: dict[str, pd.DataFrame],
    arrays: dict[str, np.ndarray],
    masks: dict[str, np.ndarray],
    missing: str,
    rows: pd.Index,
) -> np.ndarray:
    """Mask (n,) of the rows in which nothing is missing; infinite values are refused."""
    with np.errstate(all="ignore"):
        # A sum shows that all is well without as many flags as there are numbers.
        if not masks and all(np.isfinite(array.sum()) for array in arrays.values()):
            return np.ones(len(rows), dtype=bool)
    named = {
        _column_text(what, name): arrays[what][:, column]
        for what, table in tables.items()
        for column, name in enumerate(table.columns)
    }
    gaps = {what: np.isnan(column) for what, column in named.items()}
    complete = complete_rows(gaps | masks, missing, rows)
    with placed(np.flatnonzero(complete)):
        for what, column in named.items():
            refuse_infinite(column[complete], what, rows[complete])
    return complete


def _column_text(what: str, name: object) -> str:
    return what if what == "endog" or name == what else f"{what} column {name!r}"


def _names(table: pd.DataFrame, array: np.ndarray, what: str) -> list[str]:
    columns: pd.Index[Any] = table.columns
    if list(columns) != list(range(len(columns))):
        return ["_".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in columns]
    if what == "endog":
        return ["y"]
    letter = "x" if what == "exog" else "z"
    constant = np.flatnonzero(np.ptp(array, axis=0) == 0)
    if not len(constant):
        return [f"{letter}{i + 1}" for i in range(array.shape[1])]
    names = [f"{letter}{i + 1}" for i in range(array.shape[1] - 1)]
    names.insert(int(constant[0]), "const")
    return names


def check_names(names: Sequence[str]) -> None:
    """Refuse names of columns that repeat or that parameters of the model have."""
    for position, name in enumerate(names):
        if name in names[:position]:
            raise SmmixError(f"Two columns of the design are named {name!r}; rename one.")
        stem = name.rpartition("[")[0] if name.endswith("]") else ""
        component = name[len(stem) + 1 : -1].isdigit() and stem in names
        if name.startswith("mixing.") or (stem and component):
            raise SmmixError(
                f"A column of the design is named {name!r}, which is the name of a parameter "
                "of the model; rename the column."
            )


def _common(common: Sequence[str] | str | None, names: list[str]) -> list[str]:
    wanted = listed("common", common, "columns of exog")
    for name in wanted:
        if not (isinstance(name, str) and name in names):
            raise SmmixError(
                f"common names {name!r}, which is no column of exog{similar_names(name, names)}."
            )
    return [name for name in names if name in wanted]
