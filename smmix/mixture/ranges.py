"""Parameter vectors as users give them: numbers, of the right length, inside their ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.core.random_effects import RandomEffects
from smmix.core.transforms import IDENTITY, LOG
from smmix.errors import SmmixError
from smmix.mixture.parameters import NUISANCE, ParameterTable
from smmix.support.checks import reason
from smmix.support.frames import quoted

__all__ = ["allowed", "checked", "refuse_held_entries"]


def allowed(table: ParameterTable, random: RandomEffects | None, params: np.ndarray) -> np.ndarray:
    """Whether each entry of a parameter vector (V,) lies inside its range, (V,) of bool.

    Variances and covariances of random effects do together.
    """
    inside = table.allowed(params)
    if random is not None:
        for own in table.by_component(NUISANCE)[:, 1:]:
            if not random.allowed(params[own].real):
                inside[own] = False
    return inside


def checked(
    table: ParameterTable,
    random: RandomEffects | None,
    params: Any,
    what: str = "params",
    positive: bool = True,
) -> np.ndarray:
    """A parameter vector as an array (V,), refused when it cannot be one."""
    vector = np.asarray(params)
    if vector.dtype.kind not in "fc":
        try:
            vector = vector.astype(float)
        except (TypeError, ValueError) as error:
            raise SmmixError(f"{what} must be a vector of numbers ({reason(error)}).") from error
    names = table.names
    if vector.shape != (len(names),):
        raise SmmixError(
            f"{what} has the shape {vector.shape}; it must have {len(names)} entries: "
            f"{quoted(names)}."
        )
    bad = ~np.isfinite(vector)
    if bad.any():
        raise SmmixError(f"{what}: {names[int(np.argmax(bad))]} is not finite.")
    outside = ~allowed(table, random, vector)
    if positive and outside.any():
        i = int(np.argmax(outside))
        if table.rows[i].transform is IDENTITY:
            raise SmmixError(
                f"{what}: with {names[i]} = {vector[i]:g} the variances and covariances of the "
                "random effects are those of no distribution."
            )
        needed = "positive" if table.rows[i].transform.name == LOG.name else "inside its range"
        raise SmmixError(f"{what}: {names[i]} = {vector[i]:g} must be {needed}.")
    return vector


def refuse_held_entries(
    table: ParameterTable, random: RandomEffects | None, matrix: np.ndarray, what: str
) -> None:
    """Refuse equalities (J, V) of single entries of a covariance matrix of random effects."""
    for i in np.flatnonzero(matrix.any(axis=0)):
        if random is not None and table.rows[i].term in random.parameters:
            raise SmmixError(
                f"{what}: {table.names[i]} belongs to a covariance matrix, which "
                "random_cov='equal' and 'diagonal' restrict as a whole."
            )
