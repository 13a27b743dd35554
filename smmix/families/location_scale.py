"""What families share in which y is a centre plus a scale times a standard error."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from smmix.core.family import Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import LOG
from smmix.families.links import LINKS, Link
from smmix.families.tails import log_tails_of

__all__ = [
    "LOG_SQRT_2PI",
    "SIGMA",
    "LocationScale",
    "RealResponse",
    "is_finite_number",
    "sigma_score",
    "spread",
    "updated_sigma",
]

LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
SIGMA = Nuisance("sigma", LOG, 1)
#: Below this, in units of the spread of one regression of all rows, a sigma counts as zero.
SMALLEST_SIGMA = 1e-150


class RealResponse:
    """A family of any real response, the scale of whose errors is its first nuisance parameter."""

    discrete = False
    intercept = True
    reads = "numbers"
    becomes: ClassVar[dict[tuple[str, float], str]] = {}
    takes: tuple[str, ...] = ()
    ancillary: str | None = None
    scale: tuple[int, float] | None = (0, 1.0)

    @property
    def stages(self) -> tuple[Any, ...]:
        return ()

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:
        return (SIGMA,)

    @property
    def link(self) -> Any:
        return LINKS["identity"]

    def outcomes(self, aux: np.ndarray | None) -> Any:
        return None

    def uncensored(self, y: np.ndarray) -> np.ndarray | None:
        return None

    def with_terms(self, names: Sequence[str]) -> Self:
        return self

    def bound(self, y: np.ndarray) -> Self:
        return self

    def refuse(self, y: np.ndarray, aux: np.ndarray | None) -> tuple[int, str] | None:
        return None

    def precision(self, nuisance: np.ndarray) -> np.ndarray:
        return np.asarray(nuisance[..., 0] ** -2.0)

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        """P(Y <= y), (S, K, m)."""
        raise NotImplementedError

    def log_tails(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return log_tails_of(self.cdf(y, aux, eta, nuisance))


class LocationScale(RealResponse):
    """A family with y = mean + nuisance[0] * error, the error from a standard distribution.

    A subclass gives the four methods ``standard_*``. They take all nuisance parameters
    (S, K, d), so that a shape may follow the scale.
    """

    location_scale = True

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        return y

    def sums(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        return []

    def standard_variance(self, nuisance: np.ndarray) -> np.ndarray:
        """Variance of the error, to broadcast to (S, K, 1)."""
        raise NotImplementedError

    def standard_cdf(self, error: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """P(error <= e), (S, K, m)."""
        raise NotImplementedError

    def standard_quantile(self, q: float, nuisance: np.ndarray) -> np.ndarray:
        """Quantile of the error, to broadcast to (S, K, 1)."""
        raise NotImplementedError

    def standard_sample(
        self, shape: tuple[int, ...], nuisance: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws of the error, (S, K, m)."""
        raise NotImplementedError

    def mean(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        link: Link = self.link
        return link.mean(eta)

    def mean_derivatives(
        self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        link: Link = self.link
        return [link.slope(eta), *(np.zeros(1) for _ in range(nuisance.shape[-1]))]

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return np.broadcast_to(nuisance[..., :1] ** 2 * self.standard_variance(nuisance), eta.shape)

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        error = (y - self.mean(aux, eta, nuisance)) / nuisance[..., :1]
        return self.standard_cdf(error, nuisance)

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self.cdf(y, aux, eta, nuisance)

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        centre = self.mean(aux, eta, nuisance)
        return centre + nuisance[..., :1] * self.standard_quantile(q, nuisance)

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Draws of y, (S, K, m)."""
        error = self.standard_sample(eta.shape, nuisance, rng)
        return self.mean(aux, eta, nuisance) + nuisance[..., :1] * error


def updated_sigma(
    squares: np.ndarray, stats: ComponentStats, penalty: Penalty, shared: frozenset[str]
) -> np.ndarray:
    """Sigma (S, K, 1) from sums of squares (S, K), by the M-step of Chen & Tan's penalty [1]_.

    One sigma for all components is bounded without the penalty.

    References
    ----------
    .. [1] Chen, J. and Tan, X. (2009). Inference for multivariate normal mixtures.
       Journal of Multivariate Analysis 100, 1367-1383.
    """
    if "sigma" in shared:
        total = squares.sum(axis=1, keepdims=True)
        variance = np.broadcast_to(total / stats.nobs.sum(axis=1, keepdims=True), squares.shape)
    else:
        strength, reference = penalty
        variance = (squares + 2.0 * strength * reference**2) / np.maximum(
            stats.nobs + 2.0 * strength, np.finfo(float).tiny
        )
    return np.sqrt(np.maximum(variance, (SMALLEST_SIGMA * penalty.reference) ** 2))[..., None]


def spread(deviation: np.ndarray) -> float:
    """``deviation`` (m,) by the root of its mean square, or one where all of it is zero."""
    largest = float(np.abs(deviation).max(initial=0.0))
    if largest == 0.0:
        return 1.0
    return largest * float(np.sqrt(np.mean((deviation / largest) ** 2)))


def sigma_score(squares: np.ndarray, nobs: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """Score (S, K, 1) of a scale whose log-density is -log s - e^2 / 2 s^2 or has that slope."""
    sigma = nuisance[..., 0]
    return np.asarray((squares * sigma**-2.0 - nobs) / sigma)[..., None]


def is_finite_number(value: Any) -> bool:
    """Whether a user's option is a number, and a finite one."""
    if isinstance(value, bool):
        return False
    return isinstance(value, Real) and bool(np.isfinite(float(value)))
