"""The likelihood ratio test of nested fits, and whether fits are nested."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from smmix.errors import SmmixError

__all__ = ["LRTest", "compare_lr_test", "same_regressors"]


class LRTest(NamedTuple):
    """A likelihood ratio test: statistic, p-value and difference in free parameters."""

    statistic: float
    pvalue: float
    df_diff: int


def compare_lr_test(results: Any, restricted: Any) -> LRTest:
    """Likelihood ratio test of a fit against a nested fit with the same number of components.

    Parameters
    ----------
    results : MixtureResults
        The larger model.
    restricted : MixtureResults
        The model under the null hypothesis, fitted to the same data.

    Returns
    -------
    LRTest
        statistic, pvalue (chi-squared, df_diff degrees of freedom), df_diff.

    Raises
    ------
    SmmixError
        If the fits have different numbers of components, for which the statistic has no
        chi-squared distribution; if they are not nested, or not of the same data; or if the
        restricted fit has the higher likelihood, so that one of both missed its maximum.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> equal = smmix.from_formula("foodexp ~ income", data, k=2, variance="equal").fit()
    >>> results.compare_lr_test(equal).df_diff
    1
    """
    restricted = getattr(restricted, "_results", restricted)
    _check_comparable(results, restricted)
    large, small = results.model, restricted.model
    df = large.specification.tangent[0].shape[1] - small.specification.tangent[0].shape[1]
    if df <= 0 or not _is_nested(small, large):
        raise SmmixError(
            "The restricted model is not nested in the other: its columns and restrictions must "
            "be those of the larger model and more; compare information criteria instead."
        )
    statistic = 2.0 * (results.llf - restricted.llf)
    if statistic < -1e-6 * (1.0 + abs(results.llf)):
        raise SmmixError(
            f"The restricted fit has the higher log-likelihood ({restricted.llf:.6g} against "
            f"{results.llf:.6g}), so the larger one missed its maximum; fit it again with more "
            "n_starts, or from the restricted estimates."
        )
    statistic = max(statistic, 0.0)
    return LRTest(statistic, float(stats.chi2.sf(statistic, df)), df)


def _check_comparable(results: Any, restricted: Any) -> None:
    if not hasattr(getattr(restricted, "model", None), "layout"):
        raise SmmixError(
            f"compare_lr_test needs the results of a mixture, not {type(restricted).__name__}."
        )
    if results.k != restricted.k:
        raise SmmixError(
            f"The fits have {results.k} and {restricted.k} components: under the null hypothesis "
            "the extra component is not identified and the statistic is not chi-squared; use "
            "smmix.bootstrap_lrt or smmix.vlmr_test."
        )
    large, small = results.model, restricted.model
    for model in (large, small):
        if getattr(model, "prob_weights", None) is not None:
            raise SmmixError(
                "With sampling weights the likelihood is a pseudo-likelihood and the ratio has no "
                "chi-squared distribution; use wald_test."
            )
    parts = ["y", "weight", "repeat", "offset", "group", "membership"]
    left, right = large.observed.at_hand(), small.observed.at_hand()
    if not all(_same(getattr(left, p), getattr(right, p)) for p in parts):
        raise SmmixError(
            "The fits are not of the same data: response, rows, weights, groups and offset must "
            "be the same."
        )


def _same(left: np.ndarray | None, right: np.ndarray | None) -> bool:
    if left is None or right is None:
        return left is right
    return left.shape == right.shape and bool(np.array_equal(left, right))


def same_regressors(left: Any, right: Any) -> bool:
    """Whether the columns of two models of the same rows are the same, up to their spelling.

    Those of the mixing model count when both models have one: two components at least.
    """
    designs = [(left.observed.at_hand().x, right.observed.at_hand().x)]
    if min(left.k, right.k) > 1:
        designs.append((_mixing_design(left), _mixing_design(right)))
    return all(
        a.shape[1] == b.shape[1] and _column_map(a, b) is not None and _column_map(b, a) is not None
        for a, b in designs
    )


def _is_nested(small: Any, large: Any) -> bool:
    """Whether every parameter set of the small model is one of the large model."""
    if not _same_nuisance(small, large):
        return False
    k = large.layout.k
    x_map = _column_map(small.observed.at_hand().x, large.observed.at_hand().x)
    z_map = _column_map(_mixing_design(small), _mixing_design(large))
    if x_map is None or z_map is None:
        return False
    transfer = np.zeros((large.layout.size, small.layout.size))
    transfer[large.layout.coef, small.layout.coef] = np.kron(np.eye(k), x_map)
    transfer[large.layout.nuisance, small.layout.nuisance] = np.eye(k * large.layout.d)
    transfer[large.layout.mixing, small.layout.mixing] = np.kron(np.eye(k - 1), z_map)
    inner, outer = small.spec.restriction or small.expand, large.spec.restriction or large.expand
    shift = transfer @ inner.origin - outer.origin
    return _in_span(np.column_stack([transfer @ inner.basis, shift]), outer.basis)


def _same_nuisance(small: Any, large: Any) -> bool:
    same_family: bool = small.spec.family.name == large.spec.family.name
    return same_family and small.layout.d == large.layout.d


def _mixing_design(model: Any) -> np.ndarray:
    source = model.observed.at_hand()
    return np.ones((source.n_units, 1)) if source.z is None else source.z


def _column_map(inner: np.ndarray, outer: np.ndarray) -> np.ndarray | None:
    """Matrix M with ``inner = outer @ M``; None when there is none."""
    width = np.linalg.norm(outer, axis=0)
    scaled = outer / width
    solution = np.linalg.lstsq(scaled, inner, rcond=None)[0]
    if not _in_span(inner, scaled):
        return None
    solution = np.where(np.abs(solution) < 1e-9 * np.abs(solution).max(), 0.0, solution)
    matrix: np.ndarray = solution / width[:, None]
    return matrix


def _in_span(vectors: np.ndarray, basis: np.ndarray) -> bool:
    size = np.maximum(np.linalg.norm(vectors, axis=0), np.finfo(float).tiny)
    left = vectors - basis @ np.linalg.lstsq(basis, vectors, rcond=None)[0]
    return bool((np.linalg.norm(left, axis=0) <= 1e-8 * size).all())
