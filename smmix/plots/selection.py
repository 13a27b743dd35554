"""Criteria against the number of components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.plots.style import GREY, look, open_panels

__all__ = ["plot_selection"]


def plot_selection(
    table: pd.DataFrame,
    best_k: int | None = None,
    ax: Any = None,
    *,
    criteria: tuple[str, ...] = ("aic", "bic", "icl"),
) -> Any:
    """Draw information criteria against k; smaller is better.

    Parameters
    ----------
    table : DataFrame
        Indexed by k, with a column for each criterion.
    best_k : int, optional
        The k that was chosen, to be marked.
    ax : Axes, optional
        By default a new figure.
    criteria : tuple of str
        Columns to draw.

    Returns
    -------
    Axes

    Raises
    ------
    SmmixError
        If matplotlib or a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.plots import plot_selection
    >>> table = pd.DataFrame({"bic": [30.0, 20.0, 24.0]}, index=[1, 2, 3])
    >>> plot_selection(table, 2, criteria=("bic",)).get_xlabel()
    'number of components k'
    """
    absent = [name for name in criteria if name not in table.columns]
    if absent:
        raise SmmixError(
            f"The table has no column {absent[0]!r}; it has {', '.join(map(str, table.columns))}."
        )
    panels = open_panels(1, ax, (6.0, 4.2))
    axes = panels.axes[0]
    k = table.index.to_numpy(dtype=float)
    for i, name in enumerate(criteria):
        style, values = look(i), table[name].to_numpy(dtype=float)
        axes.plot(
            k, values, color=style.color, linestyle=style.line, marker=style.marker,
            label=name.upper().replace("_", " "),
        )  # fmt: skip
        if np.isfinite(values).any():
            least = int(np.nanargmin(values))
            axes.plot(
                k[least], values[least], marker="o", markersize=15, markerfacecolor="none",
                color=style.color,
            )  # fmt: skip
    if best_k is not None:
        axes.axvline(best_k, color=GREY, linewidth=0.9, linestyle=":")
    axes.set_xticks(k)
    axes.set_xlabel("number of components k")
    axes.set_ylabel("criterion (smaller is better)")
    panels.legend(axes.get_legend_handles_labels()[0], "ringed: the smallest of each criterion")
    return panels.result()
