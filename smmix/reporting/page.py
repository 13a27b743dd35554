"""A fit as one HTML file that needs nothing else to be read."""

from __future__ import annotations

import base64
import html
import io
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smmix import plots
from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcomes import marginal
from smmix.reporting.summary import summarize
from smmix.support.checks import write_text

__all__ = ["report"]

#: Rows of the table of modes.
_MODES = 15
#: A figure wider than this, inches, scrolls on a narrow screen rather than shrink further than
#: to so many pixels per inch.
_WIDE, _SMALLEST = 7.0, 62.0

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: #fff;
  color: #1c1c1c; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid #ccc; }
p.lead { color: #555; margin: 0 0 1rem; overflow-wrap: anywhere; }
nav a { margin-right: .7rem; white-space: nowrap; color: #0b559f; }
.scroll { overflow-x: auto; }
figure { margin: 1rem 0; }
figure img { display: block; width: 100%; height: auto; margin: 0 auto; }
figcaption { color: #444; font-size: .9rem; margin-top: .4rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums;
  margin: .75rem 0; }
th, td { padding: .15rem .6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th, tr:not(:has(td)) th { border-bottom: 1px solid #888; }
tr:not(:has(td)):not(:first-child) th { padding-top: .8rem; }
caption { font-weight: 600; text-align: left; padding: .3rem 0; }
.warn { border-left: 4px solid #b45309; background: #fff7ed; padding: .5rem .75rem; }
footer { margin-top: 3rem; color: #666; font-size: .85rem; }
@media (max-width: 40rem) { table { font-size: .72rem; } th, td { padding: .1rem .28rem; } }
@media print { nav { display: none; } h2, figure, table { break-inside: avoid; } }
"""


def report(
    results: Fit,
    path: str | Path | None = None,
    *,
    selection: Any = None,
    title: str | None = None,
    alpha: float = 0.05,
) -> str | None:
    """Write the fit as a self-contained HTML page: summary, pictures, modes and notes.

    The pictures are part of the file, which loads nothing and runs no script.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    path : str or Path, optional
        Where to write; by default the page is returned as text.
    selection : Selection, optional
        What `select_k` returned, shown with its table and picture.
    title : str, optional
    alpha : float
        Intervals and bands have the level 1 - ``alpha``.

    Returns
    -------
    str or None
        The page when there is no ``path``.

    Raises
    ------
    SmmixError
        If matplotlib is missing, the data were removed, or the file cannot be written.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> page = results.report()
    >>> page.startswith("<!DOCTYPE html>")
    True
    """
    page = _page(fitted_of(results), selection, title, alpha)
    if path is None:
        return page
    write_text(path, page, "The report")
    return None


def _page(fitted: Fitted, selection: Any, title: str | None, alpha: float) -> str:
    formula = fitted.specification.formula
    if isinstance(formula, list):
        formula = "; ".join(dict.fromkeys(formula))
    what = formula or fitted.specification.endog_name
    heading = title if title is not None else f"Mixture of regressions: {what}, k = {fitted.k}"
    sections = [("summary", "Summary", _scrolling(summarize(fitted, alpha).as_html()))]
    sections += _pictures(fitted, alpha)
    if selection is not None:
        sections.append(("selection", "Number of components", _selection(selection)))
    sections.append(("modes", "Modes found", _modes(fitted)))
    links = " ".join(f'<a href="#{key}">{html.escape(name)}</a>' for key, name, _ in sections)
    body = "\n".join(
        f'<section id="{key}"><h2>{html.escape(name)}</h2>\n{content}</section>'
        for key, name, content in sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(heading)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{html.escape(heading)}</h1>
<p class="lead">{html.escape(_lead(fitted))}</p>
{_warning(fitted)}<nav>{links}</nav></header>
<main>
{body}
</main>
<footer>{html.escape(_versions())}</footer>
</body>
</html>
"""


def _lead(fitted: Fitted) -> str:
    weights = ", ".join(f"{weight:.1%}" for weight in fitted.mixing_weights)
    groups = fitted.data.n_groups
    size = f"{fitted.nobs:,.10g} observations"
    if groups is not None:
        units = "groups" if fitted.specification.grouped else "rows"
        size = f"{size} in {groups:,} {units}"
    if fitted.k == 1:
        return f"{size}; log-likelihood {fitted.llf:.2f}."
    return f"{size}; components of {weights}; log-likelihood {fitted.llf:.2f}."


def _warning(fitted: Fitted) -> str:
    starts = fitted.starts
    said = []
    if not fitted.converged:
        said.append(f"The fit did not converge: {fitted.status}.")
    if starts.loc[starts["selected"], "degenerate"].any():
        said.append("The fit is degenerate: use fewer components or equal variances.")
    return f'<p class="warn">{html.escape(" ".join(said))}</p>\n' if said else ""


def _versions() -> str:
    names = ("smmix", "statsmodels", "numpy", "pandas")
    found = ", ".join(f"{name} {import_module(name).__version__}" for name in names)
    return f"{time.strftime('%Y-%m-%d')}; {found}, Python {platform.python_version()}."


def _scrolling(content: str) -> str:
    return f'<div class="scroll">{content}</div>'


# -- pictures -----------------------------------------------------------------------------------


def _pictures(fitted: Fitted, alpha: float) -> Iterator[tuple[str, str, str]]:
    level = f"{1.0 - alpha:.0%}"
    if not fitted.data.in_memory:
        text = "The rows are not in memory, so neither they nor their residuals are drawn."
        yield "fit", "Fit", f"<p>{text}</p>"
    for key, name, one in _responses(fitted):
        yield (
            f"fit{key}",
            f"Fit{name}",
            _figure(
                partial(plots.plot_fit, one, alpha=alpha),
                "Rows and regression lines of the components",
                f"The regressions of the components with {level} confidence bands. Each row is "
                "marked by its most probable component, the paler the less certain that is. With "
                "several variables each panel holds the others at their median or most frequent "
                "value.",
            ),
        )
    yield (
        "coefficients",
        "Coefficients",
        _figure(
            lambda: plots.plot_coef(fitted, alpha=alpha),
            "Coefficients of the components with intervals",
            f"Estimates with {level} intervals, component by component.",
        ),
    )
    if fitted.k > 1:
        yield (
            "classification",
            "How clearly the components separate",
            _figure(
                lambda: plots.plot_posterior(fitted),
                "Histograms of the posterior probabilities of each component",
                "Posterior probabilities of each component on a root scale. Bars at 0 and 1 are "
                "rows that are told apart, those between are not; coloured are the rows assigned "
                "to the component.",
            ),
        )
    for key, name, one in _responses(fitted):
        yield (
            f"residuals{key}",
            f"Residuals{name}",
            _figure(
                partial(plots.plot_residuals, one, alpha=alpha),
                "Quantile residuals against the fitted mean, and their normal QQ plot",
                "Quantile residuals, which are standard normal if the model holds: without pattern "
                "against the fitted mean, and on the line within the band.",
            ),
        )


def _responses(fitted: Fitted) -> Iterator[tuple[str, str, Fitted]]:
    """Key, name and fit of each response whose rows are in memory."""
    names = [one.endog_name for one in fitted.specification.outcomes]
    if not names and fitted.data.in_memory:
        yield "", "", fitted
    for number, name in enumerate(names):
        yield f"-{number}", f" of {name}", marginal(fitted, name)


def _figure(draw: Callable[[], Any], alt: str, caption: str) -> str:
    """A picture as part of the page, with its caption."""
    image, inches = _svg(draw)
    least = f"min-width:{inches * _SMALLEST:.0f}px;" if inches > _WIDE else ""
    return (
        f'<figure><div class="scroll"><img style="{least}max-width:{inches * 96.0:.0f}px" '
        f'alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{image}"></div>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _svg(draw: Callable[[], Any]) -> tuple[str, float]:
    """The picture as base64 of SVG, in matplotlib's own style, and its width in inches."""
    plots.require_matplotlib()
    from matplotlib import pyplot as plt

    with plt.style.context("default"), plt.rc_context({"svg.hashsalt": "smmix"}), plt.ioff():
        figure = np.ravel(draw())[0].figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", dpi=150, metadata={"Date": None})
        plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode("ascii"), float(figure.get_figwidth())


# -- tables -------------------------------------------------------------------------------------


def _modes(fitted: Fitted) -> str:
    starts = fitted.starts
    shown = starts.head(_MODES)
    picture = _figure(
        lambda: plots.plot_starts(fitted),
        "Log-likelihood of the modes that the search found",
        "The distinct modes of the likelihood that the starts led to. A fit that stands alone on "
        "top and was hit often deserves more trust; look at a rival close below, too.",
    )
    table = pd.DataFrame(
        {
            "log-likelihood": shown["llf"].map("{:.4f}".format),
            "hits": shown["hits"],
            "smallest weight": shown["min_weight"].map("{:.4f}".format),
            "sigma ratio": shown["sigma_ratio"].map("{:.4g}".format),
            "degenerate": shown["reason"],
            "this fit": shown["selected"].map({True: "yes", False: ""}),
        }
    ).rename_axis("mode")
    more = f"<p>{len(starts) - _MODES} more are not listed.</p>" if len(starts) > _MODES else ""
    return picture + _scrolling(table.reset_index().to_html(index=False, border=0)) + more


def _selection(selection: Any) -> str:
    if not (hasattr(selection, "summary") and hasattr(selection, "plot")):
        raise SmmixError(
            f"selection must be what select_k returned, not {type(selection).__name__}."
        )
    picture = _figure(
        selection.plot,
        "Criteria against the number of components",
        "Information criteria against the number of components; smaller is better.",
    )
    return picture + _scrolling(selection.summary().as_html())
