"""Searches for k components that start from the fit with k - 1, so as not to end below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec, project
from smmix.core.params import MixtureParams, concatenate
from smmix.core.scale import predictor_unit, spread
from smmix.core.source import Source
from smmix.fit.estimable import check_estimable
from smmix.fit.options import FitOptions
from smmix.fit.run import one_blas_thread
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.search.coordinates import PooledFit, Setting, totals, working_setting
from smmix.search.em import Ascent, EMControl, EMStatus, Objective, expectation_maximisation, newton
from smmix.search.modes import Mode, Modes, chosen, component_sizes, judged
from smmix.search.search import SearchControl, climb, find_modes
from smmix.search.starts import Pilot, agree_with_known, default_starts

__all__ = [
    "Fewer", "best_sound", "fresh_starts", "left_to_sample", "moved_apart", "search_also",
    "search_from_fewer", "seeded_modes", "sound_worth", "twins",
]  # fmt: skip

#: With more rows and components than this the search of fit() is left to a sample ..
FEW_ROWS, FEW_COMPONENTS = 2000, 3
#: .. of so many rows, or so many for each parameter.
PILOT_ROWS, ROWS_PER_PARAMETER = 1000, 20
#: Iterations and score that end the search on the sample, and how many of its modes go on.
PILOT_ITERATIONS, PILOT_SCORE, FROM_PILOT = 0, 1e-4, 2
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


def search_also(
    modes: Modes,
    specification: Specification,
    observed: Observed,
    options: FitOptions,
    report: Callable[[str, int, int, float], None] | None,
) -> Modes:
    """``modes`` with those that fit() finds under the same options."""
    with one_blas_thread():
        source, control = _threaded(observed, options), options.control(report)
        own = find_modes(specification.spec, source, control, options.rng, pooled=observed.pooled)
    return merged([modes, own])


def _threaded(observed: Observed, options: FitOptions) -> Source:
    source = observed.source
    if options.threads is not None:
        source = replace(source, threads=options.threads)
    return cast("Source", source)


def left_to_sample(k: int, source: Source) -> bool:
    """Whether starts of all kinds are made on a sample, for k components with a fit of k - 1."""
    return k > FEW_COMPONENTS and source.n_rows > FEW_ROWS


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
    climb from there, so that no fit ends below it. On few rows this comes after the search of
    fit(). On many, starts of all kinds are brought near their modes on a sample only; the best of
    these runs and of the twins are followed to their ends on all rows.

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
    search = partial(find_modes, spec, source, control, rng, pooled=pooled)
    follow = partial(climb, spec, source, control=control, pooled=pooled)
    if fewer is None:
        return search()
    setting = working_setting(spec, source, pooled)
    # Before anything else is drawn: the very search of fit() with the same seed.
    whole = not left_to_sample(spec.layout.k, source)
    parts = [search()] if whole else []
    if parts and parts[0].interrupted:
        return parts[0]
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
    if not whole:
        runs.append(setting.coordinates.to_working(_from_pilot(spec, source, control, rng, fewer)))
    if spec.layout.k > 2:
        parts += _followed(setting, concatenate(runs), follow)
    if max(map(best_sound, parts), default=-np.inf) < fewer.loglike:
        parts.append(follow(setting.coordinates.from_working(concatenate(doubled))))
    return merged(parts)


def best_sound(modes: Modes) -> float:
    """Largest log-likelihood of the modes that are not degenerate."""
    return max((mode.loglike for mode in modes.modes if not mode.degenerate), default=-np.inf)


def _from_pilot(
    spec: MixtureSpec,
    source: Source,
    control: SearchControl,
    rng: np.random.Generator,
    fewer: Fewer,
) -> MixtureParams:
    """The best modes of a sample, from starts of all kinds, in natural coordinates."""
    n_rows = max(PILOT_ROWS, ROWS_PER_PARAMETER * spec.layout.size)
    pilot = source.sample(max(int(n_rows * source.n_units / source.n_rows), 50), rng)
    posterior = np.concatenate(
        [fewer.spec.posterior(fewer.params, b)[0][0] for b in pilot.blocks(fewer.params.k)], axis=1
    )
    coordinates = working_setting(fewer.spec, pilot).coordinates
    known = posterior, coordinates.to_working(fewer.params).coef[0]
    starts = fresh_starts(spec, pilot, control.n_starts, rng, known)
    rough = replace(control, maxiter=PILOT_ITERATIONS, gtol=PILOT_SCORE, progress=None)
    modes = find_modes(spec, pilot, rough, rng, starts).modes
    sound = [mode for mode in modes if not mode.degenerate] or modes
    return concatenate([mode.params for mode in sound[:FROM_PILOT]])


def fresh_starts(
    spec: MixtureSpec,
    source: MemorySource,
    n_starts: int,
    rng: np.random.Generator,
    known: tuple[np.ndarray, np.ndarray] | None = None,
    pooled: PooledFit | None = None,
) -> np.ndarray:
    """Posteriors (S, K, u) to start from, of all kinds together.

    Parameters
    ----------
    spec : MixtureSpec
    source : MemorySource
    n_starts : int
    rng : Generator
    known : tuple of ndarray, optional
        Posteriors (K - 1, u) and coefficients (K - 1, p), in working coordinates, of a fit with
        one component fewer.
    pooled : PooledFit, optional
        One regression of all rows, when it is known already.
    """
    rows = cast("MemorySource", working_setting(spec, source, pooled).objective.source)
    response = source.y if source.offset is None else source.y - source.offset
    labels = default_starts(
        Pilot.of(spec, rows, np.ravel(response)), spec.layout.k, n_starts, known, rng
    )
    if source.membership is not None:
        labels = agree_with_known(labels, source.membership)
    posterior: np.ndarray = labels[:, None, :] == np.arange(spec.layout.k)[:, None]
    return posterior.astype(float)


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
    unit = predictor_unit(spec.family, coef.shape[1])[c]
    step *= spread(spec.family, nuisance)[:, c, None] ** unit
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
    short = EMControl(RANKING_ITERATIONS, RANKING_SCORE, 1.0 / n_rows, polish=False)
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
