"""Printed tables: ours to the printed digits, or the higher maximum."""

import warnings

import numpy as np
import pytest
from helpers_families_reference import load, model_of
from helpers_published import FURTHER, PUBLISHED, agrees, beside


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_printed_table_is_ours_or_lies_below_our_maximum(name):
    found = beside(name)
    if np.isfinite(found.loglik) and not agrees(found.loglik, found.ours):
        assert found.ours > found.loglik
    table = found.table
    if table.empty:
        return
    if not table["agrees"].all():
        assert found.at_printed < found.ours
    coefficients = table[~table.index.str.startswith("std err") & (table.index != "shape")]
    apart = (coefficients["smmix"] - coefficients["printed"]).abs() / coefficients["std err"]
    # flexmix stops its EM where the likelihood moves little.
    assert apart.max() < 0.01
    errors = table[table.index.str.startswith("std err")]
    assert errors["smmix"].to_numpy(float) == pytest.approx(
        errors["printed"].to_numpy(float), rel=2e-3
    )


@pytest.mark.parametrize(("name", "k"), FURTHER)
def test_other_numbers_of_components_of_the_beta_blockers(name, k):
    case, data = load(name)
    case["model"]["k"] = k
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = model_of(case, data).fit().llf
    assert ours >= FURTHER[name, k] - 5e-5
    assert agrees(FURTHER[name, k], ours)
