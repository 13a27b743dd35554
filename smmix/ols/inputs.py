"""What a user hands to least squares, as arrays; and whether a design has a constant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.linalg import dependent_columns, row_slabs
from smmix.errors import SmmixError
from smmix.ols.rows import BlockRows
from smmix.support.frames import as_frame, first_text, is_date, plain, row_name

__all__ = [
    "block_source",
    "column_names",
    "constant_column",
    "matrix",
    "spans_constant",
    "unmasked",
    "vector",
]

#: A column of ones whose part outside the space of the columns is shorter than this, when scaled
#: to unit length, is an implicit constant.
IMPLICIT_CONSTANT = 1e-13
#: What arrays may hold that could be cast to numbers but is none.
NO_NUMBERS = {"c": "complex values", "M": "dates", "m": "durations", "S": "text", "U": "text"}
#: Rows in which a constant is looked for before all rows are.
ROWS_LOOKED_AT = 1024


def matrix(data: Any, what: str = "X") -> tuple[np.ndarray, list[str] | None]:
    """A design as a matrix (n, p) of doubles, and the names of its columns when it has names.

    Parameters
    ----------
    data : array_like or frame
    what : str
        How messages call it.

    Raises
    ------
    SmmixError
        When it is no matrix of numbers with at least one row and one column.
    """
    names = None
    if _is_table(data):
        frame = as_frame(data, what)
        names = column_names(frame)
        columns = [_column(frame.iloc[:, j], name, what) for j, name in enumerate(names)]
        data = np.column_stack(columns) if columns else np.empty((len(frame), 0))
    elif hasattr(data, "toarray"):
        raise SmmixError(f"{what} is a sparse matrix: give {what}.toarray().")
    values = _doubles(data, what)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or 0 in values.shape:
        raise SmmixError(
            f"{what} has shape {values.shape}: it must be a matrix with a row for each observation "
            "and at least one row and one column."
        )
    return values, names


def column_names(frame: pd.DataFrame) -> list[str]:
    """Names of columns as statsmodels writes them: the levels of a MultiIndex joined by "_"."""
    names: list[Any] = list(frame.columns)
    return [
        "_".join(str(level) for level in name if level) if isinstance(name, tuple) else str(name)
        for name in names
    ]


def _column(column: pd.Series, name: str, what: str) -> np.ndarray:
    values = plain(column)
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufb":
        return values.to_numpy(dtype=float)
    if is_date(values):
        content = "dates or times"
    elif isinstance(values.dtype, pd.CategoricalDtype):
        content = "categories"
    elif values.dtype.kind == "c":
        content = "complex values"
    else:
        position, entry = first_text(values)
        content = "text" if isinstance(entry, str) else type(entry).__name__
        content += f" ({row_name(column.index, position)}: {entry!r})"
    raise SmmixError(
        f"Column {name!r} of {what} holds {content}, not numbers: encode it as columns of numbers, "
        "or use from_formula."
    )


def vector(data: Any, n_rows: int, what: str) -> np.ndarray:
    """One number per row, (n,).

    Raises
    ------
    SmmixError
        When there is another number of them, or something that is no number.
    """
    values = _doubles(data, what)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n_rows,):
        raise SmmixError(
            f"{what} has shape {values.shape}: it must have one value for each of the {n_rows} "
            "rows of X."
        )
    return values


def unmasked(data: Any) -> Any:
    """What is masked as NaN: an ordinary array would show what the mask hides."""
    return np.ma.filled(data.astype(float), np.nan) if np.ma.is_masked(data) else data


def _doubles(data: Any, what: str) -> np.ndarray:
    try:
        values = np.asarray(unmasked(data))
        if values.dtype.kind in NO_NUMBERS:
            raise TypeError(f"it holds {NO_NUMBERS[values.dtype.kind]}")
        return values.astype(float, copy=False)
    except (TypeError, ValueError) as error:
        raise SmmixError(f"{what} must hold numbers only: {str(error).rstrip('.')}.") from None


def block_source(data: Any, weights: Any) -> BlockRows:
    """Blocks of rows as a source.

    Raises
    ------
    SmmixError
        When ``data`` holds no blocks, or weights are given beside them.
    """
    if weights is not None:
        raise SmmixError("weights of blocks belong into the blocks: give triples (X, y, weights).")
    if isinstance(data, np.ndarray) or _is_table(data):
        raise SmmixError("y is missing: give X and y, or blocks (X, y) in place of X.")
    if not (callable(data) or isinstance(data, Iterable)):
        raise SmmixError(
            f"X is a {type(data).__name__}: it must be a matrix, blocks (X, y), or a function that "
            "returns an iterator over blocks."
        )
    return BlockRows(data)


def constant_column(x: np.ndarray) -> int | None:
    """Position of a column that holds one value other than zero, ones first; None without one."""
    some = x[:: max(len(x) // ROWS_LOOKED_AT, 1)]
    same = (some == some[0]).all(axis=0) & (some[0] != 0.0)
    found = [int(j) for j in np.flatnonzero(same) if (x[:, j] == x[0, j]).all()]
    return min(found, key=lambda j: (x[0, j] != 1.0, j), default=None)


def spans_constant(x: np.ndarray) -> bool:
    """Whether some combination of the columns is constant, as with a dummy for every level."""
    some = x[:: max(len(x) // ROWS_LOOKED_AT, 1)]
    return _ones_depend(some) and (len(some) == len(x) or _ones_depend(x))


def _ones_depend(x: np.ndarray) -> bool:
    largest = np.maximum(x.max(axis=0), -x.min(axis=0))
    if not np.isfinite(largest).all():
        return False
    with np.errstate(divide="ignore", over="ignore"):
        # Columns whose squares are no doubles would not be seen as they are.
        scale = np.where(largest > 0.0, 1.0 / largest, 1.0)
    if np.isfinite(scale).all() and (np.abs(np.log10(scale)) > 100.0).any():
        x = x * scale
    joined = (np.column_stack([slab, np.ones(len(slab))]) for slab in row_slabs(x))
    return x.shape[1] in dependent_columns(joined, tolerance=IMPLICIT_CONSTANT)


def _is_table(data: Any) -> bool:
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    return hasattr(data, "columns")
