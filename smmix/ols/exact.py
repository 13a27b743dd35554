"""Sums and matrix products in about twice the digits of a double.

A number is held as an unevaluated sum of two doubles, ``high + low`` (Dekker 1971, Numer. Math.
18:224-242). Matrix products cut both factors into slices of so few bits that the products of
slices have no rounding error at all in floating point, whatever the order in which the BLAS adds
them up (Ozaki, Ogita, Oishi & Rump 2012, Numer. Algorithms 59:95-118). Nothing here relies on a
``longdouble`` that is wider than a double, so results are the same on every machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: Bits of the significand of a double.
SIGNIFICAND = 53
#: Products of slices that lie this many bits below the largest ones are left out.
BITS_KEPT = 130
#: Slices taken of a matrix at most; reached only when entries of one row differ by 10^20 and more.
MAX_SLICES = 9


class Pair(NamedTuple):
    """Unevaluated sum ``high + low`` of two arrays, ``low`` below half a unit of ``high``."""

    high: np.ndarray
    low: np.ndarray

    @classmethod
    def of(cls, value: np.ndarray) -> Pair:
        return cls(value, np.zeros_like(value))

    def __neg__(self) -> Pair:
        return Pair(-self.high, -self.low)

    def columns(self, which: slice) -> Pair:
        return Pair(self.high[:, which], self.low[:, which])

    def plus(self, other: Pair) -> Pair:
        """Sum of two pairs."""
        high, low = two_sum(self.high, other.high)
        return Pair(*two_sum(high, low + (self.low + other.low)))

    def times(self, factor: np.ndarray) -> Pair:
        """Elementwise product with doubles."""
        high, low = two_product(self.high, factor)
        return Pair(*two_sum(high, low + self.low * factor))


def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded sum and its rounding error, exactly (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _halves(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    factor = 134217729.0 * a  # 2^27 + 1 (Veltkamp)
    high = factor - (factor - a)
    return high, a - high


def two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded product and its rounding error, exactly (Dekker)."""
    product = a * b
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


class Slices:
    """A matrix cut into summands of few bits, as one factor of exact products.

    Parameters
    ----------
    matrix : ndarray
        Entries must be far from over- and underflow.
    axis : int
        Axis along which the product sums: 1 for a left factor, 0 for a right one. The bits of a
        slice are counted from the largest entry along it; what is below the last is dropped.
    """

    def __init__(self, matrix: np.ndarray, axis: int) -> None:
        terms = matrix.shape[axis] * MAX_SLICES
        self.bits = (SIGNIFICAND - int(np.ceil(np.log2(terms)))) // 2
        self.parts: list[np.ndarray] = []
        largest = np.abs(matrix).max(axis=axis, keepdims=True, initial=0.0)
        exponent = np.frexp(largest)[1] - self.bits
        rest = matrix
        while len(self.parts) < MAX_SLICES and (not self.parts or rest.any()):
            # Adding and subtracting 1.5 * 2^52 units rounds to whole units.
            rounder = np.ldexp(1.5, exponent + SIGNIFICAND - 1)
            part = (rest + rounder) - rounder
            self.parts.append(part)
            rest = rest - part
            exponent = exponent - self.bits


def product(a: np.ndarray, b: Pair) -> Pair:
    """Matrix product in twice the working precision.

    Parameters
    ----------
    a : ndarray, (m, k)
    b : Pair of ndarray, (k, q)

    Returns
    -------
    Pair of ndarray, (m, q)
        The error is some 2^-104 of the terms summed (not of their sum), and 2^-130 of the product
        of the largest entries of row and column.
    """
    q = b.high.shape[1]
    both = Slices(np.concatenate([b.high, b.low], axis=1), 0)
    joined = product_of_slices(Slices(a, 1), both)
    return joined.columns(slice(None, q)).plus(joined.columns(slice(q, None)))


def product_of_slices(left: Slices, right: Slices) -> Pair:
    """``product`` of two matrices of doubles that are cut already."""
    high = left.parts[0] @ right.parts[0]
    low = np.zeros_like(high)
    n_left, n_right = len(left.parts), len(right.parts)
    for level in range(1, min(n_left + n_right - 1, -(-BITS_KEPT // left.bits))):
        pairs = range(max(0, level - n_right + 1), min(level, n_left - 1) + 1)
        # Slices of one level share their unit: their products add up without rounding, too.
        exact = sum(left.parts[i] @ right.parts[level - i] for i in pairs)
        high, rest = two_sum(high, np.asarray(exact))
        low += rest
    return Pair(*two_sum(high, low))
