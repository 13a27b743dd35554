"""The log of the probability of an interval, F(high) - F(low), with digits wherever it lies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import erfcx, expm1, log1p, log_ndtr

from smmix.families.location_scale import LOG_SQRT_2PI

__all__ = ["Interval", "interval"]

#: From here on the normal density is nothing beside its distribution function.
CERTAIN = 25.0
#: Up to this width, in units of the scale on which the normal density changes, the difference of
#: its distribution functions loses digits; Gauss and Legendre's rule has all of them there.
NARROW = 1.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


class Interval(NamedTuple):
    """Log-probability of intervals and its derivatives in both ends; a shift moves both."""

    log_probability: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shift: np.ndarray
    low_low: np.ndarray
    high_high: np.ndarray
    low_high: np.ndarray
    shift_shift: np.ndarray


def interval(link: str, low: np.ndarray, high: np.ndarray, gap: np.ndarray) -> Interval:
    """Of the logistic ("logit") or normal ("probit") distribution.

    Parameters
    ----------
    link : str
    low, high : ndarray
        Finite ends; one of them, but not both, may be too far away to matter.
    gap : ndarray
        ``high`` - ``low``, positive, with the digits that the difference may have lost.
    """
    return _logistic(low, high, gap) if link == "logit" else _normal(low, high, gap)


def _logistic(low: np.ndarray, high: np.ndarray, gap: np.ndarray) -> Interval:
    """By F(high) - F(low) = F(high) (1 - F(low)) (1 - exp(-gap)), and f = F (1 - F)."""
    below, density_low, log_above = _tails(low)
    above, density_high, log_below = _tails(-high)
    apart = -expm1(-gap)
    inverse = np.exp(-gap) / apart  # 1 / (exp(gap) - 1)
    both = inverse * (1.0 + inverse)
    return Interval(
        log_below + log_above + np.log(apart),
        -below - inverse,
        above + inverse,
        above - below,
        -density_low - both,
        -density_high - both,
        both,
        -density_low - density_high,
    )


def _tails(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F, its derivative, and log(1 - F) of the logistic distribution."""
    positive = x.real > 0.0
    odds = np.exp(np.where(positive, -x, x))
    likelier = 1.0 / (1.0 + odds)
    log_above = -np.where(positive, x, 0.0) - log1p(odds)
    return np.where(positive, likelier, odds * likelier), odds * likelier**2, log_above


def _normal(low: np.ndarray, high: np.ndarray, gap: np.ndarray) -> Interval:
    """In the lower tail, where Mills' ratio keeps its digits; others are turned round."""
    turned = (low + high).real > 0.0
    a, b = np.where(turned, -high, low), np.where(turned, -low, high)
    log_fall = 0.5 * gap * (a + b)  # log of the densities' ratio
    fall = np.exp(log_fall)
    near = b.real <= 0.0
    scaled = erfcx(-np.where(b.real > CERTAIN, CERTAIN, b) * np.sqrt(0.5))
    mills = np.where(b.real > CERTAIN, 0.0, np.sqrt(2.0 / np.pi) / scaled)
    log_b = log_ndtr(b)
    narrow, area, variance = _narrow(a, b, gap)
    ratio = np.where(near, fall * erfcx(-a * np.sqrt(0.5)) / scaled, np.exp(log_ndtr(a) - log_b))
    rest = np.where(narrow, 0.5, ratio)
    at_b = np.where(narrow, 1.0 / area, mills / (1.0 - rest))
    log_probability = np.where(
        narrow, np.log(area) - 0.5 * b * b - LOG_SQRT_2PI, log_b + log1p(-rest)
    )
    at_a = at_b * fall
    shift = -at_b * expm1(log_fall)
    in_a = np.minimum(a.real * at_a.real - at_a.real**2, 0.0)
    in_b = np.minimum(-b.real * at_b.real - at_b.real**2, 0.0)
    mixed = at_a * at_b
    # Between -1 and 0, where the sum may have left nothing but rounding.
    bend = np.clip(-(shift.real**2) + (a * at_a - b * at_b).real, -1.0, 0.0)
    bend = np.where(narrow, variance - 1.0, bend)
    return Interval(
        log_probability,
        np.where(turned, -at_b, -at_a),
        np.where(turned, at_a, at_b),
        np.where(turned, -shift, shift),
        np.where(turned, in_b, in_a),
        np.where(turned, in_a, in_b),
        mixed,
        bend,
    )


def _narrow(
    a: np.ndarray, b: np.ndarray, gap: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where an interval is narrow, its probability over phi(b), and the variance inside it.

    The first is the integral of exp(b t - t^2 / 2) from 0 to the gap; elsewhere it is one.
    """
    steep = np.maximum(np.maximum(np.abs(a.real), np.abs(b.real)), 1.0)
    narrow = np.broadcast_to(gap.real * steep <= NARROW, b.shape)
    area, variance = np.ones_like(b), np.zeros(b.shape)
    if narrow.any():
        width = np.broadcast_to(gap, b.shape)[narrow][:, None]
        t = 0.5 * width * (NODES + 1.0)
        part = 0.5 * width * WEIGHTS * np.exp(b[narrow][:, None] * t - 0.5 * t * t)
        total = part.sum(axis=1)
        area[narrow] = total
        share, place = part.real / total.real[:, None], t.real
        middle = (share * place).sum(axis=1, keepdims=True)
        variance[narrow] = (share * (place - middle) ** 2).sum(axis=1)
    return narrow, area, variance
