"""The mixture: E-step, M-step and posterior of one block, for a batch of parameter sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from smmix.core.blocks import Block
from smmix.core.grams import weighted_grams
from smmix.core.linalg import solve_gram
from smmix.core.params import LinearMap, MixtureParams, ParamLayout
from smmix.core.statistics import ComponentStats, EStats

if TYPE_CHECKING:
    from smmix.core.family import Family, Working
    from smmix.core.mixing import Mixing, Prior


@dataclass(frozen=True)
class MixtureSpec:
    """A finite mixture of regressions: family, mixing model, sizes and restrictions.

    Attributes
    ----------
    family, mixing
        The component distribution and the model of the component probabilities.
    layout : ParamLayout
        Sizes, and the order of the full parameter vector.
    restriction : LinearMap or None
        What linear restrictions leave free; None leaves every parameter free.
    coef_basis : ndarray, (K p, r), or None
        Basis of the coefficients that homogeneous restrictions on coefficients alone leave free.
    shared : set of str
        Nuisance parameters that all components share.
    """

    family: Family
    mixing: Mixing
    layout: ParamLayout
    restriction: LinearMap | None = None
    coef_basis: np.ndarray | None = None
    shared: frozenset[str] = frozenset()

    def log_density(self, params: MixtureParams, block: Block) -> Working:
        """The family's log-density and working regression of every row and component."""
        eta = self.linear_predictor(params, block)
        return self.family.evaluate(block.y, eta, params.nuisance)

    @staticmethod
    def linear_predictor(params: MixtureParams, block: Block) -> np.ndarray:
        """X'b of every row and component plus its offset, (S, K, m)."""
        size, k, p = params.coef.shape
        eta = (params.coef.reshape(size * k, p) @ block.x.T).reshape(size, k, -1)
        if block.offset is not None:
            eta += block.offset
        return eta

    def posterior(
        self, params: MixtureParams, block: Block
    ) -> tuple[np.ndarray, np.ndarray, Prior, Working]:
        """Posterior (S, K, u), log-likelihood of the units (S, 1, u), prior, working terms."""
        working = self.log_density(params, block)
        joint = working.log_density
        if block.group is not None:
            joint = block.to_units(joint if block.repeat is None else joint * block.repeat)
        prior = self.mixing.prior(params.mixing, block.z)
        joint[:, 1:] += prior.logits
        if block.membership is not None:
            joint += block.membership.T
        log_likelihood = normalise(joint)
        log_likelihood -= prior.log_total
        return joint, log_likelihood, prior, working

    def e_step(self, params: MixtureParams, block: Block) -> EStats:
        """Log-likelihood at ``params`` and the statistics of the next M-step."""
        posterior, log_likelihood, prior, working = self.posterior(params, block)
        if block.weight is None:
            loglike = log_likelihood.sum(axis=2)[:, 0]
        else:
            loglike = (log_likelihood * block.weight).sum(axis=2)[:, 0]
            posterior *= block.weight
        component = wls_statistics(block, block.to_rows(posterior), working)
        return EStats(
            loglike, component, self.mixing.accumulate(prior, block.z, posterior, block.weight)
        )

    def m_step(
        self,
        params: MixtureParams,
        stats: EStats,
        penalty: float = 0.0,
        cautious: np.ndarray | None = None,
    ) -> MixtureParams:
        """Parameters that maximise the (penalised) expected complete-data log-likelihood."""
        wls = stats.component
        if self.coef_basis is None:
            step, _ = solve_gram(wls.xwx, wls.xwr)
        else:
            step = self._restricted_step(params, wls)
        fitted = np.einsum("skp,skp->sk", step, wls.xwr)
        deviance = np.maximum(wls.rwr - fitted, 0.0)
        if cautious is None:
            cautious = np.zeros(params.size, dtype=bool)
        return MixtureParams(
            params.coef + step,
            self.family.update_nuisance(wls, deviance, params.nuisance, penalty),
            self.mixing.update(params.mixing, stats.prior, cautious),
        )

    def _restricted_step(self, params: MixtureParams, wls: ComponentStats) -> np.ndarray:
        """Coefficient increments along ``coef_basis``: least squares stacked over components."""
        assert self.coef_basis is not None, "without restrictions the steps are separate"
        size, k, p = params.coef.shape
        precision = self._precision(params)
        basis = self.coef_basis.reshape(k, p, -1)
        rhs = np.einsum("kpr,skp,sk->sr", basis, wls.xwr, precision)
        weighted = np.einsum("skpq,kqr,sk->skpr", wls.xwx, basis, precision)
        gram = np.einsum("kpa,skpr->sar", basis, weighted)
        free, _ = solve_gram(gram, rhs)
        return (free @ self.coef_basis.T).reshape(size, k, p)

    def _precision(self, params: MixtureParams) -> np.ndarray:
        """Relative weight (S, K) of the components' sums of squares."""
        if not self.layout.d:
            return np.ones(params.coef.shape[:2])
        return params.nuisance[:, :, 0] ** -2.0

    def free(self) -> MixtureSpec:
        """The same mixture without restrictions."""
        return replace(self, restriction=None, coef_basis=None)


def normalise(joint: np.ndarray) -> np.ndarray:
    """Turn log joint densities (S, K, u) into posteriors in place; return their log sums."""
    peak = joint.max(axis=1, keepdims=True)
    joint -= peak
    np.exp(joint, out=joint)
    total = joint.sum(axis=1, keepdims=True)
    joint *= 1.0 / total
    np.log(total, out=total)
    total += peak
    return total


def wls_statistics(block: Block, weight: np.ndarray, working: Working) -> ComponentStats:
    """Sums of the working regression under row weights (S, K, m)."""
    size, k, m = weight.shape
    nobs = weight.sum(axis=2)
    if working.weight is not None:
        weight = weight * working.weight
    weighted_residual = weight * working.residual
    return ComponentStats(
        nobs,
        weighted_grams(weight, block.x, block.products),
        (weighted_residual.reshape(size * k, m) @ block.x).reshape(size, k, -1),
        np.vecdot(weighted_residual, working.residual),
    )


def given_posterior(
    spec: MixtureSpec, params: MixtureParams, block: Block, posterior: np.ndarray
) -> EStats:
    """Statistics of a block under posteriors (S, K, u) that were chosen, not computed."""
    if block.weight is not None:
        posterior = posterior * block.weight
    working = spec.log_density(params, block)
    rows = np.ascontiguousarray(block.to_rows(posterior))
    prior = spec.mixing.prior(params.mixing, block.z)
    stats = spec.mixing.accumulate(prior, block.z, posterior, block.weight)
    return EStats(np.zeros(params.size), wls_statistics(block, rows, working), stats)


def project(spec: MixtureSpec, params: MixtureParams) -> MixtureParams:
    """Nearest parameters that satisfy the restrictions."""
    if spec.restriction is None:
        return params
    layout: ParamLayout = spec.layout
    full = layout.pack(params)
    restricted = spec.restriction.full(spec.restriction.free(full))
    nuisance = restricted[:, layout.nuisance]
    restricted[:, layout.nuisance] = np.where(nuisance > 0.0, nuisance, full[:, layout.nuisance])
    return layout.unpack(restricted)
