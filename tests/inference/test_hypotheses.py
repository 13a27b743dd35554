"""Hypotheses as matrices and tables: read by name, tested as statsmodels does, refused in words."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import engel, engel_fit, refusal

from smmix import SmmixError, from_formula

MATRICES = [
    np.eye(2),
    [[1.0, -100.0]],
    [0, 1],
    (np.eye(2), [80.0, 0.5]),
    ([[0, 1]], 0.5),
    ([[1.0, 0.0], [1.0, 500.0]], [[80.0], [300.0]]),
]


@pytest.fixture(scope="module")
def one():
    """One component, the regression that it must equal, and how their errors differ."""
    ours = from_formula("foodexp ~ income", engel(), k=1).fit(use_t=True)
    theirs = sm.OLS.from_formula("foodexp ~ income", engel()).fit()
    return ours, theirs, np.sqrt(theirs.df_resid / theirs.nobs)


def with_sigma(hypothesis):
    """The same hypothesis with a column for sigma, which a regression does not count."""
    if isinstance(hypothesis, tuple):
        return with_sigma(hypothesis[0]), hypothesis[1]
    matrix = np.asarray(hypothesis, dtype=float)
    return np.concatenate([matrix, np.zeros((*matrix.shape[:-1], 1))], axis=-1)


@pytest.mark.parametrize("hypothesis", MATRICES, ids=str)
def test_one_component_tests_as_the_regression(one, hypothesis):
    ours, theirs, factor = one
    left, right = ours.t_test(with_sigma(hypothesis)), theirs.t_test(hypothesis)
    np.testing.assert_allclose(left.effect, right.effect, rtol=1e-8)
    np.testing.assert_allclose(left.sd, right.sd * factor, rtol=1e-6)
    np.testing.assert_allclose(left.statistic, right.statistic / factor, rtol=1e-6)
    joint, expected = (
        ours.wald_test(with_sigma(hypothesis)),
        theirs.wald_test(hypothesis, scalar=True),
    )
    np.testing.assert_allclose(joint.statistic, expected.statistic / factor**2, rtol=1e-6)
    assert joint.df_num == expected.df_num
    np.testing.assert_allclose(
        ours.f_test(with_sigma(hypothesis)).fvalue, joint.statistic, rtol=1e-14
    )


@pytest.mark.parametrize("hypothesis", MATRICES, ids=str)
def test_with_the_covariance_of_the_regression(one, hypothesis):
    ours, theirs, _ = one
    covariance = np.zeros((3, 3))
    covariance[:2, :2] = theirs.cov_params()
    left = ours.t_test(with_sigma(hypothesis), cov_p=covariance)
    right = theirs.t_test(hypothesis)
    np.testing.assert_allclose(left.statistic, right.statistic, rtol=1e-8)
    # One parameter more is estimated: the degrees of freedom are one fewer.
    assert left.df_denom == right.df_denom - 1


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_are_read_by_the_names_of_their_columns(library):
    fit = engel_fit()
    names = fit.model.param_names
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(2, len(names)))
    order = rng.permutation(len(names))
    table = pd.DataFrame(matrix, columns=names, index=["a", "b"]).iloc[:, order]
    if library == "polars":
        table = pytest.importorskip("polars").from_pandas(table)
    if library == "pyarrow":
        table = pytest.importorskip("pyarrow").Table.from_pandas(table, preserve_index=False)
    for test in (fit.t_test, fit.wald_test, fit.f_test):
        np.testing.assert_array_equal(test(table).statistic, test(matrix).statistic)
    np.testing.assert_array_equal(fit.cov_params(table), fit.cov_params(matrix))


def test_a_series_is_one_hypothesis_by_name():
    fit = engel_fit()
    named = pd.Series({"income[1]": -1, "income[0]": 1})
    expected = fit.t_test("income[0] = income[1]")
    assert fit.t_test(named).statistic == pytest.approx(expected.statistic, rel=1e-14)
    assert fit.t_test((named, 0.1)).effect == pytest.approx(expected.effect, rel=1e-14)
    assert fit.t_test((named, 0.1)).statistic == pytest.approx(
        fit.t_test("income[0] - income[1] = 0.1").statistic, rel=1e-12
    )
    assert fit.t_test({"income[0]": 0.5}).statistic == pytest.approx(
        fit.t_test("income[0] = 0.5").statistic, rel=1e-14
    )


def test_tables_without_names_are_arrays():
    fit = engel_fit()
    matrix = np.eye(7)[1:4]
    expected = fit.t_test(matrix).statistic
    for same in (pd.DataFrame(matrix), matrix.tolist(), matrix.astype(int), matrix.astype(bool)):
        np.testing.assert_array_equal(fit.t_test(same).statistic, expected)
    np.testing.assert_array_equal(fit.t_test(pd.Series(matrix[0])).statistic.ravel(), expected[:1])


def test_a_covariance_by_name_is_put_in_order():
    fit = engel_fit()
    covariance = fit.get_robustcov_results("HC0").cov_params()
    turned = covariance.iloc[::-1, ::-1]
    text = "income[0] = income[1], Intercept[0] = 90"
    expected = fit.get_robustcov_results("HC0")
    np.testing.assert_allclose(fit.t_test(text, turned).sd, expected.t_test(text).sd, rtol=1e-14)
    joint = expected.wald_test(text)
    assert fit.wald_test(text, cov_p=turned).statistic == pytest.approx(joint.statistic)
    inverse = np.linalg.inv(expected.cov_params(np.eye(7)[[1, 0]] - np.eye(7)[[3, 5]] * [[1], [0]]))
    direct = (np.eye(7)[[1, 0]] - np.eye(7)[[3, 5]] * [[1], [0]], [0.0, 90.0])
    assert fit.wald_test(direct, invcov=inverse).statistic == pytest.approx(
        expected.wald_test(direct).statistic
    )


HOLE = np.eye(7)[:2]
HOLE[1, 3] = np.nan
SHAPE = "it must be \\(r, 7\\)"
NUMBERS = "r_matrix must be numbers, in rows of one length"
WRONG = {
    "too narrow": (np.eye(6), rf"r_matrix has the shape \(6, 6\); {SHAPE}"),
    "too long": (np.ones(8), rf"r_matrix has the shape \(8,\); {SHAPE}"),
    "three axes": (np.ones((1, 1, 7)), rf"r_matrix has the shape \(1, 1, 7\); {SHAPE}"),
    "empty": (np.ones((0, 7)), rf"r_matrix has the shape \(0, 7\); {SHAPE}"),
    "empty list": ([], rf"r_matrix has the shape \(0,\); {SHAPE}"),
    "a number": (3.0, rf"r_matrix has the shape \(\); {SHAPE}"),
    "nothing": (None, rf"r_matrix is None; {SHAPE}"),
    "missing": (HOLE, r"r_matrix is not finite in row 1 for 'income\[1\]'"),
    "none within": ([[None] * 7], "r_matrix is not finite in row 0 for 'Intercept"),
    "infinite": ([np.inf] * 7, "r_matrix is not finite in row 0"),
    "ragged": ([[1.0, 2.0], [1.0]], NUMBERS),
    "text within": ([[1, "a", 0, 0, 0, 0, 0]], NUMBERS),
    "complex": (np.eye(7) * 1j, NUMBERS),
    "an object": (object(), NUMBERS),
    "unknown column": (
        pd.DataFrame(np.ones((1, 2)), columns=["income[0]", "incme[1]"]),
        r"no parameter 'incme\[1\]' \(did you mean 'income\[1\]'",
    ),
    "unknown label": (pd.Series({"nothing": 1.0}), r"no parameter 'nothing' \(it has 'Intercept"),
    "twice": (
        pd.DataFrame(np.ones((1, 2)), columns=["income[0]", "income[0]"]),
        r"r_matrix has 'income\[0\]' more than once",
    ),
    "hole in a table": (
        pd.DataFrame({"income[0]": [1.0, np.nan]}),
        r"r_matrix is not finite in row 1 for 'income\[0\]'",
    ),
    "too many values": ((np.eye(7)[:2], [1.0, 2.0, 3.0]), r"r_matrix have the shape \(3,\)"),
    "a table of values": ((np.eye(7)[:4], np.ones((2, 2))), r"r_matrix have the shape \(2, 2\)"),
    "missing value": ((np.eye(7)[:2], [1.0, np.nan]), "values that go with r_matrix must be fin"),
    "value of text": ((np.eye(7)[:1], "five"), "values that go with r_matrix must be numbers"),
    "other index": (
        (pd.DataFrame({"income[0]": [1, 2]}), pd.Series([1, 2], index=[1, 0])),
        "r_matrix have another index than it has",
    ),
    "mixed list": (["income[0] = 0", 3], "cannot be read"),
    "no text": ("", rf"r_matrix is an empty text; {SHAPE}"),
    "blank": ("  ", rf"r_matrix is an empty text; {SHAPE}"),
    "one text missing": (["income[0] = 0", ""], rf"r_matrix is an empty text; {SHAPE}"),
    "infinite in text": ("income[0] = 1e999", "r_matrix must have finite numbers only"),
    "division by zero": ("income[0] / 0 = 1", "r_matrix must have finite numbers only"),
    "no names": ({}, rf"r_matrix is empty; {SHAPE}"),
    "unknown name": ({"incme[0]": 1}, r"no parameter 'incme\[0\]' \(did you mean 'income\[0\]'"),
    "missing by name": ({"income[0]": np.nan}, r"r_matrix: income\[0\] must be held at a finite"),
    "too long a number": ({"income[0]": 10**400}, r"r_matrix: income\[0\] must be held at a fin"),
    "text by name": ({"income[0]": "a"}, r"r_matrix: income\[0\] must be held at a finite"),
    "zeros": (np.zeros(7), "r_matrix has only zeros in row 0"),
    "a row of zeros": (np.diag([1.0, 1, 0, 1, 1, 1, 1]), "r_matrix has only zeros in row 2"),
    "zero in text": ("0 * income[0] = 1", "no variables appear in constraint"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("test", ["t_test", "wald_test", "f_test"])
def test_what_is_no_hypothesis_is_refused(case, test):
    given, match = WRONG[case]
    with pytest.raises(SmmixError, match=match) as caught:
        getattr(engel_fit(), test)(given)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"cov_p": np.eye(6)}, r"cov_p has the shape (6, 6); it must be (7, 7)"),
        ({"cov_p": np.full((7, 7), np.nan)}, "cov_p must have finite entries"),
        ({"cov_p": pd.DataFrame(np.eye(7), columns=list("abcdefg"))}, "cov_p must have 'Intercept"),
        ({"cov_p": "HC0"}, "cov_p must be numbers"),
        ({"invcov": np.eye(3)}, r"invcov has the shape (3, 3); it must be (2, 2)"),
    ],
)
def test_what_is_no_covariance_is_refused(options, match):
    fit = engel_fit()
    with pytest.raises(SmmixError, match=re.escape(match)):
        fit.wald_test("income[0] = income[1] = 0", **options)
    if "cov_p" in options:
        for function in (fit.t_test, fit.cov_params):
            with pytest.raises(SmmixError, match=re.escape(match)):
                function(np.eye(7), cov_p=options["cov_p"])


@pytest.mark.parametrize("name", ["r_matrix", "other"])
def test_covariance_of_what_is_no_combination_is_refused(name):
    arguments = {"r_matrix": np.eye(7), name: np.eye(3)}
    with pytest.raises(SmmixError, match=rf"{name} has the shape \(3, 3\); {SHAPE}"):
        engel_fit().cov_params(**arguments)


def test_restrictions_are_read_alike():
    model = from_formula("foodexp ~ income", engel())
    expected = model.fit_constrained("income[0] - income[1] = 0.3", n_starts=5).params
    matrix = pd.DataFrame({"income[1]": [-1.0], "income[0]": [1.0]})
    for same in ((matrix, 0.3), (matrix.loc[0], [0.3])):
        np.testing.assert_array_equal(model.fit_constrained(same, n_starts=5).params, expected)
    with pytest.raises(SmmixError, match=r"constraints has the shape \(7, 6\); it must be \(r, 7"):
        model.fit_constrained(np.ones((7, 6)))
    with pytest.raises(SmmixError, match="The values that go with constraints must be finite"):
        model.fit_constrained((matrix, np.inf))


def test_without_a_covariance_nothing_is_tested():
    fit = from_formula("foodexp ~ income", engel(), k=1).fit()
    results = fit._results
    results._fitted = replace(results.fitted, covariance=None)
    for test in (fit.t_test, fit.wald_test, fit.f_test):
        with pytest.raises(SmmixError, match="no covariance matrix"):
            test("income[0] = 0")


@pytest.mark.parametrize(
    "given",
    [
        "income[0] = 0, income[0] = 1",
        ["income[0] = income[1]", "income[1] - income[0] = 0.1"],
        (np.eye(7)[[0, 0]], [1.0, 2.0]),
        "income[0] = 1e-12, income[0] = 2e-12",
        "income[0] + Intercept[0] = 1, income[0] = 1, Intercept[0] = 1",
    ],
    ids=str,
)
def test_hypotheses_that_contradict_each_other(given):
    fit = engel_fit()
    for test in (fit.wald_test, fit.f_test):
        with pytest.raises(SmmixError, match="hypotheses of r_matrix contradict each other"):
            test(given)
    # One by one each of them can be tested.
    assert len(fit.t_test(given).effect) > 1


@pytest.mark.parametrize("text", ["", " "])
def test_restrictions_are_not_empty(text):
    with pytest.raises(SmmixError, match="constraints is an empty text"):
        from_formula("foodexp ~ income", engel()).fit_constrained(text)
    with pytest.raises(SmmixError, match="constraints has only zeros in row 0"):
        from_formula("foodexp ~ income", engel()).fit_constrained(np.zeros(7))


MASK = np.arange(7) == 3


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (["income[0]"], [1]),
        (["income[1]", "income[0]"], [3, 1]),
        ([0, "income[1]"], [0, 3]),
        (np.array([2, 4]), [2, 4]),
        (pd.Index(["sigma[0]"]), [4]),
        ([-1], [6]),
        (MASK, [3]),
        ([], []),
        ("income[1]", [3]),
        (3, [3]),
    ],
    ids=str,
)
def test_parameters_by_position_or_name(given, places):
    fit = engel_fit()
    whole, covariance = fit.conf_int(0.1), fit.cov_params().to_numpy()
    pd.testing.assert_frame_equal(fit.conf_int(0.1, given), whole.iloc[places])
    np.testing.assert_array_equal(fit._results.conf_int(0.1, given), whole.to_numpy()[places])
    expected = covariance[3, 3] if np.isscalar(given) else covariance[np.ix_(places, places)]
    np.testing.assert_array_equal(fit.cov_params(column=given), expected)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([99], "99 is no position of a parameter; give names, or positions from 0 to 6."),
        (99, "99 is no position"),
        (-8, "-8 is no position"),
        ([1.5], "1.5 is no position"),
        ([[0, 1]], "[0, 1] is no position"),
        (["incme[0]"], "no parameter 'incme[0]' (did you mean 'income[0]'"),
        ("nothing", "no parameter 'nothing'"),
        ([True], "must be positions or names of parameters, or 7 of True and False"),
        (True, "must be positions or names"),
        (slice(2), "must be positions or names"),
        (1.5, "must be positions or names"),
    ],
    ids=str,
)
def test_what_stands_for_no_parameter(given, match):
    fit = engel_fit()
    for function in (fit.conf_int, fit._results.conf_int):
        with pytest.raises(SmmixError, match="^cols:? .*" + re.escape(match)):
            function(cols=given)
    with pytest.raises(SmmixError, match="^column:? .*" + re.escape(match)):
        fit.cov_params(column=given)


def test_arguments_of_cov_params_that_exclude_each_other():
    fit = engel_fit()
    rows = np.eye(len(fit.params))[:1]
    with pytest.raises(SmmixError, match="r_matrix or column, not both"):
        fit.cov_params(rows, column=0)
    with pytest.raises(SmmixError, match="other goes with r_matrix"):
        fit.cov_params(other=rows)


ON_THE_END = ["sigma[0] = 0", "sigma[0] = -1", "sigma[0] + 2 * sigma[1] = 0", "-sigma[1] = 0"]


@pytest.mark.parametrize("hypothesis", ON_THE_END)
def test_the_end_of_a_range_has_no_wald_test(hypothesis):
    results = engel_fit()
    test = results.t_test(hypothesis)
    assert np.isnan(test.pvalue)
    assert np.isfinite(test.statistic).all()
    for joint in (hypothesis, f"income[0] = 0, {hypothesis}"):
        refusal(lambda joint=joint: results.wald_test(joint), "end of the range", "'sigma")
        refusal(lambda joint=joint: results.f_test(joint), "end of the range")
    refusal(
        lambda: results.wald_test_terms(extra_constraints=[("s", hypothesis)]), "end of the range"
    )


def test_values_inside_a_range_are_tested():
    results = engel_fit()
    assert 0.0 < results.t_test("sigma[0] = 60").pvalue < 1.0
    assert 0.0 < results.wald_test("sigma[0] = sigma[1], income[0] = 0.6").pvalue < 1.0
    assert np.isfinite(results.t_test("income[0] - sigma[0] = 0").pvalue)


def test_rows_of_parameters_are_tested_as_the_table_tells():
    results = engel_fit()
    test = results.t_test(np.eye(len(results.params)))
    np.testing.assert_allclose(test.pvalue, results.pvalues, rtol=1e-9)
    np.testing.assert_allclose(test.summary_frame()["P>|z|"], results.pvalues, rtol=1e-9)


@pytest.mark.parametrize(
    ("family", "inside", "ends"),
    [
        ("zero_inflated_poisson", "inflate[0] = 0.5", ["inflate[0] = 0", "inflate[0] = 1"]),
        ("negative_binomial", "alpha[0] = 1", ["alpha[0] = 0"]),
        ("gamma", "scale[1] = 1", ["scale[1] = 0"]),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_the_ends_of_other_families(family, inside, ends):
    rng = np.random.default_rng(3)
    x = rng.normal(size=300)
    mean = np.exp(np.where(rng.random(300) < 0.5, 0.5 + 0.5 * x, 2.5 - 0.5 * x))
    y = rng.negative_binomial(3, 3 / (3 + mean)) + (0.5 if family == "gamma" else 0)
    # Two inflations without a design or groups share one mass at zero as they like.
    k = 1 if family == "zero_inflated_poisson" else 2
    results = from_formula("y ~ x", {"y": y, "x": x}, k, family=family).fit(n_starts=3)
    if not results.boundary:
        assert np.isfinite(results.t_test(inside).pvalue)
    for end in ends:
        if end.partition(" ")[0] not in [entry.parameter for entry in results.boundary]:
            assert np.isnan(results.t_test(end).pvalue)
            refusal(lambda end=end: results.wald_test(end), "end of the range")
