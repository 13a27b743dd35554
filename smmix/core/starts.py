"""Starting values: labels of the units, of kinds that each win on some data.

A mixture's likelihood has many modes, and random starts miss the highest one often. Cuts of the
response, of the pooled residual, of its size, of the regressors and of residual times regressor
find lines that differ in level, spread or slope; elemental fits find any lines at all; sharp lines
find a line that hides in a cloud; splits extend the best fit with one component fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.core.linalg import solve_gram
from smmix.core.mixture import MixtureSpec, given_posterior
from smmix.core.params import MixtureParams
from smmix.sources.memory import MemorySource

#: Lines drawn at each stage of a sharp start, and the rows they are judged on.
SHARP_LINES, SHARP_ROWS = 100, 400


@dataclass(frozen=True)
class Pilot:
    """The data that starts are made from.

    Attributes
    ----------
    source : MemorySource
        Rows in working coordinates.
    response : ndarray, (n,)
        The response with its pooled fit added back, in the same units.
    """

    source: MemorySource
    response: np.ndarray

    @property
    def residual(self) -> np.ndarray:
        return np.ravel(self.source.y)

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
    return solve_gram(gram, np.einsum("...rp,...r->...p", design, response))[0]


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
    """One sharp line after another, its units taken out each time."""
    x, y = pilot.source.x, pilot.residual
    labels = np.empty((n_starts, pilot.source.n_units), dtype=int)
    for s in range(n_starts):
        labels[s] = _sharp_labels(pilot, x, y, k, rng)
    return labels


def _sharp_labels(
    pilot: Pilot, x: np.ndarray, y: np.ndarray, k: int, rng: np.random.Generator
) -> np.ndarray:
    p = x.shape[1]
    label = np.full(pilot.source.n_units, k - 1)
    left = np.arange(y.size)
    for c in range(k - 1):
        if left.size < 2 * p:
            break
        share = rng.uniform(0.15, 0.60)
        lines = random_lines(x, y, rng.choice(left, size=(SHARP_LINES, p)))
        judged = left if left.size <= SHARP_ROWS else rng.choice(left, SHARP_ROWS, replace=False)
        distance = np.abs(y[judged] - lines @ x[judged].T)
        rank = min(int(share * judged.size), judged.size - 1)
        best = lines[np.partition(distance, rank, axis=1)[:, rank].argmin()]
        near = pilot.to_units(np.abs(y - x @ best))
        free = np.flatnonzero(label == k - 1)
        taken = free[np.argsort(near[free], kind="stable")[: max(int(share * free.size), p + 1)]]
        label[taken] = c
        left = np.flatnonzero(pilot.to_rows(label) == k - 1)
    return label


def random_starts(pilot: Pilot, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Units to components at random."""
    return rng.integers(k, size=(n_starts, pilot.source.n_units))


def split_starts(
    pilot: Pilot,
    posterior: np.ndarray,
    coef: np.ndarray,
    n_starts: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Each component of a fit with one component fewer cut in two, in four ways by turns.

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
    x, y = pilot.source.x, pilot.residual
    k = coef.shape[0] + 1
    label = posterior.argmax(axis=0)
    residual = y - (coef @ x.T)[pilot.to_rows(label), np.arange(y.size)]
    columns = varying_columns(x)
    out = np.empty((n_starts, label.size), dtype=int)
    share = posterior.sum(axis=1) + 1.0
    order = np.argsort(-share)
    for s in range(n_starts):
        component = order[s % (k - 1)]
        way = (s // (k - 1)) % 4
        if way == 0:
            values = residual
        elif way == 1:
            values = np.abs(residual)
        elif way == 2 and columns.size:
            column = x[:, rng.choice(columns)]
            values = (column - np.median(column)) * (residual if s % 8 < 4 else 1.0)
        else:
            rows = rng.integers(y.size, size=(1, x.shape[1]))
            values = np.abs(y - x @ random_lines(x, y, rows)[0])
        values = pilot.to_units(values)
        inside = label == component
        out[s] = label
        if inside.any():
            level = np.quantile(values[inside], rng.uniform(0.3, 0.7) if s >= 4 * (k - 1) else 0.5)
            out[s, inside & (values > level)] = k - 1
    return out


def params_from_labels(
    spec: MixtureSpec, source: MemorySource, labels: np.ndarray, penalty: float
) -> MixtureParams:
    """M-step from labels (S, u)."""
    posterior = (labels[:, None, :] == np.arange(spec.layout.k)[:, None]).astype(float)
    return params_from_posterior(spec, source, posterior, penalty)


def params_from_posterior(
    spec: MixtureSpec, source: MemorySource, posterior: np.ndarray, penalty: float
) -> MixtureParams:
    """M-step from posteriors (S, K, u) of the units of a source."""
    layout = spec.layout
    size = posterior.shape[0]
    base = MixtureParams(
        np.zeros((size, layout.k, layout.p)),
        np.ones((size, layout.k, layout.d)),
        np.zeros((size, layout.k - 1, layout.q)),
    )
    stats = source.reduce(
        lambda b: given_posterior(
            spec, base, b, posterior[..., b.start : b.start + b.n_units]
        ),
        size * layout.k,
    )
    return spec.m_step(base, stats, penalty, np.ones(size, dtype=bool))
