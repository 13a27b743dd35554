"""Exponentials of coefficients: ratios of means, rates, odds or hazards."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smmix.core.family_list import members
from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, fitted_of
from smmix.mixture.parameters import COEF

__all__ = ["ratios"]


def ratios(results: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """Exp(coefficient) with intervals, where the link makes it a ratio.

    With a log link it is the ratio of means (of rates for counts with an exposure) when a
    regressor rises by one, with a logit link that of odds, with a complementary log-log link that
    of hazards.

    Parameters
    ----------
    results : MixtureResults
    alpha : float
        The intervals have the level 1 - alpha; they are symmetric on the scale of the coefficient.

    Returns
    -------
    DataFrame
        One row for each coefficient; columns ratio, ci_lower, ci_upper and ``of``, what it is a
        ratio of.

    Raises
    ------
    SmmixError
        If exp(coefficient) is a ratio of nothing under the links of the model.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import smmix
    >>> data = pd.DataFrame({"y": [0, 1, 2, 8, 16, 33] * 5, "x": [0, 1, 2, 0, 1, 2] * 5})
    >>> results = smmix.from_formula("y ~ x", data, k=2, family="poisson").fit()
    >>> results.ratios().loc["x[0]", "ratio"].round(1)
    np.float64(2.0)
    """
    fitted = fitted_of(results)
    specification = fitted.specification
    table, families = specification.parameters, members(specification.family, fitted.k)
    kinds = {c: "" if f.link is None else f.link.ratio for c, f in enumerate(families)}
    rows = []
    for i in table.positions(COEF):
        owner = table.rows[i].component
        of = {kinds[owner]} if owner is not None else set(kinds.values()) - {""}
        if len(of) == 1 and (name := of.pop()):
            rows.append((i, name))
    if not rows:
        links = sorted({f.link.name for f in families if f.link is not None})
        raise SmmixError(
            f"exp(coefficient) is no ratio with the link {', '.join(links)}; read the coefficients "
            "themselves, or results.margins()."
        )
    at = np.array([i for i, _ in rows])
    value, reach = fitted.params[at], fitted.quantile(alpha) * fitted.bse[at]
    return pd.DataFrame(
        {
            "ratio": np.exp(value),
            "ci_lower": np.exp(value - reach),
            "ci_upper": np.exp(value + reach),
            "of": [name for _, name in rows],
        },
        index=pd.Index([table.names[i] for i in at], name="parameter"),
    )
