"""CSV as the world writes it, read by one command; what stays in doubt is said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import smmix
from smmix.cli import main
from smmix.cli.dialect import Dialect
from smmix.cli.tables import read_table
from smmix.errors import SmmixError

RNG = np.random.default_rng(4)
N = 60
FRAME = pd.DataFrame({"price": np.round(np.exp(RNG.normal(8, 1, N)), 2), "size": range(20, 80)})
FRAME["y"] = np.round(3 + 0.01 * FRAME["size"] + RNG.normal(0, 0.1, N), 2)
FRAME["town"] = np.tile(["Köln", "Bonn", "Ulm"], N // 3)


def american(value):
    return f"{value:,.2f}"


def european(value):
    return american(value).translate(str.maketrans(",.", ".,"))


def swiss(value):
    return american(value).replace(",", "'")


def french(value):
    return european(value).replace(".", "\u202f")


def written(style, sep, encoding="utf-8", frame=FRAME, end="\n"):
    """The bytes of the table with its numbers in another style."""
    columns = {
        name: [style(v) if isinstance(v, float) else str(v) for v in frame[name]] for name in frame
    }
    table = pd.DataFrame(columns)
    return table.to_csv(sep=sep, index=False, lineterminator=end).encode(encoding)


STYLES = {
    "european": (written(european, ";"), "';' between fields, ',' for decimals, '.' for thousands"),
    "tabs": (written(european, "\t"), "tabs between fields, ',' for decimals, '.' for thousands"),
    "french": (written(french, ";", end="\r\n"), "',' for decimals, ' ' for thousands"),
    "swiss": (written(swiss, ";"), "';' between fields, \"'\" for thousands"),
    "american": (written(american, ","), "read with ',' for thousands"),
    "utf-16": (written(str, "\t", "utf-16"), "UTF-16, tabs between fields"),
    "spreadsheet": (b"sep=;\r\n" + written(european, ";"), "';' between fields"),
    "windows": (written(european, ";", "cp1252"), "western Europe (cp1252), ';' between fields"),
    "mark": (b"\xef\xbb\xbf" + written(european, ";"), "';' between fields"),
    "bars": (written(str, "|"), "read with '|' between fields"),
    "plain": (written(str, ","), ""),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_a_table_is_the_same_in_every_style(style, tmp_path):
    content, note = STYLES[style]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    frame, found = read_table(str(path))
    wanted = FRAME.set_axis(frame.index)
    pd.testing.assert_frame_equal(frame, wanted, check_dtype=False)
    assert note in found
    assert bool(note) == bool(found)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_a_european_file_is_fitted_by_one_command(encoding, tmp_path, capsys):
    messy = FRAME.assign(note="a; b – €", empty="").assign(y=FRAME["y"].mask(FRAME["size"] == 33))
    messy = messy.rename(columns={"size": "Größe"})
    lines = messy.to_csv(sep=";", decimal=",", index=False, na_rep=" ").splitlines()
    path = tmp_path / "umfrage.csv"
    path.write_text("\r\n".join(line + ";" for line in lines), encoding=encoding)
    call = ["fit", "y ~ Größe + town", str(path), "-k", "1", "--json"]
    assert main([*call, "--test", "Größe[0] = 0"]) == 0
    out, err = capsys.readouterr()
    assert "note: " in err
    assert "';' between fields, ',' for decimals." in err
    assert ("cp1252" in err) == (encoding == "cp1252")
    found = json.loads(out)
    kept = messy.dropna(subset=["y"])
    fit = smmix.from_formula("y ~ Größe + town", kept, k=1).fit()
    assert found["params"] == pytest.approx(fit.params.to_dict(), rel=1e-10)
    test = fit.wald_test("Größe[0] = 0")
    assert found["tests"][0]["statistic"] == pytest.approx(float(np.squeeze(test.statistic)))
    assert found["tests"][0]["pvalue"] == pytest.approx(float(test.pvalue))


CELLS = {
    # content, column, values; nan where missing
    "x,y\n1,.\n2,2.5\n3,.a\n": ("y", [np.nan, 2.5, np.nan]),
    "x,y\n1, \n2,2.5\n3,\n": ("y", [np.nan, 2.5, np.nan]),
    "x,g\n1, \n2,a\n3,  b\n": ("g", [np.nan, "a", "  b"]),
    "x;y\n1,5;NA\nn/a;2,5\n": ("x", [1.5, np.nan]),
    "x;d\n1,5;01.02.2020\n2,5;03.04.2021\n": ("d", ["01.02.2020", "03.04.2021"]),
    "x;y\n0,234;1\n1,512;2\n": ("x", [0.234, 1.512]),
    'x,y\n"1,234",1\n"900",2\n': ("x", [1234, 900]),
    'x,y\n"0,234",1\n"1,900",2\n': ("x", [0.234, 1.9]),
    "x;y\n-1,5e3;+2\n,5;1\n": ("x", [-1500.0, 0.5]),
    # In doubt: as they are written.
    "x;y\n1,234;1\n2,512;2\n": ("x", ["1,234", "2,512"]),
    "x;y\n1,5;0.5\n2,5;1.5\n": ("x", ["1,5", "2,5"]),
    'x,y\n1,"Smith, J."\n2,"Roe; R."\n': ("y", ["Smith, J.", "Roe; R."]),
}


@pytest.mark.parametrize("content", CELLS)
def test_cells_are_read_where_there_is_no_doubt(content, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(content)
    column, values = CELLS[content]
    found = read_table(str(path))[0][column]
    pd.testing.assert_series_equal(
        found, pd.Series(values, found.index, name=column), check_dtype=False
    )


def test_options_decide_what_is_in_doubt(tmp_path, capsys):
    path = tmp_path / "data.csv"
    path.write_text("x;y\n" + "".join(f"{i},{100 + 7 * i};{i % 7}\n" for i in range(1, 60)))
    assert main(["fit", "y ~ x", str(path), "-k", "1"]) == 2
    err = capsys.readouterr().err
    assert "(read with ';' between fields)" in err
    assert "numbers written as text" in err
    assert "--thousands, --decimal" in err
    slopes = []
    for option in (["--decimal", ","], ["--thousands", ","]):
        assert main(["fit", "y ~ x", str(path), "-k", "1", "--json", *option]) == 0
        slopes.append(json.loads(capsys.readouterr().out)["params"]["x[0]"])
    assert slopes[0] == pytest.approx(1000 * slopes[1])


def test_missing_values_and_encodings_are_told_by_options(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("Größe;y\n1,5;-9\n2,5;?\n3,5;4\n".encode("cp1250"))
    said = Dialect.of_options(None, None, None, "-9,?", "cp1250")
    frame, note = read_table(str(path), said)
    assert frame["Größe"].tolist() == [1.5, 2.5, 3.5]
    assert frame["y"].isna().tolist() == [True, True, False]
    assert "cp125" not in note


DOUBTFUL = {
    "cyrillic": "Цена;y\n1;2\n".encode("cp1251"),
    "greek": "Τιμή;Βάρος\n1;2\n".encode("cp1253"),
    "chinese": "价格;y\n1;2\n".encode("gbk"),
    "no mark": "Größe;y\n1;2\n".encode("utf-16-le"),
    "half a character": "\ufeffx;y\n1;2\n".encode("utf-16-le")[:-1],
    "no text": bytes(range(256)),
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00",
}


@pytest.mark.parametrize("content", DOUBTFUL)
def test_an_encoding_in_doubt_is_asked_for(content, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(DOUBTFUL[content])
    with pytest.raises(SmmixError, match=r"not (UTF-8|utf-16) text \(byte 0x..\); .*--encoding"):
        read_table(str(path))


def test_a_byte_far_behind_decides_the_encoding_of_all(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"x,town\n" + b"1,Bonn\n" * 50_000 + "2,Köln\n".encode("cp1252"))
    frame, note = read_table(str(path))
    assert frame["town"].iloc[-1] == "Köln"
    assert "cp1252" in note


def test_spaces_may_stand_between_fields(tmp_path):
    path = tmp_path / "data.dat"
    path.write_text("x   y\n1   2.5\n13  4\n")
    frame, _ = read_table(str(path), Dialect.of_options("space", None, None, None, None))
    assert frame["y"].tolist() == [2.5, 4.0]


WRONG = {
    ("--sep", "ab"): "--sep: 'ab' is no single sign",
    ("--decimal", "x"): "--decimal: 'x' is no single sign",
    ("--decimal", ",", "--thousands", ","): "are both ','",
    ("--encoding", "klingon"): "'klingon' is unknown",
    ("--encoding", "hex"): "'hex' is unknown",
    ("--encoding", "\0"): "is unknown",
    ("--encoding", "utf-16"): "not utf-16 text",
    ("--encoding", "punycode"): "not punycode text",
    ("--dataset", "engel", "--sep", ";"): "are for CSV files",
}


@pytest.mark.parametrize("options", WRONG)
def test_wrong_options_are_refused(options, tmp_path, capsys):
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1,2\n")
    files = [] if "--dataset" in options else [str(path)]
    assert main(["fit", "y ~ x", *files, *options]) == 2
    err = capsys.readouterr().err
    assert WRONG[options] in err
    assert err.count("\n") == 1


def test_a_header_without_the_separator_names_the_one_it_has(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("x;y\n1;2\n")
    with pytest.raises(SmmixError, match=r"has ';' and no '\|'; say --sep ';'"):
        read_table(str(path), Dialect.of_options("|", None, None, None, None))


@pytest.fixture(scope="module")
def engel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engel")
    fit = ["fit", "foodexp ~ income", "--dataset", "engel", "-k", "2", "--quiet"]
    extra = ["--save", str(folder / "fit.json"), "--report", str(folder / "page.html")]
    assert main([*fit, *extra, "--html"]) == 0
    return folder


def test_tables_come_in_latex_and_html_and_on_a_page(engel, capsys):
    fit = ["fit", "foodexp ~ income", "--dataset", "engel", "-k", "2", "--quiet"]
    assert main([*fit, "--latex", "--test", "income[0] = income[1]"]) == 0
    out = capsys.readouterr().out
    assert "\\begin{tabular}" in out
    assert "Wald test of income[0] = income[1]: chi2(1) = " in out
    assert main([*fit, "--html"]) == 0
    assert "<table" in capsys.readouterr().out
    page = (engel / "page.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "foodexp" in page
    assert main([*fit, "--report", str(engel / "page.txt")]) == 2
    assert "should end in .html" in capsys.readouterr().err
    assert main([*fit, "--test", "income[7] = 0"]) == 2
    assert "income[7]" in capsys.readouterr().err
    assert main([*fit, "--json", "--latex"]) == 2
    assert "--latex" in capsys.readouterr().err


def test_predictions_may_stand_behind_the_columns_of_the_table(engel, capsys):
    call = ["predict", str(engel / "fit.json"), "--dataset", "engel", "--append"]
    for which, columns in (("mean", ["mean"]), ("prob", ["prob[0]", "prob[1]"])):
        target = engel / "out.csv"
        assert main([*call, "--which", which, "-o", str(target)]) == 0
        found = pd.read_csv(target)
        assert list(found) == ["income", "foodexp", *columns]
        assert main([*call[:-1], "--which", which]) == 0
        alone = capsys.readouterr().out
        assert found[columns].to_csv(index=False) == alone
    again = ["predict", str(engel / "fit.json"), str(target), "--append", "--which", "prob"]
    assert main(again) == 2
    assert "has a column 'prob[0]' already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_pipe_that_waits_is_told_of():
    call = [sys.executable, "-m", "smmix", "fit", "y ~ x"]
    done = subprocess.run(call, input="x,y\n1,2\n", capture_output=True, text=True)
    assert done.returncode == 2
    assert "- reads the standard input, where something is waiting" in done.stderr
    with Path(os.devnull).open() as nothing:
        done = subprocess.run(call, stdin=nothing, capture_output=True, text=True)
    assert "waiting" not in done.stderr


def test_columns_of_text_are_named_where_all_columns_are_taken(tmp_path, capsys):
    path = tmp_path / "data.csv"
    FRAME.to_csv(path, index=False)
    assert main(["select", str(path), "--response", "y", "-k", "1", "--quiet"]) == 0
    err = capsys.readouterr().err
    assert "note: column 'town' holds text and is taken for categories; --exclude" in err


def test_a_column_of_dates_is_refused_in_a_short_sentence(tmp_path, capsys):
    path = tmp_path / "data.csv"
    FRAME.assign(day=pd.date_range("2020", periods=N)).to_csv(path, index=False)
    assert main(["fit", "y ~ day", str(path)]) == 2
    err = capsys.readouterr().err
    assert "'day' holds dates as text, such as '2020-01-01' in row 1" in err
    assert len(err) < 400
