"""What the search from many starts found."""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.mixture.fitted import Fit, fitted_of
from smmix.plots.style import GREY, open_panels
from smmix.support.checks import check_whole

__all__ = ["plot_starts"]


def plot_starts(results: Fit, ax: Any = None, *, max_modes: int = 25) -> Any:
    """Draw the distinct modes that the search found: their log-likelihood and their hits.

    Modes stand in the order of ``results.starts``, so that the number below a stem opens it by
    ``results.mode``. A fit to trust stands alone on top, hit by many starts; rivals near it have
    to be looked at, degenerate ones do not count.

    Parameters
    ----------
    results : MixtureResults
    ax : Axes, optional
        By default a new figure.
    max_modes : int
        Of more modes than this only the best are drawn (but this fit in any case), which the
        legend says.

    Returns
    -------
    Axes

    Raises
    ------
    SmmixError
        If matplotlib is missing or ``max_modes`` is no positive number.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.plot_starts().get_ylabel()
    'log-likelihood'
    """
    check_whole("max_modes", max_modes)
    panels = open_panels(1, ax, (6.4, 4.0))
    from matplotlib.ticker import MaxNLocator

    axes = panels.axes[0]
    found = fitted_of(results).starts
    starts = found.iloc[: max(max_modes, int(np.argmax(found["selected"])) + 1)]
    rank, llf, hits = np.arange(len(starts)), starts["llf"].to_numpy(), starts["hits"].to_numpy()
    degenerate, selected = (
        starts[name].to_numpy(dtype=bool) for name in ("degenerate", "selected")
    )
    chosen = float(llf[selected][0])
    axes.axhline(chosen, color=GREY, linewidth=0.8, linestyle=":")
    kinds = (
        ("this fit", selected, "*", "#0b559f", 190),
        ("another mode", ~selected & ~degenerate, "o", "#e58606", 55),
        ("degenerate", ~selected & degenerate, "x", GREY, 45),
    )
    for name, which, marker, color, size in kinds:
        if which.any():
            axes.scatter(
                rank[which], llf[which], s=size, marker=marker, color=color, label=name, zorder=3
            )
    for i in rank:
        axes.annotate(
            f"{hits[i]}\N{MULTIPLICATION SIGN}", (i, llf[i]), (0, 9), textcoords="offset points",
            ha="center", fontsize="small" if len(rank) <= 15 else "xx-small",
        )  # fmt: skip
    axes.margins(y=0.15)
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    if np.ptp(llf) == 0.0:
        axes.set_ylim(chosen - 1.0, chosen + 1.0)
    axes.set_xlim(-0.75, max(len(starts), 3) - 0.25)
    if len(rank) > 15:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xticks(rank)
    axes.set_xlabel("mode (row of starts)")
    axes.set_ylabel("log-likelihood")
    caption = "above a mode: the starts that led there"
    if len(starts) < len(found):
        caption = f"the best {len(starts)} of {len(found)} modes; {caption}"
    panels.legend(axes.get_legend_handles_labels()[0], caption)
    return panels.result()
