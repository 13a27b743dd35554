"""Exponentials of coefficients: ratios of means, rates, odds or hazards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smmix.core.family import Family
from smmix.core.family_list import members
from smmix.errors import SmmixError
from smmix.inference.table import parameter_table
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcomes import one_response
from smmix.mixture.parameters import COEF

__all__ = ["ratios"]

#: What constants are called; their exponential is a level, not a ratio.
CONSTANTS = ("Intercept", "const")


def ratios(results: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """Exponentials of the coefficients, with their intervals and what they are ratios of.

    Parameters
    ----------
    results : MixtureResults
    alpha : float
        The intervals have the level 1 - ``alpha``; their ends are the exponentials of the ends of
        the coefficients' intervals.

    Returns
    -------
    DataFrame
        A row per coefficient of a component whose link has ratios, with columns ratio, std_err
        (delta method), ci_lower, ci_upper, and ``of``: "mean" (log link), "rate" (of counts),
        "probability" (log link of a binomial response), "odds" (logit) or "hazard" (cloglog).
        That of a constant is the level where all regressors are zero: "mean at zero".

    Raises
    ------
    SmmixError
        If no component has a link under which exp(coefficient) is a ratio.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ np.log(income)", data, k=2, family="gamma").fit()
    >>> results.ratios()["of"].tolist()[:2]
    ['mean at zero', 'mean']
    """
    fitted = one_response(fitted_of(results), "ratios")
    of = [_ratio_of(one) for one in members(fitted.specification.family, fitted.k)]
    if not any(of):
        raise _refusal(fitted)
    table = parameter_table(fitted, alpha)
    coefficients = table[table["kind"] == COEF]
    rows: list[Any] = list(coefficients.itertuples())
    what = [
        _named(row.term, of if row.component is pd.NA else [of[int(row.component)]]) for row in rows
    ]
    kept = coefficients[[bool(name) for name in what]]
    with np.errstate(over="ignore"):
        ratio = np.exp(kept["estimate"])
        lower, upper = np.exp(kept["lower"]), np.exp(kept["upper"])
        error = ratio * kept["std_err"]
    columns = {"ratio": ratio, "std_err": error, "ci_lower": lower, "ci_upper": upper}
    return pd.DataFrame({**columns, "of": [n for n in what if n]}).rename_axis("parameter")


def _ratio_of(family: Family) -> str:
    """What exp(coefficient) is a ratio of; empty where it is none."""
    what = getattr(family.link, "ratio", "")
    if what != "mean" or not family.discrete:
        return what
    return "probability" if family.reads == "successes" else "rate"


def _named(term: str, of: list[str]) -> str:
    """What a coefficient of components with these ratios is; empty where it is none in one."""
    if not all(of):
        return ""
    what = " and ".join(dict.fromkeys(of))
    return f"{what} at zero" if term in CONSTANTS else what


def _refusal(fitted: Fitted) -> SmmixError:
    family = fitted.specification.family
    links = {getattr(one.link, "name", None) for one in members(family, fitted.k)} - {None}
    names = " and ".join(sorted(map(str, links))) or "lacking"
    return SmmixError(
        f"exp(coefficient) is no ratio with the {names} link of {family.label}: coefficients are "
        "in results.coef, and average effects on the mean in results.margins()."
    )
