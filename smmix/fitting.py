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

from smmix.checkpoint import recorded
from smmix.core.blocks import Block
from smmix.core.em import EMStatus
from smmix.core.labelling import exchangeable
from smmix.core.linalg import dependent_columns, solve_gram
from smmix.core.modes import Modes
from smmix.core.params import MixtureParams
from smmix.core.search import SearchControl, climb, find_modes
from smmix.errors import SmmixError
from smmix.formula.rows import by_label
from smmix.frames import is_pandas, quoted, similar_names
from smmix.large import doubtful_designs
from smmix.progress import progress_bar

if TYPE_CHECKING:
    from smmix.mixture_model import MixtureModel

__all__ = [
    "FitOptions",
    "check_estimable",
    "component_order",
    "effective_order",
    "mixing_shares",
    "opened",
    "search_modes",
]

METHODS = ("em-newton", "em")
#: Largest ratio of the pooled residual to the response that counts as an exact fit.
EXACT_FIT = 1e-13
#: Sigmas of a mixture no larger than this, relative to that of one regression, count as zero.
EXACT_MIXTURE = 1e-7
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
            return climb(model.spec, source, model.unpack(start), control, model.pooled)
        modes = find_modes(model.spec, source, control, options.rng, starts, model.pooled)
    return exact_marked(model, modes)


def opened(model: MixtureModel, modes: Modes, i: int) -> Modes:
    """The modes with mode ``i`` followed to its end, when the search had left it behind."""
    mode = modes.modes[i]
    if mode.status is not EMStatus.LEFT_BEHIND or mode.degenerate:
        return modes
    with one_blas_thread():
        found = climb(model.spec, model.source, mode.params, SearchControl(), model.pooled)
    followed = replace(found.modes[0], hits=mode.hits)
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
        moved = "start_params, moved to the nearest that satisfy the restrictions"
        start = model.check_params(model.equalities.nearest(start), moved)
    spec, unpacked = model.spec, model.unpack(start)

    def step(block: Block) -> np.ndarray:
        with np.errstate(all="ignore"):
            posterior, loglike = spec.posterior(unpacked, block)[:2]
            return np.append(posterior[0].sum(axis=1), loglike[0].sum())

    *shares, loglike = model.source.reduce(step, model.k)
    if not np.isfinite(loglike):
        raise SmmixError(
            "The log-likelihood is not finite at start_params; give values nearer to the data, or "
            "leave start_params out."
        )
    if 0.0 in shares:
        raise SmmixError(
            f"No row can belong to component {shares.index(0.0)} at start_params; give it values "
            "nearer to the data, or leave start_params out."
        )
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


def check_estimable(model: MixtureModel) -> None:
    """Refuse data from which the parameters cannot be estimated.

    Raises
    ------
    SmmixError
        For collinear columns, too few rows, a constant response, or an exact linear fit.
    """
    design, layout = model.design, model.layout
    for x, names, what in designs_to_check(model):
        refuse_collinear(x, names, what)
    low, high, has_offset = response_range(model)
    if low == high:
        what = " less the offset" if has_offset else ""
        raise SmmixError(
            f"The response {design.endog_name!r}{what} is constant ({low:g}); there is nothing to "
            "explain."
        )
    needed = model.n_free + 1
    if model.k > 1 and model.variance == "free":
        needed = max(needed, model.k * (layout.p + 2))
    if model.nobs < needed:
        raise SmmixError(
            f"{model.nobs:g} rows are too few for k={model.k} components with {layout.p} "
            f"coefficients each: at least {needed} are needed; use a smaller k, fewer regressors "
            "or variance='equal'."
        )
    if model.group_labels is not None and len(model.group_labels) < model.k:
        raise SmmixError(
            f"There are {len(model.group_labels)} groups for k={model.k} components; each "
            "component needs a group of its own."
        )
    if model.pooled.sigma <= EXACT_FIT * max(-low, high):
        raise SmmixError(
            f"The regressors fit {design.endog_name!r} exactly; there is no variation left for "
            "a mixture to explain."
        )


def exact_marked(model: MixtureModel, modes: Modes) -> Modes:
    """Modes, degenerate where the components fit the response exactly: there is no maximum."""
    for mode in modes.modes:
        sigma = mode.params.nuisance
        if sigma.size and sigma.max() <= EXACT_MIXTURE * model.pooled.sigma:
            mode.degenerate = True
            mode.reason = f"{model.k} regressions fit {model.design.endog_name!r} exactly"
    sound = [i for i, mode in enumerate(modes.modes) if not mode.degenerate]
    return replace(modes, selected=sound[0] if sound else 0)


def designs_to_check(model: MixtureModel) -> Iterator[tuple[np.ndarray, list[str], str]]:
    """Both designs, with the names of their columns and their kind."""
    if model.large is not None:
        yield from doubtful_designs(model)
        return
    design, first = model.kept_design, model.units.first
    yield design.exog, design.exog_names, "design"
    z = design.concomitant
    if z is not None:
        yield z if first is None else z[first], design.concomitant_names or [], "mixing design"


def response_range(model: MixtureModel) -> tuple[float, float, bool]:
    """Smallest and largest response less the offset, and whether there is one."""
    if model.large is not None:
        return *model.large.response_range, "offset" in model.large.extras
    design = model.kept_design
    response = design.endog if design.offset is None else design.endog - design.offset
    return float(response.min()), float(response.max()), design.offset is not None


def refuse_collinear(x: np.ndarray, names: list[str], what: str) -> None:
    """Name a column that is a linear combination of earlier ones."""
    gram = x.T @ x
    if (np.diag(gram) > 0.0).all() and solve_gram(gram, np.zeros(len(names)))[1]:
        return
    dependent = dependent_columns(x)
    if not dependent:
        return
    column = dependent[0]
    name = names[column]
    earlier = [j for j in range(column) if j not in dependent]
    width = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    scaled = x / width
    share = np.linalg.lstsq(scaled[:, earlier], scaled[:, column], rcond=None)[0]
    others = [names[j] for j, s in zip(earlier, share, strict=True) if abs(s) > 1e-8]
    if not others:
        raise SmmixError(f"The column {name!r} of the {what} is zero in every row; leave it out.")
    raise SmmixError(
        f"The column {name!r} of the {what} is a linear combination of {quoted(others)}; "
        "leave one of them out."
    )


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
