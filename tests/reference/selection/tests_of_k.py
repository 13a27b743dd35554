"""Level and power of the tests of one component against two.

Run ``python tests/reference/selection/tests_of_k.py`` (about ten minutes on one core), or with
``level`` or ``power`` for one part; it writes ``tests_of_k.csv`` beside itself. Each row is one
test on one design: the share of data sets in which one component is refused at 5 %, with its Monte
Carlo error.

Level: one line, y = 1 + x + e, n = 100. Power: two lines of equal weight that cross at the mean of
x, y = s x + e and y = -s x + e, at several slopes s. B = 99 data sets are drawn for each test, or
fewer where the decision is certain earlier.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import smmix

N_ROWS, N_BOOT, ALPHA = 100, 99, 0.05
N_DATA_SETS = {"level": 200, "power": 50}
SLOPES = (0.5, 0.75, 1.0, 1.5)


def one_line(rng: np.random.Generator) -> pd.DataFrame:
    x = rng.standard_normal(N_ROWS)
    return pd.DataFrame({"x": x, "y": 1 + x + rng.standard_normal(N_ROWS)})


def crossing_lines(rng: np.random.Generator, slope: float) -> pd.DataFrame:
    sim = smmix.simulate_mixture(n=N_ROWS, coef=[[0, slope], [0, -slope]], rng=rng)
    return sim.frame.rename(columns={"x1": "x"})


def refusals(frame: pd.DataFrame, seed: int) -> dict[str, bool]:
    """Whether each test refuses one component."""
    null = smmix.from_formula("y ~ x", frame, k=1).fit()
    boot = smmix.bootstrap_lrt(null, N_BOOT, alpha=ALPHA, rng=seed, threads=1, progress=False)
    em = smmix.em_test(null, N_BOOT, alpha=ALPHA, rng=seed, threads=1, progress=False)
    found = {"bootstrap_lrt": boot.rejected, "em_test": em.rejected}
    if boot.alternative.converged and boot.alternative.curvature > 0.0:
        vlmr = smmix.vlmr_test(null, boot.alternative)
        found |= {"vlmr": vlmr.pvalue <= ALPHA, "vlmr adjusted": vlmr.pvalue_adjusted <= ALPHA}
    return found


def study(what: str, slope: float) -> list[dict[str, object]]:
    """One design: the share of refusals by test."""
    seeds = np.random.SeedSequence([2020, round(100 * slope)]).spawn(N_DATA_SETS[what])
    tables = []
    for number, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        frame = one_line(rng) if what == "level" else crossing_lines(rng, slope)
        tables.append(refusals(frame, number))
    table = pd.DataFrame(tables)
    rows = []
    for test in table:
        refused = table[test].dropna().astype(float)
        share = refused.mean()
        error = np.sqrt(share * (1.0 - share) / refused.size)
        rows.append(
            {
                "study": what, "slope": slope, "n": N_ROWS, "test": test,
                "data_sets": refused.size, "refused": round(share, 4), "mc_error": round(error, 4),
            }
        )  # fmt: skip
    return rows


def main() -> None:
    warnings.simplefilter("ignore")
    target = Path(__file__).with_suffix(".csv")
    parts = sys.argv[1:] or list(N_DATA_SETS)
    rows = []
    if "level" in parts:
        rows += study("level", 0.0)
    elif target.exists():
        table = pd.read_csv(target)
        rows += table[table["study"] == "level"].to_dict("records")
    for slope in SLOPES if "power" in parts else ():
        rows += study("power", slope)
        pd.DataFrame(rows).to_csv(target, index=False)
    pd.DataFrame(rows).to_csv(target, index=False)


if __name__ == "__main__":
    main()
