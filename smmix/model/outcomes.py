"""From a formula for each of several outcomes, and a table, to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.families import Gaussian, read_family
from smmix.formula.engine import captured, parse
from smmix.large.build import is_large
from smmix.mixture.kind import Kind, measured, shared_names
from smmix.mixture.outcomes import joint_rows, stacked
from smmix.mixture.response import TWO_COLUMNS
from smmix.mixture.specification import Specification
from smmix.model.base import Parts, handled
from smmix.model.build import build_parts
from smmix.support.checks import check_flag, listed, shown
from smmix.support.frames import as_frame, quoted

__all__ = ["parts_of_formulas"]

#: Arguments that belong to one outcome, as {outcome: column}.
OF_ONE = ("exposure", "trials", "event", "offset")
#: Arguments that mean nothing beside several outcomes, and what does instead.
WITHOUT = {
    "random": "fit each outcome by itself",
    "error_variance": "give the outcome the family MeasuredGaussian('se**2')",
}


def parts_of_formulas(
    formula: Any,
    data: Any,
    k: int,
    *,
    outcomes: bool,
    family: Any,
    error_variance: str | None,
    variance: str,
    shared: Any,
    eval_env: Any,
    **options: Any,
) -> tuple[Parts, bool]:
    """The parts of a model of one response or of several, and whether it is of Gaussian errors.

    ``options`` are the other arguments of `from_formula`; ``eval_env`` counts from the caller of
    the calling function.
    """
    check_flag("outcomes", outcomes)
    env = captured(eval_env, 3)
    if outcomes:
        kind = {"family": family, "variance": variance, "shared": shared}
        given = {**kind, "error_variance": error_variance, "eval_env": env, **options}
        return _parts_of_outcomes(formula, data, k, **given), False
    if error_variance is not None:
        family = measured(family, error_variance)
    one = Kind.of(family, k, variance, shared)
    parts = build_parts(formula, data, k, kind=one, eval_env=env, **options)
    return parts, one.family == Gaussian()


def _parts_of_outcomes(
    formulas: Any,
    data: Any,
    k: int,
    *,
    family: Any,
    variance: str,
    shared: Any,
    common: Any,
    fixed: Mapping[str, float] | None,
    hasconst: bool | None,
    eval_env: Any,
    **options: Any,
) -> Parts:
    """The parts of a model of several outcomes, each with a formula and a family of its own."""
    for name, instead in WITHOUT.items():
        if options.pop(name) is not None:
            raise SmmixError(f"{name} means nothing beside several outcomes; {instead}.")
    names = _names(formulas)
    if is_large(data):
        raise SmmixError(
            "Several outcomes need the rows in memory; fit a sample, or one outcome at a time."
        )
    table = as_frame(data)
    own = {name: _by_outcome(options.pop(name), name, names) for name in OF_ONE}
    families = _families(family, names)
    ties = _split(
        shared_names(variance, shared),
        names,
        [[n.name for n in one.nuisance] for one in families],
        "shared",
    )
    parsed = [parse(_of_successes(one), None, None) for one in formulas]
    terms = [[term.name() for term in one.exog] for one in parsed]
    commons = _split(listed("common", common, "names of terms"), names, terms, "common")
    parts = [
        build_parts(
            formula,
            table,
            k,
            kind=Kind.of(one, k, "free", tie),
            fixed=None,
            hasconst=hasconst,
            eval_env=eval_env,
            random=None,
            common=shares or None,
            **{argument: values.get(name) for argument, values in own.items()},
            **options,
        )
        for formula, name, one, tie, shares in zip(
            formulas, names, families, ties, commons, strict=True
        )
    ]
    return _together(parts, table, int(k), list(formulas), fixed, hasconst)


def _together(
    parts: Sequence[Parts],
    table: Any,
    k: int,
    formulas: list[str],
    fixed: Mapping[str, float] | None,
    hasconst: bool | None,
) -> Parts:
    """One model of the outcomes' models."""
    outcomes = [part.specification for part in parts]
    observed = [part.observed for part in parts]
    design, family = stacked(outcomes, observed, table)
    first = outcomes[0]
    specification = Specification.of(
        design,
        k,
        family=family,
        shared=frozenset(f"{one.endog_name}:{name}" for one in outcomes for name in one.shared),
        fixed=fixed,
        present=np.hstack([one.present for one in outcomes]),
        formula=formulas,
        concomitant=first.concomitant,
        hasconst=hasconst,
        k_constant=sum(one.k_constant for one in outcomes if one.family.intercept),
        grouped=first.grouped,
        sampled=first.sampled,
        told_apart=frozenset().union(*(one.told_apart for one in outcomes)),
        response_columns=[name for one in outcomes for name in one.response_columns],
        outcomes=tuple(outcomes),
    )
    return Parts(specification, joint_rows(design, observed, k, table), handled(design, hasconst))


def _of_successes(formula: Any) -> Any:
    """A formula whose response is two columns, successes and failures, with the first alone."""
    if not isinstance(formula, str):
        return formula
    left, tilde, right = formula.partition("~")
    pair = TWO_COLUMNS.match(left)
    return formula if pair is None else f"{pair.group(1)} {tilde}{right}"


def _names(formulas: Any) -> list[str]:
    """The response of each formula."""
    if isinstance(formulas, str | Mapping) or not isinstance(formulas, Sequence):
        raise SmmixError(
            "With outcomes=True formula is a list with a formula for each outcome, such as "
            f"['bp ~ age', 'visits ~ age'], not {shown(formulas)}."
        )
    if not formulas:
        raise SmmixError("formula lists no outcome; give at least one, as in ['bp ~ age'].")
    names = [parse(_of_successes(one), None, None).response[0].name() for one in formulas]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise SmmixError(f"The outcome {twice[0]!r} has two formulas; give each outcome one.")
    return names


def _families(family: Any, names: list[str]) -> list[Any]:
    """The family of each outcome."""
    listed_ones = isinstance(family, Sequence) and not isinstance(family, str)
    given = list(family) if listed_ones else [family] * len(names)
    if len(given) != len(names):
        raise SmmixError(
            f"family lists {len(given)} families for {len(names)} outcomes; give one for each."
        )
    for one in given:
        if isinstance(one, list | tuple):
            raise SmmixError(
                f"family lists {shown(one)} for one outcome; an outcome has one family in all "
                "components."
            )
    return [read_family(one) for one in given]


def _by_outcome(given: Any, argument: str, names: list[str]) -> dict[str, Any]:
    """What each outcome has of an argument, a column of the data."""
    if given is None:
        return {}
    if not isinstance(given, Mapping) or any(not isinstance(one, str) for one in given.values()):
        raise SmmixError(
            f"Beside several outcomes {argument} tells whose it is, as in "
            f"{argument}={{{names[0]!r}: 'a column'}}."
        )
    for name in given:
        if name not in names:
            raise SmmixError(f"{argument} names {name!r}, which is none of {quoted(names)}.")
    return dict(given)


def _split(
    given: list[Any], names: list[str], known: list[list[str]], argument: str
) -> list[list[str]]:
    """Which of the names given each outcome has: "bp:age" is of one, "age" of all that have it."""
    found: list[list[str]] = [[] for _ in names]
    for one in given:
        asked = str(one).replace(" ", "")
        own = [
            (mine, name)
            for outcome, mine, theirs in zip(names, found, known, strict=True)
            for name in theirs
            if asked in (name.replace(" ", ""), f"{outcome}:{name}".replace(" ", ""))
        ]
        if not own:
            every = [f"{o}:{n}" for o, theirs in zip(names, known, strict=True) for n in theirs]
            raise SmmixError(f"{argument} names {one!r}, which no outcome has; there are "
                             f"{quoted(every)}.")  # fmt: skip
        for mine, name in own:
            mine.append(name)
    return found
