"""Linear hypotheses on the parameters of a mixture, from whatever a user writes them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula import linear_constraint
from smmix.mixture.parameters import ParameterTable
from smmix.mixture.restrictions import eliminate
from smmix.support.checks import shown
from smmix.support.frames import as_frame, quoted, similar_names

__all__ = [
    "check_matrix",
    "check_square",
    "fixed_values",
    "nothing_free",
    "positions",
    "read_hypotheses",
    "refuse_beyond",
    "refuse_contradiction",
]


def read_hypotheses(
    given: Any, names: Sequence[str], what: str = "r_matrix"
) -> tuple[np.ndarray, np.ndarray]:
    """Linear hypotheses ``R @ params = q``.

    Parameters
    ----------
    given : str, sequence of str, dict, array_like, DataFrame, Series or tuple
        Text in the names of the parameters; a dict of names and values; the coefficients R, zero
        being the values q; or a tuple (R, q). Frames are read by the names of their columns,
        series by those of their index.
    names : sequence of str
        The V parameters.
    what : str
        How errors call the argument.

    Returns
    -------
    R : ndarray, (r, V)
    q : ndarray, (r,)

    Raises
    ------
    SmmixError
        If the hypotheses cannot be read, or one of them has no coefficients.

    Examples
    --------
    >>> import pandas as pd
    >>> from smmix.mixture.hypotheses import read_hypotheses
    >>> read_hypotheses(pd.Series({"c": -1, "a": 1}), ["a", "b", "c"])
    (array([[ 1.,  0., -1.]]), array([0.]))
    """
    matrix, values = _read(given, names, what)
    empty = ~matrix.any(axis=1)
    if empty.any():
        raise SmmixError(
            f"{what} has only zeros in row {int(np.argmax(empty))}; give the coefficients of a "
            "hypothesis there, or leave the row out."
        )
    return matrix, values


def _read(given: Any, names: Sequence[str], what: str) -> tuple[np.ndarray, np.ndarray]:
    values: Any = 0.0
    if isinstance(given, tuple) and len(given) == 2 and not np.isscalar(given[0]):
        given, values = given
    # What patsy made of a text has variable_names.
    elif _is_text(given) or hasattr(given, "variable_names"):
        return _of_text(given, names, what)
    elif isinstance(given, Mapping):
        held = _named_values(what, given, names)
        if not held:
            raise _refused(what, "is empty", len(names))
        return np.eye(len(names))[[list(names).index(n) for n in held]], np.array([*held.values()])
    matrix = check_matrix(what, given, names)
    if matrix is None:
        raise _refused(what, "is None", len(names))
    matrix = np.atleast_2d(matrix)
    if (
        isinstance(given, pd.DataFrame)
        and isinstance(values, pd.Series | pd.DataFrame)
        and not values.index.equals(given.index)
    ):
        raise SmmixError(
            f"The values that go with {what} have another index than it has; give both the same, "
            "or the values as an array."
        )
    return matrix, _values(what, values, len(matrix))


def _of_text(given: Any, names: Sequence[str], what: str) -> tuple[np.ndarray, np.ndarray]:
    parts = [given] if isinstance(given, str) else given
    if isinstance(parts, list | tuple) and any(isinstance(p, str) and not p.strip() for p in parts):
        raise _refused(what, "is an empty text", len(names))
    with np.errstate(all="ignore"):
        matrix, values = linear_constraint(names, given)
    if not (np.isfinite(matrix).all() and np.isfinite(values).all()):
        raise SmmixError(f"{what} must have finite numbers only, not {shown(given)}.")
    return matrix, values


def _named_values(what: str, given: Mapping[Any, Any], names: Sequence[str]) -> dict[str, float]:
    """A finite number for each of some parameters."""
    for name, value in given.items():
        if name not in names:
            raise SmmixError(
                f"The model has no parameter {name!r}{similar_names(name, names)}; correct the "
                f"name in {what}."
            )
        if not _is_finite(value):
            raise SmmixError(f"{what}: {name} must be held at a finite number, not {shown(value)}.")
    return {name: float(value) for name, value in given.items()}


def _is_finite(value: Any) -> bool:
    with suppress(OverflowError):
        return isinstance(value, Real) and bool(np.isfinite(float(value)))
    return False


def fixed_values(fixed: Any, names: Sequence[str]) -> dict[str, float]:
    """What a user holds fixed: a finite number for each of some parameters.

    Raises
    ------
    SmmixError
        If it is no dict, names no parameter, or holds one at something else.
    """
    if not isinstance(fixed, Mapping):
        raise SmmixError(
            f"fixed must be a dict of parameters and the values at which they are held, such as "
            f"{{{names[0]!r}: 0.0}}, not {shown(fixed)}."
        )
    return _named_values("fixed", fixed, names)


def nothing_free() -> SmmixError:
    """The error for a fit of a model whose parameters are all held."""
    return SmmixError(
        "All parameters are held by fixed or constraints, so nothing is left to estimate; "
        "model.loglike(params) gives the log-likelihood."
    )


def refuse_contradiction(matrix: np.ndarray, values: np.ndarray, what: str) -> None:
    """Refuse hypotheses that no parameters satisfy together."""
    if eliminate(matrix, values) is None:
        raise SmmixError(
            f"The hypotheses of {what} contradict each other: no parameters satisfy them all; "
            "leave one of them out."
        )


def refuse_beyond(table: ParameterTable, matrix: np.ndarray, values: np.ndarray) -> None:
    """Refuse hypotheses on the end of the range of a parameter, or beyond it."""
    beyond = table.beyond(matrix, values)
    if beyond.any():
        named = [table.names[i] for i in np.flatnonzero(matrix[np.argmax(beyond)])]
        raise SmmixError(
            f"Row {int(np.argmax(beyond))} of r_matrix puts {quoted(named)} at the end of the "
            "range or beyond it, where a Wald test has no answer; test a value inside, or compare "
            "fits by their log-likelihoods."
        )


def positions(what: str, given: Any, names: Sequence[str]) -> np.ndarray:
    """Positions of parameters that are given by position or name, one or several; or by a mask.

    Parameters
    ----------
    what : str
        How errors call the argument.
    given : int, str, or array_like of them, or of V bool
    names : sequence of str
        The V parameters.

    Returns
    -------
    ndarray of int, (m,)

    Raises
    ------
    SmmixError
        If it stands for no parameter.
    """
    count = len(names)
    single = isinstance(given, str | int | np.integer)
    with suppress(TypeError):
        parts = [given] if single else list(given)
        if parts and all(isinstance(part, bool | np.bool_) for part in parts):
            if len(parts) == count and not single:
                return np.flatnonzero(parts)
        elif parts or isinstance(given, list | tuple | np.ndarray):
            return np.array([_position(what, part, names) for part in parts], dtype=int)
    raise SmmixError(
        f"{what} must be positions or names of parameters, or {count} of True and False, not "
        f"{shown(given)}."
    )


def _position(what: str, part: Any, names: Sequence[str]) -> int:
    count = len(names)
    if isinstance(part, str) and part in names:
        return list(names).index(part)
    if isinstance(part, str):
        raise SmmixError(
            f"{what}: the model has no parameter {shown(part)}{similar_names(part, names)}."
        )
    if isinstance(part, int | np.integer) and not isinstance(part, bool) and -count <= part < count:
        return int(part)
    raise SmmixError(
        f"{what}: {shown(part)} is no position of a parameter; give names, or positions from 0 to "
        f"{count - 1}."
    )


def _is_text(given: Any) -> bool:
    if isinstance(given, str):
        return True
    return isinstance(given, list | tuple) and any(isinstance(part, str) for part in given)


def _values(what: str, given: Any, count: int) -> np.ndarray:
    """The right-hand sides (r,) of hypotheses."""
    what = f"The values that go with {what}"
    values = _numbers(what, given)
    if values.ndim and (values.ndim > 2 or values.size != count or count not in values.shape):
        raise SmmixError(
            f"{what} have the shape {values.shape}; give a number, or one for each of the "
            f"{count} rows."
        )
    if not np.isfinite(values).all():
        raise SmmixError(f"{what} must be finite numbers.")
    return np.broadcast_to(values.ravel(), count).astype(float)


def check_matrix(what: str, given: Any, names: Sequence[str]) -> np.ndarray | None:
    """Coefficients (r, V) or (V,) of linear combinations of named parameters; None stays None.

    Parameters
    ----------
    what : str
        How errors call the argument.
    given : array_like, DataFrame or Series, optional
        A frame is read by the names of its columns, a series by those of its index; what they
        lack is zero. Without names (a RangeIndex) they are arrays.
    names : sequence of str
        The V parameters.

    Raises
    ------
    SmmixError
        If the shape is another, a name stands for no parameter, or an entry is no finite number.
    """
    if given is None:
        return None
    labels = None
    if isinstance(given, pd.Series):
        labels = given.index
    elif isinstance(given, pd.DataFrame) or type(given).__module__.partition(".")[0] in (
        "polars",
        "pyarrow",
    ):
        given = as_frame(given, what)
        labels = given.columns
    matrix = _numbers(what, given)
    if labels is not None and _has_names(labels):
        matrix = _by_name(what, matrix, labels, names)
    if matrix.ndim not in (1, 2) or matrix.shape[-1] != len(names) or not matrix.size:
        raise _refused(what, f"has the shape {matrix.shape}", len(names))
    bad = np.argwhere(~np.isfinite(np.atleast_2d(matrix)))
    if len(bad):
        row, place = bad[0]
        raise SmmixError(
            f"{what} is not finite in row {row} for {names[place]!r}; give a number there, zero "
            "for a parameter that has no part in the hypothesis."
        )
    return matrix


def _has_names(labels: Any) -> bool:
    """Whether labels were given, and are not those that pandas makes for want of any."""
    return not isinstance(labels, pd.RangeIndex)


def _refused(what: str, why: str, count: int) -> SmmixError:
    return SmmixError(
        f"{what} {why}; it must be (r, {count}), a row for each hypothesis and a column for each "
        'of the params, or text in their names such as "x1[0] = x1[1]".'
    )


def _by_name(what: str, matrix: np.ndarray, labels: pd.Index, names: Sequence[str]) -> np.ndarray:
    """Columns in the order of the parameters, zero where one is not named."""
    for label in labels:
        if label not in names:
            raise SmmixError(
                f"The model has no parameter {shown(label)}{similar_names(label, names)}; correct "
                "the "
                f"label in {what}."
            )
    if labels.has_duplicates:
        twice = labels[labels.duplicated()][0]
        raise SmmixError(f"{what} has {twice!r} more than once; keep one column for it.")
    ordered = np.zeros((*matrix.shape[:-1], len(names)))
    ordered[..., [list(names).index(label) for label in labels]] = matrix
    return ordered


def check_square(what: str, given: Any, names: Sequence[str]) -> np.ndarray | None:
    """A matrix with a row and a column for each name; None stays None.

    Parameters
    ----------
    what : str
        How errors call the argument.
    given : array_like or DataFrame, optional
        A frame that has the names in index and columns is put in their order.
    names : sequence of str

    Raises
    ------
    SmmixError
        If the shape or the names are others, or an entry is no finite number.
    """
    if given is None:
        return None
    count = len(names)
    if isinstance(given, pd.DataFrame) and _has_names(given.columns):
        if sorted(map(str, given.columns)) != sorted(names) or set(given.index) != set(names):
            raise SmmixError(
                f"{what} must have {quoted(list(names))} in index and columns, or be an array."
            )
        given = given.loc[list(names), list(names)]
    matrix = _numbers(what, given)
    if matrix.shape != (count, count):
        raise SmmixError(f"{what} has the shape {matrix.shape}; it must be ({count}, {count}).")
    if not np.isfinite(matrix).all():
        raise SmmixError(f"{what} must have finite entries; take out what is missing or infinite.")
    return matrix


def _numbers(what: str, given: Any) -> np.ndarray:
    """Numbers as an array of floats."""
    with suppress(TypeError, ValueError):
        array = np.asarray(given)
        if array.dtype.kind in "bOiuf":
            return array.astype(float)
    raise SmmixError(f"{what} must be numbers, in rows of one length.")
