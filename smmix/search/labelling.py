"""Which components may change names, and the runs that differ when they do."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np

from smmix.core.family_list import members
from smmix.core.mixture import MixtureSpec, project
from smmix.core.params import MixtureParams, concatenate

__all__ = ["exchangeable", "relabelled"]

#: Up to this many components all orders are tried, else all that swap two of them.
ALL_ORDERS = 4


def relabelled(spec: MixtureSpec, params: MixtureParams) -> tuple[MixtureParams, np.ndarray]:
    """Parameter sets under other names of the components, inside the restrictions.

    EM heeds the restrictions of coefficients alone, so that names which suit a restriction of
    sigmas or weights are a matter of luck until Newton's steps begin.

    Parameters
    ----------
    spec : MixtureSpec
    params : MixtureParams
        S parameter sets.

    Returns
    -------
    params : MixtureParams
        All of them once for each order of the components.
    origin : ndarray of int
        Positions of the sets that they were made from.
    """
    k = spec.layout.k
    orders = [np.array(order) for order in permutations(range(k))] if k <= ALL_ORDERS else []
    if not orders:
        orders = [np.arange(k)]
        for pair in combinations(range(k), 2):
            order = np.arange(k)
            order[list(pair)] = pair[::-1]
            orders.append(order)
    made = concatenate([project(spec, params.permute(order)) for order in orders])
    return made, np.tile(np.arange(params.size), len(orders))


def exchangeable(spec: MixtureSpec, told_apart: frozenset[int] = frozenset()) -> list[np.ndarray]:
    """Sets of components that may change names without leaving the restrictions.

    Parameters
    ----------
    spec : MixtureSpec
    told_apart : frozenset of int, optional
        Components that data tie to their number.

    Returns
    -------
    list of ndarray of int
    """
    k = spec.layout.k
    group = np.arange(k)
    for c in range(k):
        for other in range(c):
            if group[c] == c and not told_apart & {c, other} and _may_swap(spec, other, c):
                group[c] = group[other]
    return [np.flatnonzero(group == c) for c in np.unique(group)]


def _may_swap(spec: MixtureSpec, one: int, other: int) -> bool:
    """Whether swapping two components maps the restricted parameters onto themselves."""
    restriction, layout = spec.restriction, spec.layout
    families = members(spec.family, layout.k)
    if families[one] != families[other]:
        return False
    if restriction is None:
        return True
    order = np.arange(layout.k)
    order[[one, other]] = other, one

    def swap(full: np.ndarray) -> np.ndarray:
        params: MixtureParams = layout.unpack(full).permute(order)
        return layout.pack(params)

    basis, origin = restriction.basis, restriction.origin
    outside = np.eye(layout.size) - basis @ np.linalg.pinv(basis)
    moved = np.column_stack([swap(basis.T).T, swap(origin)[0] - origin])
    return bool(np.abs(outside @ moved).max() <= 1e-9 * max(np.abs(moved).max(), 1.0))
