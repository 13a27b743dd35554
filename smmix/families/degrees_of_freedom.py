"""Functions of the degrees of freedom of a t distribution, to full precision however many.

The series follow from that of log Gamma(x + 1/2) - log Gamma(x), Abramowitz & Stegun (1964),
formulae 6.1.40 and 6.4.11.
"""

from __future__ import annotations

import numpy as np
from scipy.special import loggamma, polygamma, psi

__all__ = [
    "SERIES_DF",
    "bend_remainder",
    "df_information",
    "log_constant",
    "mixed_information",
    "slope",
]

#: From here on functions of df come from their series in 1 / df, which lose no digits.
SERIES_DF = 30.0
#: log Gamma((v + 1) / 2) - log Gamma(v / 2) - log(v / 2) / 2 in powers 1, 3, 5 .. of 1 / v.
SERIES = np.array([-1 / 4, 1 / 24, -1 / 20, 17 / 112, -31 / 36, 691 / 88])
POWERS = np.arange(1.0, 12.0, 2.0)


def _series(df: np.ndarray, order: int) -> np.ndarray:
    """Derivative of that order of `SERIES`; the second without its first term -1 / (2 v^3)."""
    factor = {0: np.ones(6), 1: -POWERS, 2: POWERS * (POWERS + 1.0)}[order] * SERIES
    if order == 2:
        factor[0] = 0.0
    terms = factor / np.where(df.real < SERIES_DF, 1.0, df)[..., None] ** (POWERS + order)
    return np.asarray(terms.sum(axis=-1))


def log_constant(df: np.ndarray) -> np.ndarray:
    """The constant log Gamma((v + 1) / 2) - log Gamma(v / 2) - log(v / 2) / 2."""
    small = np.where(df.real < SERIES_DF, df, 1.0)
    plain = loggamma(0.5 * (small + 1.0)) - loggamma(0.5 * small) - 0.5 * np.log(0.5 * small)
    return np.where(df.real < SERIES_DF, plain, _series(df, 0))


def slope(df: np.ndarray) -> np.ndarray:
    """Derivative of `log_constant`."""
    small = np.where(df.real < SERIES_DF, df, 1.0)
    plain = 0.5 * (psi(0.5 * (small + 1.0)) - psi(0.5 * small) - 1.0 / small)
    return np.where(df.real < SERIES_DF, plain, _series(df, 1))


def bend_remainder(df: np.ndarray) -> np.ndarray:
    """Second derivative of `log_constant` plus 1 / (2 v^3), which cancels from information."""
    small = np.where(df < SERIES_DF, df, 1.0)
    plain = 0.25 * (polygamma(1, 0.5 * (small + 1.0)) - polygamma(1, 0.5 * small))
    plain += 0.5 / small**2 + 0.5 / small**3
    return np.where(df < SERIES_DF, plain, _series(df, 2))


def mixed_information(sigma: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Expected information of sigma and df."""
    return np.asarray(-2.0 / ((df + 1.0) * (df + 3.0) * sigma))


def df_information(df: np.ndarray) -> np.ndarray:
    """Expected information of df, 7 / (2 v^4) as v grows."""
    leading = (7.0 * df + 3.0) / (2.0 * df**3 * (df + 1.0) * (df + 3.0))
    return np.asarray(leading - bend_remainder(df))
