"""Covariance types against sandwiches of an independent density, statsmodels and references."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers_density import complex_step_scores, information_matrix, lines, unit_log_likelihood
from helpers_reference import EXTENDED, PLAIN, default_fit, load_case
from laws.density import Problem
from scipy import stats
from statsmodels.stats._delta_method import NonlinearDeltaCov
from statsmodels.tools.sm_exceptions import HessianInversionWarning

import smmix
from smmix.errors import SmmixError
from smmix.inference.covariance import Estimate, bootstrap_covariance, covariance

DATA = lines()
X = pd.DataFrame({"const": 1.0, "x1": DATA["x1"], "x2": DATA["x2"]})
Z = pd.DataFrame({"const": 1.0, "z": DATA["z"]})

PROBLEMS = {
    "plain": Problem(DATA["y"].to_numpy(), X, 2),
    "three": Problem(DATA["y"].to_numpy(), X[["const", "x1"]], 3, variance="equal"),
    "equal": Problem(DATA["y"].to_numpy(), X, 2, variance="equal"),
    "common": Problem(DATA["y"].to_numpy(), X, 2, common=("x2",)),
    "concomitant": Problem(DATA["y"].to_numpy(), X, 2, z=Z),
    "groups": Problem(DATA["y"].to_numpy(), X, 2, groups=DATA["id"].to_numpy()),
    "weights": Problem(DATA["y"].to_numpy(), X, 2, freq_weights=DATA["w"].to_numpy()),
    "weighted groups": Problem(
        DATA["y"].to_numpy(),
        X,
        2,
        groups=DATA["id"].to_numpy(),
        freq_weights=DATA["w"].to_numpy(),
    ),
}


@pytest.fixture(scope="module", params=PROBLEMS)
def setting(request):
    """A fit with the scores and the information of the independent density at its estimates."""
    problem = PROBLEMS[request.param]
    fit = problem.model().fit(n_starts=10)
    names = list(fit.params.index)
    function = unit_log_likelihood(problem, names)
    point = fit.params.to_numpy()
    scores = complex_step_scores(function, point)
    counted = problem.freq_weights is not None and problem.groups is None
    weight = problem.freq_weights if counted else np.ones(len(scores))
    return fit, scores, weight, information_matrix(function, point, weight)


def assert_same_matrix(found, expected, rtol=1e-8):
    width = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found / np.outer(width, width), expected / np.outer(width, width),
                               atol=rtol, rtol=0)  # fmt: skip


class TestAgainstIndependentDensity:
    def test_observed_information(self, setting):
        fit, _, _, information = setting
        assert_same_matrix(np.asarray(fit.cov_params()), np.linalg.inv(information))

    def test_opg(self, setting):
        fit, scores, weight, _ = setting
        expected = np.linalg.inv((weight[:, None] * scores).T @ scores)
        found = fit.get_robustcov_results("opg").cov_params()
        assert_same_matrix(np.asarray(found), expected)

    @pytest.mark.parametrize("kind", ["HC0", "HC1"])
    def test_sandwich(self, setting, kind):
        fit, scores, weight, information = setting
        bread = np.linalg.inv(information)
        expected = bread @ ((weight[:, None] * scores).T @ scores) @ bread
        if kind == "HC1":
            nobs = weight.sum()
            expected *= nobs / (nobs - len(bread))
        assert_same_matrix(np.asarray(fit.get_robustcov_results(kind).cov_params()), expected)

    def test_cluster(self, setting):
        fit, scores, weight, information = setting
        groups = fit.model.group_codes
        rows = DATA["cluster"].to_numpy() if groups is None else DATA["id"].to_numpy() // 4
        units = rows if groups is None else pd.Series(rows).groupby(groups).first().to_numpy()
        sums = np.array([(weight[:, None] * scores)[units == g].sum(0) for g in np.unique(units)])
        bread = np.linalg.inv(information)
        count = len(sums)
        expected = count / (count - 1) * bread @ (sums.T @ sums) @ bread
        robust = fit.get_robustcov_results("cluster", groups=rows)
        assert_same_matrix(np.asarray(robust.cov_params()), expected)
        assert f"G = {count}" in robust.cov_kwds["description"]


def test_sampling_weights_multiply_the_scores():
    weight = DATA["w"].to_numpy()
    fit = smmix.MixtureOLS(DATA["y"], X, k=2, prob_weights=weight).fit(n_starts=10)
    assert fit.cov_type == "HC0"
    problem = PROBLEMS["plain"]
    function = unit_log_likelihood(problem, list(fit.params.index))
    point = fit.params.to_numpy()
    scores = weight[:, None] * complex_step_scores(function, point)
    bread = np.linalg.inv(information_matrix(function, point, weight))
    assert_same_matrix(np.asarray(fit.cov_params()), bread @ scores.T @ scores @ bread)


@pytest.fixture(scope="module")
def pair():
    fit = smmix.from_formula("y ~ x1 + x2", DATA, k=1).fit()
    return fit, smf.ols("y ~ x1 + x2", DATA).fit()


class TestOneComponentIsLeastSquares:
    def coefficients(self, fit):
        return np.asarray(fit.bse)[:3]

    def test_nonrobust(self, pair):
        fit, ols = pair
        expected = ols.bse * np.sqrt(ols.df_resid / ols.nobs)
        np.testing.assert_allclose(self.coefficients(fit), expected, rtol=1e-10)

    def test_hc0(self, pair):
        fit, ols = pair
        found = self.coefficients(fit.get_robustcov_results("HC0"))
        np.testing.assert_allclose(found, ols.get_robustcov_results("HC0").bse, rtol=1e-10)

    def test_hc1_counts_sigma_too(self, pair):
        fit, ols = pair
        found = self.coefficients(fit.get_robustcov_results("HC1"))
        ratio = np.sqrt((ols.nobs - 3) / (ols.nobs - 4))
        expected = ratio * ols.get_robustcov_results("HC1").bse
        np.testing.assert_allclose(found, expected, rtol=1e-10)

    @pytest.mark.parametrize("correct", [False, True])
    def test_cluster(self, pair, correct):
        fit, ols = pair
        robust = fit.get_robustcov_results("cluster", groups="cluster", use_correction=correct)
        plain = ols.get_robustcov_results("cluster", groups=DATA["cluster"], use_correction=False)
        expected = plain.bse * (np.sqrt(8 / 7) if correct else 1.0)
        np.testing.assert_allclose(self.coefficients(robust), expected, rtol=1e-10)

    def test_frequency_weights_are_repeated_rows(self):
        fit = smmix.from_formula("y ~ x1 + x2", DATA, k=1, freq_weights="w").fit()
        repeated = DATA.loc[DATA.index.repeat(DATA["w"].astype(int))]
        ols = smf.ols("y ~ x1 + x2", repeated).fit().get_robustcov_results("HC0")
        found = self.coefficients(fit.get_robustcov_results("HC0"))
        np.testing.assert_allclose(found, ols.bse, rtol=1e-10)


class TestRestrictions:
    """An equality imposed afterwards is the same model as one that is built in."""

    @pytest.mark.parametrize("kind", ["nonrobust", "HC0", "HC1", "opg"])
    @pytest.mark.parametrize(
        ("built_in", "constraint", "names"),
        [
            ({"variance": "equal"}, "sigma[0] = sigma[1]", ("sigma", "sigma[1]")),
            ({"common": ["x2"]}, "x2[0] = x2[1]", ("x2", "x2[0]")),
        ],
    )
    def test_same_errors(self, kind, built_in, constraint, names):
        model = smmix.from_formula("y ~ x1 + x2", DATA, k=2, **built_in)
        one = model.fit(n_starts=10, cov_type=kind)
        two = smmix.from_formula("y ~ x1 + x2", DATA, k=2).fit_constrained(
            constraint, n_starts=10, cov_type=kind
        )
        assert two.llf == pytest.approx(one.llf, rel=1e-10)
        assert two.bse[names[1]] == pytest.approx(one.bse[names[0]], rel=1e-6)
        shared = [name for name in one.params.index if name in two.params.index]
        np.testing.assert_allclose(one.bse[shared], two.bse[shared], rtol=1e-6)
        assert np.linalg.matrix_rank(two.cov_params()) == len(two.params) - 1


@pytest.mark.parametrize("name", PLAIN + EXTENDED)
class TestReference:
    """Natural-scale tables and numDeriv's errors of the independent R program."""

    def test_sigmas(self, name):
        fit, case = default_fit(name), load_case(name)
        table = fit.sigmas()
        for c, component in enumerate(case.optimum["components"][i] for i in case.order):
            sigma = component.get("sigma") or case.optimum["sigma"]
            error = component.get("sigma_se") or case.optimum["sigma_se"]
            assert table.loc[c, "sigma"] == pytest.approx(sigma, rel=1e-6)
            assert table.loc[c, "std_err"] == pytest.approx(error, rel=1e-5)
            factor = np.exp(1.959963984540054 * error / sigma)
            assert table.loc[c, "ci_upper"] == pytest.approx(sigma * factor, rel=1e-5)
            assert table.loc[c, "ci_lower"] == pytest.approx(sigma / factor, rel=1e-5)

    def test_proportions(self, name):
        fit, case = default_fit(name), load_case(name)
        table = fit.proportions()
        for c, component in enumerate(case.optimum["components"][i] for i in case.order):
            weight, error = component["weight"], component.get("weight_se")
            assert table.loc[c, "weight"] == pytest.approx(weight, rel=1e-6)
            if error is None or fit.k == 1:
                continue
            assert table.loc[c, "std_err"] == pytest.approx(error, rel=1e-5)
            logit, width = np.log(weight / (1 - weight)), error / (weight * (1 - weight))
            ends = 1 / (1 + np.exp(-logit - np.array([-1, 1]) * 1.959963984540054 * width))
            np.testing.assert_allclose(table.loc[c, ["ci_lower", "ci_upper"]], ends, rtol=1e-5)

    def test_numderiv(self, name):
        fit, case = default_fit(name), load_case(name)
        given = case.optimum["params"]
        place = {int(old): new for new, old in enumerate(case.order)}
        for old, error in zip(given["names"], given["se_numDeriv"], strict=True):
            head, _, term = old.partition(".")
            if head[0] == "c" and head[1:].isdigit():
                found = fit.bse[f"{term}[{place[int(head[1:]) - 1]}]"]
                assert found == pytest.approx(error, rel=2e-5)


@pytest.mark.parametrize("name", ["concomitant", "plain", "three"])
def test_proportions_by_numerical_delta_method(name):
    problem = PROBLEMS[name]
    fit = problem.model().fit(n_starts=10)
    names = list(fit.params.index)

    def shares(vector):
        prior = problem._log_prior(dict(zip(names, vector, strict=True)))
        return np.exp(prior).mean(axis=0)

    delta = NonlinearDeltaCov(shares, fit.params.to_numpy(), np.asarray(fit.cov_params()))
    table = fit.proportions()
    np.testing.assert_allclose(table["weight"], shares(fit.params.to_numpy()), rtol=1e-12)
    np.testing.assert_allclose(table["std_err"], delta.se_vectorized(), rtol=1e-6)


@pytest.fixture(scope="module")
def two_lines():
    return smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)


class TestRefusals:
    @pytest.mark.parametrize("kind", ["eim", "HC2", "HC3", "HAC", "hac-panel", "cluster-jk", None])
    def test_other_types(self, two_lines, kind):
        with pytest.raises(smmix.SmmixError, match=rf"{kind}.*not available.*'nonrobust'"):
            two_lines.get_robustcov_results(kind)

    def test_eim_says_why(self, two_lines):
        with pytest.raises(smmix.SmmixError, match="no closed form"):
            two_lines.get_robustcov_results("eim")

    def test_unknown_option(self, two_lines):
        with pytest.raises(smmix.SmmixError, match=r"maxlags.*means nothing"):
            two_lines.get_robustcov_results("HC0", maxlags=3)

    def test_type_is_refused_before_the_fit(self):
        with pytest.raises(smmix.SmmixError, match="HC3"):
            smmix.from_formula("y ~ x1", DATA, k=2).fit(cov_type="HC3")

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            (None, "needs the clusters"),
            ("nowhere", "'nowhere' is not a column"),
            (np.zeros(160), "at least two clusters"),
            (np.arange(5), "one label for each of the 160 rows"),
            (np.r_[np.nan, np.arange(159.0)], "missing in row 0"),
        ],
    )
    def test_bad_clusters(self, two_lines, groups, message):
        with pytest.raises(smmix.SmmixError, match=message):
            two_lines.get_robustcov_results("cluster", groups=groups)

    def test_clusters_must_hold_whole_groups(self):
        two_lines = smmix.from_formula("y ~ x1", DATA, k=2, groups="id").fit(n_starts=10)
        with pytest.raises(smmix.SmmixError, match="whole groups"):
            two_lines.get_robustcov_results("cluster", groups=np.arange(160))

    @pytest.mark.parametrize("alpha", [0, 1, 1.5, "a", None])
    def test_alpha(self, two_lines, alpha):
        with pytest.raises(smmix.SmmixError, match="alpha"):
            two_lines.sigmas(alpha=alpha)


@pytest.fixture(scope="module")
def cluster_errors():
    kept = DATA.drop(index=[3, 77])
    fit = smmix.from_formula("y ~ x1", kept, k=2).fit(n_starts=10)
    return np.asarray(fit.get_robustcov_results("cluster", groups=kept["cluster"]).bse)


class TestClusterLabels:
    """Text, integers, a column, a shuffled Series and labels of all rows mean the same."""

    @pytest.mark.parametrize("kind", ["column", "series", "array", "text", "used"])
    def test_same(self, cluster_errors, kind):
        data = DATA.copy()
        data.loc[[3, 77], "x1"] = np.nan
        fit = smmix.from_formula("y ~ x1", data, k=2).fit(n_starts=10)
        groups = {
            "column": "cluster",
            "series": data["cluster"].sample(frac=1.0, random_state=1),
            "array": data["cluster"].to_numpy(),
            "text": data["cluster"].map(lambda c: f"c{c}").tolist(),
            "used": data["cluster"].drop(index=[3, 77]).to_numpy(),
        }[kind]
        found = fit.get_robustcov_results("cluster", groups=groups).bse
        np.testing.assert_allclose(found, cluster_errors, rtol=1e-7)

    def test_repeated_labels_are_those_of_the_data_or_refused(self, cluster_errors):
        data = DATA.set_axis(DATA.index // 2)
        data.iloc[[3, 77], data.columns.get_loc("x1")] = np.nan
        fit = smmix.from_formula("y ~ x1", data, k=2).fit(n_starts=10)
        found = fit.get_robustcov_results("cluster", groups=data["cluster"]).bse
        np.testing.assert_allclose(found, cluster_errors, rtol=1e-7)
        with pytest.raises(smmix.SmmixError, match="repeated labels"):
            fit.get_robustcov_results("cluster", groups=data["cluster"][::-1])

    def test_labels_of_other_rows_are_refused(self, two_lines):
        other = DATA["cluster"].set_axis(DATA.index + 1)
        with pytest.raises(smmix.SmmixError, match="lacks the label 0 of the data"):
            two_lines.get_robustcov_results("cluster", groups=other)


class TestWithoutCovariance:
    def test_singular_information_warns(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        info = fit.info._replace(hessian=np.zeros_like(fit.info.hessian))
        flat = fit.directions._replace(info=info)
        here = Estimate(fit.model.specification, fit.model.observed, fit.params.to_numpy(), flat)
        with pytest.warns(HessianInversionWarning, match="not positive definite"):
            found = covariance(here, "nonrobust")
        assert found.matrix is None

    def test_scale_of_a_column_does_not_matter(self):
        data = DATA.assign(x1=DATA["x1"] * 1e9)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit = smmix.from_formula("y ~ x1", data, k=2).fit(n_starts=10)
        one = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        np.testing.assert_allclose(fit.tvalues, one.tvalues, rtol=1e-6)


class TestBootstrapCovariance:
    names = ("a", "b")

    def test_is_the_covariance_of_the_replicates(self):
        values = np.random.default_rng(1).normal(size=(50, 2))
        frame = pd.DataFrame(values, columns=["a", "b"])[["b", "a"]]
        matrix, note = bootstrap_covariance(frame, ["a", "b"])
        deviations = values - values.mean(axis=0)
        np.testing.assert_allclose(matrix, deviations.T @ deviations / 49, rtol=1e-12)
        assert "B = 50" in note

    @pytest.mark.parametrize(
        ("replicates", "message"),
        [
            ([[1.0, 2.0]], "at least two"),
            ([[1.0], [2.0]], "2 columns"),
            ([[1.0, 2.0], [np.nan, 1.0]], "replicate 1 is not finite"),
            (pd.DataFrame({"a": [1.0, 2.0]}), "no column 'b'"),
        ],
    )
    def test_refusals(self, replicates, message):
        with pytest.raises(smmix.SmmixError, match=message):
            bootstrap_covariance(replicates, ["a", "b"])

    def test_replicates_are_those_of_the_fit_however_they_are_given(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        boot = fit.bootstrap(9, "rows", rng=4)
        expected = np.cov(boot.params, rowvar=False)
        options = {"n_boot": 9, "kind": "rows", "rng": 4}
        found = [
            fit.get_robustcov_results("bootstrap", replicates=boot),
            fit.get_robustcov_results("bootstrap", replicates=boot.params),
            fit.get_robustcov_results("bootstrap", **options),
            fit.model.fit(n_starts=10, cov_type="bootstrap", cov_kwds=options),
        ]
        for results in found:
            np.testing.assert_allclose(results.cov_params(), expected, rtol=1e-9)
            assert "B = 9" in str(results.summary())

    def test_replicates_of_another_fit_are_refused(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        other = smmix.from_formula("y ~ x2", DATA, k=2).fit(n_starts=10)
        boot = fit.bootstrap(3)
        with pytest.raises(smmix.SmmixError, match="of another fit"):
            other.get_robustcov_results("bootstrap", replicates=boot)
        with pytest.raises(smmix.SmmixError, match="bootstrap it by itself"):
            fit.get_robustcov_results("bootstrap", replicates=boot).mode(0)

    @pytest.mark.parametrize(
        ("cov_type", "options", "message"),
        [
            ("bootstrap", {"replicates": [[1.0] * 9] * 3, "n_boot": 9}, "n_boot.*means nothing"),
            ("bootstrap", {"replicates": "boot"}, "not str"),
            ("bootstrap", {"size": 9}, "size.*means nothing"),
            ("bootstrap", {"n_boot": 1}, "at least 2"),
            ("HC0", ["groups"], "must be a dict"),
            (["HC0"], None, "not available"),
        ],
    )
    def test_options_that_make_no_sense(self, cov_type, options, message):
        model = smmix.from_formula("y ~ x1", DATA, k=2)
        with pytest.raises(smmix.SmmixError, match=message):
            model.fit(n_starts=2, cov_type=cov_type, cov_kwds=options)

    def test_replicates_are_given_by_name(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10)
        with pytest.raises(smmix.SmmixError, match="by name, such as replicates=boot"):
            fit.get_robustcov_results("bootstrap", fit.bootstrap(3))


def test_sigmas_are_those_of_components_that_have_one():
    rng = np.random.default_rng(5)
    x = rng.normal(size=120)
    line = np.where(rng.random(120) < 0.45, 0.6 + 1.5 * x, 4.8 - 1.8 * x)
    frame = pd.DataFrame({"x": x, "y": line + 0.4 * rng.normal(size=120)})
    mixed = smmix.from_formula("y ~ x", frame, family=["laplace", "gaussian"]).fit(n_starts=5)
    table = mixed.sigmas()
    assert table.loc[0].isna().all()
    sigma, error = mixed.params["sigma[1]"], mixed.bse["sigma[1]"]
    reach = np.exp(stats.norm.isf(0.025) * error / sigma)
    expected = [sigma, error, sigma / reach, sigma * reach]
    np.testing.assert_allclose(table.loc[1], expected, rtol=1e-10)
    positive = frame.assign(y=np.exp(frame["y"] / 4))
    gamma = smmix.from_formula("y ~ x", positive, family="gamma").fit(n_starts=5)
    # A scale, or an alpha, is no sigma.
    with pytest.raises(SmmixError, match="have no sigma"):
        gamma.sigmas()
