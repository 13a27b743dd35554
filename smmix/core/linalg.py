"""Symmetric positive semi-definite systems, many at once."""

from __future__ import annotations

import numpy as np

#: Smallest pivot of the unit-diagonal Cholesky factor that a system is solved with.
SMALLEST_PIVOT = 1e-7


def solve_gram(gram: np.ndarray, rhs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve ``gram`` (.., p, p) for ``rhs`` (.., p); singular systems by minimum norm.

    Returns
    -------
    solution : ndarray, (.., p)
    rank_ok : ndarray of bool, (..)
    """
    diagonal = np.einsum("...ii->...i", gram)
    width = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = gram * width[..., :, None] * width[..., None, :]
    try:
        factor = np.linalg.cholesky(scaled)
        good = np.einsum("...ii->...i", factor).min(axis=-1) > SMALLEST_PIVOT
    except np.linalg.LinAlgError:
        good = np.zeros(gram.shape[:-2], dtype=bool)
    if good.all():
        return np.linalg.solve(scaled, (rhs * width)[..., None])[..., 0] * width, good
    values, vectors = np.linalg.eigh(scaled)
    kept = values > 1e-13 * gram.shape[-1]
    inverse = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
    turned = np.einsum("...ji,...j->...i", vectors, rhs * width) * inverse
    return np.einsum("...ij,...j->...i", vectors, turned) * width, kept.all(axis=-1)
