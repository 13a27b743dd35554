"""First and second derivatives of components whose units are rows, or groups of rows."""

from __future__ import annotations

import numpy as np

from smmix.core.blocks import Block
from smmix.core.family import Derivatives
from smmix.core.grams import weighted_grams
from smmix.core.params import ParamLayout

__all__ = ["Parts", "RowDerivatives", "component_blocks"]


class RowDerivatives:
    """Derivatives of one block from those of its rows.

    Where rows are units nothing of size (S, K, p + d, m) is formed.
    """

    def __init__(self, block: Block, terms: Derivatives):
        self.block, self.terms = block, terms
        self.group_scores = None if block.group is None else self._group_scores()

    def _group_scores(self) -> np.ndarray:
        """Scores of the groups, (S, K, p + d, u)."""
        first = self.terms.first
        rows = np.concatenate(
            [first[0][:, :, None] * self.block.x.T, *(d[:, :, None] for d in first[1:])], axis=2
        )
        if self.block.repeat is not None:
            rows *= self.block.repeat
        return self.block.to_units(rows)

    def fill_scores(self, tau: np.ndarray, coef: np.ndarray, nuisance: np.ndarray) -> None:
        """Write tau times the scores into (S, K, p, u) and (S, K, d, u)."""
        if self.group_scores is None:
            first = self.terms.first
            np.multiply((tau * first[0])[:, :, None], self.block.x.T, out=coef)
            for i, derivative in enumerate(first[1:]):
                np.multiply(tau, derivative, out=nuisance[:, :, i])
        else:
            p = coef.shape[2]
            np.multiply(self.group_scores[:, :, :p], tau[:, :, None], out=coef)
            np.multiply(self.group_scores[:, :, p:], tau[:, :, None], out=nuisance)

    def add_second(self, tau: np.ndarray, hessian: Parts, complete: Parts) -> np.ndarray:
        """Add sums of tau (S S' + C) and of the complete-data information; sizes (S, K) in rows."""
        rows, block = self.block.to_rows(tau), self.block
        sizes = np.asarray(rows.sum(axis=2))
        weights = np.empty((2, *rows.shape))
        np.multiply(self._moment(0, 0), rows, out=weights[0])
        np.multiply(self.terms.information, rows, out=weights[1])
        grams = weighted_grams(weights, block.x, block.products)
        hessian.coef += grams[0]
        complete.coef += grams[1]
        for i, information in enumerate(self.terms.nuisance_information):
            cross = np.multiply(self._moment(i + 1, 0), rows, out=weights[0])
            cross = (cross.reshape(-1, cross.shape[-1]) @ block.x).reshape(*cross.shape[:-1], -1)
            hessian.coef_nuisance[..., i] += cross
            hessian.nuisance_coef[..., i, :] += cross
            for j, expected in enumerate(information):
                value = _weighted_sum(self._moment(i + 1, j + 1), rows, sizes)
                _add_symmetric(hessian.nuisance, i, j, value)
                _add_symmetric(complete.nuisance, i, j, _weighted_sum(expected, rows, sizes))
        if self.group_scores is not None:
            self._add_groups(tau, hessian, self.group_scores)
        return sizes

    def _moment(self, i: int, j: int) -> np.ndarray:
        """S S' + C in coordinates i and j of the rows, C alone where rows are no units."""
        second = self.terms.second[i][j]
        if self.group_scores is not None:
            return second
        moment = self.terms.first[i] * self.terms.first[j]
        moment += second
        return moment

    def _add_groups(self, tau: np.ndarray, hessian: Parts, scores: np.ndarray) -> None:
        """Add sums of tau S S' of units that are groups."""
        moments = (scores * tau[:, :, None]) @ np.swapaxes(scores, 2, 3)
        p = self.block.x.shape[1]
        hessian.coef += moments[..., :p, :p]
        hessian.coef_nuisance += moments[..., :p, p:]
        hessian.nuisance_coef += moments[..., p:, :p]
        hessian.nuisance += moments[..., p:, p:]


def _weighted_sum(values: np.ndarray, rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Sums (S, K) of values that broadcast to (S, K, m) under weights ``rows``."""
    if np.ndim(values) == 0 or values.shape[-1] == 1:
        return sizes * (values if np.ndim(values) == 0 else values[..., 0])
    return np.asarray(np.vecdot(np.broadcast_to(values, rows.shape), rows))


def _add_symmetric(matrix: np.ndarray, i: int, j: int, value: np.ndarray) -> None:
    matrix[..., i, j] += value
    if i != j:
        matrix[..., j, i] += value


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
