"""Least squares at the ends of the doubles: right to the last digits, or one sentence."""

import decimal
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from smmix import NormalEquationOLS, solve_normal_equations
from smmix.errors import SmmixError

RNG = np.random.default_rng(12)
N = 60
X = np.column_stack([np.ones(N), RNG.standard_normal(N)])
Y = X @ [1.0, 1.1] + RNG.standard_normal(N)
PLAIN = sm.OLS(Y, X).fit()


def fit(y, x, **options):
    return NormalEquationOLS(y, x, **options).fit()


def exact_eigenvalues(design):
    """Eigenvalues of X'X for two columns, in decimal numbers of many digits."""
    with decimal.localcontext(prec=1000):
        a, b = ([decimal.Decimal(value) for value in column] for column in design.T.tolist())
        aa, ab, bb = (sum(p * q for p, q in zip(*c, strict=True)) for c in ((a, a), (a, b), (b, b)))
        large = (aa + bb + ((aa - bb) ** 2 + 4 * ab**2).sqrt()) / 2
        return large, (aa * bb - ab**2) / large


@pytest.mark.parametrize("scale", [1e300, 1e160, 1e-160, 1e-300])
def test_the_unit_of_weights_changes_nothing_but_the_scale(scale):
    weights = np.linspace(0.5, 2.0, N)
    results, reference = fit(Y, X, weights=scale * weights), sm.WLS(Y, X, weights=weights).fit()
    for name in ("params", "bse", "tvalues", "rsquared", "fvalue"):
        np.testing.assert_allclose(getattr(results, name), getattr(reference, name), rtol=1e-11)
    np.testing.assert_allclose(results.scale / scale, reference.scale, rtol=1e-12)
    # The likelihood is that of the same variances, whatever unit the weights are in.
    np.testing.assert_allclose(results.llf, reference.llf, rtol=1e-10)


def test_weights_of_both_ends_leave_the_rows_that_count():
    weights = np.r_[np.full(N // 2, 1e300), np.full(N // 2, 1e-300)]
    results, reference = fit(Y, X, weights=weights), sm.OLS(Y[: N // 2], X[: N // 2]).fit()
    np.testing.assert_allclose(results.params, reference.params, rtol=1e-12)


@pytest.mark.parametrize("columns", [(1e-120, 1e120), (1e100, 1e-100), (1e-140, 1.0)])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC3"])
def test_columns_of_any_size_together(columns, cov_type):
    results = NormalEquationOLS(Y, X * columns).fit(cov_type=cov_type)
    reference = sm.OLS(Y, X).fit(cov_type=cov_type)
    np.testing.assert_allclose(results.params * columns, reference.params, rtol=1e-12)
    np.testing.assert_allclose(results.bse * columns, reference.bse, rtol=1e-11)
    np.testing.assert_allclose(results.fvalue, reference.fvalue, rtol=1e-10)
    np.testing.assert_allclose(results.f_pvalue, reference.f_pvalue, rtol=1e-9)
    large, small = exact_eigenvalues(X * columns)
    np.testing.assert_allclose(results.eigenvals, [float(large), float(small)], rtol=1e-10)
    condition = float((large / small).sqrt())
    np.testing.assert_allclose(results.condition_number, condition, rtol=1e-10)
    assert "nan" not in results.summary().as_text()


@pytest.mark.parametrize("unit", [1e9, 1e-9, 1e100])
def test_tests_do_not_depend_on_units(unit):
    x = np.column_stack([X, RNG.standard_normal(N)])
    y = Y + x[:, 2]
    scaled = x * [1.0, 1.0, unit]
    for cov_type in ("nonrobust", "HC1"):
        ours = NormalEquationOLS(y, scaled).fit(cov_type=cov_type)
        theirs = sm.OLS(y, x).fit(cov_type=cov_type)
        np.testing.assert_allclose(ours.fvalue, theirs.fvalue, rtol=1e-10)
        for hypotheses in (np.eye(3), np.eye(3)[1:], "x1 = 0, x2 = 0"):
            found, reference = ours.f_test(hypotheses), theirs.f_test(hypotheses)
            assert found.df_num == reference.df_num
            np.testing.assert_allclose(found.fvalue, reference.fvalue, rtol=1e-10)


def test_a_hypothesis_that_follows_from_others_is_counted_once():
    from statsmodels.tools.sm_exceptions import ValueWarning

    results, matrix = fit(Y, X), np.array([[1.0, 0], [0, 1], [1, 1]])
    with pytest.warns(ValueWarning, match="only 2 are independent"):
        found = results.f_test(matrix)
    reference = PLAIN.f_test(np.eye(2))
    np.testing.assert_allclose(found.fvalue, reference.fvalue, rtol=1e-10)


REFUSED = {
    "y large": (lambda: fit(Y * 1e200, X), "The response is too large .* divide it"),
    "y small": (lambda: fit(Y * 1e-300, X), "The response is too small .* multiply it"),
    "y subnormal": (lambda: fit(Y * 1e-320, X), "The response is too small"),
    "weights small": (lambda: fit(Y, X, weights=np.full(N, 1e-320)), "root of its weights is too"),
    "weights large": (lambda: fit(Y, X, weights=np.full(N, 1e308)), "root of its weights is too"),
    "x large": (lambda: fit(Y, X * [1, 1e200]), "column 'x1' is too large .* divide"),
    "x small": (lambda: fit(Y, X * [1, 1e-300]), "column 'x1' is too small .* multiply"),
    "x subnormal": (lambda: fit(Y, X * [1, 1e-320]), "coefficient of column 1 of X is beyond"),
    "robust": (
        lambda: NormalEquationOLS(Y, X, weights=np.full(N, 1e300)).fit(
            cov_type="cluster", cov_kwds={"groups": np.arange(N) // 2}
        ),
        "cov_type='cluster', .*: overflow encountered",
    ),
    "both": (lambda: fit(Y * 1e100, X * [1, 1e-100]), "column 'x1' is too small"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_doubles_cannot_hold_is_refused_in_a_sentence(case):
    call, message = REFUSED[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SmmixError, match=message) as caught:
            call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1e-300])
def test_standard_errors_are_doubles_where_their_squares_are_none(factor):
    solution = solve_normal_equations(X, Y * factor)
    np.testing.assert_allclose(solution.coef / factor, PLAIN.params, rtol=1e-12)
    np.testing.assert_allclose(solution.bse / factor, PLAIN.bse, rtol=1e-12)
    with pytest.raises(SmmixError, match="root of the residual sum of squares is"):
        solution.scale  # noqa: B018


@pytest.mark.parametrize("factor", [1e140, 1e-140])
def test_the_tests_of_residuals_know_no_units(factor):
    texts = [model.summary().tables[2].as_text() for model in (fit(Y * factor, X), fit(Y, X))]
    assert texts[0] == texts[1]


def test_a_row_of_weight_zero_is_absent():
    weights = np.linspace(1.0, 2.0, N)
    weights[[3, 17]] = 0.0
    kept = weights > 0
    results, reference = fit(Y, X, weights=weights), sm.WLS(Y[kept], X[kept], weights[kept]).fit()
    names = ("params", "bse", "llf", "nobs", "df_resid", "rsquared_adj", "fvalue", "bic", "scale")
    for name in names:
        np.testing.assert_allclose(getattr(results, name), getattr(reference, name), rtol=1e-11)


LEVELS = pd.DataFrame({"y": Y, "g": np.tile(list("abc"), N // 3), "x": X[:, 1]})


@pytest.mark.parametrize("formula", ["y ~ 1", "y ~ g - 1", "y ~ x", "y ~ x - 1", "y ~ g"])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1"])
def test_f_statistics_are_those_of_statsmodels_nan_included(formula, cov_type):
    ours = NormalEquationOLS.from_formula(formula, LEVELS).fit(cov_type=cov_type)
    theirs = smf.ols(formula, LEVELS).fit(cov_type=cov_type)
    np.testing.assert_allclose(ours.fvalue, theirs.fvalue, rtol=1e-10)
    np.testing.assert_allclose(ours.f_pvalue, theirs.f_pvalue, rtol=1e-8)


@pytest.mark.parametrize("weights", [None, np.linspace(0.0, 2.0, N)])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_score_and_hessian_are_derivatives(weights, scale):
    model = NormalEquationOLS(Y, X, weights=weights)
    params = np.array([0.3, -0.4])

    def derivative(function, j):
        moved = params.astype(complex)
        moved[j] += 1e-30j
        return np.imag(function(moved, scale)) / 1e-30

    score = [derivative(model.loglike, j) for j in range(2)]
    np.testing.assert_allclose(model.score(params, scale), score, rtol=1e-12)
    hessian = [derivative(model.score, j) for j in range(2)]
    np.testing.assert_allclose(model.hessian(params, scale), hessian, rtol=1e-12)
    if scale is None:
        np.testing.assert_allclose(model.information(params), -np.array(hessian), rtol=1e-12)
    fitted = model.fit()
    np.testing.assert_allclose(model.loglike(fitted.params), fitted.llf, rtol=1e-12)


def test_likelihood_with_a_scale_is_that_of_statsmodels():
    model, theirs = NormalEquationOLS(Y, X), sm.OLS(Y, X)
    for params in ([0.0, 1.0], [2.0, -1.0]):
        for scale in (None, 1.3):
            value = theirs.loglike(np.array(params), scale)
            np.testing.assert_allclose(model.loglike(params, scale), value, rtol=1e-12)
            value = theirs.score(np.array(params), scale)
            np.testing.assert_allclose(model.score(params, scale), value, rtol=1e-9)
