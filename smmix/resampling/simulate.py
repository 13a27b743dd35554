"""Data drawn from a mixture of regressions whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.mixing.constant import softmax
from smmix.resampling.draws import pick_component
from smmix.support.checks import check_whole, generator

__all__ = ["Simulation", "simulate_mixture"]

#: Regressors and components when neither the coefficients nor their numbers are given.
DEFAULT_FEATURES, DEFAULT_COMPONENTS = 3, 3
#: Standard deviation of coefficients that are drawn.
COEF_SCALE = 3.0
#: Weights may miss a sum of one by this much, from rounding.
WEIGHT_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Simulation:
    """Simulated data and the parameters that they were drawn from.

    Attributes
    ----------
    frame : DataFrame, n rows
        ``x1``, .., then ``z1``, .. with concomitant variables, ``group`` with groups, ``y``, and
        ``component``, the true component (from 0) of each row.
    coef : ndarray, (k, p)
        Coefficients by component, the intercept first.
    sigma : ndarray, (k,)
    weights : ndarray, (k,)
        Mixing weights; with concomitant variables the average of the prior probabilities.
    mixing : ndarray, (k - 1, q), or None
        Logits of components 1, .., k-1 against component 0, the intercept first.
    """

    frame: pd.DataFrame
    coef: np.ndarray
    sigma: np.ndarray
    weights: np.ndarray
    mixing: np.ndarray | None = None


def simulate_mixture(
    n: int = 1000,
    coef: Any = None,
    sigma: Any = 1.0,
    weights: Any = None,
    *,
    mixing: Any = None,
    n_groups: int | None = None,
    n_features: int | None = None,
    k: int | None = None,
    rng: Any = 0,
) -> Simulation:
    """Draw data from a finite mixture of linear regressions.

    Regressors and concomitant variables are independent standard normal variables.

    Parameters
    ----------
    n : int
        Rows.
    coef : array_like, (k, p), optional
        Coefficients, a row for each component, the intercept first; or ``coef`` of a fit, which
        has a column for each. By default they are drawn from N(0, 9).
    sigma : float or array_like, (k,)
        Standard deviation of the errors, of all components or of each.
    weights : array_like, (k,), optional
        Mixing weights; equal by default.
    mixing : array_like, (k - 1, q), optional
        In place of ``weights``: logits of components 1, .., k-1 against component 0, the
        intercept first, then a column for each of the concomitant variables ``z1``, ..
    n_groups : int, optional
        Rows form so many groups of (nearly) equal size, each of one component and one z.
    n_features, k : int, optional
        Regressors and components when ``coef`` is drawn; three each by default.
    rng : int, Generator, SeedSequence or None
        Seed; the same seed gives the same data.

    Returns
    -------
    Simulation
        ``frame`` with the data, and the truth as ``coef``, ``sigma``, ``weights``, ``mixing``.

    Raises
    ------
    SmmixError
        If shapes do not fit, weights are no probabilities or a sigma is negative.

    Examples
    --------
    >>> from smmix.resampling.simulate import simulate_mixture
    >>> sim = simulate_mixture(n=500, coef=[[0.5, 1.5], [2, -1]], weights=[0.4, 0.6], rng=42)
    >>> list(sim.frame)
    ['x1', 'y', 'component']
    """
    rng = generator(rng)
    n = check_whole("n", n)
    coef = _coefficients(coef, n_features, k, rng)
    k = coef.shape[0]
    sigma = _by_component("sigma", sigma, k)
    group = _groups(n, n_groups)
    n_units = n if group is None else int(group[-1]) + 1
    unit = np.arange(n) if group is None else group
    x = rng.standard_normal((n, coef.shape[1] - 1))
    columns = {f"x{j + 1}": x[:, j] for j in range(x.shape[1])}
    if mixing is None:
        weights = _weights(weights, k)
        prior = np.tile(weights, (n_units, 1))
    else:
        if weights is not None:
            raise SmmixError("Give weights or mixing, not both: mixing implies the weights.")
        mixing = _logits(mixing, k)
        z = rng.standard_normal((n_units, mixing.shape[1] - 1))
        columns |= {f"z{j + 1}": z[unit, j] for j in range(z.shape[1])}
        design = np.column_stack([np.ones(n_units), z])
        prior = softmax((mixing @ design.T)[None]).probability[0].T
        weights = prior.mean(axis=0)
    component = pick_component(prior, rng.random(n_units))[unit]
    if group is not None:
        columns["group"] = group
    means = coef[component, 0] + np.vecdot(x, coef[component, 1:])
    columns["y"] = means + sigma[component] * rng.standard_normal(n)
    columns["component"] = component
    return Simulation(pd.DataFrame(columns), coef, sigma, weights, mixing)


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise SmmixError(f"{name} must hold numbers in rows of one length ({error}).") from error
    if not np.isfinite(array).all():
        raise SmmixError(f"{name} holds a number that is not finite.")
    return array


def _coefficients(
    coef: Any, n_features: int | None, k: int | None, rng: np.random.Generator
) -> np.ndarray:
    if coef is None:
        columns = 1 + (DEFAULT_FEATURES if n_features is None else _features(n_features))
        rows = DEFAULT_COMPONENTS if k is None else check_whole("k", k)
        return COEF_SCALE * rng.standard_normal((rows, columns))
    if isinstance(coef, pd.DataFrame) and coef.columns.name == "component":
        coef = coef.T
    array = _numbers("coef", coef)
    if array.ndim != 2 or 0 in array.shape:
        raise SmmixError(
            f"coef has the shape {array.shape}; it must be (k, p), a row for each component with "
            "its intercept first."
        )
    if k is not None and check_whole("k", k) != array.shape[0]:
        raise SmmixError(f"coef has {array.shape[0]} rows but k is {k}; leave k out.")
    if n_features is not None and _features(n_features) != array.shape[1] - 1:
        raise SmmixError(
            f"coef has {array.shape[1] - 1} slopes in a row but n_features is {n_features}; leave "
            "n_features out."
        )
    return array


def _features(n_features: Any) -> int:
    return 0 if n_features == 0 else check_whole("n_features", n_features)


def _by_component(name: str, values: Any, k: int) -> np.ndarray:
    array = _numbers(name, values)
    if array.shape not in ((), (k,)):
        raise SmmixError(
            f"{name} has the shape {array.shape}; it must be one number, or {k}: one for each "
            "component."
        )
    if (array < 0.0).any():
        raise SmmixError(f"{name} must not be negative, but one is {array.min():g}.")
    return np.broadcast_to(array, k).copy()


def _weights(weights: Any, k: int) -> np.ndarray:
    if weights is None:
        return np.full(k, 1.0 / k)
    array = _numbers("weights", weights)
    if array.shape != (k,):
        raise SmmixError(
            f"weights has the shape {array.shape}; it must hold {k} numbers, as coef has {k} rows."
        )
    if (array < 0.0).any() or abs(array.sum() - 1.0) > WEIGHT_TOLERANCE:
        raise SmmixError(
            f"weights must be probabilities that add up to one; they add up to {array.sum():g}"
            f"{' and one is negative' if (array < 0.0).any() else ''}."
        )
    return array / array.sum()


def _logits(mixing: Any, k: int) -> np.ndarray:
    array = _numbers("mixing", mixing)
    if array.ndim != 2 or array.shape[0] != k - 1 or array.shape[1] == 0:
        raise SmmixError(
            f"mixing has the shape {array.shape}; it must be (k - 1, q) with k - 1 = {k - 1}: a "
            "row for each component but the first, its intercept first."
        )
    return array


def _groups(n: int, n_groups: Any) -> np.ndarray | None:
    """Group of each row, those of a group side by side."""
    if n_groups is None:
        return None
    n_groups = check_whole("n_groups", n_groups)
    if n_groups > n:
        raise SmmixError(f"There cannot be {n_groups} groups of {n} rows; lower n_groups.")
    return np.arange(n) * n_groups // n
