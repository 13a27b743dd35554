"""Who belongs where: how well the components are told apart, and their members."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smmix.inference.covariance import proportions
from smmix.inference.criteria import classification_table
from smmix.mixture.fitted import Fit, fitted_of

__all__ = ["adequacy_table", "membership_table"]

#: Nagin's rules: the least average posterior, and the least odds of a correct assignment.
LEAST_AVEPP, LEAST_OCC = 0.7, 5.0


def adequacy_table(results: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """Whether the components tell the units (groups of rows, or rows) apart, by Nagin's rules [1]_.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    alpha : float
        The intervals of the shares have the level 1 - ``alpha``.

    Returns
    -------
    DataFrame
        A row per component: ``share``, the estimated mixing weight, with ``ci_lower`` and
        ``ci_upper``; ``assigned_share``, the share of units whose likeliest component it is;
        ``mismatch``, the latter less the former; ``avepp``, the average posterior of these units;
        ``occ``, the odds of a correct assignment relative to guessing by the shares;
        ``smallest_posterior`` among these units; ``fails``, the rules that the component breaks:
        "avepp" not above 0.7, "occ" not above 5, "no unit" when none is assigned to it, and empty
        when it keeps them all.

    Raises
    ------
    SmmixError
        If ``alpha`` is not between 0 and 1, or the rows are not in memory.

    References
    ----------
    .. [1] Nagin, D. S. (2005). Group-Based Modeling of Development. Harvard University Press,
       section 5.5.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.grunfeld.load_pandas().data
    >>> results = smmix.from_formula("invest ~ value", data, k=2, groups="firm").fit()
    >>> results.adequacy_table()["fails"].tolist()
    ['', '']
    """
    fitted = fitted_of(results)
    interval = proportions(fitted, alpha)
    told = classification_table(fitted.separation, fitted.mixing_weights.to_numpy())
    posterior = fitted.posterior
    largest, label = pd.Series(posterior.max(axis=1)), posterior.argmax(axis=1)
    assigned = told["assigned_n"] / fitted.separation.n_units
    broken = {
        "no unit": told["assigned_n"] == 0.0,
        "avepp": told["avepp"] <= LEAST_AVEPP,
        "occ": told["occ"] <= LEAST_OCC,
    }
    fails = [", ".join(rule for rule in broken if broken[rule][c]) for c in range(fitted.k)]
    return pd.DataFrame(
        {
            "share": told["share"],
            "ci_lower": interval["ci_lower"],
            "ci_upper": interval["ci_upper"],
            "assigned_share": assigned,
            "mismatch": assigned - told["share"],
            "avepp": told["avepp"],
            "occ": told["occ"],
            "smallest_posterior": largest.groupby(label).min().reindex(told.index),
            "fails": fails,
        }
    )


def membership_table(results: Fit) -> pd.DataFrame:
    """The members of the components: a row for each group, or for each row without groups.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.

    Returns
    -------
    DataFrame
        Indexed by group (or row): ``component``, the likeliest; ``probability``, its posterior;
        with groups ``n_rows``, how many rows were used of the group; ``posterior[0]``, .., the
        posterior of each component. It is what `to_csv` and other programs take.

    Raises
    ------
    SmmixError
        If the rows are not in memory.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.grunfeld.load_pandas().data
    >>> results = smmix.from_formula("invest ~ value", data, k=2, groups="firm").fit()
    >>> results.membership_table().loc["General Motors", ["component", "n_rows"]].tolist()
    [1, 20]
    """
    fitted = fitted_of(results)
    data = fitted.data
    posterior = fitted.posterior
    design, units = data.rows(), data.units
    label = posterior.argmax(axis=1)
    columns = {"component": label, "probability": posterior[np.arange(len(label)), label]}
    index = design.index
    if units.codes is not None:
        assert units.labels is not None
        index = units.labels
        if fitted.specification.grouped:
            index = index.rename(design.column_names.get("groups", "group"))
        columns["n_rows"] = np.bincount(units.codes)
    own = {f"posterior[{c}]": posterior[:, c] for c in range(fitted.k)}
    return pd.DataFrame(columns | own, index=index)
