"""Extra zeros: their probability given the response, and derivatives in it or in its logit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expm1, log_expit

from smmix.core.family import Derivatives
from smmix.families.exponential import LARGEST

__all__ = ["Inflated", "in_logit_terms", "in_probability", "inflated"]


class Inflated(NamedTuple):
    """Rows of a zero-inflated Poisson distribution; arrays broadcast to (S, K, m)."""

    counted: np.ndarray  # rows above zero
    rate: np.ndarray
    log_kept: np.ndarray  # log(1 - inflation)
    log_zero: np.ndarray  # log P(y = 0)
    ours: np.ndarray  # probability that y is Poisson's, given y
    extra: np.ndarray  # one less that
    inflate: np.ndarray  # probability of an extra zero
    kept: np.ndarray  # one less that
    zero: np.ndarray  # P(y = 0), no smaller than 1 / LARGEST


def inflated(y: np.ndarray, rate: np.ndarray, logit: np.ndarray) -> Inflated:
    """Of a response, Poisson rates and the logits of the inflation."""
    log_inflate, log_kept = _log_expit(logit), _log_expit(-logit)
    poisson = log_kept - rate
    log_zero = _log_sum(log_inflate, poisson)
    counted = y > 0.0
    return Inflated(
        counted,
        rate,
        log_kept,
        log_zero,
        np.where(counted, 1.0, np.exp(poisson - log_zero)),
        np.where(counted, 0.0, np.exp(log_inflate - log_zero)),
        np.exp(log_inflate),
        np.exp(log_kept),
        np.maximum(np.exp(log_zero), 1.0 / LARGEST),
    )


def _in_eta(rows: Inflated, residual: np.ndarray) -> tuple[np.ndarray, Derivatives]:
    """Second derivative in eta and the logit, and all those in eta alone."""
    weight = rows.ours * rows.rate
    mixed = weight * rows.extra
    information = 1.0 - rows.rate * np.exp(-rows.rate) * rows.inflate / rows.zero
    information *= rows.rate * rows.kept
    return mixed, Derivatives([weight * residual], [[rows.rate * mixed - weight]], information, [])


def in_probability(rows: Inflated, residual: np.ndarray) -> Derivatives:
    """Derivatives of the log-density in eta and the inflation itself.

    They are exact where the inflation vanishes, as products of those in its logit are not.
    """
    _, found = _in_eta(rows, residual)
    some = -expm1(-rows.rate)
    slope = np.where(rows.counted, -1.0 / rows.kept, some / rows.zero)
    across = rows.ours * rows.rate / (rows.kept * rows.zero)
    found.first.append(slope)
    found.second.append([np.where(rows.counted, 0.0, across), -(slope**2)])
    found.nuisance_information.append([some / (rows.kept * rows.zero)])
    return found


def in_logit_terms(rows: Inflated, residual: np.ndarray, design: np.ndarray) -> Derivatives:
    """Derivatives in eta and the coefficients of the logit, whose ``design`` is (m, a)."""
    mixed, found = _in_eta(rows, residual)
    spread = rows.inflate * rows.kept
    bend = rows.extra * (1.0 - rows.extra) - spread
    expected = spread * rows.inflate * -expm1(-rows.rate) / rows.zero
    columns = design.T
    for i, column in enumerate(columns):
        pairs = [column * other for other in columns[: i + 1]]
        found.first.append((rows.extra - rows.inflate) * column)
        found.second.append([mixed * column, *(bend * pair for pair in pairs)])
        found.nuisance_information.append([expected * pair for pair in pairs])
    return found


def _log_expit(logit: np.ndarray) -> np.ndarray:
    if np.isrealobj(logit):
        return np.asarray(log_expit(logit))
    return -_log_sum(np.zeros_like(logit), -logit)


def _log_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Log(exp(a) + exp(b)), of complex numbers too."""
    if np.isrealobj(a) and np.isrealobj(b):
        return np.asarray(np.logaddexp(a, b))
    high = np.where(a.real > b.real, a, b)
    return np.asarray(high + np.log(np.exp(a - high) + np.exp(b - high)))
