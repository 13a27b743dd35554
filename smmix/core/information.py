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
from smmix.core.grams import weighted_grams
from smmix.core.linalg import diagonals
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams, ParamLayout
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
    hessian, complete = terms.second_derivatives()
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
        terms.sizes,
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
        posterior, self.log_likelihood, self.prior, working = spec.posterior(params, block)
        self.posterior = posterior
        self.weighted_posterior = posterior if block.weight is None else posterior * block.weight
        self.derivatives = spec.family.derivatives(block.y, working, params.nuisance)
        self.z = unit_design(block)
        self.component_scores = self._component_scores()
        self.expected = self._expected_scores()

    def _component_scores(self) -> np.ndarray | None:
        """Complete-data scores of the groups, (S, K, p + d, u); None when rows are units."""
        if self.block.group is None:
            return None
        first = self.derivatives.first
        rows = np.concatenate(
            [first[0][:, :, None] * self.block.x.T, *(d[:, :, None] for d in first[1:])], axis=2
        )
        if self.block.repeat is not None:
            rows *= self.block.repeat
        return self.block.to_units(rows)

    def _expected_scores(self) -> np.ndarray:
        """Scores of the units with tau z, not (tau - pi) z, in the logits' part, (S, F, u)."""
        layout, tau = self.spec.layout, self.posterior
        size, k, n_units = tau.shape
        out = np.empty((size, layout.size, n_units))
        coef = out[:, layout.coef].reshape(size, k, layout.p, n_units)
        nuisance = out[:, layout.nuisance].reshape(size, k, layout.d, n_units)
        logits = out[:, layout.mixing].reshape(size, k - 1, layout.q, n_units)
        if self.component_scores is None:
            first = self.derivatives.first
            np.multiply((tau * first[0])[:, :, None], self.block.x.T, out=coef)
            for i, derivative in enumerate(first[1:]):
                np.multiply(tau, derivative, out=nuisance[:, :, i])
        else:
            scores = self.component_scores * tau[:, :, None]
            coef[:], nuisance[:] = scores[:, :, : layout.p], scores[:, :, layout.p :]
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

    def second_derivatives(self) -> tuple[np.ndarray, np.ndarray]:
        """Hessian and expected complete-data information, (S, F, F) each."""
        layout, block = self.spec.layout, self.block
        hessian = self.weighted @ np.swapaxes(self.expected, 1, 2)
        np.negative(hessian, out=hessian)
        complete = np.zeros_like(hessian)
        parts = Parts(layout, hessian)
        self._add_component_terms(parts, complete)
        if self.component_scores is not None:
            self._add_group_terms(parts, self.component_scores)
        self._add_mixing_terms(parts)
        prior = self.spec.mixing.information(self.prior, block.z, block.weight, block.n_units)
        hessian[:, layout.mixing, layout.mixing] -= prior
        complete[:, layout.mixing, layout.mixing] += prior
        return hessian, complete

    @cached_property
    def row_posterior(self) -> np.ndarray:
        """Posteriors of the rows times their case weights, (S, K, m)."""
        return self.block.to_rows(self.weighted_posterior)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Rows of each component, (S, K)."""
        return np.asarray(self.row_posterior.sum(axis=2))

    def _row_moment(self, i: int, j: int) -> np.ndarray:
        """S_c S_c' + C_c in coordinates i and j of the rows, C_c where rows are no units."""
        second = self.derivatives.second[i][j]
        if self.component_scores is not None:
            return second
        moment = self.derivatives.first[i] * self.derivatives.first[j]
        moment += second
        return moment

    def _add_component_terms(self, hessian: Parts, complete: np.ndarray) -> None:
        """Add sum_c tau_c (S_c S_c' + C_c) over the coordinates of each regression."""
        layout, block, tau = self.spec.layout, self.block, self.row_posterior
        weights = np.empty((2, *tau.shape))
        np.multiply(self._row_moment(0, 0), tau, out=weights[0])
        np.multiply(self.derivatives.information, tau, out=weights[1])
        grams = weighted_grams(weights, block.x, block.products)
        hessian.coef += grams[0]
        coef = (layout.coef.start, layout.p)
        component_blocks(complete, coef, coef, layout.k)[:] += grams[1]
        for i in range(layout.d):
            cross = np.multiply(self._row_moment(i + 1, 0), tau, out=weights[0])
            cross = _rows_times(cross, block.x)
            hessian.coef_nuisance[..., i] += cross
            hessian.nuisance_coef[..., i, :] += cross
            for j in range(i + 1):
                value = np.multiply(self._row_moment(i + 1, j + 1), tau, out=weights[0])
                value = value.sum(axis=2)
                hessian.nuisance[..., i, j] += value
                if j < i:
                    hessian.nuisance[..., j, i] += value
        expected = self.spec.family.nuisance_information(self.sizes, self.params.nuisance)
        expected = (expected / self.params.nuisance**2).reshape(len(complete), -1)
        diagonals(complete)[:, layout.nuisance] += expected

    def _add_group_terms(self, hessian: Parts, scores: np.ndarray) -> None:
        """Add sum_c tau_c S_c S_c' of units that are groups."""
        moments = (scores * self.weighted_posterior[:, :, None]) @ np.swapaxes(scores, 2, 3)
        p = self.spec.layout.p
        hessian.coef += moments[..., :p, :p]
        hessian.coef_nuisance += moments[..., :p, p:]
        hessian.nuisance_coef += moments[..., p:, :p]
        hessian.nuisance += moments[..., p:, p:]

    def _add_mixing_terms(self, hessian: Parts) -> None:
        """Add sum_c tau_c (S_c z' and z z') between a component's regression and its logits."""
        layout = self.spec.layout
        size, k, _ = self.posterior.shape
        if self.block.z is None:
            sums = self.totals[:, :, None]
        else:
            sums = self.weighted[:, : layout.mixing.start] @ self.z
        coef = sums[:, layout.coef].reshape(size, k, layout.p, -1)[:, 1:]
        nuisance = sums[:, layout.nuisance].reshape(size, k, layout.d, -1)[:, 1:]
        hessian.coef_logits += coef
        hessian.logits_coef += np.swapaxes(coef, 2, 3)
        hessian.nuisance_logits += nuisance
        hessian.logits_nuisance += np.swapaxes(nuisance, 2, 3)
        if self.block.z is None:
            hessian.logits += sums[:, layout.mixing, :, None]
        else:
            hessian.logits += weighted_grams(self.weighted_posterior[:, 1:], self.z, None)


class Parts:
    """Writable views of the blocks of a full matrix (S, F, F) that belong to one component each.

    ``coef`` is (S, K, p, p), ``coef_nuisance`` (S, K, p, d), ``nuisance_coef`` (S, K, d, p),
    ``nuisance`` (S, K, d, d), ``logits`` (S, K - 1, q, q), and between a component's regression
    and its logits ``coef_logits`` (S, K - 1, p, q), ``nuisance_logits`` (S, K - 1, d, q) and
    their transposes.
    """

    def __init__(self, layout: ParamLayout, matrix: np.ndarray):
        k, p, d, q = layout.k, layout.p, layout.d, layout.q
        coef, nuisance = (layout.coef.start, p), (layout.nuisance.start, d)
        self.coef = component_blocks(matrix, coef, coef, k)
        self.coef_nuisance = component_blocks(matrix, coef, nuisance, k)
        self.nuisance_coef = component_blocks(matrix, nuisance, coef, k)
        self.nuisance = component_blocks(matrix, nuisance, nuisance, k)
        coef, nuisance, logits = (p, p), (nuisance[0] + d, d), (layout.mixing.start, q)
        self.logits = component_blocks(matrix, logits, logits, k - 1)
        self.coef_logits = component_blocks(matrix, coef, logits, k - 1)
        self.logits_coef = component_blocks(matrix, logits, coef, k - 1)
        self.nuisance_logits = component_blocks(matrix, nuisance, logits, k - 1)
        self.logits_nuisance = component_blocks(matrix, logits, nuisance, k - 1)


def component_blocks(
    matrix: np.ndarray, left: tuple[int, int], right: tuple[int, int], k: int
) -> np.ndarray:
    """Writable view (S, k, height, width) of blocks along a diagonal of ``matrix`` (S, F, F).

    ``left`` and ``right`` are where the first block's rows and columns begin, and how many.
    """
    (row, height), (column, width) = left, right
    batch, down, across = matrix.strides
    if 0 in (k, height, width):
        return np.empty((matrix.shape[0], k, height, width))
    return np.ndarray(
        (matrix.shape[0], k, height, width),
        matrix.dtype,
        matrix,
        row * down + column * across,
        (batch, height * down + width * across, down, across),
    )


def _rows_times(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``rows`` (S, K, m) times ``x`` (m, p), by one matrix product."""
    return (rows.reshape(-1, rows.shape[-1]) @ x).reshape(*rows.shape[:-1], -1)
