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
import scipy.linalg.lapack

from smmix.core.linalg import diagonals
from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams
from smmix.core.scale import predictor_scale
from smmix.core.statistics import InfoStats
from smmix.core.transforms import IDENTITY, LOGIT

#: Eigenvalues of the scaled observed information below this are taken as this.
SMALLEST_CURVATURE = 1e-9
#: Smallest pivot of the unit-diagonal factor of an information matrix that is solved with.
SMALLEST_PIVOT = 1e-7
#: Added to the complete-data information, scaled to a unit diagonal: it is but a metric.
RIDGE = 1e-8


class LocalModel(NamedTuple):
    """Quadratic model of the objective around a batch of parameter sets."""

    objective: np.ndarray  # (S,) penalised log-likelihood
    step: np.ndarray  # (S, F) Newton's step in working coordinates
    length: np.ndarray  # (S,) of the step, in the metric of the complete-data information
    slope: np.ndarray  # (S,) first derivative of the objective along the step
    bend: np.ndarray  # (S,) minus its second derivative
    score_norm: np.ndarray  # (S,) largest scale-free score per observation
    sizes: np.ndarray  # (S, K) rows of each component


def working_scale(spec: MixtureSpec, params: MixtureParams) -> np.ndarray:
    """D natural / d working parameter, (S, F), for nuisance parameters by their transforms."""
    scale = np.ones((params.size, spec.layout.size))
    scale[:, spec.layout.nuisance] = nuisance_slopes(spec, params).reshape(params.size, -1)
    return scale


def nuisance_slopes(spec: MixtureSpec, params: MixtureParams) -> np.ndarray:
    """D natural / d working nuisance parameters, (S, K, d)."""
    slopes = np.empty_like(params.nuisance)
    for i, parameter in enumerate(spec.family.nuisance):
        slopes[..., i] = parameter.transform.slope(params.nuisance[..., i])
    return slopes


def along_factors(
    spec: MixtureSpec, params: MixtureParams, natural: np.ndarray, *matrices: np.ndarray
) -> None:
    """Turn scores (S, F) and matrices (S, F, F) in covariances into those in their factors.

    In place. At a maximum where a covariance matrix is singular the scores in its entries are not
    zero, those in the entries of its factor are.
    """
    layout = spec.layout
    if spec.random is None:
        return
    for c in range(layout.k):
        start = layout.nuisance.start + c * layout.d + 1
        part = slice(start, start + layout.d - 1)
        jacobian = spec.random.jacobian(params.nuisance[:, c, 1:])
        transposed = np.swapaxes(jacobian, 1, 2)
        natural[:, part] = (transposed @ natural[:, part, None])[..., 0]
        for matrix in matrices:
            matrix[:, :, part] = matrix[:, :, part] @ jacobian
            matrix[:, part] = transposed @ matrix[:, part]


def working_bend(spec: MixtureSpec, params: MixtureParams) -> np.ndarray:
    """Second derivatives of the natural nuisance parameters in the working ones, (S, K d)."""
    bends = np.empty_like(params.nuisance)
    for i, parameter in enumerate(spec.family.nuisance):
        bends[..., i] = parameter.transform.bend(params.nuisance[..., i])
    return bends.reshape(params.size, -1)


def score_units(
    spec: MixtureSpec, params: MixtureParams, x_scale: np.ndarray, z_scale: np.ndarray
) -> np.ndarray:
    """Size (S, F) of a parameter's natural step: sigma over a column's standard deviation, ..."""
    size, others = params.size, spec.layout.k - 1
    coef = np.empty(params.coef.shape)
    coef[:] = 1.0 / x_scale
    scale = predictor_scale(spec.family, params.nuisance, spec.predictor_power)
    if scale is not None:
        coef *= scale
    mixing = np.empty((size, others, spec.layout.q))
    mixing[:] = 1.0 / z_scale
    units = spec.layout.pack(MixtureParams(coef, nuisance_slopes(spec, params), mixing))
    if spec.random is not None:
        spec.layout.unpack(units).nuisance[..., 1:] = params.nuisance[..., :1]
    return units


def free_units(units: np.ndarray, restriction: LinearMap | None) -> np.ndarray:
    """Natural step sizes (S, V) of the free parameters, given those of the full ones."""
    if restriction is None:
        return units
    size = np.abs(restriction.basis)
    ratio = np.where(size > 1e-12, units[:, :, None] / np.maximum(size, 1e-12), np.inf)
    return ratio.min(axis=1)


class Derivatives(NamedTuple):
    """The objective, and its derivatives in the free working coordinates."""

    value: np.ndarray  # (S,)
    natural: np.ndarray  # (S, F) score of the natural parameters, all of them
    score: np.ndarray  # (S, V)
    observed: np.ndarray  # (S, V, V) minus the Hessian
    complete: np.ndarray  # (S, V, V) complete-data information
    tangent: np.ndarray | None  # (S, F, V) from free to full coordinates; None when they are one


def free_derivatives(
    spec: MixtureSpec, params: MixtureParams, info: InfoStats, penalty: float
) -> Derivatives:
    """Derivatives in working coordinates, along the directions that restrictions leave free."""
    scale = working_scale(spec, params)
    value, first, second = spec.penalty(params, penalty)
    value, second = info.loglike + value, second.reshape(params.size, -1)
    score = info.score * scale
    outer = scale[:, :, None] * scale[:, None, :]
    observed = info.hessian * -outer
    complete = info.complete * outer
    part = spec.layout.nuisance
    along_factors(spec, params, score, observed, complete)
    if spec.random is not None:
        _bend_factors(spec, info.score, observed)
    diagonals(observed)[:, part] -= info.score[:, part] * working_bend(spec, params) + second
    diagonals(complete)[:, part] -= np.minimum(second, 0.0)
    score[:, part] += first.reshape(params.size, -1)
    natural = score / scale
    if spec.restriction is None:
        return Derivatives(value, natural, score, observed, complete, None)
    tangent = spec.restriction.basis / scale[:, :, None]
    transposed = np.swapaxes(tangent, 1, 2)
    return Derivatives(
        value,
        natural,
        np.einsum("sfv,sf->sv", tangent, score),
        transposed @ observed @ tangent,
        transposed @ complete @ tangent,
        tangent,
    )


def _bend_factors(spec: MixtureSpec, score: np.ndarray, observed: np.ndarray) -> None:
    """Subtract from ``observed`` (S, F, F) how covariances bend in the entries of their factors."""
    layout, random = spec.layout, spec.random
    assert random is not None
    for c in range(layout.k):
        start = layout.nuisance.start + c * layout.d + 1
        part = slice(start, start + layout.d - 1)
        observed[:, part, part] -= random.bend(score[:, part])


def local_model(
    spec: MixtureSpec,
    params: MixtureParams,
    info: InfoStats,
    units: np.ndarray,
    nobs: float,
    penalty: float,
) -> LocalModel:
    """Newton's step where the observed information is positive definite, else one that ascends."""
    value, natural, score, observed, complete, tangent = free_derivatives(
        spec, params, info, penalty
    )
    if spec.restriction is not None:
        natural = natural @ spec.restriction.basis
    norm = np.abs(natural * free_units(units, spec.restriction)).max(axis=1) / nobs
    flat = (params.size, -1)
    total = observed.reshape(flat).sum(axis=1) + complete.reshape(flat).sum(axis=1)
    lost = ~np.isfinite(total + score.sum(axis=1))
    if lost.any():
        observed[lost] = complete[lost] = np.eye(score.shape[1])
        score[lost] = 0.0
    step = np.empty_like(score)
    good = positive_definite(observed)
    if good.all():
        step = np.linalg.solve(observed, score[..., None])[..., 0]
    else:
        step[good] = np.linalg.solve(observed[good], score[good][..., None])[..., 0]
        root, curvature = diagonalise(observed[~good], complete[~good])
        turned = np.einsum("svw,sv->sw", root, score[~good])
        turned /= np.maximum(np.abs(curvature), SMALLEST_CURVATURE)
        step[~good] = np.einsum("svw,sw->sv", root, turned)
    return LocalModel(
        np.where(lost, -np.inf, value),
        step if tangent is None else np.einsum("sfv,sv->sf", tangent, step),
        np.sqrt(np.maximum(np.vecdot(step, np.matvec(complete, step)), 0.0)),
        np.vecdot(score, step),
        np.vecdot(step, np.matvec(observed, step)),
        norm,
        info.sizes,
    )


def positive_definite(matrices: np.ndarray) -> np.ndarray:
    """Which symmetric matrices (S, V, V) are positive definite to working precision."""
    diagonal = diagonals(matrices)
    good = np.asarray((diagonal > 0.0).all(axis=1))
    width = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = matrices * width[:, :, None] * width[:, None, :]
    for s in np.flatnonzero(good):
        # The transpose is what Fortran takes for the matrix, so that it is factored in place.
        good[s] = scipy.linalg.lapack.dpotrf(scaled[s].T, clean=0, overwrite_a=1)[1] == 0
    return good & (diagonals(scaled).min(axis=1) > SMALLEST_PIVOT)


def diagonalise(observed: np.ndarray, complete: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (S, V, V) where ``complete`` is one and ``observed`` is diagonal (S, V)."""
    diagonal = diagonals(complete)
    width = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = complete * width[:, :, None] * width[:, None, :]
    diagonals(scaled)[:] = 1.0 + RIDGE
    root = width[:, :, None] * np.swapaxes(np.linalg.inv(_metric_factor(scaled)), 1, 2)
    turned = np.swapaxes(root, 1, 2) @ observed @ root
    curvature, rotation = np.linalg.eigh(turned)
    return root @ rotation, curvature


def _metric_factor(scaled: np.ndarray) -> np.ndarray:
    """Cholesky factors of unit-diagonal matrices (S, V, V), lifted where they are indefinite.

    Of the information of logits that separate the data only rounding errors may be left.
    """
    try:
        return np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        lift = np.maximum(2.0 * (RIDGE - np.linalg.eigvalsh(scaled)[:, 0]), 0.0)
        return np.linalg.cholesky(scaled + lift[:, None, None] * np.eye(scaled.shape[1]))


def trust_step(model: LocalModel, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step (S, F), shortened to ``radius`` (S,) where it is longer, and its expected gain."""
    share = np.minimum(1.0, radius / np.maximum(model.length, 1e-300))
    gain = share * model.slope - 0.5 * share**2 * model.bend
    return model.step * share[:, None], gain


def move(spec: MixtureSpec, params: MixtureParams, step: np.ndarray) -> MixtureParams:
    """Parameters after a step in working coordinates, inside the restrictions."""
    layout = spec.layout
    vector = layout.pack(params)
    turned = layout.unpack(step).nuisance
    if _selects(spec.restriction, layout.nuisance):
        moved = layout.unpack(vector + step * working_scale(spec, params))
        for i, parameter in enumerate(spec.family.nuisance):
            value = parameter.transform.moved(params.nuisance[..., i], turned[..., i])
            moved.nuisance[..., i] = value
        return _with_factors(spec, params, moved, turned)
    # Restrictions are linear in the natural parameters, which must stay inside their range.
    room = np.ones(params.size)
    for i, parameter in enumerate(spec.family.nuisance):
        if parameter.transform is not IDENTITY:
            fall = np.abs(turned[..., i]) if parameter.transform is LOGIT else -turned[..., i]
            longest = fall.max(axis=1, initial=0.0)
            room = np.minimum(room, 0.9 / np.maximum(longest, 1e-300))
    step = room[:, None] * step
    moved = layout.unpack(vector + step * working_scale(spec, params))
    return _with_factors(spec, params, moved, layout.unpack(step).nuisance)


def _with_factors(
    spec: MixtureSpec, params: MixtureParams, moved: MixtureParams, step: np.ndarray
) -> MixtureParams:
    """``moved`` with its covariances moved through their factors by the nuisance part of a step."""
    if spec.random is not None:
        values = spec.random.moved(params.nuisance[..., 1:], step[..., 1:])
        moved.nuisance[..., 1:] = values
    return moved


def _selects(restriction: LinearMap | None, rows: slice) -> bool:
    """Whether the restriction on these rows only makes some of them equal or leaves them free."""
    if restriction is None:
        return True
    basis = restriction.basis[rows]
    entries = (np.abs(basis) > 1e-12).sum(axis=1)
    single = (entries == 1) & ((np.abs(basis - 1.0) < 1e-12).sum(axis=1) == 1)
    free = single & (restriction.origin[rows] == 0.0)
    return bool((free | (entries == 0)).all())
