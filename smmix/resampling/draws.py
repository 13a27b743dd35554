"""Random draws from a fitted mixture: the component of each row, and its response."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.family_list import members
from smmix.errors import SmmixError
from smmix.families.mixed_gaussian import MixedGaussian
from smmix.formula import Design
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcome_prediction import refuse_arrays
from smmix.mixture.outcomes import marginal
from smmix.mixture.prediction import Law
from smmix.mixture.rows import Rows, new_rows, own_rows
from smmix.mixture.specification import Specification
from smmix.support.checks import check_whole, generator
from smmix.support.frames import as_frame, is_pandas

__all__ = [
    "ResponseLaw", "observations", "pick_component", "simulate", "take_rows",
]  # fmt: skip


def pick_component(prior: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Component of each row, (m,), from probabilities (m, k) and uniform numbers (m,)."""
    below = np.cumsum(prior, axis=1)[:, :-1]
    picked: np.ndarray = (uniform[:, None] >= below).sum(axis=1)
    return picked


@dataclass(frozen=True)
class ResponseLaw:
    """The distribution of the responses of some rows under a mixture, to draw from many times.

    Attributes
    ----------
    law : Law
    prior : ndarray, (g, k)
        Probabilities of the components of each group of rows (a row by itself is one).
    codes : ndarray of int, (m,)
        Group of each row.
    """

    law: Law
    prior: np.ndarray
    codes: np.ndarray

    @classmethod
    def of(cls, fitted: Fitted, rows: Rows) -> ResponseLaw:
        """The law of ``rows`` under a fit.

        Rows of a group share one component, drawn from the probabilities of the group's first
        row; rows whose component is known keep it.
        """
        law = Law.of(fitted.specification, fitted.unpacked, rows)
        codes = np.arange(len(rows.index)) if rows.group_codes is None else rows.group_codes
        _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
        prior = law.prior[first]
        if rows.membership is not None:
            prior = prior * np.exp(rows.membership[first])
            prior = prior / prior.sum(axis=1, keepdims=True)
        return cls(law, prior, codes)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A response (m,), NaN where the row is incomplete, and a component (m,) for each row."""
        component = pick_component(self.prior, rng.random(len(self.prior)))[self.codes]
        return self.respond(component, rng), component

    def respond(self, component: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A response of each row (m,) from its component, NaN where the row is incomplete."""
        eta, nuisance = self.law.eta, self.law.nuisance
        unknown = np.isnan(eta[0]).any(axis=0) | np.isnan(self.prior).any(axis=1)[self.codes]
        response = np.full(component.size, np.nan)
        families = members(self.law.family, nuisance.shape[1])
        slots = [parameter.name for parameter in self.law.family.nuisance]
        for c, family in enumerate(families):
            rows = np.flatnonzero((component == c) & ~unknown)
            own = [slots.index(parameter.name) for parameter in family.nuisance]
            aux = None if self.law.aux is None else self.law.aux[rows]
            at = nuisance[:, c : c + 1][..., own]
            where = eta[:, c : c + 1, rows]
            if isinstance(family, MixedGaussian):
                drawn = family.sample(aux, where, at, rng, self.codes[rows])
            else:
                drawn = family.sample(aux, where, at, rng)
            response[rows] = drawn[0, 0]
        return response


def simulate(
    results: Fit,
    exog: Any = None,
    nobs: int | None = None,
    rng: Any = 0,
    *,
    exog_concomitant: Any = None,
    offset: Any = None,
    groups: Any = None,
) -> pd.DataFrame:
    """Draw new responses from a fitted mixture.

    Parameters
    ----------
    results : MixtureResults
    exog : DataFrame or array_like, (m, p), optional
        Rows to draw for; by default the rows of the fit, one draw for each observation: a row of
        frequency weight 2 gives two.
    nobs : int, optional
        Number of rows; they are taken from those above at random, with replacement.
    rng : int, Generator, SeedSequence or None
        Seed; the same seed gives the same draws.
    exog_concomitant, offset, groups : array_like, optional
        For the rows of ``exog``, as in ``results.predict``. Rows of a group share a component.

    Returns
    -------
    DataFrame
        The variables of the rows, then the response and ``component``, the component (from 0)
        that each response was drawn from. Both are missing where the row is incomplete.

    Raises
    ------
    SmmixError
        If a column is absent or a length does not fit, or for ``nobs`` with grouped rows.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> list(results.simulate())
    ['income', 'foodexp', 'component']
    """
    rng = generator(rng)
    fitted = fitted_of(results)
    specification = fitted.specification
    if specification.outcomes:
        refuse_arrays(exog_concomitant=exog_concomitant, offset=offset)
        return _simulate_outcomes(fitted, exog, nobs, rng, groups)
    if exog is None:
        if any(given is not None for given in (exog_concomitant, offset, groups)):
            raise SmmixError("exog_concomitant, offset and groups go with the rows of exog.")
        design = fitted.data.rows()
        rows, variables = own_rows(fitted.data), _own_variables(specification, design)
        positions = observations(design.freq_weights, len(rows.index))
    else:
        rows = new_rows(
            specification,
            exog,
            exog_concomitant=exog_concomitant,
            offset=offset,
            groups=groups,
        )
        variables = _new_variables(specification, exog, rows)
        positions = np.arange(len(rows.index))
    if nobs is not None:
        positions = rng.choice(positions, size=_checked_nobs(nobs, rows.group_codes is not None))
    response, component = ResponseLaw.of(fitted, take_rows(rows, positions)).draw(rng)
    drawn = {specification.endog_name: response}
    return _drawn(fitted, variables.iloc[positions], drawn, component)


def _drawn(
    fitted: Fitted, variables: pd.DataFrame, responses: dict[str, np.ndarray], component: np.ndarray
) -> pd.DataFrame:
    """The variables of some rows, responses drawn for them, and their components."""
    if "component" in _names_used(fitted):
        raise SmmixError(
            "The model has a variable called 'component', the name of the column that tells where "
            "a response was drawn from; rename the variable."
        )
    frame = variables.drop(columns="component", errors="ignore").assign(**responses)
    label = pd.Series(component, frame.index)
    unknown = np.all([np.isnan(drawn) for drawn in responses.values()], axis=0)
    frame["component"] = label.astype("Int64").mask(unknown) if unknown.any() else label
    return frame


def _simulate_outcomes(
    fitted: Fitted, exog: Any, nobs: Any, rng: np.random.Generator, groups: Any
) -> pd.DataFrame:
    """All outcomes of rows, those of the fit by default, from one component for each group."""
    specification, table = fitted.specification, exog
    if exog is None:
        if groups is not None:
            raise SmmixError("groups goes with the rows of exog.")
        data = fitted.data.rows()
        first = fitted.data.rows_of_data()[1]
        assert data.frame is not None, "models of formulas keep the columns that these use"
        table, groups = data.frame.iloc[first], None if data.groups is None else data.groups[first]
    table = as_frame(table, "the new data")
    if nobs is not None:
        table = table.iloc[rng.choice(len(table), _checked_nobs(nobs, specification.grouped))]
    variables = table.drop(columns=specification.response_columns, errors="ignore")
    laws = [
        ResponseLaw.of(own, new_rows(own.specification, variables, groups=groups))
        for own in (marginal(fitted, one.endog_name) for one in specification.outcomes)
    ]
    codes, prior = laws[0].codes, np.fmax.reduce([law.prior for law in laws])
    component = pick_component(prior, rng.random(len(prior)))[codes]
    responses = {
        one.endog_name: law.respond(component, rng)
        for one, law in zip(specification.outcomes, laws, strict=True)
    }
    return _drawn(fitted, variables, responses, component)


def observations(freq_weights: np.ndarray | None, n_rows: int) -> np.ndarray:
    """Position of the row of each observation; each row once where weights are not whole."""
    positions = np.arange(n_rows)
    if freq_weights is None or (freq_weights != np.rint(freq_weights)).any():
        return positions
    return np.repeat(positions, freq_weights.astype(int))


def take_rows(rows: Rows, positions: np.ndarray) -> Rows:
    """The rows at some positions."""

    def cut(values: Any) -> Any:
        return None if values is None else values[positions]

    return replace(rows, **{field.name: cut(getattr(rows, field.name)) for field in fields(rows)})


def _checked_nobs(nobs: Any, grouped: bool) -> int:
    check_whole("nobs", nobs)
    if grouped:
        raise SmmixError(
            "Rows that form groups cannot be taken one by one; pass the groups that you want as "
            "exog, without nobs."
        )
    return int(nobs)


def _own_variables(specification: Specification, design: Design) -> pd.DataFrame:
    """The columns that the model was made from, but the response."""
    if design.frame is not None:
        return design.frame.drop(columns=specification.response_columns)
    variables = pd.DataFrame(design.exog, design.index, design.exog_names)
    if design.concomitant is not None:
        names = design.concomitant_names or []
        fresh = [name not in design.exog_names for name in names]
        mixing = pd.DataFrame(design.concomitant, design.index, names)
        variables = pd.concat([variables, mixing.loc[:, fresh]], axis=1)
    if design.groups is not None:
        variables[design.column_names.get("groups", "groups")] = design.groups
    return variables


def _names_used(fitted: Fitted) -> list[str]:
    specification, frame = fitted.specification, fitted.data.design.frame
    columns = [] if frame is None else list(frame.columns)
    return [*specification.exog_names, *(specification.concomitant_names or []), *columns]


def _new_variables(specification: Specification, exog: Any, rows: Rows) -> pd.DataFrame:
    if specification.formulas is not None:
        frame = as_frame(exog, "the new data")
        return frame.drop(columns=specification.response_columns, errors="ignore")
    if is_pandas(exog) and getattr(exog, "ndim", 0) == 2:
        return pd.DataFrame(exog)
    return pd.DataFrame(rows.exog, rows.index, specification.exog_names)
