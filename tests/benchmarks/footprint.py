"""What smmix takes besides time of its own: memory beyond the design, and time to be imported."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.timing import Clock, Row, race

ROOT = Path(__file__).resolve().parents[2]
#: Megabytes that a default fit of a million rows may take beyond the design matrix.
MOST_MEGABYTES = 30.0
#: Most that `import smmix` may add to `import statsmodels.api`, as a share of it.
MOST_IMPORT_SHARE = 0.15

#: Peak of what Python and NumPy hold beyond what they held before, and of the resident set.
MEMORY = """
import sys, tracemalloc
import numpy as np
import smmix
from tests.benchmarks.problems import simulated

def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))

n, traced = int(sys.argv[1]), sys.argv[2] == "traced"
small = simulated(20_000, 5, 3)
smmix.MixtureOLS(small.y, small.x, k=3).fit()  # modules and pools that stay
problem = simulated(n, 5, 3)
if traced:
    tracemalloc.start()
    smmix.MixtureOLS(problem.y, problem.x, k=3).fit()
    print(tracemalloc.get_traced_memory()[1] / 2**20)
else:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    smmix.MixtureOLS(problem.y, problem.x, k=3).fit()
    print(status("VmHWM") - before)
"""


def child(code: str, *arguments: str) -> str:
    """Standard output of a fresh interpreter in the root of the repository."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return done.stdout


def peak_megabytes(n: int) -> dict[str, float]:
    """Peak of a default fit of ``n`` rows, p = 5, k = 3, beyond its data, by two methods."""
    peaks = {"tracemalloc": float(child(MEMORY, str(n), "traced"))}
    if Path("/proc/self/clear_refs").exists():
        peaks["resident set"] = float(child(MEMORY, str(n), "resident"))
    return peaks


def import_seconds(statement: str) -> Clock:
    """Time of a fresh interpreter that runs ``statement``."""
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    child(statement)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Clock(time.perf_counter() - wall, cpu)


def import_time(seconds: float) -> Row:
    """`import smmix` after `import statsmodels.api` against the latter, interpreter left out."""
    empty = statistics.median(import_seconds("pass").cpu for _ in range(5))

    def less_empty(statement: str) -> Clock:
        clock = import_seconds(statement)
        return Clock(clock.wall - empty, clock.cpu - empty)

    return race(
        "import statsmodels.api, smmix / statsmodels.api",
        "fresh interpreters, the start of Python left out",
        lambda: less_empty("import statsmodels.api, smmix"),
        lambda: less_empty("import statsmodels.api"),
        bound=1.0 + MOST_IMPORT_SHARE,
        on_cpu=True,
        rounds=11,
        seconds=seconds,
    )
