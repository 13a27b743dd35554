"""One EM iteration against the floor and against an iteration of the peers; growth."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.peers import Peers
from tests.benchmarks.problems import em_iteration, floor, simulated
from tests.benchmarks.timing import Row, clocked, race

#: Rows, columns and components; of the largest only those that fit into a few GB.
GRID = [(n, p, k) for n in (10_000, 100_000) for p in (2, 5, 20, 50) for k in (2, 3, 6)]
GRID += [(1_000_000, p, k) for p in (2, 5, 20) for k in (2, 3, 6)] + [(1_000_000, 50, 3)]
QUICK_GRID = [(10_000, 5, 3), (100_000, 5, 3), (100_000, 20, 3), (1_000_000, 5, 3)]
#: The size at which the floor is promised on two threads.
PROMISED = (1_000_000, 5, 3)
#: Sizes raced against the peers, and at most how many rows mixtools is asked to go through.
PEER_SIZES = [(10_000, 5, 3), (100_000, 5, 3), (1_000_000, 5, 3)]
QUICK_PEER_SIZES = [(10_000, 5, 3), (100_000, 5, 3)]
MIXTOOLS_ROWS = 100_000
#: How many times faster an iteration at 100,000 rows is promised to be.
FASTER = {"flexmix": 60.0, "mixtools": 500.0}
#: Twice the rows may take so many times as long.
MOST_GROWTH = 2.1
PAIRS = [
    ((500_000, 5, 3), (1_000_000, 5, 3), "rows"),
    ((200_000, 10, 3), (200_000, 20, 3), "columns"),
    ((500_000, 5, 3), (500_000, 5, 6), "components"),
]


def size(n: int, p: int, k: int) -> str:
    return f"n = {n:,}, p = {p}, k = {k}"


def against_floor(quick: bool, seconds: float) -> Iterator[Row]:
    for cell in QUICK_GRID if quick else GRID:
        problem = simulated(*cell)
        least = floor(problem)
        repeat = max(1_000_000 // (cell[0] * cell[1]), 1)
        for threads in (1, 2):
            ours = em_iteration(problem, threads)
            yield race(
                "EM iteration / floor",
                f"{size(*cell)}, {threads} thread{'s'[: threads - 1]}",
                lambda run=ours, r=repeat: clocked(run, r),
                lambda run=least, r=repeat: clocked(run, r),
                bound=1.0 if threads == 2 and cell == PROMISED else None,
                seconds=seconds,
            )


def against_peers(peers: Peers, quick: bool, seconds: float) -> Iterator[Row]:
    for cell in QUICK_PEER_SIZES if quick else PEER_SIZES:
        problem = simulated(*cell)
        peers.load(problem)
        ours = em_iteration(problem, 2)
        repeat = max(500_000 // cell[0], 1)
        for name, faster in FASTER.items():
            if name == "mixtools" and cell[0] > MIXTOOLS_ROWS:
                continue
            iterations = max((100_000 if name == "mixtools" else 400_000) // cell[0], 1)
            yield race(
                f"EM iteration / {name} iteration",
                size(*cell),
                lambda run=ours, r=repeat: clocked(run, r),
                lambda c=f"{name}_iteration {iterations}": peers.run(c),
                bound=1.0 / faster if cell[0] == 100_000 else None,
                rounds=3 if name == "mixtools" else 7,
                seconds=seconds,
            )


def growth(seconds: float) -> Iterator[Row]:
    for small, large, what in PAIRS:
        runs = [em_iteration(simulated(*cell), 1) for cell in (large, small)]
        yield race(
            f"EM iteration, twice the {what}",
            f"{size(*large)} / {size(*small)}",
            lambda run=runs[0]: clocked(run),
            lambda run=runs[1]: clocked(run),
            bound=MOST_GROWTH if what == "rows" else None,
            on_cpu=True,
            seconds=seconds,
        )
