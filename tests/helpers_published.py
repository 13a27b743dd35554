"""Printed tables of mixtures of families, beside the fits of smmix."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from helpers_families_reference import HERE, cases, load, matched, model_of

__all__ = ["FURTHER", "PUBLISHED", "Published", "beside"]

#: Cases whose data are distributed, and of which a printed table was at hand.
PUBLISHED = [
    name
    for name in cases()
    if (HERE / "expected" / f"{name}.json").exists()
    and (load(name)[0].get("published") or {}).get("verbatim")
]
#: Printed log-likelihoods of a case with other numbers of components (flexmix, beta blockers).
FURTHER = {("bin_betablocker_k3_common", 2): -181.3308, ("bin_betablocker_k3_common", 4): -155.7540}


class Published(NamedTuple):
    """A printed table and ours.

    Attributes
    ----------
    source : str
    loglik : float
        As printed; NaN where it was not.
    ours : float
        Log-likelihood of the fit.
    at_printed : float
        The highest log-likelihood that the printed coefficients allow.
    table : DataFrame
        A row per printed number: printed, smmix, std err, and whether the two agree to the last
        digit printed.
    """

    source: str
    loglik: float
    ours: float
    at_printed: float
    table: pd.DataFrame


def beside(name: str) -> Published:
    """The printed table of a case, beside the default fit."""
    case, data = load(name)
    printed = case["published"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = model_of(case, data).fit()
        order = matched(results, case["optimum"]["components"])
        rows, held, own = {}, {}, {"params": results.params, "se": results.bse}
        for kind, words in (("params", ""), ("se", "std err of ")):
            for key, value in printed.get(kind, {}).items():
                parameter = _parameter(key, order, results.params.index)
                if kind == "params":
                    held[parameter] = 1.0 / value if key == "shape" else value
                ours = 1.0 / own[kind][parameter] if key == "shape" else own[kind][parameter]
                rows[words + key] = (value, ours, results.bse[parameter], agrees(value, ours))
        llf = model_of(case, data, fixed=held).fit().llf if held else np.nan
    table = pd.DataFrame(rows, index=["printed", "smmix", "std err", "agrees"]).T
    loglik = printed.get("loglik", np.nan)
    return Published(printed["source"], loglik, results.llf, llf, table)


def agrees(printed: float, value: float) -> bool:
    """Whether ``value`` rounds to what is printed, give or take one in the last digit."""
    places: Any = Decimal(repr(printed)).as_tuple().exponent
    return abs(value - printed) <= 1.5 * 10.0**places


def _parameter(key: str, order: list[int], names: pd.Index) -> str:
    """The parameter of a fit that a key such as c1.Intercept or common.age stands for."""
    place, _, term = key.partition(".")
    if key == "shape":
        return "scale"
    stem, _, level = term.removesuffix("]").partition("[")
    component = "" if place == "common" else f"[{order[int(place[1:]) - 1]}]"
    spellings = (term, f"{stem}[T.{level}]", term.replace(" ", ""))
    plain = {n.replace(" ", ""): n for n in names}
    for spelling in spellings:
        found = plain.get(f"{spelling}{component}".replace(" ", ""))
        if found is not None:
            return found
    raise KeyError(f"{key} is none of {list(names)}")
