"""Models of tables that are not in memory: their designs, their sources, their limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.blocks import Block
from smmix.core.family import Family
from smmix.core.information import unit_design, unit_scores
from smmix.core.linalg import merge_r, solve_gram
from smmix.core.source import Source
from smmix.errors import SmmixError
from smmix.formula import environment, refuse_extreme_response
from smmix.formula.examine import Findings
from smmix.formula.incremental import LearntDesign, learn_design
from smmix.formula.rows import PER_ROW
from smmix.formula.terms import factor_columns
from smmix.large.tables import ParquetTable, designed_width
from smmix.mixture.kind import Kind
from smmix.mixture.observed import Observed, without_rows
from smmix.mixture.per_component import present_columns
from smmix.mixture.rows_away import LargeRows, SlabRows
from smmix.mixture.specification import Specification
from smmix.mixture.units import Units
from smmix.search.coordinates import pooled_statistics, totals
from smmix.sources.duckdb import RelationScan, is_relation
from smmix.sources.parquet import ParquetScan

__all__ = [
    "build_large",
    "doubtful_designs",
    "frequency_meat",
    "is_large",
]

#: Share of the constant that the columns may leave unexplained and still contain it.
CONSTANT_LEFT = 1e-9


def is_large(data: Any) -> bool:
    """Whether a table is one that is read in slabs."""
    return isinstance(data, ParquetScan) or is_dask(data) or is_relation(data)


def is_dask(data: Any) -> bool:
    """Whether a table is a Dask frame, told without importing Dask."""
    library = type(data).__module__.partition(".")[0]
    is_frame = hasattr(data, "map_partitions") and hasattr(data, "columns")
    return library in ("dask", "dask_expr") and is_frame


#: Arguments that are a column of the table.
EXTRAS = PER_ROW


def build_large(
    formula: str,
    parts: list[str] | None,
    data: Any,
    k: int,
    kind: Kind,
    env: Any,
    options: Mapping[str, Any],
    given: Mapping[str, Any],
) -> tuple[Specification, Observed]:
    """What is fitted, and its rows, from a table that is not in memory.

    ``parts`` are the formulas of the components where they differ; ``env`` counts from the
    caller of the calling function; ``given`` are options of the specification.
    """
    data = RelationScan.of(data) if is_relation(data) else data
    extras = {name: options[name] for name in EXTRAS}
    terms = {name: options[name] for name in ("concomitant", "subset", "missing")}
    table = table_of(data)
    terms["ancillary"] = kind.family.ancillary
    whole = {"extras": extras, "common": options["common"], "env": environment(env, 2), **terms}
    table, learnt = _learnt(formula, table, whole)
    present = None
    if parts is not None:
        alone = whole | {"common": None, "ancillary": None}
        own = [learn_design(part, table, **alone) for part in parts]
        present = present_columns(learnt.design, [each.design.exog_names for each in own])
    found, design = learnt.findings, learnt.design
    what = repr(design.endog_name) + (" less the offset" if extras["offset"] else "")
    refuse_extreme_response(what, found.low, found.high, found.frequency)
    scale = found.frequency / found.sampling if found.sampling else 1.0
    family = _bound(kind.family.with_terms(design.ancillary_names or ()), found)
    kind.check_shared(family)
    build = SlabRows(learnt.designer, k, scale, family)
    source = table.source(learnt, build, np.array([slab.n_units for slab in found.slabs]))
    if np.isnan(source.weight_sum):
        source = replace(source, weight_sum=float(source.reduce(_weights)))
    constant = given["hasconst"]
    if constant is None:
        constant = _has_constant(source, design.exog_names)
    grouped = extras["groups"] is not None
    specification = Specification.of(
        design,
        k,
        family=family,
        shared=kind.shared,
        present=present,
        k_constant=int(constant),
        grouped=grouped,
        sampled=extras["prob_weights"] is not None,
        told_apart=frozenset(int(c) for c in found.known),
        response_columns=factor_columns(
            [design.endog_name], pd.Index(learnt.designer.rules.columns)
        ),
        **given,
    )
    observed = Observed(
        without_rows(design),
        Units(labels=pd.RangeIndex(source.n_units)) if grouped else Units(),
        found.frequency if found.frequency % 1 else int(found.frequency),
        slabs=LargeRows(data, learnt, build),
        slab_source=source,
    )
    return specification, observed


def _learnt(formula: str, table: Any, whole: Mapping[str, Any]) -> tuple[Any, LearntDesign]:
    """The table, in slabs as narrow as its design asks for, and what it has taught."""
    learnt = learn_design(formula, table, **whole)
    narrow = table.narrowed(designed_width(learnt))
    return (table, learnt) if narrow is table else (narrow, learn_design(formula, narrow, **whole))


def _bound(family: Family, found: Findings) -> Family:
    """The family for the response of a table.

    Levels are the whole numbers from the smallest to the largest.
    """
    if family.intercept:
        return family
    low, high = found.ends
    if low < 0.0:
        raise SmmixError(
            f"The response holds numbers from {low:g} up; of a table that is not in memory "
            "an ordered response holds the numbers of its levels, from 0 up."
        )
    return family.bound(np.arange(low, high + 1.0))


def table_of(data: Any) -> Any:
    """The data in slabs."""
    if is_dask(data):
        from smmix.large.dask import DaskTable

        return DaskTable.of(data)
    return ParquetTable.of(data)


def _weights(block: Block) -> np.ndarray:
    return np.asarray(np.ones(block.n_units) if block.weight is None else block.weight).sum()


def _has_constant(source: Source, names: list[str]) -> bool:
    """Whether a constant is in the span of the columns, from their cross products."""
    if "Intercept" in names:
        return True
    zero = np.zeros(len(names))
    stats = source.reduce(lambda b: pooled_statistics(b, zero))
    left = stats.weight - stats.sums @ solve_gram(stats.xwx, stats.sums)[0]
    return bool(left <= CONSTANT_LEFT * stats.weight)


def doubtful_designs(
    specification: Specification, observed: Observed
) -> Iterator[tuple[np.ndarray, list[str], str]]:
    """Triangular factor, names and kind of each design whose cross products are singular.

    The factor has the dependencies of the design, and as many rows as columns.
    """
    grams = [(observed.pooled.gram, specification.exog_names, "design", _x_of)]
    if specification.concomitant_names is not None:
        names = specification.concomitant_names
        grams.append((totals(observed.source).z_gram, names, "mixing design", unit_design))
    for gram, names, what, columns in grams:
        if (np.diag(gram) > 0.0).all() and solve_gram(gram, np.zeros(len(names)))[1]:
            continue
        factor = np.empty((0, len(names)))
        for block in observed.source.blocks():
            factor = merge_r(factor, columns(block))
        yield factor, names, what


def _x_of(block: Block) -> np.ndarray:
    return block.x


def frequency_meat(
    specification: Specification, observed: Observed, params: np.ndarray, visible: np.ndarray
) -> np.ndarray:
    """Sum of frequency times outer products of the rows' own scores."""
    unpacked, spec = specification.unpack(params), specification.spec
    basis = specification.expand.basis @ visible

    def step(block: Block) -> np.ndarray:
        scores = unit_scores(spec, unpacked, block)[0]
        frequency = block.weight if block.repeat is None else block.repeat
        scores = basis.T @ (scores / np.sqrt(np.asarray(frequency)))
        return np.asarray(scores @ scores.T)

    meat: np.ndarray = observed.source.reduce(step, 3 * spec.layout.k)
    return meat
