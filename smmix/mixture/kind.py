"""What kind of mixture is asked for, and a response that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from smmix.core.family import Family
from smmix.core.random_effects import RandomEffects
from smmix.errors import SmmixError
from smmix.families import Gaussian, MeasuredGaussian, read_family
from smmix.families.mixed_gaussian import MixedGaussian
from smmix.formula import Design
from smmix.support.checks import check_choice, check_whole, listed, shown
from smmix.support.frames import placed, row_name

__all__ = ["Kind", "as_read", "measured", "shared_names", "suited"]

#: Covariances of random effects: one for each component, one for all, or independent effects.
RANDOM_COV = ("free", "equal", "diagonal")


class Kind(NamedTuple):
    """The distribution of the components.

    Attributes
    ----------
    family : Family
    shared : set of str
        Nuisance parameters that all components share.
    random_cov : {"free", "equal", "diagonal"}, or None
        Covariance of the random effects; None without any.
    """

    family: Family
    shared: frozenset[str]
    random_cov: str | None = None

    @classmethod
    def of(cls, family: Any, k: int, variance: str, shared: Sequence[str] | str | None) -> Kind:
        """What users' arguments ask for.

        Raises
        ------
        SmmixError
            If a name is unknown, the family has no such parameter, or needs a design beside.
        """
        check_whole("k", k)
        given = shared_names(variance, shared)
        found = read_family(family, k)
        names = list(dict.fromkeys(parameter.name for parameter in found.nuisance))
        if variance == "equal" and "sigma" not in names:
            has = f"use shared={names!r}" if names else "leave it out"
            raise SmmixError(
                f"variance='equal' ties sigma, which {found.label} do not have; {has}."
            )
        return cls(found, frozenset(given))

    def check_shared(self, family: Family) -> None:
        """Refuse a shared parameter that the family, as it is for the data, does not have.

        Raises
        ------
        SmmixError
        """
        names = list(dict.fromkeys(parameter.name for parameter in family.nuisance))
        for name in sorted(self.shared):
            if name not in names:
                own = f"they have {', '.join(names)}" if names else "they have none"
                raise SmmixError(
                    f"shared names {name!r}, which is no parameter of {family.label} beside the "
                    f"coefficients; {own}."
                )

    def with_random(self, random: Any, random_cov: str, groups: Any) -> Kind:
        """The same with random effects, where a formula of them is given.

        Raises
        ------
        SmmixError
            If the family can have none, there are no groups, or the covariance is of no such kind.
        """
        check_choice("random_cov", random_cov, RANDOM_COV)
        if random is None:
            if random_cov != "free":
                raise SmmixError(
                    "random_cov is the covariance of random effects; name these as random='~ 1', "
                    "or leave it out."
                )
            return self
        if not isinstance(random, str):
            raise SmmixError(f"random must be a formula such as '~ 1 + age', not {shown(random)}.")
        if self.family != Gaussian():
            raise SmmixError(
                "random means nothing beside this family: random effects are those of Gaussian "
                "components with an identity link; leave random or family out."
            )
        if groups is None:
            raise SmmixError(
                "Random effects belong to groups of rows; name the column of the groups as "
                "groups='id', or leave random out."
            )
        effects = RandomEffects((), random_cov == "diagonal")
        return Kind(MixedGaussian(formula=random, random=effects), self.shared, random_cov)

    def shared_by(self, family: Family) -> frozenset[str]:
        """Parameters that components share, those of one covariance for all among them."""
        if self.random_cov == "equal" and isinstance(family, MixedGaussian):
            return self.shared.union(family.random.parameters)
        return self.shared


def shared_names(variance: Any, shared: Any) -> list[str]:
    """Names of the parameters that components are to share.

    Raises
    ------
    SmmixError
        If ``variance`` is neither "free" nor "equal", or something is no name.
    """
    check_choice("variance", variance, ("free", "equal"))
    given = listed("shared", shared, "names of parameters")
    for name in given:
        if not isinstance(name, str):
            raise SmmixError(f"shared must be names of parameters, not {shown(name)}.")
    return [*given, "sigma"] if variance == "equal" else list(given)


def measured(family: Any, error_variance: str) -> Any:
    """The families that users mean, the Gaussian ones measured with errors of known variance.

    Raises
    ------
    SmmixError
        If a family is neither Gaussian nor a point mass.
    """
    if isinstance(family, Sequence) and not isinstance(family, str):
        return [measured(one, error_variance) for one in family]
    found = read_family(family)
    if found == Gaussian():
        return MeasuredGaussian(error_variance)
    if found.link is not None:
        raise SmmixError(
            f"error_variance is for Gaussian components, not for {found.label}; leave it out."
        )
    return found


def suited(design: Design, family: Family) -> tuple[Design, Family]:
    """A design with its response as the family reads it, and the family for that response.

    Raises
    ------
    SmmixError
        As `as_read`, or if the family has a formula and the design was made without.
    """
    if family.ancillary is not None:
        if design.ancillary_names is None:
            raise SmmixError(
                f"The family has the formula {family.ancillary!r}; build the model from a formula "
                "and a table, with from_formula."
            )
        family = family.with_terms(design.ancillary_names)
    design = as_read(design, family)
    return design, family.bound(design.endog)


def as_read(design: Design, family: Family) -> Design:
    """Rows with their response as the family reads it.

    Trials, or the columns of the family's formula, become what goes with each row (``aux``); a
    time that was cut off is stored as minus the time.

    Raises
    ------
    SmmixError
        If the family cannot have a row, or an argument means nothing to it.
    """
    for name in ("trials", "event"):
        if getattr(design, name) is not None and name not in family.takes:
            raise SmmixError(
                f"{name} means nothing for {family.label}; leave it out or choose another family."
            )
    y = design.endog if design.event is None else _censored(design, design.endog)
    trials = design.trials
    aux = design.ancillary if trials is None else np.ascontiguousarray(trials[:, None])
    refusal = family.refuse(y, aux)
    if refusal is not None:
        position, need = refusal
        raise SmmixError(
            f"The response {design.endog_name!r} is {design.endog[position]:g} in "
            f"{_row(design, position)}; {need}."
        )
    return replace(design, endog=y, aux=aux)


def _row(design: Design, position: int) -> str:
    """What messages call a row; the rows of a slab have their numbers for labels."""
    if not design.positions.size:
        return f"row {design.index[position]}"
    with placed(design.positions):
        return row_name(design.index, position)


def _censored(design: Design, y: np.ndarray) -> np.ndarray:
    """Times, those without an event negative."""
    event = design.event
    assert event is not None, "only called for times with events"
    wrong = (event != 0.0) & (event != 1.0)
    if wrong.any():
        position = int(np.argmax(wrong))
        raise SmmixError(
            f"event is {event[position]:g} in {_row(design, position)}; it must be 1 where the "
            "time ended with the event and 0 where it was cut off."
        )
    low = y <= 0.0
    if low.any():
        position = int(np.argmax(low))
        raise SmmixError(
            f"The response {design.endog_name!r} is {y[position]:g} in {_row(design, position)}; "
            "a time must be positive."
        )
    return np.where(event == 1.0, y, -y)
