"""Law: a call ends in a right answer, or in one sentence that says why there is none.

Calls are drawn, sound and odd, for every door of the package. ``SMMIX_CALLS=10000`` in the
environment makes so many of them; without it there are few, and those that fit are left out with
``-m "not slow"``.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from laws.calls.doors import DOORS, Door

CALLS = int(os.environ.get("SMMIX_CALLS", "400"))
SHARES = sum(door.share for door in DOORS.values())


def _marked(name: str, door: Door) -> Any:
    return pytest.param(door, id=name, marks=[pytest.mark.slow] if door.fits else [])


@pytest.mark.timeout(0)
@pytest.mark.parametrize("door", [_marked(name, door) for name, door in DOORS.items()])
def test_a_call_ends_in_a_right_answer_or_in_one_sentence(door):
    ends: dict[str, int] = {}

    @settings(
        max_examples=max(CALLS * door.share // SHARES, 5),
        suppress_health_check=list(HealthCheck),
    )
    @given(door.calls)
    def law(call: Any) -> None:
        end = door.check(call)
        ends[end] = ends.get(end, 0) + 1

    law()
    # A law of calls that are all refused says nothing.
    assert ends.get("answered", 0) >= sum(ends.values()) // 20
