"""How a summary is laid out: one set of strings, printed as text, HTML, LaTeX or CSV."""

from __future__ import annotations

import csv
import html
import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from statsmodels.iolib.summary import Summary
from statsmodels.iolib.table import SimpleTable
from statsmodels.iolib.tableformatting import fmt_2cols, fmt_params

__all__ = ["MixtureSummary", "Section", "latex_escape"]

#: Characters of a line of notes.
NOTE_WIDTH = 78

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": r"{[}",
    "]": r"{]}",
}


@dataclass(frozen=True)
class Section:
    """Rows of a table under one header.

    Attributes
    ----------
    header : sequence of str
        The section's title, then the names of the columns.
    rows : sequence of sequences of str
        Each as long as the header.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class MixtureSummary(Summary):
    """The summary of a mixture: a header of two columns, tables of sections, notes.

    Parameters
    ----------
    title : str
    left, right : sequences of (str, str)
        Labels and values of the header.
    tables : sequence of sequences of Section
        Sections of one table have the same number of columns.
    notes : sequence of str
        Sentences, numbered below the tables.
    """

    def __init__(
        self,
        title: str,
        left: Sequence[tuple[str, str]],
        right: Sequence[tuple[str, str]],
        tables: Sequence[Sequence[Section]],
        notes: Sequence[str],
    ):
        super().__init__()
        self._title, self._sections, self._notes = title, tables, list(notes)
        length = max(len(left), len(right))
        pad = [("", "")] * length
        pairs = zip([*left, *pad][:length], [*right, *pad][:length], strict=True)
        self._header = [(*a, *b) for a, b in pairs]
        self.tables = self._build(str)
        if notes:
            self.add_extra_txt(["Notes:", *map(_wrapped, range(1, len(notes) + 1), notes)])

    def _build(self, convert: Callable[[str], str]) -> list[SimpleTable]:
        """All tables, with ``convert`` applied to every cell."""
        title = convert(self._title)
        left = SimpleTable(
            [[convert(row[1])] for row in self._header],
            None,
            [convert(row[0]) for row in self._header],
            title=title,
            txt_fmt=fmt_2cols,
        )
        right = SimpleTable(
            [[convert(row[3])] for row in self._header],
            None,
            [convert(f"{'  ' + row[2]:<21}") for row in self._header],
            title=title,
            txt_fmt=fmt_2cols,
        )
        left.extend_right(right)
        built = [left]
        built += [_stacked(sections, convert) for sections in self._sections]
        return built

    def as_html(self) -> str:
        """The summary as HTML, names escaped.

        Returns
        -------
        str

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.summary().as_html()[:27]
        '<table class="simpletable">'
        """
        tables = "\n".join(table.as_html() for table in self._build(html.escape))
        if not self._notes:
            return tables
        notes = [f"[{i}] {html.escape(note)}" for i, note in enumerate(self._notes, 1)]
        return f"{tables}<br/><br/>{'<br/>'.join(['Notes:', *notes])}"

    def as_csv(self) -> str:
        """The summary as comma-separated values, one table below the other.

        Returns
        -------
        str

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.summary().as_csv().splitlines()[0]
        'Mixture of Linear Regressions Results'
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self._title])
        writer.writerows(self._header)
        for sections in self._sections:
            for section in sections:
                writer.writerow(section.header)
                writer.writerows([cell.strip() for cell in row] for row in section.rows)
        writer.writerows([note] for note in self._notes)
        return text.getvalue()

    def as_latex(self) -> str:
        """The summary as LaTeX: one tabular per table; needs the package booktabs.

        Returns
        -------
        str

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> "tabular" in results.summary().as_latex()
        True
        """
        parts = [r"\begin{center}", rf"\textbf{{{latex_escape(self._title)}}}\\[1ex]"]
        parts += _tabular("lrlr", [_latex_row(row) for row in self._header])
        for sections in self._sections:
            lines: list[str] = []
            for i, section in enumerate(sections):
                lines += [r"\midrule"] if i else []
                lines += [_latex_row(section.header, r"\textbf{%s}"), r"\midrule"]
                lines += map(_latex_row, section.rows)
            parts.append(r"\medskip")
            parts += _tabular("l" + "r" * (len(sections[0].header) - 1), lines)
        parts.append(r"\end{center}")
        notes = [f"[{i}] {note}" for i, note in enumerate(self._notes, 1)]
        if notes:
            parts.append("\\\\\n".join([r"\noindent Notes:", *map(latex_escape, notes)]))
        return "\n".join(parts)


def latex_escape(text: str) -> str:
    r"""The text with every character that LaTeX treats specially escaped.

    Examples
    --------
    >>> from smmix.reporting.tables import latex_escape
    >>> print(latex_escape("I(x ** 2) & a_b"))
    I(x ** 2) \& a\_b
    """
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _stacked(sections: Sequence[Section], convert: Callable[[str], str]) -> SimpleTable:
    """One table of all sections, so that their columns stand under each other."""
    names = [section.header[0] for section in sections]
    width = max(map(len, [*names, *(row[0] for s in sections for row in s.rows)]))
    table: SimpleTable = []
    for section in sections:
        part = SimpleTable(
            [list(map(convert, row[1:])) for row in section.rows],
            list(map(convert, section.header[1:])),
            [convert(row[0]) for row in section.rows],
            txt_fmt=fmt_params,
        )
        corner = part[0][0]
        corner.data, corner.row, corner._datatype = (
            convert(f"{section.header[0]:<{width}}"),
            part[0],
            None,
        )
        if not table:
            table = part
            continue
        table[-1].add_format("txt", row_dec_below="-")
        table.extend(part)
    for row in table:
        row.table = table
    return table


def _wrapped(number: int, note: str) -> str:
    return textwrap.fill(
        f"[{number}] {note}",
        NOTE_WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _tabular(columns: str, lines: Sequence[str]) -> list[str]:
    return [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _latex_row(cells: Sequence[str], style: str = "%s") -> str:
    escaped = [latex_escape(cell.strip()) for cell in cells]
    return " & ".join(style % cell if cell else "" for cell in escaped) + r" \\"
