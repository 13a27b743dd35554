"""A table of marginal effects that prints itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pandas as pd

from smmix.mixture.fitted import Fitted
from smmix.reporting.tables import MixtureSummary, Section

__all__ = ["Margins"]


class Margins(pd.DataFrame):
    """Marginal effects: a DataFrame with a `summary`.

    Attributes
    ----------
    about : tuple of (str, str)
        Labels and values of the summary's header. What is computed from the table is a plain
        DataFrame.
    """

    _metadata: ClassVar[list[str]] = ["about"]
    about: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, table: pd.DataFrame, fitted: Fitted, at: Any) -> Margins:
        """The effects in a table, taken at ``at``."""
        made = cls(table)
        made.about = (
            ("Response:", fitted.specification.endog_name),
            ("Method:", "dydx of the mean"),
            ("At:", _place(at)),
            ("Covariance Type:", fitted.cov_type),
        )
        return made

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def summary(self) -> MixtureSummary:
        """The table with its header.

        Returns
        -------
        MixtureSummary
            Prints as text, HTML, LaTeX or CSV.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.margins().summary().as_text().splitlines()[0].strip()
        'Marginal Effects'
        """
        rows = [
            [str(name), *(_cell(str(column), value) for column, value in row.items())]
            for name, row in self.iterrows()
        ]
        header = ["", *map(str, self.columns)]
        sections = [[Section(header, rows)]]
        return MixtureSummary("Marginal Effects", self.about[:2], self.about[2:], sections, [])


def _place(at: Any) -> str:
    if at is None:
        return "overall"
    if not isinstance(at, Mapping):
        return str(at)
    return ", ".join(f"{name}={value}" for name, value in at.items())


def _cell(column: str, value: float) -> str:
    return f"{value:.3f}" if column in ("z", "t") or column.startswith("P>") else f"{value:.4g}"
