"""Dask frames: the same fit as in memory on any scheduler, also when a worker is lost."""

import copy
import os
import signal
import threading
import warnings
from contextlib import contextmanager, suppress

import numpy as np
import pandas as pd
import pytest
from helpers_parquet import MODELS, N, assert_same_fit, comparable, refused

import smmix

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")


@pytest.fixture(autouse=True)
def one_process():
    """A scheduler without threads is enough where no cluster is asked for."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
        )
        client = distributed.Client(cluster, set_as_default=False)
        yield client
        client.close()
        # No cluster may hold a test run up, whatever became of its workers.
        with suppress(TimeoutError):
            cluster.close(timeout=20)


@contextmanager
def on(client):
    """Work goes to the cluster.

    Its client must not stand in the configuration, which the nanny of a worker that died hands
    to the next one, pickled: the worker would never be started again.
    """
    with client.as_current(), dask.config.set(scheduler="distributed"):
        yield


def partitioned(rows, n_partitions):
    return dd.from_pandas(rows, npartitions=n_partitions, sort=False)


@pytest.mark.slow
@pytest.mark.parametrize("n_partitions", [1, 7, 30])
@pytest.mark.parametrize("name", [name for name in MODELS if "groups" not in MODELS[name][1]])
def test_equals_the_fit_in_memory(rows, name, n_partitions):
    formula, options = MODELS[name]
    small = smmix.from_formula(formula, rows, **options).fit(n_starts=8)
    large = smmix.from_formula(formula, partitioned(rows, n_partitions), **options).fit(n_starts=8)
    assert_same_fit(large, small)


@pytest.mark.parametrize("n_partitions", [1, 5, 20])
@pytest.mark.parametrize("name", [name for name in MODELS if "groups" in MODELS[name][1]])
def test_groups_within_partitions(rows, name, n_partitions):
    formula, options = MODELS[name]
    rows = rows.assign(zw=np.exp(rows["zg"]))
    size = N // n_partitions
    parts = [rows[i * size : (i + 1) * size] for i in range(n_partitions)]
    data = dd.from_delayed([dask.delayed(part) for part in parts], meta=rows[:0], verify_meta=False)
    small = smmix.from_formula(formula, rows, **options).fit(n_starts=8)
    assert_same_fit(smmix.from_formula(formula, data, **options).fit(n_starts=8), small)


def test_groups_across_partitions_are_refused_and_can_be_brought_together(rows):
    mixed = rows.sample(frac=1.0, random_state=1)
    data = partitioned(mixed, 5)
    refused(
        r"stand apart, in partition \d and partition \d; .*data.shuffle\('id'\)",
        lambda: smmix.from_formula("yg ~ x1", data, groups="id"),
    )
    small = smmix.from_formula("yg ~ x1", rows, groups="id").fit()
    large = smmix.from_formula("yg ~ x1", data.shuffle("id"), groups="id").fit()
    np.testing.assert_allclose(large.params, small.params, rtol=1e-10)
    np.testing.assert_allclose(large.bse, small.bse, rtol=1e-10)


def test_the_default_scheduler_needs_no_set_up(rows):
    small = smmix.from_formula("y ~ x1 + g", rows).fit()
    with dask.config.set(scheduler=None):
        large = smmix.from_formula("y ~ x1 + g", partitioned(rows, 7)).fit()
        assert comparable(large.summary()) == comparable(small.summary())
    assert_same_fit(large, small)


@pytest.mark.parametrize("which", ["mean", "components", "posterior", "label", "quantile"])
def test_predictions_are_dask_frames(rows, which):
    data = partitioned(rows, 7)
    small = smmix.from_formula("y ~ x1 + g", rows).fit()
    large = smmix.from_formula("y ~ x1 + g", data).fit()
    for made in (large.predict(which=which), large.predict(data, which=which)):
        assert isinstance(made, dd.DataFrame)
        assert made.npartitions == 7
        frame = made.compute()
        np.testing.assert_array_equal(frame.index, rows.index)
        assert (frame.dtypes == made.dtypes).all()
    used = large.predict(which=which).compute().dropna()
    expected = np.asarray(small.predict(which=which), dtype=float)
    got = used.to_numpy(dtype=float).reshape(expected.shape)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_partitions_are_read_once(rows):
    read = []

    def watched(part):
        read.append(len(part))
        return part

    data = partitioned(rows, 4).map_partitions(watched, meta=rows[:0])
    model = smmix.from_formula("y ~ x1 + g", data)
    before = len(read)
    model.fit().summary()
    assert len(read) == before


def test_results_can_be_kept(rows, tmp_path):
    fitted = smmix.from_formula("y ~ x1 + g", partitioned(rows, 4)).fit()
    assert copy.deepcopy(fitted).model.loglike(fitted.params) == fitted.llf
    refused("cannot be pickled.*remove_data", lambda: fitted.save(tmp_path / "fit.pkl"))
    posterior = fitted.predict(which="posterior").compute()
    fitted.save(tmp_path / "fit.pkl", remove_data=True)
    stored = smmix.MixtureResults.load(tmp_path / "fit.pkl")
    assert comparable(stored.summary()) == comparable(fitted.summary())
    pd.testing.assert_frame_equal(stored.predict(which="posterior").compute(), posterior)


def test_threads_belong_to_the_scheduler(rows):
    model = smmix.from_formula("y ~ x1", partitioned(rows, 3))
    refused("threads means nothing for a Dask frame", lambda: model.fit(threads=2))


def test_errors_of_partitions_name_them(rows):
    bad = rows.copy()
    bad.loc[N - 5, "x1"] = np.inf
    refused(
        "In partition 6: 'x1' is infinite in row",
        lambda: smmix.from_formula("y ~ x1", partitioned(bad, 7)),
    )


def test_partitions_that_cannot_be_read_are_named_with_their_files(rows, tmp_path):
    for number in range(3):
        rows.iloc[number::3].to_parquet(tmp_path / f"part{number}.parquet")
    cut = tmp_path / "part1.parquet"
    cut.write_bytes(cut.read_bytes()[:3000])
    data = dd.read_parquet(tmp_path)
    refused(r"partition \d from '.*part1\.parquet'", lambda: smmix.from_formula("y ~ x1", data))
    rows.drop(columns="x1").to_parquet(cut)
    data = dd.read_parquet(tmp_path)
    refused(r"partition \d .*'x1'", lambda: smmix.from_formula("y ~ x1", data))


def test_partitions_of_different_types_are_refused(rows):
    parts = [rows[:100], rows[100:].assign(x1=rows["g"])]
    data = dd.from_delayed([dask.delayed(p) for p in parts], meta=rows[:0], verify_meta=False)
    refused(
        "'x1' holds numbers in partition 0 and text in partition 1",
        lambda: smmix.from_formula("y ~ x1", data),
    )
    refused("The data have no rows", lambda: smmix.from_formula("y ~ x1", partitioned(rows[:0], 1)))


def test_categories_that_partitions_know_of_differ(rows):
    parts = [rows[:100], rows[100:]]
    parts = [part.assign(g=part["g"].astype("category")) for part in parts]
    data = dd.from_delayed([dask.delayed(p) for p in parts], meta=parts[0][:0], verify_meta=False)
    small = smmix.from_formula("y ~ x1 + C(g)", rows).fit()
    assert_same_fit(smmix.from_formula("y ~ x1 + C(g)", data).fit(), small)


# -- a cluster ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_cluster_gives_the_same_fit(rows, client):
    formula, options = MODELS["factor, spline, weights, concomitant"]
    small = smmix.from_formula(formula, rows, **options).fit(n_starts=8)
    with on(client):
        large = smmix.from_formula(formula, partitioned(rows, 5), **options).fit(n_starts=8)
        assert comparable(large.summary()) == comparable(small.summary())
        posterior = large.predict(which="posterior").compute().dropna()
        assert_same_fit(large, small)
    # Elsewhere the rows cannot be had, and the results say so.
    refused("no longer in use", lambda: large.model.loglike(large.params))
    np.testing.assert_allclose(posterior, small.posterior, rtol=1e-9, atol=1e-12)


def test_functions_of_the_caller_reach_the_workers(rows, client):
    def double(values):
        return 2.0 * values

    small = smmix.from_formula("y ~ double(x1)", rows).fit()
    with on(client):
        large = smmix.from_formula("y ~ double(x1)", partitioned(rows, 3)).fit()
        assert_same_fit(large, small)


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(client):
    rng = np.random.default_rng(8)
    n = 200_000
    x = rng.normal(size=n)
    second = rng.random(n) < 0.4
    y = np.where(second, 1.0 + 2.0 * x, -x) + rng.normal(size=n)
    frame = pd.DataFrame({"x": x, "y": y})
    pids = [info["pid"] for info in client.run(lambda: {"pid": os.getpid()}).values()]
    killed = []

    def kill_soon(stage, done, total, best):
        if stage == "convergence" and not killed:
            killed.append(pids[0])
            threading.Timer(0.02, os.kill, (pids[0], signal.SIGKILL)).start()

    with on(client):
        data = partitioned(frame, 12)
        calm = smmix.from_formula("y ~ x", data).fit()
        shaken = smmix.from_formula("y ~ x", data).fit(callback=kill_soon)
        assert killed
        after = client.run(os.getpid)
        assert killed[0] not in after.values()
    assert (shaken.params == calm.params).all()
    assert (shaken.bse == calm.bse).all()
    assert shaken.llf == calm.llf


@pytest.mark.slow
def test_an_interrupted_fit_leaves_the_cluster_idle(rows, client):
    def interrupt(stage, done, total, best):
        raise KeyboardInterrupt

    with on(client):
        model = smmix.from_formula("y ~ x1", partitioned(rows, 5))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                stopped = model.fit(callback=interrupt)
            except KeyboardInterrupt:
                stopped = None
        assert stopped is None or stopped.status == "interrupted"
        assert not any(client.processing().values())
        assert model.fit().converged
