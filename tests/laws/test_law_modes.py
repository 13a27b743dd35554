"""Law: no number of random starts of plain EM finds a better mode than the default fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_reference import load_frame
from laws.calls.tables import table
from laws.independent_em import best_mode
from laws.problems import two_lines
from scipy import stats

import smmix


def stored(name):
    return lambda: load_frame(name)


def shipped(name):
    return lambda: getattr(sm.datasets, name).load_pandas().data


def quadratic_cloud():
    """Two crossing parabolas inside a cloud of background points."""
    rng = np.random.default_rng(11)
    x = rng.uniform(-3, 3, 240)
    component = rng.choice(3, 240, p=[0.35, 0.35, 0.3])
    mean = np.array([x**2, 5 - x**2, np.full(240, 2.0)])[component, np.arange(240)]
    sigma = np.array([0.3, 0.5, 4.0])[component]
    return two_lines(0, 240).assign(x=x, y=mean + sigma * rng.normal(size=240))


DATA = {
    "engel3": (shipped("engel"), "foodexp ~ income", 3),
    "tone3": (stored("tonedata.csv"), "tuned ~ stretchratio", 3),
    "npreg3": (stored("NPreg.csv"), "yn ~ x + I(x**2)", 3),
    "faithful3": (stored("faithful.csv"), "eruptions ~ waiting", 3),
    "cars2": (stored("cars.csv"), "dist ~ speed", 2),
    "galaxies3": (stored("galaxies.csv"), "v ~ 1", 3),
    "statecrime2": (shipped("statecrime"), "murder ~ hs_grad + poverty + urban", 2),
    "ccard2": (shipped("ccard"), "AVGEXP ~ AGE + INCOME + OWNRENT", 2),
    "copper2": (shipped("copper"), "WORLDCONSUMPTION ~ COPPERPRICE + INCOMEINDEX", 2),
    "scotland2": (shipped("scotland"), "YES ~ COUTAX + UNEMPF", 2),
    "cloud3": (quadratic_cloud, "y ~ x + I(x**2)", 3),
    "seed3": (stored("seed_example.csv"), "y ~ x1 + x2 + x3", 3),
    "heavy3": (stored("sim_t_k2.csv"), "y ~ x", 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DATA))
def test_default_fit_is_at_least_the_best_of_many_random_starts(name):
    load, formula, k = DATA[name]
    model = smmix.from_formula(formula, load(), k=k)
    bound = best_mode(np.asarray(model.endog), np.asarray(model.exog), k, n_starts=300, seed=1)
    assert np.isfinite(bound)
    # A higher mode that sharpness alone makes higher is listed, and says so.
    starts = model.fit().starts
    assert starts["llf"][starts["reason"].str.match("$|chance line")].max() >= bound - 1e-6


@pytest.mark.parametrize("seed", range(5160, 5168))
def test_equal_variances_and_a_few_rows_far_away(seed):
    """No start that sets rows far from one line apart leads higher than the default fit."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([100, 200, 300]))
    x, second = rng.normal(size=n), rng.random(n) < 0.4
    line = np.where(second, 1 + x, -1 - x) * rng.choice([0.5, 1.0, 1.5])
    frame = pd.DataFrame({"x": x, "y": line + rng.standard_t(3, n)})
    model = smmix.from_formula("y ~ x", frame, k=2, variance="equal")
    default = model.fit().llf
    residual = sm.OLS.from_formula("y ~ x", frame).fit().resid
    for values in (residual, -residual, residual.abs()):
        for count in (2, 4, 8, 16):
            far = (values.rank(ascending=False) <= count).astype(int)
            assert default >= model.fit(starts=far.to_numpy()).llf - 1e-6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::smmix.DegenerateComponentWarning")
def test_more_starts_do_not_lose_a_sound_mode():
    data = pytest.importorskip("sklearn.datasets").load_iris().data
    frame = pd.DataFrame({"length": data[:, 0], "width": data[:, 1]})
    model = smmix.from_formula("width ~ length", frame, k=3)
    fit = model.fit()
    more = model.fit(n_starts=300, rng=1)
    assert more.converged
    assert more.llf >= fit.llf - 1e-6


def test_a_start_without_a_likelihood_is_no_mode():
    """Some starts have means below zero, where the inverse link has no value."""
    data = table("gamma", 0, 30)
    options = {"offset": "off", "known": "who", "common": ["x1"]}
    family = smmix.families.Gamma(link="inverse_power")
    results = smmix.from_formula("y ~ x1", data, family=family, **options).fit(n_starts=3)
    assert np.isfinite(results.starts["llf"]).all()
    means, scales = results.predict(which="components"), results.nuisance.loc["scale"]
    weights = results.mixing_weights.to_numpy()
    density = stats.gamma.pdf(data[["y"]], 1 / scales, scale=means * scales.to_numpy())
    known = data["who"].to_numpy()[:, None]
    allowed = np.isnan(known) | (known == np.arange(2))
    assert results.llf == pytest.approx(np.log((allowed * density) @ weights).sum())
