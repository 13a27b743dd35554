"""Profiles: what the members of each component are like in variables outside the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from smmix.core.linalg import scaled_inverse
from smmix.errors import SmmixError
from smmix.formula.rows import by_label
from smmix.inference.three_step import METHODS, Assignment
from smmix.mixture.fitted import Fit, fitted_of
from smmix.mixture.observed import Observed
from smmix.support.checks import check_choice, shown
from smmix.support.frames import as_frame, is_single, numbers

__all__ = ["profiles"]


def profiles(
    results: Fit, variables: Any, *, method: str = "bch", alpha: float = 0.05
) -> pd.DataFrame:
    """Means of other variables by component, with errors that respect the classification.

    Labels are guesses: means over the units with a label mix the components, and differences come
    out too small. The three-step corrections undo that by the probabilities of a wrong
    assignment, which the posteriors tell [1]_ [2]_. Their errors carry the uncertainty of the
    model's parameters, of these probabilities, and of the units [3]_.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    variables : str, list of str, Series or frame
        Columns of the data, or values for each row of the data, matched by label. A frame whose
        index has the name of the column of ``groups`` has one row for each group. Of a group with
        several rows the mean of its rows counts. What is no number has a share for each level.
    method : {"bch", "ml", "posterior"}
        "bch": weights that undo the errors of assignment; nothing is assumed of the
        variable [1]_. "ml": the maximum of the likelihood given the assignments, in which numbers
        are normal with a mean and a variance for each component, and variables of 0 and 1, as
        levels are, Bernoulli [2]_.
        "posterior": weighted with the posteriors, without a correction.
    alpha : float
        The intervals have the level 1 - ``alpha``.

    Returns
    -------
    DataFrame
        Indexed by variable (``sex[f]`` for a level) and component: ``mean``, ``std_err``,
        ``ci_lower``, ``ci_upper``, and ``p_equal``, the p-value of the Wald test that all
        components have one mean, NaN for k = 1. Units whose value is missing count for no mean.

    Raises
    ------
    SmmixError
        If there is no such column or method, a column has no values, or the correction has no
        answer because the components are hardly told apart.

    References
    ----------
    .. [1] Bolck, A., Croon, M. and Hagenaars, J. (2004). Estimating latent structure models with
       categorical variables: one-step versus three-step estimators. Political Analysis 12, 3-27.
    .. [2] Vermunt, J. K. (2010). Latent class modeling with covariates: two improved three-step
       approaches. Political Analysis 18, 450-469.
    .. [3] Bakk, Z., Oberski, D. L. and Vermunt, J. K. (2014). Relating latent class assignments to
       external variables: standard errors for correct inference. Political Analysis 22, 520-540.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.grunfeld.load_pandas().data
    >>> results = smmix.from_formula("invest ~ value", data, k=2, groups="firm").fit()
    >>> results.profiles("capital")["mean"].round(0).tolist()
    [209.0, 472.0]
    """
    fitted = fitted_of(results)
    check_choice("method", method, list(METHODS))
    reach, at, parts = fitted.quantile(alpha), Assignment.of(fitted), {}
    for name, z in _unit_values(fitted.data, variables):
        known = ~np.isnan(z)
        if not known.any():
            raise SmmixError(f"The variable {name!r} has no values in the rows of the model.")
        mean, influence = METHODS[method](at, np.where(known, z, 0.0), known)
        covariance = at.covariance(influence)
        error = np.sqrt(np.diag(covariance))
        parts[name] = pd.DataFrame(
            {
                "mean": mean,
                "std_err": error,
                "ci_lower": mean - reach * error,
                "ci_upper": mean + reach * error,
                "p_equal": _all_equal(mean, covariance),
            },
            index=fitted.components,
        )
    if not parts:
        raise SmmixError("variables is empty; name the columns to be described.")
    return pd.concat(parts, names=["variable"])


def _all_equal(mean: np.ndarray, covariance: np.ndarray) -> float:
    """P-value of the Wald test that all means are one."""
    contrast = np.diff(np.eye(mean.size), axis=0)
    if not len(contrast):
        return np.nan
    inverse, rank = scaled_inverse(contrast @ covariance @ contrast.T)
    gaps = contrast @ mean
    return float(chi2.sf(gaps @ inverse @ gaps, rank))


def _unit_values(data: Observed, variables: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Names, and values (u,) of the units, NaN where they are not known."""
    frame = _frame(data, variables)
    codes = data.units.codes
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            values = {
                str(name): numbers(column, f"the column {name!r}", frame.index, booleans=True)
            }
        else:
            missing = column.isna().to_numpy()
            levels = pd.Series(column[~missing].unique()).sort_values()
            values = {
                f"{name}[{level}]": np.where(missing, np.nan, (column == level).to_numpy())
                for level in levels
            }
        for label, z in values.items():
            if codes is not None and len(z) == len(codes):
                z = pd.Series(z).groupby(codes).mean().to_numpy()
            yield label, z


def _frame(data: Observed, variables: Any) -> pd.DataFrame:
    """The variables, a row for each row of the model, or for each of its groups."""
    design, labels = data.rows(), data.units.labels
    names = [variables] if isinstance(variables, str) else variables
    if isinstance(names, list | tuple):
        columns = [data.column(name) if is_single(name) else None for name in names]
        for name, column in zip(names, columns, strict=True):
            if column is None:
                raise SmmixError(
                    f"The data of the model have no column {shown(name)}; pass the variables as a "
                    "frame with the labels of the data."
                )
        return pd.DataFrame(dict(zip(names, columns, strict=True)))
    frame = (
        variables.to_frame()
        if isinstance(variables, pd.Series)
        else as_frame(variables, "variables")
    )
    key = design.column_names.get("groups")
    if labels is not None and key is not None and frame.index.name == key:
        twice = frame.index.duplicated()
        if twice.any():
            raise SmmixError(
                f"variables has several rows of group {frame.index[twice][0]!r}; a frame that is "
                f"indexed by {key!r} has one row for each group."
            )
        return frame.reindex(labels)
    return by_label(frame, design.index, "variables")
