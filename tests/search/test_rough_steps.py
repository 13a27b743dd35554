"""Steps of EM with one Gram matrix for all components lead where those with their own do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import smmix
from smmix.search.coordinates import working_setting
from smmix.search.em import EMControl, expectation_maximisation


def test_the_maximum_of_newtons_method_is_where_rough_steps_end():
    coef = np.random.default_rng(1).normal(size=(2, 12))
    frame = smmix.simulate_mixture(n=600, coef=coef, rng=2).frame
    formula = "y ~ " + " + ".join(f"x{i}" for i in range(1, 12))
    fit = smmix.from_formula(formula, frame, k=2).fit()
    setting = working_setting(fit.model.spec, fit.model.source)
    objective = setting.objective
    x = objective.source.x
    rough = replace(objective, spec=replace(objective.spec, gram=x.T @ x / len(x)))
    # From a tenth of a standard error off, in every parameter.
    near = fit.model.unpack(fit.params + 0.1 * fit.bse)
    start = setting.coordinates.to_working(near)
    ascent = expectation_maximisation(rough, start, EMControl(gtol=1e-9))
    assert ascent.score_norm[0] <= 1e-9
    found = setting.coordinates.from_working(ascent.params)
    assert np.abs(found.coef - fit.unpacked.coef).max() < 1e-6
    assert np.abs(found.nuisance - fit.unpacked.nuisance).max() < 1e-6
