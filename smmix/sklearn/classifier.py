"""Mixtures of binomial and ordered regressions as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from smmix.core.family import Family
from smmix.core.family_list import FamilyList
from smmix.errors import SmmixError
from smmix.families import read_family
from smmix.mixture.per_component import check_k
from smmix.mixture.response import coded
from smmix.sklearn.inputs import checked_weight, column_names, own_names
from smmix.sklearn.shell import Columns, MixtureFit, Rows, fit_rows

__all__ = ["MixtureClassifier"]


class MixtureClassifier(ClassifierMixin, BaseEstimator):
    """Finite mixture of binomial or ordered regressions that follows scikit-learn's conventions.

    The classes are the values of the response. The components are groups of rows whose classes
    depend on X in different ways; `component_proba` has their probabilities. There is no penalty
    on coefficients: where classes are separated their maximum is at infinity, which a
    `smmix.errors.BoundaryWarning` tells.

    Parameters
    ----------
    n_components : int
        One by default: a logistic, probit or ordered regression.
    family : str, family, or list of these
        "binomial" (the default) for two classes, "ordered" for more, in the order in which they
        sort, or as ``smmix.families.Ordered(levels=["low", "middle", "high"])`` has them.
    shared : list of str, optional
        Cuts of ordered responses, such as "below.high", that all components share.
    concomitant : int, str, or sequence of these, optional
        Columns of X, by position or name, on which the component probabilities depend as well,
        by a multinomial logit; by default they are the same for all rows. Several binomial
        components of single trials are not told apart without.
    fit_intercept : bool
        Always True for ordered responses, whose cuts take its place.
    method : {"em-newton", "em"}
    n_starts, max_iter, tol, random_state, threads
        As in `MixtureRegressor`.

    Attributes
    ----------
    classes_ : ndarray, (n_classes,)
    results_ : MixtureResults
    coef_ : ndarray, (n_components, n_features_in_)
        On the scale of the link, of the second class of two; zero for the columns ``collinear_``.
    collinear_ : list of str
        Columns that are linear combinations of earlier ones, the constant first.
    intercept_, weights_ : ndarray, (n_components,)
        Intercepts (zero for ordered responses) and (average) mixing weights.
    nuisance_ : dict of ndarray, (n_components,)
        The cuts of ordered responses by name.
    n_iter_ : int
    converged_ : bool

    References
    ----------
    .. [1] Follmann, D. A. and Lambert, D. (1991). Identifiability of finite mixtures of logistic
       regression models. Journal of Statistical Planning and Inference 27, 375-381.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from smmix.sklearn import MixtureClassifier
    >>> data = sm.datasets.spector.load_pandas().data
    >>> model = MixtureClassifier().fit(data[["GPA", "TUCE", "PSI"]], data["GRADE"])
    >>> model.coef_.round(2)
    array([[2.83, 0.1 , 2.38]])
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        family: Any = "binomial",
        shared: Sequence[str] | None = None,
        concomitant: int | str | Sequence[int | str] | None = None,
        fit_intercept: bool = True,
        method: str = "em-newton",
        n_starts: int = 50,
        max_iter: int = 1000,
        tol: float = 1e-8,
        random_state: Any = 0,
        threads: int | None = None,
    ):
        self.n_components = n_components
        self.family = family
        self.shared = shared
        self.concomitant = concomitant
        self.fit_intercept = fit_intercept
        self.method = method
        self.n_starts = n_starts
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.threads = threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = read_family(self.family).reads == "levels"
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MixtureClassifier:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
            Classes: numbers, texts, or True and False.
        sample_weight : array_like, (n_samples,), optional
            A weight of 2 is the row twice; rows of weight 0 are left out.

        Returns
        -------
        MixtureClassifier
            The estimator itself.

        Raises
        ------
        SmmixError
            If the data or the options allow no fit; it is a ValueError.

        Examples
        --------
        >>> from smmix.sklearn import MixtureClassifier
        >>> model = MixtureClassifier().fit([[0], [1], [2], [3]], ["no", "yes", "no", "yes"])
        >>> model.classes_.tolist()
        ['no', 'yes']
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if sample_weight is not None:
            weight = checked_weight(sample_weight, X)
            X, y, weight = X[weight > 0.0], y[weight > 0.0], weight[weight > 0.0]
        else:
            weight = None
        self.classes_ = np.unique(y)
        with own_names():
            check_k(self.n_components)
            family = self._family_of_classes()
            columns = Columns.of(
                X, column_names(self), family.intercept and bool(self.fit_intercept),
                self.concomitant, slice(None),
            )  # fmt: skip
            results = fit_rows(self, family, columns, Rows(X, self._encoded(y)), weight)
        self._fit = fit = MixtureFit.of(results, columns)
        self.results_: Any = results
        constant = int(columns.constant)
        self.coef_ = fit.coef[:, constant:]
        self.intercept_ = fit.coef[:, 0].copy() if constant else np.zeros(len(fit.coef))
        self.collinear_ = columns.dependent
        self.weights_ = results.mixing_weights.to_numpy()
        self.nuisance_ = fit.nuisance_by_name
        self.n_iter_ = max(int(results.n_iter), 1)
        self.converged_ = bool(results.converged)
        return self

    def _family_of_classes(self) -> Family:
        """The family for the classes, and the number that it has for each of them."""
        family, classes = read_family(self.family, self.n_components), self.classes_
        if family.reads == "numbers":
            raise SmmixError(
                f"{family.label[:1].upper()}{family.label[1:]} are for MixtureRegressor; "
                "MixtureClassifier takes binomial and ordered ones."
            )
        if len(classes) < 2:
            raise SmmixError(f"y has one class only, {classes[0]!r}; it needs two.")
        self._codes = np.arange(len(classes))
        if family.reads == "successes":
            if len(classes) > 2:
                # The words "Only binary classification" are those that scikit-learn looks for.
                raise SmmixError(
                    "Only binary classification is supported by binomial responses, and y has "
                    f"{len(classes)} classes; use family='ordered' where they have an order."
                )
            return family
        if isinstance(family, FamilyList):
            raise SmmixError("Ordered components are all of one family; give it once.")
        if not self.fit_intercept:
            raise SmmixError(
                "fit_intercept=False means nothing for ordered responses, whose cuts take the "
                "place of the intercept; leave it out."
            )
        levels = getattr(family, "levels", ())
        if levels:
            places = coded(pd.Series(classes, name="y"), family).to_numpy().astype(int)
            # Levels that a part of the rows lacks cannot be told from their neighbours.
            self._codes = places.argsort().argsort()
            levels = tuple(levels[i] for i in np.sort(places))
        else:
            levels = tuple(classes.tolist())
        return replace(family, levels=levels)  # type: ignore[type-var]

    def _encoded(self, y: np.ndarray) -> np.ndarray:
        """Numbers of classes, as the family has them."""
        place = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[place] != y
        if unknown.any():
            row = int(np.argmax(unknown))
            raise SmmixError(
                f"y is {y[row]!r} in row {row}, a class that the fit has not seen; it has "
                f"{', '.join(map(repr, self.classes_.tolist()))}."
            )
        codes: np.ndarray = self._codes[place].astype(float)
        return codes

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes under the mixture.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)

        Returns
        -------
        ndarray, (n_samples, n_classes)
            In the order of ``classes_``; rows sum to 1.

        Examples
        --------
        >>> from smmix.sklearn import MixtureClassifier
        >>> model = MixtureClassifier().fit([[0], [1], [0], [1]], ["no", "yes", "yes", "no"])
        >>> model.predict_proba([[1]]).round(2)
        array([[0.5, 0.5]])
        """
        rows = self._rows(X)
        law = self._fit.law(rows)
        by_class = [
            (law.prior * np.exp(law.log_density(np.full(len(rows.X), float(code))))).sum(axis=1)
            for code in self._codes
        ]
        return np.column_stack(by_class)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)

        Returns
        -------
        ndarray, (n_samples,)

        Examples
        --------
        >>> from smmix.sklearn import MixtureClassifier
        >>> y = ["no", "yes", "no", "no", "yes", "yes"]
        >>> MixtureClassifier().fit([[0], [1], [0], [1], [0], [1]], y).predict([[0], [1]]).tolist()
        ['no', 'yes']
        """
        best = self.predict_proba(X).argmax(axis=1)
        predicted: np.ndarray = self.classes_[best]
        return predicted

    def component_proba(self, X: Any, y: Any = None) -> np.ndarray:
        """Probabilities of the components: before y is known, or given y.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,), optional

        Returns
        -------
        ndarray, (n_samples, n_components)
            Rows sum to 1.

        Examples
        --------
        >>> from smmix.sklearn import MixtureClassifier
        >>> model = MixtureClassifier().fit([[0], [1], [0], [1]], ["no", "yes", "yes", "no"])
        >>> model.component_proba([[1]])
        array([[1.]])
        """
        rows = self._rows(X, y)
        return self._fit.prior(rows.X) if y is None else self._fit.posterior(rows)

    def log_density(self, X: Any, y: Any) -> np.ndarray:
        """Log probability of each y under the mixture at its row of X.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)

        Returns
        -------
        ndarray, (n_samples,)

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureClassifier
        >>> data = sm.datasets.spector.load_pandas().data
        >>> X, y = data[["GPA", "TUCE", "PSI"]], data["GRADE"]
        >>> round(float(MixtureClassifier().fit(X, y).log_density(X, y).sum()), 2)
        -12.89
        """
        rows = self._rows(X, y)
        return self._fit.log_density(rows)

    def bic(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion of the fit on some rows; the lower, the better.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        sample_weight : array_like, (n_samples,), optional

        Returns
        -------
        float

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureClassifier
        >>> data = sm.datasets.spector.load_pandas().data
        >>> X, y = data[["GPA", "TUCE", "PSI"]], data["GRADE"]
        >>> round(MixtureClassifier().fit(X, y).bic(X, y), 2)
        39.64
        """
        return self._criterion(X, y, sample_weight, None)

    def aic(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Akaike information criterion of the fit on some rows; the lower, the better.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        sample_weight : array_like, (n_samples,), optional

        Returns
        -------
        float

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureClassifier
        >>> data = sm.datasets.spector.load_pandas().data
        >>> X, y = data[["GPA", "TUCE", "PSI"]], data["GRADE"]
        >>> round(MixtureClassifier().fit(X, y).aic(X, y), 2)
        33.78
        """
        return self._criterion(X, y, sample_weight, 2.0)

    # -- parts ----------------------------------------------------------------------------------

    def _rows(self, X: Any, y: Any = None) -> Rows:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        if y is None:
            return Rows(X)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        return Rows(X, self._encoded(y))

    def _criterion(self, X: Any, y: Any, sample_weight: Any, price: float | None) -> float:
        rows = self._rows(X, y)
        weight = None if sample_weight is None else checked_weight(sample_weight, rows.X)
        return self._fit.criterion(rows, weight, price)
