"""Least squares from columns of every kind: numbers are read, anything else is named."""

from decimal import Decimal

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
from laws.calls.outcome import Refused, answer
from laws.calls.strange import columns

import smmix
from smmix import NormalEquationOLS, solve_normal_equations
from smmix.errors import SmmixError

N = 40
RNG = np.random.default_rng(5)
FRAME = pd.DataFrame({"one": 1.0, "x": RNG.standard_normal(N), "h": np.arange(N) % 3})
Y = pd.Series(1.0 + FRAME["x"] + RNG.standard_normal(N), name="y")
PLAIN = sm.OLS(Y, FRAME).fit()


def swapped(values):
    array = np.asarray(values)
    return array.astype(array.dtype.newbyteorder())


KINDS = {
    "objects": (Y.astype(object), FRAME.astype(object)),
    "decimals": (Y.map(Decimal), FRAME.map(lambda v: Decimal(float(v)))),
    "nullable": (Y.astype("Float64"), FRAME.astype({"x": "Float64", "h": "Int64"})),
    "other byte order, arrays": (swapped(Y), swapped(FRAME)),
    "other byte order, frame": (
        pd.Series(swapped(Y)), pd.DataFrame({name: swapped(FRAME[name]) for name in FRAME}),
    ),
    "structured": (Y.to_numpy(), FRAME.to_records(index=False)),
    "levels of columns": (Y, FRAME.set_axis(pd.MultiIndex.from_product([["a"], FRAME]), axis=1)),
    "levels of rows": (
        Y.set_axis(pd.MultiIndex.from_product([[1], range(N)])),
        FRAME.set_axis(pd.MultiIndex.from_product([[1], range(N)])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_every_kind_are_numbers(kind):
    y, x = KINDS[kind]
    results = NormalEquationOLS(y, x).fit()
    np.testing.assert_allclose(results.params, PLAIN.params, rtol=1e-12)
    np.testing.assert_allclose(results.bse, PLAIN.bse, rtol=1e-12)
    np.testing.assert_allclose(solve_normal_equations(x, y).coef, PLAIN.params, rtol=1e-12)
    assert "x" in str(results.summary())


def test_names_of_several_levels_are_joined_as_statsmodels_does():
    columns = pd.MultiIndex.from_tuples([("a", "one"), ("a", "x"), ("b", "h")])
    x = FRAME.set_axis(columns, axis=1)
    ours, theirs = NormalEquationOLS(Y, x), sm.OLS(Y, x)
    assert ours.exog_names == theirs.exog_names
    twice = pd.concat([x, x[[("a", "x")]]], axis=1)
    with pytest.warns(match="Column 'a_x'"):
        NormalEquationOLS(Y, twice).fit()


TEXT = Y.map("{:.3f}".format)
REFUSED = {
    "text y": ((TEXT, FRAME), "endog is not numeric: row 0 holds"),
    "text column": ((Y, FRAME.assign(x=list("ab" * 20))), "'x' of exog holds text .row 0: 'a'"),
    "dates": ((Y, FRAME.assign(x=pd.date_range("2020", periods=N))), "'x' of exog holds dates"),
    "categories": ((Y, FRAME.assign(x=pd.Categorical(["a", "b"] * 20))), "holds categories"),
    "text array": ((Y, FRAME.to_numpy().astype(str)), "exog must hold numbers only: .* text"),
    "text list": ((["a"] * N, FRAME), "endog must hold numbers only: .* text"),
    "masked": ((np.ma.masked_less(Y, 0), FRAME.to_numpy()), "of y is nan"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_number_is_named(case):
    arguments, message = REFUSED[case]
    with pytest.raises(SmmixError, match=message) as caught:
        NormalEquationOLS(*arguments).fit()
    assert "\n" not in str(caught.value)


def test_a_sparse_matrix_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(SmmixError, match="is a sparse matrix: give"):
        NormalEquationOLS(Y, sparse.csr_matrix(FRAME.to_numpy()))


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4", ">i8", ">u2"])
def test_columns_of_another_byte_order_fit_in_formulas(dtype):
    frame = pd.DataFrame({"y": Y, "x": FRAME["x"], "z": np.arange(N), "h": FRAME["h"]})
    frame["z"] = np.arange(N)
    strange = frame.assign(z=np.arange(N).astype(dtype), h=frame["h"].to_numpy().astype(dtype))
    options = {"k": 1, "subset": "x > -1", "groups": "h"}
    for formula in ("y ~ x + z", "y ~ x + C(h)"):
        found = smmix.from_formula(formula, strange, freq_weights="z", **options).fit()
        wanted = smmix.from_formula(formula, frame, freq_weights="z", **options).fit()
        np.testing.assert_allclose(found.params, wanted.params, rtol=1e-12)
        np.testing.assert_allclose(found.predict(strange), wanted.predict(frame), rtol=1e-12)


@pytest.mark.parametrize("dtype", [object, "Float64"])
def test_missing_numbers_of_every_kind_are_missing_in_formulas(dtype):
    gaps = FRAME.assign(y=Y, x=FRAME["x"].mask(FRAME.index < 2))
    wanted = sm.OLS.from_formula("y ~ x + C(h)", gaps).fit()
    strange = gaps.assign(x=gaps["x"].astype(dtype).where(FRAME.index >= 2, pd.NA))
    found = NormalEquationOLS.from_formula("y ~ x + C(h)", strange).fit()
    assert found.nobs == N - 2
    np.testing.assert_allclose(found.params, wanted.params, rtol=1e-9)


@pytest.mark.parametrize("missing", ["none", "drop"])
def test_weights_of_another_length_are_refused(missing):
    with pytest.raises(SmmixError, match=f"weights has 3 values for {N} rows"):
        NormalEquationOLS(Y, FRAME, weights=range(3), missing=missing)


def shift(x):
    return x + 1.0


def test_names_of_a_formula_are_looked_up_where_the_environment_says():
    frame = FRAME.assign(y=Y)
    local = np.sin
    environment = patsy.EvalEnvironment.capture(0)
    for formula in ("y ~ local(x)", "y ~ shift(x)"):
        with pytest.warns(FutureWarning) if _warns() else _nothing():
            ours = NormalEquationOLS.from_formula(formula, frame, eval_env=environment)
        np.testing.assert_allclose(
            ours.fit().params, NormalEquationOLS.from_formula(formula, frame).fit().params
        )
    assert callable(local)


def test_an_environment_without_the_name_is_refused_in_a_sentence():
    with pytest.raises(SmmixError, match="'nowhere', which is not known") as caught:
        NormalEquationOLS.from_formula("y ~ nowhere(x)", FRAME.assign(y=Y))
    assert "\n" not in str(caught.value)


def _warns():
    """Whether this release of statsmodels calls environments deprecated."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        environment = patsy.EvalEnvironment.capture(0)
        sm.OLS.from_formula("y ~ x", FRAME.assign(y=Y), eval_env=environment)
    return bool(caught)


def _nothing():
    import contextlib

    return contextlib.nullcontext()


SQUARES = pd.DataFrame({"const": 1.0, "x1": np.arange(12.0) ** 2})


@pytest.mark.parametrize("door", [0, 1, 2])
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("kind", sorted(columns(12)))
def test_every_kind_of_column_is_used_or_refused_in_a_sentence(door, labelled, kind):
    x = SQUARES if labelled else SQUARES.to_numpy()
    given = [2.0 - SQUARES["x1"] + np.arange(12) % 2, x, np.ones(12)]
    given[door] = columns(12)[kind]
    model = answer(NormalEquationOLS, *given)
    if not isinstance(model, Refused):
        answer(model.fit)


def test_an_exact_fit_has_no_wald_test_and_has_a_summary():
    results = NormalEquationOLS(np.zeros(12), SQUARES).fit(cov_type="HC0")
    assert results.fvalue == 0.0
    assert "NormalEquationOLS" in str(results.summary())
    with pytest.raises(SmmixError, match="exact fit"):
        results.wald_test("x1 = 0")


@pytest.mark.parametrize("cov_type", ["HAC", "cluster", "hac-panel", "nw-groupsum"])
def test_a_covariance_that_lacks_its_arguments_is_refused(cov_type):
    with pytest.raises(SmmixError, match="cov_type"):
        NormalEquationOLS(np.arange(12.0) ** 3, SQUARES).fit(cov_type=cov_type)
