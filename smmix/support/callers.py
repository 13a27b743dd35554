"""Where a warning should point: the first line of a program outside of this package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["user_level"]

PACKAGE = f"{Path(__file__).parent.parent}{os.sep}"


def user_level() -> int:
    """Level for ``warnings.warn(.., stacklevel=)`` of the nearest caller outside of the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    return level
