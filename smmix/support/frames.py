"""Tables of any kind as pandas columns of plain numpy types, which patsy can read."""

import difflib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from smmix.errors import SmmixError
from smmix.support.checks import reason

__all__ = [
    "as_frame",
    "codes_of",
    "counted",
    "first_text",
    "is_date",
    "is_pandas",
    "is_single",
    "is_structured",
    "joined",
    "map_columns",
    "native",
    "numbers",
    "placed",
    "plain",
    "quoted",
    "row_name",
    "similar_names",
    "take_columns",
]

#: Names that a message lists at most.
MOST_NAMES = 12
_PLACES: ContextVar[np.ndarray | None] = ContextVar("places", default=None)
_NUMERIC_OBJECTS = {"integer", "floating", "mixed-integer-float", "decimal"}


def native(data: Any) -> Any:
    """Return a frame, Series or array with numbers in the byte order of the machine.

    pandas does not take rows of others, which FITS, HDF and old binary files bring along.
    """
    if isinstance(data, pd.DataFrame):
        kinds = [dtype for dtype in data.dtypes if isinstance(dtype, np.dtype)]
        if all(dtype.isnative for dtype in kinds):
            return data
        columns = [native(data.iloc[:, j]) for j in range(data.shape[1])]
        return pd.concat(columns, axis=1).set_axis(data.columns, axis=1)
    if isinstance(data, pd.Series):
        return (
            data
            if _is_native(data.dtype)
            else pd.Series(native(data.to_numpy()), data.index, name=data.name)
        )
    if isinstance(data, np.ndarray) and not _is_native(data.dtype):
        return data.astype(data.dtype.newbyteorder("="))
    return data


def _is_native(dtype: Any) -> bool:
    return not isinstance(dtype, np.dtype) or bool(dtype.isnative)


def as_frame(data: Any, what: str = "data") -> pd.DataFrame:
    """Return a table of any supported kind as a pandas frame.

    Parameters
    ----------
    data : DataFrame, Series (one row), mapping, polars frame, pyarrow table or structured array
        The table. A mapping of scalars is one row. Any other library's frame too that has a method
        ``to_pandas``, or gives Arrow data by the PyCapsule interface.
    what : str
        How error messages call the table.

    Returns
    -------
    DataFrame
        ``data`` itself when it is a pandas frame already, in the byte order of the machine.

    Raises
    ------
    SmmixError
        If the table is of no known kind, or its columns differ in length.

    Examples
    --------
    >>> from smmix.support.frames import as_frame
    >>> as_frame({"x": [1, 2]}).shape
    (2, 1)
    """
    if isinstance(data, pd.DataFrame):
        return native(data)
    if isinstance(data, pd.Series):
        return data.to_frame().T.infer_objects()
    if isinstance(data, Mapping):
        return native(_frame_of_mapping(data, what))
    if is_structured(data):
        return native(pd.DataFrame({name: data[name] for name in data.dtype.names}))
    library = type(data).__module__.partition(".")[0]
    if library == "narwhals":
        return as_frame(data.to_native(), what)
    if library == "polars":
        data = _polars_frame(data)
    if any(hasattr(data, name) for name in ("to_pandas", "__arrow_c_stream__")):
        try:
            made = data.to_pandas() if hasattr(data, "to_pandas") else _frame_of_arrow(data)
            if isinstance(made, pd.DataFrame):
                return native(made)
        except ImportError as error:
            raise SmmixError(
                f"{what}: turning a {library} table into a pandas frame needs a further package "
                f"({reason(error)}); install it or pass table.to_pandas()."
            ) from error
    raise SmmixError(
        f"{what} must be a pandas or polars frame, a pyarrow table or a dict of columns, "
        f"not {type(data).__name__}."
    )


def _frame_of_arrow(data: Any) -> Any:
    import pyarrow as pa

    return pa.table(data).to_pandas()


def _polars_frame(data: Any) -> Any:
    import polars as pl

    data = data.collect() if isinstance(data, pl.LazyFrame) else data
    if not isinstance(data, pl.DataFrame):
        return data
    # The categories of a polars Categorical stand in no order of their own, unlike an Enum's.
    return data.with_columns(pl.col(pl.Categorical).cast(pl.String))


def _frame_of_mapping(data: Mapping[Any, Any], what: str) -> pd.DataFrame:
    columns = dict(data)
    if columns and all(is_single(value) for value in columns.values()):
        return pd.DataFrame({name: [value] for name, value in columns.items()})
    try:
        return pd.DataFrame(columns)
    except (ValueError, TypeError) as error:
        lengths = ", ".join(
            f"{name!r}: {'a scalar' if is_single(value) else len(value)}"
            for name, value in columns.items()
        )
        raise SmmixError(
            f"The columns of {what} do not make a table ({reason(error)}; lengths {lengths})."
        ) from error


def take_columns(frame: pd.DataFrame, names: Iterable[Hashable], what: str) -> pd.DataFrame:
    """Return the named columns, refusing a name that is absent or stands for several columns."""
    wanted = list(names)
    for name in wanted:
        if name not in frame.columns:
            raise SmmixError(f"{what} has no column {name!r}{similar_names(name, frame.columns)}.")
        if (frame.columns == name).sum() > 1:
            raise SmmixError(
                f"{what} has several columns named {name!r}; rename or drop the duplicates."
            )
    return frame.loc[:, wanted]


def map_columns(frame: pd.DataFrame, function: Callable[[pd.Series], pd.Series]) -> pd.DataFrame:
    """Return a frame of the same shape with each column replaced by a function of it."""
    return pd.DataFrame({name: function(c) for name, c in frame.items()}, index=frame.index)


def plain(column: pd.Series) -> pd.Series:
    """Return a column in a plain numpy type (or pandas Categorical), missing values as NaN.

    Nullable and Arrow numbers become int64 or, with missing values, float64; strings become
    objects; an object column that holds numbers only becomes numeric; categories that do not
    occur are left out, as R's ``lm`` does. Dates stay dates.

    Parameters
    ----------
    column : Series

    Returns
    -------
    Series
        Same index and name.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.support.frames import plain
    >>> plain(pd.Series([1, None], dtype="Int64")).dtype
    dtype('float64')
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        kept = column.cat.remove_unused_categories()
        categories = plain(kept.cat.categories.to_series()).array
        return kept.cat.rename_categories(list(categories)) if len(categories) else kept
    if isinstance(dtype, np.dtype):
        return _plain_objects(column) if dtype == np.dtype(object) else native(column)
    if isinstance(dtype, pd.SparseDtype):
        return plain(pd.Series(np.asarray(column), index=column.index, name=column.name))
    if dtypes.is_datetime64_any_dtype(dtype) or dtypes.is_timedelta64_dtype(dtype):
        return column if not isinstance(dtype, pd.ArrowDtype) else _dates(column)
    if dtypes.is_bool_dtype(dtype):
        return column.astype(object if column.isna().any() else bool).where(column.notna(), np.nan)
    if dtypes.is_integer_dtype(dtype) and not column.isna().any():
        return column.astype("uint64" if dtype.kind == "u" else "int64")
    if dtypes.is_numeric_dtype(dtype):
        return _like(column, column.to_numpy(dtype=np.float64, na_value=np.nan))
    if isinstance(dtype, pd.PeriodDtype):
        return column
    return _plain_objects(column.astype(object))


def _plain_objects(column: pd.Series) -> pd.Series:
    values = column.to_numpy(dtype=object)
    missing = column.isna().to_numpy()
    if missing.all():
        return _like(column, np.full(len(values), np.nan))
    if dtypes.infer_dtype(values, skipna=True) in _NUMERIC_OBJECTS:
        number = np.full(len(values), np.nan)
        number[~missing] = values[~missing].astype(np.float64)
        whole = not missing.any() and dtypes.infer_dtype(values, skipna=True) == "integer"
        return _like(column, number.astype(np.int64) if whole and _fits(number) else number)
    if missing.any():
        values = values.copy()
        values[missing] = np.nan
    return pd.Series(values, index=column.index, name=column.name, dtype=object)


def _fits(number: np.ndarray) -> bool:
    return bool(np.abs(number).max() < 2.0**53)


def _dates(column: pd.Series) -> pd.Series:
    duration = dtypes.is_timedelta64_dtype(column.dtype)
    objects = column.astype(object)
    return pd.to_timedelta(objects) if duration else pd.to_datetime(objects)


def _like(column: pd.Series, values: np.ndarray) -> pd.Series:
    return pd.Series(values, index=column.index, name=column.name)


def numbers(column: pd.Series, what: str, rows: pd.Index, *, booleans: bool = False) -> np.ndarray:
    """Return a column as float64, missing values as NaN.

    Parameters
    ----------
    column : Series of length n
    what : str
        How error messages call the column, such as ``"the response 'y'"``.
    rows : Index of length n
        Row labels for error messages.
    booleans : bool
        Take True and False as 1 and 0 instead of refusing them.

    Returns
    -------
    (n,) ndarray

    Raises
    ------
    SmmixError
        If a value is no real number; the message names the row and the value.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.support.frames import numbers
    >>> numbers(pd.Series([1, 2]), "x", pd.RangeIndex(2))
    array([1., 2.])
    """
    values = plain(column)
    if booleans and dtypes.infer_dtype(values, skipna=True) == "boolean":
        values = values.astype(np.float64)
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        return values.to_numpy(dtype=np.float64)
    if isinstance(dtype, np.dtype) and dtype.kind == "b":
        raise SmmixError(
            f"{what} holds True and False, not numbers; turn it into 0 and 1 with .astype(int)."
        )
    if isinstance(dtype, np.dtype) and dtype.kind == "c":
        raise SmmixError(f"{what} holds complex numbers; take its real part.")
    if is_date(values):
        raise SmmixError(
            f"{what} holds dates or times, not numbers; turn it into a number first, such as "
            "days since a reference date."
        )
    position, text = first_text(values)
    raise SmmixError(
        f"{what} is not numeric: {row_name(rows, position)} holds {text!r}; "
        "correct the value or convert the column with pandas.to_numeric."
    )


def is_date(values: pd.Series) -> bool:
    """Tell whether a plain column holds dates, times or durations."""
    if values.dtype.kind in "mM" or isinstance(values.dtype, pd.PeriodDtype | pd.DatetimeTZDtype):
        return True
    if values.dtype != np.dtype(object):
        return False
    return dtypes.infer_dtype(values, skipna=True) in {
        "date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period",
    }  # fmt: skip


def is_single(value: object) -> bool:
    """Tell whether a value is one number, text or the like, not a sequence of them."""
    return (
        pd.api.types.is_scalar(value)
        or not hasattr(value, "__len__")
        or getattr(value, "ndim", 1) == 0
    )


def is_structured(values: object) -> bool:
    """Tell whether values are an array of records."""
    return isinstance(values, np.ndarray) and values.dtype.names is not None


def codes_of(values: Any, what: str, *, sort: bool = False) -> tuple[np.ndarray, pd.Index]:
    """Number the distinct values, -1 where one is missing.

    Parameters
    ----------
    values : Series, (n,)
    what : str
        How error messages call them.
    sort : bool
        In their order, instead of that of first appearance.

    Returns
    -------
    codes : ndarray of int, (n,)
    distinct : Index

    Raises
    ------
    SmmixError
        If a value cannot be told from others, as a dict cannot.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.support.frames import codes_of
    >>> codes_of(pd.Series(["b", "a", "b"]), "groups")[0]
    array([0, 1, 0])
    """
    try:
        codes, distinct = pd.factorize(values, sort=sort)
    except TypeError as error:
        raise SmmixError(
            f"{what} must hold numbers or text, one for each row, to tell rows apart "
            f"({reason(error)})."
        ) from error
    return codes, pd.Index(distinct)


def is_pandas(values: object) -> bool:
    """Tell whether values carry row labels."""
    return isinstance(values, pd.Series | pd.DataFrame)


def first_text(values: pd.Series) -> tuple[int, Any]:
    """Return position and value of the first entry that does not read as a number."""
    objects = values.astype(object)
    bad = (pd.to_numeric(objects, errors="coerce").isna() & objects.notna()).to_numpy()
    present = objects.notna().to_numpy()
    position = int(np.argmax(bad if bad.any() else present))
    return position, objects.iloc[position]


@contextmanager
def placed(positions: np.ndarray) -> Iterator[None]:
    """Make `row_name` give positions in the whole data while only some of its rows are at hand."""
    outer = _PLACES.get()
    token = _PLACES.set(positions if outer is None else outer[positions])
    try:
        yield
    finally:
        _PLACES.reset(token)


def row_name(rows: pd.Index, position: int) -> str:
    """Name a row by its label, and by its position where the two differ."""
    label, places = rows[position], _PLACES.get()
    position = position if places is None else int(places[position])
    if isinstance(label, tuple):
        label = tuple(part.item() if isinstance(part, np.generic) else part for part in label)
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, int) and label == position:
        return f"row {position}"
    return f"row {label!r} (position {position})"


def similar_names(name: object, names: Iterable[Any]) -> str:
    """Return a bracket that suggests the closest of some names, or else lists them."""
    known = [str(other) for other in names]
    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(str(name), known, n=3)
    near = near or [
        by_lower[low] for low in difflib.get_close_matches(str(name).lower(), list(by_lower), n=3)
    ]
    same = [other for other in known if other.lower() == str(name).lower()]
    if near or same:
        return f" (did you mean {quoted(same or near, 'or')}?)"
    if not known:
        return " (it has no columns)"
    return f" (it has {quoted(known)})"


def quoted(names: Sequence[object], link: str = "and") -> str:
    """Join names as text: 'a', 'b' and 'c'."""
    if not len(names):
        return "nothing"
    return joined([repr(str(name)) for name in names], link)


def joined(texts: Sequence[str], link: str = "and") -> str:
    """Join texts: a, b and c; of many the first."""
    if len(texts) > MOST_NAMES:
        return f"{', '.join(texts[:MOST_NAMES])} .. ({len(texts)} in all)"
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {link} {texts[-1]}"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 row", "2 rows"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
