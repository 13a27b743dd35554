"""Concomitant variables: P(component | z) by multinomial logit, component 0 the base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.core.grams import weighted_grams
from smmix.core.linalg import solve_gram
from smmix.core.mixing import Prior
from smmix.core.statistics import PriorStats
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
        design = np.ones((posterior.shape[2], 1)) if z is None else z
        probability = prior.probability[:, 1:]
        expected = probability if weight is None else probability * weight
        return PriorStats(
            posterior.sum(axis=2),
            (posterior[:, 1:] - expected) @ design,
            _pair_grams(probability, expected, weight, design),
        )

    def update(self, gamma: np.ndarray, stats: PriorStats, cautious: np.ndarray) -> np.ndarray:
        size, others, q = gamma.shape
        if others == 0:
            return gamma
        assert stats.grams is not None, "accumulate() fills all fields"
        information = _assembled(stats.grams, others)
        if cautious.any():
            centring = 0.5 * (np.eye(others) - 1.0 / (others + 1))
            bound = np.einsum("kl,sij->skilj", centring, stats.grams[cautious, -1])
            information[cautious] = bound.reshape(-1, others * q, others * q)
        step, _ = solve_gram(information, stats.score.reshape(size, -1))
        return gamma + step.reshape(gamma.shape)

    def score(self, gamma: np.ndarray, stats: PriorStats) -> np.ndarray:
        return stats.score

    def information(
        self, prior: Prior, z: np.ndarray | None, weight: np.ndarray | None, n_units: int
    ) -> np.ndarray:
        design = np.ones((n_units, 1)) if z is None else z
        share = prior.probability[:, 1:]
        share = np.broadcast_to(share, (*share.shape[:2], n_units))
        expected = share if weight is None else share * weight
        return _assembled(_pair_grams(share, expected, weight, design), share.shape[1])


def _pair_grams(
    prior: np.ndarray, expected: np.ndarray, weight: np.ndarray | None, design: np.ndarray
) -> np.ndarray:
    """sum_u w pi_k (delta_kl - pi_l) z z' of the pairs k >= l, then sum_u w z z', (S, ., q, q)."""
    size, others, n_units = prior.shape
    weights = np.empty((size, others * (others + 1) // 2 + 1, n_units))
    weights[:, -1:] = 1.0 if weight is None else weight
    for position, (k, other) in enumerate(_pairs(others)):
        row = np.multiply(expected[:, k], prior[:, other], out=weights[:, position])
        np.subtract(expected[:, k] if k == other else 0.0, row, out=row)
    return weighted_grams(weights, design, None)


def _assembled(grams: np.ndarray, others: int) -> np.ndarray:
    """The information of the logits, (S, (K-1) q, (K-1) q), from its parts."""
    size, _, q, _ = grams.shape
    out = np.empty((size, others, q, others, q))
    for position, (k, other) in enumerate(_pairs(others)):
        out[:, k, :, other] = out[:, other, :, k] = grams[:, position]
    return out.reshape(size, others * q, others * q)


def _pairs(others: int) -> list[tuple[int, int]]:
    return [(k, other) for k in range(others) for other in range(k + 1)]
