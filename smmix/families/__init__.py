"""Families of component distributions, and how users name them.

A family is named, given as one of these objects (with a link, or nuisance parameters that are
held), as a family object of statsmodels, or as a list with one for each component.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from smmix.core.family import Family
from smmix.core.family_list import FamilyList
from smmix.core.outcome_families import Outcome, OutcomeFamilies
from smmix.errors import SmmixError
from smmix.families.beta import Beta
from smmix.families.binomial import Binomial
from smmix.families.censored_gaussian import CensoredGaussian
from smmix.families.exponential_times import Exponential
from smmix.families.gamma import Gamma
from smmix.families.gaussian import Gaussian
from smmix.families.inverse_gaussian import InverseGaussian
from smmix.families.laplace import Laplace
from smmix.families.measured_gaussian import MeasuredGaussian
from smmix.families.mixed_gaussian import MixedGaussian
from smmix.families.negative_binomial import NegativeBinomial
from smmix.families.ordered import Ordered
from smmix.families.point_mass import PointMass
from smmix.families.poisson import Poisson
from smmix.families.student_t import StudentT
from smmix.families.weibull import Weibull
from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
from smmix.families.zero_truncated_poisson import ZeroTruncatedPoisson
from smmix.support.checks import shown

__all__ = [
    "ALIASES",
    "REGISTRY",
    "Beta",
    "Binomial",
    "CensoredGaussian",
    "Exponential",
    "Gamma",
    "Gaussian",
    "InverseGaussian",
    "Laplace",
    "MeasuredGaussian",
    "NegativeBinomial",
    "Ordered",
    "PointMass",
    "Poisson",
    "StudentT",
    "Weibull",
    "ZeroInflatedPoisson",
    "ZeroTruncatedPoisson",
    "family_from_plain",
    "read_family",
]

#: Every family by its name. A further one is a file of its own and a line here.
REGISTRY: dict[str, Callable[..., Family]] = {
    "gaussian": Gaussian,
    "student_t": StudentT,
    "laplace": Laplace,
    "censored_gaussian": CensoredGaussian,
    "measured_gaussian": MeasuredGaussian,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
    "zero_truncated_poisson": ZeroTruncatedPoisson,
    "zero_inflated_poisson": ZeroInflatedPoisson,
    "binomial": Binomial,
    "gamma": Gamma,
    "inverse_gaussian": InverseGaussian,
    "beta": Beta,
    "ordered": Ordered,
    "weibull": Weibull,
    "exponential": Exponential,
    "point_mass": PointMass,
}

#: Other names in use.
ALIASES = {
    "normal": "gaussian",
    "t": "student_t",
    "tobit": "censored_gaussian",
    "bernoulli": "binomial",
    "nb2": "negative_binomial",
    "zip": "zero_inflated_poisson",
    "ordered_logit": "ordered",
    "zero": "point_mass",
}

#: Names of statsmodels' links that differ from ours when written small.
STATSMODELS_LINKS = {"inversepower": "inverse_power", "inversesquared": "inverse_squared"}
#: The same for its families.
STATSMODELS_FAMILIES = {
    "negativebinomial": "negative_binomial",
    "inversegaussian": "inverse_gaussian",
}


def read_family(family: Any, k: int | None = None) -> Family:
    """A family from what users may write.

    Parameters
    ----------
    family : str, Family, family object of statsmodels, or sequence of these
        A sequence has one for each component.
    k : int, optional
        Number of components, for the length of a sequence.

    Returns
    -------
    Family

    Raises
    ------
    SmmixError
        If a name is unknown, an object has not the contract of a family, or a link is none that
        the family has.

    Examples
    --------
    >>> from smmix.families import read_family
    >>> read_family("t").nuisance[1].name
    'df'
    >>> read_family(["poisson", "gaussian"]).label
    'regressions of different families'
    """
    if isinstance(family, Sequence) and not isinstance(family, str):
        if not family or any(isinstance(part, list | tuple) for part in family):
            raise SmmixError(f"family must list a family for each component, not {shown(family)}.")
        parts = [read_family(part) for part in family]
        if k is not None and len(parts) != k:
            raise SmmixError(
                f"family lists {len(parts)} families but k={k}; give one for each component."
            )
        if all(part == parts[0] for part in parts[1:]):
            return parts[0]
        formulas = {part.ancillary for part in parts if part.ancillary is not None}
        if len(formulas) > 1 or (formulas and any("trials" in part.takes for part in parts)):
            raise SmmixError(
                "The families of a list share what goes with each row beside the response, which "
                "is one formula or trials; give one of these."
            )
        return FamilyList(tuple(parts))
    if isinstance(family, str):
        return _maker(family)()
    if type(family).__module__.startswith("statsmodels."):
        return _from_statsmodels(family)
    if isinstance(family, type) and family in REGISTRY.values():
        return family()
    if not all(hasattr(family, name) for name in ("evaluate", "derivatives", "nuisance", "link")):
        raise SmmixError(
            f"family must be a name, an object of smmix.families or of statsmodels, or a list of "
            f"these, not {type(family).__name__}; see docs/extend/family.md to write your own."
        )
    return family


def _maker(name: str) -> Callable[..., Family]:
    key = name.lower().replace("-", "_").replace(" ", "_")
    key = ALIASES.get(key, key)
    if key not in REGISTRY:
        near = difflib.get_close_matches(key, [*REGISTRY, *ALIASES], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f": {', '.join(REGISTRY)}."
        raise SmmixError(f"family={name!r} is none of smmix's families{hint}")
    return REGISTRY[key]


def _from_statsmodels(family: Any) -> Family:
    """The family that an object of statsmodels stands for, with its link."""
    name = type(family).__name__.lower()
    key = STATSMODELS_FAMILIES.get(name, name)
    if key not in REGISTRY:
        raise SmmixError(
            f"smmix has no family like statsmodels' {type(family).__name__}; it has "
            f"{', '.join(REGISTRY)}."
        )
    link = type(family.link).__name__.lower()
    link = STATSMODELS_LINKS.get(link, link)
    # An object of statsmodels holds its alpha: it fits the coefficients alone.
    held = {"alpha": float(family.alpha)} if key == "negative_binomial" else {}
    return REGISTRY[key](link=link, **held)


def family_from_plain(plain: dict[str, Any]) -> Family:
    """The family whose name and options (`Family.to_plain`) are given."""
    options = {key: value for key, value in plain.items() if key != "name"}
    if plain["name"] == FamilyList.name:
        return FamilyList(tuple(map(family_from_plain, options["families"])))
    if plain["name"] == OutcomeFamilies.name:
        return OutcomeFamilies(tuple(map(_outcome_from_plain, options["outcomes_of"])))
    if plain["name"] == MixedGaussian.name:
        return MixedGaussian.of(**options)
    return _maker(plain["name"])(**options)


def _outcome_from_plain(plain: dict[str, Any]) -> Outcome:
    family, columns = family_from_plain(plain["family"]), tuple(map(int, plain["columns"]))
    return Outcome(**{**plain, "family": family, "columns": columns})
