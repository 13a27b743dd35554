"""The mixture: E-step, M-step and posterior of one block, for a batch of parameter sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from smmix.core.blocks import Block
from smmix.core.components import Components, Evaluated, RowComponents
from smmix.core.family import Family
from smmix.core.group_components import GroupComponents
from smmix.core.mixing import Mixing, Prior
from smmix.core.outcome_components import OutcomeComponents
from smmix.core.outcome_families import OutcomeFamilies
from smmix.core.params import LinearMap, MixtureParams, ParamLayout
from smmix.core.random_effects import RandomEffects
from smmix.core.scale import (
    is_bounded,
    penalty,
    penalty_value,
    predictor_power,
    references,
    spread,
)
from smmix.core.statistics import EStats


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
    shared : frozenset of str
        Nuisance parameters that all components share.
    start : ndarray, (1 or K, d), or None
        Nuisance parameters of one regression of all rows, where runs begin; None stands for ones.
    gram : ndarray, (p, p), or None
        Mean of xx' over rows: in its place, that of each component's own, steps of EM are rough.
    least_rows : float
        Rows below which a component is no estimate, whatever its coefficients need: those of as
        many groups as it has random effects and one besides.
    rounding : float
        Standard deviation of the errors that rounding the response has made.
    """

    family: Family
    mixing: Mixing
    layout: ParamLayout
    restriction: LinearMap | None = None
    coef_basis: np.ndarray | None = None
    shared: frozenset[str] = frozenset()
    start: np.ndarray | None = None
    least_rows: float = 0.0
    rounding: float = 0.0
    gram: np.ndarray | None = None

    @cached_property
    def components(self) -> Components:
        """What the engine knows of the components."""
        if isinstance(self.family, OutcomeFamilies):
            by_outcome = self.family.reference_by_outcome(self.references)
            return OutcomeComponents(self.family, self.shared, self.coef_basis, by_outcome)
        rows = RowComponents(self.family, self.shared, self.coef_basis, self.reference, self.gram)
        return rows if self.random is None else GroupComponents(rows, self.random)

    @cached_property
    def random(self) -> RandomEffects | None:
        """Random effects of the groups, whose covariances follow sigma; None without any."""
        found: RandomEffects | None = getattr(self.family, "random", None)
        return found

    @cached_property
    def reference(self) -> Any:
        """Spread of one regression of all rows."""
        return 1.0 if self.start is None else spread(self.family, self.start[None])

    @cached_property
    def references(self) -> list[Any]:
        """The same of each outcome that has a spread; of one response alone where it has one."""
        return references(self.family, self.start)

    @cached_property
    def bounded(self) -> bool:
        """Whether the likelihood has an upper bound."""
        return is_bounded(self.family, self.shared)

    @cached_property
    def predictor_power(self) -> np.ndarray | None:
        """Power (K,) of its spread in which each component's linear predictor is measured."""
        return predictor_power(self.family, self.layout.k)

    def penalty_value(self, params: MixtureParams, strength: float) -> np.ndarray:
        """Penalty on small scales, (S,)."""
        strength = 0.0 if self.bounded else strength
        return np.asarray(penalty_value(self.family, params.nuisance, strength, self.references))

    def penalty(
        self, params: MixtureParams, strength: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Penalty on small scales (S,), and its derivatives (S, K, d) in working coordinates."""
        strength = 0.0 if self.bounded else strength
        return penalty(self.family, params.nuisance, strength, self.references)

    def base(self, size: int) -> MixtureParams:
        """Parameters of no effect, (size, ..): all coefficients and logits zero."""
        layout = self.layout
        nuisance = np.ones((size, layout.k, layout.d))
        if self.start is not None:
            nuisance[:] = self.start
        return MixtureParams(
            np.zeros((size, layout.k, layout.p)),
            nuisance,
            np.zeros((size, layout.k - 1, layout.q)),
        )

    def posterior(
        self, params: MixtureParams, block: Block
    ) -> tuple[np.ndarray, np.ndarray, Prior, Evaluated]:
        """Posterior (S, K, u), log-likelihood of the units (S, 1, u), prior, what is behind it."""
        evaluated = self.components.evaluate(params, block)
        joint = evaluated.log_density
        prior = self.mixing.prior(params.mixing, block.z)
        joint[:, 1:] += prior.logits
        if block.membership is not None:
            joint += block.membership.T
        log_likelihood = normalise(joint)
        log_likelihood -= prior.log_total
        return joint, log_likelihood, prior, evaluated

    def e_step(self, params: MixtureParams, block: Block) -> EStats:
        """Log-likelihood at ``params`` and the statistics of the next M-step."""
        posterior, log_likelihood, prior, evaluated = self.posterior(params, block)
        if block.weight is None:
            loglike = log_likelihood.sum(axis=2)[:, 0]
        else:
            loglike = (log_likelihood * block.weight).sum(axis=2)[:, 0]
            posterior *= block.weight
        return EStats(
            loglike,
            self.components.statistics(params, block, evaluated, posterior),
            self.mixing.accumulate(prior, block.z, posterior, block.weight),
        )

    def m_step(
        self,
        params: MixtureParams,
        stats: EStats,
        penalty: float = 0.0,
        cautious: np.ndarray | None = None,
    ) -> MixtureParams:
        """Parameters that raise the (penalised) expected complete-data log-likelihood.

        Where ``cautious`` (S,) holds the mixing model makes a step that cannot lower it.
        """
        coef, nuisance = self.components.update(params, stats.component, penalty)
        if cautious is None:
            cautious = np.zeros(params.size, dtype=bool)
        mixing = self.mixing.update(params.mixing, stats.prior, cautious)
        return MixtureParams(coef, nuisance, mixing)

    def score(self, params: MixtureParams, stats: EStats) -> np.ndarray:
        """Score (S, F) of the full parameter vector, from the statistics of an E-step."""
        coef, nuisance = self.components.score(params, stats.component)
        mixing = self.mixing.score(params.mixing, stats.prior)
        return self.layout.pack(MixtureParams(coef, nuisance, mixing))

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


def given_posterior(
    spec: MixtureSpec, params: MixtureParams, block: Block, posterior: np.ndarray
) -> EStats:
    """Statistics of a block under posteriors (S, K, u) that were chosen, not computed."""
    if block.weight is not None:
        posterior = posterior * block.weight
    posterior = np.ascontiguousarray(posterior)
    evaluated = spec.components.evaluate(params, block)
    component = spec.components.statistics(params, block, evaluated, posterior)
    prior = spec.mixing.prior(params.mixing, block.z)
    stats = spec.mixing.accumulate(prior, block.z, posterior, block.weight)
    return EStats(np.zeros(params.size), component, stats)


def project(spec: MixtureSpec, params: MixtureParams) -> MixtureParams:
    """Nearest parameters that satisfy the restrictions."""
    if spec.restriction is None:
        return params
    layout: ParamLayout = spec.layout
    full = layout.pack(params)
    restricted = layout.unpack(spec.restriction.full(spec.restriction.free(full)))
    nuisance = restricted.nuisance
    for i, parameter in enumerate(spec.family.nuisance):
        inside = parameter.transform.allows(nuisance[..., i])
        nuisance[..., i] = np.where(inside, nuisance[..., i], params.nuisance[..., i])
    return restricted
