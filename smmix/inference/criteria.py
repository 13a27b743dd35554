"""Information criteria, and how well the posteriors tell the components apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.mixture.fitted import Fitted
from smmix.mixture.separation import Separation

__all__ = ["CRITERIA", "Criteria", "Criterion", "classification_table"]


@dataclass(frozen=True)
class Criteria:
    """Information criteria of one fit.

    Attributes
    ----------
    llf : float
        Log-likelihood at the maximum.
    df : int
        Free parameters.
    nobs : float
        Observations: the sum of the frequency weights. BIC and its kin take their logarithm.
    k : int
        Components.
    posterior : Separation
    llf_single : float
        Log-likelihood of one regression, for NEC.
    n_groups : float or None
        Groups, when rows are grouped.

    Notes
    -----
    With l the log-likelihood, n the observations and EN the entropy of the posteriors:
    aic = -2 l + 2 df; aicc = aic + 2 df (df + 1) / (n - df - 1); aic3 = -2 l + 3 df;
    bic = -2 l + df log n; caic = -2 l + df (log n + 1) [1]_; sabic = -2 l + df log((n + 2) / 24)
    [2]_; hqic = -2 l + 2 df log log n; icl = bic - 2 sum log max tau, as flexmix and mclust print
    it [3]_; icl_soft = bic + 2 EN [4]_; clc = -2 l + 2 EN; awe = -2 l + 2 EN + 2 df (3/2 + log n)
    [5]_; nec = EN / (l - l_1), one for k = 1 [6]_; entropy = EN; entropy_r2 = 1 - EN / (n log k)
    with n the units (groups when rows are grouped), undefined (NaN) for k = 1 [7]_.

    References
    ----------
    .. [1] Bozdogan, H. (1987). Model selection and Akaike's information criterion (AIC).
       Psychometrika 52, 345-370.
    .. [2] Sclove, S. L. (1987). Application of model-selection criteria to some problems in
       multivariate analysis. Psychometrika 52, 333-343.
    .. [3] Biernacki, C., Celeux, G. and Govaert, G. (2000). Assessing a mixture model for
       clustering with the integrated completed likelihood. IEEE PAMI 22, 719-725.
    .. [4] McLachlan, G. and Peel, D. (2000). Finite Mixture Models. Wiley.
    .. [5] Banfield, J. D. and Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian
       clustering. Biometrics 49, 803-821.
    .. [6] Celeux, G. and Soromenho, G. (1996). An entropy criterion for assessing the number of
       clusters in a mixture model. Journal of Classification 13, 195-212.
    .. [7] Ramaswamy, V., DeSarbo, W. S., Reibstein, D. J. and Robinson, W. T. (1993). An empirical
       pooling approach for estimating marketing mix elasticities with PIMS data.
       Marketing Science 12, 103-124.
    """

    llf: float
    df: float
    nobs: float
    k: int
    posterior: Separation
    llf_single: float
    n_groups: float | None = None

    @classmethod
    def of(cls, fitted: Fitted) -> Criteria:
        """The criteria of a fit; a pass over its data, unless it was made before."""
        groups = None if fitted.observed is None else fitted.observed.n_groups
        return cls(
            fitted.llf,
            fitted.specification.n_free,
            fitted.nobs,
            fitted.k,
            fitted.separation,
            fitted.llf_single,
            None if groups is None else float(groups),
        )

    @cached_property
    def table(self) -> pd.Series:
        """All criteria by name; with groups also bic_groups, which counts groups, not rows."""
        return self.with_df(self.df)

    def with_df(self, df: float) -> pd.Series:
        """All criteria had the model ``df`` free parameters."""
        counted = replace(self, df=df)
        values = {c.name: float(c.value(counted)) for c in CRITERIA.values()}
        if self.n_groups is not None:
            values["bic_groups"] = self.deviance + df * float(np.log(self.n_groups))
        return pd.Series(values, name="value")

    @property
    def deviance(self) -> float:
        return -2.0 * self.llf

    @property
    def log_n(self) -> float:
        return float(np.log(self.nobs))

    @property
    def bic(self) -> float:
        return self.deviance + self.df * self.log_n

    @property
    def entropy(self) -> float:
        return self.posterior.entropy

    def get(self, name: str, dk_params: float = 0) -> float:
        """One criterion, had the model ``dk_params`` more free parameters."""
        table = self.table if dk_params == 0 else self.with_df(self.df + dk_params)
        if not isinstance(name, str) or name not in table.index:
            raise SmmixError(
                f"There is no criterion {name!r}; take one of {', '.join(table.index)}."
            )
        return float(table[name])


@dataclass(frozen=True)
class Criterion:
    """An information criterion.

    Attributes
    ----------
    name : str
    label : str
        As tables and pictures print it.
    smaller_is_better : bool or None
        None for what measures no quality of a fit by itself.
    value : callable
        Takes `Criteria`.
    """

    name: str
    label: str
    smaller_is_better: bool | None
    value: Callable[[Criteria], float]


def _aicc(c: Criteria) -> float:
    left = c.nobs - c.df - 1.0
    return c.deviance + 2.0 * c.df + (2.0 * c.df * (c.df + 1.0) / left if left > 0.0 else np.inf)


def _nec(c: Criteria) -> float:
    if c.k == 1:
        return 1.0
    gain = c.llf - c.llf_single
    return c.entropy / gain if gain > 0.0 else np.inf


def _entropy_r2(c: Criteria) -> float:
    if c.k == 1:
        return np.nan
    # Equal posteriors have the largest entropy, but for rounding.
    return max(1.0 - c.entropy / (c.posterior.n_units * np.log(c.k)), 0.0)


#: Every criterion by name, in the order in which they are reported.
CRITERIA = {
    c.name: c
    for c in (
        Criterion("aic", "AIC", True, lambda c: c.deviance + 2.0 * c.df),
        Criterion("aicc", "AICC", True, _aicc),
        Criterion("aic3", "AIC3", True, lambda c: c.deviance + 3.0 * c.df),
        Criterion("bic", "BIC", True, lambda c: c.bic),
        Criterion("caic", "CAIC", True, lambda c: c.bic + c.df),
        Criterion("sabic", "SABIC", True, lambda c: c.deviance + c.df * np.log((c.nobs + 2) / 24)),
        Criterion("hqic", "HQIC", True, lambda c: c.deviance + 2.0 * c.df * np.log(c.log_n)),
        Criterion("icl", "ICL", True, lambda c: c.bic - 2.0 * c.posterior.log_largest),
        Criterion("icl_soft", "ICL_SOFT", True, lambda c: c.bic + 2.0 * c.entropy),
        Criterion("clc", "CLC", True, lambda c: c.deviance + 2.0 * c.entropy),
        Criterion(
            "awe",
            "AWE",
            True,
            lambda c: c.deviance + 2.0 * c.entropy + 2.0 * c.df * (1.5 + c.log_n),
        ),
        Criterion("nec", "NEC", True, _nec),
        Criterion("entropy", "ENTROPY", None, lambda c: c.entropy),
        Criterion("entropy_r2", "Entr. R2", None, _entropy_r2),
    )
}


def classification_table(posterior: Separation, shares: np.ndarray) -> pd.DataFrame:
    """How well the units (rows, or groups of them) are told apart, by component.

    Parameters
    ----------
    posterior : Separation
    shares : ndarray, (K,)
        Mixing weights.

    Returns
    -------
    DataFrame, (k, 5)
        ``share``, the mixing weight; ``expected_n``, the sum of the posteriors; ``assigned_n``,
        units whose highest posterior is this component's; ``avepp``, their average posterior of
        it, above 0.7 as a usual rule; ``occ``, the odds of a correct assignment relative to
        guessing by the shares, above 5 as a usual rule [1]_. The last two are NaN for a component
        that no unit is assigned to.

    References
    ----------
    .. [1] Nagin, D. S. (2005). Group-Based Modeling of Development. Harvard University Press.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.classification_table()["assigned_n"].tolist()
    [190.0, 45.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        average = posterior.agreeing / posterior.assigned
        odds = average / (1.0 - average) / (shares / (1.0 - shares))
    index = pd.RangeIndex(len(shares), name="component")
    return pd.DataFrame(
        {
            "share": shares,
            "expected_n": posterior.expected,
            "assigned_n": posterior.assigned,
            "avepp": average,
            "occ": odds,
        },
        index=index,
    )
