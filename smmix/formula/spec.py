"""The formulas of a model with what they remember of its data: the same columns from new data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.engine import (
    PROVIDED,
    DesignInfo,
    by_role,
    design_matrices,
    factor_levels,
    info_codes,
)
from smmix.formula.frozen import freeze, thaw
from smmix.formula.messages import unseen_level
from smmix.formula.names import category_column
from smmix.formula.pack import is_plain, pack_names, unpack_names
from smmix.formula.rows import exposed, refuse_infinite
from smmix.formula.safety import NUMPY_FUNCTIONS, check_factor
from smmix.formula.terms import check_finite, factor_columns, factor_values, missing_masks
from smmix.support.frames import as_frame, map_columns, numbers, placed, plain, take_columns

__all__ = ["FormulaSpec", "NewRows"]

#: Attributes that hold plain values.
_PLAIN_STATE = (
    "formula", "concomitant_formula", "offset_name", "exposure_name", "exog_names",
    "concomitant_names", "ancillary_names", "_columns", "_levels", "_frozen",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class NewRows:
    """Columns of a model made from new data; incomplete rows are NaN and flagged.

    Attributes
    ----------
    exog : (m, p) ndarray
    concomitant : (m, q) ndarray or None
    offset : (m,) ndarray or None
        None when the model has no offset, or had it as an array.
    endog : (m,) ndarray or None
        None when it was not asked for.
    index : Index of length m
    complete_mask : (m,) bool ndarray
        True where no value is missing.
    ancillary : (m, a) ndarray or None

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula import build_design
    >>> design = build_design("y ~ x", pd.DataFrame({"y": [1.0, 2], "x": [0, 1]}))
    >>> design.formulas.transform({"x": [3.0, None]}).complete_mask
    array([ True, False])
    """

    exog: np.ndarray
    concomitant: np.ndarray | None
    offset: np.ndarray | None
    endog: np.ndarray | None
    index: pd.Index
    complete_mask: np.ndarray
    ancillary: np.ndarray | None


class FormulaSpec:
    """The formulas of a model with what they remember of its data.

    It can be pickled and copied: what patsy remembers (levels, means, knots) is stored as plain
    values, without the data, and functions by their address.

    Attributes
    ----------
    formula : str
    concomitant_formula : str or None
    offset_name, exposure_name : str or None
        The columns that the offset and the exposure were taken from.
    exog_names : list of str
    concomitant_names, ancillary_names : list of str or None
    row_dependent : tuple of str
        Terms such as ``x - x.mean()`` that new data would change the meaning of.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula import build_design
    >>> design = build_design("y ~ center(x)", pd.DataFrame({"y": [1.0, 2], "x": [0.0, 4]}))
    >>> design.formulas.transform({"x": [5.0]}).exog
    array([[1., 3.]])
    """

    row_dependent: tuple[str, ...] = ()
    exposure_name: str | None = None

    def __init__(
        self,
        formula: str,
        concomitant_formula: str | None,
        column_names: Mapping[str, str],
        infos: Sequence[DesignInfo],
        frame: pd.DataFrame,
        scope: dict[str, Any],
        caller: Any,
    ) -> None:
        self.formula = formula
        self.concomitant_formula = concomitant_formula
        self.offset_name = column_names.get("offset")
        self.exposure_name = column_names.get("exposure")
        _, mean, mixing, further = by_role(infos, concomitant_formula is not None)
        self.exog_names = list(mean.column_names)
        self.concomitant_names = None if mixing is None else list(mixing.column_names)
        self.ancillary_names = None if further is None else list(further.column_names)
        self._infos: list[DesignInfo] | None = list(infos)
        self._scope: dict[str, Any] | None = scope
        self._frozen: list[dict[str, Any]] = []
        self._packed_names: dict[str, tuple[str, ...] | bytes] = {}
        self._home = str(caller.get("__name__", ""))
        self._columns = [factor_columns(info_codes(info), frame.columns) for info in infos]
        self._numeric = {n for n, c in frame.items() if c.dtype.kind in "iuf"}
        self._levels = {
            n: list(c.cat.categories)
            for n, c in frame.items()
            if isinstance(c.dtype, pd.CategoricalDtype)
        }

    @property
    def columns(self) -> list[str]:
        """Columns of the data that the formulas use, those of the response first."""
        return list(dict.fromkeys(name for part in self._columns for name in part))

    def transform(self, new_data: Any, *, need_endog: bool = False) -> NewRows:
        """Make the model's columns from new data.

        Parameters
        ----------
        new_data : DataFrame, polars frame, pyarrow table or dict of columns
            m rows; columns that the model does not use are ignored.
        need_endog : bool
            Also evaluate the response.

        Returns
        -------
        NewRows
            A row in which anything needed is missing is NaN throughout.

        Raises
        ------
        SmmixError
            If a column is absent, not of its former type, infinite, or has an unseen level.

        Examples
        --------
        >>> import pandas as pd
        >>> from smmix.formula import build_design
        >>> design = build_design("y ~ x", pd.DataFrame({"y": [1.0, 2], "x": [0, 4]}))
        >>> design.formulas.transform({"x": [5.0, 6.0]}).exog.shape
        (2, 2)
        """
        infos, scope = self._ready()
        first = 0 if need_endog else 1
        hanging = [c for c in info_codes(*infos[first:]) if c in self.row_dependent]
        if hanging:
            raise SmmixError(
                f"The formula term {hanging[0]!r} depends on other rows, so it means "
                "something else in new data; use center(..) or standardize(..), or compute it as "
                "a column of the data first."
            )
        frame = as_frame(new_data, "the new data")
        rows = frame.index
        columns = dict.fromkeys(name for part in self._columns[first:] for name in part)
        raw = take_columns(frame, columns, "the new data").reset_index(drop=True)
        raw = map_columns(raw, lambda column: self._as_before(column, rows))
        values = factor_values(info_codes(*infos[first:]), raw, scope, rows)
        incomplete = np.zeros(len(rows), dtype=bool)
        for mask in missing_masks(values).values():
            incomplete |= mask
        offset = self._offset(frame, rows)
        if offset is not None:
            incomplete |= np.isnan(offset)
        check_finite(values, raw, ~incomplete, rows)
        kept, used = map_columns(raw[~incomplete].reset_index(drop=True), plain), rows[~incomplete]
        with placed(np.flatnonzero(~incomplete)):
            for name in self._levels.keys() & columns.keys():
                kept[name] = self._with_levels(kept[name], used)
            matrices = design_matrices(infos[first:], kept, used)
        blocks: list[np.ndarray] = []
        for info, block in zip(infos[first:], matrices, strict=True):
            full = np.full((len(rows), len(info.column_names)), np.nan)
            full[~incomplete] = block
            blocks.append(full)
        if not need_endog:
            blocks.insert(0, np.empty((0, 1)))
        endog, exog, concomitant, further = by_role(blocks, self.concomitant_names is not None)
        return NewRows(
            exog=exog,
            concomitant=concomitant,
            offset=offset,
            endog=endog[:, 0] if need_endog else None,
            index=rows,
            complete_mask=~incomplete,
            ancillary=further,
        )

    def variables(self) -> dict[str, tuple[Any, ...] | None]:
        """Return the columns that the right-hand sides use.

        Returns
        -------
        dict
            Column name to None for a number, and to its levels for a category; none are listed
            for a category that enters through an expression alone.

        Raises
        ------
        SmmixError
            If a number enters through a comparison, which has no slope.
        """
        infos, _ = self._ready()
        names = pd.Index(list(dict.fromkeys(n for part in self._columns[1:] for n in part)))
        found: dict[str, tuple[Any, ...] | None] = {}
        for code, levels in factor_levels(*infos[1:]).items():
            for name in factor_columns([code], names):
                own = levels if category_column(code) == name else None
                if own is None and name not in self._numeric:
                    own = ()
                if own is None and levels is not None:
                    raise SmmixError(
                        f"{name!r} enters the formula through {code!r}, which has no slope; make "
                        f"{code!r} a column of the data and use that."
                    )
                found[name] = found.get(name) or own
        return found

    def _as_before(self, column: pd.Series, rows: pd.Index) -> pd.Series:
        name = column.name
        if name in self._numeric:
            value = numbers(column, f"the column {name!r} of the new data", rows, booleans=True)
            if plain(column).dtype.kind not in "iuf":
                # True and False would be categories to patsy, and no numbers.
                column = pd.Series(value, column.index, name=name)
        column = plain(column)
        if name in self._levels:
            return column.astype("category")
        known = isinstance(column.dtype, pd.CategoricalDtype)
        return plain(column.astype(object)) if known else column

    def _with_levels(self, column: pd.Series, rows: pd.Index) -> pd.Series:
        levels = self._levels[str(column.name)]
        unseen = (~column.isin(levels)).to_numpy()
        if unseen.any():
            position = int(np.argmax(unseen))
            raise unseen_level(str(column.name), column.iloc[position], levels, rows, position)
        return pd.Series(pd.Categorical(column, categories=levels), index=column.index)

    def _offset(self, frame: pd.DataFrame, rows: pd.Index) -> np.ndarray | None:
        """The offset of new rows, the log of an exposure included."""
        offset = self._extra(frame, self.offset_name, "offset", rows)
        exposure = self._extra(frame, self.exposure_name, "exposure", rows)
        return offset if exposure is None else exposed(offset, exposure, rows)

    @staticmethod
    def _extra(
        frame: pd.DataFrame, name: str | None, what: str, rows: pd.Index
    ) -> np.ndarray | None:
        if name is None:
            return None
        column = take_columns(frame, [name], "the new data").iloc[:, 0]
        values = numbers(column, f"the {what} {name!r}", rows, booleans=True)
        refuse_infinite(values, f"the {what} {name!r}", rows)
        return values

    def _ready(self) -> tuple[list[DesignInfo], dict[str, Any]]:
        if self._infos is None or self._scope is None:
            self._scope = PROVIDED | unpack_names(self._packed_names)
            self._infos = [thaw(frozen, self._scope) for frozen in self._frozen]
        return self._infos, self._scope

    def to_plain(self) -> dict[str, Any]:
        """Return the formulas as plain values: text, numbers, lists, tuples, dicts and arrays.

        Raises
        ------
        SmmixError
            If a formula uses something that has neither a plain value nor an address.
        """
        state = self.__getstate__()
        own = {n: v for n, v in self._ready()[1].items() if PROVIDED.get(n) is not v}
        values = {n: v for n, v in own.items() if is_plain(v)}
        addresses = {n: v for n, v in state["_packed_names"].items() if n not in values}
        for name, address in addresses.items():
            if isinstance(address, bytes):
                raise SmmixError(
                    f"The formula uses {name!r}, a {type(own[name]).__name__}, which cannot be "
                    "written as plain values; put what it computes into a column of the data."
                )
        plain_state = {name.removeprefix("_"): state[name] for name in _PLAIN_STATE}
        return plain_state | {
            "numeric": sorted(map(str, self._numeric)),
            "values": values,
            "addresses": addresses,
        }

    @classmethod
    def from_plain(cls, given: Mapping[str, Any], *, trust: bool = False) -> FormulaSpec:
        """Return the formulas that `to_plain` wrote.

        Parameters
        ----------
        given : dict
        trust : bool
            Evaluate factors whatever they hold, and import the functions they name.

        Raises
        ------
        SmmixError
            If the values do not describe formulas, or a factor may not be evaluated.
        """
        codes = [factor["code"] for frozen in given["frozen"] for factor in frozen["factors"]]
        scope = PROVIDED | dict(given["values"])
        addresses = {name: tuple(address) for name, address in given["addresses"].items()}
        if trust:
            scope |= unpack_names(addresses)
        else:
            scope |= _elementary(addresses)
            modules = {"np", *(n for n, a in addresses.items() if a == ("numpy",))}
            columns = {name for part in given["columns"] for name in part}
            for code in codes:
                check_factor(code, columns, given["values"], set(addresses) - modules, modules)
        spec = cls.__new__(cls)
        given = {"exposure_name": None, "ancillary_names": None, **given}
        for name in _PLAIN_STATE:
            setattr(spec, name, given[name.removeprefix("_")])
        spec._numeric = set(given["numeric"])
        # A module named by the file must not be imported when the formulas are pickled.
        spec._home, spec._packed_names = "", {}
        spec._scope = scope
        spec._infos = [thaw(frozen, scope) for frozen in given["frozen"]]
        return spec

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._infos is not None and self._scope is not None:
            own = {n: v for n, v in self._scope.items() if PROVIDED.get(n) is not v}
            state["_packed_names"] = pack_names(own, self._home)
            state["_frozen"] = [freeze(info) for info in self._infos]
        return state | {"_infos": None, "_scope": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __copy__(self) -> FormulaSpec:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FormulaSpec:
        # Never changed once built; and a copy could not find functions local to the caller.
        return self


def _elementary(addresses: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What the addresses of NumPy itself and of its elementary functions stand for."""
    found: dict[str, Any] = {}
    for name, address in addresses.items():
        if address == ("numpy",):
            found[name] = np
        elif len(address) == 2 and address[0] == "numpy" and address[1] in NUMPY_FUNCTIONS:
            found[name] = getattr(np, address[1])
        else:
            raise SmmixError(
                f"The formula uses {name!r} ({'.'.join(address)}), which a file may not bring "
                "along; if you know where the file comes from, read it with trust=True."
            )
    return found
