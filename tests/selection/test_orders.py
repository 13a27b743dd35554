"""The order of each component's polynomial, against all orders and against one regression."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from helpers_model import engel, refusal
from helpers_panel import panel

import smmix

POWERS = ["1", "age", "I(age ** 2)", "I(age ** 3)"]
OPTIONS = {"groups": "id", "family": "poisson", "n_starts": 10}


def formula(order):
    return "y ~ " + " + ".join(POWERS[: order + 1])


@pytest.fixture(scope="module")
def selection():
    return smmix.select_k("y ~ age", panel("poisson"), k=[1, 2], orders=(0, 3), **OPTIONS)


@pytest.mark.slow
def test_of_all_orders_of_two_components_the_best_is_found(selection):
    data, bic = panel("poisson"), {}
    for pair in combinations_with_replacement(range(4), 2):
        for orders in {pair, pair[::-1]}:
            parts = [formula(order) for order in orders]
            model = smmix.from_formula(parts, data, k=2, groups="id", family="poisson")
            bic[orders] = model.fit(n_starts=5).bic
    best = min(bic, key=bic.get)
    assert selection.table.loc[2, "orders"] == ", ".join(map(str, best))
    assert selection.table.loc[2, "bic"] == pytest.approx(bic[best], abs=1e-6)
    assert selection.best.model.formula == [formula(order) for order in best]


def test_of_one_component_the_highest_significant_power_stays(selection):
    data = panel("poisson")
    for order in (3, 2, 1):
        fit = smf.glm(formula(order), data, family=sm.families.Poisson()).fit()
        if fit.pvalues[POWERS[order]] <= 0.05:
            break
    assert selection.table.loc[1, "orders"] == str(order)
    assert selection.table.loc[1, "llf"] == pytest.approx(fit.llf)


def test_the_summary_and_the_file_know_the_orders(selection):
    assert "Orders" in selection.summary().as_text()
    assert "0, 2" in selection.summary().as_text()
    assert "component 0: y ~ 1;" in selection.best.summary().as_text()
    again = smmix.read_json(selection.best.to_json())
    rows = panel("poisson").head()
    np.testing.assert_array_equal(again.predict(rows), selection.best.predict(rows))


def test_other_terms_stay_and_the_lowest_order_is_kept():
    named = smmix.select_k(
        "y ~ risk", panel(), k=2, orders={"age": (1, 2)}, groups="id", n_starts=5
    )
    assert named.table["orders"].tolist() == ["1, 2"]
    assert named.best.model.formula[0] == "y ~ 1 + risk + age"
    assert {"risk[0]", "risk[1]", "I(age ** 2)[1]"} < set(named.best.params.index)


def test_without_orders_there_is_no_column_of_them():
    assert "orders" not in smmix.select_k("foodexp ~ income", engel(), k=1).table


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ age", {"orders": 3}, "such as (1, 3)"),
        ("y ~ age", {"orders": (2, 1)}, "such as (1, 3)"),
        ("y ~ age", {"orders": (1, 2.0)}, "such as (1, 3)"),
        ("y ~ age + risk", {"orders": (1, 3)}, "2 terms"),
        ("y ~ 1", {"orders": (1, 3)}, "0 terms"),
        ("y ~ age", {"orders": {}}, "one variable"),
        ("y ~ sex", {"orders": (1, 2)}, "sex"),
        ("y ~ age", {"orders": (1, 2), "criterion": "cv"}, "'cv'"),
    ],
)
def test_it_refuses_what_is_no_order(formula, options, words):
    assert words in refusal(
        lambda: smmix.select_k(formula, panel(), k=[1, 2], groups="id", **options)
    )


def test_powers_of_a_year_are_as_good_as_those_of_an_age():
    data = panel("poisson").assign(year=lambda d: d["wave"] + 1990)
    years, ages = (
        smmix.select_k(f"y ~ {time}", data, k=[1, 2], orders=(0, 3), **OPTIONS)
        for time in ("year", "wave")
    )
    assert years.table["orders"].tolist() == ages.table["orders"].tolist()
    assert years.table["llf"].to_numpy() == pytest.approx(ages.table["llf"].to_numpy(), abs=1e-4)
    assert years.table["converged"].all()


def test_it_refuses_a_model_that_is_made_already():
    model = smmix.from_formula("y ~ age", panel(), k=2, groups="id")
    assert "as text" in refusal(lambda: smmix.select_k(model, k=[1], orders=(1, 2)))
