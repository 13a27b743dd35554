"""Dask frames as tables in slabs, a partition each; imported only when one is given."""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import cloudpickle
import dask
import numpy as np
import pandas as pd
from dask.optimization import cull

from smmix.core.memory import MemorySource
from smmix.errors import SmmixError
from smmix.formula.incremental import LearntDesign
from smmix.large.tables import unit_weight_sum
from smmix.mixture.rows_away import SlabRows
from smmix.sources.dask import DaskSource, dask_delayed, persisted, register_size

__all__ = ["DaskTable"]

Result = TypeVar("Result")

# Workers import this module with the first task, and so learn the sizes too.
register_size()


@dataclass(frozen=True)
class DaskTable:
    """A Dask frame as `TableSlabs`.

    Attributes
    ----------
    frame : Dask frame
    """

    frame: Any
    contiguous: bool = False
    #: Not known before the data are read.
    n_rows: int = -1

    @classmethod
    def of(cls, frame: Any) -> DaskTable:
        return cls(frame)

    @property
    def names(self) -> Sequence[str]:
        return [str(name) for name in self.frame.columns]

    def _parts(self, columns: Sequence[str]) -> list[Any]:
        return list(self.frame[list(columns)].to_delayed())

    def map(
        self, function: Callable[[pd.DataFrame, str], Result], columns: Sequence[str], group: Any
    ) -> list[Result]:
        call, parts = dask_delayed(_called), self._parts(columns)
        tasks = [call(function, part, i) for i, part in enumerate(parts)]
        with _culprit_named(parts):
            return list(dask.compute(*tasks, traverse=False))

    def frames(self, columns: Sequence[str], group: Any) -> Iterator[tuple[pd.DataFrame, str]]:
        for number, part in enumerate(self._parts(columns)):
            with _culprit_named([part], number):
                (frame,) = dask.compute(part, traverse=False)
            yield frame, _name(number)

    def regroup(self, group: str) -> str:
        return (
            f"bring each group into one partition first, with data.shuffle({group!r}) or "
            f"data.set_index({group!r})"
        )

    def narrowed(self, bytes_per_row: int) -> DaskTable:
        """The same table: its partitions are for the user to choose."""
        return self

    def source(self, learnt: LearntDesign, build: SlabRows, units: np.ndarray) -> DaskSource:
        """The rows of the model, made once and kept where the partitions are."""
        call = dask_delayed(_called)
        parts = self._parts(learnt.designer.rules.needed)
        slabs = [call(build, part, i) for i, part in enumerate(parts) if units[i]]
        with _culprit_named(parts):
            kept = persisted(slabs)
        return DaskSource(
            kept,
            units[units > 0],
            learnt.findings.n_used,
            len(learnt.design.exog_names),
            unit_weight_sum(learnt),
        )


def _name(number: int) -> str:
    return f"partition {number}"


@contextmanager
def _culprit_named(parts: Sequence[Any], first: int = 0) -> Iterator[None]:
    """When the rows of a partition cannot be had, name it, and the files that it is read from."""
    try:
        yield
    except SmmixError:
        raise
    except Exception:
        size = dask_delayed(len)
        for number, part in enumerate(parts, first):
            try:
                dask.compute(size(part), traverse=False)
            except Exception as error:
                what = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
                raise SmmixError(
                    f"Dask cannot make the rows of {_name(number)}{_origin(part)}: {what}."
                ) from error
        raise


def _origin(part: Any) -> str:
    """The Parquet files that a partition is read from, as far as its tasks tell."""
    graph = cull(dict(part.__dask_graph__()), [part.key])[0]
    texts = (text for _, text, _ in pickletools.genops(cloudpickle.dumps(graph)))
    ends = (".parquet", ".parq", ".pq")
    names = dict.fromkeys(repr(t) for t in texts if isinstance(t, str) and t.endswith(ends))
    return f" from {' and '.join(names)}" if names else ""


def _called(
    function: Callable[[pd.DataFrame, str], Any], frame: pd.DataFrame, number: int
) -> MemorySource | Any:
    return function(frame, _name(number))
