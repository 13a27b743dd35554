"""MixtureOLS: what it takes, what it calls its parameters, and its likelihood."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import (
    EVERYTHING,
    engel,
    engel_fit,
    everything_fit,
    everything_model,
    log_likelihood_by_hand,
    panel,
    refusal,
)
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.tools.sm_exceptions import HessianInversionWarning

import smmix
from smmix import DegenerateComponentWarning, MixtureOLS, from_formula


class TestNames:
    def test_free_variance(self):
        model = from_formula("foodexp ~ income", engel(), k=2)
        assert model.param_names == [
            "Intercept[0]", "income[0]", "Intercept[1]", "income[1]",
            "sigma[0]", "sigma[1]", "mixing.Intercept[1]",
        ]  # fmt: skip

    def test_everything_at_once(self):
        assert everything_model().param_names == [
            "Intercept[0]", "x1[0]", "Intercept[1]", "x1[1]", "x2", "sigma",
            "mixing.Intercept[1]", "mixing.z[1]",
        ]  # fmt: skip

    def test_one_component(self):
        model = from_formula("foodexp ~ income", engel(), k=1)
        assert model.param_names == ["Intercept[0]", "income[0]", "sigma[0]"]

    def test_arrays_are_named_as_statsmodels_names_them(self):
        x = sm.add_constant(engel()["income"].to_numpy())
        ours = MixtureOLS(engel()["foodexp"].to_numpy(), x, k=1)
        theirs = sm.OLS(engel()["foodexp"].to_numpy(), x)
        assert ours.exog_names == theirs.exog_names
        assert ours.endog_names == theirs.endog_names
        assert ours.param_names == ["const[0]", "x1[0]", "sigma[0]"]

    def test_exog_names_keep_the_columns_of_exog(self):
        model = everything_model()
        assert model.exog_names == ["Intercept", "x1", "x2"]

    def test_three_components_without_a_constant(self):
        model = from_formula("foodexp ~ 0 + income", engel(), k=3)
        assert [n for n in model.param_names if n.startswith("mixing")] == [
            "mixing.Intercept[1]",
            "mixing.Intercept[2]",
        ]

    def test_categories(self):
        frame = engel().assign(g=list("abcde") * 47)
        model = from_formula("foodexp ~ C(g)", frame, k=2)
        assert "C(g)[T.b][1]" in model.param_names

    def test_a_column_called_like_a_parameter_is_refused(self):
        frame = engel().rename(columns={"income": "sigma"})
        refusal(lambda: from_formula("foodexp ~ sigma", frame), "sigma")


class TestConstruction:
    def test_is_a_statsmodels_model(self):
        assert isinstance(everything_model(), GenericLikelihoodModel)

    @pytest.mark.parametrize("k", [0, -1, 1.5, "2", True, None])
    def test_k_must_be_a_positive_whole_number(self, k):
        refusal(lambda: from_formula("foodexp ~ income", engel(), k=k), "k must be")

    def test_unknown_keyword(self):
        with pytest.raises(TypeError, match="wieghts"):
            MixtureOLS(engel()["foodexp"], engel()[["income"]], k=2, wieghts=1)
        with pytest.raises(TypeError, match="concomitants"):
            from_formula("foodexp ~ income", engel(), k=2, concomitants="z")

    def test_keyword_only_after_k(self):
        kinds = [p.kind for p in inspect.signature(MixtureOLS).parameters.values()]
        assert kinds[:3] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 3
        assert set(kinds[3:]) == {inspect.Parameter.KEYWORD_ONLY}

    def test_variance(self):
        refusal(lambda: from_formula("foodexp ~ income", engel(), variance="same"), "'same'")

    def test_defaults_are_two_components(self):
        assert from_formula("foodexp ~ income", engel()).k == 2

    def test_prob_weights_must_agree_within_groups(self):
        frame = panel().assign(w=np.arange(len(panel())) + 1.0)
        refusal(lambda: from_formula("y ~ x1", frame, groups="id", prob_weights="w"), "group")

    def test_known_must_be_a_component(self):
        frame = panel().assign(known=7.0)
        refusal(lambda: from_formula("y ~ x1", frame, known="known"), "known is 7", "0 to 1")

    def test_known_may_not_contradict_itself_within_a_group(self):
        frame = panel().assign(known=np.arange(len(panel())) % 2)
        refusal(lambda: from_formula("y ~ x1", frame, groups="id", known="known"), "group")

    def test_a_concomitant_that_varies_within_a_group_is_told(self):
        with pytest.warns(UserWarning, match="'x2' varies within group 1") as caught:
            model = from_formula("y ~ x1", panel(), groups="id", concomitant="x2")
        assert caught[0].filename == __file__
        assert model.fit(n_starts=5).converged

    def test_present_is_checked(self):
        x = panel()[["x1", "x2"]]
        refusal(lambda: MixtureOLS(panel()["y"], x, k=2, present=[[True, True]]), "present")
        mask = [[True, True], [False, False]]
        refusal(lambda: MixtureOLS(panel()["y"], x, k=2, present=mask), "component 1")

    def test_init_keywords_rebuild_the_model(self):
        x = sm.add_constant(panel()[["x1", "x2"]])
        model = MixtureOLS(
            panel()["y"], x, k=2, groups=panel()["id"], freq_weights=panel()["f"], common=["x2"]
        )
        twin = MixtureOLS(model.endog, x, **model._get_init_kwds())
        point = np.linspace(0.5, 1.0, len(model.param_names))
        assert twin.param_names == model.param_names
        assert twin.loglike(point) == model.loglike(point)


class TestDegreesOfFreedom:
    @pytest.mark.parametrize("formula", ["foodexp ~ income", "foodexp ~ 0 + income"])
    @pytest.mark.parametrize("variance", ["free", "equal"])
    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_identities_of_statsmodels(self, formula, variance, k):
        model = from_formula(formula, engel(), k=k, variance=variance)
        size = len(model.param_names)
        assert model.df_model + model.k_constant + model.k_extra == size
        assert model.df_resid == model.nobs - size
        slopes = 1
        assert model.df_model == k * slopes

    def test_frequency_weights_count(self):
        model = everything_model()
        assert model.nobs == panel()["f"].sum()
        assert model.df_resid == model.nobs - len(model.param_names)


class TestLikelihood:
    def test_everything_at_once_equals_the_definition(self):
        model = everything_model()
        point = np.asarray(everything_fit().params) + 0.1
        named = dict(zip(model.param_names, point, strict=True))
        by_hand = log_likelihood_by_hand(panel(), named)
        assert model.loglike(point) == pytest.approx(by_hand, rel=1e-12)
        assert model.loglikeobs(point).sum() == pytest.approx(by_hand, rel=1e-12)

    def test_score_equals_the_complex_step(self):
        model = everything_model()
        point = np.asarray(everything_fit().params) + 0.1
        gradient = []
        for i in range(point.size):
            step = point.astype(complex)
            step[i] += 1e-30j
            named = dict(zip(model.param_names, step, strict=True))
            gradient.append(log_likelihood_by_hand(panel(), named).imag / 1e-30)
        tolerance = 1e-11 * np.abs(gradient).max()
        np.testing.assert_allclose(model.score(point), gradient, atol=tolerance)
        np.testing.assert_allclose(model.score_obs(point).sum(axis=0), gradient, atol=tolerance)

    def test_hessian_equals_differences_of_the_score(self):
        model = everything_model()
        point = np.asarray(everything_fit().params) + 0.1
        h = 1e-5
        rows = [
            (model.score(point + h * e) - model.score(point - h * e)) / (2 * h)
            for e in np.eye(point.size)
        ]
        hessian = model.hessian(point)
        np.testing.assert_allclose(hessian, rows, atol=1e-7 * np.abs(hessian).max())
        np.testing.assert_allclose(hessian, hessian.T, atol=1e-12 * np.abs(hessian).max())

    def test_one_row_per_unit(self):
        model = everything_model()
        point = everything_fit().params
        n_groups = panel()["id"].nunique()
        assert model.loglikeobs(point).shape == (n_groups,)
        assert model.score_obs(point).shape == (n_groups, len(point))
        assert model.posterior(point).shape == (n_groups, 2)

    def test_order_of_units_is_that_of_the_data(self):
        model = from_formula("foodexp ~ income", engel(), k=2)
        point = np.asarray(engel_fit().params)
        last = from_formula("foodexp ~ income", engel().iloc[-1:], k=2)
        assert model.loglikeobs(point)[-1] == pytest.approx(last.loglike(point), rel=1e-13)

    def test_complex_arguments_pass_through(self):
        model = from_formula("foodexp ~ income", engel(), k=2)
        point = np.asarray(engel_fit().params) * 1.01
        step = point.astype(complex)
        step[1] += 1e-30j
        slope = model.loglikeobs(step).imag.sum() / 1e-30
        assert slope == pytest.approx(model.score(point)[1], rel=1e-11)

    def test_wrong_length(self):
        refusal(lambda: everything_model().loglike([1.0, 2.0]), "8 entries", "Intercept[0]")

    def test_sigma_must_be_positive(self):
        point = np.asarray(engel_fit().params).copy()
        point[4] = -1.0
        model = engel_fit().model
        assert model.loglike(point) == -np.inf
        refusal(lambda: model.score(point), "sigma[0]", "positive")

    def test_not_finite(self):
        point = np.asarray(engel_fit().params).copy()
        point[1] = np.nan
        refusal(lambda: engel_fit().model.score(point), "income[0]", "not finite")

    def test_hessian_factor_has_no_meaning(self):
        with pytest.raises(NotImplementedError, match="hessian"):
            engel_fit().model.hessian_factor(engel_fit().params)


class TestBadData:
    def test_too_few_rows(self):
        refusal(
            lambda: from_formula("foodexp ~ income", engel().head(7), k=2).fit(), "too few", "8"
        )

    def test_constant_response(self):
        frame = engel().assign(foodexp=3.0)
        refusal(lambda: from_formula("foodexp ~ income", frame).fit(), "'foodexp'", "constant")

    def test_response_that_the_offset_explains(self):
        frame = engel().assign(o=engel()["foodexp"] - 2)
        refusal(lambda: from_formula("foodexp ~ income", frame, offset="o").fit(), "offset")

    @pytest.mark.parametrize("variance", ["free", "equal"])
    def test_exact_lines(self, variance):
        frame = engel().assign(poor=(engel()["income"].rank() % 3 == 0).astype(int))
        model = from_formula("poor ~ foodexp", frame, k=2, variance=variance)
        with (
            pytest.warns(DegenerateComponentWarning, match="2 regressions fit 'poor' exactly"),
            pytest.warns(HessianInversionWarning),
        ):
            fit = model.fit()
        assert fit.mode_found.degenerate

    def test_exact_lines_of_a_continuous_response(self):
        frame = engel()
        poor = frame["income"].rank() % 3 == 0
        frame["y"] = np.where(poor, 1.0 + 2.0 * frame["income"], 3.0 - frame["income"])
        with (
            pytest.warns(DegenerateComponentWarning, match="2 regressions fit 'y' exactly"),
            pytest.warns(HessianInversionWarning),
        ):
            from_formula("y ~ income", frame, k=2).fit()

    def test_exact_line(self):
        frame = engel().assign(foodexp=3 + 2 * engel()["income"])
        refusal(lambda: from_formula("foodexp ~ income", frame).fit(), "exactly")

    def test_collinear_columns_are_named(self):
        frame = engel().assign(twice=2 * engel()["income"] + 1)
        refusal(
            lambda: from_formula("foodexp ~ income + twice", frame).fit(),
            "'twice'",
            "'Intercept' and 'income'",
        )

    def test_collinear_concomitants_are_named(self):
        frame = engel().assign(twice=2 * engel()["income"])
        model = from_formula("foodexp ~ income", frame, concomitant="income + twice")
        refusal(model.fit, "'twice'", "mixing design")

    def test_zero_column(self):
        refusal(
            lambda: from_formula("foodexp ~ income + z", engel().assign(z=0.0)).fit(), "'z'", "zero"
        )

    @pytest.mark.parametrize("factor", [1e300, 1e154, 1e-154, 1e-200, 1e-320])
    def test_squares_that_overflow_or_underflow(self, factor):
        large = factor > 1.0
        size = "too large" if large else "too small"
        how = "divide it" if large else "multiply it"
        said = (size, "overflow" if large else "underflow", how)
        frame = panel().assign(y=panel()["y"] * factor)
        refusal(lambda: from_formula("y ~ x1", frame), "response 'y'", *said)
        refusal(lambda: MixtureOLS(frame["y"], frame[["x1"]]), "response 'y'", *said)
        factor *= 1e-3 if factor < 1.0 else 1.0
        frame = panel().assign(v=panel()["z"] * factor)
        refusal(lambda: from_formula("y ~ x1 + v", frame), "'v' of the design", *said)
        z = {"concomitant": "v"}
        refusal(lambda: from_formula("y ~ x1", frame, **z), "'v' of the mixing design", *said)
        if large:
            offset = {"offset": "v"}
            refusal(lambda: from_formula("y ~ x1", frame, **offset), "'y' less the offset", *said)

    def test_squares_that_overflow_with_their_frequency(self):
        frame = panel().assign(y=panel()["y"] * 1e150, f=100_000_000)
        refusal(lambda: from_formula("y ~ x1", frame, freq_weights="f"), "response 'y'")

    @pytest.mark.parametrize("factor", [1e150, 1e12, 1e-12, 1e-150])
    def test_other_units_are_no_matter(self, factor):
        plain = from_formula("y ~ x1", panel()).fit(n_starts=3)
        frame = panel().assign(y=panel()["y"] * factor, x1=panel()["x1"] * factor)
        fit = from_formula("y ~ x1", frame).fit(n_starts=3)
        assert fit.params["x1[0]"] == pytest.approx(plain.params["x1[0]"], rel=1e-6)
        assert fit.sigma[0] == pytest.approx(plain.sigma[0] * factor, rel=1e-6)

    def test_more_components_than_groups(self):
        frame = engel().assign(id=[0] * 100 + [1] * 135)
        model = from_formula("foodexp ~ income", frame, k=3, groups="id")
        refusal(model.fit, "2 groups", "k=3")

    @pytest.mark.parametrize("column", ["foodexp", "income"])
    def test_missing_values_of_arrays_are_refused(self, column):
        frame = engel().copy()
        frame.loc[5, column] = np.nan
        refusal(lambda: MixtureOLS(frame["foodexp"], frame[["income"]], k=2), "row 5")

    def test_arrays_with_missing_rows_dropped_equal_the_complete_case_fit(self):
        frame = panel().reset_index(drop=True)
        holes = frame.copy()
        holes.loc[2, "y"] = np.nan
        holes.loc[7, "x1"] = np.nan
        holes.loc[9, "z"] = np.nan
        holes.loc[11, "o"] = np.nan
        complete = holes.dropna(subset=["y", "x1", "z", "o"])
        built = [
            MixtureOLS(
                data["y"],
                sm.add_constant(data["x1"]),
                k=2,
                exog_concomitant=sm.add_constant(data["z"]),
                groups=data["id"],
                offset=data["o"],
                freq_weights=data["f"],
                missing=missing,
            )
            for data, missing in ((holes, "drop"), (complete, "none"))
        ]
        point = np.linspace(0.5, 1.0, len(built[0].param_names))
        assert built[0].loglike(point) == built[1].loglike(point)
        assert built[0].design.n_dropped == 4


class TestFormulaAndArraysAgree:
    def test_same_likelihood_and_fit(self):
        frame = panel()
        arrays = MixtureOLS(
            frame["y"],
            sm.add_constant(frame[["x1", "x2"]]),
            k=2,
            exog_concomitant=sm.add_constant(frame["z"]),
            groups=frame["id"],
            freq_weights=frame["f"],
            prob_weights=frame["w"],
            offset=frame["o"],
            known=frame["known"],
            common=["x2"],
            variance="equal",
        ).fit()
        np.testing.assert_allclose(arrays.params, everything_fit().params, rtol=1e-12)
        np.testing.assert_allclose(arrays.bse, everything_fit().bse, rtol=1e-10)

    def test_numpy_arrays(self):
        frame = engel()
        x = sm.add_constant(frame["income"].to_numpy())
        fit = MixtureOLS(frame["foodexp"].to_numpy(), x).fit()
        np.testing.assert_allclose(fit.params, engel_fit().params, rtol=1e-12)

    def test_names_of_the_caller_are_found(self):
        def scaled(values):
            return values / 100

        fit = smmix.from_formula("foodexp ~ scaled(income)", engel()).fit()
        assert fit.coef.loc["scaled(income)", 0] == pytest.approx(
            100 * engel_fit().coef.loc["income", 0], rel=1e-8
        )

    def test_names_of_the_caller_are_found_for_component_formulas(self):
        def scaled(values):
            return values / 100

        model = smmix.from_formula(["foodexp ~ scaled(income)", "foodexp ~ 1"], engel())
        assert model.param_names[:3] == ["Intercept[0]", "scaled(income)[0]", "Intercept[1]"]

    def test_subset_applies_to_every_argument(self):
        frame = panel()
        keep = frame["x1"] > -0.5
        chosen = from_formula("y ~ x1 + x2", frame, subset=keep, **EVERYTHING)
        cut = from_formula("y ~ x1 + x2", frame[keep], **EVERYTHING)
        point = everything_fit().params
        assert chosen.loglike(point) == cut.loglike(point)


def test_import_leaves_warnings_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert smmix.__version__


def test_predict_at_any_parameters():
    fit = engel_fit()
    ours = fit.model.predict(fit.params, {"income": [500.0]})
    assert ours == pytest.approx(fit.predict({"income": [500.0]}).to_numpy())
    assert fit.model.predict(fit.params).shape == (235,)


def test_column_of_the_table():
    frame = engel().assign(g=np.arange(235))
    frame.loc[0, "income"] = np.nan
    model = from_formula("foodexp ~ income", frame)
    np.testing.assert_array_equal(model.column("g"), np.arange(1, 235))
    assert model.column("nothing") is None
    assert isinstance(model.group_labels, pd.Index | None)


def test_parameters_under_which_a_row_is_impossible_have_likelihood_zero():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=40), "y": np.arange(40) % 3})
    frame["id"] = np.arange(40) // 4
    model = smmix.from_formula("y ~ x", frame, k=2, family="ordered", groups="id")
    # Both thresholds of a component are the same: the level between them cannot occur.
    empty = [0.5, 0.5, 0.8, 0.1, 0.8, 0.1, 0.0]
    assert model.loglike(empty) == -np.inf
    assert (model.loglikeobs(empty) == -np.inf).all()
    for name in ("score", "score_obs", "hessian", "information", "posterior"):
        refusal(lambda name=name: getattr(model, name)(empty), "no component allows")
