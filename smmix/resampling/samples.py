"""Data sets that resemble the fitted one: drawn from the fit, or its units drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from smmix.core.memory import MemorySource
from smmix.core.source import Source
from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.observed import Observed
from smmix.mixture.rows import own_rows
from smmix.resampling.draws import ResponseLaw, take_rows
from smmix.sources.reweighted import ReweightedSource
from smmix.support.checks import shown

__all__ = [
    "KINDS", "Redraw", "Resample", "drawn_on_each_pass", "member_rows", "members", "resampling",
]  # fmt: skip

#: From one generator per data set to a source that holds them all along its batch axis.
Resample = Callable[[Sequence[np.random.Generator]], MemorySource]

#: From a source and a seed for each data set to a source that holds them all.
Redraw = Callable[[Source, Sequence[int]], Source]

KINDS = ("parametric", "rows", "groups")


def resampling(fit: Fit, kind: str) -> Resample:
    """How the data sets of a bootstrap are made.

    Parameters
    ----------
    fit : Fitted, or results
    kind : {"parametric", "rows", "groups"}

    Raises
    ------
    SmmixError
        If the kind is unknown or does not suit the model.
    """
    fitted = fitted_of(fit)
    _check_kind(kind, fitted.specification.grouped)
    return _drawn_from_fit(fitted) if kind == "parametric" else _drawn_from_units(fitted.data)


def _check_kind(kind: str, has_groups: bool) -> None:
    if not isinstance(kind, str) or kind not in KINDS:
        raise SmmixError(f"kind must be 'parametric', 'rows' or 'groups', not {shown(kind)}.")
    if kind == "groups" and not has_groups:
        raise SmmixError("kind='groups' needs a model with groups; use kind='rows'.")


def _drawn_from_fit(fitted: Fitted) -> Resample:
    """New responses from the fit; everything else as observed.

    A row of frequency weight w is w rows, each with a response of its own.
    """
    base, positions = _observations(fitted.data)
    law = ResponseLaw.of(fitted, take_rows(own_rows(fitted.data), positions))
    return partial(_with_responses, base, law)


def _with_responses(
    base: MemorySource, law: ResponseLaw, generators: Sequence[np.random.Generator]
) -> MemorySource:
    return replace(base, y=np.stack([law.draw(g)[0] for g in generators])[:, None])


def _observations(data: Observed) -> tuple[MemorySource, np.ndarray]:
    """A source with one row for each observation, and the row of the data that each stands for."""
    source, frequency = data.source, data.rows().freq_weights
    order = np.arange(source.n_rows) if data.units.order is None else data.units.order
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
    return replace(rows, weight=cut(_sampling_weight(data))), order[row]


def _drawn_from_units(data: Observed) -> Resample:
    """Units drawn with replacement: the counts become case weights.

    A row of frequency weight w is w rows to draw from.
    """
    source, frequency = data.source, data.rows().freq_weights
    if frequency is None or source.group is not None:
        frequency = np.ones(source.n_units)
    number, chances = round(float(frequency.sum())), frequency / frequency.sum()
    return partial(_with_counts, source, number, chances, _sampling_weight(data))


def _with_counts(
    source: MemorySource,
    number: int,
    chances: np.ndarray,
    sampling: np.ndarray | None,
    generators: Sequence[np.random.Generator],
) -> MemorySource:
    weight = np.stack([g.multinomial(number, chances) for g in generators]).astype(float)
    if sampling is not None:
        weight *= sampling
    return replace(source, weight=weight[:, None])


def _sampling_weight(data: Observed) -> np.ndarray | None:
    """Sampling weights of the units (u,), apart from frequency weights."""
    source, frequency = data.source, data.rows().freq_weights
    if data.design.prob_weights is None:
        return None
    assert source.weight is not None
    apart = source.group is not None or frequency is None
    weight: np.ndarray = source.weight if apart else source.weight / frequency
    return weight


def drawn_on_each_pass(data: Observed, kind: str) -> Redraw:
    """How data sets are made of rows that are not in memory: from a source and a seed for each.

    Raises
    ------
    SmmixError
        If the kind needs the rows at hand, or the weights of a unit cannot be told apart.
    """
    given = data.given
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
