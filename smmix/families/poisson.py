"""Poisson components: counts with mean and variance mu, log(mu) = x'b_c by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import pdtr

from smmix.core.family import Derivatives, Working
from smmix.families.counts import log_factorial
from smmix.families.exponential import (
    Array,
    Aux,
    ExponentialFamily,
    bent,
    first_not,
    mean_of,
    smallest_reaching,
    working_terms,
)

__all__ = ["Poisson"]


@dataclass(frozen=True, repr=False)
class Poisson(ExponentialFamily):
    """Poisson regressions.

    Attributes
    ----------
    link : Link
        Given by its name: "log", "identity" or "sqrt". With "identity" a row whose linear
        predictor is not positive has density zero.

    Raises
    ------
    SmmixError
        Where the link is none of these.

    Examples
    --------
    >>> from smmix.families.poisson import Poisson
    >>> Poisson(link="sqrt")
    Poisson(link='sqrt')
    """

    link: Any = "log"
    name = "poisson"
    label = "Poisson regressions"
    links = ("log", "identity", "sqrt")
    discrete = True

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        row = first_not((y >= 0.0) & np.isfinite(y) & (np.floor(y) == y))
        return None if row is None else (row, "a Poisson response is a whole number from 0 up")

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        mean = mean_of(self.link, eta)
        log_density = y * mean.log
        log_density -= mean.value
        log_density -= log_factorial(y)
        if mean.outside is not None:
            log_density[mean.outside] = -np.inf
        residual, weight = working_terms(y / mean.value, mean, self.power)
        return Working(log_density, residual, weight, mean.rate)

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        weight = np.asarray(working.weight)
        return Derivatives(
            first=[weight * working.residual],
            second=[[-weight * bent(self.link, working.residual, working.state, self.power)]],
            information=weight,
            nuisance_information=[],
        )

    def cdf(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        mean = self.mean(aux, eta, nuisance)
        return np.where(y < 0.0, 0.0 * mean, pdtr(np.maximum(np.floor(y), 0.0), mean))

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        mean = self.mean(aux, eta, nuisance)
        return smallest_reaching(lambda y: pdtr(y, mean), q, np.full(mean.shape, np.inf))

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        mean = self.mean(aux, eta, nuisance)
        return np.where(np.isnan(mean), np.nan, rng.poisson(np.nan_to_num(mean)))
