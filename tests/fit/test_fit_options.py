"""What fit() takes: starts, starting values, limits, the order of components, interrupts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers_model import (
    engel,
    engel_fit,
    everything_fit,
    panel,
    refusal,
)
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from smmix import from_formula
from smmix.support.progress import progress_bar


class TestFitOptions:
    @pytest.mark.parametrize(
        ("option", "value", "word"),
        [
            ("method", "bfgs", "method"),
            ("n_starts", 0, "n_starts"),
            ("n_starts", 2.5, "n_starts"),
            ("maxiter", -1, "maxiter"),
            ("gtol", 0, "gtol"),
            ("rng", "seed", "rng"),
            ("threads", 0, "threads"),
            ("order", "incme", "did you mean 'income'"),
            ("callback", 3, "callback"),
            ("cov_type", "HC3", "HC1"),
            ("cov_type", "hac", "hac"),
            ("starts", "kmeans", "kmeans"),
            ("starts", np.zeros(5), "235 rows"),
            ("starts", np.zeros(235), "1 different labels"),
            ("starts", np.ones((235, 3)), "3 columns"),
            ("starts", -np.ones((235, 2)), "probabilities"),
            ("starts", np.column_stack([np.ones(235), np.zeros(235)]), "component 1"),
            ("start_params", [1.0], "start_params"),
        ],
    )
    def test_nonsense_is_refused(self, option, value, word):
        model = from_formula("foodexp ~ income", engel())
        refusal(lambda: model.fit(**{option: value}), word)

    def test_cov_kwds_are_checked_before_the_search(self):
        model = from_formula("foodexp ~ income", engel())
        refusal(lambda: model.fit(cov_type="cluster"), "groups")
        refusal(lambda: model.fit(cov_kwds={"groups": "id"}), "groups")

    def test_labels_and_posteriors_are_the_same_start(self):
        labels = (engel()["foodexp"] > 0.55 * engel()["income"] + 60).astype(int)
        model = from_formula("foodexp ~ income", engel())
        one = model.fit(starts=labels)
        two = model.fit(starts=np.eye(2)[labels])
        words = model.fit(starts=np.where(labels == 1, "above", "below"))
        np.testing.assert_array_equal(one.params, two.params)
        assert words.llf == pytest.approx(one.llf, abs=1e-9)
        assert len(one.starts) == 1

    def test_starts_are_matched_by_label_when_rows_were_dropped(self):
        frame = engel().copy()
        frame.loc[3, "income"] = np.nan
        labels = (frame["foodexp"] > 600).astype(int)
        model = from_formula("foodexp ~ income", frame)
        np.testing.assert_array_equal(
            model.fit(starts=labels).params, model.fit(starts=labels.drop(3)).params
        )

    def test_starts_with_labels_are_matched_by_them(self):
        model = from_formula("foodexp ~ income", engel())
        labels = (engel()["foodexp"] > 0.55 * engel()["income"] + 60).astype(int)
        expected = model.fit(starts=labels.to_numpy()).params
        order = labels.sample(frac=1.0, random_state=2).index
        table = pd.DataFrame(np.eye(2)[labels], labels.index).loc[order]
        np.testing.assert_array_equal(model.fit(starts=labels[order]).params, expected)
        np.testing.assert_array_equal(model.fit(starts=table).params, expected)
        refusal(lambda: model.fit(starts=labels.set_axis(labels.index + 1)), "label 0", "to_numpy")

    def test_starts_with_repeated_labels_must_have_those_of_the_data(self):
        frame = engel().set_axis(engel().index // 2)
        labels = (frame["foodexp"] > 0.55 * frame["income"] + 60).astype(int)
        model = from_formula("foodexp ~ income", frame)
        np.testing.assert_array_equal(
            model.fit(starts=labels).params, model.fit(starts=labels.to_numpy()).params
        )
        refusal(lambda: model.fit(starts=labels[::-1]), "repeated labels", "to_numpy")

    def test_groups_average_the_posteriors_given(self):
        model = from_formula("y ~ x1", panel(), groups="id")
        fit = model.fit(starts=np.eye(2)[panel()["truth"]])
        assert fit.llf == pytest.approx(model.fit().llf, abs=1e-8)

    def test_start_params_keep_their_order(self):
        fit = engel_fit()
        swapped = swap(fit.params)
        again = fit.model.fit(start_params=swapped)
        np.testing.assert_allclose(again.params, swapped, rtol=1e-8)
        assert again.order is None
        by_slope = fit.model.fit(start_params=swapped, order="income")
        assert by_slope.coef.loc["income"].is_monotonic_increasing

    def test_start_params_by_name(self):
        fit = engel_fit()
        shuffled = fit.params.sample(frac=1.0, random_state=0)
        np.testing.assert_allclose(
            fit.model.fit(start_params=shuffled).params, fit.params, rtol=1e-8
        )
        refusal(lambda: fit.model.fit(start_params=shuffled.iloc[1:]), "lacks the parameter")

    @pytest.mark.parametrize("order", ["Intercept", "income", "sigma", "weight"])
    def test_order(self, order):
        fit = from_formula("foodexp ~ income", engel(), k=3).fit(order=order)
        row = {
            "weight": -fit.mixing_weights,
            "sigma": fit.sigma,
        }.get(order)
        row = fit.coef.loc[order] if row is None else row
        assert row.is_monotonic_increasing
        assert fit.order == order
        assert fit.llf == pytest.approx(engel_fit(3).llf, abs=1e-8)

    def test_tied_weights_are_ordered_by_the_first_coefficient(self):
        fit = from_formula("y ~ x1", panel()).fit_constrained("mixing.Intercept[1] = 0")
        assert fit.mixing_weights.tolist() == [0.5, 0.5]
        assert fit.coef.loc["Intercept"].is_monotonic_increasing

    def test_components_that_differ_by_construction_keep_their_numbers(self):
        fit = from_formula("y ~ x1", panel(), k=3).fit_constrained("x1[2] = 0")
        assert fit.params["x1[2]"] == 0
        assert fit.mixing_weights[0] >= fit.mixing_weights[1]

    def test_plain_em_to_the_end(self):
        fit = from_formula("y ~ x1", panel()).fit(method="em", maxiter=5000)
        assert fit.converged
        assert fit.history["phase"].iloc[-1] == "em"
        assert fit.llf == pytest.approx(from_formula("y ~ x1", panel()).fit().llf, abs=1e-7)

    def test_any_rng_of_numpy(self):
        model = from_formula("foodexp ~ income", engel())
        seeds = [1, np.random.default_rng(1), np.random.SeedSequence(1)]
        fits = [model.fit(rng=seed) for seed in seeds]
        for fit in fits[1:]:
            np.testing.assert_array_equal(fit.params, fits[0].params)

    def test_running_out_of_iterations_is_never_converged(self):
        model = from_formula("foodexp ~ income", engel())
        with pytest.warns(ConvergenceWarning, match="limit of iterations") as caught:
            fit = model.fit(start_params=engel_fit().params * 1.05, maxiter=1)
        assert not fit.converged
        assert "limit of iterations" in fit.status
        assert caught[0].filename == __file__

    def test_callback_is_told_of_the_search(self):
        told = []
        from_formula("foodexp ~ income", engel()).fit(callback=lambda *news: told.append(news))
        assert told
        stage, done, total, best = told[-1]
        assert isinstance(stage, str)
        assert 0 <= done <= total
        assert np.isfinite(best)

    # Where the interrupt finds the search, the best so far need not be a maximum.
    @pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.HessianInversionWarning")
    def test_an_interrupt_returns_the_best_mode_so_far(self):
        calls = []

        def interrupt(*news):
            calls.append(news)
            if len(calls) == 25:
                raise KeyboardInterrupt

        model = from_formula("foodexp ~ income", engel(), k=3)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            fit = model.fit(callback=interrupt)
        assert fit.status == "interrupted"
        assert not fit.converged
        assert np.isfinite(fit.llf)
        assert fit.llf <= engel_fit(3).llf + 1e-9

    def test_progress_goes_to_standard_error(self, capsys):
        from_formula("foodexp ~ income", engel()).fit(progress=True)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err != ""
        from_formula("foodexp ~ income", engel()).fit(progress=False)
        assert capsys.readouterr().err == ""

    def test_one_bar_serves_all_stages_and_is_cleared(self, capsys):
        with progress_bar(True) as report:
            for stage, total in (("starts", 3), ("modes", 2)):
                for done in range(total + 1):
                    report(stage, done, total, -1.0)
        shown = capsys.readouterr().err
        assert "starts" in shown
        assert "\n" not in shown
        assert shown.rstrip(" ").endswith("\r")

    def test_second_fit_changes_nothing(self):
        model = from_formula("foodexp ~ income", engel())
        names, df = model.param_names, (model.df_model, model.df_resid)
        one, two = model.fit(), model.fit()
        np.testing.assert_array_equal(one.params, two.params)
        np.testing.assert_array_equal(one.bse, two.bse)
        assert model.param_names == names
        assert (model.df_model, model.df_resid) == df

    def test_the_true_maximum_of_everything_at_once(self):
        fit = everything_fit()
        assert fit.converged
        assert np.abs(fit.model.score(fit.params)).max() / fit.nobs < 1e-8
        truth = panel().groupby("id")["truth"].first()
        label = fit.labels.groupby(panel()["id"]).first()
        assert (truth == label).mean() > 0.95


def swap(params):
    """Two components with their names exchanged."""
    out = params.copy()
    for stem in ("Intercept", "income", "sigma"):
        out[f"{stem}[0]"], out[f"{stem}[1]"] = params[f"{stem}[1]"], params[f"{stem}[0]"]
    out["mixing.Intercept[1]"] *= -1
    return out


class TestStartParams:
    """Start values from which no step can be taken are refused before any step."""

    @pytest.mark.parametrize("extra", [{}, {"groups": "id"}, {"freq_weights": "f"}], ids=str)
    @pytest.mark.parametrize("far", [1e200, 1e100, 1e5])
    def test_far_from_the_data(self, far, extra):
        model = from_formula("y ~ x1", panel(), **extra)
        start = [far, 1.0, 0.0, -1.0, 1.0, 1.0, 0.0]
        refusal(lambda: model.fit(start), "component 0 at start_params", "nearer to the data")
        start[2] = 1e200
        if far == 1e200:
            refusal(lambda: model.fit(start), "log-likelihood is not finite at start_params")

    def test_without_a_density(self):
        model = from_formula("y ~ x1", panel())
        point = [1.0, 1.0, 0.0, -1.0]
        refusal(lambda: model.fit([*point, 1e-200, 1e-200, 0.0]), "not finite at start_params")
        refusal(lambda: model.fit([*point, 1.0, 1.0, 1e5]), "component 0 at start_params")
        refusal(lambda: model.fit([*point, 1.0, 1.0, -1e5]), "component 1 at start_params")
