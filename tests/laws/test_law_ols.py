"""Law: one component is ordinary least squares with the maximum likelihood sigma."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import smmix


@pytest.fixture(scope="module")
def engel():
    return sm.datasets.engel.load_pandas().data


@pytest.fixture(scope="module")
def longley():
    return sm.datasets.longley.load_pandas().data


def pair(formula, frame):
    return smmix.from_formula(formula, frame, k=1).fit(), smf.ols(formula, frame).fit()


@pytest.fixture(scope="module", params=["engel", "longley", "no_intercept"])
def fits(request, engel, longley):
    if request.param == "engel":
        return pair("foodexp ~ income", engel)
    if request.param == "longley":
        return pair("TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR", longley)
    return pair("foodexp ~ 0 + income", engel)


def coefficients(series, ols):
    return np.asarray(series)[: len(ols.params)]


def test_params(fits):
    ours, ols = fits
    # Longley's condition number is 5e9: two backward stable solvers agree to 1e-10 of the errors.
    gap = np.abs(coefficients(ours.params, ols) - ols.params)
    assert (gap <= 1e-10 * np.maximum(ols.bse, np.abs(ols.params))).all(), gap / ols.bse


def test_sigma(fits):
    ours, ols = fits
    assert ours.sigma[0] == pytest.approx(np.sqrt(ols.ssr / ols.nobs), rel=1e-10)


def test_llf(fits):
    ours, ols = fits
    assert ours.llf == pytest.approx(ols.llf, rel=1e-10)


def test_bse(fits):
    ours, ols = fits
    ml = np.sqrt(ols.df_resid / ols.nobs)
    np.testing.assert_allclose(coefficients(ours.bse, ols), ols.bse * ml, rtol=1e-9)


def test_sigma_bse(fits):
    ours, ols = fits
    assert ours.bse["sigma[0]"] == pytest.approx(ours.sigma[0] / np.sqrt(2 * ols.nobs), rel=1e-9)


def test_hc0(fits):
    ours, ols = fits
    robust = ours.get_robustcov_results(cov_type="HC0")
    np.testing.assert_allclose(coefficients(robust.bse, ols), ols.HC0_se, rtol=1e-8)


def test_fitted_values(fits):
    ours, ols = fits
    np.testing.assert_allclose(ours.fittedvalues, ols.fittedvalues, rtol=1e-9)


def test_frequency_weights_are_repeated_rows(engel):
    weights = np.arange(len(engel)) % 4
    ours = smmix.from_formula("foodexp ~ income", engel, k=1, freq_weights=weights).fit()
    ols = smf.ols("foodexp ~ income", engel.loc[engel.index.repeat(weights)]).fit()
    np.testing.assert_allclose(coefficients(ours.params, ols), ols.params, rtol=1e-10)
    assert ours.llf == pytest.approx(ols.llf, rel=1e-10)
    assert ours.nobs == ols.nobs


def test_arrays_in_the_manner_of_statsmodels(engel):
    exog = sm.add_constant(engel[["income"]])
    ours = smmix.MixtureOLS(engel["foodexp"], exog, k=1).fit()
    ols = sm.OLS(engel["foodexp"], exog).fit()
    assert list(ours.params.index) == ["const[0]", "income[0]", "sigma[0]"]
    np.testing.assert_allclose(coefficients(ours.params, ols), ols.params, rtol=1e-10)


def test_cluster_errors_equal_those_of_ols(engel):
    groups = np.arange(len(engel)) // 5
    ours = smmix.from_formula("foodexp ~ income", engel, k=1).fit()
    robust = ours.get_robustcov_results(cov_type="cluster", groups=groups)
    ols = smf.ols("foodexp ~ income", engel).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    n_groups = len(np.unique(groups))
    expected = ols.bse * np.sqrt(n_groups / (n_groups - 1))
    np.testing.assert_allclose(coefficients(robust.bse, ols), expected, rtol=1e-8)


def test_equal_variance_changes_nothing(engel):
    free = smmix.from_formula("foodexp ~ income", engel, k=1).fit()
    equal = smmix.from_formula("foodexp ~ income", engel, k=1, variance="equal").fit()
    assert equal.llf == pytest.approx(free.llf, rel=1e-14)
    assert isinstance(equal.params, pd.Series)
    assert equal.params.index[-1] == "sigma"
