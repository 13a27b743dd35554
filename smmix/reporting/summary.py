"""What summary() says: the header, the tables of the components, and the notes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.iolib.summary import d_or_f, forg

from smmix.core.family_list import FamilyList
from smmix.errors import SmmixError
from smmix.inference.covariance import proportions
from smmix.inference.criteria import Criteria, classification_table
from smmix.inference.table import parameter_table
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.parameters import MIXING
from smmix.reporting.notes import notes, selected
from smmix.reporting.tables import MixtureSummary, Section
from smmix.support.checks import listed

__all__ = ["METHOD_NAMES", "summarize"]

#: How a search is called.
METHOD_NAMES = {"em-newton": "EM + Newton", "em": "EM"}

#: From here on odds are written with a power of ten.
LARGE_ODDS = 1e6
#: Ratio and p-value of what is not tested.
UNTESTED = (np.nan, np.nan)


def summarize(
    results: Fit,
    alpha: float = 0.05,
    title: str | None = None,
    model: str = "MixtureOLS",
    yname: str | None = None,
    xname: Sequence[str] | None = None,
) -> MixtureSummary:
    """Tables and notes of a fitted mixture.

    Parameters
    ----------
    results : MixtureResults
    alpha : float
        The confidence intervals have the level 1 - alpha.
    title : str, optional
    model : str
        What the model is called.
    yname : str, optional
        What the response is called.
    xname : sequence of V str, optional
        What the parameters are called.

    Returns
    -------
    MixtureSummary
        Prints as text, HTML, LaTeX or CSV.

    Raises
    ------
    SmmixError
        If ``alpha`` is not between 0 and 1, or ``xname`` has not a name for each parameter.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> print(results.summary().tables[1].as_text().splitlines()[1])
    Component 0       coef    std err          z      P>|z|      [0.025      0.975]
    """
    fitted = fitted_of(results)
    criteria = Criteria.of(fitted)
    names = None
    if xname is not None:
        names = listed("xname", xname, "names of parameters")
        if len(names) != fitted.params.size:
            raise SmmixError(f"xname has {len(names)} names for {fitted.params.size} parameters.")
    tables = [_coefficient_sections(fitted, alpha, names)]
    if fitted.k > 1:
        shares = fitted.mixing_weights.to_numpy()
        tables.append([_classification_section(classification_table(criteria.posterior, shares))])
    left, right = _header(fitted, criteria, model)
    if yname is not None:
        left[0] = (left[0][0], str(yname))
    name = _title(fitted) if title is None else title
    return MixtureSummary(name, left, right, tables, notes(fitted))


def _title(fitted: Fitted) -> str:
    words = fitted.specification.family.label.split()
    capital = [f"{w[0].upper()}{w[1:]}" if len(w) > 2 else w for w in words]
    return f"Mixture of {' '.join(capital)} Results"


# -- header -----------------------------------------------------------------------------------


def _header(
    fitted: Fitted, criteria: Criteria, model: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    now, specification, mode = time.localtime(), fitted.specification, fitted.mode
    record, groups = fitted.record, fitted.data.n_groups
    assert record is not None, "only fits with their search are summarized"
    left = [
        ("Dep. Variable:", specification.endog_name),
        ("Model:", f"{model} (k={fitted.k})"),
        ("Method:", METHOD_NAMES[record.method]),
        ("Date:", time.strftime("%a, %d %b %Y", now)),
        ("Time:", time.strftime("%H:%M:%S", now)),
        ("No. Observations:", d_or_f(fitted.nobs)),
        ("Df Residuals:", d_or_f(fitted.df_resid)),
        ("Df Model:", d_or_f(specification.df_model)),
        ("Covariance Type:", fitted.cov_type),
    ]
    if groups is not None:
        units = "Groups" if specification.grouped else "Rows"
        left.insert(6, (f"No. {units}:", str(groups)))
    starts, value = fitted.starts, criteria.get
    right = [
        ("Log-Likelihood:", f"{fitted.llf:#8.5g}"),
        ("AIC:", f"{value('aic'):#8.4g}"),
        ("BIC:", f"{value('bic'):#8.4g}"),
        ("ICL:", f"{value('icl'):#8.4g}"),
        ("Entropy R2:", f"{value('entropy_r2'):#8.5g}" if fitted.k > 1 else ""),
        ("Converged:", str(fitted.converged)),
        ("No. Iterations:", str(mode.n_iter)),
        ("Max |score| / n:", f"{mode.score_norm:.2g}"),
        ("Starts (best hit):", f"{starts['hits'].sum()} ({selected(starts)['hits']})"),
        ("Unseen modes:", "" if np.isnan(fitted.unseen) else f"{fitted.unseen:.2g}"),
    ]
    return left, right


# -- tables -----------------------------------------------------------------------------------


def _coefficient_sections(
    fitted: Fitted, alpha: float, given: Sequence[str] | None
) -> list[Section]:
    table = parameter_table(fitted, alpha)
    known = fitted.covariance is not None
    weights = _natural_rows(proportions(fitted, alpha), "weight")
    columns = _column_names(fitted, alpha)
    mixing = table["kind"] == MIXING

    called = dict(zip(table.index, given or table.index, strict=True))

    def rows(part: pd.DataFrame, names: Any) -> list[list[str]]:
        lines: list[Any] = list(part.itertuples())
        if given is not None:
            names = [str(called[name]) for name in part.index]
        return [
            _row(name, row.estimate, row.std_err, (row.ratio, row.p), (row.lower, row.upper), known)
            for name, row in zip(names, lines, strict=True)
        ]

    family = fitted.specification.family
    kinds = [""] * fitted.k
    if isinstance(family, FamilyList):
        kinds = [f": {one.name.replace('_', ' ')}" for one in family.families]
    sections = []
    for c in range(fitted.k):
        own = table[~mixing & (table["component"] == c).fillna(False)]
        own = own.iloc[_by_outcome(fitted, list(own["term"]))]
        lines = rows(own, own["term"])
        if fitted.k > 1:
            lines.append(weights[c])
        sections.append(Section([f"Component {c}{kinds[c]}", *columns], lines))
    shared = table[table["component"].isna()]
    if len(shared):
        sections.append(Section(["All components", *columns], rows(shared, shared.index)))
    logits = table[mixing]
    if fitted.specification.concomitant_names is not None and len(logits):
        names = [f"{row.term}[{row.component}]" for row in logits.itertuples()]
        sections.append(Section(["Mixing (base 0)", *columns], rows(logits, names)))
    return sections


def _by_outcome(fitted: Fitted, terms: list[str]) -> list[int]:
    """Positions of terms in the order of the outcomes that they are of."""
    names = [f"{one.endog_name}:" for one in fitted.specification.outcomes]
    return sorted(
        range(len(terms)),
        key=lambda i: next((n for n, name in enumerate(names) if terms[i].startswith(name)), 0),
    )


def _natural_rows(table: pd.DataFrame, name: str) -> list[list[str]]:
    known = bool(table["std_err"].notna().all())
    return [
        _row(name, row[name], row["std_err"], UNTESTED, row[["ci_lower", "ci_upper"]], known)
        for _, row in table.iterrows()
    ]


def _row(
    name: str,
    estimate: float,
    error: float,
    test: tuple[float, float],
    limits: Any,
    known: bool,
) -> list[str]:
    cells = [name, forg(estimate, prec=4)]
    if not known or np.isnan(error):
        return [*cells, *[""] * 5]
    lower, upper = limits
    tests = ["", ""]
    if not np.isnan(test[0]) and error > 0.0:
        tests = [forg(test[0], prec=3), f"{test[1]:#6.3f}"]
    return [*cells, forg(error, prec=3), *tests, forg(lower, prec=3), forg(upper, prec=3)]


def _column_names(fitted: Fitted, alpha: float) -> list[str]:
    letter = fitted.letter
    tail = f"{alpha / 2:g}", f"{1 - alpha / 2:g}"
    return ["coef", "std err", letter, f"P>|{letter}|", f"[{tail[0]}", f"{tail[1]}]"]


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
