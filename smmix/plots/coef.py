"""Coefficients of the components beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from smmix.errors import SmmixError
from smmix.inference.covariance import proportions
from smmix.inference.table import parameter_table
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.parameters import MIXING, NUISANCE
from smmix.plots.style import GREY, look, open_panels

__all__ = ["plot_coef"]

#: Zero is shown when it is no further from the intervals than this share of their range.
_NEAR = 0.5


def plot_coef(
    results: Fit, ax: Any = None, *, terms: Sequence[str] | None = None, alpha: float = 0.05
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
        Columns of the design to show, as in the index of ``results.coef``; also the parameters
        in ``results.nuisance`` (such as "sigma"), "weight", and the columns of the mixing model as
        "mixing.z1". By default all coefficients of the mean.
    alpha : float
        Intervals have the level 1 - ``alpha``: those of `conf_int`, and for nuisance parameters
        and weights, such as of `sigmas` and `proportions`, inside their range.

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
    known = coefficient_intervals(fitted_of(results), alpha)
    own = [name for name in fitted_of(results).specification.exog_names if name in known]
    wanted = own if terms is None else list(terms)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        what = f"There is no term {unknown[0]!r}" if unknown else "terms names no term"
        raise SmmixError(f"{what}; there are {', '.join(known)}.")
    height = 1.0 + 0.28 * fitted_of(results).k
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
    fitted: Fitted, alpha: float
) -> dict[str, dict[int | str, tuple[float, float, float]]]:
    """Estimate, lower and upper end by name of the term and component ("all" when shared)."""
    specification = fitted.specification
    table = parameter_table(fitted, alpha)
    nuisance = dict.fromkeys(table["term"][table["kind"] == NUISANCE])
    logits = [f"mixing.{name}" for name in specification.concomitant_names or []]
    known: dict[str, dict[int | str, tuple[float, float, float]]] = {
        name: {} for name in [*specification.exog_names, *nuisance, "weight", *logits]
    }
    rows: list[Any] = list(table.itertuples())
    for row in rows:
        name = f"mixing.{row.term}" if row.kind == MIXING else row.term
        owners: list[int | str] = ["all" if row.component is pd.NA else int(row.component)]
        if row.kind == NUISANCE and row.component is pd.NA:
            owners = list(range(fitted.k))
        if name in known:
            ends = float(row.estimate), float(row.lower), float(row.upper)
            known[name].update(dict.fromkeys(owners, ends))
    weights = proportions(fitted, alpha)[["weight", "ci_lower", "ci_upper"]].to_numpy()
    known["weight"] = {c: (a, b, d) for c, (a, b, d) in enumerate(weights.tolist())}
    return {name: rows for name, rows in known.items() if rows}
