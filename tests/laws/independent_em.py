"""Plain EM from very many starts, all at once: slow, simple, nothing shared with the library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mixtures:
    """S mixtures of k regressions: coefficients (S, k, p), sigma (S, k), weights (S, k)."""

    coef: np.ndarray
    sigma: np.ndarray
    weight: np.ndarray

    def take(self, index: np.ndarray) -> Mixtures:
        return Mixtures(self.coef[index], self.sigma[index], self.weight[index])


def e_step(y: np.ndarray, x: np.ndarray, m: Mixtures) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors (S, k, n) and log-likelihoods (S,)."""
    e = (y - m.coef @ x.T) / m.sigma[:, :, None]
    with np.errstate(divide="ignore"):
        joint = np.log(m.weight / m.sigma)[:, :, None] - e**2 / 2 - np.log(2 * np.pi) / 2
    top = joint.max(axis=1, keepdims=True)
    density = np.exp(joint - top)
    total = density.sum(axis=1, keepdims=True)
    return density / total, (np.log(total) + top).sum(axis=(1, 2))


def m_step(y: np.ndarray, x: np.ndarray, tau: np.ndarray, floor: float) -> Mixtures:
    n, p = x.shape
    outer = (x[:, :, None] * x[:, None, :]).reshape(n, p * p)
    gram = (tau @ outer).reshape(*tau.shape[:2], p, p) + 1e-12 * np.eye(p)
    coef = np.linalg.solve(gram, ((tau * y) @ x)[..., None])[..., 0]
    size = np.maximum(tau.sum(axis=2), 1e-9)
    variance = (tau * (y - coef @ x.T) ** 2).sum(axis=2) / size
    return Mixtures(coef, np.maximum(np.sqrt(variance), floor), size / n)


def starting_posteriors(y, x, k: int, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """A third each: random posteriors, lines through p random rows, slices of a projection."""
    n, p = x.shape
    starts = []
    for s in range(n_starts):
        if s % 3 == 0:
            starts.append(rng.dirichlet(np.full(k, 0.5), n).T)
            continue
        if s % 3 == 1:
            rows = [rng.choice(n, p, replace=False) for _ in range(k)]
            lines = np.array([np.linalg.lstsq(x[r], y[r], rcond=None)[0] for r in rows])
            label = np.abs(y - lines @ x.T).argmin(axis=0)
        else:
            ols = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
            basis = np.column_stack([y, ols, x])
            direction = basis / np.maximum(basis.std(axis=0), 1e-9) @ rng.normal(size=p + 2)
            edges = np.quantile(direction, np.sort(rng.uniform(0.1, 0.9, k - 1)))
            label = np.searchsorted(edges, direction)
        starts.append(0.9 * np.eye(k)[:, label] + 0.1 / k)
    return np.array(starts)


def degenerate(m: Mixtures, n: int, p: int) -> np.ndarray:
    """The rule for free variances: too few rows, or a sharp and small component."""
    ratio = m.sigma / m.sigma.max(axis=1, keepdims=True)
    small = m.weight * n < p + 2
    sharp = (ratio < 0.2) & (m.weight < 0.1)
    return (small | sharp | (ratio < 1e-3)).any(axis=1)


def best_mode(y, x, k: int, n_starts: int, seed: int) -> float:
    """Highest log-likelihood of a mode that is not degenerate (-inf when none was met)."""
    rng = np.random.default_rng(seed)
    location, spread = y.mean(), y.std()
    y, q = (y - location) / spread, np.linalg.qr(x)[0] * np.sqrt(len(y))
    tau = starting_posteriors(y, q, k, n_starts, rng)
    m = m_step(y, q, tau, 1e-6)
    for _ in range(300):
        m = m_step(y, q, e_step(y, q, m)[0], 1e-6)
    for iterations in (1000, 4000):
        m = m.take(~degenerate(m, len(y), x.shape[1]))
        llf = e_step(y, q, m)[1]
        distinct = np.unique(-np.round(llf, 4), return_index=True)[1]
        m = m.take(distinct[:40])
        for _ in range(iterations):
            m = m_step(y, q, e_step(y, q, m)[0], 1e-6)
    llf = e_step(y, q, m)[1][~degenerate(m, len(y), x.shape[1])]
    return llf.max(initial=-np.inf) - len(y) * np.log(spread)
