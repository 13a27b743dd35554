"""Modes of a mixture's likelihood: what each is, which are the same, which are degenerate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from smmix.core.blocks import Block
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.core.scale import relative_spread, shares, spread, widths
from smmix.core.source import Source
from smmix.search import rule
from smmix.search.em import EMStatus
from smmix.search.runs import Runs

#: Units on which runs that have ended are compared with each other.
COMPARED_UNITS = 20000
#: What the rule says of a sound mode.
NOTHING = rule.Clause()
#: Share of a component's squared spread that is the penalty's, beyond which nothing else holds it.
HELD = 0.5
#: Rows of a component that has none.
EMPTY = 0.1


@dataclass
class Mode:
    """A mode of the likelihood, in natural coordinates.

    Attributes
    ----------
    params : MixtureParams
        One parameter set (S = 1).
    loglike : float
        Log-likelihood at ``params``, without any penalty.
    hits : int
        Starts that were followed to this mode.
    min_size : float
        Smallest sum of posteriors of a component, in rows.
    spread_ratio : float
        Smallest spread of a component over the largest; one for families without a scale.
    price : float
        By how much chance may have raised the log-likelihood through sharp components.
    sharpest : Clause
        The component that most of the price is for, in words.
    degenerate : bool
        Whether the rule on sharp components rejects the mode.
    chance : bool
        Whether it does so because another mode is better once prices are paid.
    reason : Clause
        The clause that rejects it, with its figure; empty when none does.
    status : EMStatus
    score_norm : float
        Largest score per observation in scale-free units.
    n_iter : int
    trace : list of (str, float, float)
        Phase, log-likelihood and score of every iteration on the whole data.
    """

    params: MixtureParams
    loglike: float
    hits: int = 1
    min_size: float = np.nan
    spread_ratio: float = 1.0
    price: float = 0.0
    sharpest: rule.Clause = NOTHING
    degenerate: bool = False
    chance: bool = False
    reason: rule.Clause = NOTHING
    status: EMStatus = EMStatus.MAXITER
    score_norm: float = np.nan
    n_iter: int = 0
    trace: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def worth(self) -> float:
        """Log-likelihood less the price."""
        return self.loglike - self.price


@dataclass
class Modes:
    """All distinct modes that a search found, best log-likelihood first.

    Attributes
    ----------
    modes : list of Mode
    selected : int
        Position of the fit: the mode of highest log-likelihood less its price among those that are
        not degenerate, else the highest.
    n_passes : int
        Passes over the whole data.
    n_starts : int
        Short runs made, those of moves from good modes included.
    interrupted : bool
    """

    modes: list[Mode]
    selected: int
    n_passes: int
    n_starts: int = 1
    interrupted: bool = False


def _sizes(spec: MixtureSpec, block: Block, posterior: np.ndarray) -> np.ndarray:
    """Sums (S, K) of weighted posteriors (S, K, u) over rows, those censored left out."""
    rows, full = block.to_rows(posterior), spec.family.uncensored(block.y)
    return np.asarray(rows.sum(axis=2) if full is None else (rows * full).sum(axis=2))


def component_sizes(spec: MixtureSpec, params: MixtureParams, source: Source) -> np.ndarray:
    """Sum of posteriors over rows, those censored left out, (S, K)."""

    def step(block: Block) -> np.ndarray:
        posterior = spec.posterior(params, block)[0]
        if block.weight is not None:
            posterior = posterior * block.weight
        return _sizes(spec, block, posterior)

    return source.reduce(step, params.size * params.k)


def judged(spec: MixtureSpec, params: MixtureParams, sizes: np.ndarray) -> rule.Judged:
    """What the rule on sharp components says of parameter sets, by their sizes in rows (S, K)."""
    width = spread(spec.family, params.nuisance)
    p, least = spec.layout.p, spec.least_rows
    told = rule.judged(width, sizes, p, spec.reference, spec.bounded, least, spec.rounding)
    if spec.bounded or params.k == 1:
        return told
    collapsed = relative_spread(spec.family, params.nuisance) < rule.VANISHING
    return told._replace(collapsed=collapsed | (width < rule.FINER * spec.rounding))


def is_degenerate(
    spec: MixtureSpec, params: MixtureParams, sizes: np.ndarray, penalty: float
) -> np.ndarray:
    """Which parameter sets (S,) a search is not to rest on.

    Those that have a component that makes the likelihood grow without limit, or that only the
    penalty keeps from it: of the m sigma^2 of a component of m rows, its weighted sum of squares,
    2 a s^2 stems from a penalty of strength a. And, where there is a limit, those that leave a
    component without rows: there may be a better use for it.
    """
    found = judged(spec, params, sizes).degenerate
    if spec.bounded:
        return np.asarray((found | (sizes < EMPTY)).any(axis=1))
    found_of = widths(spec.family, params.nuisance), spec.references, shares(spec.family)
    for width, reference, share in zip(*found_of, strict=True):
        found = found | (2.0 * penalty > HELD * share * sizes * (width / reference) ** 2)
    return np.asarray(found.any(axis=1))


def chosen(modes: list[Mode]) -> int:
    """Position of the fit among modes, best first; higher ones are marked as chance lines.

    It is the mode of highest log-likelihood less its price among those that are no more than that,
    and the highest of all where none is.
    """
    for mode in modes:
        if mode.chance:
            mode.degenerate, mode.chance, mode.reason = False, False, NOTHING
    sound = [i for i, mode in enumerate(modes) if not mode.degenerate]
    if not sound:
        return 0
    fit = max(sound, key=lambda i: modes[i].worth)
    for i in sound:
        lead = modes[i].loglike - modes[fit].loglike
        if i < fit:
            modes[i].degenerate = modes[i].chance = True
            words, component = modes[i].sharpest
            modes[i].reason = rule.Clause(
                f"chance line: {words}; its log-likelihood is {lead:.3g} higher, and "
                f"sharpness counts {modes[i].price - modes[fit].price:.3g} against it",
                component,
            )
    return fit


class ModeSums(NamedTuple):
    """Log-likelihood (S,), and sums of posteriors over rows (S, K)."""

    loglike: np.ndarray
    sizes: np.ndarray


def mode_sums(spec: MixtureSpec, params: MixtureParams, source: Source) -> ModeSums:
    """Log-likelihood and sizes of the components in one pass."""

    def step(block: Block) -> ModeSums:
        posterior, units = spec.posterior(params, block)[:2]
        if block.weight is not None:
            posterior, units = posterior * block.weight, units * block.weight
        return ModeSums(units.sum(axis=2)[:, 0], _sizes(spec, block, posterior))

    return source.reduce(step, params.size * params.k)


class Compared(NamedTuple):
    """Log-likelihood of the units (S, u), and sums of posteriors over rows (S, K)."""

    signature: np.ndarray
    sizes: np.ndarray


def compared(spec: MixtureSpec, params: MixtureParams, source: MemorySource) -> Compared:
    """What tells runs apart, and degenerate ones from others, in one pass."""
    signature, sizes = [], []
    for block in source.blocks(params.size * params.k):
        posterior, units = spec.posterior(params, block)[:2]
        if block.weight is not None:
            posterior *= block.weight
        signature.append(units[:, 0])
        sizes.append(_sizes(spec, block, posterior))
    return Compared(np.concatenate(signature, axis=1), np.sum(sizes, axis=0))


def unit_loglike(spec: MixtureSpec, params: MixtureParams, source: Source) -> np.ndarray:
    """Log-likelihood of every unit, (S, u): the same for relabelled parameters."""
    parts = [
        spec.posterior(params, block)[1][:, 0] for block in source.blocks(params.size * params.k)
    ]
    return np.concatenate(parts, axis=1)


def posteriors(spec: MixtureSpec, params: MixtureParams, source: MemorySource) -> np.ndarray:
    """Posteriors of all units, (S, K, u)."""
    blocks = source.blocks(params.size * params.k)
    return np.concatenate([spec.posterior(params, block)[0] for block in blocks], axis=2)


def weighted_sum(signature: np.ndarray, source: MemorySource) -> np.ndarray:
    """Log-likelihoods (S,) from those of the units (S, u)."""
    weighted = signature if source.weight is None else signature * source.weight
    return np.asarray(weighted.sum(axis=1))


def leaders(value: np.ndarray, signature: np.ndarray, tolerance: float) -> np.ndarray:
    """For each run the best run that it coincides with, (S,).

    Parameters
    ----------
    value : ndarray, (S,)
        Objective of the runs.
    signature : ndarray, (S, u)
        Log-likelihood of the units under each.
    tolerance : float
        Largest mean absolute difference between signatures of runs that coincide.
    """
    left = np.argsort(-value, kind="stable")
    leader = np.arange(value.size)
    mean = signature.mean(axis=1)
    while left.size:
        best, left = left[0], left[1:]
        # Means that are farther apart than the tolerance settle it without the units.
        near = left[np.abs(mean[left] - mean[best]) < tolerance]
        if near.size:
            distance = np.abs(signature[near] - signature[best]).mean(axis=1)
            leader[near[distance < tolerance]] = best
            left = left[leader[left] == left]
    return leader


def distinct(
    spec: MixtureSpec, source: MemorySource, runs: Runs, penalty: float, tolerance: float
) -> tuple[Runs, float]:
    """Distinct runs, best penalised log-likelihood first, and that of the best sound one.

    The price of sharp components counts, so that the search goes where the fit will be.
    """
    signature, sizes = compared(spec, runs.params, source)
    degenerate = is_degenerate(spec, runs.params, sizes, penalty)
    value = weighted_sum(signature, source) - judged(spec, runs.params, sizes).total
    value += spec.penalty_value(runs.params, penalty)
    value = np.where(np.isnan(value), -np.inf, value)
    runs, kept = runs.joined(value, leaders(value, signature, tolerance))
    best = np.max(value[kept], where=~degenerate[kept], initial=-np.inf)
    return replace(runs, degenerate=degenerate[kept]), float(best)


def describe(
    spec: MixtureSpec,
    source: Source,
    runs: Runs,
    status: list[EMStatus],
    score_norm: np.ndarray,
    tolerance: float,
) -> list[Mode]:
    """The distinct modes among finished runs, best first, in the coordinates of the runs."""
    leader = np.zeros(1, dtype=int)
    if runs.params.size == 1:
        loglike, sizes = mode_sums(spec, runs.params, source)
    else:
        sample = source.sample(COMPARED_UNITS, np.random.default_rng(0))
        signature, sizes = compared(spec, runs.params, sample)
        loglike = weighted_sum(signature, sample)
        if sample is not source:
            loglike, sizes = mode_sums(spec, runs.params, source)
        leader = leaders(loglike, signature, tolerance)
    told = judged(spec, runs.params, sizes)
    ratio = relative_spread(spec.family, runs.params.nuisance)
    modes = []
    for i in np.flatnonzero(leader == np.arange(leader.size)).tolist():
        why = rule.reason(told, ratio, sizes, i)
        if status[i] is EMStatus.COLLAPSED and not why.words:
            why = rule.Clause("collapsed: a component shrinks without limit")
        modes.append(
            Mode(
                params=runs.params.take(slice(i, i + 1)),
                loglike=float(loglike[i]),
                hits=int(runs.hits[leader == i].sum()),
                min_size=float(sizes[i].min()),
                spread_ratio=float(ratio[i].min()),
                price=float(told.total[i]),
                sharpest=rule.sharpest(told, ratio, sizes, i),
                degenerate=bool(why.words),
                reason=why,
                status=status[i],
                score_norm=float(score_norm[i]),
                n_iter=int(runs.n_iter[i]),
                trace=runs.traces[i],
            )
        )
    # Where the link has no value at a start there is no likelihood, and no mode.
    found = [mode for mode in modes if np.isfinite(mode.loglike)]
    return sorted(found or modes, key=lambda mode: -mode.loglike)
