"""Law: a call ends in a right answer, or in one sentence that says why there is none.

Calls are drawn, sound and odd, for every door of the package. ``SMMIX_CALLS=10000`` in the
environment makes so many of them, ``SMMIX_SEED`` draws others; without these there are few, and
always the same. Those that fit are left out with ``-m "not slow"``.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from laws.calls.doors import DOORS, Door

CALLS = int(os.environ.get("SMMIX_CALLS", "200"))
SEED = os.environ.get("SMMIX_SEED")
SHARES = sum(door.share for door in DOORS.values())


def _marked(name: str, door: Door) -> Any:
    return pytest.param(door, id=name, marks=[pytest.mark.slow] if door.fits else [])


@pytest.mark.timeout(0)
@pytest.mark.parametrize("door", [_marked(name, door) for name, door in DOORS.items()])
def test_a_call_ends_in_a_right_answer_or_in_one_sentence(door):
    ends: dict[str, int] = {}

    # Shrinking a call that fits takes minutes and tells little: the first that fails is printed.
    @settings(
        max_examples=max(CALLS * door.share // SHARES, 5),
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        derandomize=SEED is None,
        database=None,
    )
    @given(door.calls)
    def law(call: Any) -> None:
        end = door.check(call)
        ends[end] = ends.get(end, 0) + 1

    (law if SEED is None else seed(int(SEED))(law))()
    # A law of calls that are all refused says nothing.
    assert ends.get("answered", 0) >= sum(ends.values()) // 20
