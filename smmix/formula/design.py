"""The rows and columns of one model: what building a formula, or checking arrays, returns."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from smmix.formula.spec import FormulaSpec

__all__ = ["Design"]


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
    known : (n,) ndarray or None
        Known component of a row, NaN where it is not known.
    column_names : dict
        Argument name to column name, for those given as a column.
    index : Index of length n
        Labels of the rows used.
    n_dropped : int
        Rows left out because of a missing value.
    missing_rows : (n_dropped,) ndarray
        Their positions in the data as given.
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
    column_names: dict[str, str]
    index: pd.Index
    n_dropped: int
    missing_rows: np.ndarray
    positions: np.ndarray
    frame: pd.DataFrame | None
    common_names: list[str]
    exog_terms: dict[str, list[int]]
    concomitant_terms: dict[str, list[int]]
    formulas: FormulaSpec | None
