"""From the options of fit() to the modes of the likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import ThreadpoolController

from smmix.errors import SmmixError
from smmix.fit.checkpoint import recorded
from smmix.fit.estimable import check_estimable, exact_marked, refuse_far_start
from smmix.fit.options import FitOptions
from smmix.formula.rows import by_label
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.search.em import EMStatus
from smmix.search.modes import Modes
from smmix.search.search import SearchControl, climb, find_modes
from smmix.support.checks import reason, shown
from smmix.support.frames import codes_of, is_pandas, is_single
from smmix.support.progress import progress_bar

__all__ = ["opened", "search_modes"]


def search_modes(
    specification: Specification, observed: Observed, start_params: Any, options: FitOptions
) -> Modes:
    """Modes of the likelihood: from the user's parameters, or from starts of all kinds."""
    check_estimable(specification, observed)
    start = None if start_params is None else start_vector(specification, observed, start_params)
    starts = starting_posteriors(specification, observed, options.starts)
    source = observed.source
    if options.threads is not None and not hasattr(source, "threads"):
        raise SmmixError("threads means nothing for a Dask frame: its scheduler shares the work.")
    if options.threads is not None:
        source = replace(source, threads=options.threads)
    with (
        progress_bar(options.progress) as report,
        one_blas_thread(),
        # Runs into a component without variance overflow on their way, and are told by their sigma.
        np.errstate(all="ignore"),
        recorded(specification, observed, source, options, start) as source,
    ):
        control = options.control(report)
        if start is not None:
            modes = climb(
                specification.spec, source, specification.unpack(start), control, observed.pooled
            )
        else:
            modes = find_modes(
                specification.spec, source, control, options.rng, starts, observed.pooled
            )
    return exact_marked(specification, observed, modes)


def opened(specification: Specification, observed: Observed, modes: Modes, i: int) -> Modes:
    """The modes with mode ``i`` followed to its end, when the search had left it behind."""
    mode = modes.modes[i]
    if mode.status is not EMStatus.LEFT_BEHIND or (mode.degenerate and not mode.chance):
        return modes
    with one_blas_thread():
        spec, source = specification.spec, observed.source
        found = climb(spec, source, mode.params, SearchControl(), observed.pooled)
    followed = replace(
        found.modes[0],
        hits=mode.hits,
        degenerate=mode.degenerate,
        chance=mode.chance,
        reason=mode.reason,
    )
    return replace(modes, modes=[*modes.modes[:i], followed, *modes.modes[i + 1 :]])


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """The blocks are shared by our own threads; BLAS threads on top would fight them."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # Finding the libraries takes longer than a small fit; limiting them does not.
    return ThreadpoolController()


def start_vector(specification: Specification, observed: Observed, start_params: Any) -> np.ndarray:
    """The user's starting values, inside the restrictions."""
    if isinstance(start_params, pd.Series) and not isinstance(start_params.index, pd.RangeIndex):
        absent = [name for name in specification.param_names if name not in start_params.index]
        if absent:
            raise SmmixError(f"start_params lacks the parameter {absent[0]!r}.")
        start_params = start_params[specification.param_names]
    start = specification.check_params(start_params, "start_params")
    if specification.equalities is not None:
        moved = "start_params, moved inside the restrictions"
        start = specification.check_params(specification.equalities.nearest(start), moved)
    refuse_far_start(specification, observed, start)
    return start


def starting_posteriors(
    specification: Specification, observed: Observed, starts: Any
) -> np.ndarray | None:
    """Posteriors (1, k, u) from what the user gave as ``starts``; None for the default."""
    if isinstance(starts, str) and starts == "default":
        return None
    if is_single(starts) or isinstance(starts, Mapping):
        raise SmmixError(
            f"starts={shown(starts)} must be 'default', (n, k) posteriors or (n,) labels."
        )
    if not observed.in_memory:
        raise SmmixError(
            "starts must be 'default' for rows that are not in memory; climb from parameters with "
            "start_params instead."
        )
    index, _, which = observed.rows_of_data()
    values = _matched(starts, index)
    n, k = len(index), specification.k
    if values.ndim not in (1, 2) or values.shape[0] != n:
        raise SmmixError(
            f"starts has the shape {values.shape}; it must have one row for each of the {n} rows "
            "of the model: (n, k) posteriors or (n,) labels."
        )
    posterior = _from_labels(values, k) if values.ndim == 1 else _checked(values, k)
    codes = observed.units.codes
    if codes is not None:
        sums = np.zeros((codes.max() + 1, k))
        np.add.at(sums, codes, posterior[which])
        posterior = sums / sums.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(posterior.T)[None]


def _matched(starts: Any, index: pd.Index) -> np.ndarray:
    """Values of ``starts`` for the rows used, by label where it has labels."""
    if is_pandas(starts):
        starts = by_label(starts, index, "starts")
    return np.asarray(starts)


def _from_labels(labels: np.ndarray, k: int) -> np.ndarray:
    position, found = codes_of(labels, "starts", sort=True)
    if (position < 0).any():
        raise SmmixError(f"starts has no label in row {int(np.argmax(position < 0))}.")
    if found.size != k:
        raise SmmixError(f"starts has {found.size} different labels; it needs {k}, as k={k}.")
    return np.eye(k)[position]


def _checked(posterior: np.ndarray, k: int) -> np.ndarray:
    if posterior.shape[1] != k:
        raise SmmixError(f"starts has {posterior.shape[1]} columns; it needs {k}, as k={k}.")
    try:
        posterior = posterior.astype(float)
    except (TypeError, ValueError) as error:
        raise SmmixError(f"starts must hold probabilities ({reason(error)}).") from error
    total = posterior.sum(axis=1)
    if not (np.isfinite(total).all() and (posterior >= 0.0).all() and (total > 0.0).all()):
        raise SmmixError("starts must hold probabilities: none negative, no row of zeros, no NaN.")
    if (posterior.sum(axis=0) == 0.0).any():
        empty = int(np.argmin(posterior.sum(axis=0)))
        raise SmmixError(f"starts gives no row to component {empty}.")
    return posterior / total[:, None]
