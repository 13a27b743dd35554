"""Families whose rows are read in slabs predict as they do in memory."""

import numpy as np
import pandas as pd
import pytest

import smmix
from smmix.families import ZeroInflatedPoisson

ROWS = 400


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    x = rng.normal(size=ROWS)
    eta = np.where(rng.random(ROWS) < 0.5, -1.2 + 0.8 * x, 1.3 - 0.4 * x)
    noise = rng.logistic(size=ROWS)
    time = np.exp(eta) * rng.weibull(3.0, ROWS)
    return pd.DataFrame(
        {
            "x": x,
            "n": rng.integers(5, 12, ROWS),
            "time": np.minimum(time, 6.0),
            "ended": (time < 6.0).astype(int),
            # The last level is in the second half alone.
            "grade": np.minimum(
                np.digitize(2 * np.sin(np.arange(ROWS) // 4) + x + noise, [-1.0, 0.0, 1.0]),
                np.where(np.arange(ROWS) < ROWS // 2, 2, 3),
            ),
            "id": np.arange(ROWS) // 4,
            "count": rng.poisson(np.exp(eta)),
        }
    ).assign(s=lambda d: rng.binomial(d["n"], 1 / (1 + np.exp(-eta))))


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("s ~ x", {"family": "binomial", "trials": "n"}),
        ("time ~ x", {"family": "weibull", "event": "ended"}),
        ("grade ~ x", {"family": "ordered", "groups": "id"}),
        ("count ~ x", {"family": ZeroInflatedPoisson(inflate="~ n"), "k": 1}),
    ],
    ids=["trials", "event", "ordered", "inflation"],
)
def test_predictions_of_slabs_are_those_of_memory(frame, tmp_path, formula, options):
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=100)
    scan = smmix.scan_parquet(tmp_path / "rows.parquet")
    given = {"k": 2, **options}
    own = smmix.from_formula(formula, frame, **given)
    memory = own.fit(n_starts=5)
    read = smmix.from_formula(formula, scan, **given).fit(memory.params)
    assert read.llf == pytest.approx(memory.llf, rel=1e-10)
    for which in ("mean", "posterior", "variance"):
        slabs = [slab.to_numpy() for slab in read.predict(which=which)]
        expected = memory.predict(which=which).to_numpy().reshape(ROWS, -1)
        np.testing.assert_allclose(np.concatenate(slabs), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("bad ~ x", {"family": "poisson"}, "'bad' is -1 in row 350; a Poisson response"),
        ("bad ~ x", {"family": "gamma"}, "'bad' is -1 in row 350; a gamma response"),
        ("time ~ x", {"family": "weibull", "event": "n"}, "event is .* in row 0; it must be 1"),
        ("bad ~ x", {"family": "ordered"}, "The response holds numbers from -1 up; .* from 0 up"),
        ("time ~ x", {"subset": "nosuch > 1"}, "subset='nosuch > 1' does not choose rows: name"),
        ("time ~ x", {"subset": ""}, "subset='' does not choose rows"),
        ("time ~ x", {"groups": pd.NA}, "groups=<NA> is not a column"),
        ("time ~ x", {"common": np.array(1.0)}, "common must name terms as text"),
    ],
)
def test_what_rows_cannot_have_is_refused_with_its_row(frame, tmp_path, formula, options, message):
    rows = frame.assign(bad=np.where(np.arange(ROWS) == 350, -1.0, 1.0))
    rows.to_parquet(tmp_path / "rows.parquet", row_group_size=100)
    with pytest.raises(smmix.SmmixError, match=message):
        smmix.from_formula(formula, smmix.scan_parquet(tmp_path / "rows.parquet"), **options)


def test_an_offset_moves_no_levels(frame, tmp_path):
    frame.assign(shift=np.sin(np.arange(ROWS))).to_parquet(tmp_path / "rows.parquet")
    scan = smmix.scan_parquet(tmp_path / "rows.parquet")
    options = {"k": 1, "family": "ordered", "offset": "shift"}
    large = smmix.from_formula("grade ~ x", scan, **options)
    whole = smmix.from_formula("grade ~ x", pd.read_parquet(tmp_path / "rows.parquet"), **options)
    assert large.param_names == whole.param_names
    point = np.array([0.5, -1.0, 0.2, 1.0])
    assert large.loglike(point) == pytest.approx(whole.loglike(point), rel=1e-10)
