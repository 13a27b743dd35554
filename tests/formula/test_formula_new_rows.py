"""The same columns from new data, also after pickling."""

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
from helpers_formula import make_frame, make_gaps

from smmix.errors import SmmixError
from smmix.formula import build_design

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def frame():
    return make_frame()


@pytest.fixture
def gaps():
    return make_gaps()


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
        with pytest.raises(SmmixError, match=r"'?g.* has the level 'zz' in row 1.*'a', 'b', 'c'"):
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
            ({"x2": 1000.0}, "has no value in row 0, which lies outside"),
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

    @pytest.mark.parametrize(
        "term", ["I(x1 - x1.mean())", "center(x1 / np.max(x1))", "x1.rank()", "pd.cut(x1, 3)"]
    )
    def test_terms_that_depend_on_other_rows(self, frame, term):
        design = build_design(f"y ~ {term}", frame)
        _, x = patsy.dmatrices(f"y ~ {term}", frame)
        np.testing.assert_array_equal(design.exog, np.asarray(x))
        with pytest.raises(SmmixError, match=f"{re.escape(term)}' depends on other rows"):
            design.formulas.transform(frame)
        with pytest.raises(SmmixError, match="depends on other rows"):
            pickle.loads(pickle.dumps(design.formulas)).transform(frame)

    def test_a_response_that_depends_on_other_rows(self, frame):
        spec = build_design("I(y - y.mean()) ~ x1", frame).formulas
        assert spec.transform(frame).exog.shape == (40, 2)
        with pytest.raises(SmmixError, match="depends on other rows"):
            spec.transform(frame, need_endog=True)

    @pytest.mark.parametrize(
        "term",
        ["np.exp(x1)", "x1.abs()", "g.str.upper()", "g.isin(['a'])", "np.where(x1 > 0, x1, 0)"],
    )
    def test_functions_of_the_row_alone(self, frame, term):
        design = build_design(f"y ~ {term}", frame)
        np.testing.assert_array_equal(design.formulas.transform(frame).exog, design.exog)

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
        with pytest.raises(SmmixError, match=r"'local'.*which this program does not have"):
            other.formulas.transform(frame)

    @pytest.mark.slow
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


class TestBooleans:
    """True is 1 and False is 0 where the column of the fit held numbers."""

    @pytest.mark.parametrize("kind", ["bool", "boolean", "bool[pyarrow]", "object"])
    def test_in_a_column_of_numbers(self, frame, kind):
        spec = build_design("y ~ np.exp(x1) * z1 + C(x2 > 0)", frame).formulas
        new = frame.head(2).assign(x1=pd.array([True, False], dtype=kind))
        expected = spec.transform(frame.head(2).assign(x1=[1.0, 0.0])).exog
        np.testing.assert_array_equal(spec.transform(new).exog, expected)

    @pytest.mark.parametrize("kind", ["boolean", "bool[pyarrow]", "object"])
    def test_with_gaps(self, frame, kind):
        spec = build_design("y ~ x1", frame).formulas
        made = spec.transform({"x1": pd.array([None, True], dtype=kind)})
        np.testing.assert_array_equal(made.exog, [[np.nan, np.nan], [1.0, 1.0]])
        assert made.complete_mask.tolist() == [False, True]

    def test_whole_numbers_stay_whole(self, frame):
        spec = build_design("y ~ C(n.astype(str))", frame.assign(n=[1, 2] * 20)).formulas
        assert spec.transform({"n": [2, 1]}).exog[:, 1].tolist() == [1.0, 0.0]


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
