"""Gamma components: positive y with mean mu and variance scale mu^2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammainc, gammaincinv

from smmix.core.family import Derivatives, Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import LOG
from smmix.families.exponential import (
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
from smmix.families.scoring import scored_update
from smmix.families.stirling import log_constant, shape_terms

__all__ = ["Gamma"]

#: Scoring steps of the dispersion in one update: its sufficient statistic is at hand.
INNER_STEPS = 4


@dataclass(frozen=True, repr=False)
class Gamma(ExponentialFamily):
    """Gamma regressions by maximum likelihood, the dispersion included.

    Attributes
    ----------
    link : Link
        Given by its name: "log", "inverse_power" or "identity". With the last two a row whose
        linear predictor is not positive has density zero.

    Raises
    ------
    SmmixError
        Where the link is none of these.

    Examples
    --------
    >>> from smmix.families.gamma import Gamma
    >>> Gamma() == Gamma(link="log")
    True
    """

    link: Any = "log"
    name = "gamma"
    label = "gamma regressions"
    links = ("log", "inverse_power", "identity")
    power = 2
    scale = ROOT_OF_DISPERSION
    nuisance = (Nuisance("scale", LOG),)

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        return not_positive(y, "a gamma")

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """Nearly the maximum of the likelihood without regressors.

        Its error is below 1.5 per cent (Minka, T. P., 2002, Estimating a Gamma distribution,
        equation 10).
        """
        gap = max(np.log(np.mean(y)) - np.mean(np.log(y)), 1e-10)
        return np.array([12.0 * gap / (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap))])

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        shape = 1.0 / nuisance[..., :1]
        log_y = np.log(y)
        mean = mean_of(self.link, eta)
        ratio = np.minimum(y / mean.value, LARGEST_RATIO)
        unit = log_y - mean.log
        unit -= ratio
        unit += 1.0
        log_density = unit * shape
        log_density += log_constant(shape)
        log_density -= log_y
        if mean.outside is not None:
            log_density[mean.outside] = -np.inf
        residual, weight = working_terms(ratio, mean, self.power)
        return Working(log_density, residual, weight, (mean.rate, unit))

    def sums(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> list[Array]:
        """Minus half the unit deviance, the sufficient statistic of the dispersion."""
        return [working.state[1]]

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        shape = 1.0 / nuisance[..., :1]
        rate, unit = working.state
        first, second = shape_terms(shape)
        in_shape = unit + first
        information = shape if working.weight is None else working.weight * shape
        score = information * working.residual
        expected = shape**4 * second
        return Derivatives(
            first=[score, -(shape**2) * in_shape],
            second=[
                [-information * bent(self.link, working.residual, rate, self.power)],
                [-score * shape, 2.0 * shape**3 * in_shape - expected],
            ],
            information=information,
            nuisance_information=[[expected]],
        )

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: Array,
        nuisance: Array,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> Array:
        """Scoring steps on the one sum that the dispersion depends on."""
        for _ in range(INNER_STEPS):
            information = stats.nobs[..., None] * shape_terms(1.0 / nuisance)[1] / nuisance**4
            sums = np.concatenate([self.score(stats, nuisance), information], axis=-1)
            nuisance = scored_update(
                stats._replace(extra=sums), nuisance, self.nuisance, penalty, shared, self.scale
            )
        return np.maximum(nuisance, SMALLEST_DISPERSION)

    def score(self, stats: ComponentStats, nuisance: Array) -> Array:
        in_shape = (
            np.asarray(stats.extra)[..., :1]
            + stats.nobs[..., None] * shape_terms(1.0 / nuisance)[0]
        )
        return -in_shape / nuisance**2

    def cdf(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        shape = 1.0 / nuisance[..., :1]
        return gammainc(shape, shape * np.maximum(y, 0.0) / self.mean(aux, eta, nuisance))

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        dispersion = nuisance[..., :1]
        return gammaincinv(1.0 / dispersion, q) * dispersion * self.mean(aux, eta, nuisance)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        mean, dispersion = self.mean(aux, eta, nuisance), nuisance[..., :1]
        return mean * dispersion * rng.standard_gamma(1.0 / dispersion, size=mean.shape)
