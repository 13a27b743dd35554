"""Moves: a component of a mode is dropped, and a new one is found (Ueda and others 2000)."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from smmix.search.pilot import Pilot, draw_rows, random_lines, varying_columns

__all__ = ["extension_starts", "likely_lines", "move_starts", "number_of_moves"]

#: Densities that a round of moves evaluates per pass, within these numbers of moves.
MOVES_DENSITIES, MOVES = 150_000, (48, 300)
#: Lines drawn for a likely one.
LIKELY_LINES = 24
#: Variance below which a line is not sound, and least one of a fit, in shares of the pooled one.
NOT_SOUND, LEAST_VARIANCE = 1e-5, 1e-6


def likely_lines(
    pilot: Pilot,
    posterior: np.ndarray,
    coef: np.ndarray,
    n_lines: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Units that a new line takes from a fit: of many lines the one by which the fit gains most.

    Each line goes through random rows and takes the m units nearest to it; its gain is that of
    the log-likelihood once it is told which they are, less what the rule on sharp components
    charges [1]_. So no share of the rows or width is fixed beforehand.

    Parameters
    ----------
    pilot : Pilot
    posterior : ndarray, (K, u)
    coef : ndarray, (K, p)
    n_lines : int
    rng : Generator

    Returns
    -------
    ndarray of bool, (n_lines, u)

    References
    ----------
    .. [1] Moisan, L. and Stival, B. (2004). A probabilistic criterion to detect rigid point
       matches between two images and estimate the fundamental matrix. International Journal of
       Computer Vision 57, 201-218.
    """
    x, y, many = pilot.source.x, pilot.target, pilot.unit_rows
    n, p = x.shape
    reference = float(pilot.residual.var()) or 1.0
    kept = pilot.to_units(_log_density(pilot, posterior, coef, reference)) * many
    taken = np.zeros((n_lines, many.size), dtype=bool)
    for s in range(n_lines):
        lines = random_lines(x, y, draw_rows(n, (LIKELY_LINES, p), rng))
        squares = pilot.to_units((y - lines @ x.T) ** 2)
        order = np.argsort(squares, axis=1)
        rows = np.cumsum(many[order], axis=1)
        near = np.take_along_axis(squares, order, axis=1) * many[order]
        variance = np.cumsum(near, axis=1) / rows
        sound = (rows >= 2 * (p + 1)) & (variance > NOT_SOUND * reference)
        variance = variance.clip(NOT_SOUND * reference)
        gain = -0.5 * rows * (np.log(variance) + 1.0) - np.cumsum(kept[order], axis=1)
        gain += xlogy(rows, rows / n) + xlogy(n - rows, 1.0 - rows / n)
        gain -= 0.5 * (p + 1) * np.log(rows / n * reference / variance).clip(0.0)
        best, last = np.unravel_index(np.where(sound, gain, -np.inf).argmax(), gain.shape)
        taken[s, order[best, : last + 1]] = True
    return taken


def _log_density(
    pilot: Pilot, posterior: np.ndarray, coef: np.ndarray, reference: float
) -> np.ndarray:
    """Log density (n,) of rows under normal lines, constants left out."""
    squares, rows = (
        (pilot.target - coef / pilot.units @ pilot.source.x.T) ** 2,
        pilot.to_rows(posterior),
    )
    sizes = rows.sum(axis=1, keepdims=True).clip(1e-3)
    variance = (rows * squares).sum(axis=1, keepdims=True) / sizes
    variance = variance.clip(LEAST_VARIANCE * reference)
    parts = np.log(sizes / sizes.sum()) - 0.5 * (squares / variance + np.log(variance))
    return np.asarray(np.logaddexp.reduce(parts, axis=0))


def extension_starts(
    pilot: Pilot,
    posterior: np.ndarray,
    coef: np.ndarray,
    n_starts: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """A fit with one component fewer and a new one: a component cut, a new line, a likely one.

    A component is cut by the sign or the size of its residual, by a regressor or by residual times
    regressor; these are half of the starts. A new line goes through random rows and takes the
    units that it is nearer to, or is a likely one.

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
    n_likely = n_lines // 2
    lines = random_lines(x, y, draw_rows(y.size, (n_lines - n_likely, x.shape[1]), rng))
    near = pilot.to_units((y - lines @ x.T) ** 2) < pilot.to_units(residual**2)
    taken = np.concatenate([near, likely_lines(pilot, posterior, coef, n_likely, rng)])
    by_line = np.where(taken, new, label)
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
