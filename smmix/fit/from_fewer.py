"""Searches for k components that start from the fit with k - 1, so as not to end below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from smmix.core.mixture import MixtureSpec, project
from smmix.core.params import MixtureParams, concatenate
from smmix.core.scale import predictor_scale
from smmix.core.source import Source
from smmix.fit.estimable import check_estimable
from smmix.fit.options import FitOptions
from smmix.fit.run import one_blas_thread
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.search.coordinates import PooledFit, Setting, totals, working_setting
from smmix.search.em import Ascent, EMControl, EMStatus, Objective, expectation_maximisation, newton
from smmix.search.modes import Mode, Modes, chosen, component_sizes, judged
from smmix.search.policy import PENALTY
from smmix.search.search import SearchControl, climb, find_modes

__all__ = [
    "Fewer", "best_sound", "moved_apart", "search_from_fewer", "seeded_modes", "sound_worth",
    "twins",
]  # fmt: skip

#: How far the lines of twins are moved apart, in sigmas per standard deviation of a column.
APART = 0.3
#: EM passes before runs are judged; how many are followed at a time, unless so far behind.
SHORT_PASSES, FOLLOWED, HOPELESS = 8, 4, 50.0
#: Newton iterations, and the score that ends them, when runs are only to be ranked.
RANKING_ITERATIONS, RANKING_SCORE = 6, 1e-4
#: Runs whose log-likelihoods differ by less than this are the same.
SAME_RUN = 1e-3
#: Relative differences of log-likelihoods, and of sizes, under modes that are the same.
SAME_LOGLIKE, SAME_SIZE = 1e-8, 1e-4


class Fewer(NamedTuple):
    """A fit with one component fewer: its mixture, estimates and log-likelihood."""

    spec: MixtureSpec
    params: MixtureParams
    loglike: float


def search_from_fewer(
    specification: Specification,
    observed: Observed,
    fewer: Fewer | None,
    options: FitOptions,
    report: Callable[[str, int, int, float], None] | None,
) -> Modes:
    """Modes of a model under the options of fit(), from ``fewer`` as well when it is given."""
    check_estimable(specification, observed)
    with one_blas_thread():
        source, control = _threaded(observed, options), options.control(report)
        return seeded_modes(
            specification.spec, source, control, options.rng, fewer, observed.pooled
        )


def _threaded(observed: Observed, options: FitOptions) -> Source:
    source = observed.source
    if options.threads is not None:
        source = replace(source, threads=options.threads)
    return cast("Source", source)


def seeded_modes(
    spec: MixtureSpec,
    source: Source,
    control: SearchControl,
    rng: np.random.Generator,
    fewer: Fewer | None,
    pooled: PooledFit | None = None,
) -> Modes:
    """Modes of a mixture, from starts of all kinds and from the fit with one component fewer.

    A fit with k - 1 components is one with k of which two, twins, are the same: moved apart they
    climb from there, after the search of fit(), so that no fit ends below it.

    Parameters
    ----------
    spec : MixtureSpec
    source : Source
    control : SearchControl
    rng : Generator
    fewer : Fewer, optional
        By default the search is that of fit().
    pooled : PooledFit, optional
        One regression of all rows, when it is known already.

    Returns
    -------
    Modes
    """
    # Before anything else is drawn: the very search of fit() with the same seed.
    parts = [find_modes(spec, source, control, rng, pooled=pooled)]
    if fewer is None or parts[0].interrupted:
        return parts[0]
    follow = partial(climb, spec, source, control=control, pooled=pooled)
    setting = working_setting(spec, source, pooled)
    doubled = [setting.coordinates.to_working(d) for d in twins(fewer.params, source)]
    runs = [
        moved_apart(
            setting.objective.spec,
            setting.objective.x_scale,
            pair,
            c,
            rng.standard_normal((1, spec.layout.p + 1)),
        )
        for c, pair in enumerate(doubled)
    ]
    if spec.layout.k > 2:
        parts += _followed(setting, concatenate(runs), follow)
    if max(map(best_sound, parts), default=-np.inf) < fewer.loglike:
        parts.append(follow(setting.coordinates.from_working(concatenate(doubled))))
    return merged(parts)


def best_sound(modes: Modes) -> float:
    """Largest log-likelihood of the modes that are not degenerate."""
    return max((mode.loglike for mode in modes.modes if not mode.degenerate), default=-np.inf)


def twins(params: MixtureParams, source: Source) -> list[MixtureParams]:
    """The same mixtures with one more component: each component in turn as two equal halves.

    Component c and the last are the halves in entry c of the list. Exact when a combination of
    the mixing design's columns is constant, as with an intercept.
    """
    sums = totals(source)
    one = np.linalg.lstsq(sums.z_gram, sums.z_sums, rcond=None)[0]
    logits = np.concatenate([np.zeros((params.size, 1, one.size)), params.mixing], axis=1)
    out = []
    for c in range(params.k):
        order = np.r_[np.arange(params.k), c]
        halved = logits[:, order]
        halved[:, [c, -1]] -= np.log(2.0) * one
        mixing = halved[:, 1:] - halved[:, :1]
        out.append(MixtureParams(params.coef[:, order], params.nuisance[:, order], mixing))
    return out


def moved_apart(
    spec: MixtureSpec, x_scale: np.ndarray, doubled: MixtureParams, c: int, noise: np.ndarray
) -> MixtureParams:
    """Twins (components c and the last, in working coordinates) with unlike lines.

    Parameters
    ----------
    spec : MixtureSpec
    x_scale : ndarray, (p,)
    doubled : MixtureParams
        ``S`` parameter sets, entry c of `twins`.
    c : int
    noise : ndarray, (S, p + 1)
        Standard normal directions: of the coefficients and of the log of the spread.
    """
    coef, nuisance = doubled.coef.copy(), doubled.nuisance.copy()
    step = APART * noise[:, :-1] / x_scale
    unit = predictor_scale(spec.family, nuisance, spec.predictor_power)
    if unit is not None:
        step *= unit[:, c]
    if spec.family.scale is not None:
        place, power = (np.ravel(part)[0] for part in spec.family.scale)
        ratio = np.exp(APART * noise[:, -1] / power)
        nuisance[:, c, place] *= ratio
        nuisance[:, -1, place] /= ratio
    coef[:, c] += step
    coef[:, -1] -= step
    return project(spec, MixtureParams(coef, nuisance, doubled.mixing))


def _followed(
    setting: Setting, begun: MixtureParams, to_the_end: Callable[[MixtureParams], Modes]
) -> list[Modes]:
    """The best of some runs, after a few passes, followed to its mode.

    The next best are followed as well until one ends in a mode that is not degenerate.
    """
    coordinates, objective, n_rows = setting
    short = EMControl(RANKING_ITERATIONS, RANKING_SCORE, PENALTY / n_rows, polish=False)
    ascent = expectation_maximisation(objective, begun, short, SHORT_PASSES)
    left, value = ascent.params, sound_worth(objective, ascent)
    found: list[Modes] = []
    while not found and (value > -np.inf).any():
        order = np.argsort(-value, kind="stable")
        order = order[value[order] > value.max() - HOPELESS][:FOLLOWED]
        ascent = newton(objective, left.take(order), short)
        ranked = sound_worth(objective, ascent)
        value[order] = -np.inf
        while not found and (ranked > -np.inf).any():
            i = int(ranked.argmax())
            run = coordinates.from_working(ascent.params.take(slice(i, i + 1)))
            modes = to_the_end(run)
            modes.modes[0].hits = int((ranked > ranked[i] - SAME_RUN).sum())
            ranked[i] = -np.inf
            found += [modes] if np.isfinite(best_sound(modes)) else []
    return found


def sound_worth(objective: Objective, ascent: Ascent) -> np.ndarray:
    """Log-likelihoods less prices (S,); minus infinity for runs that are degenerate."""
    sizes = component_sizes(objective.spec, ascent.params, objective.source)
    told = judged(objective.spec, ascent.params, sizes)
    bad = told.degenerate.any(axis=1)
    bad |= np.array([status is EMStatus.COLLAPSED for status in ascent.status])
    return np.where(bad | ~np.isfinite(ascent.loglike), -np.inf, ascent.loglike - told.total)


def merged(parts: list[Modes]) -> Modes:
    """The distinct modes of several searches, best first."""
    modes: list[Mode] = []
    every = [mode for part in parts for mode in part.modes]
    for mode in sorted(every, key=lambda m: -m.loglike):
        same = next((kept for kept in modes if _same(kept, mode)), None)
        if same is None:
            modes.append(mode)
        else:
            same.hits += mode.hits
    return Modes(
        modes,
        chosen(modes),
        sum(part.n_passes for part in parts),
        sum(part.n_starts for part in parts),
        any(part.interrupted for part in parts),
    )


def _same(one: Mode, other: Mode) -> bool:
    return (
        abs(one.loglike - other.loglike) <= SAME_LOGLIKE * (1.0 + abs(one.loglike))
        and bool(np.isclose(one.min_size, other.min_size, rtol=SAME_SIZE))
        and bool(np.isclose(one.spread_ratio, other.spread_ratio, rtol=SAME_SIZE))
    )
