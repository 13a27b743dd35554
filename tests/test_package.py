"""What the package promises about itself: version, typing, public names, README."""

import importlib.metadata
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import smmix
from smmix.cli import main

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = [name for name in smmix.__all__ if not name.startswith("_")]


def test_version_is_that_of_the_distribution():
    assert smmix.__version__ == importlib.metadata.version("smmix")


def test_package_is_marked_as_typed():
    assert (Path(smmix.__file__).parent / "py.typed").exists()


def test_lower_bounds_are_stated_for_every_dependency():
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    assert [name for name in dependencies if not re.fullmatch(r"[\w-]+>=[\d.]+", name)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_exists_and_is_documented(name):
    thing = getattr(smmix, name)
    if inspect.ismodule(thing):
        assert thing.__doc__
        return
    text = inspect.getdoc(thing)
    assert text
    assert ">>>" in text or "Examples" in text, f"{name} has no example"


@pytest.mark.parametrize("command", ["fit", "test"])
def test_readme_marks_its_commands(command):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^<!-- {command} -->\n```\w*\n(.+?)\n```$", text, re.M | re.S)
    assert len(found) == 1
    assert found[0].startswith("python3 -m venv .venv && ")


def readme_block(kind: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"^```{kind}\n(.+?)\n```$", text, re.M | re.S)[1]


def test_readme_shows_what_its_command_prints(capsys):
    assert main(["fit", "foodexp ~ income", "--dataset", "engel", "-k", "2"]) == 0
    # The clock and the path of the search may differ, the answer may not.
    varying = re.compile(r"Date: |Time: |No. Iterations|Max \|score\| / n|Starts \(best hit\)")

    def answer(text: str) -> list[str]:
        return [line.rstrip() for line in text.splitlines() if not varying.search(line)]

    assert answer(readme_block("text")) == answer(capsys.readouterr().out)
