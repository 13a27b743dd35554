"""Parquet files that are damaged or hold what makes no model: one sentence that names the file."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers_parquet import N, assert_same_fit, refused, scan

import smmix

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def test_a_truncated_file_is_named(path, tmp_path):
    data = path.read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(data[: len(data) // 2])
    refused(r"cut\.parquet.*cannot be read", lambda: smmix.scan_parquet(cut))


def test_a_damaged_file_is_named(rows, tmp_path):
    place = tmp_path / "bent.parquet"
    rows.to_parquet(place, row_group_size=70)
    data = bytearray(place.read_bytes())
    data[1000:9000] = bytes(8000)
    place.write_bytes(bytes(data))
    refused(
        r"bent\.parquet.*cannot be read",
        lambda: smmix.from_formula("y ~ x1 + x2 + z", scan(place, 7)),
    )


def test_a_file_that_vanishes_later_is_named(rows, tmp_path):
    place = tmp_path / "gone.parquet"
    rows.to_parquet(place)
    model = smmix.from_formula("y ~ x1", scan(place, 7))
    place.unlink()
    refused(r"gone\.parquet.*cannot be read", model.fit)


@pytest.mark.parametrize(
    ("change", "formula", "options", "match"),
    [
        ({}, "y ~ nothing", {}, "'nothing'"),
        ({"x 1": (slice(None), 1.0)}, "y ~ x 1", {}, r'write Q\("x 1"\) for the column'),
        ({}, "y ~ x1", {"freq_weights": "nothing"}, "freq_weights='nothing' is not a column"),
        ({}, "y ~ x1", {"groups": np.arange(N)}, "groups must be the name of a column"),
        ({}, "y ~ x1", {"subset": [1, 2]}, "subset must be a condition"),
        ({}, "y ~ x1", {"subset": "x2 > 99"}, "leaves no rows"),
        ({}, "y ~ x1", {"missing": "raise"}, r"rows\.parquet.*'x1' is missing in row 5"),
        ({}, "y ~ I(x1 - x1.mean())", {}, "depends on other rows"),
        ({}, "y ~ x1 + I(2 * x1)", {}, "linear combination of 'x1'"),
        ({}, "y ~ x1", {"concomitant": "z + I(1 - z)"}, "linear combination"),
        ({"x1": (233, np.inf)}, "y ~ x1", {}, r"rows\.parquet: 'x1' is infinite in row 233"),
        ({"w": (300, -1)}, "y ~ x1", {"freq_weights": "w"}, "negative in row 300"),
        ({"id": (300, 3)}, "yg ~ x1", {"groups": "id"}, "group 3 of 'id'.*sort the data by 'id'"),
        ({"y": (slice(None), 1.0)}, "y ~ x1", {}, "constant"),
        ({"y": (3, 1e300)}, "y ~ x1", {}, "response 'y' is too large"),
        ({"y": (slice(None), np.nan)}, "y ~ x1", {}, "No complete rows are left: 'y' is missing"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(rows, tmp_path, change, formula, options, match):
    frame = rows.copy()
    for column, (where, value) in change.items():
        frame.loc[where, column] = value
    place = tmp_path / "rows.parquet"
    frame.to_parquet(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        refused(match, lambda: smmix.from_formula(formula, scan(place, 7), **options).fit())


def test_text_among_numbers_is_refused(rows, tmp_path):
    text = rows["x1"].map(str, na_action="ignore")
    frame = rows.assign(x1=text.where(rows.index != 300, "n/a"))
    frame.to_parquet(tmp_path / "text.parquet")
    refused("mixes numbers and text", lambda: smmix.from_formula("y ~ x1", scan(tmp_path, 7)))


def test_sampling_weights_of_a_group_must_agree(path):
    refused(
        "prob_weights vary within group 0",
        lambda: smmix.from_formula("yg ~ x1", scan(path, 7), groups="id", prob_weights="pw"),
    )


def test_a_varying_concomitant_is_told(path):
    with pytest.warns(UserWarning, match="'z' varies within group"):
        smmix.from_formula("yg ~ x1", scan(path, 7), groups="id", concomitant="z")


def test_what_needs_all_rows_says_so(path):
    fitted = smmix.from_formula("y ~ x1", scan(path, 7)).fit()
    for ask in (
        lambda: fitted.posterior,
        lambda: fitted.labels,
        lambda: fitted.fittedvalues,
        lambda: fitted.resid,
        lambda: fitted.quantile_residuals,
        lambda: fitted.model.score_obs(fitted.params),
        lambda: fitted.model.loglikeobs(fitted.params),
        fitted.margins,
        fitted.get_influence,
        fitted.get_prediction,
        lambda: fitted.model.fit(starts=np.zeros(N)),
    ):
        refused("not in memory", ask)
    grouped = smmix.from_formula("yg ~ x1", scan(path, 7), groups="id").fit(n_starts=2)
    refused("not in memory", grouped.get_influence)
    refused("'cluster'", lambda: fitted.get_robustcov_results("cluster", groups="g"))


def test_files_that_are_not_there(tmp_path):
    refused("There is no Parquet file", lambda: smmix.scan_parquet(tmp_path / "none.parquet"))
    refused("holds no .parquet file", lambda: smmix.scan_parquet(tmp_path))
    refused("empty list", lambda: smmix.scan_parquet([]))
    pd.DataFrame({"y": []}).to_parquet(tmp_path / "empty.parquet")
    refused("no rows", lambda: smmix.scan_parquet(tmp_path))
    (tmp_path / "key=1").mkdir()
    pd.DataFrame({"y": [1.0]}).to_parquet(tmp_path / "key=1" / "part.parquet")
    refused("'key=1'", lambda: smmix.scan_parquet(tmp_path))


def test_what_is_no_file_of_this_machine():
    refused("takes a file, a folder, a pattern or a list", lambda: smmix.scan_parquet(3))
    refused("dask.dataframe.read_parquet", lambda: smmix.scan_parquet("s3://bucket/rows.parquet"))


@pytest.mark.parametrize("empty", ["a", "b"])
def test_a_file_in_which_a_column_has_no_values(rows, tmp_path, empty):
    parts = {"a": rows[:100], "b": rows[100:]}
    parts[empty] = parts[empty].assign(x1=None, g=None)
    for name, part in parts.items():
        part.to_parquet(tmp_path / f"{name}.parquet")
    kept = parts["b" if empty == "a" else "a"]
    small = smmix.from_formula("y ~ x1 + g", kept).fit()
    large = smmix.from_formula("y ~ x1 + g", scan(tmp_path, 7)).fit()
    np.testing.assert_allclose(large.params, small.params, rtol=1e-10)
    assert large.model.design.n_dropped == N - small.nobs
    frame = rows.assign(x1=None)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_parquet(tmp_path / "b.parquet")
    refused("'x1' is missing", lambda: smmix.from_formula("y ~ x1", scan(tmp_path, 7)))


def test_a_file_without_rows_between_others(rows, tmp_path):
    for name, part in {"a": rows[:100], "b": rows[:0], "c": rows[100:]}.items():
        part.to_parquet(tmp_path / f"{name}.parquet")
    small = smmix.from_formula("y ~ x1 + g", rows).fit()
    assert_same_fit(smmix.from_formula("y ~ x1 + g", scan(tmp_path, 7)).fit(), small)


def test_files_with_damaged_names_or_text(rows, tmp_path):
    place = tmp_path / "bent.parquet"
    rows[["y", "g"]].assign(g="aaaaaaaa").to_parquet(place, compression=None)
    whole = place.read_bytes()
    place.write_bytes(whole.replace(b"aaaaaaaa", b"aaa\xff\xfeaaa"))
    refused(r"bent\.parquet.*cannot be read", lambda: smmix.from_formula("y ~ g", scan(place, 3)))
    pq.write_table(pa.table({"name_of_x": [1.0, 2.0]}), place, store_schema=False)
    place.write_bytes(place.read_bytes().replace(b"name_of_x", b"name\xff\xfe_x"))
    refused(r"bent\.parquet.*cannot be read", lambda: smmix.scan_parquet(place))


def test_checksums_of_pages_are_verified(rows, tmp_path):
    place = tmp_path / "sums.parquet"
    table = pa.Table.from_pandas(rows[["y", "x1"]].fillna(0.0))
    options = {"write_page_checksum": True, "compression": "none", "use_dictionary": False}
    pq.write_table(table, place, **options)
    value = np.float64(rows["x1"][50]).tobytes()
    place.write_bytes(place.read_bytes().replace(value, np.float64(0.5).tobytes()))
    refused(r"sums\.parquet.*cannot be read", lambda: smmix.from_formula("y ~ x1", scan(place, 3)))


def test_files_with_other_columns(rows, tmp_path):
    rows.to_parquet(tmp_path / "a.parquet")
    rows.drop(columns="x2").to_parquet(tmp_path / "b.parquet")
    refused(r"b\.parquet.*no column 'x2'", lambda: smmix.scan_parquet(tmp_path))
    pq.write_table(pa.table([[1.0], [1.0]], names=["x1", "x1"]), tmp_path / "b.parquet")
    refused("several columns named 'x1'", lambda: smmix.scan_parquet(tmp_path / "b.parquet"))
    rows.assign(x2="text").to_parquet(tmp_path / "b.parquet")
    refused("'x2' holds", lambda: smmix.from_formula("y ~ x2", smmix.scan_parquet(tmp_path)))


@pytest.mark.parametrize("options", [{"memory": 0}, {"rows_per_slab": -1}, {"memory": "1GB"}])
def test_options_of_the_scan(path, options):
    refused(next(iter(options)), lambda: smmix.scan_parquet(path, **options))


def test_a_missing_package_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(r"pip install 'smmix\[parquet\]'", lambda: smmix.scan_parquet(path))
