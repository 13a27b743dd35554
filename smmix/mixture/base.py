"""A mixture of regressions as a statsmodels model: its parameters and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.base.model import GenericLikelihoodModel

from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams, ParamLayout
from smmix.errors import SmmixError
from smmix.families.gaussian import Gaussian
from smmix.formula import Design, refuse_extreme
from smmix.formula.terms import factor_columns
from smmix.mixing.constant import ConstantMixing
from smmix.mixing.multinomial import MultinomialMixing
from smmix.mixture.hypotheses import fixed_values
from smmix.mixture.parameters import (
    Equalities,
    VisibleParams,
    apply_restrictions,
    refuse_held_sigmas,
    solve_equalities,
)
from smmix.mixture.per_component import check_k, checked_present
from smmix.mixture.rows_away import LargeRows, refuse_rows
from smmix.mixture.units import Units, make_source, warn_of_varying_concomitants
from smmix.search.coordinates import PooledFit, pooled_fit

__all__ = ["MixtureModel"]


class MixtureModel(GenericLikelihoodModel):
    """A design with the parameters of its mixture.

    What every mixture of regressions shares, however it is built and fitted; use `MixtureOLS`.
    """

    def _build(
        self,
        design: Design,
        k: int,
        variance: str,
        fixed: Mapping[str, float] | None,
        present: Any,
        hasconst: bool | None,
    ) -> None:
        """Lay out parameters and data; the constructor of both interfaces."""
        check_k(k)
        if variance not in ("free", "equal"):
            raise SmmixError(f"variance must be 'free' or 'equal', not {variance!r}.")
        refuse_extreme(design)
        super().__init__(
            pd.Series(design.endog, design.index, name=design.endog_name, copy=False),
            pd.DataFrame(design.exog, design.index, design.exog_names, copy=False),
            missing="none",
            hasconst=hasconst,
        )
        self.k, self.variance, self.common = int(k), variance, list(design.common_names)
        self.design: Design = design
        self.hasconst = hasconst
        self._table: pd.DataFrame | None = None
        self.large: LargeRows | None = None
        self.response_columns: list[str] = []
        if design.frame is not None:
            self.response_columns = factor_columns([design.endog_name], design.frame.columns)
        self.fixed: Mapping[str, float] = {} if fixed is None else fixed
        self.present = checked_present(present, self.k, design)
        self.formula: Any = None
        self.concomitant: str | None = None
        self.units = Units.of(design.groups)
        self.offset, self.known = design.offset, design.known
        self.prob_weights = design.prob_weights
        self.exog_concomitant = design.concomitant
        if design.freq_weights is not None:
            # statsmodels' sandwich code takes the mere presence of the attribute for weights.
            self.freq_weights = design.freq_weights
        self.nobs: float = (
            design.endog.size if design.freq_weights is None else float(design.freq_weights.sum())
        )
        self.told_apart = frozenset(
            () if design.known is None else design.known[~np.isnan(design.known)].astype(int)
        )
        self._lay_out(design)
        warn_of_varying_concomitants(design, self.units)
        # Made now, so that weights and memberships that make no sense are refused here.
        self.source = make_source(design, self.units, self.k)
        self._data_attr += ["exog_concomitant", "offset", "known", "prob_weights", "freq_weights"]
        self._init_keys = ["k", "exog_concomitant", "groups", "freq_weights", "prob_weights",
                           "offset", "known", "variance", "common", "fixed", "present",
                           "hasconst"]  # fmt: skip

    def _lay_out(self, design: Design) -> None:
        """The parameter vector and what restricts it."""
        z = design.concomitant
        mixing_terms = design.concomitant_names or ["Intercept"]
        layout = ParamLayout(self.k, design.exog.shape[1], 1, 1 if z is None else z.shape[1])
        family = Gaussian()
        shared = frozenset({"sigma"} if self.variance == "equal" else ())
        self.layout = layout
        self.visible = VisibleParams.of(
            layout,
            design.exog_names,
            mixing_terms,
            [parameter.name for parameter in family.nuisance],
            self.variance == "equal",
            [design.exog_names.index(name) for name in design.common_names],
            self.present,
        )
        mixing = ConstantMixing() if z is None else MultinomialMixing()
        self._free_spec = MixtureSpec(family, mixing, layout, shared=shared)
        self.data.param_names = list(self.visible.names)
        self.fixed = fixed_values(self.fixed, self.param_names)
        held = [self.param_names.index(name) for name in self.fixed]
        self._restrict(np.eye(self.visible.size)[held], np.array([*self.fixed.values()]), "fixed")

    def _restrict(self, matrix: np.ndarray, values: np.ndarray, what: str) -> None:
        """Take equalities ``matrix @ params = values``, from ``what``, in, and count anew."""
        self.equalities: Equalities | None = None
        if len(matrix):
            self.equalities = solve_equalities(matrix, values, self.visible)
            refuse_held_sigmas(self.equalities, self.visible, what)
        self.spec = apply_restrictions(self._free_spec, self.visible, self.equalities)
        held = self.visible.kinds[(matrix != 0).any(axis=0)]
        tied = bool(self.spec.shared)
        self.em_keeps_restrictions = "mixing" not in held and (tied or "sigma" not in held)
        size = self.visible.size
        self.n_free = size if self.equalities is None else self.equalities.free.size
        slopes = int((self.visible.kinds == "coef").sum()) - self.k * self.k_constant
        self.df_model = slopes - (size - self.n_free)
        self.k_extra = size - slopes - self.k_constant
        self.df_resid = self.nobs - self.n_free
        self.nparams = self.k_params = size

    def initialize(self) -> None:
        """Nothing: the base class would decompose ``exog`` for counts that are not a mixture's."""

    # -- parameters -----------------------------------------------------------------------------

    @property
    def param_names(self) -> list[str]:
        """Names of the parameters, in the order of ``params``."""
        return list(self.visible.names)

    @property
    def expand(self) -> LinearMap:
        """Full parameter vector of the core = 0/1 matrix times ``params``."""
        return self.visible.expand

    @property
    def group_codes(self) -> np.ndarray | None:
        """Number of the group of each row, (n,), in order of first appearance."""
        return self.units.codes

    @property
    def group_labels(self) -> pd.Index | None:
        """Values of the groups."""
        return self.units.labels

    @property
    def groups(self) -> np.ndarray | None:
        """Groups as given, (n,)."""
        return self.design.groups

    @property
    def exog_terms(self) -> dict[str, list[int]]:
        """Columns of ``exog`` that each term makes."""
        return self.design.exog_terms

    @property
    def concomitant_terms(self) -> dict[str, list[int]]:
        """Columns of the mixing design that each term makes."""
        return self.design.concomitant_terms

    @property
    def missing_rows(self) -> np.ndarray:
        """Positions, in the data as given, of the rows that were left out."""
        return self.design.missing_rows

    def column(self, name: str) -> np.ndarray | None:
        """A column of the table that the model was made from, for the rows used.

        None when there is no such column, or no table: after pickling only the columns that the
        formulas name are left.
        """
        if self._table is not None and name in self._table.columns:
            return np.asarray(self._table[name].iloc[self.design.positions])
        frame = self.design.frame
        return None if frame is None or name not in frame.columns else np.asarray(frame[name])

    def check_params(self, params: Any, what: str = "params", positive: bool = True) -> np.ndarray:
        """A parameter vector as an array (V,), refused when it cannot be one."""
        vector = np.asarray(params)
        if vector.dtype.kind not in "fc":
            try:
                vector = vector.astype(float)
            except (TypeError, ValueError) as error:
                raise SmmixError(f"{what} must be a vector of numbers ({error}).") from error
        if vector.shape != (self.visible.size,):
            raise SmmixError(
                f"{what} has the shape {vector.shape}; it must have {self.visible.size} entries: "
                f"{', '.join(self.param_names)}."
            )
        bad = ~np.isfinite(vector)
        if bad.any():
            raise SmmixError(f"{what}: {self.param_names[int(np.argmax(bad))]} is not finite.")
        if positive and self._has_no_density(vector):
            i = int(np.argmax((self.visible.kinds == "sigma") & (vector.real <= 0.0)))
            raise SmmixError(f"{what}: {self.param_names[i]} = {vector[i]:g} must be positive.")
        return vector

    def _has_no_density(self, params: np.ndarray) -> bool:
        return bool((params.real[self.visible.kinds == "sigma"] <= 0.0).any())

    def unpack(self, params: Any) -> MixtureParams:
        """The core's parameters (one set, S = 1) of a parameter vector."""
        return self.layout.unpack(self.expand.full(np.asarray(params)))

    # -- data -----------------------------------------------------------------------------------

    @cached_property
    def source(self) -> Any:
        """The data in blocks, as the core reads them."""
        return make_source(self.kept_design, self.units, self.k)

    @cached_property
    def pooled(self) -> PooledFit:
        """One regression of all rows."""
        return pooled_fit(self.source)

    @property
    def kept_design(self) -> Design:
        """The data, refused when they are not in memory."""
        if self.endog is None:
            raise refuse_rows(removed=self.large is None or "source" not in self.__dict__)
        return self.design

    # -- persistence ----------------------------------------------------------------------------

    def remove_data(self) -> None:
        """Take the data out of the model, in place; predictions for new data stay possible.

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3, 4], [1.0, 1, 1, 1], k=2)
        >>> model.remove_data()
        >>> float(model.predict([0.0, 4.0, 1.0, 1.0, 0.0], [[1.0]])[0])
        2.0
        """
        self.__dict__.pop("source", None)
        if self.endog is None:
            return
        names = self.endog_names, list(self.exog_names), self.param_names
        self._table = None
        for name in self._data_attr:
            target, _, attribute = name.rpartition(".")
            owner = self.data if target == "data" else self
            if getattr(owner, attribute, None) is not None:
                setattr(owner, attribute, None)
        self.data._cache = {"ynames": names[0], "xnames": names[1]}
        self.data.param_names = names[2]
        if self.units.labels is not None:
            self.units = Units(labels=pd.RangeIndex(len(self.units.labels)))
        self.design = replace(
            self.design,
            endog=np.empty(0),
            exog=np.empty((0, self.layout.p)),
            concomitant=None,
            groups=None,
            freq_weights=None,
            prob_weights=None,
            offset=None,
            known=None,
            index=pd.RangeIndex(0),
            frame=None,
        )

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self.large is None:
            # Made again from the design when needed.
            state.pop("source", None)
        # The user's own table is no part of the model: it holds columns that the model never used.
        state["_table"] = None
        return state
