"""The rows that starts are made from, and lines through random ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from smmix.core.linalg import solve_gram
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.outcome_families import OutcomeFamilies, outcome_rows
from smmix.search.single import linear_target

__all__ = ["Pilot", "draw_rows", "random_lines", "varying_columns"]

#: Ridge, relative to the diagonal, that keeps lines through coinciding rows finite.
NEARLY_SINGULAR = 1e-10


@dataclass(frozen=True)
class Pilot:
    """The data that starts are made from.

    Attributes
    ----------
    source : MemorySource
        Rows in working coordinates.
    target : ndarray, (n,)
        The response on the scale of the linear predictor, which lines are laid through.
    residual : ndarray, (n,)
        The target less its pooled fit.
    response : ndarray, (n,)
        The response as observed, in any units.
    units : float or ndarray, (p,)
        What target and residual are measured in, of each column of coefficients: of several
        outcomes each has its own.
    """

    source: MemorySource
    target: np.ndarray
    residual: np.ndarray
    response: np.ndarray
    units: Any = 1.0

    @classmethod
    def of(
        cls, spec: MixtureSpec, source: MemorySource, response: np.ndarray | None = None
    ) -> Pilot:
        """What starts are made from, of rows in working coordinates.

        ``response`` (n,) is the response with its pooled fit added back, where that was taken out.
        """
        target = np.ravel(linear_target(spec, source))
        if spec.family.location_scale:
            return cls(source, target, target, target if response is None else response)
        pooled = solve_gram(source.x.T @ source.x, source.x.T @ target)[0]
        residual, y = target - source.x @ pooled, np.ravel(source.y)
        if not isinstance(spec.family, OutcomeFamilies):
            return cls(source, target, residual, y)
        sizes, units = np.ones(y.size), np.ones(source.n_columns)
        for part in spec.family.parts:
            rows = outcome_rows(source.aux, part.number)
            spread = np.sqrt(np.mean(residual[rows] ** 2)) if rows.size else 0.0
            sizes[rows] = units[list(part.outcome.columns)] = spread if spread > 0.0 else 1.0
        return cls(source, target / sizes, residual / sizes, y / sizes, units)

    def to_units(self, rows: np.ndarray) -> np.ndarray:
        """Mean over each unit of values (.., n) of rows."""
        group = self.source.group
        if group is None:
            return rows
        return np.add.reduceat(rows, group, axis=-1) / self.unit_rows

    def to_rows(self, units: np.ndarray) -> np.ndarray:
        """Values (.., u) of units for each of their rows."""
        group = self.source.group
        if group is None:
            return units
        return np.repeat(units, self.unit_rows, axis=-1)

    @property
    def unit_rows(self) -> np.ndarray:
        """Rows of each unit, (u,)."""
        group = self.source.group
        if group is None:
            return np.ones(self.source.n_rows, dtype=int)
        return np.diff(group, append=self.source.n_rows)


def varying_columns(x: np.ndarray) -> np.ndarray:
    """Positions of the columns that are not constant."""
    return np.flatnonzero(np.ptp(x, axis=0) > 1e-12 * np.abs(x).max(axis=0, initial=1e-300))


def random_lines(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Coefficients (.., p) of the lines through the rows at positions (.., p)."""
    design, response = x[rows], y[rows]
    gram = np.swapaxes(design, -1, -2) @ design
    # Rows may coincide; any line through them will do for a start.
    diagonal = np.einsum("...pp->...p", gram)
    diagonal += NEARLY_SINGULAR * (diagonal + diagonal.mean(axis=-1, keepdims=True))
    target = np.einsum("...rp,...r->...p", design, response)
    return np.linalg.solve(gram, target[..., None])[..., 0]


def draw_rows(n: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Row positions, of ``shape``, with replacement."""
    return rng.integers(n, size=shape)
