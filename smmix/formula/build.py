"""Formulas and a table to a design."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.arrays import check_names
from smmix.formula.design import Design
from smmix.formula.engine import (
    PROVIDED,
    DesignInfo,
    Parsed,
    by_role,
    caller_names,
    common_columns,
    design_infos,
    design_matrices,
    factor_codes,
    parse,
    term_columns,
)
from smmix.formula.names import name_use, resolve
from smmix.formula.rows import (
    check_missing_option,
    choose_rows,
    complete_rows,
    per_row,
    row_values,
    values_used,
    weighted_rows,
)
from smmix.formula.rowwise import refuse_changed, row_dependent
from smmix.formula.spec import FormulaSpec
from smmix.formula.terms import check_finite, factor_values, missing_masks, refuse_mixed
from smmix.support.frames import as_frame, map_columns, numbers, placed, plain, take_columns

__all__ = ["build_design", "design_names"]


def build_design(
    formula: str,
    data: Any,
    *,
    concomitant: str | None = None,
    groups: Any = None,
    freq_weights: Any = None,
    prob_weights: Any = None,
    offset: Any = None,
    known: Any = None,
    exposure: Any = None,
    trials: Any = None,
    event: Any = None,
    common: Sequence[str] | str | None = None,
    ancillary: str | None = None,
    subset: Any = None,
    missing: str = "drop",
    env: Any = 0,
) -> Design:
    """Build the columns of a model from its formulas, on the rows that are complete in all.

    Parameters
    ----------
    formula : str
        ``"y ~ x1 + x2"``, in the language of patsy.
    data : DataFrame, polars frame, pyarrow table or dict of columns
        n rows.
    concomitant : str, optional
        One-sided formula for the mixing probabilities; the "~" may be left out.
    groups, freq_weights, prob_weights, offset, known, exposure, trials, event : str or array-like
        A column of ``data``, or one value per row: a Series is matched by label, an array by
        position. Rows with weight zero are absent.
    common : list of str, or str, optional
        Terms, or columns of the design, whose coefficients all components share; as a str, a
        formula. Terms that ``formula`` lacks are added to it.
    ancillary : str, optional
        One-sided formula for a further parameter of the family.
    subset : str, mask, slice or list of labels, optional
        Rows to use, applied before everything else.
    missing : {"drop", "raise", "none"}
        "drop" leaves out rows in which anything is missing; the others refuse them.
    env : int or patsy.EvalEnvironment
        Where the functions in the formulas are looked up: 0 is the caller.

    Returns
    -------
    Design

    Raises
    ------
    SmmixError
        For bad input, in one sentence that names the column or row.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula import build_design
    >>> data = pd.DataFrame({"y": [1.0, 2, 3], "x": [0, None, 1]})
    >>> build_design("y ~ x", data).missing_rows
    array([1])
    """
    caller = caller_names(env)
    check_missing_option(missing)
    frame = _table(data)
    parsed = parse(formula, concomitant, common, ancillary)
    columns, scope = _names_used(parsed, frame, caller)
    own = {"groups": groups, "known": known, "trials": trials, "event": event}
    shifts = {"offset": offset, "exposure": exposure}
    given = {**own, **shifts, "freq_weights": freq_weights, "prob_weights": prob_weights}
    extras, column_names = per_row(given, frame.index, frame)
    positions = weighted_rows(extras, frame.index, choose_rows(subset, frame, caller))
    rows = frame.index[positions]
    raw = take_columns(frame, columns, "data").iloc[positions].reset_index(drop=True)
    taken, values, complete = _cells(parsed, raw, scope, extras, positions, missing, rows)
    kept, used = map_columns(raw[complete].reset_index(drop=True), plain), rows[complete]
    with placed(positions[complete]):
        refuse_changed(values, complete, kept, scope, used)
        infos = design_infos(parsed.parts, [kept], scope)
        matrices = design_matrices(infos, kept, used)
    names = design_names(infos, concomitant is not None)
    response, exog, z, further = by_role(matrices, concomitant is not None)
    spec = FormulaSpec(formula, concomitant, column_names, infos, kept, scope, caller)
    spec.row_dependent = row_dependent(factor_codes(*parsed.parts), kept, scope, used)
    return Design(
        endog=np.ascontiguousarray(response[:, 0]),
        endog_name=names[0][0],
        exog=exog,
        exog_names=names[1],
        concomitant=z,
        concomitant_names=spec.concomitant_names,
        column_names=column_names,
        index=used,
        missing_rows=positions[~complete],
        positions=positions[complete],
        frame=_columns_of(frame, {*columns, *column_names.values()}).iloc[positions[complete]],
        formulas=spec,
        ancillary=further,
        ancillary_names=spec.ancillary_names,
        **_terms(parsed, infos, concomitant is not None) | values_used(taken, complete, rows),
    )


def _terms(parsed: Parsed, infos: Sequence[DesignInfo], mixed: bool) -> dict[str, Any]:
    """Where the terms of a design stand."""
    _, mean, mixing, _ = by_role(infos, mixed)
    return {
        "common_names": common_columns(parsed.common, mean),
        "exog_terms": term_columns(mean),
        "concomitant_terms": {} if mixing is None else term_columns(mixing),
    }


def _names_used(
    parsed: Parsed, frame: pd.DataFrame, caller: Any
) -> tuple[list[str], dict[str, Any]]:
    uses = [name_use(code, frame.columns) for code in factor_codes(*parsed.parts)]
    return resolve(uses, frame.columns, caller, PROVIDED, len(frame))


def _table(data: Any) -> pd.DataFrame:
    frame = as_frame(data)
    if not len(frame):
        raise SmmixError("data has no rows.")
    return frame


def _columns_of(frame: pd.DataFrame, names: set[str]) -> pd.DataFrame:
    """The columns that the model is made from; a name need not be text."""
    return frame.loc[:, [name for name in frame.columns if str(name) in names]]


def _cells(
    parsed: Parsed,
    raw: pd.DataFrame,
    scope: dict[str, Any],
    extras: Any,
    positions: np.ndarray,
    missing: str,
    rows: pd.Index,
) -> tuple[Any, dict[str, Any], np.ndarray]:
    """Values per row, values of factors, and the mask of rows where nothing is missing."""
    with placed(positions):
        taken, masks = row_values(extras, positions, rows)
        return taken, *_evaluated(parsed, raw, scope, masks, missing, rows)


def _evaluated(
    parsed: Parsed,
    raw: pd.DataFrame,
    scope: dict[str, Any],
    masks: dict[str, np.ndarray],
    missing: str,
    rows: pd.Index,
) -> tuple[dict[str, Any], np.ndarray]:
    cells = map_columns(raw, plain)
    values = factor_values(factor_codes(*parsed.parts), cells, scope, rows)
    response = factor_codes(parsed.response)[0]
    if not isinstance(values[response], pd.Series):
        raise SmmixError(f"The response {response!r} has several columns; give one.")
    numbers(values[response], f"The response {response!r}", rows)
    refuse_mixed(values, rows)
    complete = complete_rows(missing_masks(values) | masks, missing, rows)
    check_finite(values, cells, complete, rows)
    return values, complete


def design_names(infos: Sequence[DesignInfo], mixed: bool) -> list[list[str]]:
    """Return the names of the columns of some designs, refusing one without columns."""
    names = [list(info.column_names) for info in infos]
    kinds = ["formula", *["concomitant formula"] * mixed, "family's formula"]
    for what, part in zip(kinds, names[1:], strict=False):
        if not part:
            raise SmmixError(f"The {what} has no columns; leave out the '0' or add a term.")
    check_names(names[1])
    return names
