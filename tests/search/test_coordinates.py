"""Nearly collinear columns, of which components have different ones."""

import numpy as np
import pytest
from helpers_panel import panel

from smmix import from_formula


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_powers_of_years_give_the_fit_of_powers_near_zero(family):
    data = panel(family).assign(near=lambda d: d["wave"] - 3.5, year=lambda d: d["wave"] + 1990.0)

    def fit(t, **options):
        formulas = ["y ~ 1", f"y ~ {t} + I({t}**2) + I({t}**3)"]
        model = from_formula(formulas, data, k=2, groups="id", family=family, **options)
        return model.fit(n_starts=10)

    for options in ({}, {"common": "risk"}, {"fixed": {"Intercept[0]": 0.5}}):
        near, year = fit("near", **options), fit("year", **options)
        assert year.converged
        assert year.llf == pytest.approx(near.llf, abs=1e-5)
        # The highest power means the same.
        for table in ("params", "bse"):
            ours, theirs = getattr(year, table), getattr(near, table)
            assert ours["I(year ** 3)[1]"] == pytest.approx(theirs["I(near ** 3)[1]"], rel=1e-4)
        np.testing.assert_allclose(year.fittedvalues, near.fittedvalues, atol=1e-4)
