"""One component of a fitted mixture, seen as a regression of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from smmix.inference.table import parameter_table
from smmix.mixture.fitted import Fitted
from smmix.mixture.parameters import COEF, NUISANCE
from smmix.search.modes import component_sizes

__all__ = ["ComponentView", "component_views"]


@dataclass(frozen=True)
class ComponentView:
    """Estimates of one component under the names of its terms, as ``summary_col`` reads them.

    Attributes
    ----------
    number : int
    params, bse, tvalues, pvalues : Series
        Coefficients, common ones among them, then sigma (whose p-value is NaN).
    nobs : float
        Sum of the posteriors of the component over the rows.
    use_t : bool
    model : namespace
        ``endog_names``, ``exog_names`` and ``data.param_names``.
    """

    number: int
    params: pd.Series
    bse: pd.Series
    tvalues: pd.Series
    pvalues: pd.Series
    nobs: float
    use_t: bool
    model: SimpleNamespace
    _place: tuple[Fitted, np.ndarray]

    def __repr__(self) -> str:
        table = pd.DataFrame({"coef": self.params, "std err": self.bse})
        return f"{self.model.endog_names}\n{table}"

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals of the parameters of the component.

        Parameters
        ----------
        alpha : float
            The intervals have the level 1 - ``alpha``.

        Returns
        -------
        DataFrame, (p + 1, 2)

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.components[0].conf_int().loc["income"].round(3).tolist()
        [0.634, 0.686]
        """
        fitted, positions = self._place
        return pd.DataFrame(fitted.conf_int(alpha)[positions], self.params.index)


def component_views(fitted: Fitted) -> list[ComponentView]:
    """Views of all components."""
    specification = fitted.specification
    places = np.hstack([specification.parameters.by_component(kind) for kind in (COEF, NUISANCE)])
    sizes = component_sizes(specification.spec, fitted.unpacked, fitted.data.source)[0]
    table = parameter_table(fitted)
    table["ratio"] = table["estimate"] / table["std_err"]
    bare, views = replace(fitted, observed=None), []
    for c, row in enumerate(places):
        positions = row[row >= 0]
        own = table.iloc[positions].set_index("term").rename_axis(None)
        names = list(own.index)
        described = SimpleNamespace(
            endog_names=f"{specification.endog_name}, k={fitted.k} [{c}]",
            exog_names=names,
            data=SimpleNamespace(param_names=names),
        )
        views.append(
            ComponentView(
                c,
                own["estimate"].rename(None),
                own["std_err"].rename(None),
                own["ratio"].rename(None),
                own["p"].rename(None),
                float(sizes[c]),
                fitted.use_t,
                described,
                (bare, positions),
            )
        )
    return views
