"""Censored Gaussian components, the Tobit model: y is a normal variable kept within limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr, ndtri

from smmix.core.family import Derivatives, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.errors import SmmixError
from smmix.families.location_scale import (
    LOG_SQRT_2PI,
    RealResponse,
    is_finite_number,
    sigma_score,
    spread,
    updated_sigma,
)
from smmix.support.checks import shown

__all__ = ["CensoredGaussian"]

#: Beyond so many standard deviations a limit is certain to hold, or certain not to.
CERTAIN = 40.0
#: Below this z the curvature of log Phi(z) comes from a continued fraction.
DEEP = -20.0


class _State(NamedTuple):
    """The censored rows of all components, one after the other, (c,)."""

    rows: np.ndarray  # (S, K, m) which
    side: np.ndarray  # -1 at the lower limit, 1 at the upper
    z: np.ndarray  # log-density is log Phi(z)
    mills: np.ndarray  # phi(z) / Phi(z)
    curvature: np.ndarray  # mills (mills + z), between 0 and 1


@dataclass(frozen=True)
class CensoredGaussian(RealResponse):
    """Normal regressions of a response that is recorded as a limit where it lies beyond.

    The coefficients and sigma describe the response before it is censored. EM imputes its mean
    and variance given that it is beyond the limit [1]_.

    Parameters
    ----------
    lower, upper : float, optional
        Limits; a response at or beyond one is censored there. At least one is needed.

    Raises
    ------
    SmmixError
        Without a limit, or with limits out of order.

    References
    ----------
    .. [1] Amemiya, T. (1984). Tobit models: a survey. Journal of Econometrics 24, 3-61.

    Examples
    --------
    >>> from smmix.families.censored_gaussian import CensoredGaussian
    >>> CensoredGaussian(lower=0).to_plain()
    {'lower': 0.0}
    """

    lower: float | None = None
    upper: float | None = None
    name = "censored_gaussian"
    label = "censored normal regressions"
    location_scale = False

    def __post_init__(self) -> None:
        if self.lower is None and self.upper is None:
            raise SmmixError("A censored Gaussian needs a limit; give lower, upper or both.")
        for which in ("lower", "upper"):
            limit = getattr(self, which)
            if limit is None:
                continue
            if not is_finite_number(limit):
                raise SmmixError(
                    f"The limit {which} is {shown(limit)}; give a finite number, or None."
                )
            object.__setattr__(self, which, float(limit))
        low, high = self._limits
        if low >= high:
            raise SmmixError(
                f"lower={shown(low)} is not below upper={shown(high)}; exchange or mend them."
            )

    @property
    def _limits(self) -> tuple[float, float]:
        low = -np.inf if self.lower is None else self.lower
        return low, np.inf if self.upper is None else self.upper

    def to_plain(self) -> dict[str, Any]:
        limits = {"lower": self.lower, "upper": self.upper}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def uncensored(self, y: np.ndarray) -> np.ndarray:
        low, high = self._limits
        return np.asarray((y > low) & (y < high))

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        return np.clip(y, *self._limits)

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        recorded = self.start_response(y, aux)
        return np.array([spread(recorded - recorded.mean())])

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        low, high = self._limits
        residual = np.subtract(np.clip(y, low, high), eta, out=eta)
        log_density = residual * residual
        log_density *= -0.5 / nuisance**2
        log_density -= np.log(nuisance) + LOG_SQRT_2PI
        side = (y >= high) * 1.0 - (y <= low) * 1.0
        rows = np.broadcast_to(side != 0.0, residual.shape)
        side = np.broadcast_to(side, residual.shape)[rows]
        sigma = np.broadcast_to(nuisance, residual.shape)[rows]
        z = -side * residual[rows] / sigma
        log_density[rows] = log_ndtr(z)
        mills, curvature = _mills(z)
        residual[rows] = side * sigma * mills
        return Working(log_density, residual, None, _State(rows, side, z, mills, curvature))

    def sums(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        """Variance of the response before it was censored."""
        state: _State = working.state
        variance = np.zeros(working.residual.shape)
        sigma = np.broadcast_to(nuisance, variance.shape)[state.rows]
        variance[state.rows] = sigma**2 * (1.0 - state.curvature)
        return [variance]

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        rows, side, z, mills, curvature = working.state
        precision = 1.0 / nuisance
        e = working.residual * precision
        in_sigma = e * e - 1.0
        in_sigma[rows] = -mills * z
        in_eta = np.full_like(e, -1.0)
        in_eta[rows] = -curvature
        mixed = -2.0 * e
        mixed[rows] = -side * (mills - curvature * z)
        twice = 1.0 - 3.0 * e * e
        twice[rows] = (2.0 * mills - curvature * z) * z
        first = [e * precision, in_sigma * precision]
        square = precision**2
        return Derivatives(
            first=first,
            second=[[in_eta * square], [mixed * square, twice * square]],
            # log-concave in eta: what is observed is positive, and what is expected on average
            information=-in_eta * square,
            nuisance_information=[[first[1] ** 2]],
        )

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        return updated_sigma(deviance + _imputed(stats), stats, penalty, shared)

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        return sigma_score(stats.rwr + _imputed(stats), stats.nobs, nuisance)

    def _bounds(self, eta: np.ndarray, nuisance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits as errors, (S, K, m), no farther out than what is certain."""
        low, high = (np.clip((limit - eta) / nuisance, -CERTAIN, CERTAIN) for limit in self._limits)
        return low, high

    def mean(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """Mean of the recorded response: that of a two-limit Tobit model."""
        low, high = self._bounds(eta, nuisance)
        beyond = _excess(-np.abs(low)) - _excess(-np.abs(high))
        return np.clip(np.clip(eta, *self._limits) + nuisance * beyond, *self._limits)

    def mean_derivatives(
        self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        low, high = self._bounds(eta, nuisance)
        return [ndtr(-low) - ndtr(-high), _phi(low) - _phi(high)]

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        low, high = self._bounds(eta, nuisance)
        below, above = ndtr(low), ndtr(-high)
        first = low * below + _phi(low) - _phi(high) + high * above
        second = low * (low * below + _phi(low)) + high * (high * above - _phi(high))
        second += ndtr(-low) - above
        return nuisance**2 * np.maximum(second - first**2, 0.0)

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        low, high = self._limits
        inside = ndtr((y - eta) / nuisance)
        return np.where(y < low, 0.0, np.where(y >= high, 1.0, inside))

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        low, high = self._limits
        inside = ndtr((y - eta) / nuisance)
        return np.where(y <= low, 0.0, np.where(y > high, 1.0, inside))

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return np.clip(eta + nuisance * ndtri(q), *self._limits)

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        return np.clip(eta + nuisance * rng.standard_normal(eta.shape), *self._limits)


def _imputed(stats: ComponentStats) -> np.ndarray:
    assert stats.extra is not None, "sums gives the variance of what was censored"
    return stats.extra[..., 0]


def _mills(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ratio phi / Phi at z, and minus its derivative, which is between 0 and 1."""
    mills = np.sqrt(2.0 / np.pi) / erfcx(-z / np.sqrt(2.0))
    rest = mills + z
    deep = z.real < DEEP
    if deep.any():
        # the sum cancels far out: there it is 1 / (x + 2 / (x + 3 / (x + ..))), x = -z
        tail = x = -z[deep]
        for step in range(10, 1, -1):
            tail = x + step / tail
        rest[deep] = 1.0 / tail
    return mills, mills * rest


def _phi(e: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi)


def _excess(t: np.ndarray) -> np.ndarray:
    """E[max(e + t, 0)] of a standard normal e, for t <= 0."""
    return np.maximum(_phi(t) + t * ndtr(t), 0.0)
