"""Parquet files in slabs: the same fit as in memory, whatever the slabs; bad files by name."""

import copy
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from helpers_parquet import MODELS, N, assert_same_fit, comparable, refused, scan

import smmix
from smmix.formula import incremental

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("n_slabs", [1, 7, 100])
@pytest.mark.parametrize("name", list(MODELS))
def test_equals_the_fit_in_memory(rows, path, tmp_path, name, n_slabs):
    formula, options = MODELS[name]
    if "zw" in options.values():
        rows = rows.assign(zw=np.exp(rows["zg"]))
        path = tmp_path / "weighted.parquet"
        rows.to_parquet(path, row_group_size=49)
    small = smmix.from_formula(formula, rows, **options).fit(n_starts=8)
    # Many slabs are read once, few on every pass.
    data = scan(path, n_slabs, memory=1 << 30 if n_slabs > 10 else 1)
    large = smmix.from_formula(formula, data, **options).fit(n_starts=8)
    assert_same_fit(large, small)
    if name == "factor, spline, weights, concomitant":
        assert comparable(large.summary()) == comparable(small.summary())


def test_held_in_memory_when_it_fits(rows, path):
    small = smmix.from_formula("y ~ x1 + g", rows).fit()
    large = smmix.from_formula("y ~ x1 + g", scan(path, 7, memory=1 << 30)).fit()
    assert type(large.model.source).__name__ == "HeldSource"
    assert_same_fit(large, small)


def test_threads_change_no_digit(path):
    model = smmix.from_formula("y ~ x1 + g", scan(path, 20))
    assert (model.fit(threads=1).params == model.fit(threads=4).params).all()


def test_threads_may_thaw_a_design_at_the_same_time(path, monkeypatch):
    designer = smmix.from_formula("y ~ bs(x2, df=4) + g", scan(path, 3)).large.learnt.designer
    fresh = pickle.loads(pickle.dumps(designer))
    plain = incremental.thaw

    def slow(*args):
        time.sleep(0.01)
        return plain(*args)

    monkeypatch.setattr(incremental, "thaw", slow)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: len(list(fresh.infos)), range(8)))
    assert seen == [2] * 8


@pytest.mark.parametrize("cov_type", ["opg", "HC0", "HC1"])
def test_robust_covariances(rows, path, cov_type):
    options = {"freq_weights": "w", "concomitant": "z"}
    small = smmix.from_formula("y ~ x1", rows, **options).fit(cov_type=cov_type)
    large = smmix.from_formula("y ~ x1", scan(path, 7), **options).fit(cov_type=cov_type)
    assert_same_fit(large, small)


def test_other_inference_is_that_of_the_fit_in_memory(rows, path):
    small = smmix.from_formula("y ~ x1 + g", rows).fit()
    large = smmix.from_formula("y ~ x1 + g", scan(path, 7)).fit()
    pd.testing.assert_frame_equal(large.proportions(), small.proportions(), rtol=1e-9)
    pd.testing.assert_frame_equal(
        large.wald_test_terms().table, small.wald_test_terms().table, rtol=1e-8
    )
    one = large.model.fit_constrained("x1[0] = x1[1]")
    two = small.model.fit_constrained("x1[0] = x1[1]")
    tests = large.compare_lr_test(one), small.compare_lr_test(two)
    np.testing.assert_allclose(tests[0].statistic, tests[1].statistic, rtol=1e-10)
    pd.testing.assert_series_equal(
        large.profile_likelihood_ci("x1[0]"), small.profile_likelihood_ci("x1[0]"), rtol=1e-8
    )
    climbed = large.model.fit(start_params=np.asarray(small.params))
    np.testing.assert_allclose(climbed.params, small.params, rtol=1e-10)


@pytest.fixture(scope="module", params=["factor, spline, weights, concomitant", "groups"])
def pair(request, rows, path):
    """The fit in memory and that of the file."""
    formula, options = MODELS[request.param]
    small = smmix.from_formula(formula, rows, **options).fit()
    return small, smmix.from_formula(formula, scan(path, 9), **options).fit()


@pytest.mark.parametrize("which", ["mean", "components", "prob", "posterior", "label", "quantile"])
def test_predictions_for_the_rows_of_the_fit(pair, which):
    small, large = pair
    made = pd.concat(list(large.predict(which=which)))
    expected = small.predict(which=which)
    assert len(made) == N
    made = made[made.notna().all(axis=1)]
    np.testing.assert_array_equal(made.index, expected.index)
    got = made.to_numpy(dtype=float).reshape(np.shape(expected))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_predictions_for_other_files_go_to_parquet(rows, path, tmp_path):
    small = smmix.from_formula("y ~ x1 + g", rows).fit()
    small.predict(scan(path, 5), which="posterior").to_parquet(tmp_path / "out.parquet")
    written = pd.read_parquet(tmp_path / "out.parquet")
    expected = small.predict(rows, which="posterior")
    assert list(written) == ["posterior_0", "posterior_1"]
    np.testing.assert_allclose(written, expected, rtol=1e-12)


def test_pickled_results_know_where_their_rows_are(path):
    fitted = smmix.from_formula("y ~ x1 + C(g)", scan(path, 7)).fit()
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert other.model.loglike(fitted.params) == fitted.model.loglike(fitted.params)
        assert comparable(other.summary()) == comparable(fitted.summary())


@pytest.mark.parametrize("memory", [1, 1 << 30])
def test_data_taken_away_leave_what_was_computed(path, memory):
    fitted = smmix.from_formula("y ~ x1 + C(g)", scan(path, 7, memory)).fit()
    bare = copy.deepcopy(fitted)
    bare.remove_data()
    stored = pickle.loads(pickle.dumps(bare))
    assert comparable(stored.summary()) == comparable(fitted.summary())
    pd.testing.assert_frame_equal(next(iter(stored.predict())), next(iter(fitted.predict())))
    for ask in (lambda: stored.model.loglike(stored.params), stored.model.fit, stored.margins):
        refused(r"taken away by remove_data\(\)", ask)


def test_what_has_been_read_is_let_go(tmp_path):
    values = np.random.default_rng(1).normal(size=(1_000_000, 5))
    pq.write_table(pa.table(dict(zip("abcde", values.T, strict=True))), tmp_path / "long.parquet",
                   row_group_size=50_000)  # fmt: skip
    before = pa.total_allocated_bytes()
    held = [
        pa.total_allocated_bytes() - before
        for _ in smmix.scan_parquet(tmp_path).slabs(list("abcde"), 10_000)
    ]
    assert max(held) < values.nbytes / 4


def test_several_files_of_slightly_different_types(rows, tmp_path):
    first, second = rows[:140], rows[140:]
    first.astype({"x2": "float32", "g": "category"}).to_parquet(tmp_path / "a.parquet")
    second.assign(g=second["g"].astype("category")).to_parquet(tmp_path / "b.parquet")
    again = pd.concat([first.astype({"x2": "float32"}).astype({"x2": float}), second])
    small = smmix.from_formula("y ~ x1 + x2 + C(g)", again).fit()
    for place in (
        tmp_path,
        tmp_path / "*.parquet",
        [tmp_path / "a.parquet", tmp_path / "b.parquet"],
    ):
        assert_same_fit(smmix.from_formula("y ~ x1 + x2 + C(g)", scan(place, 7)).fit(), small)


def test_whole_numbers_with_gaps_in_some_slabs_only(rows, tmp_path):
    frame = rows.assign(code=rows["code"].astype("Int64"))
    frame.loc[3, "code"] = pd.NA
    frame.to_parquet(tmp_path / "gaps.parquet")
    whole = pq.read_table(tmp_path / "gaps.parquet").to_pandas(ignore_metadata=True)
    small = smmix.from_formula("y ~ x1 + C(code)", whole).fit()
    large = smmix.from_formula("y ~ x1 + C(code)", scan(tmp_path / "gaps.parquet", 9)).fit()
    assert_same_fit(large, small)


def test_categories_keep_their_order(rows, tmp_path):
    order = pd.CategoricalDtype(["late", "c", "never", "b", "a"])
    frame = rows.assign(g=rows["g"].astype(order))
    frame.to_parquet(tmp_path / "ordered.parquet", row_group_size=100)
    small = smmix.from_formula("y ~ x1 + g", frame).fit()
    assert_same_fit(smmix.from_formula("y ~ x1 + g", scan(tmp_path, 7)).fit(), small)


def test_only_the_columns_of_the_formulas_are_read(path, monkeypatch):
    asked = []
    plain = pq.ParquetFile.iter_batches

    def watched(self, *args, columns=None, **kwargs):
        asked.append(tuple(columns))
        return plain(self, *args, columns=columns, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    smmix.from_formula("y ~ x1", scan(path, 7), freq_weights="w", subset="x2 > 1").fit()
    assert set(asked) == {("y", "x1", "w", "x2")}
