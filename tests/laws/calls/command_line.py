"""Calls of the command line, sound and odd, of files as people have them."""

from __future__ import annotations

import contextlib
import io
import json
import re
import warnings
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from laws.calls.outcome import LONGEST
from laws.calls.tables import DAMAGES, table

from smmix.cli import main

N = 40
#: Damages of a frame that a file can hold.
WRITTEN = [
    name
    for name in DAMAGES
    if name.split()[0]
    in (
        "a",
        "no",
        "constant",
        "missing",
        "zero",
        "infinite",
        "text",
        "X1",
        "one",
        "x1",
        "y",
        "collinear",
        "negative",
        "four",
        "huge",
        "columns",
    )
    and not name.startswith(("a dict", "a list", "a series"))
]
TEXTS = {
    "empty": "",
    "blank": "\n\n",
    "header": "y,x1\n",
    "ragged": "y,x1\n1,2\n3\n4,5,6\n",
    "one column": "y\n1\n2\n3\n",
    "quotes": 'y,x1\n"1,2\n3,4\n',
    "tabs": "y\tx1\n1\t2\n2\t3\n",
    "no header": "1,2\n3,4\n5,6\n7,8\n",
    "twice": "y,y,x1\n1,2,3\n4,5,6\n",
    "nul": "y,x1\n\0,1\n",
    "dots": "y,x1\n" + "".join(f"{i},{i if i % 5 else '.'}\n" for i in range(30)),
}


@cache
def folder() -> Path:
    """Files for the calls, written once."""
    place = Path(mkdtemp())
    frame = table("poisson", 1, N)
    frame.to_csv(place / "sound.csv", index=False)
    frame.to_csv(place / "semicolons.csv", index=False, sep=";", decimal=",")
    germans = frame.rename(columns={"z1": "Größe"}).assign(when="Köln")
    germans.to_csv(place / "windows.csv", index=False, sep=";", decimal=",", encoding="cp1252")
    frame.to_csv(place / "utf16.csv", index=False, encoding="utf-16")
    frame.to_parquet(place / "sound.parquet")
    for name in WRITTEN:
        with contextlib.suppress(Exception):
            DAMAGES[name](frame).to_csv(place / f"{name}.csv", index=False)
    for name, text in TEXTS.items():
        (place / f"{name}.csv").write_text(text)
    (place / "bytes.csv").write_bytes(bytes(range(256)))
    (place / "bytes.parquet").write_bytes(bytes(range(256)))
    (place / "cut.json").write_text('{"smmix": ')
    (place / "list.json").write_text("[1, 2]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(
            [
                "fit",
                "y ~ x1",
                str(place / "sound.csv"),
                "--starts",
                "3",
                "--save",
                str(place / "fit.json"),
                "--quiet",
                "--family",
                "poisson",
            ]
        )
    return place


def run(argv: list[str], given: str = "") -> tuple[int, str, str]:
    """Exit status, and what was printed."""
    out, error = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
        mock.patch("sys.stdin", io.StringIO(given)),
    ):
        status = main(argv)
    return status, out.getvalue(), error.getvalue()


@cache
def folder_of_pages() -> Path:
    """Where calls write."""
    return Path(mkdtemp())


odd_texts = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "-1",
            "0",
            "1",
            "2.5",
            "nan",
            "inf",
            "x1",
            "no such",
            "1:",
            ":",
            "3:1",
            "1,2",
            "a,b",
            "1,,2",
            "~",
            "y ~ x1",
            "1e400",
            "--",
            "-",
            "/",
            ".",
            "None",
            "[]",
            "poisson(",
            "a=b",
            "a=1",
        ]
    ),
    st.text(max_size=4),
)
FORMULAS = ["y ~ x1", "y ~ x1 + g", "y ~ 1", "y ~ x1 + x2", "y ~ when", "y ~ nosuch", "y ~", "x1"]
OPTIONS: dict[str, list[str]] = {
    "-k": ["1", "2", "3"],
    "--family": [
        "poisson",
        "nb2",
        "gaussian",
        "student_t(df=4)",
        "zip",
        "poisson,zero",
        "binomial",
        "gamma(link=log)",
    ],
    "--exposure": ["months"],
    "--trials": ["t", "w"],
    "--event": ["flag"],
    "--shared": ["alpha", "sigma"],
    "--concomitant": ["z1", "~ z1 + x1", "g"],
    "--groups": ["id", "g"],
    "--weights": ["w"],
    "--prob-weights": ["pw"],
    "--offset": ["off"],
    "--variance": ["free", "equal"],
    "--common": ["x1", "~ x2"],
    "--cov-type": ["HC0", "opg"],
    "--cluster": ["id"],
    "--method": ["em"],
    "--maxiter": ["5"],
    "--seed": ["3"],
    "--threads": ["1"],
    "--test": ["x1[0] = x1[1]", "x1[0]"],
    "--json": [],
    "--report": [str(folder_of_pages() / "page.html"), "page.txt", "/no/such/folder/page.html"],
    "--save": [str(folder_of_pages() / "again.json"), "/"],
    "--latex": [],
    "--html": [],
    "--sep": [";", "tab"],
    "--decimal": [","],
    "--thousands": ["."],
    "--na": ["-9", "."],
    "--encoding": ["utf-16", "latin-1"],
}
SELECT = {"--criterion": ["bic", "icl", "aic"], "--response": ["y"], "--exclude": ["id", "g,when"]}
PREDICT: dict[str, list[str]] = {
    "--which": ["mean", "components", "prob", "posterior", "label", "cdf", "quantile", "variance"],
    "--q": ["0.5", "0.1,0.9", "2"],
    "--intervals": [],
    "--append": [],
    "--trust": [],
}
SIMULATE: dict[str, list[str]] = {
    "--n": ["5", "0"],
    "--coef": ["0,1;2,3", "1;2", "0,1;2", "1e308,1"],
    "--features": ["2"],
    "-k": ["2"],
    "--family": ["poisson", "nb2", "ordered", "binomial"],
    "--sigma": ["1", "1,2", "-1"],
    "--nuisance": ["alpha=0.5", "alpha=1,2"],
    "--trials": ["5"],
    "--weights": ["0.4,0.6", "1,1"],
    "--mixing": ["0.5,1"],
    "--n-groups": ["2"],
    "--seed": ["1"],
}
STREAMS = [
    "",
    "1 2\n1 2\n2 3\n1\n4\n",
    "2 3\n1 2 3\n4 5 6\n7 8 10\n2\n1 2\n3 4\n",
    "1\n",
    "a b\n",
    "1 2\n1 2\n",
    "1 2\n1 nan\n2 3\n1\n4\n",
    "0 2\n1\n2\n1\n\n",
    "-1 2\n",
    "1 2\n1 2 3\n2 3\n1\n4\n",
    "1 1e9\n",
    "1 2\n1 inf\n2 3\n1\n4\n",
    "1 99999999999\n1 2\n",
]


@st.composite
def command_lines(draw: Any) -> tuple[list[str], str]:
    """Arguments of the program, and what stands on its standard input."""
    command = draw(
        st.sampled_from(["fit", "fit", "fit", "select", "predict", "simulate", "ols", "?"])
    )
    place = folder()
    files = sorted(path.name for path in place.iterdir() if path.suffix != ".json")
    name = draw(st.one_of(st.just("sound.csv"), st.sampled_from(files)))
    file = str(place / name)
    argv = {
        "fit": [
            draw(st.sampled_from(FORMULAS)),
            file,
            "--starts",
            "2",
            "--quiet",
            "--maxiter",
            "30",
        ],
        "select": [draw(st.sampled_from(FORMULAS[:3])), file, "-k", "1:2", "--starts", "2"],
        "predict": [
            str(place / draw(st.sampled_from(["fit.json", "fit.json", "cut.json", "list.json"]))),
            file,
        ],
    }.get(command, [])
    options = {
        "fit": OPTIONS,
        "select": {**OPTIONS, **SELECT},
        "predict": PREDICT,
        "simulate": SIMULATE,
    }.get(command, OPTIONS)
    if command == "select" and draw(st.booleans()):
        argv[0] = file
        argv[1] = "--response=y"
    chosen = draw(st.lists(st.sampled_from(sorted(options)), unique=True, max_size=3))
    odd = draw(st.integers(0, 5))
    for i, option in enumerate(chosen):
        values = options[option]
        argv.append(option)
        if values:
            argv.append(draw(odd_texts if odd == 0 and i == 0 else st.sampled_from(values)))
    if odd == 1:
        argv.insert(draw(st.integers(0, len(argv))), draw(odd_texts))
    if odd == 2 and argv:
        argv.pop(draw(st.integers(0, len(argv) - 1)))
    stream = draw(st.sampled_from(STREAMS)) if command == "ols" else ""
    return [command if command != "?" else draw(odd_texts), *argv], stream


#: An exception whose name reached the user: nobody has thought of it.
UNFORESEEN = re.compile(r"error: \w*(Error|Exception|Warning): ")


def check_command_line(call: tuple[list[str], str]) -> str:
    """Status 0 or 1 with an answer, or 2 with one line that says what is wrong."""
    status, out, error = run(*call)
    assert status in (0, 1, 2), status
    assert "Traceback" not in error
    lines = error.splitlines()
    assert all(line.startswith(("smmix: ", "smmix ols: ")) for line in lines if line), error
    if status == 2:
        last = lines[-1]
        assert last.startswith(("smmix: error: ", "smmix ols: ")), error
        assert UNFORESEEN.search(last) is None, last
        assert len(last) < LONGEST, last
        return "refused"
    if "--json" in call[0] and call[0][0] in ("fit", "select") and "--help" not in call[0]:
        json.loads(out, parse_constant=lambda name: (_ for _ in ()).throw(AssertionError(name)))
    return "answered"
