"""Probabilities of a link in logs, with derivatives that keep their digits in both tails."""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx

from smmix.families.exponential import LOG_LARGEST

__all__ = ["LARGEST_SCORE", "bends", "log_probabilities"]

#: Bound of a linear predictor and of the score of one trial: over the smallest weight,
#: 1 / LARGEST, it still has a finite square.
LARGEST_SCORE = 1e40


def log_probabilities(
    link: str, eta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Log p, log(1 - p) and the derivatives of both in eta, each exact in both tails."""
    if link == "logit":
        return _logit(eta)
    if link == "probit":
        return _probit(eta)
    if link == "cloglog":
        hazard = np.exp(np.clip(eta, -LOG_LARGEST, np.log(LARGEST_SCORE)))
        success = -np.expm1(-hazard)
        return np.log(success), -hazard, hazard * np.exp(-hazard) / success, -hazard
    failure = -np.expm1(eta)
    return eta, np.log(failure), np.ones_like(eta), -np.exp(eta) / failure


def _logit(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    # The exponential of minus the magnitude, by products that complex numbers pass too.
    odds = eta * np.copysign(1.0, -eta.real)
    np.exp(odds, out=odds)
    likelier = 1.0 + odds
    log_failure = np.log(likelier)
    np.negative(log_failure, out=log_failure)
    log_success = np.minimum(eta, 0.0)
    log_success += log_failure
    log_failure -= np.maximum(eta, 0.0)
    np.reciprocal(likelier, out=likelier)
    odds *= likelier
    positive = eta.real > 0.0
    success = np.where(positive, odds, likelier)
    failure = np.where(positive, likelier, odds)
    np.negative(failure, out=failure)
    return log_success, log_failure, success, failure


def _probit(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    positive = eta.real > 0.0
    scaled = erfcx(eta * np.where(positive, np.sqrt(0.5), -np.sqrt(0.5)))
    squares = -0.5 * eta * eta
    density = np.exp(squares)
    rarer = 0.5 * scaled * density
    log_rarer = np.log(0.5 * scaled) + squares
    log_likelier = np.log1p(-rarer)
    in_rarer = np.sqrt(2.0 / np.pi) / scaled
    in_likelier = density / ((1.0 - rarer) * np.sqrt(2.0 * np.pi))
    return (
        np.where(positive, log_likelier, log_rarer),
        np.where(positive, log_rarer, log_likelier),
        np.where(positive, in_likelier, in_rarer),
        -np.where(positive, in_rarer, in_likelier),
    )


def bends(
    link: str, eta: np.ndarray, success: np.ndarray, failure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Second derivatives of log p and log(1 - p), from the first."""
    if link == "logit":
        both = success * failure
        return both, both
    if link == "probit":
        # Both are above -1; far in a tail nothing but rounding is left of the sums.
        return (
            np.clip(-success * (eta + success), -1.0, 0.0),
            np.clip(-failure * (eta + failure), -1.0, 0.0),
        )
    if link == "cloglog":
        return success * (1.0 + failure - success), failure
    return np.zeros_like(eta), failure * (1.0 - failure)
