"""Fits of data on disk and on Dask: ``python tests/benchmarks/bench_out_of_core.py --rows 1e7``.

Prints a table: reading the file alone, passes over it, the whole fit with its peak memory, and
passes of two Dask workers against two threads in memory, by turns.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

COEF = np.array([[0.5, 1.5, 2, 3, -1, 0.5], [1, 2, 3, 4, 1, -0.5], [2, 3, 4, 6, 0, 0]])
COLUMNS = ["y", "x1", "x2", "x3", "x4", "x5"]
FORMULA = "y ~ x1 + x2 + x3 + x4 + x5"


def write_rows(path: Path, n_rows: int) -> None:
    """Rows of three lines with five regressors, in row groups of half a million."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(5)
    writer = None
    for start in range(0, n_rows, 1_000_000):
        n = min(1_000_000, n_rows - start)
        x = rng.normal(size=(n, 5))
        c = rng.choice(3, size=n, p=[0.4, 0.3, 0.3])
        noise = rng.normal(size=n) * np.array([1.0, 0.7, 1.3])[c]
        y = COEF[c, 0] + (x * COEF[c, 1:]).sum(axis=1) + noise
        table = pa.table({"y": y, **{f"x{j + 1}": x[:, j] for j in range(5)}})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=500_000)
    writer.close()


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def params() -> object:
    from smmix.core.params import MixtureParams

    return MixtureParams(COEF[None].copy(), np.ones((1, 3, 1)), np.zeros((1, 2, 1)))


def measure_file(path: str, memory: int) -> dict[str, float]:
    """Run in a process of its own, so that the peak is that of the fit."""
    import smmix
    from smmix.core.information import information
    from smmix.fit.run import one_blas_thread

    begin = time.perf_counter()
    data = smmix.scan_parquet(path, memory=memory)
    model = smmix.from_formula(FORMULA, data, k=3)
    results = model.fit()
    text = str(results.summary())
    whole = time.perf_counter() - begin
    assert results.converged
    assert "Component 2" in text
    cpu = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    spec, at = model.spec, params()
    read: list[float] = []
    e_step: list[float] = []
    info: list[float] = []
    with one_blas_thread():
        for _ in range(3):
            read.append(seconds(lambda: sum(1 for _ in data.slabs(COLUMNS, 131072))))
            e_step.append(seconds(lambda: model.source.reduce(lambda b: spec.e_step(at, b), 3)))
            info.append(seconds(lambda: model.source.reduce(lambda b: information(spec, at, b), 3)))
    return {
        "fit, from start to summary [s]": whole,
        "  processor time of it [s]": cpu,
        "peak memory [GB]": peak / 1e9,
        "reading the file alone [s]": statistics.median(read),
        "pass of EM [s]": statistics.median(e_step),
        "pass of EM / reading alone": statistics.median(e_step) / statistics.median(read),
        "pass of Newton [s]": statistics.median(info),
        "held in memory": float(type(model.source).__name__ == "HeldSource"),
    }


def measure_dask(path: str, rounds: int) -> dict[str, float]:
    """Passes of a cluster of two workers against two threads, by turns."""
    import dask
    import dask.dataframe as dd
    from distributed import Client, LocalCluster, futures_of, wait

    import smmix
    from smmix.fit.run import one_blas_thread

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        frame = dd.read_parquet(path, columns=COLUMNS, split_row_groups=2)
        model = smmix.from_formula(FORMULA, frame, k=3)
        wait(futures_of(model.source.slabs))
        with dask.config.set(scheduler="threads"):
            held = smmix.from_formula(FORMULA, smmix.scan_parquet(path, memory=1 << 40), k=3)
            memory = held.source.sample(held.source.n_units, np.random.default_rng(0))
        del held
        spec, at = model.spec, params()
        ours: list[float] = []
        theirs: list[float] = []
        cpu = np.zeros(3)
        with one_blas_thread():
            for _ in range(rounds):
                clocks = [sum(client.run(time.process_time).values()), time.process_time()]
                ours.append(seconds(lambda: model.source.reduce(lambda b: spec.e_step(at, b), 3)))
                clocks += [sum(client.run(time.process_time).values()), time.process_time()]
                theirs.append(seconds(lambda: memory.reduce(lambda b: spec.e_step(at, b), 3)))
                cpu += clocks[2] - clocks[0], clocks[3] - clocks[1], time.process_time() - clocks[3]
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return {
        "pass of two workers [s]": statistics.median(ours),
        "pass of two threads [s]": statistics.median(theirs),
        "workers / threads": statistics.median(ratios),
        "workers / threads, fastest passes": min(ours) / min(theirs),
        "processor time: workers [s]": cpu[0] / rounds,
        "processor time: client, scheduler [s]": cpu[1] / rounds,
        "processor time: threads [s]": cpu[2] / rounds,
        "processor time: workers / threads": cpu[0] / cpu[2],
        "partitions": float(len(model.source.slabs)),
    }


def in_own_process(arguments: list[str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--memory", type=float, default=1e9, help="bytes that rows may take")
    parser.add_argument("--path", type=Path, help="keep the rows here, and use them again")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--part", choices=["file", "dask"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "file":
        print(json.dumps(measure_file(str(given.path), int(given.memory))))
        return
    if given.part == "dask":
        print(json.dumps(measure_dask(str(given.path), given.rounds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = given.path or Path(folder) / "rows.parquet"
        if not path.exists():
            write_rows(path, int(given.rows))
        print(f"{given.rows:g} rows, 5 regressors, k = 3; {os.cpu_count()} cores")
        for title, arguments in (
            ("Parquet", ["--part", "file", "--memory", str(given.memory)]),
            ("Dask", ["--part", "dask", "--rounds", str(given.rounds)]),
        ):
            print(title)
            for name, value in in_own_process([*arguments, "--path", str(path)]).items():
                print(f"  {name:36s} {value:10.3f}")


if __name__ == "__main__":
    main()
