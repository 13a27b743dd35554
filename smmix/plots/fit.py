"""The data and the regression of every component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import isotonic_regression

from smmix.core.family_list import members
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcomes import one_response
from smmix.mixture.prediction import Law
from smmix.mixture.response import seen
from smmix.mixture.rows import own_rows
from smmix.plots.partial import Effect, effects, is_positive
from smmix.plots.style import GREY, certainty, faded, look, open_panels, sample_rows
from smmix.support.checks import generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_lines", "plot_fit", "response_name"]

#: Share of the distance between two levels over which points are spread and components set apart.
_SPREAD, _APART = 0.14, 0.5
#: So many points are drawn over the lines, more below them.
_FEW = 150
#: Points of a density, and most rows that it is averaged over.
_GRID, _AVERAGED = 400, 500
#: Least distance between the numbers at the ends of lines, points.
_LABEL_HEIGHT = 9.0


def plot_fit(
    results: Fit,
    ax: Any = None,
    *,
    variables: Sequence[str] | None = None,
    alpha: float = 0.05,
    max_points: int = 5000,
    rng: Any = 0,
) -> Any:
    """Draw the rows and the regression lines of the components with confidence bands.

    A point has the colour and marker of its most probable component and is the paler the less
    certain that is. With one variable y itself is drawn (less the offset; per unit of exposure;
    successes as a share of their trials); with more there is a panel for each, which shows partial
    residuals [1]_: the other variables are held at their median (what is no number at its most
    frequent value), and each row adds its residual from its component, or under a log link, and
    others of positive means, multiplies by its ratio to the component's mean. Bands of such means
    are symmetric in the log, of probabilities in the logit. Without variables the histogram of y
    and the weighted densities are drawn.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    ax : Axes, sequence of Axes, or Figure, optional
        One Axes per variable; by default a new figure.
    variables : sequence of str, optional
        Which variables to show: columns of the data, or of ``exog`` for a model of arrays.
    alpha : float
        Bands are pointwise of level 1 - ``alpha``.
    max_points : int
        Of more rows than this a random sample is drawn, which the legend says.
    rng : int, Generator, SeedSequence or None
        Seed of that sample, and of the spread of points within a category.

    Returns
    -------
    Axes, or ndarray of Axes with more than one panel

    Raises
    ------
    SmmixError
        If matplotlib is missing, a variable is unknown, or the data were removed.

    References
    ----------
    .. [1] Breheny, P. and Burchett, W. (2017). Visualization of regression models using visreg.
       The R Journal 9, 56-71.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> ax = results.plot_fit()
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('income', 'foodexp')
    """
    fitted = one_response(fitted_of(results), "plot_fit")
    design, k = fitted.data.rows(), fitted.k
    n = len(design.endog)
    rng = generator(rng)
    picked = sample_rows(n, max_points, rng)
    shown = effects(fitted, picked, variables, alpha)
    size = (6.4, 4.8) if len(shown) < 2 else (4.2, 3.6)
    fewer = f"; or pick some of {', '.join(effect.name for effect in shown)} with variables=[..]"
    panels = open_panels(max(len(shown), 1), ax, size, fewer=fewer)
    y_name = response_name(fitted)
    if not shown:
        draw_density(fitted, panels.axes[0], rng)
        panels.legend(_handles(fitted, "density"))
        return panels.result()
    units = fitted.posterior
    posterior = fitted.data.units.to_rows(units)[picked]
    label, strength = posterior.argmax(axis=1), certainty(posterior)
    spread = rng.uniform(-_SPREAD, _SPREAD, len(picked))
    for axes, effect in zip(panels.axes, shown, strict=True):
        _draw_points(axes, effect, label, strength, spread, k)
        draw = draw_lines if effect.levels is None else _draw_levels
        draw(axes, effect, k)
        axes.set_xlabel(effect.name)
        axes.set_ylabel(y_name if len(shown) == 1 else f"{y_name}, others held")
    caption = "" if len(picked) == n else f"{len(picked):,} of {n:,} rows, drawn at random"
    panels.legend(_handles(fitted, "points"), caption)
    return panels.result()


def _dodge(c: int, k: int) -> float:
    return _APART * (c - (k - 1) / 2) / max(k - 1, 1)


def _draw_points(
    axes: Axes,
    effect: Effect,
    label: np.ndarray,
    strength: np.ndarray,
    spread: np.ndarray,
    k: int,
) -> None:
    size = float(np.clip(9000 / max(len(label), 1), 9, 26))
    for c in range(k):
        own = np.flatnonzero(label == c)
        # Certain points lie on top of uncertain ones.
        own = own[np.argsort(strength[own], kind="stable")]
        x = effect.x[own]
        if effect.levels is not None:
            x = x + spread[own] * (1.0 if k == 1 else 1.0 / k) + _dodge(c, k)
        axes.scatter(
            x,
            effect.y[own, c],
            s=size,
            c=faded(look(c).color, 0.15 + 0.6 * strength[own]),
            marker=look(c).marker,
            rasterized=len(label) > 1000,
            # A line must not hide the few points that lie on it, nor many points the line.
            linewidths=0.6 if len(label) <= _FEW else 0.0,
            edgecolors="white",
            zorder=2.5 if len(label) <= _FEW else 1.0,
        )


def draw_lines(axes: Axes, effect: Effect, k: int) -> None:
    """Draw the mean of every component with its band and its number."""
    for c in range(k):
        style, mean = look(c), effect.mean[:, c]
        axes.fill_between(
            effect.grid,
            effect.lower[:, c],
            effect.upper[:, c],
            color=style.color,
            alpha=0.25,
            linewidth=0.0,
        )
        # A white edge sets the line off from the points of its own component.
        axes.plot(effect.grid, mean, color="white", linewidth=3.0, alpha=0.8)
        axes.plot(effect.grid, mean, color=style.color, linestyle=style.line, linewidth=1.8)
    if k > 1:
        _number_lines(axes, effect)


def _number_lines(axes: Axes, effect: Effect) -> None:
    """Write the number of each component at the right end of its line, clear of the others."""
    ends = effect.mean[-1]
    points = 72.0 / axes.figure.dpi
    natural = axes.transData.transform(np.column_stack([np.zeros_like(ends), ends]))[:, 1] * points
    order = np.argsort(natural)
    steps = _LABEL_HEIGHT * np.arange(len(order))
    # The least movement in squares that keeps them this far apart.
    placed = isotonic_regression(natural[order] - steps).x + steps
    for c, height in zip(order, placed, strict=True):
        axes.annotate(
            str(c),
            (effect.grid[-1], ends[c]),
            (4.0, height - natural[c]),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=look(int(c)).color,
            fontweight="bold",
            annotation_clip=False,
        )


def _draw_levels(axes: Axes, effect: Effect, k: int) -> None:
    assert effect.levels is not None
    for c in range(k):
        style, mean = look(c), effect.mean[:, c]
        axes.errorbar(
            effect.grid + _dodge(c, k),
            mean,
            yerr=np.stack([mean - effect.lower[:, c], effect.upper[:, c] - mean]),
            fmt=style.marker,
            color=style.color,
            markeredgecolor="black",
            ecolor="black",
            elinewidth=1.2,
            capsize=3,
            markersize=7,
        )
    names = [str(level) for level in effect.levels]
    crowded = sum(map(len, names)) > 30
    axes.set_xticks(
        effect.grid, names, rotation=45 if crowded else 0, ha="right" if crowded else "center"
    )


def response_name(fitted: Fitted) -> str:
    """What is on the axis of the response."""
    design = fitted.data.rows()
    name, columns = design.endog_name, design.column_names
    if design.trials is not None:
        return f"share of {columns.get('trials', 'trials')}: {name}"
    if design.offset is None:
        return name
    if not all(is_positive(one) for one in members(fitted.specification.family, fitted.k)):
        return f"{name} - offset"
    plain = "exposure" in columns and "offset" not in columns
    return f"{name} / {columns['exposure'] if plain else 'exp(offset)'}"


def draw_density(fitted: Fitted, axes: Axes, rng: np.random.Generator) -> None:
    """Histogram of the response with the densities of the components, averaged over the rows."""
    design, rows = fitted.data.rows(), own_rows(fitted.data)
    family, y = fitted.specification.family, seen(fitted.specification, design.endog)
    name, weight = design.endog_name, fitted.mixing_weights.to_numpy()
    if rows.offset is not None and family.location_scale:
        y, rows, name = y - rows.offset, replace(rows, offset=None), f"{name} - offset"
    varies = rows.offset is not None or rows.aux is not None
    picked = sample_rows(y.size, _AVERAGED, rng) if varies else np.zeros(1, dtype=int)
    law = Law.of(fitted.specification, fitted.unpacked, rows).repeated(picked)
    grid = np.linspace(y.min(), y.max(), _GRID)
    bins: Any = "auto"
    if family.discrete:
        grid = np.unique(np.round(grid))
        bins = np.append(grid, grid[-1] + 1.0) - 0.5
    axes.hist(
        y, bins=bins, density=True, weights=design.freq_weights, color="0.85", edgecolor="0.65"
    )
    parts = np.array([_average_density(law, value, family.discrete) for value in grid]) * weight
    axes.plot(grid, parts.sum(axis=1), color=GREY, linewidth=1.0)
    for c in range(fitted.k):
        few = family.discrete and len(grid) <= _FEW
        axes.plot(
            grid,
            parts[:, c],
            color=look(c).color,
            linestyle=look(c).line,
            marker=look(c).marker if few else "",
            markersize=4,
            linewidth=1.8,
        )
    axes.set_xlabel(name)
    axes.set_ylabel("probability" if family.discrete else "density")


def _average_density(law: Law, value: float, discrete: bool) -> np.ndarray:
    """Density of the components at a value, (k,), averaged over rows."""
    y = np.full(law.eta.shape[2], value)
    if discrete:
        # A count beyond a row's trials has no density, but no probability either.
        top, below = (law.family.cdf(at, law.aux, law.eta, law.nuisance) for at in (y, y - 1.0))
        return np.asarray((top - below)[0].mean(axis=1))
    return np.exp(law.log_density(y)).mean(axis=0)


def _handles(fitted: Fitted, kind: str) -> list[Any]:
    from matplotlib.lines import Line2D

    weights = fitted.mixing_weights
    handles = [
        Line2D(
            [],
            [],
            color=look(c).color,
            linestyle=look(c).line,
            marker=look(c).marker if kind == "points" else "",
            label=f"component {c} ({weights.iloc[c]:.0%})",
        )
        for c in range(fitted.k)
    ]
    if kind == "density":
        return [*handles, Line2D([], [], color=GREY, linewidth=1.0, label="mixture")]
    if fitted.k > 1:
        pale = faded(GREY, np.array([0.15]))[0]
        handles.append(
            Line2D([], [], linestyle="", marker="o", color=pale, label="uncertain: pale")
        )
    return handles
