"""The log-likelihood written straight from its definition, for complex arguments too.

No line here is shared with the library, nothing is optimised: this is the other side of the laws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

import smmix


@dataclass(frozen=True)
class Problem:
    """Data and options of one model, and the model's log-likelihood from first principles."""

    y: np.ndarray
    x: pd.DataFrame
    k: int
    variance: str = "free"
    common: tuple[str, ...] = ()
    z: pd.DataFrame | None = None
    groups: np.ndarray | None = None
    freq_weights: np.ndarray | None = None
    offset: np.ndarray | None = None

    def model(self):
        options = {
            "exog_concomitant": self.z,
            "groups": self.groups,
            "freq_weights": self.freq_weights,
            "offset": self.offset,
            "common": list(self.common) or None,
        }
        given = {name: value for name, value in options.items() if value is not None}
        return smmix.MixtureOLS(self.y, self.x, k=self.k, variance=self.variance, **given)

    def names(self) -> list[str]:
        """The contract's order; common coefficients are looked up by name wherever they stand."""
        return self.model().param_names

    def log_likelihood(self, values: dict[str, complex]) -> complex:
        """sum over units of w log sum_c pi_c prod_rows N(y; x'beta_c, sigma_c)."""
        log_density = np.column_stack([self._log_density(values, c) for c in range(self.k)])
        log_prior = self._log_prior(values)
        weight = np.ones(len(self.y)) if self.freq_weights is None else self.freq_weights
        if self.groups is None:
            return (weight * log_sum_exp(log_prior + log_density)).sum()
        total = 0
        for label in np.unique(self.groups):
            rows = np.flatnonzero(self.groups == label)
            joint = (weight[rows, None] * log_density[rows]).sum(axis=0) + log_prior[rows[0]]
            total += log_sum_exp(joint[None, :])[0]
        return total

    def _log_density(self, values: dict[str, complex], c: int) -> np.ndarray:
        coef = [values[t] if t in self.common else values[f"{t}[{c}]"] for t in self.x.columns]
        sigma = values["sigma"] if self.variance == "equal" else values[f"sigma[{c}]"]
        offset = 0 if self.offset is None else self.offset
        e = (self.y - offset - self.x.to_numpy() @ np.array(coef)) / sigma
        return -np.log(sigma) - e**2 / 2 - np.log(2 * np.pi) / 2

    def _log_prior(self, values: dict[str, complex]) -> np.ndarray:
        z = pd.DataFrame({"Intercept": np.ones(len(self.y))}) if self.z is None else self.z
        logits = [np.zeros(len(self.y))]
        for c in range(1, self.k):
            gamma = np.array([values[f"mixing.{t}[{c}]"] for t in z.columns])
            logits.append(z.to_numpy() @ gamma)
        eta = np.column_stack(logits)
        return eta - log_sum_exp(eta)[:, None]


def log_sum_exp(values: np.ndarray) -> np.ndarray:
    """log sum exp over the columns; the shift is real, so complex steps pass through."""
    shift = values.real.max(axis=1)
    return np.log(np.exp(values - shift[:, None]).sum(axis=1)) + shift


def complex_step_gradient(f: Callable[[np.ndarray], complex], point: np.ndarray) -> np.ndarray:
    """Gradient to machine precision: Im f(x + ih) / h (Squire & Trapp 1998)."""
    step = 1e-30
    gradient = np.empty(len(point))
    for i in range(len(point)):
        shifted = point.astype(complex)
        shifted[i] += 1j * step
        gradient[i] = f(shifted).imag / step
    return gradient


def numerical_hessian(
    f: Callable[[np.ndarray], complex], point: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Sixth-order central differences of complex-step gradients: truncation error O(h^6)."""
    hessian = np.empty((len(point), len(point)))
    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    for i, h in enumerate(5e-4 * scale):
        unit = np.eye(len(point))[i] * h
        hessian[i] = (
            sum(
                weight
                * (
                    complex_step_gradient(f, point + m * unit)
                    - complex_step_gradient(f, point - m * unit)
                )
                for m, weight in weights.items()
            )
            / h
        )
    return (hessian + hessian.T) / 2


def vector_log_likelihood(problem: Problem, names: list[str]) -> Callable[[np.ndarray], complex]:
    """The log-likelihood as a function of smmix's flat parameter vector."""
    return lambda vector: problem.log_likelihood(dict(zip(names, vector, strict=True)))
