"""The parameters that users see: what each is, and where it stands in the full vector.

The core knows one coefficient per component and column, one nuisance parameter of each kind per
component and one logit per component and mixing column: the full vector. Users see what is free
of it: one sigma when the variance is equal, a common coefficient once, no coefficient where a
component lacks a column. Further linear equalities (`smmix.mixture.restrictions`) keep the length
of the visible vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from smmix.core.family import Nuisance
from smmix.core.family_list import FamilyList
from smmix.core.params import LinearMap, ParamLayout
from smmix.core.transforms import IDENTITY, Transform
from smmix.errors import SmmixError

__all__ = ["COEF", "MIXING", "NUISANCE", "Parameter", "ParameterTable"]

#: The kinds of parameters.
COEF, NUISANCE, MIXING = "coef", "nuisance", "mixing"


@dataclass(frozen=True)
class Parameter:
    """One visible parameter.

    Attributes
    ----------
    name : str
        As users read it, such as ``x1[0]``.
    kind : {"coef", "nuisance", "mixing"}
    term : str
        Column of the design or of the mixing design; name of a nuisance parameter.
    component : int or None
        None when all components share it.
    places : tuple of int
        Where it stands in the full vector.
    transform : Transform
        Coordinates in which it may take any value.
    """

    name: str
    kind: str
    term: str
    component: int | None
    places: tuple[int, ...]
    transform: Transform = IDENTITY


@dataclass(frozen=True)
class ParameterTable:
    """The visible parameters, in the order of ``params``.

    Attributes
    ----------
    rows : tuple of Parameter
    layout : ParamLayout
        Of the full vector.
    held : tuple of float
        Values of the entries of the full vector that no parameter stands for; empty for zeros.
    """

    rows: tuple[Parameter, ...]
    layout: ParamLayout
    held: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        layout: ParamLayout,
        columns: Sequence[str],
        mixing_columns: Sequence[str],
        nuisance: Sequence[Nuisance],
        *,
        shared: frozenset[str] = frozenset(),
        common: Sequence[str] = (),
        present: np.ndarray | None = None,
        families: FamilyList | None = None,
    ) -> ParameterTable:
        """Lay out the visible vector.

        Parameters
        ----------
        layout : ParamLayout
        columns, mixing_columns : sequences of p and q str
        nuisance : sequence of d Nuisance
        shared : set of str
            Nuisance parameters that all components share.
        common : sequence of str
            Columns whose coefficient all components share.
        present : ndarray of bool, (k, p), optional
            Which component has which column; by default all have all.
        families : FamilyList, optional
            Which component has which nuisance parameter; by default all have all.

        Raises
        ------
        SmmixError
            If two parameters would have one name.

        Examples
        --------
        >>> from smmix.core.params import ParamLayout
        >>> from smmix.mixture.parameters import ParameterTable
        >>> table = ParameterTable.of(ParamLayout(2, 1, 0, 1), ["x"], ["Intercept"], [])
        >>> table.names
        ['x[0]', 'x[1]', 'mixing.Intercept[1]']
        """
        if present is None:
            present = np.ones((layout.k, layout.p), dtype=bool)
        rows = [
            *_coefficients(layout, columns, frozenset(common), present),
            *_nuisance(layout, nuisance, shared, families),
        ]
        for c in range(1, layout.k):
            start = layout.mixing.start + (c - 1) * layout.q
            for j, term in enumerate(mixing_columns):
                rows.append(Parameter(f"mixing.{term}[{c}]", MIXING, term, c, (start + j,)))
        _refuse_duplicates([row.name for row in rows])
        return cls(tuple(rows), layout, _held(layout, families))

    @classmethod
    def placed(
        cls,
        layout: ParamLayout,
        names: Sequence[str],
        places: np.ndarray,
        columns: Sequence[str],
        mixing_columns: Sequence[str],
        nuisance: Sequence[Nuisance],
        families: FamilyList | None = None,
    ) -> ParameterTable:
        """The table of ``names`` when the full vector (F,) holds them at ``places``, -1 for none.

        Raises
        ------
        SmmixError
            If sizes do not fit, or a parameter has no place.
        """
        sizes = len(columns), len(nuisance), len(mixing_columns)
        sound = sizes == (layout.p, layout.d, layout.q) and places.shape == (layout.size,)
        if not sound or set(places[places >= 0]) != set(range(len(names))):
            raise SmmixError("The file is damaged: its parameters do not fit its model.")
        whole = cls.of(layout, columns, mixing_columns, nuisance)
        rows = []
        for i, name in enumerate(names):
            own = np.flatnonzero(places == i)
            like = whole.rows[whole.visible[own[0]]]
            owner = None if own.size > 1 else like.component
            rows.append(replace(like, name=name, component=owner, places=tuple(own.tolist())))
        return cls(tuple(rows), layout, _held(layout, families))

    @property
    def size(self) -> int:
        return len(self.rows)

    @cached_property
    def names(self) -> list[str]:
        return [row.name for row in self.rows]

    @cached_property
    def kinds(self) -> np.ndarray:
        """Kind of each parameter, (V,)."""
        return np.array([row.kind for row in self.rows])

    @cached_property
    def expand(self) -> LinearMap:
        """Full vector = 0/1 matrix times visible vector."""
        basis = np.zeros((self.layout.size, self.size))
        for i, row in enumerate(self.rows):
            basis[list(row.places), i] = 1.0
        return LinearMap(basis, np.array(self.held or np.zeros(self.layout.size)))

    @cached_property
    def first(self) -> np.ndarray:
        """First place of each parameter in the full vector, (V,)."""
        return np.array([row.places[0] for row in self.rows])

    @cached_property
    def visible(self) -> np.ndarray:
        """Position of each entry of the full vector (F,), -1 where a component lacks a column."""
        found = np.full(self.layout.size, -1)
        for i, row in enumerate(self.rows):
            found[list(row.places)] = i
        return found

    @property
    def is_identity(self) -> bool:
        return self.size == self.layout.size

    def of_full(self, full: np.ndarray) -> np.ndarray:
        """Visible vectors (.., V) of full vectors (.., F)."""
        return full[..., self.first]

    def by_component(self, kind: str) -> np.ndarray:
        """Positions of the parameters of a kind, a row for each component.

        Returns
        -------
        ndarray of int
            (k, p) for coefficients, -1 where a component lacks the column; (k, d) for nuisance
            parameters; (k - 1, q) for logits, without the base.
        """
        layout = self.layout
        part = {COEF: layout.coef, NUISANCE: layout.nuisance, MIXING: layout.mixing}[kind]
        width = {COEF: layout.p, NUISANCE: layout.d, MIXING: layout.q}[kind]
        owners = layout.k - 1 if kind == MIXING else layout.k
        return self.visible[part].reshape(owners, width)

    def positions(self, kind: str | None = None, **like: Any) -> np.ndarray:
        """Positions of the parameters of a kind, ``component`` and ``term``.

        Parameters
        ----------
        kind : str, optional
        **like
            Values of ``component`` and ``term``; None is a component, too: that of shared ones.

        Examples
        --------
        >>> from smmix.core.params import ParamLayout
        >>> from smmix.mixture.parameters import ParameterTable
        >>> table = ParameterTable.of(ParamLayout(2, 1, 0, 1), ["x"], ["Intercept"], [])
        >>> table.positions("coef", component=1).tolist()
        [1]
        """
        asked = like if kind is None else {"kind": kind, **like}
        return np.array(
            [
                i
                for i, row in enumerate(self.rows)
                if all(getattr(row, key) == value for key, value in asked.items())
            ],
            dtype=int,
        )

    def beyond(self, matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which hypotheses ``matrix @ params = values`` no inner point satisfies, (r,) of bool.

        They put a parameter at the end of its range, such as a sigma at zero, or outside.
        """
        ends = [row.transform.natural(np.array([-np.inf, np.inf])) for row in self.rows]
        with np.errstate(invalid="ignore"):
            reached = np.where(matrix[..., None] == 0.0, 0.0, matrix[..., None] * np.array(ends))
        reached = np.sort(reached, axis=-1).sum(axis=1)
        return np.asarray((values <= reached[:, 0]) | (values >= reached[:, 1]))

    def allowed(self, params: np.ndarray) -> np.ndarray:
        """Whether each entry of a visible vector (V,) lies inside its range, (V,) of bool."""
        inside = np.ones(self.size, dtype=bool)
        for i, row in enumerate(self.rows):
            if row.kind == NUISANCE:
                inside[i] = row.transform.allows(params[i].real)
        return inside


def _coefficients(
    layout: ParamLayout, columns: Sequence[str], common: frozenset[str], present: np.ndarray
) -> Iterator[Parameter]:
    k, p = layout.k, layout.p
    for c in range(k):
        for j, term in enumerate(columns):
            if term not in common and present[c, j]:
                yield Parameter(f"{term}[{c}]", COEF, term, c, (c * p + j,))
    for j, term in enumerate(columns):
        if term in common:
            places = tuple(c * p + j for c in range(k) if present[c, j])
            yield Parameter(term, COEF, term, _owner(k), places)


def _nuisance(
    layout: ParamLayout,
    nuisance: Sequence[Nuisance],
    shared: frozenset[str],
    families: FamilyList | None,
) -> Iterator[Parameter]:
    for i, (name, transform, _) in enumerate(nuisance):
        owners = range(layout.k) if families is None else np.flatnonzero(families.present[:, i])
        places = {int(c): layout.nuisance.start + int(c) * layout.d + i for c in owners}
        if name in shared:
            own = _owner(layout.k)
            yield Parameter(name, NUISANCE, name, own, tuple(places.values()), transform)
        else:
            for c, place in places.items():
                yield Parameter(f"{name}[{c}]", NUISANCE, name, c, (place,), transform)


def _held(layout: ParamLayout, families: FamilyList | None) -> tuple[float, ...]:
    """Full vector of the values at which nuisance parameters that components lack are held."""
    if families is None:
        return ()
    held = np.zeros(layout.size)
    held[layout.nuisance] = np.where(families.present, 0.0, families.neutral).ravel()
    return tuple(held.tolist())


def _owner(k: int) -> int | None:
    """The component of what all share: that of a single one is its own."""
    return None if k > 1 else 0


def _refuse_duplicates(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SmmixError(
                f"Two parameters would be called {name!r}; rename the column of the data whose "
                "name clashes with it."
            )
        seen.add(name)
