"""From a mode of the likelihood to a fit: numbers of the components, covariance, curvature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.linalg import null_space

from smmix.core.statistics import InfoStats
from smmix.errors import SmmixError
from smmix.inference.covariance import Estimate, check_cov_type, covariance
from smmix.mixture.boundary import Boundary, boundaries
from smmix.mixture.evaluate import information_at
from smmix.mixture.fitted import FitRecord, Fitted
from smmix.mixture.numbering import component_order
from smmix.mixture.observed import Observed
from smmix.mixture.parameters import NUISANCE
from smmix.mixture.singular import singular
from smmix.mixture.specification import Specification
from smmix.resampling.bootstrap import bootstrap
from smmix.search.conditioning import Directions, conditioned, smallest_curvature
from smmix.search.em import EMStatus

__all__ = ["fitted_mode"]


def fitted_mode(
    specification: Specification,
    observed: Observed,
    record: FitRecord,
    row: int,
    cov_type: str = "nonrobust",
    cov_kwds: Mapping[str, Any] | None = None,
    use_t: bool = False,
) -> Fitted:
    """The fit at the mode in ``row`` of a search.

    Parameters
    ----------
    specification : Specification
    observed : Observed
    record : FitRecord
    row : int
    cov_type : str
    cov_kwds : dict, optional
    use_t : bool

    Raises
    ------
    SmmixError
        If the mode lies outside the restrictions, or the covariance cannot be computed.
    """
    mode = record.modes.modes[row]
    order = component_order(specification, observed, mode.params, record.order)
    full = specification.layout.pack(mode.params.permute(order))[0]
    params = specification.satisfied(specification.parameters.of_full(full))
    options = check_cov_type(cov_type, cov_kwds)
    if not isinstance(use_t, bool | np.bool_):
        raise SmmixError(
            f"use_t must be True or False, not {type(use_t).__name__}; options of a "
            "covariance are given by name, such as replicates=boot."
        )
    if cov_type == "bootstrap" and "replicates" not in options:
        plain = fitted_mode(specification, observed, record, row)
        options = {"replicates": bootstrap(plain, **options).params}
    info = information_at(specification, observed, params)
    params, at, boundary = _at_maximum(specification, observed, params, info, mode.status)
    found = covariance(Estimate(specification, observed, params, at), cov_type, options)
    interrupted = record.modes.interrupted
    df_resid = observed.nobs - specification.n_free
    return Fitted(
        specification,
        params,
        found.matrix,
        bool(use_t),
        df_resid if found.df is None else found.df,
        cov_type,
        found.sentence,
        float(info.loglike),
        observed.nobs,
        df_resid,
        _converged(mode.status, boundary) and not interrupted,
        _status(mode.status, boundary, interrupted).value,
        observed=observed,
        record=record,
        row=row,
        curvature=smallest_curvature(at),
        info=info,
        directions=at,
        boundary=boundary,
    )


def _at_maximum(
    specification: Specification,
    observed: Observed,
    params: np.ndarray,
    info: InfoStats,
    status: EMStatus,
) -> tuple[np.ndarray, Directions, tuple[Boundary, ...]]:
    """Estimates, derivatives where parameters are free, and what lies at a boundary."""
    given = Directions(info, *specification.tangent)
    surface = singular(specification, observed, params, info)
    if surface is not None:
        params, given = surface.params, surface.along(given)
    unpacked = specification.unpack(params)
    at = conditioned(specification.spec, unpacked, observed.source, given)
    boundary: tuple[Boundary, ...] = ()
    if status is EMStatus.BOUNDARY:
        boundary = boundaries(specification, observed, params, info)
        names = specification.param_names
        at = held(at, [names.index(entry.parameter) for entry in boundary])
    if surface is not None:
        boundary += surface.boundary
        at = surface.bent(at, specification.parameters.first)
    return params, at, boundary


def held(at: Directions, parameters: list[int]) -> Directions:
    """Directions in which the other parameters are free while some stay where they are."""
    if not parameters:
        return at
    free = null_space(at.visible[parameters])
    return at._replace(full=at.full @ free, visible=at.visible @ free)


def _status(status: EMStatus, boundary: tuple[Boundary, ...], interrupted: bool) -> EMStatus:
    """How the fit ended: a maximum with a singular covariance was reached at the boundary."""
    if interrupted:
        return EMStatus.INTERRUPTED
    return EMStatus.BOUNDARY if boundary and status is EMStatus.CONVERGED else status


def _converged(status: EMStatus, boundary: tuple[Boundary, ...]) -> bool:
    """Whether a maximum was reached: at the end of a range there is one, at infinity none."""
    if status is EMStatus.BOUNDARY:
        return bool(boundary) and all(entry.kind == NUISANCE for entry in boundary)
    return status is EMStatus.CONVERGED
