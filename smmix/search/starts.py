"""Starting values: labels of the units, of kinds that each win on some data.

A mixture's likelihood has many modes, and random starts miss the highest one often. Cuts of the
response, of the pooled residual, of its size, of the regressors and of residual times regressor
find lines that differ in level, spread or slope; elemental fits find any lines at all; sharp lines
find a line that hides in a cloud; splits extend the best fit with one component fewer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from smmix.core.blocks import Block
from smmix.core.grams import weighted_grams
from smmix.core.linalg import solve_gram
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec, given_posterior
from smmix.core.outcome_families import OutcomeFamilies, outcome_rows
from smmix.core.params import MixtureParams
from smmix.core.source import Source
from smmix.search.single import linear_target

#: Ridge, relative to the diagonal, that keeps lines through coinciding rows finite.
NEARLY_SINGULAR = 1e-10
#: Densities that a round of moves evaluates per pass, within these numbers of moves.
MOVES_DENSITIES, MOVES = 150_000, (48, 300)
#: Lines drawn at each stage of a sharp start, and the rows they are judged on.
SHARP_LINES, SHARP_ROWS = 50, 64


@dataclass(frozen=True)
class Pilot:
    """The data that starts are made from.

    Attributes
    ----------
    source : MemorySource
        Rows in working coordinates.
    target : ndarray, (n,)
        The response on the scale of the linear predictor, which lines are laid through.
    residual : ndarray, (n,)
        The target less its pooled fit.
    response : ndarray, (n,)
        The response as observed, in any units.
    units : float or ndarray, (p,)
        What target and residual are measured in, of each column of coefficients: of several
        outcomes each has its own.
    """

    source: MemorySource
    target: np.ndarray
    residual: np.ndarray
    response: np.ndarray
    units: Any = 1.0

    @classmethod
    def of(
        cls, spec: MixtureSpec, source: MemorySource, response: np.ndarray | None = None
    ) -> Pilot:
        """What starts are made from, of rows in working coordinates.

        ``response`` (n,) is the response with its pooled fit added back, where that was taken out.
        """
        target = np.ravel(linear_target(spec, source))
        if spec.family.location_scale:
            return cls(source, target, target, target if response is None else response)
        pooled = solve_gram(source.x.T @ source.x, source.x.T @ target)[0]
        residual, y = target - source.x @ pooled, np.ravel(source.y)
        if not isinstance(spec.family, OutcomeFamilies):
            return cls(source, target, residual, y)
        sizes, units = np.ones(y.size), np.ones(source.n_columns)
        for part in spec.family.parts:
            rows = outcome_rows(source.aux, part.number)
            spread = np.sqrt(np.mean(residual[rows] ** 2)) if rows.size else 0.0
            sizes[rows] = units[list(part.outcome.columns)] = spread if spread > 0.0 else 1.0
        return cls(source, target / sizes, residual / sizes, y / sizes, units)

    def to_units(self, rows: np.ndarray) -> np.ndarray:
        """Mean over each unit of values (.., n) of rows."""
        group = self.source.group
        if group is None:
            return rows
        sizes = np.diff(group, append=self.source.n_rows)
        return np.add.reduceat(rows, group, axis=-1) / sizes

    def to_rows(self, units: np.ndarray) -> np.ndarray:
        """Values (.., u) of units for each of their rows."""
        group = self.source.group
        if group is None:
            return units
        return np.repeat(units, np.diff(group, append=self.source.n_rows), axis=-1)


def varying_columns(x: np.ndarray) -> np.ndarray:
    """Positions of the columns that are not constant."""
    return np.flatnonzero(np.ptp(x, axis=0) > 1e-12 * np.abs(x).max(axis=0, initial=1e-300))


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


def random_lines(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Coefficients (.., p) of the lines through the rows at positions (.., p)."""
    design, response = x[rows], y[rows]
    gram = np.swapaxes(design, -1, -2) @ design
    # Rows may coincide; any line through them will do for a start.
    diagonal = np.einsum("...pp->...p", gram)
    diagonal += NEARLY_SINGULAR * (diagonal + diagonal.mean(axis=-1, keepdims=True))
    target = np.einsum("...rp,...r->...p", design, response)
    return np.linalg.solve(gram, target[..., None])[..., 0]


def draw_rows(n: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Row positions, of ``shape``, with replacement."""
    return rng.integers(n, size=shape)


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


def extension_starts(
    pilot: Pilot,
    posterior: np.ndarray,
    coef: np.ndarray,
    n_starts: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """A fit with one component fewer and a new one: by turns a component cut, or a new line.

    A component is cut by the sign or the size of its residual, by a regressor or by residual times
    regressor. A new line goes through random rows and takes the units that it is nearer to.

    Parameters
    ----------
    pilot : Pilot
    posterior : ndarray, (K - 1, u)
    coef : ndarray, (K - 1, p)
    n_starts : int
    rng : Generator

    Returns
    -------
    ndarray of int, (n_starts, u)
    """
    x, y = pilot.source.x, pilot.target
    new = coef.shape[0]
    label = posterior.argmax(axis=0)
    residual = y - (coef / pilot.units @ x.T)[pilot.to_rows(label), np.arange(y.size)]
    n_lines = n_starts // 2
    lines = random_lines(x, y, draw_rows(y.size, (n_lines, x.shape[1]), rng))
    distance = pilot.to_units((y - lines @ x.T) ** 2)
    by_line = np.where(distance < pilot.to_units(residual**2), new, label)
    by_cut = np.tile(label, (n_starts - n_lines, 1))
    # A component is cut at another share of the same order.
    members = [
        np.flatnonzero(label == c) for c in np.argsort(-posterior.sum(axis=1), kind="stable")
    ]
    columns = varying_columns(x)
    ranked: dict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]] = {}
    for s, out in enumerate(by_cut):
        way = (s // new) % 4 if columns.size else s // new % 2
        column = int(rng.choice(columns)) if way > 1 else -1
        inside = members[s % new]
        if not inside.size:
            continue
        share = 0.5 if s < 4 * new else rng.uniform(0.25, 0.75)
        key = s % new, way, column
        if key not in ranked:
            values = np.abs(residual) if way == 1 else residual
            if way > 1:
                centred = x[:, column] - np.median(x[:, column])
                values = centred * residual if way == 2 else centred
            values = pilot.to_units(values)[inside]
            order = np.argsort(values, kind="stable")
            ranked[key] = inside[order], values[order]
        units, values = ranked[key]
        quantile = values[int(share * (inside.size - 1))]
        out[units[np.searchsorted(values, quantile, side="right") :]] = new
    return np.concatenate([by_cut, by_line])


def number_of_moves(k: int, n_rows: int) -> int:
    """Moves of a round that cost about the same on any number of rows."""
    return int(np.clip(MOVES_DENSITIES // (k * n_rows), *MOVES))


def move_starts(
    pilot: Pilot,
    posterior: np.ndarray,
    coef: np.ndarray,
    n_moves: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Each component of modes dropped in turn and a new one found, from posteriors (S, K, u)."""
    size, k, _ = posterior.shape
    each = max(n_moves // (k * size), 2)
    labels = []
    for s in range(size):
        for c in range(k):
            kept = np.arange(k) != c
            labels.append(extension_starts(pilot, posterior[s, kept], coef[s, kept], each, rng))
    return np.concatenate(labels)


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
    n_random = min(max(left // 10, 1), left)
    n_sharp = (left - n_random) // 2
    parts.append(sharp_starts(pilot, k, n_sharp, rng))
    parts.append(random_starts(pilot, k, n_random, rng))
    parts.append(elemental_starts(pilot, k, left - n_random - n_sharp, rng))
    return np.concatenate(parts)


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
