"""Several outcomes that share their components: one mixture of their rows, and each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.memory import group_starts
from smmix.core.outcome_families import Outcome, OutcomeFamilies
from smmix.errors import SmmixError
from smmix.formula import Design
from smmix.mixture.fitted import Fitted
from smmix.mixture.observed import Observed
from smmix.mixture.parameters import MIXING
from smmix.mixture.response import with_trials
from smmix.mixture.specification import Specification
from smmix.mixture.units import Units
from smmix.support.frames import quoted

__all__ = [
    "checked_outcome",
    "joint_rows",
    "marginal",
    "one_response",
    "stacked",
]


def stacked(
    outcomes: Sequence[Specification], observed: Sequence[Observed], table: pd.DataFrame
) -> tuple[Design, OutcomeFamilies]:
    """The rows of all outcomes as those of one design, and their families as one.

    Rows are in the order of the data, those of one row of the data side by side. The columns of
    an outcome are zero in the rows of the others, and ``aux`` says whose each row is.

    Raises
    ------
    SmmixError
        If the concomitant variables are not the same for all outcomes.
    """
    designs = [one.rows() for one in observed]
    owner = np.repeat(np.arange(len(designs)), [one.endog.size for one in designs])
    position = np.concatenate([one.positions for one in designs])
    order = np.lexsort([owner, position])
    _refuse_other_concomitants(outcomes, designs)

    def joined(name: str) -> Any:
        parts = [getattr(one, name) for one in designs]
        if all(part is None for part in parts):
            return None
        filled = [
            np.zeros(one.endog.size) if part is None else part
            for one, part in zip(designs, parts, strict=True)
        ]
        return np.ascontiguousarray(np.concatenate(filled)[order])

    terms: dict[str, list[int]] = {}
    families, names, common = [], list[str](), list[str]()
    for one, design in zip(outcomes, designs, strict=True):
        start, name, aux = len(names), one.endog_name, design.aux
        columns = tuple(range(start, start + len(one.exog_names)))
        n_aux = 0 if aux is None else aux.shape[1]
        share = design.endog.size / owner.size
        families.append(Outcome(name, one.family, columns, n_aux, share))
        terms |= {f"{name}:{t}": [start + j for j in at] for t, at in one.exog_terms.items()}
        names += [f"{name}:{column}" for column in one.exog_names]
        common += [f"{name}:{column}" for column in one.common]
    trials = [one.column_names["trials"] for one in outcomes if "trials" in one.column_names]
    used = dict.fromkeys(c for one in designs if one.frame is not None for c in one.frame.columns)
    design = replace(
        designs[0],
        **{name: joined(name) for name in ("endog", "offset", "known", "groups", "concomitant")},
        **{name: joined(name) for name in ("freq_weights", "prob_weights")},
        endog_name=", ".join(one.endog_name for one in outcomes),
        exog=np.ascontiguousarray(_diagonal([one.exog for one in designs])[order]),
        exog_names=names,
        exog_terms=terms,
        common_names=common,
        aux=np.column_stack([owner, _diagonal([_aux(one) for one in designs])])[order],
        trials=None,
        event=None,
        index=_index(designs, [one.endog_name for one in outcomes], order),
        missing_rows=np.setdiff1d(np.concatenate([one.missing_rows for one in designs]), position),
        positions=position[order],
        frame=reduce(with_trials, trials, table)[list(used)].iloc[position[order]],
        formulas=None,
        ancillary=None,
        ancillary_names=None,
    )
    return design, OutcomeFamilies(tuple(families))


def _aux(design: Design) -> np.ndarray:
    return np.empty((design.endog.size, 0)) if design.aux is None else design.aux


def _diagonal(blocks: list[np.ndarray]) -> np.ndarray:
    """A matrix with blocks along its diagonal and zeros elsewhere."""
    out = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for block in blocks:
        out[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return out


def _index(designs: Sequence[Design], names: list[str], order: np.ndarray) -> pd.MultiIndex:
    """Labels of the rows, and the outcome that each is."""
    parts = [one.index.to_frame(index=False).assign(outcome=name) for one, name in
             zip(designs, names, strict=True)]  # fmt: skip
    levels = designs[0].index.names
    table = pd.concat([part.set_axis(range(part.shape[1]), axis=1) for part in parts])
    return pd.MultiIndex.from_frame(table.iloc[order], names=[*levels, "outcome"])


def _refuse_other_concomitants(
    outcomes: Sequence[Specification], designs: Sequence[Design]
) -> None:
    """Refuse concomitant variables that differ where two outcomes have the same row."""
    for one, design in zip(outcomes[1:], designs[1:], strict=True):
        first = designs[0]
        if design.concomitant_names == first.concomitant_names:
            if design.concomitant is None or first.concomitant is None:
                continue
            _, here, there = np.intersect1d(first.positions, design.positions, return_indices=True)
            if np.allclose(first.concomitant[here], design.concomitant[there]):
                continue
        raise SmmixError(
            f"The concomitant formula means something else on the rows of {one.endog_name!r} than "
            f"on those of {outcomes[0].endog_name!r}; compute what depends on all rows as a column "
            "of the data first, and make text a category."
        )


def joint_rows(design: Design, observed: Sequence[Observed], k: int, table: Any) -> Observed:
    """The rows of all outcomes: those of a group form a unit, and of one row without groups.

    Raises
    ------
    SmmixError
        If weights, or known members, make no sense.
    """
    if design.groups is not None:
        made = Observed.of(design, k, table)
        return replace(made, outcomes=tuple(observed))
    if design.freq_weights is not None:
        raise SmmixError(
            "Beside several outcomes freq_weights count rows of groups; name the groups, or repeat "
            "the rows in the data."
        )
    known = None if design.known is None else k
    made = Observed(
        design, Units(), float(design.endog.size), known, table=table, outcomes=tuple(observed)
    )
    labels, _, codes = made.rows_of_data()
    order = np.argsort(codes, kind="stable")
    units = Units(codes, labels, order, order[group_starts(codes[order])])
    made = replace(made, units=units)
    assert made.source is not None
    return made


def checked_outcome(specification: Specification, name: Any) -> int:
    """Number of the outcome that a name stands for.

    Raises
    ------
    SmmixError
        If the model has no such outcome, or one response alone.
    """
    names = [one.endog_name for one in specification.outcomes]
    if not names:
        raise SmmixError("The model has one response; leave outcome out.")
    if name not in names:
        raise SmmixError(f"The model has no outcome {name!r}; it has {quoted(names)}.")
    return names.index(name)


def marginal(fitted: Fitted, name: str) -> Fitted:
    """The fit of one outcome by itself: a mixture of one response with the same components.

    Its likelihood is that of all outcomes, and so are estimates and covariance.

    Raises
    ------
    SmmixError
        If the model has no such outcome.
    """
    number = checked_outcome(fitted.specification, name)
    own = fitted.specification.outcomes[number]
    whole = fitted.specification.param_names
    kinds = own.parameters.kinds
    at = np.array(
        [
            whole.index(n if kind == MIXING else f"{name}:{n}")
            for n, kind in zip(own.param_names, kinds, strict=True)
        ],
        dtype=int,
    )
    prior = None if fitted.observed is None and fitted.prior is None else fitted.mean_prior
    return replace(
        fitted,
        specification=own,
        params=fitted.params[at],
        covariance=None if fitted.covariance is None else fitted.covariance[np.ix_(at, at)],
        prior=None if prior is None else (prior[0], prior[1][:, at]),
        observed=None if fitted.observed is None else fitted.observed.outcomes[number],
        record=None,
        whole=fitted,
        info=None,
        directions=None,
        boundary=tuple(
            entry._replace(parameter=entry.parameter.removeprefix(f"{name}:"))
            for entry in fitted.boundary
            if entry.parameter.startswith(f"{name}:")
        ),
    )


def one_response(fitted: Fitted, what: str, argument: str = "") -> Fitted:
    """The fit itself, refused when it has several outcomes, which ``what`` means nothing for.

    ``argument`` is that in which it takes one of them.

    Raises
    ------
    SmmixError
    """
    names = [one.endog_name for one in fitted.specification.outcomes]
    if names:
        how = f"outcome({names[0]!r}).{what}(..)"
        if argument:
            how = f"{what}({argument}={names[0]!r}, ..)"
        raise SmmixError(
            f"{what} is about one response, and the model has {quoted(names)}: ask for one, as in "
            f"results.{how}."
        )
    return fitted
