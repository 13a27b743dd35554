"""What families share whose nuisance parameters, if any, are moved by scoring steps."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from smmix.core.family import Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.families.exponential import Array, Aux, ExponentialFamily
from smmix.families.links import Link
from smmix.families.scoring import nuisance_scores, nuisance_sums, scored_update

__all__ = ["ScoredFamily"]


class ScoredFamily(ExponentialFamily):
    """A family whose working weight is an information and whose nuisance parameters are scored.

    A subclass gives ``derivatives``, and ``tails`` for all that is said of probabilities.
    """

    link: Any
    links: tuple[str, ...] = ("log",)
    #: Between them all nuisance parameters have powers that are numbers; updates stay there.
    limits: tuple[float, float] = (-np.inf, np.inf)

    def to_plain(self) -> dict[str, Any]:
        options = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {
            name: value.name
            if isinstance(value, Link)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in options.items()
            if value is not None
        }

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.to_plain().items())
        return f"{type(self).__name__}({options})"

    def sums(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> list[Array]:
        if not self.nuisance:
            return []
        shape = np.shape(working.log_density)
        return nuisance_sums(self.derivatives(y, aux, working, nuisance), shape)

    def derivatives(self, y: Array, aux: Aux, working: Working, nuisance: Array) -> Any:
        """As in the contract."""
        raise NotImplementedError

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: Array,
        nuisance: Array,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> Array:
        moved = scored_update(stats, nuisance, self.nuisance, penalty, shared, self.scale)
        return np.clip(moved, *self.limits)

    def score(self, stats: ComponentStats, nuisance: Array) -> Array:
        return nuisance_scores(stats, nuisance)

    def precision(self, nuisance: Array) -> Array:
        return np.ones(nuisance.shape[:-1])

    def tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        """P(Y <= y) and P(Y > y), (S, K, m), each with its own digits."""
        raise NotImplementedError

    def cdf(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> Array:
        return self.tails(y, aux, eta, nuisance)[0]

    def log_tails(self, y: Array, aux: Aux, eta: Array, nuisance: Array) -> tuple[Array, Array]:
        with np.errstate(divide="ignore"):
            below, above = (np.log(tail) for tail in self.tails(y, aux, eta, nuisance))
        return below, above
