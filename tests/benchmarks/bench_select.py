"""The choice of k among 1 to 5 at n = 20,000 and p = 4: select_k and stepFlexmix(nrep = 10).

Run ``python tests/benchmarks/bench_select.py``; it needs R with flexmix, and ends with an error
when select_k takes more than a thirtieth of the time or ends below flexmix for any k. Both run on
one thread and processor time counts, so that a busy machine does neither wrong; the better of the
rounds counts for each.

The data are the seed's example with more rows: three lines with an intercept and three slopes.
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

import pandas as pd

import smmix

FOLDER = Path(__file__).parent
COEF = [[0.5, 1.5, 2, 3], [1, 2, 3, 4], [2, 3, 4, 6]]
WEIGHTS = [0.4, 0.3, 0.3]
N_ROWS, LARGEST_K = 20_000, 5
FORMULA = "y ~ x1 + x2 + x3"
ROUNDS = 2
#: select_k against stepFlexmix.
LEAST_SPEED_UP = 30.0
#: By this much flexmix may be above for rounding.
TOLERANCE = 1e-6


def flexmix(path: Path) -> tuple[float, dict[int, float]]:
    """Seconds, and log-likelihood by k; components that flexmix dropped are not counted."""
    command = ["Rscript", str(FOLDER / "bench_select.R"), str(path), FORMULA]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    times, *fits = [line.split() for line in done.stdout.splitlines()]
    return float(times[0]), {int(asked): float(llf) for _, asked, llf in fits}


def smmix_select(frame: pd.DataFrame) -> tuple[float, dict[int, float]]:
    began = time.process_time()
    found = smmix.select_k(FORMULA, frame, k=range(1, LARGEST_K + 1), threads=1, progress=False)
    return time.process_time() - began, found.table["llf"].to_dict()


def main() -> int:
    sim = smmix.simulate_mixture(n=N_ROWS, coef=COEF, weights=WEIGHTS, rng=42)
    frame = sim.frame.drop(columns="component")
    smmix_select(frame.head(500))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        frame.to_csv(path, index=False)
        theirs, ours = [], []
        for _ in range(ROUNDS):
            theirs.append(flexmix(path))
            ours.append(smmix_select(frame))
    slow, fast = min(theirs), min(ours)
    print(f"stepFlexmix {slow[0]:8.2f} s\nselect_k    {fast[0]:8.2f} s")
    for k, llf in fast[1].items():
        print(f"k={k}: select_k {llf:.4f}, stepFlexmix {slow[1].get(k, float('nan')):.4f}")
    below = [k for k, llf in slow[1].items() if fast[1][k] < llf - TOLERANCE * abs(llf)]
    print(f"{slow[0] / fast[0]:.1f} times faster; below flexmix at k = {below or 'none'}")
    return 0 if slow[0] >= LEAST_SPEED_UP * fast[0] and not below else 1


if __name__ == "__main__":
    sys.exit(main())
