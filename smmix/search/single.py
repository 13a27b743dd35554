"""One regression of all rows: where the components of a mixture begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from smmix.core.blocks import Block
from smmix.core.family import Family
from smmix.core.family_list import members
from smmix.core.linalg import solve_gram
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.outcome_families import OutcomeFamilies, outcome_rows
from smmix.core.params import MixtureParams
from smmix.core.possible import possible_rows
from smmix.core.source import Source
from smmix.search.em import EMControl, Objective, expectation_maximisation

__all__ = ["linear_target", "with_start"]

#: Units from which the nuisance parameters that runs begin with are taken, and passes of EM.
START_UNITS, START_PASSES = 2000, 15


def linear_target(spec: MixtureSpec, block: Block | MemorySource) -> np.ndarray:
    """The response on the scale of the linear predictor, less the offset, of the shape of y."""
    target = block.y
    if not spec.family.location_scale:
        target = spec.family.start_response(block.y, block.aux)
    return target if block.offset is None else target - block.offset


def with_start(spec: MixtureSpec, source: Source) -> MixtureSpec:
    """The mixture with the nuisance parameters of one regression of all rows.

    In working coordinates the standard deviation of a location-scale family is one; where this is
    not its scale, heavy tails would carry it away, and the scale is that of the bulk of the rows.
    Others are fitted to a sample: it is but where runs begin, and what penalties and prices refer
    to.
    """
    family = spec.family
    if not family.nuisance:
        return spec
    sample = source.sample(START_UNITS, np.random.default_rng(0))
    y = sample.y if sample.y.ndim == 1 else np.ravel(sample.y[0])
    begin = np.atleast_2d(family.start_nuisance(y, sample.aux))
    if family.location_scale:
        units = np.array([parameter.unit for parameter in family.nuisance])
        if spec.random is not None:
            rows_per_group = source.n_rows / source.n_units
            least = (spec.random.q + 1) * rows_per_group
            return replace(spec, start=begin, least_rows=least)
        if family.variance(None, np.zeros((1, 1, 1)), np.ones((1, 1, len(units)))).item() == 1.0:
            begin = np.where(units == 0, begin, 1.0)
        return replace(spec, start=begin)
    rows = replace(sample, y=y, weight=None, membership=None, threads=1)
    target = linear_target(spec, rows)
    coef = solve_gram(rows.x.T @ rows.x, rows.x.T @ target)[0]
    for c, slots, member, own, at in _members(family, rows, len(begin)):
        if len(slots) and own.y.size:
            begin[c, slots] = _single_nuisance(spec, member, own, coef[at], begin[c, slots])
    return replace(spec, start=begin)


def _members(
    family: Family, rows: MemorySource, k: int
) -> Iterator[tuple[int, Sequence[int], Family, MemorySource, Any]]:
    """Component, nuisance parameters, family, rows and columns of each single regression."""
    if isinstance(family, OutcomeFamilies):
        for part in family.parts:
            kept = outcome_rows(rows.aux, part.number)
            assert rows.aux is not None
            own, columns = _only(rows, kept), list(part.outcome.columns)
            own = replace(own, x=own.x[:, columns], aux=part.own_aux(rows.aux, kept))
            yield 0, range(part.slots.start, part.slots.stop), part.family, own, columns
        return
    for c, member in enumerate(members(family, k)):
        slots = [family.nuisance.index(parameter) for parameter in member.nuisance]
        possible = possible_rows(member, rows.y, rows.aux) if slots else None
        own = rows if possible is None else _only(rows, possible)
        yield c, slots, member, own, slice(None)


def _only(rows: MemorySource, kept: np.ndarray) -> MemorySource:
    """Some of the rows, each a unit of its own; of one component the mixing model has no say."""
    offset = None if rows.offset is None else rows.offset[kept]
    aux = None if rows.aux is None else rows.aux[kept]
    x = np.asfortranarray(rows.x[kept])
    z = None if rows.z is None else np.zeros((len(x), rows.z.shape[1]))
    return MemorySource(rows.y[kept], x, z, offset=offset, aux=aux)


def _single_nuisance(
    spec: MixtureSpec, family: Family, rows: MemorySource, coef: np.ndarray, begin: np.ndarray
) -> np.ndarray:
    """Nuisance parameters (d,) of one family after a few steps towards a fit to all rows."""
    layout = replace(spec.layout, k=1, p=rows.n_columns, d=len(begin))
    one = replace(spec.free(), family=family, layout=layout, shared=frozenset(), start=None)
    ones = np.ones(layout.p), np.ones(layout.q)
    params = MixtureParams(coef[None, None], begin[None, None], np.zeros((1, 0, layout.q)))
    ascent = expectation_maximisation(
        Objective(one, rows, *ones), params, EMControl(), START_PASSES
    )
    return ascent.params.nuisance[0, 0]
