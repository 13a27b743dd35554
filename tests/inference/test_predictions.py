"""Predictions of any family: errors, intervals of whole numbers, residuals, and groups."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers_model import refusal
from scipy import stats
from statsmodels.tools.numdiff import approx_fprime

import smmix
from smmix.inference.residuals import quantile_residuals
from smmix.inference.runs import shortest_runs
from smmix.inference.scores import normal_scores
from smmix.mixture.prediction import Law


def data(n=400, seed=8):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"x": rng.normal(size=n), "z": rng.normal(size=n), "t": rng.integers(1, 9, n)}
    )
    second = rng.random(n) < 1 / (1 + np.exp(-frame["z"]))
    eta = np.where(second, 2.0 + 0.3 * frame["x"], -0.3 * frame["x"])
    frame["y"] = rng.poisson(np.exp(eta))
    frame["cost"] = rng.gamma(2.0, np.exp(eta) / 2.0)
    frame["s"] = rng.binomial(frame["t"], np.where(second, 0.85, 0.15))
    return frame


DATA = data()
NEW = pd.DataFrame({"x": [-1.0, 0.0, 2.0], "z": [0.0, 1.0, -2.0], "t": [1, 5, 8]})
FITS = {
    "poisson": ("y ~ x", {"family": "poisson", "concomitant": "z"}),
    "gamma": ("cost ~ x", {"family": "gamma", "concomitant": "z"}),
    "binomial": ("s ~ x", {"family": "binomial", "trials": "t", "concomitant": "z"}),
    "student": ("cost ~ x", {"family": smmix.families.StudentT(df=4)}),
    "censored": ("cost ~ x", {"family": smmix.families.CensoredGaussian(lower=0.2)}),
    "zeros": ("y ~ x", {"family": ["poisson", "zero"], "concomitant": "z"}),
}


@pytest.fixture(scope="module", params=list(FITS))
def fit(request):
    formula, options = FITS[request.param]
    return smmix.from_formula(formula, DATA, k=2, **options).fit(n_starts=8)


@pytest.fixture(scope="module")
def counts():
    formula, options = FITS["poisson"]
    return smmix.from_formula(formula, DATA, k=2, **options).fit(n_starts=8)


class TestMeans:
    def test_one_component_is_statsmodels(self):
        found = smmix.from_formula("y ~ x", DATA, k=1, family="poisson").fit()
        frame = found.get_prediction(NEW).summary_frame()
        theirs = smf.poisson("y ~ x", DATA).fit(disp=0, tol=1e-12).get_prediction(NEW)
        np.testing.assert_allclose(frame["mean"], theirs.predicted, rtol=1e-8)
        np.testing.assert_allclose(frame["mean_se"], theirs.se, rtol=1e-6)

    @pytest.mark.parametrize("which", ["mean", "components"])
    def test_errors_by_numerical_delta_method(self, fit, which):
        prediction = fit.get_prediction(NEW, which=which)
        names = list(fit.params.index)

        def values(vector):
            if which == "mean":
                return np.asarray(fit.model.predict(vector, NEW))
            return np.ravel(fit.model.predict(vector, NEW, which="components"))

        expected = np.ravel(fit.predict(NEW, which=which))
        np.testing.assert_allclose(np.ravel(prediction.predicted_mean), expected, rtol=1e-12)
        slopes = approx_fprime(fit.params.to_numpy(), values, centered=True)
        variance = np.diag(slopes @ fit.cov_params().loc[names, names].to_numpy() @ slopes.T)
        np.testing.assert_allclose(
            np.ravel(prediction.se_mean), np.sqrt(variance), rtol=1e-5, atol=1e-8
        )

    def test_frame_of_components(self, counts):
        frame = counts.get_prediction(NEW, which="components").summary_frame(alpha=0.1)
        assert frame.columns.nlevels == 2
        for c in range(2):
            own = frame[c]
            assert list(own) == list(counts.get_prediction(NEW).summary_frame())
            reach = stats.norm.ppf(0.95) * own["mean_se"]
            np.testing.assert_allclose(own["mean_ci_upper"], own["mean"] + reach, rtol=1e-12)

    def test_unknown(self, counts):
        refusal(lambda: counts.get_prediction(NEW, which="prob"), "'components'", "'prob'")


def brute(pmf, alpha):
    """Length and probability of the best run, by trying every first and last number."""
    total = np.r_[0.0, np.cumsum(pmf)]
    best = None
    for first in range(len(pmf)):
        for last in range(first, len(pmf)):
            chance = total[last + 1] - total[first]
            if chance >= 1 - alpha - 1e-14:
                if best is None or (last - first, -chance) < (best[0], -best[1] - 1e-13):
                    best = (last - first, chance, first, last)
                break
    return best


class TestRunsOfWholeNumbers:
    @pytest.mark.parametrize("alpha", [0.01, 0.05, 0.3, 0.8])
    def test_mixture_by_brute_force(self, counts, alpha):
        found = counts.get_prediction(NEW).summary_frame(alpha=alpha)
        prior = counts.predict(NEW, which="prob").to_numpy()
        means = counts.predict(NEW, which="components").to_numpy()
        grid = np.arange(80)
        for i in range(len(NEW)):
            pmf = stats.poisson.pmf(grid[:, None], means[i]) @ prior[i]
            _, _, first, last = brute(pmf, alpha)
            assert found[["obs_ci_lower", "obs_ci_upper"]].iloc[i].tolist() == [first, last]

    def test_components(self, counts):
        frame = counts.get_prediction(NEW, which="components").summary_frame()
        means = counts.predict(NEW, which="components").to_numpy()
        for c in range(2):
            for i in range(len(NEW)):
                pmf = stats.poisson.pmf(np.arange(80), means[i, c])
                _, _, first, last = brute(pmf, 0.05)
                row = frame[c].iloc[i]
                assert [row["obs_ci_lower"], row["obs_ci_upper"]] == [first, last]

    def test_trials(self):
        formula, options = FITS["binomial"]
        fit = smmix.from_formula(formula, DATA, k=2, **options).fit(n_starts=8)
        frame = fit.get_prediction(NEW).summary_frame(alpha=0.2)
        prior = fit.predict(NEW, which="prob").to_numpy()
        means = fit.predict(NEW, which="components").to_numpy()
        for i, trials in enumerate(NEW["t"]):
            chance = means[i] / trials
            pmf = stats.binom.pmf(np.arange(9)[:, None], trials, chance) @ prior[i]
            _, _, first, last = brute(pmf, 0.2)
            row = frame.iloc[i]
            assert [row["obs_ci_lower"], row["obs_ci_upper"]] == [first, last]

    def test_large_counts(self):
        """Two far peaks, the runs of each known from scipy."""
        family = smmix.families.Poisson()
        mean = np.array([1e6, 4e6, 1e13])
        eta = np.log(mean)[None, None, :]
        law = Law(family, None, eta, np.empty((1, 1, 0)), np.ones((3, 1)))
        runs = shortest_runs(law, 0.05)
        for (first, last), m in zip(runs, mean, strict=True):
            covered = stats.poisson.cdf(last, m) - stats.poisson.cdf(first - 1, m)
            assert covered >= 0.95 - 1e-9
            assert last - first <= 2 * 1.96 * np.sqrt(m) * (1 + 3e-4) + 2

    def test_gaps_stay_gaps(self, counts):
        rows = NEW.assign(x=[np.nan, 0.0, 1.0])
        frame = counts.get_prediction(rows).summary_frame()
        assert frame.iloc[0].isna().all()
        assert frame.iloc[1:].notna().all().all()

    def test_continuous_intervals_are_quantiles(self):
        formula, options = FITS["gamma"]
        fit = smmix.from_formula(formula, DATA, k=2, **options).fit(n_starts=8)
        frame = fit.get_prediction(NEW).summary_frame(alpha=0.1)
        prior = fit.predict(NEW, which="prob").to_numpy()
        means = fit.predict(NEW, which="components").to_numpy()
        shape = 1.0 / fit.nuisance.loc["scale"].to_numpy()
        for column, level in (("obs_ci_lower", 0.05), ("obs_ci_upper", 0.95)):
            ends = frame[column].to_numpy()[:, None]
            below = (prior * stats.gamma.cdf(ends, shape, scale=means / shape)).sum(axis=1)
            np.testing.assert_allclose(below, level, rtol=1e-9)


class TestQuantiles:
    @pytest.mark.parametrize("q", [1e-9, 0.3, 0.5, 0.999])
    def test_smallest_number_that_reaches(self, counts, q):
        found = counts.predict(NEW, which="quantile", q=q).to_numpy()
        prior = counts.predict(NEW, which="prob").to_numpy()
        means = counts.predict(NEW, which="components").to_numpy()

        def cdf(y):
            return (prior * stats.poisson.cdf(y[:, None], means)).sum(axis=1)

        assert (cdf(found) >= q - 1e-14).all()
        assert (cdf(found - 1.0) < q).all()
        assert (found == np.round(found)).all()

    def test_beside_those_who_never_fail(self):
        families = (smmix.families.Exponential(), smmix.families.PointMass(np.inf))
        family = smmix.core.family_list.FamilyList(families)
        law = Law(family, None, np.zeros((1, 2, 1)), np.empty((1, 2, 0)), np.array([[0.7, 0.3]]))
        assert law.quantile(0.35)[0] == pytest.approx(np.log(2.0), rel=1e-14)
        assert law.quantile(0.8)[0] == np.inf


class TestResiduals:
    def test_standard_normal_under_the_model(self, fit):
        if isinstance(fit.model.family, list | smmix.core.family_list.FamilyList) or (
            fit.model.family.name in ("student_t", "censored_gaussian")
        ):
            pytest.skip("the data are none of this family")
        residual = quantile_residuals(fit, rng=3)
        assert stats.kstest(residual, "norm").pvalue > 1e-3

    def test_between_the_two_levels(self, counts):
        prior, means = counts.predict(which="prob"), counts.predict(which="components")
        y = DATA["y"].to_numpy()[:, None]
        low, high = (
            (prior.to_numpy() * stats.poisson.cdf(v, means)).sum(axis=1) for v in (y - 1, y)
        )
        levels = [stats.norm.cdf(quantile_residuals(counts, rng=i)) for i in range(3)]
        for level in levels:
            assert ((level >= low - 1e-12) & (level <= high + 1e-12)).all()
        assert not np.allclose(levels[0], levels[1])
        np.testing.assert_array_equal(counts.quantile_residuals, quantile_residuals(counts, rng=0))

    def test_far_tails_keep_their_digits(self):
        mean, y = np.array([5.0, 5.0, 500.0]), np.array([60.0, 90.0, 250.0])
        family = smmix.families.ZeroTruncatedPoisson()
        eta = np.log(mean)[None, None, :]
        law = Law(family, None, eta, np.empty((1, 1, 0)), np.ones((3, 1)))
        scores = normal_scores(law, y, np.random.default_rng(0))
        whole = -np.expm1(-mean)
        low = stats.norm.isf(stats.poisson.sf(y - 1, mean) / whole)
        high = stats.norm.isf(stats.poisson.sf(y, mean) / whole)
        low[2], high[2] = stats.norm.ppf(stats.poisson.cdf([249.0, 250.0], 500.0))
        assert ((low - 1e-6 <= scores) & (scores <= high + 1e-6)).all()

    def test_of_components(self, fit):
        means = fit.predict(which="components")
        response = fit.model.kept_design.endog
        np.testing.assert_allclose(fit.resid_component, response[:, None] - means, rtol=1e-12)
        np.testing.assert_allclose(fit.resid, response - fit.fittedvalues, rtol=1e-12)


class TestGroupsWithVaryingConcomitants:
    @pytest.fixture(scope="class")
    @classmethod
    def fit(cls):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model = smmix.from_formula("y ~ x", cls.frame(), family="poisson", groups="id",
                                       concomitant="z")  # fmt: skip
        return model.fit(n_starts=8)

    @staticmethod
    def frame():
        frame = DATA.assign(id=np.random.default_rng(2).integers(0, 90, len(DATA)))
        frame.loc[[3, 50], "x"] = np.nan
        frame.loc[[4, 60], "y"] = np.nan
        return frame

    @pytest.mark.parametrize(
        "which", ["mean", "components", "prob", "posterior", "variance", "cdf", "quantile", "label"]
    )
    def test_the_frame_of_the_fit(self, fit, which):
        frame = self.frame()
        complete = frame.dropna().index
        own = fit.predict(which=which)
        new = fit.predict(frame, which=which).loc[complete]
        np.testing.assert_allclose(
            own.to_numpy(dtype=float), new.to_numpy(dtype=float), rtol=1e-9, atol=1e-12
        )

    def test_first_row_of_each_group(self, fit):
        frame = self.frame().dropna()
        first = frame.groupby("id")["z"].transform("first")
        logit = fit.params["mixing.Intercept[1]"] + fit.params["mixing.z[1]"] * first
        prob = fit.predict(frame, which="prob")[1]
        np.testing.assert_allclose(prob, 1 / (1 + np.exp(-logit)), rtol=1e-10)
        given = fit.predict(frame.drop(columns="id"), which="prob", groups=frame["id"])[1]
        np.testing.assert_array_equal(given, prob)

    def test_errors_of_the_mean(self, fit):
        frame = self.frame()
        complete = frame.dropna().index
        own = fit.get_prediction().summary_frame()
        new = fit.get_prediction(frame).summary_frame().loc[complete]
        np.testing.assert_allclose(own, new, rtol=1e-9)

    def test_rows_without_groups_stand_alone(self, fit):
        frame = self.frame().dropna().drop(columns="id")
        logit = fit.params["mixing.Intercept[1]"] + fit.params["mixing.z[1]"] * frame["z"]
        prob = fit.predict(frame, which="prob")[1]
        np.testing.assert_allclose(prob, 1 / (1 + np.exp(-logit)), rtol=1e-10)
