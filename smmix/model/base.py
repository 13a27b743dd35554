"""statsmodels' face of a mixture of regressions: what is fitted, and the rows it is fitted to."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from statsmodels.base.data import PandasData, handle_data
from statsmodels.base.model import GenericLikelihoodModel

from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, MixtureParams, ParamLayout
from smmix.formula import Design, refuse_extreme
from smmix.formula.terms import factor_columns
from smmix.mixture.identified import refuse_unidentified
from smmix.mixture.kind import Kind, suited
from smmix.mixture.observed import Observed
from smmix.mixture.per_component import check_k, refuse_more
from smmix.mixture.response import seen
from smmix.mixture.rows_away import LargeRows
from smmix.mixture.specification import Specification
from smmix.mixture.units import warn_of_varying_concomitants
from smmix.search.coordinates import PooledFit
from smmix.support.checks import check_flag

__all__ = ["MixtureModel", "Parts", "handled"]


class Parts:
    """What a model is made of.

    Parameters
    ----------
    specification : Specification
    observed : Observed
    data : ModelData
        The rows as statsmodels holds them.
    """

    def __init__(self, specification: Specification, observed: Observed, data: Any = None):
        self.specification, self.observed = specification, observed
        self.data = NamesOnly(specification) if data is None else data

    @classmethod
    def of(
        cls,
        design: Design,
        k: int,
        *,
        kind: Kind,
        fixed: Mapping[str, float] | None,
        present: Any,
        hasconst: bool | None,
        table: pd.DataFrame | None = None,
        **given: Any,
    ) -> Parts:
        """The parts of a model of rows in memory; ``given`` are formulas as given.

        Raises
        ------
        SmmixError
            If the rows or an option cannot be.
        """
        check_k(k)
        check_flag("hasconst", hasconst, optional=True)
        refuse_extreme(design)
        weights = design.freq_weights
        refuse_more(k, len(design.endog) if weights is None else float(weights.sum()))
        design, family = suited(design, kind.family)
        kind.check_shared(family)
        data = handled(design, hasconst)
        known, frame = design.known, design.frame
        specification = Specification.of(
            design,
            int(k),
            family=family,
            shared=kind.shared_by(family),
            fixed=fixed,
            present=present,
            hasconst=hasconst,
            k_constant=data.k_constant,
            grouped=design.groups is not None,
            sampled=design.prob_weights is not None,
            told_apart=frozenset(
                () if known is None else known[~np.isnan(known)].astype(int).tolist()
            ),
            response_columns=(
                [] if frame is None else factor_columns([design.endog_name], frame.columns)
            ),
            **given,
        )
        observed = Observed.of(design, int(k), table)
        warn_of_varying_concomitants(design, observed.units)
        return cls(specification, observed, data)


def handled(design: Design, hasconst: bool | None) -> Any:
    """The rows as statsmodels holds them."""
    return handle_data(
        pd.Series(design.endog, design.index, name=design.endog_name, copy=False),
        pd.DataFrame(design.exog, design.index, design.exog_names, copy=False),
        "none",
        hasconst,
    )


class NamesOnly(PandasData):
    """statsmodels' data of a model whose rows are not in memory: the names of its columns."""

    def __init__(self, specification: Specification):
        self.endog = self.exog = self.orig_endog = self.orig_exog = self.const_idx = None
        self.k_constant = specification.k_constant
        self._cache = {"ynames": specification.endog_name, "xnames": specification.exog_names}


def _told(part: str, name: str, doc: str) -> Any:
    def value(self: MixtureModel) -> Any:
        return getattr(getattr(self, part), name)

    return property(value, doc=doc)


class MixtureModel(GenericLikelihoodModel):
    """statsmodels' face of a `Specification` and what is `Observed`.

    What every mixture of regressions shares, however it is built and fitted; use `MixtureOLS`.

    Parameters
    ----------
    parts : Parts
    """

    #: Arguments of the class that others have not.
    _own_arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parts: Parts):
        refuse_unidentified(parts.specification, parts.observed)
        self.specification: Specification = parts.specification
        self._show(parts.observed, parts.data)
        self._data_attr: list[str] = []
        self._init_keys = ["k", "exog_concomitant", "groups", "freq_weights", "prob_weights",
                           "offset", "known", "variance", "common", "fixed", "present",
                           "hasconst", *self._own_arguments]  # fmt: skip

    @classmethod
    def _of_parts(cls, parts: Parts) -> Any:
        """A model of parts; the constructors of the faces take arrays."""
        model = cls.__new__(cls)
        MixtureModel.__init__(model, parts)
        return model

    def _show(self, observed: Observed, data: Any) -> None:
        """Put the rows where statsmodels looks for them."""
        self.observed = observed
        self.data = copy.copy(data)
        self.data.param_names = list(self.specification.param_names)
        self.endog, self.exog = data.endog, data.exog
        if self.endog is not None:
            self.endog = seen(self.specification, self.endog, observed.design.aux)
        if observed.table is not None:
            self.data.frame = observed.table
        if observed.freq_weights is not None:
            # statsmodels' sandwich code takes the mere presence of the attribute for weights.
            self.freq_weights = observed.freq_weights

    def _with(self, specification: Specification, observed: Observed | None = None) -> Any:
        """A model of the same rows."""
        observed = self.observed if observed is None else observed
        return type(self)._of_parts(Parts(specification, observed, self.data))

    def with_k(self, k: int) -> Any:
        """The same model of the same data with another number of components.

        Parameters
        ----------
        k : int

        Returns
        -------
        MixtureOLS

        Raises
        ------
        SmmixError
            If the model has restrictions that mean nothing for another k.

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> MixtureOLS([0.0, 1, 3, 4], [1.0, 1, 1, 1], k=2).with_k(1).param_names
        ['const[0]', 'sigma[0]']
        """
        check_k(k)
        refuse_more(k, self.nobs)
        specification = self.specification.with_k(k)
        if k == self.k:
            return self
        return self._with(specification, self.observed.with_k(k))

    def _get_init_kwds(self) -> dict[str, Any]:
        """Arguments with which the class makes the same model of other columns."""
        given = super()._get_init_kwds()
        if self.present.all():
            given["present"] = None
        return dict(given)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if getattr(self.data, "frame", None) is not None:
            state["data"] = copy.copy(self.data)
            state["data"].frame = None
        return state

    def initialize(self) -> None:
        """Nothing: the base class would decompose ``exog`` for counts that are not a mixture's."""

    # -- what is fitted -------------------------------------------------------------------------

    k = _told("specification", "k", "Number of components.")
    variance = _told("specification", "variance", "Whether each component has its own sigma.")
    common = _told("specification", "common", "Columns whose coefficients all components share.")
    fixed = _told("specification", "fixed", "Parameters that are held, and their values.")
    present = _told("specification", "present", "Which component has which column, (k, p).")
    formula = _told("specification", "formula", "Formulas as given.")
    concomitant = _told("specification", "concomitant", "Formula of the mixing model as given.")
    hasconst = _told("specification", "hasconst", "As given.")
    k_constant = _told("specification", "k_constant", "Whether the columns have a constant.")
    told_apart = _told("specification", "told_apart", "Components that known members tell apart.")
    equalities = _told("specification", "equalities", "Linear equalities of the parameters.")
    param_names = _told("specification", "param_names", "Names of the parameters, as in params.")
    response_columns = _told("specification", "response_columns", "Columns of the response.")
    n_free = _told("specification", "n_free", "Parameters that are free.")
    df_model = _told("specification", "df_model", "Free coefficients beside the constants.")
    k_extra = _told("specification", "k_extra", "Parameters beside those of one regression.")
    exog_terms = _told("specification", "exog_terms", "Columns of ``exog`` that each term makes.")
    concomitant_terms = _told(
        "specification", "concomitant_terms", "Columns of the mixing design that each term makes."
    )

    @property
    def layout(self) -> ParamLayout:
        """Places in the core's full parameter vector."""
        return self.specification.layout

    @property
    def spec(self) -> MixtureSpec:
        """The mixture as the engine reads it."""
        return self.specification.spec

    @property
    def expand(self) -> LinearMap:
        """Full parameter vector of the core = 0/1 matrix times ``params``."""
        return self.specification.expand

    @property
    def df_resid(self) -> float:
        """Observations less free parameters."""
        return self.observed.nobs - self.n_free

    @property
    def nparams(self) -> int:
        """Number of parameters."""
        return self.specification.parameters.size

    k_params = nparams

    def check_params(self, params: Any, what: str = "params", positive: bool = True) -> np.ndarray:
        """A parameter vector as an array (V,), refused when it cannot be one."""
        return self.specification.check_params(params, what, positive)

    def unpack(self, params: Any) -> MixtureParams:
        """The core's parameters (one set, S = 1) of a parameter vector."""
        return self.specification.unpack(params)

    # -- rows -----------------------------------------------------------------------------------

    nobs = _told("observed", "nobs", "Sum of the frequency weights, or number of rows.")
    design = _told("observed", "design", "The rows; names alone where they are not in memory.")
    units = _told("observed", "units", "How rows form units.")
    source = _told("observed", "source", "The data in blocks, as the core reads them.")

    @property
    def large(self) -> LargeRows | None:
        """What is known of rows that are not in memory."""
        return self.observed.slabs

    @property
    def pooled(self) -> PooledFit:
        """One regression of all rows."""
        return self.observed.pooled

    @property
    def exog_concomitant(self) -> np.ndarray | None:
        """Mixing design, (n, q)."""
        return self.design.concomitant

    @property
    def offset(self) -> np.ndarray | None:
        """Offset, (n,)."""
        return self.design.offset

    @property
    def known(self) -> np.ndarray | None:
        """Known component of each row, (n,), NaN where it is not known."""
        return self.design.known

    @property
    def prob_weights(self) -> Any:
        """Sampling weights (n,), or the name of their column where rows are not in memory."""
        if self.large is not None:
            return self.large.extras.get("prob_weights")
        return self.design.prob_weights

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
    def missing_rows(self) -> np.ndarray:
        """Positions, in the data as given, of the rows that were left out."""
        return self.design.missing_rows

    @property
    def kept_design(self) -> Design:
        """The data, refused when they are not in memory."""
        return self.observed.rows()

    def column(self, name: str) -> np.ndarray | None:
        """A column of the table that the model was made from, for the rows used."""
        return self.observed.column(name)

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
        self._show(self.observed.without_rows(), NamesOnly(self.specification))
        self.__dict__.pop("freq_weights", None)
