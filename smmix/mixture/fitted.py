"""A fit as one value: what is fitted, the estimates, and how they are inferred from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import stats

from smmix.core.family_list import FamilyList
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams
from smmix.core.scale import relative_spread
from smmix.core.statistics import InfoStats
from smmix.errors import SmmixError
from smmix.mixture.boundary import Boundary
from smmix.mixture.evaluate import mean_prior, mixing_shares, posterior_at
from smmix.mixture.numbering import component_order
from smmix.mixture.observed import Observed, refuse_rows
from smmix.mixture.separation import Separation, separation
from smmix.mixture.specification import Specification
from smmix.search.conditioning import Directions
from smmix.search.control import SearchControl
from smmix.search.labelling import exchangeable
from smmix.search.modes import Mode, Modes
from smmix.search.rule import Clause
from smmix.search.search import find_modes
from smmix.support.checks import check_alpha

__all__ = ["Face", "Fit", "FitRecord", "Fitted", "fitted_of"]

#: What a fit without its rows can still tell when it was computed before.
COMPUTED = ("mean_prior", "mixing_weights", "separation", "llf_single", "starts")


@dataclass(frozen=True)
class FitRecord:
    """What a search found, and how its components are to be numbered.

    Attributes
    ----------
    modes : Modes
    method : str
    order : str or None
        None keeps the numbers that the search gave.
    """

    modes: Modes
    method: str
    order: str | None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted mixture; tests, intervals, predictions, tables and pictures are functions of it.

    Attributes
    ----------
    specification : Specification
    params : ndarray, (V,)
    covariance : ndarray, (V, V), or None
        None when the information could not be inverted.
    use_t : bool
        Whether tests and intervals refer to Student's t.
    df_t : float
        Its degrees of freedom.
    cov_type : str
    cov_sentence : str
        What a summary says of the covariance.
    llf, nobs, df_resid : float
    converged : bool
    status : str
        How the fit ended, in words.
    prior : tuple of ndarray, or None
        Mixing weights (k,) and their derivatives (k, V), when they are known already.
    observed : Observed or None
        None for a fit without its data.
    record : FitRecord or None
        The search.
    row : int
        The mode in it.
    curvature : float
        Smallest eigenvalue of the observed information relative to known memberships.
    info : InfoStats or None
        Derivatives of the log-likelihood at the estimates, in the full vector.
    directions : Directions or None
        The same in coordinates that are well-conditioned, and where parameters are free.
    boundary : tuple of Boundary
        Parameters whose maximum lies at the end of their range.
    whole : Fitted or None
        The fit of several outcomes that this is one of.
    """

    specification: Specification
    params: np.ndarray
    covariance: np.ndarray | None
    use_t: bool
    df_t: float
    cov_type: str
    cov_sentence: str
    llf: float
    nobs: float
    df_resid: float
    converged: bool
    status: str
    prior: tuple[np.ndarray, np.ndarray] | None = None
    observed: Observed | None = None
    record: FitRecord | None = None
    row: int = 0
    curvature: float = np.nan
    info: InfoStats | None = None
    directions: Directions | None = None
    boundary: tuple[Boundary, ...] = ()
    whole: Fitted | None = None

    # -- how it is inferred from ----------------------------------------------------------------

    @property
    def df_inference(self) -> float | None:
        """Degrees of freedom of Student's t; None for the normal distribution."""
        return self.df_t if self.use_t else None

    @property
    def letter(self) -> str:
        """What a ratio of an estimate to its error is called."""
        return "t" if self.use_t else "z"

    def two_sided(self, ratio: Any) -> Any:
        """Two-sided p-values of ratios of estimates to their standard errors."""
        size = np.abs(ratio)
        df = self.df_inference
        return 2.0 * (stats.norm.sf(size) if df is None else stats.t.sf(size, df))

    def quantile(self, alpha: float) -> float:
        """How many standard errors an interval of level 1 - ``alpha`` reaches to each side.

        Raises
        ------
        SmmixError
            If ``alpha`` is not between 0 and 1.
        """
        check_alpha(alpha)
        df = self.df_inference
        tail = alpha / 2.0
        return float(stats.norm.isf(tail) if df is None else stats.t.isf(tail, df))

    def tail(self, statistic: float, df: int) -> tuple[float, float]:
        """A Wald statistic as it is reported, chi-squared or F, and its p-value."""
        if self.df_inference is None:
            return statistic, float(stats.chi2.sf(statistic, df))
        return statistic / df, float(stats.f.sf(statistic / df, df, self.df_inference))

    def required_covariance(self) -> np.ndarray:
        """Covariance of the estimates, refused when there is none."""
        if self.covariance is None:
            raise SmmixError(
                "There is no covariance matrix, because the information could not be inverted; "
                "use results.bootstrap() or simplify the model."
            )
        return self.covariance

    def errors_of(self, jacobian: np.ndarray) -> np.ndarray:
        """Standard errors (J,) of functions with ``jacobian`` (J, V); NaN without a covariance."""
        if self.covariance is None:
            return np.full(jacobian.shape[0], np.nan)
        variance = np.einsum("ij,jk,ik->i", jacobian, self.covariance, jacobian)
        return np.sqrt(np.maximum(variance, 0.0))

    @property
    def bse(self) -> np.ndarray:
        """Standard errors, (V,); NaN without a covariance."""
        if self.covariance is None:
            return np.full(self.params.size, np.nan)
        with np.errstate(invalid="ignore"):
            error = np.sqrt(np.diag(self.covariance))
        error[self.at_boundary] = np.nan
        return error

    @property
    def at_boundary(self) -> list[int]:
        """Positions of the parameters that stay at the end of their range."""
        names = self.specification.param_names
        return [names.index(entry.parameter) for entry in self.boundary if entry.held]

    def conf_int(self, alpha: float = 0.05) -> np.ndarray:
        """Symmetric intervals of level 1 - ``alpha``, (V, 2)."""
        reach = self.quantile(alpha) * self.bse
        return np.column_stack([self.params - reach, self.params + reach])

    # -- estimates ------------------------------------------------------------------------------

    @property
    def k(self) -> int:
        return self.specification.k

    @cached_property
    def unpacked(self) -> MixtureParams:
        """The estimates as the core's parameters."""
        return self.specification.unpack(self.params)

    @property
    def components(self) -> pd.RangeIndex:
        """Numbers of the components."""
        return pd.RangeIndex(self.k, name="component")

    @property
    def coef(self) -> pd.DataFrame:
        """Coefficients, columns x components; zero where a component lacks a column."""
        names = self.specification.exog_names
        return pd.DataFrame(self.unpacked.coef[0].T, names, self.components)

    @property
    def sigma(self) -> pd.Series:
        """Sigma of each component; NaN for components of families without one.

        Raises
        ------
        SmmixError
            If no component has a sigma.
        """
        values = self.nuisance
        if "sigma" not in values.index:
            raise SmmixError(
                f"{self.specification.family.label.capitalize()} have no sigma; see "
                "results.nuisance for the parameters that they have beside the coefficients."
            )
        return pd.Series(values.loc["sigma"], name="sigma")

    @property
    def nuisance(self) -> pd.DataFrame:
        """Parameters beside the coefficients, parameters x components; NaN where there is none."""
        family = self.specification.family
        values = self.unpacked.nuisance[0].T.copy()
        if isinstance(family, FamilyList):
            values[~family.present.T] = np.nan
        names = [parameter.name for parameter in family.nuisance]
        return pd.DataFrame(values, pd.Index(names, name="parameter"), self.components)

    @property
    def spread(self) -> pd.Series:
        """Spread of the errors of each component, relative to the largest; ones without a scale."""
        values = relative_spread(self.specification.family, self.unpacked.nuisance)[0]
        return pd.Series(values, self.components, name="spread")

    @cached_property
    def mean_prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mixing weights (k,) and their derivatives (k, V) in the parameters."""
        if self.prior is not None:
            return self.prior
        return mean_prior(self.specification, self.data, self.params)

    @cached_property
    def mixing_weights(self) -> pd.Series:
        """Mixing weights; with concomitants the average of the prior probabilities."""
        if self.specification.concomitant_names is None:
            prior = self.specification.mixing.prior(self.unpacked.mixing, None)
            weights = prior.probability[0, :, 0]
        else:
            weights = self.mean_prior[0]
        return pd.Series(weights, self.components, name="weight")

    @cached_property
    def posterior(self) -> np.ndarray:
        """Posterior probabilities of the units, (u, k); of one outcome those by all outcomes."""
        if self.whole is None:
            return posterior_at(self.specification, self.data, self.params)
        units, every = self.data.units, self.whole.data
        of_all, first = every.units.codes, every.rows_of_data()[1]
        assert of_all is not None, "outcomes of a row form a unit"
        known = every.rows().positions[first]
        unit = of_all[first][np.searchsorted(known, self.data.rows().positions)]
        return self.whole.posterior[unit if units.first is None else unit[units.first]]

    # -- rows and search ------------------------------------------------------------------------

    @property
    def data(self) -> Observed:
        """The rows, refused when the fit has none."""
        if self.observed is None:
            raise refuse_rows(read=True)
        return self.observed

    @property
    def modes(self) -> Modes:
        """The modes that the search found."""
        if self.record is None:
            raise SmmixError("A fit that was read from a file has no record of its search.")
        return self.record.modes

    @property
    def mode(self) -> Mode:
        """The mode that this fit is."""
        return self.modes.modes[self.row]

    @property
    def order(self) -> str | None:
        """The rule that numbers the components; None when they keep the numbers given."""
        record = self.record
        sets = exchangeable(self.specification.spec, self.specification.told_apart)
        tied = all(len(members) == 1 for members in sets)
        return None if record is None or tied else record.order

    def said(self, clause: Clause, mode: Mode | None = None) -> str:
        """A clause of the rule on a mode, its component numbered as the results of it are."""
        if clause.component is None:
            return clause.words
        params = (self.mode if mode is None else mode).params
        assert self.record is not None, "only modes of a search are judged"
        order = component_order(self.specification, self.data, params, self.record.order)
        return clause.numbered(order)

    @cached_property
    def separation(self) -> Separation:
        """Sums of the posteriors over the units."""
        return separation(self.specification.spec, self.unpacked, self.data.source)

    @cached_property
    def llf_single(self) -> float:
        """Log-likelihood of one regression; NaN where components are of different families."""
        specification, data = self.specification, self.data
        if isinstance(specification.family, FamilyList):
            return np.nan
        layout = replace(specification.layout, k=1)
        single = MixtureSpec(specification.family, specification.mixing, layout)
        rng = np.random.default_rng(0)
        source = data.source.mapped(_of_unknown_members)
        modes = find_modes(single, source, SearchControl(), rng, pooled=data.pooled)
        return modes.modes[0].loglike

    @cached_property
    def starts(self) -> pd.DataFrame:
        """The distinct modes that the search found, best first."""
        modes, seen = self.modes.modes, (self.specification, self.data)
        return pd.DataFrame(
            {
                "llf": [mode.loglike for mode in modes],
                "hits": [mode.hits for mode in modes],
                "min_weight": [mixing_shares(*seen, mode.params).min() for mode in modes],
                "sigma_ratio": [mode.spread_ratio for mode in modes],
                "degenerate": [mode.degenerate for mode in modes],
                "reason": [self.said(mode.reason, mode) for mode in modes],
                "selected": np.arange(len(modes)) == self.row,
            }
        )

    @property
    def unseen(self) -> float:
        """Share of the starts that alone led to their mode; NaN where fewer than two did."""
        hits = np.array([mode.hits for mode in self.modes.modes])
        return float((hits == 1).sum() / hits.sum()) if hits.sum() > 1 else np.nan

    def beside(self, observed: Observed) -> Fitted:
        """The same fit beside other rows, or without them; what was computed is kept."""
        other = replace(self, observed=observed)
        other.__dict__.update({n: v for n, v in self.__dict__.items() if n in COMPUTED})
        return other


def _of_unknown_members(rows: MemorySource) -> MemorySource:
    return replace(rows, membership=None)


class Face(Protocol):
    """What shows a fit to users: results, and fits that were read."""

    @property
    def fitted(self) -> Fitted: ...


#: A fit, or what shows it.
Fit = Fitted | Face


def fitted_of(fit: Fit) -> Fitted:
    """The value behind what a user holds."""
    return fit if isinstance(fit, Fitted) else fit.fitted
