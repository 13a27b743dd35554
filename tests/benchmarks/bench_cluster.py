"""What a pass on many workers costs besides arithmetic.

All workers live in this process and talk over TCP, and hold next to nothing, so that what is left
is Dask's own work (processor time of client, scheduler and workers together) and the bytes that
pass through the loopback interface (those of other programs included).
"""

from __future__ import annotations

import os
import pickle
import statistics
import time
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil
from distributed import Client, LocalCluster

from smmix.core.information import information
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams, ParamLayout
from smmix.families.gaussian import Gaussian
from smmix.mixing.constant import ConstantMixing
from smmix.sources.dask import DaskSource, dask_delayed, persisted

ROWS, COLUMNS, K = 200, 6, 3
SPEC = MixtureSpec(Gaussian(), ConstantMixing(), ParamLayout(K, COLUMNS, 1, 1))
PARAMS = MixtureParams(
    np.random.default_rng(0).normal(size=(1, K, COLUMNS)), np.ones((1, K, 1)), np.zeros((1, 2, 1))
)


def make_slab(number: int) -> MemorySource:
    rng = np.random.default_rng(number)
    x = np.column_stack([np.ones(ROWS), rng.normal(size=(ROWS, COLUMNS - 1))])
    return MemorySource(rng.normal(size=ROWS), x, threads=1)


def sent() -> int:
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent


def measure(n_workers: int, n_partitions: int, rounds: int = 5) -> None:
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=False, protocol="tcp",
            dashboard_address=None, memory_limit=0,
        ) as cluster,
        Client(cluster),
    ):  # fmt: skip
        slabs = persisted([dask_delayed(make_slab)(i) for i in range(n_partitions)])
        units = np.full(n_partitions, ROWS)
        source = DaskSource(slabs, units, ROWS * n_partitions, COLUMNS, float(units.sum()))
        passes = {
            "EM": lambda b: SPEC.e_step(PARAMS, b),
            "Newton": lambda b: information(SPEC, PARAMS, b),
        }
        for name, step in passes.items():
            sums = source.reduce(step, K)
            clock, cpu, moved = [], [], []
            for _ in range(rounds):
                begin = time.perf_counter(), time.process_time(), sent()
                source.reduce(step, K)
                clock.append(time.perf_counter() - begin[0])
                cpu.append(time.process_time() - begin[1])
                moved.append(sent() - begin[2])
            print(
                f"{n_workers:4d} workers {n_partitions:5d} partitions {name:7s}"
                f" clock {statistics.median(clock):6.2f} s  cpu {statistics.median(cpu):6.2f} s"
                f"  moved {statistics.median(moved) / 1e6:6.2f} MB  one set of sums"
                f" {len(pickle.dumps(sums)) / 1e3:.1f} KB"
            )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for workers, partitions in ((4, 100), (4, 400), (20, 100), (100, 100)):
        measure(workers, partitions)
