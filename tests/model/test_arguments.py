"""Arguments that a call cannot use: one sentence that names them, and the right one where known."""

from __future__ import annotations

import contextlib
import inspect

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import engel, engel_fit, refusal

import smmix
from smmix import families, from_formula
from smmix.errors import ArgumentError, SmmixError
from smmix.support.arguments import refuses_unknown

X = sm.add_constant(engel()["income"])
NO_VALUES = [pd.NA, pd.NaT, np.nan, {}, np.array([1, 2]), object(), ""]


def build(**options):
    return from_formula("foodexp ~ income", engel(), **options)


def arrays(**options):
    return smmix.MixtureOLS(engel()["foodexp"], X, **options)


def fit(**options):
    return engel_fit().model.fit(n_starts=2, **options)


@pytest.mark.parametrize(
    ("call", "given", "right"),
    [
        (build, "weights", "'freq_weights' or 'prob_weights'"),
        (build, "freq_weight", "'freq_weights'"),
        (build, "n_components", "'k'"),
        (build, "exog_concomitant", "'concomitant'"),
        (build, "concomitants", "'concomitant'"),
        (arrays, "weights", "'freq_weights' or 'prob_weights'"),
        (arrays, "concomitant", "'exog_concomitant'"),
        (arrays, "family", "MixtureGLM"),
        (fit, "random_state", "'rng'"),
        (fit, "max_iter", "'maxiter'"),
        (fit, "tol", "'gtol'"),
        (fit, "disp", "'progress'"),
        (lambda **given: engel_fit().bootstrap(**given), "seed", "'rng'"),
        (lambda **given: engel_fit().predict(**given), "newdata", "'exog'"),
        (lambda **given: smmix.bootstrap_lrt(engel_fit(), **given), "reps", "'n_boot'"),
        (lambda **given: smmix.select_k("y ~ x", engel(), **given), "weights", "'freq_weights'"),
        (lambda **given: smmix.NormalEquationOLS([1.0], [1.0], **given), "weight", "'weights'"),
    ],
)
def test_an_argument_of_another_name_is_answered_with_the_right_one(call, given, right):
    message = refusal(lambda: call(**{given: 1}), f"unexpected keyword argument {given!r}", right)
    assert message.count(".") <= 2
    with pytest.raises(TypeError):
        call(**{given: 1})


def test_an_argument_that_is_needed_or_given_twice_is_named():
    refusal(lambda: smmix.MixtureGLM(engel()["foodexp"], X), "'family'")
    refusal(lambda: build(formula="y ~ x"), "multiple values for argument 'formula'")
    refusal(lambda: from_formula("y ~ x"), "'data'")


def test_signatures_and_docstrings_are_those_of_the_functions():
    assert "concomitant" in inspect.signature(from_formula).parameters
    assert from_formula.__name__ == "from_formula"
    assert "Parameters" in smmix.MixtureOLS.fit.__doc__


def test_functions_of_the_caller_are_found_through_every_door():
    def half(values):
        return values / 2.0

    expected = build().fit(n_starts=2).llf
    for make in (from_formula, smmix.MixtureOLS.from_formula, smmix.MixtureGLM.from_formula):
        found = make("foodexp ~ half(income)", engel()).fit(n_starts=2).llf
        assert found == pytest.approx(expected, abs=1e-6)
    selected = smmix.select_k("foodexp ~ half(income)", engel(), k=[2], n_starts=2)
    assert selected.best.llf == pytest.approx(expected, abs=1e-6)


def calls_with_a_bad_value():
    """Every argument of the public calls with every value that none of them can use."""
    results = engel_fit()
    boot = results.bootstrap(39)
    doors = {
        "from_formula": (from_formula, {"formula": "foodexp ~ income", "data": engel()}),
        "MixtureOLS": (smmix.MixtureOLS, {"endog": engel()["foodexp"], "exog": X}),
        "fit": (results.model.fit, {"n_starts": 2}),
        "predict": (results.predict, {"exog": {"income": [500.0]}}),
        "get_prediction": (results.get_prediction, {"exog": {"income": [500.0]}}),
        "conf_int of rows": (results.get_prediction().conf_int, {}),
        "info_criteria": (results.info_criteria, {"crit": "aic"}),
        "margins": (results.margins, {}),
        "profile": (results.profile_likelihood_ci, {"name": "sigma"}),
        "t_test": (results.t_test, {"r_matrix": "income[0] = 0"}),
        "wald_test": (results.wald_test, {"r_matrix": "income[0] = 0"}),
        "wald_test_terms": (results.wald_test_terms, {}),
        "robust": (results.get_robustcov_results, {}),
        "boot.conf_int": (boot.conf_int, {}),
        "blrt": (smmix.bootstrap_lrt, {"results": results, "n_boot": 2, "n_starts": 1}),
        "em_test": (smmix.order_tests.em_test, {"results": results, "n_boot": 2}),
        "simulate_mixture": (smmix.simulate_mixture, {"n": 10, "coef": [[0, 1], [1, 2]]}),
        "ols": (smmix.NormalEquationOLS, {"endog": engel()["foodexp"], "exog": X}),
        "ols.fit": (smmix.NormalEquationOLS(engel()["foodexp"], X).fit, {}),
        "solve": (smmix.solve_normal_equations, {"X": X, "y": engel()["foodexp"]}),
    }
    doors |= {
        name: (kind, {"error_variance": "v"} if name == "MeasuredGaussian" else {})
        for name, kind in vars(families).items()
        if name in families.__all__ and inspect.isclass(kind)
    }
    for door, (function, given) in doors.items():
        for argument in inspect.signature(function).parameters:
            if argument not in ("kwargs", "cov_kwds"):
                yield door, function, given, argument


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_value_ends_in_a_sentence_or_in_a_result():
    for door, function, given, argument in calls_with_a_bad_value():
        for value in NO_VALUES:
            print(f"{door}({argument}={value!r})")
            with contextlib.suppress(SmmixError):
                function(**{**given, argument: value})


@pytest.mark.parametrize("starts", [None, 5, np.nan, pd.NA, {}])
def test_starts_that_are_one_value_are_refused(starts):
    refusal(lambda: fit(starts=starts), "starts=", "'default'", "labels")


def test_starts_without_a_label_or_of_words_are_refused():
    labels = np.arange(235.0) % 2
    labels[7] = np.nan
    refusal(lambda: fit(starts=labels), "no label in row 7")
    refusal(lambda: fit(starts=np.full((235, 2), "half")), "probabilities")
    # Labels number the components in their own order.
    words = np.where(np.arange(235) % 2, "a", "b")
    same = fit(starts=words, order=None)
    assert same.llf == fit(starts=(words == "b").astype(int), order=None).llf


def test_groups_that_cannot_be_told_apart_are_refused():
    refusal(lambda: build(groups=[{"a": 1}] * 235), "groups", "dict")
    refusal(lambda: engel_fit().get_robustcov_results("cluster", groups=[{}] * 235), "clusters")
    panel = build(groups=np.arange(235) // 5).fit(n_starts=2)
    frame = engel().iloc[:2]
    refusal(lambda: panel.predict(frame, which="prob", groups=[{}, {}]), "groups", "dict")


def test_arrays_of_records_are_tables_or_refused():
    records = engel().assign(const=1.0).to_records(index=False)
    y = engel()["foodexp"].to_numpy()
    model = smmix.MixtureOLS(y, records[["const", "income"]])
    assert model.exog_names == ["const", "income"]
    assert model.fit(n_starts=2).llf == pytest.approx(engel_fit().llf, abs=1e-6)
    refusal(lambda: smmix.MixtureOLS(records, X), "endog must be one column")
    for name in ("offset", "groups", "freq_weights"):
        refusal(lambda name=name: arrays(**{name: records}), name, "records", "'income'")


@pytest.mark.parametrize("concomitant", [None, "income"])
@pytest.mark.parametrize("which", ["mean", "components"])
def test_no_rows_have_no_predictions(concomitant, which):
    results = build(concomitant=concomitant).fit(n_starts=2)
    frame = results.get_prediction(engel().iloc[:0], which=which).summary_frame()
    assert len(frame) == 0
    whole = results.get_prediction(engel().iloc[:3], which=which).summary_frame()
    assert list(frame.columns) == list(whole.columns)


def test_an_argument_error_is_one_of_both_kinds():
    assert issubclass(ArgumentError, SmmixError)
    assert issubclass(ArgumentError, TypeError)


@pytest.mark.parametrize(
    "value", [np.arange(40), pd.Series(np.arange(40.0)), engel(), object(), "x" * 500, [0.5] * 300]
)
def test_a_value_that_is_long_is_described_and_not_written_out(value):
    for call in (
        lambda: build(k=value),
        lambda: build(missing=value),
        lambda: fit(gtol=value),
        lambda: fit(order=value),
        lambda: build(fixed=value),
        lambda: engel_fit().margins(at=value),
        lambda: engel_fit().conf_int(alpha=value),
        lambda: engel_fit().mode(value),
    ):
        message = refusal(call)
        assert len(message) < 400, message
        assert "\n" not in message
        assert " at 0x" not in message


def test_an_error_is_one_line_whatever_it_quotes():
    assert str(SmmixError("The column 'a\n  b'\nis absent.")) == "The column 'a b' is absent."


def test_k_is_checked_before_it_counts_families():
    for k in (pd.Series([1.0, 2.0]), np.arange(3), pd.NA):
        refusal(lambda k=k: build(k=k, family=["gaussian", "t"]), "k must be a whole number")
    for family in ([], [[]], ["t", ["t"]]):
        refusal(lambda family=family: build(family=family), "a family for each component")
    refusal(lambda: build(shared=[pd.NA]), "shared must be names")


@pytest.mark.parametrize(
    "options", [{}, {"fixed": {"income[0]": 0.0}}, {"variance": "equal", "common": ["income"]}]
)
def test_more_components_than_rows_are_refused_before_memory_is_asked_for(options):
    rows = engel().iloc[:60]
    refusal(
        lambda: from_formula("foodexp ~ income", rows, k=20_000, **options),
        "60 rows are too few for k=20000 components",
    )
    refusal(lambda: smmix.MixtureOLS(rows["foodexp"], X[:60], k=20_000), "60 rows are too few")
    refusal(lambda: build().with_k(20_000), "235 rows are too few")
    # A weight of 1000 is a thousand rows.
    assert build(k=300, freq_weights=np.full(235, 1000)).k == 300


@pytest.mark.parametrize("path", [5, ["fit.json"], "", "a\0b", "no/such/folder/fit.json"])
def test_a_file_that_cannot_be_written_is_named(path):
    refusal(lambda: engel_fit().to_json(path))
    refusal(lambda: engel_fit().report(path))


def test_a_want_of_memory_is_told_in_a_sentence():
    @refuses_unknown
    def greedy():
        np.empty(2**46)

    assert refusal(greedy).startswith("greedy() needs more memory than there is (Unable to")
