"""Tidy frames and tables for publication, beside statsmodels and the same numbers elsewhere."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import engel, engel_fit
from scipy import stats
from statsmodels.iolib.summary2 import summary_col

import smmix
from smmix import SmmixError


@pytest.fixture(scope="module")
def ols():
    return sm.OLS.from_formula("foodexp ~ income", engel()).fit()


@pytest.fixture(scope="module")
def fits():
    return [engel_fit(k) for k in (1, 2, 3)]


def test_tidy_of_one_component_is_statsmodels(ols):
    tidy = engel_fit(1).tidy(alpha=0.1).iloc[:2]
    error = ols.bse * np.sqrt(ols.df_resid / ols.nobs)
    ratio = ols.params / error
    want = {
        "estimate": ols.params,
        "std.error": error,
        "statistic": ratio,
        "p.value": 2 * stats.norm.sf(abs(ratio)),
        "conf.low": ols.params - stats.norm.ppf(0.95) * error,
        "conf.high": ols.params + stats.norm.ppf(0.95) * error,
    }
    for column, values in want.items():
        np.testing.assert_allclose(tidy[column].astype(float), values, rtol=1e-7, atol=1e-12)
    assert tidy["term"].tolist() == ols.params.index.tolist()
    assert tidy["component"].tolist() == [0, 0]


def test_tidy_names_kinds_and_components():
    tidy = smmix.from_formula("foodexp ~ income", engel(), k=2, common=["income"]).fit().tidy()
    assert tidy["component"].isna().tolist() == [name == "income" for name in tidy.index]
    assert tidy.loc["sigma[1]", ["term", "kind"]].tolist() == ["sigma", "nuisance"]
    assert tidy.loc["mixing.Intercept[1]", "kind"] == "mixing"


def test_glance_of_one_component_is_statsmodels(ols):
    row = engel_fit(1).glance().iloc[0]
    np.testing.assert_allclose(row["logLik"], ols.llf, rtol=1e-12)
    # statsmodels does not count sigma.
    np.testing.assert_allclose(row["AIC"], ols.aic + 2, rtol=1e-12)
    np.testing.assert_allclose(row["BIC"], ols.bic + np.log(ols.nobs), rtol=1e-12)
    assert (row["k"], row["nobs"], row["df"], row["df.residual"]) == (1, 235, 3, 232)


def test_a_fit_from_a_file_has_the_same_tables(fits):
    saved = smmix.read_json(fits[1].to_json())
    assert saved.tidy().equals(fits[1].tidy())
    np.testing.assert_array_equal(saved.glance(), fits[1].glance())
    assert saved.table(beside=[fits[2]]) == fits[1].table(beside=[fits[2]])
    new = {"income": [500.0, 900.0]}
    ours, theirs = (fit.get_prediction(new, which="components") for fit in (saved, fits[1]))
    np.testing.assert_array_equal(ours.summary_frame(), theirs.summary_frame())


# -- tables -----------------------------------------------------------------------------------


class Cells(HTMLParser):
    """Rows of cells of an HTML table, a cell that spans columns followed by empty ones."""

    def __init__(self, text: str):
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1] += [""] * int(dict(attrs).get("colspan", 1))
            self.at = len(self.rows[-1]) - int(dict(attrs).get("colspan", 1))

    def handle_data(self, data):
        if data.strip():
            self.rows[-1][self.at] += data


def in_markdown(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [[cell.replace("\\", "") for cell in row] for row in cells]


def in_latex(text: str) -> list[list[str]]:
    rows = []
    for line in text.splitlines():
        if "&" not in line:
            continue
        cells = []
        for cell in line.removesuffix(r" \\").split(" & "):
            spanned = re.match(r"\\multicolumn\{(\d+)\}\{c\}\{(.*)\}$", cell)
            cells += [spanned[2], *[""] * (int(spanned[1]) - 1)] if spanned else [cell.strip()]
        rows.append([cell.replace("{[}", "[").replace("{]}", "]") for cell in cells])
    return rows


def test_every_language_says_the_same(fits):
    def written(kind):
        return fits[1].table(kind, beside=[fits[0], fits[2]], stars=True, intervals=True)

    html, markdown, latex = (
        Cells(written("html")).rows[2:-1],
        in_markdown(written("markdown"))[2:],
        in_latex(written("latex"))[2:],
    )
    assert html == markdown == latex
    assert {len(row) for row in html} == {7}
    plain = written("text").splitlines()
    for row, line in zip(html, plain[4 : 4 + 8], strict=False):
        assert "".join(row).replace(" ", "") == line.replace(" ", "")


def test_numbers_and_stars_of_one_component_are_statsmodels(ols):
    rows = in_markdown(engel_fit(1).table("markdown", stars=True, float_format="%.4f"))
    error = ols.bse * np.sqrt(ols.df_resid / ols.nobs)
    for term, row, below in (("Intercept", *rows[2:4]), ("income", *rows[4:6])):
        assert row == [term, f"{ols.params[term]:.4f}***"]
        assert below == ["", f"({error[term]:.4f})"]


def test_stars_are_those_of_summary_col(fits):
    theirs = str(summary_col(fits[2].components, stars=True, float_format="%.3f"))
    ours = fits[2].table(stars=True)
    for cell in re.findall(r"-?\d+\.\d+\**", theirs):
        assert re.search(rf"(?<![\d-]){re.escape(cell)}(?![*\d])", ours)


def test_components_and_k_are_in_the_names_of_summary_col(fits):
    table = summary_col([view for fit in fits for view in fit.components])
    assert list(table.tables[0].columns) == [
        f"foodexp, k={k} [{c}]" for k in (1, 2, 3) for c in range(k)
    ]


def test_mixing_model_common_terms_and_names_are_escaped():
    data = engel().assign(z_1=np.arange(235) % 7)
    fit = smmix.from_formula("foodexp ~ income", data, common=["income"], concomitant="z_1").fit()
    rows = in_markdown(fit.table("markdown"))
    slope = next(row for row in rows if row[0] == "income")
    assert slope[1] == slope[2] != ""
    logit = next(row for row in rows if row[0] == "mixing: z_1")
    assert logit[1:] == ["", f"{fit.params['mixing.z_1[1]']:.3f}"]
    assert r"mixing: z\_1" in fit.table("latex")
    assert "a&lt;b" in fit.table("html", names=["a<b"])


def test_robust_errors_are_named(fits):
    robust = fits[1].get_robustcov_results("HC1")
    assert f"({robust.bse['income[1]']:.3f})" in robust.table()
    assert "parentheses (HC1)." in robust.table()


def test_great_tables(fits):
    pytest.importorskip("great_tables")
    page = fits[1].table("gt", beside=[fits[0]]).as_raw_html()
    for cell in ("foodexp, k=2", "foodexp, k=1", f"{fits[1].params['income[1]']:.3f}"):
        assert cell in page


def test_what_cannot_be_written_is_refused(fits, monkeypatch):
    with pytest.raises(SmmixError, match=r"kind must be 'text', .* not 'docx'"):
        fits[0].table("docx")
    with pytest.raises(SmmixError, match="names has 1 names for 2 fits"):
        fits[0].table(beside=[fits[1]], names=["one"])
    for option in ({"beside": [3]}, {"beside": np.array(1.0)}, {"names": 2.5}, {"stars": pd.NA}):
        with pytest.raises(SmmixError, match=f"{next(iter(option))} must be"):
            fits[0].table(**option)
    for form in (2.5, "%d%d", "plain"):
        with pytest.raises(SmmixError, match="float_format must format one number"):
            fits[0].table(float_format=form)
    monkeypatch.setitem(sys.modules, "great_tables", None)
    with pytest.raises(SmmixError, match="needs the package great_tables"):
        fits[0].table("gt")


# -- what a session shows ---------------------------------------------------------------------


def test_things_in_hand_show_what_they_are(fits):
    boot = fits[1].bootstrap(n_boot=9)
    error = boot.params["income[0]"].std()
    for shown in (repr(boot), boot._repr_html_(), boot.summary().as_latex()):
        assert f"{error:.4f}" in shown
    test = smmix.vlmr_test(fits[0], fits[1])
    assert f"{2 * (fits[1].llf - fits[0].llf):.3f}" in repr(test)
    assert "<table" in test._repr_html_()
    assert repr(fits[1].components[1]).startswith("foodexp, k=2 [1]")
    assert "obs_ci_upper" in fits[1].get_prediction({"income": [500.0]})._repr_html_()


def test_dir_lists_what_is_public(fits):
    listed = [name for name in dir(fits[1]) if not name.startswith("_")]
    assert {"params", "summary", "tidy", "plot_fit", "posterior"} <= set(listed)
    assert not {"unpacked", "covjhj", "hessv", "directions", "fitted"} & set(listed)
    for name in listed:
        assert hasattr(fits[1], name), name
