"""Least squares by the normal equations: against exact arithmetic, NIST and statsmodels."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_exact import (
    CERTIFIED,
    digits,
    exact_least_squares,
    nist_design,
    nist_exact,
)
from statsmodels.tools.sm_exceptions import PrecisionWarning, SingularMatrixWarning

from smmix.errors import SmmixError
from smmix.ols import NormalEquationOLS, solve_normal_equations

SETS = list(CERTIFIED)


def least_digits(values, exact):
    return min(digits(value, truth) for value, truth in zip(values, exact, strict=True))


# ------------------------------------------------------------------------------------ the digits


@pytest.mark.parametrize("name", SETS)
def test_the_nist_files_are_the_certified_problems(name):
    exact = exact_least_squares(*nist_exact(name))
    certified = CERTIFIED[name]
    assert least_digits(certified["coef"], exact.coef) > 14.2
    assert least_digits(certified["se"], exact.bse) > 14.2


@pytest.mark.parametrize("name", SETS)
def test_nist_to_thirteen_digits_of_the_exact_solution(name):
    x, y = nist_design(name)
    exact = exact_least_squares(x, y)
    results = NormalEquationOLS(y, x).fit()
    assert least_digits(results.params, exact.coef) >= 13
    assert least_digits(results.bse, exact.bse) >= 13
    solution = solve_normal_equations(x, y)
    assert least_digits(solution.coef, exact.coef) >= 13
    assert least_digits(solution.bse, exact.bse) >= 13
    assert digits(solution.rss, exact.rss) >= 13


@pytest.mark.parametrize("name", SETS)
def test_nist_certified_values(name):
    x, y = nist_design(name)
    results, certified = NormalEquationOLS(y, x).fit(), CERTIFIED[name]
    # Rounding x**j to doubles alone moves the solution of Filip in its eighth digit.
    rtol = 10.0**-7.5 if name == "Filip" else 1e-13
    values = {key: np.array(certified[key], dtype=float) for key in ("coef", "se")}
    np.testing.assert_allclose(results.params, values["coef"], rtol=rtol)
    # The fits of Wampler 1 and 2 are exact; in doubles, 0.1 is not.
    np.testing.assert_allclose(results.bse, values["se"], rtol=rtol, atol=1e-15)
    np.testing.assert_allclose(
        np.sqrt(results.scale), float(certified["resid_sd"]), rtol=rtol, atol=1e-14
    )
    np.testing.assert_allclose(results.rsquared, float(certified["rsquared"]), rtol=rtol)


@pytest.mark.parametrize("degree", [2, 4, 7, 9])
@pytest.mark.parametrize("weighted", [False, True])
def test_polynomials_far_from_zero(degree, weighted):
    rng = np.random.default_rng(degree)
    x = np.linspace(20.0, 30.0, 60)
    design = np.column_stack([x**j for j in range(degree + 1)])
    y = np.sin(x) + 0.01 * rng.standard_normal(60)
    weights = rng.uniform(0.1, 4.0, 60) if weighted else None
    exact = exact_least_squares(design, y, weights)
    results = NormalEquationOLS(y, design, weights=weights).fit()
    assert least_digits(results.params, exact.coef) >= 13
    assert least_digits(results.bse, exact.bse) >= 13


def test_a_polynomial_of_degree_fourteen():
    x = np.linspace(-9.0, -3.0, 40)
    design = np.column_stack([x**j for j in range(15)])
    exact = exact_least_squares(design, np.cos(x))
    solution = solve_normal_equations(design, np.cos(x))
    assert least_digits(solution.coef, exact.coef) >= 13
    assert least_digits(solution.bse, exact.bse) >= 13


@pytest.mark.parametrize("factor", [1.0, 1e-170, 1e170])
def test_units_of_columns_and_response_cost_no_digits(factor):
    rng = np.random.default_rng(3)
    design = rng.standard_normal((40, 3)) * [1.0, factor, 1.0]
    y = (rng.standard_normal(40) + 1e8) * factor
    exact = exact_least_squares(design, y)
    assert least_digits(solve_normal_equations(design, y).coef, exact.coef) >= 13


def test_a_shifted_response_keeps_the_residual_sum_of_squares():
    rng = np.random.default_rng(4)
    design = sm.add_constant(rng.standard_normal((50, 2)))
    y = design @ [1.0, 2.0, 3.0] + rng.standard_normal(50) + 1e12
    exact = exact_least_squares(design, y)
    solution = solve_normal_equations(design, y)
    assert digits(solution.rss, exact.rss) >= 13
    assert least_digits(solution.bse, exact.bse) >= 13


@pytest.mark.parametrize("far", [0.0, 30.0, 3000.0, 1e6])
def test_large_problems_keep_their_digits_too(far):
    """Too large for twice the precision throughout: the condition number decides."""
    rng = np.random.default_rng(5)
    n = 4000
    regressor = rng.integers(0, 1 << 20, (n, 2)) / float(1 << 20) + far
    design = np.column_stack([np.ones(n), regressor])
    y = design @ [1.0, 2.0, -3.0] + rng.standard_normal(n)
    exact = exact_least_squares(design, y)
    solution = solve_normal_equations(design, y)
    assert least_digits(solution.coef, exact.coef) >= 11.5
    assert least_digits(solution.bse, exact.bse) >= 11.5
    assert digits(solution.rss, exact.rss) >= 11.5


# ------------------------------------------------------------------------------------- the paths


def test_method_says_which_path_ran():
    rng = np.random.default_rng(6)
    design = rng.standard_normal((100, 3))
    y = design.sum(axis=1) + rng.standard_normal(100)
    assert solve_normal_equations(design, y).method == "cholesky"
    assert solve_normal_equations(*nist_design("Filip")).method == "qr"
    for method in ("cholesky", "qr", "lu"):
        solution = solve_normal_equations(design, y, method=method)
        assert solution.method == method
        reference = sm.OLS(y, design).fit()
        np.testing.assert_allclose(solution.coef, reference.params, rtol=1e-12)
        np.testing.assert_allclose(solution.bse, reference.bse, rtol=1e-12)
        np.testing.assert_allclose(solution.rss, reference.ssr, rtol=1e-12)
        np.testing.assert_allclose(
            solution.condition_number, reference.condition_number, rtol=1e-10
        )
        assert solution.rank == 3


def test_doubles_alone_warn_when_they_cannot_be_relied_on():
    x, y = nist_design("Wampler4")
    with pytest.warns(PrecisionWarning, match="leave method at 'auto'"):
        solve_normal_equations(x, y, method="lu")
    with pytest.raises(SmmixError, match="no Cholesky factor"):
        solve_normal_equations(x[:, [0, 1, 1]], y, method="cholesky")


def test_lu_fails_on_the_singular_example_where_the_default_does_not():
    x = np.array([[1.0, 1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 3.0, 4.0]])
    y = np.array([5.0, 8.0, 11.0])
    with pytest.raises(SmmixError, match="singular"):
        solve_normal_equations(x, y, method="lu")
    with pytest.warns(SingularMatrixWarning, match="Column 2 of X is linearly dependent"):
        solution = solve_normal_equations(x, y)
    np.testing.assert_allclose(solution.coef, [1 / 3, 4 / 3, 5 / 3], rtol=1e-14)
    assert (solution.rank, solution.dependent, solution.condition_number) == (2, (2,), np.inf)


def test_condition_number_is_that_of_the_weighted_design():
    rng = np.random.default_rng(7)
    design, weights = rng.standard_normal((80, 4)) * [1, 10, 0.1, 3], rng.uniform(0.1, 9, 80)
    solution = solve_normal_equations(design, rng.standard_normal(80), weights)
    reference = np.linalg.cond(np.sqrt(weights)[:, None] * design)
    np.testing.assert_allclose(solution.condition_number, reference, rtol=1e-12)


# --------------------------------------------------------------------------------- rank deficient


@pytest.mark.parametrize("n", [60, 6000])
@pytest.mark.parametrize("weighted", [False, True])
def test_dependent_columns_give_the_minimum_norm(n, weighted):
    rng = np.random.default_rng(8)
    a, b = rng.standard_normal((2, n))
    frame = pd.DataFrame({"one": 1.0, "a": a, "b": b, "c": 2.0 - a + 3.0 * b, "zero": 0.0})
    y = a - b + rng.standard_normal(n)
    weights = rng.uniform(0.5, 2.0, n) if weighted else None
    with pytest.warns(SingularMatrixWarning, match="Columns 'c', 'zero' of X are"):
        results = NormalEquationOLS(y, frame, weights=weights).fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)
        plain = sm.OLS if weights is None else sm.WLS
        options = {} if weights is None else {"weights": weights}
        reference = plain(y, frame, **options).fit()
    np.testing.assert_allclose(results.params, reference.params, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        results.normalized_cov_params, reference.normalized_cov_params, rtol=1e-9, atol=1e-13
    )
    np.testing.assert_allclose(results.bse, reference.bse, rtol=1e-9, atol=1e-14)
    assert results.rank == 3
    assert results.df_resid == n - 3
    assert results.df_model == 2


def test_more_columns_than_rows():
    rng = np.random.default_rng(9)
    design, y = rng.standard_normal((4, 9)), rng.standard_normal(4)
    with pytest.warns(SingularMatrixWarning):
        solution = solve_normal_equations(design, y)
    reference = np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(solution.coef, reference, rtol=1e-10)
    with pytest.raises(SmmixError, match="no degrees of freedom"):
        _ = solution.bse
    with (
        pytest.warns(SingularMatrixWarning),
        pytest.raises(SmmixError, match="4 rows leave no degrees of freedom"),
    ):
        NormalEquationOLS(y, design).fit()


def test_nothing_but_zeros():
    with pytest.warns(SingularMatrixWarning):
        solution = solve_normal_equations(np.zeros((5, 2)), [1.0, 2.0, 3.0, 4.0, 5.0])
    assert solution.coef.tolist() == [0.0, 0.0]
    assert (solution.rank, solution.rss) == (0, 55.0)


# ----------------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize("name", ["Norris", "Longley", "Filip"])
@pytest.mark.parametrize("kind", ["list", "function", "iterator"])
def test_blocks_give_the_digits_of_the_whole(name, kind):
    x, y = nist_design(name)
    blocks = [(x[:7], y[:7]), (x[7:8], y[7:8, None]), (x[8:8], y[8:8]), (x[8:], y[8:])]
    given_blocks = {"list": blocks, "function": lambda: iter(blocks), "iterator": iter(blocks)}
    solution = solve_normal_equations(given_blocks[kind])
    exact = exact_least_squares(x, y)
    assert least_digits(solution.coef, exact.coef) >= 13
    assert least_digits(solution.bse, exact.bse) >= 13
    assert solution.nobs == len(y)


def stream(n_blocks, far=0.0, weighted=False):
    """Blocks that share a buffer, as a reader of files may do."""
    rng = np.random.default_rng(10)
    x, y = np.empty((1 << 15, 6)), np.empty(1 << 15)
    for _ in range(n_blocks):
        x[:] = rng.standard_normal(x.shape)
        x[:, 0] = 1.0
        x[:, 1:3] += far
        y[:] = x @ np.arange(6.0) + rng.standard_normal(len(y))
        yield (x, y, rng.uniform(0.5, 2.0, len(y))) if weighted else (x, y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("far", "rtol"), [(0.0, 1e-11), (1e4, 1e-8)])
def test_an_iterator_over_many_rows(weighted, far, rtol):
    solution = solve_normal_equations(stream(8, far, weighted))
    blocks = [tuple(part.copy() for part in block) for block in stream(8, far, weighted)]
    whole = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    reference = solve_normal_equations(*whole)
    assert solution.method == ("cholesky" if far == 0.0 else "qr")
    np.testing.assert_allclose(solution.coef, reference.coef, rtol=rtol, atol=1e-13)
    np.testing.assert_allclose(solution.rss, reference.rss, rtol=rtol)
    np.testing.assert_allclose(solution.bse, reference.bse, rtol=rtol)
    again = solve_normal_equations(lambda: stream(8, far, weighted))
    np.testing.assert_allclose(again.coef, reference.coef, rtol=1e-12, atol=1e-14)


def test_an_iterator_too_long_to_keep_warns_when_digits_are_lost():
    with pytest.warns(PrecisionWarning, match="as a function that opens them anew"):
        solve_normal_equations(stream(8, 1e9))


def test_threads_do_not_change_the_sums(monkeypatch):
    from smmix.ols import rows as row_sources

    rng = np.random.default_rng(11)
    design = rng.standard_normal((60_000, 20))
    y = rng.standard_normal(60_000)
    many = solve_normal_equations(design, y)
    monkeypatch.setattr(row_sources, "_available_cores", lambda: 1)
    np.testing.assert_array_equal(many.coef, solve_normal_equations(design, y).coef)


def test_arrays_in_any_order_and_type():
    rng = np.random.default_rng(12)
    design = rng.integers(-5, 9, (50, 3))
    y = rng.integers(0, 9, 50)
    reference = sm.OLS(y, design).fit().params
    kinds = [design, np.asfortranarray(design), design.astype(np.float32), design.tolist(),
             pd.DataFrame(design), pd.DataFrame(design).astype("Int64"),
             np.repeat(design, 2, axis=0)[::2], pd.DataFrame(design)[[0, 1, 2]]]  # fmt: skip
    for kind in kinds:
        np.testing.assert_allclose(solve_normal_equations(kind, y).coef, reference, rtol=1e-13)
    np.testing.assert_allclose(
        solve_normal_equations(design[:, 0], pd.Series(y)).coef,
        sm.OLS(y, design[:, 0]).fit().params,
        rtol=1e-13,
    )


def test_a_function_of_blocks_is_closed_after_each_look():
    design, y = nist_design("Norris")
    is_open = []

    def blocks():
        is_open.append(True)
        try:
            yield design[:3], y[:3]
            yield design[3:], y[3:]
        finally:
            is_open.pop()

    solve_normal_equations(blocks)
    assert is_open == []


# ---------------------------------------------------------------------------------- bad input


GOOD_X, GOOD_Y = np.column_stack([np.ones(6), np.arange(6.0)]), np.arange(6.0) ** 2


def spoilt(where, value):
    x = GOOD_X.copy()
    x[where] = value
    return x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((spoilt((4, 1), np.nan), GOOD_Y), "Row 4 of column 1 of X is nan"),
        ((spoilt((2, 0), -np.inf), GOOD_Y), "Row 2 of column 0 of X is -inf"),
        ((GOOD_X, [1, 2, np.inf, 4, 5, 6]), "Row 2 of y is inf"),
        ((pd.DataFrame(spoilt((4, 1), np.nan), columns=["one", "dose"]), GOOD_Y), "'dose'"),
        ((GOOD_X, GOOD_Y[:5]), r"y has shape \(5,\)"),
        ((GOOD_X, GOOD_Y, np.ones(5)), r"weights has shape \(5,\)"),
        ((GOOD_X, GOOD_Y, [1, 1, 1, -2, 1, 1]), "weight of row 3 is -2"),
        ((GOOD_X, GOOD_Y, [1, 1, 1, np.nan, 1, 1]), "weight of row 3 is nan"),
        ((GOOD_X, GOOD_Y, np.zeros(6)), "All weights are zero"),
        ((GOOD_X, list("abcdef")), "y must hold numbers only"),
        ((pd.DataFrame({"g": list("aabbcc")}), GOOD_Y), "Column 'g' of X holds"),
        ((GOOD_X.astype(complex), GOOD_Y), "X must hold numbers only"),
        ((np.zeros((0, 2)), np.zeros(0)), "at least one row"),
        ((np.zeros((2, 2, 2)), np.zeros(2)), "must be a matrix"),
        ((GOOD_X,), "y is missing"),
        ((7,), "X is a int"),
        (([(GOOD_X, GOOD_Y)], None, np.ones(6)), "weights of blocks belong into the blocks"),
        (([],), "There are no blocks"),
        (([(GOOD_X, GOOD_Y), (GOOD_X[:, :1], GOOD_Y)],), "X of block 1 has shape"),
        (([(GOOD_X, GOOD_Y[:3])],), "Block 0 has 6 rows of X"),
        (([GOOD_X],), "Block 0 is not a pair"),
        (([(GOOD_X, GOOD_Y), (GOOD_X, GOOD_Y, -GOOD_Y)],), "weight of row 7 is -1"),
        (([(GOOD_X, GOOD_Y), (spoilt((4, 1), np.nan), GOOD_Y)],), "Row 10 of column 1 of X is nan"),
        (([(GOOD_X, list("abcdef"))],), "Block 0 holds something that is no number"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(SmmixError, match=message) as caught:
        solve_normal_equations(*arguments)
    assert "\n" not in str(caught.value)


def test_an_unknown_method_is_named():
    with pytest.raises(SmmixError, match="not 'inverse'"):
        solve_normal_equations(GOOD_X, GOOD_Y, method="inverse")


@pytest.mark.parametrize("value", [np.nan, 1e200])
def test_an_iterator_with_values_that_no_sum_can_hold(value):
    block = (np.full((1 << 15, 40), value), np.ones(1 << 15))
    with pytest.raises(SmmixError, match="NaN, an infinite value or one beyond"):
        solve_normal_equations(iter([block]))


def test_the_examples_of_the_documentation():
    import doctest
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "ols.md"
    assert doctest.testfile(str(page), module_relative=False).failed == 0
