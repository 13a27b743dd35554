"""The number of components that each criterion chooses on the seed's example, over 100 seeds.

Run ``python tests/reference/selection/seed_example.py`` (about ten minutes on one core); it
writes ``seed_example.csv`` beside itself: how often each k is chosen, by criterion.

The example: n = 1000, three components of weights .4, .3, .3 and sigma 1 in y = b0 + b1 x1 +
b2 x2 + b3 x3 + e with b = (.5, 1.5, 2, 3), (1, 2, 3, 4), (2, 3, 4, 6) and standard normal x.
"auto" goes up from k = 1 and stops when BIC has not improved for two further k.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path

import pandas as pd

import smmix

COEF = [[0.5, 1.5, 2, 3], [1, 2, 3, 4], [2, 3, 4, 6]]
WEIGHTS = [0.4, 0.3, 0.3]
SEEDS = range(100)
LARGEST_K = 5
#: Starts of each search: fewer than the default, for the sake of the hundred scans.
N_STARTS = 30
CRITERIA = [
    "aic", "aicc", "aic3", "bic", "caic", "sabic", "hqic", "icl", "icl_soft", "clc", "awe", "nec",
]  # fmt: skip


def choices(seed: int) -> dict[str, int]:
    """The k that each criterion chooses on one data set."""
    sim = smmix.simulate_mixture(n=1000, coef=COEF, sigma=1.0, weights=WEIGHTS, rng=seed)
    found = smmix.select_k(
        "y ~ x1 + x2 + x3", sim.frame, k=range(1, LARGEST_K + 1), n_starts=N_STARTS, progress=False
    )
    sound = [k for k, fit in found.fits.items() if not fit.mode_found.degenerate]
    chosen = {name: int(found.table.loc[sound, name].idxmin()) for name in CRITERIA}
    # What "auto" does with the same fits: up to two k past the best BIC so far.
    bic, best = found.table["bic"], 1
    for k in range(2, LARGEST_K + 1):
        if k > best + 2:
            break
        if k in sound and bic[k] < bic[best]:
            best = k
    return chosen | {"auto": best}


def main() -> None:
    warnings.simplefilter("ignore")
    counts: dict[str, Counter[int]] = {}
    target = Path(__file__).with_suffix(".csv")
    for number, seed in enumerate(SEEDS, start=1):
        for name, k in choices(seed).items():
            counts.setdefault(name, Counter())[k] += 1
        table = pd.DataFrame(counts).T.reindex(columns=range(1, LARGEST_K + 1)).fillna(0)
        table = table.astype(int).rename_axis("criterion").rename(columns="k={}".format)
        table.assign(data_sets=number).to_csv(target)
        sys.stderr.write(f"{number} of {len(SEEDS)}\n")


if __name__ == "__main__":
    main()
