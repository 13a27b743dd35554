"""What a fitted mixture says about rows: means, probabilities, distribution and quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.family import Family
from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.mixture.rows import Rows
from smmix.mixture.specification import Specification

__all__ = ["WHICH", "Law", "component_means", "labels_of", "predict_rows", "prior_probabilities"]

WHICH = (
    "mean", "components", "linear", "variance", "prob", "posterior", "label", "cdf", "quantile",
)  # fmt: skip
#: Those of them that mean nothing without the response.
NEED_RESPONSE = ("posterior", "label", "cdf")
#: Stands for a response that is not known; what it gives is thrown away.
START = 1.0
#: Most halvings of the bracket of a quantile; they end when no number lies between its ends.
BISECTIONS = 2000


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

    def component_quantiles(self, q: float) -> np.ndarray:
        """Smallest y with P(Y <= y) >= q within each component, (m, k)."""
        return self._rows(self.family.quantile(q, self.aux, self.eta, self.nuisance))

    def quantile(self, q: float) -> np.ndarray:
        """Smallest y with P(Y <= y) >= q under the mixture, (m,).

        By bisection between the quantiles of the components.
        """
        ends = self.component_quantiles(q)
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
        assert rows.endog is not None, "refused above"
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
