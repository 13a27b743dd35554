"""Arguments that many calls share, checked once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from smmix.errors import SmmixError

__all__ = ["check_alpha", "check_choice", "check_flag", "check_whole", "generator", "listed"]


def check_alpha(alpha: Any) -> None:
    """Refuse what is no level of an interval."""
    if not (isinstance(alpha, float | np.floating) and 0.0 < alpha < 1.0):
        raise SmmixError(f"alpha={alpha!r} must be a number between 0 and 1, such as 0.05.")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse what is none of some words."""
    # What is no text may not even compare to one: pd.NA has no truth value, an array several.
    if not isinstance(value, str) or value not in choices:
        words = [repr(choice) for choice in choices]
        known = f"{', '.join(words[:-1])} or {words[-1]}"
        raise SmmixError(f"{name} must be {known}, not {value!r}.")


def check_flag(name: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what is neither True nor False, nor None where that is allowed."""
    if not (isinstance(value, bool | np.bool_) or (optional and value is None)):
        words = "True, False or None" if optional else "True or False"
        raise SmmixError(f"{name} must be {words}, not {value!r}.")


def listed(name: str, value: Any, what: str) -> list[Any]:
    """Some names or numbers as a list; None is none of them, and a text one.

    Raises
    ------
    SmmixError
        If it is something else; ``what`` says what it should be a list of.
    """
    if value is None or isinstance(value, str):
        return [] if value is None else [value]
    if not isinstance(value, Iterable):
        raise SmmixError(f"{name} must be a list of {what}, not {value!r}.")
    return list(value)


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
