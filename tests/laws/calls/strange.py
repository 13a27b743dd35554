"""What strangers pass for an argument: of the wrong kind, size, length or meaning."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

SINGLE: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    7,
    2.5,
    -0.5,
    float("nan"),
    float("inf"),
    1e300,
    10**30,
    1j,
    "",
    " ",
    "x1",
    "y",
    "no such",
    "~",
    "1",
    "x1 +",
    "free",
    "mean",
    b"x1",
    Decimal("0.5"),
    Fraction(1, 3),
    pd.NA,
    pd.NaT,
    np.float64("nan"),
    np.int64(2),
    np.float32(0.25),
    np.bool_(True),
    np.str_("x1"),
    pd.Timestamp("2020-01-01"),
    object(),
    len,
    float,
    slice(None),
    slice(0, 5),
    Ellipsis,
]
SEVERAL: list[Any] = [
    [],
    (),
    {},
    set(),
    [1.0],
    ["x1"],
    ["no such"],
    ["x1", "x1"],
    [None],
    [[1, 2], [3]],
    [[]],
    {"x1": 1.0},
    {"no such": 0.0},
    {"x1[0]": "a"},
    {1: 2},
    {"x1", "x2"},
    range(3),
    range(0),
    [float("nan")],
    ("x1[0] = x1[1]",),
    np.array(1.0),
    np.array([]),
    np.zeros((2, 2)),
    np.zeros((0, 3)),
    np.zeros((2, 2, 2)),
    np.array(["a", "b"]),
    np.array(["2020-01-01"], "M8[D]"),
    np.array([1, "a", None], dtype=object),
    pd.Series([1.0, 2.0]),
    pd.Series([], dtype=float),
    pd.DataFrame(),
    pd.DataFrame({"x1": [1.0]}),
    pd.Index(["x1"]),
    pd.Categorical(["a", "b"]),
]

#: Anything but what has as many entries as the data have rows.
things = st.sampled_from([*SINGLE, *SEVERAL])


def columns(n: int) -> dict[str, Any]:
    """Values with ``n`` entries that only some arguments can take."""
    rng = np.random.default_rng(n)
    base = rng.normal(size=n)
    gaps = base.copy()
    gaps[[1, n // 2]] = np.nan
    endless = base.copy()
    endless[2] = np.inf
    words = np.array(["a", "b", "c"])[np.arange(n) % 3]
    mixed = base.astype(object)
    mixed[3] = "three"
    pairs = np.zeros(n, dtype=[("a", float), ("b", "U3")])
    return {
        "numbers": base,
        "whole numbers": np.arange(n),
        "a list": base.tolist(),
        "a tuple": tuple(base),
        "a column": base[:, None],
        "a row": base[None],
        "two columns": np.column_stack([base, base]),
        "gaps": gaps,
        "all missing": np.full(n, np.nan),
        "infinite": endless,
        "zeros": np.zeros(n),
        "ones": np.ones(n),
        "negative": -np.abs(base),
        "huge": np.full(n, 1e300),
        "tiny": np.full(n, 1e-320),
        "booleans": base > 0,
        "words": words,
        "words in objects": words.astype(object),
        "numbers as words": np.array([f"{value:.3f}" for value in base]),
        "mixed": mixed,
        "objects": base.astype(object),
        "decimals": np.array([Decimal(f"{value:.3f}") for value in base]),
        "dicts": [{"a": 1}] * n,
        "lists": [[1]] * n,
        "nothing": [None] * n,
        "dates": pd.date_range("2020-01-01", periods=n),
        "durations": pd.timedelta_range("1D", periods=n),
        "periods": pd.period_range("2020-01", periods=n, freq="M"),
        "intervals": pd.interval_range(0, n),
        "categories": pd.Categorical(words),
        "other index": pd.Series(base, index=np.arange(n) + 1000),
        "text index": pd.Series(base, index=[f"r{i}" for i in range(n)]),
        "nullable": pd.array([*range(n - 1), pd.NA], dtype="Int64"),
        "big-endian": base.astype(">f8"),
        "single precision": base.astype(np.float32),
        "long doubles": base.astype(np.longdouble),
        "complex": base + 1j,
        "small integers": (np.arange(n) % 100).astype(np.int8),
        "unsigned": np.arange(n).astype(np.uint64),
        "records": pairs,
        "masked": np.ma.masked_less(base, 0.0),
        "backwards": np.arange(n)[::-1],
        "one short": base[:-1],
        "one long": np.append(base, 0.0),
    }


def per_row(n: int) -> st.SearchStrategy[Any]:
    """A thing, or a column that may not be what is asked for."""
    named = columns(n)
    return st.one_of(things, st.sampled_from(sorted(named)).map(named.__getitem__))
