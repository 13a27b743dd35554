"""Factors whose value in a row hangs on other rows, such as ``x - x.mean()`` or ``x.shift(1)``.

Such a factor has no fixed meaning: leaving rows out changes it, and on new data it is computed
from the new rows, so that predictions are silently wrong. patsy's transforms (``center(x)``)
remember what they learnt and are free of this.
"""

import ast
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.engine import PROVIDED
from smmix.formula.terms import factor_values

__all__ = ["refuse_changed", "row_dependent"]

_ADVICE = "use center(..) or standardize(..), or compute it as a column of the data first"


def row_dependent(
    codes: Iterable[str], frame: pd.DataFrame, scope: Mapping[str, Any], rows: pd.Index
) -> tuple[str, ...]:
    """Return the factors that change when every other row is left out.

    Parameters
    ----------
    codes : iterable of str
    frame : DataFrame
        Complete rows, plain columns, RangeIndex.
    scope : dict
        Values of the names that are no columns.
    rows : Index
        Row labels for error messages.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula.rowwise import row_dependent
    >>> frame = pd.DataFrame({"x": [1.0, 2.0, 4.0]})
    >>> row_dependent(["x - x.mean()", "x.abs()"], frame, {}, frame.index)
    ('x - x.mean()',)
    """
    doubtful = [code for code in codes if not _elementwise(code)]
    return tuple(c for c in doubtful if not _survives_halving(c, frame, scope, rows))


def refuse_changed(
    before: Mapping[str, Any],
    complete: np.ndarray,
    frame: pd.DataFrame,
    scope: Mapping[str, Any],
    rows: pd.Index,
) -> None:
    """Refuse factors that change when the incomplete rows are left out.

    Parameters
    ----------
    before : dict
        Factor to its values in all rows.
    complete : bool ndarray
        The rows that stay.
    frame : DataFrame
        Those rows.
    scope : dict
    rows : Index
        Labels of those rows.

    Raises
    ------
    SmmixError
        Naming the first factor that changes.
    """
    if complete.all():
        return
    for code, value in before.items():
        if _elementwise(code):
            continue
        after = factor_values([code], frame, scope, rows)[code]
        if not _same(np.asarray(value)[complete], np.asarray(after)):
            raise SmmixError(
                f"The formula term {code!r} depends on other rows, so it changes when the "
                f"{int((~complete).sum())} incomplete rows are left out; {_ADVICE}."
            )


def _elementwise(code: str) -> bool:
    """Tell whether an expression is made of operators and patsy's own functions only."""
    for node in ast.walk(ast.parse(code, mode="eval")):
        if isinstance(node, ast.Attribute | ast.Subscript):
            return False
        if isinstance(node, ast.Call):
            known = isinstance(node.func, ast.Name) and node.func.id in PROVIDED
            if not known:
                return False
    return True


def _survives_halving(
    code: str, frame: pd.DataFrame, scope: Mapping[str, Any], rows: pd.Index
) -> bool:
    if len(frame) < 2:
        return True
    whole = np.asarray(factor_values([code], frame, scope, rows)[code])
    for start in (0, 1):
        half = frame.iloc[start::2].reset_index(drop=True)
        try:
            value = factor_values([code], half, scope, rows[start::2])[code]
        except SmmixError:
            # It worked on all rows, so it needs more than the row itself.
            return False
        if not _same(whole[start::2], np.asarray(value)):
            return False
    return True


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    if left.shape != right.shape:
        return False
    if left.dtype.kind in "iufb" and right.dtype.kind in "iufb":
        # A last digit may change with the place of a number in the vectorised loop.
        size = float(np.nanmax(np.abs(left.astype(np.float64)), initial=0.0))
        return np.allclose(left, right, rtol=1e-9, atol=1e-12 * size, equal_nan=True)
    gaps = np.asarray(pd.isna(left))
    return bool(np.array_equal(gaps, pd.isna(right)) and (left[~gaps] == right[~gaps]).all())
