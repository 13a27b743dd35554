"""What a call may end in: an answer, or one sentence of smmix that says why there is none."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import smmix

#: Longer than this it is no sentence that anybody reads.
LONGEST = 700
#: What Python says of a keyword or a number of arguments that a function has not.
WRONG_CALL = re.compile(
    r"unexpected keyword argument|has no argument|positional argument|missing .* argument"
)


class Refused:
    """A call that was refused in a sentence."""

    def __init__(self, error: Exception):
        self.error = error


def check_sentence(text: str) -> None:
    """One line that a person can read, which ends."""
    assert text, "a message says nothing"
    assert "\n" not in text, f"more than a line: {text}"
    assert text.endswith((".", "?", ".)")), f"no sentence: {text}"
    assert len(text) <= LONGEST, f"{len(text)} characters: {text}"
    assert " object at 0x" not in text, f"an address in memory: {text}"


def answer(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What the call returns, or why it was `Refused`; anything else is a failure of the law."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What smmix says beside an answer; other categories are somebody else's accident.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return function(*args, **options)
        except smmix.SmmixError as error:
            check_sentence(str(error))
            return Refused(error)
        except TypeError as error:
            if WRONG_CALL.search(str(error)) is None:
                raise
            return Refused(error)
