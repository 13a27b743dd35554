"""Tests of terms, of components against each other, and of nested fits."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from itertools import pairwise as successive
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.contrast import WaldTestResults
from statsmodels.stats.multitest import multipletests, multitest_alias

from smmix.delta import confidence_quantile, covariance_or_none, delta_se
from smmix.errors import SmmixError
from smmix.margins import margins
from smmix.nested import LRTest, compare_lr_test
from smmix.profile import profile_likelihood_ci

__all__ = [
    "LRTest",
    "compare_lr_test",
    "margins",
    "pairwise",
    "profile_likelihood_ci",
    "required_covariance",
    "wald_test_terms",
]

ZERO, EQUAL = "zero in all components", "equal across components"
#: Eigenvalues of a scaled covariance of contrasts below this count as zero.
RANK_TOLERANCE = 1e-10


def wald_test_terms(results: Any) -> WaldTestResults:
    """Wald tests of every term: zero in all components, and equal across components.

    Parameters
    ----------
    results : MixtureResults

    Returns
    -------
    WaldTestResults
        Its ``table`` has a row per term and hypothesis (a MultiIndex) with statistic, pvalue and
        df_constraint, and df_denom when the results use the t distribution. Terms of the mixing
        model are called ``mixing.term``; their hypothesis is that no logit depends on the term.

    Raises
    ------
    SmmixError
        If the results have no covariance matrix.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> table = results.wald_test_terms().table
    >>> bool(table.loc[("income", "equal across components"), "pvalue"] < 0.001)
    True
    """
    matrix = required_covariance(results)
    params = np.asarray(results.params)
    index, rows = [], []
    for term, hypothesis, contrast in _hypotheses(results.model):
        statistic, df = _wald(contrast, params, matrix)
        index.append((term, hypothesis))
        rows.append(_reference(results, statistic, df))
    columns = ["statistic", "pvalue", "df_constraint", "df_denom"][: 4 if results.use_t else 3]
    labels = pd.MultiIndex.from_tuples(index, names=["term", "hypothesis"])
    table = pd.DataFrame(rows, columns=columns, index=labels)
    return WaldTestResults(None, "F" if results.use_t else "chi2", None, table=table)


def _hypotheses(model: Any) -> Iterable[tuple[str, str, np.ndarray]]:
    places = _places(model)
    layout = model.layout
    identity = np.eye(len(model.param_names))
    for term, columns in model.design.exog_terms.items():
        yield term, ZERO, identity[_distinct(places[:, columns])]
        contrast = _equalities(places[:, columns], identity)
        if len(contrast):
            yield term, EQUAL, contrast
    contrast = _equalities(_sigma_places(model), identity)
    if len(contrast):
        yield "sigma", EQUAL, contrast
    if layout.k > 1:
        logits = model.expand.basis[layout.mixing].argmax(axis=1).reshape(layout.k - 1, layout.q)
        for term, columns in model.design.concomitant_terms.items():
            yield f"mixing.{term}", ZERO, identity[_distinct(logits[:, columns])]


def _places(model: Any) -> np.ndarray:
    """Visible position (k, p) of each coefficient, -1 where a component lacks the column."""
    layout = model.layout
    rows = model.expand.basis[layout.coef]
    places = np.where(rows.any(axis=1), rows.argmax(axis=1), -1)
    return places.reshape(layout.k, layout.p)


def _sigma_places(model: Any) -> np.ndarray:
    """Visible position (k, d) of each component's nuisance parameters."""
    layout = model.layout
    places: np.ndarray = model.expand.basis[layout.nuisance].argmax(axis=1)
    return places.reshape(layout.k, layout.d)


def _distinct(places: np.ndarray) -> np.ndarray:
    return np.unique(places[places >= 0])


def _equalities(places: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Contrasts that make each column's parameters equal across the components that have it."""
    rows = []
    for column in places.T:
        distinct = list(dict.fromkeys(column[column >= 0]))
        rows += [identity[a] - identity[b] for a, b in successive(distinct)]
    return np.array(rows)


def _wald(contrast: np.ndarray, params: np.ndarray, matrix: np.ndarray) -> tuple[float, int]:
    """Statistic and rank of ``contrast @ params = 0``; infinite where the contrast is certain."""
    value = contrast @ params
    covariance = contrast @ matrix @ contrast.T
    width = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    certain = width == 0.0
    if (value[certain] != 0.0).any():
        return np.inf, len(value)
    width, value = width[~certain], value[~certain] / width[~certain]
    scaled = covariance[np.ix_(~certain, ~certain)] / width[:, None] / width
    eigenvalues, vectors = np.linalg.eigh(scaled)
    kept = eigenvalues > RANK_TOLERANCE
    projected = vectors[:, kept].T @ value
    return float((projected**2 / eigenvalues[kept]).sum()), int(kept.sum())


def _reference(results: Any, statistic: float, df: int) -> list[float]:
    """Statistic, p-value and degrees of freedom, of F when the results use t."""
    if df == 0:
        return [0.0, 1.0, 0, _denominator(results)][: 4 if results.use_t else 3]
    if not results.use_t:
        return [statistic, float(stats.chi2.sf(statistic, df)), df]
    left = _denominator(results)
    statistic = statistic / df
    return [statistic, float(stats.f.sf(statistic, df, left)), df, left]


def _denominator(results: Any) -> float:
    return float(getattr(results, "df_resid_inference", None) or results.df_resid)


def required_covariance(results: Any) -> np.ndarray:
    """Covariance of the estimates, refused when there is none."""
    matrix = covariance_or_none(results)
    if matrix is None:
        raise SmmixError(
            "There is no covariance matrix, because the information could not be inverted; "
            "use results.bootstrap() or simplify the model."
        )
    return matrix


def pairwise(
    results: Any, term: str | None = None, method: str | None = "hs", alpha: float = 0.05
) -> pd.DataFrame:
    """Differences between all pairs of components, with p-values adjusted for multiplicity.

    Parameters
    ----------
    results : MixtureResults
    term : str, optional
        A term, a column of the design, or "sigma"; by default every term, and sigma when the
        components have their own.
    method : str or None
        Adjustment of the p-values over all comparisons of a term, one of those of
        ``statsmodels.stats.multitest.multipletests`` ("hs" is Holm-Sidak); None for none.
    alpha : float
        Level of the intervals, which are not adjusted, and of the rejections, which are.

    Returns
    -------
    DataFrame
        A row per difference, such as ``x1[0] - x1[1]``; columns as in statsmodels'
        ``t_test_pairwise``.

    Raises
    ------
    SmmixError
        If the term or the method is not known, or the model has nothing to compare.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.pairwise("income").index.tolist()
    ['income[0] - income[1]']
    """
    if method is not None and not (isinstance(method, str) and method in multitest_alias):
        known = ", ".join(map(repr, multitest_alias))
        raise SmmixError(f"method={method!r} is not known; choose one of {known} or None.")
    matrix = required_covariance(results)
    model = results.model
    tables = [
        _compare(results, matrix, places, method, alpha)
        for places in _pairwise_terms(model, term)
        if any(True for _ in _pairs(places))
    ]
    if not tables:
        what = "no coefficient differs" if term is None else f"{term!r} does not differ"
        raise SmmixError(f"There are no pairs of components to compare: {what} between components.")
    return pd.concat(tables)


def _pairwise_terms(model: Any, term: str | None) -> list[np.ndarray]:
    """Visible positions (k, columns) of each term to compare."""
    places, columns = _places(model), list(model.design.exog_names)
    if term is None:
        return [*(places[:, c] for c in model.design.exog_terms.values()), _sigma_places(model)]
    if isinstance(term, str) and term in model.design.exog_terms:
        return [places[:, model.design.exog_terms[term]]]
    if isinstance(term, str) and term in columns:
        return [places[:, [columns.index(term)]]]
    if isinstance(term, str) and term == "sigma":
        return [_sigma_places(model)]
    known = ", ".join(map(repr, dict.fromkeys([*model.design.exog_terms, *columns, "sigma"])))
    raise SmmixError(f"term={term!r} is not a term of the components; choose one of {known}.")


def _pairs(places: np.ndarray) -> Iterable[tuple[int, int]]:
    for column in places.T:
        for a, b in combinations(column, 2):
            if a >= 0 and b >= 0 and a != b:
                yield int(a), int(b)


def _compare(
    results: Any, matrix: np.ndarray, places: np.ndarray, method: str | None, alpha: float
) -> pd.DataFrame:
    pairs = list(dict.fromkeys(_pairs(places)))
    identity = np.eye(matrix.shape[0])
    contrast = np.array([identity[a] - identity[b] for a, b in pairs])
    difference = contrast @ np.asarray(results.params)
    error = delta_se(contrast, matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((error == 0.0) & (difference == 0.0), 0.0, difference / error)
    if results.use_t:
        letter, pvalue = "t", 2.0 * stats.t.sf(np.abs(ratio), _denominator(results))
    else:
        letter, pvalue = "z", 2.0 * stats.norm.sf(np.abs(ratio))
    reach = confidence_quantile(results, alpha) * error
    names = results.model.param_names
    table = pd.DataFrame(
        {
            "coef": difference,
            "std err": error,
            letter: ratio,
            f"P>|{letter}|": pvalue,
            "Conf. Int. Low": difference - reach,
            "Conf. Int. Upp.": difference + reach,
        },
        index=[f"{names[a]} - {names[b]}" for a, b in pairs],
    )
    if method is not None:
        rejected, adjusted = multipletests(pvalue, alpha=alpha, method=method)[:2]
        table[f"pvalue-{method}"], table[f"reject-{method}"] = adjusted, rejected
    return table
