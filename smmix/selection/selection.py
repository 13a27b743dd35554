"""A selection as a table of text and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smmix.inference.criteria import CRITERIA
from smmix.plots import GREY, look, open_panels
from smmix.reporting.tables import MixtureSummary, Section
from smmix.results import MixtureResultsWrapper

__all__ = ["Selection"]

#: Criteria that are drawn, besides the one that chose.
DRAWN = ("aic", "bic", "icl")
LABELS = {
    "llf": "Log-Lik.", "df": "Df", "min_weight": "Min. wt",
    "cv": "CV llf", "price": "Price", "orders": "Orders",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Selection:
    """Fits with several numbers of components, and the one that a criterion prefers.

    Attributes
    ----------
    table : DataFrame, index k
        ``llf``, ``df``, ``aic``, ``bic``, ``icl``, ``entropy_r2``, ``min_weight``, ``converged``,
        ``hits`` (starts that led to the fit), ``price`` (by how much sharp components that were
        looked for make the log-likelihood too high), then all other criteria, ``orders`` (of the
        components, "2, 1, 3", when they were sought), and ``warning``: what is doubtful about a
        fit, empty when nothing is.
    criterion : str
    best_k : int
        Of the fits that are not degenerate, the one of best criterion, to which twice the price
        is added.
    fits : dict of int to MixtureResults
    interrupted : bool
        Whether the scan was cut short from the keyboard.

    See Also
    --------
    select_k : makes it.
    """

    table: pd.DataFrame
    criterion: str
    best_k: int
    fits: Mapping[int, MixtureResultsWrapper]
    interrupted: bool = False

    @property
    def best(self) -> MixtureResultsWrapper:
        """The fit with ``best_k`` components."""
        return self.fits[self.best_k]

    def summary(self) -> MixtureSummary:
        """The table, with notes on doubtful fits.

        Returns
        -------
        MixtureSummary
            Prints as text, HTML, LaTeX or CSV.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> selection = smmix.select_k("foodexp ~ income", data, k=[1, 2])
        >>> selection.summary().as_text().splitlines()[0].strip()
        'Number of Components'
        """
        return summarize_selection(self)

    def plot(self, ax: Any = None) -> Any:
        """Draw the criteria by k, and how well the posteriors tell the components apart.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes
            That of the criteria; entropy R2 has an axis of its own on the right.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> selection = smmix.select_k("foodexp ~ income", data, k=[1, 2])
        >>> selection.plot().get_xlabel()
        'Number of components'
        """
        return plot_selection(self, ax)

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())


def summarize_selection(selection: Selection) -> MixtureSummary:
    """The table of a selection as a summary."""
    best, table = selection.best, selection.table
    left = [
        ("Dep. Variable:", str(best.model.endog_names)),
        ("No. Observations:", f"{best.nobs:g}"),
    ]
    right = [("Criterion:", _label(selection.criterion)), ("Chosen k:", str(selection.best_k))]
    columns = ["llf", "df", "aic", "bic", "icl", "entropy_r2", "min_weight"]
    if (table["price"] > 0.0).any():
        columns.insert(1, "price")
    if "orders" in table:
        columns.insert(0, "orders")
    if selection.criterion not in columns:
        columns.insert(2, selection.criterion)
    rows = []
    for k, row in table.iterrows():
        mark = "*" if k == selection.best_k else " "
        rows.append([f"{k}{mark}", *(_cell(name, row[name]) for name in columns)])
    notes = [f"k={k}: {text}" for k, text in table["warning"].items() if text]
    if selection.best_k == table.index.max() > 1:
        notes.insert(0, f"k={selection.best_k} is the largest number tried; try more.")
    if selection.interrupted:
        notes.insert(0, "The scan was interrupted; further k were not fitted.")
    section = Section(["k", *map(_label, columns)], rows)
    return MixtureSummary("Number of Components", left, right, [[section]], notes)


def _label(name: str) -> str:
    return CRITERIA[name].label if name in CRITERIA else LABELS.get(name, name.upper())


def _cell(name: str, value: Any) -> str:
    if name in ("df", "orders"):
        return str(value)
    if isinstance(value, float) and np.isnan(value):
        return ""
    return f"{value:.3f}" if name in ("entropy_r2", "min_weight", "nec") else f"{value:.2f}"


def plot_selection(selection: Selection, ax: Any = None) -> Any:
    """Criteria by k, and entropy R2 on the right."""
    panels = open_panels(1, ax, (6.4, 4.4))
    ax = panels.axes[0]
    table, chosen = selection.table, selection.criterion
    lines = {n: table[n] for n in dict.fromkeys((*DRAWN, chosen)) if n in table and n != "cv"}
    drawn = {_label(name): values for name, values in lines.items()}
    if chosen == "cv":
        drawn["-2 CV llf"] = -2.0 * table["cv"]
    for i, (label, values) in enumerate(drawn.items()):
        style = look(i)
        ax.plot(
            table.index, values, color=style.color, linestyle=style.line, marker=style.marker,
            label=label,
        )  # fmt: skip
    ax.axvline(selection.best_k, color="0.8", zorder=0, label=f"chosen by {_label(chosen)}")
    ax.set_xticks(list(table.index))
    ax.set_xlabel("Number of components")
    ax.set_ylabel("Criterion")
    right = ax.twinx()
    right.plot(
        table.index, table["entropy_r2"], color=GREY, linestyle=(0, (1, 2)), linewidth=1.0,
        marker=".", label="Entropy R2 (right)",
    )  # fmt: skip
    right.set_ylabel("Entropy R2")
    right.set_ylim(0.0, 1.02)
    # Above the picture, for every corner inside may hold a line.
    panels.legend([*ax.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]])
    return ax
