"""Covariance matrices of random effects: their entries as parameters, and the factor L, D = L L'.

Users see variances and covariances. The likelihood of a group is smooth in them up to the boundary,
where D is singular, but they are bound to a cone. In the entries of the lower triangular L there is
no bound, and a maximum at the boundary, such as a variance of zero, is a stationary point like any
other: Newton's method moves L.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["RandomEffects"]

#: A pivot below this share of its variance is zero: what rounding leaves of a singular matrix.
SMALLEST_PIVOT = 1e-14
#: Eigenvalues of a correlation matrix down to minus this are zeros but for rounding.
ROUNDING = 1e-10


@dataclass(frozen=True)
class RandomEffects:
    """The random effects of a group: columns of its design, and which entries of D are free.

    Attributes
    ----------
    names : tuple of str
        Columns of the design Z, (m, q).
    diagonal : bool
        Whether the effects are independent.
    """

    names: tuple[str, ...]
    diagonal: bool = False

    @property
    def q(self) -> int:
        return len(self.names)

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column, on and below the diagonal, of each parameter (e,)."""
        if self.diagonal:
            return np.arange(self.q), np.arange(self.q)
        return np.tril_indices(self.q)

    @cached_property
    def parameters(self) -> list[str]:
        """Names of the parameters (e,)."""
        pairs = zip(*self.entries, strict=True)
        return [f"random.{self.names[j]}:{self.names[i]}" for i, j in pairs]

    @cached_property
    def variances(self) -> list[str]:
        """Names of the parameters that are variances, (q,)."""
        return [f"random.{name}:{name}" for name in self.names]

    def matrix(self, values: np.ndarray) -> np.ndarray:
        """Symmetric matrices (.., q, q) of parameters (.., e)."""
        out = np.zeros((*values.shape[:-1], self.q, self.q), dtype=values.dtype)
        row, column = self.entries
        out[..., row, column] = out[..., column, row] = values
        return out

    def values(self, matrix: np.ndarray) -> np.ndarray:
        """Parameters (.., e) of symmetric matrices (.., q, q)."""
        return matrix[..., *self.entries]

    # -- the factor -----------------------------------------------------------------------------

    def factor(self, values: np.ndarray) -> np.ndarray:
        """Lower triangular L (.., q, q) with D = L L'; columns of zero where D is singular."""
        left = self.matrix(values)
        variance = np.einsum("...ii->...i", left).copy()
        out = np.zeros_like(left)
        for j in range(self.q):
            pivot = left[..., j, j]
            sound = pivot > SMALLEST_PIVOT * variance[..., j]
            root = np.sqrt(np.where(sound, pivot, 1.0))
            column = np.where(sound[..., None], left[..., :, j] / root[..., None], 0.0)
            column[..., :j] = 0.0
            out[..., :, j] = column
            left = left - column[..., :, None] * column[..., None, :]
        return out

    def moved(self, values: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Parameters (.., e) after a step (.., e) of the entries of L."""
        factor = self.factor(values)
        row, column = self.entries
        factor[..., row, column] += step
        return self.values(factor @ np.swapaxes(factor, -1, -2))

    def jacobian(self, values: np.ndarray) -> np.ndarray:
        """Derivatives (.., e, e) of the parameters in the entries of L."""
        factor = self.factor(values)
        out = np.zeros((*values.shape, values.shape[-1]))
        for b, (i, j) in enumerate(zip(*self.entries, strict=True)):
            turned = np.zeros_like(factor)
            turned[..., i, :] = factor[..., :, j]
            out[..., b] = self.values(turned + np.swapaxes(turned, -1, -2))
        return out

    def bend(self, score: np.ndarray) -> np.ndarray:
        """Sum of scores (.., e) times second derivatives of the parameters in L, (.., e, e)."""
        row, column = self.entries
        # D_ij is the product of rows i and j of L: entries bend it that stand in one column.
        weight = self.matrix(score) * (1.0 + np.eye(self.q))
        same = column[:, None] == column
        return np.asarray(weight[..., row[:, None], row] * same)

    def allowed(self, values: np.ndarray) -> np.ndarray:
        """Whether matrices of parameters (.., e) are covariance matrices, (..) of bool."""
        matrix = self.matrix(values)
        variance = np.einsum("...ii->...i", matrix)
        size = np.sqrt(np.where(variance > 0.0, variance, 1.0))
        scaled = matrix / size[..., :, None] / size[..., None, :]
        return np.asarray(np.linalg.eigvalsh(scaled)[..., 0] > -ROUNDING)
