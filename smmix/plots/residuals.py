"""Whether the residuals look as the model says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri

from smmix.inference.residuals import quantile_residuals
from smmix.mixture.fitted import Fit, fitted_of
from smmix.mixture.outcomes import one_response
from smmix.mixture.prediction import predict_rows
from smmix.mixture.rows import own_rows
from smmix.plots.style import GREY, open_panels
from smmix.support.checks import check_alpha, check_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_residuals"]

#: Quantiles that a QQ plot of many rows is thinned to.
_QUANTILES = 2000
#: Groups of fitted values whose mean residual is drawn.
_BINS, _ROWS_PER_BIN = 12, 30


def plot_residuals(
    results: Fit, ax: Any = None, *, max_points: int = 5000, alpha: float = 0.05, rng: Any = 0
) -> Any:
    """Draw the quantile residuals against the fitted mean, and their normal QQ plot.

    Quantile residuals are standard normal if the model holds, though y is not normal around its
    mean in a mixture [1]_. The line in the first panel is their mean over neighbouring fitted
    values; the band in the second holds each order statistic with probability 1 - ``alpha`` if
    the model holds (the uncertainty of the estimates, and any dependence within groups, left
    aside).

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    ax : sequence of two Axes, or Figure, optional
        By default a new figure.
    max_points : int
        More rows than this are drawn as a density of hexagons.
    alpha : float
    rng : int, Generator, SeedSequence or None
        Seed of the draws that residuals of counts, and of times cut off, rest on.

    Returns
    -------
    ndarray of two Axes

    Raises
    ------
    SmmixError
        If matplotlib is missing or the data were removed.

    References
    ----------
    .. [1] Dunn, P. K. and Smyth, G. K. (1996). Randomized quantile residuals. Journal of
       Computational and Graphical Statistics 5, 236-244.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> [ax.get_xlabel() for ax in results.plot_residuals()]
    ['fitted mean of foodexp', 'normal quantile']
    """
    fitted = one_response(fitted_of(results), "plot_residuals")
    residual = quantile_residuals(fitted, rng).to_numpy()
    check_whole("max_points", max_points)
    check_alpha(alpha)
    panels = open_panels(2, ax, (5.0, 4.0))
    design = fitted.data.rows()
    weight = np.ones(residual.size) if design.freq_weights is None else design.freq_weights
    rows = own_rows(fitted.data)
    mean = predict_rows(fitted.specification, fitted.unpacked, rows, "mean").to_numpy()
    _draw_against(panels.axes[0], mean, residual, weight, max_points)
    panels.axes[0].set_xlabel(f"fitted mean of {design.endog_name}")
    _draw_qq(panels.axes[1], residual, weight, alpha)
    return panels.result()


def _draw_against(
    axes: Axes, fitted: np.ndarray, residual: np.ndarray, weight: np.ndarray, most: int
) -> None:
    if residual.size > most:
        axes.hexbin(fitted, residual, C=weight, reduce_C_function=np.sum, gridsize=50, mincnt=1,
                    cmap="Greys", bins="log", linewidths=0.1)  # fmt: skip
        axes.set_title(f"hexagons: counts of {residual.size:,} rows (log)", fontsize="small")
    else:
        axes.scatter(fitted, residual, s=14, color="#0b559f", alpha=0.45, linewidths=0.0)
    for level in (-1.96, 0.0, 1.96):
        axes.axhline(level, color=GREY, linewidth=0.9, linestyle="-" if level == 0 else ":")
    order = np.argsort(fitted, kind="stable")
    parts = [
        part
        for part in np.array_split(order, max(1, min(_BINS, residual.size // _ROWS_PER_BIN)))
        if part.size
    ]
    if len(parts) > 2 and np.ptp(fitted) > 0.0:
        means = [
            [np.average(values[part], weights=weight[part]) for part in parts]
            for values in (fitted, residual)
        ]
        axes.plot(*means, color="#c04000", linewidth=1.8, label="local mean")
    axes.set_ylabel("quantile residual")


def qq_points(
    residual: np.ndarray, weight: np.ndarray, alpha: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Normal quantiles, ordered residuals, and the ends of their band; thinned when many.

    A row of weight w stands for w equal ones, at the middle of their ranks.

    Parameters
    ----------
    residual, weight : ndarray, (n,)
    alpha : float
        Order statistic j of N uniforms is Beta(j, N + 1 - j).

    Returns
    -------
    normal, ordered, lower, upper : ndarray, (m,)
    """
    order = np.argsort(residual, kind="stable")
    after = np.cumsum(weight[order])
    total = after[-1]
    rank = after - 0.5 * weight[order] + 0.5
    if rank.size > _QUANTILES:
        # Evenly spaced normal quantiles keep the tails, where a QQ plot is read.
        end = float(ndtri(0.5 / rank.size))
        wanted = ndtr(np.linspace(end, -end, _QUANTILES))
        kept = np.unique(np.searchsorted(after / total, wanted).clip(0, rank.size - 1))
        kept = np.union1d(kept, [0, rank.size - 1])
        order, rank = order[kept], rank[kept]
    normal = ndtri((rank - 0.5) / total)
    lower, upper = (
        ndtri(betaincinv(rank, total + 1.0 - rank, q)) for q in (alpha / 2.0, 1.0 - alpha / 2.0)
    )
    return normal, residual[order], lower, upper


def _draw_qq(axes: Axes, residual: np.ndarray, weight: np.ndarray, alpha: float) -> None:
    normal, ordered, lower, upper = qq_points(residual, weight, alpha)
    axes.fill_between(normal, lower, upper, color="0.85", linewidth=0.0)
    axes.plot(normal, normal, color=GREY, linewidth=0.9)
    axes.plot(normal, ordered, linestyle="", marker="o", markersize=3, color="#0b559f")
    axes.set_title(f"band: {1.0 - alpha:.0%}, pointwise", fontsize="small")
    axes.set_xlabel("normal quantile")
    axes.set_ylabel("quantile residual")
