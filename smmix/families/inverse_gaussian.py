"""Inverse Gaussian components: positive y with mean mu and variance scale mu^3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erfcx, ndtr
from scipy.stats import invgauss

from smmix.core.family import Derivatives, Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import LOG
from smmix.families.exponential import (
    LARGEST,
    LARGEST_RATIO,
    ROOT_OF_DISPERSION,
    SMALLEST_DISPERSION,
    Array,
    Aux,
    ExponentialFamily,
    bent,
    mean_of,
    not_positive,
    working_terms,
)

__all__ = ["InverseGaussian"]


@dataclass(frozen=True, repr=False)
class InverseGaussian(ExponentialFamily):
    """Inverse Gaussian regressions by maximum likelihood, the dispersion included.

    Attributes
    ----------
    link : Link
        Given by its name: "log" or "inverse_squared". With the latter a row whose linear
        predictor is not positive has density zero.

    Raises
    ------
    SmmixError
        Where the link is none of these.

    Examples
    --------
    >>> from smmix.families.inverse_gaussian import InverseGaussian
    >>> [parameter.name for parameter in InverseGaussian().nuisance]
    ['scale']
    """

    link: Any = "log"
    name = "inverse_gaussian"
    label = "inverse Gaussian regressions"
    links = ("log", "inverse_squared")
    power = 3
    scale = ROOT_OF_DISPERSION
    nuisance = (Nuisance("scale", LOG, -1),)

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        return not_positive(y, "an inverse Gaussian")

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """The maximum of the likelihood without regressors."""
        return np.array([max(np.mean(1.0 / y) - 1.0 / np.mean(y), 1e-10 / np.mean(y))])

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        dispersion = nuisance[..., :1]
        mean = mean_of(self.link, eta)
        ratio = np.minimum(y / mean.value, LARGEST_RATIO)
        unit = np.square(ratio - 1.0) / y
        log_density = unit * (-0.5 / dispersion)
        log_density -= 0.5 * np.log(2.0 * np.pi * dispersion)
        log_density -= 1.5 * np.log(y)
        if mean.outside is not None:
            log_density[mean.outside] = -np.inf
        residual, weight = working_terms(ratio, mean, self.power)
        return Working(log_density, residual, weight, (mean.rate, unit))

    def sums(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> list[Array]:
        """The unit deviance (y - mu)^2 / (y mu^2)."""
        return [working.state[1]]

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        precision = 1.0 / nuisance[..., :1]
        rate, unit = working.state
        information = np.asarray(working.weight) * precision
        score = information * working.residual
        return Derivatives(
            first=[score, 0.5 * precision * (precision * unit - 1.0)],
            second=[
                [-information * bent(self.link, working.residual, rate, self.power)],
                [-score * precision, precision * precision * (0.5 - precision * unit)],
            ],
            information=information,
            nuisance_information=[[0.5 * precision * precision]],
        )

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: Array,
        nuisance: Array,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> Array:
        """The mean unit deviance, which is where the (penalised) likelihood is largest."""
        total, count = np.asarray(stats.extra)[..., 0], stats.nobs
        if "scale" in shared:
            total, count = (
                np.broadcast_to(v.sum(1, keepdims=True), v.shape) for v in (total, count)
            )
        else:
            total = total + 2.0 * penalty.strength * penalty.reference**2
            count = count + 2.0 * penalty.strength
        found = np.maximum(total / np.maximum(count, np.finfo(float).tiny), SMALLEST_DISPERSION)
        return np.where((count > 0.0) & np.isfinite(found), found, nuisance[..., 0])[..., None]

    def score(self, stats: ComponentStats, nuisance: Array) -> Array:
        return (
            0.5 / nuisance * (np.asarray(stats.extra)[..., :1] / nuisance - stats.nobs[..., None])
        )

    def cdf(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        """The two normal probabilities of Shuster (1968, JASA 63, 1514-1516)."""
        mean, dispersion = self.mean(aux, eta, nuisance), nuisance[..., :1]
        positive = np.maximum(y, 1.0 / LARGEST)
        root = np.sqrt(dispersion * positive)
        near, far = (positive / mean - 1.0) / root, (positive / mean + 1.0) / root
        total = ndtr(near) + 0.5 * erfcx(far / np.sqrt(2.0)) * np.exp(-0.5 * near * near)
        return np.where(y > 0.0, total, 0.0 * mean)

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        mean, dispersion = self.mean(aux, eta, nuisance), nuisance[..., :1]
        return np.asarray(invgauss.ppf(q, mean * dispersion, scale=1.0 / dispersion))

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        mean = self.mean(aux, eta, nuisance)
        drawn = rng.wald(np.nan_to_num(mean, nan=1.0), 1.0 / nuisance[..., :1])
        return np.where(np.isnan(mean), np.nan, drawn)
