"""Work that several processes share: the same results, the same errors, and nothing left behind."""

import math
import os
import subprocess
import sys
import time
from contextlib import closing

import pytest

from smmix.errors import SmmixError
from smmix.support import processes
from smmix.support.processes import processes_for, shared

#: Expressions for `eval`, which every process knows: who does the task, and an error elsewhere.
WHO = "(__import__('time').sleep(0.02), __import__('os').getpid())[1]"
REFUSED = (
    "__import__('smmix.support.checks', fromlist=['_']).check_whole('k', 0) "
    f"if __import__('os').getpid() != {os.getpid()} else {WHO}"
)
#: A script without a guard of its main module, killed while another process works for it.
SCRIPT = f"""
import os, signal
from smmix.support import processes
processes.WORTHWHILE = 1e-9
print("begun", flush=True)
for _, who in processes.shared(eval, [{WHO!r}] * 10000, 2):
    if who != os.getpid():
        print(who, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def eager(monkeypatch):
    """Other processes are started however little there is to do."""
    monkeypatch.setattr(processes, "WORTHWHILE", 1e-9)


def is_gone(process: int) -> bool:
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_every_task_is_done_once():
    with closing(shared(math.factorial, range(40), 1)) as found:
        assert sorted(found) == [(i, math.factorial(i)) for i in range(40)]
    assert list(shared(math.factorial, [], 2)) == []


def test_another_process_takes_part_and_ends(eager):
    with closing(shared(eval, [WHO] * 10000, 2)) as found:
        other = next(who for _, who in found if who != os.getpid())
    assert is_gone(other)


def test_errors_come_from_wherever_they_are_raised(eager):
    with (
        closing(shared(eval, [REFUSED] * 10000, 2)) as found,
        pytest.raises(SmmixError, match=r"^k must be a whole number of at least 1, not 0\.$"),
    ):
        list(found)
    with closing(shared(math.factorial, [3, -1], 1)) as found, pytest.raises(ValueError):
        list(found)


def test_work_that_cannot_be_sent_is_done_here_and_this_is_said(eager):
    with (
        pytest.warns(RuntimeWarning, match=r"cannot take part .*lambda.* threads=1 asks for that"),
        closing(shared(lambda number: (time.sleep(0.01), number)[1], range(100), 3)) as found,
    ):
        assert sorted(found) == [(i, i) for i in range(100)]


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX systems do")
def test_a_script_needs_no_guard_and_leaves_no_process_behind(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, timeout=120)
    begun, other = run.stdout.split()
    assert begun == "begun"
    assert is_gone(int(other))


def test_threads_must_be_a_number():
    assert processes_for(3) == 3
    assert processes_for(None) >= 1
    with pytest.raises(SmmixError, match="threads must be a whole number of at least 1, not 0"):
        processes_for(0)
