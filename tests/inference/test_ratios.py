"""Exponentials of coefficients against statsmodels, and what they are called."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers_model import engel_fit, refusal

import smmix


def data(n=300, seed=4):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "e": rng.uniform(1.0, 3.0, n)})
    frame["y"] = rng.poisson(frame["e"] * np.exp(0.5 + 0.4 * frame["x"]))
    frame["cost"] = rng.gamma(2.0, np.exp(0.3 * frame["x"]))
    frame["b"] = rng.integers(0, 2, n)
    return frame


DATA = data()


def fit(formula, **options):
    return smmix.from_formula(formula, DATA, k=1, **options).fit()


class TestRatios:
    def test_rates_are_those_of_statsmodels(self):
        table = fit("y ~ x", family="poisson", exposure="e").ratios(alpha=0.1)
        theirs = smf.poisson("y ~ x", DATA, exposure=DATA["e"]).fit(disp=0, tol=1e-12)
        np.testing.assert_allclose(table["ratio"], np.exp(theirs.params), rtol=1e-7)
        limits = np.exp(theirs.conf_int(alpha=0.1))
        np.testing.assert_allclose(table[["ci_lower", "ci_upper"]], limits, rtol=1e-6)
        error = np.exp(theirs.params) * theirs.bse
        np.testing.assert_allclose(table["std_err"], error, rtol=1e-6)
        assert table["of"].tolist() == ["rate at zero", "rate"]
        assert table.index.tolist() == ["Intercept[0]", "x[0]"]

    @pytest.mark.parametrize(
        ("formula", "family", "of"),
        [
            ("cost ~ x", "gamma", "mean"),
            ("b ~ x", "binomial", "odds"),
            ("b ~ x", smmix.families.Binomial(link="cloglog"), "hazard"),
            ("cost ~ x", smmix.families.InverseGaussian(link="log"), "mean"),
        ],
    )
    def test_names(self, formula, family, of):
        assert fit(formula, family=family).ratios().loc["x[0]", "of"] == of

    def test_components_and_common_coefficients(self):
        model = smmix.from_formula("y ~ x + e", DATA, k=2, family="poisson", common=["e"])
        table = model.fit(n_starts=5).ratios()
        assert table.index.tolist() == ["Intercept[0]", "x[0]", "Intercept[1]", "x[1]", "e"]

    def test_components_without_ratios_are_left_out(self):
        model = smmix.from_formula("y ~ x", DATA, family=["poisson", "zero"])
        assert model.fit(n_starts=5).ratios().index.tolist() == ["Intercept[0]", "x[0]"]

    def test_a_link_without_ratios_gets_a_sentence(self):
        refusal(engel_fit().ratios, "no ratio with the identity link", "results.margins()")
        probit = fit("b ~ x", family=smmix.families.Binomial(link="probit"))
        refusal(probit.ratios, "probit")


class TestNuisance:
    def test_of_every_family(self):
        table = fit("cost ~ x", family="gamma").nuisance
        assert table.index.tolist() == ["scale"]
        assert fit("y ~ x", family="poisson").nuisance.shape == (0, 1)
        gauss = engel_fit()
        np.testing.assert_array_equal(gauss.nuisance.loc["sigma"], gauss.sigma)
