"""Gaussian components with random effects: rows of a group differ together.

The engine knows groups through `smmix.core.group_components`. What is said here of rows is said
of each by itself: y ~ N(x'b, z'D z + sigma^2), with z, its row of the random effects' design, in
``aux``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from smmix.core.family import Nuisance, Penalty, Working
from smmix.core.random_effects import RandomEffects
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import IDENTITY
from smmix.families.gaussian import Gaussian
from smmix.families.location_scale import LOG_SQRT_2PI, SIGMA, sigma_score, updated_sigma

__all__ = ["MixedGaussian"]


@dataclass(frozen=True)
class MixedGaussian(Gaussian):
    """Normal regressions with random effects, by maximum likelihood.

    Parameters
    ----------
    random : RandomEffects
        The effects, whose variances and covariances follow sigma among the nuisance parameters.
    formula : str, optional
        Makes the columns of their design.

    Examples
    --------
    >>> from smmix.families.mixed_gaussian import MixedGaussian
    >>> family = MixedGaussian(formula="~ 1").with_terms(["Intercept"])
    >>> [parameter.name for parameter in family.nuisance]
    ['sigma', 'random.Intercept:Intercept']
    """

    random: RandomEffects = field(default_factory=partial(RandomEffects, ()))
    formula: str | None = None
    name = "mixed_gaussian"
    label = "linear regressions with random effects"

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:
        return (SIGMA, *(Nuisance(name, IDENTITY, 2) for name in self.random.parameters))

    @property
    def ancillary(self) -> str | None:  # type: ignore[override]
        return self.formula

    def with_terms(self, names: Sequence[str]) -> MixedGaussian:
        return replace(self, random=replace(self.random, names=tuple(names)))

    def to_plain(self) -> dict[str, Any]:
        random = {"random": list(self.random.names), "diagonal": self.random.diagonal}
        return {**random, "formula": self.formula}

    @classmethod
    def of(cls, random: list[str], diagonal: bool, formula: str | None) -> MixedGaussian:
        """The family that `to_plain` described."""
        return cls(random=RandomEffects(tuple(random), bool(diagonal)), formula=formula)

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        """Half of the variation to the errors, half to the effects in equal parts."""
        assert aux is not None, "random effects have a design"
        half = 0.5 * float(np.mean((y - y.mean()) ** 2))
        variance = half / np.maximum((aux**2).mean(axis=0), np.finfo(float).tiny) / self.random.q
        return np.append(np.sqrt(half), self.random.values(np.diag(variance)))

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        assert stats.extra is not None, "groups have moments"
        moments, count = stats.extra[..., :-1], stats.extra[..., -1:]
        if shared.issuperset(self.random.parameters):
            moments = np.broadcast_to(moments.sum(axis=1, keepdims=True), moments.shape)
            count = count.sum(axis=1, keepdims=True)
        d = self.random.matrix(nuisance[..., 1:])
        mean = self.random.matrix(moments / np.maximum(count, np.finfo(float).tiny))
        sigma = updated_sigma(stats.rwr, stats, penalty, shared)
        return np.concatenate([sigma, self.random.values(d + d @ mean @ d)], axis=-1)

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        assert stats.extra is not None, "groups have moments"
        row, column = self.random.entries
        half = np.where(row == column, 0.5, 1.0)
        sigma = sigma_score(stats.rwr, stats.nobs, nuisance)
        return np.concatenate([sigma, half * stats.extra[..., :-1]], axis=-1)

    # -- a row by itself --------------------------------------------------------------------------

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        assert aux is not None, "random effects have a design"
        d = self.random.matrix(nuisance[..., 1:])
        within = np.einsum("mi,skij,mj->skm", aux, d, aux)
        return np.asarray(within + nuisance[..., :1] ** 2)

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        variance = self.variance(aux, eta, nuisance)
        residual = y - eta
        density = -0.5 * (residual**2 / variance + np.log(variance)) - LOG_SQRT_2PI
        return Working(density, residual)

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return np.asarray(ndtr((y - eta) / np.sqrt(self.variance(aux, eta, nuisance))))

    def log_tails(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        error = (y - eta) / np.sqrt(self.variance(aux, eta, nuisance))
        return log_ndtr(error), log_ndtr(-error)

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return np.asarray(eta + np.sqrt(self.variance(aux, eta, nuisance)) * ndtri(q))

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
        codes: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draws of y, (S, K, m); rows with one code (m,), from 0 up, share their effects."""
        assert aux is not None, "random effects have a design"
        if codes is None:
            codes = np.arange(len(aux))
        factor = self.random.factor(nuisance[..., 1:])
        shape = (*eta.shape[:2], codes.max(initial=-1) + 1, self.random.q)
        effects = rng.standard_normal(shape) @ np.swapaxes(factor, -1, -2)
        mean = eta + np.einsum("mi,skmi->skm", aux, effects[:, :, codes])
        return np.asarray(mean + nuisance[..., :1] * rng.standard_normal(eta.shape))
