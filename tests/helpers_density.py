"""Log-likelihood of every unit from first principles, and sandwiches made of its derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from laws.density import Problem, log_sum_exp, numerical_hessian


def unit_log_likelihood(problem: Problem, names: list[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Log-likelihood of each row (or group, in order of appearance), complex-safe, no weights."""

    def function(vector: np.ndarray) -> np.ndarray:
        values = dict(zip(names, vector, strict=True))
        dens = np.column_stack([problem._log_density(values, c) for c in range(problem.k)])
        prior = problem._log_prior(values)
        if problem.groups is None:
            return log_sum_exp(prior + dens)
        weight = np.ones(len(dens)) if problem.freq_weights is None else problem.freq_weights
        units = []
        for label in pd.unique(problem.groups):
            rows = np.flatnonzero(problem.groups == label)
            joint = prior[rows[0]] + (weight[rows, None] * dens[rows]).sum(axis=0)
            units.append(log_sum_exp(joint[None, :])[0])
        return np.array(units)

    return function


def complex_step_scores(
    function: Callable[[np.ndarray], np.ndarray], point: np.ndarray
) -> np.ndarray:
    """Derivatives (units, V) to machine precision."""
    columns = []
    for i in range(len(point)):
        shifted = point.astype(complex)
        shifted[i] += 1e-30j
        columns.append(function(shifted).imag / 1e-30)
    return np.column_stack(columns)


def information_matrix(
    function: Callable[[np.ndarray], np.ndarray], point: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Minus the Hessian of the weighted sum, by differences of complex-step gradients."""
    scale = np.maximum(np.abs(point), 1.0) * 0.1
    return -numerical_hessian(lambda v: (weight * function(v)).sum(), point, scale)


def lines(seed: int = 3, n: int = 160) -> pd.DataFrame:
    """Two overlapping lines with a concomitant, eight clusters and integer weights."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    second = rng.uniform(size=n) < 1 / (1 + np.exp(-0.3 - 0.8 * z))
    x1, x2 = rng.normal(size=n), rng.uniform(-1, 2, n)
    y = np.where(second, 3 - x1 + 0.5 * x2, 2 * x1 + 0.5 * x2)
    y = y + np.where(second, 0.9, 0.6) * rng.normal(size=n)
    return pd.DataFrame(
        {
            "y": y,
            "x1": x1,
            "x2": x2,
            "z": z,
            "cluster": rng.integers(0, 8, n),
            "id": np.repeat(np.arange(n // 4), 4),
            "w": rng.integers(1, 4, n).astype(float),
        }
    )
