"""Calls with arguments that a function does not have."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from smmix.errors import ArgumentError, SmmixError
from smmix.support.checks import reason
from smmix.support.frames import similar_names

__all__ = ["refuses_unknown", "unknown"]

P = ParamSpec("P")
R = TypeVar("R")

#: What other programs call arguments of ours.
ELSEWHERE = {
    "weights": ("freq_weights", "prob_weights"),
    "sample_weight": ("freq_weights", "prob_weights"),
    "var_weights": ("freq_weights", "prob_weights"),
    "n_components": ("k",),
    "k_regimes": ("k",),
    "concomitant": ("exog_concomitant",),
    "exog_concomitant": ("concomitant",),
    "exog_infl": ("exog_concomitant", "concomitant"),
    "vi": ("error_variance",),
    "id": ("groups",),
    "cluster": ("groups",),
    "nrep": ("n_starts",),
    "n_init": ("n_starts",),
    "nboot": ("n_boot",),
    "n_rep": ("n_boot",),
    "reps": ("n_boot",),
    "tol": ("gtol",),
    "seed": ("rng",),
    "random_state": ("rng",),
    "disp": ("progress",),
    "verbose": ("progress",),
    "n_jobs": ("threads",),
    "env": ("eval_env",),
    "distribution": ("family",),
    "newdata": ("exog",),
    "what": ("which",),
    "type": ("which",),
}

#: What a model of normal components alone does not take.
OF_FAMILIES = ("family", "shared", "exposure", "trials", "event", "error_variance")


def refuses_unknown(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function refuse a call that does not fit it in a sentence that says what would.

    Parameters
    ----------
    function : callable

    Returns
    -------
    callable
        The same with an `ArgumentError` in place of Python's TypeError.

    Examples
    --------
    >>> from smmix.support.arguments import refuses_unknown
    >>> @refuses_unknown
    ... def fit(rng=0): ...
    >>> fit(seed=1)
    Traceback (most recent call last):
    smmix.errors.ArgumentError: fit() got an unexpected keyword argument 'seed'; use 'rng' instead.
    """
    signature = inspect.signature(function)
    names = [name for name in signature.parameters if name not in ("self", "cls")]
    called = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in names:
                raise unknown(called, name, names)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{called}(): {error}; it takes {', '.join(names)}.") from None
        try:
            return function(*args, **kwargs)
        except MemoryError as error:
            raise SmmixError(
                f"{called}() needs more memory than there is ({reason(error)})."
            ) from error

    return checked


def unknown(called: str, name: str, names: list[str]) -> ArgumentError:
    """The error for an argument that a function does not have."""
    start = f"{called}() got an unexpected keyword argument {name!r}"
    return ArgumentError(f"{start}{_meant(name, names)}.")


def _meant(name: str, names: list[str]) -> str:
    known = [other for other in ELSEWHERE.get(name.lower(), ()) if other in names]
    if name in OF_FAMILIES:
        return "; MixtureGLM and smmix.from_formula take it"
    if known:
        return f"; use {' or '.join(map(repr, known))} instead"
    return similar_names(name, names)
