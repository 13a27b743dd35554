"""Tests of terms, of components against each other, and of nested fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from itertools import pairwise as successive
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from statsmodels.stats.contrast import WaldTestResults
from statsmodels.stats.multitest import multipletests, multitest_alias

from smmix.errors import SmmixError
from smmix.inference.margins import margins
from smmix.inference.nested import LRTest, compare_lr_test
from smmix.inference.profile import profile_likelihood_ci
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.hypotheses import read_hypotheses, refuse_beyond, refuse_contradiction
from smmix.mixture.parameters import COEF, MIXING, NUISANCE
from smmix.mixture.specification import Specification
from smmix.support.checks import check_flag, shown

__all__ = [
    "LRTest",
    "compare_lr_test",
    "margins",
    "pairwise",
    "profile_likelihood_ci",
    "wald_test_terms",
]

ZERO, EQUAL = "zero in all components", "equal across components"
#: Eigenvalues of a scaled covariance of contrasts below this count as zero.
RANK_TOLERANCE = 1e-10


def wald_test_terms(
    results: Fit,
    skip_single: bool = False,
    extra_constraints: Sequence[tuple[str, Any]] | None = None,
    combine_terms: Sequence[str] | None = None,
    scalar: bool = True,
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
    scalar : bool
        Whether the statistics are numbers and not arrays, (1, 1).

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
    fitted = fitted_of(results)
    check_flag("skip_single", skip_single)
    check_flag("scalar", scalar)
    matrix, names = fitted.required_covariance(), fitted.specification.param_names
    terms = _tested_terms(fitted.specification)
    wanted = [term for term in terms if not (skip_single and len(_distinct(term.places)) == 1)]
    tests = [
        (term.name, hypothesis, contrast, np.zeros(len(contrast)))
        for term in [*wanted, *_combined(terms, combine_terms)]
        for hypothesis, contrast in _hypotheses(term, np.eye(len(names)))
    ]
    for name, constraint in _named_constraints(extra_constraints):
        contrast, values = read_hypotheses(constraint, names)
        refuse_contradiction(contrast, values, "r_matrix")
        refuse_beyond(fitted.specification.parameters, contrast, values)
        tests.append((name, "as given", contrast, values))
    rows: list[list[Any]] = [
        _reference(fitted, *_wald(contrast, values, fitted.params, matrix))
        for _, _, contrast, values in tests
    ]
    columns = ["statistic", "pvalue", "df_constraint", "df_denom"][: 4 if fitted.use_t else 3]
    if not scalar:
        rows = [[np.array([[statistic]]), *others] for statistic, *others in rows]
    labels = pd.MultiIndex.from_tuples([t[:2] for t in tests], names=["term", "hypothesis"])
    table = pd.DataFrame(rows, columns=columns, index=labels)
    return WaldTestResults(None, "F" if fitted.use_t else "chi2", None, table=table)


class _Term(NamedTuple):
    """A term to test, and the visible positions of its parameters by component and column."""

    name: str
    kind: str
    places: np.ndarray


def _tested_terms(specification: Specification) -> list[_Term]:
    table = specification.parameters
    places = table.by_component(COEF)
    terms = [_Term(t, COEF, places[:, c]) for t, c in specification.exog_terms.items()]
    terms += _nuisance_terms(specification)
    if specification.k > 1:
        logits = table.by_component(MIXING)
        mixing = specification.concomitant_terms.items()
        terms += [_Term(f"mixing.{t}", MIXING, logits[:, c]) for t, c in mixing]
    return terms


def _nuisance_terms(specification: Specification) -> list[_Term]:
    table = specification.parameters
    places = table.by_component(NUISANCE)
    names = [table.rows[i].term for i in places[0]]
    return [_Term(name, NUISANCE, places[:, [i]]) for i, name in enumerate(names)]


def _hypotheses(term: _Term, identity: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    if term.kind != NUISANCE:
        yield ZERO, identity[_distinct(term.places)]
    if term.kind != MIXING:
        contrast = _equalities(term.places, identity)
        if len(contrast):
            yield EQUAL, contrast


def _combined(terms: list[_Term], texts: Sequence[str] | None) -> list[_Term]:
    """For each text the terms that hold it as one, those of the mixing model apart."""
    together: list[_Term] = []
    for text in _listed("combine_terms", texts):
        if not isinstance(text, str):
            raise SmmixError(
                f"combine_terms must be a list of texts, not with {shown(text)} in it."
            )
        found = {
            "coef": [t for t in terms if t.kind == "coef" and text in t.name],
            "mixing": [t for t in terms if t.kind == "mixing" and _within_mixing(text, t.name)],
        }
        if not any(found.values()):
            known = ", ".join(repr(t.name) for t in terms if t.kind != NUISANCE)
            raise SmmixError(
                f"combine_terms: no term has {shown(text)} in its name; the terms are {known}."
            )
        for prefix, kind in (("", "coef"), ("mixing.", "mixing")):
            if found[kind]:
                name = prefix + text.removeprefix(prefix)
                places = np.hstack([term.places for term in found[kind]])
                together.append(_Term(name, found[kind][0].kind, places))
    return together


def _listed(name: str, given: Any) -> list[Any]:
    if isinstance(given, str) or not isinstance(given, Iterable | None):
        raise SmmixError(f"{name} must be a list, not {shown(given)}.")
    return [] if given is None else list(given)


def _within_mixing(text: str, name: str) -> bool:
    return text.removeprefix("mixing.") in name.removeprefix("mixing.")


def _named_constraints(given: Any) -> Iterable[tuple[str, Any]]:
    for pair in _listed("extra_constraints", given):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise SmmixError(
                "extra_constraints must be a list of pairs (name, hypotheses), such as "
                f"[('slopes', 'x[0] = x[1]')], not with {shown(pair)} in it."
            )
        yield pair[0], pair[1]


def _distinct(places: np.ndarray) -> np.ndarray:
    return np.unique(places[places >= 0])


def _equalities(places: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Contrasts that make each column's parameters equal across the components that have it."""
    rows = []
    for column in places.T:
        distinct = list(dict.fromkeys(column[column >= 0]))
        rows += [identity[a] - identity[b] for a, b in successive(distinct)]
    return np.array(rows)


def _wald(
    contrast: np.ndarray, values: np.ndarray, params: np.ndarray, matrix: np.ndarray
) -> tuple[float, int]:
    """Statistic and rank of ``contrast @ params = values``; infinite where that is certain."""
    value = contrast @ params - values
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


def _reference(fitted: Fitted, statistic: float, df: int) -> list[float]:
    """Statistic, p-value and degrees of freedom, of F when the fit uses t."""
    shown, pvalue = (0.0, 1.0) if df == 0 else fitted.tail(statistic, df)
    left = [] if fitted.df_inference is None else [float(fitted.df_inference)]
    return [shown, pvalue, df, *left]


def pairwise(
    results: Fit, term: str | None = None, method: str | None = "hs", alpha: float = 0.05
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
        raise SmmixError(f"method={shown(method)} is not known; choose one of {known} or None.")
    fitted = fitted_of(results)
    fitted.required_covariance()
    tables = [
        _compare(fitted, places, method, alpha)
        for places in _pairwise_terms(fitted.specification, term)
        if any(True for _ in _pairs(places))
    ]
    if not tables:
        what = "no coefficient differs" if term is None else f"{shown(term)} does not differ"
        raise SmmixError(f"There are no pairs of components to compare: {what} between components.")
    return pd.concat(tables)


def _pairwise_terms(specification: Specification, term: str | None) -> list[np.ndarray]:
    """Visible positions (k, columns) of each term to compare."""
    places = specification.parameters.by_component(COEF)
    terms = {t: places[:, columns] for t, columns in specification.exog_terms.items()}
    nuisance = {t.name: t.places for t in _nuisance_terms(specification)}
    if term is None:
        return [*terms.values(), *nuisance.values()]
    columns = {name: places[:, [j]] for j, name in enumerate(specification.exog_names)}
    known = nuisance | columns | terms
    if isinstance(term, str) and term in known:
        return [known[term]]
    names = ", ".join(map(repr, dict.fromkeys([*terms, *columns, *nuisance])))
    raise SmmixError(f"term={shown(term)} is not a term of the components; choose one of {names}.")


def _pairs(places: np.ndarray) -> Iterable[tuple[int, int]]:
    for column in places.T:
        for a, b in combinations(column, 2):
            if a >= 0 and b >= 0 and a != b:
                yield int(a), int(b)


def _compare(fitted: Fitted, places: np.ndarray, method: str | None, alpha: float) -> pd.DataFrame:
    pairs = list(dict.fromkeys(_pairs(places)))
    identity = np.eye(fitted.params.size)
    contrast = np.array([identity[a] - identity[b] for a, b in pairs])
    difference, error = contrast @ fitted.params, fitted.errors_of(contrast)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((error == 0.0) & (difference == 0.0), 0.0, difference / error)
    letter, pvalue = fitted.letter, fitted.two_sided(ratio)
    reach = fitted.quantile(alpha) * error
    names = fitted.specification.param_names
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
