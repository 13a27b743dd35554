"""What is fitted, without its rows: families, parameters, restrictions, and names of columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from smmix.core.family import Family
from smmix.core.family_list import FamilyList, members
from smmix.core.mixing import Mixing
from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams, ParamLayout
from smmix.errors import SmmixError
from smmix.families import family_from_plain
from smmix.formula import Design, FormulaSpec
from smmix.mixing.constant import ConstantMixing
from smmix.mixing.multinomial import MultinomialMixing
from smmix.mixture.hypotheses import fixed_values
from smmix.mixture.parameters import COEF, MIXING, NUISANCE, ParameterTable
from smmix.mixture.per_component import checked_present
from smmix.mixture.ranges import allowed, checked, refuse_held_entries
from smmix.mixture.restrictions import (
    Equalities,
    refuse_out_of_range,
    restricted,
    solve_equalities,
)

__all__ = ["Specification"]

#: Attributes that are plain values, and are written down where they are not empty.
ALSO = ("exog_terms", "concomitant_terms", "common", "sampled", "hasconst", "k_constant", "fixed")


@dataclass(frozen=True, eq=False)
class Specification:
    """A mixture of regressions without its rows; small, and it pickles.

    Attributes
    ----------
    family : Family
    mixing : Mixing
    shared : set of str
        Nuisance parameters that all components share by the model itself.
    parameters : ParameterTable
    endog_name : str
    exog_names : list of str
    concomitant_names : list of str or None
        None without concomitant variables.
    exog_terms, concomitant_terms : dict
        Term to its columns.
    common : list of str
        Columns whose coefficients all components share.
    present : ndarray of bool, (k, p)
        Which component has which column.
    column_names : dict
        Argument (groups, freq_weights, ..) to the column that it names.
    response_columns : list of str
        Columns of a table that the response is made of.
    formulas : FormulaSpec or None
        Make the columns from new tables.
    formula, concomitant : object
        As given.
    grouped, sampled : bool
        Whether rows of a group share their component, and whether rows have sampling weights,
        under which the likelihood is a pseudo-likelihood.
    told_apart : set of int
        Components that known members tell apart.
    hasconst : bool or None
        As given.
    k_constant : int
        Whether the columns have a constant.
    fixed : dict
        Parameters held, and their values.
    equalities : Equalities or None
        All further linear equalities of the parameters.
    outcomes : tuple of Specification
        Each outcome by itself, where there are several.
    """

    family: Family
    mixing: Mixing
    shared: frozenset[str]
    parameters: ParameterTable
    endog_name: str
    exog_names: list[str]
    concomitant_names: list[str] | None
    exog_terms: dict[str, list[int]] = field(default_factory=dict)
    concomitant_terms: dict[str, list[int]] = field(default_factory=dict)
    common: list[str] = field(default_factory=list)
    present: np.ndarray = field(default_factory=lambda: np.ones((1, 1), dtype=bool))
    column_names: dict[str, str] = field(default_factory=dict)
    response_columns: list[str] = field(default_factory=list)
    formulas: FormulaSpec | None = None
    formula: Any = None
    concomitant: str | None = None
    grouped: bool = False
    sampled: bool = False
    told_apart: frozenset[int] = frozenset()
    hasconst: bool | None = None
    k_constant: int = 0
    fixed: Mapping[str, float] = field(default_factory=dict)
    equalities: Equalities | None = None
    outcomes: tuple[Specification, ...] = ()

    @classmethod
    def of(
        cls,
        design: Design,
        k: int,
        *,
        family: Family,
        shared: frozenset[str] = frozenset(),
        fixed: Any = None,
        present: Any = None,
        **about: Any,
    ) -> Specification:
        """The mixture of a design, of which the names alone are read.

        Parameters
        ----------
        design : Design
        k : int
        family : Family
        shared : set of str
            Nuisance parameters that all components share.
        fixed : dict, optional
        present : array_like of bool, (k, p), optional
        **about
            The attributes that a design does not tell: ``response_columns``, ``grouped``, ..

        Raises
        ------
        SmmixError
            If an option makes no sense for the design.
        """
        names = design.concomitant_names
        mask = checked_present(present, k, design) & columns_of(family, k, design)
        free = cls(
            family,
            MultinomialMixing() if names is not None else ConstantMixing(),
            shared,
            _table(family, k, design.exog_names, names, shared, design.common_names, mask),
            design.endog_name,
            design.exog_names,
            names,
            design.exog_terms,
            design.concomitant_terms,
            list(design.common_names),
            mask,
            design.column_names,
            formulas=design.formulas,
            **about,
        )
        held = fixed_values({} if fixed is None else fixed, free.param_names)
        if not held:
            return free
        rows = [free.param_names.index(name) for name in held]
        matrix, values = np.eye(free.parameters.size)[rows], np.array([*held.values()])
        return replace(free.restricted(matrix, values, "fixed"), fixed=held)

    # -- parameters -----------------------------------------------------------------------------

    @property
    def layout(self) -> ParamLayout:
        """The core's full parameter vector."""
        return self.parameters.layout

    @property
    def k(self) -> int:
        return self.layout.k

    @property
    def param_names(self) -> list[str]:
        return self.parameters.names

    @property
    def expand(self) -> LinearMap:
        """Full parameter vector = 0/1 matrix times ``params``."""
        return self.parameters.expand

    @property
    def variance(self) -> str:
        """Whether components share their sigma ("equal") or each has its own ("free")."""
        return "equal" if "sigma" in self.shared else "free"

    @property
    def random_cov(self) -> str | None:
        """The covariance of random effects: "free", "equal" or "diagonal"; None without any."""
        random = self.spec.random
        if random is None:
            return None
        if random.diagonal:
            return "diagonal"
        return "equal" if self.shared.issuperset(random.parameters) else "free"

    @cached_property
    def spec(self) -> MixtureSpec:
        """The mixture as the engine reads it."""
        free = MixtureSpec(self.family, self.mixing, self.layout, shared=self.shared)
        return restricted(free, self.parameters, self.equalities)

    @cached_property
    def tangent(self) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of the full (F, R) and visible (V, R) parameters in the free ones."""
        expand, restriction = self.expand.basis, self.spec.restriction
        full = expand if restriction is None else restriction.basis
        return full, np.linalg.lstsq(expand, full, rcond=None)[0]

    @property
    def n_free(self) -> int:
        """Parameters that are free."""
        return self.parameters.size if self.equalities is None else self.equalities.free.size

    @property
    def df_model(self) -> int:
        """Free coefficients beside the constants, less the further restrictions."""
        return self._slopes - (self.parameters.size - self.n_free)

    @property
    def k_extra(self) -> int:
        """Parameters beside the coefficients of one regression."""
        return self.parameters.size - self._slopes - self.k_constant

    @property
    def _slopes(self) -> int:
        constants = sum(
            one.link is not None and one.intercept for one in members(self.family, self.k)
        )
        return self.parameters.positions(COEF).size - constants * self.k_constant

    @property
    def em_keeps_restrictions(self) -> bool:
        """Whether the steps of EM alone stay inside the restrictions."""
        if self.equalities is None:
            return True
        touched = np.flatnonzero(self.equalities.matrix.any(axis=0))
        rows = [self.parameters.rows[i] for i in touched]
        if any(row.kind == MIXING for row in rows):
            return False
        return all(row.term in self.spec.shared for row in rows if row.kind == NUISANCE)

    def unpack(self, params: Any) -> MixtureParams:
        """The core's parameters (one set, S = 1) of a parameter vector."""
        return self.layout.unpack(self.expand.full(np.asarray(params)))

    def check_params(self, params: Any, what: str = "params", positive: bool = True) -> np.ndarray:
        """A parameter vector as an array (V,), refused when it cannot be one."""
        return checked(self.parameters, self.spec.random, params, what, positive)

    def allowed(self, params: np.ndarray) -> np.ndarray:
        """Whether each entry of a parameter vector (V,) lies inside its range, (V,) of bool."""
        return allowed(self.parameters, self.spec.random, params)

    def satisfied(self, params: np.ndarray) -> np.ndarray:
        """An estimate (V,) with its restrictions imposed exactly.

        Raises
        ------
        SmmixError
            If the search ended outside of them.
        """
        if self.equalities is None:
            return params
        exact = self.equalities.impose(params)
        if not np.allclose(params, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max()):
            raise SmmixError(
                "No maximum was found inside the restrictions; give start_params that satisfy "
                "them, or restrictions that the data come nearer to."
            )
        return exact

    # -- others like it -------------------------------------------------------------------------

    def restricted(self, matrix: np.ndarray, values: np.ndarray, what: str) -> Specification:
        """The same under the further equalities ``matrix @ params = values``, from ``what``.

        Raises
        ------
        SmmixError
            If nothing satisfies them.
        """
        if self.equalities is not None:
            matrix = np.concatenate([self.equalities.matrix, matrix])
            values = np.concatenate([self.equalities.values, values])
        refuse_held_entries(self.parameters, self.spec.random, matrix, what)
        equalities = solve_equalities(matrix, values, self.parameters)
        refuse_out_of_range(equalities, self.parameters, what)
        return replace(self, equalities=equalities)

    def with_k(self, k: int) -> Specification:
        """The same with another number of components.

        Raises
        ------
        SmmixError
            If there are restrictions that mean nothing for another k.
        """
        if self.equalities is not None or (self.present != self.present[:1]).any():
            raise SmmixError(
                "The model restricts single components (fixed, constraints, or a formula for "
                "each), which means nothing for another number of components."
            )
        if k == self.k:
            return self
        present = np.repeat(self.present[:1], k, axis=0)
        if isinstance(self.family, FamilyList):
            raise SmmixError(
                "The model lists a family for each component, which means nothing for another "
                "number of components."
            )
        outcomes = tuple(one.with_k(k) for one in self.outcomes)
        return replace(self._laid_out(k, present), outcomes=outcomes)

    def with_present(self, present: np.ndarray, formulas: list[str]) -> Specification:
        """The same where other components have other columns, as a formula for each says."""
        return replace(self._laid_out(self.k, present), formula=formulas)

    def _laid_out(self, k: int, present: np.ndarray) -> Specification:
        table = _table(
            self.family,
            k,
            self.exog_names,
            self.concomitant_names,
            self.shared,
            self.common,
            present,
        )
        return replace(self, parameters=table, present=present)

    # -- as JSON --------------------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any]:
        """Values that JSON has, for `from_plain`.

        Raises
        ------
        SmmixError
            If a formula uses something that has no plain value.
        """
        layout, held = self.layout, self.equalities
        return {
            "k": layout.k,
            "p": layout.p,
            "d": layout.d,
            "q": layout.q,
            "variance": self.variance,
            "family": {"name": self.family.name, **self.family.to_plain()},
            "shared": sorted(self.shared),
            "param_names": list(self.param_names),
            "places": self.parameters.visible.tolist(),
            "endog_name": self.endog_name,
            "exog_names": list(self.exog_names),
            "concomitant_names": self.concomitant_names,
            "column_names": dict(self.column_names),
            "response_columns": list(self.response_columns),
            "grouped": self.grouped,
            **{name: value for name in ALSO if (value := getattr(self, name))},
            "told_apart": sorted(self.told_apart),
            "restrictions": None if held is None else (held.matrix, held.values),
            "formulas": None if self.formulas is None else self.formulas.to_plain(),
            **({"formula": self.formula} if isinstance(self.formula, list) else {}),
            **({"outcomes": [one.to_plain() for one in self.outcomes]} if self.outcomes else {}),
        }

    @classmethod
    def from_plain(cls, given: Mapping[str, Any], *, trust: bool = False) -> Specification:
        """What `to_plain` described.

        Raises
        ------
        SmmixError
            If the description does not hold together, or a formula in it is refused.
        """
        layout = ParamLayout(*(int(given[name]) for name in ("k", "p", "d", "q")))
        # Version 0.1.0 had one family, and said nothing of it.
        family = family_from_plain(given.get("family", {"name": "gaussian"}))
        equal = ["sigma"] if given["variance"] == "equal" else []
        shared = frozenset(given.get("shared", equal))
        columns, mixing = list(given["exog_names"]), given["concomitant_names"]
        table = ParameterTable.placed(
            layout,
            list(given["param_names"]),
            np.asarray(given["places"], dtype=int),
            columns,
            mixing or ["Intercept"],
            family.nuisance,
            family if isinstance(family, FamilyList) else None,
        )
        formulas = None
        if given["formulas"] is not None:
            formulas = FormulaSpec.from_plain(given["formulas"], trust=trust)
        free = cls(
            family,
            MultinomialMixing() if mixing else ConstantMixing(),
            shared,
            table,
            str(given["endog_name"]),
            columns,
            mixing,
            present=table.by_component(COEF) >= 0,
            column_names=dict(given["column_names"]),
            response_columns=list(given["response_columns"]),
            formulas=formulas,
            formula=given.get("formula", None if formulas is None else formulas.formula),
            concomitant=None if formulas is None else formulas.concomitant_formula,
            grouped=bool(given["grouped"]),
            told_apart=frozenset(given.get("told_apart", ())),
            outcomes=tuple(cls.from_plain(one, trust=trust) for one in given.get("outcomes", ())),
            **{name: given[name] for name in ALSO if name in given},
        )
        if given.get("restrictions") is None:
            return free
        matrix, values = given["restrictions"]
        return replace(free, equalities=solve_equalities(matrix, values, table))


def columns_of(family: Family, k: int, design: Design) -> np.ndarray:
    """Which columns mean something to each component, (k, p)."""
    mask = np.ones((k, len(design.exog_names)), dtype=bool)
    constant = [name in ("Intercept", "const") for name in design.exog_names]
    for c, one in enumerate(members(family, k)):
        if one.link is None:
            mask[c] = False
        elif not one.intercept:
            mask[c, constant] = False
    return mask


def _table(
    family: Family,
    k: int,
    columns: list[str],
    mixing_columns: list[str] | None,
    shared: frozenset[str],
    common: list[str],
    present: np.ndarray,
) -> ParameterTable:
    nuisance = family.nuisance
    terms = ["Intercept"] if mixing_columns is None else mixing_columns
    layout = ParamLayout(k, len(columns), len(nuisance), len(terms))
    return ParameterTable.of(
        layout,
        columns,
        terms,
        nuisance,
        shared=shared,
        common=common,
        present=present,
        families=family if isinstance(family, FamilyList) else None,
    )
