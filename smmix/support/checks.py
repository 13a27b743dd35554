"""Arguments that many calls share, checked once."""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.errors import SmmixError

__all__ = ["check_alpha"]


def check_alpha(alpha: Any) -> None:
    """Refuse what is no level of an interval."""
    if not (isinstance(alpha, float | np.floating) and 0.0 < alpha < 1.0):
        raise SmmixError(f"alpha={alpha!r} must be a number between 0 and 1, such as 0.05.")
