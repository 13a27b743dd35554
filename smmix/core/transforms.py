"""The coordinates in which nuisance parameters move: log, logit, or as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit

__all__ = ["IDENTITY", "LOG", "LOGIT", "TRANSFORMS", "Transform"]

#: Largest change of a log or logit that one step may make.
LONGEST_STEP = 3.0


class Transform(Protocol):
    """A parameter's working coordinate w, and the natural value v(w) that users see.

    Every method takes and gives arrays of any shape.
    """

    @property
    def name(self) -> str:
        """Name of the coordinates."""

    def working(self, value: np.ndarray) -> np.ndarray:
        """W of a natural value."""

    def natural(self, working: np.ndarray) -> np.ndarray:
        """Natural value of w."""

    def slope(self, value: np.ndarray) -> np.ndarray:
        """Dv / dw at a natural value."""

    def bend(self, value: np.ndarray) -> np.ndarray:
        """d2v / dw2 at a natural value."""

    def moved(self, value: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Natural value after a step in w, which is shortened where it is very long."""

    def allows(self, value: np.ndarray) -> np.ndarray:
        """Whether natural values lie inside the parameter's range."""


@dataclass(frozen=True)
class Identity:
    """A parameter that may be any number."""

    name: str = "identity"

    def working(self, value: np.ndarray) -> np.ndarray:
        return value

    def natural(self, working: np.ndarray) -> np.ndarray:
        return working

    def slope(self, value: np.ndarray) -> np.ndarray:
        return np.ones_like(value)

    def bend(self, value: np.ndarray) -> np.ndarray:
        return np.zeros_like(value)

    def moved(self, value: np.ndarray, step: np.ndarray) -> np.ndarray:
        return value + step

    def allows(self, value: np.ndarray) -> np.ndarray:
        return np.isfinite(value)


@dataclass(frozen=True)
class Log:
    """A positive parameter, such as a scale or a shape."""

    name: str = "log"

    def working(self, value: np.ndarray) -> np.ndarray:
        return np.log(value)

    def natural(self, working: np.ndarray) -> np.ndarray:
        return np.exp(working)

    def slope(self, value: np.ndarray) -> np.ndarray:
        return value

    def bend(self, value: np.ndarray) -> np.ndarray:
        return value

    def moved(self, value: np.ndarray, step: np.ndarray) -> np.ndarray:
        return value * np.exp(np.minimum(np.maximum(step, -LONGEST_STEP), LONGEST_STEP))

    def allows(self, value: np.ndarray) -> np.ndarray:
        return value > 0.0


@dataclass(frozen=True)
class Logit:
    """A probability."""

    name: str = "logit"

    def working(self, value: np.ndarray) -> np.ndarray:
        return np.log(value) - np.log1p(-value)

    def natural(self, working: np.ndarray) -> np.ndarray:
        return np.asarray(expit(working))

    def slope(self, value: np.ndarray) -> np.ndarray:
        return value * (1.0 - value)

    def bend(self, value: np.ndarray) -> np.ndarray:
        return value * (1.0 - value) * (1.0 - 2.0 * value)

    def moved(self, value: np.ndarray, step: np.ndarray) -> np.ndarray:
        odds = value * np.exp(np.minimum(np.maximum(step, -LONGEST_STEP), LONGEST_STEP))
        return odds / (1.0 - value + odds)

    def allows(self, value: np.ndarray) -> np.ndarray:
        return (value > 0.0) & (value < 1.0)


IDENTITY, LOG, LOGIT = Identity(), Log(), Logit()
TRANSFORMS: dict[str, Transform] = {t.name: t for t in (IDENTITY, LOG, LOGIT)}
