"""What a formula that cannot be read or built is answered with: one sentence that helps."""

import numpy as np
import pandas as pd
import pytest

from smmix import NormalEquationOLS, from_formula
from smmix.errors import SmmixError
from smmix.formula import build_design

N = 80
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "y": RNG.standard_normal(N),
        "x": RNG.standard_normal(N),
        "g": np.tile(list("abcd"), N // 4),
        "p": np.tile([True, False], N // 2),
        "d": pd.date_range("2020", periods=N),
        "day": pd.date_range("2020", periods=N).strftime("%Y-%m-%d"),
        "german_day": pd.date_range("2020", periods=N).strftime("%d.%m.%Y"),
        "Intercept": 1.0,
        "<b>&": 1.0,
        "size-cm": RNG.standard_normal(N),
        "first name": RNG.standard_normal(N),
        "name": [f"person {i}" for i in range(N)],
        "thousands": [f"{1000 + 7 * i:,}" for i in range(N)],
        "decimal_comma": [f"{1 + i},5" for i in range(N)],
        "price": [f"${1000 + 7 * i:,.2f}" for i in range(N)],
        "stata": np.where(np.arange(N) % 5 == 0, ".", "1.5"),
        "mostly_missing": np.where(np.arange(N) % 5 > 0, "?", "1.5"),
        "typo": np.where(np.arange(N) == 7, "1.5a", "1.5"),
    }
)

REFUSED = {
    # Transforms of what has no numbers, and options that they do not take.
    "y ~ bs(g)": r"'bs\(g\)'.*takes numbers.*'g' holds 'a' in row 0",
    "y ~ cr(g, df=4)": r"takes numbers.*'g' holds 'a' in row 0",
    "y ~ center(g)": r"takes numbers.*'g' holds 'a' in row 0",
    "y ~ te(cr(x, df=3), cr(g, df=3))": r"takes numbers.*'g' holds 'a'",
    "y ~ bs(p, df=4)": r"turn True and False into 1 and 0",
    "y ~ bs(d, df=4)": r"takes numbers, and neither text nor dates",
    "y ~ bs(x)": r"'bs\(x\)' cannot be built: must specify either df or knots",
    "y ~ bs(x, df=1)": r"'bs\(x, df=1\)' cannot be built: df=1 is too small",
    "y ~ bs(x, df=4.5)": r"cannot be built: 'float' object",
    "y ~ bs(x, knots=[100])": r"cannot be built: some knot values",
    "y ~ x + cr(x, df=1)": r"'cr\(x, df=1\)' cannot be built",
    # What is no formula.
    "y ~ %x": r"cannot be read: an operator stands where a term is expected",
    "y ~ <b>&": r"cannot be read: an operator",
    "{}": r"must have one response",
    "y ~ {}": r"uses no column",
    # Names: the column that is meant, or none.
    "y ~ a b": r"'a b' is not a valid expression \(invalid syntax\)\.$",
    "y ~ bs()": r"uses no column of the data; put",
    "y ~ X": r"did you mean 'x'\?",
    "y ~ x1": r"did you mean 'x'\?",
    "y ~ size": r'write Q\("size-cm"\)',
    "y ~ size-cm": r'write Q\("size-cm"\)',
    "y ~ first name": r'write Q\("first name"\)',
    "y ~ np.log(First  name)": r'write Q\("first name"\)',
    "y ~ Intercept": r"'Intercept' collides",
    # Text that is something else.
    "y ~ day": r"holds dates as text, such as '2020-01-01' in row 0",
    "y ~ german_day": r"holds dates as text",
    "y ~ name": r"another text in every row, such as 'person 0'",
    "y ~ thousands": r"numbers written as text, such as '1,000' in row 0.*--thousands",
    "y ~ decimal_comma": r"numbers written as text, such as '1,5'.*--decimal",
    "y ~ price": r"numbers written as text",
    "y ~ stata": r"holds '\.' in row 0 and else numbers.*missing value.*--na '\.'",
    "y ~ mostly_missing": r"holds '\?' in row 1 and else numbers",
    "y ~ typo": r"mixes numbers and text: row 7 holds '1.5a'",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_one_sentence_says_what_is_wrong(formula):
    with pytest.raises(SmmixError, match=REFUSED[formula]) as caught:
        build_design(formula, FRAME)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert "<b>&" not in message or "<b>&" in formula


def test_categories_of_text_stay_categories():
    for column in ("day", "thousands", "stata"):
        assert len(build_design(f"y ~ C({column})", FRAME).exog_names) > 1
    codes = FRAME.assign(code=np.tile(["1", "2"], N // 2), size=np.tile(["1-2", "3-4"], N // 2))
    assert build_design("y ~ code + size", codes).exog_names[1:] == ["code[T.2]", "size[T.3-4]"]


def test_a_concomitant_called_intercept_is_refused():
    with pytest.raises(SmmixError, match="'Intercept' collides"):
        build_design("y ~ x", FRAME, concomitant="~ Intercept")


def test_a_spline_has_no_value_beyond_its_range():
    design = build_design("y ~ bs(x, df=4)", FRAME)
    new = pd.DataFrame({"x": [0.0, 0.1, 99.0, 0.2]}, index=list("abcd"))
    with pytest.raises(SmmixError, match=r"'bs\(x, df=4\)' has no value in row 'c'") as caught:
        design.formulas.transform(new)
    assert "atches" not in str(caught.value)
    assert "lower_bound" in str(caught.value)
    wide = build_design("y ~ bs(x, df=4, lower_bound=-100, upper_bound=100)", FRAME)
    assert np.isfinite(wide.formulas.transform(new).exog).all()


@pytest.mark.parametrize(
    ("ends", "constant"), [("", True), (" - 1", False), (" + 0", False), (" + 0 + 1", True)]
)
def test_five_hundred_terms(ends, constant):
    terms = [f"I(x + {i})" for i in range(499)]
    design = build_design(f"y ~ {' + '.join(terms)} + g{ends}", FRAME)
    assert ("Intercept" in design.exog_names) == constant
    columns = [name for name in design.exog_names if name.startswith("I(")]
    assert columns == terms
    np.testing.assert_array_equal(
        design.exog[:, design.exog_names.index("I(x + 17)")], FRAME["x"] + 17
    )
    repeated = build_design("y ~ " + " + ".join(["x"] * 3000), FRAME)
    assert repeated.exog_names == ["Intercept", "x"]


def test_a_long_formula_that_is_wrong_is_not_printed_at_length():
    with pytest.raises(SmmixError, match="cannot be read") as caught:
        build_design("y ~ " + " + ".join(f"I(x + {i})" for i in range(600)) + " + 2", FRAME)
    assert len(str(caught.value)) < 400


def test_a_message_names_a_dozen_columns_at_most():
    many = pd.DataFrame({f"column{i}": [1.0, 2.0] for i in range(300)})
    with pytest.raises(SmmixError, match=r"'column11' \.\. \(300 in all\)"):
        build_design("zzz ~ 1", many)


@pytest.mark.parametrize("formula", ["y ~ bs(g)", "y ~ bs(x, df=1)", "y ~ %x", "y ~ x1"])
def test_least_squares_answers_with_the_same_sentences(formula):
    with pytest.raises(SmmixError, match=REFUSED[formula]) as caught:
        NormalEquationOLS.from_formula(formula, FRAME)
    assert "\n" not in str(caught.value)


def test_dummies_of_one_factor_are_counted_not_listed():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 4)
    frame = pd.DataFrame({"y": rng.normal(size=240), "g": group, "w": rng.normal(size=60)[group]})
    model = from_formula("y ~ w + C(g)", frame)
    with pytest.raises(SmmixError) as caught:
        model.fit()
    assert str(caught.value) == (
        "The column 'w' of the design is a linear combination of 'Intercept' and the 59 columns "
        "of 'C(g)'; leave one of them out."
    )
