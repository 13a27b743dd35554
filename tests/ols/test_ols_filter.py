"""The filter on standard input: its format, its answers, and what it says of a wrong input."""

from __future__ import annotations

import io
import json
import time
from fractions import Fraction

import numpy as np
import pytest
from helpers_exact import exact_least_squares
from helpers_reference import OUTSIDE

from smmix.cli import ols_stream
from smmix.cli.ols_stream import run

HOUSES = """2 7
0.18 0.89 109.85
1.0 0.26 155.72
0.92 0.11 137.66
0.07 0.37 76.17
0.85 0.16 139.75
0.99 0.41 162.6
0.87 0.47 151.77
4
0.49 0.18
0.57 0.83
0.56 0.64
0.76 0.18
"""
SINGULAR = "2 3\n1 2 5\n2 3 8\n3 4 11\n2\n1.5 2.5\n2.5 3.5\n"


def filtered(text):
    out, err = io.StringIO(), io.StringIO()
    code = run(io.StringIO(text), out, err)
    return code, out.getvalue(), err.getvalue()


def exact_predictions(text):
    """Predictions of a problem written one row a line, by rational least squares."""
    lines = [line.split() for line in text.splitlines()]
    n_rows = int(lines[0][1])
    train, new = lines[1 : 1 + n_rows], lines[2 + n_rows :]
    fit = exact_least_squares([["1", *row[:-1]] for row in train], [row[-1] for row in train])
    decimal = [[Fraction(1), *(Fraction(value) for value in row)] for row in new]
    return [sum(a * b for a, b in zip(row, fit.coef, strict=True)) for row in decimal]


@pytest.mark.parametrize("mark", ["\ufeff", "\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_the_first_number(mark):
    assert filtered(mark + HOUSES) == filtered(HOUSES)
    assert filtered(mark)[0] == 2
    assert "line 1: expected a finite number" in filtered("2" + mark + HOUSES)[2]


def test_the_published_example_gets_the_least_squares_answer():
    code, out, err = filtered(HOUSES)
    assert (code, err) == (0, "")
    assert out == "105.21\n142.67\n132.94\n129.70\n"
    assert out.split() == [f"{float(value):.2f}" for value in exact_predictions(HOUSES)]


def test_the_singular_example_gets_its_answer_and_a_word_of_warning():
    code, out, err = filtered(SINGULAR)
    assert (code, out) == (0, "6.50\n9.50\n")
    assert err.count("\n") == 1
    assert "'feature 2'" in err


def test_all_published_examples():
    path = OUTSIDE / "expected" / "hackerrank.json"
    if not path.exists():
        pytest.skip("the file is kept beside the repository")
    for case in json.loads(path.read_text()).values():
        expected = case["exact"]["stdout_2dp"] if case["exact"] else case["published_stdout"]
        assert filtered(case["stdin"])[:2] == (0, "\n".join(expected) + "\n")


@pytest.mark.parametrize(
    "text",
    [
        HOUSES.replace("\n", "\n\n"),
        HOUSES.replace(" ", "\t"),
        HOUSES.replace(" ", "   \t ").replace("\n", " \n"),
        HOUSES.replace("\n", "\r\n"),
        HOUSES.rstrip("\n"),
        "\n  \n" + HOUSES,
        HOUSES.replace("109.85\n", "109.85 ").replace("0.49 0.18\n", "0.49 0.18 "),
        " ".join(HOUSES.split()),
        HOUSES.replace("155.72", "1.5572E+2").replace("0.49", "+49e-2").replace("1.0", "1."),
        HOUSES.replace("0.", "."),
    ],
)
def test_layout_does_not_matter(text):
    assert filtered(text)[:2] == (0, "105.21\n142.67\n132.94\n129.70\n")


def test_no_rows_to_predict_print_nothing():
    assert filtered("1 2\n1 2\n2 4\n0\n") == (0, "", "")
    assert filtered("1 2\n1 2\n2 4\n0") == (0, "", "")


def test_zero_has_no_sign():
    assert filtered("1 3\n0 -0.0001\n1 0.9999\n2 1.9999\n1\n0\n")[1] == "0.00\n"


@pytest.mark.parametrize(
    ("text", "line", "expected", "found"),
    [
        ("", 1, "'F N'", "none"),
        ("\n \n", 1, "'F N'", "none"),
        ("2", 1, "N, the number of training rows", "the end"),
        ("\n0 3\n", 2, "F, the number of features, a whole number not below 1", "0"),
        ("2 0\n", 1, "N, the number of training rows, a whole number not below 1", "0"),
        ("-1 3\n", 1, "F, the number of features", "-1"),
        ("1.5 3\n", 1, "a whole number", "1.5"),
        ("two 3\n", 1, "a finite number", "'two'"),
        ("2 3\n1 2 5\n2 3 8\n", 3, "3 training rows of 2 features", "after 2"),
        ("1 2\n1 2\n2 4\n", 3, "T, the number of rows to predict", "the end"),
        ("1 2\n1 2\n2 4\n-1\n", 4, "T, the number of rows to predict", "-1"),
        ("1 2\n1 2\n2 4\n0.18 3\n", 4, "T, the number of rows to predict", "0.18"),
        ("1 2\n1 2\n2 4\n2\n3\n", 5, "2 rows of 1 features to predict", "after 1"),
        ("1 2\n1 2\n2 4\n1\n3\n\n4\n", 7, "the end of the input after 1 rows", "4"),
        ("2 2\n1 2 5\n2 8\n1 1 1\n0\n", 3, "3 numbers a row", "a line of 2"),
        ("2 2\n1 2 5 7\n2 3 8\n0\n", 2, "3 numbers a row", "a line of 4"),
        ("2 2\n1 2 5\n2 3 8\n1\n1\n2\n", 5, "2 features a row", "a line of 1"),
        ("1 2\n1 2\n2 nan\n0\n", 3, "a finite number", "'nan'"),
        ("1 2\n1 2\n\ninf 4\n0\n", 4, "a finite number", "'inf'"),
        ("1 2\n1 2\n2 1e999\n0\n", 3, "a finite number", "'1e999'"),
        ("1 2\n1,2\n2 4\n0\n", 2, "a finite number", "'1,2'"),
        ("1 2\n1 2\n2 4\n1\n3.1.4\n", 5, "a finite number", "'3.1.4'"),
        ("1 2\n1 2\n2 4\n1\n1_000\n", 5, "a finite number", "'1_000'"),
        ("1 2\n1 2\n2 0x4\n0\n", 3, "a finite number", "'0x4'"),
        ("1 2\n1 ٢\n2 4\n0\n", 2, "a finite number", "'٢'"),
        ("1 2\n1 2\x00\n2 4\n0\n", 2, "a finite number", "'2\\x00'"),
        ("1 2\n1 2\n2 4\n1\n7\u00a01\n", 5, "a finite number", "'7\\xa01'"),
    ],
)
def test_a_wrong_input_is_named_by_its_line(text, line, expected, found):
    code, out, err = filtered(text)
    assert (code, out) == (2, "")
    assert err.startswith(f"smmix ols: line {line}: expected ")
    assert expected in err
    assert found in err.split("found")[1]
    assert err.count("\n") == 1
    assert err.endswith(".\n")


def test_input_longer_than_a_chunk(monkeypatch):

    expected = filtered(HOUSES)
    for size in (1, 2, 7, 50):
        monkeypatch.setattr(ols_stream, "CHUNK", size)
        assert filtered(HOUSES) == expected
        code, _, err = filtered(HOUSES.replace("0.85", "0,85"))
        assert (code, err) == (2, "smmix ols: line 6: expected a finite number, found '0,85'.\n")


@pytest.mark.slow
def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((10_000, 5)).round(6)
    body = "\n".join(" ".join(map(str, row)) for row in rows.tolist()) + "\n"
    text = f"4 1000000\n{body * 100}1\n0 0 0 0\n"
    began = time.perf_counter()
    code, out, _ = filtered(text)
    assert time.perf_counter() - began < 20.0
    design = np.column_stack([np.ones(len(rows)), rows[:, :4]])
    assert code == 0
    assert abs(float(out) - np.linalg.lstsq(design, rows[:, 4], rcond=None)[0][0]) <= 0.005 + 1e-9
