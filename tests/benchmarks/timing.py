"""Timing in pairs: the contestants take turns, and the ratio of each turn counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

#: A race ends after this many rounds, or once it has lasted so many seconds and has three rounds.
ROUNDS, SECONDS, FEWEST = 15, 20.0, 3


@dataclass(frozen=True)
class Clock:
    """Seconds of one run: by the wall, and of the processor in all threads."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """One line of the table: ours against another's.

    Attributes
    ----------
    section, what : str
        What is measured, and against what.
    ours, other : float
        Medians, in ``unit``.
    ratio, low, high : float
        Median and quartiles of ours / other over the pairs.
    cpu_ratio : float or None
        The same median in processor time.
    bound : float or None
        Most that ``ratio`` may be; None where nothing is promised.
    on_cpu : bool
        Whether the bound is held against ``cpu_ratio``: both sides run in one thread.
    """

    section: str
    what: str
    ours: float
    other: float
    ratio: float
    low: float
    high: float
    cpu_ratio: float | None = None
    bound: float | None = None
    on_cpu: bool = False
    unit: str = "ms"

    @property
    def met(self) -> bool | None:
        if self.bound is None:
            return None
        return bool((self.cpu_ratio if self.on_cpu else self.ratio) <= self.bound)

    def as_dict(self) -> dict[str, object]:
        return asdict(self) | {"met": self.met}


def clocked(run: Callable[[], object], repeat: int = 1) -> Clock:
    """Time of one of ``repeat`` runs in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeat):
        run()
    return Clock((time.perf_counter() - wall) / repeat, (time.process_time() - cpu) / repeat)


def race(
    section: str,
    what: str,
    ours: Callable[[], Clock],
    other: Callable[[], Clock],
    *,
    bound: float | None = None,
    on_cpu: bool = False,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> Row:
    """Alternate the two, the first to go changing from round to round."""
    pairs: list[tuple[Clock, Clock]] = []
    began = time.perf_counter()
    ours()
    while len(pairs) < rounds:
        if len(pairs) >= FEWEST and time.perf_counter() - began > seconds:
            break
        if len(pairs) % 2:
            theirs = other()
            pairs.append((ours(), theirs))
        else:
            pairs.append((ours(), other()))
    wall = np.array([[a.wall, b.wall] for a, b in pairs])
    cpu = np.array([[a.cpu, b.cpu] for a, b in pairs])
    low, ratio, high = np.quantile(wall[:, 0] / wall[:, 1], [0.25, 0.5, 0.75])
    mine, yours = 1e3 * np.median(wall, axis=0)
    cpu_ratio = float(np.median(cpu[:, 0] / cpu[:, 1]))
    return Row(section, what, mine, yours, ratio, low, high, cpu_ratio, bound, on_cpu)
