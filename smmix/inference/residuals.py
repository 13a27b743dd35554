"""Quantile residuals: normal if the model holds, whatever the family."""

from __future__ import annotations

from typing import Any

import pandas as pd

from smmix.inference.scores import normal_scores
from smmix.mixture.fitted import Fit, fitted_of
from smmix.mixture.prediction import Law
from smmix.mixture.rows import own_rows
from smmix.support.checks import generator

__all__ = ["quantile_residuals"]


def quantile_residuals(results: Fit, rng: Any = 0) -> pd.Series:
    """Normal quantiles of the fitted distribution function at the observations.

    If the model holds they are standard normal, apart from the uncertainty of the estimates
    [1]_; residuals from the mean are not, for the mixture is not normal around it. Rows of a
    group each have the mixture's marginal distribution. Where a value has a probability of its
    own, as every count has, or a time was cut off, a uniform draw between the distribution
    function below and at it takes its place.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    rng : int, Generator, SeedSequence or None
        Seed of those draws.

    Returns
    -------
    Series
        One value per row of the fit.

    Raises
    ------
    SmmixError
        If the data were removed, or ``rng`` is no seed.

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
    >>> results.quantile_residuals.head(3).round(2).tolist()
    [-0.84, -1.1, -1.32]
    """
    fitted = fitted_of(results)
    rows = own_rows(fitted.data)
    law = Law.of(fitted.specification, fitted.unpacked, rows)
    assert rows.endog is not None, "the rows of a fit have their response"
    scores = normal_scores(law, rows.endog, generator(rng))
    return pd.Series(scores, rows.index, name="quantile_residual")
