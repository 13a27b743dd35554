"""Data sets that the tests of model, results, criteria and prediction share."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import smmix


@functools.cache
def engel() -> pd.DataFrame:
    return sm.datasets.engel.load_pandas().data


@functools.cache
def panel(n_groups: int = 60, seed: int = 5) -> pd.DataFrame:
    """Two lines with a common slope of x2, groups that share a component, and every extra."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 8, n_groups)
    group = np.repeat(np.arange(n_groups), sizes)
    z = rng.normal(size=n_groups)
    component = (rng.random(n_groups) < 1 / (1 + np.exp(-0.3 - z))).astype(int)
    n = group.size
    frame = pd.DataFrame(
        {
            "x1": rng.normal(size=n),
            "x2": rng.normal(size=n),
            "z": z[group],
            "id": group + 100,
            "f": rng.integers(1, 4, n).astype(float),
            "w": (0.5 + rng.random(n_groups))[group],
            "o": rng.normal(size=n),
            "truth": component[group],
        }
    )
    line = np.where(frame["truth"] == 1, 1 + 2 * frame["x1"], -1 - frame["x1"])
    frame["y"] = frame["o"] + line + 0.5 * frame["x2"] + 0.7 * rng.normal(size=n)
    told = rng.random(n_groups) < 0.2
    frame["known"] = np.where(told[group], frame["truth"], np.nan)
    return frame.sample(frac=1.0, random_state=1)


@functools.cache
def engel_fit(k: int = 2, **options):
    return smmix.from_formula("foodexp ~ income", engel(), k=k).fit(**options)


EVERYTHING = {
    "concomitant": "z",
    "groups": "id",
    "freq_weights": "f",
    "prob_weights": "w",
    "offset": "o",
    "known": "known",
    "common": ["x2"],
    "variance": "equal",
}


@functools.cache
def everything_model():
    return smmix.from_formula("y ~ x1 + x2", panel(), k=2, **EVERYTHING)


@functools.cache
def everything_fit():
    return everything_model().fit()


def log_likelihood_by_hand(frame: pd.DataFrame, params: dict, k: int = 2) -> complex:
    """The pseudo log-likelihood of `everything_model`, unit by unit from its definition."""
    frequency_sum = frame["f"].sum()
    scale = frequency_sum / (frame["f"] * frame["w"]).sum()
    total = 0.0
    for _, rows in frame.groupby("id"):
        logits = [0.0] + [
            params[f"mixing.Intercept[{c}]"] + params[f"mixing.z[{c}]"] * rows["z"].iloc[0]
            for c in range(1, k)
        ]
        logits = np.array(logits)
        log_prior = logits - np.log(np.exp(logits).sum())
        told = rows["known"].iloc[0]
        terms = []
        for c in range(k):
            if not np.isnan(told) and told != c:
                continue
            mean = (
                rows["o"]
                + params[f"Intercept[{c}]"]
                + params[f"x1[{c}]"] * rows["x1"]
                + params["x2"] * rows["x2"]
            )
            e = (rows["y"] - mean) / params["sigma"]
            log_density = -0.5 * e**2 - np.log(params["sigma"]) - 0.5 * np.log(2 * np.pi)
            terms.append(log_prior[c] + (rows["f"] * log_density).sum())
        terms = np.array(terms)
        peak = terms.real.max()
        total += scale * rows["w"].iloc[0] * (np.log(np.exp(terms - peak).sum()) + peak)
    return total


def refusal(call, *words):
    """The message of the SmmixError that a call raises; it holds all the words."""
    with pytest.raises(smmix.SmmixError) as caught:
        call()
    message = str(caught.value)
    for word in words:
        assert word in message, message
    return message
