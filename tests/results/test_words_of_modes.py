"""What is said of a mode names its components as its results number them."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import smmix
from smmix.errors import DegenerateComponentWarning


def lines(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return {"x": x, "y": np.where(rng.random(n) < 0.5, 3.0 - x, x) + rng.normal(size=n)}


def said(reason: str) -> tuple[int, float]:
    """The component that a clause names, and the rows that it says that it rests on."""
    found = re.search(r"component (\d+) rests on (\d+\.\d)", reason)
    assert found is not None, reason
    return int(found[1]), float(found[2])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("order", ["weight", "sigma"])
@pytest.mark.parametrize("concomitant", [None, "x"])
def test_reasons_name_components_as_the_modes_do(order, concomitant):
    model = smmix.from_formula("y ~ x", lines(60, 3), k=3, concomitant=concomitant)
    results = model.fit(n_starts=8, order=order)
    few = results.starts[results.starts["reason"].str.startswith("too few rows")]
    assert len(few)
    for i in few.index:
        component, rows = said(few.loc[i, "reason"])
        assert results.mode(i).posterior[component].sum() == pytest.approx(rows, abs=0.06)


@pytest.mark.parametrize("seed", range(2))
def test_a_warning_of_a_degenerate_fit_names_its_component(seed):
    model = smmix.from_formula("y ~ x", lines(12, seed), k=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = model.fit(n_starts=5)
    told = [str(w.message) for w in caught if w.category is DegenerateComponentWarning]
    assert "Every mode found is degenerate" in told[0]
    component, rows = said(told[0])
    assert results.posterior[component].sum() == pytest.approx(rows, abs=0.06)
    assert said(results.starts.loc[results.starts["selected"], "reason"].iloc[0])[0] == component
    with pytest.raises(smmix.SmmixError, match=f"component {component} rests"):
        smmix.bootstrap_lrt(results)


@pytest.mark.parametrize(
    "formula", [{1: "y ~ x", 0: "y ~ 1"}, ["y ~ 1", "y ~ x"]], ids=["dict", "list"]
)
def test_formulas_of_components_are_printed_as_formulas(formula):
    results = smmix.from_formula(formula, lines(80, 1), k=2).fit(n_starts=5)
    assert "Formula of component 0: y ~ 1; formula of component 1: y ~ x" in str(results.summary())
    assert "<title>Mixture of regressions: y ~ 1; y ~ x, k = 2</title>" in results.report()
    saved = smmix.read_json(results.to_json())
    assert saved.formula == ["y ~ 1", "y ~ x"]
    assert "y ~ 1; y ~ x" in repr(saved)
