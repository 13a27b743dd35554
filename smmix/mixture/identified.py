"""Mixtures that no data could tell apart, refused before they are fitted."""

from __future__ import annotations

import numpy as np

from smmix.core.family_list import members
from smmix.core.memory import MemorySource
from smmix.errors import SmmixError
from smmix.mixture.observed import Observed
from smmix.mixture.parameters import COEF
from smmix.mixture.specification import Specification

__all__ = ["refuse_unidentified"]

#: Rows among which different ones are looked for first; most data need no more.
FIRST_ROWS = 1000


def refuse_unidentified(specification: Specification, observed: Observed) -> None:
    """Refuse components that cannot be told apart because a response says too little.

    Parameters
    ----------
    specification : Specification
    observed : Observed

    Raises
    ------
    SmmixError
        If each unit is one yes or no and neither a concomitant, an offset nor a restricted slope
        tells its component, or if there are fewer probabilities than parameters.

    Notes
    -----
    A response has as many free probabilities as `Family.outcomes` says, and different values of
    the regressors have their own. There must be as many of them as parameters. Where each unit
    has one, that is not enough: mixed intercepts are identified beside common slopes [1]_.

    References
    ----------
    .. [1] Follmann, D. A. and Lambert, D. (1991). Identifiability of finite mixtures of logistic
       regression models. Journal of Statistical Planning and Inference 27, 375-381.
    """
    family, k = specification.family, specification.k
    if k == 1 or observed.removed or specification.told_apart or family.outcomes(None) is None:
        return
    rows = observed.at_hand()
    outcomes = np.broadcast_to(family.outcomes(rows.aux), rows.n_rows)
    single = _largest_unit(rows, outcomes) <= 1.0
    if single and sum(one.link is not None for one in members(family, k)) > 1:
        varies = np.ptp(rows.x, axis=0) > 0.0
        if not (_tells(rows.z) or _tells(rows.offset) or _restricted(specification, varies)):
            raise SmmixError(
                f"A mixture of {family.label} is not identified when each unit is one yes or no "
                "and nothing else tells its component; give trials=, groups= of several rows, a "
                "concomitant formula, or slopes in common=."
            )
    if (rows.group is None or single) and not _enough(rows, outcomes, specification.n_free):
        raise SmmixError(
            f"A mixture of k={k} {family.label} has {specification.n_free} parameters, more than "
            "the probabilities of the response at all values of the regressors; use fewer "
            "components, more regressors, or groups= of several rows."
        )


def _largest_unit(rows: MemorySource, outcomes: np.ndarray) -> float:
    """Free probabilities of the unit that has most of them."""
    if rows.group is None:
        return float(outcomes.max())
    repeated = outcomes if rows.repeat is None else outcomes * rows.repeat
    return float(np.add.reduceat(repeated, rows.group).max())


def _tells(column: np.ndarray | None) -> bool:
    """Whether what goes with each unit varies."""
    return column is not None and bool(np.ptp(column, axis=0).any())


def _restricted(specification: Specification, varies: np.ndarray) -> bool:
    """Whether a slope of a column that ``varies`` (p,) is shared, absent or restricted."""
    names = {n for n, own in zip(specification.exog_names, varies, strict=True) if own}
    regression = [one.link is not None for one in members(specification.family, specification.k)]
    if names & set(specification.common) or not specification.present[regression][:, varies].all():
        return True
    if specification.equalities is None:
        return False
    touched = np.flatnonzero(specification.equalities.matrix.any(axis=0))
    parameters = [specification.parameters.rows[i] for i in touched]
    return any(row.kind == COEF and row.term in names for row in parameters)


def _enough(rows: MemorySource, outcomes: np.ndarray, needed: int) -> bool:
    """Whether rows that differ have ``needed`` free probabilities together."""
    parts = [rows.x, *(part for part in (rows.z, rows.offset) if part is not None)]
    table = np.column_stack([part[:, None] if part.ndim == 1 else part for part in parts])
    for size in (FIRST_ROWS, rows.n_rows):
        different, which = np.unique(table[:size], axis=0, return_inverse=True)
        most = np.zeros(len(different))
        np.maximum.at(most, which.ravel(), outcomes[:size])
        if most.sum() >= needed:
            return True
    return False
