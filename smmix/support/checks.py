"""Arguments that many calls share, checked once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np

from smmix.errors import SmmixError

__all__ = [
    "MOST_RUNS", "check_alpha", "check_choice", "check_flag", "check_whole", "generator", "listed",
    "reason", "shown", "write_text",
]  # fmt: skip

#: What is longer is described in messages rather than written out.
LONGEST_SHOWN = 80
#: Likewise of the words of another library.
LONGEST_REASON = 240
#: Rows, and runs over them, that a call may ask for.
MOST_ROWS = 10**9
MOST_RUNS = 10**6


def shown(value: Any) -> str:
    """A value as messages show it: as Python writes it, or its kind where that is no short text.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.support.checks import shown
    >>> shown("mean"), shown(np.zeros((40, 2)))
    ("'mean'", 'an object of type ndarray with the shape (40, 2)')
    """
    text = repr(value)
    if len(text) <= LONGEST_SHOWN and "\n" not in text and " at 0x" not in text:
        return text
    if isinstance(value, str):
        return f"{text[: LONGEST_SHOWN - 3]}..'"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        size = f" with the shape {shape}"
    else:
        size = f" of length {len(value)}" if isinstance(value, Sized) else ""
    return f"an object of type {type(value).__name__}{size}"


def reason(error: Exception) -> str:
    """What another library says of an error, cut to a part of a sentence.

    Examples
    --------
    >>> from smmix.support.checks import reason
    >>> reason(KeyError("x."))
    "'x.'"
    """
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    return f"{text[:LONGEST_REASON]} .." if len(text) > 1.2 * LONGEST_REASON else text.rstrip(".")


def check_alpha(alpha: Any) -> None:
    """Refuse what is no level of an interval."""
    if not (isinstance(alpha, float | np.floating) and 0.0 < alpha < 1.0):
        raise SmmixError(f"alpha={shown(alpha)} must be a number between 0 and 1, such as 0.05.")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse what is none of some words."""
    # What is no text may not even compare to one: pd.NA has no truth value, an array several.
    if not isinstance(value, str) or value not in choices:
        words = [repr(choice) for choice in choices]
        known = f"{', '.join(words[:-1])} or {words[-1]}"
        raise SmmixError(f"{name} must be {known}, not {shown(value)}.")


def check_flag(name: str, value: Any, *, optional: bool = False) -> None:
    """Refuse what is neither True nor False, nor None where that is allowed."""
    if not (isinstance(value, bool | np.bool_) or (optional and value is None)):
        words = "True, False or None" if optional else "True or False"
        raise SmmixError(f"{name} must be {words}, not {shown(value)}.")


def write_text(path: Any, text: str, what: str) -> None:
    """Write a file; ``what`` is the subject of the sentence that says why it cannot be."""
    if not isinstance(path, str | Path):
        raise SmmixError(f"path must name a file, not {shown(path)}.")
    try:
        Path(path).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or reason(error)
        raise SmmixError(f"{what} cannot be written to {shown(str(path))}: {why}.") from error


def listed(name: str, value: Any, what: str) -> list[Any]:
    """Some names or numbers as a list; None is none of them, and a text one.

    Raises
    ------
    SmmixError
        If it is something else; ``what`` says what it should be a list of.
    """
    if value is None or isinstance(value, str):
        return [] if value is None else [value]
    if not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        raise SmmixError(f"{name} must be a list of {what}, not {shown(value)}.")
    return list(value)


def check_whole(name: str, value: Any, least: int = 1, most: int = MOST_ROWS) -> int:
    """A whole number from ``least`` to ``most``, refused when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise SmmixError(f"{name} must be a whole number of at least {least}, not {shown(value)}.")
    if value > most:
        raise SmmixError(f"{name} must be at most {most:,}, not {shown(value)}.")
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
        raise SmmixError(
            f"rng={shown(rng)} cannot seed a random number generator ({reason(error)})."
        ) from error
