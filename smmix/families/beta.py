"""Beta components: shares strictly between 0 and 1, with mean mu and a precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import betainc, betaincc, betaincinv

from smmix.core.family import Derivatives, Nuisance, Working
from smmix.core.transforms import LOG
from smmix.families.exponential import Array, Aux, first_not
from smmix.families.probability import log_probabilities
from smmix.families.scored import ScoredFamily
from smmix.families.stirling import log_constant, shape_terms

__all__ = ["Beta"]

#: Linear predictors between which no mean is nearer than 1e-85 to 0 or 1.
BOUNDS = {"logit": (-195.0, 195.0), "probit": (-19.0, 19.0), "cloglog": (-195.0, 5.2)}


class _State(NamedTuple):
    eta: np.ndarray
    share: tuple[np.ndarray, np.ndarray]  # mu and 1 - mu
    rates: tuple[np.ndarray, np.ndarray]  # derivatives of their logs in eta
    gaps: tuple[np.ndarray, np.ndarray]  # log(y / mu), log((1 - y) / (1 - mu))
    slopes: tuple[np.ndarray, np.ndarray]  # of the log constants of both shapes
    bends: tuple[np.ndarray, np.ndarray]  # minus their second derivatives


@dataclass(frozen=True, repr=False)
class Beta(ScoredFamily):
    """Beta regressions: y has the shapes mu phi and (1 - mu) phi [1]_.

    Attributes
    ----------
    link : Link
        Given by its name: "logit", "probit" or "cloglog".

    Raises
    ------
    SmmixError
        Where the link is none of these.

    References
    ----------
    .. [1] Ferrari, S. and Cribari-Neto, F. (2004). Beta regression for modelling rates and
       proportions. Journal of Applied Statistics 31, 799-815.

    Examples
    --------
    >>> from smmix.families.beta import Beta
    >>> Beta().nuisance[0].name
    'precision'
    """

    link: Any = "logit"
    name = "beta"
    label = "beta regressions"
    links = ("logit", "probit", "cloglog")
    scale = (0, -0.5)
    limits = (1e-10, 1e60)
    nuisance = (Nuisance("precision", LOG),)

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        row = first_not((y > 0.0) & (y < 1.0))
        return None if row is None else (row, "a beta response lies strictly between 0 and 1")

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """From the first two moments."""
        mean, variance = float(np.mean(y)), float(np.var(y))
        return np.clip([mean * (1.0 - mean) / max(variance, 1e-12) - 1.0], 0.1, 1e8)

    def _inside(self, eta: Array) -> Array:
        return np.clip(eta, *BOUNDS[self.link.name])

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        log_y, log_rest = np.log(y), np.log1p(-y)
        phi = np.clip(nuisance[..., :1], *self.limits)
        eta = self._inside(eta)
        log_mean, log_other, success, failure = log_probabilities(self.link.name, eta)
        mean, other = np.exp(log_mean), np.exp(log_other)
        a, b = phi * mean, phi * other
        up, down = log_y - log_mean, log_rest - log_other
        log_density = a * up
        log_density += b * down
        log_density -= log_y + log_rest
        log_density += log_constant(a) + log_constant(b) - log_constant(phi)
        # Working terms are of real parameters: a polygamma function has no complex values.
        a, b, success, failure = a.real, b.real, success.real, failure.real
        (slope_a, bend_a), (slope_b, bend_b) = shape_terms(a), shape_terms(b)
        weight = -phi.real * success * failure
        weight += (a * success) ** 2 * bend_a + (b * failure) ** 2 * bend_b
        residual = a * success * (up.real - down.real + slope_a - slope_b) / weight
        state = _State(
            eta, (mean, other), (success, failure), (up, down), (slope_a, slope_b), (bend_a, bend_b)
        )
        return Working(log_density, residual, weight, state)

    def _first(self, working: Working, phi: Array) -> Array:
        """Derivative of the log-density in the precision."""
        _, (mean, other), _, (up, down), (slope_a, slope_b), _ = working.state
        return np.asarray(mean * (up + slope_a) + other * (down + slope_b) - shape_terms(phi)[0])

    @staticmethod
    def _information(working: Working, phi: Array) -> Array:
        _, (mean, other), *_, (bend_a, bend_b) = working.state
        return np.asarray(mean**2 * bend_a + other**2 * bend_b - shape_terms(phi)[1])

    def sums(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> list[Array]:
        phi = np.clip(nuisance[..., :1], *self.limits)
        return [self._first(working, phi), self._information(working, phi)]

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        phi = np.clip(nuisance[..., :1], *self.limits)
        eta, (mean, other), (success, _), gaps, slopes, bends = working.state
        weight = np.asarray(working.weight)
        distance = gaps[0] - gaps[1] + slopes[0] - slopes[1]
        bent = phi * self.link.bend(eta) * distance
        mixed = mean * success * (distance - phi * (mean * bends[0] - other * bends[1]))
        information = self._information(working, phi)
        return Derivatives(
            first=[weight * working.residual, self._first(working, phi)],
            second=[[bent - weight], [mixed, -information]],
            information=weight,
            nuisance_information=[[information]],
        )

    def _shapes(self, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        log_mean, log_other, *_ = log_probabilities(self.link.name, self._inside(eta))
        return np.exp(log_mean) * nuisance[..., :1], np.exp(log_other) * nuisance[..., :1]

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.exp(log_probabilities(self.link.name, self._inside(eta))[0])

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        return [self.link.slope(self._inside(eta)), np.zeros(1)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        log_mean, log_other, *_ = log_probabilities(self.link.name, self._inside(eta))
        return np.exp(log_mean + log_other) / (1.0 + nuisance[..., :1])

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        a, b = self._shapes(eta, nuisance)
        inside = np.clip(y, 0.0, 1.0)
        return betainc(a, b, inside), betaincc(a, b, inside)

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return betaincinv(*self._shapes(eta, nuisance), q)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        """Draws kept off 0 and 1, which small shapes round to."""
        drawn = rng.beta(*self._shapes(eta, nuisance))
        return np.clip(drawn, np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)
