"""A formula for each component: one design for all, and which component has which column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.formula import Design
from smmix.formula.engine import parse
from smmix.support.checks import check_whole, shown
from smmix.support.frames import quoted

__all__ = ["check_k", "checked_present", "present_columns", "refuse_more", "union_formula"]

#: Components that a model may have whatever its rows.
MOST_BESIDE_FEW_ROWS = 100


def check_k(k: Any) -> None:
    """Refuse what is no number of components."""
    check_whole("k", k)


def refuse_more(k: int, rows: float) -> None:
    """Refuse more components than rows, before matrices of their number are made.

    A likelihood may be asked of a few rows under the components of many.
    """
    if k > max(rows, MOST_BESIDE_FEW_ROWS):
        raise SmmixError(f"{rows:g} rows are too few for k={k} components; use a smaller k.")


def union_formula(formula: Any, k: int) -> tuple[str, list[str] | None]:
    """One formula with the terms of all.

    Parameters
    ----------
    formula : str, mapping of int to str, or sequence of str
    k : int

    Returns
    -------
    whole : str
    parts : list of str, or None
        The formula of each component; None when they all have the same.

    Raises
    ------
    SmmixError
        If a component has no formula, or the responses differ.

    Examples
    --------
    >>> from smmix.mixture.per_component import union_formula
    >>> union_formula(["y ~ x1", "y ~ x1 + x2"], 2)[0]
    'y ~ (x1) + (x1 + x2) + 1'
    """
    if isinstance(formula, str):
        return formula, None
    if isinstance(formula, Mapping):
        if sorted(formula, key=str) != sorted(range(k), key=str):
            raise SmmixError(
                f"formula has entries for {quoted(list(formula))}; it needs one for each "
                f"component 0 to {k - 1}."
            )
        parts = [formula[c] for c in range(k)]
    elif isinstance(formula, Sequence):
        parts = list(formula)
        if len(parts) != k:
            raise SmmixError(
                f"formula lists {len(parts)} formulas for k={k} components; with outcomes=True it "
                "lists outcomes."
            )
    else:
        raise SmmixError(f"formula must be text such as 'y ~ x', not {type(formula).__name__}.")
    sides = []
    for c, part in enumerate(parts):
        if not isinstance(part, str) or part.count("~") != 1:
            raise SmmixError(
                f"The formula of component {c} must read like 'y ~ x', not {shown(part)}."
            )
        sides.append([side.strip() for side in part.split("~")])
    responses = list(dict.fromkeys(left for left, _ in sides))
    if len(responses) > 1:
        raise SmmixError(
            f"The formulas have the responses {quoted(responses)}; all components explain one. If "
            "they are several outcomes of the same components, say outcomes=True."
        )
    right = " + ".join(f"({right})" for right in dict.fromkeys(right for _, right in sides))
    # patsy forgets an intercept that one of several bracketed sums leaves out.
    constant = any(
        term.name() == "Intercept" for part in parts for term in parse(part, None, None).exog
    )
    return f"{responses[0]} ~ {right} + {int(constant)}", parts


def present_columns(design: Design, names: list[list[str]]) -> np.ndarray:
    """Which component has which column of the joint design.

    Parameters
    ----------
    design : Design
        Built from the joint formula; common columns belong to all components.
    names : list of list of str
        The columns that each component's own formula makes.

    Returns
    -------
    ndarray of bool, (k, p)

    Raises
    ------
    SmmixError
        If a factor is coded differently by itself than among all terms.
    """
    for c, own in enumerate(names):
        strange = [name for name in own if name not in design.exog_names]
        if strange:
            raise SmmixError(
                f"The formula of component {c} makes the column {strange[0]!r}, which the formulas "
                "together code differently; give every formula the same intercept and main terms "
                "of that factor, and hold coefficients at zero with fixed= instead."
            )
    return np.array(
        [
            [name in own or name in design.common_names for name in design.exog_names]
            for own in names
        ]
    )


def checked_present(present: Any, k: int, design: Design) -> np.ndarray:
    """Which component has which column, as the user gave it; by default all have all."""
    shape = (k, len(design.exog_names))
    if present is None:
        return np.ones(shape, dtype=bool)
    mask = np.asarray(present)
    if mask.shape != shape or mask.dtype != bool:
        raise SmmixError(f"present must hold True and False in the shape {shape}.")
    for c, row in enumerate(mask):
        if not row.any():
            raise SmmixError(f"present leaves component {c} without any column.")
    for name in design.common_names:
        if not mask[:, design.exog_names.index(name)].all():
            raise SmmixError(f"The column {name!r} is common, so every component must have it.")
    return mask
