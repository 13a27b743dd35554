"""Trajectories of the Oxford boys, as the vignette of R's npmlreg 0.43 prints them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import smmix

pytestmark = pytest.mark.slow
BOYS = pd.read_csv(Path(__file__).parent / "data" / "oxboys.csv")
EIGHT = [130.200, 138.417, 143.382, 147.350, 151.267, 155.789, 159.522, 164.884]
SHARES = [0.03846154, 0.11538462, 0.11538469, 0.19230765, 0.26921962, 0.15385725,
          0.03846155, 0.07692308]  # fmt: skip


def fit(k, **options):
    model = smmix.from_formula(
        "height ~ age", BOYS, k=k, groups="subject", variance="equal", **options
    )
    return model.fit()


def rising(results):
    return results.coef.loc["Intercept"].sort_values().index


def test_eight_parallel_lines():
    results = fit(8, common="age")
    order = rising(results)
    assert results.coef.loc["Intercept", order].tolist() == pytest.approx(EIGHT, abs=5e-4)
    assert results.mixing_weights[order].tolist() == pytest.approx(SHARES, abs=2e-5)
    assert results.params["age"] == pytest.approx(6.524, abs=5e-4)
    assert results.params["sigma"] == pytest.approx(1.433, abs=5e-4)
    assert -2 * results.llf == pytest.approx(931.4, abs=0.05)


def test_eight_lines():
    results = fit(8)
    order = rising(results)
    constants = [130.2616, 138.4476, 143.3707, 147.3756, 151.2646, 155.7763, 159.4738, 164.8242]
    slopes = 9.2130 + np.array([-5.4901, -4.0056, -2.1543, -3.7833, -2.5653, -2.1239, -0.5421, 0])
    assert results.coef.loc["Intercept", order].tolist() == pytest.approx(constants, abs=6e-5)
    assert results.coef.loc["age", order].tolist() == pytest.approx(slopes.tolist(), abs=2e-4)
    assert results.params["sigma"] == pytest.approx(1.185, abs=5e-4)
    assert -2 * results.llf == pytest.approx(842.4, abs=0.05)


def test_the_printed_fit_of_seven_lines_is_the_second_mode():
    results = fit(7, common="age")
    assert -2 * results.llf < 1017.3 - 46.0
    second = results.mode(1)
    assert -2 * second.llf == pytest.approx(1017.3, abs=0.05)
    assert second.params["sigma"] == pytest.approx(1.762, abs=5e-4)
    masses = [130.200, 138.417, 144.605, 149.967, 155.261, 159.521, 164.884]
    assert second.coef.loc["Intercept"].sort_values().tolist() == pytest.approx(masses, abs=6e-4)
