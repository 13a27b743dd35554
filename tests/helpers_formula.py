"""A frame for formulas, with and without gaps, and the check that bad input is refused."""

import numpy as np
import pandas as pd
import pytest

from smmix.errors import SmmixError
from smmix.formula import build_design


def make_frame(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x1": rng.normal(size=n),
            "x2": rng.uniform(1, 5, size=n),
            "z1": rng.normal(size=n),
            "g": rng.choice(["a", "b", "c"], size=n),
            "id": np.arange(n) // 4,
            "w": rng.integers(1, 4, size=n).astype(float),
            "o": rng.normal(size=n),
        }
    )


def make_gaps():
    """The frame with one missing value in each column but "w"."""
    frame = make_frame()
    for row, name in enumerate(["y", "x1", "x2", "z1", "g", "o"]):
        frame.loc[2 * row + 1, name] = np.nan
    frame["id"] = frame["id"].astype(float)
    frame.loc[20, "id"] = np.nan
    return frame


def refused(match, formula, data, **kwargs):
    with pytest.raises(SmmixError, match=match) as caught:
        build_design(formula, data, env=1, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith((".", "?", ")"))
