"""Parameters whose maximum lies at the end of their range, and what that means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smmix.core.family_list import members
from smmix.core.statistics import InfoStats
from smmix.mixture.observed import Observed
from smmix.mixture.parameters import MIXING, NUISANCE, Parameter
from smmix.mixture.specification import Specification
from smmix.search.boundary import LONGEST_DRIFT, drift
from smmix.search.coordinates import column_scale, totals
from smmix.search.newton import local_model, score_units

__all__ = ["Boundary", "boundaries"]


class Boundary(NamedTuple):
    """A parameter on its way to the end of its range.

    Attributes
    ----------
    parameter : str
    limit : float
    kind : {"coef", "nuisance", "mixing"}
    words : str
        What it means, in a sentence.
    held : bool
        Whether the parameter stays at its limit, and has no standard error.
    """

    parameter: str
    limit: float
    kind: str
    words: str
    held: bool = True


def boundaries(
    specification: Specification, observed: Observed, params: np.ndarray, info: InfoStats
) -> tuple[Boundary, ...]:
    """Parameters that Newton's method would move for ever, at a point whose score is zero.

    Parameters
    ----------
    specification : Specification
    observed : Observed
    params : ndarray, (V,)
    info : InfoStats
        Derivatives at ``params``, without the batch axis.
    """
    spec, unpacked = specification.spec, specification.unpack(params)
    sums = totals(observed.source)
    z_scale = column_scale(sums.units, sums.z_sums, np.diag(sums.z_gram))
    units = score_units(spec, unpacked, observed.pooled.x_scale, z_scale)
    batch = InfoStats(*(None if part is None else np.asarray(part)[None] for part in info))  # type: ignore[arg-type]
    model = local_model(spec, unpacked, batch, units, observed.nobs, 0.0)
    steps = drift(spec, model, units)[0][specification.parameters.first]
    found = []
    for i in np.flatnonzero(np.abs(steps) > LONGEST_DRIFT):
        row = specification.parameters.rows[i]
        limit = _limit(row, float(steps[i]))
        found.append(Boundary(row.name, limit, row.kind, _words(specification, row, limit)))
    return tuple(found)


def _limit(row: Parameter, step: float) -> float:
    """Where a parameter goes."""
    ends = {"log": (0.0, np.inf), "logit": (0.0, 1.0)}
    low, high = ends.get(row.transform.name, (-np.inf, np.inf))
    return high if step > 0.0 else low


def _words(specification: Specification, row: Parameter, limit: float) -> str:
    if row.kind == MIXING:
        what = f"the covariate {row.term!r} separates the components"
        if specification.concomitant_names is None:
            what = "the share of a component goes to zero"
        elif row.term == "Intercept":
            what = "covariates separate the components"
        return f"{row.name} has its maximum at {limit:g}: {what}."
    if row.kind == NUISANCE:
        families = members(specification.family, specification.k)
        family = families[row.component or 0]
        named = family.becomes.get((row.term, limit))
        means = f": component {row.component or 0} is {named}" if named else ""
        return f"{row.name} has its maximum at {limit:g}{means}."
    return (
        f"{row.name} has its maximum at {limit:g}: the regressors separate the responses of "
        f"component {row.component or 0}."
    )
