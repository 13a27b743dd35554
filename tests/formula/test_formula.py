"""Designs against patsy and pandas on the complete cases."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import patsy
import pytest
from helpers_formula import make_frame, make_gaps, refused
from hypothesis import given
from hypothesis import strategies as st

from smmix.errors import SmmixError
from smmix.formula import build_design, linear_constraint

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "../shared/reference/data"


@pytest.fixture
def frame():
    return make_frame()


@pytest.fixture
def gaps():
    return make_gaps()


def square(x):
    return x**2


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

    @pytest.mark.parametrize("term", ["x1.shift(1)", "I(x1 - x1.mean())", "np.cumsum(x1)"])
    def test_terms_that_gaps_would_change(self, gaps, term):
        refused(f"'{re.escape(term)}' depends on other rows.* 2 incomplete rows", f"y ~ {term}",
                gaps.fillna({"x1": 0.0}) if "shift" not in term else gaps.iloc[4:],
                concomitant="x2")  # fmt: skip

    @pytest.mark.parametrize("index", [[5] * 40, list("ab") * 20, list(range(40, 0, -1))])
    def test_any_index_is_kept(self, gaps, index):
        expected = build_design("y ~ bs(x2, df=4) + g", gaps)
        design = build_design("y ~ bs(x2, df=4) + g", gaps.set_axis(index))
        np.testing.assert_array_equal(design.exog, expected.exog)
        keep = np.setdiff1d(np.arange(40), expected.missing_rows)
        assert design.index.tolist() == [index[i] for i in keep]

    @pytest.mark.slow
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
        refused("common must name terms as text", "y ~ x1", frame, common=3)
        refused("common must name terms as text", "y ~ x1", frame, common=[["x1"]])


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
