"""Gaussian components: y | x, c ~ N(mean, sigma_c^2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from smmix.core.family import Derivatives, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.errors import SmmixError
from smmix.families.links import LINKS
from smmix.families.location_scale import (
    LOG_SQRT_2PI,
    LocationScale,
    sigma_score,
    spread,
    updated_sigma,
)
from smmix.support.checks import shown

__all__ = ["Gaussian"]


@dataclass(frozen=True)
class Gaussian(LocationScale):
    """Normal regressions by maximum likelihood.

    Parameters
    ----------
    link : Link or str
        "identity", or "log": the mean is exp(x'b).

    Raises
    ------
    SmmixError
        For another link.

    Examples
    --------
    >>> from smmix.families.gaussian import Gaussian
    >>> Gaussian().nuisance[0].name
    'sigma'
    >>> Gaussian("log").to_plain()
    {'link': 'log'}
    """

    link: Any = LINKS["identity"]
    name = "gaussian"
    label = "linear regressions"

    def __post_init__(self) -> None:
        name = getattr(self.link, "name", self.link)
        if not isinstance(name, str) or name not in ("identity", "log"):
            raise SmmixError(
                f"The Gaussian family has the links 'identity' and 'log', not {shown(name)}; "
                "give one of them as link."
            )
        object.__setattr__(self, "link", LINKS[name])
        # With another link y - x'b means nothing: the rows keep their own units.
        object.__setattr__(self, "location_scale", name == "identity")

    def to_plain(self) -> dict[str, Any]:
        return {"link": self.link.name}

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        """The response, or its log; values that have none count as a hundredth of the mean size."""
        if self.location_scale:
            return y
        size = float(np.abs(y).mean())
        return np.log(np.maximum(y, 0.01 * size if size > 0.0 else 1.0))

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        return np.array([spread(y - y.mean())])

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        slope = None
        if not self.location_scale:
            slope = eta = self.link.mean(eta)  # exp is its own derivative
            residual = y - eta
        else:
            residual = np.subtract(y, eta, out=eta)
        log_density = residual * residual
        log_density *= -0.5 / nuisance**2
        log_density -= np.log(nuisance) + LOG_SQRT_2PI
        if slope is None:
            return Working(log_density, residual)
        return Working(log_density, residual / slope, slope * slope, (residual, slope))

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        precision = 1.0 / nuisance
        variance_inverse = precision**2
        residual = working.residual if working.state is None else working.state[0]
        e = residual * precision
        in_sigma = e * e
        twice_in_sigma = in_sigma * (-3.0 * variance_inverse)
        twice_in_sigma += variance_inverse
        in_sigma -= 1.0
        in_sigma *= precision
        mixed = e * (-2.0 * variance_inverse)
        e *= precision
        information = variance_inverse
        second = -variance_inverse
        if working.state is not None:
            slope = working.state[1]
            e *= slope
            mixed *= slope
            information = slope * slope * variance_inverse
            second = e - information  # the second derivative of exp is its slope
        return Derivatives(
            first=[e, in_sigma],
            second=[[second], [mixed, twice_in_sigma]],
            information=information,
            nuisance_information=[[2.0 * variance_inverse]],
        )

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        return updated_sigma(deviance, stats, penalty, shared)

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        return sigma_score(stats.rwr, stats.nobs, nuisance)

    def standard_variance(self, nuisance: np.ndarray) -> np.ndarray:
        return np.ones(1)

    def standard_cdf(self, error: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return ndtr(error)

    def log_tails(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        error = (y - self.mean(aux, eta, nuisance)) / nuisance
        return log_ndtr(error), log_ndtr(-error)

    def standard_quantile(self, q: float, nuisance: np.ndarray) -> np.ndarray:
        return np.asarray(ndtri(q))

    def standard_sample(
        self, shape: tuple[int, ...], nuisance: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        return rng.standard_normal(shape)
