"""What exponential dispersion families with a link share.

Their log-density depends on the linear predictor through the mean mu alone, with score
(y - mu) mu' / (phi V(mu)) and expected information mu'^2 / (phi V(mu)). Families whose variance
function is a power, V(mu) = mu^p (Poisson 1, gamma 2, inverse Gaussian 3), have links that are a
log or a power, mu = eta^a. With t = d log(mu) / d eta (1, or a / eta) both cases are one:

    weight    w = t^2 mu^(2 - p)
    residual  r = (y / mu - 1) / t
    second derivative  -w (1 + (p - 1 + 1 / a) r t) / phi, and 1 / a is 0 for the log;

the bracket is 1, whatever the response, for the canonical link alone (McCullagh & Nelder 1989,
Generalized Linear Models, 2nd ed., chapter 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from smmix.core.family import Nuisance, Penalty
from smmix.core.statistics import ComponentStats
from smmix.errors import SmmixError
from smmix.families.links import LINKS, Link
from smmix.families.tails import log_tails_of
from smmix.support.checks import shown

__all__ = [
    "LARGEST",
    "LARGEST_RATIO",
    "LOG_LARGEST",
    "ROOT_OF_DISPERSION",
    "SMALLEST_DISPERSION",
    "Array",
    "Aux",
    "ExponentialFamily",
    "Mean",
    "bent",
    "chosen_link",
    "first_not",
    "mean_of",
    "not_positive",
    "smallest_reaching",
    "working_terms",
]

Array = np.ndarray
Aux = np.ndarray | None

#: Means and powers of means are kept within 1 / LARGEST .. LARGEST, and y / mean below
#: LARGEST_RATIO, so that squares and weighted squares of working residuals are finite numbers.
LARGEST = 1e100
LOG_LARGEST = np.log(LARGEST)
LARGEST_RATIO = 1e50
#: Below this a dispersion counts as zero; its fourth power is still a number.
SMALLEST_DISPERSION = 1e-60
#: The spread of a family whose first nuisance parameter is its dispersion (see `Family.scale`).
ROOT_OF_DISPERSION: tuple[Any, Any] | None = (0, 0.5)
#: a of the links mean = eta^a.
EXPONENTS = {"identity": 1.0, "sqrt": 2.0, "inverse_power": -1.0, "inverse_squared": -0.5}


class Mean(NamedTuple):
    """The mean of each row as a family with a power variance needs it, each (S, K, m)."""

    value: np.ndarray
    log: np.ndarray
    rate: np.ndarray | None  # d log(mean) / d eta; None is one everywhere
    outside: np.ndarray | None  # rows whose linear predictor has no mean; None is none


def chosen_link(link: Link | str, allowed: tuple[str, ...], label: str) -> Link:
    """The link of a name, or of a link.

    Raises
    ------
    SmmixError
        Where the family that ``label`` names has no such link.
    """
    name = link.name if isinstance(link, Link) else link
    if not isinstance(name, str) or name not in allowed:
        raise SmmixError(
            f"link is {shown(name)}; {label} have the links {', '.join(map(repr, allowed))}: "
            "give one of these."
        )
    return LINKS[name]


def first_not(possible: np.ndarray) -> int | None:
    """Position of the first False, None where there is none."""
    return None if possible.all() else int(np.argmin(possible))


def mean_of(link: Link, eta: np.ndarray) -> Mean:
    """Mean of a log or power link; ``eta`` is overwritten.

    Where a linear predictor has no mean (0 or less, of all links but the log and the square
    root) the values are those of a mean of 1: finite, and for the caller to put aside.
    """
    if link.name == "log":
        log = np.clip(eta, -LOG_LARGEST, LOG_LARGEST, out=eta)
        return Mean(np.exp(log), log, None, None)
    exponent = EXPONENTS[link.name]
    outside = None
    if link.name == "sqrt":
        sign = np.where(eta.real < 0.0, -1.0, 1.0)
        base = np.clip(eta * sign, LARGEST**-0.5, LARGEST**0.5)
        rate = exponent * sign / base
    else:
        below = ~(eta.real > 0.0)
        if below.any():
            outside = below
            eta[below] = 1.0
        largest = LARGEST ** min(1.0, 1.0 / abs(exponent))
        base = np.clip(eta, 1.0 / largest, largest, out=eta)
        rate = exponent / base
    return Mean(link.mean(base), exponent * np.log(base), rate, outside)


def working_terms(
    ratio: np.ndarray, mean: Mean, power: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Working residual and weight of a variance mean^power from ratio = y / mean."""
    residual = ratio - 1.0
    weight = mean.value if power == 1 else 1.0 / mean.value if power == 3 else None
    if mean.rate is not None:
        residual /= mean.rate
        squared = mean.rate * mean.rate
        weight = squared if weight is None else np.multiply(squared, weight, out=squared)
    if mean.outside is not None and weight is not None:
        weight[mean.outside] = 0.0
        residual[mean.outside] = 0.0
    return residual, weight


def bent(link: Link, residual: np.ndarray, rate: np.ndarray | None, power: int) -> Any:
    """Minus the second derivative of the log-density in eta, over weight and precision."""
    factor = power - 1.0 + (0.0 if link.name == "log" else 1.0 / EXPONENTS[link.name])
    if factor == 0.0:
        return 1.0
    return 1.0 + factor * (residual if rate is None else residual * rate)


def smallest_reaching(
    cdf: Callable[[np.ndarray], np.ndarray], q: float, highest: np.ndarray
) -> np.ndarray:
    """The smallest whole number from 0 up with cdf >= q, by bisection.

    The inverses of discrete distributions in scipy.special fail far in the tails.

    Parameters
    ----------
    cdf : callable
        Of an array of whole numbers; not a number where there is no distribution.
    q : float
        Probability; of 1 the answer is ``highest``.
    highest : ndarray
        The largest value, or infinite where there is none.

    Returns
    -------
    ndarray
        Not a number where the cdf is none.
    """
    high = np.minimum(highest, 1.0) + 0.0 * cdf(np.zeros_like(highest))
    if q >= 1.0:
        return np.asarray(high - high + highest)
    low = np.full_like(high, -1.0)
    while (short := cdf(high) < q).any():
        low = np.where(short, high, low)
        high = np.where(short, np.minimum(2.0 * high + 1.0, highest), high)
    while True:
        middle = np.floor(0.5 * (low + high))
        open_still = (middle > low) & (middle < high)
        if not open_still.any():
            return high
        reached = cdf(np.maximum(middle, 0.0)) >= q
        high = np.where(open_still & reached, middle, high)
        low = np.where(open_still & ~reached, middle, low)


def not_positive(y: np.ndarray, family: str) -> tuple[int, str] | None:
    """What ``refuse`` gives for a family of positive responses."""
    row = first_not((y > 1.0 / LARGEST) & (y < LARGEST))
    words = f"{family} response is a positive number, between 1e-100 and 1e100"
    return None if row is None else (row, words)


class ExponentialFamily:
    """The part of the contract that is the same for Poisson, gamma, binomial ... families.

    A family of no nuisance parameter keeps the second half as it is; one with a dispersion says
    what it sums and how its dispersion is updated.
    """

    name: str
    label: str
    links: tuple[str, ...]
    #: Of the mean, in the variance; families of another variance function have no use for it.
    power = 1
    location_scale = False
    discrete = False
    intercept = True
    reads = "numbers"
    becomes: ClassVar[dict[tuple[str, float], str]] = {}
    stages: tuple[Any, ...] = ()
    takes: tuple[str, ...] = ()
    ancillary: str | None = None
    scale: tuple[Any, Any] | None = None
    nuisance: tuple[Nuisance, ...] = ()
    link: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "link", chosen_link(self.link, self.links, self.label))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(link={self.link.name!r})"

    def log_tails(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return log_tails_of(self.cdf(y, aux, eta, nuisance))

    def to_plain(self) -> dict[str, Any]:
        return {"link": self.link.name}

    def outcomes(self, aux: Aux) -> Any:
        return None

    def uncensored(self, y: Array) -> Array | None:
        return None

    def with_terms(self, names: Sequence[str]) -> Any:
        return self

    def bound(self, y: Array) -> Any:
        return self

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        """E[y], (S, K, m); not a number where the linear predictor has no mean."""
        mean = mean_of(self.link, np.array(eta, dtype=float))
        return mean.value if mean.outside is None else np.where(mean.outside, np.nan, mean.value)

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        mean = mean_of(self.link, np.array(eta, dtype=float))
        slope = mean.value if mean.rate is None else mean.value * mean.rate
        if mean.outside is not None:
            slope[mean.outside] = np.nan
        return [slope, *(np.zeros(1) for _ in self.nuisance)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        """Var[y], (S, K, m): dispersion times a power of the mean."""
        power = self.mean(aux, eta, nuisance) ** self.power
        return nuisance[..., :1] * power if self.nuisance else power

    def cdf(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        """P(Y <= y), (S, K, m)."""
        raise NotImplementedError

    def cdf_below(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return self.cdf(np.ceil(y) - 1.0 if self.discrete else y, aux, eta, nuisance)

    def start_response(self, y: Array, aux: Aux) -> Array:
        return np.asarray(self.link.inverse(y + 0.5 if self.discrete else y))

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        return np.empty(0)

    def sums(self, y: Array, aux: Aux, working: Any, nuisance: Array) -> list[Array]:
        return []

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: Array,
        nuisance: Array,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> Array:
        return nuisance

    def score(self, stats: ComponentStats, nuisance: Array) -> Array:
        return np.zeros_like(nuisance)

    def precision(self, nuisance: Array) -> Array:
        """One over the dispersion, where there is one."""
        return 1.0 / nuisance[..., 0] if self.nuisance else np.ones(nuisance.shape[:-1])
