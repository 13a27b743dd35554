"""Means of a variable by component, corrected for units that are assigned to a wrong one.

Units are assigned to their likeliest component, W. Who belongs to component s is assigned to t
with probability D_st, which the posteriors tell. Step three sees W and the variable alone and
undoes the mixing by D. Errors are those of the stacked estimating equations of all three steps:
each unit's influence on the parameters of the mixture moves the posteriors, these move D, and D
moves the means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from smmix.core.information import information, unit_scores
from smmix.core.linalg import scaled_inverse
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams, ParamLayout
from smmix.errors import SmmixError
from smmix.families.binomial import Binomial
from smmix.families.gaussian import Gaussian
from smmix.mixing.constant import ConstantMixing
from smmix.mixture.evaluate import posterior_at, score_obs_at
from smmix.mixture.fitted import Fitted
from smmix.search.control import SearchControl
from smmix.search.em import EMStatus
from smmix.search.search import climb

__all__ = ["METHODS", "Assignment", "Means"]

#: Steps of differences, in standard errors of a direction and in the log of a probability.
STEP, LOG_STEP = 1e-4, 1e-5
#: A share starts no closer to its ends than this.
INSIDE = 0.02


class Means(NamedTuple):
    """Means of the components, (k,), and the influence of every unit on them, (u, k)."""

    value: np.ndarray
    influence: np.ndarray


@dataclass(frozen=True, eq=False)
class Assignment:
    """The units of a fit at their likeliest components.

    Attributes
    ----------
    fitted : Fitted
    posterior : ndarray, (u, k)
    weight : ndarray, (u,)
        Case weights.
    """

    fitted: Fitted
    posterior: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, fitted: Fitted) -> Assignment:
        """Of a fit that has its rows and a covariance."""
        fitted.required_covariance()
        posterior = posterior_at(fitted.specification, fitted.data, fitted.params)
        weight = fitted.data.source.weight
        return cls(fitted, posterior, np.ones(len(posterior)) if weight is None else weight)

    @cached_property
    def chosen(self) -> np.ndarray:
        """Indicators (u, k) of the likeliest component."""
        return np.eye(self.fitted.k)[self.posterior.argmax(axis=1)]

    @cached_property
    def sizes(self) -> np.ndarray:
        """Expected size of each component, (k,)."""
        return np.asarray(self.weight @ self.posterior)

    @cached_property
    def errors(self) -> np.ndarray:
        """P(assigned to t | component s), (k, k).

        Raises
        ------
        SmmixError
            If some component is never the likeliest one, so that assignments do not tell it.
        """
        empty = np.flatnonzero(self.weight @ self.chosen == 0.0)
        if empty.size:
            raise SmmixError(
                f"No unit is assigned to component {empty[0]}, so assignments tell nothing of it; "
                "use method='posterior'."
            )
        joint = (self.posterior * self.weight[:, None]).T @ self.chosen
        return joint / self.sizes[:, None]

    @cached_property
    def inner(self) -> tuple[np.ndarray, np.ndarray]:
        """Influence (u, F) on the free parameters, and slopes (u, k, F) of the posteriors."""
        fitted = self.fitted
        assert fitted.directions is not None, "a fit with rows knows its derivatives"
        info, full, visible = fitted.directions
        spread, _ = scaled_inverse(-full.T @ info.hessian @ full)
        where = (fitted.specification, fitted.data)
        slopes = np.empty((*self.posterior.shape, visible.shape[1]))
        for j, size in enumerate(STEP * np.sqrt(np.diag(spread))):
            move = size * visible[:, j]
            above, below = (posterior_at(*where, fitted.params + step) for step in (move, -move))
            slopes[:, :, j] = (above - below) / (2.0 * size)
        return score_obs_at(*where, fitted.params) @ visible @ spread, slopes

    @cached_property
    def influence(self) -> np.ndarray:
        """Influence of every unit on the classification errors, (u, k, k)."""
        parameters, slopes = self.inner
        errors = self.errors
        gaps = self.chosen[:, None, :] - errors
        direct = (self.weight[:, None] * self.posterior)[:, :, None] * gaps
        moved = np.einsum("u,uaf,uab->abf", self.weight, slopes, gaps, optimize=True)
        both = direct + np.einsum("uf,abf->uab", parameters, moved)
        return np.asarray(both / self.sizes[:, None])

    def covariance(self, influence: np.ndarray) -> np.ndarray:
        """Covariance of what units have ``influence`` (u, r) on."""
        data = self.fitted.data
        frequency = None if self.fitted.specification.grouped else data.freq_weights
        # A frequency weight is that many units, not one of more influence.
        once = influence if frequency is None else influence / frequency[:, None]
        return np.asarray(influence.T @ once)


def posterior_means(at: Assignment, z: np.ndarray, known: np.ndarray) -> Means:
    """Means weighted by the posteriors, as if these were memberships."""
    weight = at.weight * known
    share = weight[:, None] * at.posterior
    value = share.T @ z / share.sum(axis=0)
    gaps = z[:, None] - value
    parameters, slopes = at.inner
    moved = np.einsum("uk,ukf->kf", weight[:, None] * gaps, slopes)
    return Means(value, (share * gaps + parameters @ moved.T) / share.sum(axis=0))


def bch_means(at: Assignment, z: np.ndarray, known: np.ndarray) -> Means:
    """Means under the weights W D^-1, of which some are negative."""
    inverse = np.linalg.inv(at.errors)
    share = (at.weight * known)[:, None] * (at.chosen @ inverse)
    sizes = share.sum(axis=0)
    if (sizes <= 0.0).any():
        raise SmmixError(
            f"The corrected weights of component {int(np.argmin(sizes))} sum to nothing, for its "
            "units are hardly told apart; use method='ml', or a fit with fewer components."
        )
    value = share.T @ z / sizes
    gaps = z[:, None] - value
    sums = np.einsum("u,us,ut->st", at.weight * known, gaps, at.chosen) @ inverse
    # d(D^-1) = -D^-1 dD D^-1, column s of which weights the units of component s.
    moved = -np.einsum("sta,bs,uab->us", sums[:, None], inverse, at.influence, optimize=True)
    return Means(value, (share * gaps + moved) / sizes)


def ml_means(at: Assignment, z: np.ndarray, known: np.ndarray) -> Means:
    """Means of a mixture with known errors of assignment: normal, or the share of a 0/1 variable.

    Parameters
    ----------
    at : Assignment
    z : ndarray, (u,)
    known : ndarray of bool, (u,)

    Raises
    ------
    SmmixError
        If its likelihood has no maximum inside.
    """
    k, binary = at.fitted.k, bool(np.isin(z[known], (0.0, 1.0)).all())
    family = Binomial() if binary else Gaussian()
    layout = ParamLayout(k, 1, 0 if binary else 1, 1)
    spec = MixtureSpec(family, ConstantMixing(), layout)
    code, weight = at.chosen[known].argmax(axis=1), at.weight[known]

    def source(errors: np.ndarray) -> MemorySource:
        ones = np.ones((code.size, 1))
        with np.errstate(divide="ignore"):
            told = np.log(errors).T[code]
        return MemorySource(z[known], ones, weight=weight, membership=told)

    rows = source(at.errors)
    found = climb(spec, rows, _start(at, z, known, binary, layout), SearchControl())
    mode = found.modes[0]
    if mode.status is not EMStatus.CONVERGED:
        raise SmmixError(
            "The likelihood of step three has no maximum inside the range of its parameters "
            f"({mode.status.value}); use method='bch'."
        )
    influence = np.zeros((len(z), layout.size))
    influence[known] = _scores(spec, mode.params, rows)
    tiny = np.finfo(float).tiny
    for a, b in np.argwhere(at.errors > tiny):
        slope = _slope(lambda e: _scores(spec, mode.params, source(e)).sum(axis=0), at.errors, a, b)
        influence += at.influence[:, a, b, None] * slope
    hessian = rows.reduce(lambda block: information(spec, mode.params, block).hessian[0])
    spread, _ = scaled_inverse(-hessian)
    value, moved = mode.params.coef[0, :, 0], (influence @ spread)[:, layout.coef]
    if not binary:
        return Means(value, moved)
    share = expit(value)
    return Means(share, moved * share * (1.0 - share))


def _start(
    at: Assignment, z: np.ndarray, known: np.ndarray, binary: bool, layout: ParamLayout
) -> MixtureParams:
    weight = (at.weight * known)[:, None] * at.posterior
    mean, spread = weight.T @ z / weight.sum(axis=0), float(np.std(z[known]))
    first = logit(np.clip(mean, INSIDE, 1.0 - INSIDE)) if binary else mean
    mixing = np.log(at.sizes[1:] / at.sizes[0])
    nuisance = np.full((1, layout.k, layout.d), spread)
    return MixtureParams(first[None, :, None], nuisance, mixing[None, :, None])


def _scores(spec: MixtureSpec, params: MixtureParams, rows: MemorySource) -> np.ndarray:
    """Scores of the units in all parameters of step three, (u, F)."""
    blocks = rows.blocks(spec.layout.k)
    return np.concatenate([unit_scores(spec, params, block)[0].T for block in blocks])


def _slope(
    function: Callable[[np.ndarray], np.ndarray], errors: np.ndarray, a: int, b: int
) -> np.ndarray:
    """Derivative of a function of the classification errors in one of them."""
    factor = np.ones_like(errors)
    factor[a, b] = np.exp(LOG_STEP)
    above, below = function(errors * factor), function(errors / factor)
    return np.asarray((above - below) / (2.0 * LOG_STEP * errors[a, b]))


#: Ways to the means of the components, by name.
METHODS = {"bch": bch_means, "ml": ml_means, "posterior": posterior_means}
