"""Gaussian components: y | x, c ~ N(x'b_c, sigma_c^2), with free or equal variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.core.family import Derivatives, Working
from smmix.core.statistics import ComponentStats

LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
#: Below this, in units of the pooled residual standard deviation, a sigma counts as zero.
SMALLEST_SIGMA = 1e-150


@dataclass(frozen=True)
class Gaussian:
    """Normal linear regressions by maximum likelihood.

    Attributes
    ----------
    equal_variance : bool
        Whether one sigma serves all components.
    """

    equal_variance: bool = False
    name = "gaussian"
    nuisance_names = ("sigma",)
    location_scale = True

    def evaluate(self, y: np.ndarray, eta: np.ndarray, nuisance: np.ndarray) -> Working:
        residual = np.subtract(y, eta, out=eta)
        log_density = residual * residual
        log_density *= -0.5 / nuisance**2
        log_density -= np.log(nuisance) + LOG_SQRT_2PI
        return Working(log_density, residual, None)

    def derivatives(self, y: np.ndarray, working: Working, nuisance: np.ndarray) -> Derivatives:
        precision = 1.0 / nuisance
        variance_inverse = precision**2
        e = working.residual * precision
        in_sigma = e * e
        twice_in_sigma = in_sigma * (-3.0 * variance_inverse)
        twice_in_sigma += variance_inverse
        in_sigma -= 1.0
        in_sigma *= precision
        mixed = e * (-2.0 * variance_inverse)
        e *= precision
        return Derivatives(
            first=[e, in_sigma],
            second=[[-variance_inverse], [mixed, twice_in_sigma]],
            information=variance_inverse,
        )

    def update_nuisance(
        self, stats: ComponentStats, deviance: np.ndarray, nuisance: np.ndarray, penalty: float
    ) -> np.ndarray:
        """Sigma by the M-step of Chen & Tan's penalised likelihood.

        The penalty is -a (s^2 / sigma^2 + log(sigma^2 / s^2) - 1) with s = 1, the pooled residual
        standard deviation of working coordinates [1]_. Equal variances are bounded without it.

        References
        ----------
        .. [1] Chen, J. and Tan, X. (2009). Inference for multivariate normal mixtures.
           Journal of Multivariate Analysis 100, 1367-1383.
        """
        if self.equal_variance:
            total = deviance.sum(axis=1, keepdims=True)
            variance = np.broadcast_to(
                total / stats.nobs.sum(axis=1, keepdims=True), deviance.shape
            )
        else:
            variance = (deviance + 2.0 * penalty) / np.maximum(
                stats.nobs + 2.0 * penalty, np.finfo(float).tiny
            )
        return np.sqrt(np.maximum(variance, SMALLEST_SIGMA**2))[..., None]

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sigma = nuisance[..., 0]
        precision = sigma**-2.0
        sigma_score = (stats.rwr * precision - stats.nobs) / sigma
        return stats.xwr * precision[..., None], sigma_score[..., None]

    def nuisance_information(self, counts: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return 2.0 * counts[..., None]

    def penalty(
        self, nuisance: np.ndarray, strength: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.equal_variance or strength == 0.0:
            zero = np.zeros_like(nuisance)
            return np.zeros(nuisance.shape[0]), zero, zero
        ratio = nuisance**-2.0
        value = -strength * (ratio + 2.0 * np.log(nuisance) - 1.0)
        return value.sum(axis=(1, 2)), -2.0 * strength * (1.0 - ratio), -4.0 * strength * ratio

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return eta

    def sample(self, eta: np.ndarray, nuisance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws with linear predictor ``eta`` and sigma ``nuisance`` of the same shape."""
        return eta + nuisance * rng.standard_normal(eta.shape)
