"""Profile likelihood intervals.

The profile of a parameter is the log-likelihood maximised over all others while it is held; the
interval holds the values whose profile lies within chi2(1) / 2 of the maximum [1]_. Where there are
several modes, each has a branch of its own, and the profile is the highest of them.

References
----------
.. [1] Venzon, D. J. and Moolgavkar, S. H. (1988). A method for computing profile-likelihood-based
   confidence intervals. Applied Statistics 37, 87-94.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, stats

from smmix.core.mixture import project
from smmix.core.params import LinearMap, MixtureParams
from smmix.core.transforms import Transform
from smmix.errors import SmmixError
from smmix.mixture.evaluate import information_at
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.numbering import component_order
from smmix.mixture.observed import Observed
from smmix.mixture.parameters import NUISANCE
from smmix.mixture.specification import Specification
from smmix.search.coordinates import Coordinates, working_setting
from smmix.search.em import EMControl, EMStatus, Objective, newton
from smmix.search.modes import component_sizes, judged
from smmix.support.checks import check_alpha

__all__ = ["profile_likelihood_ci"]

#: An interval that reaches so many standard errors without its end is open.
FARTHEST = 50.0
#: Ends are found to this share of a standard error.
ACCURACY = 1e-7


def profile_likelihood_ci(results: Fit, name: str, alpha: float = 0.05) -> pd.Series:
    """Profile likelihood interval of one parameter.

    It reaches from the lowest to the highest value whose profile is high enough, on the branch of
    the fit and on those of the sound modes in ``results.starts`` that are so high themselves. By
    the rule on sharp components, a value counts for nothing where only a degenerate mode or a
    chance line is to be found.

    Parameters
    ----------
    results : MixtureResults
        A converged fit.
    name : str
        Parameter name, such as ``"x1[0]"``.
    alpha : float
        The interval has the level 1 - alpha.

    Returns
    -------
    Series
        ``lower`` and ``upper``; infinite (zero for sigma) where the likelihood never falls far
        enough, so that the data set no bound.

    Raises
    ------
    SmmixError
        If the parameter is unknown or held fixed, the fit is no maximum, or the likelihood
        cannot be followed.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.profile_likelihood_ci("income[0]").round(3).tolist()
    [0.633, 0.707]
    """
    fitted = fitted_of(results)
    specification = fitted.specification
    if not (isinstance(name, str) and name in specification.param_names):
        known = ", ".join(map(repr, specification.param_names))
        raise SmmixError(f"{name!r} is not a parameter; choose one of {known}.")
    check_alpha(alpha)
    if specification.sampled:
        raise SmmixError(
            "With sampling weights the likelihood is a pseudo-likelihood, whose profile has no "
            "chi-squared scale; use conf_int."
        )
    random = specification.spec.random
    row = specification.parameters.rows[specification.param_names.index(name)]
    if random is not None and row.term in random.parameters:
        raise SmmixError(
            f"{name} belongs to a covariance matrix, of which no single entry can be held; use "
            "conf_int or bootstrap."
        )
    reach = float(np.sqrt(stats.chi2.isf(alpha, 1)))
    surface = _Surface.of(fitted)
    own = surface.climb(fitted.unpacked, specification.spec.restriction)
    if own is None:
        raise SmmixError("The fit is degenerate, so the likelihood has no profile around it.")
    main = _Branch.of(surface, name, own)
    if main is None:
        raise SmmixError(
            "The fit is no maximum (its information is not positive definite), so the "
            "likelihood has no profile around it; fit again with more n_starts."
        )
    ends = [main.end(sign, own, reach, main.estimate) for sign in (-1.0, 1.0)]
    for params in _rivals(fitted, reach):
        peak = surface.climb(params, specification.spec.restriction)
        if peak is None or own.height - peak.height > 0.5 * reach**2:
            continue
        value = surface.visible(peak.params)[main.position]
        ends = [min(ends[0], value), max(ends[1], value)]
        branch = _Branch.of(surface, name, peak)
        if branch is not None:
            ends = [branch.end(s, own, reach, e) for s, e in zip((-1.0, 1.0), ends, strict=True)]
    return pd.Series(ends, index=["lower", "upper"], name=name)


def _rivals(fitted: Fitted, reach: float) -> Iterator[MixtureParams]:
    """Sound modes that are high enough, their components numbered as their results number them."""
    modes, record = fitted.modes, fitted.record
    assert record is not None, "only fits with their search have a profile"
    if fitted.row != modes.selected:
        return
    for i, mode in enumerate(modes.modes):
        if i != fitted.row and not mode.degenerate and mode.loglike >= fitted.llf - reach**2 / 2.0:
            order = component_order(fitted.specification, fitted.data, mode.params, record.order)
            yield mode.params.permute(order)


class _Point(NamedTuple):
    """A maximum of the likelihood, under a restriction or without."""

    params: MixtureParams
    height: float
    price: float

    @property
    def worth(self) -> float:
        """Log-likelihood less the price of sharp components."""
        return self.height - self.price


@dataclass(frozen=True)
class _Surface:
    """The likelihood in working coordinates, where one Newton ascent under a restriction runs."""

    specification: Specification
    data: Observed
    coordinates: Coordinates
    objective: Objective
    degenerate: bool

    @classmethod
    def of(cls, fitted: Fitted) -> _Surface:
        specification, data = fitted.specification, fitted.data
        setting = working_setting(specification.spec, data.source)
        degenerate = fitted.mode.degenerate
        return cls(specification, data, setting.coordinates, setting.objective, degenerate)

    def climb(self, params: MixtureParams, restriction: LinearMap | None) -> _Point | None:
        """Maximum near ``params`` under a restriction; None where it is no estimate by the rule."""
        natural = replace(self.specification.spec, restriction=restriction, coef_basis=None)
        spec = self.coordinates.spec(natural)
        start = project(spec, self.coordinates.to_working(params))
        ascent = newton(replace(self.objective, spec=spec), start, EMControl(maxiter=200))
        status = ascent.status[0]
        if status is EMStatus.COLLAPSED:
            return None
        if status not in (EMStatus.CONVERGED, EMStatus.BOUNDARY, EMStatus.STALLED):
            raise SmmixError(
                "The profile likelihood could not be followed; use conf_int or bootstrap. Its "
                f"search ended with: {status.value}."
            )
        whole = self.objective
        sizes = component_sizes(whole.spec, ascent.params, whole.source)
        told = judged(whole.spec, ascent.params, sizes)
        if told.degenerate.any() and not self.degenerate:
            return None
        found = self.coordinates.from_working(ascent.params)
        return _Point(found, float(ascent.loglike[0]), float(told.total[0]))

    def visible(self, params: MixtureParams) -> np.ndarray:
        """Parameters as users see them, (V,)."""
        full = self.specification.layout.pack(params)[0]
        return self.specification.parameters.of_full(full)

    @cached_property
    def free(self) -> LinearMap:
        """Visible parameters as a map of the free ones."""
        specification = self.specification
        origin = np.zeros(specification.layout.size)
        if specification.spec.restriction is not None:
            origin = specification.spec.restriction.origin
        back = np.linalg.pinv(specification.expand.basis)
        return LinearMap(specification.tangent[1], back @ origin)


@dataclass
class _Branch:
    """Profile of one visible parameter around a mode."""

    surface: _Surface
    name: str
    position: int
    estimate: float
    error: float
    direction: np.ndarray
    transform: Transform
    peak: _Point

    @classmethod
    def of(cls, surface: _Surface, name: str, peak: _Point) -> _Branch | None:
        """The branch of a mode; None where its information is not positive definite."""
        specification = surface.specification
        position = specification.param_names.index(name)
        full, visible = specification.tangent
        if not visible[position].any():
            raise SmmixError(f"{name!r} is held at a fixed value, so it has no interval.")
        params = surface.visible(peak.params)
        info = information_at(specification, surface.data, params)
        try:
            lower = np.linalg.cholesky(-full.T @ info.hessian @ full)
        except np.linalg.LinAlgError:
            return None
        half = np.linalg.solve(lower, visible.T)
        column = half.T @ half[:, position]
        return cls(
            surface,
            name,
            position,
            float(params[position]),
            float(np.sqrt(column[position])),
            column / column[position],
            specification.parameters.rows[position].transform,
            peak,
        )

    def value(self, distance: float) -> float:
        """Parameter value at a signed distance in standard errors, in working coordinates."""
        at = np.asarray(self.estimate)
        step = distance * self.error / self.transform.slope(at)
        return float(self.transform.natural(self.transform.working(at) + step))

    def distance(self, value: float) -> float:
        """The other way round."""
        at = np.asarray(self.estimate)
        with np.errstate(divide="ignore"):
            step = self.transform.working(np.asarray(value)) - self.transform.working(at)
        return float(step * self.transform.slope(at) / self.error)

    def end(self, sign: float, top: _Point, reach: float, known: float) -> float:
        """Where the profile is ``reach`` squared over two below ``top``, on one side.

        That is ``known``, an end already found, where the branch does not go beyond it.
        """
        state = {0.0: self.peak.params}

        def gap(distance: float) -> float:
            nearest = min(state, key=lambda one: abs(one - distance))
            value = self.value(distance)
            point = self.held(state[nearest], self.value(nearest), value)
            if point is None or self.is_chance(point, top, value):
                return reach
            state[distance] = point.params
            return float(np.sqrt(max(2.0 * (top.height - point.height), 0.0))) - reach

        near = self.distance(known)
        if sign * near >= FARTHEST or (near != 0.0 and gap(near) >= 0.0):
            return known
        far = near + sign * reach
        while (miss := gap(far)) < 0.0:
            if sign * far >= FARTHEST:
                return float(self.transform.natural(np.asarray(sign * np.inf)))
            near = far
            factor = 1.1 * reach / max(miss + reach, 0.5 * reach)
            far = sign * min(abs(far) * float(np.clip(factor, 1.2, 2.0)), FARTHEST)
        return self.value(float(optimize.brentq(gap, near, far, xtol=ACCURACY, rtol=1e-12)))

    def is_chance(self, point: _Point, top: _Point, value: float) -> bool:
        """Whether a held maximum is higher than the fit, and by the rule no better."""
        lead = point.height - top.height
        if lead <= 1e-6 * (1.0 + abs(top.height)):
            return False
        if point.worth <= top.worth:
            return True
        raise SmmixError(
            f"The likelihood is higher (by {lead:.3g}) with {self.name!r} held at {value:.6g}, so "
            "the fit missed its maximum; fit again with more n_starts."
        )

    def held(self, params: MixtureParams, before: float, value: float) -> _Point | None:
        """Maximum with the parameter held at ``value``, from the one at ``before``."""
        specification, free = self.surface.specification, self.surface.free
        row, origin = free.basis[self.position], free.origin[self.position]
        pivot = int(np.argmax(np.abs(row)))
        others = np.delete(np.arange(row.size), pivot)
        basis = np.zeros((row.size, row.size - 1))
        basis[others, np.arange(others.size)] = 1.0
        basis[pivot] = -row[others] / row[pivot]
        shift = np.zeros(row.size)
        shift[pivot] = (value - origin) / row[pivot]
        outer = specification.spec.restriction or specification.expand
        restriction = outer.then(LinearMap(basis, shift))
        return self.surface.climb(self.moved(params, value - before), restriction)

    def moved(self, params: MixtureParams, step: float) -> MixtureParams:
        """Parameters moved along the tangent of the profile, each in its working coordinate."""
        specification = self.surface.specification
        full = specification.layout.pack(params)[0]
        moved = full + specification.expand.basis @ (self.direction * step)
        for i in specification.parameters.positions(NUISANCE):
            row = specification.parameters.rows[i]
            places = list(row.places)
            here = full[places]
            step_ = np.clip((moved[places] - here) / row.transform.slope(here), -1.0, 1.0)
            moved[places] = row.transform.natural(row.transform.working(here) + step_)
        return specification.layout.unpack(moved)
