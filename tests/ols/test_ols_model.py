"""Least squares by the normal equations as a model of statsmodels."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from helpers_exact import nist_design
from statsmodels.regression.linear_model import RegressionResults
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

import smmix
from smmix.errors import SmmixError
from smmix.ols import NormalEquationOLS, solve_normal_equations

GOOD_X, GOOD_Y = np.column_stack([np.ones(6), np.arange(6.0)]), np.arange(6.0) ** 2
ENGEL = sm.datasets.engel.load_pandas().data
LONGLEY = sm.datasets.longley.load_pandas()


def both(weights=None, formula="foodexp ~ income + np.log(income)"):
    ours = NormalEquationOLS.from_formula(formula, ENGEL, weights=weights)
    if weights is None:
        return ours.fit(), smf.ols(formula, ENGEL).fit()
    return ours.fit(), smf.wls(formula, ENGEL, weights=weights).fit()


@pytest.mark.parametrize("weighted", [False, True])
def test_every_statistic_of_statsmodels(weighted):
    weights = np.linspace(0.5, 3.0, len(ENGEL)) if weighted else None
    ours, theirs = both(weights)
    assert isinstance(ours._results, RegressionResults)
    for name in ("params", "bse", "tvalues", "pvalues", "ssr", "scale", "rsquared", "rsquared_adj",
                 "fvalue", "f_pvalue", "llf", "aic", "bic", "ess", "centered_tss",
                 "uncentered_tss", "mse_model", "mse_resid", "mse_total", "df_model", "df_resid",
                 "nobs", "condition_number", "fittedvalues", "resid", "wresid", "resid_pearson",
                 "eigenvals", "HC0_se", "HC1_se", "HC2_se", "HC3_se"):  # fmt: skip
        expected = getattr(theirs, name)
        np.testing.assert_allclose(
            getattr(ours, name), expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max(),
            err_msg=name,
        )  # fmt: skip
        assert type(getattr(ours, name)) is type(expected) or np.isscalar(expected), name
    np.testing.assert_allclose(ours.conf_int(0.1), theirs.conf_int(0.1), rtol=1e-9)
    np.testing.assert_allclose(ours.cov_params(), theirs.cov_params(), rtol=1e-8)
    hypothesis = "income = 0.5, Intercept = 0"
    np.testing.assert_allclose(
        float(ours.f_test(hypothesis).fvalue), float(theirs.f_test(hypothesis).fvalue), rtol=1e-8
    )
    np.testing.assert_allclose(
        ours.t_test("income = 0.5").tvalue, theirs.t_test("income = 0.5").tvalue, rtol=1e-8
    )
    new = pd.DataFrame({"income": [300.0, 900.0]})
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-12)
    pd.testing.assert_frame_equal(
        ours.get_prediction(new).summary_frame(), theirs.get_prediction(new).summary_frame(),
        rtol=1e-8,
    )  # fmt: skip


def without_clock(results):
    lines = results.summary().as_text().splitlines()
    return [line for line in lines[1:] if not line.startswith(("Date:", "Time:", "Model:"))]


@pytest.mark.parametrize("weighted", [False, True])
def test_summary_reads_as_that_of_statsmodels(weighted):
    ours, theirs = both(np.linspace(0.5, 3.0, len(ENGEL)) if weighted else None)
    assert without_clock(ours) == without_clock(theirs)
    assert "NormalEquationOLS Regression Results" in ours.summary().as_text()
    assert ours.summary().as_html()
    assert ours.summary().as_latex()
    assert ours.summary2().as_text()


@pytest.mark.parametrize(
    ("cov_type", "options"),
    [
        ("HC0", {}),
        ("HC1", {}),
        ("HC2", {}),
        ("HC3", {}),
        ("HAC", {"maxlags": 2}),
        ("cluster", {"groups": np.arange(len(ENGEL)) // 10}),
        ("fixed scale", {"scale": 2.5}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_robust_covariances(cov_type, options, weighted):
    weights = np.linspace(0.5, 3.0, len(ENGEL)) if weighted else None
    ours, theirs = both(weights)
    expected = theirs.get_robustcov_results(cov_type, **options)
    later = ours.get_robustcov_results(cov_type, **options)
    at_once = ours.model.fit(cov_type=cov_type, cov_kwds=dict(options))
    for results in (later, at_once):
        np.testing.assert_allclose(results.bse, expected.bse, rtol=1e-8)
        np.testing.assert_allclose(results.fvalue, expected.fvalue, rtol=1e-8)
    assert later.use_t == expected.use_t
    assert at_once.use_t == theirs.model.fit(cov_type=cov_type, cov_kwds=dict(options)).use_t


def test_tools_of_ols_work():
    ours, theirs = both()
    np.testing.assert_allclose(
        ours.get_influence().cooks_distance[0], theirs.get_influence().cooks_distance[0], rtol=1e-7
    )
    np.testing.assert_allclose(
        sm.stats.anova_lm(ours).to_numpy(), sm.stats.anova_lm(theirs).to_numpy(), rtol=1e-8
    )
    np.testing.assert_allclose(
        sm.stats.diagnostic.het_breuschpagan(ours.resid, ours.model.exog),
        sm.stats.diagnostic.het_breuschpagan(theirs.resid, theirs.model.exog),
        rtol=1e-7,
    )
    smaller, small = both(formula="foodexp ~ income")
    np.testing.assert_allclose(ours.compare_f_test(smaller), theirs.compare_f_test(small))
    np.testing.assert_allclose(ours.compare_lr_test(smaller), theirs.compare_lr_test(small))
    weighted, _ = both(np.ones(len(ENGEL)))
    with pytest.raises(SmmixError, match="know no weights"):
        weighted.get_influence()


def test_longley_with_labels():
    exog = sm.add_constant(LONGLEY.exog)
    results = NormalEquationOLS(LONGLEY.endog, exog).fit()
    assert results.params.index.tolist() == exog.columns.tolist()
    assert results.model.endog_names == "TOTEMP"


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        (np.column_stack([np.arange(8.0), np.ones(8)]), (1, 1)),
        (np.column_stack([np.arange(8.0), np.full(8, 7.0)]), (1, 1)),
        (np.column_stack([np.full(8, 7.0), np.arange(8.0), np.ones(8)]), (1, 2)),
        (np.column_stack([np.arange(8) % 2 == 0, np.arange(8) % 2 == 1]), (1, None)),
        (np.column_stack([np.arange(8.0), np.zeros(8)]), (0, None)),
        (np.arange(8.0)[:, None], (0, None)),
    ],
)
def test_a_constant_is_found_as_statsmodels_finds_it(design, expected):
    y = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 4.0, 7.0, 6.0])
    design = design.astype(float)
    ours, theirs = NormalEquationOLS(y, design), sm.OLS(y, design)
    assert (ours.k_constant, ours.data.const_idx) == expected
    assert (theirs.k_constant, theirs.data.const_idx) == expected
    assert NormalEquationOLS(y, design, hasconst=False).k_constant == 0
    assert NormalEquationOLS(y, design, hasconst=True).k_constant == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)
        np.testing.assert_allclose(ours.fit().rsquared, theirs.fit().rsquared, rtol=1e-10)


def test_an_implicit_constant_in_many_rows():
    level = np.arange(5000) % 3
    dummies = np.eye(3)[level]
    assert NormalEquationOLS(level, dummies).k_constant == 1
    dummies[4999] = 0.0
    assert NormalEquationOLS(level, dummies).k_constant == 0


@pytest.mark.parametrize("weights", ["w", "array", None])
def test_formula_with_missing_rows_subset_and_weights(weights):
    frame = ENGEL.assign(w=np.linspace(1.0, 2.0, len(ENGEL)))
    frame.loc[[3, 17], "income"] = np.nan
    used = frame.index[:200]
    given_weights = frame.loc[used, "w"].to_numpy() if weights == "array" else weights
    ours = NormalEquationOLS.from_formula(
        "foodexp ~ income", frame, subset=used, weights=given_weights
    ).fit()
    part = frame.loc[used].dropna()
    if weights is None:
        theirs = smf.ols("foodexp ~ income", part).fit()
    else:
        theirs = smf.wls("foodexp ~ income", part, weights=part["w"]).fit()
    assert ours.nobs == 198
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-12)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-12)


def test_a_formula_sees_the_names_of_its_caller():
    def cube(x):
        return x**3

    results = NormalEquationOLS.from_formula("foodexp ~ cube(income)", ENGEL).fit()
    assert results.params.index.tolist() == ["Intercept", "cube(income)"]
    assert np.isfinite(results.predict(ENGEL[:3])).all()


def test_an_exact_fit_has_limits_and_no_nan():
    results = NormalEquationOLS(*nist_design("Wampler1")[::-1]).fit()
    assert results.ssr == 0.0
    assert np.isinf(results.tvalues).all()
    assert (results.pvalues == 0.0).all()
    assert results.rsquared == 1.0
    assert (results.fvalue, results.llf) == (np.inf, np.inf)
    assert "nan" not in results.summary().as_text()


def test_a_constant_response_has_nothing_to_explain():
    design = np.column_stack([np.ones(24), np.arange(24.0)])
    results = NormalEquationOLS(np.full(24, 3.0), design).fit()
    np.testing.assert_allclose(results.params, [3.0, 0.0], atol=1e-15)
    assert (results.ssr, results.rsquared, results.fvalue) == (0.0, 0.0, 0.0)
    assert np.isfinite(results.pvalues).all()
    assert "nan" not in results.summary().as_text()


def test_a_rank_deficient_design_has_a_summary():
    frame = pd.DataFrame({"one": 1.0, "a": np.arange(20.0)}).assign(b=lambda f: 2.0 * f["a"])
    with pytest.warns(SingularMatrixWarning, match="'b'"):
        results = NormalEquationOLS(np.arange(20.0) ** 2, frame).fit()
    text = results.summary().as_text()
    assert "nan" not in text
    assert "design matrix is singular" in " ".join(text.split())


@pytest.mark.parametrize("weighted", [False, True])
def test_missing_rows_are_dropped_on_request(weighted):
    y, weights = GOOD_Y.copy(), np.arange(1.0, 7.0) if weighted else None
    y[2] = np.nan
    x = GOOD_X.copy()
    x[4, 1] = np.nan
    ours = NormalEquationOLS(y, x, weights=weights, missing="drop").fit()
    kept = [0, 1, 3, 5]
    theirs = sm.WLS(y[kept], x[kept], weights=1.0 if weights is None else weights[kept]).fit()
    assert ours.nobs == 4
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-12)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-12)
    with pytest.raises(SmmixError, match="missing values"):
        NormalEquationOLS(y, x, missing="raise")


def test_polars_frames_keep_their_names():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"one": np.ones(6), "dose": np.arange(6.0)})
    results = NormalEquationOLS(polars.Series("y", GOOD_Y), frame).fit()
    assert results.params.index.tolist() == ["one", "dose"]
    assert results.params.tolist() == NormalEquationOLS(GOOD_Y, GOOD_X).fit().params.tolist()
    by_formula = NormalEquationOLS.from_formula("y ~ dose", frame.with_columns(y=GOOD_Y)).fit()
    np.testing.assert_allclose(by_formula.params, results.params, rtol=1e-13)


def test_results_survive_pickling_and_the_loss_of_their_data(tmp_path):
    results = NormalEquationOLS.from_formula("foodexp ~ income", ENGEL).fit()
    again = pickle.loads(pickle.dumps(results))
    np.testing.assert_array_equal(again.params, results.params)
    np.testing.assert_array_equal(again.bse, results.bse)
    results.summary()
    results.save(tmp_path / "fit.pickle", remove_data=True)
    small = sm.load(tmp_path / "fit.pickle")
    new = pd.DataFrame({"income": [300.0, 900.0]})
    np.testing.assert_allclose(small.predict(new), again.predict(new))
    np.testing.assert_array_equal(small.bse, again.bse)


def test_the_fit_makes_no_copy_of_the_design():
    import tracemalloc

    rng = np.random.default_rng(13)
    design = rng.standard_normal((200_000, 10))
    y = rng.standard_normal(200_000)
    tracemalloc.start()
    solve_normal_equations(design, y)
    NormalEquationOLS(y, design).fit().bse  # noqa: B018
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * design.nbytes


def test_bad_calls_of_the_model():
    spoilt = GOOD_X.copy()
    spoilt[4, 1] = np.nan
    with pytest.raises(SmmixError, match="not 'pinv'"):
        NormalEquationOLS(GOOD_Y, GOOD_X).fit(method="pinv")
    with pytest.raises(SmmixError, match="Row 4 of column 1 of X is nan"):
        NormalEquationOLS(GOOD_Y, spoilt).fit()
    frame = pd.DataFrame(spoilt, columns=["one", "dose"])
    with pytest.raises(SmmixError, match="Row 4 of column 'dose' is nan"):
        NormalEquationOLS(GOOD_Y, frame).fit()
    with pytest.raises(SmmixError, match="no column 'w'"):
        NormalEquationOLS.from_formula("y ~ x", pd.DataFrame({"y": [1], "x": [2]}), weights="w")
    with pytest.raises(SmmixError, match="endog has 5 rows, but exog has 6"):
        NormalEquationOLS(GOOD_Y[:5], GOOD_X)
    with pytest.raises(SmmixError, match="Column 'g' of exog holds"):
        NormalEquationOLS(GOOD_Y, pd.DataFrame({"g": list("aabbcc")}))
    with pytest.raises(SmmixError, match="weights has 5 values for 6 rows"):
        NormalEquationOLS(GOOD_Y, GOOD_X, weights=GOOD_Y[:5])
    with pytest.raises(TypeError, match="unexpected keyword argument 'wieghts'"):
        NormalEquationOLS(GOOD_Y, GOOD_X, wieghts=GOOD_Y)


LABELS = list("abcdef")


@pytest.mark.parametrize("order", [LABELS[::-1], list("bcdefg")], ids=["turned", "others"])
def test_rows_of_another_index_are_refused(order):
    y, x = pd.Series(GOOD_Y, LABELS), pd.DataFrame(GOOD_X, LABELS)
    other = x.set_axis(order)
    for call, what in (
        (lambda: NormalEquationOLS(y, other), "exog"),
        (lambda: NormalEquationOLS(y, x, weights=other[1]), "weights"),
        (lambda: NormalEquationOLS(GOOD_Y, x, weights=other[1]), "weights"),
    ):
        with pytest.raises(SmmixError, match=f"index of {what} differs .* one order") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert NormalEquationOLS(y, x, weights=x[1] + 1).fit().nobs == 6


def test_tables_without_labels_are_taken_row_by_row():
    polars = pytest.importorskip("polars")
    y = pd.Series(GOOD_Y, LABELS)
    table = polars.DataFrame({"one": GOOD_X[:, 0], "dose": GOOD_X[:, 1]})
    fit = NormalEquationOLS(y, table).fit()
    np.testing.assert_allclose(fit.params, sm.OLS(GOOD_Y, GOOD_X).fit().params, rtol=1e-12)
    assert fit.fittedvalues.index.tolist() == LABELS


@pytest.mark.parametrize(
    "formula",
    ["foodexp ~ incme", "foodexp ~ np.lo(income)", "foodexp ~ cubed(income)", "foodexp ~ ",
     "foodexp ~ income +", "foodexp", 3],
    ids=str,
)  # fmt: skip
def test_formulas_are_refused_as_those_of_a_mixture(formula):
    with pytest.raises(SmmixError) as expected:
        smmix.from_formula(formula, ENGEL)
    with pytest.raises(SmmixError) as caught:
        NormalEquationOLS.from_formula(formula, ENGEL)
    assert "\n" not in str(caught.value)
    first, second = (str(e.value).replace("The formula", "formula") for e in (expected, caught))
    assert first == second


def test_formulas_that_can_be_read_are_not_blamed():
    with pytest.raises(TypeError, match="unexpected keyword argument 'wieghts'"):
        NormalEquationOLS.from_formula("foodexp ~ income", ENGEL, wieghts="income")
    weights = np.linspace(1.0, 2.0, len(ENGEL))
    listed = NormalEquationOLS.from_formula("foodexp ~ income", ENGEL, weights=weights.tolist())
    expected = smf.wls("foodexp ~ income", ENGEL, weights=weights).fit()
    np.testing.assert_allclose(listed.fit().params, expected.params, rtol=1e-12)
