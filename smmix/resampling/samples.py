"""Data sets that resemble the fitted one: drawn from the fit, or its units drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from smmix.core.memory import MemorySource
from smmix.core.params import MixtureParams
from smmix.core.source import Source
from smmix.errors import SmmixError
from smmix.mixture.prediction import own_rows
from smmix.resampling.draws import ResponseLaw, take_rows
from smmix.sources.reweighted import ReweightedSource

if TYPE_CHECKING:
    from smmix.mixture.base import MixtureModel

__all__ = [
    "KINDS", "Redraw", "Resample", "drawn_on_each_pass", "member_rows", "members", "resampling",
]  # fmt: skip

#: From one generator per data set to a source that holds them all along its batch axis.
Resample = Callable[[Sequence[np.random.Generator]], MemorySource]

#: From a source and a seed for each data set to a source that holds them all.
Redraw = Callable[[Source, Sequence[int]], Source]

KINDS = ("parametric", "rows", "groups")


def resampling(model: MixtureModel, params: MixtureParams, kind: str) -> Resample:
    """How the data sets of a bootstrap are made.

    Parameters
    ----------
    model : MixtureOLS
    params : MixtureParams
        The fit, one parameter set.
    kind : {"parametric", "rows", "groups"}

    Raises
    ------
    SmmixError
        If the kind is unknown or does not suit the model.
    """
    _check_kind(kind, model.group_codes is not None)
    if kind == "parametric":
        return _drawn_from_fit(model, params)
    return _drawn_from_units(model)


def _check_kind(kind: str, has_groups: bool) -> None:
    if not isinstance(kind, str) or kind not in KINDS:
        raise SmmixError(f"kind must be 'parametric', 'rows' or 'groups', not {kind!r}.")
    if kind == "groups" and not has_groups:
        raise SmmixError("kind='groups' needs a model with groups; use kind='rows'.")


def _drawn_from_fit(model: MixtureModel, params: MixtureParams) -> Resample:
    """New responses from the fit; everything else as observed.

    A row of frequency weight w is w rows, each with a response of its own.
    """
    base, positions = _observations(model)
    law = ResponseLaw.of(
        model.specification, params, take_rows(own_rows(model.observed), positions)
    )

    def make(generators: Sequence[np.random.Generator]) -> MemorySource:
        return replace(base, y=np.stack([law.draw(g)[0] for g in generators])[:, None])

    return make


def _observations(model: MixtureModel) -> tuple[MemorySource, np.ndarray]:
    """A source with one row for each observation, and the row of the data that each stands for."""
    source, frequency = model.source, model.kept_design.freq_weights
    order = np.arange(source.n_rows) if model.units.order is None else model.units.order
    if frequency is None:
        return source, order
    if (frequency != np.rint(frequency)).any():
        raise SmmixError(
            "kind='parametric' draws a response for each of the observations that freq_weights "
            "count, so they must be whole numbers; use kind='rows'."
        )
    counts = frequency[order].astype(int)
    row = np.repeat(np.arange(counts.size), counts)

    def cut(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.ascontiguousarray(values[row])

    rows = replace(source, y=source.y[row], x=np.ascontiguousarray(source.x[row]), repeat=None)
    rows = replace(rows, offset=cut(source.offset), aux=cut(source.aux))
    if source.group is not None:
        before = np.concatenate([[0], np.cumsum(counts)])
        return replace(rows, group=before[source.group]), order[row]
    rows = replace(rows, z=cut(source.z), membership=cut(source.membership))
    return replace(rows, weight=cut(_sampling_weight(model))), order[row]


def _drawn_from_units(model: MixtureModel) -> Resample:
    """Units drawn with replacement: the counts become case weights.

    A row of frequency weight w is w rows to draw from.
    """
    source, frequency = model.source, model.kept_design.freq_weights
    if frequency is None or source.group is not None:
        frequency = np.ones(source.n_units)
    number, chances = round(float(frequency.sum())), frequency / frequency.sum()
    sampling = _sampling_weight(model)

    def make(generators: Sequence[np.random.Generator]) -> MemorySource:
        weight = np.stack([g.multinomial(number, chances) for g in generators]).astype(float)
        if sampling is not None:
            weight *= sampling
        return replace(source, weight=weight[:, None])

    return make


def _sampling_weight(model: MixtureModel) -> np.ndarray | None:
    """Sampling weights of the units (u,), apart from frequency weights."""
    source, frequency = model.source, model.kept_design.freq_weights
    if model.prob_weights is None:
        return None
    assert source.weight is not None
    apart = source.group is not None or frequency is None
    weight: np.ndarray = source.weight if apart else source.weight / frequency
    return weight


def drawn_on_each_pass(model: MixtureModel, kind: str) -> Redraw:
    """How data sets are made of rows that are not in memory: from a source and a seed for each.

    Raises
    ------
    SmmixError
        If the kind needs the rows at hand, or the weights of a unit cannot be told apart.
    """
    assert model.large is not None, "rows in memory are drawn once"
    given = model.large.given
    _check_kind(kind, "groups" in given)
    if kind == "parametric":
        raise SmmixError(
            "kind='parametric' draws a response for every row, which needs the rows in memory; "
            "use kind='rows'."
        )
    weights = {"freq_weights", "prob_weights"} & given
    apart = "groups" in given
    if len(weights) == 2 and not apart:
        raise SmmixError(
            "Rows that are not in memory cannot be drawn with both freq_weights and prob_weights; "
            "repeat the rows of frequency weights above one."
        )
    counted = "freq_weights" in weights and not apart
    return lambda source, seeds: ReweightedSource(source, tuple(seeds), counted)


def members(source: MemorySource, index: np.ndarray) -> MemorySource:
    """The data sets of a batch at the positions ``index``."""

    def pick(values: np.ndarray) -> np.ndarray:
        return values[index] if values.ndim == 3 else values

    weight = source.weight
    return replace(source, y=pick(source.y), weight=None if weight is None else pick(weight))


def member_rows(source: MemorySource, position: int) -> MemorySource:
    """One data set of a batch by itself, without the units of weight zero."""
    one = members(source, np.array([position]))
    weight = None if one.weight is None else np.ravel(one.weight)
    alone = replace(one, y=np.ravel(one.y), weight=weight)
    if weight is None or (weight > 0.0).all():
        return alone
    return alone.take_units(np.flatnonzero(weight))
