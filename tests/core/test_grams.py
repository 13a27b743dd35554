"""Weighted cross products, on every path that their width and their weights lead to."""

import numpy as np
import pytest

from smmix.core.grams import column_products, weighted_grams

WIDTHS = [1, 3, 16, 17, 31, 32, 40]


def whole_numbers(p: int, weights: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Weights (2, 3, 50) from a list and a design (50, p), on which all sums are exact."""
    rng = np.random.default_rng(p)
    x = rng.integers(-9, 10, size=(50, p)).astype(float)
    return rng.choice(weights, size=(2, 3, 50)).astype(float), x


@pytest.mark.parametrize("p", WIDTHS)
@pytest.mark.parametrize("weights", [[0, 1, 4, 9], [-4, 0, 1, 3]], ids=["positive", "signed"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_exact_on_whole_numbers(p, weights, order):
    w, x = whole_numbers(p, weights)
    exact = np.einsum("skm,mp,mq->skpq", w.astype(int), x.astype(int), x.astype(int))
    found = weighted_grams(w, np.asarray(x, order=order), None)
    assert np.array_equal(found, exact)


@pytest.mark.parametrize("p", WIDTHS)
def test_kept_products_change_nothing(p):
    w, x = whole_numbers(p, [0, 1, 2])
    products = column_products(x) if p <= 16 else None
    assert np.array_equal(weighted_grams(w, x, products), weighted_grams(w, x, None))


@pytest.mark.parametrize("p", WIDTHS)
def test_no_weights_give_no_matrices(p):
    _, x = whole_numbers(p, [1])
    assert weighted_grams(np.empty((2, 0, 50)), x, None).shape == (2, 0, p, p)


@pytest.mark.parametrize("p", WIDTHS)
def test_missing_weights_stay_missing(p):
    w, x = whole_numbers(p, [1, 2])
    w[1, 2, 7] = np.nan
    found = weighted_grams(w, x + 10.0, None)
    assert np.isnan(found[1, 2]).all()
    assert np.isfinite(found[0]).all()
