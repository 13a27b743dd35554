"""The picture of trajectories holds predictions, weighted means, and the lines of groups."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers_model import engel_fit, refusal
from helpers_panel import panel

import smmix
from smmix.families import ZeroInflatedPoisson

plt = pytest.importorskip("matplotlib.pyplot")

from matplotlib.collections import LineCollection  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def results():
    model = smmix.from_formula("y ~ age + I(age**2)", panel(), k=2, groups="id")
    return model.fit(n_starts=5)


def curves(ax):
    return [line for line in ax.lines if len(line.get_xdata()) > 50 and line.get_color() != "white"]


def test_curves_are_the_means_of_the_components(results):
    ax = results.plot_trajectories(by="age")
    for c, line in enumerate(curves(ax)):
        grid, mean = line.get_data()
        expected = results.predict({"age": grid}, which="components")[c]
        assert mean == pytest.approx(expected.to_numpy())


def test_bands_are_those_of_the_regression_when_there_is_one():
    data = panel()
    results = smmix.from_formula("y ~ age + I(age**2)", data, k=1, groups="id").fit()
    band = results.plot_trajectories(alpha=0.1).collections[1].get_paths()[0].vertices
    ols = smf.ols("y ~ age + I(age**2)", data).fit()
    frame = ols.get_prediction(pd.DataFrame({"age": [-1.0]})).summary_frame(alpha=0.1)
    factor = np.sqrt(ols.df_resid / len(data))
    at = band[np.isclose(band[:, 0], -1.0), 1]
    half = 1.6448536 * frame["mean_se"].iloc[0] * factor
    assert np.ptp(at) / 2 == pytest.approx(half, rel=1e-6)


def test_markers_are_means_weighted_by_the_posterior(results):
    data = panel()
    ax = results.plot_trajectories(by="age")
    markers = [line for line in ax.lines if line.get_linestyle() == "None"]
    for c, line in enumerate(markers):
        share = results.posterior[c]
        table = pd.DataFrame({"age": data["age"], "s": share, "sy": share * data["y"]})
        sums = table.groupby("age").sum()
        assert line.get_xdata() == pytest.approx(sums.index.to_numpy())
        assert line.get_ydata() == pytest.approx((sums["sy"] / sums["s"]).to_numpy())


def test_lines_are_those_of_groups(results):
    data = panel()
    ax = results.plot_trajectories(by="age", max_lines=1000)
    drawn = [part for part in ax.collections if isinstance(part, LineCollection)]
    paths = [path.vertices for part in drawn for path in part.get_paths()]
    assert len(paths) == data["id"].nunique()
    persons = data.sort_values("age").groupby("id")
    expected = {tuple(np.round(one["y"], 9)) for _, one in persons}
    assert {tuple(np.round(path[:, 1], 9)) for path in paths} == expected


def test_it_is_drawn_where_it_is_asked_to(results):
    _, ax = plt.subplots()
    assert results.plot_trajectories(ax, by="age", max_lines=0) is ax
    assert not [part for part in ax.collections if isinstance(part, LineCollection)]
    assert ax.get_legend().get_title().get_text() == "lines of 0 of 150 groups"


@pytest.mark.parametrize("family", ["binomial", "zero_inflated_poisson", "ordered"])
def test_of_discrete_responses_too(family):
    model = smmix.from_formula("y ~ age", panel(family), k=2, groups="id", family=family)
    results = model.fit(n_starts=5)
    ax = results.plot_trajectories()
    grid, mean = curves(ax)[1].get_data()
    assert mean == pytest.approx(results.predict({"age": grid}, which="components")[1].to_numpy())


def test_extra_zeros_that_depend_on_time_bend_the_curves():
    family = ZeroInflatedPoisson(inflate="~ age")
    data = panel("zero_inflated_poisson")
    model = smmix.from_formula("y ~ age + I(age**2)", data, k=2, groups="id", family=family)
    results = model.fit(n_starts=5)
    ax = results.plot_trajectories(by="age")
    grid = curves(ax)[0].get_xdata()
    expected = results.predict({"age": grid}, which="components")
    error = results.get_prediction({"age": grid}, which="components").summary_frame()
    for c, line in enumerate(curves(ax)):
        mean = expected[c].to_numpy()
        assert line.get_ydata() == pytest.approx(mean)
        band = ax.collections[c + 2].get_paths()[0].vertices
        width = np.log([band[np.isclose(band[:, 0], x), 1].max() for x in grid]) - np.log(mean)
        reach = 1.959964 * error[c]["mean_se"].to_numpy() / mean
        assert width[1:-1] == pytest.approx(reach[1:-1], rel=1e-5)


def test_times_that_are_categories_and_times_that_differ_by_person():
    data = panel()
    results = smmix.from_formula("y ~ C(wave) + risk", data, k=2, groups="id").fit(n_starts=5)
    ax = results.plot_trajectories(by="wave")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [str(wave) for wave in range(8)]
    own = data.assign(age=data["age"] + 0.01 * np.arange(len(data)) / len(data))
    scattered = smmix.from_formula("y ~ age", own, k=2, groups="id").fit(n_starts=5)
    markers = [line for line in scattered.plot_trajectories().lines if line.get_marker() == "o"]
    assert len(markers[-1].get_xdata()) == 12


def test_it_refuses_what_is_no_trajectory(results):
    assert "groups='id'" in refusal(lambda: engel_fit().plot_trajectories())
    assert "'wave'" in refusal(lambda: results.plot_trajectories(by="wave"))
    assert "max_lines" in refusal(lambda: results.plot_trajectories(max_lines=-1))
    square = panel().assign(square=panel()["age"] ** 2)
    apart = smmix.from_formula("y ~ age + square", square, k=2, groups="id").fit(n_starts=5)
    assert "'square' is a function of 'age'" in refusal(lambda: apart.plot_trajectories(by="age"))
    two = smmix.from_formula("y ~ age + risk", panel(), k=2, groups="id").fit(n_starts=5)
    assert "name the time" in refusal(lambda: two.plot_trajectories())
