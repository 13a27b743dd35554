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
from smmix.errors import SmmixError
from smmix.inference.delta import tangent
from smmix.search.coordinates import Coordinates, working_setting
from smmix.search.em import EMControl, EMStatus, Objective, newton

__all__ = ["profile_likelihood_ci"]

#: An interval that reaches so many standard errors without its end is open.
FARTHEST = 50.0
#: Ends are found to this share of a standard error.
ACCURACY = 1e-7


def profile_likelihood_ci(results: Any, name: str, alpha: float = 0.05) -> pd.Series:
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
    model = results.model
    if name not in model.param_names:
        known = ", ".join(map(repr, model.param_names))
        raise SmmixError(f"{name!r} is not a parameter; choose one of {known}.")
    if not (isinstance(alpha, float | np.floating) and 0.0 < alpha < 1.0):
        raise SmmixError(f"alpha={alpha!r} must be a number between 0 and 1, such as 0.05.")
    if getattr(model, "prob_weights", None) is not None:
        raise SmmixError(
            "With sampling weights the likelihood is a pseudo-likelihood, whose profile has no "
            "chi-squared scale; use conf_int."
        )
    profile = _Profile.of(results, name)
    reach = float(np.sqrt(stats.chi2.isf(alpha, 1)))
    ends = [profile.end(-1.0, reach), profile.end(1.0, reach)]
    return pd.Series(ends, index=["lower", "upper"], name=name)


@dataclass(frozen=True)
class _Surface:
    """The likelihood in working coordinates, where one Newton ascent under a restriction runs."""

    model: Any
    coordinates: Coordinates
    objective: Objective

    @classmethod
    def of(cls, model: Any) -> _Surface:
        setting = working_setting(model.spec, model.source)
        return cls(model, setting.coordinates, setting.objective)

    def climb(
        self, params: MixtureParams, restriction: LinearMap | None
    ) -> tuple[MixtureParams, float]:
        """Maximum near ``params`` under a restriction, natural coordinates, and its height."""
        natural = replace(self.model.spec, restriction=restriction, coef_basis=None)
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
    positive: bool
    height: float
    start: MixtureParams

    @classmethod
    def of(cls, results: Any, name: str) -> _Profile:
        model = results.model
        position = list(model.param_names).index(name)
        params = np.asarray(results.params, dtype=float)
        full, visible = tangent(model)
        if not visible[position].any():
            raise SmmixError(f"{name!r} is held at a fixed value, so it has no interval.")
        information = -full.T @ model.information(params).hessian @ full
        try:
            lower = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            raise SmmixError(
                "The fit is no maximum (its information is not positive definite), so the "
                "likelihood has no profile around it; fit again with more n_starts."
            ) from None
        half = np.linalg.solve(lower, visible.T)
        column = half.T @ half[:, position]
        surface = _Surface.of(model)
        start, height = surface.climb(model.unpack(params), model.spec.restriction)
        nuisance = model.expand.basis[model.layout.nuisance]
        return cls(
            surface,
            name,
            position,
            float(params[position]),
            float(np.sqrt(column[position])),
            column / column[position],
            bool(nuisance[:, position].any()),
            height,
            start,
        )

    @cached_property
    def free(self) -> LinearMap:
        """Visible parameters as a map of the free ones."""
        model = self.surface.model
        visible = tangent(model)[1]
        origin = np.zeros(model.layout.size)
        if model.spec.restriction is not None:
            origin = model.spec.restriction.origin
        back = np.linalg.pinv(model.expand.basis)
        return LinearMap(visible, back @ origin)

    def value(self, distance: float) -> float:
        """Parameter value at a signed distance in standard errors (log scale for sigma)."""
        if self.positive:
            return self.estimate * float(np.exp(distance * self.error / self.estimate))
        return self.estimate + distance * self.error

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
                return float("inf") * sign if sign > 0 or not self.positive else 0.0
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
        model = self.surface.model
        row, origin = self.free.basis[self.position], self.free.origin[self.position]
        pivot = int(np.argmax(np.abs(row)))
        others = np.delete(np.arange(row.size), pivot)
        basis = np.zeros((row.size, row.size - 1))
        basis[others, np.arange(others.size)] = 1.0
        basis[pivot] = -row[others] / row[pivot]
        shift = np.zeros(row.size)
        shift[pivot] = (value - origin) / row[pivot]
        outer = model.spec.restriction or model.expand
        restriction = outer.then(LinearMap(basis, shift))
        return self.surface.climb(self.moved(params, value - before), restriction)

    def moved(self, params: MixtureParams, step: float) -> MixtureParams:
        """Parameters moved along the tangent of the profile; sigmas by a factor."""
        model = self.surface.model
        full = model.layout.pack(params)[0]
        change = model.expand.basis @ (self.direction * step)
        nuisance = model.layout.nuisance
        moved = full + change
        moved[nuisance] = full[nuisance] * np.exp(
            np.clip(change[nuisance] / full[nuisance], -1.0, 1.0)
        )
        unpacked: MixtureParams = model.layout.unpack(moved)
        return unpacked


def _root(function: Any, near: float, far: float) -> float:
    return float(optimize.brentq(function, near, far, xtol=ACCURACY, rtol=1e-12))
