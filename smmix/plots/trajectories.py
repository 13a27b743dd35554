"""The trajectories of the components over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcomes import marginal, one_response
from smmix.plots.fit import draw_lines, response_name
from smmix.plots.partial import Effect, MeanDesign, effects
from smmix.plots.style import look, open_panels
from smmix.support.checks import check_whole, generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["observed_means", "plot_trajectories"]

#: Up to so many times have a mean each; of more, so many classes of equal size have one.
MOST_TIMES, CLASSES = 30, 12
#: A mean of fewer rows, by their posteriors, is not drawn.
FEWEST = 1.0
#: Lines of a response with no more values than this are set apart, by this share of their range.
FEW_VALUES, APART = 10, 0.04


def plot_trajectories(
    results: Fit,
    ax: Any = None,
    *,
    by: str | None = None,
    alpha: float = 0.05,
    max_lines: int = 60,
    rng: Any = 0,
    outcome: str | None = None,
) -> Any:
    """Draw the mean of each component over time, what was observed, and lines of some groups.

    The curves have pointwise confidence bands. A marker is the mean of what was observed at one
    time, each row weighted with the posterior of its group [1]_: where it leaves its curve, the
    order of the polynomial is in doubt. A thin line is a group (a person), drawn from a random
    sample, in the colour of its most probable component; where the response has few values, lines
    are set apart a little. Other variables of the mean are held as in `plot_fit`, and rows moved
    to where these are.

    Parameters
    ----------
    results : MixtureResults
        Of a model with ``groups`` that still has its data.
    ax : Axes, optional
        Where to draw; a new figure by default.
    by : str, optional
        The time: a column of the data that the mean depends on, by default the only one.
    alpha : float
        Bands have the level 1 - ``alpha``.
    max_lines : int
        Most groups whose lines are drawn; 0 draws none.
    rng : int, Generator, SeedSequence or None
        Seed of their sample.
    outcome : str, optional
        Which of several outcomes to draw.

    Returns
    -------
    Axes

    Raises
    ------
    SmmixError
        If matplotlib is missing, the model has no groups, the mean does not depend on ``by``, or
        the data were removed.

    References
    ----------
    .. [1] Nagin, D. S. (2005). Group-Based Modeling of Development. Harvard University Press.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.grunfeld.load_pandas().data
    >>> results = smmix.from_formula("np.log(invest) ~ year", data, k=2, groups="firm").fit()
    >>> results.plot_trajectories(by="year").get_xlabel()
    'year'
    """
    fitted = fitted_of(results)
    if outcome is not None:
        fitted = marginal(fitted, outcome)
    one_response(fitted, "plot_trajectories", "outcome")
    check_whole("max_lines", max_lines, 0)
    effect = _effect_of_time(fitted, by, alpha)
    axes = open_panels(1, ax, (6.4, 4.8))
    drawing = axes.axes[0]
    units = fitted.posterior
    codes = fitted.data.units.codes
    assert codes is not None, "refused without groups"
    rng = generator(rng)
    picked = rng.permutation(len(units))[:max_lines]
    shift = np.zeros(len(units))
    y = fitted.data.rows().endog
    if len(np.unique(y)) <= FEW_VALUES:
        shift = APART * np.ptp(y) * rng.uniform(-1.0, 1.0, len(units))
    _draw_groups(drawing, effect, codes, units.argmax(axis=1), picked, shift)
    draw_lines(drawing, effect, fitted.k)
    weight = fitted.data.freq_weights
    share = units[codes] if weight is None else units[codes] * weight[:, None]
    for c in range(fitted.k):
        means = observed_means(effect, share[:, c], c)
        drawing.plot(
            means["x"], means["y"], look(c).marker, color=look(c).color, markeredgecolor="white",
            markersize=6, zorder=4,
        )  # fmt: skip
    if effect.levels is not None:
        drawing.set_xticks(effect.grid, [str(level) for level in effect.levels])
    drawing.set_xlabel(effect.name)
    drawing.set_ylabel(response_name(fitted))
    axes.legend(_handles(fitted), f"lines of {len(picked):,} of {len(units):,} groups")
    return axes.result()


def _effect_of_time(fitted: Fitted, by: str | None, alpha: float) -> Effect:
    """What the means depend on over time, for all rows."""
    data = fitted.data
    rows = np.arange(len(data.rows().endog))
    if data.units.codes is None:
        raise SmmixError(
            "Trajectories are those of groups, and the model has none; say groups='id' in the "
            "model, or draw single rows by plot_fit()."
        )
    variables = MeanDesign(fitted, rows)
    if by is None and len(variables.names) == 1:
        by = variables.names[0]
    if by is None:
        names = ", ".join(variables.names) or "no variable"
        raise SmmixError(f"The mean depends on {names}: name the time, as in by='age'.")
    effect = effects(fitted, rows, [by], alpha)[0]
    _refuse_powers(variables, by)
    return effect


def _refuse_powers(variables: MeanDesign, by: str) -> None:
    """Refuse a variable that moves with the time, such as its square in a column of its own."""
    table = variables.all_rows
    times = table.groupby(by)
    if 2 * times.ngroups > len(table):
        return
    for name in variables.names:
        if name != by and times[name].nunique().max() == 1:
            raise SmmixError(
                f"{name!r} is a function of {by!r}, so neither moves alone: write it into the "
                f"formula, as in 'y ~ {by} + I({by}**2)', and the curve follows both."
            )


def observed_means(effect: Effect, share: np.ndarray, c: int) -> pd.DataFrame:
    """Means of what was observed at each time, as component ``c`` has it.

    Parameters
    ----------
    effect : Effect
    share : ndarray, (n,)
        Posterior probabilities of the component, times case weights.
    c : int

    Returns
    -------
    DataFrame, a row per time or class of times
        ``x`` and ``y``, weighted means, and ``size``, the sum of the weights.
    """
    time = pd.Series(effect.x)
    if time.nunique() > MOST_TIMES:
        time = pd.Series(pd.qcut(time, CLASSES, labels=False, duplicates="drop"))
    sums = pd.DataFrame({"size": share, "x": share * effect.x, "y": share * effect.y[:, c]})
    table = sums.groupby(time.to_numpy()).sum()
    table = table[table["size"] >= FEWEST]
    return table.assign(x=table["x"] / table["size"], y=table["y"] / table["size"])


def _draw_groups(
    axes: Axes,
    effect: Effect,
    codes: np.ndarray,
    label: np.ndarray,
    picked: np.ndarray,
    shift: np.ndarray,
) -> None:
    """A thin line for each of some groups, in the colour of its component."""
    from matplotlib.collections import LineCollection

    order = np.lexsort([effect.x, codes])
    bounds = np.searchsorted(codes[order], np.arange(len(label) + 1))
    for c in np.unique(label[picked]):
        paths = []
        for unit in picked[label[picked] == c]:
            rows = order[bounds[unit] : bounds[unit + 1]]
            paths.append(np.column_stack([effect.x[rows], effect.y[rows, c] + shift[unit]]))
        axes.add_collection(
            LineCollection(paths, colors=look(int(c)).color, linewidths=0.6, alpha=0.35, zorder=1)
        )


def _handles(fitted: Fitted) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D(
            [], [], color=look(c).color, linestyle=look(c).line, marker=look(c).marker,
            label=f"component {c} ({share:.0%})",
        )
        for c, share in enumerate(fitted.mixing_weights)
    ]  # fmt: skip
