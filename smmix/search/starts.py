"""Starting values: labels of the units, of kinds that each win on some data.

A mixture's likelihood has many modes, and random starts miss the highest one often. Cuts of the
response, of the pooled residual, of its size, of the regressors and of residual times regressor
find lines that differ in level, spread or slope; elemental fits find any lines at all; sharp lines
find a line that hides in a cloud; splits extend the best fit with one component fewer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from smmix.core.blocks import Block
from smmix.core.grams import weighted_grams
from smmix.core.linalg import solve_gram
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec, given_posterior
from smmix.core.outcome_families import OutcomeFamilies
from smmix.core.params import MixtureParams
from smmix.core.source import Source
from smmix.search.moves import extension_starts
from smmix.search.pilot import Pilot, draw_rows, random_lines, varying_columns
from smmix.search.single import linear_target

#: Lines drawn at each stage of a sharp start, and the rows they are judged on.
SHARP_LINES, SHARP_ROWS = 50, 64


def cut(values: np.ndarray, k: int) -> np.ndarray:
    """Labels (S, u): ``k`` groups of equal size by rank of values (S, u)."""
    rank = np.argsort(np.argsort(values, axis=-1, kind="stable"), axis=-1, kind="stable")
    return rank * k // values.shape[-1]


def cut_starts(pilot: Pilot, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Cuts at quantiles of what a component may differ in, at most ``n_starts`` of them."""
    residual = pilot.residual
    x = pilot.source.x
    columns = varying_columns(x)
    columns = rng.permutation(columns)[: max((n_starts - 3) // 2, 0)]
    centred = x[:, columns] - np.median(x[:, columns], axis=0)
    crossed = residual[:, None] * centred
    values = [residual, pilot.response, np.abs(residual), *crossed.T, *centred.T]
    return cut(pilot.to_units(np.array(values[:n_starts])), k)


def elemental_starts(pilot: Pilot, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Each unit to the nearest of ``k`` lines through as many random rows as coefficients."""
    x, y = pilot.source.x, pilot.residual
    rows = draw_rows(y.size, (n_starts, k, x.shape[1]), rng)
    coef = random_lines(x, y, rows)
    distance = (y - coef @ x.T) ** 2
    return pilot.to_units(distance).argmin(axis=1)


def sharp_starts(pilot: Pilot, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """One sharp line after another, its units taken out each time.

    Of many lines through random rows the sharpest is taken: the one with the smallest quantile of
    absolute residuals, at a share of the rows that is drawn for each start.
    """
    x, y = pilot.source.x, pilot.residual
    p = x.shape[1]
    label = np.full((n_starts, pilot.source.n_units), k - 1)
    n_judged = min(SHARP_ROWS, y.size)
    for c in range(k - 1):
        share = rng.uniform(0.15, 0.60, size=n_starts)
        key = rng.random((n_starts, y.size)) + (pilot.to_rows(label) < k - 1)
        judged = np.argpartition(key, n_judged - 1, axis=1)[:, :n_judged]
        drawn = rng.integers(n_judged, size=(n_starts, SHARP_LINES * p))
        rows = np.take_along_axis(judged, drawn, axis=1).reshape(n_starts, SHARP_LINES, p)
        lines = random_lines(x, y, rows)
        distance = np.abs(y[judged][:, None] - lines @ np.swapaxes(x[judged], 1, 2))
        distance.sort(axis=2)
        rank = np.minimum((share * n_judged).astype(int), n_judged - 1)
        best = distance[np.arange(n_starts), :, rank].argmin(axis=1)
        near = pilot.to_units(np.abs(y - lines[np.arange(n_starts), best] @ x.T))
        near[label < k - 1] = np.inf
        left = (label == k - 1).sum(axis=1)
        n_taken = np.maximum((share * left).astype(int), p + 1)
        level = np.take_along_axis(
            np.sort(near, axis=1), n_taken[:, None].clip(max=near.shape[1] - 1), 1
        )
        label[near < level] = c
    return label


def random_starts(pilot: Pilot, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Units to components at random."""
    return rng.integers(k, size=(n_starts, pilot.source.n_units))


def default_starts(
    pilot: Pilot,
    k: int,
    n_starts: int,
    fewer: tuple[np.ndarray, np.ndarray] | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Starting labels of all kinds together.

    Parameters
    ----------
    pilot : Pilot
    k, n_starts : int
    fewer : tuple of ndarray, optional
        Posteriors (K - 1, u) and coefficients (K - 1, p) of a fit with one component fewer.
    rng : Generator

    Returns
    -------
    ndarray of int, (n_starts, u)
    """
    n_cuts = min(1 + 2 * pilot.source.x.shape[1], max(3, n_starts // 3), n_starts)
    parts = [cut_starts(pilot, k, n_cuts, rng)]
    left = n_starts - len(parts[0])
    if fewer is not None:
        n_extensions = left // 3
        parts.append(extension_starts(pilot, *fewer, n_extensions, rng))
        left -= n_extensions
    return np.concatenate([*parts, fresh_starts(pilot, k, left, rng)])


def fresh_starts(pilot: Pilot, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Starts (n_starts, u) that are drawn: sharp lines, lines through any rows, random labels."""
    n_random = min(max(n_starts // 10, 1), n_starts)
    n_sharp = (n_starts - n_random) // 2
    return np.concatenate(
        [
            sharp_starts(pilot, k, n_sharp, rng),
            random_starts(pilot, k, n_random, rng),
            elemental_starts(pilot, k, n_starts - n_random - n_sharp, rng),
        ]
    )


def agree_with_known(labels: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Labels (S, u) renumbered to agree best with known memberships, and corrected to them.

    ``membership`` (u, K) is the log of the indicator of the components a unit may belong to.
    """
    allowed = np.isfinite(membership)
    n_components = membership.shape[1]
    out = np.empty_like(labels)
    for s, label in enumerate(labels):
        agree = np.stack([allowed[label == c].sum(axis=0) for c in range(n_components)])
        _, renamed = linear_sum_assignment(-agree)
        out[s] = renamed[label]
    wrong = ~np.take_along_axis(allowed[None], out[..., None], axis=2)[..., 0]
    return np.where(wrong, allowed.argmax(axis=1), out)


def params_from_labels(
    spec: MixtureSpec, source: MemorySource, labels: np.ndarray, penalty: float
) -> MixtureParams:
    """M-step from labels (S, u)."""
    posterior = (labels[:, None, :] == np.arange(spec.layout.k)[:, None]).astype(float)
    return params_from_posterior(spec, source, posterior, penalty)


def params_from_posterior(
    spec: MixtureSpec, source: Source, posterior: np.ndarray, penalty: float
) -> MixtureParams:
    """M-step from posteriors (S, K, u) of the units of a source, (S, K, 1) when all have the same.

    Where the family is no location-scale one, a step from coefficients of zero would go far
    astray, and random effects would take what is the coefficients': least squares of the response
    on the scale of the linear predictor comes first.
    """
    size, k = posterior.shape[0], spec.layout.k
    base = spec.base(size)

    def part(block: Block) -> np.ndarray:
        if posterior.shape[2] == 1:
            return np.broadcast_to(posterior, (size, k, block.n_units))
        return posterior[..., block.start : block.start + block.n_units]

    if not spec.family.location_scale or spec.random is not None:
        base = base._replace(coef=_least_squares(spec, source, part, size * k))
    stats = source.reduce(lambda b: given_posterior(spec, base, b, part(b)), size * k)
    made = spec.m_step(base, stats, penalty, np.ones(size, dtype=bool))
    if spec.family.location_scale:
        return made
    if isinstance(spec.family, OutcomeFamilies):
        for own in spec.family.parts:
            if own.family.location_scale:
                base.nuisance[..., own.slots] = made.nuisance[..., own.slots]
    return base._replace(mixing=made.mixing)


class _NormalEquations(NamedTuple):
    gram: np.ndarray  # (S, K, p, p)
    target: np.ndarray  # (S, K, p)


def _least_squares(
    spec: MixtureSpec, source: Source, part: Callable[[Block], np.ndarray], width: int
) -> np.ndarray:
    """Coefficients (S, K, p) of the linear target under posteriors of the units."""

    def step(block: Block) -> _NormalEquations:
        posterior = part(block)
        if block.weight is not None:
            posterior = posterior * block.weight
        rows = np.ascontiguousarray(block.to_rows(posterior))
        target = (rows * linear_target(spec, block)) @ block.x
        return _NormalEquations(weighted_grams(rows, block.x, block.products), target)

    sums = source.reduce(step, width)
    return solve_gram(sums.gram, sums.target)[0]
