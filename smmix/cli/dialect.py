"""How a CSV file is written: its separators, decimal mark, missing values and encoding.

What is not said on the command line is found from the file where the file leaves no doubt. Numbers
are told from their shape: ``1.234,5`` and ``0,25`` are those of a decimal comma, ``1,234.5`` and
``1,234,567`` those of thousands; ``1,234`` alone may be either, and then the rest of the file has
to decide.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import pandas as pd

from smmix.errors import SmmixError

__all__ = ["Dialect", "convert_numbers", "described", "not_encoded", "sniffed"]

#: Bytes of a file that its separator is found from.
HEAD = 1 << 18
#: Rows that a separator must fit.
ROWS = 100
SEPARATORS = (",", ";", "\t", "|")
NAMES = {"tab": "\t", "space": r"\s+", "comma": ",", "semicolon": ";", "none": ""}
SPOKEN = {"\t": "tabs", r"\s+": "spaces", " ": "spaces"}
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: What the message calls an encoding; UTF-8 goes without saying.
NAMED = {"utf-16": "UTF-16", "cp1252": "Windows' encoding of western Europe (cp1252)"}
#: Characters that no text has.
CONTROL = re.compile(r"[\0-\x08\x0e-\x19\x1b-\x1f\x7f]")
#: The line by which spreadsheets tell the separator.
DECLARED = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
#: Missing values of Stata and SAS, plain and of several kinds (.a to .z).
POINT = re.compile(r"\.[A-Za-z_]?")
MARKS_OF_THOUSANDS = ("", ",", ".", " ", "'")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; None where it is to be found.

    Attributes
    ----------
    sep, decimal, thousands, encoding : str or None
        ``thousands`` is empty for none.
    na : tuple of str
        Texts that stand for a missing value, beside those that pandas knows.
    n_before : int
        Lines before the header.
    found : dict
        What was found that is not of the plainest kind, for the message that says so.
    """

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    na: tuple[str, ...] = ()
    n_before: int = 0
    found: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_options(
        cls,
        sep: str | None,
        decimal: str | None,
        thousands: str | None,
        na: str | None,
        encoding: str | None,
    ) -> Dialect:
        """The dialect that the options of the command line say.

        Raises
        ------
        SmmixError
            For a mark of several characters, marks that are the same, an unknown encoding.
        """
        sep, decimal = NAMES.get(sep or "", sep), NAMES.get(decimal or "", decimal)
        thousands = {"space": " "}.get(thousands or "", NAMES.get(thousands or "", thousands))
        for option, mark in (("--sep", sep), ("--decimal", decimal), ("--thousands", thousands)):
            if mark not in (None, "", r"\s+") and (len(mark) > 1 or mark.isalnum()):
                raise SmmixError(f"{option}: {mark!r} is no single sign, such as ';' or tab.")
        if decimal == "":
            raise SmmixError("--decimal: give the mark of decimals, such as ','.")
        if decimal is not None and decimal == thousands:
            raise SmmixError(f"--decimal and --thousands are both {decimal!r}.")
        if encoding is not None:
            try:
                # A codec that turns bytes into bytes, such as hex, is no encoding of text.
                "".encode(encoding)
            except (LookupError, ValueError) as error:
                raise SmmixError(
                    f"--encoding: {encoding!r} is unknown; common ones are utf-8, cp1252 (Windows) "
                    "and latin-1."
                ) from error
        texts = () if na is None else tuple(text.strip() for text in na.split(","))
        return cls(sep, decimal, thousands, encoding, texts)


def sniffed(open_source: Callable[[], BinaryIO], name: str, said: Dialect) -> Dialect:
    """The encoding and the separator of a file, as said or else as found.

    Raises
    ------
    SmmixError
        If the bytes are not those of the encoding, in doubt UTF-8.
    """
    dialect = replace(said, found={})
    encoding = said.encoding or _encoding(open_source)
    if said.encoding is None and encoding in NAMED:
        dialect.found["encoding"] = NAMED[encoding]
    text = _head(open_source, encoding, name)
    declared = DECLARED.match(text)
    sep = said.sep or (declared[1] if declared else _separator(text))
    if said.sep is None and sep != ",":
        dialect.found["sep"] = f"{SPOKEN.get(sep, repr(sep))} between fields"
    return replace(dialect, sep=sep, encoding=encoding, n_before=int(declared is not None))


def _encoding(open_source: Callable[[], BinaryIO]) -> str:
    """What the first bytes mark; UTF-8, unless a byte denies it and all are those of cp1252."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_source() as source:
        head = source.read(HEAD)
        marked = [encoding for mark, encoding in MARKS.items() if head.startswith(mark)]
        if marked:
            return marked[0]
        try:
            while head:
                decoder.decode(head)
                head = source.read(HEAD)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
    with open_source() as source:
        return "cp1252" if _is_western(source.read()) else "utf-8"


def _is_western(content: bytes) -> bool:
    """Whether the bytes read as cp1252 are a text in the Latin alphabet.

    Most words of western Europe that have a letter beyond ASCII have one of ASCII, too; Cyrillic,
    Greek and Chinese words read by the wrong encoding have none.
    """
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return False
    words = [word for word in re.findall(r"[^\W\d_]{2,}", text) if not word.isascii()]
    mixed = sum(re.search("[A-Za-z]", word) is not None for word in words)
    return CONTROL.search(text) is None and 2 * mixed >= len(words)


def _head(open_source: Callable[[], BinaryIO], encoding: str, name: str) -> str:
    with open_source() as source:
        head = source.read(HEAD)
    try:
        # What the end of the head has cut off is no fault of the file.
        return codecs.getincrementaldecoder(encoding)().decode(head, final=len(head) < HEAD)
    except UnicodeError as error:
        raise not_encoded(error, encoding, name) from error


def not_encoded(error: UnicodeError, encoding: str, name: str) -> SmmixError:
    """The error for bytes that are not of an encoding."""
    wanted = "UTF-8" if encoding.startswith("utf-8") else encoding
    place = ""
    if isinstance(error, UnicodeDecodeError):
        place = f" (byte 0x{error.object[error.start]:02x})"
    return SmmixError(
        f"{name}: not {wanted} text{place}; say what it is with --encoding, such as cp1252 for a "
        "file of Windows, or save it as UTF-8."
    )


def _separator(text: str) -> str:
    """The separator that all of the first rows have as often as the header; else the comma."""
    lines = text.splitlines()[: ROWS + 1]
    if len(text) >= HEAD:
        lines = lines[:-1] or lines
    fits = []
    for sep in SEPARATORS:
        rows = [row for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=sep) if row]
        if rows and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows):
            fits.append((len(rows[0]), sep))
    if "," in [sep for _, sep in fits] and len(fits) > 1:
        # "1,5;2,5" below "x,a;y,b" is odd; below "x;y" the comma does not fit the header.
        return max(fits)[1]
    if fits:
        return fits[0][1]
    header = next(csv.reader(lines[:1]), [""]) if lines else [""]
    others = [sep for sep in SEPARATORS[1:] if len(header) == 1 and sep in header[0]]
    return others[0] if len(others) == 1 else ","


def described(dialect: Dialect) -> str:
    """How a file was read; empty for the plainest way."""
    return f"read with {', '.join(dialect.found.values())}" if dialect.found else ""


def convert_numbers(
    frame: pd.DataFrame, texts: Callable[[], pd.DataFrame], dialect: Dialect
) -> pd.DataFrame:
    """Make numbers of columns that pandas read as text.

    Parameters
    ----------
    frame : DataFrame
        As pandas reads it with a decimal point.
    texts : callable
        Returns the same table with every field as it is written.
    dialect : Dialect
        What is said of the numbers; what is found is added to its ``found``.
    """
    said = dialect.decimal not in (None, ".") or bool(dialect.thousands)
    read = [title for title in frame.columns if pd.api.types.is_string_dtype(frame[title].dtype)]
    if not read and not said:
        return frame
    written = texts().apply(lambda column: column.str.strip())
    written = written.mask(frame.isna() | (written == "") | written.isin(dialect.na))
    decimal, thousands = marks = _marks(written, read, dialect)
    points: list[str] = []
    for title in frame.columns if marks != (".", "") else read:
        values = written[title].dropna()
        numeric = values.str.fullmatch(_pattern(decimal, thousands))
        missing = values.str.fullmatch(POINT)
        if not numeric.any() or not (numeric | missing).all():
            if title in read:
                frame[title] = frame[title].where(written[title].notna())
            continue
        if missing.any():
            points.append(title)
        plain = values[numeric]
        if thousands:
            plain = plain.str.replace(f"[{re.escape(_spaces(thousands))}]", "", regex=True)
        plain = plain.str.replace(decimal, ".", regex=False)
        frame[title] = pd.to_numeric(plain).reindex(frame.index)
    if points:
        dialect.found["na"] = f"'.' for missing values (in {points[0]!r})"
    return frame


def _marks(written: pd.DataFrame, read: list[str], dialect: Dialect) -> tuple[str, str]:
    """Decimal mark and mark of thousands, as said or as the columns of numbers leave no doubt."""
    if dialect.decimal is not None or dialect.thousands is not None:
        decimal = dialect.decimal or "."
        return decimal, dialect.thousands or ""
    kinds = [(decimal, mark) for decimal in ".," for mark in MARKS_OF_THOUSANDS if mark != decimal]
    numbers = {}
    for title, column in written.items():
        fields = column.dropna()
        fields = fields[~fields.str.fullmatch(POINT)]
        if not len(fields):
            continue
        able = {kind for kind in kinds if fields.str.fullmatch(_pattern(*kind)).all()}
        if able:
            numbers[str(title)] = able
    doubtful = [title for title in read if title in numbers and (".", "") not in numbers[title]]
    if not doubtful:
        return ".", ""
    # Of what stays in doubt, a formula that uses it says so.
    common = set.intersection(*numbers.values())
    decimals = {decimal for decimal, _ in common}
    if len(decimals) > 1 and dialect.sep == ",":
        # A file with commas between fields has points for decimals, unless a number denies it.
        decimals = {"."}
    if len(decimals) != 1:
        return ".", ""
    decimal = decimals.pop()
    mark = next(mark for mark in MARKS_OF_THOUSANDS if (decimal, mark) in common)
    if decimal == ",":
        dialect.found["decimal"] = "',' for decimals"
    if mark:
        dialect.found["thousands"] = f"{mark!r} for thousands"
    return decimal, mark


def _spaces(mark: str) -> str:
    """A space may be one that does not break a line, wide or narrow."""
    return " \u00a0\u202f" if mark == " " else mark


def _pattern(decimal: str, thousands: str) -> str:
    whole = r"\d+"
    if thousands:
        whole = rf"(?:\d{{1,3}}(?:[{re.escape(_spaces(thousands))}]\d{{3}})+|\d+)"
        if decimal != "." or thousands == ",":
            # A number that begins with zero has no thousands: 0.123, but 0 and 0,5.
            whole = rf"(?:[1-9]\d{{0,2}}(?:[{re.escape(_spaces(thousands))}]\d{{3}})+|\d+)"
    mark = re.escape(decimal)
    return rf"[-+]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][-+]?\d+)?"
