"""Awkward data on which the right answer is nevertheless known."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from helpers_reference import FOLDER, load_frame, translate

import smmix

TRAPS = {
    trap["name"]: trap["reference"]
    for trap in json.loads((FOLDER / "expected" / "traps.json").read_text())
}


class TestTrapsWithNumbers:
    """Awkward data on which the right answer is nevertheless known."""

    def check(self, fit, expected):
        assert fit.llf == pytest.approx(expected["loglik"], abs=1e-6)
        assert len(fit.params) == expected["df"]
        values, _ = translate(
            list(expected["params"]),
            np.array(list(expected["params"].values())),
            self.order(expected),
        )
        np.testing.assert_allclose(fit.params, values[fit.params.index], rtol=1e-6)

    @staticmethod
    def order(expected):
        first = expected["params"].get("w1", 1.0)
        k = 2 if "w1" in expected["params"] else 1
        return np.argsort([-first, first - 1][:k], kind="stable")

    def test_duplicate_rows(self):
        frame = load_frame("trap_duplicate_rows.csv")
        self.check(
            smmix.from_formula("y ~ x", frame).fit(), TRAPS["trap_duplicate_rows"]["doubled"]
        )

    def test_missing_rows(self):
        fit = smmix.from_formula("y ~ x", load_frame("trap_nan_rows.csv")).fit()
        self.check(fit, TRAPS["trap_nan_rows"])
        assert fit.nobs == 115

    def test_zero_weights(self):
        frame = load_frame("trap_bad_weights.csv")
        fit = smmix.from_formula("y ~ x", frame, freq_weights="w_zero").fit()
        self.check(fit, TRAPS["trap_bad_weights"])
        assert fit.nobs == frame["w_zero"].sum()

    def test_one_component_is_the_truth(self):
        """Two components find chance patterns; the criterion must say that one is enough."""
        frame = load_frame("trap_one_component_truth.csv")
        one, two = (smmix.from_formula("y ~ x", frame, k=k).fit() for k in (1, 2))
        self.check(one, TRAPS["trap_one_component_truth"]["k1"])
        assert two.llf > one.llf
        assert one.bic < two.bic

    def test_exact_line_with_equal_variances(self):
        frame = load_frame("trap_exact_line.csv")
        fit = smmix.from_formula("y ~ x", frame, k=2, variance="equal").fit()
        self.check(fit, TRAPS["trap_exact_line"]["equal_variance"])

    def test_exact_line_with_free_variances(self):
        """Nearly every start runs into the exact line: the fit must say so and stay finite."""
        frame = load_frame("trap_exact_line.csv")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = smmix.from_formula("y ~ x", frame, k=2).fit()
        assert smmix.errors.DegenerateComponentWarning in {w.category for w in caught}
        assert np.isfinite(fit.llf)
        assert np.isfinite(fit.params).all()
        assert fit.starts["degenerate"].any()
        chosen = fit.starts.loc[fit.starts["selected"]].iloc[0]
        assert chosen["degenerate"] == fit.starts["degenerate"].all()


@pytest.mark.parametrize("seed", [0, 1])
def test_heavy_tails_do_not_collapse(seed):
    """Two lines with t(2) errors: a usual fit of 2 components, neither of them degenerate."""
    fit = smmix.from_formula("y ~ x", load_frame("sim_t_k2.csv"), k=2).fit(rng=seed)
    assert fit.converged
    assert np.isfinite(fit.bse).all()
    chosen = fit.starts[fit.starts["selected"]]
    assert not chosen["degenerate"].any()
