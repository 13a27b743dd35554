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
from smmix.mixture.effects import conditional_means, group_densities
from smmix.mixture.observed import Observed
from smmix.mixture.response import seen
from smmix.mixture.rows import Rows
from smmix.mixture.specification import Specification
from smmix.support.checks import check_choice, shown
from smmix.support.frames import row_name

__all__ = [
    "WHICH",
    "Law",
    "component_means",
    "labels_of",
    "of_units",
    "posterior_given",
    "predict_rows",
    "prior_probabilities",
    "response_densities",
    "unit_concomitant",
]

WHICH = (
    "mean", "components", "linear", "variance", "prob", "posterior", "label", "cdf", "quantile",
    "conditional",
)  # fmt: skip
#: Those of them that mean nothing without the response.
NEED_RESPONSE = ("posterior", "label", "cdf")
#: Stands for a response that is not known; what it gives is thrown away.
START = 1.0
#: Halvings that leave no double between the ends of any bracket.
BISECTIONS = 64


def linear_predictors(params: MixtureParams, rows: Rows) -> np.ndarray:
    """X'b of each component plus its offset, (m, k)."""
    eta: np.ndarray = rows.exog @ params.coef[0].T
    return eta if rows.offset is None else eta + rows.offset[:, None]


def component_means(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """Mean of y within each component, (m, k)."""
    return Law.of(model, params, rows).means


def prior_probabilities(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """P(component | z), (m, k); NaN where the concomitant variables are."""
    z = unit_concomitant(rows)
    probability = model.mixing.prior(params.mixing, z).probability[0].T
    if probability.shape[0] == 1:
        probability = np.tile(probability, (len(rows.index), 1))
        # A row that cannot be predicted for has no other prediction either.
        probability[np.isnan(rows.exog).any(axis=1)] = np.nan
    return probability


def unit_concomitant(rows: Rows) -> np.ndarray | None:
    """Mixing design of the unit that each row belongs to, (m, q)."""
    return None if rows.concomitant is None else of_units(rows.concomitant, rows)


def of_units(values: np.ndarray, rows: Rows) -> np.ndarray:
    """Values (m, ..) of the row that counts for each row's group; a row's own without groups.

    As in the fit that is the first row in which nothing is missing, or else the first whose
    concomitant variables are known. Rows that are incomplete themselves keep their NaN.
    """
    codes = rows.group_codes
    if codes is None or not len(codes):
        return values
    known = ~np.isnan(rows.exog).any(axis=1)
    if rows.concomitant is not None:
        known &= ~np.isnan(rows.concomitant).any(axis=1)
    complete = known.copy()
    if rows.endog is not None:
        complete &= ~np.isnan(rows.endog)
    if rows.repeat is not None:
        complete &= rows.repeat > 0.0
    first = np.empty(codes.max() + 1, dtype=np.intp)
    # The last to be written stays: rows in the order of what counts least to what counts most.
    for rank in (np.ones_like(known), known, complete):
        at = np.flatnonzero(rank)[::-1]
        first[codes[at]] = at
    result: np.ndarray = values[first][codes]
    result[~known] = np.nan
    return result


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
        return self.mixed(self.means)

    @property
    def variance(self) -> np.ndarray:
        """Variance of the mixture, (m,): within the components and between their means."""
        within = self._rows(self.family.variance(self.aux, self.eta, self.nuisance))
        with np.errstate(invalid="ignore"):
            between = (self.means - self.mean[:, None]) ** 2
        return self.mixed(within + between)

    def mixed(self, values: np.ndarray) -> np.ndarray:
        """Sum (m,) of what the components have (m, k), weighted with their probabilities.

        A component of probability zero adds nothing, whatever it has.
        """
        with np.errstate(invalid="ignore"):
            parts = self.prior * values
        return np.asarray(np.where(self.prior == 0.0, 0.0, parts).sum(axis=1))

    def only(self, c: int) -> Law:
        """The law of component ``c`` by itself."""
        one = np.zeros_like(self.prior)
        one[:, c] = 1.0
        one[np.isnan(self.prior).any(axis=1)] = np.nan
        return replace(self, prior=one)

    def repeated(self, positions: np.ndarray) -> Law:
        """The law of the rows at ``positions``."""
        aux = None if self.aux is None else self.aux[positions]
        eta = np.ascontiguousarray(self.eta[:, :, positions])
        return Law(self.family, aux, eta, self.nuisance, self.prior[positions])

    def log_density(self, y: np.ndarray) -> np.ndarray:
        """Log-density of y within each component, (m, k)."""
        with np.errstate(all="ignore"):
            working = self.family.evaluate(y, self.aux, self.eta.copy(), self.nuisance)
        return self._rows(working.log_density)

    def cdf(self, y: np.ndarray, *, below: bool = False) -> np.ndarray:
        """P(Y <= y), or P(Y < y) with ``below``, under the mixture, (m,)."""
        function = self.family.cdf_below if below else self.family.cdf
        values = self._rows(function(y, self.aux, self.eta, self.nuisance))
        return self.mixed(values)

    def log_tails(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logs of P(Y <= y) and P(Y > y) within each component, (m, k)."""
        with np.errstate(divide="ignore"):
            lower, upper = self.family.log_tails(y, self.aux, self.eta, self.nuisance)
        return self._rows(lower), self._rows(upper)

    def quantile(self, q: float) -> np.ndarray:
        """Smallest y with P(Y <= y) >= q under the mixture, (m,).

        By bisection between the quantiles of the components, over the doubles in their order, so
        that the number of steps has a bound even where one of them is infinite.
        """
        ends = self._rows(self.family.quantile(q, self.aux, self.eta, self.nuisance))
        absent = self.prior == 0.0
        lowest = np.where(absent, np.inf, ends).min(axis=1)
        highest = np.where(absent, -np.inf, ends).max(axis=1)
        unknown = np.isnan(lowest) | np.isnan(highest) | np.isnan(self.prior).any(axis=1)
        lower, upper = (_rank(np.where(unknown, 0.0, end)) for end in (lowest, highest))
        found = ~unknown & (self.cdf(lowest) >= q)
        for _ in range(BISECTIONS):
            middle = (lower >> 1) + (upper >> 1) + (lower & upper & 1)
            if not ((lower < middle) & (middle < upper) & ~found & ~unknown).any():
                break
            below = self.cdf(_of_rank(middle)) < q
            lower, upper = np.where(below, middle, lower), np.where(below, upper, middle)
        return np.where(unknown, np.nan, np.where(found, lowest, _of_rank(upper)))

    @staticmethod
    def _rows(values: np.ndarray) -> np.ndarray:
        """Values (1, k, m) as (m, k)."""
        return np.ascontiguousarray(np.asarray(values)[0].T)


def _rank(values: np.ndarray) -> np.ndarray:
    """Place of doubles in their order, as whole numbers."""
    bits = (values + 0.0).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _of_rank(ranks: np.ndarray) -> np.ndarray:
    bits = np.where(ranks < 0, np.int64(-(2**63)) - ranks, ranks)
    return np.ascontiguousarray(bits).view(np.float64)


def posterior_probabilities(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """P(component | y, x, z), (m, k); the prior where y is not known."""
    prior, told = prior_probabilities(model, params, rows), response_densities(model, params, rows)
    if model.spec.random is not None:
        told, rows = group_densities(model, params, rows), replace(rows, group_codes=None)
    return posterior_given(told, prior, rows, model.endog_name)


def response_densities(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """Log-densities of the responses (m, k), zero where y is not known."""
    law = Law.of(model, params, rows)
    y = np.full(len(rows.index), np.nan) if rows.endog is None else rows.endog
    unknown = np.isnan(y)
    _refuse_impossible(model, rows, y, unknown | np.isnan(law.prior).any(axis=1))
    told = law.log_density(np.where(unknown, START, y))
    told[unknown] = 0.0
    told[np.isnan(law.prior).any(axis=1)] = np.nan
    return told


def posterior_given(told: np.ndarray, prior: np.ndarray, rows: Rows, name: str) -> np.ndarray:
    """P(component | what the rows tell), (m, k), from log-densities and priors (m, k).

    ``name`` is that of the response, for messages.
    """
    told = np.where(np.isnan(prior).any(axis=1)[:, None], np.nan, told)
    if rows.group_codes is not None and rows.repeat is not None:
        told *= rows.repeat[:, None]
    if rows.membership is not None:
        told += rows.membership
    with np.errstate(divide="ignore"):
        log_prior = np.log(prior)
    if rows.group_codes is not None:
        told = _shared(told, rows.group_codes)
    joint = told + log_prior
    highest = joint.max(axis=1, keepdims=True)
    if (highest == -np.inf).any():
        where = row_name(rows.index, int(np.argmax(highest == -np.inf)))
        raise SmmixError(
            f"The response {name!r} is so far from all components in {where} that its "
            "density is zero in double precision; check its units."
        )
    joint -= highest
    np.exp(joint, out=joint)
    result: np.ndarray = joint / joint.sum(axis=1, keepdims=True)
    return result


def _refuse_impossible(
    model: Specification, rows: Rows, y: np.ndarray, incomplete: np.ndarray
) -> None:
    """Refuse a response that no component can have, of which nothing is told."""
    if rows.aux is not None:
        incomplete = incomplete | np.isnan(rows.aux).any(axis=1)
    used = np.flatnonzero(~incomplete)
    refusal = model.family.refuse(y[used], None if rows.aux is None else rows.aux[used])
    if refusal is not None:
        position, need = refusal
        raise SmmixError(
            f"The response {model.endog_name!r} is not possible in "
            f"{row_name(rows.index, used[position])}; {need}."
        )


def _shared(told: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """What all rows of a group tell together, for every row."""
    complete = ~np.isnan(told).any(axis=1)
    sums = np.zeros((codes.max(initial=-1) + 1, told.shape[1]))
    np.add.at(sums, codes[complete], told[complete])
    return np.where(complete[:, None], sums[codes], np.nan)


def predict_rows(
    model: Specification,
    params: MixtureParams,
    rows: Rows,
    which: str,
    q: Any = 0.5,
    observed: Observed | None = None,
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
    observed : Observed, optional
        Rows of the fit, which know its groups.

    Returns
    -------
    Series, or DataFrame with a column per component (or per level)

    Raises
    ------
    SmmixError
        If there is no such prediction, or it needs a response that is not given.
    """
    check_choice("which", which, WHICH)
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
    if which == "conditional":
        if model.spec.random is None:
            raise SmmixError(
                "which='conditional' is for models with random effects; use which='mean'."
            )
        posterior = posterior_probabilities(model, params, rows)
        means = conditional_means(model, params, rows, posterior, observed)
        return pd.Series(means, rows.index, name=which)
    if which == "linear":
        return pd.DataFrame(linear_predictors(params, rows), rows.index, components)
    law = Law.of(model, params, rows)
    if which == "components":
        return pd.DataFrame(law.means, rows.index, components)
    if which == "cdf":
        assert rows.endog is not None, "refused above"
        return pd.Series(law.cdf(seen(model, rows.endog, rows.aux)), rows.index, name="cdf")
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
        raise SmmixError(f"q must be a number, or a list of numbers, not {shown(q)}.") from None
    if not ((levels > 0.0) & (levels < 1.0)).all():
        raise SmmixError(f"q must lie strictly between 0 and 1, not {shown(q)}.")
    if levels.ndim == 0:
        return pd.Series(law.quantile(float(levels)), index, name="quantile")
    return pd.DataFrame({float(level): law.quantile(float(level)) for level in levels}, index)
