"""The arguments of select_k, checked and sorted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.inference.criteria import CRITERIA
from smmix.mixture.per_component import check_k
from smmix.model import MixtureRegression, from_formula
from smmix.support.arguments import unknown
from smmix.support.checks import shown

__all__ = [
    "CHOICES", "check_on_fit", "checked_base", "checked_criterion", "defaults",
    "numbers_of_components", "refuse_parts", "split",
]  # fmt: skip

#: Criteria that k can be chosen by: small values are better, but for the last.
CHOICES = (*(c.name for c in CRITERIA.values() if c.smaller_is_better), "bic_groups", "cv")
#: Options of fit() that belong to one number of components.
TIED_TO_K = ("start_params", "starts", "checkpoint")


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Names and defaults of a function's keyword arguments."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of from_formula, and options of fit."""
    of_model, of_fit = defaults(from_formula), defaults(MixtureRegression.fit)
    for name in options:
        if name in TIED_TO_K:
            raise SmmixError(
                f"{name} belongs to one number of components; give it to fit() of that model."
            )
        if name not in of_model and name not in of_fit:
            raise unknown("select_k", name, [*of_model, *of_fit])
    model = {name: value for name, value in options.items() if name in of_model}
    return model, {name: value for name, value in options.items() if name in of_fit}


def numbers_of_components(k: Any) -> list[int]:
    """The numbers asked for, rising; for "auto" as many as there might be."""
    if isinstance(k, str):
        if k != "auto":
            raise SmmixError(
                f"k must be whole numbers such as range(1, 6), or 'auto', not {shown(k)}."
            )
        return list(range(1, 1000))
    k = k.tolist() if isinstance(k, np.ndarray) else k
    numbers = list(k) if isinstance(k, Iterable) else [k]
    if not numbers:
        raise SmmixError("k is empty; give at least one number of components.")
    for number in numbers:
        check_k(number)
    return sorted({int(number) for number in numbers})


def checked_criterion(base: MixtureRegression, criterion: Any) -> str:
    """The criterion, refused when there is none of the name or the data do not allow it."""
    names = [name for name in CHOICES if name != "bic_groups" or base.group_labels is not None]
    if not isinstance(criterion, str) or criterion not in names:
        raise SmmixError(
            f"criterion={shown(criterion)} must be one of {', '.join(map(repr, names))}."
        )
    if criterion == "cv" and not base.observed.in_memory:
        raise SmmixError(
            "criterion='cv' needs the rows in memory; choose by another criterion, or on a sample."
        )
    return str(criterion)


def check_on_fit(on_fit: Any) -> None:
    """Refuse what cannot be called with the results of a fit."""
    if on_fit is not None and not callable(on_fit):
        raise SmmixError(f"on_fit must be a function of the results, not {shown(on_fit)}.")


def refuse_parts(formula: Any) -> None:
    """Refuse a formula for each component, which belongs to one number of them."""
    if not isinstance(formula, str):
        raise SmmixError(
            "select_k needs one formula for all components, as text, or a MixtureOLS model."
        )


def checked_base(
    model: MixtureRegression, data: Any, options: Mapping[str, Any]
) -> MixtureRegression:
    """A model that was given; it has its data and options already."""
    if data is not None or options:
        given = next(iter(options), "data")
        raise SmmixError(f"{given} is part of the model that was given; leave it out.")
    return model
