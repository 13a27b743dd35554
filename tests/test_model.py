"""MixtureOLS: what it takes, what it calls its parameters, its likelihood, and how it fits."""

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
)
from scipy import optimize
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.tools.sm_exceptions import ConvergenceWarning

import smmix
from smmix import MixtureOLS, SmmixError, from_formula


def refusal(call, *words):
    """The message of the SmmixError that a call raises; it holds all the words."""
    with pytest.raises(SmmixError) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert word in message, message
    return message


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


class TestSamplingWeights:
    def test_only_their_ratios_matter(self):
        frame = panel()
        one = from_formula("y ~ x1", frame, prob_weights="w").fit()
        ten = from_formula("y ~ x1", frame.assign(w=10 * frame["w"]), prob_weights="w").fit()
        np.testing.assert_allclose(one.params, ten.params, rtol=1e-10)
        np.testing.assert_allclose(one.bse, ten.bse, rtol=1e-10)

    def test_their_mean_is_one(self):
        model = from_formula("y ~ x1", panel(), prob_weights="w")
        weight = panel()["w"] / panel()["w"].mean()
        plain = from_formula("y ~ x1", panel())
        point = plain.fit().params
        by_row = weight.to_numpy() * plain.loglikeobs(point)
        np.testing.assert_allclose(model.loglikeobs(point), by_row, rtol=1e-12)
        assert model.nobs == len(panel())

    def test_robust_covariance_unless_told_otherwise(self):
        model = from_formula("y ~ x1", panel(), prob_weights="w")
        assert model.fit().cov_type == "HC0"
        assert model.fit(cov_type="nonrobust").cov_type == "nonrobust"
        assert from_formula("y ~ x1", panel()).fit().cov_type == "nonrobust"

    def test_one_component_equals_wls_with_robust_errors(self):
        x = sm.add_constant(panel()["x1"])
        weight = panel()["w"] / panel()["w"].mean()
        ours = MixtureOLS(panel()["y"], x, k=1, prob_weights=panel()["w"]).fit()
        theirs = sm.WLS(panel()["y"], x, weights=weight).fit(cov_type="HC0")
        np.testing.assert_allclose(ours.params[:2], theirs.params, rtol=1e-10)
        np.testing.assert_allclose(ours.bse[:2], theirs.bse, rtol=1e-10)


class TestKnown:
    def test_all_known_is_a_regression_for_each(self):
        frame = panel()
        fit = from_formula("y ~ x1 + x2", frame, known="truth").fit()
        for c in range(2):
            rows = frame[frame["truth"] == c]
            ols = sm.OLS.from_formula("y ~ x1 + x2", rows).fit()
            np.testing.assert_allclose(fit.coef[c], ols.params, rtol=1e-9)
            assert fit.sigma[c] == pytest.approx(np.sqrt(ols.ssr / len(rows)), rel=1e-9)
            assert fit.mixing_weights[c] == pytest.approx(len(rows) / len(frame), rel=1e-9)

    def test_components_keep_their_numbers(self):
        frame = panel()
        flipped = frame.assign(known=1 - frame["known"])
        one = from_formula("y ~ x1", frame, known="known").fit()
        two = from_formula("y ~ x1", flipped, known="known").fit()
        assert one.llf == pytest.approx(two.llf, abs=1e-8)
        np.testing.assert_allclose(one.coef[0], two.coef[1], rtol=1e-7)
        assert one.order is None

    def test_posteriors_of_known_rows_are_certain(self):
        fit = everything_fit()
        told = panel()["known"].notna()
        posterior = fit.posterior[told]
        np.testing.assert_array_equal(posterior[1], panel().loc[told, "known"])


class TestRestrictions:
    def test_fixed_parameter(self):
        model = from_formula("y ~ x1 + x2", panel(), fixed={"x2[0]": 0.25})
        fit = model.fit()
        assert fit.params["x2[0]"] == 0.25
        assert fit.bse["x2[0]"] == 0.0
        assert fit.df_resid == len(panel()) - (len(fit.params) - 1)

    def test_fixed_equals_an_offset(self):
        """One component with a fixed slope is OLS of the response less that part."""
        frame = panel()
        fit = from_formula("y ~ x1 + x2", frame, k=1, fixed={"x2[0]": 0.5}).fit()
        ols = sm.OLS.from_formula("I(y - 0.5 * x2) ~ x1", frame).fit()
        np.testing.assert_allclose(fit.params[["Intercept[0]", "x1[0]"]], ols.params, rtol=1e-10)
        assert fit.llf == pytest.approx(ols.llf, rel=1e-12)

    def test_component_formulas_equal_zero_restrictions(self):
        formulas = {0: "y ~ x1", 1: "y ~ x1 + x2"}
        parts = from_formula(formulas, panel()).fit()
        fixed = from_formula("y ~ x1 + x2", panel(), fixed={"x2[0]": 0.0}).fit()
        assert parts.llf == pytest.approx(fixed.llf, abs=1e-8)
        assert "x2[0]" not in parts.params.index
        assert parts.coef.loc["x2", 0] == 0.0
        names = parts.params.index
        np.testing.assert_allclose(parts.bse, fixed.bse[names], rtol=1e-6)
        assert parts.df_resid == fixed.df_resid
        assert parts.aic == pytest.approx(fixed.aic, abs=1e-8)

    def test_component_formulas_as_a_list(self):
        listed = from_formula(["y ~ x1", "y ~ x1 + x2"], panel())
        mapped = from_formula({1: "y ~ x1 + x2", 0: "y ~ x1"}, panel())
        assert listed.param_names == mapped.param_names

    def test_component_formulas_are_checked(self):
        refusal(lambda: from_formula(["y ~ x1"], panel(), k=2), "1 formulas", "k=2")
        refusal(lambda: from_formula({0: "y ~ x1", 2: "y ~ x2"}, panel(), k=2), "0 to 1")
        refusal(lambda: from_formula(["y ~ x1", "o ~ x1"], panel(), k=2), "'y' and 'o'")
        refusal(lambda: from_formula(["y ~ x1", 3], panel(), k=2), "component 1")
        refusal(lambda: from_formula(7, panel(), k=2), "formula must be")
        frame = panel().assign(g=lambda d: d["id"] % 3)
        refusal(lambda: from_formula(["y ~ 0 + C(g)", "y ~ C(g)"], frame, k=2), "component 0")

    def test_an_intercept_may_be_missing_from_one_component(self):
        model = from_formula(["y ~ 0 + x1", "y ~ x1"], panel())
        assert model.param_names[:3] == ["x1[0]", "Intercept[1]", "x1[1]"]
        neither = from_formula(["y ~ 0 + x1", "y ~ 0 + x2"], panel())
        assert neither.exog_names == ["x1", "x2"]

    def test_equal_variance_as_a_restriction(self):
        constrained = from_formula("y ~ x1", panel()).fit_constrained("sigma[0] = sigma[1]")
        equal = from_formula("y ~ x1", panel(), variance="equal").fit()
        assert constrained.llf == pytest.approx(equal.llf, abs=1e-8)
        assert constrained.params["sigma[0]"] == constrained.params["sigma[1]"]
        assert constrained.bse["sigma[0]"] == pytest.approx(equal.bse["sigma"], rel=1e-6)
        assert constrained.bic == pytest.approx(equal.bic, abs=1e-8)

    def test_common_as_a_restriction(self):
        constrained = from_formula("y ~ x1 + x2", panel()).fit_constrained("x2[0] = x2[1]")
        common = from_formula("y ~ x1 + x2", panel(), common=["x2"]).fit()
        assert constrained.llf == pytest.approx(common.llf, abs=1e-8)
        assert constrained.bse["x2[1]"] == pytest.approx(common.bse["x2"], rel=1e-6)
        assert constrained.order == "weight"

    @pytest.mark.parametrize(
        "text",
        [
            "x1[0] = 2 * x1[1]",
            "Intercept[0] + x1[0] = 1, x1[1] = 2",
            "sigma[0] = 2 * sigma[1]",
            "mixing.Intercept[1] = 0",
        ],
    )
    def test_against_a_general_optimiser(self, text):
        model = from_formula("y ~ x1", panel())
        fit = model.fit_constrained(text)
        matrix, values = model_constraint(model, text)
        np.testing.assert_allclose(matrix @ fit.params, values, atol=1e-9)
        start = np.asarray(fit.params) * (1 + 1e-3)
        best = optimize.minimize(
            lambda p: -model.loglike(p),
            start,
            bounds=[(0.1, None) if "sigma" in name else (None, None) for name in fit.params.index],
            jac=lambda p: -model.score(p),
            method="SLSQP",
            constraints={"type": "eq", "fun": lambda p: matrix @ p - values},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert fit.llf >= -best.fun - 1e-7
        # First-order conditions: the score is a combination of the restrictions.
        outside = np.eye(len(start)) - np.linalg.pinv(matrix) @ matrix
        assert np.abs(outside @ model.score(fit.params)).max() < 1e-5

    def test_plain_em_cannot_keep_every_restriction(self):
        model = from_formula("y ~ x1", panel())
        refusal(lambda: model.fit_constrained("sigma[0] = 2 * sigma[1]", method="em"), "'em'")
        tied = model.fit_constrained("sigma[0] = sigma[1]", method="em", maxiter=5000)
        assert tied.converged

    def test_contradiction(self):
        model = from_formula("y ~ x1", panel())
        refusal(lambda: model.fit_constrained("x1[0] = 1, x1[0] = 2"), "contradict")

    def test_redundant_equations_are_counted_once(self):
        model = from_formula("y ~ x1", panel())
        fit = model.fit_constrained("x1[0] = x1[1], 2 * x1[0] = 2 * x1[1]")
        assert fit.df_resid == len(panel()) - 6

    def test_different_kinds_do_not_mix(self):
        model = from_formula("y ~ x1", panel())
        refusal(lambda: model.fit_constrained("x1[0] = sigma[0]"), "different kinds")

    def test_unknown_name(self):
        refusal(lambda: from_formula("y ~ x1", panel()).fit_constrained("x9[0] = 1"), "x9")

    def test_the_model_itself_stays_free(self):
        model = from_formula("y ~ x1", panel())
        before = model.fit().llf
        model.fit_constrained("x1[0] = 0")
        assert model.equalities is None
        assert model.fit().llf == before

    def test_unknown_option(self):
        with pytest.raises(TypeError, match="maxit"):
            from_formula("y ~ x1", panel()).fit_constrained("x1[0] = 0", maxit=3)


def model_constraint(model, text):
    """Matrix and values by statsmodels' own reading of the text."""
    read = __import__("patsy").DesignInfo(model.param_names).linear_constraint(text)
    return read.coefs, read.constants.ravel()


class TestFitOptions:
    @pytest.mark.parametrize(
        ("option", "value", "word"),
        [
            ("method", "bfgs", "method"),
            ("n_starts", 0, "n_starts"),
            ("n_starts", 2.5, "n_starts"),
            ("maxiter", -1, "maxiter"),
            ("gtol", 0, "gtol"),
            ("rng", "seed", "rng"),
            ("threads", 0, "threads"),
            ("order", "incme", "did you mean 'income'"),
            ("callback", 3, "callback"),
            ("cov_type", "HC3", "HC1"),
            ("cov_type", "hac", "hac"),
            ("starts", "kmeans", "kmeans"),
            ("starts", np.zeros(5), "235 rows"),
            ("starts", np.zeros(235), "1 different labels"),
            ("starts", np.ones((235, 3)), "3 columns"),
            ("starts", -np.ones((235, 2)), "probabilities"),
            ("starts", np.column_stack([np.ones(235), np.zeros(235)]), "component 1"),
            ("start_params", [1.0], "start_params"),
        ],
    )
    def test_nonsense_is_refused(self, option, value, word):
        model = from_formula("foodexp ~ income", engel())
        refusal(lambda: model.fit(**{option: value}), word)

    def test_cov_kwds_are_checked_before_the_search(self):
        model = from_formula("foodexp ~ income", engel())
        refusal(lambda: model.fit(cov_type="cluster"), "groups")
        refusal(lambda: model.fit(cov_kwds={"groups": "id"}), "groups")

    def test_labels_and_posteriors_are_the_same_start(self):
        labels = (engel()["foodexp"] > 0.55 * engel()["income"] + 60).astype(int)
        model = from_formula("foodexp ~ income", engel())
        one = model.fit(starts=labels)
        two = model.fit(starts=np.eye(2)[labels])
        words = model.fit(starts=np.where(labels == 1, "above", "below"))
        np.testing.assert_array_equal(one.params, two.params)
        assert words.llf == pytest.approx(one.llf, abs=1e-9)
        assert len(one.starts) == 1

    def test_starts_are_matched_by_label_when_rows_were_dropped(self):
        frame = engel().copy()
        frame.loc[3, "income"] = np.nan
        labels = (frame["foodexp"] > 600).astype(int)
        model = from_formula("foodexp ~ income", frame)
        np.testing.assert_array_equal(
            model.fit(starts=labels).params, model.fit(starts=labels.drop(3)).params
        )

    def test_groups_average_the_posteriors_given(self):
        model = from_formula("y ~ x1", panel(), groups="id")
        fit = model.fit(starts=np.eye(2)[panel()["truth"]])
        assert fit.llf == pytest.approx(model.fit().llf, abs=1e-8)

    def test_start_params_keep_their_order(self):
        fit = engel_fit()
        swapped = swap(fit.params)
        again = fit.model.fit(start_params=swapped)
        np.testing.assert_allclose(again.params, swapped, rtol=1e-8)
        assert again.order is None
        by_slope = fit.model.fit(start_params=swapped, order="income")
        assert by_slope.coef.loc["income"].is_monotonic_increasing

    def test_start_params_by_name(self):
        fit = engel_fit()
        shuffled = fit.params.sample(frac=1.0, random_state=0)
        np.testing.assert_allclose(
            fit.model.fit(start_params=shuffled).params, fit.params, rtol=1e-8
        )
        refusal(lambda: fit.model.fit(start_params=shuffled.iloc[1:]), "lacks the parameter")

    @pytest.mark.parametrize("order", ["Intercept", "income", "sigma", "weight"])
    def test_order(self, order):
        fit = from_formula("foodexp ~ income", engel(), k=3).fit(order=order)
        row = {
            "weight": -fit.mixing_weights,
            "sigma": fit.sigma,
        }.get(order)
        row = fit.coef.loc[order] if row is None else row
        assert row.is_monotonic_increasing
        assert fit.order == order
        assert fit.llf == pytest.approx(engel_fit(3).llf, abs=1e-8)

    def test_tied_weights_are_ordered_by_the_first_coefficient(self):
        fit = from_formula("y ~ x1", panel()).fit_constrained("mixing.Intercept[1] = 0")
        assert fit.mixing_weights.tolist() == [0.5, 0.5]
        assert fit.coef.loc["Intercept"].is_monotonic_increasing

    def test_components_that_differ_by_construction_keep_their_numbers(self):
        fit = from_formula("y ~ x1", panel(), k=3).fit_constrained("x1[2] = 0")
        assert fit.params["x1[2]"] == 0
        assert fit.mixing_weights[0] >= fit.mixing_weights[1]

    def test_plain_em_to_the_end(self):
        fit = from_formula("y ~ x1", panel()).fit(method="em", maxiter=5000)
        assert fit.converged
        assert fit.history["phase"].iloc[-1] == "em"
        assert fit.llf == pytest.approx(from_formula("y ~ x1", panel()).fit().llf, abs=1e-7)

    def test_any_rng_of_numpy(self):
        model = from_formula("foodexp ~ income", engel())
        seeds = [1, np.random.default_rng(1), np.random.SeedSequence(1)]
        fits = [model.fit(rng=seed) for seed in seeds]
        for fit in fits[1:]:
            np.testing.assert_array_equal(fit.params, fits[0].params)

    def test_running_out_of_iterations_is_never_converged(self):
        model = from_formula("foodexp ~ income", engel())
        with pytest.warns(ConvergenceWarning, match="limit of iterations") as caught:
            fit = model.fit(start_params=engel_fit().params * 1.05, maxiter=1)
        assert not fit.converged
        assert "limit of iterations" in fit.status
        assert caught[0].filename == __file__

    def test_callback_is_told_of_the_search(self):
        told = []
        from_formula("foodexp ~ income", engel()).fit(callback=lambda *news: told.append(news))
        assert told
        stage, done, total, best = told[-1]
        assert isinstance(stage, str)
        assert 0 <= done <= total
        assert np.isfinite(best)

    # Where the interrupt finds the search, the best so far need not be a maximum.
    @pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.HessianInversionWarning")
    def test_an_interrupt_returns_the_best_mode_so_far(self):
        calls = []

        def interrupt(*news):
            calls.append(news)
            if len(calls) == 25:
                raise KeyboardInterrupt

        model = from_formula("foodexp ~ income", engel(), k=3)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            fit = model.fit(callback=interrupt)
        assert fit.status == "interrupted"
        assert not fit.converged
        assert np.isfinite(fit.llf)
        assert fit.llf <= engel_fit(3).llf + 1e-9

    def test_progress_goes_to_standard_error(self, capsys):
        from_formula("foodexp ~ income", engel()).fit(progress=True)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err != ""
        from_formula("foodexp ~ income", engel()).fit(progress=False)
        assert capsys.readouterr().err == ""

    def test_second_fit_changes_nothing(self):
        model = from_formula("foodexp ~ income", engel())
        names, df = model.param_names, (model.df_model, model.df_resid)
        one, two = model.fit(), model.fit()
        np.testing.assert_array_equal(one.params, two.params)
        np.testing.assert_array_equal(one.bse, two.bse)
        assert model.param_names == names
        assert (model.df_model, model.df_resid) == df

    def test_the_true_maximum_of_everything_at_once(self):
        fit = everything_fit()
        assert fit.converged
        assert np.abs(fit.model.score(fit.params)).max() / fit.nobs < 1e-8
        truth = panel().groupby("id")["truth"].first()
        label = fit.labels.groupby(panel()["id"]).first()
        assert (truth == label).mean() > 0.95


def swap(params):
    """Two components with their names exchanged."""
    out = params.copy()
    for stem in ("Intercept", "income", "sigma"):
        out[f"{stem}[0]"], out[f"{stem}[1]"] = params[f"{stem}[1]"], params[f"{stem}[0]"]
    out["mixing.Intercept[1]"] *= -1
    return out


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
