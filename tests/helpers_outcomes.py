"""Several outcomes: data, and their log-likelihood written straight from its definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import gammaln

import smmix

FOLDER = Path(__file__).parent / "reference" / "outcomes"
DATA = pd.read_csv(FOLDER / "outcomes.csv")
FORMULAS = ["bp ~ age", "visits ~ age + I(age**2)", "smokes ~ 1"]
FAMILIES = ["gaussian", "poisson", "binomial"]


def with_gaps() -> pd.DataFrame:
    """The data with holes in each outcome by itself, and one person without any bp."""
    rng = np.random.default_rng(3)
    frame = DATA.astype({"visits": float, "smokes": float})
    for name in ("bp", "visits", "smokes"):
        frame.loc[rng.random(len(frame)) < 0.15, name] = np.nan
    frame.loc[frame["id"] == 5, "bp"] = np.nan
    return frame.assign(risk=np.repeat(rng.standard_normal(90), 4))


def model(frame: pd.DataFrame = DATA, k: int = 2, **options):
    options = {"groups": "id", "family": FAMILIES, **options}
    return smmix.from_formula(FORMULAS, frame, k, outcomes=True, **options)


def log_likelihood(frame: pd.DataFrame, names: list[str], params: np.ndarray, groups: str):
    """sum_g log sum_c pi_c(z_g) prod of the densities of what is known; params may be complex."""
    value = dict(zip(names, params, strict=True))
    age = frame["age"].to_numpy(dtype=float)
    designs = {
        "bp": {"Intercept": 1.0 + 0.0 * age, "age": age},
        "visits": {"Intercept": 1.0 + 0.0 * age, "age": age, "I(age ** 2)": age**2},
        "smokes": {"Intercept": 1.0 + 0.0 * age},
    }
    _, first, codes = np.unique(frame[groups], return_index=True, return_inverse=True)
    joint = []
    for c in range(2):
        eta = {
            name: sum(value[f"{name}:{term}[{c}]"] * x for term, x in terms.items())
            for name, terms in designs.items()
        }
        sigma = value[f"bp:sigma[{c}]"]
        y = {name: frame[name].to_numpy(dtype=float) for name in designs}
        density = {
            "bp": -0.5 * ((y["bp"] - eta["bp"]) / sigma) ** 2
            - np.log(sigma)
            - 0.5 * np.log(2.0 * np.pi),
            "visits": y["visits"] * eta["visits"]
            - np.exp(eta["visits"])
            - gammaln(y["visits"] + 1.0),
            "smokes": y["smokes"] * eta["smokes"] - np.log(1.0 + np.exp(eta["smokes"])),
        }
        total = sum(np.where(np.isnan(y[name]), 0.0, part) for name, part in density.items())
        logit = 0.0
        if c:
            logit = value["mixing.Intercept[1]"]
            if "mixing.risk[1]" in value:
                logit = logit + value["mixing.risk[1]"] * frame["risk"].to_numpy()[first]
        sums = np.zeros(first.size, dtype=total.dtype)
        np.add.at(sums, codes, total)
        joint.append(sums + logit)
    logits = np.stack([0.0 * joint[0], 0.0 * joint[0] + logit])
    joint = np.stack(joint)
    peak = joint.real.max(axis=0)
    return np.sum(
        peak + np.log(np.exp(joint - peak).sum(axis=0)) - np.log(np.exp(logits).sum(axis=0))
    )
