"""What the tests of the number of components ask of the fits that they are given."""

from __future__ import annotations

from typing import Any

from smmix.errors import SmmixError
from smmix.mixture.observed import refuse_rows
from smmix.reporting.saved import SavedFit
from smmix.results import MixtureResults
from smmix.support.checks import shown

__all__ = ["checked_fraction", "checked_null", "unwrapped"]


def unwrapped(results: Any, what: str) -> MixtureResults:
    """The results behind the labels, refused when they are not of a mixture."""
    inner = getattr(results, "_results", results)
    if isinstance(inner, SavedFit):
        raise refuse_rows(read=True)
    if not isinstance(inner, MixtureResults):
        raise SmmixError(f"{what} must be the results of a mixture, not {type(results).__name__}.")
    return inner


def checked_null(results: Any, test: str) -> MixtureResults:
    """The fit under the null hypothesis, refused when nothing can be tested against it."""
    inner = unwrapped(results, "results")
    if not inner.fitted.data.in_memory:
        raise SmmixError(f"{test} needs the rows in memory; test a fit to a sample of them.")
    if inner.mode_found.degenerate:
        why = inner.fitted.said(inner.mode_found.reason)
        raise SmmixError(
            f"The fit with k={inner.k} is degenerate ({why}); a test against it means nothing. Use "
            "a smaller k or variance='equal'."
        )
    return inner


def checked_fraction(name: str, value: Any) -> float:
    """A number between zero and one."""
    if not isinstance(value, float) or not 0.0 < value < 1.0:
        raise SmmixError(f"{name} must be a number between 0 and 1, not {shown(value)}.")
    return value
