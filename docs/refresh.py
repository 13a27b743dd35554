"""Write the output of the sessions in pages anew:  python docs/refresh.py docs/guide/*.md

Of README.md also the output of its command and its picture.
Look at what changed before committing it: a page shows what is, not what ought to be.
"""

import contextlib
import doctest
import io
import re
import sys
import tempfile
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("", "tests")]

import os

os.environ.setdefault("MPLBACKEND", "agg")

from helpers_docs import FENCE, blocks, run_code

ROOT = Path(__file__).resolve().parents[1]


def output_of(source: str, names: dict) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(source, "<session>", "single"), names)
        except Exception as error:
            last = traceback.format_exception_only(error)[-1]
            return "Traceback (most recent call last):\n    ...\n" + last
    return out.getvalue()


def refreshed(block: str, names: dict) -> str:
    lines = []
    for part in doctest.DocTestParser().parse(block):
        if isinstance(part, str):
            lines.append(part)
            continue
        first, *rest = part.source.rstrip("\n").split("\n")
        lines.append(f">>> {first}\n" + "".join(f"... {line}".rstrip() + "\n" for line in rest))
        got = output_of(part.source, names)
        if "..." in part.want and "Traceback" not in part.want:
            got = part.want
        shown = re.sub(r"^[ \t]*$", "<BLANKLINE>", got.rstrip("\n"), flags=re.M)
        lines.append(shown + "\n" if got else "")
    return "".join(lines)


def refresh(page: Path) -> None:
    text, names = page.read_text(encoding="utf-8"), {"__name__": "__main__"}
    done, at = [], 0
    for found in FENCE.finditer(text):
        code = next(iter(blocks(found[0])), None)
        if code is None:
            continue
        if code.kind == "session":
            done += [text[at : found.start(4)], refreshed(found[4], names)]
            at = found.end(4)
        elif code.kind == "run":
            run_code(code, str(page), names)
    page.write_text("".join(done) + text[at:], encoding="utf-8")


def refresh_front_page() -> None:
    """The summary that the first command of README.md prints, and the picture above it."""
    import statsmodels.api as sm

    import smmix
    from smmix.cli import main

    page, out = ROOT / "README.md", io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["fit", "foodexp ~ income", "--dataset", "engel", "-k", "2"])
    text = page.read_text(encoding="utf-8")
    shown = re.compile(r"(?<=<!-- output -->\n```text\n).*?(?=^```$)", re.M | re.S)
    page.write_text(shown.sub(lambda _: out.getvalue(), text, count=1), encoding="utf-8")
    data = sm.datasets.engel.load_pandas().data
    ax = smmix.from_formula("foodexp ~ income", data, k=2).fit().plot_fit()
    ax.set(xlabel="income (francs)", ylabel="food expenditure (francs)")
    ax.figure.savefig(ROOT / "docs" / "_static" / "engel.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    pages = [Path(name).resolve() for name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for path in pages:
            refresh(path)
            if path == ROOT / "README.md":
                refresh_front_page()
