"""MixtureOLS with sampling weights, known components, restrictions and fixed parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import (
    everything_fit,
    panel,
    refusal,
)
from scipy import optimize, special, stats

from smmix import MixtureOLS, from_formula


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

    def test_all_coefficients_fixed(self):
        """Variances and weight alone, against a maximiser of the density written out."""
        frame = panel()
        lines = {"Intercept[0]": 1.0, "x1[0]": 2.0, "Intercept[1]": -1.0, "x1[1]": -1.0}
        fit = from_formula("y ~ x1", frame, fixed=lines).fit()
        residual = [frame["y"] - 1 - 2 * frame["x1"], frame["y"] + 1 + frame["x1"]]

        def minus_loglike(free):
            density = special.expit([-free[2], free[2]]) @ [
                stats.norm.pdf(e, scale=np.exp(s)) for e, s in zip(residual, free[:2], strict=True)
            ]
            return -np.log(density).sum()

        best = optimize.minimize(minus_loglike, np.zeros(3), method="BFGS")
        assert fit.llf == pytest.approx(-best.fun, abs=1e-6)
        sigma = fit.sigma[[0, 1]] if fit.params["Intercept[0]"] == 1.0 else fit.sigma[[1, 0]]
        np.testing.assert_allclose(sigma, np.exp(best.x[:2]), rtol=1e-4)

    @pytest.mark.parametrize("seed", range(12, 18))
    def test_a_value_that_a_component_has_anyway(self, seed):
        """Under either name the restricted maximum is the free one, its components renamed."""
        rng = np.random.default_rng(seed)
        x, second = rng.normal(size=200), rng.random(200) < 0.4
        noise = np.where(second, 1.0, 0.5) * rng.normal(size=200)
        frame = pd.DataFrame({"x": x, "y": np.where(second, 3 + 3 * x, -3 - 3 * x) + noise})
        free = from_formula("y ~ x", frame).fit()
        logit = free.params["mixing.Intercept[1]"]
        for fixed in (
            {"sigma[0]": free.sigma[0]},
            {"sigma[0]": free.sigma[1]},
            {"sigma[0]": free.sigma[1], "sigma[1]": free.sigma[0]},
            {"mixing.Intercept[1]": logit},
            {"mixing.Intercept[1]": -logit},
        ):
            fit = from_formula("y ~ x", frame, fixed=fixed).fit()
            assert fit.llf == pytest.approx(free.llf, abs=1e-7), fixed

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

    def test_contradiction_in_small_units(self):
        model = from_formula("y ~ x1", panel())
        refusal(lambda: model.fit_constrained("x1[0] = 1e-12, x1[0] = 2e-12"), "contradict")

    @pytest.mark.parametrize("value", [-1, 0, -1e-300])
    def test_a_sigma_is_held_above_zero(self, value):
        said = "sigma[0] is held at", "above zero"
        refusal(lambda: from_formula("y ~ x1", panel(), fixed={"sigma[0]": value}), "fixed", *said)
        model = from_formula("y ~ x1", panel())
        refusal(lambda: model.fit_constrained({"sigma[0]": value}), "constraints", *said)
        equal = {"variance": "equal", "fixed": {"sigma": value}}
        refusal(lambda: from_formula("y ~ x1", panel(), **equal), "sigma is held at")

    @pytest.mark.parametrize(
        "text",
        [
            "sigma[0] = -sigma[1]",
            "sigma[0] + sigma[1] = -1",
            "sigma[0] + sigma[1] = 1, sigma[2] = sigma[0] - 1",
            "sigma[0] + sigma[1] + sigma[2] = 0",
        ],
    )
    def test_restrictions_that_leave_no_positive_sigma(self, text):
        model = from_formula("y ~ x1", panel(), k=3)
        refusal(lambda: model.fit_constrained(text), "constraints", "sigma", "above zero")

    @pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
    @pytest.mark.parametrize(
        "text",
        ["sigma[0] + sigma[1] = {}", "sigma[0] = {}", "sigma[0] = {} + 0.5 * sigma[1]"],
    )
    def test_positive_sigmas_may_be_restricted(self, text, scale):
        model = from_formula("y ~ x1", panel().assign(y=panel()["y"] * scale))
        fit = model.fit_constrained(text.format(scale), n_starts=3)
        matrix, values = model_constraint(model, text.format(scale))
        np.testing.assert_allclose(matrix @ fit.params, values, rtol=1e-9)
        assert (fit.sigma > 0.0).all()

    @pytest.mark.parametrize(
        "fixed", [["x1[0]"], 3, 0, "x1[0]", np.zeros(2), [("x1[0]", 1.0)]], ids=str
    )
    def test_fixed_is_a_dict(self, fixed):
        refusal(lambda: from_formula("y ~ x1", panel(), fixed=fixed), "fixed must be a dict")

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, "a", "1", None, [1.0], 1j], ids=str)
    def test_values_held_are_finite_numbers(self, value):
        fixed, said = {"x1[0]": value}, "x1[0] must be held at a finite number"
        refusal(lambda: from_formula("y ~ x1", panel(), fixed=fixed), "fixed", said)
        model = from_formula("y ~ x1", panel())
        refusal(lambda: model.fit_constrained(fixed), "constraints", said)

    def test_what_is_held_is_a_parameter(self):
        said = "'x[0]'", "did you mean 'x1[0]'"
        refusal(lambda: from_formula("y ~ x1", panel(), fixed={"x[0]": 1}), "fixed", *said)
        refusal(lambda: from_formula("y ~ x1", panel(), fixed={0: 1}), "fixed", "parameter 0")

    def test_nothing_left_to_estimate(self):
        free = from_formula("y ~ x1", panel()).fit(n_starts=3)
        model = from_formula("y ~ x1", panel(), fixed=dict(free.params))
        refusal(model.fit, "nothing is left to estimate", "model.loglike(params)")
        assert model.loglike(free.params) == pytest.approx(free.llf, rel=1e-12)
        held = (np.eye(7), free.params.to_numpy())
        refusal(lambda: free.model.fit_constrained(held), "nothing is left to estimate")

    def test_start_values_are_moved_to_positive_sigmas_only(self):
        model = from_formula("y ~ x1", panel())
        start = [1.0, 1.0, -1.0, -1.0, 0.1, 5.0, 0.0]
        refusal(
            lambda: model.fit_constrained("sigma[0] + sigma[1] = 1", start),
            "start_params, moved", "sigma[0] = -1.95 must be positive",
        )  # fmt: skip

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
