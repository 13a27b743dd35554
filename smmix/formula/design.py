"""The rows and columns of one model: what building a formula, or checking arrays, returns."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.spec import FormulaSpec

__all__ = ["Design", "refuse_extreme", "refuse_extreme_response"]

#: The largest square, and sum of squares, that a double can be.
LARGEST_SQUARE = float(np.finfo(float).max)
#: The smallest mean square of a column.
SMALLEST_SQUARE = float(np.finfo(float).tiny)
#: A response that is smaller everywhere has a residual variance whose inverse overflows.
SMALLEST_RESPONSE = 1e-152


@dataclass(frozen=True, eq=False)
class Design:
    """The complete rows of a model: n rows, p columns of the mean, q of the mixing design.

    Attributes
    ----------
    endog : (n,) ndarray
    endog_name : str
    exog : (n, p) ndarray, C-contiguous
    exog_names : list of str
    concomitant : (n, q) ndarray or None
    concomitant_names : list of str or None
    groups : (n,) ndarray or None
        Values as given.
    freq_weights, prob_weights : (n,) ndarray or None
        Positive: rows of weight zero are left out.
    offset : (n,) ndarray or None
        The log of an exposure included.
    known : (n,) ndarray or None
        Known component of a row, NaN where it is not known.
    trials : (n,) ndarray or None
        Trials of a binomial response.
    event : (n,) ndarray or None
        Whether a time ended with an event (1) or was cut off (0).
    column_names : dict
        Argument name to column name, for those given as a column.
    index : Index of length n
        Labels of the rows used.
    missing_rows : ndarray
        Positions, in the data as given, of the rows left out because of a missing value.
    positions : (n,) ndarray
        Positions, in the data as given, of the rows used.
    frame : DataFrame or None
        The columns that the model uses, rows used only; None for arrays.
    common_names : list of str
        The columns of ``exog`` whose coefficients all components share.
    exog_terms, concomitant_terms : dict
        Term name to positions of its columns.
    formulas : FormulaSpec or None
        Makes the same columns from new data; None for arrays.
    ancillary : (n, a) ndarray or None
        Regressors of a further parameter of the family.
    ancillary_names : list of str or None
    aux : (n, a) ndarray or None
        What the family must know of each row beside its response.
    n_dropped_unread : int
        Rows left out of a table that is not in memory.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.formula import build_design
    >>> build_design("y ~ x", pd.DataFrame({"y": [1.0, 2], "x": [0, 1]})).exog_names
    ['Intercept', 'x']
    """

    endog: np.ndarray
    endog_name: str
    exog: np.ndarray
    exog_names: list[str]
    concomitant: np.ndarray | None
    concomitant_names: list[str] | None
    groups: np.ndarray | None
    freq_weights: np.ndarray | None
    prob_weights: np.ndarray | None
    offset: np.ndarray | None
    known: np.ndarray | None
    trials: np.ndarray | None
    event: np.ndarray | None
    column_names: dict[str, str]
    index: pd.Index
    missing_rows: np.ndarray
    positions: np.ndarray
    frame: pd.DataFrame | None
    common_names: list[str]
    exog_terms: dict[str, list[int]]
    concomitant_terms: dict[str, list[int]]
    formulas: FormulaSpec | None
    ancillary: np.ndarray | None = None
    ancillary_names: list[str] | None = None
    aux: np.ndarray | None = None
    n_dropped_unread: int = 0

    @property
    def n_dropped(self) -> int:
        """Rows left out because of a missing value."""
        return len(self.missing_rows) + self.n_dropped_unread


def refuse_extreme(design: Design) -> None:
    """Refuse columns whose squares are too large, or too small, for doubles.

    Raises
    ------
    SmmixError
        For the response, or a column of the design or of the mixing design.
    """
    y = design.endog if design.offset is None else design.endog - design.offset
    weight = design.freq_weights
    count = float(len(y) if weight is None else weight.sum())
    what = repr(design.endog_name) + ("" if design.offset is None else " less the offset")
    refuse_extreme_response(what, float(y.min()), float(y.max()), count)
    _refuse_extreme_column(design.exog, design.exog_names, "design", count)
    if design.concomitant is not None:
        names = design.concomitant_names or []
        _refuse_extreme_column(design.concomitant, names, "mixing design", count)
    if design.ancillary is not None:
        names = design.ancillary_names or []
        _refuse_extreme_column(design.ancillary, names, "family's design", count)


def refuse_extreme_response(what: str, low: float, high: float, count: float) -> None:
    """Refuse a response from ``low`` to ``high`` whose squares overflow, or all underflow."""
    largest = max(-low, high)
    if largest * largest * count > LARGEST_SQUARE:
        raise SmmixError(
            f"The response {what} is too large (up to {largest:.2g}): its squares overflow; divide "
            "it by a constant."
        )
    if 0.0 < largest < SMALLEST_RESPONSE:
        raise SmmixError(
            f"The response {what} is too small (up to {largest:.2g}): its squares underflow; "
            "multiply it by a constant."
        )


def _refuse_extreme_column(x: np.ndarray, names: list[str], what: str, count: float) -> None:
    with np.errstate(over="ignore", under="ignore"):
        mean = np.einsum("ij,ij->j", x, x) / len(x)
        wrong = ~np.isfinite(mean * count) | (mean < SMALLEST_SQUARE)
    for column in np.flatnonzero(wrong):
        largest = np.abs(x[:, column]).max()
        if largest > 0.0:
            size, happens, how = "large", "overflow", "divide"
            if largest < 1.0:
                size, happens, how = "small", "underflow", "multiply"
            raise SmmixError(
                f"The column {names[column]!r} of the {what} is too {size} (up to {largest:.2g}): "
                f"its squares {happens}; {how} it by a constant."
            )
