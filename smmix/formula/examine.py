"""What one slab of a large table tells before any design is built, small enough to travel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.rowwise import row_dependent
from smmix.formula.slab_rows import Chosen, RowRules, located
from smmix.support.frames import first_text, numbers, row_name

__all__ = ["Examine", "Findings", "Slab", "group_hashes"]


class Slab(NamedTuple):
    """A slab of the data: its name, its units, and hashes of the labels of its groups."""

    where: str
    n_units: int
    groups: np.ndarray | None


@dataclass
class Findings:
    """What is known of the rows seen so far; one is added to another with ``+``.

    Attributes
    ----------
    slabs : list of Slab
    n_chosen, n_used : int
        Rows of positive weight in the subset, and the complete ones of them.
    missing : Counter
    frequency, sampling : float
        Sum of the frequency weights; of frequency times sampling weights.
    low, high : float
        Range of the response less the offset.
    ends : (float, float)
        Range of the response itself.
    kinds : dict
        Column to the kinds of its numpy types.
    levels : dict
        Categorical column to (all levels in order, ordered).
    used_levels : dict
        Categorical column to the levels that complete rows have.
    sample : DataFrame
        A row for every level of every factor.
    text : dict
        Factor of text to (entries that are numbers, entries, message about one that is not).
    known : set
        Components that rows are known to belong to.
    varying : dict
        Argument or factor to the group within which it varies.
    places : dict
        Column to the first slab in which it holds numbers, and that in which it holds text.
    """

    slabs: list[Slab]
    n_chosen: int = 0
    n_used: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    frequency: float = 0.0
    sampling: float = 0.0
    low: float = np.inf
    high: float = -np.inf
    ends: tuple[float, float] = (np.inf, -np.inf)
    kinds: dict[str, set[str]] = field(default_factory=dict)
    levels: dict[str, tuple[list[Any], bool]] = field(default_factory=dict)
    used_levels: dict[str, set[Any]] = field(default_factory=dict)
    sample: pd.DataFrame | None = None
    text: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    known: set[float] = field(default_factory=set)
    varying: dict[str, Any] = field(default_factory=dict)
    places: dict[str, dict[str, str]] = field(default_factory=dict)

    @staticmethod
    def total(parts: Iterable[Findings]) -> Findings:
        """All slabs together, in their order."""
        found = Findings([])
        samples = []
        for part in parts:
            found.slabs += part.slabs
            found.n_chosen += part.n_chosen
            found.n_used += part.n_used
            found.missing += part.missing
            found.frequency += part.frequency
            found.sampling += part.sampling
            found.low, found.high = min(found.low, part.low), max(found.high, part.high)
            found.ends = min(found.ends[0], part.ends[0]), max(found.ends[1], part.ends[1])
            for name, kinds in part.kinds.items():
                found.kinds[name] = found.kinds.get(name, set()) | kinds
            for name, (levels, ordered) in part.levels.items():
                known, was = found.levels.get(name, ([], ordered))
                known = known + [level for level in levels if level not in set(known)]
                found.levels[name] = known, was and ordered
                used = found.used_levels.get(name, set())
                found.used_levels[name] = used | part.used_levels[name]
            for code, (n_numbers, n_entries, message) in part.text.items():
                before = found.text.get(code, (0, 0, ""))
                found.text[code] = (
                    before[0] + n_numbers, before[1] + n_entries, before[2] or message
                )  # fmt: skip
            found.known |= part.known
            for what, group in part.varying.items():
                found.varying.setdefault(what, group)
            for name, places in part.places.items():
                found.places[name] = places | found.places.get(name, {})
            if part.sample is not None:
                samples.append(part.sample)
        found.sample = pd.concat(samples, ignore_index=True) if samples else None
        return found

    @property
    def as_float(self) -> frozenset[str]:
        """Columns that are whole numbers in some slabs and floats in others."""
        return frozenset(n for n, kinds in self.kinds.items() if "f" in kinds and len(kinds) > 1)

    @property
    def kept_levels(self) -> dict[str, tuple[list[Any], bool]]:
        """Levels of the categorical columns that occur."""
        return {
            name: ([level for level in levels if level in self.used_levels[name]], ordered)
            for name, (levels, ordered) in self.levels.items()
        }


@dataclass(frozen=True)
class Examine:
    """Look at a slab of a table: a frame whose index names its rows.

    Attributes
    ----------
    rules : RowRules
    concomitant : list of str
        Factors of the mixing model.
    contiguous : bool
        Whether the rows of a group must stand side by side.
    """

    rules: RowRules
    concomitant: Sequence[str]
    contiguous: bool

    def __call__(self, frame: pd.DataFrame, where: str) -> Findings:
        with located(where):
            return self._findings(frame, where)

    def _findings(self, frame: pd.DataFrame, where: str) -> Findings:
        rules = self.rules
        chosen = rules.choose(frame)
        kept, extras = chosen.frame, chosen.extras
        found = Findings([], len(chosen.rows), len(kept), Counter(chosen.missing))
        for name in rules.columns:
            dtype = frame[name].dtype
            if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
                found.kinds[name] = {"f" if dtype.kind == "f" else "i"}
            if len(kept) and (what := _content(kept[name])):
                found.places[name] = {what: where}
            if isinstance(dtype, pd.CategoricalDtype):
                found.levels[name] = list(dtype.categories), bool(dtype.ordered)
                found.used_levels[name] = set(kept[name].unique())
        groups = None
        if len(kept):
            self._response(chosen, found)
            frequency = extras["freq_weights"]
            frequency = np.ones(len(kept)) if frequency is None else frequency
            sampling = extras["prob_weights"]
            found.frequency = float(frequency.sum())
            if sampling is not None:
                found.sampling = float(frequency @ sampling)
            hanging = row_dependent(rules.codes, kept, rules.scope, chosen.rows[chosen.complete])
            if hanging:
                raise SmmixError(
                    f"The formula term {hanging[0]!r} depends on other rows, which are not all at "
                    "hand; use center(..) or standardize(..), or compute it as a column of the "
                    "data first."
                )
            if extras["known"] is not None:
                found.known = set(np.unique(extras["known"][~np.isnan(extras["known"])]))
            found.sample = kept.iloc[self._telling(chosen)]
            if extras["groups"] is not None:
                groups = self._groups(chosen, found)
        found.text = text_counts(chosen.values, chosen.rows)
        n_units = len(kept) if groups is None else len(groups)
        found.slabs.append(Slab(where, n_units, groups))
        return found

    def _response(self, chosen: Chosen, found: Findings) -> None:
        code = self.rules.codes[0]
        value = chosen.values[code]
        if not isinstance(value, pd.Series):
            raise SmmixError(f"The response {code!r} has several columns; give one.")
        response = numbers(value, f"The response {code!r}", chosen.rows)[chosen.complete]
        found.ends = float(response.min()), float(response.max())
        if chosen.extras["offset"] is not None:
            response = response - chosen.extras["offset"]
        found.low, found.high = float(response.min()), float(response.max())

    def _telling(self, chosen: Chosen) -> np.ndarray:
        """Positions of rows that have every level between them, the first row among them."""
        rows = {0}
        for value in chosen.values.values():
            if isinstance(value, pd.Series) and not _is_number(value):
                used = value[chosen.complete].reset_index(drop=True)
                rows.update(used.drop_duplicates().index)
        return np.array(sorted(rows))

    def _groups(self, chosen: Chosen, found: Findings) -> np.ndarray:
        labels = chosen.extras["groups"]
        assert labels is not None
        codes, distinct = pd.factorize(pd.Series(labels))
        sampling = chosen.extras["prob_weights"]
        if sampling is not None:
            _note("prob_weights", sampling, codes, distinct, found)
        for code in self.concomitant:
            value = np.asarray(chosen.values[code])[chosen.complete]
            _note(code, value, codes, distinct, found)
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
        if self.contiguous and starts.size != len(distinct):
            runs = Counter(codes[starts])
            apart = next(code for code, count in runs.items() if count > 1)
            name = self.rules.extras["groups"]
            raise SmmixError(
                f"The rows of group {_shown(distinct[apart])} of {name!r} do not stand side by "
                f"side; sort the data by {name!r} first."
            )
        return group_hashes(np.asarray(distinct))


def _note(what: str, value: np.ndarray, codes: np.ndarray, distinct: Any, found: Findings) -> None:
    """Note a group within which ``value`` varies."""
    first = np.unique(codes, return_index=True)[1]
    differs = np.asarray(value != value[first][codes])
    if differs.ndim == 2:
        differs = np.asarray(differs.any(axis=1))
    if differs.any():
        found.varying[what] = _shown(distinct[codes[int(np.argmax(differs))]])


def group_hashes(labels: np.ndarray) -> np.ndarray:
    """Hashes of labels; 3 and 3.0 are one label, for a slab without gaps holds whole numbers."""
    if labels.dtype.kind == "f" and (labels % 1 == 0).all():
        labels = labels.astype(np.int64)
    return np.asarray(pd.util.hash_array(labels))


def _content(column: pd.Series) -> str | None:
    if _is_number(column):
        return "numbers"
    return "text" if isinstance(column.iloc[0], str) and column.dtype == object else None


def _is_number(value: pd.Series) -> bool:
    return isinstance(value.dtype, np.dtype) and value.dtype.kind in "iuf"


def _shown(label: object) -> str:
    return repr(label.item() if isinstance(label, np.generic) else label)


def text_counts(values: dict[str, Any], rows: pd.Index) -> dict[str, tuple[int, int, str]]:
    """Factors of text: how many entries are numbers, how many there are, one that is none."""
    counts = {}
    for code, value in values.items():
        if not isinstance(value, pd.Series) or value.dtype != np.dtype(object):
            continue
        present = value[value.notna()]
        numeric = pd.to_numeric(present, errors="coerce").notna()
        message = ""
        if len(present) and not numeric.all():
            position, text = first_text(value)
            message = f"{row_name(rows, position)} holds {text!r}"
        counts[code] = int(numeric.sum()), len(present), message
    return counts
