"""One Newton step in the metric of EM: the trust-region step that the fit ends with.

With A the complete-data information, the EM step is to first order A^-1 g. In the coordinates
where A is the identity the observed information -H has eigenvalues of at most one, those of a
maximum between zero and one, and one minus them are the rates of EM. Dividing by the eigenvalues'
sizes gives Newton's step near a maximum, an ascent direction everywhere, and never less than
EM's step, whatever the units of the data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams
from smmix.core.statistics import InfoStats

#: Eigenvalues of the scaled observed information below this are taken as this.
SMALLEST_CURVATURE = 1e-9
#: Added to the complete-data information, scaled to a unit diagonal: it is but a metric.
RIDGE = 1e-8


class LocalModel(NamedTuple):
    """Quadratic model of the objective around a batch of parameter sets, free coordinates."""

    objective: np.ndarray  # (S,) penalised log-likelihood
    score: np.ndarray  # (S, V) in the coordinates where the complete-data information is one
    curvature: np.ndarray  # (S, V) eigenvalues of the observed information there
    to_working: np.ndarray  # (S, F, V) from these coordinates to full working coordinates
    score_norm: np.ndarray  # (S,) largest scale-free score per observation


def working_scale(spec: MixtureSpec, params: MixtureParams) -> np.ndarray:
    """d natural / d working parameter, (S, F): nuisance parameters move on the log scale."""
    scale = np.ones((params.size, spec.layout.size))
    scale[:, spec.layout.nuisance] = params.nuisance.reshape(params.size, -1)
    return scale


def score_units(
    spec: MixtureSpec, params: MixtureParams, x_scale: np.ndarray, z_scale: np.ndarray
) -> np.ndarray:
    """Size (S, F) of a parameter's natural step: sigma over a column's standard deviation, ..."""
    layout = spec.layout
    scale = working_scale(spec, params)
    width = params.nuisance[:, :, :1] if spec.family.location_scale else np.ones((1, layout.k, 1))
    coef = np.broadcast_to(width / x_scale, params.coef.shape)
    scale[:, layout.coef] = coef.reshape(params.size, -1)
    scale[:, layout.mixing] = np.tile(1.0 / z_scale, layout.k - 1)
    return scale


def free_units(units: np.ndarray, restriction: LinearMap | None) -> np.ndarray:
    """Natural step sizes (S, V) of the free parameters, given those of the full ones."""
    if restriction is None:
        return units
    size = np.abs(restriction.basis)
    ratio = np.where(size > 1e-12, units[:, :, None] / np.maximum(size, 1e-12), np.inf)
    return ratio.min(axis=1)


def local_model(
    spec: MixtureSpec,
    params: MixtureParams,
    info: InfoStats,
    units: np.ndarray,
    nobs: float,
    penalty: float,
) -> LocalModel:
    """Diagonalise the observed information in the metric of the complete-data information."""
    scale = working_scale(spec, params)
    value, first, second = spec.family.penalty(params.nuisance, penalty)
    score = info.score * scale
    hessian = info.hessian * scale[:, :, None] * scale[:, None, :]
    complete = info.complete * scale[:, :, None] * scale[:, None, :]
    nuisance = np.arange(spec.layout.size)[spec.layout.nuisance]
    hessian[:, nuisance, nuisance] += score[:, nuisance] + second.reshape(params.size, -1)
    complete[:, nuisance, nuisance] -= np.minimum(second.reshape(params.size, -1), 0.0)
    score[:, nuisance] += first.reshape(params.size, -1)
    norm_score = (score / scale, units)
    basis = None
    if spec.restriction is not None:
        tangent = spec.restriction.basis / scale[:, :, None]
        norm_score = (
            norm_score[0] @ spec.restriction.basis,
            free_units(units, spec.restriction),
        )
        basis = tangent
        transposed = np.swapaxes(tangent, 1, 2)
        score = np.einsum("sfv,sf->sv", tangent, score)
        hessian = transposed @ hessian @ tangent
        complete = transposed @ complete @ tangent
    norm = np.abs(norm_score[0] * norm_score[1]).max(axis=1) / nobs
    rotation, curvature = _diagonalise(hessian, complete)
    return LocalModel(
        info.loglike + value,
        np.einsum("svw,sv->sw", rotation, score),
        curvature,
        rotation if basis is None else basis @ rotation,
        norm,
    )


def _diagonalise(hessian: np.ndarray, complete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (S, V, V) where ``complete`` is one and -``hessian`` is diagonal (S, V)."""
    diagonal = np.einsum("svv->sv", complete)
    width = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = complete * width[:, :, None] * width[:, None, :]
    np.einsum("svv->sv", scaled)[:] = 1.0 + RIDGE
    root = width[:, :, None] * np.swapaxes(np.linalg.inv(np.linalg.cholesky(scaled)), 1, 2)
    observed = -np.swapaxes(root, 1, 2) @ hessian @ root
    curvature, rotation = np.linalg.eigh(0.5 * (observed + np.swapaxes(observed, 1, 2)))
    return root @ rotation, curvature


def trust_step(model: LocalModel, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Step in full working coordinates (S, F) no longer than ``radius``, and its expected gain.

    Newton's step where the curvature is that of a maximum, with the sign of the curvature turned
    where it is not; shortened along its direction to the radius.
    """
    size = np.maximum(np.abs(model.curvature), SMALLEST_CURVATURE)
    step = model.score / size
    length = np.sqrt((step**2).sum(axis=1))
    step *= np.minimum(1.0, radius / np.maximum(length, 1e-300))[:, None]
    gain = (model.score * step - 0.5 * model.curvature * step**2).sum(axis=1)
    return np.einsum("sfv,sv->sf", model.to_working, step), gain


def move(spec: MixtureSpec, params: MixtureParams, step: np.ndarray) -> MixtureParams:
    """Parameters after a step in working coordinates, inside the restrictions."""
    layout = spec.layout
    vector = layout.pack(params)
    nuisance = layout.nuisance
    multiplicative = _selects(spec.restriction, nuisance)
    if not multiplicative:
        fall = -np.min(step[:, nuisance], axis=1, initial=0.0)
        step = step * np.minimum(1.0, 0.9 / np.maximum(fall, 1e-300))[:, None]
    moved = vector + step * working_scale(spec, params)
    if multiplicative:
        moved[:, nuisance] = vector[:, nuisance] * np.exp(np.clip(step[:, nuisance], -3.0, 3.0))
    return layout.unpack(moved)


def _selects(restriction: LinearMap | None, rows: slice) -> bool:
    """Whether the restriction on these rows only makes some of them equal or leaves them free."""
    if restriction is None:
        return True
    basis = restriction.basis[rows]
    single = (np.abs(basis - 1.0) < 1e-12).sum(axis=1) == 1
    return bool(
        (single & ((np.abs(basis) > 1e-12).sum(axis=1) == 1)).all()
        and not restriction.origin[rows].any()
    )
