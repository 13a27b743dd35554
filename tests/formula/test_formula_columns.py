"""Columns of every type, and the names that a formula may use."""

import re

import numpy as np
import pandas as pd
import patsy
import pytest
from helpers_formula import make_frame, make_gaps, refused

from smmix import SmmixError, from_formula
from smmix.formula import build_design


@pytest.fixture
def frame():
    return make_frame()


@pytest.fixture
def gaps():
    return make_gaps()


def square(x):
    return x**2


class TestColumnTypes:
    def test_the_text_nan(self, frame):
        for text in ("nan", "NaN", "-nan"):
            data = frame.assign(g=frame["g"].where(frame.index != 3, text))
            refused(f"'g' holds the text '{text}' in row 3", "y ~ g", data)
            refused(f"holds the text '{text}'", "y ~ C(g)", data.astype({"g": "category"}))

    @pytest.mark.parametrize("kind", ["string", "string[pyarrow]", "category", "object"])
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

    def test_lists_in_cells(self, frame):
        refused("'x1' holds list values, as in row 0", "y ~ x1", frame.assign(x1=[[1, 2]] * 40))

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
        x4 = x3.tolist()  # noqa: F841 - a formula below names it
        x5 = pd.Series(x3[:7])  # noqa: F841
        refused(r"'x3' is a variable of the program.*data\['x3'\] = x3", "y ~ x1 + x3", frame)
        refused("'x3'.*is a variable of the program", "y ~ np.log(1 + x3)", frame)
        refused("'x3'.*is a variable of the program", "y ~ I(x1 * x3)", frame)
        refused("'x4' is a variable of the program", "y ~ x4", frame)
        refused("'x5' is a variable of the program", "y ~ x5", frame)
        refused("uses no column", "y ~ x1 + np.pi", frame)

    def test_functions_constants_and_options_of_the_program_are_fine(self, frame):
        scale, knots = 2.5, np.array([2.0, 3.0, 4.0])  # noqa: F841
        chosen = ["a", "b"]  # noqa: F841
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
        with pytest.raises(SmmixError, match=r"Two parameters would be called 'sigma\[0\]'"):
            from_formula("y ~ sigma", frame.assign(sigma=frame["x2"]), k=2)
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

    @pytest.mark.parametrize(
        ("column", "code"),
        [
            ("house size", "house size"),
            ("house size", "np.log(house  size)"),
            ("house size", "x1 + House Size"),
            ("house size", "house_size"),
            ("house size", "house.size"),
            ("house size", "'house size'"),
            ("a-b", "a - b"),
            ("2nd", "2nd"),
            ("class", "class"),
            ("x (m)", "x (m)"),
            ('quo"ted', "quo + ted"),
        ],
    )
    def test_a_name_that_must_be_quoted(self, frame, column, code):
        data = frame.assign(**{column: frame["x2"]})
        with pytest.raises(SmmixError) as caught:
            build_design(f"y ~ {code}", data)
        written = re.search(r"; write (Q\(.+\)) for the column '(.+)'\.$", str(caught.value))
        assert written[2] == column
        design = build_design(f"y ~ {written[1]}", data)
        np.testing.assert_array_equal(design.exog[:, 1], frame["x2"])

    def test_only_a_name_that_may_be_meant_is_suggested(self, frame):
        data = frame.assign(**{"house size": 1.0, "%": 2.0, "12": 3.0})
        refused(r"invalid syntax\)\.$", "y ~ x1 x2", data)
        refused(r"column of the data \(did you mean 'x2', 'x1'", "y ~ x12", data)
        refused(r'backticks is written Q\("name"\)\.$', "y ~ `house size`", data)

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
