"""How fast smmix is, as ratios measured side by side: ``python -m tests.benchmarks [--quick]``.

Ends with status 1 when a bound is missed. Run it from the root of the repository.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from threadpoolctl import threadpool_limits

from tests.benchmarks import fits, footprint, passes
from tests.benchmarks.peers import HOW_TO_INSTALL, Peers
from tests.benchmarks.report import machine, markdown, write_into, write_json
from tests.benchmarks.timing import Row

HERE = Path(__file__).parent
#: Newton passes from near the maximum, bound of the design.
MOST_NEWTON = 10


def counted(section: str, what: str, value: float, bound: float, unit: str) -> Row:
    """A row for a count with its bound."""
    share = value / bound
    return Row(section, what, value, bound, share, share, share, bound=1.0, unit=unit)


def peer_rows(quick: bool, seconds: float, notes: list[str]) -> Iterator[Row]:
    if Peers.missing():
        notes.append(f"flexmix and mixtools are not installed here: {HOW_TO_INSTALL}")
        return
    with Peers() as peers:
        notes.append(f"Peers: {peers.versions}.")
        yield from passes.against_peers(peers, quick, seconds)
        yield from fits.against_peers(peers, quick, seconds)
        peers.iterations.clear()


def all_rows(quick: bool, notes: list[str]) -> Iterator[Row]:
    seconds = 4.0
    yield from passes.against_floor(quick, seconds / 3)
    yield from peer_rows(quick, 3 * seconds, notes)
    yield from passes.growth(2 * seconds)
    yield from fits.growth(quick, 3 * seconds)
    yield from fits.overhead()
    for what, n_passes in fits.newton_passes():
        section = "Newton passes from two standard errors off / bound"
        yield counted(section, what, n_passes, MOST_NEWTON, "")
    for method, peak in footprint.peak_megabytes(1_000_000).items():
        section = "memory of a whole fit beyond the data / bound"
        what = f"n = 1,000,000, p = 5, k = 3, {method}"
        yield counted(section, what, peak, footprint.MOST_MEGABYTES, "MB")
    yield footprint.import_time(3 * seconds)


def other_scripts() -> list[str]:
    """Run the benchmarks that print tables of their own; return those that missed a bound."""
    missed = []
    for script in sorted(HERE.glob("bench_*.py")):
        if script.with_suffix(".R").exists() and Peers.missing():
            print(f"\n=== {script.name} needs R: {HOW_TO_INSTALL}", flush=True)
            continue
        print(f"\n=== {script.name}", flush=True)
        done = subprocess.run([sys.executable, str(script)], check=False, cwd=HERE.parents[1])
        if done.returncode:
            missed.append(script.name)
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells, no bench_*.py")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), metavar="FILE")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put the table into a document")
    options = parser.parse_args()
    facts, notes, rows = machine(), [], []
    with threadpool_limits(1, user_api="blas"):
        for row in all_rows(options.quick, notes):
            rows.append(row)
            print(f"{row.section}, {row.what}: {row.ratio:.3g}", file=sys.stderr, flush=True)
    table = markdown(rows, facts, notes)
    print(table)
    write_json(options.json, rows, facts, notes)
    if options.docs is not None:
        write_into(options.docs, table)
    missed = [f"{row.section}, {row.what}" for row in rows if row.met is False]
    missed += [] if options.quick else other_scripts()
    for what in missed:
        print(f"MISSED {what}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
