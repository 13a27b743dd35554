"""Arrays to designs, with the names that statsmodels gives."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_formula import make_frame, make_gaps

from smmix.errors import SmmixError
from smmix.formula import validate_arrays


@pytest.fixture
def frame():
    return make_frame()


@pytest.fixture
def gaps():
    return make_gaps()


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
