"""Small tables with a response for every family and every kind of column; and what damages them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from laws.families_data import data_for

ROWS = (30, 47, 80)


@cache
def _table(family: str, seed: int, n: int) -> pd.DataFrame:
    frame = data_for(family, seed=seed, rows=n)[0].rename(columns={"x": "x1"})
    rng = np.random.default_rng([seed, n])
    owner = np.arange(n) // 3
    frame["x2"] = rng.uniform(-1, 2, n)
    frame["g"] = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    frame["flag"] = rng.random(n) > 0.4
    frame["z1"] = rng.normal(size=n)[owner]
    frame["w"] = rng.integers(0, 3, n) + (rng.random(n) > 0.7)
    frame["pw"] = rng.uniform(0.5, 2.0, n)[owner]
    frame["off"] = 0.1 * rng.normal(size=n)
    frame["months"] = rng.uniform(0.5, 3.0, n)
    frame["who"] = np.where(rng.random(n) < 0.2, rng.integers(0, 2, n), np.nan)
    frame["when"] = pd.date_range("2020-01-01", periods=n)
    frame["odd name"] = rng.normal(size=n)
    return frame.assign(id=frame.get("id", pd.Series(owner)))


def table(family: str, seed: int, n: int) -> pd.DataFrame:
    """A frame with ``y``, some regressors, and a column for each role."""
    return _table(family, seed, n).copy()


def _first(name: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def damage(frame: pd.DataFrame) -> pd.DataFrame:
        column = frame[name].astype(object)
        column.iloc[: min(2, len(column))] = value
        return frame.assign(**{name: column})

    return damage


def _whole(name: str, make: Callable[[pd.Series], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**{name: make(frame[name])})


def _levels(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(pd.MultiIndex.from_product([frame.columns, ["a"]]), axis=1)


def _twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame[["x1"]]], axis=1)


#: What may be wrong with a table, or only looks so. Each takes a frame and gives a table.
DAMAGES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "a gap in y": _first("y", np.nan),
    "a gap in x1": _first("x1", np.nan),
    "NA in x1": _first("x1", pd.NA),
    "None in g": _first("g", None),
    "infinite x1": _first("x1", np.inf),
    "infinite y": _first("y", -np.inf),
    "huge y": _first("y", 1e250),
    "negative y": _first("y", -1.5),
    "text in x1": _first("x1", "."),
    "text in y": _first("y", "n/a"),
    "a list in x1": _first("x1", "[1]"),
    "a new level": _first("g", "new"),
    "a negative weight": _first("w", -1),
    "a gap in the weights": _first("w", np.nan),
    "a gap in the groups": _first("id", np.nan),
    "no events": _whole("y", lambda y: 0),
    "constant y": _whole("y", lambda y: y.iloc[0] if len(y) else y),
    "constant x1": _whole("x1", lambda x: 3.0),
    "missing x1": _whole("x1", lambda x: np.nan),
    "zero x1": _whole("x1", lambda x: 0.0),
    "large x1": _whole("x1", lambda x: x * 1e9 + 1e12),
    "tiny x1": _whole("x1", lambda x: x * 1e-200),
    "x1 of words": _whole("x1", lambda x: x.map("{:.3f}".format)),
    "x1 with commas": _whole("x1", lambda x: x.map("{:,.3f}".format)),
    "y of words": _whole("y", lambda y: y.map(str)),
    "y of objects": _whole("y", lambda y: y.astype(object)),
    "y of decimals": _whole("y", lambda y: [Decimal(str(v)) for v in y]),
    "y of dates": _whole("y", lambda y: pd.date_range("2020-01-01", periods=len(y))),
    "y of booleans": _whole("y", lambda y: [v == v.__class__(1) for v in y]),
    "y of categories": _whole("y", lambda y: pd.Categorical(y)),
    "complex x1": _whole("x1", lambda x: x + 1j),
    "big-endian x1": _whole("x1", lambda x: x.to_numpy().astype(">f8")),
    "single x1": _whole("x1", lambda x: x.astype(np.float32)),
    "nullable x1": _whole("x1", lambda x: x.astype("Float64")),
    "sparse x1": _whole("x1", lambda x: pd.arrays.SparseArray(x)),
    "nullable g": _whole("g", lambda g: g.astype("string")),
    "g of categories": _whole("g", lambda g: pd.Categorical(g, ["b", "a", "c", "unused"])),
    "one level": _whole("g", lambda g: "a"),
    "a level for each row": _whole("g", lambda g: [f"r{i}" for i in range(len(g))]),
    "collinear": lambda frame: frame.assign(x2=2 * frame["x1"]),
    "y is x1": lambda frame: frame.assign(y=frame["x1"]),
    "the same index": lambda frame: frame.set_axis([7] * len(frame)),
    "an index of dates": lambda frame: frame.set_index("when", drop=False),
    "an index of levels": lambda frame: frame.set_index(["id", "x1"], drop=False),
    "reversed": lambda frame: frame.iloc[::-1],
    "columns of levels": _levels,
    "a column twice": _twice,
    "columns by number": lambda frame: frame.set_axis(range(frame.shape[1]), axis=1),
    "x1 is absent": lambda frame: frame.drop(columns="x1"),
    "y is absent": lambda frame: frame.drop(columns="y"),
    "X1": lambda frame: frame.rename(columns={"x1": "X1"}),
    "no rows": lambda frame: frame.iloc[:0],
    "one row": lambda frame: frame.iloc[:1],
    "four rows": lambda frame: frame.iloc[:4],
    "rows twice": lambda frame: pd.concat([frame, frame]),
    "a dict": lambda frame: dict(frame),
    "a dict of lists": lambda frame: frame.to_dict("list"),
    "a dict of numbers": lambda frame: frame.iloc[0].to_dict() if len(frame) else {},
    "a list of dicts": lambda frame: frame.to_dict("records"),
    "records": lambda frame: frame.to_records(index=False),
    "an array": lambda frame: frame.to_numpy(),
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "polars": lambda frame: pl.from_pandas(frame.reset_index(drop=True)),
    "lazy": lambda frame: pl.from_pandas(frame.reset_index(drop=True)).lazy(),
    "a series": lambda frame: frame["x1"],
    "the first row": lambda frame: frame.iloc[0] if len(frame) else frame,
}
