"""Panels with gaps and drop-outs: two trajectories, a risk factor, and what members are like."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd


@functools.cache
def panel(name: str = "gaussian", persons: int = 150, seed: int = 3) -> pd.DataFrame:
    """A level and a parabola in ``age``, of a family; ``truth`` is the component.

    Persons drop out after two to eight waves, miss some of these, and stand in no order. ``risk``
    raises the log odds of the parabola by 0.8; ``income`` and ``sex`` differ by component and are
    no part of the model.
    """
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=persons)
    member = (rng.random(persons) < 1 / (1 + np.exp(-0.8 * risk))).astype(int)
    frame = pd.DataFrame({"id": np.repeat(np.arange(persons), 8) + 1000})
    frame["wave"] = np.tile(np.arange(8), persons)
    owner = frame["id"].to_numpy() - 1000
    frame["age"], frame["risk"] = (frame["wave"] - 3.5) / 3.5, risk[owner]
    frame["truth"] = member[owner]
    frame["income"] = (rng.normal(size=persons) + member)[owner]
    frame["sex"] = np.where(rng.random(persons) < 0.3 + 0.4 * member, "m", "f")[owner]
    x = frame["age"].to_numpy()
    eta = np.where(frame["truth"] == 0, 0.3, 1.8 - 0.8 * x - 0.7 * x**2)
    frame["y"], frame["ended"] = response(name, eta, rng), rng.random(x.size) > 0.2
    stays = frame["wave"] < rng.integers(2, 9, persons)[owner]
    kept = stays & (rng.random(x.size) > 0.15)
    return frame[kept].sample(frac=1.0, random_state=1).reset_index(drop=True)


def response(name: str, eta: np.ndarray, rng: np.random.Generator) -> Any:
    """Draws of a family with a linear predictor."""
    mean, n = np.exp(eta), eta.size
    share = 1 / (1 + np.exp(2.0 * (0.9 - eta)))
    drawn = {
        "poisson": lambda: rng.poisson(mean),
        "negative_binomial": lambda: rng.poisson(mean * rng.gamma(2.0, 0.5, n)),
        "zero_inflated_poisson": lambda: rng.poisson(mean) * (rng.random(n) > 0.25),
        "zero_truncated_poisson": lambda: np.maximum(rng.poisson(mean), 1),
        "binomial": lambda: rng.binomial(1, share),
        "gamma": lambda: mean * rng.gamma(8.0, 1 / 8.0, n),
        "inverse_gaussian": lambda: mean * rng.gamma(8.0, 1 / 8.0, n),
        "beta": lambda: np.clip(rng.beta(20 * share, 20 * (1 - share)), 1e-6, 1 - 1e-6),
        "ordered": lambda: np.digitize(2 * eta + rng.logistic(size=n), [1.0, 3.0]),
        "weibull": lambda: mean * rng.weibull(2.0, n),
        "exponential": lambda: mean * rng.exponential(size=n),
        "censored_gaussian": lambda: np.maximum(3 * eta + 0.6 * rng.normal(size=n), 0.0),
    }
    return drawn.get(name, lambda: 3 * eta + 0.6 * rng.standard_t(6, size=n))()
