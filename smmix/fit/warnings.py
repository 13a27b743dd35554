"""What a user is warned of after a fit."""

from __future__ import annotations

import warnings

from statsmodels.tools.sm_exceptions import ConvergenceWarning

from smmix.errors import BoundaryWarning, DegenerateComponentWarning
from smmix.mixture.fitted import Fitted
from smmix.support.callers import user_level

__all__ = ["warn_of"]

#: Starts that led to the fit, with which it is trusted however many others ended elsewhere.
ENOUGH = 10


def warn_of(fitted: Fitted) -> None:
    """The warnings that a fit may deserve, pointing at the caller of fit()."""
    mode, modes = fitted.mode, fitted.modes.modes
    hits = sum(m.hits for m in modes)
    lost = sum(m.hits for m in modes if m.degenerate and not m.chance)
    advice = "Use fewer components or variance='equal'."
    told = ""
    if mode.degenerate:
        why = fitted.said(mode.reason)
        told = f"Every mode found is degenerate: in the best of them {why}. {advice}"
    elif lost > 0.8 * hits and mode.hits < ENOUGH:
        told = (
            f"{lost} of {hits} starts ended in degenerate modes (see results.starts); the fit is "
            f"the best mode that is not, and {mode.hits} led to it. {advice}"
        )
    if told:
        warnings.warn(told, DegenerateComponentWarning, stacklevel=user_level())
    if fitted.boundary and not mode.degenerate:
        words = " ".join(entry.words for entry in fitted.boundary)
        if any(entry.held for entry in fitted.boundary):
            words += (
                " There are no standard errors of what goes there; leave it out, share it, or use "
                "the model that is its limit."
            )
        warnings.warn(
            f"The maximum lies at the boundary: {words}",
            BoundaryWarning,
            stacklevel=user_level(),
        )
    elif not mode.degenerate and not fitted.converged:
        warnings.warn(
            f"The fit did not converge: {fitted.status} (largest score per observation "
            f"{mode.score_norm:.2g}).",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
