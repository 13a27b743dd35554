"""A point mass: a component in which every response is one value, such as zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from smmix.core.family import Derivatives, Working
from smmix.errors import SmmixError
from smmix.families.exponential import Array, Aux, first_not
from smmix.families.location_scale import is_finite_number
from smmix.families.scored import ScoredFamily
from smmix.support.checks import shown

__all__ = ["PointMass"]


@dataclass(frozen=True, repr=False)
class PointMass(ScoredFamily):
    """A component without a regression, in a list beside others: y is ``value``.

    Beside times until an event a point mass at infinity stands for those who never have it: the
    cured fraction [1]_. It can have every row that was cut off, and none with an event.

    Parameters
    ----------
    value : float, default 0
        A finite number, or infinity.

    Raises
    ------
    SmmixError
        If ``value`` is no number, or minus infinity.

    References
    ----------
    .. [1] Farewell, V. T. (1982). The use of mixture models for the analysis of survival data with
       long-term survivors. Biometrics 38, 1041-1046.

    Examples
    --------
    >>> from smmix.families.point_mass import PointMass
    >>> PointMass().value
    0.0
    """

    value: Any = 0.0
    name = "point_mass"
    label = "point masses"
    link = None

    def __post_init__(self) -> None:
        # JSON has no number for infinity.
        value = np.inf if isinstance(self.value, str) and self.value == "inf" else self.value
        if not (is_finite_number(value) or (isinstance(value, float) and value == np.inf)):
            raise SmmixError(f"value is {shown(self.value)}; give a number, or infinity.")
        object.__setattr__(self, "value", float(value))

    def to_plain(self) -> dict[str, Any]:
        return {"value": "inf" if self.value == np.inf else self.value}

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        return bool(self.value.is_integer())

    def _has(self, y: Array) -> Array:
        return np.asarray(y < 0.0 if self.value == np.inf else y == self.value)

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        row = first_not(self._has(y))
        if self.value == np.inf:
            return None if row is None else (row, "a time without end is cut off, with event 0")
        return None if row is None else (row, f"a point mass has the response {self.value:g} alone")

    def outcomes(self, aux: Aux) -> int:
        return 0

    def start_response(self, y: Array, aux: Aux) -> Array:
        return np.zeros(y.shape)

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        log_density = np.zeros(eta.shape)
        log_density[np.broadcast_to(~self._has(y), eta.shape)] = -np.inf
        return Working(log_density, np.zeros(eta.shape), np.zeros(eta.shape))

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        zero = np.zeros(working.residual.shape)
        return Derivatives([zero], [[zero]], zero, [])

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.full(eta.shape, self.value)

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        return [np.zeros(eta.shape)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.zeros(eta.shape)

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        reached = self._has(y) | (y >= self.value)
        below = np.broadcast_to(np.where(reached, 1.0, 0.0), eta.shape)
        return below, 1.0 - below

    def cdf_below(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.broadcast_to(np.where(y > self.value, 1.0, 0.0), eta.shape)

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.full(eta.shape, self.value)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        return np.full(eta.shape, self.value)
