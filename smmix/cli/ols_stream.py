"""A filter on standard input: training rows, then rows to predict; out come the predictions.

The input is ``F N``, then N rows of F features and the response, then ``T`` and T rows of F
features. Numbers are separated by spaces, tabs and line ends; several rows may stand on a line and
blank lines between them, but no row is split over lines.
"""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple, NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from smmix.errors import SmmixError
from smmix.ols.rows import ArrayRows, Rows
from smmix.ols.solve import fit_rows

__all__ = ["run"]

#: Characters read and parsed at a time.
CHUNK = 1 << 24
#: Predictions written at a time.
LINES = 1 << 16
#: A byte order mark, read as UTF-8 and as an encoding of one byte a character.
MARKS = ("\ufeff", "\xef\xbb\xbf")
WORD = re.compile(r"[^ \t\n\v\f\r]+")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Numbers(NamedTuple):
    """All numbers of the input, and how many of them stand on the first 1, 2, .. lines."""

    values: NDArray[np.float64]
    through_line: NDArray[np.int64]

    def line_of(self, position: int) -> int:
        """Line, counted from 1, of the number at a position; the last line when there is none."""
        if position >= len(self.values):
            return int(np.searchsorted(self.through_line, len(self.values))) + 1
        return int(np.searchsorted(self.through_line, position, side="right")) + 1


def run(stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    r"""Read the problem from ``stdin``, print a prediction with two decimals per row asked for.

    Parameters
    ----------
    stdin, stdout, stderr : text streams

    Returns
    -------
    int
        Exit code: 0, or 2 when the input is not as described; then ``stderr`` has one line that
        names the line of the input and what was expected there.

    Examples
    --------
    >>> import io, sys
    >>> from smmix.cli.ols_stream import run
    >>> run(io.StringIO("1 3  1 2  2 4  3 6\n2\n4\n5\n"), sys.stdout, sys.stderr)
    8.00
    10.00
    0
    """
    try:
        numbers = _read(stdin)
        n_features, train, new = _parse(numbers)
        design = _with_ones(train[:, :n_features])
        names = ["constant", *(f"feature {j + 1}" for j in range(n_features))]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            coef = fit_rows(ArrayRows(Rows(design, train[:, n_features]), names), "auto").coef
        predictions = new @ coef[1:] + coef[0]
    except SmmixError as error:
        stderr.write(f"smmix ols: {error}\n")
        return 2
    for warning in caught:
        stderr.write(f"smmix ols: warning: {warning.message}\n")
    for start in range(0, len(predictions), LINES):
        part = predictions[start : start + LINES].tolist()
        stdout.write("".join(f"{_no_minus_zero(value)}\n" for value in part))
    return 0


def _no_minus_zero(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def _with_ones(x: np.ndarray) -> np.ndarray:
    design = np.empty((len(x), x.shape[1] + 1))
    design[:, 0] = 1.0
    design[:, 1:] = x
    return design


def _read(stream: TextIO) -> Numbers:
    """Parse the whole stream; raise at the first thing that is no finite number."""
    values: list[np.ndarray] = []
    through: list[np.ndarray] = []
    n_values = n_lines = 0
    rest = ""
    first = True
    while True:
        text = stream.read(CHUNK)
        if first:
            text, first = text.removeprefix(MARKS[0]).removeprefix(MARKS[1]), False
        # A chunk is parsed up to its last line end, or to the end of the input.
        end = text.rfind("\n") + 1 if text else 0
        block, rest = (rest + text[:end], text[end:]) if end or not text else ("", rest + text)
        if block:
            parsed, counts = _numbers_of(block, n_lines)
            values.append(parsed)
            through.append(n_values + counts)
            n_values += len(parsed)
            n_lines += len(counts)
        if not text:
            break
    if not n_values:
        raise SmmixError("line 1: expected 'F N', the numbers of features and of rows, found none.")
    return Numbers(np.concatenate(values), np.concatenate(through))


def _numbers_of(block: str, first_line: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of whole lines, and how many of them come up to the end of each line."""
    # Characters outside Latin-1 are no part of a number, and NUL is none either.
    raw = np.frombuffer(block.encode("latin-1", "replace"), dtype=np.uint8)
    space = (raw == 32) | ((raw >= 9) & (raw <= 13))
    starts = ~space
    starts[1:] &= space[:-1]
    so_far = np.cumsum(starts)
    ends = np.flatnonzero(raw == 10)
    if raw[-1] != 10:
        ends = np.append(ends, len(raw) - 1)
    counts = so_far[ends]
    if not counts[-1]:
        return np.empty(0), counts
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            parsed = np.fromstring(block, dtype=float, sep=" ")
    except (DeprecationWarning, ValueError):
        parsed = np.empty(0)
    if len(parsed) != counts[-1] or not np.isfinite(parsed).all():
        _complain(block, first_line)
    return parsed, counts


def _complain(block: str, first_line: int) -> NoReturn:
    """Raise for the first word of some lines that is no finite number."""
    for number, line in enumerate(block.split("\n"), first_line + 1):
        for word in WORD.findall(line):
            if not NUMBER.fullmatch(word) or not np.isfinite(float(word)):
                raise SmmixError(f"line {number}: expected a finite number, found {word!r}.")
    raise SmmixError(f"line {first_line + 1} and those after it cannot be read as numbers.")


def _parse(numbers: Numbers) -> tuple[int, np.ndarray, np.ndarray]:
    """F, the training rows (N, F + 1) and the rows to predict (T, F)."""
    values, found = numbers.values, len(numbers.values)
    n_features = _count(numbers, 0, "F, the number of features", 1)
    n_rows = _count(numbers, 1, "N, the number of training rows", 1)
    width = n_features + 1
    end = 2 + n_rows * width
    _refuse_split_rows(numbers, n_features, end)
    if found < end:
        raise SmmixError(
            f"line {numbers.line_of(found)}: expected {n_rows} training rows of {n_features} "
            f"features and the response, found the end of the input after {(found - 2) // width}."
        )
    n_new = _count(numbers, end, "T, the number of rows to predict", 0)
    last = end + 1 + n_new * n_features
    if found < last:
        raise SmmixError(
            f"line {numbers.line_of(found)}: expected {n_new} rows of {n_features} features to "
            f"predict, found the end of the input after {(found - end - 1) // n_features}."
        )
    if found > last:
        raise SmmixError(
            f"line {numbers.line_of(last)}: expected the end of the input after {n_new} rows to "
            f"predict, found {values[last]:g}."
        )
    new = values[end + 1 :].reshape(n_new, n_features)
    return n_features, values[2:end].reshape(n_rows, width), new


def _count(numbers: Numbers, position: int, what: str, least: int) -> int:
    line = numbers.line_of(position)
    if position >= len(numbers.values):
        raise SmmixError(f"line {line}: expected {what}, found the end of the input.")
    value = float(numbers.values[position])
    if value < least or value != int(value):
        raise SmmixError(
            f"line {line}: expected {what}, a whole number not below {least}, found {value:g}."
        )
    return int(value)


def _refuse_split_rows(numbers: Numbers, n_features: int, end: int) -> None:
    """A line that ends within a row has a number too few or too many."""
    through, width = numbers.through_line, n_features + 1
    training = (through > 2) & (through < end)
    split = training & ((through - 2) % width != 0)
    split |= (through > end) & ((through - end - 1) % n_features != 0)
    if not split.any():
        return
    line = int(split.argmax())
    before = int(through[line - 1]) if line else 0
    rows = (
        f"{width} numbers a row, {n_features} features and the response"
        if training[line]
        else f"{n_features} features a row"
    )
    raise SmmixError(
        f"line {line + 1}: expected {rows}, found a line of {int(through[line]) - before}."
    )
