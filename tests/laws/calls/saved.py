"""Texts of saved fits: as they were written, cut off, and with other values in them."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from hypothesis import strategies as st
from laws.calls.on_results import fit_of
from laws.calls.outcome import Refused, answer
from laws.calls.tables import table

import smmix

N = 30
ODD_JSON: list[Any] = [
    None,
    True,
    -1,
    0,
    2.5,
    "",
    "x1",
    [],
    {},
    [1],
    {"a": 1},
    "y ~ x1",
    1e308,
    [[]],
]

#: Fits that are saved, by family and shape.
SAVED = [
    ("gaussian", "plain"),
    ("gaussian", "concomitant"),
    ("gaussian", "transforms"),
    ("poisson", "arrays"),
    ("ordered", "plain"),
    ("weibull", "plain"),
]


@st.composite
def json_calls(draw: Any) -> tuple[str, str]:
    """The text of a saved fit, most times damaged, and the family it is of."""
    family, shape = draw(st.sampled_from(SAVED))
    text = fit_of(family, shape).to_json()
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return family, text
    if kind == 1:
        return family, text[: draw(st.integers(0, len(text)))]
    if kind == 2:
        place = draw(st.integers(0, len(text) - 1))
        return family, text[:place] + draw(st.text(max_size=2)) + text[place + 1 :]
    document = json.loads(text)
    node: Any = document
    for _ in range(draw(st.integers(0, 5))):
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        below = node[draw(st.sampled_from(keys))]
        if not isinstance(below, dict | list) or not below:
            break
        node = below
    key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else list(range(len(node)))))
    if draw(st.booleans()):
        node[key] = copy.deepcopy(draw(st.sampled_from(ODD_JSON)))
    else:
        del node[key]
    if isinstance(document, dict) and draw(st.booleans()):
        # Whoever writes a file can write its checksum, too.
        content = json.dumps(document.get("content"), sort_keys=True)
        document["checksum"] = hashlib.sha256(content.encode()).hexdigest()
    return family, json.dumps(document)


def check_json(call: tuple[str, str]) -> str:
    family, text = call
    read = answer(smmix.read_json, text)
    if isinstance(read, Refused):
        return "refused"
    frame = table(family, 1, N)
    if "arrays" in text:
        frame = frame[["x1", "x2"]].assign(const=1.0)
    for which in ("mean", "prob"):
        found = answer(read.predict, frame, which=which)
        if isinstance(found, Refused):
            return "refused later"
    answer(read.summary)
    return "answered"
