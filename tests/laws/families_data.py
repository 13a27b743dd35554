"""Small data for every family: two regressions, in a form that the family can have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smmix import families

ROWS = 160


def names() -> list[str]:
    """Families that a mixture can be made of alone."""
    return [name for name in families.REGISTRY if name != "point_mass"]


def family_named(name: str) -> Any:
    own = {
        "censored_gaussian": families.CensoredGaussian(lower=0.0),
        "measured_gaussian": families.MeasuredGaussian("v"),
    }
    return own.get(name, name)


def data_for(name: str, seed: int = 5, rows: int = ROWS) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A frame with ``y`` and ``x``, and what else the model needs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    eta = np.where(rng.random(rows) < 0.45, 0.2 + 0.5 * x, 1.6 - 0.6 * x)
    mean = np.exp(eta)
    frame, options = pd.DataFrame({"x": x}), {}
    if name in ("gaussian", "student_t", "laplace"):
        frame["y"] = 3 * eta + 0.4 * rng.standard_t(6, size=rows)
    elif name == "censored_gaussian":
        frame["y"] = np.maximum(3 * eta + 0.4 * rng.normal(size=rows), 0.0)
    elif name == "measured_gaussian":
        frame["v"] = rng.uniform(0.02, 0.2, rows)
        frame["y"] = 3 * eta + np.sqrt(0.1 + frame["v"]) * rng.normal(size=rows)
    elif name == "poisson":
        frame["y"] = rng.poisson(mean)
    elif name == "negative_binomial":
        frame["y"] = rng.poisson(mean * rng.gamma(2.0, 0.5, rows))
    elif name == "zero_inflated_poisson":
        frame["id"] = np.arange(rows) // 4
        owner = np.exp(np.where(frame["id"] % 2 == 0, 0.2 + 0.5 * x, 2.0 - 0.6 * x))
        frame["y"] = rng.poisson(owner) * (rng.random(rows) > 0.25)
        options["groups"] = "id"
    elif name == "zero_truncated_poisson":
        frame["y"] = np.maximum(rng.poisson(mean), 1)
    elif name == "binomial":
        frame["t"] = 10
        frame["y"] = rng.binomial(10, 1 / (1 + np.exp(1.5 * (0.9 - eta))))
        options["trials"] = "t"
    elif name in ("gamma", "inverse_gaussian"):
        frame["y"] = mean * rng.gamma(8.0, 1 / 8.0, rows)
    elif name == "beta":
        share = 1 / (1 + np.exp(1.5 * (0.9 - eta)))
        frame["y"] = np.clip(rng.beta(20 * share, 20 * (1 - share)), 1e-6, 1 - 1e-6)
    elif name == "ordered":
        frame["id"] = np.arange(rows) // 4
        owner = np.where(frame["id"] % 2 == 0, 1.5 * x, 2.0 - x)
        frame["y"] = np.digitize(owner + rng.logistic(size=rows), [0.0, 2.0])
        options["groups"] = "id"
    else:
        frame["y"] = mean * rng.weibull(2.0, rows)
        frame["ended"] = (rng.random(rows) > 0.2).astype(int)
        options["event"] = "ended"
    return frame, options
