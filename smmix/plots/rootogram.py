"""Counts observed and counts expected."""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcomes import one_response
from smmix.mixture.prediction import Law
from smmix.mixture.rows import own_rows
from smmix.plots.style import GREY, open_panels

__all__ = ["plot_rootogram"]

#: Most bars; more whole numbers than this are drawn in bins of equal width.
BARS = 60


def plot_rootogram(results: Fit, ax: Any = None) -> Any:
    """Draw how often each whole number was observed against how often the mixture expects it.

    A hanging rootogram [1]_: the line is the root of the expected frequencies, and from it hang
    bars as long as the root of the observed ones. A bar that ends above zero is a number that the
    data have too rarely, one that ends below zero one that they have too often. Beyond the dotted
    lines, at 1 and -1, a bar is off by more than chance likes: a root of a frequency has a
    standard deviation of about a half. A range of more than 60 numbers is drawn in bins.

    Parameters
    ----------
    results : MixtureResults
        Of a model of counts, or of successes, that still has its data.
    ax : Axes or Figure, optional
        By default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    SmmixError
        If matplotlib is missing, the response is not of whole numbers, or the data were removed.

    References
    ----------
    .. [1] Kleiber, C. and Zeileis, A. (2016). Visualizing count data regressions using
       rootograms. The American Statistician 70, 296-303.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import smmix
    >>> data = pd.DataFrame({"y": [0, 1, 0, 2, 9, 7, 11, 8] * 5})
    >>> results = smmix.from_formula("y ~ 1", data, k=2, family="poisson").fit()
    >>> results.plot_rootogram().get_xlabel()
    'y'
    """
    fitted = one_response(fitted_of(results), "plot_rootogram")
    if not fitted.specification.family.discrete:
        raise SmmixError(
            f"A rootogram is for whole numbers, which {fitted.specification.family.label} do not "
            "have; use plot_residuals()."
        )
    edges, observed, expected = frequencies(fitted)
    panel = open_panels(1, ax, (6.4, 4.2))
    axes = panel.axes[0]
    top = np.sqrt(expected)
    centre, width = 0.5 * (edges[1:] + edges[:-1] - 1.0), np.diff(edges)
    axes.bar(
        centre,
        np.sqrt(observed),
        0.9 * width,
        bottom=top - np.sqrt(observed),
        color="0.8",
        edgecolor="0.35",
        linewidth=0.6,
        label="observed",
    )
    axes.plot(centre, top, color="#c04000", marker="o", markersize=3, label="expected")
    axes.axhline(0.0, color=GREY, linewidth=0.9)
    for limit in (-1.0, 1.0):
        axes.axhline(limit, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel(fitted.data.rows().endog_name)
    axes.set_ylabel("root of frequency")
    axes.legend(frameon=False, fontsize="small")
    return panel.result()


def frequencies(fitted: Fitted) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observed and expected frequencies of whole numbers, weights counted.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    edges : ndarray, (b + 1,)
        Bin i has the numbers from edges[i] up to, and without, edges[i + 1].
    observed, expected : ndarray, (b,)
    """
    design, rows = fitted.data.rows(), own_rows(fitted.data)
    law = Law.of(fitted.specification, fitted.unpacked, rows)
    y = design.endog
    weight = np.ones(y.size) if design.freq_weights is None else design.freq_weights
    low = min(0.0, float(y.min()))
    step = np.ceil((y.max() + 1.0 - low) / BARS)
    edges = low + step * np.arange(np.ceil((y.max() + 1.0 - low) / step) + 1.0)
    reached = [weight @ law.cdf(np.full(y.size, edge - 1.0)) for edge in edges]
    observed, _ = np.histogram(y, edges, weights=weight)
    return edges, observed, np.maximum(np.diff(reached), 0.0)
