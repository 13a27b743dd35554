"""The code in pages of documentation: found by its fences, run as a reader would run it.

- ``python`` and ``pycon``: a session with prompts is compared with the output shown; code without
  prompts is run;
- ``{code-cell}``: a cell of a notebook, run;
- ``{eval-rst}`` with a ``.. plot::``: the body of the plot, run;
- ``console``, and fences without a language that hold a line beginning with ``$``: shell commands,
  compared with the output shown;
- ``sh``: the ``smmix`` commands in it; those that set up an environment are checked, not run.

All blocks of a page share their variables, as the cells of a notebook do.
"""

from __future__ import annotations

import ast
import doctest
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)(`{3,}|~{3,})[ \t]*([^\n`]*)\n(.*?)^\1\2[ \t]*$", re.M | re.S)
#: Fences whose content is not for a Python or shell user to run.
NOT_RUN = {
    "", "text", "r", "stata", "toctree", "note", "warning", "tip", "seealso", "admonition",
    "bibtex", "list-table", "figure", "image", "csv-table", "toml", "include", "math",
}  # fmt: skip
#: Values of a summary that the clock and the path of the search decide.
VARYING = re.compile(
    r"(Date: +\w+, \d+ \w+ \d+|Time: +[\d:]+|No\. Iterations: +\d+|Max \|score\| / n: +\S+"
    r"|Starts \(best hit\): +\d+ \(\d+\))"
)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@dataclass(frozen=True)
class Code:
    """A block: what kind it is, its text, and its first line in the page."""

    kind: str
    text: str
    line: int
    options: str = ""


def blocks(text: str) -> Iterator[Code]:
    """The blocks of a page that are to be run; an unknown language is an error."""
    for found in FENCE.finditer(text):
        language, _, options = found[3].strip().partition(" ")
        body = textwrap.dedent(found[4])
        line = text.count("\n", 0, found.start(4)) + 1
        language = language.strip("{}").lower()
        if language == "eval-rst":
            if ".. plot::" in body:
                yield Code("run", plot_body(body), line)
        elif language == "code-cell":
            yield Code("run", *cell_body(body, line))
        elif language in ("python", "pycon"):
            yield Code("session" if re.search(r"^>>> ", body, re.M) else "run", body, line)
        elif language == "console" or (language == "" and re.search(r"^\$ ", body, re.M)):
            yield Code("console", body, line)
        elif language in ("sh", "bash"):
            yield Code("shell", body, line, options)
        elif language not in NOT_RUN:
            raise ValueError(f"line {line}: do not know how to run {language!r}")


def plot_body(body: str) -> str:
    after = body.split(".. plot::", 1)[1].split("\n", 1)[1]
    lines = textwrap.dedent(after).splitlines()
    return "\n".join(line for line in lines if not re.match(r":[\w-]+:", line))


def cell_body(body: str, line: int) -> tuple[str, int, str]:
    """A notebook cell without its options, which come first."""
    lines = body.splitlines()
    skip = 0
    while skip < len(lines) and lines[skip].startswith(":"):
        skip += 1
    return "\n".join(lines[skip:]), line + skip, "\n".join(lines[:skip])


def run_code(code: Code, page: str, names: dict) -> None:
    """Run a block of plain code; the value of a last expression is shown, as in a notebook."""
    tree = ast.parse("\n" * (code.line - 1) + code.text, page)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    exec(compile(tree, page, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), page, "eval"), names)
        # What a front end would ask the value for.
        (getattr(value, "_repr_html_", None) or value.__repr__)()


class Checker(doctest.OutputChecker):
    """Compares what is shown with what came out, but for the clock and the path of the search."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(steady(want), steady(got), optionflags)


def steady(text: str) -> str:
    return VARYING.sub(lambda found: found[0].split(":")[0], text)


def session(code: Code, page: str, names: dict) -> list[str]:
    """Differences between a session and what the page shows of it."""
    test = doctest.DocTestParser().get_doctest(code.text, {}, page, page, code.line - 1)
    test.globs = names
    report: list[str] = []
    runner = doctest.DocTestRunner(Checker(), optionflags=FLAGS)
    runner.run(test, out=report.append, clear_globs=False)
    return report


def console_steps(text: str) -> Iterator[tuple[str, str]]:
    """Commands of a console block, each with the output shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = command[:-1] + more
        yield command, output


def smmix_arguments(command: str) -> tuple[list[str], Path | None] | None:
    """Arguments of an ``smmix`` command and the file it reads; None for another command."""
    words = shlex.split(command, comments=True)
    if words and words[0] == ".venv/bin/smmix":
        words[0] = "smmix"
    if "|" in words and words[0] == "cat":
        words = [*words[words.index("|") + 1 :], "<", words[1]]
    if words[:3] in (["python", "-m", "smmix"], ["python3", "-m", "smmix"]):
        words = ["smmix", *words[3:]]
    if not words or words[0] != "smmix":
        return None
    if "<" in words:
        at = words.index("<")
        return words[1:at], Path(words[at + 1])
    return words[1:], None


def is_set_up(command: str, extras: set[str], root: Path) -> bool:
    """Whether a command sets up an environment, or runs a tool, whose names exist."""
    words = shlex.split(command, comments=True)
    words[0] = words[0].removeprefix(".venv/bin/")
    match words:
        case ["python3", "-m", "venv", ".venv"] | ["cd", "smmix"] | ["git", "clone", *_]:
            return True
        case ["python", "-m", "pytest", *_]:
            return True
        case ["python", "-m", "sphinx", *_, source, _]:
            return (root / source / "conf.py").exists()
        case ["python", "-m", module, *_]:
            return (root / module.replace(".", "/")).exists()
        case ["jupytext", "--to", "ipynb", page]:
            return (root / page).exists()
        case ["pip", "install", *wanted]:
            return all(map(re.compile(_installed(extras)).fullmatch, wanted))
    return False


def _installed(extras: set[str]) -> str:
    extra = "|".join(map(re.escape, sorted(extras)))
    return rf"-q|-e|\.(\[({extra})(,({extra}))*\])?|jupytext|jupyterlab"
