"""Which rows a family can have, where components are of different families."""

from __future__ import annotations

import numpy as np

from smmix.core.family import Family

__all__ = ["possible_rows", "with_stand_in"]

#: Responses that stand in for impossible ones: most families can have one of them.
STAND_INS = (1.0, 0.5)


def possible_rows(family: Family, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray | None:
    """Rows of the shape of ``y`` that a family can have, None where it can have all.

    A family names the first row that it cannot have. All rows like it are set aside and the rest
    are asked about again: one question for each impossible value.
    """
    flat = np.ravel(y)
    if aux is not None:
        aux = np.tile(aux, (flat.size // max(len(aux), 1), 1))
    left = np.arange(flat.size)
    while left.size:
        refusal = family.refuse(flat[left], None if aux is None else aux[left])
        if refusal is None:
            break
        like = flat[left] == flat[left[refusal[0]]]
        if aux is not None:
            like &= (aux[left] == aux[left[refusal[0]]]).all(axis=1)
        like[refusal[0]] = True
        left = left[~like]
    if left.size == flat.size:
        return None
    mask = np.zeros(flat.size, dtype=bool)
    mask[left] = True
    return mask.reshape(y.shape)


def with_stand_in(
    family: Family, y: np.ndarray, aux: np.ndarray | None, possible: np.ndarray
) -> np.ndarray:
    """The response with one that the family can have in place of those that it cannot."""
    others = ~possible
    one = None if aux is None else aux[np.nonzero(others)[-1]]
    for value in STAND_INS:
        if family.refuse(np.full(np.count_nonzero(others), value), one) is None:
            return np.where(possible, y, value)
    return np.where(possible, y, y[possible][0]) if possible.any() else y
