"""Law: no number of random starts of plain EM finds a better mode than the default fit."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from helpers_reference import load_frame
from laws.independent_em import best_mode
from laws.problems import two_lines

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
    assert model.fit().llf >= bound - 1e-6
