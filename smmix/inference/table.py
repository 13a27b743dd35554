"""The parameters of a fit as one table of numbers, which everything that prints them prints."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smmix.core.transforms import LOG
from smmix.mixture.fitted import Fit, fitted_of
from smmix.mixture.parameters import NUISANCE

__all__ = ["parameter_table"]


def parameter_table(fit: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """Estimates, errors, tests and intervals of the parameters.

    Parameters
    ----------
    fit : Fitted, or results
    alpha : float
        The intervals have the level 1 - ``alpha``. They are symmetric in the coordinate in which
        a parameter may take any value: the log for a sigma or a variance.

    Returns
    -------
    DataFrame
        A row per parameter; columns estimate, std_err, ratio, p, lower, upper, kind ("coef",
        "nuisance" or "mixing"), term and component (missing for a parameter of all components).
        Nuisance parameters have no test, for zero is on the boundary of their range.

    Raises
    ------
    SmmixError
        If ``alpha`` is not between 0 and 1.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> from smmix.inference.table import parameter_table
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> parameter_table(results).loc["sigma[0]", ["lower", "upper"]].astype(float).round(1).tolist()
    [55.6, 74.7]
    """
    fitted = fitted_of(fit)
    rows, estimate, error = fitted.specification.parameters.rows, fitted.params, fitted.bse
    reach = fitted.quantile(alpha) * error
    lower, upper = estimate - reach, estimate + reach
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = estimate / error
    random = fitted.specification.spec.random
    variances = [] if random is None else random.variances
    for i, row in enumerate(rows):
        if row.kind == NUISANCE:
            if row.term in variances or not row.transform.allows(np.zeros(())):
                # Zero is an end of its range.
                ratio[i] = np.nan
            transform = LOG if row.term in variances else row.transform
            with np.errstate(divide="ignore", invalid="ignore"):
                at = transform.working(estimate[i])
                width = reach[i] / transform.slope(estimate[i])
                lower[i], upper[i] = transform.natural(at + np.array([-width, width]))
    return pd.DataFrame(
        {
            "estimate": estimate,
            "std_err": error,
            "ratio": ratio,
            "p": fitted.two_sided(ratio),
            "lower": lower,
            "upper": upper,
            "kind": [row.kind for row in rows],
            "term": [row.term for row in rows],
            "component": pd.array([row.component for row in rows], dtype="Int64"),
        },
        index=fitted.specification.param_names,
    )
