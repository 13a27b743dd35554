"""Parquet files as slabs of rows: only the columns asked for, never more rows than a slab."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from smmix.errors import SmmixError
from smmix.support.checks import shown

__all__ = ["ParquetScan", "RawSlab", "reading", "scan_parquet"]

#: Most rows of a slab: enough for the fixed costs of a slab not to matter.
MAX_SLAB_ROWS = 131072
#: Bytes of a column read from a file at a time.
READ_BYTES = 1 << 20
#: Bytes that the rows at hand may take by default.
MEMORY = 1 << 30


class RawSlab(NamedTuple):
    """Rows as read: a pyarrow table, the file that holds its first row, and that row's number."""

    table: Any
    path: str
    first: int


@dataclass(frozen=True)
class ParquetScan:
    """Parquet files to be read in slabs; made by `scan_parquet`.

    Attributes
    ----------
    paths : tuple of str
    columns : tuple of str
    n_rows : int
    memory : int
        Bytes that the rows at hand may take.
    rows_per_slab : int or None
        Rows of a slab; by default as many as suit ``memory``.
    types : dict
        Column to its Arrow type in the first file that has values of it.
    """

    paths: tuple[str, ...]
    columns: tuple[str, ...]
    n_rows: int
    memory: int = MEMORY
    rows_per_slab: int | None = None
    types: Mapping[str, Any] = field(default_factory=dict)

    def slab_rows(self, bytes_per_row: int, n_slabs: int) -> int:
        """Rows of a slab when ``n_slabs`` of them, with their temporaries, are at hand at once."""
        if self.rows_per_slab is not None:
            return self.rows_per_slab
        fitting = self.memory // (2 * n_slabs * max(bytes_per_row, 1))
        return int(np.clip(fitting, 1024, MAX_SLAB_ROWS))

    def slabs(
        self, columns: Sequence[str], rows: int, group: str | None = None
    ) -> Iterator[RawSlab]:
        """Slabs of about ``rows`` rows; with ``group`` none ends within a run of its values."""
        held: RawSlab | None = None
        for slab in self._batches(list(columns), rows):
            if group is None:
                yield slab
                continue
            if held is not None:
                slab = _joined(held, slab)
            with reading(slab.path):
                cut = _last_run(slab.table.column(group))
            if cut:
                yield slab._replace(table=slab.table.slice(0, cut))
            held = RawSlab(slab.table.slice(cut), slab.path, slab.first + cut)
        if held is not None:
            yield held

    def _batches(self, columns: list[str], rows: int) -> Iterator[RawSlab]:
        arrow = _pyarrow()
        types = dict(self.types)
        for path in self.paths:
            first = 0
            with reading(path):
                file = _opened(path)
                batches = file.iter_batches(batch_size=rows, columns=columns)
            while True:
                with reading(path):
                    batch = next(batches, None)
                if batch is None:
                    break
                if batch.num_rows:
                    table = _same_types(arrow.Table.from_batches([batch]), types, path)
                    yield RawSlab(table, path, first)
                    first += batch.num_rows
            file.close()


def scan_parquet(
    path: str | Path | Sequence[str | Path],
    *,
    memory: int = MEMORY,
    rows_per_slab: int | None = None,
) -> ParquetScan:
    """Parquet files as the ``data`` of `from_formula`, read in slabs on every pass.

    Only the columns that the formulas name are read. When the design fits into half of
    ``memory`` it is kept there; otherwise each pass reads the files again, and memory does not
    grow with the number of rows.

    Parameters
    ----------
    path : str, Path, or list of them
        A file, a folder (its ``*.parquet`` files, subfolders included) or a pattern such as
        ``"rows/*.parquet"``; the rows stand in the order of the sorted names.
    memory : int
        Bytes that the rows at hand may take.
    rows_per_slab : int, optional
        Rows read at a time; by default as many as suit ``memory``, at most 131072.

    Returns
    -------
    ParquetScan

    Raises
    ------
    SmmixError
        If there is no such file, or one cannot be read or lacks columns that the first has.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> sm.datasets.engel.load_pandas().data.to_parquet(folder / "engel.parquet")
    >>> data = smmix.scan_parquet(folder)
    >>> data.n_rows
    235
    >>> smmix.from_formula("foodexp ~ income", data, k=2).fit().converged
    True
    """
    for name, value in (("memory", memory), ("rows_per_slab", rows_per_slab)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise SmmixError(f"{name} must be a whole number, not {shown(value)}.")
        if value is not None and value < 1:
            raise SmmixError(f"{name} must be positive, not {value}.")
    _pyarrow()
    paths = tuple(_files(path))
    columns: tuple[str, ...] = ()
    types: dict[str, Any] = {}
    n_rows = 0
    for number, name in enumerate(paths):
        with reading(name), _opened(name) as file:
            own = list(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True))
            n_rows += file.metadata.num_rows
        types = {column: kind for column, kind in own if str(kind) != "null"} | types
        names = [column for column, _ in own]
        if number == 0:
            columns = tuple(names)
        for absent in (c for c in columns if c not in names):
            raise SmmixError(
                f"The Parquet file {name!r} has no column {absent!r}, which {paths[0]!r} has; "
                "write the files with the same columns."
            )
        for twice in (c for c in columns if names.count(c) > 1):
            raise SmmixError(
                f"The Parquet file {name!r} has several columns named {twice!r}; rename or drop "
                "the duplicates."
            )
    if not n_rows:
        raise SmmixError(f"The Parquet data {str(path)!r} have no rows.")
    return ParquetScan(paths, columns, n_rows, memory, rows_per_slab, types)


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise SmmixError(
            "Reading Parquet needs pyarrow; install it with: pip install 'smmix[parquet]'."
        ) from error
    return pa


def _files(path: str | Path | Sequence[str | Path]) -> list[str]:
    if not isinstance(path, str | Path):
        if not isinstance(path, Iterable):
            raise SmmixError(
                f"scan_parquet takes a file, a folder, a pattern or a list of them, not "
                f"{shown(path)}."
            )
        names = [name for part in path for name in _files(part)]
        if not names:
            raise SmmixError("scan_parquet was given an empty list of files.")
        return names
    if "://" in str(path):
        raise SmmixError(
            f"{shown(path)} is not a file of this machine; read it with "
            "dask.dataframe.read_parquet, "
            "and give the Dask frame as the data."
        )
    place = Path(path).expanduser()
    if place.is_dir():
        found = [f for f in sorted(place.rglob("*.parquet")) if f.name[0] not in "._"]
        for file in found:
            folders = file.relative_to(place).parts[:-1]
            keyed = [part for part in folders if "=" in part]
            if keyed:
                raise SmmixError(
                    f"The folder {str(path)!r} keeps a column in the names of its subfolders "
                    f"({keyed[0]!r}), which are not read; use dask.dataframe.read_parquet."
                )
        if not found:
            raise SmmixError(f"The folder {str(path)!r} holds no .parquet file.")
        return [str(file) for file in found]
    if place.exists():
        return [str(place)]
    names = sorted(glob.glob(str(place), recursive=True))  # noqa: PTH207
    if not names:
        raise SmmixError(f"There is no Parquet file {str(path)!r}.")
    return names


def _opened(path: str) -> Any:
    # What pyarrow reads ahead, as newer versions do by default, it keeps until the file is closed.
    return _pyarrow().parquet.ParquetFile(
        path, buffer_size=READ_BYTES, pre_buffer=False, page_checksum_verification=True
    )


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Name the file in errors that pyarrow raises, also those about text that is none."""
    try:
        yield
    except SmmixError:
        raise
    except (_pyarrow().ArrowException, OSError, ValueError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise SmmixError(
            f"The Parquet file '{path}' cannot be read; it is damaged, cut short or no Parquet "
            f"file ({first})."
        ) from error


def _same_types(table: Any, types: dict[str, Any], path: str) -> Any:
    """The table with the column types of the first slab; numbers may differ in kind."""
    import pyarrow.types as kinds

    for number, cell in enumerate(table.schema):
        known = types.setdefault(cell.name, cell.type)
        if known.equals(cell.type):
            continue
        if kinds.is_null(cell.type):
            # A file in which the column has no value at all.
            nothing = _pyarrow().nulls(len(table), known)
            table = table.set_column(number, cell.name, nothing)
            continue
        numeric = all(kinds.is_integer(t) or kinds.is_floating(t) for t in (known, cell.type))
        both = all(kinds.is_dictionary(t) or _is_text(t) for t in (known, cell.type))
        if not numeric and not both:
            raise SmmixError(
                f"The column {cell.name!r} holds {cell.type} in {shown(path)} and {known} in the "
                "files before; write it in one type."
            )
        if numeric:
            table = table.set_column(number, cell.name, table.column(number).cast("float64"))
    return table


def _is_text(kind: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _joined(first: RawSlab, second: RawSlab) -> RawSlab:
    arrow = _pyarrow()
    table = arrow.concat_tables([first.table, second.table], promote_options="permissive")
    path = first.path if first.path == second.path else f"{first.path} and {second.path}"
    return RawSlab(table.unify_dictionaries().combine_chunks(), path, first.first)


def _last_run(column: Any) -> int:
    """Position where the last run of equal values begins."""
    values = column.to_pandas()
    codes = values.factorize()[0]
    changes = np.flatnonzero(codes[1:] != codes[:-1])
    return int(changes[-1]) + 1 if changes.size else 0
