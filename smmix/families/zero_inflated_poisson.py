"""Zero-inflated Poisson components: some of the zeros come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, pdtr, pdtrc

from smmix.core.family import Derivatives, Nuisance, Working
from smmix.core.transforms import IDENTITY, LOGIT
from smmix.errors import SmmixError
from smmix.families.counts import CountFamily, log_factorial, poisson_draws
from smmix.families.exponential import Array, Aux, mean_of
from smmix.families.inflation import in_logit_terms, in_probability, inflated
from smmix.families.links import LINKS
from smmix.support.checks import listed, shown

__all__ = ["ZeroInflatedPoisson"]

#: Inflations of the start.
FEWEST, MOST = 0.05, 0.9
#: Logits beyond are one or zero.
LARGEST_LOGIT = 700.0


@dataclass(frozen=True, repr=False)
class ZeroInflatedPoisson(CountFamily):
    """Poisson regressions with extra zeros, whose probability has a logit of its own [1]_.

    Coefficients move by the EM of the extra zeros: a row counts by the probability that it is
    Poisson's.

    Parameters
    ----------
    inflate : str, optional
        One-sided formula of the logit of the inflation, such as "~ t"; without it the inflation
        of a component is one probability.
    terms : tuple of str
        Names of the columns of that formula's design, which ``aux`` holds; learnt from the data.

    Raises
    ------
    SmmixError
        If ``inflate`` is no text, or ``terms`` are one.

    References
    ----------
    .. [1] Lambert, D. (1992). Zero-inflated Poisson regression, with an application to defects in
       manufacturing. Technometrics 34, 1-14.

    Examples
    --------
    >>> from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
    >>> family = ZeroInflatedPoisson(inflate="~ t").with_terms(["Intercept", "t"])
    >>> [parameter.name for parameter in family.nuisance]
    ['inflate.Intercept', 'inflate.t']
    """

    inflate: Any = None
    terms: Any = ()
    link = LINKS["log"]
    name = "zero_inflated_poisson"
    becomes: ClassVar[dict[tuple[str, float], str]] = {
        ("inflate", 0.0): "a Poisson regression without extra zeros"
    }
    label = "zero-inflated Poisson regressions"

    def __post_init__(self) -> None:
        if not isinstance(self.inflate, str | None):
            raise SmmixError(f"inflate is {shown(self.inflate)}; give a formula such as '~ t'.")
        if isinstance(self.terms, str):
            raise SmmixError(f"terms is {shown(self.terms)}; give a tuple of names.")
        object.__setattr__(self, "terms", tuple(listed("terms", self.terms, "names")))
        if self.terms and self.inflate is None:
            raise SmmixError("terms are the columns that inflate= makes; give that formula.")

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:  # type: ignore[override]
        if not self.terms:
            return (Nuisance("inflate", LOGIT),)
        return tuple(Nuisance(f"inflate.{term}", IDENTITY) for term in self.terms)

    @property
    def ancillary(self) -> str | None:  # type: ignore[override]
        return self.inflate

    def with_terms(self, names: Sequence[str]) -> ZeroInflatedPoisson:
        return replace(self, terms=tuple(names))

    def _logit(self, aux: Aux, nuisance: Array) -> Array:
        """Of the inflation, to broadcast to (S, K, m)."""
        if not self.terms:
            inflate = nuisance[..., :1]
            return np.log(inflate) - np.log(1.0 - inflate)
        if aux is None or aux.shape[1] != len(self.terms):
            raise SmmixError(
                f"The inflation has the terms {', '.join(self.terms)}; give a design with a column "
                "for each."
            )
        return np.clip(nuisance @ aux.T, -LARGEST_LOGIT, LARGEST_LOGIT)

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """Zeros beyond those of a Poisson distribution with the mean of what is not zero."""
        some = y[y > 0.0]
        none = np.exp(-np.mean(some)) if some.size else 0.0
        extra = np.clip((np.mean(y == 0.0) - none) / (1.0 - none), FEWEST, MOST)
        if not self.terms:
            return np.array([extra])
        assert aux is not None, "terms come with their design"
        level = np.full(y.size, np.log(extra) - np.log1p(-extra))
        return np.asarray(np.linalg.lstsq(aux, level, rcond=None)[0])

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        factorial = log_factorial(y)
        rate, log_rate, *_ = mean_of(self.link, eta)
        rows = inflated(y, rate, self._logit(aux, nuisance))
        log_density = rows.log_kept - rate + y * log_rate - factorial
        log_density = np.where(rows.counted, log_density, rows.log_zero)
        return Working(log_density, y / rate - 1.0, rows.ours * rate, rows)

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        if not self.terms:
            return in_probability(working.state, working.residual)
        assert aux is not None, "terms come with their design"
        return in_logit_terms(working.state, working.residual, aux)

    def _parts(self, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array, Array]:
        """Rate, probability of an extra zero, and one less it."""
        logit = self._logit(aux, nuisance)
        rate = mean_of(self.link, np.array(eta, dtype=float)).value
        return rate, expit(logit), expit(-logit)

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        rate, _, kept = self._parts(aux, eta, nuisance)
        return kept * rate

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        rate, inflate, kept = self._parts(aux, eta, nuisance)
        if not self.terms:
            return [kept * rate, -rate]
        assert aux is not None, "terms come with their design"
        return [kept * rate, *(-rate * inflate * kept * column for column in aux.T)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        rate, inflate, kept = self._parts(aux, eta, nuisance)
        return kept * rate * (1.0 + inflate * rate)

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        rate, inflate, kept = self._parts(aux, eta, nuisance)
        count = np.maximum(np.floor(y), 0.0)
        below = inflate + kept * pdtr(count, rate)
        return np.where(y < 0.0, 0.0, below), np.where(y < 0.0, 1.0, kept * pdtrc(count, rate))

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        rate, inflate, _ = self._parts(aux, eta, nuisance)
        drawn = poisson_draws(rate, rng)
        return np.where(rng.random(rate.shape) < inflate, 0.0, drawn)
