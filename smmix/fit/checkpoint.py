"""Long fits that survive being killed: every pass over the data is written down as it ends.

A fit is a deterministic function of its data, its options and the state of its random numbers.
So it is enough to keep what each pass returned: a fit that starts again gets the recorded answers
until the record ends, reads the data from there on, and arrives at the identical result.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from smmix.core.blocks import Block
from smmix.core.memory import MemorySource
from smmix.core.source import Source
from smmix.core.statistics import ComponentStats, EStats, InfoStats, PriorStats
from smmix.errors import SmmixError
from smmix.fit.options import FitOptions
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.search.coordinates import PooledStats, Totals
from smmix.search.modes import ModeSums
from smmix.sources.chunks import draw_units

__all__ = ["Log", "RecordedSource", "fingerprint", "recorded"]

Stats = TypeVar("Stats")

#: First bytes of a checkpoint; the last one counts versions of the format.
MAGIC = b"smmix checkpoint 1\n"
#: Length and checksum before every record.
HEAD = struct.Struct("<QI")
#: What passes return besides arrays.
STATISTICS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (EStats, InfoStats, ModeSums, PooledStats, PriorStats, Totals, ComponentStats)
}
#: Arrays of rows in memory.
ROW_PARTS = ("y", "x", "z", "weight", "repeat", "offset", "group", "membership")


def fingerprint(
    specification: Specification, observed: Observed, options: FitOptions, start: np.ndarray | None
) -> str:
    """What must be the same for a record to be of use: data, model, options, seed, versions."""
    digest = hashlib.sha256()
    generator = json.dumps(options.rng.bit_generator.state, default=np.ndarray.tolist)
    source = observed.source
    told = [
        import_module("smmix").__version__, np.__version__,
        specification.formula, specification.concomitant,
        specification.param_names, specification.variance,
        options.method, options.n_starts, options.maxiter, options.gtol, generator,
        source.n_rows, source.n_units,
    ]  # fmt: skip
    digest.update(repr(told).encode())
    parts = [*observed.pooled, source.weight_sum, start]
    if specification.spec.restriction is not None:
        parts += [specification.spec.restriction.basis, specification.spec.restriction.origin]
    if not isinstance(options.starts, str):
        parts.append(options.starts)
    for part in parts:
        digest.update(b"none" if part is None else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


@contextmanager
def recorded(
    specification: Specification,
    observed: Observed,
    source: Any,
    options: FitOptions,
    start: np.ndarray | None,
) -> Iterator[Any]:
    """The source, its answers recorded when the options name a checkpoint."""
    if options.checkpoint is None:
        yield source
        return
    log = Log(options.checkpoint, fingerprint(specification, observed, options, start))
    try:
        yield RecordedSource(source, log)
    finally:
        log.close()


class Log:
    """Answers of passes in a file, in the order in which they were asked for.

    Parameters
    ----------
    path : str or Path
    identity : str
        Fingerprint of the fit; a file with another one is refused.

    Raises
    ------
    SmmixError
        If the file is no checkpoint, belongs to another fit, or cannot be written.
    """

    def __init__(self, path: str | Path, identity: str):
        self.path = Path(path)
        header = MAGIC + identity.encode() + b"\n"
        try:
            new = not self.path.exists() or self.path.stat().st_size == 0
            self.file: BinaryIO = self.path.open("w+b" if new else "r+b")
        except OSError as error:
            raise SmmixError(
                f"The checkpoint {str(path)!r} cannot be opened ({error.strerror})."
            ) from error
        if new:
            self.file.write(header)
            self._settle()
        elif (found := self.file.read(len(header))) != header:
            self.file.close()
            owner = "something else"
            if found.startswith(MAGIC):
                owner = "another fit: other data, model, options or version of smmix"
            raise SmmixError(
                f"The checkpoint {str(path)!r} belongs to {owner}; give another name, or delete it."
            )

    def next(self, make: Callable[[], Any]) -> Any:
        """The next recorded answer, else what ``make`` returns, which is recorded."""
        at = self.file.tell()
        head = self.file.read(HEAD.size)
        if len(head) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            payload = self.file.read(length)
            if len(payload) == length and zlib.crc32(payload) == checksum:
                return unpacked(payload)
        # The end, or a record that was being written when the fit was killed.
        self.file.seek(at)
        self.file.truncate()
        answer = make()
        payload = packed(answer)
        self.file.write(HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        self._settle()
        return answer

    def _settle(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        self.file.close()


def packed(answer: Any) -> bytes:
    """An answer as bytes: its arrays, and a description of how they belong together."""
    arrays: list[np.ndarray] = []

    def describe(part: Any) -> Any:
        if part is None:
            return None
        if isinstance(part, MemorySource):
            return ["rows", [describe(getattr(part, name)) for name in ROW_PARTS]]
        if isinstance(part, tuple):
            return [type(part).__name__, [describe(value) for value in part]]
        arrays.append(np.asarray(part))
        return len(arrays) - 1

    buffer = io.BytesIO()
    shape = json.dumps(describe(answer))
    np.savez(buffer, *arrays, shape=np.frombuffer(shape.encode(), np.uint8), allow_pickle=False)
    return buffer.getvalue()


def unpacked(payload: bytes) -> Any:
    """The answer that `packed` wrote; nothing in it can run code."""
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        shape = json.loads(arrays["shape"].tobytes().decode())

        def build(part: Any) -> Any:
            if part is None:
                return None
            if isinstance(part, int):
                array = arrays[f"arr_{part}"]
                return array if array.ndim else array[()]
            name, values = part
            built = [build(value) for value in values]
            return MemorySource(*built) if name == "rows" else STATISTICS[name](*built)

        return build(shape)


@dataclass(frozen=True)
class RecordedSource:
    """A source whose passes and samples are recorded, or answered from the record.

    Attributes
    ----------
    source : Source
    log : Log
    """

    source: Source
    log: Log = field(compare=False)

    @property
    def n_rows(self) -> int:
        return self.source.n_rows

    @property
    def n_units(self) -> int:
        return self.source.n_units

    @property
    def n_columns(self) -> int:
        return self.source.n_columns

    @property
    def weight_sum(self) -> float:
        return self.source.weight_sum

    def blocks(self, width: int = 1) -> Iterator[Block]:
        return self.source.blocks(width)

    def reduce(self, step: Callable[[Block], Stats], width: int = 1) -> Stats:
        answer: Stats = self.log.next(lambda: self.source.reduce(step, width))
        return answer

    def sample(self, n_units: int, rng: np.random.Generator) -> MemorySource:
        state = rng.bit_generator.state
        drawn: MemorySource = self.log.next(lambda: self.source.sample(n_units, rng))
        # From the record or not, the generator goes on from where a draw leaves it.
        rng.bit_generator.state = state
        draw_units(self.n_units, n_units, rng)
        return drawn

    def mapped(self, function: Callable[[MemorySource], MemorySource]) -> RecordedSource:
        return RecordedSource(self.source.mapped(function), self.log)
