"""The same hypothesis in other units is the same test."""

import numpy as np
import pytest
from statsmodels.tools.sm_exceptions import ValueWarning

import smmix


@pytest.fixture(scope="module")
def data():
    sim = smmix.simulate_mixture(n=400, coef=[[0, 0, 1], [5, 0, 2]], rng=1)
    return sim.frame.assign(gdp=sim.frame["x2"] * 1e9, tiny=sim.frame["x2"] * 1e-9)


@pytest.mark.parametrize("name", ["gdp", "tiny"])
def test_wald_and_f_tests_do_not_depend_on_units(data, name):
    plain = smmix.from_formula("y ~ x1 + x2", data).fit()
    other = smmix.from_formula(f"y ~ x1 + {name}", data).fit()
    for kind in ("wald_test", "f_test"):
        one = getattr(plain, kind)("x1[0] = 0, x2[0] = 0")
        two = getattr(other, kind)(f"x1[0] = 0, {name}[0] = 0")
        assert float(two.statistic) == pytest.approx(float(one.statistic), rel=1e-6)
        assert float(two.pvalue) == pytest.approx(float(one.pvalue), rel=1e-5)


def test_a_hypothesis_said_twice_counts_once(data):
    results = smmix.from_formula("y ~ x1 + gdp", data).fit()
    with pytest.warns(ValueWarning, match="Of 2 hypotheses only 1"):
        twice = results.wald_test(["gdp[0] = 0", "2*gdp[0] = 0"])
    once = results.wald_test("gdp[0] = 0")
    assert float(np.squeeze(twice.statistic)) == pytest.approx(float(np.squeeze(once.statistic)))
