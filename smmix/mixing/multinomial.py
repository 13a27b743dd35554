"""Concomitant variables: P(component | z) by multinomial logit, component 0 the base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.core.grams import MAX_COLUMNS_FOR_PRODUCTS, column_products, weighted_grams
from smmix.core.linalg import solve_gram
from smmix.core.statistics import PriorStats
from smmix.mixing.base import Prior
from smmix.mixing.constant import softmax


@dataclass(frozen=True)
class MultinomialMixing:
    """Multinomial logit of the components on the concomitant variables [1]_.

    The M-step is one Newton step of the expected complete-data log-likelihood, or, when such a
    step has lowered the likelihood, one step with Boehning's lower bound of the Hessian, which
    cannot [2]_.

    References
    ----------
    .. [1] Dayton, C. M. and Macready, G. B. (1988). Concomitant-variable latent-class models.
       Journal of the American Statistical Association 83, 173-178.
    .. [2] Boehning, D. (1992). Multinomial logistic regression algorithm. Annals of the
       Institute of Statistical Mathematics 44, 197-200.
    """

    name = "multinomial"

    def prior(self, gamma: np.ndarray, z: np.ndarray | None) -> Prior:
        size, others, q = gamma.shape
        if z is None:
            return softmax(gamma)
        return softmax((gamma.reshape(-1, q) @ z.T).reshape(size, others, z.shape[0]))

    def accumulate(
        self,
        prior: Prior,
        z: np.ndarray | None,
        posterior: np.ndarray,
        weight: np.ndarray | None,
    ) -> PriorStats:
        design = _design(z, posterior)
        probability = prior.probability[:, 1:]
        expected = probability if weight is None else probability * weight
        difference = posterior[:, 1:] - expected
        score = difference @ design
        products = _products(design)
        if weight is None:
            gram = (design.T @ design)[None]
        else:
            gram = weighted_grams(weight.reshape(-1, design.shape[0]), design, products)
        others = probability.shape[1]
        centring = 0.5 * (np.eye(others) - 1.0 / (others + 1))
        bound = np.einsum("kl,sij->skilj", centring, gram)
        size = gram.shape[0]
        return PriorStats(
            posterior.sum(axis=2),
            score,
            _information(probability, expected, design, products),
            bound.reshape(size, others * design.shape[1], others * design.shape[1]),
        )

    def update(self, gamma: np.ndarray, stats: PriorStats, cautious: np.ndarray) -> np.ndarray:
        size = gamma.shape[0]
        if gamma.shape[1] == 0:
            return gamma
        assert stats.score is not None, "accumulate() fills all fields"
        assert stats.information is not None
        assert stats.bound is not None
        information = np.where(cautious[:, None, None], stats.bound, stats.information)
        step, _ = solve_gram(information, stats.score.reshape(size, -1))
        return gamma + step.reshape(gamma.shape)

    def score(self, gamma: np.ndarray, stats: PriorStats) -> np.ndarray:
        assert stats.score is not None, "accumulate() fills all fields"
        return stats.score

    def information(
        self, prior: Prior, z: np.ndarray | None, weight: np.ndarray | None, n_units: int
    ) -> np.ndarray:
        design = np.ones((n_units, 1)) if z is None else z
        share = prior.probability[:, 1:]
        share = np.broadcast_to(share, (*share.shape[:2], n_units))
        expected = share if weight is None else share * weight
        return _information(share, expected, design, _products(design))


def _design(z: np.ndarray | None, posterior: np.ndarray) -> np.ndarray:
    return np.ones((posterior.shape[2], 1)) if z is None else z


def _products(design: np.ndarray) -> np.ndarray | None:
    return column_products(design) if design.shape[1] <= MAX_COLUMNS_FOR_PRODUCTS else None


def _information(
    prior: np.ndarray, expected: np.ndarray, design: np.ndarray, products: np.ndarray | None
) -> np.ndarray:
    """sum_u w pi_k (delta_kl - pi_l) z z', (S, (K-1) q, (K-1) q)."""
    size, others, n_units = prior.shape
    q = design.shape[1]
    pairs = [(k, other) for k in range(others) for other in range(k + 1)]
    weights = np.empty((size, len(pairs), n_units))
    for position, (k, other) in enumerate(pairs):
        np.multiply(expected[:, k], prior[:, other], out=weights[:, position])
        if k == other:
            np.subtract(expected[:, k], weights[:, position], out=weights[:, position])
    grams = weighted_grams(weights, design, products)
    out = np.empty((size, others, q, others, q))
    for position, (k, other) in enumerate(pairs):
        gram = grams[:, position] if k == other else -grams[:, position]
        out[:, k, :, other] = out[:, other, :, k] = gram
    return out.reshape(size, others * q, others * q)
