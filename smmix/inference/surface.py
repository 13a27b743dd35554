"""Means of the mixture and of its components, with their derivatives in all parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smmix.core.family_list import members
from smmix.core.params import MixtureParams
from smmix.mixture.prediction import Law, unit_concomitant
from smmix.mixture.rows import Rows
from smmix.mixture.specification import Specification

__all__ = ["STEP", "MeanSlopes", "Surface", "component_surface", "mean_slopes", "mean_surface"]

#: Step of the differences in a linear predictor, in units of the scale on which its mean bends.
STEP = 4e-3
#: Links that bend on the scale of one, wherever the linear predictor is.
EVEN = ("log", "logit", "probit", "cloglog")


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
    by_eta, *by_nuisance = _derivatives(law, law.eta)
    m, k = by_eta.shape
    jacobian = np.zeros((m, k, layout.size))
    for c in range(k):
        place = layout.coef.start + c * layout.p
        jacobian[:, c, place : place + layout.p] = by_eta[:, c, None] * rows.exog
        for i, derivative in enumerate(by_nuisance):
            jacobian[:, c, layout.nuisance.start + c * layout.d + i] = derivative[:, c]
    return Surface(law.means, jacobian)


class MeanSlopes(NamedTuple):
    """Derivatives of the components' means, each (m, k)."""

    by_eta: np.ndarray
    by_nuisance: list[np.ndarray]
    #: derivatives of all of these in the linear predictor
    bends: list[np.ndarray]


def mean_slopes(law: Law) -> MeanSlopes:
    """Slopes of the means, and how these change with the linear predictor.

    The second are central differences with one step of Richardson's extrapolation, whose error is
    of the fourth order in `STEP`.
    """
    families = members(law.family, law.eta.shape[1])
    even = np.array([getattr(one.link, "name", "") in EVEN for one in families])[None, :, None]
    near = np.maximum(np.abs(law.eta), np.finfo(float).tiny ** 0.25)
    by_eta, *by_nuisance = _derivatives(law, law.eta)
    bends = _bends(law, STEP * np.where(even, 1.0, near))
    # Next to the end of a link's range a step of that size goes beyond it.
    inside = _bends(law, STEP * np.minimum(near, 1.0))
    bends = [np.where(np.isnan(a), b, a) for a, b in zip(bends, inside, strict=True)]
    return MeanSlopes(by_eta, by_nuisance, bends)


def _bends(law: Law, step: np.ndarray) -> list[np.ndarray]:
    def quotients(h: np.ndarray) -> list[np.ndarray]:
        above, below = law.eta + h, law.eta - h
        pairs = zip(_derivatives(law, above), _derivatives(law, below), strict=True)
        return [(up - down) / (above - below)[0].T for up, down in pairs]

    wide, narrow = quotients(step), quotients(0.5 * step)
    return [(4.0 * b - a) / 3.0 for a, b in zip(wide, narrow, strict=True)]


def _derivatives(law: Law, eta: np.ndarray) -> list[np.ndarray]:
    """Derivatives (m, k) of the means at linear predictors (1, k, m)."""
    found = law.family.mean_derivatives(law.aux, eta.copy(), law.nuisance)
    return [np.broadcast_to(d[0], eta[0].shape).T for d in map(_lead, found)]


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
    z = unit_concomitant(rows)
    z = np.ones((len(rows.exog), 1)) if z is None else z
    with np.errstate(invalid="ignore"):
        pull = law.prior * (law.means - law.mean[:, None])
    slopes = pull[:, 1:, None] * z[:, None, :]
    jacobian[:, layout.mixing] = slopes.reshape(len(z), (layout.k - 1) * layout.q)
    return Surface(law.mean, jacobian)
