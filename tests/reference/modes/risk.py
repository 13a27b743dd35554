"""What ``select_k`` risks as it comes: false components on noise, held-out density on mixtures.

Run ``python risk.py NAME noise|mixtures [data sets [free,equal]]``; it adds to ``risk_NAME.csv``
beside itself, after every data set, the k chosen of 1, 2 and 3 and the mean log density of 3,000
new rows under the fit chosen, with variances of these kinds. Run with two versions of smmix on the
path, on the same data sets, it compares their rules and their searches. ``python risk.py`` alone
prints what the files say by design. Designs and data are those of ``modes.py``.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from modes import KS, NEW_ROWS, Design, designs, drawn, log_density

import smmix

HERE = Path(__file__).parent


def studied(design: Design, seed: list[int], variances: list[str]) -> dict[str, float]:
    """The k chosen, and the mean log density of new rows, by kind of variances."""
    rng = np.random.default_rng(seed)
    (x, y), new = drawn(design, design.n, rng), drawn(design, NEW_ROWS, rng)
    frame = pd.DataFrame(x[:, 1:]).add_prefix("x").assign(y=y)
    formula = "y ~ " + " + ".join(frame.columns[:-1])
    row: dict[str, float] = {}
    for variance in variances:
        found = smmix.select_k(formula, frame, KS, variance=variance, progress=False)
        fit = found.fits[found.best_k]
        row[f"k {variance}"] = found.best_k
        row[f"held out {variance}"] = log_density(fit.mode_found, *new)[0].mean().round(5)
    return row


def main() -> None:
    warnings.simplefilter("ignore")
    if len(sys.argv) == 1:
        return report()
    name, part, number, kinds = [*sys.argv[1:], *["20", "free"][len(sys.argv) - 3 :]]
    target = HERE / f"risk_{name}.csv"
    table = pd.read_csv(target) if target.exists() else pd.DataFrame(columns=["design", "seed"])
    done = set(zip(table["design"], table["seed"], strict=True))
    for seed in range(int(number)):
        for place, (design, what) in enumerate(designs().items()):
            if design.startswith("noise") is (part == "mixtures") or (design, seed) in done:
                continue
            row = {"design": design, "seed": seed} | studied(what, [seed, place], kinds.split(","))
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
            table.to_csv(target, index=False)
    return None


def report() -> None:
    """By design: data sets, share of the right k, and mean log density of new rows."""
    for path in sorted(HERE.glob("risk_*.csv")):
        table = pd.read_csv(path)
        right = table["design"].map({name: len(what.weights) for name, what in designs().items()})
        for column in [c for c in table if c.startswith("k ")]:
            table[column] = (table[column] == right).where(table[column].notna())
        by_design = table.drop(columns="seed").groupby("design", sort=False)
        print(path.stem, by_design.mean().assign(data_sets=by_design.size()).round(4).to_string())


if __name__ == "__main__":
    main()
