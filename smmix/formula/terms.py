"""The factors of a formula, evaluated to see which rows are complete before patsy builds.

patsy remembers levels, means and knots from whatever rows it sees, so the rows must be known
first. Here each factor is evaluated with its remembering transforms (``center``, ``bs``, ..)
replaced by ones that hand their argument on: the result is missing where the argument is.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.engine import evaluate
from smmix.formula.names import name_use
from smmix.formula.rows import refuse_infinite
from smmix.support.frames import first_text, is_date, is_single, placed, plain, row_name

__all__ = [
    "check_finite",
    "factor_columns",
    "factor_values",
    "missing_masks",
    "refuse_mixed",
    "text_fault",
]

#: Texts that stand for a missing value: of Stata, SAS, R, spreadsheets and hand-made tables.
MISSING_SIGNS = {
    ".", "", "-", "--", "?", "*", "na", "n/a", "n.a.", "#n/a", "null", "none", "missing", "nd",
}  # fmt: skip
#: Rows from which on a column with another text in each holds names of rows.
FEWEST_NAMES = 20
#: A number as people write it: 1,234.50 or 1.234,50 or 1 234,5 or 0,5, with % or a currency.
WRITTEN_NUMBER = (
    r"[-+(]?\s*[$€£]?\s*(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:[.\s'\u00a0]\d{3})+(?:,\d+)?"
    r"|\d+(?:[.,]\d+)?)\s*[%€$£)]?"
)
ISO_DATE = r"\d{4}-\d{1,2}-\d{1,2}(?:[T ][\d:.+Z-]+)?|\d{1,2}[/.]\d{1,2}[/.]\d{4}"


def factor_values(
    codes: Iterable[str], frame: pd.DataFrame, scope: Mapping[str, Any], rows: pd.Index
) -> dict[str, Any]:
    """Evaluate factors on a frame, row by row.

    Parameters
    ----------
    codes : iterable of str
        Expressions.
    frame : DataFrame
        Plain columns with a RangeIndex.
    scope : dict
        Values of the names that are no columns.
    rows : Index
        Row labels for error messages.

    Returns
    -------
    dict
        Expression to a Series, array or Categorical with one entry (or row) per row.

    Raises
    ------
    SmmixError
        If an expression fails, has another length than the frame, or gives dates.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula.terms import factor_values
    >>> frame = pd.DataFrame({"x": [1, 2]})
    >>> factor_values(["x + 1"], frame, {}, frame.index)["x + 1"].tolist()
    [2, 3]
    """
    stateless = {name: _stateless(name, value, len(frame)) for name, value in scope.items()}
    columns = {str(name): column for name, column in frame.items()}
    values = {}
    for code in codes:
        try:
            # Division by zero gives an infinity, which is refused by name later on.
            with np.errstate(divide="ignore", over="ignore"):
                value = evaluate(code, columns, stateless)
        except Exception as error:
            raise SmmixError(
                f"The formula term {code!r} cannot be evaluated: {type(error).__name__}: "
                f"{str(error).rstrip('.')}{_hint(code, frame, rows)}."
            ) from error
        boxed = hasattr(value, "contrast") and hasattr(value, "levels")
        values[code] = _checked(code, value.data if boxed else value, rows, category=boxed)
    return values


def _stateless(name: str, value: Any, n_rows: int) -> Any:
    if not hasattr(value, "__patsy_stateful_transform__"):
        return value

    def hand_on(*args: Any, **kwargs: Any) -> Any:
        columns = [
            argument
            for argument in (*args, *kwargs.values())
            if np.ndim(argument) > 0 and len(argument) == n_rows
        ]
        for column in columns:
            kind = getattr(getattr(column, "dtype", None), "kind", "O")
            if kind == "b":
                raise TypeError(f"{name}() takes numbers; turn True and False into 1 and 0")
            if kind not in "iuf":
                raise TypeError(f"{name}() takes numbers, and neither text nor dates")
        if len(columns) == 1:
            return columns[0]
        tables = [np.asarray(c, dtype=np.float64).reshape(n_rows, -1) for c in columns]
        return np.column_stack(tables) if tables else np.nan

    return hand_on


def _hint(code: str, frame: pd.DataFrame, rows: pd.Index) -> str:
    if "^" in code:
        return "; a power is written as x ** 2 inside I(..)"
    use = name_use(code)
    for name in sorted((use.values | use.options | use.columns) & set(frame.columns)):
        if frame[name].dtype == np.dtype(object):
            position, text = first_text(frame[name])
            return f"; the column {name!r} holds {text!r} in {row_name(rows, position)}"
    return ""


def _checked(code: str, value: Any, rows: pd.Index, *, category: bool) -> Any:
    if is_single(value) or len(value) != len(rows):
        size = "a single value" if is_single(value) else f"{len(value)} values"
        raise SmmixError(
            f"The formula term {code!r} gives {size}, not one for each of {len(rows)} rows."
        )
    if isinstance(value, pd.DataFrame) or np.ndim(value) > 1:
        array = np.asarray(value)
        if array.dtype.kind not in "iufb" or array.ndim != 2:
            raise SmmixError(
                f"The formula term {code!r} must give one column, or a table of numbers."
            )
        return array
    column = plain(pd.Series(value).reset_index(drop=True))
    if column.dtype == np.dtype(object) and column.map(_is_container).any():
        position = int(np.argmax(column.map(_is_container).to_numpy()))
        raise SmmixError(
            f"{code!r} holds {type(column[position]).__name__} values, as in "
            f"{row_name(rows, position)}; a cell must be one number or one category."
        )
    if not category and is_date(column):
        raise SmmixError(
            f"{code!r} is a column of dates or times, which has no slope; turn it into a number "
            f"(such as days since a reference date, or {code}.dt.year), or write C({code}) for "
            "one coefficient per date."
        )
    if column.dtype.kind == "c":
        raise SmmixError(f"{code!r} holds complex numbers; take its real part.")
    _refuse_nan_text(code, column, rows)
    return column.astype("category") if category else column


def _refuse_nan_text(code: str, column: pd.Series, rows: pd.Index) -> None:
    # patsy reads the text 'nan' as a missing value, which it may or may not be.
    if isinstance(column.dtype, np.dtype) and column.dtype != np.dtype(object):
        return
    levels = [level for level in column.dropna().unique() if _reads_as_nan(level)]
    if levels:
        position = int(np.argmax((column == levels[0]).to_numpy()))
        raise SmmixError(
            f"{code!r} holds the text {levels[0]!r} in {row_name(rows, position)}; make it a "
            "missing value, such as None, or give the category another name."
        )


def _is_container(value: object) -> bool:
    return isinstance(value, list | dict | set | np.ndarray)


def _reads_as_nan(level: object) -> bool:
    return isinstance(level, str) and level.strip().lstrip("+-").lower() == "nan"


def missing_masks(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return, for each factor by the name that messages use, the rows where it is missing."""
    masks: dict[str, np.ndarray] = {}
    for code, value in values.items():
        mask: np.ndarray = np.asarray(pd.isna(value))
        masks[repr(code)] = np.any(mask, axis=1) if mask.ndim == 2 else mask
    return masks


def check_finite(
    values: Mapping[str, Any], frame: pd.DataFrame, complete: np.ndarray, rows: pd.Index
) -> None:
    """Refuse columns, and factors made of them, that are infinite in a complete row."""
    used = rows[complete]
    with placed(np.flatnonzero(complete)):
        for name in factor_columns(values, frame.columns):
            if frame[name].dtype.kind == "f":
                refuse_infinite(frame[name].to_numpy()[complete], repr(name), used)
        for code, value in values.items():
            if not isinstance(value, pd.Series) or isinstance(value.dtype, np.dtype):
                refuse_infinite(np.asarray(value)[complete], repr(code), used)


def refuse_mixed(values: Mapping[str, Any], rows: pd.Index) -> None:
    """Refuse text that is mostly numbers: a stray entry, which would become many categories."""
    for code, value in values.items():
        if not isinstance(value, pd.Series) or value.dtype != np.dtype(object):
            continue
        fault = text_fault(value)
        if fault is None:
            continue
        position, text = first_text(value)
        place = row_name(rows, position)
        if fault == "names":
            raise SmmixError(
                f"{code!r} holds another text in every row, such as {text!r} in {place}, so it is "
                "no category; leave it out."
            )
        if fault == "missing":
            raise SmmixError(
                f"{code!r} holds {text!r} in {place} and else numbers: if that stands for a "
                "missing value, make it one, as by pandas.to_numeric(.., errors='coerce') or "
                f"--na {text!r} on the command line."
            )
        if fault == "mixed":
            raise SmmixError(
                f"{code!r} mixes numbers and text: {place} holds {text!r}; "
                f"correct the value, or write C({code}) if these are categories."
            )
        if fault == "dates":
            raise SmmixError(
                f"{code!r} holds dates as text, such as {text!r} in {place}; turn them into "
                f"numbers, such as days since a reference date, or write C({code}) for one "
                "coefficient per date."
            )
        raise SmmixError(
            f"{code!r} holds numbers written as text, such as {text!r} in {place}; read them with "
            "the thousands= or decimal= of pandas.read_csv (--thousands, --decimal on the command "
            f"line), or write C({code}) if these are categories."
        )


def text_fault(value: pd.Series) -> str | None:
    """What speaks against categories in a column of text; None when nothing does.

    Returns
    -------
    {"missing", "mixed", "dates", "numbers", "names"} or None
        Numbers beside one sign that usually stands for a missing value; mostly numbers; dates;
        numbers with separators of thousands, a decimal comma, or a sign of a currency; another
        text in every row.
    """
    present = value[value.notna()]
    numeric = pd.to_numeric(present, errors="coerce").notna()
    if not len(present) or numeric.all():
        return None
    rest = present[~numeric].astype(str).str.strip()
    written = rest.str.fullmatch(WRITTEN_NUMBER)
    if numeric.any() and (rest == rest.iloc[0]).all() and rest.iloc[0].lower() in MISSING_SIGNS:
        return "missing"
    if (numeric.sum() + written.sum()) == len(present):
        return "numbers"
    if numeric.mean() > 0.5:
        return "mixed"
    if rest.str.fullmatch(ISO_DATE).all():
        return "dates"
    return "names" if len(present) >= FEWEST_NAMES and rest.is_unique else None


def factor_columns(codes: Iterable[str], columns: pd.Index) -> list[str]:
    """Return the columns that some factors use, in the order of their first use."""
    found: dict[str, None] = {}
    for code in codes:
        use = name_use(code)
        found.update(
            dict.fromkeys(n for n in columns if n in use.values | use.options | use.columns)
        )
    return list(found)
