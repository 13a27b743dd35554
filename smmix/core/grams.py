"""Weighted cross products of a block's columns, for many weight vectors at once."""

from __future__ import annotations

from functools import cache

import numpy as np

#: Up to this many columns, one matrix product with all column products beats one per weight.
MAX_COLUMNS_FOR_PRODUCTS = 16
#: From this many columns on, BLAS gains by forming one triangle of w^(1/2) x times its transpose.
MIN_COLUMNS_FOR_ROOTS = 32


def column_products(x: np.ndarray) -> np.ndarray:
    """Products of the columns of ``x`` (m, p) on and above the diagonal, (m, p (p + 1) / 2)."""
    columns = np.ascontiguousarray(x.T)
    p, m = columns.shape
    out = np.empty((p * (p + 1) // 2, m))
    row = 0
    for j in range(p):
        np.multiply(columns[j], columns[j:], out=out[row : row + p - j])
        row += p - j
    return out.T


def weighted_grams(weights: np.ndarray, x: np.ndarray, products: np.ndarray | None) -> np.ndarray:
    """``x' diag(w) x`` for weights (.., m), giving (.., p, p); ``products`` saves forming them."""
    p = x.shape[1]
    lead = weights.shape[:-1]
    flat = weights.reshape(-1, weights.shape[-1])
    if p <= MAX_COLUMNS_FOR_PRODUCTS:
        packed = flat @ (column_products(x) if products is None else products)
        return packed[:, _unpack_index(p)].reshape(*lead, p, p)
    columns = np.ascontiguousarray(x.T)
    weighted = np.empty_like(columns)
    out = np.empty((flat.shape[0], p, p))
    have_roots = p >= MIN_COLUMNS_FOR_ROOTS and flat.min(initial=0.0) >= 0.0
    for gram, weight in zip(out, flat, strict=True):
        np.multiply(columns, np.sqrt(weight) if have_roots else weight, out=weighted)
        np.matmul(weighted, weighted.T if have_roots else x, out=gram)
    return out.reshape(*lead, p, p)


@cache
def _unpack_index(p: int) -> np.ndarray:
    """Positions (p, p) of a symmetric matrix's entries in its packed upper triangle."""
    index = np.empty((p, p), dtype=np.intp)
    rows, columns = np.triu_indices(p)
    index[rows, columns] = index[columns, rows] = np.arange(rows.size)
    return index
