"""Several outcomes side by side: each row is one of them, and all are one family to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from smmix.core.family import Derivatives, Family, Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats

__all__ = ["Outcome", "OutcomeFamilies", "outcome_rows"]


class Outcome(NamedTuple):
    """One of several responses that share their components.

    Attributes
    ----------
    name : str
    family : Family
    columns : tuple of int
        Its columns of the design, which are zero in the rows of the others.
    n_aux : int
        Columns of ``aux`` that its family reads.
    share : float
        Share of the rows that it has.
    """

    name: str
    family: Family
    columns: tuple[int, ...]
    n_aux: int = 0
    share: float = 1.0

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:
        """Its nuisance parameters, under names that tell whose they are."""
        return tuple(n._replace(name=f"{self.name}:{n.name}") for n in self.family.nuisance)


class Part(NamedTuple):
    """Where one outcome is: its number, columns of ``aux``, nuisance parameters and sums."""

    outcome: Outcome
    number: int
    aux: slice
    slots: slice

    @property
    def family(self) -> Family:
        return self.outcome.family

    @property
    def places(self) -> tuple[int, ...]:
        """Where its linear predictor and its nuisance parameters stand among derivatives."""
        return (0, *range(self.slots.start + 1, self.slots.stop + 1))

    def own_aux(self, aux: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """What the outcome's family must know of its rows."""
        return aux[rows, self.aux] if self.outcome.n_aux else None


class Own(NamedTuple):
    """What one family made of its rows of a block, and where these are."""

    working: Working
    rows: np.ndarray


def outcome_rows(aux: np.ndarray | None, number: int) -> np.ndarray:
    """Positions of the rows of one outcome; the first column of ``aux`` tells whose each is."""
    assert aux is not None, "rows tell their outcome"
    return np.flatnonzero(aux[:, 0] == number)


@dataclass(frozen=True)
class OutcomeFamilies:
    """One family for each outcome, which are independent given the component.

    The first column of ``aux`` is the number of a row's outcome; what the outcomes' own families
    must know follows, side by side. So do the nuisance parameters.

    Attributes
    ----------
    outcomes_of : tuple of Outcome
    """

    outcomes_of: tuple[Outcome, ...]
    name, label = "outcomes", "regressions of several outcomes"
    location_scale, intercept, reads, takes = False, True, "numbers", ()
    ancillary: str | None = None

    @property
    def discrete(self) -> bool:
        return all(one.family.discrete for one in self.outcomes_of)

    @property
    def link(self) -> Any:
        return next((f for one in self.outcomes_of if (f := one.family.link) is not None), None)

    @cached_property
    def stages(self) -> tuple[OutcomeFamilies, ...]:
        found = [one.family.stages for one in self.outcomes_of]
        return tuple(
            OutcomeFamilies(
                tuple(
                    one._replace(family=stages[min(i, len(stages) - 1)]) if stages else one
                    for one, stages in zip(self.outcomes_of, found, strict=True)
                )
            )
            for i in range(max(map(len, found)))
        )

    @property
    def becomes(self) -> dict[tuple[str, float], str]:
        return {
            (f"{one.name}:{name}", end): words
            for one in self.outcomes_of
            for (name, end), words in one.family.becomes.items()
        }

    @cached_property
    def nuisance(self) -> tuple[Nuisance, ...]:
        return tuple(n for one in self.outcomes_of for n in one.nuisance)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        parts, aux, slot = [], 1, 0
        for number, one in enumerate(self.outcomes_of):
            d = len(one.family.nuisance)
            parts.append(Part(one, number, slice(aux, aux + one.n_aux), slice(slot, slot + d)))
            aux, slot = aux + one.n_aux, slot + d
        return tuple(parts)

    @property
    def scaled(self) -> list[Part]:
        """Outcomes whose errors have a spread that may vanish."""
        return [part for part in self.parts if part.family.scale is not None]

    @property
    def scales(self) -> list[tuple[int, float]]:
        """Place and power of each of these spreads."""
        own = [(part.slots.start, part.family.scale or (0, 0.0)) for part in self.scaled]
        return [(start + place, power) for start, (place, power) in own]

    @property
    def scale(self) -> tuple[int, float] | None:
        """Place and power of the first spread; `smmix.core.scale` knows them all."""
        found = self.scales
        return found[0] if found else None

    def reference_by_outcome(self, references: list[Any]) -> list[Any]:
        """The spreads of the outcomes that have one, among ones for the others."""
        found = iter(references)
        return [next(found) if part.family.scale is not None else 1.0 for part in self.parts]

    def to_plain(self) -> dict[str, Any]:
        return {
            "outcomes_of": [
                {
                    **one._asdict(),
                    "columns": list(one.columns),
                    "family": {"name": one.family.name, **one.family.to_plain()},
                }
                for one in self.outcomes_of
            ]
        }

    # -- engine -----------------------------------------------------------------------------------

    def refuse(self, y: np.ndarray, aux: np.ndarray | None) -> tuple[int, str] | None:
        # Each outcome was asked when its own rows were made.
        return None

    def _rows(self, aux: np.ndarray | None) -> Iterator[tuple[Part, np.ndarray, np.ndarray | None]]:
        """Each outcome, its rows, and what its family must know of them."""
        for part in self.parts:
            rows = outcome_rows(aux, part.number)
            assert aux is not None
            yield part, rows, part.own_aux(aux, rows)

    def outcomes(self, aux: np.ndarray | None) -> Any:
        if any(part.family.outcomes(None) is None for part in self.parts):
            return None
        if aux is None:
            return 1
        found = np.empty(len(aux))
        for part, rows, own_aux in self._rows(aux):
            found[rows] = part.family.outcomes(own_aux)
        return found

    def uncensored(self, y: np.ndarray) -> np.ndarray | None:
        # Without aux rows do not tell whose they are: all count.
        return None

    def with_terms(self, names: Sequence[str]) -> OutcomeFamilies:
        return self

    def bound(self, y: np.ndarray) -> OutcomeFamilies:
        return self

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        start = np.empty(y.shape)
        for part, rows, own_aux in self._rows(aux):
            start[..., rows] = part.family.start_response(y[..., rows], own_aux)
        return start

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        found = [
            part.family.start_nuisance(y[rows], own_aux) if rows.size else np.ones(len(own))
            for part, rows, own_aux in self._rows(aux)
            if (own := part.family.nuisance)
        ]
        return np.concatenate(found) if found else np.empty(0)

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        """Weights hold the families' precisions, so that those of different outcomes compare."""
        shape, dtype = eta.shape, np.result_type(eta, nuisance)
        log_density, residual = np.empty(shape, dtype), np.empty(shape, dtype)
        weight, states = np.empty(shape, dtype), []
        for part, rows, own_aux in self._rows(aux):
            values = nuisance[..., part.slots]
            own = part.family.evaluate(y[..., rows], own_aux, eta[..., rows], values)
            log_density[..., rows], residual[..., rows] = own.log_density, own.residual
            precision = part.family.precision(values)[..., None]
            weight[..., rows] = precision if own.weight is None else own.weight * precision
            states.append(Own(own, rows))
        return Working(log_density, residual, weight, states)

    def _each(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Iterator[tuple[Part, Own, tuple[Any, ...]]]:
        """Each outcome, its rows, and the arguments that its family's methods take."""
        assert aux is not None, "rows tell their outcome"
        for part, own in zip(self.parts, working.state, strict=True):
            given = y[..., own.rows], part.own_aux(aux, own.rows), own.working
            yield part, own, (*given, nuisance[..., part.slots])

    def sums(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        """Of each outcome its rows, their weighted squared residuals, and its family's sums."""
        found = []
        for part, own, given in self._each(y, aux, working, nuisance):
            residual, weight = own.working.residual, own.working.weight
            squares = residual**2 if weight is None else weight * residual**2
            for values in (1.0, squares, *part.family.sums(*given)):
                row = np.zeros(working.residual.shape)
                row[..., own.rows] = values
                found.append(row)
        return found

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        shape, dtype = working.residual.shape, working.residual.dtype
        d, none = len(self.nuisance), np.zeros((1, 1, 1), dtype)
        first = [np.zeros(shape, dtype) for _ in range(1 + d)]
        second = [[none for _ in range(i + 1)] for i in range(1 + d)]
        second[0][0], information = np.zeros(shape, dtype), np.zeros(shape)
        expected = [[none.real for _ in range(i + 1)] for i in range(d)]
        for part, own, given in self._each(y, aux, working, nuisance):
            rows, found = own.rows, part.family.derivatives(*given)
            information[..., rows] = found.information
            for i, row in enumerate(part.places):
                first[row][..., rows] = found.first[i]
                for j, column in enumerate(part.places[: i + 1]):
                    if second[row][column] is none:
                        second[row][column] = np.zeros(shape, dtype)
                    second[row][column][..., rows] = found.second[i][j]
                    if j:
                        values = expected[row - 1][column - 1] = np.zeros(shape)
                        values[..., rows] = found.nuisance_information[i - 1][j - 1]
        return Derivatives(first, second, information, expected)

    def own_stats(self, stats: ComponentStats, nuisance: np.ndarray) -> list[ComponentStats]:
        """The statistics of each outcome by itself, as its family makes them alone."""
        assert stats.extra is not None, "outcomes count their rows"
        found, start = [], 0
        for part, size in zip(self.parts, self.sizes, strict=True):
            at, own = np.array(part.outcome.columns), stats.extra[..., start : start + size]
            precision = part.family.precision(nuisance[..., part.slots])[..., None]
            found.append(
                ComponentStats(
                    own[..., 0],
                    stats.xwx[..., at[:, None], at] / precision[..., None],
                    stats.xwr[..., at] / precision,
                    own[..., 1],
                    own[..., 2:] if size > 2 else None,
                )
            )
            start += size
        return found

    @cached_property
    def sizes(self) -> list[int]:
        """How many sums each outcome has, as its family says of no rows."""
        found, none = [], np.empty(0)
        for part in self.parts:
            transforms = [parameter.transform for parameter in part.family.nuisance]
            values = np.array([[[float(t.natural(np.zeros(1))[0]) for t in transforms]]])
            aux = np.empty((0, part.outcome.n_aux)) if part.outcome.n_aux else None
            working = part.family.evaluate(none, aux, np.empty((1, 1, 0)), values)
            found.append(2 + len(part.family.sums(none, aux, working, values)))
        return found

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        """As `Family.update_nuisance`; deviances are (O, S, K), and there are O references."""
        out = nuisance.copy()
        own_stats = self.own_stats(stats, nuisance)
        for part, own, left, reference in zip(
            self.parts, own_stats, deviance, penalty.reference, strict=True
        ):
            prefix = f"{part.outcome.name}:"
            tied = frozenset(n.removeprefix(prefix) for n in shared if n.startswith(prefix))
            out[..., part.slots] = part.family.update_nuisance(
                own, left, nuisance[..., part.slots], penalty._replace(reference=reference), tied
            )
        return out

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        out = np.zeros_like(nuisance)
        for part, own in zip(self.parts, self.own_stats(stats, nuisance), strict=True):
            out[..., part.slots] = part.family.score(own, nuisance[..., part.slots])
        return out

    def precision(self, nuisance: np.ndarray) -> np.ndarray:
        return np.ones(nuisance.shape[:2], nuisance.dtype)

    # -- meaning ----------------------------------------------------------------------------------

    def _joined(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        function: Callable[..., np.ndarray],
        y: np.ndarray | None = None,
    ) -> np.ndarray:
        """What the families' ``function`` gives for their rows, and their y where it takes one."""
        out = np.empty(eta.shape, np.result_type(eta, nuisance))
        for part, rows, own_aux in self._rows(aux):
            given = () if y is None else (y[..., rows],)
            values = nuisance[..., part.slots]
            out[..., rows] = function(part.family, *given, own_aux, eta[..., rows], values)
        return out

    def mean(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return self._joined(aux, eta, nuisance, lambda f, *given: f.mean(*given))

    def mean_derivatives(
        self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        out = [np.zeros(eta.shape) for _ in range(1 + len(self.nuisance))]
        for part, rows, own_aux in self._rows(aux):
            values = nuisance[..., part.slots]
            found = part.family.mean_derivatives(own_aux, eta[..., rows], values)
            for place, value in zip(part.places, found, strict=True):
                out[place][..., rows] = value
        return out

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return self._joined(aux, eta, nuisance, lambda f, *given: f.variance(*given))

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self._joined(aux, eta, nuisance, lambda f, *given: f.cdf(*given), y)

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self._joined(aux, eta, nuisance, lambda f, *given: f.cdf_below(*given), y)

    def log_tails(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        lower, upper = lambda f, *own: f.log_tails(*own)[0], lambda f, *own: f.log_tails(*own)[1]
        given = aux, eta, nuisance
        return self._joined(*given, lower, y), self._joined(*given, upper, y)

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        return self._joined(aux, eta, nuisance, lambda f, *given: f.quantile(q, *given))

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        return self._joined(aux, eta, nuisance, lambda f, *given: f.sample(*given, rng))
