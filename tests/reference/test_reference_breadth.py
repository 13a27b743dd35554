"""Published fits with concomitant variables, restrictions and a formula for each component."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers_reference import load_case, load_frame, locate

import smmix

SURVEY = "ltotexp ~ income + age + I(age**2/100) + totchr + female"


def to_five_digits(printed):
    """Stata stops a little before the maximum: its figures hold to five significant digits."""
    return pytest.approx(float(printed), rel=5e-5)


@pytest.fixture(scope="module")
def stata():
    return json.loads(locate("expected", "stata.json").read_text())


@pytest.fixture(scope="module")
def one_formula():
    """Example 1b. Stata's classes 1, 2, 3 are our components 1, 0, 2."""
    frame = load_frame("mus03sub.csv")
    return smmix.from_formula(SURVEY, frame, k=3, concomitant="totchr").fit()


@pytest.fixture(scope="module")
def three_formulas():
    """Example 1d: sex is left out of class 1, which is therefore component 0."""
    formulas = {0: SURVEY.replace(" + female", ""), 1: SURVEY, 2: SURVEY}
    frame = load_frame("mus03sub.csv")
    return smmix.from_formula(formulas, frame, k=3, concomitant="totchr").fit()


class TestStata:
    def test_example_1b_loglik(self, stata, one_formula):
        assert f"{one_formula.llf:.4f}" == stata["example_1b"]["loglik"]
        best = load_case("mus03_k3_gate").optimum["loglik"]
        assert one_formula.llf == pytest.approx(best, abs=1e-6)

    @pytest.mark.parametrize(("printed", "term"), [("totchr", "totchr"), ("_cons", "Intercept")])
    def test_example_1b_mixing(self, stata, one_formula, printed, term):
        value, error = stata["example_1b"]["printed"][f"2.Class {printed}"]
        assert -one_formula.params[f"mixing.{term}[1]"] == to_five_digits(value)
        assert one_formula.bse[f"mixing.{term}[1]"] == to_five_digits(error)

    def test_example_1b_components(self, one_formula):
        case = load_case("mus03_k3_gate")
        for c, component in enumerate(case.optimum["components"][i] for i in case.order):
            coef = np.array(list(component["coef"].values()))
            error = np.array(list(component["coef_se"].values()))
            names = [f"{term}[{c}]" for term in one_formula.coef.index]
            assert np.max(np.abs(one_formula.params[names] - coef) / error) <= 1e-6
            np.testing.assert_allclose(one_formula.bse[names], error, rtol=1e-5)

    def test_example_1d_loglik(self, stata, three_formulas):
        best = stata["example_1d"]["loglik_at_the_maximum"]
        assert three_formulas.llf == pytest.approx(best, abs=1e-6)
        assert f"{three_formulas.llf:.4f}" == stata["example_1d"]["loglik"]

    @pytest.mark.parametrize("label", [2, 3])
    @pytest.mark.parametrize(("printed", "term"), [("totchr", "totchr"), ("_cons", "Intercept")])
    def test_example_1d_mixing(self, stata, three_formulas, label, printed, term):
        value, error = stata["example_1d"]["printed"][f"{label}.Class {printed}"]
        name = f"mixing.{term}[{label - 1}]"
        assert three_formulas.params[name] == to_five_digits(value)
        assert three_formulas.bse[name] == to_five_digits(error)

    @pytest.mark.parametrize("term", ["income", "age"])
    def test_example_1d_component(self, stata, three_formulas, term):
        value, error = stata["example_1d"]["printed"][f"Class 1 {term}"]
        assert three_formulas.params[f"{term}[0]"] == to_five_digits(value)
        assert three_formulas.bse[f"{term}[0]"] == to_five_digits(error)


@pytest.fixture(scope="module")
def nested():
    """Gruen & Leisch's NregFix: x2 common, x1 zero in one component, equal in the other two."""
    model = smmix.from_formula(
        "y ~ x1 + x2", load_frame("NregFix.csv"), k=3, concomitant="w", common=["x2"],
        variance="equal",
    )  # fmt: skip
    return model.fit_constrained("x1[0] = 0, x1[1] = x1[2]")


class TestNestedModel:
    def test_loglik_and_parameters(self, nested):
        assert nested.llf == pytest.approx(-401.963828, abs=1e-6)
        assert nested.aic == pytest.approx(2 * 401.963828 + 2 * 10, abs=2e-6)

    def test_restrictions_hold(self, nested):
        assert nested.params["x1[0]"] == 0
        assert nested.params["x1[1]"] == nested.params["x1[2]"]

    def test_standard_errors(self, nested):
        """flexmix prints NaN here; the parameter that is fixed has no error."""
        free = nested.bse.drop("x1[0]")
        assert np.isfinite(free).all()
        assert (free > 0).all()
        assert nested.bse["x1[0]"] == 0
