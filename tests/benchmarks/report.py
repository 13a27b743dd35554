"""The table of a run as text and Markdown, and its numbers as JSON."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.timing import Row

#: The table in the documentation stands between these lines.
BEGIN, END = "<!-- begin table -->", "<!-- end table -->"

NOTE = (
    "Ratios are ours / other: medians over pairs run in turns in this one session, with the "
    "quartiles of the pairs in brackets. 'cpu' is the same ratio in processor time, which other "
    "work on the machine disturbs less; bounds marked * are held against it, as both sides run "
    "in one thread. BLAS has one thread everywhere; 'threads' are those of smmix."
)


def machine() -> dict[str, object]:
    """What the numbers depend on."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.+)", cpuinfo.read_text())
        model = found[1] if found else model
    packages = ("numpy", "scipy", "pandas", "statsmodels", "smmix")
    return {
        "date": dt.date.today().isoformat(),
        "processor": model,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def number(value: float) -> str:
    """Three significant digits without an exponent."""
    if value >= 100.0:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.4f}"


def cells(row: Row) -> list[str]:
    bound = "" if row.bound is None else f"≤ {number(row.bound)}{'*' if row.on_cpu else ''}"
    verdict = {None: "", True: "yes", False: "NO"}[row.met]
    ratio = number(row.ratio)
    if row.low != row.high:
        ratio += f" ({number(row.low)}–{number(row.high)})"
    cpu = "" if row.cpu_ratio is None else number(row.cpu_ratio)
    unit = row.unit
    return [
        row.what, f"{number(row.ours)} {unit}", f"{number(row.other)} {unit}",
        ratio, cpu, bound, verdict,
    ]  # fmt: skip


HEADER = ["", "ours", "other", "ratio", "cpu", "bound", "met"]


def markdown(rows: list[Row], facts: dict[str, object], notes: list[str]) -> str:
    """The table, a heading for each section."""
    lines = [NOTE, "", ", ".join(f"{key} {value}" for key, value in facts.items()) + ".", ""]
    lines += [f"{note}\n" for note in notes]
    sections = list(dict.fromkeys(row.section for row in rows))
    rows = sorted(rows, key=lambda row: sections.index(row.section))
    section = None
    widths = [44, 11, 11, 24, 8, 9, 3]
    for row in rows:
        if row.section != section:
            section = row.section
            lines += [
                "", f"**{section}**", "", line(HEADER, widths),
                "|" + "|".join("-" * (width + 2) for width in widths) + "|",
            ]  # fmt: skip
        lines.append(line(cells(row), widths))
    return "\n".join(lines) + "\n"


def line(texts: list[str], widths: list[int]) -> str:
    padded = [
        text.ljust(width) if i == 0 else text.rjust(width)
        for i, (text, width) in enumerate(zip(texts, widths, strict=True))
    ]
    return "| " + " | ".join(padded) + " |"


def write_json(path: Path, rows: list[Row], facts: dict[str, object], notes: list[str]) -> None:
    content = {"machine": facts, "notes": notes, "rows": [row.as_dict() for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_into(path: Path, table: str) -> None:
    """Replace the table of a document."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")
