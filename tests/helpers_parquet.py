"""Rows, models and comparisons of the tests on data that are not in memory."""

import re

import numpy as np
import pandas as pd
import pytest

import smmix

N = 320


def make_rows(rng):
    frame = pd.DataFrame(
        {
            "x1": rng.normal(size=N),
            "x2": rng.uniform(0.0, 10.0, N),
            "z": rng.normal(size=N),
            "g": rng.choice(list("abc"), N),
            "code": rng.integers(1, 4, N).astype(float),
            "w": rng.integers(0, 4, N),
            "pw": rng.uniform(0.5, 2.0, N),
            "shift": rng.normal(size=N),
            "id": np.repeat(np.arange(N // 4), 4),
        }
    )
    by_row = rng.random(N) < 1.0 / (1.0 + np.exp(-frame["z"]))
    frame["member"] = by_row
    line = np.where(by_row, 1.0 + 2.0 * frame["x1"], -1.0 - frame["x1"] + np.sin(frame["x2"]))
    noise = rng.normal(size=N)
    frame["y"] = line + (frame["g"] == "b") + noise * np.where(by_row, 0.5, 0.8)
    by_group = np.repeat(rng.random(N // 4) < 0.4, 4)
    frame["yg"] = np.where(by_group, 1.0 + 2.0 * frame["x1"], -1.0 - frame["x1"]) + 0.7 * noise
    frame["zg"] = np.repeat(rng.normal(size=N // 4), 4)
    # A level that only the last rows have, and holes here and there.
    frame.loc[N - 9 :, "g"] = "late"
    frame.loc[[5, 233], "x1"] = np.nan
    frame.loc[[17, N - 2], "y"] = np.nan
    frame.loc[200, "z"] = np.nan
    frame.loc[N - 20, "g"] = None
    return frame


def scan(path, n_slabs, memory=1):
    return smmix.scan_parquet(path, rows_per_slab=-(-N // n_slabs), memory=memory)


def refused(match, function):
    with pytest.raises(smmix.SmmixError, match=match) as caught:
        function()
    assert "\n" not in str(caught.value)


def assert_same_fit(large, small):
    assert large.model.param_names == small.model.param_names
    for name in ("params", "bse", "tvalues", "mixing_weights", "sigma"):
        left, right = getattr(large, name), getattr(small, name)
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(large.llf, small.llf, rtol=1e-12)
    np.testing.assert_allclose(large.info_criteria(), small.info_criteria(), rtol=1e-10)
    np.testing.assert_allclose(
        large.classification_table(), small.classification_table(), rtol=1e-9
    )
    for name in ("nobs", "df_model", "df_resid", "k", "converged", "status"):
        assert getattr(large, name) == getattr(small, name), name
    assert large.model.design.n_dropped == small.model.design.n_dropped
    assert len(large.starts) == len(small.starts)
    np.testing.assert_array_equal(large.starts["hits"], small.starts["hits"])


def comparable(summary):
    """A summary without its clock and what hangs on rounding: the path and a score near zero."""
    return re.sub(r"(Time|No. Iterations|Max \|score\| / n):\s+\S+", r"\1", str(summary))


MODELS = {
    "factor, spline, weights, concomitant": (
        "y ~ x1 + bs(x2, df=4) + C(g)",
        {"concomitant": "~ z", "freq_weights": "w"},
    ),
    "sampling weights and offset": (
        "y ~ center(x1) + np.log(x2 + 1)",
        {"prob_weights": "pw", "offset": "shift"},
    ),
    "both weights": ("y ~ x1", {"prob_weights": "pw", "freq_weights": "w"}),
    "plain numbers": ("y ~ x1 * z", {"freq_weights": "w", "offset": "shift"}),
    "groups": ("yg ~ x1", {"groups": "id", "concomitant": "zg", "freq_weights": "w"}),
    "groups, sampling weights": ("yg ~ x1 + C(code)", {"groups": "id", "prob_weights": "zw"}),
    "common, equal": ("y ~ x1 + g", {"common": ["g"], "variance": "equal", "k": 3}),
    "condition": ("y ~ x1", {"subset": "x2 > 2 and g != 'a'"}),
    "all at once": (
        "yg ~ x1 + bs(x2, df=4) + C(code)",
        {
            "groups": "id",
            "concomitant": "zg",
            "freq_weights": "w",
            "prob_weights": "zw",
            "offset": "shift",
            "subset": "x2 > 1",
            "common": ["C(code)"],
            "fixed": {"sigma[1]": 0.7},
        },
    ),
    "formula by component": (["y ~ x1", "y ~ x1 + x2"], {}),
    "one component": ("y ~ x1 + C(code)", {"k": 1}),
}
