"""The bootstrap of rows that are not in memory: Poisson counts of units, made on every pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import smmix
from smmix.core.memory import MemorySource
from smmix.resampling import bootstrap
from smmix.sources.reweighted import ReweightedSource

N = 1200


def table():
    rng = np.random.default_rng(8)
    x, group = rng.normal(size=N), np.repeat(np.arange(N // 4), 4)
    upper, shared = rng.random(N) < 0.4, np.repeat(rng.random(N // 4) < 0.4, 4)
    noise = 0.7 * rng.normal(size=N)
    return pd.DataFrame(
        {
            "y": np.where(upper, 4 - x, x) + noise,
            "yg": np.where(shared, 4 - x, x) + noise,
            "x": x,
            "g": group,
            "w": rng.integers(1, 4, N).astype(float),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("pyarrow")
    path = tmp_path_factory.mktemp("rows")
    table().to_parquet(path / "rows.parquet")
    return path


def fitted(folder, formula="y ~ x", rows_per_slab=300, **options):
    data = smmix.scan_parquet(folder, memory=1, rows_per_slab=rows_per_slab)
    return smmix.from_formula(formula, data, **options).fit()


def counts(n_units, seed):
    """How often one data set holds each unit."""
    source = ReweightedSource(
        MemorySource(np.zeros(n_units), np.ones((n_units, 1))), (seed,), False
    )
    return np.concatenate([np.ravel(block.weight) for block in source.blocks()])


def test_counts_are_poisson():
    drawn = counts(200_000, 5)
    frequency = np.bincount(drawn.astype(int), minlength=5)[:5] / drawn.size
    expected = np.exp(-1) / np.array([1, 1, 2, 6, 24])
    np.testing.assert_allclose(frequency, expected, atol=5 * np.sqrt(0.25 / drawn.size))
    assert abs(np.corrcoef(drawn, counts(200_000, 6))[0, 1]) < 5 / np.sqrt(drawn.size)


def test_counts_of_weighted_rows_have_the_weight_as_their_mean():
    weight = np.repeat([1.0, 2.0, 7.5], 50_000)
    source = MemorySource(np.zeros(weight.size), np.ones((weight.size, 1)), weight=weight)
    drawn = ReweightedSource(source, (3,), counted=True)
    drawn = np.concatenate([np.ravel(block.weight) for block in drawn.blocks()])
    for mean in (1.0, 2.0, 7.5):
        part = drawn[weight == mean]
        assert part.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / part.size))
        assert part.var() == pytest.approx(mean, rel=0.05)


def test_a_replicate_is_the_fit_to_its_counts(folder):
    results = fitted(folder)
    found = results.bootstrap(3, "rows", rng=4)
    frame = table()
    for number, seed in enumerate(bootstrap._seeds(np.random.default_rng(4), 3)):
        count = counts(N, int(seed.generate_state(1, np.uint64)[0]))
        drawn = frame.loc[np.repeat(np.arange(N), count.astype(int))]
        alone = smmix.from_formula("y ~ x", drawn).fit(start_params=results.params)
        np.testing.assert_allclose(found.params.loc[number], alone.params, rtol=1e-6, atol=1e-7)
        assert found.replicates["llf"][number] == pytest.approx(alone.llf, rel=1e-10)


def test_slabs_and_partitions_do_not_matter(folder):
    one = fitted(folder, rows_per_slab=170).bootstrap(4, "rows", rng=2)
    two = fitted(folder, rows_per_slab=N).bootstrap(4, "rows", rng=2)
    np.testing.assert_allclose(one.params, two.params, rtol=1e-9)
    frames = pytest.importorskip("dask.dataframe")
    parts = frames.from_pandas(table(), npartitions=5, sort=False)
    three = smmix.from_formula("y ~ x", parts).fit().bootstrap(4, "rows", rng=2)
    np.testing.assert_allclose(one.params, three.params, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ x", {}),
        ("y ~ x", {"freq_weights": "w"}),
        ("y ~ x", {"prob_weights": "w"}),
        ("yg ~ x", {"groups": "g"}),
        ("yg ~ x", {"groups": "g", "freq_weights": "w", "variance": "equal"}),
    ],
)
def test_errors_are_those_of_the_bootstrap_in_memory(folder, formula, options):
    large = fitted(folder, formula, **options).bootstrap(100, "rows")
    small = smmix.from_formula(formula, table(), **options).fit().bootstrap(100, "rows", rng=1)
    assert large.kind == small.kind
    assert large.n_failed == 0
    np.testing.assert_allclose(np.log(large.bse / small.bse), 0.0, atol=4.5 / np.sqrt(100))


def test_bootstrap_errors_enter_the_summary(folder):
    results = fitted(folder)
    robust = results.get_robustcov_results("bootstrap", n_boot=20, kind="rows")
    np.testing.assert_allclose(robust.bse, results.bootstrap(20, "rows").bse, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "parametric"}, "kind='rows'"),
        ({"kind": "groups"}, "needs a model with groups"),
        ({"kind": "wild"}, "'wild'"),
        ({"kind": "rows", "n_starts": 5}, "n_starts"),
    ],
)
def test_what_needs_rows_at_hand_says_so(folder, options, message):
    with pytest.raises(smmix.SmmixError, match=message):
        fitted(folder).bootstrap(5, **options)


def test_weights_that_cannot_be_told_apart_are_refused(folder):
    results = fitted(folder, freq_weights="w", prob_weights="w")
    with pytest.raises(smmix.SmmixError, match="both freq_weights and prob_weights"):
        results.bootstrap(5, "rows")
