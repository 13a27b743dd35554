"""The log constant of a gamma density at whole shapes, where sums of exact numbers give it."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from smmix.families.stirling import log_constant, shape_terms

#: Euler's constant and pi^2 / 6 (OEIS A001620 and A013661).
EULER = Decimal("0.57721566490153286060651209008240243104215933593992")
ZETA_2 = Decimal("1.64493406684822643647241516664602518921894990120680")


@pytest.mark.parametrize("n", [1, 2, 99, 100, 101, 250, 3000])
def test_whole_shapes(n):
    with localcontext() as context:
        context.prec = 45
        shape, below = Decimal(n), [Decimal(i) for i in range(1, n)]
        log_gamma = sum((i.ln() for i in below), Decimal(0))
        constant = shape * shape.ln() - shape - log_gamma
        first = shape.ln() + EULER - sum((1 / i for i in below), Decimal(0))
        second = ZETA_2 - sum((1 / (i * i) for i in below), Decimal(0)) - 1 / shape
    value = np.array([float(n)])
    np.testing.assert_allclose(log_constant(value), float(constant), rtol=1e-13, atol=1e-13)
    found = shape_terms(value)
    np.testing.assert_allclose(found[0], float(first), rtol=1e-12)
    np.testing.assert_allclose(found[1], float(second), rtol=1e-11)


def test_limits_of_large_shapes():
    shape = np.array([1e8, 1e15])
    first, second = shape_terms(shape)
    np.testing.assert_allclose(first * shape, 0.5, rtol=1e-8)
    np.testing.assert_allclose(second * shape**2, 0.5, rtol=1e-8)
    np.testing.assert_allclose(log_constant(shape), 0.5 * np.log(shape / (2.0 * np.pi)))
