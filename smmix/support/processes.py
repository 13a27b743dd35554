"""Tasks that this process shares with others, which join in where the work lasts.

The others are interpreters that import what the work needs and nothing of the user's program: a
script needs no guard around its main module, and ``python -c`` and notebooks work alike. They end
with this process, however it ends.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from smmix.support.callers import user_level
from smmix.support.checks import check_whole

__all__ = ["processes_for", "serve", "shared"]

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Seconds of work that each process must find: it takes some two of them to start one.
WORTHWHILE = 4.0
#: Ctrl-C in a terminal reaches all processes; this one ends the others.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from smmix.support.processes import serve; serve()"
)
#: Processes that share work need no threads for their products of matrices.
BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


class _Done(NamedTuple):
    number: int
    value: Any
    error: BaseException | None
    here: bool


class _AbsentError(Exception):
    """Another process cannot take part, for the reason told."""


def processes_for(threads: int | None) -> int:
    """Processes that may share work, by the argument ``threads`` of a call, which is checked."""
    if threads is None:
        return os.cpu_count() or 1
    check_whole("threads", threads)
    return threads


def shared(
    work: Callable[[Task], Result], tasks: Sequence[Task], processes: int
) -> Generator[tuple[int, Result]]:
    """``work(task)`` of all tasks with their positions, in the order in which they are done.

    Parameters
    ----------
    work : callable
        Sent to other processes as a pickle.
    tasks : sequence
    processes : int
        Most processes, this one included. Others are started where what is left would take this
        one some seconds.

    Yields
    ------
    (int, result)

    Raises
    ------
    Exception
        What ``work`` raises, wherever that is.

    Warns
    -----
    RuntimeWarning
        When other processes cannot take part, such as with a family that was defined in a session
        and that no other process can import.
    """
    left = deque(enumerate(tasks))
    results: SimpleQueue[_Done | _AbsentError] = SimpleQueue()
    helpers: list[_Helper] = []
    threads = [_started(work, work, left, results)]
    began, own, pending, alone = time.monotonic(), 0, len(tasks), processes == 1
    try:
        while pending:
            result = results.get()
            if isinstance(result, _AbsentError):
                if not alone:
                    _warn(result)
                alone = True
                threads.append(_started(work, work, left, results))
                continue
            if result.error is not None:
                raise result.error
            pending -= 1
            yield result.number, result.value
            own += result.here
            lasting = (time.monotonic() - began) / max(own, 1) * len(left)
            wanted = min(processes - 1, int(lasting / WORTHWHILE))
            while not alone and result.here and len(helpers) < wanted:
                helpers.append(_Helper(work))
                threads.append(_started(helpers[-1].ask, work, left, results))
    finally:
        left.clear()
        for helper in helpers:
            helper.process.kill()
        for thread in threads:
            thread.join()
        for helper in helpers:
            helper.process.communicate()


def _warn(why: _AbsentError) -> None:
    warnings.warn(
        f"Other processes cannot take part in the work ({why}), so this one does it alone; "
        "threads=1 asks for that.",
        RuntimeWarning,
        stacklevel=user_level(),
    )


def _started(
    ask: Callable[[Any], Any],
    work: Callable[[Any], Any],
    left: deque[tuple[int, Any]],
    results: SimpleQueue[_Done | _AbsentError],
) -> threading.Thread:
    """A thread that asks for one task after the other, until it is told of an absence."""

    def run() -> None:
        while True:
            try:
                number, task = left.popleft()
            except IndexError:
                return
            value, error = None, None
            try:
                value = ask(task)
            except _AbsentError as why:
                left.appendleft((number, task))
                results.put(why)
                return
            except BaseException as raised:  # noqa: BLE001 - raised again where it is waited for
                error = raised
            results.put(_Done(number, value, error, ask is work))

    thread = threading.Thread(target=run, name="smmix-tasks", daemon=True)
    thread.start()
    return thread


class _Helper:
    """Another process that does tasks for this one."""

    def __init__(self, work: Callable[[Any], Any]):
        self.work = work
        path = os.pathsep.join(sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | dict.fromkeys(BLAS_THREADS, "1") | {"PYTHONPATH": path},
        )
        self.told = False

    def ask(self, task: Any) -> Any:
        """What the work makes of a task.

        Raises
        ------
        _AbsentError
            If the process cannot be sent the work, cannot read it, or is gone.
        Exception
            What the work raised.
        """
        try:
            if not self.told:
                self._send(self.work)
                self.told = True
            self._send(task)
            assert self.process.stdout is not None, "it is a pipe"
            value, error = pickle.load(self.process.stdout)  # noqa: S301 - from our own process
        except (pickle.PickleError, AttributeError, TypeError, OSError, EOFError) as failure:
            raise _AbsentError(str(failure) or "it ended") from failure
        if error is not None:
            raise error
        return value

    def _send(self, message: Any) -> None:
        # Packed twice, so that the other side can say what it cannot unpack.
        assert self.process.stdin is not None, "it is a pipe"
        pickle.dump(pickle.dumps(message), self.process.stdin)
        self.process.stdin.flush()


def serve() -> None:
    """Do tasks for the process at the other end of standard input, for as long as it is there."""
    outbox, sys.stdout = sys.stdout.buffer, sys.stderr
    inbox: SimpleQueue[bytes] = SimpleQueue()

    def receive() -> None:
        try:
            while True:
                inbox.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - from who started us
        except EOFError:
            os._exit(0)

    threading.Thread(target=receive, daemon=True).start()
    work: Any = None
    while True:
        message = inbox.get()
        answer: tuple[Any, Exception | None]
        try:
            if work is None:
                work = pickle.loads(message)  # noqa: S301
                continue
            answer = work(pickle.loads(message)), None  # noqa: S301
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            answer = None, error if work else _AbsentError(str(error))
        pickle.dump(answer, outbox)
        outbox.flush()
