"""The log constant of a gamma density and its derivatives, exact for any shape.

Shape log(shape) - shape - log gamma(shape) is a difference of large numbers when the shape is
large (when a component nearly has no dispersion); there Stirling's series take over (NIST Digital
Library of Mathematical Functions, 5.11.1, 5.11.2 and 5.15.8).
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln, loggamma, zeta

__all__ = ["log_constant", "shape_terms"]

#: From this shape on, Stirling's series are exact and the differences that they replace are not.
LARGE_SHAPE = 100.0


def log_constant(shape: np.ndarray) -> np.ndarray:
    """Shape log(shape) - shape - log gamma(shape)."""
    large = np.maximum(shape, LARGE_SHAPE)
    inverse = 1.0 / large
    series = 0.5 * np.log(large / (2.0 * np.pi)) - inverse / 12.0 * (
        1.0 - inverse**2 / 30.0 * (1.0 - inverse**2 * 2.0 / 7.0)
    )
    small = np.minimum(shape, LARGE_SHAPE)
    log_gamma = gammaln(small) if np.isrealobj(small) else loggamma(small)
    return np.where(shape.real > LARGE_SHAPE, series, small * np.log(small) - small - log_gamma)


def shape_terms(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First derivative of the log constant, and minus its second."""
    inverse = 1.0 / np.maximum(shape, LARGE_SHAPE)
    square = inverse * inverse
    first = inverse * (0.5 + inverse / 12.0 * (1.0 - square / 10.0 * (1.0 - square * 10.0 / 21.0)))
    second = square * (0.5 + inverse / 6.0 * (1.0 - square / 5.0 * (1.0 - square * 5.0 / 7.0)))
    small = np.minimum(shape, LARGE_SHAPE)
    large = shape > LARGE_SHAPE
    return (
        np.where(large, first, np.log(small) - digamma(small)),
        np.where(large, second, zeta(2.0, small) - 1.0 / small),
    )
