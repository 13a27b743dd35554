"""What the engine knows of the K components of a mixture, one level above the family.

Components give the log-density of every unit, the statistics of a block under given weights of the
units, an update from their sums, and derivatives. Where the density of a unit is a product over its
rows, `RowComponents` is all there is; components whose units are no such product are another
implementation of `Components`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from smmix.core.blocks import Block
from smmix.core.derivatives import Parts, RowDerivatives
from smmix.core.family import Family, Penalty, Working
from smmix.core.grams import weighted_grams
from smmix.core.linalg import solve_gram
from smmix.core.params import MixtureParams
from smmix.core.statistics import ComponentStats

__all__ = ["Components", "Evaluated", "RowComponents", "UnitDerivatives"]


class Evaluated(NamedTuple):
    """Log-density of the units of a block, and what the implementation needs again."""

    log_density: np.ndarray  # (S, K, u)
    state: Any


class UnitDerivatives(Protocol):
    """Derivatives of the units' log-densities in a component's coefficients and nuisance."""

    def fill_scores(self, tau: np.ndarray, coef: np.ndarray, nuisance: np.ndarray) -> None:
        """Write tau times the scores into (S, K, p, u) and (S, K, d, u); ``tau`` is (S, K, u)."""

    def add_second(self, tau: np.ndarray, hessian: Parts, complete: Parts) -> np.ndarray:
        """Add sums of tau (S S' + C) and of the complete-data information; sizes (S, K) in rows."""


class Components(Protocol):
    """What the engine must be told of the components; parameters are `MixtureParams`."""

    def evaluate(self, params: MixtureParams, block: Block) -> Evaluated:
        """Log-densities of the units."""

    def statistics(
        self, params: MixtureParams, block: Block, evaluated: Evaluated, weight: np.ndarray
    ) -> ComponentStats:
        """Additive statistics of the next update under weights (S, K, u) of the units."""

    def update(
        self, params: MixtureParams, stats: ComponentStats, strength: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (S, K, p) and nuisance parameters (S, K, d) of the M-step."""

    def score(self, params: MixtureParams, stats: ComponentStats) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the same."""

    def derivatives(
        self, params: MixtureParams, block: Block, evaluated: Evaluated
    ) -> UnitDerivatives:
        """First and second derivatives of the units' log-densities."""


@dataclass(frozen=True)
class RowComponents:
    """Regressions of a family, whose units are rows or groups of independent rows.

    Attributes
    ----------
    family : Family
    shared : frozenset of str
        Nuisance parameters that all components share.
    coef_basis : ndarray, (K p, r), or None
        Basis of the coefficients that homogeneous restrictions on coefficients alone leave free.
    reference : float or ndarray, (1, K)
        Spread of the errors of one regression of all rows, which a penalty refers to.
    gram : ndarray, (p, p), or None
        Mean of xx' over rows, which stands for that of each component's own rows: with many
        columns steps are much the same, and products of columns what a pass spends its time on.
    """

    family: Family
    shared: frozenset[str]
    coef_basis: np.ndarray | None
    reference: Any
    gram: np.ndarray | None = None

    @staticmethod
    def linear_predictor(params: MixtureParams, block: Block) -> np.ndarray:
        """X'b of every row and component plus its offset, (S, K, m)."""
        size, k, p = params.coef.shape
        eta = (params.coef.reshape(size * k, p) @ block.x.T).reshape(size, k, -1)
        if block.offset is not None:
            eta += block.offset
        return eta

    def evaluate(self, params: MixtureParams, block: Block) -> Evaluated:
        eta = self.linear_predictor(params, block)
        working = self.family.evaluate(block.y, block.aux, eta, params.nuisance)
        log_density = working.log_density
        if block.group is not None:
            repeat = block.repeat
            log_density = block.to_units(log_density if repeat is None else log_density * repeat)
        return Evaluated(log_density, working)

    def statistics(
        self, params: MixtureParams, block: Block, evaluated: Evaluated, weight: np.ndarray
    ) -> ComponentStats:
        working: Working = evaluated.state
        rows = block.to_rows(weight)
        size, k, m = rows.shape
        nobs = rows.sum(axis=2)
        sums = self.family.sums(block.y, block.aux, working, params.nuisance)
        extra = np.stack([np.vecdot(rows, part) for part in sums], axis=2) if sums else None
        if working.weight is not None:
            rows = rows * working.weight
        if self.gram is None:
            xwx = weighted_grams(rows, block.x, block.products)
        else:
            xwx = rows.sum(axis=2)[..., None, None] * self.gram
        weighted_residual = rows * working.residual
        return ComponentStats(
            nobs,
            xwx,
            (weighted_residual.reshape(size * k, m) @ block.x).reshape(size, k, -1),
            np.vecdot(weighted_residual, working.residual),
            extra,
        )

    def update(
        self, params: MixtureParams, stats: ComponentStats, strength: float
    ) -> tuple[np.ndarray, np.ndarray]:
        step = self.step(params, stats)
        fitted = np.vecdot(step, stats.xwr)
        deviance = np.maximum(stats.rwr - fitted, 0.0)
        penalty = Penalty(strength, self.reference)
        return params.coef + step, self.family.update_nuisance(
            stats, deviance, params.nuisance, penalty, self.shared
        )

    def step(self, params: MixtureParams, stats: ComponentStats) -> np.ndarray:
        """Increment of the coefficients, (S, K, p)."""
        if self.coef_basis is None:
            return solve_gram(stats.xwx, stats.xwr)[0]
        return self._restricted_step(params, stats, self.coef_basis)

    def _restricted_step(
        self, params: MixtureParams, stats: ComponentStats, coef_basis: np.ndarray
    ) -> np.ndarray:
        """Coefficient increments along ``coef_basis``: least squares stacked over components."""
        size, k, p = params.coef.shape
        precision = self.family.precision(params.nuisance)
        basis = coef_basis.reshape(k, p, -1)
        rhs = np.einsum("kpr,skp,sk->sr", basis, stats.xwr, precision)
        weighted = np.einsum("skpq,kqr,sk->skpr", stats.xwx, basis, precision)
        gram = np.einsum("kpa,skpr->sar", basis, weighted)
        free, _ = solve_gram(gram, rhs)
        return (free @ coef_basis.T).reshape(size, k, p)

    def score(self, params: MixtureParams, stats: ComponentStats) -> tuple[np.ndarray, np.ndarray]:
        precision = self.family.precision(params.nuisance)
        return stats.xwr * precision[..., None], self.family.score(stats, params.nuisance)

    def derivatives(
        self, params: MixtureParams, block: Block, evaluated: Evaluated
    ) -> RowDerivatives:
        terms = self.family.derivatives(block.y, block.aux, evaluated.state, params.nuisance)
        return RowDerivatives(block, terms)
