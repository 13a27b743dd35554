"""Maxima at infinity: parameters that Newton's method would move for ever.

Where a regressor separates the responses, a covariate the components, or a nuisance parameter has
its maximum at the end of its range, the likelihood rises all the way and its score vanishes. At a
maximum inside the parameter space Newton's step vanishes with the score; on the way to infinity it
does not: score and curvature fall together, and each step is about one in log or logit.
"""

from __future__ import annotations

import numpy as np

from smmix.core.mixture import MixtureSpec
from smmix.search.newton import LocalModel

__all__ = ["LONGEST_DRIFT", "drift", "emptied"]

#: Newton's step, in natural units of each parameter, beyond which a point whose score is zero is on
#: its way to infinity.
LONGEST_DRIFT = 0.3
#: Share of the rows below which a component has none: its weight is on its way to zero.
NO_SHARE = 1e-8


def drift(spec: MixtureSpec, model: LocalModel, units: np.ndarray) -> np.ndarray:
    """Newton's step (S, F) in natural units: of the linear predictors, logits and logs.

    Parameters
    ----------
    spec : MixtureSpec
    model : LocalModel
        At S parameter sets.
    units : ndarray, (S, F)
        Sizes of natural steps (`smmix.search.newton.score_units`).
    """
    size = units.copy()
    size[:, spec.layout.nuisance] = 1.0
    out = model.step / size
    # A parameter of a component without rows moves nothing.
    empty = emptied(model)
    parts = spec.layout.unpack(out)
    parts.coef[empty], parts.nuisance[empty] = 0.0, 0.0
    return spec.layout.pack(parts)


def emptied(model: LocalModel) -> np.ndarray:
    """Which components (S, K) have lost all rows."""
    return np.asarray(model.sizes < NO_SHARE * model.sizes.sum(axis=1, keepdims=True))
