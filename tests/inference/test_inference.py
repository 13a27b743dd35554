"""Tests of terms and components, profile intervals and margins."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers_density import lines
from laws.density import Problem, complex_step_gradient, vector_log_likelihood
from scipy import optimize, stats
from statsmodels.stats._delta_method import NonlinearDeltaCov
from statsmodels.tools.numdiff import approx_fprime

import smmix

DATA = lines().assign(g=lambda d: np.array(list("abc"))[d["cluster"] % 3])
ZERO, EQUAL = "zero in all components", "equal across components"


@pytest.fixture(scope="module")
def fit():
    return smmix.from_formula("y ~ x1 + C(g)", DATA, k=2, concomitant="z").fit(n_starts=10)


@pytest.fixture(scope="module")
def three():
    return smmix.from_formula("y ~ x1 + C(g)", DATA, k=3, variance="equal").fit(n_starts=20)


class TestWaldTestTerms:
    @pytest.mark.parametrize(
        ("row", "hypothesis"),
        [
            (("x1", ZERO), "x1[0] = 0, x1[1] = 0"),
            (("x1", EQUAL), "x1[0] = x1[1]"),
            (
                ("C(g)", ZERO),
                "C(g)[T.b][0] = C(g)[T.c][0] = C(g)[T.b][1] = C(g)[T.c][1] = 0",
            ),
            (("C(g)", EQUAL), "C(g)[T.b][0] = C(g)[T.b][1], C(g)[T.c][0] = C(g)[T.c][1]"),
            (("sigma", EQUAL), "sigma[0] = sigma[1]"),
            (("mixing.z", ZERO), "mixing.z[1] = 0"),
        ],
    )
    @pytest.mark.parametrize("use_t", [False, True])
    def test_is_the_wald_test_of_statsmodels(self, fit, row, hypothesis, use_t):
        results = fit.get_robustcov_results("nonrobust", use_t=use_t)
        table = results.wald_test_terms().table
        test = results.wald_test(hypothesis, scalar=True)
        assert table.loc[row, "statistic"] == pytest.approx(float(test.statistic), rel=1e-8)
        assert table.loc[row, "pvalue"] == pytest.approx(float(test.pvalue), rel=1e-6)
        df = test.df_num if use_t else test.df_denom
        assert table.loc[row, "df_constraint"] == df

    def test_one_component_is_least_squares(self):
        terms = smmix.from_formula("y ~ x1 + C(g)", DATA, k=1).fit().wald_test_terms().table
        ols = smf.ols("y ~ x1 + C(g)", DATA).fit()
        expected = ols.wald_test_terms(scalar=True).table
        for name in ("Intercept", "C(g)", "x1"):
            statistic = expected.loc[name, "statistic"] * expected.loc[name, "df_constraint"]
            statistic *= ols.nobs / ols.df_resid
            assert terms.loc[(name, ZERO), "statistic"] == pytest.approx(statistic, rel=1e-9)
        assert EQUAL not in terms.index.get_level_values("hypothesis")

    @pytest.mark.parametrize("skip_single", [False, True])
    def test_options_mean_what_they_mean_in_statsmodels(self, skip_single):
        contrast = np.array([[0.0, 1.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
        formula = "y ~ C(g) + x1"
        ols = smf.ols(formula, DATA).fit()
        expected = ols.wald_test_terms(
            skip_single, [("own", contrast)], combine_terms=["C(", "x"], scalar=True
        ).table.astype(float)
        padded = np.column_stack([contrast, np.zeros(2)])
        found = (
            smmix.from_formula(formula, DATA, k=1)
            .fit()
            .wald_test_terms(skip_single, [("own", padded)], ["C(", "x"])
            .table.droplevel("hypothesis")
        )
        assert found.index.tolist() == expected.index.tolist()
        assert found["df_constraint"].tolist() == expected["df_constraint"].tolist()
        scale = expected["df_constraint"] * ols.nobs / ols.df_resid
        np.testing.assert_allclose(found["statistic"], expected["statistic"] * scale, rtol=1e-8)

    def test_combined_terms_are_tested_in_all_components(self, fit):
        table = fit.wald_test_terms(combine_terms=["x1", "("], skip_single=True).table
        both = smmix.from_formula("y ~ x1 + x2 + z", DATA, k=2, concomitant="x1 + x2").fit(
            n_starts=5
        )
        rows = both.wald_test_terms(combine_terms=["x", "mixing.x"]).table
        for row, hypothesis in [
            (("x", ZERO), "x1[0] = x1[1] = x2[0] = x2[1] = 0"),
            (("x", EQUAL), "x1[0] = x1[1], x2[0] = x2[1]"),
            (("mixing.x", ZERO), "mixing.x1[1] = mixing.x2[1] = 0"),
        ]:
            test = both.wald_test(hypothesis, scalar=True)
            found = rows[rows.index == row].iloc[0]
            assert found["statistic"] == pytest.approx(float(test.statistic), rel=1e-8)
            assert found["df_constraint"] == test.df_denom
        assert ("mixing.z", ZERO) not in table.index.tolist()
        assert ("sigma", EQUAL) in table.index.tolist()
        assert table.index.get_level_values("term").tolist().count("(") == 2

    def test_extra_constraints_are_hypotheses_of_any_kind(self, fit):
        for use_t in (False, True):
            results = fit.get_robustcov_results("nonrobust", use_t=use_t)
            text = "x1[0] = 2, x1[1] = sigma[0]"
            row = results.wald_test_terms(extra_constraints=[("own", text)]).table.iloc[-1]
            test = results.wald_test(text, scalar=True)
            assert row.name == ("own", "as given")
            assert row["statistic"] == pytest.approx(float(test.statistic))
            assert row["pvalue"] == pytest.approx(float(test.pvalue))

    def test_options_that_make_no_sense(self, fit):
        for options, words in [
            ({"combine_terms": ["income"]}, "no term has 'income' in its name.*'x1'"),
            ({"combine_terms": "x1"}, "combine_terms must be a list"),
            ({"combine_terms": [1]}, "a list of texts"),
            ({"extra_constraints": 3}, "extra_constraints must be a list"),
            ({"extra_constraints": ["x1[0] = 0"]}, "pairs"),
            ({"extra_constraints": [("own", "x9 = 0")]}, "x9"),
            ({"extra_constraints": [("own", np.ones((1, 2)))]}, "shape"),
        ]:
            with pytest.raises(smmix.SmmixError, match=words):
                fit.wald_test_terms(**options)

    def test_common_terms_are_not_compared(self):
        results = smmix.from_formula("y ~ x1 + x2", DATA, k=2, common=["x2"]).fit(n_starts=10)
        table = results.wald_test_terms().table
        assert ("x2", EQUAL) not in table.index
        assert table.loc[("x2", ZERO), "df_constraint"] == 1
        expected = (results.params["x2"] / results.bse["x2"]) ** 2
        assert table.loc[("x2", ZERO), "statistic"] == pytest.approx(expected)

    def test_restricted_parameters_lose_their_degree_of_freedom(self):
        model = smmix.from_formula("y ~ x1 + x2", DATA, k=2)
        results = model.fit_constrained("x2[0] = x2[1]", n_starts=10)
        table = results.wald_test_terms().table
        assert table.loc[("x2", ZERO), "df_constraint"] == 1
        expected = (results.params["x2[0]"] / results.bse["x2[0]"]) ** 2
        assert table.loc[("x2", ZERO), "statistic"] == pytest.approx(expected)

    def test_prints_like_statsmodels(self, fit):
        text = str(fit.wald_test_terms())
        assert "P>chi2" in text
        assert "mixing.z" in text


class TestPairwise:
    def test_differences_are_t_tests(self, three):
        table = three.pairwise("x1")
        for a, b in combinations(range(3), 2):
            row = table.loc[f"x1[{a}] - x1[{b}]"]
            test = three.t_test(f"x1[{a}] - x1[{b}] = 0")
            assert row["coef"] == pytest.approx(float(test.effect[0]))
            assert row["std err"] == pytest.approx(float(test.sd.squeeze()))
            assert row["P>|z|"] == pytest.approx(float(test.pvalue), rel=1e-6, abs=1e-300)
            low, high = test.conf_int()[0]
            assert (row["Conf. Int. Low"], row["Conf. Int. Upp."]) == pytest.approx((low, high))

    def test_holm_sidak_by_hand(self, three):
        table = three.pairwise("C(g)")
        assert len(table) == 6
        order = table["P>|z|"].argsort()
        raw = table["P>|z|"].iloc[order].to_numpy()
        expected = np.maximum.accumulate(1 - (1 - raw) ** np.arange(6, 0, -1))
        found = table["pvalue-hs"].iloc[order]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert (table["reject-hs"] == (table["pvalue-hs"] <= 0.05)).all()

    def test_bonferroni_by_hand(self, three):
        table = three.pairwise("x1", method="bonferroni")
        expected = np.minimum(3 * table["P>|z|"], 1.0)
        np.testing.assert_allclose(table["pvalue-bonferroni"], expected)

    def test_no_adjustment(self, three):
        assert not any("pvalue-" in name for name in three.pairwise(method=None).columns)

    def test_everything_by_default(self, fit):
        labels = fit.pairwise().index
        assert "C(g)[T.c][0] - C(g)[T.c][1]" in labels
        assert labels[-1] == "sigma[0] - sigma[1]"

    def test_equal_sigma_is_no_term(self, three):
        assert not any("sigma" in label for label in three.pairwise().index)
        with pytest.raises(smmix.SmmixError, match="'sigma' does not differ"):
            three.pairwise("sigma")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [(("x9",), "x9.*'x1'"), (("x1", "magic"), "magic.*'bonferroni'")],
    )
    def test_refusals(self, three, arguments, message):
        with pytest.raises(smmix.SmmixError, match=message):
            three.pairwise(*arguments)

    def test_one_component(self):
        with pytest.raises(smmix.SmmixError, match="no pairs"):
            smmix.from_formula("y ~ x1", DATA, k=1).fit().pairwise()


class TestLikelihoodRatio:
    def test_one_component_is_least_squares(self):
        large = smmix.from_formula("y ~ x1 + x2 + C(g)", DATA, k=1).fit()
        small = smmix.from_formula("y ~ x1", DATA, k=1).fit()
        ols = smf.ols("y ~ x1 + x2 + C(g)", DATA).fit()
        expected = ols.compare_lr_test(smf.ols("y ~ x1", DATA).fit())
        assert large.compare_lr_test(small) == pytest.approx(expected, rel=1e-9)

    def test_restrictions_of_every_kind(self):
        model = smmix.from_formula("y ~ x1 + x2", DATA, k=2, concomitant="z")
        large = model.fit(n_starts=10)
        for small, df in [
            (model.fit_constrained("x2[0] = x2[1], mixing.z[1] = 0", n_starts=10), 2),
            (
                smmix.from_formula("y ~ x1 + x2", DATA, k=2, concomitant="z", variance="equal").fit(
                    n_starts=10
                ),
                1,
            ),
            (smmix.from_formula("y ~ x1 + x2", DATA, k=2).fit(n_starts=10), 1),
            (
                smmix.from_formula("y ~ x1 + x2", DATA, k=2, concomitant="z", common=["x2"]).fit(
                    n_starts=10
                ),
                1,
            ),
        ]:
            test = large.compare_lr_test(small)
            assert test.df_diff == df
            assert test.statistic == pytest.approx(2 * (large.llf - small.llf))
            assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic, df))

    def test_other_spelling_of_a_nested_design(self):
        data = DATA.assign(total=DATA["x1"] + DATA["x2"])
        large = smmix.from_formula("y ~ x1 + x2", data, k=2).fit(n_starts=10)
        small = smmix.from_formula("y ~ total", data, k=2).fit(n_starts=10)
        assert large.compare_lr_test(small).df_diff == 2

    @pytest.mark.parametrize(
        ("restricted", "options", "message"),
        [
            ("y ~ x1", {"k": 3}, "bootstrap_lrt"),
            ("y ~ z", {"k": 2}, "not nested"),
            ("y ~ x1 + x2", {"k": 2}, "not nested"),
            ("x2 ~ x1", {"k": 2}, "same data"),
            ("y ~ x1", {"k": 2, "freq_weights": "w"}, "same data"),
            ("y ~ x1", {"k": 2, "groups": "id"}, "same data"),
            ("y ~ x1", {"k": 2, "prob_weights": "w"}, "pseudo-likelihood"),
        ],
    )
    def test_refusals(self, restricted, options, message):
        large = smmix.from_formula("y ~ x1 + x2", DATA, k=2).fit(n_starts=10)
        small = smmix.from_formula(restricted, DATA, **options).fit(n_starts=10)
        with pytest.raises(smmix.SmmixError, match=message):
            large.compare_lr_test(small)

    def test_refuses_the_results_of_another_model(self):
        large = smmix.from_formula("y ~ x1 + x2", DATA, k=1).fit()
        with pytest.raises(smmix.SmmixError, match="results of a mixture"):
            large.compare_lr_test(smf.ols("y ~ x1", DATA).fit())

    def test_a_missed_maximum_is_not_tested(self):
        model = smmix.from_formula("y ~ x1 + x2", DATA, k=2)
        best = model.fit(n_starts=10)
        worse = best.mode(len(best.starts) - 1)
        small = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        if worse.llf > small.llf - 1.0:
            pytest.skip("all modes of the larger model are higher")
        with pytest.raises(smmix.SmmixError, match="missed its maximum"):
            worse.compare_lr_test(small)


class TestProfile:
    def test_coefficient_of_least_squares_in_closed_form(self):
        """Deviance n log(1 + t^2 / (n - p)) against the quantile of chi2(1)."""
        fit = smmix.from_formula("y ~ x1 + x2", DATA, k=1).fit()
        ols = smf.ols("y ~ x1 + x2", DATA).fit()
        for alpha in (0.05, 0.1):
            quantile = stats.chi2.isf(alpha, 1)
            t = np.sqrt(ols.df_resid * np.expm1(quantile / ols.nobs))
            expected = ols.params["x1"] + np.array([-t, t]) * ols.bse["x1"]
            found = fit.profile_likelihood_ci("x1[0]", alpha=alpha)
            np.testing.assert_allclose(found, expected, rtol=1e-7)

    def test_sigma_of_least_squares_in_closed_form(self):
        """Deviance n (log(s^2 / m^2) + m^2 / s^2 - 1), m the estimate."""
        fit = smmix.from_formula("y ~ x1 + x2", DATA, k=1).fit()
        ols = smf.ols("y ~ x1 + x2", DATA).fit()
        n, estimate = ols.nobs, np.sqrt(ols.ssr / ols.nobs)

        def gap(sigma):
            ratio = (estimate / sigma) ** 2
            return n * (ratio - 1 - np.log(ratio)) - stats.chi2.isf(0.05, 1)

        expected = [
            optimize.brentq(gap, 0.5 * estimate, estimate, xtol=1e-12),
            optimize.brentq(gap, estimate, 2 * estimate, xtol=1e-12),
        ]
        np.testing.assert_allclose(fit.profile_likelihood_ci("sigma[0]"), expected, rtol=1e-7)

    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ({}, "x1[1]"),
            ({}, "sigma[0]"),
            ({}, "mixing.const[1]"),
            ({"variance": "equal"}, "sigma"),
            ({"common": ("x2",)}, "x2"),
        ],
    )
    def test_ends_lie_where_an_independent_maximiser_says(self, options, name):
        x = pd.DataFrame({"const": 1.0, "x1": DATA["x1"], "x2": DATA["x2"]})
        z = pd.DataFrame({"const": 1.0, "z": DATA["z"]})
        problem = Problem(DATA["y"].to_numpy(), x, 2, z=z, **options)
        fit = problem.model().fit(n_starts=10)
        names = list(fit.params.index)
        loglike = vector_log_likelihood(problem, names)
        held = names.index(name)
        others = np.delete(np.arange(len(names)), held)
        scale = fit.bse.to_numpy()[others]
        for end in fit.profile_likelihood_ci(name):

            def at(free, end=end):
                vector = np.empty(len(names), dtype=np.result_type(free, float))
                vector[held], vector[others] = end, free
                return vector

            def negative(step):
                return -loglike(at(fit.params.to_numpy()[others] + scale * step)).real

            def gradient(step):
                point = at(fit.params.to_numpy()[others] + scale * step)
                return -complex_step_gradient(loglike, point)[others] * scale

            best = optimize.minimize(
                negative, np.zeros(len(others)), jac=gradient, method="BFGS", options={"gtol": 1e-7}
            )
            assert 2 * (fit.llf + best.fun) == pytest.approx(stats.chi2.isf(0.05, 1), abs=1e-5)

    def test_restricted_fit_stays_restricted(self):
        formula = "y ~ x1 + x2"
        built_in = smmix.from_formula(formula, DATA, k=2, variance="equal").fit(n_starts=10)
        imposed = smmix.from_formula(formula, DATA, k=2).fit_constrained(
            "sigma[0] = sigma[1]", n_starts=10
        )
        for name, other in (("x1[0]", "x1[0]"), ("sigma", "sigma[1]")):
            np.testing.assert_allclose(
                built_in.profile_likelihood_ci(name),
                imposed.profile_likelihood_ci(other),
                rtol=1e-5,
            )

    def test_shift_and_scale(self):
        """Units of the response, however far from zero, move the ends and nothing else."""
        one = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        moved = DATA.assign(y=1e6 + 2.0**10 * DATA["y"])
        two = smmix.from_formula("y ~ x1", moved, k=2).fit(n_starts=10)
        found = (two.profile_likelihood_ci("Intercept[0]") - 1e6) / 2.0**10
        np.testing.assert_allclose(found, one.profile_likelihood_ci("Intercept[0]"), rtol=1e-5)

    @pytest.mark.parametrize(
        ("name", "alpha", "message"),
        [("x9", 0.05, "'x9' is not a parameter.*'x1"), ("x1[0]", 2, "alpha=2")],
    )
    def test_refusals(self, fit, name, alpha, message):
        with pytest.raises(smmix.SmmixError, match=message):
            fit.profile_likelihood_ci(name, alpha)

    def test_fixed_parameter(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2).fit_constrained("x1[0] = 2", n_starts=10)
        with pytest.raises(smmix.SmmixError, match="held at a fixed value"):
            fit.profile_likelihood_ci("x1[0]")

    def test_sampling_weights(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2, prob_weights="w").fit(n_starts=10)
        with pytest.raises(smmix.SmmixError, match="pseudo-likelihood"):
            fit.profile_likelihood_ci("x1[0]")


class TestMargins:
    def test_one_component_is_least_squares(self):
        fit = smmix.from_formula("y ~ x1 + C(g)", DATA, k=1).fit()
        ols = smf.ols("y ~ x1 + C(g)", DATA).fit()
        table = fit.margins()
        names = {"x1": "x1", "g: b - a": "C(g)[T.b]", "g: c - a": "C(g)[T.c]"}
        assert set(table.index) == set(names)
        ratio = np.sqrt(ols.df_resid / ols.nobs)
        for margin, name in names.items():
            assert table.loc[margin, "dy/dx"] == pytest.approx(ols.params[name], rel=1e-8)
            assert table.loc[margin, "std err"] == pytest.approx(ratio * ols.bse[name], rel=1e-8)

    @pytest.mark.slow
    def test_both_parts_against_numerical_derivatives(self):
        """x1 stands in both designs: the effect runs through the means and the probabilities."""
        x = pd.DataFrame({"const": 1.0, "x1": DATA["x1"], "x2": DATA["x2"]})
        z = pd.DataFrame({"const": 1.0, "x1": DATA["x1"], "z": DATA["z"]})
        weight = DATA["w"].to_numpy()
        model = smmix.MixtureOLS(DATA["y"], x, k=3, exog_concomitant=z, freq_weights=weight)
        fit = model.fit(n_starts=20)

        def mean(vector, dx1, dx2, dz):
            coef, sigma, gamma = np.split(vector, [9, 12])
            del sigma
            design = x.to_numpy() + np.array([0.0, 1.0, 0.0]) * dx1 + np.array([0.0, 0, 1]) * dx2
            mixing = z.to_numpy() + np.array([0.0, 1.0, 0.0]) * dx1 + np.array([0.0, 0, 1]) * dz
            logits = np.column_stack([np.zeros(len(design)), mixing @ gamma.reshape(2, 3).T])
            odds = np.exp(logits)
            prior = odds / odds.sum(axis=1, keepdims=True)
            return (prior * (design @ coef.reshape(3, 3).T)).sum(axis=1)

        def effects(vector):
            # A complex step in the variable, so that the outer derivative may be a difference.
            steps = 1e-30j * np.eye(3)
            return np.array([weight @ mean(vector, *step).imag / 1e-30 for step in steps]) / sum(
                weight
            )

        jacobian = approx_fprime(fit.params.to_numpy(), effects, centered=True)
        variance = np.diag(jacobian @ np.asarray(fit.cov_params()) @ jacobian.T)
        table = fit.margins().loc[["x1", "x2", "z"]]
        np.testing.assert_allclose(table["dy/dx"], effects(fit.params.to_numpy()), rtol=1e-10)
        np.testing.assert_allclose(table["std err"], np.sqrt(variance), rtol=1e-6)

    def test_formulas_through_predict(self):
        """A variable in several terms, a spline and a category, by moving the data."""
        formula = "y ~ x1 + I(x1 ** 2) + bs(x2, df=4) + C(g)"
        model = smmix.from_formula(formula, DATA, k=2, concomitant="x1 + C(g)", freq_weights="w")
        fit = model.fit(n_starts=10)
        table, weight = fit.margins(), DATA["w"]

        def average(data):
            return (weight * fit.predict(data)).sum() / weight.sum()

        h = 1e-4
        slope = average(DATA.assign(x1=DATA["x1"] + h)) - average(DATA.assign(x1=DATA["x1"] - h))
        assert table.loc["x1", "dy/dx"] == pytest.approx(slope / (2 * h), rel=1e-6)
        for level in "bc":
            expected = average(DATA.assign(g=level)) - average(DATA.assign(g="a"))
            assert table.loc[f"g: {level} - a", "dy/dx"] == pytest.approx(expected, rel=1e-9)

    def test_errors_of_levels_by_numerical_delta_method(self):
        fit = smmix.from_formula("y ~ x1 + C(g)", DATA, k=2, concomitant="C(g)").fit(n_starts=10)

        def difference(vector):
            levels = [fit.model.predict(vector, DATA.assign(g=g)).mean() for g in "abc"]
            return np.array([levels[1] - levels[0], levels[2] - levels[0]])

        delta = NonlinearDeltaCov(difference, fit.params.to_numpy(), np.asarray(fit.cov_params()))
        table = fit.margins().loc[["g: b - a", "g: c - a"]]
        np.testing.assert_allclose(table["std err"], delta.se_vectorized(), rtol=1e-6)

    @pytest.mark.parametrize("kind", ["category", "bool", "str"])
    def test_kinds_of_categories(self, kind):
        data = DATA.assign(h=(DATA["g"] == "a").astype(kind))
        table = smmix.from_formula("y ~ x1 + h", data, k=1).fit().margins()
        ols = smf.ols("y ~ x1 + h", data).fit()
        assert table.loc["h: True - False", "dy/dx"] == pytest.approx(ols.params["h[T.True]"])

    def test_large_response_keeps_its_digits(self):
        one = smmix.from_formula("y ~ x1", DATA, k=2, concomitant="x1").fit(n_starts=10)
        moved = DATA.assign(y=DATA["y"] + 2.0**27)
        two = smmix.from_formula("y ~ x1", moved, k=2, concomitant="x1").fit(n_starts=10)
        np.testing.assert_allclose(two.margins(), one.margins(), rtol=1e-5)

    def test_comparison_of_a_number_is_refused(self):
        fit = smmix.from_formula("y ~ x1 + I(x2 > 0)", DATA, k=1).fit()
        with pytest.raises(smmix.SmmixError, match="'x2' enters the formula through"):
            fit.margins()

    def test_constant_alone(self):
        with pytest.raises(smmix.SmmixError, match="no variable"):
            smmix.from_formula("y ~ 1", DATA, k=2).fit(n_starts=10).margins()


class TestArgumentsThatMakeNoSense:
    @pytest.mark.parametrize("alpha", [0.0, 1.5, -1, None, "x", [0.1]])
    def test_levels(self, alpha):
        fit = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        for call in (
            fit.conf_int,
            fit.proportions,
            fit.sigmas,
            fit.margins,
            fit.components[0].conf_int,
            fit.get_prediction().summary_frame,
        ):
            with pytest.raises(smmix.SmmixError, match="alpha"):
                call(alpha=alpha)

    def test_names(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        with pytest.raises(smmix.SmmixError, match="is not a term"):
            fit.pairwise(["x1"])
        with pytest.raises(smmix.SmmixError, match=r"method=.* is not known"):
            fit.pairwise("x1", method=["holm"])
        with pytest.raises(smmix.SmmixError, match="There is no criterion"):
            fit.info_criteria(["bic"])
        with pytest.raises(smmix.SmmixError, match="q must be a number"):
            fit.predict(which="quantile", q="median")
        with pytest.raises(smmix.SmmixError, match="on_fit must be a function"):
            smmix.select_k("y ~ x1", DATA, k=[1], on_fit=3)
