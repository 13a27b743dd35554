"""What users of the estimator give, checked."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d

from smmix.errors import SmmixError

__all__ = [
    "checked_column",
    "checked_response",
    "checked_weight",
    "column_names",
    "column_positions",
    "constant_name",
    "own_names",
    "seed_of",
]

#: Seeds drawn from a RandomState lie below this.
_SEEDS = 2**31 - 1
#: The estimator's names of what the model calls otherwise.
_OWN_NAMES = {"k": "n_components", "gtol": "tol", "maxiter": "max_iter", "rng": "random_state"}


@contextmanager
def own_names() -> Iterator[None]:
    """Let a complaint of the model about an option name it as the estimator does."""
    try:
        yield
    except SmmixError as error:
        name, _, rest = str(error).partition(" ")
        if name not in _OWN_NAMES:
            raise
        raise SmmixError(f"{_OWN_NAMES[name]} {rest}") from None


def checked_response(X: np.ndarray, y: Any) -> np.ndarray:
    """The response as finite numbers, one for each row of X."""
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    checked: np.ndarray = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    return checked


def checked_column(name: str, values: Any, X: np.ndarray) -> np.ndarray | None:
    """Further numbers, one for each row of X, where they are given."""
    if values is None:
        return None
    values = column_or_1d(values)
    check_consistent_length(X, values)
    column: np.ndarray = check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)
    return column


def column_names(estimator: Any) -> list[str]:
    """Names of the columns of X that an estimator was given; x0, x1, .. where it has none."""
    named = getattr(estimator, "feature_names_in_", None)
    if named is None:
        return [f"x{i}" for i in range(estimator.n_features_in_)]
    return [str(name) for name in named]


def checked_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray:
    """Weights, one for each row of X, not negative and not all zero."""
    if isinstance(sample_weight, numbers.Real):
        sample_weight = np.full(len(X), float(sample_weight))
    weight: np.ndarray = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (len(X),):
        raise SmmixError(
            f"sample_weight has the shape {weight.shape}; it must have one weight for each of "
            f"the {len(X)} rows."
        )
    bad = np.flatnonzero(weight < 0.0)
    if bad.size:
        raise SmmixError(
            f"sample_weight is {weight[bad[0]]:g} in row {bad[0]}; weights must not be negative."
        )
    if not weight.any():
        raise SmmixError("sample_weight is zero in every row; give some row a positive weight.")
    return weight


def constant_name(names: list[str]) -> str:
    """A name for the constant that no column has."""
    name = "Intercept"
    while name in names:
        name = f"_{name}"
    return name


def seed_of(random_state: Any) -> Any:
    """What smmix takes for rng: an int or None as they are, else an int drawn from the state."""
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state
    return int(check_random_state(random_state).randint(_SEEDS))


def column_positions(
    columns: int | str | Sequence[int | str] | None, names: list[str]
) -> list[int]:
    """Positions of the concomitant columns, given by name or position."""
    found = []
    if columns is None:
        columns = ()
    for column in [columns] if isinstance(columns, str | int | np.integer) else columns:
        if isinstance(column, str) and column in names:
            found.append(names.index(column))
        elif isinstance(column, int | np.integer) and 0 <= column < len(names):
            found.append(int(column))
        else:
            raise SmmixError(
                f"concomitant names the column {column!r}, which X has not; give names or "
                f"positions 0 to {len(names) - 1}."
            )
    return found
