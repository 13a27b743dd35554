"""What a fitted mixture says about rows: means, probabilities, distribution and quantiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.family import Family
from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.formula import FormulaSpec
from smmix.formula.rows import by_label
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.mixture.units import log_indicators
from smmix.support.frames import as_frame, numbers, row_name

__all__ = ["WHICH", "Rows", "new_rows", "own_rows", "predict_rows", "with_response"]

WHICH = (
    "mean", "components", "linear", "variance", "prob", "posterior", "label", "cdf", "quantile",
)  # fmt: skip
#: Those of them that mean nothing without the response.
NEED_RESPONSE = ("posterior", "label", "cdf")
#: Stands for a response that is not known; what it gives is thrown away.
START = 1.0
#: Most halvings of the bracket of a quantile; they end when no number lies between its ends.
BISECTIONS = 2000


@dataclass(frozen=True)
class Rows:
    """Rows to predict for; incomplete rows hold NaN.

    Attributes
    ----------
    exog : ndarray, (m, p)
    concomitant : ndarray, (m, q), or None
    offset : ndarray, (m,), or None
    endog : ndarray, (m,), or None
        NaN where the response is not known.
    group_codes : ndarray of int, (m,), or None
        Rows of one group share a component.
    index : Index of length m
    repeat : ndarray, (m,), or None
        How often each row stands in its group.
    membership : ndarray, (m, k), or None
        Log indicators of the components that a row may belong to.
    aux : ndarray, (m, a), or None
        What the family must know of each row beside its response.
    """

    exog: np.ndarray
    concomitant: np.ndarray | None
    offset: np.ndarray | None
    endog: np.ndarray | None
    group_codes: np.ndarray | None
    index: pd.Index
    repeat: np.ndarray | None = None
    membership: np.ndarray | None = None
    aux: np.ndarray | None = None


def own_rows(observed: Observed) -> Rows:
    """The rows that a model was fitted to."""
    design, units = observed.rows(), observed.units
    z, membership = observed.source.z, observed.source.membership
    return Rows(
        design.exog,
        None if z is None else units.to_rows(z),
        design.offset,
        design.endog,
        units.codes,
        design.index,
        design.freq_weights,
        None if membership is None else units.to_rows(membership),
        design.aux,
    )


def with_response(rows: Rows, endog: Any) -> Rows:
    """The same rows with another response, when one is given."""
    return rows if endog is None else replace(rows, endog=_vector(endog, rows.index, "endog"))


def new_rows(
    model: Specification,
    exog: Any,
    *,
    exog_concomitant: Any = None,
    endog: Any = None,
    offset: Any = None,
    groups: Any = None,
    transform: bool = True,
) -> Rows:
    """Rows made from new data, through the formulas when the model has them.

    Raises
    ------
    SmmixError
        If a column is absent or a length does not fit.
    """
    formulas = model.formulas
    if formulas is not None and transform:
        return _from_frame(model, formulas, exog, exog_concomitant, endog, offset, groups)
    if isinstance(exog, pd.Series):
        # One row, labelled by the columns, unless there is one column only.
        exog = exog.to_frame() if len(model.exog_names) == 1 else exog.to_frame().T
    x = _matrix(exog, model.exog_names, "exog")
    index = exog.index if isinstance(exog, pd.DataFrame) else pd.RangeIndex(len(x))
    z = None
    if model.concomitant_names is not None:
        if exog_concomitant is None:
            raise SmmixError(
                "The component probabilities depend on concomitant variables; give them for the "
                f"new rows as exog_concomitant ({len(model.concomitant_names or [])} columns)."
            )
        if isinstance(exog_concomitant, pd.DataFrame) and isinstance(exog, pd.DataFrame):
            exog_concomitant = by_label(exog_concomitant, index, "exog_concomitant")
        z = _matrix(exog_concomitant, model.concomitant_names or [], "exog_concomitant")
    elif exog_concomitant is not None:
        raise SmmixError("exog_concomitant means nothing here: the model has no concomitants.")
    if z is not None and len(z) != len(x):
        raise SmmixError(f"exog_concomitant has {len(z)} rows but exog {len(x)}.")
    return _with_extras(model, Rows(x, z, None, None, None, index), endog, offset, groups)


def _from_frame(
    model: Specification,
    formulas: FormulaSpec,
    exog: Any,
    exog_concomitant: Any,
    endog: Any,
    offset: Any,
    groups: Any,
) -> Rows:
    if exog_concomitant is not None:
        raise SmmixError(
            "exog_concomitant is for models of arrays; put the concomitant variables into the "
            "frame of new data."
        )
    frame = as_frame(exog, "the new data")
    made = formulas.transform(frame)
    response = None
    if endog is None and all(name in frame.columns for name in model.response_columns):
        response = formulas.transform(frame, need_endog=True).endog
    group_name = model.column_names.get("groups")
    if groups is None and group_name is not None and group_name in frame.columns:
        groups = frame[group_name]
    extras = {}
    for argument in ("freq_weights", "known", "trials", "event"):
        name = model.column_names.get(argument)
        if name is not None and name in frame.columns:
            extras[argument] = _vector(frame[name], made.index, f"the column {name!r}")
    known = extras.get("known")
    rows = Rows(
        made.exog,
        made.concomitant,
        made.offset,
        response,
        None,
        made.index,
        extras.get("freq_weights"),
        None if known is None else log_indicators(known, model.k, made.index),
        _trials(model, extras.get("trials"), response is not None or endog is not None),
    )
    event = extras.get("event")
    if event is not None and response is not None:
        rows = replace(rows, endog=np.where(event == 0.0, -response, response))
    return _with_extras(model, rows, endog, offset, groups)


def _trials(
    model: Specification, trials: np.ndarray | None, has_response: bool
) -> np.ndarray | None:
    """Trials (m, 1) of new rows; rows without them have one each, which a response may not."""
    name = model.column_names.get("trials")
    if trials is None and name is not None and has_response:
        raise SmmixError(
            f"The new data have a response but no column {name!r} of its trials; add it, or leave "
            f"out the column {model.endog_name!r}."
        )
    return None if trials is None else trials[:, None]


def _with_extras(model: Specification, rows: Rows, endog: Any, offset: Any, groups: Any) -> Rows:
    """Attach what the caller gives per row; an offset of the model that is not given is zero."""
    response = rows.endog if endog is None else _vector(endog, rows.index, "endog")
    shift = rows.offset if offset is None else _vector(offset, rows.index, "offset")
    codes = None
    if groups is not None:
        if not model.grouped:
            raise SmmixError("The model has no groups, so leave groups out of the call.")
        if np.ndim(groups) != 1:
            n = len(rows.index)
            raise SmmixError(f"groups must have {n} values, one for each new row.")
        codes, _ = pd.factorize(_per_row(groups, rows.index, "groups"))
        # A row whose group is not known stands alone.
        alone = codes < 0
        codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return replace(rows, endog=response, offset=shift, group_codes=codes)


def _matrix(values: Any, names: list[str], what: str) -> np.ndarray:
    if isinstance(values, pd.Series):
        values = values.to_frame() if len(names) == 1 else values.to_frame().T
    if isinstance(values, pd.DataFrame):
        if all(name in values.columns for name in names):
            values = values[names]
        columns = [
            numbers(values.iloc[:, i], f"{what} column {name!r}", values.index, booleans=True)
            for i, name in enumerate(values.columns)
        ]
        array = np.column_stack(columns) if columns else np.empty((len(values), 0))
    else:
        try:
            array = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise SmmixError(f"{what} must hold numbers ({error}).") from error
        if array.ndim == 1:
            array = array[:, None] if len(names) == 1 else array[None, :]
    if array.ndim != 2 or array.shape[1] != len(names):
        raise SmmixError(
            f"{what} has the shape {array.shape}; it must have {len(names)} columns: "
            f"{', '.join(names)}."
        )
    infinite = np.isinf(array)
    if infinite.any():
        row, column = (int(i) for i in np.argwhere(infinite)[0])
        raise SmmixError(f"The column {names[column]!r} of {what} is infinite in row {row}.")
    return array


def _per_row(values: Any, index: pd.Index, what: str) -> pd.Series:
    """One value for each row: by label where the values have labels, else by position."""
    if isinstance(values, pd.DataFrame) and values.shape[1] == 1:
        values = values.iloc[:, 0]
    if isinstance(values, pd.Series):
        return by_label(values, index, what)
    column = pd.Series(np.asarray(values).ravel())
    if len(column) != len(index):
        raise SmmixError(f"{what} has {len(column)} values for {len(index)} new rows.")
    return column


def _vector(values: Any, index: pd.Index, what: str) -> np.ndarray:
    if np.ndim(values) == 0:
        values = np.full(len(index), values)
    column = _per_row(values, index, what)
    array = numbers(column, what, index, booleans=what == "offset")
    if np.isinf(array).any():
        raise SmmixError(
            f"{what} is infinite in {row_name(index, int(np.argmax(np.isinf(array))))}."
        )
    return array


def linear_predictors(params: MixtureParams, rows: Rows) -> np.ndarray:
    """X'b of each component plus its offset, (m, k)."""
    eta: np.ndarray = rows.exog @ params.coef[0].T
    return eta if rows.offset is None else eta + rows.offset[:, None]


def component_means(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """Mean of y within each component, (m, k)."""
    return Law.of(model, params, rows).means


def prior_probabilities(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """P(component | z), (m, k); NaN where the concomitant variables are."""
    probability = model.mixing.prior(params.mixing, rows.concomitant).probability[0].T
    if probability.shape[0] == 1:
        probability = np.tile(probability, (len(rows.index), 1))
        # A row that cannot be predicted for has no other prediction either.
        probability[np.isnan(rows.exog).any(axis=1)] = np.nan
    return probability


@dataclass(frozen=True)
class Law:
    """The distribution of y in rows under one parameter set.

    Attributes
    ----------
    family : Family
    aux : ndarray, (m, a), or None
    eta : ndarray, (1, k, m)
        Linear predictors; NaN where a row is incomplete.
    nuisance : ndarray, (1, k, d)
    prior : ndarray, (m, k)
        Probabilities of the components.
    """

    family: Family
    aux: np.ndarray | None
    eta: np.ndarray
    nuisance: np.ndarray
    prior: np.ndarray

    @classmethod
    def of(cls, model: Specification, params: MixtureParams, rows: Rows) -> Law:
        """The law of rows at parameters (S = 1)."""
        eta = np.ascontiguousarray(linear_predictors(params, rows).T)[None]
        prior = prior_probabilities(model, params, rows)
        return cls(model.family, rows.aux, eta, params.nuisance, prior)

    @cached_property
    def means(self) -> np.ndarray:
        """Mean within each component, (m, k)."""
        return self._rows(self.family.mean(self.aux, self.eta, self.nuisance))

    @property
    def mean(self) -> np.ndarray:
        """Mean of the mixture, (m,)."""
        return np.asarray((self.prior * self.means).sum(axis=1))

    @property
    def variance(self) -> np.ndarray:
        """Variance of the mixture, (m,): within the components and between their means."""
        within = self._rows(self.family.variance(self.aux, self.eta, self.nuisance))
        between = (self.means - self.mean[:, None]) ** 2
        return np.asarray((self.prior * (within + between)).sum(axis=1))

    def log_density(self, y: np.ndarray) -> np.ndarray:
        """Log-density of y within each component, (m, k)."""
        with np.errstate(all="ignore"):
            working = self.family.evaluate(y, self.aux, self.eta.copy(), self.nuisance)
        return self._rows(working.log_density)

    def cdf(self, y: np.ndarray, *, below: bool = False) -> np.ndarray:
        """P(Y <= y), or P(Y < y) with ``below``, under the mixture, (m,)."""
        function = self.family.cdf_below if below else self.family.cdf
        values = self._rows(function(y, self.aux, self.eta, self.nuisance))
        return np.asarray((self.prior * values).sum(axis=1))

    def log_tails(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logs of P(Y <= y) and P(Y > y) within each component, (m, k)."""
        with np.errstate(divide="ignore"):
            lower, upper = self.family.log_tails(y, self.aux, self.eta, self.nuisance)
        return self._rows(lower), self._rows(upper)

    def quantile(self, q: float) -> np.ndarray:
        """Smallest y with P(Y <= y) >= q under the mixture, (m,).

        By bisection between the quantiles of the components.
        """
        ends = self._rows(self.family.quantile(q, self.aux, self.eta, self.nuisance))
        lower, upper = ends.min(axis=1), ends.max(axis=1)
        found = self.cdf(lower) >= q
        with np.errstate(invalid="ignore"):
            for _ in range(BISECTIONS):
                middle = lower + 0.5 * (upper - lower)
                if not ((lower < middle) & (middle < upper) & ~found).any():
                    break
                below = self.cdf(middle) < q
                lower, upper = np.where(below, middle, lower), np.where(below, upper, middle)
        return np.where(found, ends.min(axis=1), upper)

    @staticmethod
    def _rows(values: np.ndarray) -> np.ndarray:
        """Values (1, k, m) as (m, k)."""
        return np.ascontiguousarray(np.asarray(values)[0].T)


def posterior_probabilities(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """P(component | y, x, z), (m, k); the prior where y is not known."""
    law = Law.of(model, params, rows)
    prior = law.prior
    y = np.full(len(rows.index), np.nan) if rows.endog is None else rows.endog
    unknown = np.isnan(y)
    told = law.log_density(np.where(unknown, START, y))
    told[unknown] = 0.0
    told[np.isnan(prior).any(axis=1)] = np.nan
    if rows.group_codes is not None and rows.repeat is not None:
        told *= rows.repeat[:, None]
    if rows.membership is not None:
        told += rows.membership
    with np.errstate(divide="ignore"):
        log_prior = np.log(prior)
    if rows.group_codes is not None:
        told, log_prior = _shared(told, log_prior, rows.group_codes)
    joint = told + log_prior
    joint -= joint.max(axis=1, keepdims=True)
    np.exp(joint, out=joint)
    result: np.ndarray = joint / joint.sum(axis=1, keepdims=True)
    return result


def _shared(
    told: np.ndarray, log_prior: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What all rows of a group tell together, and the prior of their first row, for every row."""
    complete = ~np.isnan(told).any(axis=1)
    sums = np.zeros((codes.max(initial=-1) + 1, told.shape[1]))
    np.add.at(sums, codes[complete], told[complete])
    _, first = np.unique(codes, return_index=True)
    return np.where(complete[:, None], sums[codes], np.nan), log_prior[first][codes]


def predict_rows(
    model: Specification, params: MixtureParams, rows: Rows, which: str, q: Any = 0.5
) -> pd.Series | pd.DataFrame:
    """Predictions for rows, labelled by their index.

    Parameters
    ----------
    model : Specification
    params : MixtureParams
    rows : Rows
    which : str
        One of `WHICH`.
    q : float or sequence of float
        Levels of the quantiles.

    Returns
    -------
    Series, or DataFrame with a column per component (or per level)

    Raises
    ------
    SmmixError
        If there is no such prediction, or it needs a response that is not given.
    """
    if which not in WHICH:
        raise SmmixError(f"which must be one of {', '.join(map(repr, WHICH))}, not {which!r}.")
    components = pd.RangeIndex(model.k, name="component")
    if which == "prob":
        prior = prior_probabilities(model, params, rows)
        return pd.DataFrame(prior, rows.index, components)
    if which in NEED_RESPONSE and rows.endog is None:
        advice = "" if which == "cdf" else "; for probabilities without it use which='prob'"
        raise SmmixError(
            f"which={which!r} needs the response: put {model.endog_name!r} into the new data, or "
            f"pass it as endog={advice}."
        )
    if which in ("posterior", "label"):
        posterior = posterior_probabilities(model, params, rows)
        table = pd.DataFrame(posterior, rows.index, components)
        return table if which == "posterior" else labels_of(posterior, rows.index)
    if which == "linear":
        return pd.DataFrame(linear_predictors(params, rows), rows.index, components)
    law = Law.of(model, params, rows)
    if which == "components":
        return pd.DataFrame(law.means, rows.index, components)
    if which == "cdf":
        return pd.Series(law.cdf(rows.endog), rows.index, name="cdf")
    if which == "quantile":
        return _quantiles(q, law, rows.index)
    return pd.Series(law.mean if which == "mean" else law.variance, rows.index, name=which)


def labels_of(posterior: np.ndarray, index: pd.Index) -> pd.Series:
    """The component of highest posterior; missing where the posterior is."""
    unknown = np.isnan(posterior).any(axis=1)
    labels = np.where(unknown, 0, np.where(unknown[:, None], 0.0, posterior).argmax(axis=1))
    series = pd.Series(labels, index, name="component", dtype="int64")
    return series.astype("Int64").mask(unknown) if unknown.any() else series


def _quantiles(q: Any, law: Law, index: pd.Index) -> pd.Series | pd.DataFrame:
    try:
        levels = np.asarray(q, dtype=float)
    except (TypeError, ValueError):
        raise SmmixError(f"q must be a number, or a list of numbers, not {q!r}.") from None
    if not ((levels > 0.0) & (levels < 1.0)).all():
        raise SmmixError(f"q must lie strictly between 0 and 1, not {q!r}.")
    if levels.ndim == 0:
        return pd.Series(law.quantile(float(levels)), index, name="quantile")
    return pd.DataFrame({float(level): law.quantile(float(level)) for level in levels}, index)
