"""Tables of any kind as plain pandas columns, and how bad values are named."""

import datetime as dt
import decimal
import sys

import numpy as np
import pandas as pd
import pytest

from smmix.errors import DegenerateComponentWarning, SmmixError
from smmix.support.frames import (
    as_frame,
    is_date,
    numbers,
    plain,
    quoted,
    row_name,
    similar_names,
    take_columns,
)

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")


def test_errors_are_caught_as_the_builtin_kinds():
    assert issubclass(SmmixError, ValueError)
    assert issubclass(DegenerateComponentWarning, UserWarning)


class TestAsFrame:
    EXPECTED = pd.DataFrame({"x": [1.5, 2.5], "g": ["a", "b"]})

    @pytest.mark.parametrize(
        "table",
        [
            {"x": [1.5, 2.5], "g": ["a", "b"]},
            pl.DataFrame({"x": [1.5, 2.5], "g": ["a", "b"]}),
            pl.DataFrame({"x": [1.5, 2.5], "g": ["a", "b"]}).lazy(),
            pa.table({"x": [1.5, 2.5], "g": ["a", "b"]}),
            pa.record_batch({"x": [1.5, 2.5], "g": ["a", "b"]}),
            np.array([(1.5, "a"), (2.5, "b")], dtype=[("x", float), ("g", "U1")]),
        ],
        ids=["dict", "polars", "polars-lazy", "arrow-table", "arrow-batch", "structured-array"],
    )
    def test_kinds_of_tables(self, table):
        frame = as_frame(table)
        assert frame["x"].tolist() == [1.5, 2.5]
        assert frame["g"].tolist() == ["a", "b"]

    def test_a_frame_is_not_copied(self):
        assert as_frame(self.EXPECTED) is self.EXPECTED

    def test_scalars_and_a_series_are_one_row(self):
        assert as_frame({"x": 1.0, "g": "a"}).shape == (1, 2)
        row = as_frame(self.EXPECTED.iloc[1])
        assert (row["x"].iloc[0], row["g"].iloc[0]) == (2.5, "b")

    @pytest.mark.parametrize("table", [None, 3, "data.csv", [[1, 2]], np.eye(2)])
    def test_other_things_are_refused(self, table):
        with pytest.raises(SmmixError, match=f"not {type(table).__name__}"):
            as_frame(table)

    def test_unequal_lengths_are_named(self):
        with pytest.raises(SmmixError, match="'x': 2, 'z': 3"):
            as_frame({"x": [1, 2], "z": [1, 2, 3]})

    def test_a_missing_converter_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(SmmixError, match="polars table into a pandas frame needs"):
            as_frame(pl.DataFrame({"g": ["a", "b"]}))


class TestPlain:
    @pytest.mark.parametrize(
        ("column", "expected"),
        [
            (pd.Series([1, 2], dtype="Int64"), np.array([1, 2])),
            (pd.Series([1, 2], dtype="UInt8"), np.array([1, 2], dtype="uint64")),
            (pd.Series([1, None], dtype="Int64"), np.array([1, np.nan])),
            (pd.Series([1.5, None], dtype="Float32"), np.array([1.5, np.nan])),
            (pd.Series([1, None], dtype="int32[pyarrow]"), np.array([1, np.nan])),
            (pd.Series([1.5, None], dtype="float64[pyarrow]"), np.array([1.5, np.nan])),
            (pd.Series([True, False], dtype="boolean"), np.array([True, False])),
            (pd.Series([True, False], dtype="bool[pyarrow]"), np.array([True, False])),
            (pd.Series([1, None, 2.5], dtype=object), np.array([1, np.nan, 2.5])),
            (pd.Series([3, 4], dtype=object), np.array([3, 4])),
            (pd.Series([decimal.Decimal("1.5"), None]), np.array([1.5, np.nan])),
            (pd.Series([None, None], dtype=object), np.array([np.nan, np.nan])),
            (pd.Series(pd.arrays.SparseArray([0.0, 1.0])), np.array([0.0, 1.0])),
        ],
        ids=str,
    )
    def test_numbers_and_booleans(self, column, expected):
        result = plain(column)
        np.testing.assert_array_equal(result.to_numpy(), expected)
        assert result.dtype == expected.dtype

    def test_decimals_of_arrow(self):
        kind = pd.ArrowDtype(pa.decimal128(5, 2))
        column = pd.Series([decimal.Decimal("1.25"), None], dtype=kind)
        np.testing.assert_array_equal(plain(column), [1.25, np.nan])

    @pytest.mark.parametrize(
        "kind", ["str", "string", "string[pyarrow]", pd.ArrowDtype(pa.string()), object], ids=str
    )
    def test_text(self, kind):
        result = plain(pd.Series(["a", None], dtype=kind))
        assert result.dtype == object
        assert result[0] == "a"
        assert isinstance(result[1], float)

    @pytest.mark.parametrize("kind", ["boolean", "bool[pyarrow]", object])
    def test_booleans_with_gaps(self, kind):
        result = plain(pd.Series([True, None], dtype=kind))
        assert result[0] is True
        assert isinstance(result[1], float)

    def test_categories_that_do_not_occur_are_left_out_and_the_order_is_kept(self):
        column = pd.Series(pd.Categorical(["c", "a", None], categories=["c", "b", "a"]))
        result = plain(column)
        assert list(result.cat.categories) == ["c", "a"]
        assert result.isna().tolist() == [False, False, True]

    def test_arrow_dictionaries_and_categories_of_extension_type(self):
        coded = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
        assert plain(pd.Series(["b", "a"], dtype=coded)).tolist() == ["b", "a"]
        column = pd.Series(["b", "a"], dtype="string[pyarrow]").astype("category")
        assert plain(column).cat.categories.dtype in (np.dtype(object), "str")

    def test_dates_stay_dates(self):
        days = pd.date_range("2020", periods=2)
        arrow = pd.Series(days).astype(pd.ArrowDtype(pa.timestamp("ns")))
        gaps = pd.Series(pd.to_timedelta([1, 2], unit="s")).astype(pd.ArrowDtype(pa.duration("s")))
        for column in (
            pd.Series(days),
            pd.Series(days.tz_localize("UTC")),
            pd.Series(days.to_period("M")),
            pd.Series(days - days[0]),
            pd.Series([dt.date(2020, 1, 1), None]),
            arrow,
            gaps,
        ):
            assert is_date(plain(column))
        assert plain(arrow).dt.year.tolist() == [2020, 2020]

    def test_index_and_name_are_kept(self):
        column = pd.Series([1, None], dtype="Int64", index=["p", "q"], name="x")
        assert plain(column).index.tolist() == ["p", "q"]
        assert plain(column).name == "x"


class TestNumbers:
    ROWS = pd.Index(["p", "q", "r"])

    def check(self, values, match, **kwargs):
        with pytest.raises(SmmixError, match=match):
            numbers(pd.Series(values), "'x'", self.ROWS, **kwargs)

    def test_bad_values_are_named(self):
        self.check(["1", "2", "n/a?"], r"row 'r' \(position 2\) holds 'n/a\?'")
        self.check(["1", "2", "3"], "row 'p' .* holds '1'")
        self.check([True, False, True], "True and False")
        self.check([1j, 2, 3], "complex")
        self.check(pd.date_range("2020", periods=3), "dates or times")
        self.check(pd.Categorical(["a", "b", "a"]), "row 'p' .* holds 'a'")

    def test_booleans_count_where_allowed(self):
        result = numbers(pd.Series([True, False]), "'x'", self.ROWS, booleans=True)
        assert result.tolist() == [1.0, 0.0]


def test_columns_are_taken_by_name():
    frame = pd.DataFrame([[1, 2, 3]], columns=["x", "z", "z"])
    assert take_columns(frame, ["x"], "data").shape == (1, 1)
    with pytest.raises(SmmixError, match="data has several columns named 'z'"):
        take_columns(frame, ["x", "z"], "data")
    with pytest.raises(SmmixError, match=r"data has no column 'X' \(did you mean 'x'\?\)"):
        take_columns(frame, ["X"], "data")


def test_names_in_messages():
    assert row_name(pd.RangeIndex(5), 3) == "row 3"
    assert row_name(pd.Index([7, 8]), 0) == "row 7 (position 0)"
    assert row_name(pd.Index(["a", "b"]), 1) == "row 'b' (position 1)"
    assert similar_names("incme", ["income", "y"]) == " (did you mean 'income'?)"
    assert similar_names("INCOME", ["income", "y"]) == " (did you mean 'income'?)"
    assert similar_names("q", ["x1", "z"]) == " (it has 'x1' and 'z')"
    assert similar_names("q", []) == " (it has no columns)"
    assert similar_names("q", [f"x{i}" for i in range(20)]).endswith("'x11' .. (20 in all))")
    assert quoted(["a"]) == "'a'"


class Stream:
    """A frame of a library that nobody here has heard of, with Arrow's interface."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def test_frames_of_any_library_that_gives_arrow_data_or_pandas():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"x": [1.5, None, 2.0], "g": ["a", "b", "a"]})
    want = table.to_pandas()
    pd.testing.assert_frame_equal(as_frame(Stream(table)), want)
    nw = pytest.importorskip("narwhals")
    for native in (want, table, pl.from_arrow(table), pl.from_arrow(table).lazy()):
        pd.testing.assert_frame_equal(as_frame(nw.from_native(native)), as_frame(native))
