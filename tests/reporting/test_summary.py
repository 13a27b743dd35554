"""What summary() prints, in text, HTML, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
import warnings
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers_density import lines
from statsmodels.tools.sm_exceptions import ConvergenceWarning

import smmix
from smmix.reporting.tables import latex_escape

DATA = lines().assign(group_of_a_long_name=lambda d: np.array(list("ab"))[d["cluster"] % 2])
FORMULA = "y ~ x1 + I(x2 < 0.5) + C(group_of_a_long_name)"


@pytest.fixture(scope="module")
def fit():
    return smmix.from_formula(FORMULA, DATA, k=2, concomitant="z").fit(n_starts=10)


def tables_of(text):
    """The lines of each table of a text summary, the title left out."""
    body = text.split("\nNotes:")[0]
    parts = re.split(r"\n=+\n", body)
    return [part.split("\n") for part in parts[1:] if part]


def rows_by_name(lines_of_table):
    rows, section = {}, None
    for line in lines_of_table:
        cells = re.split(r"\s{2,}", line.strip())
        if set(line) == {"-"}:
            continue
        if "std err" in line:
            section = cells[0]
        else:
            rows[(section, cells[0])] = cells[1:]
    return rows


class TestNumbers:
    def test_every_parameter_has_its_row(self, fit):
        rows = rows_by_name(tables_of(str(fit.summary()))[1])
        ends = fit.conf_int()
        for name in fit.params.index:
            if name.startswith("sigma"):
                continue
            if name.startswith("mixing."):
                key = ("Mixing (base 0)", name.removeprefix("mixing."))
            else:
                key = (f"Component {name[-2]}", name[:-3])
            found = [float(cell) for cell in rows[key]]
            expected = [
                fit.params[name], fit.bse[name], fit.tvalues[name], fit.pvalues[name],
                ends.loc[name, 0], ends.loc[name, 1],
            ]  # fmt: skip
            np.testing.assert_allclose(found, expected, atol=6e-4)

    def test_sigma_and_weight_have_no_test(self, fit):
        rows = rows_by_name(tables_of(str(fit.summary()))[1])
        for c in range(2):
            for name, table in (("sigma", fit.sigmas()), ("weight", fit.proportions())):
                found = [float(cell) for cell in rows[(f"Component {c}", name)]]
                np.testing.assert_allclose(found, table.loc[c], atol=6e-4)

    def test_header(self, fit):
        text = str(fit.summary())
        for label, value in [
            ("Dep. Variable:", "y"),
            ("Model:", "MixtureOLS (k=2)"),
            ("Log-Likelihood:", f"{fit.llf:.2f}"),
            ("AIC:", f"{fit.aic:#8.4g}".strip()),
            ("BIC:", f"{fit.bic:#8.4g}".strip()),
            ("ICL:", f"{fit.icl:#8.4g}".strip()),
            ("Entropy R2:", f"{fit.entropy_r2:.5f}"),
            ("No. Observations:", "160"),
            ("Df Residuals:", str(160 - len(fit.params))),
            ("Covariance Type:", "nonrobust"),
        ]:
            assert re.search(rf"{re.escape(label)}\s+{re.escape(value)}(\s|$)", text), label

    def test_classification(self, fit):
        rows = tables_of(str(fit.summary()))[2]
        table = fit.classification_table()
        for c in range(2):
            found = [float(cell) for cell in rows[2 + c].split()[2:]]
            expected = table.loc[c, ["share", "expected_n", "assigned_n", "avepp", "occ"]]
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=0.06)

    def test_large_odds_keep_to_their_column(self):
        data = smmix.simulate_mixture(
            200, coef=[[0, 1], [3, -1]], sigma=1.0, weights=[0.6, 0.4], n_groups=50, rng=1
        ).frame
        fit = smmix.from_formula("y ~ x1", data, k=2, groups="group").fit()
        odds = fit.classification_table()["occ"]
        assert np.isfinite(odds).all()
        assert odds.min() > 1e6
        rows = tables_of(str(fit.summary()))[2][2:4]
        for row, value in zip(rows, odds, strict=True):
            assert len(row) == len(rows[0])
            assert float(row.split()[-1]) == pytest.approx(value, rel=0.05)

    def test_level_of_the_intervals(self, fit):
        text = str(fit.summary(alpha=0.1))
        assert "[0.05 " in text
        assert "0.95]" in text
        rows = rows_by_name(tables_of(text)[1])
        found = float(rows[("Component 0", "sigma")][-1])
        assert found == pytest.approx(fit.sigmas(alpha=0.1).loc[0, "ci_upper"], abs=6e-4)

    def test_student_t(self, fit):
        text = str(fit.get_robustcov_results("HC0", use_t=True).summary())
        assert "P>|t|" in text
        assert "P>|z|" not in text


class TestLayout:
    def test_columns_stand_under_each_other(self, fit):
        """Sections with names of unequal length share the widths of one table."""
        table = tables_of(str(fit.summary()))[1]
        assert len({len(line) for line in table}) == 1
        heads = [line for line in table if "std err" in line]
        assert len({line.index("std err") for line in heads}) == 1

    def test_title(self, fit):
        assert str(fit.summary(title="My lines")).splitlines()[0].strip() == "My lines"

    def test_shared_parameters_stand_apart(self):
        options = {"variance": "equal", "common": ["x2"]}
        fit = smmix.from_formula("y ~ x1 + x2", DATA, k=2, **options).fit(n_starts=10)
        rows = rows_by_name(tables_of(str(fit.summary()))[1])
        assert float(rows[("All components", "x2")][0]) == pytest.approx(fit.params["x2"], abs=1e-4)
        sigma = [float(cell) for cell in rows[("All components", "sigma")]]
        np.testing.assert_allclose(sigma, fit.sigmas().loc[0], atol=6e-4)
        assert ("Component 0", "sigma") not in rows

    def test_one_component(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=1).fit()
        text = str(fit.summary())
        assert "weight" not in text
        assert "Classification" not in text

    def test_groups(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2, groups="id").fit(n_starts=10)
        text = str(fit.summary())
        assert re.search(r"No\. Groups:\s+40\s", text)
        assert "not groups" in text


class TestLatex:
    def test_rows_have_the_columns_of_their_tabular(self, fit):
        columns = None
        for line in fit.summary().as_latex().splitlines():
            if begun := re.fullmatch(r"\\begin\{tabular\}\{(\w+)\}", line):
                columns = len(begun[1])
            elif line == r"\end{tabular}":
                columns = None
            elif columns and line.endswith(r"\\"):
                assert len(re.findall(r"(?<!\\)&", line)) == columns - 1

    def test_environments_are_closed(self, fit):
        text = fit.summary().as_latex()
        assert text.count(r"\begin{") == text.count(r"\end{")
        assert text.count(r"\toprule") == text.count(r"\bottomrule") == 3

    def test_special_characters(self, fit):
        body = fit.summary().as_latex()
        assert r"C(group\_of\_a\_long\_name){[}T.b{]}" in body
        assert r"I(x2 \textless{} 0.5){[}T.True{]}" in body
        assert not re.search(r"(?<!\\)[_#%$]", body)

    def test_brackets_after_a_line_break(self):
        """An unprotected [ after a row's end would be read as the row's extra space."""
        assert latex_escape("[0.025") == "{[}0.025"


class TestHtml:
    def test_is_well_formed_and_escaped(self, fit):
        text = fit.summary().as_html()
        root = ET.fromstring(f"<div>{text}</div>")
        cells = ["".join(cell.itertext()).strip() for cell in root.iter("th")]
        assert "I(x2 < 0.5)[T.True]" in cells
        assert "Component 1" in cells
        assert "I(x2 < 0.5)[T.True]" not in text

    def test_same_numbers_as_the_text(self, fit):
        root = ET.fromstring(f"<div>{fit.summary().as_html()}</div>")
        cells = {"".join(cell.itertext()).strip() for cell in root.iter("td")}
        assert f"{fit.params['x1[0]']:.4f}" in cells


def test_csv(fit):
    rows = list(csv.reader(io.StringIO(fit.summary().as_csv())))
    names = [row[0] for row in rows]
    assert names.count("x1") == 2
    assert rows[names.index("x1")][1] == f"{fit.params['x1[0]']:.4f}"


def notes_of(results):
    return " ".join(str(results.summary()).split("Notes:")[1].split())


class TestNotes:
    def test_formulas(self, fit):
        assert f"Formula: {FORMULA}; mixing: ~ z; variance: free." in notes_of(fit)

    def test_arrays_of_a_family_without_anything_to_tell(self):
        exog = np.column_stack([np.ones(len(DATA)), DATA["x1"]])
        results = smmix.MixtureGLM(DATA["y"], exog, k=1, family="laplace").fit()
        assert notes_of(results).startswith("[1] Covariance: ")

    @pytest.mark.parametrize(
        ("common", "named"),
        [
            (["x1"], "x1"),
            ("~ 1 + C(cluster)", "Intercept, C(cluster)"),
            (["C(cluster)[T.2]", "x1"], "C(cluster)[T.2], x1"),
        ],
    )
    def test_common_terms(self, common, named):
        data = DATA.assign(cluster=DATA["cluster"] % 3)
        results = smmix.from_formula("y ~ x1 + C(cluster)", data, common=common).fit(n_starts=5)
        assert f"equal in all components: {named}; variance: free." in notes_of(results)
        alone = smmix.from_formula("y ~ x1", data, k=1, common=["x1"]).fit()
        assert "Formula: y ~ x1; variance: free." in notes_of(alone)

    def test_a_formula_for_each_component(self):
        results = smmix.from_formula(["y ~ 1", "y ~ x1"], DATA).fit(n_starts=5)
        told = "Formula of component 0: y ~ 1; formula of component 1: y ~ x1; variance: free."
        assert told in notes_of(results)

    def test_restrictions(self):
        fixed = smmix.from_formula("y ~ x1", DATA, fixed={"x1[0]": -1.5}).fit(n_starts=5)
        assert "Restrictions: x1[0] = -1.5." in notes_of(fixed)
        text = "x1[0] = x1[1], sigma[0] - 2 * sigma[1] = 0, Intercept[0] + Intercept[1] = 3"
        model = smmix.from_formula("y ~ x1", DATA)
        told = "x1[0] = x1[1]; sigma[0] = 2 sigma[1]; Intercept[0] + Intercept[1] = 3."
        assert f"Restrictions: {told}" in notes_of(model.fit_constrained(text, n_starts=5))
        assert "-x1[0] = " not in notes_of(model.fit_constrained("-x1[0] = 1", n_starts=5))
        assert "Restrictions" not in notes_of(model.fit(n_starts=5))

    def test_many_restrictions_are_counted(self):
        held = {f"x1[{c}]": c for c in range(4)} | {f"sigma[{c}]": 1 + c for c in range(4)}
        model = smmix.from_formula("y ~ x1", DATA, k=4, fixed=held)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = model.fit(n_starts=3)
        assert "and 2 more." in notes_of(results)

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("nonrobust", "observed information"),
            ("opg", "outer product of the scores"),
            ("HC0", "HC0"),
            ("HC1", "HC1"),
        ],
    )
    def test_covariance(self, fit, kind, words):
        assert words in notes_of(fit.get_robustcov_results(kind))

    def test_clusters(self, fit):
        assert "G = 8" in notes_of(fit.get_robustcov_results("cluster", groups="cluster"))

    def test_sampling_weights(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2, prob_weights="w").fit(n_starts=10)
        assert "pseudo log-likelihood" in notes_of(fit)

    def test_what_bic_counts(self):
        fit = smmix.from_formula("y ~ x1", DATA, k=2, freq_weights="w").fit(n_starts=10)
        assert f"BIC counts n = {DATA['w'].sum():g} observations" in notes_of(fit)

    def test_rows_left_out(self):
        data = DATA.copy()
        data.loc[[1, 5], "x1"] = np.nan
        fit = smmix.from_formula("y ~ x1", data, k=2).fit(n_starts=10)
        assert "2 rows with missing values left out" in notes_of(fit)
        assert "missing" not in notes_of(smmix.from_formula("y ~ x1", DATA, k=2).fit(n_starts=10))

    def test_order(self, fit):
        assert "in order of falling weight" in notes_of(fit)
        again = fit.model.fit(order="x1", n_starts=10)
        assert "in order of rising x1" in notes_of(again)
        assert "start_params gave them" in notes_of(fit.model.fit(start_params=fit.params))

    def test_fit_that_did_not_converge(self):
        model = smmix.from_formula("y ~ x1", DATA, k=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = model.fit(n_starts=5, maxiter=1, method="em")
        assert "did not converge: stopped at the limit" in notes_of(fit)

    def test_rival_mode(self):
        """Engel's data have a second mode 0.62 below the best."""
        engel = pytest.importorskip("statsmodels.api").datasets.engel.load_pandas().data
        fit = smmix.from_formula("foodexp ~ income", engel, k=2).fit()
        gap = fit.llf - fit.mode(1).llf
        assert f"A rival mode has a log-likelihood {gap:.3g} lower" in notes_of(fit)
        assert f"A rival mode has a log-likelihood {gap:.3g} higher" in notes_of(fit.mode(1))

    def test_distant_mode(self):
        rng = np.random.default_rng(0)
        second = np.arange(300) % 3 == 0
        x = rng.normal(size=300)
        y = np.where(second, 9 - x, 2 * x) + 0.3 * rng.normal(size=300)
        fit = smmix.from_formula("y ~ x", pd.DataFrame({"x": x, "y": y}), k=2).fit()
        assert "rival" not in notes_of(fit)
        assert "optimistic" not in notes_of(fit)

    def test_tiny_component(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=300)
        y = np.where(np.arange(300) < 20, 9 - x, 2 * x) + 0.5 * rng.normal(size=300)
        fit = smmix.from_formula("y ~ x", pd.DataFrame({"x": x, "y": y}), k=2).fit()
        assert "Few units in component 1 (20.1): Wald standard errors are optimistic" in notes_of(
            fit
        )

    def test_sharp_component_of_few_rows(self):
        countries = pd.read_csv(Path(__file__).parents[1] / "reference" / "data" / "CO2data.csv")
        lines_near = [8.76, -0.0455, 1.47, 0.675, 7.25, 0.102, 2.1, 0.84, 0.03, -0.9, -1.3]
        fit = smmix.from_formula("CO2 ~ GNP", countries, k=3).fit(start_params=lines_near)
        assert fit.sigma.min() < 0.02 * fit.sigma.max()
        assert "rows that are in line by chance" in notes_of(fit)
        fit = smmix.from_formula("CO2 ~ GNP", countries, k=2).fit()
        assert "by chance" not in notes_of(fit)

    def test_hardly_identified(self, fit):
        weak = fit.model.fit(n_starts=10)
        weak._results._fitted = replace(weak.fitted, curvature=1e-5)
        assert "hardly identified" in notes_of(weak)
        assert "hardly identified" not in notes_of(fit)

    def test_no_covariance(self, fit):
        bare = fit.model.fit(n_starts=10)
        bare._results._fitted = replace(bare.fitted, covariance=None)
        text = str(bare.summary())
        assert "There are no standard errors" in text
        assert "nan" not in text.replace("long_name", "")


def test_survives_without_the_data(fit):
    results = fit.model.fit(n_starts=10)
    before = str(results.summary())
    results.remove_data()
    after = str(results.summary())

    def strip(text):
        return re.sub(r"(?m)^(Date|Time):.*$", "", text)

    assert strip(after) == strip(before)
