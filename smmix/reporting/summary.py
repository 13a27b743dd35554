"""What summary() says: the header, the tables of the components, and the notes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.iolib.summary import d_or_f, forg

from smmix.inference.covariance import proportions, sigmas
from smmix.inference.delta import covariance_or_none
from smmix.reporting.notes import notes, selected
from smmix.reporting.tables import MixtureSummary, Section

__all__ = ["parameter_blocks", "summarize"]

#: From here on odds are written with a power of ten.
LARGE_ODDS = 1e6


def summarize(results: Any, alpha: float = 0.05, title: str | None = None) -> MixtureSummary:
    """Tables and notes of a fitted mixture.

    Parameters
    ----------
    results : MixtureResults
    alpha : float
        The confidence intervals have the level 1 - alpha.
    title : str, optional

    Returns
    -------
    MixtureSummary
        Prints as text, HTML, LaTeX or CSV.

    Raises
    ------
    SmmixError
        If ``alpha`` is not between 0 and 1.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> print(results.summary().tables[1].as_text().splitlines()[1])
    Component 0       coef    std err          z      P>|z|      [0.025      0.975]
    """
    coefficients = _coefficient_sections(results, alpha)
    tables = [coefficients]
    if results.k > 1:
        tables.append([_classification_section(results.classification_table())])
    left, right = _header(results)
    name = "Mixture of Linear Regressions Results" if title is None else title
    return MixtureSummary(name, left, right, tables, notes(results))


def parameter_blocks(model: Any) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Positions of the visible parameters: by component, shared by components, and logits.

    Parameters
    ----------
    model : MixtureOLS

    Returns
    -------
    components : list of k ndarrays of int
        Coefficients of each component, then its own sigma.
    shared : ndarray of int
        Common coefficients and sigma.
    logits : ndarray of int
    """
    layout = model.layout
    owner = np.full(layout.size, -1)
    owner[layout.coef] = np.repeat(np.arange(layout.k), layout.p)
    owner[layout.nuisance] = np.repeat(np.arange(layout.k), layout.d)
    places = [np.flatnonzero(column) for column in model.expand.basis.T]
    kind = np.array([layout.k if len(rows) > 1 else owner[rows[0]] for rows in places])
    components = [np.flatnonzero(kind == c) for c in range(layout.k)]
    return components, np.flatnonzero(kind == layout.k), np.flatnonzero(kind == -1)


# -- header -----------------------------------------------------------------------------------


def _header(results: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    now = time.localtime()
    model = results.model
    left = [
        ("Dep. Variable:", str(model.endog_names)),
        ("Model:", f"{type(model).__name__} (k={results.k})"),
        ("Method:", str(results.mle_settings["optimizer"])),
        ("Date:", time.strftime("%a, %d %b %Y", now)),
        ("Time:", time.strftime("%H:%M:%S", now)),
        ("No. Observations:", d_or_f(results.nobs)),
        ("Df Residuals:", d_or_f(results.df_resid)),
        ("Df Model:", d_or_f(results.df_model)),
        ("Covariance Type:", str(results.cov_type)),
    ]
    if model.group_labels is not None:
        left.insert(6, ("No. Groups:", str(len(model.group_labels))))
    starts = results.starts
    right = [
        ("Log-Likelihood:", f"{results.llf:#8.5g}"),
        ("AIC:", f"{results.aic:#8.4g}"),
        ("BIC:", f"{results.bic:#8.4g}"),
        ("ICL:", f"{results.icl:#8.4g}"),
        ("Entropy R2:", f"{results.entropy_r2:#8.5g}" if results.k > 1 else ""),
        ("Converged:", str(bool(results.converged))),
        ("No. Iterations:", str(results.n_iter)),
        ("Max |score| / n:", f"{results.score_norm:.2g}"),
        ("Starts (best hit):", f"{starts['hits'].sum()} ({selected(starts)['hits']})"),
    ]
    return left, right


# -- tables -----------------------------------------------------------------------------------


def _coefficient_sections(results: Any, alpha: float) -> list[Section]:
    components, shared, logits = parameter_blocks(results.model)
    rows = _parameter_rows(results, alpha)
    weights = _natural_rows(proportions(results, alpha), "weight")
    columns = _column_names(results, alpha)
    sections = []
    for c, positions in enumerate(components):
        lines = [_named(rows[i], _stripped(rows[i][0], c)) for i in positions]
        if results.k > 1:
            lines.append(weights[c])
        sections.append(Section([f"Component {c}", *columns], lines))
    if shared.size:
        sections.append(Section(["All components", *columns], [rows[i] for i in shared]))
    if results.model.design.concomitant_names is not None:
        lines = [_named(rows[i], rows[i][0].removeprefix("mixing.")) for i in logits]
        if lines:
            sections.append(Section(["Mixing (base 0)", *columns], lines))
    return sections


def _parameter_rows(results: Any, alpha: float) -> list[list[str]]:
    """A row per visible parameter; sigma has the interval of the log scale and no test."""
    model = results.model
    interval = np.array(results.conf_int(alpha), dtype=float)
    nuisance = model.expand.basis[model.layout.nuisance]
    own = sigmas(results, alpha)
    tested = ~nuisance.any(axis=0)
    for i in np.flatnonzero(~tested):
        c = int(np.flatnonzero(nuisance[:, i])[0]) // model.layout.d
        interval[i] = own.loc[c, ["ci_lower", "ci_upper"]]
    values = zip(
        np.asarray(results.params),
        np.asarray(results.bse),
        np.asarray(results.tvalues),
        np.asarray(results.pvalues),
        interval,
        strict=True,
    )
    known = covariance_or_none(results) is not None
    return [
        _row(name, estimate, error, (z, p) if test else None, limits, known)
        for name, test, (estimate, error, z, p, limits) in zip(
            model.param_names, tested, values, strict=True
        )
    ]


def _natural_rows(table: pd.DataFrame, name: str) -> list[list[str]]:
    known = bool(table["std_err"].notna().all())
    return [
        _row(name, row[name], row["std_err"], None, row[["ci_lower", "ci_upper"]], known)
        for _, row in table.iterrows()
    ]


def _row(
    name: str,
    estimate: float,
    error: float,
    test: tuple[float, float] | None,
    limits: Any,
    known: bool,
) -> list[str]:
    cells = [name, forg(estimate, prec=4)]
    if not known:
        return [*cells, *[""] * 5]
    lower, upper = limits
    tests = ["", ""]
    if test is not None and error > 0.0:
        tests = [forg(test[0], prec=3), f"{test[1]:#6.3f}"]
    return [*cells, forg(error, prec=3), *tests, forg(lower, prec=3), forg(upper, prec=3)]


def _column_names(results: Any, alpha: float) -> list[str]:
    letter = "t" if results.use_t else "z"
    tail = f"{alpha / 2:g}", f"{1 - alpha / 2:g}"
    return ["coef", "std err", letter, f"P>|{letter}|", f"[{tail[0]}", f"{tail[1]}]"]


def _named(row: list[str], name: str) -> list[str]:
    return [name, *row[1:]]


def _stripped(name: str, c: int) -> str:
    return name.removesuffix(f"[{c}]")


def _classification_section(table: pd.DataFrame) -> Section:
    titles = {
        "share": "share",
        "expected_n": "expected n",
        "assigned_n": "assigned n",
        "avepp": "AvePP",
        "occ": "OCC",
    }
    rows = [
        [
            f"Component {c}",
            *(
                _classified(column, float(value))
                for column, value in zip(titles, row[list(titles)], strict=True)
            ),
        ]
        for c, row in table.iterrows()
    ]
    return Section(["Classification", *titles.values()], rows)


def _classified(column: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    if value >= LARGE_ODDS and column == "occ":
        return f"{value:.1e}"
    formats = {"share": "{:.4f}", "expected_n": "{:.1f}", "assigned_n": "{:g}"}
    return formats.get(column, "{:.3f}").format(value)
