"""The notes below a summary: what was fitted, how, and what is doubtful about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smmix.inference.covariance import COV_TYPES
from smmix.inference.delta import covariance_or_none

__all__ = ["notes", "selected"]

#: Smallest scaled eigenvalue of the observed information below which a note says so.
WEAK_CURVATURE = 1e-3
#: Another mode that is closer than this in log-likelihood is called a rival.
RIVAL_DISTANCE = 3.0
#: A component is called tiny below this many rows, or below so many rows per parameter.
TINY_ROWS, TINY_ROWS_PER_PARAMETER = 50, 10
#: A tiny component whose sigma is below this share of the largest may stand for chance.
SHARP = 0.1
#: Restrictions that are written out.
MOST_TOLD = 6


def selected(starts: pd.DataFrame) -> pd.Series:
    """The row of `starts` that the results are of."""
    return starts[starts["selected"]].iloc[0]


def notes(results: Any) -> list[str]:
    """What a reader of a summary must know, a sentence or two for each matter.

    Parameters
    ----------
    results : MixtureResults

    Returns
    -------
    list of str
    """
    candidates = [
        _model_note(results.model),
        _restrictions_note(results.model),
        _covariance_note(results),
        _criteria_note(results),
        _label_note(results),
        _dropped_note(results.model),
        _status_note(results),
        *_mode_notes(results),
        _curvature_note(results),
        _tiny_note(results),
        _sharp_note(results),
    ]
    return [note for note in candidates if note]


def _model_note(model: Any) -> str:
    parts = []
    formula = getattr(model, "formula", None)
    if isinstance(formula, str):
        parts.append(f"formula: {formula}")
    elif formula is not None:
        parts += [f"formula of component {c}: {own}" for c, own in enumerate(formula)]
    if getattr(model, "concomitant", None):
        mixing = str(model.concomitant).strip().removeprefix("~").strip()
        parts.append(f"mixing: ~ {mixing}")
    if model.common and model.k > 1:
        parts.append(f"equal in all components: {', '.join(_common_terms(model))}")
    parts.append(f"variance: {model.variance}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _common_terms(model: Any) -> list[str]:
    """Terms that all components share; single columns where they share part of a term."""
    common, names = set(model.common), model.design.exog_names
    shared = []
    for term, places in model.design.exog_terms.items():
        columns = [names[i] for i in places]
        shared += [term] if common.issuperset(columns) else [c for c in columns if c in common]
    return shared


def _restrictions_note(model: Any) -> str:
    if model.equalities is None:
        return ""
    held = zip(model.equalities.matrix, model.equalities.values, strict=True)
    told = [_equation(row, value, model.param_names) for row, value in held]
    more = f"; and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return f"Restrictions: {'; '.join(told[:MOST_TOLD])}{more}."


def _equation(row: np.ndarray, value: float, names: list[str]) -> str:
    """A linear equality in the names of parameters, without minus signs where possible."""
    if not (row > 0.0).any():
        row, value = -row, -value
    left, right = (
        [f"{_factor(c)}{names[i]}" for i, c in enumerate(part) if c > 0.0] for part in (row, -row)
    )
    if value != 0.0 or not right:
        right.append(f"{value:g}")
    return f"{' + '.join(left)} = {' + '.join(right)}"


def _factor(coefficient: float) -> str:
    return "" if coefficient == 1.0 else f"{coefficient:g} "


def _covariance_note(results: Any) -> str:
    if covariance_or_none(results) is None:
        return (
            "There are no standard errors: the observed information is not positive definite, so "
            "a parameter is not identified or the fit is no maximum."
        )
    kwds = results.cov_kwds or {}
    note = kwds.get("description") or COV_TYPES.get(results.cov_type, "")
    if getattr(results.model, "prob_weights", None) is not None:
        note = f"{note} With sampling weights the log-likelihood is a pseudo log-likelihood."
    scale = "Intervals of sigma are symmetric on the log scale"
    return f"{note} {scale}{', of weights on the logit scale' if results.k > 1 else ''}."


def _criteria_note(results: Any) -> str:
    groups = results.model.group_labels
    counted = "observations" if groups is None else "observations, not groups"
    note = f"BIC counts n = {results.nobs:g} {counted}"
    if results.k == 1:
        return f"{note}."
    return f"{note}; ICL = BIC - 2 sum log(largest posterior of each unit)."


def _label_note(results: Any) -> str:
    if results.k == 1:
        return ""
    if results.order is None:
        return "Components keep the numbers that the model or start_params gave them."
    by = "falling weight" if results.order == "weight" else f"rising {results.order}"
    return f"Components are in order of {by}."


def _dropped_note(model: Any) -> str:
    dropped = model.design.n_dropped
    if not dropped:
        return ""
    return f"{dropped} row{'s' * (dropped > 1)} with missing values left out."


def _status_note(results: Any) -> str:
    return "" if results.converged else f"The fit did not converge: {results.status}."


def _mode_notes(results: Any) -> list[str]:
    starts = results.starts
    chosen = selected(starts)
    found = []
    if chosen["degenerate"]:
        found.append(
            f"The fit is degenerate: {chosen['reason']}. Use fewer components or variance='equal'."
        )
    others = starts[~starts["selected"] & ~starts["degenerate"].astype(bool)]
    if others.empty:
        return found
    best = others["llf"].idxmax()
    distance = others.loc[best, "llf"] - chosen["llf"]
    if distance > -RIVAL_DISTANCE:
        found.append(
            f"A rival mode has a log-likelihood {_higher(distance)}; open it with "
            f"results.mode({best}) before drawing conclusions."
        )
    else:
        found.append(f"The next mode has a log-likelihood {_higher(distance)}.")
    return found


def _higher(distance: float) -> str:
    return f"{abs(distance):.3g} {'higher' if distance > 0 else 'lower'}"


def _curvature_note(results: Any) -> str:
    if not results.curvature < WEAK_CURVATURE:
        return ""
    return (
        "A parameter is hardly identified: the smallest eigenvalue of the observed information "
        f"is {results.curvature:.2g} of what known memberships would give."
    )


def _tiny(results: Any) -> pd.Series:
    """Expected sizes of the components with few units."""
    expected: pd.Series = results.classification_table()["expected_n"]
    rows = TINY_ROWS_PER_PARAMETER * (results.model.layout.p + results.model.layout.d)
    return expected[expected < max(rows, TINY_ROWS)]


def _sharp_note(results: Any) -> str:
    """A word on a small component that is much sharper than the others, if sound by the rule."""
    if results.k == 1 or selected(results.starts)["degenerate"]:
        return ""
    share = (results.sigma / results.sigma.max())[_tiny(results).index]
    if share.empty or not share.min() < SHARP:
        return ""
    c = share.idxmin()
    return (
        f"The sigma of component {c} is {share[c]:.2g} of the largest, on few units: rows that are "
        f"in line by chance look the same. Ask bootstrap_lrt whether k = {results.k - 1} is enough."
    )


def _tiny_note(results: Any) -> str:
    if results.k == 1:
        return ""
    tiny = _tiny(results)
    if tiny.empty:
        return ""
    names = ", ".join(f"{c} ({size:.1f})" for c, size in tiny.items())
    plural = "s" * (len(tiny) > 1)
    return (
        f"Few units in component{plural} {names}: Wald standard errors are optimistic there "
        "(the documentation says by how much, under Coverage); compare with results.bootstrap()."
    )
