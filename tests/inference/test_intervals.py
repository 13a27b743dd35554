"""Bands of the mean, intervals of observations, quantile residuals and influence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers_density import (
    complex_step_scores,
    information_matrix,
    lines,
    unit_log_likelihood,
)
from laws.density import Problem
from scipy import stats
from statsmodels.stats._delta_method import NonlinearDeltaCov
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

import smmix
from smmix.inference import residuals

DATA = lines()
NEW = pd.DataFrame({"x1": [-1.0, 0.0, 2.0], "x2": [0.5, 0.0, 1.0], "z": [0.0, 1.0, -1.0]})
FORMULA = "y ~ x1 + x2"


@pytest.fixture(scope="module")
def fit():
    return smmix.from_formula(FORMULA, DATA, k=2, concomitant="z").fit(n_starts=10)


class TestPrediction:
    def test_one_component_is_least_squares(self):
        found = smmix.from_formula(FORMULA, DATA, k=1).fit().get_prediction(NEW).summary_frame()
        ols = smf.ols(FORMULA, DATA).fit()
        expected = ols.get_prediction(NEW).summary_frame()
        ratio = np.sqrt(ols.df_resid / ols.nobs)
        np.testing.assert_allclose(found["mean"], expected["mean"], rtol=1e-9)
        np.testing.assert_allclose(found["mean_se"], ratio * expected["mean_se"], rtol=1e-9)
        sigma = np.sqrt(ols.ssr / ols.nobs)
        upper = expected["mean"] + stats.norm.ppf(0.975) * sigma
        np.testing.assert_allclose(found["obs_ci_upper"], upper, rtol=1e-9)

    @pytest.mark.parametrize("exog", [None, NEW])
    def test_errors_by_numerical_delta_method(self, fit, exog):
        prediction = fit.get_prediction(exog)

        def mean(vector):
            return np.asarray(fit.model.predict(vector, exog))

        delta = NonlinearDeltaCov(mean, fit.params.to_numpy(), np.asarray(fit.cov_params()))
        np.testing.assert_allclose(prediction.predicted_mean, mean(fit.params.to_numpy()))
        np.testing.assert_allclose(prediction.se_mean, delta.se_vectorized(), rtol=1e-6)
        reach = stats.norm.ppf(0.95) * delta.se_vectorized()
        lower, upper = prediction.conf_int(alpha=0.1).T
        np.testing.assert_allclose(upper - lower, 2 * reach, rtol=1e-6)

    def test_observation_interval_is_the_mixtures(self, fit):
        frame = fit.get_prediction(NEW).summary_frame(alpha=0.1)
        prior, means = fit.predict(NEW, which="prob"), fit.predict(NEW, which="components")
        for column, level in (("obs_ci_lower", 0.05), ("obs_ci_upper", 0.95)):
            ends = frame[column].to_numpy()[:, None]
            below = (prior * stats.norm.cdf(ends, means, fit.sigma.to_numpy())).sum(axis=1)
            np.testing.assert_allclose(below, level, rtol=1e-10)

    def test_robust_covariance_is_used(self, fit):
        robust = fit.get_robustcov_results("HC0")

        def mean(vector):
            return np.asarray(fit.model.predict(vector, NEW))

        delta = NonlinearDeltaCov(mean, fit.params.to_numpy(), np.asarray(robust.cov_params()))
        found = robust.get_prediction(NEW).se_mean
        np.testing.assert_allclose(found, delta.se_vectorized(), rtol=1e-6)

    def test_index_and_missing_rows(self, fit):
        new = NEW.copy()
        new.index = ["a", "b", "b"]
        new.loc["a", "x1"] = np.nan
        frame = fit.get_prediction(new).summary_frame()
        assert list(frame.index) == ["a", "b", "b"]
        assert frame.iloc[0].isna().all()
        assert frame.iloc[1:].notna().all().all()

    def test_arrays(self, fit):
        x = pd.DataFrame({"const": 1.0, "x1": DATA["x1"], "x2": DATA["x2"]})
        z = pd.DataFrame({"const": 1.0, "z": DATA["z"]})
        model = smmix.MixtureOLS(DATA["y"], x, k=2, exog_concomitant=z)
        arrays = model.fit(n_starts=10)
        found = arrays.get_prediction(x[:5], exog_concomitant=z[:5]).summary_frame()
        expected = fit.get_prediction(DATA[:5]).summary_frame()
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_new_arguments_without_new_rows(self, fit):
        with pytest.raises(smmix.SmmixError, match="give exog"):
            fit.get_prediction(offset=[1.0])


class TestQuantileResiduals:
    def test_one_component(self):
        fit = smmix.from_formula(FORMULA, DATA, k=1).fit()
        ols = smf.ols(FORMULA, DATA).fit()
        expected = ols.resid / np.sqrt(ols.ssr / ols.nobs)
        np.testing.assert_allclose(fit.quantile_residuals, expected, rtol=1e-8)

    def test_mixture(self, fit):
        prior, means = fit.predict(which="prob"), fit.predict(which="components")
        response = DATA["y"].to_numpy()[:, None]
        level = (prior * stats.norm.cdf(response, means, fit.sigma.to_numpy())).sum(axis=1)
        np.testing.assert_allclose(fit.quantile_residuals, stats.norm.ppf(level), atol=1e-9)

    def test_far_tails_stay_finite(self):
        """At one component the residual is the scaled error itself, 60 sigmas out as well."""
        y = np.r_[DATA["y"], 60.0, -60.0]
        model = smmix.MixtureOLS(y, np.ones((len(y), 1)), k=2)
        params = np.array([0.0, 0.0, 1.0, 1.0, 0.3])
        fitted = replace(
            model.with_k(1).fit().fitted,
            specification=model.specification,
            params=params,
        )
        found = residuals.quantile_residuals(fitted)
        np.testing.assert_allclose(found.to_numpy()[-2:], [60.0, -60.0], rtol=1e-12)
        np.testing.assert_allclose(found, y, rtol=1e-7)

    def test_standard_normal_under_the_model(self):
        rng = np.random.default_rng(5)
        n = 4000
        second = rng.uniform(size=n) < 0.4
        x = rng.normal(size=n)
        y = np.where(second, 4 - x, 2 * x) + np.where(second, 1.5, 0.5) * rng.normal(size=n)
        data = pd.DataFrame({"y": y, "x": x})
        residuals = smmix.from_formula("y ~ x", data, k=2).fit(n_starts=10).quantile_residuals
        assert stats.kstest(residuals, "norm").pvalue > 0.01


@pytest.fixture(scope="module")
def problem():
    x = pd.DataFrame({"const": 1.0, "x1": DATA["x1"], "x2": DATA["x2"]})
    z = pd.DataFrame({"const": 1.0, "z": DATA["z"]})
    return Problem(DATA["y"].to_numpy(), x, 2, z=z)


class TestInfluence:
    def test_steps_against_independent_derivatives(self, problem):
        fit = problem.model().fit(n_starts=10)
        influence = fit.get_influence()
        function = unit_log_likelihood(problem, list(fit.params.index))
        point = fit.params.to_numpy()
        scores = complex_step_scores(function, point)
        ones = np.ones(len(scores))
        bread = information_matrix(function, point, ones)
        for unit in (0, 17, int(influence.cooks_distance.to_numpy().argmax())):
            weight = np.arange(len(scores)) != unit
            left = information_matrix(function, point, weight.astype(float))
            step = np.linalg.solve(left, scores[unit])
            np.testing.assert_allclose(influence.d_params.iloc[unit], step, rtol=1e-6, atol=1e-9)
            distance = step @ bread @ step / len(point)
            assert influence.cooks_distance.iloc[unit] == pytest.approx(distance, rel=1e-6)
        error = np.sqrt(np.diag(np.linalg.inv(bread)))
        np.testing.assert_allclose(influence.dfbetas, influence.d_params / error, rtol=1e-7)

    def test_close_to_deletion(self, fit):
        """The step goes where a fit without the row ends, in coefficients and in membership."""
        influence = fit.get_influence()
        worst = np.argsort(-influence.cooks_distance.to_numpy())[[2, 10, 40]]
        for unit in worst:
            rest = DATA.drop(index=DATA.index[unit])
            model = smmix.from_formula(FORMULA, rest, k=2, concomitant="z")
            without = model.fit(start_params=fit.params)
            scaled = (fit.params - without.params) / fit.bse
            step = influence.dfbetas.iloc[unit]
            assert np.linalg.norm(step - scaled) < 0.25 * np.linalg.norm(scaled)
            posterior = without.predict(DATA, which="posterior")
            change = fit.posterior.to_numpy() - posterior.to_numpy()
            own = influence.d_posterior.iloc[unit].to_numpy()
            assert np.abs(own - change[unit]).max() < 0.03
            moved = np.abs(np.delete(change, unit, axis=0)).sum() / 2
            assert influence.moved.iloc[unit] == pytest.approx(moved, rel=0.35, abs=0.02)

    def test_one_component_is_nearly_exact(self):
        fit = smmix.from_formula(FORMULA, DATA, k=1).fit()
        found = fit.get_influence().d_params.to_numpy()[:, :3]
        ols = smf.ols(FORMULA, DATA).fit()
        exact = [
            ols.params - smf.ols(FORMULA, DATA.drop(index=i)).fit().params for i in DATA.index[:30]
        ]
        np.testing.assert_allclose(found[:30], exact, rtol=0.1, atol=2e-4)

    def test_frequency_weight_leaves_with_its_row(self):
        weighted = smmix.from_formula(FORMULA, DATA, k=2, freq_weights="w").fit(n_starts=10)
        unit = int(DATA["w"].to_numpy().argmax())
        rest = DATA.drop(index=DATA.index[unit])
        model = smmix.from_formula(FORMULA, rest, k=2, freq_weights="w")
        without = model.fit(start_params=weighted.params)
        scaled = (weighted.params - without.params) / weighted.bse
        step = weighted.get_influence().dfbetas.iloc[unit]
        assert np.linalg.norm(step - scaled) < 0.3 * np.linalg.norm(scaled)

    def test_groups_are_the_units(self):
        fit = smmix.from_formula(FORMULA, DATA, k=2, groups="id").fit(n_starts=10)
        influence = fit.get_influence()
        assert list(influence.cooks_distance.index) == sorted(DATA["id"].unique())
        group = int(influence.cooks_distance.to_numpy().argsort()[-5])
        rest = DATA[DATA["id"] != group]
        model = smmix.from_formula(FORMULA, rest, k=2, groups="id")
        without = model.fit(start_params=fit.params)
        scaled = (fit.params - without.params) / fit.bse
        step = influence.dfbetas.loc[group]
        assert np.linalg.norm(step - scaled) < 0.3 * np.linalg.norm(scaled)

    def test_frame(self, fit):
        frame = fit.get_influence().summary_frame()
        assert len(frame) == len(DATA)
        assert {"dfb_x1[0]", "cooks_distance", "d_posterior[1]", "moved"} <= set(frame.columns)
        assert np.isfinite(frame.to_numpy()).all()
        np.testing.assert_allclose(frame["d_posterior[0]"], -frame["d_posterior[1]"], atol=1e-12)

    def test_restricted_parameters_move_together(self):
        model = smmix.from_formula(FORMULA, DATA, k=2)
        fit = model.fit_constrained("x2[0] = x2[1], x1[0] = 2", n_starts=10)
        steps = fit.get_influence().d_params
        np.testing.assert_allclose(steps["x2[0]"], steps["x2[1]"], rtol=1e-9)
        np.testing.assert_allclose(steps["x1[0]"], 0.0, atol=1e-12)

    def test_a_unit_that_a_parameter_rests_on(self):
        data = DATA.assign(d=(np.arange(len(DATA)) == 7).astype(float))
        fit = smmix.from_formula("y ~ x1 + d", data, k=1).fit()
        with pytest.warns(SingularMatrixWarning, match="Without unit 7"):
            influence = fit.get_influence()
        assert np.isinf(influence.cooks_distance[7])
        assert influence.d_params.loc[7].isna().all()
        rest = influence.summary_frame().drop(index=7)
        assert np.isfinite(rest.to_numpy()).all()
