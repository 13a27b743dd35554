"""What rules on sharp components risk: false components on noise, held-out density on mixtures.

Run ``python tests/reference/modes/modes.py [seeds]`` (about five minutes a seed on one core); it
writes ``modes.csv`` beside itself after every data set: for each design and rule how often the
right k was chosen of 1, 2 and 3, and the mean log density of 3,000 new rows under the fit chosen.

All rules choose among the same modes, those of ``select_k`` with free variances; they are

- ``price``: what smmix does. Highest log-likelihood less price; BIC plus twice the price.
- ``thresholds``: the highest mode without a component of sigma below a fifth of the largest on
  less than a tenth of the rows; BIC. (What smmix did before; its search went after other modes.)
- ``chen_tan``: the mode of highest likelihood less Chen and Tan's penalty of strength 0.05; BIC.
- ``deleted``: log-likelihoods without the 2 p rows that contribute most (Seo and Kim 2012); BIC.
- ``equal``: equal variances, a fit of its own; BIC.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import smmix

KS, NEW_ROWS, N_STARTS = [1, 2, 3], 3000, 20


class Design(NamedTuple):
    """A mixture of k lines; x is uniform on (-2, 2)."""

    n: int
    coef: np.ndarray
    sigma: list[float]
    weights: list[float]
    errors: str = "normal"


class Candidate(NamedTuple):
    """A mode, with what rules choose by."""

    k: int
    loglike: float
    price: float
    deleted: float
    chen_tan: float
    sound: bool
    unlike: bool
    df: int
    held_out: float


def two(p: int, gap: float) -> np.ndarray:
    """Two lines that cross."""
    second = np.full(p, 1.0 - gap / np.sqrt(max(1, p - 1)))
    second[0] = 1.0 + gap / 2.0
    return np.stack([np.ones(p), second])


def three(p: int) -> np.ndarray:
    rows = [np.ones(p), -np.ones(p), 3.0 * np.ones(p)]
    rows[1][0], rows[2][0] = 6.0, -5.0
    return np.stack(rows)


def designs() -> dict[str, Design]:
    found = {
        f"noise, n={n}, p={p}": Design(n, np.r_[3.0, -np.ones(p - 1)][None], [1.0], [1.0])
        for n in (60, 100, 150, 300)
        for p in (2, 4, 6)
    }
    half, fifth, tenth = [0.5, 0.5], [0.8, 0.2], [0.9, 0.1]
    for kind, sizes, gap, sigma, weights in (
        ("two lines", ((100, 2), (300, 2), (100, 4), (200, 8)), 4.0, [1.0, 1.0], half),
        ("overlapping", ((150, 2), (150, 4), (300, 4)), 2.0, [1.0, 1.0], half),
        ("unequal", ((100, 2), (100, 4), (300, 4)), 3.0, [1.0, 0.4], [0.6, 0.4]),
        ("one sharp", ((100, 2), (100, 4), (200, 4)), 1.5, [1.0, 0.1], fifth),
        ("one very sharp", ((100, 2), (200, 4)), 1.5, [1.0, 0.02], tenth),
        ("one small", ((150, 2), (200, 4)), 5.0, [1.0, 1.0], tenth),
    ):
        for n, p in sizes:
            found[f"{kind}, n={n}, p={p}"] = Design(n, two(p, gap), sigma, weights)
    for n, p in ((150, 2), (200, 4)):
        found[f"three, n={n}, p={p}"] = Design(n, three(p), [1.0] * 3, [0.4, 0.3, 0.3])
        found[f"three unequal, n={n}, p={p}"] = Design(
            n, three(p), [1.0, 0.5, 0.2], [0.5, 0.3, 0.2]
        )
    for errors in ("t4", "exponential"):
        found[f"two lines, {errors}, n=150, p=3"] = Design(
            150, two(3, 5.0), [1.0] * 2, half, errors
        )
    return found


def drawn(design: Design, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = np.column_stack([np.ones(n), rng.uniform(-2.0, 2.0, (n, design.coef.shape[1] - 1))])
    z = rng.choice(len(design.weights), size=n, p=design.weights)
    errors = {
        "normal": rng.standard_normal(n),
        "t4": rng.standard_t(4, n) / np.sqrt(2.0),
        "exponential": rng.exponential(size=n) - 1.0,
    }[design.errors]
    return x, (x * design.coef[z]).sum(axis=1) + np.asarray(design.sigma)[z] * errors


def log_density(mode: object, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log density of rows (n,), and posteriors (n, k)."""
    params = mode.params
    sigma, logits = params.nuisance[0, :, 0], np.r_[0.0, params.mixing[0].ravel()]
    e = (y[:, None] - x @ params.coef[0].T) / sigma
    parts = logits - np.logaddexp.reduce(logits) - np.log(sigma) - 0.5 * (e**2 + np.log(2 * np.pi))
    total = np.logaddexp.reduce(parts, axis=1)
    return total, np.exp(parts - total[:, None])


def candidates(selection: smmix.Selection, design: Design, rows: tuple, new: tuple) -> list:
    found, p = [], design.coef.shape[1]
    pooled = float(np.sqrt(selection.fits[1].mode_found.params.nuisance[0, 0, 0] ** 2))
    for k, fit in selection.fits.items():
        for mode in fit.record.modes.modes:
            units, posterior = log_density(mode, *rows)
            sigma, share = mode.params.nuisance[0, :, 0], posterior.mean(axis=0)
            ratio = sigma / sigma.max()
            found.append(
                Candidate(
                    k,
                    mode.loglike,
                    mode.price,
                    float(np.sort(units)[: -2 * p].sum()),
                    mode.loglike
                    - 0.05 * float((pooled**2 / sigma**2 + 2 * np.log(sigma / pooled) - 1).sum()),
                    not mode.degenerate or mode.chance,
                    bool(((ratio < 0.2) & (share < 0.1)).any()),
                    int(fit.n_free),
                    float(log_density(mode, *new)[0].mean()),
                )
            )
    return found


def best(found: list, n: int, worth: str) -> Candidate:
    """The mode of each k that is worth most, and of these the one of smallest BIC."""

    def value(mode: Candidate) -> float:
        return mode.loglike - mode.price if worth == "price" else getattr(mode, worth)

    def criterion(mode: Candidate) -> float:
        level = mode.loglike if worth == "chen_tan" else value(mode)
        return -2.0 * level + mode.df * float(np.log(n))

    of_k = [max((m for m in found if m.k == k), key=value) for k in {m.k for m in found}]
    return min(of_k, key=criterion)


def choices(design: Design, rng: np.random.Generator) -> dict[str, Candidate]:
    rows, new = drawn(design, design.n, rng), drawn(design, NEW_ROWS, rng)
    frame = pd.DataFrame(rows[0][:, 1:]).add_prefix("x").assign(y=rows[1])
    formula = "y ~ " + " + ".join(frame.columns[:-1])
    free, equal = (
        candidates(
            smmix.select_k(formula, frame, KS, variance=v, n_starts=N_STARTS, progress=False),
            design, rows, new,
        )
        for v in ("free", "equal")
    )  # fmt: skip
    sound = [m for m in free if m.sound]
    before = [m for m in sound if not m.unlike]
    n = design.n
    return {
        "price": best(sound, n, "price"),
        "thresholds": best(before, n, "loglike"),
        "chen_tan": best(sound, n, "chen_tan"),
        "deleted": best(sound, n, "deleted"),
        "equal": best([m for m in equal if m.sound], n, "loglike"),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    records = []
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20):
        for place, (name, design) in enumerate(designs().items()):
            for rule, mode in choices(design, np.random.default_rng([seed, place])).items():
                right = mode.k == len(design.weights)
                records.append((name, rule, right, mode.held_out))
            table = pd.DataFrame(records, columns=["design", "rule", "right_k", "held_out"])
            table = table.groupby(["design", "rule"], sort=False).agg(
                right_k=("right_k", "mean"),
                held_out=("held_out", "mean"),
                data_sets=("rule", "size"),
            )
            table.round(4).to_csv(Path(__file__).with_suffix(".csv"))


if __name__ == "__main__":
    main()
