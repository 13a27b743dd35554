"""The delta method: standard errors of what depends on the estimates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from smmix.core.blocks import Block
from smmix.core.information import unit_design
from smmix.support.checks import check_alpha

__all__ = [
    "confidence_quantile",
    "covariance_or_none",
    "delta_se",
    "mean_prior",
]


def covariance_or_none(results: Any) -> np.ndarray | None:
    """Covariance matrix (V, V) that the results stand on, None when there is none."""
    matrix = getattr(results, "cov_params_default", None)
    if matrix is None:
        matrix = results.normalized_cov_params
    return None if matrix is None else np.asarray(matrix, dtype=float)


def delta_se(jacobian: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Standard errors (J,) of functions with ``jacobian`` (J, V); NaN without a covariance."""
    if matrix is None:
        return np.full(jacobian.shape[0], np.nan)
    variance = np.einsum("ij,jk,ik->i", jacobian, matrix, jacobian)
    return np.sqrt(np.maximum(variance, 0.0))


def confidence_quantile(results: Any, alpha: float) -> float:
    """How many standard errors an interval of level 1 - ``alpha`` reaches to each side."""
    check_alpha(alpha)
    if results.use_t:
        df = getattr(results, "df_resid_inference", None) or results.df_resid
        return float(stats.t.isf(alpha / 2.0, df))
    return float(stats.norm.isf(alpha / 2.0))


class _PriorSums(NamedTuple):
    """Sums over units of the case weights, the prior, and its derivatives in the logits."""

    weight: np.ndarray
    prior: np.ndarray
    slopes: np.ndarray


def mean_prior(model: Any, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mixing weights, averaged over the units with their case weights.

    Parameters
    ----------
    model : MixtureOLS
    params : ndarray, (V,)

    Returns
    -------
    mean : ndarray, (k,)
    jacobian : ndarray, (k, V)
    """
    layout, spec = model.layout, model.spec
    k, gamma = layout.k, model.unpack(params).mixing

    def step(block: Block) -> _PriorSums:
        prior = spec.mixing.prior(gamma, block.z).probability[0]
        prior = np.broadcast_to(prior, (k, block.n_units))
        weight = np.ones(block.n_units) if block.weight is None else block.weight
        z = unit_design(block)
        slopes = -np.einsum("cu,du,u,uq->cdq", prior, prior[1:], weight, z)
        slopes[np.arange(1, k), np.arange(k - 1)] += np.einsum("cu,u,uq->cq", prior[1:], weight, z)
        return _PriorSums(np.asarray(weight.sum()), prior @ weight, slopes.reshape(k, -1))

    sums = model.source.reduce(step, k)
    jacobian = np.zeros((k, layout.size))
    jacobian[:, layout.mixing] = sums.slopes / sums.weight
    return sums.prior / sums.weight, jacobian @ model.expand.basis
