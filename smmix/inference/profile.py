"""Profile likelihood intervals.

The profile of a parameter is the log-likelihood maximised over all others while it is held; the
interval holds the values whose profile lies within chi2(1) / 2 of the maximum [1]_.

References
----------
.. [1] Venzon, D. J. and Moolgavkar, S. H. (1988). A method for computing profile-likelihood-based
   confidence intervals. Applied Statistics 37, 87-94.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from smmix.core.mixture import project
from smmix.core.params import LinearMap, MixtureParams
from smmix.core.transforms import Transform
from smmix.errors import SmmixError
from smmix.mixture.evaluate import information_at
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.parameters import NUISANCE
from smmix.mixture.specification import Specification
from smmix.search.coordinates import Coordinates, working_setting
from smmix.search.em import EMControl, EMStatus, Objective, newton
from smmix.support.checks import check_alpha

__all__ = ["profile_likelihood_ci"]

#: An interval that reaches so many standard errors without its end is open.
FARTHEST = 50.0
#: Ends are found to this share of a standard error.
ACCURACY = 1e-7


def profile_likelihood_ci(results: Fit, name: str, alpha: float = 0.05) -> pd.Series:
    """Profile likelihood interval of one parameter.

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
    profile = _Profile.of(fitted, name)
    reach = float(np.sqrt(stats.chi2.isf(alpha, 1)))
    ends = [profile.end(-1.0, reach), profile.end(1.0, reach)]
    return pd.Series(ends, index=["lower", "upper"], name=name)


@dataclass(frozen=True)
class _Surface:
    """The likelihood in working coordinates, where one Newton ascent under a restriction runs."""

    specification: Specification
    coordinates: Coordinates
    objective: Objective

    @classmethod
    def of(cls, fitted: Fitted) -> _Surface:
        setting = working_setting(fitted.specification.spec, fitted.data.source)
        return cls(fitted.specification, setting.coordinates, setting.objective)

    def climb(
        self, params: MixtureParams, restriction: LinearMap | None
    ) -> tuple[MixtureParams, float]:
        """Maximum near ``params`` under a restriction, natural coordinates, and its height."""
        natural = replace(self.specification.spec, restriction=restriction, coef_basis=None)
        spec = self.coordinates.spec(natural)
        start = project(spec, self.coordinates.to_working(params))
        ascent = newton(replace(self.objective, spec=spec), start, EMControl(maxiter=200))
        if ascent.status[0] not in (EMStatus.CONVERGED, EMStatus.BOUNDARY, EMStatus.STALLED):
            raise SmmixError(
                "The profile likelihood could not be followed: with the parameter held, the fit "
                f"{ascent.status[0].value}; use conf_int or bootstrap."
            )
        return self.coordinates.from_working(ascent.params), float(ascent.loglike[0])


@dataclass
class _Profile:
    """Profile of one visible parameter around the maximum."""

    surface: _Surface
    name: str
    position: int
    estimate: float
    error: float
    direction: np.ndarray
    transform: Transform
    height: float
    start: MixtureParams

    @classmethod
    def of(cls, fitted: Fitted, name: str) -> _Profile:
        specification, params = fitted.specification, fitted.params
        position = specification.param_names.index(name)
        full, visible = specification.tangent
        if not visible[position].any():
            raise SmmixError(f"{name!r} is held at a fixed value, so it has no interval.")
        info = information_at(specification, fitted.data, params)
        information = -full.T @ info.hessian @ full
        try:
            lower = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            raise SmmixError(
                "The fit is no maximum (its information is not positive definite), so the "
                "likelihood has no profile around it; fit again with more n_starts."
            ) from None
        half = np.linalg.solve(lower, visible.T)
        column = half.T @ half[:, position]
        surface = _Surface.of(fitted)
        start, height = surface.climb(fitted.unpacked, specification.spec.restriction)
        return cls(
            surface,
            name,
            position,
            float(params[position]),
            float(np.sqrt(column[position])),
            column / column[position],
            specification.parameters.rows[position].transform,
            height,
            start,
        )

    @cached_property
    def free(self) -> LinearMap:
        """Visible parameters as a map of the free ones."""
        specification = self.surface.specification
        visible = specification.tangent[1]
        origin = np.zeros(specification.layout.size)
        if specification.spec.restriction is not None:
            origin = specification.spec.restriction.origin
        back = np.linalg.pinv(specification.expand.basis)
        return LinearMap(visible, back @ origin)

    def value(self, distance: float) -> float:
        """Parameter value at a signed distance in standard errors, in working coordinates."""
        at = np.asarray(self.estimate)
        step = distance * self.error / self.transform.slope(at)
        return float(self.transform.natural(self.transform.working(at) + step))

    def end(self, sign: float, reach: float) -> float:
        """Where the profile has fallen by ``reach`` squared over two, on one side."""
        state = {0.0: self.start}

        def gap(distance: float) -> float:
            nearest = min(state, key=lambda known: abs(known - distance))
            params, height = self.held(state[nearest], self.value(nearest), self.value(distance))
            state[distance] = params
            fall = 2.0 * (self.height - height)
            if fall < -1e-6 * (1.0 + abs(self.height)):
                raise SmmixError(
                    f"The likelihood is higher (by {-fall / 2.0:.3g}) with {self.name!r} held at "
                    f"{self.value(distance):.6g}, so the fit missed its maximum; fit again with "
                    "more n_starts."
                )
            return float(np.sqrt(max(fall, 0.0))) - reach

        near, far = 0.0, sign * reach
        while (miss := gap(far)) < 0.0:
            if abs(far) >= FARTHEST:
                return float(self.transform.natural(np.asarray(sign * np.inf)))
            near = far
            factor = 1.1 * reach / max(miss + reach, 0.5 * reach)
            far = sign * min(abs(far) * float(np.clip(factor, 1.2, 2.0)), FARTHEST)
        if near == 0.0:
            return self.value(_root(gap, sign * 1e-3 * reach, far))
        return self.value(_root(gap, near, far))

    def held(
        self, params: MixtureParams, before: float, value: float
    ) -> tuple[MixtureParams, float]:
        """Maximum with the parameter held at ``value``, from the one at ``before``."""
        specification = self.surface.specification
        row, origin = self.free.basis[self.position], self.free.origin[self.position]
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


def _root(function: Any, near: float, far: float) -> float:
    return float(optimize.brentq(function, near, far, xtol=ACCURACY, rtol=1e-12))
