"""The VLMR test and the distribution it refers to: published values, exact special cases."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_reference import load_case, load_frame
from scipy import special, stats

import smmix
from smmix import vlmr_test
from smmix.errors import SmmixError
from smmix.order_tests.imhof import inverted, weighted_chi2_sf
from smmix.order_tests.vlmr import vuong_weights


@pytest.fixture(scope="module")
def one():
    return smmix.from_formula("yn ~ x + I(x ** 2)", load_frame("NPreg.csv"), k=1).fit()


@pytest.fixture(scope="module")
def two():
    return smmix.from_formula("yn ~ x + I(x ** 2)", load_frame("NPreg.csv"), k=2).fit()


@pytest.fixture(scope="module")
def engel():
    return sm.datasets.engel.load_pandas().data


@pytest.mark.parametrize("df", [1, 2, 3, 7, 25])
@pytest.mark.parametrize("x", [0.05, 0.5, 2.0, 8.0, 40.0])
def test_inversion_gives_the_chi_squared_distribution(df, x):
    assert inverted(x, np.ones(df)) == pytest.approx(stats.chi2.sf(x, df), abs=1e-9)
    assert weighted_chi2_sf(3.0 * x, np.full(df, 3.0)) == stats.chi2.sf(3.0 * x / 3.0, df)


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.5), (1.0, 0.99), (2.5, 0.01)])
def test_two_pairs_of_equal_weights_are_a_sum_of_exponentials(a, b):
    for x in (0.1, 1.0, 5.0, 30.0):
        expected = (a * np.exp(-x / (2 * a)) - b * np.exp(-x / (2 * b))) / (a - b)
        assert weighted_chi2_sf(x, [a, a, b, b]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("x", [-20.0, -1.0, 0.0, 0.3, 6.0])
def test_weights_of_both_signs(x):
    a, b = 1.0, 0.4
    above = a / (a + b) * np.exp(-x / (2 * a)) if x >= 0 else 1 - b / (a + b) * np.exp(x / (2 * b))
    assert weighted_chi2_sf(x, [a, a, -b, -b]) == pytest.approx(above, abs=1e-9)
    # The difference of two chi-squared variables with one degree has density K0(|x| / 2) / (2 pi).
    tail = special.iti0k0(abs(x) / 2)[1] / np.pi
    expected = 0.5 - np.sign(x) * tail
    assert weighted_chi2_sf(x, [1.0, -1.0]) == pytest.approx(expected, abs=1e-8)


def test_weights_of_zero_and_one_sign():
    assert weighted_chi2_sf(2.0, [1.0, 0.0, 0.0]) == stats.chi2.sf(2.0, 1)
    assert weighted_chi2_sf(-1.0, [1.0, 2.0]) == 1.0
    assert weighted_chi2_sf(-2.0, [-1.0]) == pytest.approx(1 - stats.chi2.sf(2.0, 1), abs=1e-12)
    assert weighted_chi2_sf(1.0, [0.0]) == 0.0


# -- VLMR -----------------------------------------------------------------------------------------


def test_vlmr_on_npreg_is_the_published_value(one, two):
    test = vlmr_test(one, two)
    assert test.statistic == pytest.approx(171.543, abs=5e-4)
    assert test.adjusted == pytest.approx(165.303, abs=5e-4)
    assert test.df_diff == 5
    assert test.pvalue < 1e-9
    assert test.pvalue_adjusted >= test.pvalue
    text = str(test.summary())
    assert "171.543" in text
    assert "Jeffries" in text
    assert "Jeffries" in vlmr_test.__doc__


def test_vlmr_on_aphids_is_the_published_value():
    model = load_case("aphids_k2").model
    frame = load_frame("aphids.csv")
    fits = [smmix.from_formula(model["formula"], frame, k=k).fit() for k in (1, 2)]
    test = vlmr_test(*fits)
    assert test.statistic == pytest.approx(53.619, abs=5e-4)
    assert test.adjusted == pytest.approx(50.413, abs=5e-4)


def test_weights_of_regular_nested_models_are_ones_and_zeros():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40000, 3)), columns=["x", "z", "u"])
    frame["y"] = 1 + frame["x"] + rng.normal(size=40000)
    small = smmix.from_formula("y ~ x", frame, k=1).fit()
    large = smmix.from_formula("y ~ x + z + u", frame, k=1).fit()
    weights = vuong_weights(small._results, large._results)
    np.testing.assert_allclose(weights[:2], 1.0, atol=0.05)
    # The others come in pairs of opposite sign that vanish with the square root of 1 / n.
    np.testing.assert_allclose(weights[2:], 0.0, atol=0.15)


def test_vlmr_counts_a_row_of_frequency_two_twice(engel):
    twice = pd.concat([engel, engel.iloc[:50]])
    weighted = engel.assign(w=np.where(np.arange(len(engel)) < 50, 2, 1))
    fits = [smmix.from_formula("foodexp ~ income", twice, k=k).fit() for k in (1, 2)]
    same = [
        smmix.from_formula("foodexp ~ income", weighted, k=k, freq_weights="w").fit()
        for k in (1, 2)
    ]
    first, second = vlmr_test(*fits), vlmr_test(*same)
    assert first.statistic == pytest.approx(second.statistic, rel=1e-8)
    np.testing.assert_allclose(first.weights, second.weights, rtol=1e-5, atol=1e-7)


def test_vlmr_refuses_pairs_that_are_none(one, two, engel):
    with pytest.raises(SmmixError, match="fewer components first"):
        vlmr_test(two, one)
    other = smmix.from_formula("foodexp ~ income", engel, k=2).fit()
    with pytest.raises(SmmixError, match="not of the same data"):
        vlmr_test(one, other)
    with pytest.raises(SmmixError, match="results of a mixture, not str"):
        vlmr_test("one", two)
    frame = load_frame("NPreg.csv").assign(w=1.0)
    fits = [
        smmix.from_formula("yn ~ x + I(x ** 2)", frame, k=k, prob_weights="w").fit() for k in (1, 2)
    ]
    with pytest.raises(SmmixError, match="pseudo-likelihood"):
        vlmr_test(*fits)


def test_vlmr_refuses_fits_of_different_formulas(engel):
    frame = engel.assign(other=np.log(engel["income"]), z=np.cos(np.arange(len(engel))))
    one = smmix.from_formula("foodexp ~ income", frame, k=1).fit()
    for formula in ("foodexp ~ other", "foodexp ~ income + other", "foodexp ~ 1"):
        other = smmix.from_formula(formula, frame, k=2).fit(n_starts=5)
        with pytest.raises(SmmixError, match="The fits have different regressors"):
            vlmr_test(one, other)
    two = smmix.from_formula("foodexp ~ income", frame, k=2, concomitant="z").fit(n_starts=5)
    three = smmix.from_formula("foodexp ~ income", frame, k=3).fit(n_starts=5)
    with pytest.raises(SmmixError, match="or concomitant variables"):
        vlmr_test(two, three)
    assert vlmr_test(one, two).df_diff == two.n_free - one.n_free


def test_vlmr_takes_another_spelling_of_the_same_regressors(engel):
    one = smmix.from_formula("foodexp ~ income", engel, k=1).fit()
    two = smmix.from_formula("foodexp ~ I(income / 100 - 3)", engel, k=2).fit()
    assert vlmr_test(one, two).statistic == pytest.approx(2 * (two.llf - one.llf))
