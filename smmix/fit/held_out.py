"""Held-out log-likelihood of a mixture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smmix.core.linalg import dependent_columns
from smmix.core.memory import MemorySource
from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.fit.options import FitOptions
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.search.modes import unit_loglike
from smmix.search.search import find_modes
from smmix.support.checks import shown

__all__ = ["check_part", "cross_validated", "held_out", "make_folds"]


def make_folds(n_units: int, n_folds: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Positions of the units of each of ``n_folds`` parts of (nearly) equal size, at random.

    Raises
    ------
    SmmixError
        If there cannot be so many folds.
    """
    whole = isinstance(n_folds, int | np.integer) and not isinstance(n_folds, bool)
    if not whole or not 2 <= n_folds <= n_units:
        raise SmmixError(
            f"folds must be a whole number from 2 to the number of rows (or groups), {n_units}, "
            f"not {shown(n_folds)}."
        )
    order = rng.permutation(n_units)
    return [np.sort(order[i::n_folds]) for i in range(n_folds)]


def cross_validated(
    specification: Specification, observed: Observed, options: FitOptions, folds: list[np.ndarray]
) -> float:
    """Log-likelihood of each part of the data under the fit to the others, added up [1]_.

    Parameters
    ----------
    specification : Specification
    observed : Observed
    options : FitOptions
        How the parts are searched.
    folds : list of ndarray of int
        Positions of the units (rows, or groups) of each part.

    References
    ----------
    .. [1] Smyth, P. (2000). Model selection for probabilistic clustering using cross-validated
       likelihood. Statistics and Computing 10, 63-72.
    """
    source: MemorySource = observed.source
    if options.threads is not None:
        source = replace(source, threads=options.threads)
    control = options.control(None)
    total = 0.0
    for number, fold in enumerate(folds):
        rest = source.take_units(np.setdiff1d(np.arange(source.n_units), fold))
        check_part(specification, rest, f"The data without part {number} of {len(folds)}")
        modes = find_modes(specification.spec, rest, control, options.rng)
        params = modes.modes[modes.selected].params
        total += held_out(specification, params, source.take_units(fold))
    return total


def check_part(specification: Specification, part: MemorySource, what: str) -> None:
    """Refuse a part of the data that a model cannot be estimated from.

    Raises
    ------
    SmmixError
        If it has too few rows for a column of the design, or for the components.
    """
    dependent = dependent_columns(part.x)
    if dependent:
        name = specification.exog_names[dependent[0]]
        raise SmmixError(
            f"{what} cannot tell the column {name!r} from the others; the data are too few to be "
            "taken apart."
        )
    k, p = specification.k, specification.layout.p
    if part.n_units < k or part.n_rows < k * (p + 2):
        raise SmmixError(
            f"{what} has too few rows ({part.n_rows}) for k={k}; use a lower k, or more "
            "data on either side."
        )


def held_out(specification: Specification, params: MixtureParams, source: MemorySource) -> float:
    """Log-likelihood of units that ``params`` was not estimated from, case weights included."""
    each = unit_loglike(specification.spec, params, source)[0]
    return float(each.sum() if source.weight is None else each @ source.weight)
