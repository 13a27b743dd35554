"""Information criteria, and how well the posteriors tell the components apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import xlogy

from smmix.core.blocks import Block
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.errors import SmmixError

__all__ = ["CRITERIA", "Criteria", "Separation", "separation"]

#: Criteria in the order in which they are reported; smaller is better in the first twelve.
CRITERIA = (
    "aic", "aicc", "aic3", "bic", "caic", "sabic", "hqic", "icl", "icl_soft", "clc", "awe", "nec",
    "entropy", "entropy_r2",
)  # fmt: skip


class _Sums(NamedTuple):
    """What a pass over the posteriors adds up, case weights included."""

    units: np.ndarray  # (1,) sum of weights
    entropy: np.ndarray  # (1,)
    log_largest: np.ndarray  # (1,) sum of log max_c tau_c
    largest: np.ndarray  # (1,) sum of max_c tau_c
    expected: np.ndarray  # (K,) sum of posteriors
    assigned: np.ndarray  # (K,) units of highest posterior c
    agreeing: np.ndarray  # (K,) sum of tau_c over those
    prior: np.ndarray  # (K,) sum of prior probabilities


@dataclass(frozen=True)
class Separation:
    """Sums of posteriors over the units: all that criteria and tables need of them.

    A unit is a row, or a group when rows are grouped; case weights count.

    Attributes
    ----------
    n_units : float
        Sum of the units' weights.
    entropy : float
        -sum tau log tau.
    log_largest : float
        Sum of log max_c tau_c.
    error : float
        Expected share of units that are assigned to a wrong component.
    expected, assigned, agreeing, prior : ndarray, (K,)
        Sum of posteriors; units assigned to each component; the sum of their posteriors of it;
        average prior probabilities.
    """

    n_units: float
    entropy: float
    log_largest: float
    error: float
    expected: np.ndarray
    assigned: np.ndarray
    agreeing: np.ndarray
    prior: np.ndarray


def separation(spec: MixtureSpec, params: MixtureParams, source: MemorySource) -> Separation:
    """One pass over the data for the sums of the posteriors.

    Parameters
    ----------
    spec : MixtureSpec
    params : MixtureParams
        One parameter set (S = 1).
    source : MemorySource
    """

    def step(block: Block) -> _Sums:
        posterior, _, prior, _ = spec.posterior(params, block)
        tau = posterior[0]
        weight = np.ones(block.n_units) if block.weight is None else np.ravel(block.weight)
        label = tau.argmax(axis=0)
        largest = tau.max(axis=0)
        chosen = np.arange(tau.shape[0])[:, None] == label
        return _Sums(
            np.array([weight.sum()]),
            np.array([0.0 - xlogy(tau, tau).sum(axis=0) @ weight]),
            np.array([np.log(largest) @ weight]),
            np.array([largest @ weight]),
            tau @ weight,
            chosen @ weight,
            (chosen * tau) @ weight,
            np.broadcast_to(prior.probability[0], tau.shape) @ weight,
        )

    sums: _Sums = source.reduce(step, params.k)
    n_units = float(sums.units[0])
    return Separation(
        n_units,
        float(sums.entropy[0]),
        float(sums.log_largest[0]),
        1.0 - float(sums.largest[0]) / n_units,
        sums.expected,
        sums.assigned,
        sums.agreeing,
        sums.prior / n_units,
    )


def single_loglike(nobs: float, sigma: float) -> float:
    """Largest log-likelihood of one Gaussian regression with root mean square residual sigma."""
    return -0.5 * nobs * (float(np.log(2.0 * np.pi * sigma**2)) + 1.0)


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
    df: int
    nobs: float
    k: int
    posterior: Separation
    llf_single: float
    n_groups: float | None = None

    @cached_property
    def table(self) -> pd.Series:
        """All criteria by name; with groups also bic_groups, which counts groups, not rows."""
        return self.with_df(self.df)

    def with_df(self, df: float) -> pd.Series:
        """All criteria had the model ``df`` free parameters."""
        n, deviance = self.nobs, -2.0 * self.llf
        entropy = self.posterior.entropy
        left = n - df - 1.0
        aic, bic = deviance + 2.0 * df, deviance + df * np.log(n)
        values = {
            "aic": aic,
            "aicc": aic + 2.0 * df * (df + 1.0) / left if left > 0.0 else np.inf,
            "aic3": deviance + 3.0 * df,
            "bic": bic,
            "caic": bic + df,
            "sabic": deviance + df * np.log((n + 2.0) / 24.0),
            "hqic": deviance + 2.0 * df * np.log(np.log(n)),
            "icl": bic - 2.0 * self.posterior.log_largest,
            "icl_soft": bic + 2.0 * entropy,
            "clc": deviance + 2.0 * entropy,
            "awe": deviance + 2.0 * entropy + 2.0 * df * (1.5 + np.log(n)),
            "nec": self._nec(),
            "entropy": entropy,
            "entropy_r2": self._entropy_r2(),
        }
        if self.n_groups is not None:
            values["bic_groups"] = deviance + df * np.log(self.n_groups)
        return pd.Series({name: float(value) for name, value in values.items()}, name="value")

    def _nec(self) -> float:
        if self.k == 1:
            return 1.0
        gain = self.llf - self.llf_single
        return self.posterior.entropy / gain if gain > 0.0 else np.inf

    def _entropy_r2(self) -> float:
        if self.k == 1:
            return np.nan
        largest = self.posterior.n_units * np.log(self.k)
        # Equal posteriors have the largest entropy, but for rounding.
        return max(1.0 - self.posterior.entropy / largest, 0.0)

    def get(self, name: str, dk_params: float = 0) -> float:
        """One criterion, had the model ``dk_params`` more free parameters."""
        table = self.table if dk_params == 0 else self.with_df(self.df + dk_params)
        if not isinstance(name, str) or name not in table.index:
            raise SmmixError(
                f"There is no criterion {name!r}; take one of {', '.join(table.index)}."
            )
        return float(table[name])


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
