"""Four quadratic trajectories of 10,000 persons in 10 waves: a default fit, and one start of peers.

Run ``python tests/benchmarks/bench_trajectories.py``; it needs R with lcmm, gbmt or flexmix, of
which it asks those that are installed, and ends with an error when a default fit of 50 starts
with its standard errors takes longer than one start of a peer, or ends below it. All run on one
thread and processor time counts, so that a busy machine does none of them wrong.

lcmm has one sigma for all components, so that it is held against ``variance="equal"``; flexmix and
gbmt have one for each.
"""

from __future__ import annotations

import os

# Before NumPy is loaded: one thread for all.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import smmix

SCRIPT = Path(__file__).with_suffix(".R")
PERSONS, WAVES = 10_000, 10
#: Intercept, slope and curvature of time from 0 to 1.
COEF = np.array([[1.0, 0.0, 0.0], [2.0, 2.5, 0.0], [4.0, -3.0, 0.0], [1.0, 6.0, -4.0]])
WEIGHTS = [0.4, 0.3, 0.2, 0.1]
VARIANCE = {"lcmm": "equal", "gbmt": "free", "flexmix": "free"}
#: Seconds after which a peer is slower, whatever it was to find.
LONGEST = 900.0
#: By this share of the log-likelihood a peer may be above for rounding.
TOLERANCE = 1e-6


def panel(seed: int = 42) -> pd.DataFrame:
    """A long table: id, t, y."""
    rng = np.random.default_rng(seed)
    label = rng.choice(len(WEIGHTS), PERSONS, p=WEIGHTS)
    t = np.tile(np.arange(WAVES) / (WAVES - 1), PERSONS)
    owner = np.repeat(np.arange(PERSONS), WAVES)
    mean = (COEF[label[owner]] * np.column_stack([np.ones_like(t), t, t**2])).sum(axis=1)
    return pd.DataFrame({"id": owner + 1, "t": t, "y": mean + rng.normal(size=t.size)})


def one_start(peer: str, path: Path) -> tuple[float, float] | None:
    """Seconds and log-likelihood of one start; None where the package is not installed."""
    command = ["Rscript", str(SCRIPT), peer, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return LONGEST, -np.inf
    lines = done.stdout.split("\n")
    if lines[0] == "missing":
        return None
    seconds, llf = lines[-2].split()
    return float(seconds), float(llf)


def default_fit(frame: pd.DataFrame, variance: str) -> tuple[float, float]:
    model = smmix.from_formula("y ~ t + I(t**2)", frame, k=4, groups="id", variance=variance)
    began = time.process_time()
    results = model.fit(progress=False, threads=1)
    assert results.bse.notna().all()
    return time.process_time() - began, results.llf


def main() -> int:
    frame, missed, run = panel(), [], 0
    ours = {variance: default_fit(frame, variance) for variance in ("equal", "free")}
    for variance, (seconds, llf) in ours.items():
        print(f"smmix, variance={variance!r}: {seconds:.2f} s, log-likelihood {llf:.4f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.csv"
        frame.to_csv(path, index=False)
        for peer, variance in VARIANCE.items():
            theirs = one_start(peer, path)
            if theirs is None:
                print(f"{peer} is not installed")
                continue
            run += 1
            seconds, llf = ours[variance]
            more = "more than " if np.isinf(theirs[1]) else ""
            print(f"{peer}: {more}{theirs[0]:.2f} s, log-likelihood {theirs[1]:.4f}", flush=True)
            if theirs[0] < seconds or theirs[1] > llf + TOLERANCE * abs(llf):
                missed.append(peer)
    print(f"slower than, or below: {', '.join(missed) or 'none'}")
    return 1 if missed or not run else 0


if __name__ == "__main__":
    sys.exit(main())
