"""Whether default fits to real data end at one mode, whatever the seed, and at the best known one.

First ``Rscript agreement.R FOLDER`` writes the numeric columns of R's data sets. Then
``python agreement.py FOLDER [number of cases]`` draws cases at random: a data set, a response, one
to three regressors, two to four components. Each is fitted by default with the seeds 0 to 4, and
with 2,000 starts of another seed. ``agreement.csv`` holds for each case what the fits are worth,
their log-likelihoods less prices, which is what they are chosen by; ``best`` is the largest of all
that were ever found (a case that is in the file already is not fitted with 2,000 starts again).
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import smmix

SEEDS, MANY_STARTS, OTHER_SEED = range(5), 2000, 99
#: Fits that are worth less by more than this have ended elsewhere.
SAME = 1e-3
#: Rows for each parameter, at least, and distinct values of a response.
ROWS_PER_PARAMETER, DISTINCT = 5, 10
TARGET = Path(__file__).with_suffix(".csv")


class Case(NamedTuple):
    """A model of a data set."""

    data: str
    formula: str
    k: int
    frame: pd.DataFrame

    @property
    def name(self) -> str:
        return f"{self.data}: {self.formula}, k={self.k}"


def cases(folder: Path, number: int, seed: int = 2026) -> list[Case]:
    """Cases drawn at random, those left out whose columns or rows do not suffice."""
    rng = np.random.default_rng(seed)
    files = sorted(folder.glob("*.csv"))
    found: dict[str, Case] = {}
    while len(found) < number:
        path = files[rng.integers(len(files))]
        frame = pd.read_csv(path)
        frame.columns = [f"v{i}" for i in range(frame.shape[1])]
        k, p = int(rng.integers(2, 5)), int(rng.integers(1, 4))
        columns = rng.permutation(frame.columns)[: p + 1].tolist()
        y, *x = columns
        n_params = k * (len(x) + 3) - 1
        distinct = frame[columns].nunique()
        if not x or len(frame) < ROWS_PER_PARAMETER * n_params or distinct[y] < DISTINCT:
            continue
        design = np.column_stack([np.ones(len(frame)), frame[x]])
        design = design / np.linalg.norm(design, axis=0).clip(1e-300)
        if np.linalg.cond(np.column_stack([design, frame[y] / np.linalg.norm(frame[y])])) > 1e6:
            continue
        case = Case(path.stem, f"{y} ~ {' + '.join(sorted(x))}", k, frame[columns])
        found[case.name] = case
    return list(found.values())


def worth(results: smmix.model.MixtureResults) -> float:
    """What a fit is chosen by; none, where only degenerate modes were found."""
    mode = results.mode_found
    return np.nan if mode.degenerate else mode.worth


def studied(case: Case, best: float | None) -> dict[str, object]:
    """One line of the table."""
    model = smmix.from_formula(case.formula, case.frame, k=case.k)
    row: dict[str, object] = {"case": case.name, "n": len(case.frame)}
    begun = time.process_time()
    fits = [model.fit(rng=seed) for seed in SEEDS]
    row["seconds"] = round((time.process_time() - begun) / len(fits), 3)
    values = [worth(fit) for fit in fits]
    row |= {f"seed {seed}": round(value, 5) for seed, value in zip(SEEDS, values, strict=True)}
    row["unseen"] = round(float(np.median([fit.unseen for fit in fits])), 4)
    if best is None:
        best = worth(model.fit(n_starts=MANY_STARTS, rng=OTHER_SEED))
    found = [value for value in [*values, best] if not np.isnan(value)]
    row["best"] = round(max(found, default=np.nan), 5)
    return row


def verdict(table: pd.DataFrame) -> str:
    """How often the seeds agree, and how often a fit is below the best."""
    seeds = table[[f"seed {seed}" for seed in SEEDS]].fillna(-np.inf)
    best = table["best"].fillna(-np.inf)
    ends = (seeds.sub(best, axis=0) >= -SAME) | (
        seeds.eq(-np.inf) & best.eq(-np.inf).to_numpy()[:, None]
    )
    same = ends.all(axis=1) | ((seeds.max(axis=1) - seeds.min(axis=1)) < SAME)
    return (
        f"{len(table)} cases: the seeds agree in {same.sum()}; {int((~ends).to_numpy().sum())} of "
        f"{ends.size} fits end below the best, in {int((~ends.all(axis=1)).sum())} cases; "
        f"median time {table['seconds'].median():.2f} s, mean {table['seconds'].mean():.2f} s"
    )


def main() -> None:
    warnings.simplefilter("ignore")
    folder, number = Path(sys.argv[1]), int([*sys.argv, "120"][2])
    known = pd.read_csv(TARGET).set_index("case")["best"].to_dict() if TARGET.exists() else {}
    rows = []
    for case in cases(folder, number):
        rows.append(studied(case, known.get(case.name)))
        if len(rows) > len(known):
            pd.DataFrame(rows).to_csv(TARGET, index=False)
    table = pd.DataFrame(rows)
    table.to_csv(TARGET, index=False)
    print(verdict(table))


if __name__ == "__main__":
    main()
