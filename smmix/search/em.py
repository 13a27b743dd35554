"""The ascent to a mode: EM, then Newton on the analytic Hessian, for a batch of starts at once."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smmix.core.blocks import Block
from smmix.core.information import information
from smmix.core.mixture import MixtureSpec, project
from smmix.core.params import MixtureParams
from smmix.core.scale import relative_spread
from smmix.core.source import Source
from smmix.core.statistics import EStats, InfoStats
from smmix.search.boundary import LONGEST_DRIFT, drift, emptied
from smmix.search.newton import (
    LocalModel,
    along_factors,
    free_units,
    local_model,
    move,
    score_units,
    trust_step,
)


class EMStatus(enum.Enum):
    """How a fit ended; the values are what users read."""

    CONVERGED = "converged"
    BOUNDARY = "at the boundary of the parameter space"
    MAXITER = "stopped at the limit of iterations before the score was small enough"
    STALLED = "stopped where the likelihood could not be raised further in floating point"
    COLLAPSED = "a component lost its spread, where the likelihood has no maximum"
    LEFT_BEHIND = "left before it had converged, far behind a better mode"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class EMControl:
    """What decides when an ascent ends.

    Attributes
    ----------
    maxiter : int
        Most iterations.
    gtol : float
        Largest score per observation, in scale-free units, that counts as zero.
    penalty : float
        Strength a_n of the penalty on small variances.
    polish : bool
        Whether Newton makes one more step from the tolerance, which squares what error is left.
    report : callable, optional
        Called with (passes made, most passes, best log-likelihood) after every pass.
    """

    maxiter: int = 1000
    gtol: float = 1e-8
    penalty: float = 0.0
    polish: bool = True
    report: Callable[[int, int, float], None] | None = None

    def tell(self, done: int, total: int, loglike: np.ndarray) -> None:
        if self.report is not None:
            self.report(done, total, float(loglike.max()))


@dataclass
class Ascent:
    """A batch of parameter sets on their way, with the record of how they got there."""

    params: MixtureParams
    loglike: np.ndarray  # (S,) of ``params``
    score_norm: np.ndarray  # (S,)
    status: list[EMStatus]
    n_iter: np.ndarray  # (S,)
    trace: list[tuple[str, np.ndarray, np.ndarray]] = field(default_factory=list)
    n_passes: int = 0
    interrupted: bool = False


@dataclass(frozen=True)
class Objective:
    """A mixture on a source: what an ascent climbs.

    Attributes
    ----------
    spec : MixtureSpec
    source : Source
    x_scale, z_scale : ndarray
        Standard deviations of the columns of both designs (one for a constant column).
    """

    spec: MixtureSpec
    source: Source
    x_scale: np.ndarray
    z_scale: np.ndarray

    @property
    def nobs(self) -> float:
        return self.source.weight_sum

    def expectations(self, params: MixtureParams) -> EStats:
        """E-step over all blocks."""
        spec = self.spec

        def step(block: Block) -> EStats:
            with np.errstate(all="ignore"):
                return spec.e_step(params, block)

        return self.source.reduce(step, params.size * params.k)

    def information(self, params: MixtureParams) -> InfoStats:
        """Score and Hessian over all blocks."""
        spec = self.spec

        # As a decorator the state could not be sent to other processes.
        def step(block: Block) -> InfoStats:
            with np.errstate(all="ignore"):
                return information(spec, params, block, cross_products=False)

        return self.source.reduce(step, params.size * params.k)

    def members(self, index: np.ndarray) -> Objective:
        """What the members of a batch at ``index`` climb: the same, where all share the data."""
        return self

    def units(self, params: MixtureParams) -> np.ndarray:
        return score_units(self.spec, params, self.x_scale, self.z_scale)

    def quadratic(self, params: MixtureParams, penalty: float) -> tuple[LocalModel, np.ndarray]:
        """Local model, and the log-likelihood without the penalty."""
        info = self.information(params)
        model = local_model(self.spec, params, info, self.units(params), self.nobs, penalty)
        return model, info.loglike

    def score_norm(self, params: MixtureParams, stats: EStats) -> np.ndarray:
        """Largest scale-free score per observation (S,), from the statistics of an E-step."""
        spec = self.spec
        score = spec.score(params, stats)
        along_factors(spec, params, score)
        units = free_units(self.units(params), spec.restriction)
        if spec.restriction is not None:
            score = score @ spec.restriction.basis
        return np.abs(score * units).max(axis=1) / self.nobs


def expectation_maximisation(
    objective: Objective, params: MixtureParams, control: EMControl, n_passes: int | None = None
) -> Ascent:
    """Plain EM from a batch of parameter sets.

    Parameters
    ----------
    objective : Objective
    params : MixtureParams
        Where to begin.
    control : EMControl
    n_passes : int, optional
        Make just so many passes (a short run); by default go on until each member converges.
    """
    limit = control.maxiter + 1 if n_passes is None else n_passes
    passes = _em_passes(objective, params, control)
    trace: list[tuple[str, np.ndarray, np.ndarray]] = []
    status = EMStatus.MAXITER
    try:
        for params, loglike, norm in passes:  # noqa: B007
            trace.append(("em", loglike, norm))
            control.tell(len(trace), limit, loglike)
            if len(trace) == limit or (n_passes is None and (norm <= control.gtol).all()):
                break
    except KeyboardInterrupt:
        if not trace:
            raise
        status = EMStatus.INTERRUPTED
    return Ascent(
        params,
        loglike,
        norm,
        [EMStatus.CONVERGED if ok else status for ok in norm <= control.gtol],
        np.full(params.size, len(trace) - 1),
        trace,
        len(trace),
        status is EMStatus.INTERRUPTED,
    )


def _em_passes(
    objective: Objective, params: MixtureParams, control: EMControl
) -> Iterator[tuple[MixtureParams, np.ndarray, np.ndarray]]:
    """EM without end: parameters, their log-likelihood and score norm, pass by pass.

    A step that has lowered the objective, as those of iterated least squares and of the mixing
    model may, is taken back and halved; each step that has not doubles the share again.
    """
    spec = objective.spec
    last = None
    share = np.ones(params.size)
    while True:
        stats = objective.expectations(params)
        value = stats.loglike + spec.penalty_value(params, control.penalty)
        cautious = np.zeros(params.size, dtype=bool)
        if last is not None:
            # A value that is no number is no rise either.
            cautious = ~(value >= last[0] - 1e-10 * (np.abs(last[0]) + objective.nobs))
            if cautious.any():
                params = params.where(~cautious, last[1])
                stats = _where(~cautious, stats, last[2])
                value = np.where(cautious, last[0], value)
                share = np.where(cautious, 0.5 * share, np.minimum(2.0 * share, 1.0))
            else:
                share = np.minimum(2.0 * share, 1.0)
        last = (value, params, stats)
        yield params, stats.loglike, objective.score_norm(params, stats)
        proposal = spec.m_step(params, stats, control.penalty, cautious)
        params = proposal if share.min() == 1.0 else partway(spec, params, proposal, share)


def partway(
    spec: MixtureSpec, params: MixtureParams, goal: MixtureParams, share: np.ndarray
) -> MixtureParams:
    """Parameters a ``share`` (S,) of the way to a goal; nuisance in their working coordinates."""
    part = share[:, None, None]
    nuisance = np.empty_like(params.nuisance)
    for i, parameter in enumerate(spec.family.nuisance):
        transform = parameter.transform
        start, end = (transform.working(each.nuisance[..., i]) for each in (params, goal))
        moved = transform.natural(start + share[:, None] * (end - start))
        nuisance[..., i] = np.where(share[:, None] == 1.0, goal.nuisance[..., i], moved)
    return MixtureParams(
        params.coef + part * (goal.coef - params.coef),
        nuisance,
        params.mixing + part * (goal.mixing - params.mixing),
    )


def _where(mask: np.ndarray, left: EStats, right: EStats) -> EStats:
    """Statistics of ``left`` where ``mask`` (S,) holds, else of ``right``."""
    return EStats(*(_chosen(mask, a, b) for a, b in zip(left, right, strict=True)))


def _chosen(mask: np.ndarray, left: Any, right: Any) -> Any:
    if left is None:
        return left
    if isinstance(left, tuple):
        return type(left)(*(_chosen(mask, a, b) for a, b in zip(left, right, strict=True)))
    return np.where(mask.reshape(-1, *(1,) * (left.ndim - 1)), left, right)


def newton(
    objective: Objective,
    params: MixtureParams,
    control: EMControl,
    worthwhile: Callable[[MixtureParams, LocalModel, np.ndarray], np.ndarray] | None = None,
) -> Ascent:
    """Trust-region Newton ascent of a batch, each member until its score is zero.

    A step is taken when it raises the objective; else the radius shrinks, towards the direction
    of EM. Steps run inside the restrictions, so the ascent begins there: EM keeps those of
    coefficients and equal sigmas only.

    Parameters
    ----------
    objective : Objective
    params : MixtureParams
        Where to begin.
    control : EMControl
    worthwhile : callable, optional
        Told the parameters, their local model and the numbers of iterations (S,) made, says with
        which members (S,) to go on; by default with all.
    """
    params = project(objective.spec, params)
    model, loglike = objective.quadratic(params, control.penalty)
    state = _NewtonState(objective, control, params, model, loglike)
    trace = [("newton", loglike.copy(), model.score_norm.copy())]
    status = EMStatus.LEFT_BEHIND
    try:
        while (index := state.going(worthwhile)).size:
            trial, gain = state.propose(index)
            model, loglike = objective.members(index).quadratic(trial, control.penalty)
            state.judge(index, trial, model, loglike, gain)
            trace.append(("newton", state.loglike.copy(), state.model.score_norm.copy()))
            control.tell(len(trace), control.maxiter, state.loglike)
    except KeyboardInterrupt:
        status = EMStatus.INTERRUPTED
    norm = state.model.score_norm
    steps = drift(objective.spec, state.model, objective.units(state.params))
    far = np.abs(steps).max(axis=1, initial=0.0) > LONGEST_DRIFT
    # The score of a component without rows is zero wherever its parameters have gone.
    far |= emptied(state.model).any(axis=1)
    for i in range(params.size):
        if state.n_iter[i] >= control.maxiter:
            state.status[i] = EMStatus.MAXITER
        elif not state.finished[i]:
            state.status[i] = status
        if norm[i] <= control.gtol and state.status[i] is not EMStatus.COLLAPSED:
            state.status[i] = EMStatus.BOUNDARY if far[i] else EMStatus.CONVERGED
    return Ascent(
        state.params,
        state.loglike,
        norm,
        state.status,
        state.n_iter,
        trace,
        len(trace),
        status is EMStatus.INTERRUPTED,
    )


class _NewtonState:
    """Where each member of a batch stands, and the verdict on its trial steps."""

    def __init__(
        self,
        objective: Objective,
        control: EMControl,
        params: MixtureParams,
        model: LocalModel,
        loglike: np.ndarray,
    ):
        size = params.size
        self.spec, self.model, self.loglike = objective.spec, model, loglike
        self.control = control
        self.params = MixtureParams(*(np.array(part) for part in params))
        self.unit = float(np.sqrt(objective.nobs))
        self.radius = np.full(size, 0.5 * self.unit)
        self.n_iter = np.zeros(size, dtype=int)
        self.reached = model.score_norm <= control.gtol
        self.finished = (control.maxiter == 0) | (self.reached & (not control.polish))
        self.status = [EMStatus.STALLED] * size

    def going(
        self, worthwhile: Callable[[MixtureParams, LocalModel, np.ndarray], np.ndarray] | None
    ) -> np.ndarray:
        """Positions of the members that make the next step."""
        left = ~self.finished
        if worthwhile is not None:
            left &= worthwhile(self.params, self.model, self.n_iter)
        return np.flatnonzero(left)

    def propose(self, index: np.ndarray) -> tuple[MixtureParams, np.ndarray]:
        model = LocalModel(*(part[index] for part in self.model))
        step, gain = trust_step(model, self.radius[index])
        return move(self.spec, self.params.take(index), step), gain

    def judge(
        self,
        index: np.ndarray,
        trial: MixtureParams,
        model: LocalModel,
        loglike: np.ndarray,
        gain: np.ndarray,
    ) -> None:
        """Accept or refuse the trial steps of the members at ``index``."""
        before, after = self.model.objective[index], model.objective
        noise = 1e-12 * (np.abs(before) + self.unit**2)
        rise = after - before
        finite = np.isfinite(after) & np.isfinite(model.score_norm)
        calmer = model.score_norm <= self.model.score_norm[index]
        good = finite & ((rise > noise) | ((rise >= -noise) & calmer))
        self._accept(index[good], good, trial, model, loglike)
        self.n_iter[index] += 1
        ratio = rise / np.maximum(gain, 1e-300)
        widen = good & ((ratio > 0.75) | (rise <= noise))
        self.radius[index[widen]] = np.minimum(2.0 * self.radius[index[widen]], 4.0 * self.unit)
        narrow = ~good | (good & (ratio < 0.1) & (rise > noise))
        self.radius[index[narrow]] *= np.where(good[narrow], 0.5, 0.25)
        norm, gtol = self.model.score_norm[index], self.control.gtol
        done = (self.radius[index] < 1e-10 * self.unit) | (norm <= 1e-4 * gtol)
        done |= self.n_iter[index] >= self.control.maxiter
        polished = self.reached[index] & ~(good & calmer)
        done |= polished if self.control.polish else norm <= gtol
        self.reached[index] |= norm <= gtol
        self._stop_collapsed()
        self.finished[index[done]] = True

    def _accept(
        self,
        chosen: np.ndarray,
        good: np.ndarray,
        trial: MixtureParams,
        model: LocalModel,
        loglike: np.ndarray,
    ) -> None:
        for mine, theirs in zip(self.params, trial, strict=True):
            mine[chosen] = theirs[good]
        for mine, theirs in zip(self.model, model, strict=True):
            mine[chosen] = theirs[good]
        self.loglike[chosen] = loglike[good]

    def _stop_collapsed(self) -> None:
        """Stop members whose smallest spread has fallen out of all proportion."""
        if self.spec.bounded:
            return
        smallest = relative_spread(self.spec.family, self.params.nuisance).min(axis=1)
        for i in np.flatnonzero((smallest < 1e-5) & ~self.finished):
            self.finished[i] = True
            self.status[i] = EMStatus.COLLAPSED
