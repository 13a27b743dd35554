"""Tails of a distribution whose function alone is known."""

from __future__ import annotations

import numpy as np

__all__ = ["log_tails_of"]


def log_tails_of(cdf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logs of a distribution function and of what is left of one."""
    with np.errstate(divide="ignore"):
        return np.log(cdf), np.log1p(-cdf)
