"""From the options of fit() to the modes of the likelihood, and the order of the components."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import ThreadpoolController

from smmix.core.blocks import Block
from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.fit.checkpoint import recorded
from smmix.fit.estimable import check_estimable, exact_marked, refuse_far_start
from smmix.formula.rows import by_label
from smmix.search.em import EMStatus
from smmix.search.labelling import exchangeable
from smmix.search.modes import Modes
from smmix.search.search import SearchControl, climb, find_modes
from smmix.support.frames import is_pandas, similar_names
from smmix.support.progress import progress_bar

if TYPE_CHECKING:
    from smmix.mixture.base import MixtureModel

__all__ = [
    "FitOptions",
    "component_order",
    "effective_order",
    "mixing_shares",
    "opened",
    "search_modes",
]

METHODS = ("em-newton", "em")
#: Mixing proportions that agree to this many digits are tied.
TIED_DIGITS = 10


@dataclass(frozen=True)
class FitOptions:
    """The options of fit(), checked.

    Attributes
    ----------
    method, n_starts, starts, maxiter, gtol, order, threads, progress, callback, checkpoint
        As in `MixtureOLS.fit`.
    rng : Generator
    """

    method: str
    n_starts: int
    starts: Any
    maxiter: int
    gtol: float
    rng: np.random.Generator
    order: str | None
    threads: int | None
    progress: bool | None
    callback: Callable[[str, int, int, float], Any] | None
    checkpoint: str | Path | None = None

    @classmethod
    def checked(cls, model: MixtureModel, rng: Any, **options: Any) -> FitOptions:
        """The options, refused when one makes no sense for ``model``."""
        method, order = options["method"], options["order"]
        if method not in METHODS:
            raise SmmixError(f"method must be 'em-newton' or 'em', not {method!r}.")
        for name in ("n_starts", "maxiter"):
            _check_count(name, options[name])
        if options["threads"] is not None:
            _check_count("threads", options["threads"])
        if method == "em" and not model.em_keeps_restrictions:
            raise SmmixError(
                "method='em' cannot keep restrictions of sigmas or mixing logits; leave method out."
            )
        gtol = options["gtol"]
        if not isinstance(gtol, float | int) or not 0.0 < gtol < 1.0:
            raise SmmixError(f"gtol must be a number between 0 and 1, not {gtol!r}.")
        keys = ["weight", *model.exog_names, "sigma"]
        if order is not None and order not in keys:
            raise SmmixError(
                f"order={order!r} must be None, 'weight' or the name of a coefficient"
                f"{similar_names(order, keys)}."
            )
        callback = options["callback"]
        if callback is not None and not callable(callback):
            raise SmmixError("callback must be a function of (stage, done, total, best).")
        if not isinstance(options.get("checkpoint"), str | Path | None):
            raise SmmixError(f"checkpoint must name a file, not {options['checkpoint']!r}.")
        try:
            generator = np.random.default_rng(rng)
        except (TypeError, ValueError) as error:
            raise SmmixError(
                f"rng={rng!r} cannot seed a random number generator ({error})."
            ) from error
        return cls(rng=generator, **options)

    def control(self, report: Callable[[str, int, int, float], None] | None) -> SearchControl:
        """What the search needs of them; reports go to the bar and to the callback."""
        told = [f for f in (report, self.callback) if f is not None]

        def tell(stage: str, done: int, total: int, best: float) -> None:
            for function in told:
                function(stage, min(done, total), total, best)

        return SearchControl(
            n_starts=self.n_starts,
            method=self.method,
            maxiter=self.maxiter,
            gtol=float(self.gtol),
            progress=tell if told else None,
        )


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise SmmixError(f"{name} must be a whole number of at least 1, not {value!r}.")


def search_modes(model: MixtureModel, start_params: Any, options: FitOptions) -> Modes:
    """Modes of the likelihood: from the user's parameters, or from starts of all kinds."""
    check_estimable(model)
    start = None if start_params is None else start_vector(model, start_params)
    starts = starting_posteriors(model, options.starts)
    source = model.source
    if options.threads is not None and not hasattr(source, "threads"):
        raise SmmixError("threads means nothing for a Dask frame: its scheduler shares the work.")
    if options.threads is not None:
        source = replace(source, threads=options.threads)
    with (
        progress_bar(options.progress) as report,
        one_blas_thread(),
        # Runs into a component without variance overflow on their way, and are told by their sigma.
        np.errstate(all="ignore"),
        recorded(model, source, options, start) as source,
    ):
        control = options.control(report)
        if start is not None:
            modes = climb(model.spec, source, model.unpack(start), control, model.pooled)
        else:
            modes = find_modes(model.spec, source, control, options.rng, starts, model.pooled)
    return exact_marked(model, modes)


def opened(model: MixtureModel, modes: Modes, i: int) -> Modes:
    """The modes with mode ``i`` followed to its end, when the search had left it behind."""
    mode = modes.modes[i]
    if mode.status is not EMStatus.LEFT_BEHIND or (mode.degenerate and not mode.chance):
        return modes
    with one_blas_thread():
        found = climb(model.spec, model.source, mode.params, SearchControl(), model.pooled)
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


def start_vector(model: MixtureModel, start_params: Any) -> np.ndarray:
    """The user's starting values, inside the restrictions."""
    if isinstance(start_params, pd.Series) and not isinstance(start_params.index, pd.RangeIndex):
        absent = [name for name in model.param_names if name not in start_params.index]
        if absent:
            raise SmmixError(f"start_params lacks the parameter {absent[0]!r}.")
        start_params = start_params[model.param_names]
    start = model.check_params(start_params, "start_params")
    if model.equalities is not None:
        moved = "start_params, moved inside the restrictions"
        start = model.check_params(model.equalities.nearest(start), moved)
    refuse_far_start(model, start)
    return start


def starting_posteriors(model: MixtureModel, starts: Any) -> np.ndarray | None:
    """Posteriors (1, k, u) from what the user gave as ``starts``; None for the default."""
    if isinstance(starts, str):
        if starts != "default":
            raise SmmixError(
                f"starts={starts!r} must be 'default', (n, k) posteriors or (n,) labels."
            )
        return None
    if model.large is not None:
        raise SmmixError(
            "starts must be 'default' for rows that are not in memory; climb from parameters with "
            "start_params instead."
        )
    values = _matched(starts, model.design.index)
    n = model.endog.shape[0]
    if values.shape[0] != n or values.ndim > 2:
        raise SmmixError(
            f"starts has the shape {values.shape}; it must have one row for each of the {n} rows "
            "of the model: (n, k) posteriors or (n,) labels."
        )
    posterior = _from_labels(values, model.k) if values.ndim == 1 else _checked(values, model.k)
    codes = model.group_codes
    if codes is not None:
        sums = np.zeros((codes.max() + 1, model.k))
        np.add.at(sums, codes, posterior)
        posterior = sums / sums.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(posterior.T)[None]


def _matched(starts: Any, index: pd.Index) -> np.ndarray:
    """Values of ``starts`` for the rows used, by label where it has labels."""
    if is_pandas(starts):
        starts = by_label(starts, index, "starts")
    return np.asarray(starts)


def _from_labels(labels: np.ndarray, k: int) -> np.ndarray:
    found, position = np.unique(labels, return_inverse=True)
    if found.size != k:
        raise SmmixError(f"starts has {found.size} different labels; it needs {k}, as k={k}.")
    return np.eye(k)[position]


def _checked(posterior: np.ndarray, k: int) -> np.ndarray:
    if posterior.shape[1] != k:
        raise SmmixError(f"starts has {posterior.shape[1]} columns; it needs {k}, as k={k}.")
    posterior = posterior.astype(float)
    total = posterior.sum(axis=1)
    if not (np.isfinite(total).all() and (posterior >= 0.0).all() and (total > 0.0).all()):
        raise SmmixError("starts must hold probabilities: none negative, no row of zeros, no NaN.")
    if (posterior.sum(axis=0) == 0.0).any():
        empty = int(np.argmin(posterior.sum(axis=0)))
        raise SmmixError(f"starts gives no row to component {empty}.")
    return posterior / total[:, None]


def mixing_shares(model: MixtureModel, params: MixtureParams) -> np.ndarray:
    """Average prior probability of each component over the units, (k,)."""
    mixing, k = model.spec.mixing, model.k

    def step(block: Block) -> np.ndarray:
        prior = mixing.prior(params.mixing, block.z).probability[0]
        prior = np.broadcast_to(prior, (k, block.n_units))
        return prior.sum(axis=1) if block.weight is None else prior @ np.ravel(block.weight)

    if model.design.concomitant_names is None:
        return mixing.prior(params.mixing, None).probability[0, :, 0]
    total = model.source.reduce(step, model.k)
    return np.asarray(total / total.sum())


def effective_order(model: MixtureModel, order: str | None) -> str | None:
    """The rule that numbers the components; None when all of them are tied to their number."""
    sets = exchangeable(model.spec, model.told_apart)
    return order if any(len(members) > 1 for members in sets) else None


def component_order(model: MixtureModel, params: MixtureParams, order: str | None) -> np.ndarray:
    """Component that is to be called c, (k,): only exchangeable ones change places."""
    labels = np.arange(model.k)
    if order is None or model.k == 1:
        return labels
    coef = params.coef[0]
    first = coef[:, 0]
    if order == "weight":
        keys = [-np.round(mixing_shares(model, params), TIED_DIGITS), *coef.T]
    elif order == "sigma":
        keys = [params.nuisance[0, :, 0], first]
    else:
        keys = [coef[:, model.design.exog_names.index(order)], first]
    rank = np.lexsort(keys[::-1])
    for members in exchangeable(model.spec, model.told_apart):
        labels[members] = rank[np.isin(rank, members)]
    return labels
