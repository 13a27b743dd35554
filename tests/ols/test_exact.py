"""Arithmetic in twice the digits of a double, against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smmix.ols.exact import Pair, Slices, product, product_of_slices, two_product, two_sum

MODERATE = st.floats(-1e100, 1e100).filter(lambda v: v == 0.0 or abs(v) > 1e-100)


@given(MODERATE, MODERATE)
def test_sum_and_product_keep_what_rounding_drops(a, b):
    total, rest = two_sum(np.array(a), np.array(b))
    assert Fraction(float(total)) + Fraction(float(rest)) == Fraction(a) + Fraction(b)
    value, rest = two_product(np.array(a), np.array(b))
    assert Fraction(float(value)) + Fraction(float(rest)) == Fraction(a) * Fraction(b)


def as_fractions(pair: Pair) -> np.ndarray:
    exact = np.vectorize(lambda v: Fraction(float(v)), otypes=[object])
    return exact(pair.high) + exact(pair.low)


@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 3, 2), (4, 700, 1), (300, 12, 12)])
@pytest.mark.parametrize("spread", [0, 3, 12])
def test_matrix_products_have_a_hundred_bits(shape, spread):
    m, k, q = shape
    rng = np.random.default_rng(spread)
    a = rng.standard_normal((m, k)) * 10.0 ** rng.integers(-spread, spread + 1, (m, k))
    high = rng.standard_normal((k, q)) * 10.0 ** rng.integers(-spread, spread + 1, (k, q))
    b = Pair(high, high * rng.uniform(-1e-17, 1e-17, (k, q)))
    rows = slice(0, 4)
    left = as_fractions(Pair.of(a[rows]))
    exact, size = left @ as_fractions(b), abs(left) @ abs(as_fractions(b))
    got = product(a, b)
    assert (got.high == got.high + got.low).all()
    error = abs(as_fractions(Pair(got.high[rows], got.low[rows])) - exact)
    largest = abs(left).max(axis=1)[:, None] * abs(as_fractions(b)).max(axis=0)
    assert (error <= Fraction(1, 2**100) * size + Fraction(k, 2**120) * largest).all()


def test_cancellation_leaves_the_small_rest():
    a = np.array([[1e16, 1.0, -1e16, 1e-20]])
    assert product(a, Pair.of(np.ones((4, 1)))).high.item() == 1.0
    low = product(a, Pair.of(np.ones((4, 1)))).low.item()
    assert low == pytest.approx(1e-20, rel=1e-12)


def test_products_of_slices_are_exact_whatever_the_order_of_the_sum():
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((50, 1000)), rng.standard_normal((1000, 3))
    there = product_of_slices(Slices(a, 1), Slices(b, 0))
    back = product_of_slices(Slices(a[:, ::-1], 1), Slices(b[::-1], 0))
    np.testing.assert_array_equal(there.high, back.high)
    np.testing.assert_array_equal(there.low, back.low)


def test_pairs_add_scale_and_turn():
    rng = np.random.default_rng(5)
    a, b = (Pair(v, v * 1e-17) for v in rng.standard_normal((2, 20, 1)))
    factor = rng.standard_normal((20, 1))
    bound = Fraction(1, 2**100)
    exact_sum = as_fractions(a) + as_fractions(b)
    assert (abs(as_fractions(a.plus(b)) - exact_sum) <= bound * 8).all()
    scaled = as_fractions(a) * as_fractions(Pair.of(factor))
    assert (abs(as_fractions(a.times(factor)) - scaled) <= bound * 8).all()
    assert (as_fractions(-a) == -as_fractions(a)).all()
