"""Data of known mixtures, and one EM pass over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams, ParamLayout
from smmix.families.gaussian import Gaussian
from smmix.mixing.constant import ConstantMixing
from smmix.search.em import Objective

NPREG = Path(__file__).resolve().parents[1] / "reference" / "data" / "NPreg.csv"


class Problem(NamedTuple):
    """Rows of a mixture: response (n,), design (n, p) with a constant, labels (n,), truth."""

    y: np.ndarray
    x: np.ndarray
    label: np.ndarray
    coef: np.ndarray

    @property
    def k(self) -> int:
        return self.coef.shape[0]


def simulated(n: int, p: int, k: int, seed: int = 0) -> Problem:
    """Components that overlap: coefficients of standard deviation 2, errors of 1."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    x[:, 0] = 1.0
    coef = 2.0 * rng.standard_normal((k, p))
    label = rng.integers(k, size=n)
    y = np.empty(n)
    for c in range(k):
        y[label == c] = x[label == c] @ coef[c]
    return Problem(y + rng.standard_normal(n), x, label, coef)


def npreg() -> Problem:
    """Artificial data of the R package flexmix: a line and a parabola, 200 rows."""
    table = np.genfromtxt(NPREG, delimiter=",", names=True, dtype=None, encoding="utf-8")
    x = np.asarray(table["x"], dtype=float)
    label = np.unique(table["class"], return_inverse=True)[1]
    design = np.column_stack([np.ones_like(x), x, x * x])
    return Problem(np.asarray(table["yn"], dtype=float), design, label, np.zeros((2, 3)))


def em_iteration(problem: Problem, threads: int) -> Callable[[], MixtureParams]:
    """One EM iteration of smmix over all rows, from near the truth."""
    p, k = problem.x.shape[1], problem.k
    spec = MixtureSpec(Gaussian(), ConstantMixing(), ParamLayout(k, p, 1, 1))
    source = MemorySource(problem.y, problem.x, threads=threads)
    objective = Objective(spec, source, np.ones(p), np.ones(1))
    start = MixtureParams(problem.coef[None] + 0.1, np.ones((1, k, 1)), np.zeros((1, k - 1, 1)))
    return lambda: spec.m_step(start, objective.expectations(start))


def floor(problem: Problem) -> Callable[[], None]:
    """What no EM pass does without, in plain NumPy on whole arrays that are there already.

    The exponentials of n x k numbers, one reading of the design, and k weighted Grams x'(w x),
    each a product by BLAS. The design lies row by row or column by column, whichever is faster
    here; nothing is allocated.
    """
    n, k = problem.y.size, problem.k
    exponent = -np.random.default_rng(0).random((k, n))
    weight = np.empty_like(exponent)
    rows = problem.x
    columns = np.ascontiguousarray(rows.T)
    weighted = np.empty_like(columns)

    def run() -> None:
        np.exp(exponent, out=weight)
        columns.sum()
        for w in weight:
            np.multiply(columns, w, out=weighted)
            weighted @ columns.T

    return run
