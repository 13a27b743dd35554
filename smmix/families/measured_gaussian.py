"""Gaussian components of a response that was measured with errors of known variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from smmix.core.family import Derivatives, Nuisance, Working
from smmix.errors import SmmixError
from smmix.families.exponential import Array, Aux, first_not
from smmix.families.links import LINKS
from smmix.families.location_scale import LOG_SQRT_2PI, SIGMA, is_finite_number
from smmix.families.scored import ScoredFamily
from smmix.support.checks import shown

__all__ = ["MeasuredGaussian"]

#: Variances are kept above, so that their inverses are numbers.
SMALLEST_VARIANCE = 1e-150


class _State(NamedTuple):
    residual: np.ndarray  # (S, K, m)
    precision: np.ndarray  # (S, K, m) or (1, 1, m)
    sigma: np.ndarray  # (S, K, 1) or (1, 1, 1)


@dataclass(frozen=True, repr=False)
class MeasuredGaussian(ScoredFamily):
    """Normal regressions of a response with errors whose variance v is known row by row.

    y = x'b + N(0, sigma^2) + N(0, v): with one component the mixed-effects meta-regression by
    maximum likelihood [1]_, whose tau^2 is sigma^2; with sigma = 0 the line through points with
    error bars, and a component beside it those that are off the line [2]_.

    Parameters
    ----------
    error_variance : str
        The variance of each row's error: a column, an expression such as "se**2", or a one-sided
        formula of one column.
    sigma : float, optional
        Standard deviation beyond the errors of every component; estimated for each when None.

    Raises
    ------
    SmmixError
        If ``error_variance`` is no text or has not one column, or ``sigma`` is negative or no
        finite number.

    Notes
    -----
    Where sigma is estimated to be zero it has its maximum at the end of its range. New rows need
    the column of variances too; zero gives the law of a value without error.

    References
    ----------
    .. [1] Raudenbush, S. W. (2009). Analyzing effect sizes: random-effects models. In: The
       Handbook of Research Synthesis and Meta-Analysis, 2nd ed., chapter 16.
    .. [2] Hogg, D. W., Bovy, J. and Lang, D. (2010). Data analysis recipes: fitting a model to
       data. arXiv 1008.4686.

    Examples
    --------
    >>> from smmix.families.measured_gaussian import MeasuredGaussian
    >>> MeasuredGaussian("v").nuisance[0].name
    'sigma'
    >>> MeasuredGaussian("se**2", sigma=0).nuisance
    ()
    """

    error_variance: str
    sigma: float | None = None
    link = LINKS["identity"]
    links = ("identity",)
    name = "measured_gaussian"
    label = "linear regressions with known errors"
    limits = (1e-60, 1e60)
    becomes: ClassVar[dict[tuple[str, float], str]] = {
        ("sigma", 0.0): "a regression with the known errors alone"
    }

    def __post_init__(self) -> None:
        text = self.error_variance
        if not isinstance(text, str):
            raise SmmixError(
                f"error_variance is a {type(text).__name__}; give the name of a column of "
                "variances, or an expression such as 'se**2'."
            )
        if "~" not in text:
            text = f"~ 0 + {text if text.isidentifier() else f'I({text})'}"
            object.__setattr__(self, "error_variance", text)
        if self.sigma is None:
            return
        if not is_finite_number(self.sigma) or self.sigma < 0.0:
            raise SmmixError(
                f"sigma is {shown(self.sigma)}; give a finite number from 0 up, or None."
            )
        object.__setattr__(self, "sigma", float(self.sigma))

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:  # type: ignore[override]
        return (SIGMA,) if self.sigma is None else ()

    @property
    def ancillary(self) -> str:  # type: ignore[override]
        return self.error_variance

    def with_terms(self, names: Sequence[str]) -> MeasuredGaussian:
        if len(names) != 1:
            raise SmmixError(
                f"error_variance={self.error_variance!r} makes the columns "
                f"{', '.join(names)}; give one column of numbers, without an intercept."
            )
        return replace(self)

    def refuse(self, y: Array, aux: Aux) -> tuple[int, str] | None:
        row = None if aux is None else first_not(aux[:, 0] > 0.0)
        if row is None:
            return None
        assert aux is not None, "a row has been found in it"
        return row, f"the variance of its error is {aux[row, 0]:g} and must be positive"

    def _variance(self, aux: Aux, nuisance: Array) -> tuple[Array, Array]:
        """Variance of the rows about their mean, to broadcast to (S, K, m), and sigma."""
        sigma = nuisance[..., :1] if self.sigma is None else np.full((1, 1, 1), self.sigma)
        known = 0.0 if aux is None else aux[:, 0]
        total = sigma**2 + known
        return np.where(total.real > SMALLEST_VARIANCE, total, SMALLEST_VARIANCE), sigma

    def start_response(self, y: Array, aux: Aux) -> Array:
        return y

    def start_nuisance(self, y: Array, aux: Aux) -> Array:
        """From the variance beyond the errors, but not below a tenth of it."""
        total = float(np.var(y)) or 1.0
        known = 0.0 if aux is None else float(np.mean(aux))
        return np.sqrt([max(total - known, 0.1 * total)])[: len(self.nuisance)]

    def evaluate(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Working:
        residual = np.subtract(y, eta, out=eta)
        variance, sigma = self._variance(aux, nuisance)
        precision = 1.0 / variance
        log_density = -0.5 * (residual * residual * precision + np.log(variance)) - LOG_SQRT_2PI
        weight = np.broadcast_to(precision, residual.shape)
        return Working(log_density, residual, weight, _State(residual, precision, sigma))

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Derivatives:
        residual, precision, sigma = working.state
        e = residual * precision
        excess = e * e - precision  # twice the derivative in the variance
        in_variance = precision * (precision - 2.0 * e * e)
        twice = excess + 2.0 * sigma**2 * in_variance
        d = len(self.nuisance)
        return Derivatives(
            first=[e, sigma * excess][: 1 + d],
            second=[[-precision], [-2.0 * sigma * e * precision, twice]][: 1 + d],
            information=precision,
            nuisance_information=[[2.0 * (sigma * precision) ** 2]][:d],
        )

    def mean(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.array(eta, dtype=float)

    def mean_derivatives(self, aux: Aux, eta: Array, nuisance: Array) -> list[Array]:
        return [np.ones_like(eta), *(np.zeros(1) for _ in self.nuisance)]

    def variance(self, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.broadcast_to(self._variance(aux, nuisance)[0], eta.shape)

    def _error(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.asarray((y - eta) / np.sqrt(self._variance(aux, nuisance)[0]))

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        error = self._error(y, aux, eta, nuisance)
        return ndtr(error), ndtr(-error)

    def log_tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        error = self._error(y, aux, eta, nuisance)
        return log_ndtr(error), log_ndtr(-error)

    def quantile(self, q: float, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return np.asarray(eta + np.sqrt(self._variance(aux, nuisance)[0]) * ndtri(q))

    def sample(self, aux: Aux, eta: Array, nuisance: Array, rng: np.random.Generator) -> Array:
        spread = np.sqrt(self._variance(aux, nuisance)[0])
        return np.asarray(eta + spread * rng.standard_normal(eta.shape))
