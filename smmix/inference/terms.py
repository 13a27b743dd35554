"""Tests of terms, of components against each other, and of nested fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from itertools import pairwise as successive
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.contrast import WaldTestResults
from statsmodels.stats.multitest import multipletests, multitest_alias

from smmix.errors import SmmixError
from smmix.inference.delta import confidence_quantile, covariance_or_none, delta_se
from smmix.inference.margins import margins
from smmix.inference.nested import LRTest, compare_lr_test
from smmix.inference.profile import profile_likelihood_ci

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


def wald_test_terms(
    results: Any,
    skip_single: bool = False,
    extra_constraints: Sequence[tuple[str, Any]] | None = None,
    combine_terms: Sequence[str] | None = None,
) -> WaldTestResults:
    """Wald tests of every term: zero in all components, and equal across components.

    Parameters
    ----------
    results : MixtureResults
    skip_single : bool
        Leave out terms that have a single parameter, such as one that the components share,
        for the summary tests those.
    extra_constraints : list of (name, hypotheses), optional
        Further hypotheses, each as in ``results.wald_test``.
    combine_terms : list of str, optional
        For each text, further tests of all terms together whose names hold the text. Terms of
        the mixing model are combined by themselves.

    Returns
    -------
    WaldTestResults
        Its ``table`` has a row per term and hypothesis (a MultiIndex) with statistic, pvalue and
        df_constraint, and df_denom when the results use the t distribution. Terms of the mixing
        model are called ``mixing.term``; their hypothesis is that no logit depends on the term.
        That of an extra constraint is called "as given".

    Raises
    ------
    SmmixError
        If the results have no covariance matrix, no term holds a text of ``combine_terms``, or
        an extra constraint cannot be read.

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
    terms = _tested_terms(results.model)
    wanted = [term for term in terms if not (skip_single and len(_distinct(term.places)) == 1)]
    for term in [*wanted, *_combined(terms, combine_terms)]:
        for hypothesis, contrast in _hypotheses(term, np.eye(len(params))):
            statistic, df = _wald(contrast, params, matrix)
            index.append((term.name, hypothesis))
            rows.append(_reference(results, statistic, df))
    for name, constraint in _named_constraints(extra_constraints):
        test = results.wald_test(constraint, scalar=True)
        freedom = [test.df_num, test.df_denom] if results.use_t else [test.df_denom]
        index.append((name, "as given"))
        rows.append([float(test.statistic), float(test.pvalue), int(freedom[0]), *freedom[1:]])
    columns = ["statistic", "pvalue", "df_constraint", "df_denom"][: 4 if results.use_t else 3]
    labels = pd.MultiIndex.from_tuples(index, names=["term", "hypothesis"])
    table = pd.DataFrame(rows, columns=columns, index=labels)
    return WaldTestResults(None, "F" if results.use_t else "chi2", None, table=table)


class _Term(NamedTuple):
    """A term to test, and the visible positions of its parameters by component and column."""

    name: str
    kind: Literal["coef", "sigma", "mixing"]
    places: np.ndarray


def _tested_terms(model: Any) -> list[_Term]:
    places, layout = _places(model), model.layout
    terms = [_Term(t, "coef", places[:, c]) for t, c in model.design.exog_terms.items()]
    terms.append(_Term("sigma", "sigma", _sigma_places(model)))
    if layout.k > 1:
        logits = model.expand.basis[layout.mixing].argmax(axis=1).reshape(layout.k - 1, layout.q)
        mixing = model.design.concomitant_terms.items()
        terms += [_Term(f"mixing.{t}", "mixing", logits[:, c]) for t, c in mixing]
    return terms


def _hypotheses(term: _Term, identity: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    if term.kind != "sigma":
        yield ZERO, identity[_distinct(term.places)]
    if term.kind != "mixing":
        contrast = _equalities(term.places, identity)
        if len(contrast):
            yield EQUAL, contrast


def _combined(terms: list[_Term], texts: Sequence[str] | None) -> list[_Term]:
    """For each text the terms that hold it as one, those of the mixing model apart."""
    together: list[_Term] = []
    for text in _listed("combine_terms", texts):
        if not isinstance(text, str):
            raise SmmixError(f"combine_terms must be a list of texts, not with {text!r} in it.")
        found = {
            "coef": [t for t in terms if t.kind == "coef" and text in t.name],
            "mixing": [t for t in terms if t.kind == "mixing" and _within_mixing(text, t.name)],
        }
        if not any(found.values()):
            known = ", ".join(repr(t.name) for t in terms if t.kind != "sigma")
            raise SmmixError(
                f"combine_terms: no term has {text!r} in its name; the terms are {known}."
            )
        for prefix, kind in (("", "coef"), ("mixing.", "mixing")):
            if found[kind]:
                name = prefix + text.removeprefix(prefix)
                places = np.hstack([term.places for term in found[kind]])
                together.append(_Term(name, found[kind][0].kind, places))
    return together


def _listed(name: str, given: Any) -> list[Any]:
    if isinstance(given, str) or not isinstance(given, Iterable | None):
        raise SmmixError(f"{name} must be a list, not {given!r}.")
    return [] if given is None else list(given)


def _within_mixing(text: str, name: str) -> bool:
    return text.removeprefix("mixing.") in name.removeprefix("mixing.")


def _named_constraints(given: Any) -> Iterable[tuple[str, Any]]:
    for pair in _listed("extra_constraints", given):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise SmmixError(
                "extra_constraints must be a list of pairs (name, hypotheses), such as "
                f"[('slopes', 'x[0] = x[1]')], not with {pair!r} in it."
            )
        yield pair[0], pair[1]


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
