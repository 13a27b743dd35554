"""Weibull components: times until an event, some of them cut off before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expm1, gammaln, psi, zeta

from smmix.core.family import Derivatives, Nuisance, Working
from smmix.core.transforms import LOG
from smmix.families.exponential import LARGEST, LOG_LARGEST, Array, Aux, first_not
from smmix.families.links import LARGEST_LOG, LINKS
from smmix.families.scored import ScoredFamily

__all__ = ["Weibull"]

TAKES: tuple[str, ...] = ("event",)
SHAPE: tuple[Nuisance, ...] = (Nuisance("shape", LOG),)
#: The spread of log times.
INVERSE_SHAPE: tuple[Any, Any] | None = (0, -1.0)
#: From this shape on the variance comes from a series in 1 / shape.
LARGE = 100.0


class _State(NamedTuple):
    failed: np.ndarray  # (m,) 1 where the event was seen, 0 where the time was cut off
    z: np.ndarray  # shape (log(time) - eta)
    hazard: np.ndarray  # exp(z), the cumulative hazard


@dataclass(frozen=True, repr=False)
class Weibull(ScoredFamily):
    """Weibull regressions of times that may be censored from the right.

    The log of the time is eta + W / shape with the smallest extreme value distribution for W [1]_:
    accelerated failure times. R's survreg calls 1 / shape its scale. A response is the time of an
    event, or minus the time at which a row was cut off.

    Notes
    -----
    Means, quantiles and draws are of times of events. For a row that was cut off, the
    probabilities of ``cdf_below`` and ``cdf`` are those of the event before its time, and 1: its
    event lies somewhere between.

    References
    ----------
    .. [1] Kalbfleisch, J. D. and Prentice, R. L. (2002). The Statistical Analysis of Failure Time
       Data, 2nd ed., sections 2.2.2 and 3.6.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.families.weibull import Weibull
    >>> Weibull().mean(None, np.zeros((1, 1, 1)), np.full((1, 1, 1), 2.0)).round(4)
    array([[[0.8862]]])
    """

    link = LINKS["log"]
    name = "weibull"
    label = "Weibull regressions"
    takes = TAKES
    scale = INVERSE_SHAPE
    limits = (1e-30, 1e30)
    nuisance = SHAPE

    def uncensored(self, y: Array) -> Array:
        return np.asarray(y > 0.0)

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        size = np.abs(y)
        row = first_not((size > 1.0 / LARGEST) & (size < LARGEST))
        return None if row is None else (row, "a time is a positive number, from 1e-100 to 1e100")

    def start_response(self, y: Array, aux: Aux) -> Array:
        return np.log(np.abs(y))

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """From the standard deviation of the log, which is pi / sqrt(6) over the shape."""
        spread = float(np.std(np.log(np.abs(y))))
        return np.array([np.pi / np.sqrt(6.0) / max(spread, 1e-6)])[: len(self.nuisance)]

    def _shape(self, nuisance: Array) -> Array:
        return np.clip(nuisance[..., :1], *self.limits)

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        failed = np.where(y > 0.0, 1.0, 0.0)
        log_time = np.log(np.abs(y))
        shape = self._shape(nuisance)
        distance = np.clip(log_time - eta, -LARGEST, LARGEST)
        z = np.clip(shape * distance, -LARGEST, LOG_LARGEST)
        hazard = np.exp(z)
        log_density = failed * (np.log(shape) + z - log_time)
        log_density -= hazard
        # At least one for an event: the curvature alone makes a far too long step where the
        # hazard is small.
        weight = np.maximum(hazard.real, np.maximum(failed, 1.0 / LARGEST))
        residual = (hazard - failed) / (shape * weight)
        return Working(log_density, residual, weight * shape**2, _State(failed, z, hazard))

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        failed, z, hazard = working.state
        shape = self._shape(nuisance)
        rest = hazard - failed
        curvature = shape**2 * hazard
        first, second = [shape * rest], [[-curvature]]
        # Concave in eta, so that what is observed is positive, and what is expected on average.
        if not self.nuisance:
            return Derivatives(first, second, curvature, [])
        information = (failed + z**2 * hazard) / shape**2
        first.append((failed - z * rest) / shape)
        second.append([rest + z * hazard, -information])
        return Derivatives(first, second, curvature, [[information]])

    def _log_mean(self, eta: Array, nuisance: Array) -> Array:
        return np.asarray(eta + gammaln(1.0 + 1.0 / self._shape(nuisance)))

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return _bounded_exp(self._log_mean(eta, nuisance))

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        mean, shape = self.mean(aux, eta, nuisance), self._shape(nuisance)
        both = [mean, -mean * psi(1.0 + 1.0 / shape) / shape**2]
        return both[: 1 + len(self.nuisance)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        inverse = 1.0 / self._shape(nuisance)
        near = np.minimum(inverse, 1.0 / LARGE)
        n = np.arange(2.0, 10.0)
        terms = (-1.0) ** n * zeta(n) / n * (2.0**n - 2.0)
        series = (terms * near[..., None] ** n).sum(axis=-1)
        far = gammaln(1.0 + 2.0 * inverse) - 2.0 * gammaln(1.0 + inverse)
        log_ratio = np.where(inverse < 1.0 / LARGE, series, far)  # of E[y^2] to the squared mean
        log_relative = log_ratio + np.log(-expm1(-log_ratio))
        return _bounded_exp(2.0 * self._log_mean(eta, nuisance) + log_relative)

    def _hazard(self, y: Array, eta: Array, nuisance: Array) -> Array:
        with np.errstate(divide="ignore"):
            log_time = np.log(np.abs(y))
        z = np.minimum(self._shape(nuisance) * (log_time - eta), LOG_LARGEST)
        return np.asarray(np.exp(z))

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        hazard = self._hazard(y, eta, nuisance)
        return np.where(y < 0.0, 1.0, -expm1(-hazard)), np.where(y < 0.0, 0.0, np.exp(-hazard))

    def cdf_below(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return -expm1(-self._hazard(y, eta, nuisance))

    def log_tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        hazard = self._hazard(y, eta, nuisance)
        with np.errstate(divide="ignore"):
            below = np.where(y < 0.0, 0.0, np.log(-expm1(-hazard)))
        return below, np.where(y < 0.0, -np.inf, -hazard)

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        with np.errstate(divide="ignore"):
            log_hazard = np.log(-np.log1p(-np.float64(q)))
        return _time(eta + log_hazard / self._shape(nuisance))

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        return _time(eta + np.log(rng.standard_exponential(eta.shape)) / self._shape(nuisance))


def _bounded_exp(log: Array) -> Array:
    return np.asarray(np.exp(np.clip(log, -LARGEST_LOG, LARGEST_LOG)))


def _time(log_time: Array) -> Array:
    """A time from its log; certain quantiles are 0 and infinite."""
    ends = np.where(log_time > 0.0, np.inf, 0.0)
    return np.where(np.isinf(log_time), ends, _bounded_exp(log_time))
