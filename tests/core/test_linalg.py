"""The solver of scaled Gram systems, and the search for dependent columns."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from smmix.core.linalg import dependent_columns, remove_span, solve_gram


@pytest.mark.parametrize("batch", [(), (7,), (2, 5)])
@pytest.mark.parametrize("p", [1, 2, 5, 30])
def test_solves_every_member_of_a_batch(batch, p):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((*batch, 3 * p, p)) * 10.0 ** rng.integers(-6, 7, p)
    gram = np.swapaxes(x, -1, -2) @ x
    truth = rng.standard_normal((*batch, p))
    rhs = np.einsum("...ij,...j->...i", gram, truth)
    solution, rank_ok = solve_gram(gram, rhs)
    assert solution.shape == (*batch, p)
    assert rank_ok.shape == batch
    assert rank_ok.all()
    fitted = np.einsum("...ij,...j->...i", gram, solution)
    scale = np.sqrt(np.einsum("...ii->...i", gram))
    assert np.abs((fitted - rhs) / scale).max() <= 1e-11 * np.abs(rhs / scale).max()


def test_a_member_that_is_not_finite_leaves_the_others_alone():
    gram = np.stack([np.eye(3), np.full((3, 3), np.nan), 4.0 * np.eye(3)])
    gram[1, 0, 0] = np.inf
    solution, rank_ok = solve_gram(gram, np.ones((3, 3)))
    np.testing.assert_array_equal(solution[[0, 2]], [[1.0] * 3, [0.25] * 3])
    assert np.isnan(solution[1]).all()
    assert rank_ok[[0, 2]].all()


def test_singular_members_get_the_minimum_norm_and_leave_the_others_alone():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((6, 40, 4))
    x[1, :, 3] = x[1, :, 0] - 2.0 * x[1, :, 1]
    x[2] = 0.0
    x[3, :, 2] = 0.0
    x[4] = x[4, :, :1] * [1.0, 2.0, -3.0, 0.5]
    y = rng.standard_normal((6, 40))
    gram, rhs = np.swapaxes(x, 1, 2) @ x, np.einsum("bnp,bn->bp", x, y)
    solution, rank_ok = solve_gram(gram, rhs)
    assert rank_ok.tolist() == [True, False, False, False, False, True]
    for member in range(6):
        reference = np.linalg.lstsq(x[member], y[member], rcond=1e-10)[0]
        np.testing.assert_allclose(solution[member], reference, rtol=1e-10, atol=1e-12)
    alone = [solve_gram(gram[i], rhs[i])[0] for i in range(6)]
    np.testing.assert_array_equal(solution, alone)


def test_minimum_norm_is_in_the_units_of_the_columns():
    x = np.array([[1.0, 100.0], [2.0, 200.0], [3.0, 300.0]])
    y = np.array([1.0, 2.0, 3.5])
    solution, rank_ok = solve_gram(x.T @ x, x.T @ y)
    assert not rank_ok
    np.testing.assert_allclose(solution, np.linalg.pinv(x, rcond=1e-10) @ y, rtol=1e-12)


def test_units_do_not_decide_on_the_rank():
    gram = np.array([[1e300, 1e150 * 0.5], [1e150 * 0.5, 1.0]])
    solution, rank_ok = solve_gram(gram, np.array([1e150, 0.0]))
    assert rank_ok
    np.testing.assert_allclose(solution, [4.0 / 3.0 * 1e-150, -2.0 / 3.0], rtol=1e-14)


@given(
    arrays(
        float,
        array_shapes(min_dims=2, max_dims=3, max_side=5),
        elements=st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 1e-200, 1e100]),
    )
)
def test_never_raises_and_never_gives_nan(x):
    gram = np.swapaxes(x, -1, -2) @ x
    solution, _ = solve_gram(gram, x.sum(axis=-2))
    assert np.isfinite(solution).all()


@pytest.mark.slow
def test_hundred_tiny_systems_take_no_longer_than_one_pass_can_bear():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((100, 20, 3))
    gram, rhs = np.swapaxes(x, 1, 2) @ x, rng.standard_normal((100, 3))
    seconds = []
    for _ in range(500):
        began = time.perf_counter()
        solve_gram(gram, rhs)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 150e-6


@pytest.mark.parametrize("scale", [1.0, 1e-150, 1e150])
@pytest.mark.parametrize("in_blocks", [False, True])
def test_names_the_columns_that_earlier_ones_span(scale, in_blocks):
    rng = np.random.default_rng(4)
    a, b, c = rng.standard_normal((3, 1000))
    x = np.column_stack([np.ones(1000), a, 3.0 - a, b, np.zeros(1000), a + b, c]) * scale
    x[:, 5] *= 1e-3
    given_x = iter(np.array_split(x, 13)) if in_blocks else x
    assert dependent_columns(given_x) == [2, 4, 5]


def test_an_r_factor_stands_for_its_design():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((50, 4))
    x = np.column_stack([x, x @ [1.0, -1.0, 2.0, 0.5]])
    assert dependent_columns(np.linalg.qr(x, mode="r")) == [4]


def test_more_columns_than_rows():
    rng = np.random.default_rng(6)
    assert dependent_columns(rng.standard_normal((3, 5))) == [3, 4]


def test_nothing_depends_in_a_polynomial_of_degree_eight():
    x = np.linspace(-9.0, -3.0, 82)
    assert dependent_columns(np.column_stack([x**j for j in range(9)])) == []


@pytest.mark.parametrize("closeness", [1e-6, 1e-9])
def test_close_is_not_dependent(closeness):
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((2, 500))
    assert dependent_columns(np.column_stack([a, a + closeness * b])) == []
    assert dependent_columns(np.column_stack([a, a + closeness * b]), tolerance=1e-5) == [1]


def test_remove_span_projects():
    rng = np.random.default_rng(8)
    span, vector = rng.standard_normal((6, 2)) * [1.0, 1e8], rng.standard_normal(6)
    rest = remove_span(vector, span)
    reference = vector - span @ np.linalg.lstsq(span, vector, rcond=None)[0]
    np.testing.assert_allclose(rest, reference, atol=1e-14)
    assert remove_span(vector, span[:, :0]) is vector
