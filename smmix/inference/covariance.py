"""Covariance matrices of the estimates, and the delta method for what depends on them.

With A the observed information and B the sum of outer products of the units' scores, the
covariance is A^-1 (observed information), B^-1 (OPG) or the sandwich A^-1 B A^-1 [1]_ [2]_. Under
linear restrictions the matrices are those of the free parameters and the result is singular.

References
----------
.. [1] White, H. (1982). Maximum likelihood estimation of misspecified models.
   Econometrica 50, 1-25.
.. [2] Boldea, O. and Magnus, J. R. (2009). Maximum likelihood estimation of the multivariate
   normal mixture model. Journal of the American Statistical Association 104, 1539-1549.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special
from statsmodels.tools.sm_exceptions import HessianInversionWarning

from smmix.errors import SmmixError
from smmix.inference.clusters import unit_clusters
from smmix.large.build import frequency_meat
from smmix.mixture.evaluate import score_obs_at
from smmix.mixture.fitted import Fit, fitted_of
from smmix.mixture.observed import Observed
from smmix.mixture.parameters import NUISANCE
from smmix.mixture.specification import Specification
from smmix.search.conditioning import Directions
from smmix.support.callers import user_level
from smmix.support.checks import shown

__all__ = [
    "COV_TYPES",
    "CovarianceType",
    "Estimate",
    "bootstrap_covariance",
    "check_cov_type",
    "covariance",
    "proportions",
    "sigmas",
]

#: What cov_type="bootstrap" may be told when it has no replicates yet.
BOOTSTRAP_OPTIONS = frozenset({"n_boot", "kind", "rng", "threads", "progress", "n_starts"})

_REFUSED = {
    "eim": "the expected information of a mixture has no closed form; "
    "use the observed information, 'nonrobust'",
    "HC2": "leverages are not defined for a mixture; use 'HC1'",
    "HC3": "leverages are not defined for a mixture; use 'HC1' or 'bootstrap'",
}

#: Smallest eigenvalue of an information matrix, its diagonal scaled to one, that can be inverted.
SINGULAR = 1e-13


class Estimate(NamedTuple):
    """Where a covariance is computed."""

    specification: Specification
    observed: Observed
    params: np.ndarray
    #: Derivatives of the log-likelihood at ``params``, and where parameters are free.
    at: Directions


class Found(NamedTuple):
    """A covariance (V, V), None where there is none; what is said of it; degrees of freedom."""

    matrix: np.ndarray | None
    sentence: str
    #: Of Student's t where they are not those of the residuals.
    df: float | None = None


@dataclass(frozen=True)
class CovarianceType:
    """A way to compute the covariance of the estimates.

    Attributes
    ----------
    name : str
    sentence : str
        What a summary says of it.
    compute : callable
        Takes this type, an `Estimate` and a dict of options; returns `Found`.
    options : set of str
        Names of the options that it takes.
    """

    name: str
    sentence: str
    compute: Callable[[CovarianceType, Estimate, dict[str, Any]], Found]
    options: frozenset[str] = frozenset()


def covariance(
    estimate: Estimate, cov_type: str, cov_kwds: Mapping[str, Any] | None = None
) -> Found:
    """Covariance matrix of the estimates.

    Parameters
    ----------
    estimate : Estimate
    cov_type : str
        One of the keys of ``COV_TYPES``.
    cov_kwds : mapping, optional
        ``groups`` (column name or array of n labels) and ``use_correction`` (bool, the factor
        G / (G - 1)) for "cluster"; ``replicates``, what ``results.bootstrap()`` gave or (B, V),
        for "bootstrap". Entries without effect on the type are refused.

    Returns
    -------
    Found
        Its matrix is None, with a HessianInversionWarning, when the information cannot be
        inverted.

    Raises
    ------
    SmmixError
        If the type or one of its options is not known.

    Examples
    --------
    >>> from smmix.inference.covariance import COV_TYPES
    >>> list(COV_TYPES)
    ['nonrobust', 'oim', 'opg', 'HC0', 'HC1', 'cluster', 'bootstrap']
    """
    options = check_cov_type(cov_type, cov_kwds)
    kind = COV_TYPES[cov_type]
    return kind.compute(kind, estimate, options)


def _observed(kind: CovarianceType, estimate: Estimate, _: dict[str, Any]) -> Found:
    return Found(_spread(_bread(estimate), estimate.at.visible), kind.sentence)


def _opg(kind: CovarianceType, estimate: Estimate, _: dict[str, Any]) -> Found:
    inverse = _inverse(_meat(estimate), "outer product of the scores")
    return Found(_spread(inverse, estimate.at.visible), kind.sentence)


def _sandwich(kind: CovarianceType, estimate: Estimate, _: dict[str, Any]) -> Found:
    bread, meat = _bread(estimate), _meat(estimate)
    if kind.name == "HC1":
        meat = meat * _hc1_factor(estimate.observed, estimate.at.full.shape[1])
    return Found(_filled(estimate, bread, meat), kind.sentence)


def _clustered(kind: CovarianceType, estimate: Estimate, options: dict[str, Any]) -> Found:
    correct = options.get("use_correction", True)
    if not isinstance(correct, bool | np.bool_):
        raise SmmixError(
            f"cov_kwds['use_correction'] must be True or False, not {shown(correct)}; the factor "
            "is G / (G - 1), G the number of clusters."
        )
    bread = _bread(estimate)
    codes, count = unit_clusters(estimate.observed, options["groups"])
    scores = score_obs_at(*estimate[:3]) @ estimate.at.visible
    sums = np.zeros((count, scores.shape[1]))
    np.add.at(sums, codes, scores)
    factor = count / (count - 1.0) if correct else 1.0
    tail = ", times G / (G - 1)" if correct else ""
    matrix = _filled(estimate, bread, factor * (sums.T @ sums))
    # As in statsmodels: with few clusters the normal distribution is too short-tailed.
    return Found(matrix, f"{kind.sentence} (G = {count}{tail}).", count - 1.0)


def _of_replicates(_: CovarianceType, estimate: Estimate, options: dict[str, Any]) -> Found:
    names = estimate.specification.param_names
    return Found(*bootstrap_covariance(options["replicates"], names, estimate.params))


_INFORMATION = "Covariance: inverse of the observed information."
_REPLICATES = "Covariance: that of the bootstrap replicates"

#: Every covariance type by name.
COV_TYPES = {
    kind.name: kind
    for kind in (
        CovarianceType("nonrobust", _INFORMATION, _observed),
        CovarianceType("oim", _INFORMATION, _observed),
        CovarianceType(
            "opg", "Covariance: inverse of the outer product of the scores (OPG).", _opg
        ),
        CovarianceType("HC0", "Covariance: sandwich, robust to misspecification (HC0).", _sandwich),
        CovarianceType(
            "HC1",
            "Covariance: sandwich, robust to misspecification, times n / (n - df) (HC1).",
            _sandwich,
        ),
        CovarianceType(
            "cluster",
            "Covariance: sandwich of scores summed within clusters",
            _clustered,
            frozenset({"groups", "use_correction"}),
        ),
        CovarianceType("bootstrap", _REPLICATES, _of_replicates, BOOTSTRAP_OPTIONS),
    )
}


def bootstrap_covariance(
    replicates: Any, names: list[str], params: np.ndarray | None = None
) -> tuple[np.ndarray, str]:
    """Covariance of bootstrap replicates of the estimates.

    Parameters
    ----------
    replicates : BootstrapResults, DataFrame, or array_like, (B, V)
        One row per replicate, relabelled to the fit; a frame is taken by its column names.
    names : list of str
        Parameter names.
    params : ndarray, (V,), optional
        The estimates, which those that a BootstrapResults started from must be.

    Returns
    -------
    matrix : ndarray, (V, V)
    description : str

    Raises
    ------
    SmmixError
        If the replicates are of another fit, fewer than two, or not finite.

    Examples
    --------
    >>> from smmix.inference.covariance import bootstrap_covariance
    >>> bootstrap_covariance([[0.0], [2.0]], ["sigma[0]"])[0]
    array([[2.]])
    """
    if hasattr(replicates, "estimate"):
        own = replicates.estimate.reindex(names).to_numpy(dtype=float)
        if params is not None and not np.allclose(own, params, rtol=1e-6, atol=1e-10):
            raise SmmixError(
                "The bootstrap replicates are those of another fit; use those of "
                "results.bootstrap() of these results."
            )
        replicates = replicates.params
    if isinstance(replicates, pd.DataFrame):
        missing = [name for name in names if name not in replicates.columns]
        if missing:
            raise SmmixError(f"The bootstrap replicates have no column {missing[0]!r}.")
        replicates = replicates[names]
    try:
        values = np.asarray(replicates, dtype=float)
    except (TypeError, ValueError):
        raise SmmixError(
            "cov_kwds['replicates'] must be what results.bootstrap() gives, or numbers with one "
            f"row per replicate, not {type(replicates).__name__}."
        ) from None
    if values.ndim != 2 or values.shape[1] != len(names):
        raise SmmixError(
            f"cov_kwds['replicates'] must have one row per replicate and {len(names)} columns, "
            f"one per parameter; its shape is {values.shape}."
        )
    if values.shape[0] < 2:
        raise SmmixError("A bootstrap covariance needs at least two replicates.")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise SmmixError(
            f"Bootstrap replicate {row} is not finite; leave out the replicates that failed "
            "and say how many they were."
        )
    matrix = np.atleast_2d(np.cov(values, rowvar=False))
    return matrix, f"{_REPLICATES} (B = {values.shape[0]})."


def check_cov_type(cov_type: Any, cov_kwds: Any) -> dict[str, Any]:
    """Refuse a covariance type, or an option of one, that is not known; return the options."""
    if not isinstance(cov_kwds, Mapping | None):
        raise SmmixError(
            "cov_kwds must be a dict of options by name, such as {'groups': ..}, not "
            f"{type(cov_kwds).__name__}."
        )
    options = dict(cov_kwds or {})
    if not isinstance(cov_type, str) or cov_type not in COV_TYPES:
        why = f": {_REFUSED[str(cov_type)]}" if str(cov_type) in _REFUSED else ""
        raise SmmixError(
            f"cov_type={shown(cov_type)} is not available{why}; choose one of "
            f"{', '.join(map(repr, COV_TYPES))}."
        )
    allowed = COV_TYPES[cov_type].options
    if cov_type == "bootstrap" and "replicates" in options:
        allowed = frozenset({"replicates"})
    unknown = sorted(set(options) - allowed)
    if "cov_kwds" in unknown:
        raise SmmixError("Give the options of the covariance here by name, such as groups=..")
    if unknown:
        raise SmmixError(
            f"cov_kwds[{shown(unknown[0])}] means nothing to cov_type={shown(cov_type)}."
        )
    if cov_type == "cluster" and options.get("groups") is None:
        raise SmmixError(
            "cov_type='cluster' needs the clusters: cov_kwds={'groups': column name or labels}."
        )
    return options


def _inverse(matrix: np.ndarray, what: str) -> np.ndarray | None:
    """Inverse of an information matrix, its diagonal scaled to one; None with a warning."""
    diagonal = np.diag(matrix)
    if np.isfinite(matrix).all() and (diagonal > 0.0).all():
        width = np.sqrt(diagonal)
        scaled = matrix / width[:, None] / width
        values, vectors = np.linalg.eigh(0.5 * (scaled + scaled.T))
        # Where every parameter is at a boundary none is left to invert.
        if values.size == 0 or values[0] > SINGULAR:
            inverse: np.ndarray = (vectors / values) @ vectors.T / width[:, None] / width
            return inverse
    warnings.warn(
        f"The {what} is not positive definite, so there are no standard errors; "
        "a parameter is not identified, or the fit is no maximum.",
        HessianInversionWarning,
        stacklevel=user_level(),
    )
    return None


def _spread(free: np.ndarray | None, visible: np.ndarray) -> np.ndarray | None:
    """Covariance of the visible parameters from that of the free ones."""
    if free is None:
        return None
    matrix: np.ndarray = visible @ free @ visible.T
    return 0.5 * (matrix + matrix.T)


def _bread(estimate: Estimate) -> np.ndarray | None:
    info, full, _ = estimate.at
    return _inverse(-full.T @ info.hessian @ full, "observed information")


def _filled(estimate: Estimate, bread: np.ndarray | None, meat: np.ndarray) -> np.ndarray | None:
    return None if bread is None else _spread(bread @ meat @ bread, estimate.at.visible)


def _meat(estimate: Estimate) -> np.ndarray:
    """Sum of outer products of the units' scores in the free parameters.

    A frequency weight stands for that many rows of the same score, not for one row with a
    longer score.
    """
    specification, observed, params, (info, full, visible) = estimate
    if not specification.grouped and "freq_weights" in observed.given:
        return frequency_meat(specification, observed, params, visible)
    frequency = observed.freq_weights
    if frequency is None or specification.grouped:
        meat: np.ndarray = full.T @ info.opg @ full
        return meat
    scores = score_obs_at(*estimate[:3]) @ visible / np.sqrt(frequency)[:, None]
    return scores.T @ scores


def _hc1_factor(observed: Observed, n_free: int) -> float:
    """The factor n / (n - df), n the number of independent units."""
    nobs = float(observed.nobs if observed.n_groups is None else observed.source.n_units)
    if nobs <= n_free:
        raise SmmixError(
            f"cov_type='HC1' needs more independent observations ({nobs:g}) than free "
            f"parameters ({n_free}); use 'HC0'."
        )
    return nobs / (nobs - n_free)


def proportions(results: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """Mixing weights with standard errors by the delta method.

    With a mixing model the weights are the averages of the prior probabilities over the data.

    Parameters
    ----------
    results : MixtureResults
    alpha : float
        The intervals have the level 1 - alpha; they are symmetric on the logit scale, so that
        they stay between 0 and 1.

    Returns
    -------
    DataFrame
        One row per component; columns weight, std_err, ci_lower, ci_upper.

    Raises
    ------
    SmmixError
        If ``alpha`` is not between 0 and 1.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.proportions()["weight"].round(3).tolist()
    [0.647, 0.353]
    """
    fitted = fitted_of(results)
    mean, jacobian = fitted.mean_prior
    error, reach = fitted.errors_of(jacobian), fitted.quantile(alpha)
    spread = mean * (1.0 - mean)
    inside = spread > 0.0
    width = reach * error / np.where(inside, spread, 1.0)
    logit = special.logit(np.where(inside, mean, 0.5))
    lower = np.where(inside, special.expit(logit - width), mean)
    upper = np.where(inside, special.expit(logit + width), mean)
    return _component_table("weight", mean, error, lower, upper)


def sigmas(results: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """Residual standard deviations of the components with standard errors.

    Parameters
    ----------
    results : MixtureResults
    alpha : float
        The intervals have the level 1 - alpha; they are symmetric on the log scale, so that
        they stay positive.

    Returns
    -------
    DataFrame
        One row per component; columns sigma, std_err, ci_lower, ci_upper, in units of the
        response. NaN for components of families without a sigma.

    Raises
    ------
    SmmixError
        If ``alpha`` is not between 0 and 1, or no component has a sigma.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.sigmas().round(1).loc[0].tolist()
    [64.4, 4.8, 55.6, 74.7]
    """
    fitted = fitted_of(results)
    sigma = fitted.sigma.to_numpy()
    place = [parameter.name for parameter in fitted.specification.family.nuisance].index("sigma")
    places = fitted.specification.parameters.by_component(NUISANCE)[:, place]
    error = np.where(np.isnan(sigma), np.nan, fitted.bse[places])
    width = fitted.quantile(alpha) * error / sigma
    return _component_table("sigma", sigma, error, sigma * np.exp(-width), sigma * np.exp(width))


def _component_table(
    name: str, value: np.ndarray, error: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> pd.DataFrame:
    table = {name: value, "std_err": error, "ci_lower": lower, "ci_upper": upper}
    return pd.DataFrame(table, index=pd.RangeIndex(len(value), name="component"))
