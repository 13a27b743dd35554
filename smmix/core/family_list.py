"""Components of different families side by side, as one family to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from smmix.core.family import Derivatives, Family, Nuisance, Penalty, Working
from smmix.core.family_parts import Own, Part, without
from smmix.core.possible import possible_rows, with_stand_in
from smmix.core.statistics import ComponentStats

__all__ = ["FamilyList", "members"]


def members(family: Family, k: int) -> tuple[Family, ...]:
    """The family of each of ``k`` components."""
    return family.families if isinstance(family, FamilyList) else (family,) * k


@dataclass(frozen=True)
class FamilyList:
    """One family for each component.

    The nuisance parameters of all families stand side by side; those that a component's family
    does not have are held at a value of no effect.

    Attributes
    ----------
    families : tuple of Family, of length K
    """

    families: tuple[Family, ...]
    name, location_scale, intercept = "list", False, True

    @property
    def reads(self) -> str:
        return self._widest.reads

    @property
    def levels(self) -> tuple[Any, ...]:
        """Names of the levels of ordered families."""
        return tuple(getattr(self._widest, "levels", ()))

    @property
    def label(self) -> str:
        return "regressions of different families"

    @property
    def discrete(self) -> bool:
        return all(family.discrete for family in self.families)

    @property
    def takes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for f in self.families for name in f.takes))

    @property
    def ancillary(self) -> str | None:
        return next((f.ancillary for f in self.families if f.ancillary is not None), None)

    @cached_property
    def nuisance(self) -> tuple[Nuisance, ...]:
        return tuple(dict.fromkeys(n for family in self.families for n in family.nuisance))

    @property
    def link(self) -> Any:
        return self._widest.link

    @cached_property
    def scale(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Place and power of each component's spread, (K,); a power of zero where it has none."""
        position = np.zeros(len(self.families), dtype=int)
        power = np.zeros(len(self.families))
        for part in self.parts:
            if part.family.scale is not None:
                position[part.components] = part.slots[part.family.scale[0]]
                power[part.components] = part.family.scale[1]
        return (position, power) if power.any() else None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        parts = []
        for family in dict.fromkeys(self.families):
            found = [c for c, other in enumerate(self.families) if other == family]
            slots = [self.nuisance.index(n) for n in family.nuisance]
            parts.append(Part(family, np.array(found), np.array(slots, dtype=int)))
        return tuple(parts)

    @cached_property
    def present(self) -> np.ndarray:
        """Which component has which nuisance parameter, (K, d)."""
        mask = np.zeros((len(self.families), len(self.nuisance)), dtype=bool)
        for part in self.parts:
            mask[np.ix_(part.components, part.slots)] = True
        return mask

    @cached_property
    def neutral(self) -> np.ndarray:
        """Values (d,) at which nuisance parameters that a component lacks are held."""
        zero = np.zeros(1)
        return np.array([float(n.transform.natural(zero)[0]) for n in self.nuisance])

    @cached_property
    def stages(self) -> tuple[FamilyList, ...]:
        longest = max(len(family.stages) for family in self.families)
        return tuple(
            FamilyList(tuple(f.stages[i] if f.stages else f for f in self.families))
            for i in range(longest)
        )

    @property
    def becomes(self) -> dict[tuple[str, float], str]:
        return {}

    def to_plain(self) -> dict[str, Any]:
        return {"families": [{"name": f.name, **f.to_plain()} for f in self.families]}

    def _own(self, nuisance: np.ndarray, part: Part) -> np.ndarray:
        return nuisance[:, part.components][..., part.slots]

    # -- engine -----------------------------------------------------------------------------------

    def refuse(self, y: np.ndarray, aux: np.ndarray | None) -> tuple[int, str] | None:
        """A row is possible when one of the families can have it."""
        left, told = np.arange(y.size), None
        # A point mass refuses most rows one by one: it is asked about the few that are left.
        for part in sorted(self.parts, key=lambda part: part.family.link is None):
            own = None if aux is None else aux[left]
            refusal = part.family.refuse(y[left], own)
            if refusal is None:
                return None
            told = told or refusal[1]
            mask = possible_rows(part.family, y[left], own)
            left = left if mask is None else left[~mask]
        return int(left[0]), str(told)

    def outcomes(self, aux: np.ndarray | None) -> Any:
        """The most that one of the families has."""
        found = [part.family.outcomes(aux) for part in self.parts]
        if any(own is None for own in found):
            return None
        return np.max(np.broadcast_arrays(*found), axis=0)

    def uncensored(self, y: np.ndarray) -> np.ndarray | None:
        found = [part.family.uncensored(y) for part in self.parts]
        if all(own is None for own in found):
            return None
        out = np.ones((len(self.families), y.shape[-1]), dtype=bool)
        for part, own in zip(self.parts, found, strict=True):
            if own is not None:
                out[part.components] = own
        return out

    def with_terms(self, names: Sequence[str]) -> FamilyList:
        return FamilyList(tuple(family.with_terms(names) for family in self.families))

    def bound(self, y: np.ndarray) -> FamilyList:
        return FamilyList(tuple(family.bound(y) for family in self.families))

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        """That of the first family which can have a row; elsewhere the mean of the others."""
        start, left = np.zeros(y.shape), np.ones(y.shape, dtype=bool)
        for part in self.parts:
            if part.family.link is None:
                continue
            possible = possible_rows(part.family, y, aux)
            if possible is None:
                return np.where(left, part.family.start_response(y, aux), start)
            safe = with_stand_in(part.family, y, aux, possible)
            found = part.family.start_response(safe, aux)
            start = np.where(left & possible, found, start)
            left &= ~possible
        told = ~left
        start[left] = start[told].mean() if told.any() else 0.0
        return start

    @property
    def _widest(self) -> Family:
        """The family that depends on the regressors first; a point mass does not."""
        return next((f for f in self.families if f.link is not None), self.families[0])

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        start = np.tile(self.neutral, (len(self.families), 1))
        for part in self.parts:
            rows = np.ix_(part.components, part.slots)
            possible = None if part.family.link is None else possible_rows(part.family, y, aux)
            if possible is None:
                start[rows] = part.family.start_nuisance(y, aux)
            elif possible.any():
                own = None if aux is None else aux[possible]
                start[rows] = part.family.start_nuisance(y[possible], own)
        return start

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        shape, dtype = eta.shape, np.result_type(eta, nuisance)
        log_density, residual = np.empty(shape, dtype), np.empty(shape, dtype)
        weight, states = np.ones(shape, dtype), []
        for part in self.parts:
            at = part.components
            # A point mass has densities of zero itself.
            possible = None if part.family.link is None else possible_rows(part.family, y, aux)
            safe = y if possible is None else with_stand_in(part.family, y, aux, possible)
            own = part.family.evaluate(safe, aux, eta[:, at], self._own(nuisance, part))
            if possible is not None:
                own = without(own, ~possible)
            log_density[:, at], residual[:, at] = own.log_density, own.residual
            if own.weight is not None:
                weight[:, at] = own.weight
            states.append(Own(own, safe))
        return Working(log_density, residual, weight, states)

    def _each(self, working: Working, nuisance: np.ndarray) -> Iterator[tuple[Part, Any, Any]]:
        for part, own in zip(self.parts, working.state, strict=True):
            yield part, own, self._own(nuisance, part)

    def sums(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        found = [
            (part, part.family.sums(own.y, aux, own.working, values))
            for part, own, values in self._each(working, nuisance)
        ]
        out = np.zeros((max(len(sums) for _, sums in found), *working.residual.shape))
        for part, sums in found:
            for i, value in enumerate(sums):
                out[i][:, part.components] = value
        return list(out)

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        shape, dtype = working.residual.shape, working.residual.dtype
        d = len(self.nuisance)
        first = [np.zeros(shape, dtype) for _ in range(1 + d)]
        second = [[np.zeros(shape, dtype) for _ in range(i + 1)] for i in range(1 + d)]
        information = np.zeros(shape)
        expected = [[np.zeros(shape) for _ in range(i + 1)] for i in range(d)]
        for part, own, values in self._each(working, nuisance):
            at, given = part.components, part.family.derivatives(own.y, aux, own.working, values)
            own_information = given.nuisance_information
            places = [0, *(part.slots + 1)]
            information[:, at] = given.information
            for i, row in enumerate(places):
                first[row][:, at] = given.first[i]
                for j, column in enumerate(places[: i + 1]):
                    high, low = max(row, column), min(row, column)
                    second[high][low][:, at] = given.second[i][j]
                    if j:
                        expected[high - 1][low - 1][:, at] = own_information[i - 1][j - 1]
        return Derivatives(first, second, information, expected)

    def _of(self, stats: ComponentStats, part: Part) -> ComponentStats:
        at, extra = part.components, stats.extra
        return ComponentStats(
            stats.nobs[:, at],
            stats.xwx[:, at],
            stats.xwr[:, at],
            stats.rwr[:, at],
            None if extra is None else extra[:, at],
        )

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        out = nuisance.copy()
        reference = np.broadcast_to(penalty.reference, nuisance.shape[:2])
        for part in self.parts:
            at, own = part.components, self._own(nuisance, part)
            reduced = penalty._replace(reference=reference[:, at])
            made = part.family.update_nuisance(
                self._of(stats, part), deviance[:, at], own, reduced, shared
            )
            for i, slot in enumerate(part.slots):
                out[:, at, slot] = made[..., i]
        for i, parameter in enumerate(self.nuisance):
            if parameter.name in shared:
                self._tie(out[..., i], stats.nobs, self.present[:, i], parameter)
        return out

    @staticmethod
    def _tie(
        values: np.ndarray, nobs: np.ndarray, present: np.ndarray, parameter: Nuisance
    ) -> None:
        """Give components of several families that share a parameter its average, in place."""
        weight = nobs[:, present] + np.finfo(float).tiny
        working = parameter.transform.working(values[:, present])
        mean = np.average(working, axis=1, weights=weight)[:, None]
        values[:, present] = parameter.transform.natural(mean)

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        out = np.zeros_like(nuisance)
        for part in self.parts:
            score = part.family.score(self._of(stats, part), self._own(nuisance, part))
            for i, slot in enumerate(part.slots):
                out[:, part.components, slot] = score[..., i]
        return out

    def precision(self, nuisance: np.ndarray) -> np.ndarray:
        out = np.ones(nuisance.shape[:2], nuisance.dtype)
        for part in self.parts:
            out[:, part.components] = part.family.precision(self._own(nuisance, part))
        return out

    # -- meaning ----------------------------------------------------------------------------------

    def _joined(
        self,
        eta: np.ndarray,
        nuisance: np.ndarray,
        function: Callable[[Family, np.ndarray, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        out = np.empty(eta.shape, np.result_type(eta, nuisance))
        for part in self.parts:
            at = part.components
            out[:, at] = function(part.family, eta[:, at], self._own(nuisance, part))
        return out

    def mean(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return self._joined(eta, nuisance, lambda f, e, n: f.mean(aux, e, n))

    def mean_derivatives(
        self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        out = [np.zeros(eta.shape) for _ in range(1 + len(self.nuisance))]
        for part in self.parts:
            at = part.components
            own = part.family.mean_derivatives(aux, eta[:, at], self._own(nuisance, part))
            for place, value in zip([0, *(part.slots + 1)], own, strict=True):
                out[place][:, at] = value
        return out

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return self._joined(eta, nuisance, lambda f, e, n: f.variance(aux, e, n))

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self._joined(eta, nuisance, lambda f, e, n: f.cdf(y, aux, e, n))

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self._joined(eta, nuisance, lambda f, e, n: f.cdf_below(y, aux, e, n))

    def log_tails(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return (
            self._joined(eta, nuisance, lambda f, e, n: f.log_tails(y, aux, e, n)[0]),
            self._joined(eta, nuisance, lambda f, e, n: f.log_tails(y, aux, e, n)[1]),
        )

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self._joined(eta, nuisance, lambda f, e, n: f.quantile(q, aux, e, n))

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        return self._joined(eta, nuisance, lambda f, e, n: f.sample(aux, e, n, rng))
