"""The pictures hold the numbers they should, whoever gives the Axes, at any size."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from helpers_model import engel, engel_fit, everything_fit
from scipy import stats

import smmix
from smmix.errors import SmmixError

plt = pytest.importorskip("matplotlib.pyplot")

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import PolyCollection  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from smmix.plots.posterior import posterior_counts  # noqa: E402
from smmix.plots.residuals import qq_points  # noqa: E402
from smmix.plots.style import look  # noqa: E402

NAMES = ["plot_fit", "plot_posterior", "plot_coef", "plot_starts", "plot_residuals"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def lines_of(ax):
    """The lines drawn with a component's look, in order."""
    return [line for line in ax.lines if len(line.get_xdata()) > 50 and line.get_color() != "white"]


def offsets(ax):
    return np.vstack([part.get_offsets() for part in ax.collections if len(part.get_offsets()) > 1])


def mixed_frame(n=300, seed=1):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "w": rng.exponential(size=n) + 0.1,
            "g": rng.choice(["north", "south", "west"], n),
            "h": rng.integers(3, 6, n),
        }
    )
    second = rng.random(n) < 0.4
    mean = np.where(second, 6.0 + 2.0 * frame["x"], -frame["x"]) + np.log(frame["w"])
    frame["y"] = mean + (frame["g"] == "west") + frame["h"] + 0.5 * rng.normal(size=n)
    return frame


# -- the numbers ----------------------------------------------------------------------------------


def test_line_and_band_of_one_component_are_those_of_least_squares():
    results = engel_fit(1)
    ax = results.plot_fit()
    line = lines_of(ax)[0]
    ols = smf.ols("foodexp ~ income", engel()).fit(use_t=False)
    grid = pd.DataFrame({"income": line.get_xdata()})
    frame = ols.get_prediction(grid).summary_frame()
    np.testing.assert_allclose(line.get_ydata(), frame["mean"], rtol=1e-9)
    band = next(part for part in ax.collections if isinstance(part, PolyCollection))
    corners = band.get_paths()[0].vertices[:, 1]
    # Maximum likelihood divides by n, least squares by n - p.
    half = 1.959963984540054 * frame["mean_se"] * np.sqrt(233 / 235)
    assert corners.max() == pytest.approx((frame["mean"] + half).max(), rel=1e-9)
    assert corners.min() == pytest.approx((frame["mean"] - half).min(), rel=1e-9)


def test_points_of_a_model_of_one_variable_are_the_data():
    points = offsets(engel_fit(2).plot_fit())
    expected = engel()[["income", "foodexp"]].to_numpy()
    np.testing.assert_allclose(np.sort(points, axis=0), np.sort(expected, axis=0), rtol=1e-12)


def test_lines_follow_the_formula_between_the_data():
    frame = mixed_frame()
    results = smmix.from_formula("y ~ np.log(w)", frame, k=2).fit()
    ax = results.plot_fit()
    for c, line in enumerate(lines_of(ax)):
        expected = results.predict({"w": line.get_xdata()}, which="components")[c]
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-9)


def test_partial_residuals_are_the_component_plus_residual_of_statsmodels():
    frame = mixed_frame()
    results = smmix.from_formula("y ~ x + w", frame, k=1).fit()
    panels = results.plot_fit()
    ols = smf.ols("y ~ x + w", frame).fit()
    ccpr = sm.graphics.plot_ccpr(ols, "x").axes[0].lines[0]
    ours = offsets(panels[0])
    np.testing.assert_allclose(ours[:, 0], ccpr.get_xdata(), rtol=1e-12)
    difference = ours[:, 1] - ccpr.get_ydata()
    # Theirs leave out the constant and the other variables, ours hold those at their median.
    held = ols.params["Intercept"] + ols.params["w"] * np.median(np.sort(frame["w"])[149])
    np.testing.assert_allclose(difference, held, rtol=1e-8)


def test_categories_have_a_place_each_and_the_means_of_their_component():
    frame = mixed_frame()
    results = smmix.from_formula("y ~ x + C(h) + g", frame, k=2).fit()
    panels = dict(zip(("h", "g", "x"), results.plot_fit(), strict=True))
    assert [text.get_text() for text in panels["h"].get_xticklabels()] == ["3", "4", "5"]
    assert [text.get_text() for text in panels["g"].get_xticklabels()] == ["north", "south", "west"]
    middle = np.sort(frame["x"])[149]
    new = pd.DataFrame(
        {"x": middle, "h": np.sort(frame["h"])[149], "g": ["north", "south", "west"]}
    )
    expected = results.predict(new, which="components")
    drawn = [
        line
        for line in panels["g"].lines
        if len(line.get_xdata()) == 3 and line.get_marker() in "o^"
    ]
    for c, line in enumerate(drawn):
        np.testing.assert_allclose(line.get_ydata(), expected[c], rtol=1e-9)


def test_an_offset_is_taken_from_the_response():
    frame = engel().assign(o=np.linspace(0.0, 500.0, 235))
    frame["total"] = frame["foodexp"] + frame["o"]
    ax = smmix.from_formula("total ~ income", frame, k=2, offset="o").fit().plot_fit()
    assert ax.get_ylabel() == "total - offset"
    np.testing.assert_allclose(np.sort(offsets(ax)[:, 1]), np.sort(engel()["foodexp"]), rtol=1e-9)


def test_arrays_are_drawn_by_column():
    x = np.column_stack([np.ones(235), engel()["income"] / 1000])
    results = smmix.MixtureOLS(engel()["foodexp"].to_numpy(), x, k=2).fit()
    ax = results.plot_fit()
    assert ax.get_xlabel() == "x1"
    for c, line in enumerate(lines_of(ax)):
        expected = x[:, 1].min() * results.coef.iloc[1, c] + results.coef.iloc[0, c]
        assert line.get_ydata()[0] == pytest.approx(expected)


def test_a_model_of_the_mean_alone_is_drawn_as_densities():
    sample = np.concatenate([stats.norm.ppf((np.arange(100) + 0.5) / 100, m) for m in (0, 6)])
    results = smmix.from_formula("y ~ 1", pd.DataFrame({"y": sample}), k=2).fit()
    ax = results.plot_fit()
    assert ax.get_ylabel() == "density"
    mixture, *components = (
        np.trapezoid(line.get_ydata(), line.get_xdata()) for line in lines_of(ax)
    )
    # The ends of the tails are cut off.
    assert mixture == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(components, [0.5, 0.5], atol=0.01)


def test_rootogram_counts_every_unit_once():
    results = engel_fit(2)
    edges = np.linspace(0, 1, 11)
    every, own, left_out = posterior_counts(results, edges, 1e-4)
    posterior = results.posterior.to_numpy()
    for c in range(2):
        expected = np.histogram(posterior[posterior[:, c] > 1e-4, c], edges)[0]
        np.testing.assert_array_equal(every[c], expected)
    np.testing.assert_array_equal(every.sum(axis=1) + left_out, [235, 235])
    np.testing.assert_array_equal(own.sum(axis=1), results.labels.value_counts().sort_index())


def test_rootogram_counts_weights():
    frame = engel().assign(f=1 + np.arange(235) % 3)
    weighted = smmix.from_formula("foodexp ~ income", frame, k=2, freq_weights="f")
    long = frame.loc[np.repeat(frame.index, frame["f"])].reset_index(drop=True)
    repeated = smmix.from_formula("foodexp ~ income", long, k=2)
    params = engel_fit(2).params
    edges = np.linspace(0, 1, 8)
    one, two = (
        posterior_counts(model.fit(start_params=params), edges, 1e-4)
        for model in (weighted, repeated)
    )
    np.testing.assert_array_equal(one[0], two[0])


def test_groups_are_counted_as_groups():
    results = everything_fit()
    every, own, left_out = posterior_counts(results, np.linspace(0, 1, 6), 0.0)
    scaled = np.sum(every + 0.0, axis=1) + left_out
    weights = results.classification_table()["expected_n"].sum()
    np.testing.assert_allclose(scaled, weights, rtol=1e-9)
    assert own.sum() == pytest.approx(weights)


def test_intervals_of_coefficients_are_those_of_conf_int():
    results = engel_fit(2)
    interval = results.conf_int(0.1)
    for ax, name in zip(results.plot_coef(alpha=0.1), ("Intercept", "income"), strict=True):
        for c, part in enumerate(ax.collections):
            segment = part.get_segments()[0]
            np.testing.assert_allclose(segment[:, 0], interval.loc[f"{name}[{c}]"])
            assert (segment[:, 1] == c).all()


def test_shared_coefficients_and_other_terms_can_be_shown():
    results = everything_fit()
    panels = results.plot_coef(terms=["x1", "x2", "sigma", "weight", "mixing.z"])
    labels = [[text.get_text() for text in ax.get_yticklabels()] for ax in panels]
    assert labels == [["0", "1"], ["all"], ["0", "1"], ["0", "1"], ["1"]]
    z = panels[4].collections[0].get_segments()[0][:, 0]
    np.testing.assert_allclose(z, results.conf_int().loc["mixing.z[1]"])
    weight = panels[3].collections[1].get_segments()[0][:, 0]
    np.testing.assert_allclose(weight, results.proportions().loc[1, ["ci_lower", "ci_upper"]])


def test_modes_stand_at_their_log_likelihood():
    results = engel_fit(2)
    ax = results.plot_starts()
    points = np.vstack([part.get_offsets() for part in ax.collections])
    found = points[np.argsort(points[:, 0])]
    np.testing.assert_allclose(found[:, 1], results.starts["llf"])
    texts = [text.get_text() for text in ax.texts]
    assert texts == [f"{hits}\N{MULTIPLICATION SIGN}" for hits in results.starts["hits"]]


def test_a_single_mode_is_read_to_the_unit():
    ax = engel_fit(1).plot_starts()
    ax.figure.canvas.draw()
    assert np.ptp(ax.get_ylim()) == pytest.approx(2.0)
    assert ax.yaxis.get_major_formatter().get_offset() == ""
    assert ax.get_xticks().tolist() == [0]


def test_of_many_modes_the_best_are_drawn_and_always_this_fit():
    results = engel_fit(2)
    count = len(results.starts)
    ax = results.plot_starts(max_modes=1)
    assert len(ax.texts) == 1
    caption = ax.figure.legends[0].get_title().get_text()
    assert caption.startswith(f"the best 1 of {count} modes")
    assert len(results.mode(1).plot_starts(max_modes=1).texts) == 2


def test_qq_points_are_those_of_statsmodels():
    residual = np.random.default_rng(3).normal(size=101)
    normal, ordered, lower, upper = qq_points(residual, np.ones(101), 0.05)
    theirs = sm.ProbPlot(residual, a=0.5)
    np.testing.assert_allclose(normal, theirs.theoretical_quantiles, rtol=1e-12)
    np.testing.assert_array_equal(ordered, theirs.sample_quantiles)
    j = np.arange(1, 102)
    np.testing.assert_allclose(stats.norm.cdf(lower), stats.beta(j, 102 - j).ppf(0.025), rtol=1e-9)
    np.testing.assert_allclose(stats.norm.cdf(upper), stats.beta(j, 102 - j).ppf(0.975), rtol=1e-9)


def test_qq_points_of_many_rows_are_thinned_but_keep_the_ends():
    residual = np.random.default_rng(3).normal(size=200_000)
    normal, ordered, lower, upper = qq_points(residual, np.ones(200_000), 0.05)
    assert normal.size <= 2002
    assert (ordered[0], ordered[-1]) == (residual.min(), residual.max())
    inside = (lower <= ordered) & (ordered <= upper)
    assert inside.mean() > 0.8


# -- Axes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [1, 2])
def test_axes_given_are_used_and_returned(name, k):
    results = engel_fit(k)
    first = getattr(results, name)()
    count = np.size(first)
    figure, axes = plt.subplots(1, count)
    before = plt.get_fignums()
    returned = getattr(results, name)(axes)
    assert np.ravel(returned).tolist() == np.ravel(axes).tolist()
    assert plt.get_fignums() == before
    assert isinstance(returned, Axes) == (count == 1)
    figure.canvas.draw()


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_divided_into_panels(name):
    figure = Figure(layout="constrained")
    axes = np.ravel(getattr(engel_fit(2), name)(figure))
    assert figure.axes == axes.tolist()
    figure.canvas.draw()


def test_wrong_axes_are_refused():
    _, one = plt.subplots()
    with pytest.raises(SmmixError, match="has 2 panels: give an array of 2 Axes"):
        engel_fit(2).plot_posterior(one)
    with pytest.raises(SmmixError, match="must be a matplotlib Axes"):
        engel_fit(2).plot_fit("axes")


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_of_a_model_with_everything(name):
    axes = np.ravel(getattr(everything_fit(), name)())
    axes[0].figure.canvas.draw()


def test_many_components_differ_without_colour():
    looks = {(str(look(c).line), look(c).marker) for c in range(24)}
    assert len(looks) == 24
    assert len({(look(c).color, str(look(c).line), look(c).marker) for c in range(72)}) == 72


def test_many_rows_are_sampled_and_the_caption_says_so():
    results = engel_fit(2)
    ax = results.plot_fit(max_points=100)
    assert len(offsets(ax)) == 100
    assert ax.figure.legends[0].get_title().get_text() == "100 of 235 rows, drawn at random"
    again = results.plot_fit(max_points=100)
    np.testing.assert_array_equal(offsets(ax), offsets(again))
    assert (offsets(results.plot_fit(max_points=100, rng=1)) != offsets(ax)).any()


def test_many_residuals_become_hexagons():
    ax = engel_fit(2).plot_residuals(max_points=100)[0]
    counts = next(part for part in ax.collections if isinstance(part, PolyCollection)).get_array()
    assert counts.sum() == 235
    assert "235 rows" in ax.get_title()


def test_without_a_covariance_there_are_no_bands():
    results = engel_fit(2).get_robustcov_results("nonrobust")
    results._results._fitted = replace(results.fitted, covariance=None)
    ax = results.plot_fit()
    bands = [part for part in ax.collections if isinstance(part, PolyCollection)]
    assert all(np.isnan(path.vertices).all() for part in bands for path in part.get_paths())
    assert len(lines_of(ax)) == 2


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("plot_fit", {"variables": ["age"]}, "does not depend on 'age'; it depends on income"),
        ("plot_fit", {"variables": []}, "depends on income: name one of these"),
        ("plot_fit", {"alpha": 2}, "alpha"),
        ("plot_fit", {"max_points": 0}, "max_points"),
        ("plot_fit", {"rng": "a"}, "rng"),
        ("plot_posterior", {"bins": 0}, "bins"),
        ("plot_posterior", {"threshold": 1.0}, "threshold"),
        ("plot_coef", {"terms": ["age"]}, "no term 'age'; there are Intercept, income, sigma"),
        ("plot_coef", {"terms": []}, "names no term"),
        ("plot_coef", {"alpha": 0.0}, "alpha"),
        ("plot_starts", {"max_modes": 0}, "max_modes"),
        ("plot_residuals", {"max_points": 1.5}, "max_points"),
        ("plot_residuals", {"alpha": 1.0}, "alpha"),
    ],
)
def test_options_that_make_no_sense_are_named(name, options, message):
    with pytest.raises(SmmixError, match=message):
        getattr(engel_fit(2), name)(**options)


@pytest.mark.parametrize("name", ["plot_fit", "plot_posterior", "plot_residuals"])
def test_results_without_data_say_so(name):
    results = smmix.from_formula("foodexp ~ income", engel(), k=2).fit(
        start_params=engel_fit(2).params
    )
    results.remove_data()
    with pytest.raises(SmmixError, match="taken away by remove_data"):
        getattr(results, name)()


@pytest.mark.slow
def test_without_matplotlib_one_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import statsmodels.api as sm, smmix\n"
        "data = sm.datasets.engel.load_pandas().data\n"
        "fit = smmix.from_formula('foodexp ~ income', data, k=1).fit()\n"
        "try:\n    fit.plot_coef()\nexcept smmix.SmmixError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = 'Plots need matplotlib; install it with: pip install "smmix[plot]".\n'
    assert done.stdout == expected, done.stderr
