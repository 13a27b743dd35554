"""The report is one file that needs nothing else, says what the fit says, and escapes names."""

import base64
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from types import SimpleNamespace

import pandas as pd
import pytest
from helpers_model import engel, engel_fit, everything_fit

import smmix
from smmix.errors import SmmixError

plt = pytest.importorskip("matplotlib.pyplot")

#: Elements of HTML without an end tag.
VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects the elements of a page, and refuses tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.said = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


@pytest.fixture(scope="module")
def page():
    return Page(engel_fit(2).report())


def pictures(page):
    found = []
    for image in page.all("img"):
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        found.append(base64.b64decode(data))
    return found


def test_nothing_is_loaded_and_nothing_runs(page):
    tags = {name for name, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    for _, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs)
        assert attrs.get("src", "data:").startswith("data:")
        assert attrs.get("href", "#").startswith("#")
    style = " ".join(page.said)
    assert "@import" not in style
    assert "url(" not in style


def test_pictures_are_whole_svg_with_a_text_in_their_place(page):
    assert [bool(image["alt"]) for image in page.all("img")] == [True] * 5
    for picture in pictures(page):
        root = ET.fromstring(picture)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        outside = re.findall(rb'(?:xlink:)?href="([^"]*)"', picture)
        assert all(link.startswith((b"#", b"data:")) for link in outside)


def test_what_the_summary_says_is_there(page):
    results = engel_fit(2)
    for row in results.summary()._notes:
        assert row in page.text
    for name in ("foodexp ~ income", "Component 1", "Log-Likelihood", "AvePP"):
        assert name in page.text
    for llf in results.starts["llf"]:
        assert f"{llf:.4f}" in page.text
    assert "64.7%, 35.3%" in page.text


def test_links_lead_to_sections_that_exist(page):
    sections = {attrs["id"] for attrs in page.all("section")}
    assert {attrs["href"].removeprefix("#") for attrs in page.all("a")} == sections


def test_the_same_fit_gives_the_same_pictures(page):
    assert pictures(Page(engel_fit(2).report())) == pictures(page)


def test_names_are_escaped():
    frame = engel().rename(columns={"income": "a<script>alert(1)</script>&b"})
    results = smmix.MixtureOLS(
        frame["foodexp"].rename("<b>y</b>"), frame[["a<script>alert(1)</script>&b"]].assign(c=1.0)
    ).fit()
    page = Page(results.report(title="<i>x</i> & y"))
    assert "script" not in {name for name, _ in page.elements}
    assert {"b", "i"}.isdisjoint(name for name, _ in page.elements)
    assert "a<script>alert(1)</script>&b" in page.text
    assert "<i>x</i> & y" in page.text


def test_one_component_has_no_separation():
    page = Page(engel_fit(1).report())
    assert "classification" not in {attrs["id"] for attrs in page.all("section")}
    assert len(pictures(page)) == 4


def test_a_model_with_everything():
    page = Page(everything_fit().report(alpha=0.1))
    assert "in 60 groups" in page.text
    assert "90% confidence bands" in page.text
    assert "[0.05" in page.text


def test_a_selection_is_shown():
    selection = smmix.select_k("foodexp ~ income", engel(), k=[1, 2], n_starts=10)
    page = Page(selection.best.report(selection=selection))
    assert "Number of components" in page.text
    assert f"{selection.table.loc[1, 'bic']:.2f}" in page.text
    assert len(pictures(page)) == 6


def test_a_fit_that_did_not_converge_says_so_on_top():
    model = smmix.from_formula("foodexp ~ income", engel(), k=2)
    with pytest.warns(match="did not converge"):
        results = model.fit(method="em", maxiter=2, n_starts=2)
    page = Page(results.report())
    warned = next(attrs for attrs in page.all("p") if attrs.get("class") == "warn")
    assert warned
    assert page.text.index("did not converge") < page.text.index("Summary")


def test_the_file_is_the_page(tmp_path):
    path = tmp_path / "fit.html"
    assert engel_fit(2).report(path) is None
    assert Page(path.read_text(encoding="utf-8")).text.startswith("Mixture of regressions: foodexp")


def test_figures_and_style_of_the_user_are_left_alone():
    plt.close("all")
    with plt.style.context("dark_background"):
        dark = pictures(Page(engel_fit(2).report()))
        assert plt.rcParams["axes.facecolor"] == "black"
    assert plt.get_fignums() == []
    assert dark == pictures(Page(engel_fit(2).report()))


def test_many_rows_make_no_large_file():
    frame = pd.concat([engel()] * 40, ignore_index=True)
    results = smmix.from_formula("foodexp ~ income", frame, k=1).fit()
    assert len(results.report()) < 2_000_000


def test_what_cannot_be_done_is_said(tmp_path):
    with pytest.raises(SmmixError, match="cannot be written to"):
        engel_fit(2).report(tmp_path / "no folder" / "fit.html")
    with pytest.raises(SmmixError, match="what select_k returned, not SimpleNamespace"):
        engel_fit(2).report(selection=SimpleNamespace())
    with pytest.raises(SmmixError, match="alpha"):
        engel_fit(2).report(alpha=1.5)
    results = smmix.from_formula("foodexp ~ income", engel(), k=1).fit()
    results.remove_data()
    with pytest.raises(SmmixError, match="taken away by remove_data"):
        results.report()


def test_rows_that_are_not_in_memory_are_not_drawn(tmp_path):
    pytest.importorskip("pyarrow")
    engel().to_parquet(tmp_path / "engel.parquet")
    table = smmix.scan_parquet(tmp_path / "engel.parquet")
    results = smmix.from_formula("foodexp ~ income", table, k=2).fit(
        start_params=engel_fit(2).params
    )
    page = Page(results.report())
    assert "The rows are not in memory" in page.text
    assert len(pictures(page)) == 3
