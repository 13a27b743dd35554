"""Estimates as tidy frames, and as tables for publication with fits side by side."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.inference.covariance import proportions
from smmix.inference.table import parameter_table
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.parameters import MIXING
from smmix.reporting.tables import latex_escape
from smmix.support.checks import check_choice, check_flag, listed, shown

__all__ = ["glance", "publication_table", "tidy"]

#: p-values below which an estimate has a further star, as in statsmodels' summary_col.
STARS = (0.1, 0.05, 0.01)
RULE = "-"
#: From the part of the table and the label of a row to an estimate and what stands below it.
Column = dict[tuple[int, str], tuple[str, str]]


def tidy(results: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """The parameters as a frame with the columns of R's broom [1]_.

    Parameters
    ----------
    results : MixtureResults
    alpha : float
        The confidence intervals have the level 1 - ``alpha``; those of sigma and other
        parameters beside the coefficients keep to their range.

    Returns
    -------
    DataFrame
        A row per parameter, by name; columns term, component (missing where all components share
        the parameter), kind ("coef", "nuisance" or "mixing"), estimate, std.error, statistic,
        p.value, conf.low and conf.high.

    Raises
    ------
    SmmixError
        If ``alpha`` is not between 0 and 1.

    References
    ----------
    .. [1] Robinson, D. (2014). broom: an R package for converting statistical analysis objects
       into tidy data frames. arXiv 1412.3565.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.tidy().loc["income[1]", ["estimate", "std.error"]].astype(float).round(3).tolist()
    [0.36, 0.016]
    """
    names = {
        "term": "term", "component": "component", "kind": "kind", "estimate": "estimate",
        "std_err": "std.error", "ratio": "statistic", "p": "p.value", "lower": "conf.low",
        "upper": "conf.high",
    }  # fmt: skip
    table = parameter_table(results, alpha)[list(names)]
    return table.rename(columns=names).rename_axis("parameter")


def glance(results: Fit, criteria: pd.Series) -> pd.DataFrame:
    """The fit as one row, with the columns of R's broom where it has them.

    Parameters
    ----------
    results : MixtureResults
    criteria : Series
        All information criteria.

    Returns
    -------
    DataFrame, one row
        k, nobs, df (free parameters), df.residual, logLik, AIC, BIC, ICL, entropy.r2, converged.

    Examples
    --------
    >>> import pandas as pd
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> fits = [smmix.from_formula("foodexp ~ income", data, k=k).fit() for k in (1, 2)]
    >>> pd.concat([fit.glance() for fit in fits])["BIC"].round(1).tolist()
    [2907.7, 2795.3]
    """
    fitted = fitted_of(results)
    row = {
        "k": fitted.k,
        "nobs": float(fitted.nobs),
        "df": fitted.specification.n_free,
        "df.residual": fitted.df_resid,
        "logLik": fitted.llf,
        "AIC": criteria["aic"],
        "BIC": criteria["bic"],
        "ICL": criteria["icl"],
        "entropy.r2": criteria["entropy_r2"],
        "converged": fitted.converged,
    }
    return pd.DataFrame([row])


class Grid(NamedTuple):
    """A table of strings before it is written in some language.

    Attributes
    ----------
    groups : list of (str, int)
        Names of the fits, and how many columns each has.
    columns : list of str
        Names of the components.
    body, foot : list of list of str
        Rows, each with its label first; those of the foot have one value per fit.
    note : str
    """

    groups: list[tuple[str, int]]
    columns: list[str]
    body: list[list[str]]
    foot: list[list[str]]
    note: str

    def spread(self, row: Sequence[str]) -> list[str]:
        """A row of one value per fit as one of all columns, the others empty."""
        cells = [row[0]]
        for value, (_, span) in zip(row[1:], self.groups, strict=True):
            cells += [value, *[""] * (span - 1)]
        return cells


def publication_table(
    results: Fit,
    kind: str = "text",
    *,
    beside: Sequence[Fit] = (),
    intervals: bool = False,
    stars: bool = False,
    alpha: float = 0.05,
    float_format: str = "%.3f",
    names: Sequence[str] | None = None,
) -> Any:
    """A table for publication: a column per component, of one fit or of several side by side.

    Parameters
    ----------
    results : MixtureResults
    kind : {"text", "latex", "html", "markdown", "gt"}
        LaTeX needs the package booktabs; "gt" gives an object of great_tables, where that is
        installed, to be styled further.
    beside : sequence of MixtureResults
        Further fits, to the right of this one; of any k, family or covariance.
    intervals : bool
        Confidence intervals below the estimates, in place of standard errors. Those of weights,
        and of parameters beside the coefficients, keep to their range.
    stars : bool
        Mark p-values below 0.1, 0.05 and 0.01, as statsmodels' ``summary_col`` does.
    alpha : float
        The intervals have the level 1 - ``alpha``.
    float_format : str
        Of estimates and what stands below them.
    names : sequence of str, optional
        Of the fits; by default the response and k.

    Returns
    -------
    str
        Or, for "gt", a ``great_tables.GT``.

    Raises
    ------
    SmmixError
        If ``kind`` is none of these, ``names`` has not one for each fit, or great_tables is not
        installed.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> one, two = (smmix.from_formula("foodexp ~ income", data, k=k).fit() for k in (1, 2))
    >>> print(two.table("markdown", beside=[one], float_format="%.2f").splitlines()[0])
    |  | foodexp, k=2 [0] | foodexp, k=2 [1] | foodexp, k=1 [0] |
    """
    check_choice("kind", kind, list(WRITERS))
    check_flag("intervals", intervals)
    check_flag("stars", stars)
    others = listed("beside", beside, "fits")
    for other in others:
        if not hasattr(other, "fitted"):
            raise SmmixError(f"beside must be a list of results of fits, not of {shown(other)}.")
    fits = [fitted_of(fit) for fit in (results, *others)]
    names = None if names is None else listed("names", names, "names")
    if names is not None and len(names) != len(fits):
        raise SmmixError(f"names has {len(names)} names for {len(fits)} fits; give one for each.")
    if not isinstance(float_format, str) or not _formats(float_format):
        raise SmmixError(
            f"float_format must format one number, as '%.3f' does, not {shown(float_format)}."
        )
    titles = [f"{fit.specification.endog_name}, k={fit.k}" for fit in fits]
    columns: list[Column] = []
    labels: dict[tuple[int, str], None] = {}
    for fit in fits:
        made = _columns(fit, intervals, stars, alpha, float_format)
        columns += made
        labels |= dict.fromkeys(label for column in made for label in column)
    body = []
    for label in sorted(labels, key=lambda label: label[0]):
        pairs = [column.get(label, ("", "")) for column in columns]
        body.append([label[1], *(pair[0] for pair in pairs)])
        if any(pair[1] for pair in pairs):
            body.append(["", *(pair[1] for pair in pairs)])
    foot = [
        ["Observations", *(f"{fit.nobs:g}" for fit in fits)],
        ["Log-likelihood", *(f"{fit.llf:.2f}" for fit in fits)],
        ["AIC", *(f"{2.0 * (fit.specification.n_free - fit.llf):.2f}" for fit in fits)],
        ["BIC", *(f"{_bic(fit):.2f}" for fit in fits)],
    ]
    spans = [fit.k for fit in fits]
    components = [f"[{c}]" for k in spans for c in range(k)]
    groups = list(zip(titles if names is None else map(str, names), spans, strict=True))
    grid = Grid(groups, components, body, foot, _note(fits, intervals, stars, alpha))
    return WRITERS[kind](grid)


def _formats(form: str) -> bool:
    """Whether a text takes one number."""
    try:
        return bool(form % 0.5)
    except (TypeError, ValueError):
        return False


def _bic(fit: Fitted) -> float:
    return float(np.log(fit.nobs) * fit.specification.n_free - 2.0 * fit.llf)


def _columns(fit: Fitted, intervals: bool, stars: bool, alpha: float, form: str) -> list[Column]:
    """What each component has to show."""
    table, shares = parameter_table(fit, alpha), proportions(fit, alpha)
    parts = {"coef": 0, "nuisance": 1, MIXING: 3}
    columns: list[Column] = [{} for _ in range(fit.k)]
    parameters: list[Any] = list(table.itertuples())
    weights: list[Any] = list(shares.itertuples())

    def cell(estimate: float, error: float, limits: tuple[float, float], p: float) -> Any:
        marked = form % estimate + "*" * sum(p < level for level in STARS if stars)
        if np.isnan(error):
            return marked, ""
        below = ", ".join(form % limit for limit in limits) if intervals else form % error
        return marked, f"[{below}]" if intervals else f"({below})"

    for row in parameters:
        everywhere = range(fit.k) if row.component is pd.NA else [row.component]
        label = f"mixing: {row.term}" if row.kind == MIXING else row.term
        if row.kind == MIXING and fit.specification.concomitant_names is None:
            continue
        for c in everywhere:
            columns[c][parts[row.kind], label] = cell(
                row.estimate, row.std_err, (row.lower, row.upper), row.p
            )
    for c, row in enumerate(weights):
        limits = (row.ci_lower, row.ci_upper)
        columns[c][2, "weight"] = cell(row.weight, row.std_err, limits, np.nan)
    if fit.k == 1:
        columns[0].pop((2, "weight"))
    return columns


def _note(fits: Sequence[Fitted], intervals: bool, stars: bool, alpha: float) -> str:
    covariances = ", ".join(dict.fromkeys(fit.cov_type for fit in fits))
    of = "" if covariances == "nonrobust" else f" ({covariances})"
    what = f"{100 * (1 - alpha):g} % confidence intervals in brackets"
    note = f"{what}{of}." if intervals else f"Standard errors in parentheses{of}."
    levels = ", ".join(f"{'*' * (i + 1)} p < {level:g}" for i, level in enumerate(STARS))
    return f"{note} {levels}." if stars else note


# -- the languages ----------------------------------------------------------------------------


def _text(grid: Grid) -> str:
    rows = [["", *grid.columns], *grid.body, *map(grid.spread, grid.foot)]
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    place, heads = 1, []
    for name, span in grid.groups:
        own = sum(widths[place : place + span]) + 2 * (span - 1)
        widths[place] += max(0, len(name) - own)
        heads.append(f"{name:^{max(own, len(name))}}")
        place += span

    def line(cells: Sequence[str]) -> str:
        rest = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([f"{cells[0]:<{widths[0]}}", *rest]).rstrip()

    top = "  ".join([" " * widths[0], *heads]).rstrip()
    rule = RULE * (sum(widths) + 2 * (len(widths) - 1))
    lines = [line(row) for row in rows]
    body = 1 + len(grid.body)
    return "\n".join(
        [rule, top, lines[0], rule, *lines[1:body], rule, *lines[body:], rule, grid.note]
    )


def _markdown(grid: Grid) -> str:
    names = [name for name, span in grid.groups for _ in range(span)]
    head = ["", *(f"{name} {c}" for name, c in zip(names, grid.columns, strict=True))]
    rule = ["---", *["---:"] * len(grid.columns)]
    rows = [head, rule, *grid.body, *map(grid.spread, grid.foot)]
    # Bars and stars would be read as marks.
    escaped = [[cell.replace("|", r"\|").replace("*", r"\*") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in escaped]
    return "\n".join([*lines, "", grid.note.replace("*", r"\*")])


def _html(grid: Grid) -> str:
    def row(cells: Sequence[str], spans: Sequence[int], tag: str = "td") -> str:
        first = f"<th>{html.escape(cells[0])}</th>"
        wide = [f' colspan="{span}"' if span > 1 else "" for span in spans]
        rest = (
            f"<{tag}{span}>{html.escape(cell)}</{tag}>"
            for cell, span in zip(cells[1:], wide, strict=True)
        )
        return f"<tr>{first}{''.join(rest)}</tr>"

    spans, ones = [span for _, span in grid.groups], [1] * len(grid.columns)
    head = [row(["", *(name for name, _ in grid.groups)], spans, "th")]
    head.append(row(["", *grid.columns], ones, "th"))
    parts = [
        f"<thead>{''.join(head)}</thead>",
        f"<tbody>{''.join(row(cells, ones) for cells in grid.body)}</tbody>",
        f"<tbody>{''.join(row(cells, spans) for cells in grid.foot)}</tbody>",
        f'<tfoot><tr><td colspan="{1 + len(ones)}">{html.escape(grid.note)}</td></tr></tfoot>',
    ]
    return "\n".join(['<table class="smmix">', *parts, "</table>"])


def _latex(grid: Grid) -> str:
    def row(cells: Sequence[str]) -> str:
        return " & ".join(map(latex_escape, cells)) + r" \\"

    def wide(cells: Sequence[str]) -> str:
        spanned = [
            rf"\multicolumn{{{span}}}{{c}}{{{latex_escape(cell)}}}"
            for cell, (_, span) in zip(cells[1:], grid.groups, strict=True)
        ]
        return " & ".join([latex_escape(cells[0]), *spanned]) + r" \\"

    width, place, rules = len(grid.columns), 2, []
    for _, span in grid.groups:
        rules.append(rf"\cmidrule(lr){{{place}-{place + span - 1}}}")
        place += span
    lines = [
        rf"\begin{{tabular}}{{l{'r' * width}}}",
        r"\toprule",
        wide(["", *(name for name, _ in grid.groups)]),
        "".join(rules),
        row(["", *grid.columns]),
        r"\midrule",
        *map(row, grid.body),
        r"\midrule",
        *map(wide, grid.foot),
        r"\bottomrule",
        rf"\multicolumn{{{width + 1}}}{{l}}{{\footnotesize {latex_escape(grid.note)}}} \\",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _great_table(grid: Grid) -> Any:
    try:
        import great_tables
    except ImportError as error:
        raise SmmixError(
            "kind='gt' needs the package great_tables, which is not installed; use 'html', or "
            "install great-tables."
        ) from error
    columns = ["", *(str(j) for j in range(len(grid.columns)))]
    frame = pd.DataFrame([*grid.body, *map(grid.spread, grid.foot)], columns=columns)
    table = great_tables.GT(frame, rowname_col="")
    table = table.cols_label(dict(zip(columns[1:], grid.columns, strict=True)))
    table = table.cols_align("right", columns=columns[1:])
    place = 1
    for number, (name, span) in enumerate(grid.groups):
        own = columns[place : place + span]
        table = table.tab_spanner(name, own, id=str(number))
        place += span
    return table.tab_source_note(grid.note)


WRITERS = {
    "text": _text,
    "latex": _latex,
    "html": _html,
    "markdown": _markdown,
    "gt": _great_table,
}
