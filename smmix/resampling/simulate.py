"""Data drawn from a mixture of regressions whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from smmix.core.family import Family
from smmix.core.family_list import members
from smmix.errors import SmmixError
from smmix.families import read_family
from smmix.mixing.constant import softmax
from smmix.resampling.draws import pick_component
from smmix.support.arguments import refuses_unknown
from smmix.support.checks import check_whole, generator, reason, shown
from smmix.support.frames import quoted

__all__ = ["Simulation", "simulate_mixture"]

#: Regressors and components when neither the coefficients nor their numbers are given.
DEFAULT_FEATURES, DEFAULT_COMPONENTS = 3, 3
#: Standard deviation of coefficients that are drawn: on the scale of y, and of other links, where
#: three would make counts of billions and probabilities of 0 and 1.
COEF_SCALE, LINK_SCALE = 3.0, 0.5
#: Weights may miss a sum of one by this much, from rounding.
WEIGHT_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Simulation:
    """Simulated data and the parameters that they were drawn from.

    Attributes
    ----------
    frame : DataFrame, n rows
        ``x1``, .., then ``z1``, .. with concomitant variables, ``group`` with groups, ``trials``
        with trials, ``y``, and ``component``, the true component (from 0) of each row.
    coef : ndarray, (k, p)
        Coefficients by component, the intercept first where the family has one.
    sigma : ndarray, (k,), or None
        None where the family has no sigma.
    weights : ndarray, (k,)
        Mixing weights; with concomitant variables the average of the prior probabilities.
    mixing : ndarray, (k - 1, q), or None
        Logits of components 1, .., k-1 against component 0, the intercept first.
    family : Family
    nuisance : dict of ndarray, (k,)
        Parameters of the family beside the coefficients by name, sigma among them; NaN where a
        component has none.
    """

    frame: pd.DataFrame
    coef: np.ndarray
    sigma: np.ndarray | None
    weights: np.ndarray
    mixing: np.ndarray | None = None
    family: Family = field(default_factory=lambda: read_family("gaussian"))
    nuisance: dict[str, np.ndarray] = field(default_factory=dict)


@refuses_unknown
def simulate_mixture(
    n: int = 1000,
    coef: Any = None,
    sigma: Any = None,
    weights: Any = None,
    *,
    family: Any = "gaussian",
    nuisance: Mapping[str, Any] | None = None,
    trials: int | None = None,
    mixing: Any = None,
    n_groups: int | None = None,
    n_features: int | None = None,
    k: int | None = None,
    rng: Any = 0,
) -> Simulation:
    """Draw data from a finite mixture of regressions.

    Regressors and concomitant variables are independent standard normal variables.

    Parameters
    ----------
    n : int
        Rows.
    coef : array_like, (k, p), optional
        Coefficients on the scale of the link, a row for each component, the intercept first
        (ordered responses have none); or ``coef`` of a fit, which has a column for each. Zeros
        for a point mass. By default they are drawn from N(0, 9), and from N(0, 1/4) for
        families with another link than the identity.
    sigma : float or array_like, (k,), optional
        The sigma of families that have one, of all components or of each; 1 by default.
    weights : array_like, (k,), optional
        Mixing weights; equal by default.
    family : str, family, or list of these
        As in `smmix.from_formula`. Ordered responses need their levels:
        ``Ordered(levels=["low", "high"])``.
    nuisance : dict, optional
        The other parameters of the family by name, such as ``{"alpha": 0.5}``, of all components
        or a list with one for each, NaN where a component has none.
    trials : int, optional
        Trials of each row of a binomial response, of which ``y`` are the successes; 1 by default.
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
        ``frame`` with the data, and the truth as ``coef``, ``nuisance``, ``weights``, ``mixing``.

    Raises
    ------
    SmmixError
        If shapes do not fit, weights are no probabilities, a parameter of the family is missing,
        unknown or out of its range, or the family has no distribution at some row.

    Examples
    --------
    >>> from smmix.resampling.simulate import simulate_mixture
    >>> sim = simulate_mixture(n=500, coef=[[0.5, 1.5], [2, -1]], weights=[0.4, 0.6], rng=42)
    >>> list(sim.frame)
    ['x1', 'y', 'component']
    >>> counts = simulate_mixture(
    ...     n=500, coef=[[0, 0.5], [2, 0]], family="nb2", nuisance={"alpha": [0.5, 1]}
    ... )
    >>> bool((counts.frame["y"] >= 0).all())
    True
    """
    rng = generator(rng)
    n = check_whole("n", n)
    many = family if isinstance(family, list | tuple) else None
    found = read_family(family)
    if coef is None and k is None and many is not None:
        k = len(many)
    coef = _coefficients(coef, n_features, k, rng, found)
    k = coef.shape[0]
    found = read_family(family, k)
    aux = _trials(trials, found)
    values = _nuisance(sigma, nuisance, found, k)
    group = _groups(n, n_groups)
    n_units = n if group is None else int(group[-1]) + 1
    unit = np.arange(n) if group is None else group
    constant = int(found.intercept)
    x = rng.standard_normal((n, coef.shape[1] - constant))
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
    if trials is not None:
        columns["trials"] = np.full(n, trials)
    eta = np.vecdot(x, coef[component, constant:])
    if constant:
        eta = coef[component, 0] + eta
    columns["y"] = _named(_draw(found, aux, eta, values, component, rng), found)
    columns["component"] = component
    return Simulation(
        pd.DataFrame(columns), coef, values.get("sigma"), weights, mixing, found, values
    )


def _draw(
    family: Family,
    aux: np.ndarray | None,
    eta: np.ndarray,
    values: Mapping[str, np.ndarray],
    component: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """A response for each row from its component, (n,)."""
    families = members(family, int(component.max()) + 1)
    y = np.empty(eta.size)
    for own in dict.fromkeys(families):
        rows = np.flatnonzero(np.array([other == own for other in families])[component])
        # Each row is a parameter set of its own, as each may be of another component.
        at = eta[rows, None, None]
        names = [parameter.name for parameter in own.nuisance]
        nuisance = np.empty((rows.size, 1, len(names)))
        for i, name in enumerate(names):
            nuisance[:, 0, i] = values[name][component[rows]]
        try:
            drawn = own.sample(aux, at, nuisance, rng)
        except ValueError as error:
            raise SmmixError(
                f"The coefficients ask for {own.label} that cannot be drawn from "
                f"({reason(error)}); give "
                "smaller ones."
            ) from error
        # A regression without errors has no density, and is drawn all the same.
        if not own.location_scale:
            with np.errstate(all="ignore"):
                density = own.evaluate(drawn, aux, at.copy(), nuisance).log_density
            wrong = ~(density[:, 0, 0] > -np.inf)
            if wrong.any():
                row = rows[int(np.argmax(wrong))]
                raise SmmixError(
                    f"{own.label[:1].upper()}{own.label[1:]} have no distribution with the "
                    f"parameters of component {component[row]} in row {row}, where the linear "
                    f"predictor is {eta[row]:g}; give other coef or nuisance."
                )
        y[rows] = drawn[:, 0, 0]
    return y


def _named(y: np.ndarray, family: Family) -> Any:
    """Levels in place of their numbers, where the response has levels."""
    if family.reads != "levels":
        return y
    levels: Any = list(getattr(family, "levels", ()))
    return pd.Categorical.from_codes(y.astype(int), categories=levels, ordered=True)


def _mapping(nuisance: Any) -> dict[str, Any]:
    if not isinstance(nuisance, Mapping | None):
        raise SmmixError(
            f"nuisance must be a dict of parameters and values, not {shown(nuisance)}."
        )
    return dict(nuisance or {})


def _nuisance(
    sigma: Any, nuisance: Mapping[str, Any] | None, family: Family, k: int
) -> dict[str, np.ndarray]:
    """Values of the parameters beside the coefficients by component, (k,) each."""
    given = _mapping(nuisance)
    names = list(dict.fromkeys(parameter.name for parameter in family.nuisance))
    if sigma is not None and "sigma" not in names:
        raise SmmixError(f"sigma means nothing for {family.label}; {_asks_for(names)}.")
    if sigma is not None and "sigma" in given:
        raise SmmixError("Give sigma, or nuisance={'sigma': ..}, not both.")
    if "sigma" in names:
        given.setdefault("sigma", 1.0 if sigma is None else sigma)
    for name in given:
        if name not in names:
            raise SmmixError(
                f"nuisance names {name!r}, which is no parameter of {family.label}; "
                f"{_asks_for(names)}."
            )
    if family.reads == "levels" and not getattr(family, "levels", ()):
        raise SmmixError(
            "Ordered responses are drawn for given levels; give "
            "family=smmix.families.Ordered(levels=[..])."
        )
    missing = [name for name in names if name not in given]
    if missing:
        raise SmmixError(
            f"{family.label[:1].upper()}{family.label[1:]} need a value of {quoted(missing)}; give "
            f"nuisance={{{missing[0]!r}: ..}}, for all components or a list with one for each."
        )
    values = {}
    for name in names:
        have = np.array([any(p.name == name for p in own.nuisance) for own in members(family, k)])
        values[name] = _by_component(name, given[name], have)
        inside = np.ones(k, dtype=bool)
        for parameter in family.nuisance:
            if parameter.name == name and name != "sigma":
                inside &= parameter.transform.allows(values[name]) | ~have
        if not inside.all():
            bad = values[name][~inside][0]
            raise SmmixError(
                f"{name} is {bad:g} in component {int(np.argmin(inside))}, outside the range that "
                f"{family.label} allow."
            )
    return values


def _asks_for(names: list[str]) -> str:
    return f"they have {quoted(names)}, given by nuisance=" if names else "leave it out"


def _trials(trials: Any, family: Family) -> np.ndarray | None:
    """What a family must know of a row besides: one row that stands for all."""
    if family.ancillary is not None:
        raise SmmixError(
            f"The family's formula {family.ancillary!r} has no columns here; fit a model of it and "
            "use results.simulate(), or leave the formula out."
        )
    if trials is None:
        return None
    if "trials" not in family.takes:
        raise SmmixError(f"trials means nothing for {family.label}; leave it out.")
    return np.full((1, 1), float(check_whole("trials", trials)))


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise SmmixError(
            f"{name} must hold numbers in rows of one length ({reason(error)})."
        ) from error
    if not np.isfinite(array).all():
        raise SmmixError(f"{name} holds a number that is not finite.")
    return array


def _coefficients(
    coef: Any,
    n_features: int | None,
    k: int | None,
    rng: np.random.Generator,
    family: Family,
) -> np.ndarray:
    constant = int(family.intercept)
    if coef is None:
        features = DEFAULT_FEATURES if n_features is None else _features(n_features)
        rows = DEFAULT_COMPONENTS if k is None else check_whole("k", k)
        drawn = rng.standard_normal((rows, constant + features))
        for c, own in enumerate(members(family, rows)):
            name = getattr(own.link, "name", None)
            drawn[c] *= 0.0 if name is None else COEF_SCALE if name == "identity" else LINK_SCALE
        return drawn
    if isinstance(coef, pd.DataFrame) and coef.columns.name == "component":
        coef = coef.T
    array = _numbers("coef", coef)
    if array.ndim != 2 or 0 in array.shape:
        raise SmmixError(
            f"coef has the shape {array.shape}; it must be (k, p), a row for each component"
            f"{' with its intercept first' if constant else ''}."
        )
    if k is not None and check_whole("k", k) != array.shape[0]:
        raise SmmixError(f"coef has {array.shape[0]} rows but k is {k}; leave k out.")
    if n_features is not None and _features(n_features) != array.shape[1] - constant:
        raise SmmixError(
            f"coef has {array.shape[1] - constant} slopes in a row but n_features is {n_features}; "
            "leave n_features out."
        )
    for c, own in enumerate(members(family, array.shape[0])[: array.shape[0]]):
        if own.link is None and array[c].any():
            raise SmmixError(
                f"Component {c} is of {own.label}, which have no coefficients; give zeros."
            )
    return array


def _features(n_features: Any) -> int:
    return check_whole("n_features", n_features, 0)


def _by_component(name: str, values: Any, have: np.ndarray) -> np.ndarray:
    """One value for each component, NaN for those that ``have`` (k,) not the parameter."""
    k = have.size
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise SmmixError(f"{name} must hold numbers ({reason(error)}).") from error
    if array.shape not in ((), (k,)):
        raise SmmixError(
            f"{name} has the shape {array.shape}; it must be one number, or {k}: one for each "
            "component."
        )
    if array.ndim == 0:
        array = np.where(have, array, np.nan)
    needless = ~have & ~np.isnan(array)
    if needless.any():
        raise SmmixError(
            f"{name} has a value for component {int(np.argmax(needless))}, which has no such "
            "parameter; give NaN there."
        )
    if not np.isfinite(array[have]).all():
        raise SmmixError(f"{name} holds a number that is not finite.")
    if name == "sigma" and (array[have] < 0.0).any():
        raise SmmixError(f"sigma must not be negative, but one is {array[have].min():g}.")
    return array


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
