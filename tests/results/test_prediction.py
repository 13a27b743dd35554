"""Predictions for new rows: values against scipy, shapes and labels, and bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import engel, engel_fit, everything_fit, panel
from scipy import optimize, stats

from smmix import MixtureOLS, SmmixError, from_formula


@pytest.fixture
def fit():
    return engel_fit()


@pytest.fixture
def new():
    """New rows in a frame whose index repeats, with a hole."""
    return pd.DataFrame({"income": [500.0, np.nan, 900.0]}, index=["a", "b", "a"])


def component_mean(fit, income):
    return fit.coef.loc["Intercept"].to_numpy() + np.outer(income, fit.coef.loc["income"])


class TestValues:
    def test_mean_and_components(self, fit, new):
        means = component_mean(fit, new["income"])
        np.testing.assert_allclose(fit.predict(new, which="components"), means, rtol=1e-12)
        expected = means @ fit.mixing_weights.to_numpy()
        np.testing.assert_allclose(fit.predict(new), expected, rtol=1e-12)

    def test_prob(self, fit, new):
        prob = fit.predict(new, which="prob")
        np.testing.assert_allclose(prob.iloc[0], fit.mixing_weights, rtol=1e-12)
        assert prob.iloc[1].isna().all()

    def test_prob_with_concomitants(self):
        fit = everything_fit()
        rows = panel().head(5)
        logit = fit.params["mixing.Intercept[1]"] + fit.params["mixing.z[1]"] * rows["z"]
        np.testing.assert_allclose(
            fit.predict(rows, which="prob")[1], 1 / (1 + np.exp(-logit)), rtol=1e-12
        )

    def test_cdf(self, fit, new):
        y = np.array([400.0, 500.0, 700.0])
        expected = (
            stats.norm.cdf(y[:, None], component_mean(fit, new["income"]), fit.sigma.to_numpy())
            @ fit.mixing_weights.to_numpy()
        )
        np.testing.assert_allclose(fit.predict(new, which="cdf", endog=y), expected, rtol=1e-12)

    @pytest.mark.parametrize("q", [1e-6, 0.025, 0.5, 0.9, 1 - 1e-6])
    def test_quantile_is_the_root_of_the_cdf(self, fit, q):
        mean = component_mean(fit, [700.0])[0]

        def excess(y):
            return stats.norm.cdf(y, mean, fit.sigma) @ fit.mixing_weights.to_numpy() - q

        root = optimize.brentq(excess, -2000, 4000, xtol=1e-11, rtol=1e-14)
        ours = fit.predict({"income": [700.0]}, which="quantile", q=q)
        assert ours.item() == pytest.approx(root, rel=1e-9)

    def test_several_quantiles(self, fit, new):
        table = fit.predict(new, which="quantile", q=[0.1, 0.9])
        assert list(table.columns) == [0.1, 0.9]
        np.testing.assert_array_equal(table[0.9], fit.predict(new, which="quantile", q=0.9))

    def test_posterior_is_bayes_rule(self, fit, new):
        y = np.array([400.0, 500.0, 700.0])
        density = stats.norm.pdf(
            y[:, None], component_mean(fit, new["income"]), fit.sigma.to_numpy()
        )
        joint = density * fit.mixing_weights.to_numpy()
        expected = joint / joint.sum(axis=1, keepdims=True)
        ours = fit.predict(new, which="posterior", endog=y)
        np.testing.assert_allclose(ours, expected, rtol=1e-10)

    def test_far_from_every_component(self, fit):
        posterior = fit.predict({"income": [500.0]}, which="posterior", endog=[1e7])
        assert posterior.sum(axis=1).item() == pytest.approx(1.0)
        assert posterior[1].item() == 1.0


class TestTheRowsOfTheFit:
    @pytest.mark.parametrize("which", ["mean", "components", "prob", "posterior", "label", "cdf"])
    def test_as_new_rows(self, fit, which):
        own, new = fit.predict(which=which), fit.predict(engel(), which=which)
        np.testing.assert_allclose(own, new, rtol=1e-9, atol=1e-12)
        pd.testing.assert_index_equal(own.index, new.index)

    @pytest.mark.parametrize("which", ["mean", "components", "prob", "posterior", "label"])
    def test_as_new_rows_with_everything_at_once(self, which):
        fit = everything_fit()
        np.testing.assert_allclose(
            fit.predict(which=which), fit.predict(panel(), which=which), rtol=1e-9, atol=1e-12
        )

    def test_another_response(self, fit):
        moved = fit.predict(which="posterior", endog=engel()["foodexp"] + 50)
        direct = fit.predict(engel().assign(foodexp=engel()["foodexp"] + 50), which="posterior")
        np.testing.assert_allclose(moved, direct, rtol=1e-10, atol=1e-15)

    def test_fitted_values(self, fit):
        np.testing.assert_array_equal(fit.predict(), fit.fittedvalues)


class TestPosteriorOfNewRows:
    @pytest.mark.parametrize("which", ["posterior", "label"])
    def test_need_the_response(self, fit, which):
        rows = engel()[["income"]].head(3)
        with pytest.raises(SmmixError, match="which='prob'"):
            fit.predict(rows, which=which)

    def test_a_missing_response_leaves_the_prior(self, fit):
        rows = engel().head(3).copy()
        rows.iloc[1, rows.columns.get_loc("foodexp")] = np.nan
        posterior = fit.predict(rows, which="posterior")
        np.testing.assert_allclose(posterior.iloc[1], fit.mixing_weights)
        np.testing.assert_allclose(posterior.iloc[[0, 2]], fit.posterior.iloc[[0, 2]], rtol=1e-9)

    def test_transformed_responses(self):
        fit = from_formula("np.log(foodexp) ~ np.log(income)", engel()).fit()
        np.testing.assert_allclose(
            fit.predict(engel(), which="posterior"), fit.posterior, rtol=1e-9, atol=1e-14
        )
        with pytest.raises(SmmixError, match="which='prob'"):
            fit.predict(engel()[["income"]], which="posterior")

    def test_rows_of_a_group_share_it(self):
        fit = from_formula("y ~ x1", panel(), groups="id").fit()
        rows = panel()[panel()["id"].isin([100, 101])]
        posterior = fit.predict(rows, which="posterior")
        np.testing.assert_allclose(posterior, fit.posterior.loc[rows.index], rtol=1e-9, atol=1e-14)
        apart = fit.predict(rows.drop(columns="id"), which="posterior")
        assert not np.allclose(posterior, apart)

    def test_rows_of_a_group_share_it_without_the_data_too(self):
        fit = from_formula("y ~ x1", panel(), groups="id").fit()
        rows = panel()[panel()["id"].isin([100, 101])]
        expected = fit.posterior.loc[rows.index]
        fit.remove_data()
        given = {"groups": rows["id"]}
        for found in (
            fit.predict(rows, which="posterior"),
            fit.predict(rows.drop(columns="id"), which="posterior", **given),
            pickle.loads(pickle.dumps(fit)).predict(rows, which="posterior"),
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)

    def test_groups_mean_nothing_to_a_model_without(self, fit, new):
        with pytest.raises(SmmixError, match="The model has no groups"):
            fit.predict(new, which="posterior", groups=[1, 1, 2])

    def test_labels_of_incomplete_rows_are_missing(self, fit, new):
        labels = fit.predict(new, which="label", endog=[400.0, 500.0, 700.0])
        assert labels.isna().tolist() == [False, True, False]
        assert labels.iloc[0] == 0


class TestBooleans:
    def test_are_ones_and_zeros_where_the_fit_had_numbers(self, fit):
        rows = engel().head(2)
        given, meant = rows.assign(income=[True, False]), rows.assign(income=[1.0, 0.0])
        np.testing.assert_array_equal(fit.predict(given), fit.predict(meant))
        pd.testing.assert_frame_equal(
            fit.get_prediction(given).summary_frame(), fit.get_prediction(meant).summary_frame()
        )
        drawn = fit.simulate(given, rng=3)
        np.testing.assert_array_equal(drawn["foodexp"], fit.simulate(meant, rng=3)["foodexp"])
        np.testing.assert_array_equal(fit.predict({"income": True}), fit.predict({"income": 1.0}))

    def test_with_gaps(self, fit):
        rows = engel().head(2).assign(income=pd.array([True, None], dtype="boolean"))
        expected = fit.predict(engel().head(2).assign(income=[1.0, np.nan]))
        np.testing.assert_array_equal(fit.predict(rows), expected)


class TestShapesAndLabels:
    def test_index_of_the_new_data(self, fit, new):
        new = new.assign(foodexp=[400.0, 500.0, 700.0])
        for which in ("mean", "components", "prob", "posterior", "label"):
            pd.testing.assert_index_equal(fit.predict(new, which=which).index, new.index)

    def test_columns_are_components(self, fit, new):
        assert fit.predict(new, which="components").columns.tolist() == [0, 1]

    def test_one_row(self, fit):
        assert fit.predict(engel().iloc[0]).shape == (1,)
        assert fit.predict({"income": 500.0}).shape == (1,)

    def test_no_rows(self, fit):
        assert fit.predict(engel().head(0)).shape == (0,)
        assert fit.predict(engel().head(0), which="posterior").shape == (0, 2)

    def test_stateful_transforms_remember_the_fit(self):
        fit = from_formula("foodexp ~ center(income) + C(income > 900)", engel()).fit()
        some = engel().iloc[100:110]
        np.testing.assert_allclose(fit.predict(some), fit.fittedvalues.iloc[100:110], rtol=1e-9)

    def test_polars(self, fit):
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame({"income": [500.0, 900.0]})
        np.testing.assert_array_equal(fit.predict(frame), fit.predict({"income": [500.0, 900.0]}))


class TestValuesBesideTheRows:
    """Series are matched by label, as in the fit: pandas' own alignment is the measure."""

    @staticmethod
    def shuffled(values):
        return values.sample(frac=1.0, random_state=2)

    @pytest.mark.parametrize("own", [True, False])
    def test_responses_in_another_order(self, fit, own):
        rows = () if own else (engel(),)
        given = self.shuffled(engel()["foodexp"])
        posterior = fit.predict(*rows, which="posterior", endog=given)
        np.testing.assert_allclose(posterior, fit.posterior, rtol=1e-9, atol=1e-14)

    def test_responses_of_more_rows_than_asked_for(self, fit):
        posterior = fit.predict(engel().tail(5), which="posterior", endog=engel()[["foodexp"]])
        np.testing.assert_allclose(posterior, fit.posterior.tail(5), rtol=1e-9, atol=1e-14)

    def test_offsets_in_another_order(self):
        fit = from_formula("y ~ x1", panel(), offset="o").fit()
        rows = panel().head(40)
        given = self.shuffled(rows["o"])
        np.testing.assert_array_equal(fit.predict(rows, offset=given), fit.predict(rows))
        np.testing.assert_array_equal(
            fit.get_prediction(rows, offset=given).predicted_mean, fit.predict(rows)
        )
        pd.testing.assert_frame_equal(
            fit.simulate(rows, offset=given, rng=3), fit.simulate(rows, rng=3)
        )

    def test_groups_in_another_order(self):
        fit = from_formula("y ~ x1", panel(), groups="id").fit()
        rows = panel().drop(columns="id")
        posterior = fit.predict(rows, which="posterior", groups=self.shuffled(panel()["id"]))
        np.testing.assert_allclose(posterior, fit.posterior, rtol=1e-9, atol=1e-14)

    def test_concomitants_in_another_order(self):
        x, z = sm.add_constant(panel()[["x1", "x2"]]), sm.add_constant(panel()["z"])
        fit = MixtureOLS(panel()["y"], x, exog_concomitant=z).fit()
        np.testing.assert_array_equal(
            fit.predict(x.head(9), exog_concomitant=z[::-1]), fit.fittedvalues.head(9)
        )

    def test_arrays_have_no_labels(self, fit):
        posterior = fit.predict(which="posterior", endog=engel()["foodexp"].to_numpy())
        np.testing.assert_allclose(posterior, fit.posterior, rtol=1e-9, atol=1e-14)

    def test_labels_of_other_rows_are_refused(self, fit):
        rows, other = engel().head(3), engel().tail(3)
        for call in (
            lambda: fit.predict(rows, which="posterior", endog=other["foodexp"]),
            lambda: fit.predict(rows, offset=other["foodexp"]),
            lambda: fit.get_prediction(rows, offset=other["foodexp"]),
            lambda: fit.simulate(rows, offset=other["foodexp"]),
        ):
            with pytest.raises(SmmixError, match=r"lacks the label 0 of the data; pass .*to_numpy"):
                call()

    def test_repeated_labels_must_be_identical(self, fit):
        rows = engel().set_axis(engel().index // 2)
        posterior = fit.predict(rows, which="posterior", endog=rows["foodexp"])
        np.testing.assert_allclose(posterior, fit.posterior, rtol=1e-9, atol=1e-14)
        with pytest.raises(SmmixError, match="repeated labels"):
            fit.predict(rows, which="posterior", endog=rows["foodexp"][::-1])


class TestOffset:
    def test_column_of_the_model(self):
        fit = from_formula("y ~ x1", panel(), offset="o").fit()
        rows = panel().head(4)
        moved = fit.predict(rows.assign(o=rows["o"] + 3))
        np.testing.assert_allclose(moved, fit.predict(rows) + 3, rtol=1e-12)
        np.testing.assert_allclose(fit.predict(rows, offset=rows["o"] + 3), moved, rtol=1e-12)

    def test_array_of_the_model_is_zero_unless_given(self):
        x = sm.add_constant(panel()["x1"])
        fit = MixtureOLS(panel()["y"], x, offset=panel()["o"]).fit()
        plain = fit.predict(x.head(4))
        np.testing.assert_allclose(fit.predict(x.head(4), offset=1.5), plain + 1.5, rtol=1e-12)


class TestModelsOfArrays:
    @pytest.fixture(scope="class")
    @classmethod
    def arrays(cls):
        frame = panel()
        return MixtureOLS(
            frame["y"],
            sm.add_constant(frame[["x1", "x2"]]),
            exog_concomitant=sm.add_constant(frame["z"]),
        ).fit()

    def test_same_numbers(self, arrays):
        rows = panel().head(6)
        x, z = sm.add_constant(panel()[["x1", "x2"]]).head(6), sm.add_constant(panel()["z"]).head(6)
        formula = from_formula("y ~ x1 + x2", panel(), concomitant="z").fit()
        for which in ("mean", "prob", "posterior"):
            np.testing.assert_allclose(
                arrays.predict(x, exog_concomitant=z, which=which, endog=rows["y"]),
                formula.predict(rows, which=which),
                rtol=1e-7,
                atol=1e-12,
            )

    def test_columns_of_a_frame_are_matched_by_name(self, arrays):
        x, z = sm.add_constant(panel()[["x1", "x2"]]).head(6), sm.add_constant(panel()["z"]).head(6)
        np.testing.assert_array_equal(
            arrays.predict(x[["x2", "const", "x1"]], exog_concomitant=z),
            arrays.predict(x, exog_concomitant=z),
        )

    def test_one_row_as_a_series(self):
        x = sm.add_constant(panel()[["x1", "x2"]])
        fit = MixtureOLS(panel()["y"], x).fit()
        row = fit.predict(x.iloc[4])
        assert row.index.tolist() == [x.index[4]]
        assert row.item() == pytest.approx(fit.fittedvalues.iloc[4], rel=1e-12)

    def test_concomitants_are_needed(self, arrays):
        x = sm.add_constant(panel()[["x1", "x2"]]).head(6)
        with pytest.raises(SmmixError, match="exog_concomitant"):
            arrays.predict(x)

    def test_without_transform(self, fit):
        x = np.array([[1.0, 500.0], [1.0, 900.0]])
        np.testing.assert_array_equal(
            fit.predict(x, transform=False), fit.predict({"income": [500.0, 900.0]})
        )


class TestBadInput:
    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda f: f.predict(engel(), which="median"), "'median'"),
            (lambda f: f.predict({"x": [1.0]}), "income"),
            (lambda f: f.predict({"income": [1.0]}, which="cdf"), "endog"),
            (lambda f: f.predict({"income": [1.0]}, which="cdf", endog=[1.0, 2.0]), "endog"),
            (lambda f: f.predict({"income": [1.0]}, which="quantile", q=1.0), "q must"),
            (lambda f: f.predict({"income": [1.0]}, which="posterior", endog=["a"]), "endog"),
            (lambda f: f.predict({"income": [np.inf]}), "infinite"),
            (lambda f: f.predict({"income": [1.0]}, exog_concomitant=[1.0]), "exog_concomitant"),
            (lambda f: f.predict(np.ones((2, 3)), transform=False), "2 columns"),
            (lambda f: f.predict([["a", "b"]], transform=False), "numbers"),
        ],
    )
    def test_one_sentence(self, fit, call, words):
        with pytest.raises(SmmixError, match=words):
            call(fit)

    def test_unseen_level(self):
        frame = engel().assign(g=list("abcde") * 47)
        fit = from_formula("foodexp ~ C(g)", frame).fit(n_starts=5)
        with pytest.raises(SmmixError, match="'z'"):
            fit.predict({"g": ["a", "z"]})
