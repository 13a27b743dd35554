"""Zero-truncated Poisson components: counts of what is recorded once it has happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expm1, gammainc, pdtr

from smmix.core.family import Derivatives, Working
from smmix.families.counts import CountFamily, log_factorial, poisson_draws
from smmix.families.exponential import Array, Aux, mean_of
from smmix.families.links import LINKS

__all__ = ["ZeroTruncatedPoisson"]

#: Below this rate functions of it come from their power series.
SMALL = 0.1
#: Of x / (exp(x) - 1), beyond 1 - x / 2, in x^2, x^4 ..: Bernoulli numbers over factorials.
BERNOULLI = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600)


@dataclass(frozen=True, repr=False)
class ZeroTruncatedPoisson(CountFamily):
    """Poisson regressions of counts that are known only where they are not zero [1]_.

    The linear predictor is the log of the rate, the mean before zeros were left out.

    References
    ----------
    .. [1] Cameron, A. C. and Trivedi, P. K. (2013). Regression Analysis of Count Data, 2nd ed.,
       section 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.families.zero_truncated_poisson import ZeroTruncatedPoisson
    >>> ZeroTruncatedPoisson().mean(None, np.zeros((1, 1, 1)), np.empty((1, 1, 0))).round(4)
    array([[[1.582]]])
    """

    link = LINKS["log"]
    name = "zero_truncated_poisson"
    label = "zero-truncated Poisson regressions"
    least = 1

    def start_response(self, y: Array, aux: Aux) -> Array:
        return np.log(y - 0.5)

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        beyond = y - 1.0
        factorial = log_factorial(y)
        rate, log_rate, *_ = mean_of(self.link, eta)
        log_density = beyond * log_rate
        log_density -= rate
        log_density -= np.log(-expm1(-rate) / rate)
        log_density -= factorial
        excess, variance = _moments(rate)
        return Working(log_density, (beyond - excess) / variance, variance, (rate, excess))

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        variance = np.asarray(working.weight)
        return Derivatives(
            first=[variance * working.residual],
            second=[[-variance]],
            information=variance,
            nuisance_information=[],
        )

    def _rate(self, eta: Array) -> Array:
        return mean_of(self.link, np.array(eta, dtype=float)).value

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return 1.0 + _moments(self._rate(eta))[0]

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        return [self.variance(aux, eta, nuisance)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return _moments(self._rate(eta))[1]

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        rate = self._rate(eta)
        count = np.maximum(np.floor(y), 0.0)
        some = -expm1(-rate)
        above = np.minimum(gammainc(count + 1.0, rate) / some, 1.0)
        below = np.where(above < 0.5, 1.0 - above, (pdtr(count, rate) - np.exp(-rate)) / some)
        return np.where(y < 1.0, 0.0, below), np.where(y < 1.0, 1.0, above)

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        """One event at a time before 1, from its distribution, and a Poisson number after it."""
        rate = self._rate(eta)
        first = -np.log1p(rng.random(rate.shape) * np.expm1(-rate))
        return 1.0 + poisson_draws(np.maximum(rate - first, 0.0), rng)


def _moments(rate: Array) -> tuple[Array, Array]:
    """Mean less one, and variance."""
    near = np.where(rate.real < SMALL, rate, 0.0)
    series = 0.5 * near
    for power, c in enumerate(BERNOULLI, start=1):
        series = series - c * near ** (2 * power)
    far = np.where(rate.real < SMALL, 1.0, rate)
    # 1 - x / (exp(x) - 1): the variance over the mean
    ratio = np.where(rate.real < SMALL, series, 1.0 + far * np.exp(-far) / expm1(-far))
    excess = rate - ratio
    return excess, (1.0 + excess) * ratio
