"""From the rows of a design to the independent units of the likelihood, and to its source."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pandas as pd

from smmix.core.memory import MemorySource, group_starts
from smmix.errors import SmmixError
from smmix.formula import Design
from smmix.support.callers import user_level
from smmix.support.frames import codes_of, placed, row_name

__all__ = ["Units", "log_indicators", "make_source", "warn_of_varying_concomitants"]


@dataclass(frozen=True)
class Units:
    """How n rows form u units: every row by itself, or the rows of a group together.

    Attributes
    ----------
    codes : ndarray of int, (n,), or None
        Unit of each row; groups are numbered as they first appear. None: each row is a unit.
    labels : Index of length u, or None
        Values of the groups.
    order : ndarray of int, (n,), or None
        Rows with those of a group side by side.
    first : ndarray of int, (u,), or None
        First row of each group.
    """

    codes: np.ndarray | None = None
    labels: pd.Index | None = None
    order: np.ndarray | None = None
    first: np.ndarray | None = None

    @classmethod
    def of(cls, groups: np.ndarray | None) -> Units:
        """Units by the values (n,) of a grouping column, which holds no missing values."""
        if groups is None:
            return cls()
        codes, labels = codes_of(pd.Series(groups), "groups")
        order = np.argsort(codes, kind="stable")
        return cls(codes, labels, order, order[group_starts(codes[order])])

    def to_rows(self, units: np.ndarray) -> np.ndarray:
        """Values of units (u, ..) for each of their rows (n, ..)."""
        return units if self.codes is None else units[self.codes]

    def name(self, row: int) -> str:
        """The group of a row, for messages."""
        assert self.codes is not None
        assert self.labels is not None
        label = self.labels[self.codes[row]]
        return f"group {label.item() if isinstance(label, np.generic) else label!r}"


def make_source(design: Design, units: Units, k: int) -> MemorySource:
    """The data as the core reads them: rows of a group side by side, weights by unit.

    Raises
    ------
    SmmixError
        If sampling weights vary within a group, or known components are no components.
    """
    weight = _sampling_weights(design, units)
    z = _unit_concomitant(design, units)
    membership = _membership(design, units, k)
    if units.codes is None:
        frequency = design.freq_weights
        if frequency is not None:
            weight = frequency if weight is None else frequency * weight
        return MemorySource(
            design.endog,
            design.exog,
            z,
            weight,
            None,
            design.offset,
            None,
            membership,
            design.aux,
        )
    order = units.order

    def sort(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.ascontiguousarray(values[order])

    return MemorySource(
        np.ascontiguousarray(design.endog[order]),
        np.ascontiguousarray(design.exog[order]),
        z,
        weight,
        sort(design.freq_weights),
        sort(design.offset),
        group_starts(units.codes[order]),
        membership,
        sort(design.aux),
    )


def _sampling_weights(design: Design, units: Units) -> np.ndarray | None:
    """Sampling weights of the units, scaled to a mean of one over the observations."""
    given = design.prob_weights
    if given is None:
        return None
    frequency = np.ones(given.size) if design.freq_weights is None else design.freq_weights
    scaled = given * (frequency.sum() / (frequency @ given))
    if units.codes is None:
        return scaled
    differs = given != given[units.first][units.codes]
    if differs.any():
        raise SmmixError(
            f"prob_weights vary within {units.name(int(np.argmax(differs)))}; a group is sampled "
            "as a whole, so its rows need one weight."
        )
    return scaled[units.first]


def _unit_concomitant(design: Design, units: Units) -> np.ndarray | None:
    z = design.concomitant
    return z if z is None or units.codes is None else np.ascontiguousarray(z[units.first])


def warn_of_varying_concomitants(design: Design, units: Units) -> None:
    """Say so when a concomitant variable varies within a group, for its first row counts."""
    z = design.concomitant
    if z is None or units.codes is None:
        return
    differs = z != z[units.first][units.codes]
    if differs.any():
        row, column = (int(i) for i in np.argwhere(differs)[0])
        name = (design.concomitant_names or [])[column]
        warnings.warn(
            f"The concomitant variable {name!r} varies within {units.name(row)}; the first row of "
            "each group counts.",
            UserWarning,
            stacklevel=user_level(),
        )


def log_indicators(known: np.ndarray, k: int, rows: pd.Index) -> np.ndarray:
    """Log indicators (n, k) of the components that each row may belong to.

    Parameters
    ----------
    known : ndarray, (n,)
        Number of the component; NaN where it is not known.
    k : int
    rows : Index of length n
        Row labels for messages.

    Raises
    ------
    SmmixError
        If a value is no number of a component.
    """
    told = np.flatnonzero(~np.isnan(known))
    bad = told[(known[told] % 1 != 0) | (known[told] < 0) | (known[told] >= k)]
    if bad.size:
        raise SmmixError(
            f"known is {known[bad[0]]:g} in {row_name(rows, int(bad[0]))}; it must be the number "
            f"of a component, 0 to {k - 1}, or NaN where it is not known."
        )
    log = np.zeros((known.size, k))
    log[told] = -np.inf
    log[told, known[told].astype(int)] = 0.0
    return log


def _membership(design: Design, units: Units, k: int) -> np.ndarray | None:
    """Log indicators (u, k) of the components that each unit may belong to."""
    if design.known is None:
        return None
    # A slab of a large table does not know where in the table its rows are.
    with placed(design.positions) if len(design.positions) else nullcontext():
        log = log_indicators(design.known, k, design.index)
    if units.codes is None:
        return log
    shared = np.zeros((units.codes.max() + 1, k))
    np.add.at(shared, units.codes, log)
    none_left = (shared.max(axis=1) < 0.0)[units.codes]
    if none_left.any():
        raise SmmixError(
            f"known gives two components to {units.name(int(np.argmax(none_left)))}; all rows of "
            "a group share one component."
        )
    return shared
