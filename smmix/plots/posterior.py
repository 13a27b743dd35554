"""How clearly the rows are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, fitted_of
from smmix.plots.style import look, open_panels
from smmix.support.checks import check_whole, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_posterior"]


def plot_posterior(results: Fit, ax: Any = None, *, bins: int = 20, threshold: float = 1e-4) -> Any:
    """Draw a rootogram of the posterior probabilities of each component.

    Peaks at 0 and 1 mean that the units (rows, or groups of them) are told apart; bars in the
    middle are units that could belong to several components [1]_. Heights are on a square-root
    scale, so that small counts stay visible. The dark part of a bar are the units whose most
    probable component this is.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    ax : Axes, sequence of Axes, or Figure, optional
        One Axes per component; by default a new figure.
    bins : int
        Bars from 0 to 1.
    threshold : float
        Units whose posterior is not above this are left out, for they would fill the first bar;
        the titles give their number.

    Returns
    -------
    Axes, or ndarray of Axes for k > 1

    Raises
    ------
    SmmixError
        If matplotlib is missing or the data were removed.

    References
    ----------
    .. [1] Leisch, F. (2004). Exploring the structure of mixture model components. COMPSTAT 2004,
       1405-1412.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> [ax.get_xlabel() for ax in results.plot_posterior()]
    ['posterior of component 0', 'posterior of component 1']
    """
    check_whole("bins", bins)
    if not 0.0 <= threshold < 1.0:
        raise SmmixError(f"threshold must be at least 0 and below 1, not {shown(threshold)}.")
    edges = np.linspace(0.0, 1.0, bins + 1)
    every, own, left_out = posterior_counts(results, edges, threshold)
    k = fitted_of(results).k
    panels = open_panels(k, ax, (3.4, 2.8) if k > 1 else (5.0, 3.8), 4)
    top = 1.08 * every.max(initial=1.0)
    for c, axes in enumerate(panels.axes):
        _draw(axes, c, edges, every[c], own[c])
        axes.set_ylim(0.0, top)
        ticks = _root_ticks(top)
        axes.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.set_title(f"{left_out[c]:,.6g} left out (near 0)", fontsize="small", loc="right")
    return panels.result()


def posterior_counts(
    results: Fit, edges: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units by posterior of each component, weights counted.

    Parameters
    ----------
    results : MixtureResults
    edges : ndarray, (b + 1,)
    threshold : float
        Units at or below it are not in the counts.

    Returns
    -------
    every, own : ndarray, (k, b)
        All units, and those of highest posterior in the component.
    left_out : ndarray, (k,)
    """
    fitted = fitted_of(results)
    spec, k = fitted.specification.spec, fitted.k
    every, own = np.zeros((k, edges.size - 1)), np.zeros((k, edges.size - 1))
    left_out = np.zeros(k)
    for block in fitted.data.source.blocks(k):
        tau = spec.posterior(fitted.unpacked, block)[0][0]
        weight = np.ones(block.n_units) if block.weight is None else np.ravel(block.weight)
        label = tau.argmax(axis=0)
        for c in range(k):
            shown = tau[c] > threshold
            mine = shown & (label == c)
            # Rounding may take a sum of posteriors beyond one.
            value = np.minimum(tau[c], 1.0)
            every[c] += np.histogram(value[shown], edges, weights=weight[shown])[0]
            own[c] += np.histogram(value[mine], edges, weights=weight[mine])[0]
            left_out[c] += weight[~shown].sum()
    return every, own, left_out


def _root_ticks(top: float) -> list[float]:
    """Round counts that are about evenly spaced on the root scale up to ``top``."""
    ticks = {0.0}
    for part in (0.25, 0.5, 0.75, 0.97):
        goal = part**2 * top
        if goal >= 1.0:
            step = 10.0 ** np.floor(np.log10(goal))
            ticks.add(float(max(m * step for m in (1, 2, 3, 4, 5, 6, 8) if m * step <= goal)))
    return sorted(ticks)


def _draw(axes: Axes, c: int, edges: np.ndarray, every: np.ndarray, own: np.ndarray) -> None:
    color, width = look(c).color, np.diff(edges)
    axes.set_yscale(
        "function", functions=(lambda y: np.sqrt(np.maximum(y, 0.0)), lambda root: np.square(root))
    )
    axes.bar(edges[:-1], every, width, align="edge", color="0.88", edgecolor="0.35", linewidth=0.6)
    axes.bar(edges[:-1], own, width, align="edge", color=color, edgecolor="0.2", linewidth=0.6)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(f"posterior of component {c}")
    axes.set_ylabel("count (root scale)")
