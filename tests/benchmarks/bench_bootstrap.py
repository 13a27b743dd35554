"""The parametric bootstrap of NPreg, k = 2, 199 replicates: smmix and flexmix in turn.

Run ``python tests/benchmarks/bench_bootstrap.py``; it needs R with flexmix, and ends with an error
when smmix is not ten times faster. The two take their turns in each round, and the least time of
the rounds counts for each, so that a busy machine slows both alike.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

import smmix

FOLDER = Path(__file__).parent
DATA = FOLDER.parent / "reference" / "data" / "NPreg.csv"
REPLICATES = 199
ROUNDS = 3
#: smmix with one thread against flexmix; both start every replicate from the fit.
LEAST_SPEED_UP = 10.0


def flexmix_seconds() -> float:
    """Seconds of flexmix's bootstrap from the fit, the faster of its two ways to start."""
    script = FOLDER / "bench_bootstrap.R"
    done = subprocess.run(
        ["Rscript", str(script), str(DATA), str(REPLICATES), "TRUE"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def smmix_seconds(results: smmix.MixtureResults) -> dict[str, float]:
    times = {}
    for threads in (1, 2):
        began = time.perf_counter()
        found = results.bootstrap(REPLICATES, threads=threads)
        times[f"smmix, {threads} thread(s)"] = time.perf_counter() - began
        assert found.n_failed == 0
    return times


def main() -> int:
    results = smmix.from_formula("yn ~ x + I(x ** 2)", pd.read_csv(DATA)).fit()
    smmix_seconds(results)
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, seconds in {"flexmix": flexmix_seconds(), **smmix_seconds(results)}.items():
            best[name] = min(seconds, best.get(name, float("inf")))
    for name, seconds in best.items():
        print(f"{name:18s} {seconds:8.3f} s {1e3 * seconds / REPLICATES:8.2f} ms a replicate")
    speed_up = best["flexmix"] / best["smmix, 1 thread(s)"]
    print(f"smmix is {speed_up:.1f} times faster than flexmix")
    return 0 if speed_up >= LEAST_SPEED_UP else 1


if __name__ == "__main__":
    sys.exit(main())
