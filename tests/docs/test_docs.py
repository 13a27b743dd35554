"""Every block of code in README, docs and examples does what the page says."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tomllib
from pathlib import Path

import pytest
from helpers_docs import (
    FENCE,
    FLAGS,
    Checker,
    blocks,
    console_steps,
    is_set_up,
    run_code,
    session,
    smmix_arguments,
)

import smmix
from smmix.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    {
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").glob("*.md"),
    }
    # docs/examples holds the copies of examples/ that a build of the documentation makes.
    | {p for p in (ROOT / "docs").glob("[!_]*/*.md") if p.parent != ROOT / "docs" / "examples"}
)
with (ROOT / "pyproject.toml").open("rb") as _file:
    EXTRAS = set(tomllib.load(_file)["project"]["optional-dependencies"])
#: Pages with more to compute than the rest; the documentation's build runs them as well.
LONG = {
    "agreement.md",
    "choosing_k.md",
    "coming_from.md",
    "engel.md",
    "first_ten_minutes.md",
    "how_many.md",
    "medical_visits.md",
    "mixture_regression.md",
    "oxboys.md",
    "trajectories.md",
    "tutorial.md",
}
# A picture without a window is what the pages that draw do ask for.
pytestmark = pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def marked(page: Path):
    marks = [pytest.mark.slow] if page.name in LONG else []
    return pytest.param(page, id=name_of(page), marks=marks)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with the files that commands in the pages read."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


def write_files(folder: Path) -> None:
    """Files of the names that the pages use."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(1)
    n = 400
    kind = rng.random(n) < 0.4
    frame = pd.DataFrame({f"x{j}": rng.normal(size=n).round(3) for j in (1, 2, 3)})
    frame["z1"] = np.repeat(rng.normal(size=n // 4), 4).round(3)
    frame["y"] = (np.where(kind, 6 + frame["x1"], -2 * frame["x1"]) + rng.normal(size=n)).round(3)
    frame["w"] = rng.integers(1, 4, n)
    frame["id"] = np.arange(n) // 4
    frame["town"] = np.arange(n) // 40
    frame.to_csv(folder / "data.csv", index=False)
    frame[["x1", "x2", "x3"]].head().to_csv(folder / "new.csv", index=False)
    (folder / "input.txt").write_text("1 3\n0 1\n1 3\n2 5\n2\n3\n4\n")


def run_command(command: str) -> str:
    """What an ``smmix`` command prints; it must succeed."""
    arguments = smmix_arguments(command)
    assert arguments is not None, f"cannot run {command!r}"
    words, source = arguments
    out = io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        if source is not None:
            text = source.read_text()
            stack.enter_context(pytest.MonkeyPatch.context()).setattr(
                "sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()))
            )
        assert main(words) == 0, command
    return out.getvalue()


def check_console(text: str) -> None:
    for command, shown in console_steps(text):
        words = command.split()
        if words[0] == "cat" and "|" not in words:
            Path(words[1]).write_text(shown)
        else:
            got = run_command(command)
            assert Checker().check_output(shown.strip(), got.strip(), FLAGS), f"$ {command}\n{got}"


@pytest.mark.parametrize("page", [marked(page) for page in PAGES])
@pytest.mark.usefixtures("place")
def test_code_of_page(page, monkeypatch):
    text = page.read_text(encoding="utf-8")
    found = list(blocks(text))
    if "```{code-cell}" in text:
        # A notebook runs beside its file.
        monkeypatch.chdir(page.parent)
    names: dict = {"__name__": "__main__"}
    for code in found:
        if code.kind == "session":
            report = session(code, name_of(page), names)
            assert not report, "".join(report)
        elif code.kind == "run":
            run_code(code, name_of(page), names)
        elif code.kind == "console":
            check_console(code.text)
        else:
            for line in code.text.replace("\\\n", " ").splitlines():
                for command in filter(None, re.split(r" && |#.*", line)):
                    if smmix_arguments(command) is not None:
                        run_command(command)
                    else:
                        assert is_set_up(command, EXTRAS, ROOT), f"cannot run {command!r}"


# Large data shows a session on a cluster, whose address is nobody's.
@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "large_data.md"], ids=name_of)
def test_no_code_hides_in_a_block_of_text(page):
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        if found[3].strip() == "text":
            assert not re.search(r"^(>>>|\$|\S*(python3?|pip|smmix) )", found[4], re.M), found[4]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pictures_of_a_page_have_names_of_their_own(page):
    # Each block has a document of its own, so that plots without a name get the same file.
    plots = re.findall(r"^ *\.\. plot::.*?\n\n", page.read_text(encoding="utf-8"), re.M | re.S)
    names = [re.findall(r":filename-prefix: (\S+)", plot) for plot in plots]
    assert len(plots) < 2 or len({*map(tuple, names)} - {()}) == len(plots)


def test_every_public_name_is_in_the_reference():
    contents = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in smmix.__all__:
        assert name.startswith("__") or f"   {name}\n" in contents, name


@pytest.fixture(autouse=True)
def _closed_figures():
    plt = pytest.importorskip("matplotlib.pyplot")
    yield
    plt.close("all")


def test_data_typed_into_a_notebook_are_those_of_the_file():
    import pandas as pd

    page = (ROOT / "examples" / "first_ten_minutes.md").read_text(encoding="utf-8")
    names: dict = {}
    run_code(next(blocks(page)), "first_ten_minutes", names)
    stored = pd.read_csv(ROOT / "tests" / "reference" / "data" / "CO2data.csv")
    pd.testing.assert_frame_equal(names["data"], stored[["country", "GNP", "CO2"]])


# -- links ----------------------------------------------------------------------------------------

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub and MyST make it."""
    text = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_local_links_lead_somewhere(page):
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, place = link.partition("#")
        target = page if not path else page.parent / path
        if ROOT / "docs" / "examples" in target.resolve().parents:
            target = ROOT / "examples" / target.name
        assert target.exists(), f"{link} is not there"
        if place and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", prose(target), re.M)
            assert place in [anchor(heading) for heading in headings], f"{link}: no such heading"


def test_words_that_users_search_lead_somewhere():
    source = (ROOT / "docs" / "_extensions" / "search_words.py").read_text(encoding="utf-8")
    words = next(n.value for n in ast.parse(source).body if isinstance(n, ast.Assign))
    phrases = []
    for place, given in ast.literal_eval(words).items():
        page, _, heading = place.partition("#")
        headings = re.findall(r"^#+ (.+)$", prose(ROOT / "docs" / f"{page}.md"), re.M)
        assert not heading or heading in [anchor(text) for text in headings], place
        phrases += given
    assert len(set(phrases)) == len(phrases)
    assert [phrase for phrase in phrases if phrase != phrase.lower()] == []
