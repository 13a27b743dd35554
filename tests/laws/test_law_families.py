"""Every family of the registry through every public method: a new one is tested by existing."""

import pickle
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from laws.families_data import data_for, family_named, names

import smmix

WHICH = ("mean", "components", "linear", "variance", "prob", "posterior", "label", "cdf")
FITS: dict = {}


def fit_of(name):
    """The fit of a family, made once for the tests of this file."""
    if name not in FITS:
        data, options = data_for(name)
        with warnings.catch_warnings():
            # Small data: a parameter may have its maximum at the end of its range.
            warnings.simplefilter("ignore")
            model = smmix.from_formula("y ~ x", data, k=2, family=family_named(name), **options)
            FITS[name] = model.fit(n_starts=20), data, options
    return FITS[name]


pytestmark = pytest.mark.parametrize("name", names())


def test_tables_and_criteria_are_numbers(name):
    results, _, _ = fit_of(name)
    assert np.isfinite(results.llf)
    assert results.params.notna().all()
    for text in (results.summary().as_text(), results.summary().as_latex()):
        assert "nan" not in text
    assert np.isfinite(results.info_criteria()[["aic", "bic", "icl", "hqic"]]).all()
    assert results.posterior.sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert [view.params.notna().all() for view in results.components] == [True, True]
    assert list(results.nuisance.columns) == [0, 1]


def test_predictions_of_the_rows_of_the_fit_are_those_of_the_fit(name):
    results, data, _ = fit_of(name)
    for which in WHICH:
        own, new = results.predict(which=which), results.predict(data, which=which)
        np.testing.assert_allclose(new, own, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        results.predict(data, which="posterior"), results.posterior, rtol=1e-6, atol=1e-9
    )


def test_quantiles_invert_the_distribution_function(name):
    results, data, _ = fit_of(name)
    rows = data.drop(columns=["y", "ended"], errors="ignore")
    for q in (0.1, 0.5, 0.9):
        value = results.predict(rows, which="quantile", q=q).to_numpy()
        at = results.predict(rows, which="cdf", endog=value).to_numpy()
        assert (at >= q - 1e-9).all()
        # Of levels it is the one below that is not enough.
        levels = name == "ordered"
        some = value > 0 if levels else np.full(value.shape, True)
        under = value - 1 if levels else value - 1e-6 * (1 + np.abs(value))
        below = results.predict(rows[some], which="cdf", endog=under[some])
        assert (below.to_numpy() <= q + 1e-9).all()


def test_draws_have_the_mean_and_variance_of_the_fit(name):
    results, data, _ = fit_of(name)
    row = data.iloc[[3]]
    many = (
        row.loc[row.index.repeat(20000)]
        .reset_index(drop=True)
        .drop(columns=["id"], errors="ignore")
    )
    drawn = results.simulate(many, rng=1)["y"].to_numpy(dtype=float)
    clean = row.drop(columns=["ended"], errors="ignore")
    mean = float(np.asarray(results.predict(clean))[0])
    variance = float(np.asarray(results.predict(clean, which="variance"))[0])
    if not np.isfinite(variance):
        return
    assert drawn.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / drawn.size))
    spread = np.sqrt(np.var((drawn - mean) ** 2) / drawn.size)
    assert drawn.var() == pytest.approx(variance, abs=6 * spread + 1e-12)


def test_quantile_residuals_of_the_model_are_standard_normal(name):
    results, _, _ = fit_of(name)
    residuals = results.quantile_residuals.to_numpy()
    assert np.isfinite(residuals).all()
    assert abs(residuals.mean()) < 5 / np.sqrt(residuals.size)
    assert 0.6 < residuals.std() < 1.4


def test_a_fit_from_json_and_from_pickle_predicts_identically(name):
    results, data, _ = fit_of(name)
    read = smmix.read_json(results.to_json())
    np.testing.assert_array_equal(read.predict(data), results.predict(data))
    np.testing.assert_array_equal(
        read.predict(data, which="posterior"), results.predict(data, which="posterior")
    )
    loaded = pickle.loads(pickle.dumps(results))
    np.testing.assert_array_equal(loaded.predict(data), results.predict(data))
    assert loaded.model.specification.family == results.model.specification.family


def test_inference_answers_or_says_why_not(name):
    results, data, _ = fit_of(name)
    lost = {entry.parameter for entry in results.boundary}
    if not lost:
        assert np.isfinite(results.t_test("x[0] = x[1]").pvalue).all()
        assert results.wald_test("x[0] = x[1] = 0").df_denom == 2
        assert np.isfinite(results.margins()["dy/dx"]).all()
    frame = results.get_prediction(data.head(4)).summary_frame()
    assert (frame["obs_ci_lower"] <= frame["obs_ci_upper"]).all()
    apart = results.get_prediction(data.head(4), which="components").summary_frame()
    np.testing.assert_allclose(
        apart.xs("mean", axis=1, level=1), results.predict(data.head(4), which="components")
    )
    for kind in ("HC0", "opg"):
        own = results.get_robustcov_results(kind).bse
        assert own.drop(list(lost)).notna().all()
    assert len(results.wald_test_terms().table) >= 1 if not lost else True


def test_pictures_are_drawn(name):
    results, _, _ = fit_of(name)
    for plot in ("plot_fit", "plot_posterior", "plot_coef", "plot_starts", "plot_residuals"):
        getattr(results, plot)()
        plt.close("all")


def test_one_component_has_the_highest_single_likelihood(name):
    results, data, options = fit_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = smmix.from_formula("y ~ x", data, k=1, family=family_named(name), **options).fit()
    assert one.llf < results.llf
    assert results.fitted.llf_single == pytest.approx(one.llf, rel=1e-7)


def test_a_weight_of_two_is_the_row_twice(name):
    _, data, options = fit_of(name)
    if "groups" in options:
        pytest.skip("the rows of a group go together")
    weighted = data.assign(w=np.where(np.arange(len(data)) % 3 == 0, 2, 1))
    twice = data.loc[data.index.repeat(weighted["w"])]
    given = {"family": family_named(name), **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = smmix.from_formula("y ~ x", weighted, k=1, freq_weights="w", **given).fit()
        two = smmix.from_formula("y ~ x", twice, k=1, **given).fit()
    assert one.llf == pytest.approx(two.llf, rel=1e-9)
    kept = one.params.index.difference([entry.parameter for entry in one.boundary])
    np.testing.assert_allclose(one.params[kept], two.params[kept], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_replicates_and_tests_of_k(name):
    results, _, _ = fit_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boot = results.bootstrap(4, rng=0)
        assert boot.params.shape == (4, len(results.params))
        test = smmix.bootstrap_lrt(results, n_boot=3, rng=0)
    assert 0.0 < test.pvalue <= 1.0
