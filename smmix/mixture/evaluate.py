"""What the rows say at some parameters: scores, information, posteriors, average priors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from smmix.core.blocks import Block
from smmix.core.information import information, unit_design, unit_scores
from smmix.core.params import MixtureParams
from smmix.core.statistics import InfoStats
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification

__all__ = [
    "information_at",
    "mean_prior",
    "mixing_shares",
    "own_blocks",
    "posterior_at",
    "score_obs_at",
]


def information_at(
    specification: Specification, observed: Observed, params: np.ndarray
) -> InfoStats:
    """Score, Hessian and cross products of scores (full vector) at ``params`` (V,)."""
    unpacked, spec = specification.unpack(params), specification.spec
    stats = observed.source.reduce(lambda b: information(spec, unpacked, b), 3 * spec.layout.k)
    return InfoStats(*(None if part is None else part[0] for part in stats))  # type: ignore[arg-type]


def own_blocks(observed: Observed, width: int) -> Iterator[Block]:
    """The rows in blocks, refused when they are not in memory."""
    observed.rows()
    blocks: Iterator[Block] = observed.source.blocks(width)
    return blocks


def score_obs_at(
    specification: Specification, observed: Observed, params: np.ndarray
) -> np.ndarray:
    """Scores of the units in the visible parameters, (u, V)."""
    unpacked, spec = specification.unpack(params), specification.spec
    blocks = own_blocks(observed, 3 * spec.layout.k)
    parts = [unit_scores(spec, unpacked, block)[0] for block in blocks]
    return np.concatenate(parts, axis=1).T @ specification.expand.basis


def posterior_at(
    specification: Specification, observed: Observed, params: np.ndarray
) -> np.ndarray:
    """Posterior probabilities of the components for each unit, (u, k)."""
    unpacked, spec = specification.unpack(params), specification.spec
    blocks = own_blocks(observed, spec.layout.k)
    parts = [spec.posterior(unpacked, block)[0][0] for block in blocks]
    return np.concatenate(parts, axis=1).T


class _PriorSums(NamedTuple):
    """Sums over units of the case weights, the prior, and its derivatives in the logits."""

    weight: np.ndarray
    prior: np.ndarray
    slopes: np.ndarray


def mean_prior(
    specification: Specification, observed: Observed, params: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mixing weights, averaged over the units with their case weights.

    Parameters
    ----------
    specification : Specification
    observed : Observed
    params : ndarray, (V,)

    Returns
    -------
    mean : ndarray, (k,)
    jacobian : ndarray, (k, V)
    """
    layout, spec = specification.layout, specification.spec
    k, gamma = layout.k, specification.unpack(params).mixing

    def step(block: Block) -> _PriorSums:
        prior = spec.mixing.prior(gamma, block.z).probability[0]
        prior = np.broadcast_to(prior, (k, block.n_units))
        weight = np.ones(block.n_units) if block.weight is None else block.weight
        z = unit_design(block)
        slopes = -np.einsum("cu,du,u,uq->cdq", prior, prior[1:], weight, z)
        slopes[np.arange(1, k), np.arange(k - 1)] += np.einsum("cu,u,uq->cq", prior[1:], weight, z)
        return _PriorSums(np.asarray(weight.sum()), prior @ weight, slopes.reshape(k, -1))

    sums = observed.source.reduce(step, k)
    jacobian = np.zeros((k, layout.size))
    jacobian[:, layout.mixing] = sums.slopes / sums.weight
    return sums.prior / sums.weight, jacobian @ specification.expand.basis


def mixing_shares(
    specification: Specification, observed: Observed, params: MixtureParams
) -> np.ndarray:
    """Average prior probability of each component over the units, (k,)."""
    mixing, k = specification.mixing, specification.k

    def step(block: Block) -> np.ndarray:
        prior = mixing.prior(params.mixing, block.z).probability[0]
        prior = np.broadcast_to(prior, (k, block.n_units))
        return prior.sum(axis=1) if block.weight is None else prior @ np.ravel(block.weight)

    if specification.concomitant_names is None:
        return mixing.prior(params.mixing, None).probability[0, :, 0]
    total = observed.source.reduce(step, k)
    return np.asarray(total / total.sum())
