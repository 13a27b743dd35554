"""Tail probabilities of weighted sums of chi-squared variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import integrate, stats

from smmix.errors import SmmixError

__all__ = ["weighted_chi2_sf"]

#: Weights below this share of the largest count as zero.
NEGLIGIBLE = 1e-12
#: The integrand is followed to this many of its own time scales before its tail is summed.
HEAD = 8.0
#: Largest estimated error of a probability.
TOLERANCE = 1e-7
#: Below this frequency the tail does not oscillate.
SLOWEST = 1e-8


def weighted_chi2_sf(x: float, weights: np.ndarray) -> float:
    """P(sum_j w_j C_j > x), C_j independent chi-squared variables with one degree of freedom.

    Parameters
    ----------
    x : float
    weights : ndarray, (m,)
        Of any sign.

    Returns
    -------
    float

    Raises
    ------
    SmmixError
        If the integral cannot be computed to seven decimals.

    Notes
    -----
    Imhof's inversion of the characteristic function [1]_: with
    theta(u) = sum arctan(w_j u) / 2 - x u / 2 and rho(u) = prod (1 + w_j^2 u^2)^(1/4), the
    probability is 1/2 + (1 / pi) integral_0^inf sin theta(u) / (u rho(u)) du. The head is
    integrated by Gauss-Kronrod rules, the slowly decaying tail as two Fourier integrals.

    References
    ----------
    .. [1] Imhof, J. P. (1961). Computing the distribution of quadratic forms in normal variables.
       Biometrika 48, 419-426.

    Examples
    --------
    >>> from scipy import stats
    >>> from smmix.order_tests.imhof import weighted_chi2_sf
    >>> float(round(weighted_chi2_sf(3.0, [1.0, 1.0]) - stats.chi2.sf(3.0, 2), 12))
    0.0
    """
    weights = np.asarray(weights, dtype=float).ravel()
    largest = np.abs(weights).max(initial=0.0)
    if largest == 0.0:
        return float(x < 0.0)
    weights, x = weights[np.abs(weights) > NEGLIGIBLE * largest] / largest, x / largest
    if (weights > 0.0).all() and x <= 0.0:
        return 1.0
    if (weights < 0.0).all():
        return 1.0 - weighted_chi2_sf(-x, -weights)
    if np.ptp(weights) == 0.0:
        return float(stats.chi2.sf(x, weights.size))
    return inverted(x, weights)


def inverted(x: float, weights: np.ndarray) -> float:
    """The probability by numerical inversion, for weights whose largest size is one."""

    def phase(u: float) -> float:
        return float(0.5 * np.arctan(weights * u).sum())

    def damping(u: float) -> float:
        return float(np.exp(-0.25 * np.log1p((weights * u) ** 2).sum()) / u)

    def integrand(u: float) -> float:
        if u == 0.0:
            return float(0.5 * (weights.sum() - x))
        return float(np.sin(phase(u) - 0.5 * x * u) * damping(u))

    head = HEAD / max(1.0, 0.5 * abs(x))
    accuracy = 0.1 * TOLERANCE
    total, error = integrate.quad(integrand, 0.0, head, epsabs=accuracy, limit=2000)
    frequency = 0.5 * abs(x)
    if frequency < SLOWEST:
        value, missed = integrate.quad(integrand, head, np.inf, epsabs=accuracy, limit=2000)
        total, error = total + value, error + missed
    else:
        # sin(phase - x u / 2) as sine and cosine of x u / 2, for the rules for Fourier integrals.
        def sine(u: float) -> float:
            return float(np.sin(phase(u)) * damping(u))

        def cosine(u: float) -> float:
            return float(np.cos(phase(u)) * damping(u))

        even, missed = _fourier(sine, head, "cos", frequency)
        odd, missed_too = _fourier(cosine, head, "sin", frequency)
        total, error = total + even - np.sign(x) * odd, error + missed + missed_too
    if not error < TOLERANCE * np.pi:
        raise SmmixError(
            f"The distribution of the statistic could not be integrated to {TOLERANCE:g} (error "
            f"{error / np.pi:.1g}); use bootstrap_lrt."
        )
    return float(np.clip(0.5 + total / np.pi, 0.0, 1.0))


def _fourier(
    function: Callable[[float], float], start: float, kind: Literal["cos", "sin"], frequency: float
) -> tuple[float, float]:
    """Integral from ``start`` on of a function times cos or sin, and its error."""
    value, error = integrate.quad(
        function, start, np.inf, weight=kind, wvar=frequency,
        epsabs=0.1 * TOLERANCE, limit=2000, limlst=500,
    )  # fmt: skip
    return value, error
