"""Linear equalities between visible parameters, and the mixture that they leave.

``fit_constrained`` and ``fixed`` keep the length of the visible vector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap
from smmix.errors import SmmixError
from smmix.mixture.parameters import NUISANCE, ParameterTable

__all__ = [
    "Equalities",
    "eliminate",
    "refuse_out_of_range",
    "restricted",
    "solve_equalities",
    "tied",
]

#: Largest coefficient of an eliminated equation that counts as rounding error.
ELIMINATION_TOLERANCE = 1e-12
#: Largest remainder of the values, relative to the largest value, that counts as rounding error.
CONTRADICTION_TOLERANCE = 1e-9
#: Smallest value, relative to the largest value of the restrictions, that counts as positive.
SMALLEST_POSITIVE = 1e-6


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


def solve_equalities(matrix: np.ndarray, values: np.ndarray, table: ParameterTable) -> Equalities:
    """Parametrise the visible vectors that satisfy ``matrix @ params = values``.

    Gauss-Jordan elimination expresses one parameter per equation by the others, which stay free.

    Parameters
    ----------
    matrix : ndarray, (J, V)
    values : ndarray, (J,)
    table : ParameterTable

    Returns
    -------
    Equalities

    Raises
    ------
    SmmixError
        If the equations contradict each other, or one mixes parameters of different kinds.
    """
    for row in matrix:
        held = [table.rows[i] for i in np.flatnonzero(row)]
        kinds = sorted({r.term if r.kind == NUISANCE else r.kind for r in held})
        if len(kinds) > 1:
            raise SmmixError(
                f"A restriction may not join parameters of different kinds ({' and '.join(kinds)})"
                "; write one for each kind."
            )
    eliminated = eliminate(matrix, values)
    if eliminated is None:
        raise SmmixError("The restrictions contradict each other: no parameters satisfy them all.")
    system, pivots = eliminated
    size = table.size
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


def refuse_out_of_range(equalities: Equalities, table: ParameterTable, what: str) -> None:
    """Refuse equalities under which a positive parameter cannot be; ``what`` gave them.

    Raises
    ------
    SmmixError
        If one is held outside its range, or no values make all of them positive.
    """
    zero = np.zeros(())
    rows = np.array(
        [i for i in table.positions(NUISANCE) if not table.rows[i].transform.allows(zero)], int
    )
    basis, origin = equalities.map.basis[rows], equalities.map.origin[rows]
    held = ~basis.any(axis=1)
    for i in np.flatnonzero(held):
        row = table.rows[rows[i]]
        if not row.transform.allows(origin[i]):
            raise SmmixError(
                f"{what}: {row.name} is held at {origin[i]:g}; hold a {row.term} at a value "
                f"{'above zero' if origin[i] <= 0.0 else 'inside its range'}."
            )
    basis, origin = basis[~held], origin[~held]
    if not (basis < 0.0).any() and not (origin < 0.0).any():
        return
    # The largest t, up to 1, that all of them can exceed together.
    unit = np.abs(origin).max() or 1.0
    n_free = basis.shape[1]
    best = linprog(
        np.append(np.zeros(n_free), -1.0),
        A_ub=np.column_stack([-basis, np.ones(len(basis))]),
        b_ub=origin / unit,
        bounds=[(None, None)] * n_free + [(None, 1.0)],
    )
    if best.x is not None and best.x[-1] <= SMALLEST_POSITIVE:
        names = " and ".join(dict.fromkeys(f"{table.rows[i].term}s" for i in rows))
        raise SmmixError(
            f"{what}: no values of the {names} satisfy the restrictions with all of them above "
            "zero; change the restrictions."
        )


def restricted(
    spec: MixtureSpec, table: ParameterTable, equalities: Equalities | None
) -> MixtureSpec:
    """The mixture under what the visible vector, and further equalities, leave free."""
    if table.is_identity and equalities is None:
        return spec
    restriction = table.expand if equalities is None else table.expand.then(equalities.map)
    rows = restriction.basis[spec.layout.coef]
    coef_basis = rows[:, rows.any(axis=0)]
    return replace(
        spec,
        restriction=restriction,
        coef_basis=coef_basis if coef_basis.shape[1] < coef_basis.shape[0] else None,
        shared=spec.shared | tied(restriction, table),
    )


def tied(restriction: LinearMap, table: ParameterTable) -> frozenset[str]:
    """Nuisance parameters that are equal in all components, and otherwise free.

    Sigmas that are equal by a restriction have the bounded likelihood of equal variances.
    """
    layout = table.layout
    found = set()
    for i in range(layout.d if layout.k > 1 else 0):
        places = np.arange(layout.size)[layout.nuisance][i :: layout.d]
        places = places[table.visible[places] >= 0]
        basis = restriction.basis[places]
        one_free = (basis == basis[:1]).all() and basis[:1].any()
        if one_free and len(places) > 1 and not restriction.origin[places].any():
            found.add(table.rows[table.visible[places[0]]].term)
    return frozenset(found)
