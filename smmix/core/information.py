"""Score, Hessian and cross products of scores of the observed-data log-likelihood.

Louis (1982) [1]_: with S_c the complete-data score of component c, C_c its complete-data Hessian
and tau_c the posterior of a unit, the unit's score is sum_c tau_c S_c and its Hessian
sum_c tau_c (S_c S_c' + C_c) - s s'.

References
----------
.. [1] Louis, T. A. (1982). Finding the observed information matrix when using the EM algorithm.
   Journal of the Royal Statistical Society B 44, 226-233.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from smmix.core.blocks import Block
from smmix.core.derivatives import Parts
from smmix.core.grams import weighted_grams
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.core.statistics import InfoStats


def information(
    spec: MixtureSpec, params: MixtureParams, block: Block, *, cross_products: bool = True
) -> InfoStats:
    """Derivatives of a block's log-likelihood at a batch of parameter sets.

    Parameters
    ----------
    spec : MixtureSpec
    params : MixtureParams
    block : Block
    cross_products : bool
        Whether to form the sum of w^2 s s', which Newton's method does not need.

    Returns
    -------
    InfoStats
        In the full natural parameter vector; ``opg`` is None without ``cross_products``.
    """
    terms = _Terms(spec, params, block)
    hessian, complete, sizes = terms.second_derivatives()
    opg = None
    if cross_products:
        scores = terms.scores()
        scores = scores if block.weight is None else scores * block.weight
        score, opg = scores.sum(axis=2), scores @ np.swapaxes(scores, 1, 2)
    else:
        score = terms.score()
    loglike = terms.log_likelihood
    if block.weight is not None:
        loglike = loglike * block.weight
    return InfoStats(
        loglike.sum(axis=2)[:, 0],
        score,
        hessian,
        opg,
        complete,
        sizes,
    )


def unit_design(block: Block) -> np.ndarray:
    """Design of the mixing model, (u, q); an intercept when there is no covariate."""
    return np.ones((block.n_units, 1)) if block.z is None else block.z


def unit_scores(spec: MixtureSpec, params: MixtureParams, block: Block) -> np.ndarray:
    """Scores of the units, case weights included, (S, F, u)."""
    terms = _Terms(spec, params, block)
    scores = terms.scores()
    return scores if block.weight is None else scores * block.weight


class _Terms:
    """One block at one batch of parameters: the terms that score and Hessian share."""

    def __init__(self, spec: MixtureSpec, params: MixtureParams, block: Block):
        self.spec, self.params, self.block = spec, params, block
        posterior, self.log_likelihood, self.prior, evaluated = spec.posterior(params, block)
        self.posterior = posterior
        self.weighted_posterior = posterior if block.weight is None else posterior * block.weight
        self.derivatives = spec.components.derivatives(params, block, evaluated)
        self.z = unit_design(block)
        self.expected = self._expected_scores()

    def _expected_scores(self) -> np.ndarray:
        """Scores of the units with tau z, not (tau - pi) z, in the logits' part, (S, F, u)."""
        layout, tau = self.spec.layout, self.posterior
        size, k, n_units = tau.shape
        out = np.empty((size, layout.size, n_units))
        coef = out[:, layout.coef].reshape(size, k, layout.p, n_units)
        nuisance = out[:, layout.nuisance].reshape(size, k, layout.d, n_units)
        logits = out[:, layout.mixing].reshape(size, k - 1, layout.q, n_units)
        self.derivatives.fill_scores(tau, coef, nuisance)
        np.multiply(tau[:, 1:, None], self.z.T, out=logits)
        return out

    @cached_property
    def weighted(self) -> np.ndarray:
        """The expected scores times the case weights, (S, F, u)."""
        return self.expected if self.block.weight is None else self.expected * self.block.weight

    @cached_property
    def totals(self) -> np.ndarray:
        """Sums of the weighted expected scores, (S, F)."""
        return np.asarray(self.weighted.sum(axis=2))

    def scores(self) -> np.ndarray:
        """Scores of the units without case weights, (S, F, u)."""
        layout = self.spec.layout
        size, k, n_units = self.posterior.shape
        out = self.expected.copy()
        logits = out[:, layout.mixing].reshape(size, k - 1, layout.q, n_units)
        logits -= self.prior.probability[:, 1:, None] * self.z.T
        return out

    def score(self) -> np.ndarray:
        """Score of the block, (S, F)."""
        layout, weight = self.spec.layout, self.block.weight
        total = self.totals.copy()
        prior = self.prior.probability[:, 1:]
        if prior.shape[2] == 1:
            sums = self.z.sum(axis=0) if weight is None else weight @ self.z
            expected = prior * sums
        else:
            expected = (prior if weight is None else prior * weight) @ self.z
        total[:, layout.mixing] -= expected.reshape(total.shape[0], -1)
        return total

    def second_derivatives(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hessian and expected complete-data information, (S, F, F) each, and sizes (S, K)."""
        layout, block = self.spec.layout, self.block
        hessian = self.weighted @ np.swapaxes(self.expected, 1, 2)
        np.negative(hessian, out=hessian)
        complete = np.zeros_like(hessian)
        parts = Parts(layout, hessian)
        sizes = self.derivatives.add_second(self.weighted_posterior, parts, Parts(layout, complete))
        self._add_mixing_terms(parts)
        prior = self.spec.mixing.information(self.prior, block.z, block.weight, block.n_units)
        hessian[:, layout.mixing, layout.mixing] -= prior
        complete[:, layout.mixing, layout.mixing] += prior
        return hessian, complete, sizes

    def _add_mixing_terms(self, hessian: Parts) -> None:
        """Add sum_c tau_c (S_c z' and z z') between a component's regression and its logits."""
        layout = self.spec.layout
        size, k, _ = self.posterior.shape
        if self.block.z is None:
            sums = self.totals[:, :, None]
        else:
            sums = self.weighted[:, : layout.mixing.start] @ self.z
        coef = sums[:, layout.coef].reshape(size, k, layout.p, layout.q)[:, 1:]
        nuisance = sums[:, layout.nuisance].reshape(size, k, layout.d, layout.q)[:, 1:]
        hessian.coef_logits += coef
        hessian.logits_coef += np.swapaxes(coef, 2, 3)
        hessian.nuisance_logits += nuisance
        hessian.logits_nuisance += np.swapaxes(nuisance, 2, 3)
        if self.block.z is None:
            hessian.logits += sums[:, layout.mixing, :, None]
        else:
            hessian.logits += weighted_grams(self.weighted_posterior[:, 1:], self.z, None)
