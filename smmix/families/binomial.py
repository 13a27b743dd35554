"""Binomial components: successes in a number of trials, one trial where none is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import bdtr, bdtrik, erfcx, gammaln, log_ndtr

from smmix.core.family import Derivatives, Working
from smmix.families.exponential import (
    LARGEST,
    LOG_LARGEST,
    ExponentialFamily,
    first_not,
    smallest_reaching,
)

__all__ = ["Binomial"]

#: Bound of a linear predictor and of the score of one trial: over the smallest weight,
#: 1 / LARGEST, it still has a finite square.
LARGEST_SCORE = 1e40


def _of_link(
    link: str, eta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | float, np.ndarray]:
    """Log p, log(1 - p) and the derivatives of both in eta, each exact in both tails."""
    if link == "logit":
        positive = eta.real > 0.0
        tail = np.exp(np.where(positive, -eta, eta))
        likelier = 1.0 / (1.0 + tail)
        rarer = tail * likelier
        softplus = np.log1p(tail)
        return (
            np.where(positive, 0.0, eta) - softplus,
            np.where(positive, -eta, 0.0) - softplus,
            np.where(positive, rarer, likelier),
            -np.where(positive, likelier, rarer),
        )
    if link == "probit":
        root = np.sqrt(2.0 / np.pi)
        scaled = eta / np.sqrt(2.0)
        return log_ndtr(eta), log_ndtr(-eta), root / erfcx(-scaled), -root / erfcx(scaled)
    if link == "cloglog":
        hazard = np.exp(np.clip(eta, -LOG_LARGEST, np.log(LARGEST_SCORE)))
        success = -np.expm1(-hazard)
        return np.log(success), -hazard, hazard * np.exp(-hazard) / success, -hazard
    failure = -np.expm1(eta)
    return eta, np.log(failure), np.ones_like(eta), -np.exp(eta) / failure


def _bends(
    link: str, eta: np.ndarray, success: np.ndarray, failure: np.ndarray
) -> tuple[np.ndarray | float, np.ndarray]:
    """Second derivatives of log p and log(1 - p), from the first."""
    if link == "logit":
        both = success * failure
        return both, both
    if link == "probit":
        return -success * (eta + success), -failure * (eta + failure)
    if link == "cloglog":
        return success * (1.0 + failure - success), failure
    return 0.0, failure * (1.0 - failure)


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
    takes = ("trials",)

    def refuse(self, y: np.ndarray, aux: np.ndarray | None) -> tuple[int, str] | None:
        trials = _trials(aux)
        row = first_not((y >= 0.0) & (y <= trials) & (np.floor(y) == y))
        if row is not None:
            if aux is None:
                return row, "a binomial response without trials= is 0 or 1"
            return row, "a binomial response is a whole number from 0 to its number of trials"
        row = first_not(np.isfinite(trials) & (np.floor(trials) == trials) & (y >= 0.0))
        return None if row is None else (row, "the number of trials of a row is a whole number")

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        return np.asarray(self.link.inverse((y + 0.5) / (_trials(aux) + 1.0)))

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        eta, outside = self._inside(eta)
        log_success, log_failure, success, failure = _of_link(self.link.name, eta)
        trials = _trials(aux)
        failures = trials - y
        log_density = y * log_success
        log_density += failures * log_failure
        if aux is not None:
            log_density += gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(failures + 1.0)
        weight = np.maximum(-trials * success * failure, 1.0 / LARGEST)
        residual = y * success + failures * failure
        residual /= weight
        if outside is not None:
            log_density[outside] = -np.inf
            weight[outside] = 0.0
            residual[outside] = 0.0
        return Working(log_density, residual, weight, (eta, success, failure))

    def _inside(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if self.link.name != "log":
            return np.clip(eta, -LARGEST_SCORE, LARGEST_SCORE, out=eta), None
        outside = ~(eta.real < 0.0)
        eta[outside] = -1.0
        return np.clip(eta, -LARGEST, -1.0 / LARGEST, out=eta), outside if outside.any() else None

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        weight = np.asarray(working.weight)
        success, failure = _bends(self.link.name, *working.state)
        return Derivatives(
            first=[weight * working.residual],
            second=[[y * success + (_trials(aux) - y) * failure]],
            information=weight,
            nuisance_information=[],
        )

    def mean(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """Expected successes, trials times probability."""
        return _trials(aux) * self._probability(eta)

    def _probability(self, eta: np.ndarray) -> np.ndarray:
        inside, outside = self._inside(np.array(eta, dtype=float))
        probability = np.asarray(self.link.mean(inside))
        return probability if outside is None else np.where(outside, np.nan, probability)

    def mean_derivatives(
        self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        inside, outside = self._inside(np.array(eta, dtype=float))
        log_success, _, success, _ = _of_link(self.link.name, inside)
        slope = _trials(aux) * np.exp(log_success) * success
        return [slope if outside is None else np.where(outside, np.nan, slope)]

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        probability = self._probability(eta)
        return _trials(aux) * probability * (1.0 - probability)

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return _cdf(y, _trials(aux), self._probability(eta))

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self.cdf(np.ceil(y) - 1.0, aux, eta, nuisance)

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        trials, probability = _trials(aux), self._probability(eta)
        guess = np.minimum(bdtrik(q, trials, probability), trials)
        return smallest_reaching(guess, lambda y: _cdf(y, trials, probability), q)

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        probability = self._probability(eta)
        drawn = rng.binomial(_trials(aux).astype(np.int64), np.nan_to_num(probability))
        return np.where(np.isnan(probability), np.nan, drawn)


def _trials(aux: np.ndarray | None) -> np.ndarray:
    return np.ones(1) if aux is None else aux[:, 0]


def _cdf(y: np.ndarray, trials: np.ndarray, probability: np.ndarray) -> np.ndarray:
    whole = np.clip(np.floor(y), 0.0, trials)
    reached = bdtr(whole, np.asarray(trials, dtype=np.intp), probability)
    return np.where(y < 0.0, 0.0 * probability, reached)
