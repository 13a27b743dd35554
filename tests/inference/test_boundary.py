"""Maxima at the end of a parameter's range: said as such, with errors for the rest alone."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import smmix
from smmix import BoundaryWarning, SmmixError


@pytest.fixture(scope="module")
def separated():
    rng = np.random.default_rng(0)
    z, x = rng.normal(size=(2, 300))
    second = z > 0
    y = np.where(second, 5 + 2 * x, -x) + 0.3 * rng.normal(size=300)
    return pd.DataFrame({"y": y, "x": x, "z": z, "second": second})


def test_a_covariate_that_separates_the_components_has_no_maximum(separated):
    model = smmix.from_formula("y ~ x", separated, concomitant="~ z")
    with pytest.warns(BoundaryWarning, match="'z' separates the components"):
        results = model.fit()
    assert not results.converged
    assert {entry.parameter for entry in results.boundary} >= {"mixing.z[1]"}
    assert np.isnan(results.bse["mixing.z[1]"])
    assert np.isnan(results.get_robustcov_results("HC0").bse["mixing.z[1]"])
    assert np.isnan(results.pvalues["mixing.z[1]"])
    # Beside separated components the regressions are those of their own rows.
    second = separated["second"].to_numpy()
    for rows in (second, ~second):
        part = separated[rows]
        alone = sm.OLS(part["y"], sm.add_constant(part["x"])).fit()
        own = min(range(2), key=lambda c: abs(results.params[f"x[{c}]"] - alone.params["x"]))
        ml = alone.bse["x"] * np.sqrt(alone.df_resid / alone.nobs)
        assert results.bse[f"x[{own}]"] == pytest.approx(ml, rel=1e-3)
    with pytest.raises(SmmixError, match="has no answer"):
        results.t_test("mixing.z[1] = 0")


def test_holding_it_further_out_is_ever_better(separated):
    with pytest.warns(BoundaryWarning):
        free = smmix.from_formula("y ~ x", separated, concomitant="~ z").fit()
    sign = np.sign(free.params["mixing.z[1]"])
    values = [
        smmix.from_formula(
            "y ~ x", separated, concomitant="~ z", fixed={"mixing.z[1]": sign * size}
        ).fit(order=None).llf
        for size in (5.0, 10.0, 20.0)
    ]  # fmt: skip
    assert np.all(np.diff(values) > 0.0)
    assert values[-1] <= free.llf


def test_a_negative_binomial_without_overdispersion_is_poisson():
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    # Counts that vary less than Poisson counts.
    y = rng.binomial(8, 1 / (1 + np.exp(-0.4 * x)))
    frame = pd.DataFrame({"y": y, "x": x})
    with pytest.warns(BoundaryWarning, match=r"alpha\[0\] has its maximum at 0.*Poisson"):
        results = smmix.from_formula("y ~ x", frame, k=1, family="negative_binomial").fit()
    poisson = sm.GLM(y, sm.add_constant(x), family=sm.families.Poisson()).fit()
    assert results.converged
    assert results.llf == pytest.approx(poisson.llf, rel=1e-7)
    assert results.bse["x[0]"] == pytest.approx(poisson.bse[1], rel=1e-5)
    assert np.isnan(results.bse["alpha[0]"])
