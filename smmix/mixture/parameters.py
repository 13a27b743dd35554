"""The parameter vector that users see: its names, and how it spreads over the full vector.

The core knows one coefficient per component and column, one sigma per component and one logit per
component and mixing column: the full vector. Users see what is free of it: one sigma when the
variance is equal, a common coefficient once, no coefficient where a component lacks a column.
Further linear equalities (``fit_constrained``, ``fixed``) keep the length of the visible vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, ParamLayout
from smmix.errors import SmmixError

__all__ = [
    "Equalities",
    "VisibleParams",
    "apply_restrictions",
    "eliminate",
    "refuse_held_sigmas",
    "solve_equalities",
]

#: Largest coefficient of an eliminated equation that counts as rounding error.
ELIMINATION_TOLERANCE = 1e-12
#: Largest remainder of the values, relative to the largest value, that counts as rounding error.
CONTRADICTION_TOLERANCE = 1e-9
#: Smallest sigma, relative to the largest value of the restrictions, that counts as positive.
SMALLEST_SIGMA = 1e-6


@dataclass(frozen=True)
class VisibleParams:
    """Names of the visible parameters and their place in the full vector.

    Attributes
    ----------
    names : list of str
        One name per visible parameter.
    expand : LinearMap
        Full vector = 0/1 matrix times visible vector.
    first : ndarray of int, (V,)
        First place of each visible parameter in the full vector.
    kinds : ndarray of str, (V,)
        "coef", "sigma" or "mixing".
    """

    names: list[str]
    expand: LinearMap
    first: np.ndarray
    kinds: np.ndarray

    @classmethod
    def of(
        cls,
        layout: ParamLayout,
        terms: Sequence[str],
        mixing_terms: Sequence[str],
        nuisance_names: Sequence[str],
        equal_variance: bool,
        common: Sequence[int],
        present: np.ndarray,
    ) -> VisibleParams:
        """Lay out the visible vector.

        Parameters
        ----------
        layout : ParamLayout
        terms, mixing_terms, nuisance_names : sequences of p, q and d str
        equal_variance : bool
            Whether all components share their nuisance parameters.
        common : sequence of int
            Columns whose coefficient all components share.
        present : ndarray of bool, (k, p)
            Which component has which column.
        """
        k, p, d, q = layout.k, layout.p, layout.d, layout.q
        shared = set(common)
        entries: list[tuple[str, str, list[int]]] = []
        for c in range(k):
            for j in range(p):
                if j not in shared and present[c, j]:
                    entries.append((f"{terms[j]}[{c}]", "coef", [c * p + j]))
        entries += [(terms[j], "coef", [c * p + j for c in range(k)]) for j in sorted(shared)]
        start = layout.nuisance.start
        for i in range(d):
            rows = [start + c * d + i for c in range(k)]
            name = nuisance_names[i]
            if equal_variance:
                entries.append((name, "sigma", rows))
            else:
                entries += [(f"{name}[{c}]", "sigma", [row]) for c, row in enumerate(rows)]
        for c in range(1, k):
            for j in range(q):
                row = layout.mixing.start + (c - 1) * q + j
                entries.append((f"mixing.{mixing_terms[j]}[{c}]", "mixing", [row]))
        basis = np.zeros((layout.size, len(entries)))
        for column, (_, _, rows) in enumerate(entries):
            basis[rows, column] = 1.0
        names = [name for name, _, _ in entries]
        _refuse_duplicates(names)
        return cls(
            names,
            LinearMap(basis, np.zeros(layout.size)),
            np.array([rows[0] for _, _, rows in entries]),
            np.array([kind for _, kind, _ in entries]),
        )

    @property
    def size(self) -> int:
        return len(self.names)

    @property
    def is_identity(self) -> bool:
        return self.expand.basis.shape[0] == self.expand.basis.shape[1]

    def of_full(self, full: np.ndarray) -> np.ndarray:
        """Visible vectors (.., V) of full vectors (.., F)."""
        return full[..., self.first]


def _refuse_duplicates(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SmmixError(
                f"Two parameters would be called {name!r}; rename the column of the data whose "
                "name clashes with it."
            )
        seen.add(name)


@dataclass(frozen=True)
class Equalities:
    """Linear equalities on the visible parameters, some of which are expressed by the others.

    Attributes
    ----------
    map : LinearMap
        Visible vector = basis @ free vector + origin.
    free : ndarray of int
        The visible parameters that are the free vector.
    matrix, values : ndarray, (J, V) and (J,)
        The equalities as given: ``matrix @ params = values``.
    """

    map: LinearMap
    free: np.ndarray
    matrix: np.ndarray
    values: np.ndarray

    def impose(self, params: np.ndarray) -> np.ndarray:
        """The dependent entries of ``params`` (V,) recomputed from the free ones, exactly."""
        return self.map.full(params[self.free])

    def nearest(self, params: np.ndarray) -> np.ndarray:
        """The vector nearest to ``params`` (V,) that satisfies the equalities."""
        return self.map.full(self.map.free(params))


def solve_equalities(matrix: np.ndarray, values: np.ndarray, visible: VisibleParams) -> Equalities:
    """Parametrise the visible vectors that satisfy ``matrix @ params = values``.

    Gauss-Jordan elimination expresses one parameter per equation by the others, which stay free.

    Parameters
    ----------
    matrix : ndarray, (J, V)
    values : ndarray, (J,)
    visible : VisibleParams

    Returns
    -------
    Equalities

    Raises
    ------
    SmmixError
        If the equations contradict each other, or one mixes parameters of different kinds.
    """
    for row in matrix:
        kinds = sorted(set(visible.kinds[row != 0]))
        if len(kinds) > 1:
            raise SmmixError(
                f"A restriction may not join parameters of different kinds ({' and '.join(kinds)})"
                "; write one for each kind."
            )
    eliminated = eliminate(matrix, values)
    if eliminated is None:
        raise SmmixError("The restrictions contradict each other: no parameters satisfy them all.")
    system, pivots = eliminated
    size = visible.size
    free = np.setdiff1d(np.arange(size), pivots)
    basis = np.zeros((size, free.size))
    basis[free, np.arange(free.size)] = 1.0
    basis[pivots] = -system[:, free]
    origin = np.zeros(size)
    origin[pivots] = system[:, size]
    return Equalities(LinearMap(basis, origin), free, matrix, values)


def eliminate(matrix: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, list[int]] | None:
    """Gauss-Jordan elimination of ``matrix @ params = values``, None when nothing satisfies it.

    Parameters
    ----------
    matrix : ndarray, (J, V)
    values : ndarray, (J,)

    Returns
    -------
    system : ndarray, (r, V + 1)
        Coefficients and value of equations of which each alone has its pivot, with coefficient 1.
    pivots : list of int
        The parameter that each equation expresses by the others.
    """
    largest = np.abs(matrix).max(axis=1, initial=0.0)
    system = np.column_stack([matrix, values]) / np.where(largest > 0.0, largest, 1.0)[:, None]
    size = matrix.shape[1]
    tolerance = CONTRADICTION_TOLERANCE * np.abs(system[:, size]).max(initial=0.0)
    pivots: list[int] = []
    for i in range(len(system)):
        left = np.abs(system[i:, :size]).max(axis=1)
        if (left <= ELIMINATION_TOLERANCE).all():
            if (np.abs(system[i:, size]) > tolerance).any():
                return None
            return system[:i], pivots
        row = i + int(np.argmax(left))
        system[[i, row]] = system[[row, i]]
        pivot = int(np.argmax(np.abs(system[i, :size])))
        system[i] /= system[i, pivot]
        others = np.arange(len(system)) != i
        system[others] -= np.outer(system[others, pivot], system[i])
        system[others, pivot] = 0.0
        pivots.append(pivot)
    return system, pivots


def refuse_held_sigmas(equalities: Equalities, visible: VisibleParams, what: str) -> None:
    """Refuse equalities under which a sigma cannot be positive; ``what`` gave them.

    Raises
    ------
    SmmixError
        If one is held at zero or below, or no values make all of them positive.
    """
    rows = np.flatnonzero(visible.kinds == "sigma")
    basis, origin = equalities.map.basis[rows], equalities.map.origin[rows]
    held = ~basis.any(axis=1)
    for i in np.flatnonzero(held & (origin <= 0.0)):
        raise SmmixError(
            f"{what}: {visible.names[rows[i]]} is held at {origin[i]:g}; hold a sigma at a value "
            "above zero."
        )
    basis, origin = basis[~held], origin[~held]
    if not (basis < 0.0).any() and not (origin < 0.0).any():
        return
    # The largest t, up to 1, that all sigmas can exceed together.
    unit = np.abs(origin).max() or 1.0
    n_free = basis.shape[1]
    best = linprog(
        np.append(np.zeros(n_free), -1.0),
        A_ub=np.column_stack([-basis, np.ones(len(basis))]),
        b_ub=origin / unit,
        bounds=[(None, None)] * n_free + [(None, 1.0)],
    )
    if best.x is not None and best.x[-1] <= SMALLEST_SIGMA:
        raise SmmixError(
            f"{what}: no values of the sigmas satisfy the restrictions with all of them above "
            "zero; change the restrictions."
        )


def apply_restrictions(
    spec: MixtureSpec, visible: VisibleParams, equalities: Equalities | None
) -> MixtureSpec:
    """The mixture under what the visible vector, and further equalities, leave free."""
    if visible.is_identity and equalities is None:
        return spec
    restriction = visible.expand if equalities is None else visible.expand.then(equalities.map)
    layout = spec.layout
    shared = set(spec.shared)
    if layout.k > 1:
        for i, parameter in enumerate(spec.family.nuisance):
            if _ties(
                restriction, np.arange(layout.nuisance.start + i, layout.nuisance.stop, layout.d)
            ):
                shared.add(parameter.name)
    rows = restriction.basis[layout.coef]
    touched = rows.any(axis=0)
    coef_basis = rows[:, touched]
    restricted = coef_basis.shape[1] < coef_basis.shape[0]
    return replace(
        spec,
        restriction=restriction,
        coef_basis=coef_basis if restricted else None,
        shared=frozenset(shared),
    )


def _ties(restriction: LinearMap, rows: np.ndarray) -> bool:
    """Whether these entries of the full vector are all equal and otherwise free."""
    basis = restriction.basis[rows]
    one_free = (basis == basis[0]).all() and basis[0].any()
    return bool(one_free and not restriction.origin[rows].any())
