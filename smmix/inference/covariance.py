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
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from statsmodels.tools.sm_exceptions import HessianInversionWarning

from smmix.core.statistics import InfoStats
from smmix.errors import SmmixError
from smmix.inference.clusters import unit_clusters
from smmix.inference.delta import confidence_quantile, covariance_or_none, delta_se
from smmix.large.build import frequency_meat
from smmix.search.conditioning import Directions

__all__ = [
    "COV_TYPES",
    "bootstrap_covariance",
    "check_cov_type",
    "count_clusters",
    "covariance",
    "proportions",
    "sigmas",
]

#: Every covariance type, with the sentence that summary() prints for it.
COV_TYPES = {
    "nonrobust": "Covariance: inverse of the observed information.",
    "oim": "Covariance: inverse of the observed information.",
    "opg": "Covariance: inverse of the outer product of the scores (OPG).",
    "HC0": "Covariance: sandwich, robust to misspecification (HC0).",
    "HC1": "Covariance: sandwich, robust to misspecification, times n / (n - df) (HC1).",
    "cluster": "Covariance: sandwich of scores summed within clusters",
    "bootstrap": "Covariance: that of the bootstrap replicates",
}

#: What cov_type="bootstrap" may be told when it has no replicates yet.
BOOTSTRAP_OPTIONS = {"n_boot", "kind", "rng", "threads", "progress", "n_starts"}

_REFUSED = {
    "eim": "the expected information of a mixture has no closed form; "
    "use the observed information, 'nonrobust'",
    "HC2": "leverages are not defined for a mixture; use 'HC1'",
    "HC3": "leverages are not defined for a mixture; use 'HC1' or 'bootstrap'",
}

#: Smallest eigenvalue of an information matrix, its diagonal scaled to one, that can be inverted.
SINGULAR = 1e-13


def covariance(
    model: Any,
    params: np.ndarray,
    at: Directions,
    cov_type: str,
    cov_kwds: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray | None, str]:
    """Covariance matrix of the estimates.

    Parameters
    ----------
    model : MixtureOLS
    params : ndarray, (V,)
        The estimates.
    at : Directions
        Derivatives of the log-likelihood at ``params``, and where parameters are free.
    cov_type : str
        One of the keys of ``COV_TYPES``.
    cov_kwds : mapping, optional
        ``groups`` (column name or array of n labels) and ``use_correction`` (bool, the factor
        G / (G - 1)) for "cluster"; ``replicates``, what ``results.bootstrap()`` gave or (B, V),
        for "bootstrap". Entries without effect on the type are refused.

    Returns
    -------
    matrix : ndarray, (V, V), or None
        None, with a HessianInversionWarning, when the information cannot be inverted.
    description : str
        The sentence for the notes of a summary.

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
    if cov_type == "bootstrap":
        return bootstrap_covariance(options["replicates"], model.param_names, params)
    info, full, visible = at
    if cov_type == "opg":
        inverse = _inverse(_meat(model, params, info, full, visible), "outer product of the scores")
        return _spread(inverse, visible), COV_TYPES[cov_type]
    bread = _inverse(-full.T @ info.hessian @ full, "observed information")
    if cov_type in ("nonrobust", "oim"):
        return _spread(bread, visible), COV_TYPES[cov_type]
    if cov_type == "cluster":
        meat, note = _cluster_meat(model, params, visible, options)
    else:
        meat = _meat(model, params, info, full, visible)
        note = COV_TYPES[cov_type]
        if cov_type == "HC1":
            meat = meat * _hc1_factor(model, full.shape[1])
    if bread is None:
        return None, note
    return _spread(bread @ meat @ bread, visible), note


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
    return matrix, f"{COV_TYPES['bootstrap']} (B = {values.shape[0]})."


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
            f"cov_type={cov_type!r} is not available{why}; choose one of "
            f"{', '.join(map(repr, COV_TYPES))}."
        )
    allowed = {
        "cluster": {"groups", "use_correction"},
        "bootstrap": {"replicates"} if "replicates" in options else BOOTSTRAP_OPTIONS,
    }
    unknown = sorted(set(options) - allowed.get(cov_type, set()))
    if unknown:
        raise SmmixError(f"cov_kwds[{unknown[0]!r}] means nothing to cov_type={cov_type!r}.")
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
        if values[0] > SINGULAR:
            inverse: np.ndarray = (vectors / values) @ vectors.T / width[:, None] / width
            return inverse
    warnings.warn(
        f"The {what} is not positive definite, so there are no standard errors; "
        "a parameter is not identified, or the fit is no maximum.",
        HessianInversionWarning,
        stacklevel=5,
    )
    return None


def _spread(free: np.ndarray | None, visible: np.ndarray) -> np.ndarray | None:
    """Covariance of the visible parameters from that of the free ones."""
    if free is None:
        return None
    matrix: np.ndarray = visible @ free @ visible.T
    return 0.5 * (matrix + matrix.T)


def _meat(
    model: Any, params: np.ndarray, info: InfoStats, full: np.ndarray, visible: np.ndarray
) -> np.ndarray:
    """Sum of outer products of the units' scores in the free parameters.

    A frequency weight stands for that many rows of the same score, not for one row with a
    longer score.
    """
    weighted = model.large is not None and "freq_weights" in model.large.extras
    if weighted and model.group_labels is None:
        return frequency_meat(model.specification, model.observed, params, visible)
    frequency = getattr(model, "freq_weights", None)
    if frequency is None or model.group_codes is not None:
        meat: np.ndarray = full.T @ info.opg @ full
        return meat
    scores = model.score_obs(params) @ visible / np.sqrt(np.asarray(frequency))[:, None]
    return scores.T @ scores


def _hc1_factor(model: Any, n_free: int) -> float:
    """The factor n / (n - df), n the number of independent units."""
    nobs = float(model.nobs if model.group_labels is None else model.source.n_units)
    if nobs <= n_free:
        raise SmmixError(
            f"cov_type='HC1' needs more independent observations ({nobs:g}) than free "
            f"parameters ({n_free}); use 'HC0'."
        )
    return nobs / (nobs - n_free)


def _cluster_meat(
    model: Any, params: np.ndarray, visible: np.ndarray, options: dict[str, Any]
) -> tuple[np.ndarray, str]:
    """Sum of outer products of the scores of clusters, and the sentence that says so."""
    correct = options.get("use_correction", True)
    if not isinstance(correct, bool | np.bool_):
        raise SmmixError(
            f"cov_kwds['use_correction'] must be True or False, not {correct!r}; the factor "
            "is G / (G - 1), G the number of clusters."
        )
    codes, n_clusters = unit_clusters(model, options["groups"])
    scores = model.score_obs(params) @ visible
    sums = np.zeros((n_clusters, scores.shape[1]))
    np.add.at(sums, codes, scores)
    meat = sums.T @ sums
    factor = n_clusters / (n_clusters - 1.0) if correct else 1.0
    tail = ", times G / (G - 1)" if correct else ""
    return factor * meat, f"{COV_TYPES['cluster']} (G = {n_clusters}{tail})."


def count_clusters(model: Any, groups: Any) -> int:
    """Number of clusters (G, whose t distribution has G - 1 degrees of freedom)."""
    return unit_clusters(model, groups)[1]


def proportions(results: Any, alpha: float = 0.05) -> pd.DataFrame:
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
    mean, jacobian = results.mean_prior
    error = delta_se(jacobian, covariance_or_none(results))
    reach = confidence_quantile(results, alpha)
    spread = mean * (1.0 - mean)
    inside = spread > 0.0
    width = reach * error / np.where(inside, spread, 1.0)
    logit = special.logit(np.where(inside, mean, 0.5))
    lower = np.where(inside, special.expit(logit - width), mean)
    upper = np.where(inside, special.expit(logit + width), mean)
    return _component_table("weight", mean, error, lower, upper)


def sigmas(results: Any, alpha: float = 0.05) -> pd.DataFrame:
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
        response.

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
    >>> results.sigmas().round(1).loc[0].tolist()
    [64.4, 4.8, 55.6, 74.7]
    """
    model = results.model
    jacobian = model.expand.basis[model.layout.nuisance]
    sigma = jacobian @ np.asarray(results.params)
    error = delta_se(jacobian, covariance_or_none(results))
    width = confidence_quantile(results, alpha) * error / sigma
    return _component_table("sigma", sigma, error, sigma * np.exp(-width), sigma * np.exp(width))


def _component_table(
    name: str, value: np.ndarray, error: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> pd.DataFrame:
    table = {name: value, "std_err": error, "ci_lower": lower, "ci_upper": upper}
    return pd.DataFrame(table, index=pd.RangeIndex(len(value), name="component"))
