"""Least squares side by side: one X'X, smmix, statsmodels, scikit-learn and NumPy.

Run ``python tests/benchmarks/bench_ols.py``; it ends with an error when a bound is missed. Every
contestant takes its turn in each round, and the least time of the rounds counts, so that a busy
machine slows all of them alike.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import statsmodels.api as sm

import smmix.ols

SIZES = [(1_000_000, 10), (100_000, 100)]
ROUNDS = 40
SLOW_ROUNDS = 2
#: Coefficients: at most so many times one X.T @ X.
MOST_GRAMS = 1.6
#: With standard errors: so many times faster than statsmodels' OLS by the pseudo-inverse.
LEAST_SPEED_UP = 8.0
#: Memory beyond X, as part of it.
MOST_MEMORY = 0.1


def contestants(x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], object]]:
    entries: dict[str, Callable[[], object]] = {
        "X.T @ X": lambda: x.T @ x,
        "smmix solve_normal_equations": lambda: smmix.ols.solve_normal_equations(x, y),
        "smmix NormalEquationOLS, bse": lambda: smmix.ols.NormalEquationOLS(y, x).fit().bse,
        "statsmodels OLS(pinv), bse": lambda: sm.OLS(y, x).fit().bse,
        "numpy lstsq": lambda: np.linalg.lstsq(x, y, rcond=None),
    }
    try:
        from sklearn.linear_model import LinearRegression
    except ImportError:
        return entries
    entries["scikit-learn LinearRegression"] = lambda: LinearRegression(fit_intercept=False).fit(
        x, y
    )
    return entries


def race(entries: dict[str, Callable[[], object]]) -> dict[str, float]:
    best = dict.fromkeys(entries, np.inf)
    for turn in range(ROUNDS):
        for name, run in entries.items():
            if turn >= SLOW_ROUNDS and best[name] > 10.0 * best["X.T @ X"]:
                continue
            began = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def memory(run: Callable[[], object], x: np.ndarray) -> float:
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / x.nbytes


def measure(n: int, p: int) -> list[str]:
    """Print the table of one size; return what has missed its bound."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p))
    x[:, 0] = 1.0
    y = x @ rng.standard_normal(p) + rng.standard_normal(n)
    entries = contestants(x, y)
    seconds = race(entries)
    print(f"\nn = {n:,}, p = {p}")
    for name, value in seconds.items():
        print(f"  {name:32s} {1e3 * value:9.1f} ms {value / seconds['X.T @ X']:8.2f} x X.T @ X")
    grams = seconds["smmix solve_normal_equations"] / seconds["X.T @ X"]
    speed_up = seconds["statsmodels OLS(pinv), bse"] / seconds["smmix NormalEquationOLS, bse"]
    share = max(memory(entries[name], x) for name in entries if name.startswith("smmix"))
    print(f"  {speed_up:.1f} times faster than statsmodels; memory {100 * share:.1f} % of X")
    checks = {
        f"coefficients take {grams:.2f} X.T @ X, bound {MOST_GRAMS}": grams <= MOST_GRAMS,
        f"{speed_up:.1f} times faster, bound {LEAST_SPEED_UP}": speed_up >= LEAST_SPEED_UP,
        f"memory {share:.3f} of X, bound {MOST_MEMORY}": share <= MOST_MEMORY,
    }
    return [f"n = {n:,}, p = {p}: {text}" for text, good in checks.items() if not good]


def main() -> int:
    missed = [text for size in SIZES for text in measure(*size)]
    for text in missed:
        print(f"MISSED {text}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
