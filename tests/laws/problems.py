"""Random problems: small data sets with every combination of options, and parameters for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from laws.density import Problem


def draw_problem(
    seed: int,
    *,
    k: int = 2,
    n: int = 30,
    variance: str = "free",
    common: bool = False,
    concomitant: bool = False,
    groups: bool = False,
    weights: bool = False,
    offset: bool = False,
) -> Problem:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"const": np.ones(n), "x1": rng.normal(size=n), "x2": rng.uniform(-1, 2, n)})
    z = pd.DataFrame({"const": np.ones(n), "z1": rng.normal(size=n)})
    label = rng.integers(0, 8, n)
    if groups:
        z = z.iloc[label].reset_index(drop=True)
    return Problem(
        y=rng.normal(size=n) + x["x1"].to_numpy() * rng.choice([-2.0, 2.0], n),
        x=x,
        k=k,
        variance=variance,
        common=("x2",) if common else (),
        z=z if concomitant else None,
        groups=label if groups else None,
        freq_weights=rng.integers(0, 4, n).astype(float) if weights else None,
        offset=rng.normal(size=n) if offset else None,
    )


def draw_params(problem: Problem, names: list[str], seed: int) -> np.ndarray:
    """Any admissible point: nothing here is near a maximum."""
    rng = np.random.default_rng(seed)
    return np.array(
        [rng.uniform(0.4, 2.5) if name.startswith("sigma") else rng.normal() for name in names]
    )


seeds = st.integers(0, 10_000)
flags = st.booleans()
variances = st.sampled_from(["free", "equal"])
components = st.integers(1, 4)
plain_problems = st.builds(
    draw_problem, seeds, k=components, variance=variances, weights=flags, offset=flags
)
all_problems = st.builds(
    draw_problem,
    seeds,
    k=components,
    variance=variances,
    common=flags,
    concomitant=flags,
    groups=flags,
    weights=flags,
    offset=flags,
)


def two_lines(seed: int = 0, n: int = 200, k: int = 2, gap: float = 6.0) -> pd.DataFrame:
    """Well separated lines, so that every sensible set of starts ends in one mode."""
    rng = np.random.default_rng(seed)
    component = rng.choice(k, n, p=np.arange(k, 0, -1) / (k * (k + 1) / 2))
    x = rng.uniform(-2, 2, n)
    mean = gap * component + (1.0 - component) * x
    sigma = np.array([0.7, 1.0, 0.5, 0.9])[component]
    # Multiples of 2^-20: shifts and scalings by powers of two are then exact.
    y = np.round((mean + sigma * rng.normal(size=n)) * 2**20) / 2**20
    return pd.DataFrame({"y": y, "x": x, "component": component})
