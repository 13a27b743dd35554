"""The notes below a summary: what was fitted, how, and what is doubtful about it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from smmix.core.family_list import members
from smmix.core.transforms import LOG
from smmix.mixture.fitted import Fitted
from smmix.mixture.specification import Specification

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


def notes(fitted: Fitted) -> list[str]:
    """What a reader of a summary must know, a sentence or two for each matter.

    Parameters
    ----------
    fitted : Fitted

    Returns
    -------
    list of str
    """
    candidates = [
        _model_note(fitted.specification),
        _restrictions_note(fitted.specification),
        _covariance_note(fitted),
        _criteria_note(fitted),
        _label_note(fitted),
        _dropped_note(fitted),
        _status_note(fitted),
        *_mode_notes(fitted),
        _curvature_note(fitted),
        _tiny_note(fitted),
        _sharp_note(fitted),
    ]
    return [note for note in candidates if note]


def _model_note(model: Specification) -> str:
    parts = []
    formula = model.formula
    if isinstance(formula, str):
        parts.append(f"formula: {formula}")
    elif model.outcomes:
        parts += [
            f"outcome {own} ({one.family.name.replace('_', ' ')})"
            for own, one in zip(formula, model.outcomes, strict=True)
        ]
    elif formula is not None:
        parts += [f"formula of component {c}: {own}" for c, own in enumerate(formula)]
    if model.concomitant:
        mixing = str(model.concomitant).strip().removeprefix("~").strip()
        parts.append(f"mixing: ~ {mixing}")
    if model.common and model.k > 1:
        parts.append(f"equal in all components: {', '.join(_common_terms(model))}")
    parts += _kind_parts(model)
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _kind_parts(model: Specification) -> list[str]:
    """Links, and what of the distributions the components share."""
    names = {parameter.name for parameter in model.family.nuisance}
    parts = []
    families = [one.family for one in model.outcomes] or members(model.family, model.k)
    links = {one.link.name for one in families if one.link is not None} - {"identity"}
    if links:
        parts.append(f"link: {', '.join(sorted(links))}")
    if "sigma" in names:
        parts.append(f"variance: {model.variance}")
    tied = model.shared - {"sigma"}
    if model.spec.random is not None:
        tied = tied.difference(model.spec.random.parameters)
        effects = " + ".join(model.spec.random.names)
        parts.append(f"random effects: {effects}, covariance: {model.random_cov}")
    if tied and model.k > 1:
        parts.append(f"shared: {', '.join(sorted(tied))}")
    return parts


def _common_terms(model: Specification) -> list[str]:
    """Terms that all components share; single columns where they share part of a term."""
    common, names = set(model.common), model.exog_names
    shared = []
    for term, places in model.exog_terms.items():
        columns = [names[i] for i in places]
        shared += [term] if common.issuperset(columns) else [c for c in columns if c in common]
    return shared


def _restrictions_note(model: Specification) -> str:
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


def _covariance_note(fitted: Fitted) -> str:
    if fitted.covariance is None:
        return (
            "There are no standard errors: the observed information is not positive definite, so "
            "a parameter is not identified or the fit is no maximum."
        )
    note = fitted.cov_sentence
    if fitted.specification.sampled:
        note = f"{note} With sampling weights the log-likelihood is a pseudo log-likelihood."
    family = fitted.specification.family
    logs = list(dict.fromkeys(n.name for n in family.nuisance if n.transform is LOG))
    if fitted.specification.spec.random is not None:
        logs.append("variances")
    told = [f"of {' and '.join(logs)} are symmetric on the log scale"] if logs else []
    if fitted.k > 1:
        told.append(f"of weights {'' if logs else 'are symmetric '}on the logit scale")
    return f"{note} Intervals {', '.join(told)}." if told else note


def _criteria_note(fitted: Fitted) -> str:
    counted = f"observations{', not groups' if fitted.specification.grouped else ''}"
    note = f"BIC counts n = {fitted.nobs:g} {counted}"
    if fitted.k == 1:
        return f"{note}."
    return f"{note}; ICL = BIC - 2 sum log(largest posterior of each unit)."


def _label_note(fitted: Fitted) -> str:
    if fitted.k == 1:
        return ""
    if fitted.order is None:
        return "Components keep the numbers that the model or start_params gave them."
    by = "falling weight" if fitted.order == "weight" else f"rising {fitted.order}"
    return f"Components are in order of {by}."


def _dropped_note(fitted: Fitted) -> str:
    dropped = fitted.data.design.n_dropped
    own = [
        f"{one.design.endog_name} ({one.design.n_dropped})"
        for one in fitted.data.outcomes
        if one.design.n_dropped
    ]
    if own:
        return (
            f"Rows with missing values left out, of each outcome by itself: {', '.join(own)}; "
            f"{dropped} of them of all outcomes."
        )
    if not dropped:
        return ""
    return f"{dropped} row{'s' * (dropped > 1)} with missing values left out."


def _status_note(fitted: Fitted) -> str:
    if fitted.boundary:
        return " ".join(entry.words for entry in fitted.boundary)
    return "" if fitted.converged else f"The fit did not converge: {fitted.status}."


def _mode_notes(fitted: Fitted) -> list[str]:
    starts = fitted.starts
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
    distance = others["llf"].max() - chosen["llf"]
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


def _curvature_note(fitted: Fitted) -> str:
    if not fitted.curvature < WEAK_CURVATURE:
        return ""
    return (
        "A parameter is hardly identified: the smallest eigenvalue of the observed information "
        f"is {fitted.curvature:.2g} of what known memberships would give."
    )


def _tiny(fitted: Fitted) -> pd.Series:
    """Expected sizes of the components with few units."""
    layout = fitted.specification.layout
    expected = pd.Series(fitted.separation.expected, fitted.components)
    rows = TINY_ROWS_PER_PARAMETER * (layout.p + layout.d)
    return expected[expected < max(rows, TINY_ROWS)]


def _sharp_note(fitted: Fitted) -> str:
    """A word on a small component that is much sharper than the others, if sound by the rule."""
    if fitted.k == 1 or selected(fitted.starts)["degenerate"]:
        return ""
    share = fitted.spread[_tiny(fitted).index]
    if share.empty or not share.min() < SHARP:
        return ""
    c = share.idxmin()
    return (
        f"The spread of component {c} is {share.min():.2g} of the largest, on few units: rows that "
        f"are in line by chance look the same. Ask bootstrap_lrt whether k = {fitted.k - 1} is "
        "enough, or compare the fit with variance='equal', which holds no such component."
    )


def _tiny_note(fitted: Fitted) -> str:
    if fitted.k == 1:
        return ""
    tiny = _tiny(fitted)
    if tiny.empty:
        return ""
    names = ", ".join(f"{c} ({size:.1f})" for c, size in tiny.items())
    plural = "s" * (len(tiny) > 1)
    told = f"Few units in component{plural} {names}: "
    if fitted.cov_type == "bootstrap":
        return (
            f"{told}symmetric intervals are optimistic there; see those of bootstrap().conf_int()."
        )
    return (
        f"{told}Wald standard errors are optimistic there (the documentation says by how much, "
        "under Coverage); compare with results.bootstrap()."
    )
