"""What the search from many starts found."""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.plots.style import GREY, open_panels

__all__ = ["plot_starts"]

#: Modes that are named in the picture.
_NAMED = 12


def plot_starts(results: Any, ax: Any = None) -> Any:
    """Draw the distinct modes that the search found: their log-likelihood and their hits.

    Modes stand in the order of ``results.starts``, so that the number below a stem opens it by
    ``results.mode``. A fit to trust stands alone on top, hit by many starts; rivals near it have
    to be looked at, degenerate ones do not count.

    Parameters
    ----------
    results : MixtureResults
    ax : Axes, optional
        By default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    SmmixError
        If matplotlib is missing.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.plot_starts().get_ylabel()
    'log-likelihood'
    """
    panels = open_panels(1, ax, (6.4, 4.0))
    from matplotlib.ticker import MaxNLocator

    axes = panels.axes[0]
    starts = results.starts
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
    for i in rank[:_NAMED]:
        axes.annotate(
            f"{hits[i]}\N{MULTIPLICATION SIGN}", (i, llf[i]), (0, 9), textcoords="offset points",
            ha="center", fontsize="small",
        )  # fmt: skip
    axes.margins(y=0.15)
    axes.set_xlim(-0.75, max(len(starts), 3) - 0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("mode (row of starts)")
    axes.set_ylabel("log-likelihood")
    panels.legend(axes.get_legend_handles_labels()[0], "above a mode: the starts that led there")
    return panels.result()
