"""Means of the mixture and of its components, with their derivatives in all parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smmix.core.params import MixtureParams
from smmix.mixture.prediction import Law
from smmix.mixture.rows import Rows
from smmix.mixture.specification import Specification

__all__ = ["Surface", "component_slopes", "component_surface", "mean_surface"]


class Surface(NamedTuple):
    """Values, and their derivatives in the full parameter vector.

    Attributes
    ----------
    value : ndarray, (m,) or (m, k)
    jacobian : ndarray, (m, F) or (m, k, F)
    """

    value: np.ndarray
    jacobian: np.ndarray


def component_surface(specification: Specification, params: MixtureParams, rows: Rows) -> Surface:
    """Means of the components, (m, k); of one component only its own parameters matter."""
    law, layout = Law.of(specification, params, rows), specification.layout
    by_eta, *by_nuisance = _mean_derivatives(law)
    m, k = by_eta.shape
    jacobian = np.zeros((m, k, layout.size))
    for c in range(k):
        place = layout.coef.start + c * layout.p
        jacobian[:, c, place : place + layout.p] = by_eta[:, c, None] * rows.exog
        for i, derivative in enumerate(by_nuisance):
            jacobian[:, c, layout.nuisance.start + c * layout.d + i] = derivative[:, c]
    return Surface(law.means, jacobian)


def component_slopes(law: Law) -> np.ndarray:
    """Derivatives of the components' means in their linear predictors, (m, k)."""
    return _mean_derivatives(law)[0]


def _mean_derivatives(law: Law) -> list[np.ndarray]:
    """Derivatives of the means in the linear predictor and each nuisance parameter, (m, k)."""
    derivatives = law.family.mean_derivatives(law.aux, law.eta, law.nuisance)
    shape = law.eta[0].shape
    return [np.broadcast_to(_lead(d)[0], shape).T for d in derivatives]


def _lead(values: np.ndarray) -> np.ndarray:
    """Values with the three axes of a batch, whatever of them broadcasts."""
    values = np.asarray(values)
    return values.reshape((1,) * (3 - values.ndim) + values.shape)


def mean_surface(specification: Specification, params: MixtureParams, rows: Rows) -> Surface:
    """Mean of the mixture, (m,), sum_c pi_c mu_c.

    Its derivatives are pi_c dmu_c in a component's own parameters and pi_c (mu_c - mean) z in its
    logits.
    """
    law, layout = Law.of(specification, params, rows), specification.layout
    components = component_surface(specification, params, rows)
    jacobian = np.einsum("mk,mkf->mf", law.prior, components.jacobian)
    z = np.ones((len(rows.exog), 1)) if rows.concomitant is None else rows.concomitant
    pull = law.prior * (law.means - law.mean[:, None])
    jacobian[:, layout.mixing] = (pull[:, 1:, None] * z[:, None, :]).reshape(len(z), -1)
    return Surface(law.mean, jacobian)
