"""MixtureResults: labels, tables, rows, the search's record, and what statsmodels expects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import engel, engel_fit, everything_fit, everything_model, panel
from helpers_reference import load_frame
from scipy import stats
from statsmodels.base.model import GenericLikelihoodModelResults
from statsmodels.iolib.summary2 import summary_col
from statsmodels.tools.sm_exceptions import ConvergenceWarning, HessianInversionWarning

import smmix
from smmix import DegenerateComponentWarning, MixtureResults, SmmixError, from_formula


@pytest.fixture
def fit():
    return engel_fit()


@pytest.fixture(scope="module")
def one():
    """One component, and the regression that it must equal."""
    ours = from_formula("foodexp ~ income", engel(), k=1).fit()
    return ours, sm.OLS.from_formula("foodexp ~ income", engel()).fit()


def normal_density(fit):
    """Densities (n, k) of the components at the response, from scipy."""
    frame = engel()
    mean = fit.coef.loc["Intercept"].to_numpy() + np.outer(frame["income"], fit.coef.loc["income"])
    return stats.norm.pdf(frame["foodexp"].to_numpy()[:, None], mean, fit.sigma.to_numpy()), mean


class TestAsStatsmodelsResults:
    def test_types(self, fit):
        assert isinstance(fit, MixtureResults)
        assert isinstance(fit, GenericLikelihoodModelResults)

    def test_labels_of_parameters(self, fit):
        for name in ("params", "bse", "tvalues", "pvalues"):
            assert list(getattr(fit, name).index) == fit.model.param_names
        assert list(fit.conf_int().index) == fit.model.param_names
        assert list(fit.cov_params().columns) == fit.model.param_names
        assert list(fit.cov_params().index) == fit.model.param_names

    def test_covariance_of_contrasts_is_an_array(self, fit):
        contrast = np.eye(7)[:2]
        part = fit.cov_params(r_matrix=contrast)
        np.testing.assert_allclose(part, fit.cov_params().to_numpy()[:2, :2])
        assert fit.cov_params(column=1) == pytest.approx(fit.bse.iloc[1] ** 2)

    def test_standard_errors_invert_the_hessian(self, fit):
        covariance = np.linalg.inv(-fit.model.hessian(fit.params))
        np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(covariance)), rtol=1e-8)

    def test_wald_arithmetic(self, fit):
        np.testing.assert_allclose(fit.tvalues, fit.params / fit.bse)
        tested = ~fit.params.index.str.startswith("sigma")
        p = 2 * stats.norm.sf(np.abs(fit.tvalues))
        np.testing.assert_allclose(fit.pvalues[tested], p[tested])
        reach = stats.norm.ppf(0.95)
        np.testing.assert_allclose(fit.conf_int(0.1)[1], fit.params + reach * fit.bse)

    def test_sigma_has_no_p_value(self, fit):
        assert fit.pvalues[["sigma[0]", "sigma[1]"]].isna().all()
        assert fit.pvalues.drop(["sigma[0]", "sigma[1]"]).notna().all()

    def test_use_t(self):
        fit = engel_fit(use_t=True)
        p = 2 * stats.t.sf(np.abs(fit.tvalues), fit.df_resid)
        np.testing.assert_allclose(fit.pvalues["income[0]"], p[1])

    def test_arithmetic_of_the_header(self, fit):
        assert fit.llf == pytest.approx(fit.model.loglike(fit.params), rel=1e-14)
        assert fit.aic == pytest.approx(-2 * fit.llf + 2 * 7)
        assert fit.bic == pytest.approx(-2 * fit.llf + np.log(235) * 7)
        assert (fit.nobs, fit.df_model, fit.df_resid) == (235, 2, 228)
        assert fit.df_modelwc == 7
        assert fit.k == 2
        assert fit.mle_retvals["converged"] is True

    def test_tests_by_name(self, fit):
        test = fit.t_test("income[0] = income[1]")
        difference = fit.params["income[0]"] - fit.params["income[1]"]
        covariance = fit.cov_params()
        variance = (
            covariance.loc["income[0]", "income[0]"]
            + covariance.loc["income[1]", "income[1]"]
            - 2 * covariance.loc["income[0]", "income[1]"]
        )
        assert test.effect.item() == pytest.approx(difference)
        assert test.sd.item() == pytest.approx(np.sqrt(variance))
        wald = fit.wald_test("income[0] = income[1]")
        assert wald.statistic == pytest.approx(difference**2 / variance)
        assert fit.f_test("income[0] = income[1]").fvalue == pytest.approx(wald.statistic)

    @pytest.mark.parametrize(
        ("hypothesis", "df"),
        [
            ("income[0] = income[1] = 0", 2),
            ("income[0] = 0, Intercept[1] = 5", 2),
            ("sigma[0] = 2 * sigma[1]", 1),
            (["income[0] = 0", "income[1] = 0", "mixing.Intercept[1] = 0"], 3),
            (np.eye(7)[:4], 4),
            ((np.eye(7)[:1], [0.5]), 1),
        ],
    )
    def test_hypotheses(self, fit, hypothesis, df):
        assert fit.wald_test(hypothesis).df_denom == df
        assert len(np.atleast_1d(fit.t_test(hypothesis).effect)) == df

    def test_any_formula_engine(self, fit):
        options = getattr(pytest.importorskip("statsmodels.formula"), "options", None)
        if options is None:
            pytest.skip("this statsmodels has one engine only")
        before = options.formula_engine
        options.formula_engine = "formulaic"
        try:
            assert fit.wald_test("income[0] = income[1] = 0").df_denom == 2
            assert fit.predict({"income": [500.0]}).shape == (1,)
        finally:
            options.formula_engine = before

    def test_unknown_parameter(self, fit):
        with pytest.raises(SmmixError, match="incme"):
            fit.t_test("incme[0] = 0")

    @pytest.mark.parametrize(
        "name",
        ["I(income ** 2)", "np.log(income)", "Q('my var')", "C(g)[T.b]", "bs(income, df=4)[0]"],
    )
    def test_spellings_of_terms(self, name):
        frame = engel().assign(g=list("abcde") * 47)
        frame["my var"] = np.sqrt(frame["income"])
        term = name.removesuffix("[T.b]").removesuffix("[0]")
        model = from_formula(f"foodexp ~ {term}", frame)
        fit = model.fit(n_starts=10)
        assert fit.t_test(f"{name}[0] = {name}[1]").effect.item() == pytest.approx(
            fit.params[f"{name}[0]"] - fit.params[f"{name}[1]"]
        )

    def test_components_in_a_table_beside_ols(self, fit, one):
        table = summary_col([*fit.components, one[1]], stars=True).tables[0]
        assert table.loc["income"].ne("").all()
        assert "*" not in "".join(table.loc["sigma"])

    def test_what_has_no_meaning_says_what_to_use(self, fit):
        with pytest.raises(NotImplementedError, match="pairwise"):
            fit.t_test_pairwise("income")
        with pytest.raises(NotImplementedError, match="bootstrap"):
            fit.get_nlfun(np.exp)

    def test_covariances_of_the_base_class(self, fit):
        scores = fit.model.score_obs(fit.params)
        np.testing.assert_allclose(fit.covjac, np.linalg.inv(scores.T @ scores), rtol=1e-8)
        bread = np.linalg.inv(fit.model.hessian(fit.params))
        np.testing.assert_allclose(fit.covjhj, bread @ scores.T @ scores @ bread, rtol=1e-8)
        np.testing.assert_allclose(fit.bsejac, np.sqrt(np.diag(fit.covjac)))


class TestOneComponent:
    def test_equals_ols(self, one):
        ours, ols = one
        np.testing.assert_allclose(ours.coef[0], ols.params, rtol=1e-10)
        assert ours.llf == pytest.approx(ols.llf, rel=1e-12)
        assert ours.sigma[0] == pytest.approx(np.sqrt(ols.ssr / 235), rel=1e-12)
        np.testing.assert_allclose(ours.bse[:2], ols.bse * np.sqrt(233 / 235), rtol=1e-9)
        np.testing.assert_allclose(ours.fittedvalues, ols.fittedvalues, rtol=1e-10)
        np.testing.assert_allclose(ours.resid, ols.resid, atol=1e-7)

    def test_everything_works(self, one):
        ours, _ = one
        assert ours.mixing_weights.tolist() == [1.0]
        assert (ours.posterior == 1.0).all(axis=None)
        assert (ours.labels == 0).all()
        assert ours.entropy == 0.0
        assert np.isnan(ours.entropy_r2)
        assert ours.nec == 1.0
        assert ours.icl == pytest.approx(ours.bic)
        assert len(ours.starts) == 1
        assert ours.components[0].nobs == pytest.approx(235)
        assert ours.mode(0).llf == ours.llf
        assert "Component 0" in str(ours.summary())
        assert ours.classification_table()["assigned_n"].tolist() == [235]


class TestTables:
    def test_coef_sigma_weights(self, fit):
        for c in range(2):
            assert fit.coef.loc["income", c] == fit.params[f"income[{c}]"]
            assert fit.sigma[c] == fit.params[f"sigma[{c}]"]
        logit = fit.params["mixing.Intercept[1]"]
        assert fit.mixing_weights[1] == pytest.approx(1 / (1 + np.exp(-logit)))
        assert fit.mixing_weights.is_monotonic_decreasing

    def test_shared_parameters_appear_in_every_component(self):
        fit = everything_fit()
        assert fit.sigma.tolist() == [fit.params["sigma"]] * 2
        assert fit.coef.loc["x2"].tolist() == [fit.params["x2"]] * 2
        for view in fit.components:
            assert list(view.params.index) == ["Intercept", "x1", "x2", "sigma"]
            assert view.params["x2"] == fit.params["x2"]

    def test_mixing_weights_average_the_prior_over_units(self):
        fit = everything_fit()
        first = panel().drop_duplicates("id")
        logit = fit.params["mixing.Intercept[1]"] + fit.params["mixing.z[1]"] * first["z"]
        expected = np.average(1 / (1 + np.exp(-logit)), weights=first["w"])
        assert fit.mixing_weights[1] == pytest.approx(expected, rel=1e-12)

    def test_components(self, fit):
        view = fit.components[1]
        assert list(view.params.index) == ["Intercept", "income", "sigma"]
        assert view.bse["income"] == fit.bse["income[1]"]
        assert view.tvalues["income"] == fit.tvalues["income[1]"]
        assert np.isnan(view.pvalues["sigma"])
        assert view.conf_int(0.1).loc["income"].tolist() == (
            fit.conf_int(0.1).loc["income[1]"].tolist()
        )
        assert view.nobs == pytest.approx(fit.posterior[1].sum())
        assert sum(v.nobs for v in fit.components) == pytest.approx(fit.nobs)

    def test_html_in_a_notebook(self, fit):
        assert fit._repr_html_().lstrip().startswith("<table")


class TestRows:
    def test_posterior_is_bayes_rule(self, fit):
        density, _ = normal_density(fit)
        joint = density * fit.mixing_weights.to_numpy()
        np.testing.assert_allclose(
            fit.posterior, joint / joint.sum(axis=1, keepdims=True), rtol=1e-9, atol=1e-15
        )
        assert fit.llf == pytest.approx(np.log(joint.sum(axis=1)).sum(), rel=1e-12)

    def test_labels(self, fit):
        assert fit.labels.tolist() == fit.posterior.idxmax(axis=1).tolist()
        assert fit.labels.dtype == np.int64

    def test_fitted_values(self, fit):
        _, mean = normal_density(fit)
        expected = mean @ fit.mixing_weights.to_numpy()
        np.testing.assert_allclose(fit.fittedvalues, expected, rtol=1e-12)
        np.testing.assert_allclose(fit.resid, engel()["foodexp"] - expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(
            fit.resid_component, engel()["foodexp"].to_numpy()[:, None] - mean, rtol=1e-9, atol=1e-9
        )

    def test_index_is_that_of_the_rows_used(self):
        frame = engel().copy()
        frame.index = [f"h{i}" for i in range(235)]
        frame.loc["h7", "income"] = np.nan
        fit = from_formula("foodexp ~ income", frame).fit()
        expected = frame.index.drop("h7")
        for rows in (fit.posterior, fit.labels, fit.fittedvalues, fit.resid, fit.resid_component):
            pd.testing.assert_index_equal(rows.index, expected)
        assert "1 row with missing values left out" in str(fit.summary())

    def test_rows_of_a_group_share_their_posterior(self):
        fit = everything_fit()
        spread = fit.posterior.groupby(panel()["id"]).nunique()
        assert (spread == 1).all(axis=None)
        pd.testing.assert_index_equal(fit.posterior.index, panel().index)
        np.testing.assert_allclose(fit.posterior.sum(axis=1), 1.0, rtol=1e-14)


class TestTheSearch:
    def test_modes_are_listed_best_first(self):
        fit = engel_fit(3)
        starts = fit.starts
        assert list(starts.columns) == [
            "llf", "hits", "min_weight", "sigma_ratio", "degenerate", "reason", "selected",
        ]  # fmt: skip
        assert starts["llf"].is_monotonic_decreasing
        assert starts["selected"].sum() == 1
        assert starts.loc[starts["selected"], "llf"].item() == pytest.approx(fit.llf, abs=1e-7)
        sound = starts[~starts["degenerate"]]
        assert sound.index[0] == starts.index[starts["selected"]].item()

    def test_every_mode_opens(self):
        fit = engel_fit(3)
        for i, row in fit.starts.iterrows():
            if row["degenerate"]:
                continue
            rival = fit.mode(i)
            # One far behind has been left a little below its maximum, to which it is opened.
            close = 1e-7 if row["llf"] > fit.llf - 5.0 else 1e-3
            assert rival.llf == pytest.approx(row["llf"], abs=close)
            assert rival.starts.loc[i, "selected"]
            row = rival.starts.loc[i]
            assert rival.mixing_weights.min() == pytest.approx(row["min_weight"], rel=1e-6)
            assert rival.sigma.min() / rival.sigma.max() == pytest.approx(row["sigma_ratio"])
            assert np.abs(rival.model.score(rival.params) * rival.bse).max() < 1e-5

    def test_sound_modes_far_behind_are_maxima_when_opened(self):
        """The search leaves them a little below: their score is zero after they are opened."""
        fit = smmix.from_formula("tuned ~ stretchratio", load_frame("tonedata.csv"), k=3).fit()
        sound = fit.starts.index[~fit.starts["degenerate"]]
        assert fit.llf - fit.starts["llf"][sound[-1]] > 50
        for i in sound:
            rival = fit.mode(i)
            assert rival.converged
            assert rival.llf == pytest.approx(fit.starts["llf"][i], abs=1e-5)
            assert np.abs(rival.model.score(rival.params)).max() / rival.nobs < 1e-6

    @pytest.mark.parametrize("i", [-1, 99, 1.5, True, "0"])
    def test_there_is_no_such_mode(self, fit, i):
        with pytest.raises(SmmixError, match="no mode"):
            fit.mode(i)

    def test_history_ends_at_the_fit(self, fit):
        history = fit.history
        assert list(history.columns) == ["phase", "llf", "score"]
        assert history.index.name == "iteration"
        assert history["llf"].iloc[-1] == pytest.approx(fit.llf, abs=1e-8)
        assert history["score"].iloc[-1] == fit.score_norm

    def test_how_it_ended(self, fit):
        assert fit.converged is True
        assert fit.status == "converged"
        assert fit.n_iter > 0
        assert fit.n_passes >= fit.n_iter
        assert fit.score_norm <= 1e-8

    @pytest.mark.parametrize("i", [0, 1])
    def test_curvature_is_one_minus_the_rate_of_em(self, fit, i):
        """Dempster, Laird & Rubin (1977), theorem 4: errors shrink by the rate."""
        mode = fit.mode(i)
        with pytest.warns(ConvergenceWarning):
            em = fit.model.fit(
                start_params=mode.params * 1.001, method="em", maxiter=60, gtol=1e-15
            )
        score = em.history["score"].to_numpy()
        rate = (score[-1] / score[-11]) ** 0.1
        assert mode.curvature == pytest.approx(1.0 - rate, abs=2e-3)

    def test_score_norm_is_scale_free(self, fit):
        """Max |score| / n in units of sigma per standard deviation of the column."""
        frame = engel()
        spread = {"Intercept": 1.0, "income": frame["income"].std(ddof=0)}
        point = np.asarray(fit.params) * 1.01
        with pytest.warns(ConvergenceWarning):
            stopped = fit.model.fit(start_params=point, maxiter=1)
        score = pd.Series(stopped.model.score(stopped.params), stopped.params.index)
        units = []
        for c in range(2):
            sigma = stopped.sigma[c]
            units += [score[f"{t}[{c}]"] * sigma / s for t, s in spread.items()]
            units.append(score[f"sigma[{c}]"] * sigma)
        units.append(score["mixing.Intercept[1]"])
        assert stopped.score_norm == pytest.approx(np.abs(units).max() / 235, rel=1e-6)

    def test_only_degenerate_modes_are_told(self):
        x = np.arange(9.0)
        y = np.where(x < 6, 3 + 2 * x, np.random.default_rng(0).normal(0, 5, 9))
        model = from_formula("y ~ x", pd.DataFrame({"x": x, "y": y}))
        with (
            pytest.warns(HessianInversionWarning) as no_errors,
            pytest.warns(DegenerateComponentWarning, match="degenerate") as caught,
        ):
            fit = model.fit()
        assert fit.starts["degenerate"].all()
        assert np.isfinite(fit.llf)
        assert np.isfinite(fit.params).all()
        told = [w for w in caught if w.category is DegenerateComponentWarning]
        assert told[0].filename == __file__
        assert no_errors[0].filename == __file__
        assert fit.bse.isna().all()
        assert "no standard errors" in str(fit.summary())


class TestOtherCovariances:
    def test_a_new_object(self, fit):
        robust = fit.get_robustcov_results("HC0")
        assert robust.cov_type == "HC0"
        assert fit.cov_type == "nonrobust"
        np.testing.assert_array_equal(robust.params, fit.params)
        assert not np.allclose(robust.bse, fit.bse)

    def test_at_the_fit_or_afterwards(self, fit):
        at_fit = engel_fit(cov_type="HC1")
        later = fit.get_robustcov_results("HC1")
        np.testing.assert_array_equal(at_fit.bse, later.bse)

    def test_cluster_by_column_that_no_formula_names(self):
        frame = panel()
        fit = from_formula("y ~ x1", frame).fit(
            cov_type="cluster", cov_kwds={"groups": "id"}, use_t=True
        )
        n_groups = frame["id"].nunique()
        assert fit.df_resid_inference == n_groups - 1
        scores = pd.DataFrame(fit.model.score_obs(fit.params)).groupby(frame["id"].to_numpy()).sum()
        bread = np.linalg.inv(fit.model.hessian(fit.params))
        meat = scores.T @ scores * n_groups / (n_groups - 1)
        np.testing.assert_allclose(
            fit.bse, np.sqrt(np.diag(bread @ meat.to_numpy() @ bread)), rtol=1e-8
        )
        p = 2 * stats.t.sf(np.abs(fit.tvalues["x1[0]"]), n_groups - 1)
        assert fit.pvalues["x1[0]"] == pytest.approx(p)

    def test_modes_keep_the_covariance_type(self):
        fit = engel_fit(3, cov_type="HC0")
        sound = fit.starts.index[~fit.starts["degenerate"]]
        assert fit.mode(sound[-1]).cov_type == "HC0"

    def test_unknown_type(self, fit):
        with pytest.raises(SmmixError, match="HC2"):
            fit.get_robustcov_results("HC2")


def test_results_do_not_change_with_the_index():
    frame = engel()
    twice = frame.copy()
    twice.index = np.repeat(np.arange(118), 2)[:235]
    fit = from_formula("foodexp ~ income", twice).fit()
    np.testing.assert_array_equal(fit.params, engel_fit().params)
    pd.testing.assert_index_equal(fit.posterior.index, twice.index)


def test_summary_in_three_formats():
    summary = everything_fit().summary()
    assert "Mixing (base 0)" in str(summary)
    assert "<table" in summary.as_html()
    assert r"\begin{tabular}" in summary.as_latex()
    assert everything_model().endog_names == "y"


def test_simulated_data_recover_the_fit():
    fit = engel_fit()
    drawn = fit.simulate(nobs=20000, rng=1)
    again = from_formula("foodexp ~ income", drawn).fit()
    assert np.abs((again.params - fit.params) / again.bse).max() < 4
    np.testing.assert_array_equal(fit.simulate(rng=2), fit.simulate(rng=2))


def test_json_round_trip(tmp_path):
    fit, path = engel_fit(), tmp_path / "fit.json"
    assert fit.to_json(path) is None
    saved = smmix.read_json(path)
    rows = engel()[["income"]].head(4)
    np.testing.assert_allclose(saved.predict(rows), fit.predict(rows), rtol=1e-14)
    assert smmix.read_json(fit.to_json()).params.equals(saved.params)


def test_public_names():
    assert set(smmix.__all__) <= set(dir(smmix))
