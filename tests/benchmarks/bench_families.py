"""Mixtures of Poisson and of binomial regressions at n = 100,000, p = 4, k = 3.

Run ``python tests/benchmarks/bench_families.py``; it needs R with flexmix, and ends with an error
when a default fit (all starts, Newton, errors) takes longer than one flexmix fit from one random
start, or ends below it, or a pass takes more than two and a half times one of the Gaussian's. All
run on one thread and processor time counts, so that a busy machine does neither wrong.
"""

from __future__ import annotations

import os

# Before NumPy is loaded: one thread for all.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import smmix

FOLDER = Path(__file__).parent
N_ROWS, TRIALS, ROUNDS, PASSES = 100_000, 10, 2, 10
COEF = {
    "gaussian": [[1.5, 0.4, -0.3, 0.2], [0.2, -0.5, 0.3, 0.1], [2.4, 0.1, 0.2, -0.4]],
    "poisson": [[1.5, 0.4, -0.3, 0.2], [0.2, -0.5, 0.3, 0.1], [2.4, 0.1, 0.2, -0.4]],
    "binomial": [[-1.2, 0.8, -0.5, 0.3], [0.3, -0.9, 0.6, 0.2], [1.6, 0.4, 0.5, -0.8]],
}
#: A pass of E and M in units of the Gaussian's.
LARGEST_PASS = 2.5
TOLERANCE = 1e-6


def data_of(family: str) -> pd.DataFrame:
    trials = TRIALS if family == "binomial" else None
    sim = smmix.simulate_mixture(
        N_ROWS, COEF[family], family=family, trials=trials, weights=[0.4, 0.3, 0.3], rng=1
    )
    frame = sim.frame.drop(columns="component")
    return frame.assign(n=TRIALS) if trials else frame


def model_of(family: str, frame: pd.DataFrame) -> Any:
    trials = {"trials": "n"} if family == "binomial" else {}
    return smmix.from_formula("y ~ x1 + x2 + x3", frame, k=3, family=family, **trials)


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    made = run()
    return time.process_time() - began, made


def flexmix(path: Path, family: str, seed: int) -> tuple[float, float]:
    command = ["Rscript", str(FOLDER / "bench_families.R"), str(path), family, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    print(f"  flexmix, seed {seed}: {done[0]} s, {done[1]} iterations, k = {done[2]}, {done[3]}")
    return float(done[0]), float(done[3])


def one_fit(model: Any) -> float:
    """A default fit from its start to standard errors; the log-likelihood."""
    results = model.fit(threads=1, progress=False)
    assert np.isfinite(results.bse).all()
    return float(results.llf)


def one_pass(family: str) -> float:
    """Seconds of one pass at the true coefficients."""
    model = model_of(family, data_of(family))
    spec, rows = model.spec, model.source
    names, values = model.param_names, np.zeros(len(model.param_names))
    for c, own in enumerate(COEF[family]):
        for term, value in zip(("Intercept", "x1", "x2", "x3"), own, strict=True):
            values[names.index(f"{term}[{c}]")] = value
        if family == "gaussian":
            values[names.index(f"sigma[{c}]")] = 1.0
    params = model.unpack(values)

    def step() -> Any:
        return spec.m_step(params, rows.reduce(lambda block: spec.e_step(params, block), 3))

    step()
    return min(seconds(step)[0] for _ in range(PASSES))


def main() -> int:
    missed = False
    for family in ("poisson", "binomial"):
        frame = data_of(family)
        model = model_of(family, frame)
        print(family)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.csv"
            frame.to_csv(path, index=False)
            theirs, ours = [], []
            for seed in range(1, ROUNDS + 1):
                theirs.append(flexmix(path, family, seed))
                ours.append(seconds(lambda model=model: one_fit(model)))
                print(f"  smmix, all starts: {ours[-1][0]:.2f} s, {ours[-1][1]:.6f}")
        slow, fast = min(theirs)[0], min(ours)[0]
        best = max(llf for _, llf in theirs)
        below = ours[0][1] < best - TOLERANCE * abs(best)
        print(f"  smmix / flexmix: {fast / slow:.2f}")
        missed |= below or fast > slow
    base = one_pass("gaussian")
    for family in ("poisson", "binomial"):
        ratio = one_pass(family) / base
        print(f"a pass of {family}, in units of the Gaussian's: {ratio:.2f}")
        missed |= ratio > LARGEST_PASS
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
