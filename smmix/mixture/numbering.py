"""The numbers of the components."""

from __future__ import annotations

import numpy as np

from smmix.core.params import MixtureParams
from smmix.mixture.evaluate import mixing_shares
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.search.labelling import exchangeable

__all__ = ["component_order"]

#: Mixing proportions that agree to this many digits are tied.
TIED_DIGITS = 10


def component_order(
    specification: Specification, observed: Observed, params: MixtureParams, order: str | None
) -> np.ndarray:
    """Component that is to be called c, (k,): only exchangeable ones change places."""
    labels = np.arange(specification.k)
    if order is None or specification.k == 1:
        return labels
    coef = params.coef[0]
    first = coef[:, 0]
    if order == "weight":
        shares = mixing_shares(specification, observed, params)
        keys = [-np.round(shares, TIED_DIGITS), *coef.T]
    elif order in (names := [n.name for n in specification.family.nuisance]):
        keys = [params.nuisance[0, :, names.index(order)], first]
    else:
        keys = [coef[:, specification.exog_names.index(order)], first]
    rank = np.lexsort(keys[::-1])
    for members in exchangeable(specification.spec, specification.told_apart):
        labels[members] = rank[np.isin(rank, members)]
    return labels
