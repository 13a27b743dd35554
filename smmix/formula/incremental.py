"""Designs of tables that are not at hand as a whole, learnt and evaluated slab by slab."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.build import design_names
from smmix.formula.design import Design
from smmix.formula.engine import (
    PROVIDED,
    DesignInfo,
    Parsed,
    by_role,
    caller_names,
    common_columns,
    design_infos,
    design_matrices,
    factor_codes,
    parse,
    term_columns,
)
from smmix.formula.examine import Examine, Findings, group_hashes
from smmix.formula.frozen import freeze, thaw
from smmix.formula.names import NameUse, name_use, resolve
from smmix.formula.numeric import NumericPlan
from smmix.formula.rows import check_missing_option, complete_rows
from smmix.formula.slab_rows import RowRules, located
from smmix.formula.spec import FormulaSpec
from smmix.support.checks import shown
from smmix.support.frames import is_single, quoted, similar_names

__all__ = ["LearntDesign", "SlabDesigner", "TableSlabs", "learn_design"]

Result = TypeVar("Result")


class TableSlabs(Protocol):
    """A table in slabs: frames whose index names their rows, each with a name of its own.

    ``contiguous`` tells whether the rows of a group must stand side by side in it; ``regroup``
    says how to bring them together when they do not.
    """

    names: Sequence[str]
    n_rows: int
    contiguous: bool

    def map(
        self, function: Callable[[pd.DataFrame, str], Result], columns: Sequence[str], group: Any
    ) -> list[Result]:
        """``function(frame, name)`` of every slab, in order."""

    def frames(self, columns: Sequence[str], group: Any) -> Iterator[tuple[pd.DataFrame, str]]:
        """The slabs one after another."""

    def regroup(self, group: str) -> str:
        """What a user can do about rows of a group that stand apart."""


@dataclass(frozen=True)
class SlabDesigner:
    """Turns a slab of the table into the rows of the model; can be sent elsewhere.

    Attributes
    ----------
    rules : RowRules
    template : Design
        A design without rows.
    frozen : list of dict
        What patsy has learnt, as plain values.
    plan : NumericPlan or None
        The short way, where patsy is not needed.
    """

    rules: RowRules
    template: Design
    frozen: list[dict[str, Any]]
    plan: NumericPlan | None
    _infos: list[DesignInfo] = field(default_factory=list, compare=False, repr=False)

    def __call__(self, frame: pd.DataFrame, where: str) -> Design | None:
        """The design of a slab; None when no row of it is used."""
        made = None if self.plan is None else self.plan.evaluate(frame)
        if made is None:
            with located(where):
                chosen = self.rules.choose(frame)
                if not len(chosen.frame):
                    return None
                used, extras = chosen.rows[chosen.complete], chosen.extras
                matrices = design_matrices(self.infos, chosen.frame, used)
        else:
            matrices, extras, mask = made
            used = frame.index[mask]
        if not len(used):
            return None
        mixing = self.template.concomitant_names is not None
        response, exog, concomitant, ancillary = by_role(matrices, mixing)
        return replace(
            self.template,
            endog=np.ascontiguousarray(response[:, 0]),
            exog=exog,
            concomitant=concomitant,
            ancillary=ancillary,
            index=used,
            groups=extras["groups"],
            freq_weights=extras["freq_weights"],
            prob_weights=extras["prob_weights"],
            offset=extras["offset"],
            known=extras["known"],
            trials=extras["trials"],
            event=extras["event"],
        )

    @property
    def infos(self) -> list[DesignInfo]:
        if not self._infos:
            # All at once: other threads may be looking.
            self._infos[:] = [thaw(frozen, dict(self.rules.scope)) for frozen in self.frozen]
        return self._infos

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_infos": []}


@dataclass(frozen=True)
class LearntDesign:
    """What one look at all rows of a table has taught.

    Attributes
    ----------
    design : Design
        Names, terms and formulas of the design, without rows.
    designer : SlabDesigner
    findings : Findings
    """

    design: Design
    designer: SlabDesigner
    findings: Findings


def learn_design(
    formula: str,
    table: TableSlabs,
    *,
    concomitant: str | None = None,
    extras: Mapping[str, Any],
    common: Sequence[str] | str | None = None,
    ancillary: str | None = None,
    subset: Any = None,
    missing: str = "drop",
    env: Any = 0,
) -> LearntDesign:
    """Learn the design of a table from its slabs.

    The arguments are those of `build_design`, but groups, weights, offset and known components
    are columns (``extras``), and ``subset`` is a condition.

    Returns
    -------
    LearntDesign

    Raises
    ------
    SmmixError
        For bad input, in one sentence that names the column, or the slab and row.
    """
    caller = caller_names(env)
    check_missing_option(missing)
    parsed = parse(formula, concomitant, common, ancillary)
    codes = factor_codes(*parsed.parts)
    uses = [name_use(code, table.names) for code in codes]
    columns, scope = resolve(uses, pd.Index(table.names), caller, PROVIDED, table.n_rows)
    rules = RowRules(
        columns=_known(columns, table),
        codes=codes,
        scope=_used_scope(scope, uses),
        extras=_extra_columns(extras, table),
        missing=missing,
        **_condition(subset, table, caller),
    )
    concomitant_codes = factor_codes(parsed.concomitant or [])
    examine = Examine(rules, concomitant_codes, table.contiguous)
    group = rules.extras.get("groups")
    found = Findings.total(table.map(examine, rules.needed, group))
    _check(found, rules, table)
    rules = replace(rules, as_float=found.as_float, levels=found.kept_levels)
    sample = _sample_frame(found, rules)
    infos = design_infos(parsed.parts, _teaching_frames(rules, table, uses, sample), scope)
    spec = FormulaSpec(formula, concomitant, rules.extras, infos, sample, scope, caller)
    design = _empty_design(parsed, infos, spec, rules, found)
    designer = SlabDesigner(
        rules,
        replace(design, formulas=None),
        [freeze(info) for info in infos],
        NumericPlan.of(infos, rules),
    )
    return LearntDesign(design, designer, found)


def _known(columns: Sequence[str], table: TableSlabs) -> list[str]:
    for name in columns:
        if name not in table.names:
            raise SmmixError(f"The data have no column {name!r}{similar_names(name, table.names)}.")
    return list(columns)


def _used_scope(scope: Mapping[str, Any], uses: Sequence[NameUse]) -> dict[str, Any]:
    named = {n for use in uses for n in use.values | use.options | use.calls}
    return {name: value for name, value in scope.items() if name in named}


def _extra_columns(given: Mapping[str, Any], table: TableSlabs) -> dict[str, str]:
    columns = {}
    for argument, name in given.items():
        if name is None:
            continue
        if not is_single(name):
            raise SmmixError(
                f"{argument} must be the name of a column, for the rows are not in memory."
            )
        if not isinstance(name, str) or name not in table.names:
            raise SmmixError(
                f"{argument}={shown(name)} is not a column of the data"
                f"{similar_names(name, table.names)}."
            )
        columns[argument] = str(name)
    return columns


def _condition(subset: Any, table: TableSlabs, caller: Mapping[str, Any]) -> dict[str, Any]:
    if subset is None:
        return {"subset": None, "subset_columns": [], "names": {}}
    if not isinstance(subset, str):
        raise SmmixError(
            "subset must be a condition such as 'x > 0', for the rows are not in memory."
        )
    words = {name for name in table.names if name in subset}
    names = {name: caller[name] for name in re.findall(r"@(\w+)", subset) if name in caller}
    return {"subset": subset, "subset_columns": sorted(words), "names": names}


def _check(found: Findings, rules: RowRules, table: TableSlabs) -> None:
    """Refuse what only all slabs together show."""
    if not found.n_chosen:
        if not rules.extras and rules.subset is None:
            raise SmmixError("The data have no rows.")
        weights = [a for a in ("freq_weights", "prob_weights") if a in rules.extras]
        raise SmmixError(
            f"subset={rules.subset!r} leaves no rows."
            if rules.subset is not None and not weights
            else f"No row has positive {' and '.join(weights)}."
        )
    if not found.n_used:
        n = found.n_chosen
        masks = {what: np.arange(n) < count for what, count in found.missing.items()}
        if all(not mask.all() for mask in masks.values()):
            counts = ", ".join(f"{what} in {count}" for what, count in found.missing.items())
            raise SmmixError(f"No complete rows are left: of {n} rows, missing are {counts}.")
        complete_rows(masks, "drop", pd.RangeIndex(n))
    for code, (n_numbers, n_entries, message) in found.text.items():
        if 0.5 < n_numbers / max(n_entries, 1) < 1.0:
            raise SmmixError(
                f"{code!r} mixes numbers and text: {message}; correct the value, or write "
                f"C({code}) if these are categories."
            )
    for name, places in found.places.items():
        if len(places) > 1:
            raise SmmixError(
                f"{name!r} holds numbers in {places['numbers']} and text in {places['text']}; "
                "write it in one type."
            )
    _check_groups(found, rules, table)


def _check_groups(found: Findings, rules: RowRules, table: TableSlabs) -> None:
    name = rules.extras.get("groups")
    if name is None:
        return
    parts = [slab.groups for slab in found.slabs if slab.groups is not None]
    hashes, counts = np.unique(np.concatenate(parts), return_counts=True)
    if counts.max() > 1:
        twice = hashes[int(np.argmax(counts > 1))]

        def find(frame: pd.DataFrame, where: str) -> tuple[str, Any] | None:
            labels = frame[name].dropna().unique()
            at = np.flatnonzero(group_hashes(np.asarray(labels)) == twice)
            return (where, labels[at[0]]) if at.size else None

        places = [p for p in table.map(find, [name], name) if p is not None]
        label = places[0][1]
        label = label.item() if isinstance(label, np.generic) else label
        raise SmmixError(
            f"The rows of group {label!r} of {name!r} stand apart, in "
            f"{' and '.join(dict.fromkeys(where for where, _ in places[:2]))}; "
            f"{table.regroup(name)}."
        )
    if "prob_weights" in found.varying:
        raise SmmixError(
            f"prob_weights vary within group {found.varying['prob_weights']}; a group is sampled "
            "as a whole, so its rows need one weight."
        )
    for what, label in found.varying.items():
        warnings.warn(
            f"The concomitant variable {what!r} varies within group {label}; the first row of "
            "each group counts.",
            stacklevel=6,
        )


def _sample_frame(found: Findings, rules: RowRules) -> pd.DataFrame:
    assert found.sample is not None
    frame = found.sample
    for name in rules.as_float:
        frame[name] = frame[name].astype(np.float64)
    for name, (levels, ordered) in rules.levels.items():
        frame[name] = pd.Categorical(frame[name], categories=levels, ordered=ordered)
    return frame


class _TeachingFrames:
    """The frames that patsy learns from: complete rows of every slab, on every iteration."""

    def __init__(self, rules: RowRules, table: TableSlabs):
        self.rules, self.table = rules, table

    def __iter__(self) -> Iterator[pd.DataFrame]:
        group = self.rules.extras.get("groups")
        for frame, where in self.table.frames(self.rules.needed, group):
            with located(where):
                kept = self.rules.choose(frame).frame
            if len(kept):
                yield kept


def _teaching_frames(
    rules: RowRules, table: TableSlabs, uses: Sequence[NameUse], sample: pd.DataFrame
) -> Any:
    """All rows where a transform must see them, else a row for each level."""
    called = {name for use in uses for name in use.calls}
    if any(hasattr(rules.scope.get(n), "__patsy_stateful_transform__") for n in called):
        return _TeachingFrames(rules, table)
    return [sample]


def _empty_design(
    parsed: Parsed, infos: list[DesignInfo], spec: FormulaSpec, rules: RowRules, found: Findings
) -> Design:
    names = design_names(infos, spec.concomitant_names is not None)
    if len(names[0]) != 1:
        raise SmmixError(
            f"The response {rules.codes[0]!r} has the columns {quoted(names[0])}; give one."
        )
    _, mean, mixing, further = by_role(infos, spec.concomitant_names is not None)
    nothing = np.empty(0, dtype=np.intp)
    return Design(
        endog=np.empty(0),
        endog_name=names[0][0],
        exog=np.empty((0, len(names[1]))),
        exog_names=names[1],
        concomitant=None,
        concomitant_names=spec.concomitant_names,
        groups=None,
        freq_weights=None,
        prob_weights=None,
        offset=None,
        known=None,
        trials=None,
        event=None,
        column_names=dict(rules.extras),
        index=pd.RangeIndex(0),
        missing_rows=nothing,
        positions=nothing,
        frame=None,
        common_names=common_columns(parsed.common, mean),
        exog_terms=term_columns(mean),
        concomitant_terms={} if mixing is None else term_columns(mixing),
        formulas=spec,
        ancillary=None if further is None else np.empty((0, len(names[-1]))),
        ancillary_names=spec.ancillary_names,
        n_dropped_unread=found.n_chosen - found.n_used,
    )
