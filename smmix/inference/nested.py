"""The likelihood ratio test of nested fits, and whether fits are nested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.observed import Observed

__all__ = ["LRTest", "compare_lr_test", "same_data", "same_regressors"]


#: What is the same when two sources hold the same data.
DATA = ("y", "weight", "repeat", "offset", "group", "membership")


class LRTest(NamedTuple):
    """A likelihood ratio test: statistic, p-value and difference in free parameters."""

    statistic: float
    pvalue: float
    df_diff: int


def compare_lr_test(results: Fit, restricted: Fit) -> LRTest:
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
    whole = fitted_of(results)
    try:
        part = fitted_of(restricted)
    except AttributeError:
        raise SmmixError(
            f"compare_lr_test needs the results of a mixture, not {type(restricted).__name__}."
        ) from None
    _check_comparable(whole, part)
    large, small = whole.specification, part.specification
    if large.spec.random != small.spec.random:
        raise SmmixError(
            "The fits have different random effects: where one has no variance it is at the "
            "boundary, and the ratio has no chi-squared distribution; compare information criteria."
        )
    df = large.tangent[0].shape[1] - small.tangent[0].shape[1]
    if df <= 0 or not _is_nested(part, whole):
        raise SmmixError(
            "The restricted model is not nested in the other: its columns and restrictions must "
            "be those of the larger model and more; compare information criteria instead."
        )
    statistic = 2.0 * (whole.llf - part.llf)
    if statistic < -1e-6 * (1.0 + abs(whole.llf)):
        raise SmmixError(
            f"The restricted fit has the higher log-likelihood ({part.llf:.6g} against "
            f"{whole.llf:.6g}), so the larger one missed its maximum; fit it again with more "
            "n_starts, or from the restricted estimates."
        )
    statistic = max(statistic, 0.0)
    return LRTest(statistic, float(stats.chi2.sf(statistic, df)), df)


def _check_comparable(whole: Fitted, part: Fitted) -> None:
    if whole.k != part.k:
        raise SmmixError(
            f"The fits have {whole.k} and {part.k} components: under the null hypothesis "
            "the extra component is not identified and the statistic is not chi-squared; use "
            "smmix.bootstrap_lrt or smmix.vlmr_test."
        )
    if whole.specification.sampled or part.specification.sampled:
        raise SmmixError(
            "With sampling weights the likelihood is a pseudo-likelihood and the ratio has no "
            "chi-squared distribution; use wald_test."
        )
    if not same_data(whole.data, part.data):
        raise SmmixError(
            "The fits are not of the same data: response, rows, weights, groups and offset must "
            "be the same."
        )


def same_data(left: Observed, right: Observed, parts: Sequence[str] = DATA) -> bool:
    """Whether some parts of the rows at hand are the same."""
    one, other = left.at_hand(), right.at_hand()
    pairs = ((getattr(one, part), getattr(other, part)) for part in parts)
    return all(
        a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs
    )


def same_regressors(left: Fitted, right: Fitted) -> bool:
    """Whether the columns of two fits to the same rows are the same, up to their spelling.

    Those of the mixing model count when both models have one: two components at least.
    """
    designs = [(left.data.at_hand().x, right.data.at_hand().x)]
    if min(left.k, right.k) > 1:
        designs.append((_mixing_design(left.data), _mixing_design(right.data)))
    return all(
        a.shape[1] == b.shape[1] and _column_map(a, b) is not None and _column_map(b, a) is not None
        for a, b in designs
    )


def _is_nested(part: Fitted, whole: Fitted) -> bool:
    """Whether every parameter set of the small model is one of the large model."""
    small, large = part.specification, whole.specification
    if small.spec.family.name != large.spec.family.name or small.layout.d != large.layout.d:
        return False
    k = large.k
    x_map = _column_map(part.data.at_hand().x, whole.data.at_hand().x)
    z_map = _column_map(_mixing_design(part.data), _mixing_design(whole.data))
    if x_map is None or z_map is None:
        return False
    transfer = np.zeros((large.layout.size, small.layout.size))
    transfer[large.layout.coef, small.layout.coef] = np.kron(np.eye(k), x_map)
    transfer[large.layout.nuisance, small.layout.nuisance] = np.eye(k * large.layout.d)
    transfer[large.layout.mixing, small.layout.mixing] = np.kron(np.eye(k - 1), z_map)
    inner, outer = small.spec.restriction or small.expand, large.spec.restriction or large.expand
    shift = transfer @ inner.origin - outer.origin
    return _in_span(np.column_stack([transfer @ inner.basis, shift]), outer.basis)


def _mixing_design(observed: Observed) -> np.ndarray:
    source = observed.at_hand()
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
