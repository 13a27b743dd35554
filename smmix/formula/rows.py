"""Which rows a model uses: subset, weights, missing values, and the values that go with rows."""

import re
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.support.checks import check_choice, reason, shown
from smmix.support.frames import (
    is_single,
    is_structured,
    native,
    numbers,
    placed,
    plain,
    quoted,
    row_name,
    similar_names,
    take_columns,
)

__all__ = [
    "PER_ROW",
    "by_label",
    "check_missing_option",
    "checked_weights",
    "choose_rows",
    "complete_rows",
    "exposed",
    "per_row",
    "query_rows",
    "refuse_infinite",
    "row_values",
    "values_used",
    "weighted_rows",
]

#: Arguments of a model that have one value for each row.
PER_ROW = (
    "groups", "freq_weights", "prob_weights", "offset", "known", "exposure", "trials", "event",
)  # fmt: skip
_WEIGHTS = ("freq_weights", "prob_weights")
#: Sums and squares of such weights are held by double precision.
LEAST_WEIGHT = 1e-140
#: Rows that double precision counts one by one.
MOST_ROWS = 2.0**53
#: Those of them that leave a row out where they are missing.
_NEEDED = ("groups", "offset", "exposure", "trials", "event")
Labelled = TypeVar("Labelled", pd.Series, pd.DataFrame)


def check_missing_option(missing: object) -> None:
    """Refuse a ``missing`` that is none of the three known words."""
    check_choice("missing", missing, ("drop", "raise", "none"))


def per_row(
    given: Mapping[str, Any], rows: pd.Index, frame: pd.DataFrame | None = None
) -> tuple[dict[str, pd.Series], dict[str, str]]:
    """Return arguments that have one value per row (groups, weights, offset) as columns.

    Parameters
    ----------
    given : dict
        Argument name to None, column name or array-like of length n. A Series whose index
        differs from ``rows`` is matched by label, anything else by position.
    rows : Index of length n
    frame : DataFrame, optional
        Where column names are looked up.

    Returns
    -------
    values : dict
        Argument name to Series, in the order of ``rows``, for the arguments given.
    column_names : dict
        Argument name to column name, for those that are columns.

    Raises
    ------
    SmmixError
        If a column is unknown, a length is wrong, or labels do not match.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula.rows import per_row
    >>> values, _ = per_row({"offset": [1.0, 2.0], "groups": None}, pd.RangeIndex(2))
    >>> list(values)
    ['offset']
    """
    values: dict[str, pd.Series] = {}
    column_names: dict[str, str] = {}
    for argument, value in given.items():
        if value is None:
            continue
        if is_single(value):
            if frame is None:
                raise SmmixError(
                    f"{argument} must be an array of {len(rows)} values, not {shown(value)}."
                )
            values[argument] = _named_column(frame, value, argument)
            column_names[argument] = str(value)
        else:
            values[argument] = _aligned(value, rows, argument)
    return values, column_names


def _named_column(frame: pd.DataFrame, name: Any, argument: str) -> pd.Series:
    if not isinstance(name, Hashable) or name not in frame.columns:
        raise SmmixError(
            f"{argument}={shown(name)} is not a column of the data"
            f"{similar_names(name, frame.columns)}."
        )
    return take_columns(frame, [name], "data").iloc[:, 0].reset_index(drop=True)


def _aligned(value: Any, rows: pd.Index, argument: str) -> pd.Series:
    if isinstance(value, pd.DataFrame) and value.shape[1] == 1:
        value = value.iloc[:, 0]
    if isinstance(value, pd.Series) and not value.index.equals(rows):
        return by_label(value, rows, argument).reset_index(drop=True)
    if not isinstance(value, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        array = _array(value, argument)
        value = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        if value.ndim != 1:
            raise SmmixError(
                f"{argument} must have one value per row, not the shape {value.shape}."
            )
    if len(value) != len(rows):
        raise SmmixError(
            f"{argument} has {len(value)} values but the data {len(rows)} rows; give one value "
            "for every row of the data, before any subset or missing row is taken out."
        )
    return native(pd.Series(value)).reset_index(drop=True)


def _array(value: Any, argument: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise SmmixError(f"{argument} must have one value per row, not lists of them.") from error
    if is_structured(array):
        fields = quoted(array.dtype.names or (), "or")
        raise SmmixError(f"{argument} is an array of records; give one field of it: {fields}.")
    return array


def by_label(value: Labelled, rows: pd.Index, argument: str) -> Labelled:
    """Return the rows of a Series or frame in the order of some labels.

    Raises
    ------
    SmmixError
        If the indices differ and labels repeat, or a label is absent.
    """
    if value.index.equals(rows):
        return value
    advice = f"pass {argument}.to_numpy() to match by position"
    if not value.index.is_unique or not rows.is_unique:
        raise SmmixError(
            f"{argument} has another index than the data, with repeated labels, so the rows "
            f"cannot be matched; {advice}."
        )
    absent = ~rows.isin(value.index)
    if absent.any():
        raise SmmixError(
            f"The index of {argument} lacks the label {rows[absent].tolist()[0]!r} "
            f"of the data; {advice}."
        )
    return value.reindex(rows)


def choose_rows(subset: Any, frame: pd.DataFrame, names: Mapping[str, Any]) -> np.ndarray:
    """Return the positions of the rows that ``subset`` chooses.

    Parameters
    ----------
    subset : None, str, boolean mask, slice or list of labels
        A str is a query in the words of ``DataFrame.query``, where ``@name`` is a name of the
        caller's. Integers are positions if the labels of the data are not integers.
    frame : DataFrame
    names : mapping
        Names of the caller's program.

    Returns
    -------
    ndarray of int

    Raises
    ------
    SmmixError
        If the rows do not exist or none is left.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula.rows import choose_rows
    >>> choose_rows("x > 1", pd.DataFrame({"x": [1, 2, 3]}), {})
    array([1, 2])
    """
    positions = pd.Series(np.arange(len(frame)), index=frame.index)
    if subset is None:
        return positions.to_numpy()
    try:
        if isinstance(subset, str):
            chosen = query_rows(subset, frame, names)
        elif isinstance(subset, slice):
            chosen = positions.loc[subset].to_numpy()
        else:
            chosen = _listed(subset, positions)
    except SmmixError:
        raise
    except Exception as error:
        raise SmmixError(
            f"subset={shown(subset)} does not choose rows: {reason(error)}."
        ) from error
    if not len(chosen):
        raise SmmixError(f"subset={shown(subset)} leaves no rows.")
    return chosen


def query_rows(text: str, frame: pd.DataFrame, names: Mapping[str, Any]) -> np.ndarray:
    """Return the positions of the rows for which a condition holds."""
    own = {word: names[word] for word in re.findall(r"@(\w+)", text) if word in names}
    try:
        mask = frame.eval(text, local_dict=own, global_dict={})
    except Exception as error:
        # pandas raises a dozen types here, from KeyError to its own UndefinedVariableError.
        raise SmmixError(f"subset={shown(text)} does not choose rows: {reason(error)}.") from error
    if not isinstance(mask, pd.Series) or not pd.api.types.is_bool_dtype(mask.dtype):
        raise SmmixError(f"subset={shown(text)} must be a condition, such as 'x > 0'.")
    return np.flatnonzero(mask.fillna(False).to_numpy(dtype=bool))


def _listed(subset: Any, positions: pd.Series) -> np.ndarray:
    rows = positions.index
    if isinstance(subset, pd.Series) and pd.api.types.is_bool_dtype(subset.dtype):
        mask = _aligned(subset, rows, "subset").fillna(False).to_numpy(dtype=bool)
        return np.flatnonzero(mask)
    keys = np.asarray(subset)
    if keys.ndim != 1:
        raise SmmixError("subset must be a condition, a mask, or a list of row labels.")
    if keys.dtype == bool or (len(keys) and all(isinstance(key, bool | np.bool_) for key in keys)):
        if len(keys) != len(rows):
            raise SmmixError(f"subset has {len(keys)} values but the data {len(rows)} rows.")
        return np.flatnonzero(keys.astype(bool))
    by_position = keys.dtype.kind in "iu" and not pd.api.types.is_integer_dtype(rows.dtype)
    chosen = positions.iloc[keys] if by_position else positions.loc[list(subset)]
    return chosen.to_numpy()


def weighted_rows(
    values: Mapping[str, pd.Series], rows: pd.Index, positions: np.ndarray
) -> np.ndarray:
    """Return those of some positions whose weights are positive, refusing bad weights.

    A row of weight zero counts as absent: it adds nothing to the likelihood, and its values
    must not reach the levels and knots of the formula.

    Parameters
    ----------
    values : dict
        As returned by `per_row`.
    rows : Index of length n
    positions : ndarray of int

    Returns
    -------
    ndarray of int

    Raises
    ------
    SmmixError
        If a weight is missing, negative or infinite, or if all are zero.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from smmix.formula.rows import weighted_rows
    >>> weighted_rows({"freq_weights": pd.Series([1, 0, 2])}, pd.RangeIndex(3), np.arange(3))
    array([0, 2])
    """
    kept = np.ones(len(positions), dtype=bool)
    for argument, weights in checked_weights(values, rows, positions).items():
        if not weights.any():
            raise SmmixError(f"All {argument} are zero; at least one row needs a positive weight.")
        kept &= weights > 0
    if not kept.any():
        raise SmmixError("No row has both a positive freq_weights and a positive prob_weights.")
    return positions[kept]


def checked_weights(
    values: Mapping[str, pd.Series], rows: pd.Index, positions: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the weights at some positions by argument, refusing those that are no weights."""
    used = rows[positions]
    found = {}
    with placed(positions):
        for argument in [name for name in _WEIGHTS if name in values]:
            column = values[argument].iloc[positions]
            weights = numbers(column, argument, used, booleans=True)
            faults = {"missing": np.isnan(weights), "negative": weights < 0}
            for word, bad in (faults | {"infinite": np.isinf(weights)}).items():
                if bad.any():
                    position = int(np.argmax(bad))
                    raise SmmixError(
                        f"{argument} is {word} in {row_name(used, position)}"
                        f"{f' ({weights[position]:g})' if word == 'negative' else ''}; "
                        "weights must be zero or positive numbers."
                    )
            _check_range(argument, weights)
            found[argument] = weights
    return found


def _check_range(argument: str, weights: np.ndarray) -> None:
    """Refuse weights whose sums or squares double precision cannot hold."""
    used = weights[weights > 0.0]
    if used.size and not (used.min() >= LEAST_WEIGHT and used.max() <= 1.0 / LEAST_WEIGHT):
        raise SmmixError(
            f"{argument} run from {used.min():g} to {used.max():g}; rescale them to lie between "
            f"{LEAST_WEIGHT:g} and {1.0 / LEAST_WEIGHT:g}."
        )
    if argument == "freq_weights" and used.sum() > MOST_ROWS:
        raise SmmixError(
            f"freq_weights add up to {used.sum():.1e} rows, more than can be counted; give weights "
            "of another meaning as prob_weights."
        )


def complete_rows(
    missing_masks: Mapping[str, np.ndarray], missing: str, rows: pd.Index
) -> np.ndarray:
    """Return the mask of the rows in which nothing is missing.

    Parameters
    ----------
    missing_masks : dict
        What is missing (as a message names it) to a mask of length n.
    missing : {"drop", "raise", "none"}
        Any but "drop" refuses missing values.
    rows : Index of length n

    Returns
    -------
    (n,) bool ndarray

    Raises
    ------
    SmmixError
        If a value is missing and must not be, or if no complete row is left.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from smmix.formula.rows import complete_rows
    >>> complete_rows({"'x'": np.array([True, False])}, "drop", pd.RangeIndex(2))
    array([False,  True])
    """
    incomplete = np.zeros(len(rows), dtype=bool)
    for mask in missing_masks.values():
        incomplete |= mask
    if incomplete.all():
        empty = [what for what, mask in missing_masks.items() if mask.all()]
        if empty:
            raise SmmixError(f"No complete rows are left: {empty[0]} is missing in every row.")
        counts = ", ".join(
            f"{what} in {mask.sum()}" for what, mask in missing_masks.items() if mask.any()
        )
        raise SmmixError(f"No complete rows are left: of {len(rows)} rows, missing are {counts}.")
    if incomplete.any() and missing != "drop":
        position = int(np.argmax(incomplete))
        what = next(what for what, mask in missing_masks.items() if mask[position])
        raise SmmixError(
            f"{what} is missing in {row_name(rows, position)} ({incomplete.sum()} incomplete rows "
            "in all); fill it in, or leave such rows out with missing='drop'."
        )
    return ~incomplete


def refuse_infinite(values: np.ndarray, what: str, rows: pd.Index) -> None:
    """Refuse infinite values, naming the first row that has one."""
    if values.dtype.kind != "f":
        return
    infinite = np.isinf(values)
    infinite = infinite.any(axis=1) if infinite.ndim == 2 else infinite
    if infinite.any():
        position = int(np.argmax(infinite))
        raise SmmixError(
            f"{what} is infinite in {row_name(rows, position)}; correct the value or make it NaN."
        )


def row_values(
    values: Mapping[str, pd.Series], positions: np.ndarray, rows: pd.Index
) -> tuple[dict[str, pd.Series], dict[str, np.ndarray]]:
    """Return the per-row arguments at some positions, and where groups or offset are missing."""
    taken = {
        argument: column.iloc[positions].reset_index(drop=True)
        for argument, column in values.items()
    }
    masks: dict[str, np.ndarray] = {
        argument: taken[argument].isna().to_numpy() for argument in _NEEDED if argument in taken
    }
    for argument in ("offset", "known", "exposure", "trials", "event"):
        if argument in taken:
            array = numbers(taken[argument], argument, rows, booleans=argument != "known")
            refuse_infinite(array, argument, rows)
            taken[argument] = pd.Series(array)
    return taken, masks


def values_used(
    taken: Mapping[str, pd.Series], complete: np.ndarray, rows: pd.Index
) -> dict[str, np.ndarray | None]:
    """Return the per-row arguments of the complete rows as arrays, None for those not given.

    The log of an exposure is added to the offset.
    """
    used: dict[str, np.ndarray | None] = {}
    for argument in PER_ROW:
        column = taken.get(argument)
        if column is None:
            used[argument] = None
        elif argument == "groups":
            used[argument] = plain(column[complete]).to_numpy()
        else:
            used[argument] = numbers(column[complete], argument, rows[complete], booleans=True)
    exposure = used.pop("exposure")
    if exposure is not None:
        used["offset"] = exposed(used["offset"], exposure, rows[complete])
    return used


def exposed(offset: np.ndarray | None, exposure: np.ndarray, rows: pd.Index) -> np.ndarray:
    """An offset with the log of an exposure added.

    Raises
    ------
    SmmixError
        If an exposure is not positive.
    """
    if (exposure <= 0.0).any():
        position = int(np.argmax(exposure <= 0.0))
        raise SmmixError(
            f"exposure is {exposure[position]:g} in {row_name(rows, position)}; it must be "
            "positive, for its log is the offset."
        )
    log = np.log(exposure)
    return log if offset is None else offset + log
