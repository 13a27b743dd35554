"""How messages speak of formulas, their terms and levels."""

from typing import Any

import pandas as pd

from smmix.errors import SmmixError
from smmix.support.frames import row_name

__all__ = ["beyond", "shortened", "summands", "unbuilt", "unseen_level"]

#: Characters of a formula that a message shows at most.
LONGEST_SHOWN = 120


def shortened(formula: str) -> str:
    """A formula as a message shows it."""
    text = repr(formula)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}.."


def summands(text: str) -> list[str]:
    """The terms of a sum, a difference only of the constant."""
    depth, start, found = 0, 0, []
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign in "+-":
            found.append(text[start:place].strip())
            start = place + (sign == "+")
    found.append("".join(text[start:].split()) if text[start:].startswith("-") else text[start:])
    return [piece.strip() for piece in found if piece.strip()]


def unseen_level(
    name: str, level: object, levels: list[Any], rows: pd.Index, position: int
) -> SmmixError:
    """Return the error for a level that the data of the fit did not have."""
    shown = ", ".join(repr(known) for known in levels[:8]) + (", .." if len(levels) > 8 else "")
    return SmmixError(
        f"{name!r} has the level {level!r} in {row_name(rows, position)}, which is none of its "
        f"levels in the fit: {shown}."
    )


def unbuilt(code: str, why: Exception) -> SmmixError:
    """The error for a term whose transform does not take its options."""
    text = str(getattr(why, "message", why)).partition("\n")[0].rstrip(".")
    return SmmixError(f"The formula term {code!r} cannot be built: {text or type(why).__name__}.")


def beyond(code: str, error: Exception, rows: pd.Index, position: int) -> SmmixError:
    """The error for a row on which a term has no value."""
    where = row_name(rows, position)
    # patsy wraps what a transform raises into an error of its own.
    if isinstance(error.__cause__ or error, NotImplementedError):
        return SmmixError(
            f"The formula term {code!r} has no value in {where}, which lies outside of the range "
            "of the fit: leave the row out, or give the term lower_bound= and upper_bound= in the "
            "formula."
        )
    text = str(getattr(error, "message", error)).partition("\n")[0].rstrip(".")
    return SmmixError(f"The formula term {code!r} cannot be evaluated in {where}: {text}.")
