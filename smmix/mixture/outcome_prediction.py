"""What a fitted mixture of several outcomes says about rows: of each outcome, or of the row."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.mixture.fitted import Fitted
from smmix.mixture.outcomes import checked_outcome, marginal
from smmix.mixture.prediction import (
    WHICH,
    labels_of,
    posterior_given,
    predict_rows,
    prior_probabilities,
    response_densities,
)
from smmix.mixture.rows import Rows, new_rows, own_rows
from smmix.support.checks import check_choice

__all__ = ["OF_ROWS", "outcome_names", "predict_outcomes", "refuse_arrays"]

#: What is predicted of a row as a whole, and not of its outcomes.
OF_ROWS = ("prob", "posterior", "label")


def outcome_names(fitted: Fitted, outcome: Any) -> list[str]:
    """The outcome asked for, or all of them.

    Raises
    ------
    SmmixError
        If the model has no such outcome.
    """
    if outcome is not None:
        checked_outcome(fitted.specification, outcome)
        return [outcome]
    return [one.endog_name for one in fitted.specification.outcomes]


def refuse_arrays(transform: bool = True, **given: Any) -> None:
    """Refuse what a table of new rows has columns for, where there are several outcomes.

    Raises
    ------
    SmmixError
    """
    given["transform"] = None if transform else transform
    for name, value in given.items():
        if value is not None:
            raise SmmixError(
                f"{name} is for one response; with several outcomes put all that belongs to a row "
                "into the table of new data."
            )


def predict_outcomes(
    fitted: Fitted, exog: Any, which: str, q: Any, outcome: Any, groups: Any
) -> pd.Series | pd.DataFrame:
    """Predictions for new rows, or those of the fit, labelled by their index.

    Parameters
    ----------
    fitted : Fitted
    exog : DataFrame or None
        New rows; None for those of the fit.
    which : str
        One of `WHICH`.
    q : float or sequence of float
    outcome : str or None
        Of all outcomes each has a column, or columns below it.
    groups : array_like or None
        Groups of the new rows.

    Returns
    -------
    Series or DataFrame

    Raises
    ------
    SmmixError
        If there is no such prediction, or a column is absent.
    """
    check_choice("which", which, WHICH)
    if which == "conditional":
        raise SmmixError("which='conditional' is for models with random effects.")
    names = outcome_names(fitted, outcome)
    if which in OF_ROWS and outcome is not None:
        raise SmmixError(
            f"which={which!r} is about a row with all its outcomes; leave outcome out."
        )
    if exog is None and which in OF_ROWS:
        raise SmmixError(f"results.{'labels' if which == 'label' else 'posterior'} has the rows.")
    found = {}
    made = {}
    for name in names:
        own = marginal(fitted, name)
        made[name] = own_rows(own.data) if exog is None else _new_rows(own, exog, groups)
        if which not in OF_ROWS:
            table = predict_rows(own.specification, own.unpacked, made[name], which, q)
            found[name] = table if exog is not None else _placed(fitted, own, table)
    if which in OF_ROWS:
        return _of_rows(fitted, list(made.values()), which)
    if outcome is not None:
        return found[outcome]
    return pd.concat(found, axis=1, names=["outcome"])


def _new_rows(own: Fitted, exog: Any, groups: Any) -> Rows:
    return new_rows(own.specification, exog, groups=groups)


def _placed(fitted: Fitted, own: Fitted, table: Any) -> Any:
    """Predictions for an outcome's rows among all rows of the fit, missing where it is."""
    index, first, _ = fitted.data.rows_of_data()
    rows, values = fitted.data.rows().positions[first], table.to_numpy()
    full = np.full((len(rows), *values.shape[1:]), np.nan)
    full[np.searchsorted(rows, own.data.rows().positions)] = values
    if isinstance(table, pd.Series):
        return pd.Series(full, index, name=table.name)
    return pd.DataFrame(full, index, table.columns)


def _of_rows(fitted: Fitted, made: list[Rows], which: str) -> pd.Series | pd.DataFrame:
    """Probabilities of the components, or labels, of rows with all that is known of them."""
    outcomes = fitted.specification.outcomes
    params = [marginal(fitted, one.endog_name).unpacked for one in outcomes]
    together = _together(made)
    prior = prior_probabilities(outcomes[0], params[0], together)
    if which == "prob":
        return pd.DataFrame(prior, together.index, fitted.components)
    if all(rows.endog is None for rows in made):
        names = ", ".join(one.endog_name for one in outcomes)
        raise SmmixError(
            f"which={which!r} needs a response: put one or more of {names} into the new data; for "
            "probabilities without them use which='prob'."
        )
    told = [
        _known(response_densities(one, own, rows))
        for one, own, rows in zip(outcomes, params, made, strict=True)
    ]
    name = fitted.specification.endog_name
    posterior = posterior_given(np.sum(told, axis=0), prior, together, name)
    if which == "label":
        return labels_of(posterior, together.index)
    return pd.DataFrame(posterior, together.index, fitted.components)


def _known(told: np.ndarray) -> np.ndarray:
    """Log-densities of an outcome, zero where it is not known."""
    return np.where(np.isnan(told), 0.0, told)


def _together(made: list[Rows]) -> Rows:
    """Rows that are complete where one of their outcomes is."""
    first = made[0]
    unknown = [np.isnan(rows.exog).any(axis=1) for rows in made]
    seen = [
        missing | (np.isnan(rows.endog) if rows.endog is not None else True)
        for missing, rows in zip(unknown, made, strict=True)
    ]
    z = None
    if first.concomitant is not None:
        z = reduce(_else, [rows.concomitant for rows in made])
    return replace(
        first,
        exog=np.where(np.all(unknown, axis=0), np.nan, 0.0)[:, None],
        endog=np.where(np.all(seen, axis=0), np.nan, 0.0),
        concomitant=z,
    )


def _else(one: Any, other: Any) -> Any:
    """Values, and others where they are missing."""
    return np.where(np.isnan(one), other, one)
