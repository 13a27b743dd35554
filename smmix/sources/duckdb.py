"""A DuckDB relation, which may be any SQL query, as slabs of rows: each pass runs it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from smmix.errors import SmmixError
from smmix.sources.parquet import ParquetScan, RawSlab

__all__ = ["RelationScan", "is_relation"]

NAME = "the DuckDB relation"
LABEL = "The DuckDB relation"


def is_relation(data: Any) -> bool:
    """Whether a table is a relation of DuckDB, told without importing DuckDB."""
    return type(data).__name__ == "DuckDBPyRelation"


@dataclass(frozen=True)
class RelationScan(ParquetScan):
    """A relation of DuckDB to be read in slabs.

    The rows must come in the same order each time, as DuckDB sees to by default for tables and
    files; a query that joins or groups is to end in ORDER BY.

    Attributes
    ----------
    relation : DuckDBPyRelation
    """

    relation: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, relation: Any) -> RelationScan:
        """A relation to be read.

        Raises
        ------
        SmmixError
            If it has no rows, or two columns of one name.
        """
        columns = tuple(relation.columns)
        for twice in (name for name in columns if columns.count(name) > 1):
            raise SmmixError(f"{LABEL} has several columns named {twice!r}; give them aliases.")
        n_rows = len(relation)
        if not n_rows:
            raise SmmixError(f"{LABEL} has no rows.")
        return cls((NAME,), columns, n_rows, relation=relation)

    def _batches(self, columns: list[str], rows: int) -> Iterator[RawSlab]:
        import pyarrow as pa

        chosen = self.relation.project(", ".join(map(_quoted, columns)))
        # Its name before DuckDB 1.4.
        read = getattr(chosen, "to_arrow_reader", None) or chosen.fetch_record_batch
        held, first = [], 0
        for batch in _told(lambda: read(rows)):
            held.append(batch)
            # What DuckDB gives is not always as long as what was asked for.
            if sum(part.num_rows for part in held) < rows:
                continue
            table = pa.Table.from_batches(held).combine_chunks()
            while len(table) >= rows:
                yield RawSlab(table.slice(0, rows), NAME, first)
                table, first = table.slice(rows), first + rows
            held = table.to_batches()
        if held:
            yield RawSlab(pa.Table.from_batches(held), NAME, first)

    def __reduce__(self) -> Any:
        raise SmmixError(f"{LABEL} cannot be pickled; save the results with to_json().")


def _told(read: Callable[[], Any]) -> Iterator[Any]:
    """What a reader gives, its errors in a sentence."""
    try:
        yield from read()
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise SmmixError(f"DuckDB cannot make the rows of the relation: {first}.") from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
