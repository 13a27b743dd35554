"""The log of the product of 1 + a j over j = 0 .. y - 1, with its derivatives, for any a.

It is log Gamma(y + r) - log Gamma(r) - y log(r) with r = 1 / a, where for small a nothing but
rounding is left of the difference. There the series of Stirling are subtracted term by term (NIST
Digital Library of Mathematical Functions, 5.11.1), which leaves no large numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, log1p, loggamma, psi, zeta

__all__ = [
    "log_ratio",
    "log_ratio_bend",
    "log_ratio_gap",
    "log_rising",
    "rising_bend",
    "rising_slope",
]

#: From this r on the series are exact to rounding.
LARGE = 32.0
#: Coefficients of r^-1, r^-3 .. in log Gamma, and these powers.
SERIES = ((1, 1 / 12), (3, -1 / 360), (5, 1 / 1260), (7, -1 / 1680))
#: Below this t functions of log(1 + t) / t come from their power series, of so many terms.
SMALL, TERMS = 0.03, 12


class _Sides(NamedTuple):
    """a on either side of the border, the other side replaced by a harmless value."""

    small: np.ndarray  # which
    a: np.ndarray  # small ones
    r: np.ndarray  # 1 / a of the others


def _sides(a: np.ndarray) -> _Sides:
    small = a.real < 1.0 / LARGE
    return _Sides(small, np.where(small, a, 0.01), 1.0 / np.where(small, 1.0, a))


def _where_small(
    t: np.ndarray, near: Callable[[np.ndarray], np.ndarray], far: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """``near`` of the t below `SMALL` and ``far`` of the others."""
    small = t.real < SMALL
    if not small.any():
        return far(t)
    if small.all():
        return near(t)
    out = np.empty_like(t)
    out[small], out[~small] = near(t[small]), far(t[~small])
    return out


def _fall_series(t: np.ndarray) -> np.ndarray:
    series = np.zeros_like(t)
    for k in range(TERMS, 0, -1):
        series = t * (1.0 / (k + 1.0) - series)
    return series


def _bend_series(t: np.ndarray) -> np.ndarray:
    series = np.zeros_like(t)
    for k in range(TERMS + 1, 1, -1):
        series = t * ((k - 1.0) / (k + 1.0) - series)
    return -t * series


def _fall(t: np.ndarray) -> np.ndarray:
    """1 - log(1 + t) / t, which is minus t times the derivative of log(1 + t) / t."""
    return _where_small(t, _fall_series, lambda far: 1.0 - log1p(far) / far)


def _bend(t: np.ndarray) -> np.ndarray:
    """Of order t^2: t / (1 + t) - 2 (1 - log(1 + t) / t)."""
    return _where_small(
        t, _bend_series, lambda far: far / (1.0 + far) - 2.0 * (1.0 - log1p(far) / far)
    )


def log_ratio(x: np.ndarray) -> np.ndarray:
    """R = log(1 + x) / x, exact for small x, and for large, where it vanishes."""
    return _where_small(x, lambda near: 1.0 - _fall_series(near), lambda far: log1p(far) / far)


def log_ratio_gap(x: np.ndarray) -> np.ndarray:
    """Minus x times the derivative of R, of order x for small x."""
    return _where_small(
        x,
        lambda near: near / (1.0 + near) - _fall_series(near),
        lambda far: log1p(far) / far - 1.0 / (1.0 + far),
    )


def log_ratio_bend(x: np.ndarray) -> np.ndarray:
    """x^2 times the second derivative of R, of order x^2 for small x."""

    def far_bend(far: np.ndarray) -> np.ndarray:
        q = 1.0 / (1.0 + far)
        return 2.0 * log1p(far) / far - 3.0 * q + q * q

    return _where_small(x, lambda near: (near / (1.0 + near)) ** 2 + _bend_series(near), far_bend)


def log_rising(y: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Sum of log(1 + a j) over j < y; ``y`` holds whole numbers from 0 up, ``a`` is positive."""
    small, a, r = _sides(a)
    t = a * y
    log = log1p(t)
    q = 1.0 / (1.0 + t)
    series = y * (log - _fall(t)) - 0.5 * log
    for power, c in SERIES:
        series = series + c * a**power * (q**power - 1.0)
    if small.all():
        return series
    log_gamma = gammaln if np.isrealobj(r) else loggamma
    return np.where(small, series, log_gamma(y + r) - log_gamma(r) - y * np.log(r))


def rising_slope(y: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Derivative of `log_rising` in a, times a."""
    small, a, r = _sides(a)
    t = a * y
    q = 1.0 / (1.0 + t)
    series = y * _fall(t) - 0.5 * t * q
    for k, c in SERIES:
        series = series + k * c * a**k * (q ** (k + 1) - 1.0)
    if small.all():
        return series
    return np.where(small, series, y - r * (psi(y + r) - psi(r)))


def rising_bend(y: np.ndarray, a: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Second derivative of `log_rising` in a, times a^2; ``slope`` is what `rising_slope` gave."""
    small, a, r = _sides(a)
    t = a * y
    q = 1.0 / (1.0 + t)
    series = y * _bend(t) + 0.5 * (t * q) ** 2
    for k, c in SERIES:
        terms = (k - 1.0) * (q ** (k + 1) - 1.0) - (k + 1.0) * t * q ** (k + 2)
        series = series + k * c * a**k * terms
    if small.all():
        return series
    trigamma = r * r * (zeta(2.0, y + r) - zeta(2.0, r))
    return np.where(small, series, y - 2.0 * slope + trigamma)
