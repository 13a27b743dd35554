"""Arguments that many calls share, checked once."""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.errors import SmmixError

__all__ = ["check_alpha", "check_whole", "generator"]


def check_alpha(alpha: Any) -> None:
    """Refuse what is no level of an interval."""
    if not (isinstance(alpha, float | np.floating) and 0.0 < alpha < 1.0):
        raise SmmixError(f"alpha={alpha!r} must be a number between 0 and 1, such as 0.05.")


def check_whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``, refused when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise SmmixError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def generator(rng: Any) -> np.random.Generator:
    """A generator of random numbers from a seed, or the generator itself.

    Raises
    ------
    SmmixError
        If ``rng`` cannot seed one.
    """
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise SmmixError(f"rng={rng!r} cannot seed a random number generator ({error}).") from error
