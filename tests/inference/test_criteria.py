"""Information criteria and the separation of components, against arithmetic on the posteriors."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from helpers_model import engel, engel_fit, everything_fit, panel
from helpers_reference import default_fit, load_case

from smmix import SmmixError, from_formula
from smmix.inference.criteria import CRITERIA


@pytest.fixture(params=["engel", "weighted"])
def fit(request):
    if request.param == "engel":
        return engel_fit()
    return from_formula("y ~ x1", panel(), freq_weights="f").fit()


def weights_of(fit):
    return np.ones(len(fit.posterior)) if fit.model.formula[0] == "f" else panel()["f"].to_numpy()


def by_hand(fit):
    """Every criterion from the formulae, with posteriors in one array."""
    tau, w = fit.posterior.to_numpy(), weights_of(fit)
    n, df, deviance = w.sum(), len(fit.params), -2 * fit.llf
    entropy = -(w[:, None] * tau * np.log(np.where(tau > 0, tau, 1))).sum()
    hard = -2 * (w * np.log(tau.max(axis=1))).sum()
    frame = engel() if fit.model.formula[0] == "f" else panel()
    ols = sm.WLS.from_formula(fit.model.formula, frame, weights=w).fit()
    residual_variance = (w * ols.resid**2).sum() / n
    single = -n / 2 * (np.log(2 * np.pi * residual_variance) + 1)
    bic = deviance + df * np.log(n)
    return {
        "aic": deviance + 2 * df,
        "aicc": deviance + 2 * df + 2 * df * (df + 1) / (n - df - 1),
        "aic3": deviance + 3 * df,
        "bic": bic,
        "caic": deviance + df * (np.log(n) + 1),
        "sabic": deviance + df * np.log((n + 2) / 24),
        "hqic": deviance + 2 * df * np.log(np.log(n)),
        "icl": bic + hard,
        "icl_soft": bic + 2 * entropy,
        "clc": deviance + 2 * entropy,
        "awe": deviance + 2 * entropy + 2 * df * (1.5 + np.log(n)),
        "nec": entropy / (fit.llf - single),
        "entropy": entropy,
        "entropy_r2": 1 - entropy / (n * np.log(2)),
    }


@pytest.mark.parametrize("name", CRITERIA)
def test_formulae(fit, name):
    expected = by_hand(fit)[name]
    assert getattr(fit, name) == pytest.approx(expected, rel=1e-9)
    assert fit.info_criteria()[name] == pytest.approx(expected, rel=1e-9)
    assert fit.info_criteria(name) == pytest.approx(expected, rel=1e-9)


def test_all_are_listed(fit):
    assert list(fit.info_criteria().index) == list(CRITERIA)


def test_more_parameters(fit):
    assert fit.info_criteria("aic", dk_params=2) == pytest.approx(fit.aic + 4)
    assert fit.info_criteria(dk_params=2)["bic"] == pytest.approx(fit.bic + 2 * np.log(fit.nobs))


def test_unknown_criterion(fit):
    with pytest.raises(SmmixError, match="'bicc'"):
        fit.info_criteria("bicc")


def test_both_forms_of_icl_on_npreg():
    """1368.817 as flexmix and mclust define it, 1387.574 with the entropy in full."""
    fit = default_fit("npreg_k2")
    assert fit.icl == pytest.approx(1368.8169944, abs=1e-6)
    assert fit.icl_soft == pytest.approx(1387.5738479, abs=1e-6)


def test_groups_are_the_units_of_entropy():
    fit, optimum = default_fit("sim_group_k2"), load_case("sim_group_k2").optimum
    assert fit.entropy_r2 == pytest.approx(optimum["relative_entropy"], rel=1e-7)
    assert fit.info_criteria("bic_groups") == pytest.approx(optimum["bic_groups"], abs=1e-6)
    assert fit.classification_table()["assigned_n"].sum() == optimum["n_groups"]


def test_small_samples():
    fit = from_formula("foodexp ~ income", engel().head(9), k=1).fit()
    assert fit.info_criteria("aicc", dk_params=5) == np.inf


def test_classification_table(fit):
    tau, w = fit.posterior.to_numpy(), weights_of(fit)
    table = fit.classification_table()
    label = tau.argmax(axis=1)
    assert table.index.name == "component"
    for c in range(2):
        mine = label == c
        average = np.average(tau[mine, c], weights=w[mine])
        share = fit.mixing_weights[c]
        assert table.loc[c, "share"] == share
        assert table.loc[c, "expected_n"] == pytest.approx(w @ tau[:, c], rel=1e-12)
        assert table.loc[c, "assigned_n"] == w[mine].sum()
        assert table.loc[c, "avepp"] == pytest.approx(average, rel=1e-12)
        odds = average / (1 - average) / (share / (1 - share))
        assert table.loc[c, "occ"] == pytest.approx(odds, rel=1e-9)


def test_expected_error_of_classification(fit):
    tau, w = fit.posterior.to_numpy(), weights_of(fit)
    expected = 1 - np.average(tau.max(axis=1), weights=w)
    assert fit.criteria.posterior.error == pytest.approx(expected, rel=1e-9)


def test_restrictions_lower_the_count():
    model = from_formula("y ~ x1", panel())
    free, held = model.fit(), model.fit_constrained("x1[0] = 2")
    assert held.aic == pytest.approx(-2 * held.llf + 2 * 6)
    assert held.info_criteria("caic") == pytest.approx(-2 * held.llf + 6 * (np.log(held.nobs) + 1))
    assert held.llf <= free.llf


def test_everything_at_once():
    fit = everything_fit()
    criteria = fit.info_criteria()
    assert np.isfinite(criteria).all()
    assert criteria["bic_groups"] == pytest.approx(
        -2 * fit.llf + len(fit.params) * np.log(panel()["id"].nunique())
    )
