"""Pictures of families other than the Gaussian hold the numbers they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers_model import engel_fit, refusal
from scipy import stats

import smmix

plt = pytest.importorskip("matplotlib.pyplot")

from matplotlib.collections import PolyCollection  # noqa: E402

from smmix.plots.rootogram import frequencies  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def data(n=300, seed=6):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "m": rng.integers(1, 13, n).astype(float)})
    frame["g"], frame["f"] = rng.choice(["a", "b"], n), rng.integers(1, 4, n).astype(float)
    second = rng.random(n) < 0.4
    eta = np.where(second, 2.0 + 0.3 * frame["x"], -0.3 * frame["x"])
    frame["y"] = rng.poisson(np.exp(eta))
    frame["e"] = rng.poisson(frame["m"] * np.exp(eta - 1.0))
    frame["cost"] = rng.gamma(3.0, np.exp(eta) / 3.0)
    frame["s"] = rng.binomial(frame["m"].astype(int), np.where(second, 0.85, 0.2))
    frame["event"] = (frame["cost"] < 6.0).astype(int)
    frame["t"] = frame["cost"].clip(upper=6.0)
    return frame


DATA = data()
MODELS = {
    "poisson": ("y ~ x", {"family": "poisson"}),
    "exposure": ("e ~ x", {"family": "poisson", "exposure": "m"}),
    "gamma": ("cost ~ x", {"family": "gamma"}),
    "binomial": ("s ~ x", {"family": "binomial", "trials": "m"}),
    "weibull": ("t ~ x", {"family": "weibull", "event": "event"}),
    "zeros": ("y ~ x", {"family": ["poisson", "zero"]}),
}


@pytest.fixture(scope="module", params=list(MODELS))
def fit(request):
    formula, options = MODELS[request.param]
    return smmix.from_formula(formula, DATA, k=2, **options).fit(n_starts=8)


def lines_of(ax):
    return [line for line in ax.lines if len(line.get_xdata()) > 50 and line.get_color() != "white"]


def points_of(ax):
    parts = [part.get_offsets() for part in ax.collections if len(part.get_offsets()) > 1]
    return np.sort(np.vstack(parts), axis=0)


class TestFit:
    def test_lines_are_the_means_of_components(self, fit):
        new = pd.DataFrame({"x": lines_of(fit.plot_fit())[0].get_xdata(), "m": 1.0})
        expected = fit.predict(new, which="components")
        for c, line in enumerate(lines_of(fit.plot_fit())):
            np.testing.assert_allclose(line.get_ydata(), expected[c], rtol=1e-9)

    def test_points_are_the_data(self, fit):
        design = fit.model.kept_design
        y = np.abs(design.endog)
        if design.offset is not None or design.trials is not None:
            y = y / DATA["m"].to_numpy()
        points = points_of(fit.plot_fit())
        np.testing.assert_allclose(points[:, 1], np.sort(y), rtol=1e-9, atol=1e-12)

    def test_bands_of_positive_means_are_symmetric_in_the_log(self):
        fit = smmix.from_formula("cost ~ x", DATA, k=2, family="gamma").fit(n_starts=8)
        ax = fit.plot_fit()
        band = next(part for part in ax.collections if isinstance(part, PolyCollection))
        corners = band.get_paths()[0].vertices
        x = corners[np.argmax(corners[:, 1]), 0]
        frame = fit.get_prediction({"x": [x]}, which="components").summary_frame()[0]
        factor = np.exp(stats.norm.ppf(0.975) * frame["mean_se"] / frame["mean"])
        ends = np.sort(corners[corners[:, 0] == x, 1])
        expected = [(frame["mean"] / factor).item(), (frame["mean"] * factor).item()]
        np.testing.assert_allclose(ends[[0, -1]], expected, rtol=1e-6)

    def test_partial_residuals_keep_the_ratio_to_the_mean(self):
        fit = smmix.from_formula("y ~ x + g", DATA, k=1, family="poisson").fit()
        panel = {ax.get_xlabel(): ax for ax in fit.plot_fit()}["x"]
        typical = DATA["g"].mode()[0]
        held = fit.predict(DATA.assign(g=typical))
        expected = DATA["y"] * held / fit.fittedvalues
        np.testing.assert_allclose(points_of(panel)[:, 1], np.sort(expected), rtol=1e-9)

    @pytest.mark.parametrize(("response", "family"), [("y", "poisson"), ("cost", "gamma")])
    def test_without_variables_the_densities(self, response, family):
        fit = smmix.from_formula(f"{response} ~ 1", DATA, k=2, family=family).fit(n_starts=8)
        ax = fit.plot_fit()
        lines = [line for line in ax.lines if len(line.get_xdata()) > 5]
        grid, weight = lines[0].get_xdata(), fit.mixing_weights
        means = np.exp(fit.coef.loc["Intercept"])
        for c in range(2):
            if family == "poisson":
                density = stats.poisson.pmf(grid, means[c])
            else:
                shape = 1.0 / fit.nuisance.loc["scale", c]
                density = stats.gamma.pdf(grid, shape, scale=means[c] / shape)
            np.testing.assert_allclose(
                lines[1 + c].get_ydata(), weight[c] * density, rtol=1e-7, atol=1e-12
            )


class TestOthers:
    @pytest.mark.parametrize("name", ["plot_coef", "plot_posterior", "plot_residuals"])
    def test_every_family_is_drawn(self, fit, name):
        axes = np.ravel(getattr(fit, name)())
        assert all(len(ax.get_children()) > 5 for ax in axes)
        axes[0].figure.canvas.draw()

    def test_nuisance_parameters_by_name(self):
        fit = smmix.from_formula("cost ~ x", DATA, k=2, family="gamma").fit(n_starts=8)
        ax = fit.plot_coef(terms=["scale"])
        drawn = [line.get_xdata()[0] for line in ax.lines if line.get_marker() not in ("", "None")]
        np.testing.assert_allclose(drawn, fit.nuisance.loc["scale"])

    def test_residuals_are_drawn_again_with_another_seed(self):
        fit = smmix.from_formula("y ~ x", DATA, k=2, family="poisson").fit(n_starts=8)
        one, two = (points_of(fit.plot_residuals(rng=seed)[0])[:, 1] for seed in (0, 1))
        assert not np.allclose(one, two)

    def test_ordered_components_have_no_intercept(self):
        levels = pd.Categorical.from_codes(np.digitize(DATA["cost"], [1.0, 4.0]),
                                           ["low", "mid", "high"], ordered=True)  # fmt: skip
        fit = smmix.from_formula("o ~ x", DATA.assign(o=levels), k=1, family="ordered").fit()
        assert fit.plot_coef().get_title() == "x"


class TestRootogram:
    def test_frequencies(self):
        options = {"family": "poisson", "freq_weights": "f", "exposure": "m"}
        fit = smmix.from_formula("e ~ x", DATA, k=2, **options).fit(n_starts=8)
        edges, observed, expected = frequencies(fit.fitted)
        prior, means = fit.predict(which="prob"), fit.predict(which="components")
        width = int(np.ceil((DATA["e"].max() + 1) / 60))
        for i, edge in enumerate(edges[:-1]):
            numbers = edge + np.arange(width)
            inside = DATA["e"].isin(numbers)
            assert observed[i] == DATA["f"][inside].sum()
            chance = sum((prior.to_numpy() * stats.poisson.pmf(j, means)).sum(1) for j in numbers)
            assert expected[i] == pytest.approx((DATA["f"] * chance).sum(), rel=1e-8, abs=1e-9)
        assert observed.sum() == DATA["f"].sum()

    def test_bars_hang_from_the_line(self):
        fit = smmix.from_formula("y ~ x", DATA, k=2, family="poisson").fit(n_starts=8)
        ax = fit.plot_rootogram()
        _, observed, expected = frequencies(fit.fitted)
        np.testing.assert_allclose(ax.lines[0].get_ydata() ** 2, expected)
        for bar, seen, hoped in zip(ax.patches, observed, expected, strict=True):
            assert bar.get_height() == pytest.approx(np.sqrt(seen))
            assert bar.get_y() + bar.get_height() == pytest.approx(np.sqrt(hoped))
        assert ax.get_xlabel() == "y"

    def test_own_axes(self):
        fit = smmix.from_formula("y ~ x", DATA, k=1, family="poisson").fit()
        _, ax = plt.subplots()
        assert fit.plot_rootogram(ax) is ax

    def test_continuous_responses_get_a_sentence(self):
        refusal(engel_fit().plot_rootogram, "whole numbers", "plot_residuals()")
