"""Subsets, and the values that go with rows: groups, weights, offset, known components."""

import numpy as np
import pandas as pd
import pytest
from helpers_formula import make_frame, make_gaps, refused

import smmix
from smmix.errors import SmmixError
from smmix.formula import build_design, validate_arrays


@pytest.fixture
def frame():
    return make_frame()


@pytest.fixture
def gaps():
    return make_gaps()


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
        refused("a condition, a mask, or a list", "y ~ x1", frame, subset=3)
        refused("a condition, a mask, or a list", "y ~ x1", frame, subset=np.ones((40, 2), bool))
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
        for value in (1e300, 1e-320):
            weights = np.full(40, value)
            refused(f"{argument} run from .* rescale them", "y ~ x1", frame, **{argument: weights})
        refused(f"{argument}=slice.* is not a column", "y ~ x1", frame, **{argument: slice(5)})

    def test_weights_that_count_more_rows_than_doubles_do(self, frame):
        weights = np.full(40, 1e15)
        refused("add up to 4.0e\\+16 rows", "y ~ x1", frame, freq_weights=weights)
        assert build_design("y ~ x1", frame, prob_weights=weights).exog.shape[0] == 40

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


class TestPositionsInMessages:
    """The position is that in the data as given, whatever rows were left out before."""

    @pytest.fixture
    def named(self):
        frame = make_frame().set_axis([f"r{i}" for i in range(40)])
        frame.loc[["r2", "r3"], "x1"] = np.nan
        return frame

    @pytest.mark.parametrize("options", [{}, {"subset": slice("r3", None)}, {"freq_weights": "w"}])
    def test_of_infinite_values(self, named, options):
        named.loc["r9", "x1"] = np.inf
        named["w"] = np.r_[0.0, np.ones(39)]
        where = r"'x1' is infinite in row 'r9' \(position 9\)"
        refused(where, "y ~ x1", named, **options)
        refused("row 9;", "y ~ x1", named.reset_index(drop=True).drop(columns="w"))

    @pytest.mark.parametrize("weights", [None, np.r_[0.0, np.ones(39)]])
    def test_of_arrays(self, named, weights):
        named.loc["r9", "x2"] = np.inf
        with pytest.raises(SmmixError, match=r"row 'r9' \(position 9\)"):
            validate_arrays(named["y"], named[["x1", "x2"]], freq_weights=weights, missing="drop")

    @pytest.mark.parametrize(
        ("changed", "formula", "options"),
        [
            ({"y": "text"}, "y ~ x2", {}),
            ({"x2": "text"}, "y ~ x2", {}),
            ({"x2": np.nan}, "y ~ x2", {"missing": "raise"}),
            ({"w": -1.0}, "y ~ x2", {"freq_weights": "w"}),
            ({"o": np.inf}, "y ~ x2", {"offset": "o"}),
            ({"g": "nan"}, "y ~ g", {}),
        ],
    )
    def test_within_a_subset(self, named, changed, formula, options):
        for name, value in changed.items():
            named[name] = named[name].astype(object)
            named.loc["r9", name] = value
        refused(r"row 'r9' \(position 9\)", formula, named, subset=slice("r5", None), **options)

    def test_of_known_components(self, named):
        named["known"] = np.where(named.index == "r9", 7.0, np.nan)
        with pytest.raises(SmmixError, match=r"known is 7 in row 'r9' \(position 9\)"):
            smmix.from_formula("y ~ x1", named, known="known", k=2)

    @pytest.mark.parametrize("kind", ["object", "category"])
    def test_of_new_levels(self, named, kind):
        spec = build_design("y ~ x1 + g", named.astype({"g": kind})).formulas
        named.loc["r9", "g"] = "new"
        with pytest.raises(SmmixError, match=r"row 'r9' \(position 9\)"):
            spec.transform(named)
