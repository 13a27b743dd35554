"""Laplace components, the likelihood of median regression: density exp(-|y - x'b| / s) / (2 s)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from smmix.core.family import Derivatives, Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import LOG
from smmix.families.location_scale import SMALLEST_SIGMA, LocationScale, sigma_score

__all__ = ["Laplace"]

#: Half width, in scales, of the parabola that stands in for the kink of |r|. It moves no
#: coefficient by more than this many scales, and a density by less than rounding does.
KINK = 1e-6
#: Half widths of the families by which a search approaches it.
APPROACH = (0.1, 0.02, 4e-3, 8e-4, 1e-4, 1e-5)


@dataclass(frozen=True)
class Laplace(LocationScale):
    """Median regressions: errors with a double exponential distribution.

    ``scale`` is the mean absolute deviation. The coefficients are moved by least squares with
    the weights scale / abs(residual) of the scale mixture [1]_. At the maximum as many residuals
    of a component as it has coefficients are zero, and the score of such a row jumps there. So
    within h = 1e-6 scales abs(r) is r^2 / 2 h + h / 2: the score is steep, and has a zero.

    The log-likelihood has no second derivative in the coefficients. What stands in its place is
    the expectation -1 / scale^2, so that standard errors are the asymptotic ones of median
    regression with Laplace errors [2]_. A search climbs the smooth likelihoods of ever narrower
    parabolas, which have one.

    Attributes
    ----------
    width : float
        Half width of the parabola, in scales.
    smooth : bool
        Whether second derivatives are those of the parabola and the lines beside it.

    References
    ----------
    .. [1] Phillips, R. F. (2002). Least absolute deviations estimation via the EM algorithm.
       Statistics and Computing 12, 281-285.
    .. [2] Bassett, G. and Koenker, R. (1978). Asymptotic theory of least absolute error
       regression. Journal of the American Statistical Association 73, 618-622.

    Examples
    --------
    >>> from smmix.families.laplace import Laplace
    >>> Laplace().nuisance[0].name
    'scale'
    """

    width: float = KINK
    smooth: bool = False
    name = "laplace"
    label = "Laplace regressions"

    @property
    def stages(self) -> tuple[Laplace, ...]:
        return () if self.smooth else tuple(Laplace(w, True) for w in (*APPROACH, self.width))

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:
        return (Nuisance("scale", LOG, 1),)

    def to_plain(self) -> dict[str, Any]:
        return {}

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        deviation = float(np.abs(y - np.median(y)).mean())
        return np.array([deviation if deviation > 0.0 else 1.0])

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        residual = np.subtract(y, eta, out=eta)
        size = np.abs(residual)
        np.maximum(size, self.width * nuisance, out=size)
        weight = nuisance / size
        log_density = residual * residual
        log_density /= size
        log_density += size
        log_density *= -0.5 / nuisance
        log_density -= np.log(2.0 * nuisance)
        return Working(log_density, residual, weight)

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        assert working.weight is not None, "evaluate gives weights"
        precision = 1.0 / nuisance
        pull = working.weight * working.residual  # sign times scale, except at the kink
        size = pull * working.residual * precision  # abs(r)
        information = precision**2
        inside = np.zeros(1)
        if self.smooth:
            inside = (working.weight * self.width >= 1.0 - 1e-12).astype(float)
        return Derivatives(
            first=[pull * information, (size * precision - 1.0) * precision],
            second=[
                [-inside * information / self.width if self.smooth else -information],
                [
                    -(1.0 + inside) * pull * precision**3,
                    (1.0 - (2.0 + inside) * size * precision) * information,
                ],
            ],
            information=information,
            nuisance_information=[[information]],
        )

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        """Scale by the bound abs(r) <= (r^2 / abs(r0) + abs(r0)) / 2 of the absolute deviations.

        The maximum of -n log t - A / t - a (s^2 / t^2 + 2 log t) is the root of a quadratic.
        """
        absolute = 0.5 * (deviance + stats.rwr) / nuisance[..., 0]
        nobs = stats.nobs
        if "scale" in shared:
            scale = absolute.sum(axis=1, keepdims=True) / nobs.sum(axis=1, keepdims=True)
            scale = np.broadcast_to(scale, absolute.shape)
        else:
            strength, reference = penalty
            count = np.maximum(nobs + 2.0 * strength, np.finfo(float).tiny)
            half = 0.5 * absolute / count
            scale = half + np.sqrt(half**2 + 2.0 * strength * reference**2 / count)
        return np.maximum(scale, SMALLEST_SIGMA * penalty.reference)[..., None]

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        return sigma_score(stats.rwr, stats.nobs, nuisance)

    def standard_variance(self, nuisance: np.ndarray) -> np.ndarray:
        return np.full(1, 2.0)

    def standard_cdf(self, error: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        tail = 0.5 * np.exp(-np.abs(error))
        return np.where(error < 0.0, tail, 1.0 - tail)

    def standard_quantile(self, q: float, nuisance: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):  # infinite at 0 and 1
            return np.asarray(np.log(2.0 * q) if q < 0.5 else -np.log(2.0 * (1.0 - q)))

    def standard_sample(
        self, shape: tuple[int, ...], nuisance: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        return rng.laplace(size=shape)
