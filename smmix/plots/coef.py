"""Coefficients of the components beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.inference.delta import confidence_quantile
from smmix.plots.style import GREY, look, open_panels

__all__ = ["plot_coef"]

#: Zero is shown when it is no further from the intervals than this share of their range.
_NEAR = 0.5


def plot_coef(
    results: Any, ax: Any = None, *, terms: Sequence[str] | None = None, alpha: float = 0.05
) -> Any:
    """Draw each coefficient with its confidence interval across the components.

    A panel for each column of the design, the components below each other; a coefficient that
    all components share stands there once.

    Parameters
    ----------
    results : MixtureResults
    ax : Axes, sequence of Axes, or Figure, optional
        One Axes per coefficient; by default a new figure.
    terms : sequence of str, optional
        Columns of the design to show, as in the index of ``results.coef``; also "sigma" and
        "weight", and the columns of the mixing model as "mixing.z1". By default all coefficients
        of the mean.
    alpha : float
        Intervals have the level 1 - ``alpha``: those of `conf_int`, and for sigma and the weights
        those of `sigmas` and `proportions`.

    Returns
    -------
    Axes, or ndarray of Axes with more than one panel

    Raises
    ------
    SmmixError
        If matplotlib is missing or a term is unknown.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> [ax.get_title() for ax in results.plot_coef()]
    ['Intercept', 'income']
    """
    known = coefficient_intervals(results, alpha)
    wanted = list(results.model.design.exog_names) if terms is None else list(terms)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        what = f"There is no term {unknown[0]!r}" if unknown else "terms names no term"
        raise SmmixError(f"{what}; there are {', '.join(known)}.")
    height = 1.0 + 0.28 * results.k
    fewer = "; or pick some with terms=[..]"
    panels = open_panels(len(wanted), ax, (3.4, max(height, 1.7)), 4, fewer)
    for axes, name in zip(panels.axes, wanted, strict=True):
        rows = known[name]
        for place, (label, (estimate, lower, upper)) in enumerate(rows.items()):
            style = look(label) if isinstance(label, int) else None
            color = GREY if style is None else style.color
            axes.hlines(place, lower, upper, color=color, linewidth=2.0)
            axes.plot(
                estimate,
                place,
                marker="o" if style is None else style.marker,
                color=color,
                markeredgecolor="black",
                markersize=6,
            )
        left, right = axes.get_xlim()
        if left - _NEAR * (right - left) < 0.0 < right + _NEAR * (right - left):
            axes.axvline(0.0, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        axes.set_yticks(range(len(rows)), [str(label) for label in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_ylabel("component")
        axes.set_title(name, fontsize="medium")
    return panels.result()


def coefficient_intervals(
    results: Any, alpha: float
) -> dict[str, dict[int | str, tuple[float, float, float]]]:
    """Estimate, lower and upper end by name of the term and component ("all" when shared)."""
    model = results.model
    layout, basis = model.layout, model.expand.basis
    confidence_quantile(results, alpha)
    estimate = np.asarray(results.params)
    interval = np.asarray(results.conf_int(alpha), dtype=float)
    known: dict[str, dict[int | str, tuple[float, float, float]]] = {}

    def add(name: str, component: int, full_row: int) -> None:
        held = np.flatnonzero(basis[full_row])
        if not held.size:
            return
        i = int(held[0])
        label: int | str = "all" if basis[:, i].sum() > 1 else component
        known.setdefault(name, {})[label] = (
            float(estimate[i]),
            float(interval[i, 0]),
            float(interval[i, 1]),
        )

    for c in range(layout.k):
        for name, row in zip(model.design.exog_names, layout.component(c), strict=False):
            add(name, c, row)
    for name, table in (("sigma", results.sigmas(alpha)), ("weight", results.proportions(alpha))):
        known[name] = {
            int(c): (float(row.iloc[0]), float(row["ci_lower"]), float(row["ci_upper"]))
            for c, row in table.iterrows()
        }
    if model.design.concomitant_names is not None:
        rows = np.arange(layout.size)[layout.mixing].reshape(layout.k - 1, layout.q)
        for c in range(1, layout.k):
            for name, row in zip(model.design.concomitant_names, rows[c - 1], strict=True):
                add(f"mixing.{name}", c, row)
    return known
