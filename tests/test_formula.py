"""Formulas and arrays to designs, against patsy and pandas on the complete cases."""

import copy
import os
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from smmix.errors import SmmixError
from smmix.formula import build_design, linear_constraint, validate_arrays

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "../shared/reference/data"


def make_frame(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x1": rng.normal(size=n),
            "x2": rng.uniform(1, 5, size=n),
            "z1": rng.normal(size=n),
            "g": rng.choice(["a", "b", "c"], size=n),
            "id": np.arange(n) // 4,
            "w": rng.integers(1, 4, size=n).astype(float),
            "o": rng.normal(size=n),
        }
    )


@pytest.fixture
def frame():
    return make_frame()


@pytest.fixture
def gaps(frame):
    """The frame with one missing value in each column but "id"."""
    for row, name in enumerate(["y", "x1", "x2", "z1", "g", "o"]):
        frame.loc[2 * row + 1, name] = np.nan
    frame["id"] = frame["id"].astype(float)
    frame.loc[20, "id"] = np.nan
    return frame


def square(x):
    return x**2


def refused(match, formula, data, **kwargs):
    with pytest.raises(SmmixError, match=match) as caught:
        build_design(formula, data, env=1, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith((".", "?", ")"))


class TestAgainstPatsy:
    """patsy on the rows that are complete in everything gives the same columns."""

    FORMULAS = (
        "y ~ x1 + x2",
        "y ~ 0 + x1",
        "y ~ 1",
        "np.exp(y) ~ x1 * g",
        "y ~ C(g, Treatment('b')) + I(x1 ** 2)",
        "y ~ C(g, Sum):x1 + square(x2)",
        "y ~ bs(x2, df=4) + center(x1)",
        "y ~ center(np.log(x2)) + standardize(x1 + x2)",
        "y ~ cr(x2, df=4) + te(cr(x1, df=3), cr(x2, df=3))",
        "y ~ 0 + g + g:x1",
        "Q('y') ~ Q('x1') + np.column_stack([x1, x2])",
    )

    @pytest.mark.parametrize("formula", FORMULAS)
    def test_columns_without_gaps(self, frame, formula):
        design = build_design(formula, frame, concomitant="~ bs(z1, df=3)")
        y, x = patsy.dmatrices(formula, frame)
        z = patsy.dmatrix("~ bs(z1, df=3)", frame)
        np.testing.assert_array_equal(design.endog, np.asarray(y)[:, 0])
        np.testing.assert_array_equal(design.exog, np.asarray(x))
        np.testing.assert_array_equal(design.concomitant, np.asarray(z))
        assert [design.endog_name] == y.design_info.column_names
        assert design.exog_names == x.design_info.column_names
        assert design.concomitant_names == z.design_info.column_names
        for name, where in x.design_info.term_name_slices.items():
            assert design.exog_terms[name] == list(range(*where.indices(x.shape[1])))
        assert design.concomitant_terms == {"Intercept": [0], "bs(z1, df=3)": [1, 2, 3]}
        assert design.exog.flags.c_contiguous
        assert design.n_dropped == 0

    @pytest.mark.parametrize("formula", FORMULAS[4:])
    def test_gaps_are_taken_out_jointly(self, gaps, formula):
        design = build_design(
            formula, gaps, concomitant="z1", groups="id", offset="o", freq_weights="w"
        )
        used = {"y", "z1", "id", "o"} | ({"x1", "x2", "g"} & set(re.findall(r"\w+", formula)))
        complete = gaps.dropna(subset=sorted(used))
        y, x = patsy.dmatrices(formula, complete)
        np.testing.assert_array_equal(design.endog, np.asarray(y)[:, 0])
        np.testing.assert_array_equal(design.exog, np.asarray(x))
        np.testing.assert_array_equal(design.concomitant, np.asarray(patsy.dmatrix("z1", complete)))
        np.testing.assert_array_equal(design.groups, complete["id"])
        np.testing.assert_array_equal(design.offset, complete["o"])
        np.testing.assert_array_equal(design.freq_weights, complete["w"])
        assert design.index.equals(complete.index)
        dropped = np.setdiff1d(gaps.index, complete.index)
        np.testing.assert_array_equal(design.missing_rows, dropped)
        assert design.n_dropped == len(dropped)
        pd.testing.assert_frame_equal(design.frame, complete[list(design.frame.columns)])

    def test_a_function_may_fill_gaps(self, gaps):
        design = build_design("y ~ x1.fillna(0)", gaps)
        np.testing.assert_array_equal(
            design.exog[:, 1], gaps["x1"].fillna(0)[gaps["y"].notna()].to_numpy()
        )

    def test_a_computed_gap_counts_as_missing(self, frame):
        frame.loc[4, "x2"] = -1.0
        with np.errstate(invalid="ignore"):
            design = build_design("y ~ center(np.log(x2))", frame)
            expected = patsy.dmatrix("center(np.log(x2))", frame.drop(index=4))
        assert design.missing_rows.tolist() == [4]
        np.testing.assert_array_equal(design.exog, np.asarray(expected))

    @pytest.mark.parametrize("index", [[5] * 40, list("ab") * 20, list(range(40, 0, -1))])
    def test_any_index_is_kept(self, gaps, index):
        expected = build_design("y ~ bs(x2, df=4) + g", gaps)
        design = build_design("y ~ bs(x2, df=4) + g", gaps.set_axis(index))
        np.testing.assert_array_equal(design.exog, expected.exog)
        keep = np.setdiff1d(np.arange(40), expected.missing_rows)
        assert design.index.tolist() == [index[i] for i in keep]

    @given(st.integers(0, 10_000), st.floats(0, 0.5))
    def test_random_gaps(self, seed, share):
        rng = np.random.default_rng(seed)
        data = make_frame(30, seed)
        for name in ("y", "x1", "x2", "g", "z1"):
            data.loc[rng.random(30) < share / 2, name] = np.nan
        complete = data.dropna(subset=["y", "x1", "x2", "g", "z1"])
        if len(complete) < 3:
            return
        design = build_design("y ~ x1 * C(g) + center(x2)", data, concomitant="z1")
        _, x = patsy.dmatrices("y ~ x1 * C(g) + center(x2)", complete)
        np.testing.assert_array_equal(design.exog, np.asarray(x))
        assert design.index.equals(complete.index)


class TestCommon:
    def check(self, frame, formula, common, names, common_names):
        design = build_design(formula, frame, common=common)
        assert design.exog_names == names
        assert design.common_names == common_names

    def test_terms_and_columns(self, frame):
        full = ["Intercept", "g[T.b]", "g[T.c]", "x1"]
        self.check(frame, "y ~ x1 + g", ["x1"], full, ["x1"])
        self.check(frame, "y ~ x1 + g", "~ x1", full, ["x1"])
        self.check(frame, "y ~ x1 + g", "x1", full, ["x1"])
        self.check(frame, "y ~ x1 + g", ["g"], full, full[1:3])
        self.check(frame, "y ~ x1 + g", ["g[T.c]"], full, ["g[T.c]"])
        self.check(frame, "y ~ x1 + g", [], full, [])
        self.check(frame, "y ~ x1 + g", ["Intercept"], full, ["Intercept"])
        self.check(frame, "y ~ x1 + g", "~ 1 + x1", full, ["Intercept", "x1"])
        names = patsy.dmatrix("x1:g", frame).design_info.column_names
        self.check(frame, "y ~ x1:g", ["x1:g[b]"], names, ["x1:g[b]"])
        self.check(frame, "y ~ x1:g", ["g:x1"], names, names[1:])

    def test_lacking_terms_are_added(self, frame):
        self.check(frame, "y ~ x1", ["x2"], ["Intercept", "x1", "x2"], ["x2"])
        self.check(frame, "y ~ x1", "~ x2 + z1", ["Intercept", "x1", "x2", "z1"], ["x2", "z1"])
        self.check(frame, "y ~ 0 + x1", ["Intercept"], ["Intercept", "x1"], ["Intercept"])
        design = build_design("y ~ x1", frame, common="~ g")
        _, x = patsy.dmatrices("y ~ x1 + g", frame)
        np.testing.assert_array_equal(design.exog, np.asarray(x))

    def test_unknown_entries(self, frame):
        refused("names 'q'", "y ~ x1", frame, common=["q"])
        refused("common names 'g\\[T.z\\]'", "y ~ g", frame, common=["g[T.z]"])
        refused("one-sided", "y ~ x1", frame, common="y ~ x2")


class TestSubset:
    def test_kinds(self, frame):
        frame.index = [f"r{i}" for i in range(40)]
        limit = 0.0
        expected = frame[frame["x1"] > limit]
        shuffled = (frame["x1"] > limit).sample(frac=1, random_state=0)
        for subset in (
            "x1 > 0",
            "x1 > @limit",
            frame["x1"] > limit,
            (frame["x1"] > limit).to_numpy(),
            (frame["x1"] > limit).tolist(),
            shuffled,
            expected.index,
            expected.index.tolist(),
            np.flatnonzero(frame["x1"] > limit),
        ):
            design = build_design("y ~ x2", frame, subset=subset)
            assert design.index.equals(expected.index)
            np.testing.assert_array_equal(design.endog, expected["y"])

    def test_integer_labels_are_labels(self, frame):
        design = build_design("y ~ x1", frame.iloc[::-1], subset=[3, 7])
        np.testing.assert_array_equal(design.endog, frame["y"][[3, 7]])
        assert build_design("y ~ x1", frame, subset=slice(3, 7)).index.tolist() == [3, 4, 5, 6, 7]

    def test_it_applies_to_everything_that_goes_with_rows(self, gaps):
        gaps["x2"] *= np.where(gaps.index < 30, 1, 100)
        sub = gaps.iloc[:30]
        arguments = {
            "groups": "id",
            "freq_weights": gaps["w"].to_numpy(),
            "prob_weights": gaps["w"].sample(frac=1, random_state=1),
            "offset": gaps["o"],
            "known": np.where(gaps.index == 2, 1.0, np.nan),
        }
        design = build_design("y ~ bs(x2, df=4)", gaps, subset=gaps.index < 30, **arguments)
        expected = build_design(
            "y ~ bs(x2, df=4)",
            sub,
            **(arguments | {"freq_weights": "w", "prob_weights": "w", "offset": "o"})
            | {"known": arguments["known"][:30]},
        )
        for name in ("exog", "groups", "freq_weights", "prob_weights", "offset", "known"):
            np.testing.assert_array_equal(getattr(design, name), getattr(expected, name))
        assert design.known[2 - (1 in design.missing_rows)] == 1

    def test_bad_subsets(self, frame):
        refused("leaves no rows", "y ~ x1", frame, subset="x1 > 100")
        refused("leaves no rows", "y ~ x1", frame, subset=[])
        refused("'q' is not defined", "y ~ x1", frame, subset="q > 1")
        refused("must be a condition", "y ~ x1", frame, subset="x1 + 1")
        refused("99", "y ~ x1", frame, subset=[1, 99])
        refused("3 values but the data 40", "y ~ x1", frame, subset=[True, False, True])
        refused("out-of-bounds|out of bounds", "y ~ x1", frame.set_axis(list("ab") * 20),
                subset=[0, 99])  # fmt: skip


class TestValuesPerRow:
    def test_series_by_label_and_arrays_by_position(self, frame):
        shuffled = frame["w"].sample(frac=1, random_state=0)
        assert not shuffled.index.equals(frame.index)
        by_label = build_design("y ~ x1", frame, freq_weights=shuffled)
        np.testing.assert_array_equal(by_label.freq_weights, frame["w"])
        by_position = build_design("y ~ x1", frame, freq_weights=shuffled.to_numpy())
        np.testing.assert_array_equal(by_position.freq_weights, shuffled)
        larger = pd.concat([frame["w"], pd.Series([9.0], index=[99])])
        np.testing.assert_array_equal(
            build_design("y ~ x1", frame, freq_weights=larger).freq_weights, frame["w"]
        )

    @pytest.mark.parametrize(
        "argument", ["groups", "freq_weights", "prob_weights", "offset", "known"]
    )
    def test_lengths_and_labels(self, frame, argument):
        refused(
            f"{argument} has 3 values but the data 40", "y ~ x1", frame, **{argument: [1, 2, 3]}
        )
        refused(f"{argument} must have one value per row", "y ~ x1", frame,
                **{argument: np.ones((40, 2))})  # fmt: skip
        refused(
            f"{argument} must have one value per row", "y ~ x1", frame, **{argument: [[1], [1, 2]]}
        )
        refused(f"index of {argument} lacks the label 0", "y ~ x1", frame,
                **{argument: frame["w"].iloc[1:]})  # fmt: skip
        refused("repeated labels", "y ~ x1", frame.set_axis([0] * 40), **{argument: frame["w"]})
        refused(f"{argument}='ww' is not a column.*did you mean 'w'", "y ~ x1", frame,
                **{argument: "ww"})  # fmt: skip
        refused(f"{argument}=3 is not a column", "y ~ x1", frame, **{argument: 3})

    def test_column_names_are_recorded(self, frame):
        design = build_design("y ~ x1", frame, groups="id", freq_weights="w", offset=frame["o"])
        assert design.column_names == {"groups": "id", "freq_weights": "w"}
        assert set(design.frame.columns) == {"y", "x1", "id", "w"}
        assert design.prob_weights is None

    def test_rows_of_weight_zero_are_absent(self, frame):
        frame.loc[3, "w"] = 0.0
        frame.loc[3, ["x1", "g"]] = [np.inf, "d"]
        design = build_design("y ~ x1 + g", frame, freq_weights="w", missing="raise")
        expected = build_design("y ~ x1 + g", frame.drop(index=3))
        np.testing.assert_array_equal(design.exog, expected.exog)
        assert design.exog_names == expected.exog_names
        assert (design.n_dropped, design.missing_rows.tolist()) == (0, [])

    @pytest.mark.parametrize("argument", ["freq_weights", "prob_weights"])
    def test_bad_weights(self, frame, argument):
        for value, word in ((np.nan, "missing"), (-1.0, "negative"), (np.inf, "infinite")):
            weights = frame["w"].copy()
            weights[5] = value
            refused(f"{argument} is {word} in row 5", "y ~ x1", frame, **{argument: weights})
        refused(f"All {argument} are zero", "y ~ x1", frame, **{argument: np.zeros(40)})
        refused(f"{argument} is not numeric: row 0 holds", "y ~ x1", frame, **{argument: "g"})

    def test_weights_that_exclude_each_other(self, frame):
        even = (np.arange(40) % 2).astype(float)
        refused("No row has both", "y ~ x1", frame, freq_weights=even, prob_weights=1 - even)

    def test_groups_keep_their_values(self, frame):
        frame["person"] = pd.Series([f"p{i}" for i in frame["id"]]).astype("category")
        design = build_design("y ~ x1", frame, groups="person")
        assert design.groups.tolist() == [f"p{i}" for i in frame["id"]]
        ids = frame["id"].astype("Int64").mask(frame.index == 3)
        design = build_design("y ~ x1", frame, groups=ids)
        assert design.groups.dtype == np.int64
        assert design.missing_rows.tolist() == [3]

    def test_known_components_may_be_missing(self, frame):
        known = pd.Series([None] * 38 + [0, 1], dtype="Int64")
        design = build_design("y ~ x1", frame, known=known)
        assert design.known[-2:].tolist() == [0.0, 1.0]
        assert np.isnan(design.known[:-2]).all()
        refused("known is not numeric", "y ~ x1", frame, known="g")

    def test_infinite_offset(self, frame):
        frame.loc[2, "o"] = -np.inf
        refused("offset is infinite in row 2", "y ~ x1", frame, offset="o")


class TestMissing:
    def test_refused_where_not_dropped(self, gaps):
        for missing in ("raise", "none"):
            refused("'y' is missing in row 1 ", "y ~ x1", gaps, missing=missing)
            refused("'x2' is missing in row 5 ", "y ~ x2", gaps.drop(index=1), missing=missing)
            refused("groups is missing in row 20", "z1 ~ 1", gaps.drop(index=7), groups="id",
                    missing=missing)  # fmt: skip

    def test_no_gaps_no_complaint(self, frame):
        assert build_design("y ~ x1", frame, missing="raise").n_dropped == 0

    def test_a_typo_is_an_error(self, frame):
        refused("missing must be 'drop', 'raise' or 'none', not 'dorp'", "y ~ x1", frame,
                missing="dorp")  # fmt: skip

    def test_nothing_left(self, frame):
        refused("'x1' is missing in every row", "y ~ x1 + x2", frame.assign(x1=np.nan))
        refused("'g' is missing in every row", "y ~ g", frame.assign(g=None))
        frame.loc[:19, "x1"] = np.nan
        frame.loc[20:, "x2"] = np.nan
        refused("of 40 rows, missing are 'x1' in 20, 'x2' in 20", "y ~ x1 + x2", frame)
        refused("data has no rows", "y ~ x1", frame.iloc[:0])


class TestColumnTypes:
    @pytest.mark.parametrize(
        "kind", ["string", "string[pyarrow]", "category", "object", "str"], ids=str
    )
    def test_text_with_gaps(self, gaps, kind):
        expected = build_design("y ~ g * x1", gaps)
        design = build_design("y ~ g * x1", gaps.assign(g=gaps["g"].astype(kind)))
        np.testing.assert_array_equal(design.exog, expected.exog)
        assert design.exog_names == expected.exog_names

    @pytest.mark.parametrize("kind", ["Float64", "float64[pyarrow]", "object"])
    def test_numbers_with_gaps(self, gaps, kind):
        expected = build_design("y ~ bs(x2, df=4) + x1", gaps)
        data = gaps.astype(dict.fromkeys(["x1", "x2", "y"], kind))
        design = build_design("y ~ bs(x2, df=4) + x1", data)
        np.testing.assert_array_equal(design.exog, expected.exog)
        new = design.formulas.transform(data)
        np.testing.assert_array_equal(new.exog[new.complete_mask][:, 0], 1.0)

    @pytest.mark.parametrize("kind", ["boolean", "bool[pyarrow]", "object"])
    def test_booleans_with_gaps(self, frame, kind):
        flag = pd.Series(np.arange(40) % 3 == 0)
        expected = build_design("y ~ flag", frame.assign(flag=flag).drop(index=2))
        data = frame.assign(flag=flag.astype(kind).mask(flag.index == 2))
        design = build_design("y ~ flag", data)
        assert design.exog_names == ["Intercept", "flag[T.True]"]
        np.testing.assert_array_equal(design.exog, expected.exog)

    def test_nullable_integers_keep_whole_levels(self, frame):
        data = frame.assign(k=pd.Series(np.arange(40) % 3, dtype="Int64").mask(frame.index == 2))
        design = build_design("y ~ C(k)", data)
        assert design.exog_names == ["Intercept", "C(k)[T.1]", "C(k)[T.2]"]

    def test_categories_keep_their_order_and_lose_the_unused(self, frame):
        data = frame.assign(g=pd.Categorical(frame["g"], categories=["d", "c", "b", "a"]))
        design = build_design("y ~ g", data)
        assert design.exog_names == ["Intercept", "g[T.b]", "g[T.a]"]
        only = build_design("y ~ g", data, subset=data["g"] != "c")
        assert only.exog_names == ["Intercept", "g[T.a]"]

    def test_other_tables(self, gaps):
        pl = pytest.importorskip("polars")
        pa = pytest.importorskip("pyarrow")
        expected = build_design("y ~ g + x1", gaps, freq_weights="w")
        for table in (
            pl.from_pandas(gaps),
            pl.from_pandas(gaps).with_columns(pl.col("g").cast(pl.Categorical)),
            pa.Table.from_pandas(gaps),
            gaps.to_dict("list"),
        ):
            design = build_design("y ~ g + x1", table, freq_weights="w")
            np.testing.assert_array_equal(design.exog, expected.exog)
            assert design.exog_names == expected.exog_names
            new = design.formulas.transform(table)
            np.testing.assert_array_equal(new.exog[new.complete_mask][:, 0], 1.0)

    def test_dates_are_refused_by_name(self, frame):
        frame["when"] = pd.date_range("2020-01-01", periods=40, freq="40D")
        refused("'when' is a column of dates.*when.dt.year", "y ~ when", frame)
        refused("'when' is a column of dates", "y ~ when",
                frame.assign(when=frame["when"].dt.date))  # fmt: skip
        refused("'when' is a column of dates", "y ~ when",
                frame.assign(when=frame["when"] - frame["when"][0]))  # fmt: skip
        refused("'when' is a column of dates", "when ~ x1", frame)
        years = build_design("y ~ when.dt.year", frame).exog[:, 1]
        np.testing.assert_array_equal(years, frame["when"].dt.year)
        assert build_design("y ~ C(when.dt.year)", frame).exog.shape[1] == 5

    def test_infinite_values_are_refused(self, frame):
        frame.index = [f"r{i}" for i in range(40)]
        frame.loc["r3", "x1"] = -np.inf
        refused(r"'x1' is infinite in row 'r3' \(position 3\)", "y ~ x1", frame)
        refused("'y' is infinite in row 'r3'", "y ~ x2", frame.assign(y=frame["x1"]))
        refused("'z1' is infinite", "y ~ x2", frame.assign(z1=frame["x1"]), concomitant="z1")
        refused(r"'np.log\(x2\)' is infinite", "y ~ np.log(x2)", frame.assign(x2=0.0))
        assert build_design("y ~ x1", frame, subset="x1 > -10").exog.shape == (39, 2)

    def test_text_among_numbers(self, frame):
        words = frame["x1"].astype(str).astype(object)
        words[7] = "n/a?"
        refused(
            r"response 'y' is not numeric: row 7 holds 'n/a\?'", "y ~ x1", frame.assign(y=words)
        )
        refused(
            r"'x1' mixes numbers and text: row 7 holds 'n/a\?'", "y ~ x1", frame.assign(x1=words)
        )
        refused(r"the column 'y' holds 'n/a\?' in row 7", "np.log(y) ~ 1", frame.assign(y=words))

    def test_responses_that_are_none(self, frame):
        refused("response 'g' is not numeric: row 0 holds", "g ~ x1", frame)
        refused("True and False", "flag ~ x1", frame.assign(flag=True))
        refused("one response", "y + x1 ~ x2", frame)
        refused("one response", "~ x1", frame)
        refused("one response", "y", frame)
        refused("several columns", "np.column_stack([y, x1]) ~ x2", frame)

    def test_complex_numbers(self, frame):
        refused("complex", "y ~ x1", frame.assign(x1=1j))
        refused("complex", "y ~ x1", frame.assign(y=1j))


class TestNames:
    def test_unknown_columns(self, frame):
        refused(r"names 'X1', which is not a column.*did you mean 'x1'", "y ~ X1", frame)
        refused(r"names 'incom' \(in 'np.log\(incom\)'\)", "y ~ np.log(incom)", frame)
        refused("names 'q'", "y ~ x1", frame, concomitant="q")
        refused("names 'my var'", "y ~ Q('my var')", frame)
        refused("one column name as text", "y ~ Q(x1)", frame)

    def test_arrays_of_the_program_are_not_data(self, frame):
        x3 = np.arange(40.0)
        x4 = x3.tolist()
        x5 = pd.Series(x3[:7])
        refused(r"'x3' is a variable of the program.*data\['x3'\] = x3", "y ~ x1 + x3", frame)
        refused("'x3'.*is a variable of the program", "y ~ np.log(1 + x3)", frame)
        refused("'x3'.*is a variable of the program", "y ~ I(x1 * x3)", frame)
        refused("'x4' is a variable of the program", "y ~ x4", frame)
        refused("'x5' is a variable of the program", "y ~ x5", frame)
        refused("uses no column", "y ~ x1 + np.pi", frame)

    def test_functions_constants_and_options_of_the_program_are_fine(self, frame):
        scale, knots = 2.5, np.array([2.0, 3.0, 4.0])
        chosen = ["a", "b"]
        text = "y ~ square(x1) + I(scale * x2) + bs(x2, knots=knots) + g.isin(chosen)"
        expected = patsy.dmatrices(text, frame)[1]
        design = build_design(text, frame)
        np.testing.assert_array_equal(design.exog, np.asarray(expected))
        new = design.formulas.transform(frame)
        np.testing.assert_array_equal(new.exog, design.exog)

    def test_the_depth_of_the_caller(self, frame):
        def wrapper(**kwargs):
            return build_design("y ~ local(x1)", frame, **kwargs)

        def local(x):
            return x + 1

        np.testing.assert_array_equal(wrapper(env=1).exog[:, 1], frame["x1"] + 1)
        environment = patsy.EvalEnvironment([{"local": np.negative}])
        np.testing.assert_array_equal(wrapper(env=environment).exog[:, 1], -frame["x1"])

    def test_variables_named_like_functions(self, frame):
        C, I, center = 5, 1j, "text"  # noqa: E741
        assert [C, I, center] == [5, 1j, "text"]
        design = build_design("y ~ C(g) + I(x1 ** 2) + center(x2)", frame)
        _, x = patsy.dmatrices("y ~ C(g) + I(x1 ** 2) + center(x2)", frame,
                               eval_env=patsy.EvalEnvironment([{}]))  # fmt: skip
        np.testing.assert_array_equal(design.exog, np.asarray(x))

    def test_a_column_named_like_a_function(self, frame):
        design = build_design("y ~ C(g) + x1", frame.assign(C=1.0, I=2.0))
        assert design.exog_names == ["Intercept", "C(g)[T.b]", "C(g)[T.c]", "x1"]
        refused("'C' both as a function and as a column", "y ~ C(C)", frame.assign(C=1.0))

    def test_numpy_is_known_without_an_import(self, frame):
        bare = patsy.EvalEnvironment([{}])
        design = build_design("y ~ np.log(x2) + abs(x1)", frame, env=bare)
        np.testing.assert_array_equal(design.exog[:, 1], np.log(frame["x2"]))

    def test_unknown_functions(self, frame):
        refused("calls 'log', which is not known; write np.log", "y ~ log(x2)", frame)
        refused("calls 'frobnicate', which is not known", "y ~ frobnicate(x2)", frame)

    def test_names_of_parameters(self, frame):
        refused("'sigma', which is the name of a parameter", "y ~ sigma", frame.assign(sigma=1.0))
        refused("'Intercept' collides", "y ~ Intercept", frame.assign(Intercept=2.0))
        named = build_design("sigma ~ x1", frame.assign(sigma=frame["y"]), concomitant="x2")
        assert named.endog_name == "sigma"

    def test_repeated_and_nameless_columns(self, frame):
        twice = pd.concat([frame, frame[["x1"]]], axis=1)
        refused("several columns named 'x1'", "y ~ x1", twice)
        refused("several columns named 'x1'", "y ~ x2", twice, groups="x1")
        assert build_design("y ~ x2", twice).exog.shape == (40, 2)
        numbered = frame.rename(columns={"x1": 0})
        refused("column 0 is not named by text", "y ~ Q('0')", numbered)
        assert build_design("y ~ x2", numbered, groups=0).column_names == {"groups": "0"}

    def test_formulas_that_cannot_be_read(self, frame):
        refused("cannot be read", "y ~ x1 +", frame)
        refused("cannot be read", "y ~ (x1", frame)
        refused("not a valid expression", "y ~ .", frame)
        refused(r"x \*\* 2 inside I", "y ~ x1^2", frame)
        refused("lambda or comprehension", "y ~ [v for v in x1]", frame)
        refused("must be text such as", 3, frame)
        refused("one-sided", "y ~ x1", frame, concomitant="y ~ x1")
        refused("has no columns", "y ~ 0", frame)
        refused("concomitant formula has no columns", "y ~ x1", frame, concomitant="0")
        refused("gives a single value", "y ~ x1.mean()", frame)
        refused("gives 3 values, not one for each of 40 rows", "y ~ x1[:3]", frame)
        refused("'zz' not found", "y ~ C(g, Treatment('zz'))", frame)
        refused("cannot be evaluated: KeyError", "y ~ g.map({'a': 1}).loc[['q']]", frame)


class TestNewRows:
    FORMULA = "y ~ C(g) * center(x1) + bs(x2, df=4)"

    def fitted(self, data, **kwargs):
        return build_design(self.FORMULA, data, concomitant="standardize(z1)", **kwargs)

    def test_the_rows_of_the_fit_come_back(self, gaps):
        design = self.fitted(gaps, offset="o")
        new = design.formulas.transform(gaps, need_endog=True)
        mask = new.complete_mask
        np.testing.assert_array_equal(np.flatnonzero(~mask), design.missing_rows)
        np.testing.assert_array_equal(new.exog[mask], design.exog)
        np.testing.assert_array_equal(new.concomitant[mask], design.concomitant)
        np.testing.assert_array_equal(new.endog[mask], design.endog)
        np.testing.assert_array_equal(new.offset[mask], design.offset)
        assert np.isnan(new.exog[~mask]).all()
        assert np.isnan(new.endog[~mask]).all()

    def test_the_transforms_are_those_of_the_fit(self, frame):
        design = self.fitted(frame)
        info = patsy.dmatrices(self.FORMULA, frame)[1].design_info
        new = frame.iloc[5:9].set_axis(["s", "s", "t", "t"])
        (expected,) = patsy.build_design_matrices([info], new.reset_index())
        rows = design.formulas.transform(new)
        np.testing.assert_array_equal(rows.exog, np.asarray(expected))
        assert rows.index.tolist() == ["s", "s", "t", "t"]
        assert rows.endog is None
        assert rows.offset is None

    def test_one_row_and_none(self, frame):
        spec = self.fitted(frame).formulas
        whole = spec.transform(frame)
        row = {"g": "b", "x1": frame["x1"][3], "x2": frame["x2"][3], "z1": frame["z1"][3]}
        frame.loc[3, "g"] = "b"
        expected = self.fitted(make_frame()).formulas.transform(frame).exog[3]
        np.testing.assert_array_equal(spec.transform(row).exog[0], expected)
        np.testing.assert_array_equal(spec.transform(frame.iloc[3]).exog[0], expected)
        empty = spec.transform(frame.iloc[:0])
        assert empty.exog.shape == (0, whole.exog.shape[1])
        lost = spec.transform(row | {"x1": np.nan})
        assert np.isnan(lost.exog).all()

    def test_a_constant_only_formula(self, frame):
        rows = build_design("y ~ 1", frame).formulas.transform(pd.DataFrame(index=range(3)))
        np.testing.assert_array_equal(rows.exog, np.ones((3, 1)))

    @pytest.mark.parametrize("kind", ["object", "category", "string[pyarrow]"])
    @pytest.mark.parametrize("was", ["object", "category"])
    def test_unseen_levels(self, frame, was, kind):
        spec = self.fitted(frame.assign(g=frame["g"].astype(was))).formulas
        new = frame.iloc[:4].assign(g=["a", "zz", "b", "zz"])
        with pytest.raises(SmmixError, match="'?g.* has the level 'zz' in row 1.*'a', 'b', 'c'"):
            spec.transform(new.assign(g=new["g"].astype(kind)))
        new["x1"] = [1.0, np.nan, 1.0, np.nan]
        rows = spec.transform(new.assign(g=new["g"].astype(kind)))
        assert rows.complete_mask.tolist() == [True, False, True, False]

    @pytest.mark.parametrize("kind", ["object", "category", "string[pyarrow]", "str"])
    @pytest.mark.parametrize("was", ["object", "category", "str"])
    def test_categories_need_not_be_declared_alike(self, frame, was, kind):
        spec = self.fitted(frame.assign(g=frame["g"].astype(was))).formulas
        new = frame[frame["g"] != "a"]
        rows = spec.transform(new.assign(g=new["g"].astype(kind)))
        np.testing.assert_array_equal(rows.exog, self.fitted(frame).exog[(frame["g"] != "a")])

    def test_bad_new_data(self, frame):
        spec = self.fitted(frame, offset="o").formulas
        for change, match in (
            ({"x1": "1.5"}, "column 'x1' of the new data is not numeric: row 0 holds '1.5'"),
            ({"x1": np.inf}, "'x1' is infinite in row 0"),
            ({"x2": 1000.0}, "outside the outermost knots"),
            ({"o": np.inf}, "offset 'o' is infinite in row 0"),
            ({"o": "a"}, "offset 'o' is not numeric"),
        ):
            with pytest.raises(SmmixError, match=match):
                spec.transform(frame.assign(**change))
        for name in ("g", "x1", "o", "z1"):
            with pytest.raises(SmmixError, match=f"the new data has no column '{name}'"):
                spec.transform(frame.drop(columns=name))
        with pytest.raises(SmmixError, match="no column 'y'"):
            spec.transform(frame.drop(columns="y"), need_endog=True)
        with pytest.raises(SmmixError, match="the new data must be"):
            spec.transform([[1.0]])

    def test_blocks_give_the_columns_of_the_whole(self, frame):
        design = self.fitted(frame)
        blocks = [design.formulas.transform(frame.iloc[i : i + 7]).exog for i in range(0, 40, 7)]
        np.testing.assert_array_equal(np.vstack(blocks), design.exog)


class TestPickle:
    FORMULA = "y ~ C(g, Sum) * center(x1) + bs(x2, df=4) + te(cr(x1, df=3), cc(x2, df=3))"

    def test_round_trip(self, frame):
        design = build_design(self.FORMULA, frame, concomitant="standardize(z1)")
        spec = pickle.loads(pickle.dumps(design.formulas))
        spec = pickle.loads(pickle.dumps(spec))
        new = frame.iloc[3:9]
        expected = design.formulas.transform(new, need_endog=True)
        rows = spec.transform(new, need_endog=True)
        np.testing.assert_array_equal(rows.exog, expected.exog)
        np.testing.assert_array_equal(rows.concomitant, expected.concomitant)
        np.testing.assert_array_equal(rows.endog, expected.endog)
        again = pickle.loads(pickle.dumps(spec))
        np.testing.assert_array_equal(again.transform(new).exog, expected.exog)
        assert spec.formula == self.FORMULA
        assert spec.concomitant_formula == "standardize(z1)"

    def test_it_holds_no_data(self):
        sizes = [
            len(pickle.dumps(build_design(self.FORMULA, make_frame(n)).formulas))
            for n in (40, 4000)
        ]
        assert abs(sizes[1] - sizes[0]) < 100

    def test_designs_are_copied_and_pickled(self, frame):
        def local(x):
            return x + 1

        design = build_design("y ~ local(x1)", frame)
        for other in (copy.copy(design), copy.deepcopy(design)):
            np.testing.assert_array_equal(other.formulas.transform(frame).exog, design.exog)
        other = pickle.loads(pickle.dumps(design))
        np.testing.assert_array_equal(other.exog, design.exog)
        with pytest.raises(SmmixError, match="'local'.*which this program does not have"):
            other.formulas.transform(frame)

    def test_a_fresh_process(self, tmp_path):
        """Written by a script with functions of its own and of a module, read at top level."""
        (tmp_path / "mine.py").write_text("def double(x):\n    return 2 * x\n")
        write = """
            import pickle, numpy as np, pandas as pd
            from pathlib import Path
            from mine import double
            from patsy import bs
            from smmix.formula import build_design
            shift, knots = 1.5, [0.2, 0.5]
            def own(x):
                return x - 1
            data = pd.DataFrame({"y": np.arange(9.0), "x": np.linspace(0, 1, 9)})
            text = "y ~ double(x) + center(x + shift) + bs(x, knots=knots) + np.exp(x)"
            design = build_design(text, data)
            Path("a.pkl").write_bytes(pickle.dumps((design.formulas, data, design.exog)))
            design = build_design("y ~ own(x)", data)
            Path("b.pkl").write_bytes(pickle.dumps((design.formulas, data, design.exog)))
        """
        read = """
            import pickle
            from pathlib import Path
            spec, data, exog = pickle.loads(Path("a.pkl").read_bytes())
            assert (spec.transform(data).exog == exog).all()
            spec, data, exog = pickle.loads(Path("b.pkl").read_bytes())
            try:
                spec.transform(data)
            except ValueError as error:
                assert "'own' (__main__.own)" in str(error), error
            else:
                raise AssertionError
            def own(x):
                return x - 1
            assert (spec.transform(data).exog == exog).all()
        """
        for script in (write, read):
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr

    def test_a_stateful_transform_of_the_users(self, frame):
        design = build_design("y ~ halve_range(x2)", frame)
        spec = pickle.loads(pickle.dumps(design.formulas))
        np.testing.assert_array_equal(spec.transform(frame.iloc[:3]).exog, design.exog[:3])


class _HalveRange:
    def __init__(self):
        self.low, self.high = np.inf, -np.inf

    def memorize_chunk(self, x):
        self.low, self.high = min(self.low, x.min()), max(self.high, x.max())

    def memorize_finish(self):
        pass

    def transform(self, x):
        return x - (self.low + self.high) / 2


halve_range = patsy.stateful_transform(_HalveRange)


class TestArrays:
    @pytest.fixture
    def arrays(self, frame):
        return frame["y"].to_numpy(), sm.add_constant(frame[["x1", "x2"]].to_numpy())

    @pytest.mark.parametrize("case", ["array", "frame", "series", "constant last", "no constant"])
    def test_names_are_those_of_statsmodels(self, frame, arrays, case):
        endog, exog = {
            "array": arrays,
            "frame": (frame["y"], sm.add_constant(frame[["x1", "x2"]])),
            "series": (frame["y"], frame["x1"]),
            "constant last": (arrays[0], arrays[1][:, ::-1]),
            "no constant": (arrays[0], arrays[1][:, 1:]),
        }[case]
        design, model = validate_arrays(endog, exog), sm.OLS(endog, exog)
        assert design.exog_names == model.exog_names
        assert design.endog_name == model.endog_names
        np.testing.assert_array_equal(design.exog, model.exog)
        np.testing.assert_array_equal(design.endog, model.endog)
        assert design.exog.flags.c_contiguous
        assert design.formulas is None
        assert design.frame is None

    def test_missing_values(self, gaps):
        endog, exog = gaps["y"], gaps[["x1", "x2"]]
        arguments = {"exog_concomitant": gaps[["z1"]], "groups": gaps["id"], "offset": gaps["o"]}
        design = validate_arrays(endog, exog, **arguments, missing="drop")
        complete = gaps.dropna(subset=["y", "x1", "x2", "z1", "id", "o"])
        np.testing.assert_array_equal(design.exog, complete[["x1", "x2"]])
        np.testing.assert_array_equal(design.concomitant[:, 0], complete["z1"])
        np.testing.assert_array_equal(design.groups, complete["id"])
        assert design.index.equals(complete.index)
        assert design.n_dropped == 40 - len(complete)
        for missing in ("none", "raise"):
            with pytest.raises(SmmixError, match="endog is missing in row 1 "):
                validate_arrays(endog, exog, missing=missing)
            with pytest.raises(SmmixError, match="exog column 'x2' is missing in row 5 "):
                validate_arrays(gaps["w"], gaps[["x2"]], missing=missing)
        with pytest.raises(SmmixError, match="missing must be"):
            validate_arrays(endog, exog, missing="dorp")

    def test_extras(self, frame, arrays):
        weights = frame["w"].where(frame.index != 4, 0.0)
        design = validate_arrays(
            *arrays, freq_weights=weights, known=[0] + [None] * 39, common=["x2"],
            exog_concomitant=np.column_stack([np.ones(40), frame["z1"]]),
        )  # fmt: skip
        assert len(design.endog) == 39
        assert design.common_names == ["x2"]
        assert design.concomitant_names == ["const", "z1"]
        assert design.exog_terms == {"const": [0], "x1": [1], "x2": [2]}
        assert design.known[0] == 0
        shuffled = frame["w"].sample(frac=1, random_state=0)
        by_label = validate_arrays(frame["y"], arrays[1], freq_weights=shuffled)
        np.testing.assert_array_equal(by_label.freq_weights, frame["w"])

    def test_kinds_of_numbers(self, frame):
        dummies = pd.get_dummies(frame["g"])
        np.testing.assert_array_equal(validate_arrays(frame["y"], dummies).exog, dummies)
        assert validate_arrays(frame[["y"]], frame["x1"].astype("Float64")).endog_name == "y"
        assert validate_arrays(frame["y"].tolist(), frame["x1"].tolist()).exog.shape == (40, 1)
        pl = pytest.importorskip("polars")
        table = pl.from_pandas(frame)
        named = validate_arrays(table["y"], table.select("x1", "x2"))
        assert (named.endog_name, named.exog_names) == ("y", ["x1", "x2"])

    def test_bad_arrays(self, frame, arrays):
        y, x = arrays
        for match, endog, exog, extra in (
            ("endog must be one column, not 2", x[:, :2], x, {}),
            ("exog has 39 rows but endog 40", y, x[1:], {}),
            ("exog_concomitant has 3 rows", y, x, {"exog_concomitant": np.ones(3)}),
            ("exog is missing", y, None, {}),
            ("exog has no columns", y, x[:, :0], {}),
            ("endog has no rows", [], [], {}),
            ("one or two dimensions", y, np.ones((40, 1, 1)), {}),
            ("rows of different lengths", y, [[1.0], [1.0, 2.0]], {}),
            ("exog column 'g' is not numeric: row 0", frame["y"], frame[["x1", "g"]], {}),
            ("endog is not numeric", frame["g"], x, {}),
            ("exog column 0 is infinite in row 0", y, np.full((40, 1), np.inf), {}),
            ("indices of endog and exog differ", frame["y"], frame[["x1"]].iloc[::-1], {}),
            ("named 'sigma', which is the name", y, frame[["w"]].set_axis(["sigma"], axis=1), {}),
            ("'mixing.x'", y, frame[["w"]].set_axis(["mixing.x"], axis=1), {}),
            (r"'x\[0\]'", y, frame[["w", "o"]].set_axis(["x", "x[0]"], axis=1), {}),
            ("Two columns of the design are named 'x1'", y, frame[["x1", "x1"]], {}),
            ("common names 'q'", y, x, {"common": ["q"]}),
            ("groups must be an array of 40 values, not 'id'", y, x, {"groups": "id"}),
            ("groups has 3 values", y, x, {"groups": [1, 2, 3]}),
            ("freq_weights is negative in row 0", y, x, {"freq_weights": -np.ones(40)}),
        ):
            with pytest.raises(SmmixError, match=match):
                validate_arrays(endog, exog, **extra)


class TestLinearConstraint:
    NAMES = ("Intercept[0]", "x1[0]", "C(g)[T.b][0]", "x1[1]", "sigma[0]")

    def test_spellings(self):
        matrix, value = linear_constraint(self.NAMES, "x1[0] = x1[1], C(g)[T.b][0] = 2")
        np.testing.assert_array_equal(matrix, [[0, 1, 0, -1, 0], [0, 0, 1, 0, 0]])
        np.testing.assert_array_equal(value, [0, 2])
        matrix, value = linear_constraint(self.NAMES, "x1[0] = x1[1] = 0")
        assert matrix.shape == (2, 5)
        assert value.shape == (2,)

    @pytest.mark.parametrize("text", ["q = 0", "x1[0] =", "x1[0] * x1[1] = 1", {"q": 1}])
    def test_unknown_names(self, text):
        with pytest.raises(SmmixError, match="the parameters are 'Intercept\\[0\\]', 'x1\\[0\\]'"):
            linear_constraint(self.NAMES, text)


@pytest.mark.skipif(not DATA.exists(), reason="the reference data are not part of the package")
class TestTraps:
    def read(self, name):
        return pd.read_csv(DATA / f"trap_{name}.csv")

    def test_traps(self):
        refused("'x2' is missing in every row", "y ~ x1 + x2", self.read("nan_column"))
        refused(r"'y' is not numeric: row 7 holds 'n/a\?'", "y ~ x", self.read("string_response"))
        refused("data has no rows", "y ~ x", self.read("empty"))
        design = build_design("y ~ x", self.read("nan_rows"))
        assert (len(design.endog), design.n_dropped) == (115, 5)

    def test_weights(self):
        data = self.read("bad_weights")
        design = build_design("y ~ x", data, freq_weights="w_zero")
        assert design.freq_weights.sum() == 40
        assert len(design.endog) == 40
        for column, match in (
            ("w_neg", "negative in row"), ("w_nan", "missing in row"), ("w_allzero", "All freq"),
        ):  # fmt: skip
            refused(match, "y ~ x", data, freq_weights=column)
