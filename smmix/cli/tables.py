"""The tables that the command line reads and writes: CSV, Parquet, statsmodels' data sets."""

import bz2
import csv
import gzip
import importlib
import io
import lzma
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from smmix.cli.dialect import Dialect, convert_numbers, described, not_encoded, sniffed
from smmix.errors import SmmixError
from smmix.support.checks import reason

__all__ = ["load_dataset", "read_table", "require_columns", "write_table"]

PARQUET = {".parquet", ".pq"}
UNPACK: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def read_table(path: str, dialect: Dialect | None = None) -> tuple[pd.DataFrame, str]:
    r"""Read a CSV or Parquet file; ``-`` is CSV on standard input.

    Parameters
    ----------
    path : str
        File name: ``.parquet`` or ``.pq``, else CSV, which ``.gz``, ``.bz2`` or ``.xz`` may pack.
    dialect : Dialect, optional
        What is known of how the CSV file is written; the rest is found where it leaves no doubt.

    Returns
    -------
    frame : DataFrame
        Rows numbered from 1, as the messages about them are; the header is not counted.
    note : str
        How a file that is not plain CSV was read; empty for one that is.

    Raises
    ------
    SmmixError
        If the file cannot be read; the message names the file and, where it can, the row.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from smmix.cli.tables import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "data.csv"
    ...     _ = path.write_text("x,y\n1,2\n3,4\n")
    ...     read_table(str(path))[0]["y"].tolist()
    [2, 4]
    """
    name = "standard input" if path == "-" else path
    suffix = Path(path).suffix.lower()
    note = ""
    try:
        if suffix in PARQUET:
            frame = _read_parquet(path)
        elif path == "-":
            content = sys.stdin.buffer.read()
            frame, note = _read_csv(lambda: io.BytesIO(content), name, dialect or Dialect())
        else:
            source = partial(UNPACK.get(suffix, open), path, "rb")
            frame, note = _read_csv(source, name, dialect or Dialect())
    except OSError as error:
        raise SmmixError(f"{name}: {error.strerror or error}.") from error
    if frame.empty:
        raise SmmixError(f"{name}: the file has a header but no rows.")
    frame.columns = frame.columns.map(str)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame, note


def _read_parquet(path: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise SmmixError(
            f'{path}: reading Parquet needs pyarrow (pip install "smmix[parquet]").'
        ) from error
    except ValueError as error:
        raise SmmixError(f"{path}: not a readable Parquet file ({reason(error)}).") from error


def _read_csv(
    open_source: Callable[[], BinaryIO], name: str, said: Dialect
) -> tuple[pd.DataFrame, str]:
    dialect = sniffed(open_source, name, said)
    options: dict[str, Any] = {
        "sep": dialect.sep, "encoding": dialect.encoding, "index_col": False,
        "skiprows": dialect.n_before,
    }  # fmt: skip

    def texts() -> pd.DataFrame:
        with open_source() as source:
            return pd.read_csv(source, dtype=str, keep_default_na=False, **options)

    try:
        with warnings.catch_warnings(), open_source() as source:
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(source, low_memory=False, na_values=list(said.na), **options)
        frame = convert_numbers(frame, texts, dialect)
    except pd.errors.EmptyDataError as error:
        raise SmmixError(f"{name}: the file is empty.") from error
    except UnicodeError as error:
        raise not_encoded(error, str(dialect.encoding), name) from error
    except pd.errors.ParserWarning as warning:
        raise SmmixError(f"{name}, row 1: the row has more fields than the header.") from warning
    except pd.errors.ParserError as error:
        raise SmmixError(f"{name}{_parser_message(str(error))}") from error
    if len(dialect.sep or "") == 1:
        _check_fields(open_source, name, dialect, complete=not frame.iloc[:, -1].isna().any())
    # A separator at the end of each line makes a column without a name and without values.
    nothing = [c for c in frame if str(c).startswith("Unnamed: ") and frame[c].isna().all()]
    return frame.drop(columns=nothing), described(dialect)


def _check_fields(
    open_source: Callable[[], BinaryIO], name: str, dialect: Dialect, *, complete: bool
) -> None:
    """Refuse what pandas mends in silence: repeated names, rows that end early."""
    encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
    with io.TextIOWrapper(open_source(), encoding=encoding, newline="") as text:
        rows = (row for row in csv.reader(text, delimiter=dialect.sep or ",") if row)
        for _ in range(dialect.n_before):
            next(rows)
        header = [title for title in next(rows) if title]
        repeated = [title for title in header if header.count(title) > 1]
        if repeated:
            raise SmmixError(f"{name}: the header has {repeated[0]!r} more than once.")
        other = [mark for mark in (",", ";", "\t", "|") if len(header) == 1 and mark in header[0]]
        if other:
            raise SmmixError(
                f"{name}: the header has {other[0]!r} and no {dialect.sep!r}; say "
                f"--sep {other[0]!r}."
            )
        if complete:
            return
        for number, row in enumerate(rows, start=1):
            if len(row) < len(header):
                raise SmmixError(
                    f"{name}, row {number}: {len(row)} field{'s' if len(row) > 1 else ''} "
                    f"where the header has {len(header)}."
                )


def _parser_message(text: str) -> str:
    """Turn the parser's report into one clause that begins with the place."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text)
    if found:
        expected, line, seen = found.groups()
        return f", line {line}: {seen} fields where {expected} were expected."
    found = re.search(r"EOF inside string starting at row (\d+)", text)
    if found:
        return f", row {found[1]}: a quotation mark is opened and never closed."
    return f": not readable as CSV ({' '.join(text.split())})."


def load_dataset(name: str) -> pd.DataFrame:
    """Load a data set that ships with statsmodels.

    Parameters
    ----------
    name : str
        Such as ``"engel"``.

    Returns
    -------
    DataFrame
        All columns, rows numbered from 1.

    Raises
    ------
    SmmixError
        If there is no such data set; the message lists those that there are.

    Examples
    --------
    >>> from smmix.cli.tables import load_dataset
    >>> list(load_dataset("engel"))
    ['income', 'foodexp']
    """
    package = importlib.import_module("statsmodels.datasets")
    found = {
        module.name: getattr(package, module.name)
        for module in pkgutil.iter_modules(package.__path__)
        if hasattr(getattr(package, module.name, None), "load_pandas")
    }
    if name not in found:
        raise SmmixError(
            f"--dataset: statsmodels has no data set {name!r}; it has {', '.join(sorted(found))}."
        )
    frame: pd.DataFrame = found[name].load_pandas().data
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1))


def require_columns(frame: pd.DataFrame, columns: Iterable[tuple[str, str]], name: str) -> None:
    """Refuse the first of some (option, column) pairs whose column the table has not."""
    for option, column in columns:
        if column not in frame.columns:
            raise SmmixError(
                f"{option}: {name} has no column {column!r}; it has {', '.join(frame.columns)}."
            )


def write_table(frame: pd.DataFrame, path: str | None, *, index: bool) -> None:
    """Write a table as CSV to standard output, or to a CSV or Parquet file."""
    if path is None or path == "-":
        sys.stdout.write(frame.to_csv(index=index, lineterminator="\n"))
        return
    try:
        if Path(path).suffix.lower() in PARQUET:
            frame.to_parquet(path, index=index)
        else:
            frame.to_csv(path, index=index, lineterminator="\n")
    except ImportError as error:
        raise SmmixError(
            f'{path}: writing Parquet needs pyarrow (pip install "smmix[parquet]").'
        ) from error
    except OSError as error:
        raise SmmixError(f"{path}: {error.strerror or error}.") from error
