"""Binomial components: successes in a number of trials, one trial where none is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import bdtr

from smmix.core.family import Derivatives, Working
from smmix.families.counts import log_factorial
from smmix.families.exponential import (
    LARGEST,
    Array,
    Aux,
    ExponentialFamily,
    first_not,
    smallest_reaching,
)
from smmix.families.probability import LARGEST_SCORE, bends, log_probabilities

__all__ = ["Binomial"]

TAKES: tuple[str, ...] = ("trials",)


@dataclass(frozen=True, repr=False)
class Binomial(ExponentialFamily):
    """Binomial regressions; without trials a response is 0 or 1.

    Attributes
    ----------
    link : Link
        Given by its name: "logit", "probit", "cloglog" or "log". With "log" a row whose linear
        predictor is not negative has density zero.

    Raises
    ------
    SmmixError
        Where the link is none of these.

    Examples
    --------
    >>> from smmix.families.binomial import Binomial
    >>> Binomial(link="probit").to_plain()
    {'link': 'probit'}
    """

    link: Any = "logit"
    name = "binomial"
    label = "binomial regressions"
    links = ("logit", "probit", "cloglog", "log")
    discrete = True
    reads = "successes"
    takes = TAKES

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        trials = _trials(aux)
        row = first_not((y >= 0.0) & (y <= trials) & (np.floor(y) == y))
        if row is not None:
            if aux is None:
                return row, "a binomial response without trials= is 0 or 1"
            return row, "a binomial response is a whole number from 0 to its number of trials"
        row = first_not(np.isfinite(trials) & (np.floor(trials) == trials))
        return None if row is None else (row, "the number of trials of a row is a whole number")

    def outcomes(self, aux: Aux) -> Array:
        return _trials(aux)

    def start_response(self, y: Array, aux: Aux) -> Array:
        return np.asarray(self.link.inverse((y + 0.5) / (_trials(aux) + 1.0)))

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        eta, outside = self._inside(eta)
        log_success, log_failure, success, failure = log_probabilities(self.link.name, eta)
        trials = _trials(aux)
        failures = trials - y
        log_density = y * log_success
        log_failure *= failures
        log_density += log_failure
        if aux is not None:
            log_density += log_factorial(trials) - log_factorial(y) - log_factorial(failures)
        weight = success * failure
        weight *= -trials
        np.maximum(weight, 1.0 / LARGEST, out=weight)
        residual = y * success
        residual += np.multiply(failures, failure, out=log_failure)
        residual /= weight
        if outside is not None:
            log_density[outside] = -np.inf
            weight[outside] = 0.0
            residual[outside] = 0.0
        return Working(log_density, residual, weight, (eta, success, failure))

    def _inside(self, eta: Array) -> tuple[Array, Array | None]:
        if self.link.name != "log":
            return np.clip(eta, -LARGEST_SCORE, LARGEST_SCORE, out=eta), None
        outside = ~(eta.real < 0.0)
        eta[outside] = -1.0
        return np.clip(eta, -LARGEST, -1.0 / LARGEST, out=eta), outside if outside.any() else None

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        weight = np.asarray(working.weight)
        success, failure = bends(self.link.name, *working.state)
        return Derivatives(
            first=[weight * working.residual],
            second=[[y * success + (_trials(aux) - y) * failure]],
            information=weight,
            nuisance_information=[],
        )

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        """Expected successes, trials times probability."""
        return _trials(aux) * self._probability(eta)

    def _probability(self, eta: Array) -> Array:
        inside, outside = self._inside(np.array(eta, dtype=float))
        probability = np.asarray(self.link.mean(inside))
        return probability if outside is None else np.where(outside, np.nan, probability)

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        inside, outside = self._inside(np.array(eta, dtype=float))
        log_success, _, success, _ = log_probabilities(self.link.name, inside)
        slope = _trials(aux) * np.exp(log_success) * success
        return [slope if outside is None else np.where(outside, np.nan, slope)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        probability = self._probability(eta)
        return _trials(aux) * probability * (1.0 - probability)

    def cdf(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return _cdf(y, _trials(aux), self._probability(eta))

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        trials, probability = _trials(aux), self._probability(eta)
        highest = np.broadcast_to(trials, probability.shape)
        return smallest_reaching(lambda y: _cdf(y, trials, probability), q, highest)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        probability = self._probability(eta)
        drawn = rng.binomial(_trials(aux).astype(np.int64), np.nan_to_num(probability))
        return np.where(np.isnan(probability), np.nan, drawn)


def _trials(aux: Aux) -> Array:
    return np.ones(1) if aux is None else aux[:, 0]


def _cdf(y: Array, trials: Array, probability: Array) -> Array:
    whole = np.clip(np.floor(y), 0.0, trials)
    reached = bdtr(whole, np.asarray(trials, dtype=np.intp), probability)
    return np.where(y < 0.0, 0.0 * probability, reached)
