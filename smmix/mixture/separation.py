"""How well the posteriors of the units tell the components apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from smmix.core.blocks import Block
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.core.source import Source

__all__ = ["Separation", "separation"]


class _Sums(NamedTuple):
    """What a pass over the posteriors adds up, case weights included."""

    units: np.ndarray  # (1,) sum of weights
    entropy: np.ndarray  # (1,)
    log_largest: np.ndarray  # (1,) sum of log max_c tau_c
    largest: np.ndarray  # (1,) sum of max_c tau_c
    expected: np.ndarray  # (K,) sum of posteriors
    assigned: np.ndarray  # (K,) units of highest posterior c
    agreeing: np.ndarray  # (K,) sum of tau_c over those
    prior: np.ndarray  # (K,) sum of prior probabilities


@dataclass(frozen=True)
class Separation:
    """Sums of posteriors over the units: all that criteria and tables need of them.

    A unit is a row, or a group when rows are grouped; case weights count.

    Attributes
    ----------
    n_units : float
        Sum of the units' weights.
    entropy : float
        -sum tau log tau.
    log_largest : float
        Sum of log max_c tau_c.
    error : float
        Expected share of units that are assigned to a wrong component.
    expected, assigned, agreeing, prior : ndarray, (K,)
        Sum of posteriors; units assigned to each component; the sum of their posteriors of it;
        average prior probabilities.
    """

    n_units: float
    entropy: float
    log_largest: float
    error: float
    expected: np.ndarray
    assigned: np.ndarray
    agreeing: np.ndarray
    prior: np.ndarray


def separation(spec: MixtureSpec, params: MixtureParams, source: Source) -> Separation:
    """One pass over the data for the sums of the posteriors.

    Parameters
    ----------
    spec : MixtureSpec
    params : MixtureParams
        One parameter set (S = 1).
    source : Source
    """

    def step(block: Block) -> _Sums:
        posterior, _, prior, _ = spec.posterior(params, block)
        tau = posterior[0]
        weight = np.ones(block.n_units) if block.weight is None else np.ravel(block.weight)
        label = tau.argmax(axis=0)
        largest = tau.max(axis=0)
        chosen = np.arange(tau.shape[0])[:, None] == label
        return _Sums(
            np.array([weight.sum()]),
            np.array([0.0 - xlogy(tau, tau).sum(axis=0) @ weight]),
            np.array([np.log(largest) @ weight]),
            np.array([largest @ weight]),
            tau @ weight,
            chosen @ weight,
            (chosen * tau) @ weight,
            np.broadcast_to(prior.probability[0], tau.shape) @ weight,
        )

    sums: _Sums = source.reduce(step, params.k)
    n_units = float(sums.units[0])
    return Separation(
        n_units,
        float(sums.entropy[0]),
        float(sums.log_largest[0]),
        1.0 - float(sums.largest[0]) / n_units,
        sums.expected,
        sums.assigned,
        sums.agreeing,
        sums.prior / n_units,
    )
