"""The page on coverage says what the study found."""

import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
STUDY = pd.read_csv(ROOT / "tests" / "reference" / "coverage" / "coverage.csv")
DESIGNS = {
    "Well separated": "separated",
    "Overlapping": "overlapping",
    "A component of 10 %": "small component",
}
BOOTSTRAPS = {
    "parametric bootstrap": "bootstrap (parametric)",
    "bootstrap of rows": "bootstrap (rows)",
}
LIMITS = {"`bse`": "Wald", "percentile": "percentile"}
PARAMETERS = {"coefficients": "intercept|slope", "sigma": "sigma", "weight": "weight"}


def rows_of(section: str) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table of a section."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [re.split(r" *\| *", line.strip("| ")) for line in text.splitlines() if "|" in line]
    return lines[0][1:], lines[2:]


def method_of(name: str) -> str:
    kind, _, limits = name.partition(", ")
    return f"{BOOTSTRAPS[kind]}, {LIMITS[limits]}" if limits else name.strip('`"')


@pytest.mark.parametrize("section", DESIGNS)
def test_tables_are_those_of_the_study(section):
    heads, rows = rows_of(section)
    study = STUDY[STUDY["design"] == DESIGNS[section]]
    assert (study["data_sets"] == 1000).all()
    assert [method_of(row[0]) for row in rows] == list(dict.fromkeys(study["method"]))
    for name, *shown in rows:
        of_method = study[study["method"] == method_of(name)]
        for head, value in zip(heads, shown, strict=True):
            kind, _, component = head.partition(" ")
            pattern = rf"({PARAMETERS[kind.removesuffix('s') if kind == 'weights' else kind]})"
            pattern += rf"\[{component}\]" if component else ""
            chosen = of_method["parameter"].str.match(pattern)
            assert float(value) == pytest.approx(
                100 * of_method.loc[chosen, "coverage"].mean(), abs=0.051
            )


def test_what_the_page_says_of_separated_components():
    study = STUDY[STUDY["design"] == "separated"]
    assert study["coverage"].between(0.93, 0.97).all()
