"""One component of a fitted mixture, seen as a regression of its own."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from smmix.results import MixtureResults

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
    _place: tuple[MixtureResults, np.ndarray]

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
        results, positions = self._place
        interval = np.asarray(results.conf_int(alpha))[positions]
        return pd.DataFrame(interval, self.params.index)


def component_views(results: MixtureResults, sizes: np.ndarray) -> list[ComponentView]:
    """Views of all components.

    Parameters
    ----------
    results : MixtureResults
    sizes : ndarray, (k,)
        Sum of posteriors over rows.
    """
    model = results.model
    layout, basis = model.layout, model.expand.basis
    estimates = np.asarray(results.params), np.asarray(results.bse)
    tests = np.asarray(results.tvalues), np.asarray(results.pvalues)
    views = []
    for c in range(model.k):
        rows = layout.component(c)[: layout.p + layout.d]
        names = [*model.design.exog_names, "sigma"]
        held = basis[rows].any(axis=1)
        positions = basis[rows[held]].argmax(axis=1)
        index = [name for name, has in zip(names, held, strict=True) if has]
        params, bse, tvalues, pvalues = (
            pd.Series(part[positions], index) for part in (*estimates, *tests)
        )
        described = SimpleNamespace(
            endog_names=f"{model.endog_names} [{c}]",
            exog_names=index,
            data=SimpleNamespace(param_names=index),
        )
        views.append(
            ComponentView(
                number=c,
                params=params,
                bse=bse,
                tvalues=tvalues,
                pvalues=pvalues,
                nobs=float(sizes[c]),
                use_t=results.use_t,
                model=described,
                _place=(results, positions),
            )
        )
    return views
