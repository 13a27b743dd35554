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

import numpy as np

from smmix.core.blocks import Block
from smmix.core.grams import weighted_grams
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.core.statistics import InfoStats
from smmix.families.base import Derivatives


def _transpose(a: np.ndarray) -> np.ndarray:
    return np.swapaxes(a, -1, -2)


def unit_design(block: Block) -> np.ndarray:
    """Design of the mixing model, (u, q); an intercept when there is no covariate."""
    return np.ones((block.n_units, 1)) if block.z is None else block.z


def information(spec: MixtureSpec, params: MixtureParams, block: Block) -> InfoStats:
    """Derivatives of a block's log-likelihood at a batch of parameter sets."""
    return _Pass(spec, params, block).statistics()


def unit_scores(spec: MixtureSpec, params: MixtureParams, block: Block) -> np.ndarray:
    """Scores of the units, case weights included, (S, F, u)."""
    run = _Pass(spec, params, block)
    scores = run.scores()
    return scores if block.weight is None else scores * block.weight


class _Pass:
    """One block at one batch of parameters: the terms that score and Hessian share."""

    def __init__(self, spec: MixtureSpec, params: MixtureParams, block: Block):
        self.spec, self.params, self.block = spec, params, block
        self.posterior, self.log_likelihood, self.log_prior, _ = spec.posterior(params, block)
        size, k, p = params.coef.shape
        eta = (params.coef.reshape(size * k, p) @ block.x.T).reshape(size, k, -1)
        if block.offset is not None:
            eta += block.offset
        self.derivatives: Derivatives = spec.family.derivatives(block.y, eta, params.nuisance)
        self.z = unit_design(block)
        self.component_scores = self._component_scores()

    def _component_scores(self) -> list[np.ndarray]:
        """Complete-data score of each component's regression, K arrays (S, p + d, u)."""
        columns = self.block.x.T
        out = []
        for c in range(self.params.k):
            first = [d[:, c] for d in self.derivatives.first]
            rows = np.concatenate(
                [first[0][:, None, :] * columns, *(f[:, None, :] for f in first[1:])], axis=1
            )
            if self.block.group is not None and self.block.repeat is not None:
                rows *= self.block.repeat
            out.append(self.block.to_units(rows))
        return out

    def _expected_scores(self) -> np.ndarray:
        """sum_c tau_c S_c with tau_c z in place of the logits' part, (S, F, u)."""
        layout, size = self.spec.layout, self.params.size
        out = np.empty((size, layout.size, self.block.n_units))
        for c, rows in enumerate(self.component_scores):
            index = layout.component(c)
            out[:, index[: layout.p + layout.d]] = rows * self.posterior[:, c, None]
        logits = self.posterior[:, 1:, None] * self.z.T
        out[:, layout.mixing] = logits.reshape(size, -1, self.block.n_units)
        return out

    def scores(self) -> np.ndarray:
        """Scores of the units without case weights, (S, F, u)."""
        scores = self._expected_scores()
        prior = np.exp(self.log_prior[:, 1:, None]) * self.z.T
        prior = np.broadcast_to(prior, (self.params.size, *prior.shape[1:]))
        scores[:, self.spec.layout.mixing] -= prior.reshape(self.params.size, -1, prior.shape[-1])
        return scores

    def statistics(self) -> InfoStats:
        block, layout, weight = self.block, self.spec.layout, self.block.weight
        expected = self._expected_scores()
        scores = self.scores()
        weighted = expected if weight is None else expected * weight
        weighted_scores = scores if weight is None else scores * weight
        posterior = self.posterior if weight is None else self.posterior * weight
        hessian = -(weighted @ _transpose(expected))
        complete = np.zeros_like(hessian)
        self._add_second_moments(hessian, weighted, posterior)
        self._add_curvature(hessian, complete, block.to_rows(posterior))
        prior_information = self.spec.mixing.information(
            self.log_prior, block.z, weight, block.n_units
        )
        hessian[:, layout.mixing, layout.mixing] -= prior_information
        complete[:, layout.mixing, layout.mixing] += prior_information
        loglike = self.log_likelihood if weight is None else self.log_likelihood * weight
        return InfoStats(
            loglike.sum(axis=2)[:, 0],
            weighted_scores.sum(axis=2),
            hessian,
            weighted_scores @ _transpose(weighted_scores),
            complete,
            posterior.sum(axis=2),
        )

    def _add_second_moments(
        self, hessian: np.ndarray, weighted: np.ndarray, posterior: np.ndarray
    ) -> None:
        """Add sum_c tau_c S_c S_c', each over the component's own coordinates."""
        layout = self.spec.layout
        for c, rows in enumerate(self.component_scores):
            index = layout.component(c)
            own = rows
            if c > 0:
                z = np.broadcast_to(self.z.T, (rows.shape[0], *self.z.T.shape))
                own = np.concatenate([rows, z], axis=1)
            hessian[:, index[:, None], index] += (own * posterior[:, c, None]) @ _transpose(own)

    def _add_curvature(
        self, hessian: np.ndarray, complete: np.ndarray, row_posterior: np.ndarray
    ) -> None:
        """Add sum_c tau_c C_c of the regressions, and their expected information."""
        layout, block = self.spec.layout, self.block
        p, d = layout.p, layout.d
        second = self.derivatives.second
        tau = row_posterior
        grams = weighted_grams(
            np.stack([tau * second[0][0], tau * self.derivatives.information]),
            block.x,
            block.products,
        )
        tau_counts = tau.sum(axis=2)
        expected = self.spec.family.nuisance_information(tau_counts, self.params.nuisance)
        expected = expected / self.params.nuisance**2
        for c in range(self.params.k):
            index = layout.component(c)
            coef, nuisance = index[:p], index[p : p + d]
            hessian[:, coef[:, None], coef] += grams[0][:, c]
            complete[:, coef[:, None], coef] += grams[1][:, c]
            for i in range(d):
                cross = (tau[:, c] * second[i + 1][0][:, c]) @ block.x
                hessian[:, coef, nuisance[i]] += cross
                hessian[:, nuisance[i], coef] += cross
                complete[:, nuisance[i], nuisance[i]] += expected[:, c, i]
                for j in range(i + 1):
                    value = (tau[:, c] * second[i + 1][j + 1][:, c]).sum(axis=1)
                    hessian[:, nuisance[i], nuisance[j]] += value
                    if j < i:
                        hessian[:, nuisance[j], nuisance[i]] += value
