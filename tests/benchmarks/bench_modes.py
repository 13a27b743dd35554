"""Time to the best mode: a default fit of smmix against flexmix.

Run ``python tests/benchmarks/bench_modes.py [CASE ..]`` from the root of the repository; it needs R
with flexmix, and ends with status 1 where smmix is slower or misses a mode that it has found.

A default fit (all starts, Newton finish, standard errors) and a flexmix fit from one random start
take turns, in one thread each, with another seed in each turn; processor time counts. Each time is
divided by the share of the runs that end in the best mode that any of them has found: how long one
works until it is there. Where a flexmix fit ends is settled by going on from its posteriors to the
maximum; with components dropped, it has missed. Where it never gets there its time is infinite.
"""

from __future__ import annotations

import os

# Before NumPy is loaded: one thread for all.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm

import smmix

HERE = Path(__file__).parent
DATA = HERE.parent / "reference" / "data"
#: Turns of a case, unless they have lasted so many seconds.
TURNS, SECONDS = 20, 60.0
#: A log-likelihood this far below the best is that of another mode.
SAME = 1e-4


class Case(NamedTuple):
    """A model that both programs can fit."""

    load: Callable[[], pd.DataFrame]
    formula: str
    k: int
    concomitant: str | None = None
    groups: str | None = None
    weights: str | None = None

    def model(self, frame: pd.DataFrame) -> Any:
        given = {
            "concomitant": self.concomitant, "groups": self.groups, "freq_weights": self.weights,
        }  # fmt: skip
        options = {name: value for name, value in given.items() if value is not None}
        return smmix.from_formula(self.formula, frame, k=self.k, **options)

    def arguments(self) -> list[str]:
        """What the R script is told, between the data and the file of the posteriors."""
        formula = self.formula.replace("**", "^")
        formula += "" if self.groups is None else f" | {self.groups}"
        return [formula, str(self.k), self.concomitant or "-", self.weights or "-"]


def stored(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.read_csv(DATA / f"{name}.csv")


def star98() -> pd.DataFrame:
    frame = sm.datasets.star98.load_pandas().data
    return frame.assign(lgt=np.log((frame["NABOVE"] + 0.5) / (frame["NBELOW"] + 0.5)))


def lines(n: int, p: int, k: int) -> Callable[[], pd.DataFrame]:
    """Lines with coefficients of standard deviation 2 and errors of 1."""

    def load() -> pd.DataFrame:
        coef = 2.0 * np.random.default_rng(0).standard_normal((k, p))
        return smmix.simulate_mixture(n=n, coef=coef, rng=0).frame.drop(columns="component")

    return load


def of_columns(p: int) -> str:
    return "y ~ " + " + ".join(f"x{i}" for i in range(1, p))


CASES = {
    "co2, k=2": Case(stored("CO2data"), "CO2 ~ GNP", 2),
    "engel, k=2": Case(stored("engel"), "foodexp ~ income", 2),
    "faithful, k=2": Case(stored("faithful"), "eruptions ~ waiting", 2),
    "NPreg, k=2": Case(stored("NPreg"), "yn ~ x + I(x**2)", 2),
    "NPreg, groups, k=2": Case(stored("NPreg"), "yn ~ x + I(x**2)", 2, groups="id2"),
    "NregFix, k=3": Case(stored("NregFix"), "y ~ x1 + x2", 3, concomitant="~ w"),
    "star98, k=2": Case(star98, "lgt ~ LOWINC + PERASIAN + PERBLACK + PERHISP", 2),
    "tonedata, k=2": Case(stored("tonedata"), "tuned ~ stretchratio", 2),
    "galaxies, k=3": Case(stored("galaxies"), "v ~ 1", 3),
    "sim_collinear, k=2": Case(stored("sim_collinear_k2"), "y ~ x1 + x2", 2),
    "sim_cross, k=2": Case(stored("sim_cross_k2"), "y ~ x", 2),
    "sim_hetero, k=2": Case(stored("sim_hetero_k2"), "y ~ x", 2),
    "sim_noint, k=2": Case(stored("sim_noint_k2"), "y ~ 0 + x1 + x2", 2),
    "sim_sep, k=3": Case(stored("sim_sep_k3"), "y ~ x", 3),
    "sim_tiny, n=30, k=2": Case(stored("sim_tiny_n30_k2"), "y ~ x", 2),
    "sim_freqw, k=2": Case(stored("sim_freqw_k2"), "y ~ x", 2, weights="w"),
    "sim_p10, n=5,000, k=3": Case(stored("sim_p10_n5000_k3"), of_columns(11), 3),
    "lines, n=2,000, p=8, k=3": Case(lines(2_000, 8, 3), of_columns(8), 3),
    "lines, n=20,000, p=20, k=4": Case(lines(20_000, 20, 4), of_columns(20), 4),
}


class Tally(NamedTuple):
    """Seconds of each turn, and the log-likelihoods that they ended with."""

    seconds: list[float]
    llf: list[float]

    def share(self, best: float) -> float:
        return float(np.mean(np.array(self.llf) >= best - SAME))


def raced(case: Case, folder: Path) -> tuple[Tally, Tally]:
    """smmix and flexmix in turns."""
    frame = case.load()
    frame.to_csv(folder / "data.csv", index=False)
    model = case.model(frame)
    script, posteriors = str(HERE / "bench_modes.R"), folder / "posteriors.bin"
    command = ["Rscript", script, str(folder / "data.csv"), *case.arguments(), str(posteriors)]
    ours, theirs, began = Tally([], []), Tally([], []), time.perf_counter()
    model.fit(rng=TURNS)
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, **pipe) as r:
        for seed in range(TURNS + 1):
            start = time.process_time()
            fit = model.fit(rng=seed)
            assert fit.bse is not None
            used = time.process_time() - start
            r.stdin.write(f"{seed}\n")
            seconds, left = r.stdout.readline().split()
            if seed == 0:
                continue  # R compiles its functions in the first runs
            ours.seconds.append(used)
            ours.llf.append(fit.llf)
            theirs.seconds.append(float(seconds))
            theirs.llf.append(-np.inf if int(left) < case.k else ended(model, case.k, posteriors))
            if seed > 2 and time.perf_counter() - began > SECONDS:
                break
        r.stdin.close()
    return ours, theirs


def ended(model: Any, k: int, posteriors: Path) -> float:
    """Log-likelihood of the mode that some posteriors lead to."""
    return float(model.fit(starts=np.fromfile(posteriors).reshape(k, -1).T).llf)


def main() -> int:
    warnings.simplefilter("ignore")
    missed, ratios = [], []
    print(f"{'':28s} {'smmix':>18s} {'flexmix':>18s}  ratio of times to the best mode")
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = raced(CASES[name], Path(folder))
        best = max(ours.llf + theirs.llf)
        mine, yours = ours.share(best), theirs.share(best)
        ratio = float(np.median(np.array(ours.seconds) / np.array(theirs.seconds)))
        ratio *= yours / mine if mine else np.inf
        cells = [
            f"{1e3 * np.median(tally.seconds):8.1f} ms, {100 * share:3.0f} %"
            for tally, share in ((ours, mine), (theirs, yours))
        ]
        told = "flexmix never gets there" if yours == 0.0 else f"{ratio:.2f}"
        print(f"{name:28s} {cells[0]:>18s} {cells[1]:>18s}  {told}", flush=True)
        if yours:
            ratios.append(ratio)
        if ratio > 1.0 or mine < 1.0:
            missed.append(name)
    print(f"median {np.median(ratios):.2f} of {len(ratios)}; missed: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
