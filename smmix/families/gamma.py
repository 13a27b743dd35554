"""Gamma components: positive y with mean mu and variance scale mu^2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, gammainc, gammaincinv, gammaln, loggamma, zeta

from smmix.core.family import Derivatives, Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import LOG
from smmix.families.exponential import (
    LARGEST,
    LARGEST_RATIO,
    ExponentialFamily,
    bent,
    first_not,
    mean_of,
    working_terms,
)
from smmix.families.scoring import scored_update

__all__ = ["Gamma"]

#: From this shape on, Stirling's series are exact and the differences that they replace are not.
LARGE_SHAPE = 100.0
#: Scoring steps of the dispersion in one update: its sufficient statistic is at hand.
INNER_STEPS = 4


def _log_constant(shape: np.ndarray) -> np.ndarray:
    """Shape log(shape) - shape - log gamma(shape)."""
    large = np.maximum(shape, LARGE_SHAPE)
    inverse = 1.0 / large
    series = 0.5 * np.log(large / (2.0 * np.pi)) - inverse / 12.0 * (
        1.0 - inverse**2 / 30.0 * (1.0 - inverse**2 * 2.0 / 7.0)
    )
    small = np.minimum(shape, LARGE_SHAPE)
    log_gamma = gammaln(small) if np.isrealobj(small) else loggamma(small)
    return np.where(shape.real > LARGE_SHAPE, series, small * np.log(small) - small - log_gamma)


def _shape_terms(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First derivative of the log constant, and minus its second."""
    inverse = 1.0 / np.maximum(shape, LARGE_SHAPE)
    square = inverse * inverse
    first = inverse * (0.5 + inverse / 12.0 * (1.0 - square / 10.0 * (1.0 - square * 10.0 / 21.0)))
    second = square * (0.5 + inverse / 6.0 * (1.0 - square / 5.0 * (1.0 - square * 5.0 / 7.0)))
    small = np.minimum(shape, LARGE_SHAPE)
    large = shape > LARGE_SHAPE
    return (
        np.where(large, first, np.log(small) - digamma(small)),
        np.where(large, second, zeta(2.0, small) - 1.0 / small),
    )


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
    scale = (0, 0.5)
    nuisance = (Nuisance("scale", LOG),)

    def refuse(self, y: np.ndarray, aux: np.ndarray | None) -> tuple[int, str] | None:
        row = first_not((y > 1.0 / LARGEST) & (y < LARGEST))
        words = "a gamma response is a positive number, between 1e-100 and 1e100"
        return None if row is None else (row, words)

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        return np.asarray(self.link.inverse(y))

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        """Nearly the maximum of the likelihood without regressors (Minka 2002)."""
        gap = max(np.log(np.mean(y)) - np.mean(np.log(y)), 1e-10)
        return np.array([12.0 * gap / (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap))])

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        shape = 1.0 / nuisance[..., :1]
        log_y = np.log(y)
        mean = mean_of(self.link, eta)
        ratio = np.minimum(y / mean.value, LARGEST_RATIO)
        unit = log_y - mean.log
        unit -= ratio
        unit += 1.0
        log_density = unit * shape
        log_density += _log_constant(shape)
        log_density -= log_y
        if mean.outside is not None:
            log_density[mean.outside] = -np.inf
        residual, weight = working_terms(ratio, mean, 2)
        return Working(log_density, residual, weight, (mean.rate, unit))

    def sums(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        """Minus half the unit deviance, the sufficient statistic of the dispersion."""
        return [working.state[1]]

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        shape = 1.0 / nuisance[..., :1]
        rate, unit = working.state
        first, second = _shape_terms(shape)
        in_shape = unit + first
        information = shape if working.weight is None else working.weight * shape
        score = information * working.residual
        expected = shape**4 * second
        return Derivatives(
            first=[score, -(shape**2) * in_shape],
            second=[
                [-information * bent(self.link, working.residual, rate, 2)],
                [-score * shape, 2.0 * shape**3 * in_shape - expected],
            ],
            information=information,
            nuisance_information=[[expected]],
        )

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        for _ in range(INNER_STEPS):
            information = stats.nobs[..., None] * _shape_terms(1.0 / nuisance)[1] / nuisance**4
            sums = np.concatenate([self.score(stats, nuisance), information], axis=-1)
            nuisance = scored_update(
                stats._replace(extra=sums), nuisance, self.nuisance, penalty, shared, self.scale
            )
        return nuisance

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        in_shape = stats.extra + stats.nobs[..., None] * _shape_terms(1.0 / nuisance)[0]
        return np.asarray(-in_shape / nuisance**2)

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return nuisance[..., :1] * self.mean(aux, eta, nuisance) ** 2

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        shape = 1.0 / nuisance[..., :1]
        return np.asarray(
            gammainc(shape, shape * np.maximum(y, 0.0) / self.mean(aux, eta, nuisance))
        )

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self.cdf(y, aux, eta, nuisance)

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        dispersion = nuisance[..., :1]
        return np.asarray(
            gammaincinv(1.0 / dispersion, q) * dispersion * self.mean(aux, eta, nuisance)
        )

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        mean, dispersion = self.mean(aux, eta, nuisance), nuisance[..., :1]
        return mean * dispersion * rng.standard_gamma(1.0 / dispersion, size=mean.shape)
