"""flexmix and mixtools, where R has them: one process that is fed commands."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks.problems import Problem
from tests.benchmarks.timing import Clock

SCRIPT = Path(__file__).with_name("peers.R")
HOW_TO_INSTALL = "apt-get install -y r-base-core r-cran-flexmix r-cran-mixtools"


class Peers:
    """The R session with both packages loaded; a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["Rscript", "--vanilla", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.versions = self._answer()
        self.iterations: list[int] = []

    @staticmethod
    def missing() -> bool:
        """Whether R or one of the packages is not there."""
        if shutil.which("Rscript") is None:
            return True
        test = "library(flexmix); library(mixtools)"
        done = subprocess.run(["Rscript", "-e", test], capture_output=True, check=False)
        return done.returncode != 0

    def load(self, problem: Problem) -> None:
        """Hand the rows over."""
        values = [problem.y, np.ravel(problem.x, order="F"), problem.label + 1.0]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.bin"
            np.concatenate(values).tofile(path)
            n, p = problem.x.shape
            self.run(f"load {path} {n} {p} {problem.k}")

    def run(self, command: str) -> Clock:
        """Time of one command; the iterations it made are appended to ``iterations``."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        wall, cpu, iterations = self._answer().split()
        self.iterations.append(int(iterations))
        return Clock(float(wall), float(cpu))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("R has ended; its message stands above.")
        return line.strip()

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
