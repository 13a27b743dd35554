"""Parameters as a value, and the layout of the flat vector that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class MixtureParams(NamedTuple):
    """Parameters of a batch of ``S`` mixtures with ``K`` components.

    Attributes
    ----------
    coef : ndarray, (S, K, p)
        Regression coefficients.
    nuisance : ndarray, (S, K, d)
        The family's further parameters on their natural scale (Gaussian: sigma).
    mixing : ndarray, (S, K - 1, q)
        Logits of components 1..K-1 against component 0.
    """

    coef: np.ndarray
    nuisance: np.ndarray
    mixing: np.ndarray

    @property
    def size(self) -> int:
        return self.coef.shape[0]

    @property
    def k(self) -> int:
        return self.coef.shape[1]

    def take(self, index: slice | np.ndarray) -> MixtureParams:
        """The parameter sets that ``index`` selects (an integer array or a slice)."""
        return MixtureParams(*(part[index] for part in self))

    def where(self, mask: np.ndarray, other: MixtureParams) -> MixtureParams:
        """Self where ``mask`` (S,) holds, else ``other``."""
        pick = mask[:, None, None]
        return MixtureParams(*(np.where(pick, a, b) for a, b in zip(self, other, strict=True)))

    def permute(self, order: np.ndarray) -> MixtureParams:
        """The same mixtures with component ``order[c]`` (K,) called ``c``."""
        logits = np.concatenate([np.zeros_like(self.mixing[:, :1]), self.mixing], axis=1)
        if self.mixing.shape[1] == 0:
            return self
        logits = logits[:, order]
        return MixtureParams(
            self.coef[:, order], self.nuisance[:, order], logits[:, 1:] - logits[:, :1]
        )


def concatenate(parts: list[MixtureParams]) -> MixtureParams:
    """One batch from several."""
    return MixtureParams(*(np.concatenate(field) for field in zip(*parts, strict=True)))


@dataclass(frozen=True)
class ParamLayout:
    """Where each parameter of a ``k``-component mixture stands in the full flat vector.

    The full vector is [coefficients of component 0, .., k-1 | nuisance parameters of component
    0, .., k-1 | logits of component 1, .., k-1], with ``p``, ``d`` and ``q`` entries each.
    """

    k: int
    p: int
    d: int
    q: int

    @property
    def size(self) -> int:
        return self.k * (self.p + self.d) + (self.k - 1) * self.q

    @property
    def coef(self) -> slice:
        return slice(0, self.k * self.p)

    @property
    def nuisance(self) -> slice:
        return slice(self.k * self.p, self.k * (self.p + self.d))

    @property
    def mixing(self) -> slice:
        return slice(self.k * (self.p + self.d), self.size)

    def component(self, c: int) -> np.ndarray:
        """Positions of component ``c``'s coefficients, nuisance parameters and logits."""
        start = self.nuisance.start + c * self.d
        regression = np.r_[c * self.p : (c + 1) * self.p, start : start + self.d]
        if c == 0:
            return regression
        start = self.mixing.start + (c - 1) * self.q
        return np.r_[regression, start : start + self.q]

    def pack(self, params: MixtureParams) -> np.ndarray:
        """Flat vectors, (S, F)."""
        size = params.size
        return np.concatenate([part.reshape(size, -1) for part in params], axis=1)

    def unpack(self, vector: np.ndarray) -> MixtureParams:
        """Parameters from flat vectors (S, F) or (F,)."""
        flat = np.atleast_2d(vector)
        size = flat.shape[0]
        return MixtureParams(
            flat[:, self.coef].reshape(size, self.k, self.p),
            flat[:, self.nuisance].reshape(size, self.k, self.d),
            flat[:, self.mixing].reshape(size, self.k - 1, self.q),
        )


@dataclass(frozen=True)
class LinearMap:
    """Full vector = ``basis`` @ free vector + ``origin``: what restrictions leave free.

    Equal variances, common coefficients and every other linear equality are such a map.
    """

    basis: np.ndarray  # (F, V)
    origin: np.ndarray  # (F,)

    @classmethod
    def identity(cls, size: int) -> LinearMap:
        return cls(np.eye(size), np.zeros(size))

    def full(self, free: np.ndarray) -> np.ndarray:
        """Full vectors (.., F) of free vectors (.., V)."""
        return free @ self.basis.T + self.origin

    def free(self, full: np.ndarray) -> np.ndarray:
        """Free vectors (.., V) whose full vectors are nearest to ``full`` (.., F)."""
        return (full - self.origin) @ np.linalg.pinv(self.basis).T

    def then(self, inner: LinearMap) -> LinearMap:
        """The map with ``inner`` applied first."""
        return LinearMap(self.basis @ inner.basis, self.full(inner.origin))
