"""Poisson components: counts with mean and variance mu, log(mu) = x'b_c by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, pdtr, pdtrik

from smmix.core.family import Derivatives, Working
from smmix.families.exponential import (
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

    def refuse(self, y: np.ndarray, aux: np.ndarray | None) -> tuple[int, str] | None:
        row = first_not((y >= 0.0) & np.isfinite(y) & (np.floor(y) == y))
        return None if row is None else (row, "a Poisson response is a whole number from 0 up")

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        return np.asarray(self.link.inverse(y + 0.5))

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        mean = mean_of(self.link, eta)
        log_density = y * mean.log
        log_density -= mean.value
        log_density -= gammaln(y + 1.0)
        if mean.outside is not None:
            log_density[mean.outside] = -np.inf
        residual, weight = working_terms(y / mean.value, mean, 1)
        return Working(log_density, residual, weight, mean.rate)

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        weight = np.asarray(working.weight)
        return Derivatives(
            first=[weight * working.residual],
            second=[[-weight * bent(self.link, working.residual, working.state, 1)]],
            information=weight,
            nuisance_information=[],
        )

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return self.mean(aux, eta, nuisance)

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        mean = self.mean(aux, eta, nuisance)
        return np.where(y < 0.0, 0.0 * mean, pdtr(np.maximum(np.floor(y), 0.0), mean))

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self.cdf(np.ceil(y) - 1.0, aux, eta, nuisance)

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        mean = self.mean(aux, eta, nuisance)
        return smallest_reaching(pdtrik(q, mean), lambda y: pdtr(y, mean), q)

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        mean = self.mean(aux, eta, nuisance)
        return np.where(np.isnan(mean), np.nan, rng.poisson(np.nan_to_num(mean)))
