"""Parquet files in slabs: the same fit as in memory, whatever the slabs; bad files by name."""

import copy
import pickle
import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import smmix
from smmix.formula import incremental

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

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


@pytest.fixture(scope="module")
def rows():
    return make_rows(np.random.default_rng(3))


@pytest.fixture(scope="module")
def path(rows, tmp_path_factory):
    place = tmp_path_factory.mktemp("rows") / "rows.parquet"
    rows.to_parquet(place, row_group_size=70)
    return place


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


@pytest.mark.parametrize("which", ["mean", "components", "prob", "posterior", "label", "quantile"])
@pytest.mark.parametrize("name", ["factor, spline, weights, concomitant", "groups"])
def test_predictions_for_the_rows_of_the_fit(rows, path, name, which):
    formula, options = MODELS[name]
    small = smmix.from_formula(formula, rows, **options).fit()
    large = smmix.from_formula(formula, scan(path, 9), **options).fit()
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
