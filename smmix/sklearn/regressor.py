"""Mixtures of regressions as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from smmix.core.linalg import dependent_columns
from smmix.errors import DegenerateComponentWarning, SmmixError
from smmix.fit.estimable import EXACT_FIT
from smmix.mixture.per_component import check_k
from smmix.model import MixtureOLS
from smmix.sklearn.inputs import (
    checked_response,
    checked_weight,
    column_positions,
    constant_name,
    own_names,
    seed_of,
)

__all__ = ["MixtureRegressor"]


def _has_several(estimator: MixtureRegressor) -> bool:
    k = estimator.n_components
    return isinstance(k, int | np.integer) and k > 1


class MixtureRegressor(RegressorMixin, BaseEstimator):
    """Finite mixture of linear regressions that follows scikit-learn's conventions.

    A thin shell around `smmix.MixtureOLS`: ``results_`` is the statsmodels-like results object
    with standard errors, tests, criteria and plots.

    Parameters
    ----------
    n_components : int
        One by default, as in scikit-learn's GaussianMixture: plain least squares.
    concomitant : int, str, or sequence of these, optional
        Columns of X, by position or name, on which the component probabilities depend as well,
        by a multinomial logit; by default they are the same for all rows.
    fit_intercept : bool
    variance : {"free", "equal"}
        Whether each component has its own sigma.
    method : {"em-newton", "em"}
    n_starts : int
        Short runs from different starting values, of which the best goes on.
    max_iter : int
        Most iterations of the final ascent.
    tol : float
        Converged means that the largest score per observation is at most this.
    random_state : int, RandomState instance or None
        Seed of the starts. An int gives the same fit on every call, None another search each
        time.
    threads : int, optional
        Threads that share a pass over the data; the result does not depend on it.

    Attributes
    ----------
    results_ : MixtureResults or None
        None when the columns of X fit y exactly.
    coef_ : ndarray, (n_components, n_features_in_)
        Zero for a column that is a linear combination of earlier ones (the constant first), as
        one-hot encoding makes them: predictions do not depend on which of them is left out.
    intercept_, sigma_, weights_ : ndarray, (n_components,)
        Intercepts, standard deviations of the errors, and (average) mixing weights.
    labels_ : ndarray of int, (n_samples,)
        The most probable component of each row of the fit, given its y.
    n_iter_ : int
        Iterations of the final ascent, at least one.
    converged_ : bool
    n_features_in_ : int
    feature_names_in_ : ndarray of str, (n_features_in_,)
        When X has string column names.

    See Also
    --------
    mean_log_density : a scorer that suits mixtures better than R squared.

    Notes
    -----
    `predict` gives the mean of y under the mixture, in which the components average out, so
    ``score`` (R squared) says little about how well a mixture describes the data: choose
    ``n_components`` with ``scoring=mean_log_density``, or `smmix.select_k`. For the model see [1]_.

    References
    ----------
    .. [1] DeSarbo, W. S. and Cron, W. L. (1988). A maximum likelihood methodology for clusterwise
       linear regression. Journal of Classification 5, 249-282.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from smmix.sklearn import MixtureRegressor
    >>> data = sm.datasets.engel.load_pandas().data
    >>> model = MixtureRegressor(n_components=2).fit(data[["income"]], data["foodexp"])
    >>> model.coef_.round(2)
    array([[0.66],
           [0.36]])
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        concomitant: int | str | Sequence[int | str] | None = None,
        fit_intercept: bool = True,
        variance: str = "free",
        method: str = "em-newton",
        n_starts: int = 50,
        max_iter: int = 1000,
        tol: float = 1e-8,
        random_state: Any = 0,
        threads: int | None = None,
    ):
        self.n_components = n_components
        self.concomitant = concomitant
        self.fit_intercept = fit_intercept
        self.variance = variance
        self.method = method
        self.n_starts = n_starts
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.threads = threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MixtureRegressor:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        sample_weight : array_like, (n_samples,), optional
            A weight of 2 is the row twice; rows of weight 0 are left out.

        Returns
        -------
        MixtureRegressor
            The estimator itself.

        Raises
        ------
        SmmixError
            If the data or the options allow no fit; it is a ValueError.

        Warns
        -----
        DegenerateComponentWarning
            When the columns of X fit y exactly: all components are that regression, with a
            ``sigma_`` of zero, and there are no ``results_``.

        Examples
        --------
        >>> from smmix.sklearn import MixtureRegressor
        >>> model = MixtureRegressor().fit([[0], [1], [2], [3]], [1, 3, 2, 6])
        >>> model.coef_.round(6).tolist()
        [[1.4]]
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, dtype=np.float64)
        weight = None if sample_weight is None else checked_weight(sample_weight, X)
        used = slice(None) if weight is None else weight > 0.0
        names = [str(name) for name in getattr(self, "feature_names_in_", range(X.shape[1]))]
        if not hasattr(self, "feature_names_in_"):
            names = [f"x{name}" for name in names]
        self._gating = column_positions(self.concomitant, names)
        design = self._design(X)
        left_out = set(dependent_columns(design[used]))
        self._kept = [i for i in range(design.shape[1]) if i not in left_out]
        with own_names():
            if self._fits_exactly(design[used][:, self._kept], y[used], design.shape[1]):
                self.labels_ = np.zeros(len(y), dtype=int)
                return self
            labels = [constant_name(names)] * bool(self.fit_intercept) + names
            kept = pd.DataFrame(design[:, self._kept], columns=[labels[i] for i in self._kept])
            model = MixtureOLS(
                pd.Series(y, name="y"),
                kept,
                self.n_components,
                exog_concomitant=self._mixing_design(X, names),
                freq_weights=weight,
                variance=self.variance,
            )
            results: Any = model.fit(
                method=self.method,
                n_starts=self.n_starts,
                maxiter=self.max_iter,
                gtol=self.tol,
                rng=seed_of(self.random_state),
                threads=self.threads,
                progress=False,
            )
        self.results_ = results
        self._take(
            design.shape[1],
            results.coef.to_numpy().T,
            results.sigma.to_numpy(),
            results.mixing_weights.to_numpy(),
            results.unpacked.mixing[0],
        )
        self.n_iter_ = max(int(results.n_iter), 1)
        self.converged_ = bool(results.converged)
        self.labels_ = self._posterior(X, y).argmax(axis=1)
        return self

    def _fits_exactly(self, design: np.ndarray, y: np.ndarray, width: int) -> bool:
        """Whether one regression leaves no residuals; then it is taken for all components."""
        coef = np.linalg.lstsq(design, y, rcond=None)[0]
        resid = y - design @ coef
        if np.sqrt(np.mean(resid**2)) > EXACT_FIT * np.abs(y).max():
            return False
        k = self.n_components
        check_k(k)
        warnings.warn(
            "The columns of X fit y exactly: every component is that regression, with a sigma of "
            "zero, and there are no standard errors.",
            DegenerateComponentWarning,
            stacklevel=3,
        )
        mixing = np.zeros((k - 1, 1 + len(self._gating)))
        self._take(width, np.tile(coef, (k, 1)), np.zeros(k), np.full(k, 1.0 / k), mixing)
        self.results_, self.n_iter_, self.converged_ = None, 1, True
        return True

    def _take(
        self,
        width: int,
        coef: np.ndarray,
        sigma: np.ndarray,
        weights: np.ndarray,
        mixing: np.ndarray,
    ) -> None:
        """Hold estimates of the columns kept as scikit-learn's attributes."""
        full = np.zeros((len(coef), width))
        full[:, self._kept] = coef
        constant = int(bool(self.fit_intercept))
        self.coef_ = full[:, constant:]
        self.intercept_ = full[:, 0].copy() if constant else np.zeros(len(coef))
        self.sigma_, self.weights_, self._mixing = sigma, weights, mixing

    def predict(self, X: Any) -> np.ndarray:
        """Mean of y under the mixture.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)

        Returns
        -------
        ndarray, (n_samples,)

        Examples
        --------
        >>> from smmix.sklearn import MixtureRegressor
        >>> model = MixtureRegressor().fit([[0], [1], [2], [3]], [1, 3, 2, 6])
        >>> model.predict([[4.0]]).round(6).tolist()
        [6.5]
        """
        X = self._checked(X)
        mean: np.ndarray = (self._prior(X) * self._means(X)).sum(axis=1)
        return mean

    def predict_components(self, X: Any) -> np.ndarray:
        """Mean of y within each component.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)

        Returns
        -------
        ndarray, (n_samples, n_components)

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureRegressor
        >>> data = sm.datasets.engel.load_pandas().data
        >>> model = MixtureRegressor(2).fit(data[["income"]], data["foodexp"])
        >>> model.predict_components(data[["income"]]).shape
        (235, 2)
        """
        return self._means(self._checked(X))

    @available_if(_has_several)
    def predict_proba(self, X: Any, y: Any = None) -> np.ndarray:
        """Probabilities of the components: before y is known, or given y.

        With a single component there is nothing to tell apart, and the method is absent, as
        scikit-learn asks of regressors.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,), optional
            With y the posterior probabilities, whose largest tells the cluster of a row.

        Returns
        -------
        ndarray, (n_samples, n_components)
            Rows sum to 1.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureRegressor
        >>> data = sm.datasets.engel.load_pandas().data
        >>> model = MixtureRegressor(2).fit(data[["income"]], data["foodexp"])
        >>> model.predict_proba(data[["income"]])[0].round(2)
        array([0.65, 0.35])
        """
        X = self._checked(X)
        return self._prior(X) if y is None else self._posterior(X, checked_response(X, y))

    def log_density(self, X: Any, y: Any) -> np.ndarray:
        """Log density of each y under the mixture at its row of X.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)

        Returns
        -------
        ndarray, (n_samples,)

        Raises
        ------
        SmmixError
            If the fit is exact, so that there is no density.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureRegressor
        >>> data = sm.datasets.engel.load_pandas().data
        >>> model = MixtureRegressor(2).fit(data[["income"]], data["foodexp"])
        >>> round(float(model.log_density(data[["income"]], data["foodexp"]).sum()), 2)
        -1378.54
        """
        X = self._checked(X)
        if not self.sigma_.all():
            raise SmmixError("The fit is exact (sigma_ is zero), so y has no density.")
        density: np.ndarray = logsumexp(self._joint(X, checked_response(X, y)), axis=1)
        return density

    # -- parts ----------------------------------------------------------------------------------

    def _checked(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        checked: np.ndarray = validate_data(self, X, dtype=np.float64, reset=False)
        return checked

    def _design(self, X: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(X)), X]) if self.fit_intercept else X

    def _mixing_design(self, X: np.ndarray, names: list[str]) -> pd.DataFrame | None:
        if not self._gating:
            return None
        columns = np.column_stack([np.ones(len(X)), X[:, self._gating]])
        return pd.DataFrame(columns, columns=["const", *(names[i] for i in self._gating)])

    def _means(self, X: np.ndarray) -> np.ndarray:
        means: np.ndarray = X @ self.coef_.T + self.intercept_
        return means

    def _prior(self, X: np.ndarray) -> np.ndarray:
        if not self._gating:
            return np.tile(self.weights_, (len(X), 1))
        z = np.column_stack([np.ones(len(X)), X[:, self._gating]])
        logits = np.column_stack([np.zeros(len(X)), z @ self._mixing.T])
        prior: np.ndarray = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        return prior

    def _joint(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log of prior times density, (n, k)."""
        scaled = (y[:, None] - self._means(X)) / self.sigma_
        density = -0.5 * scaled**2 - np.log(self.sigma_) - 0.5 * np.log(2.0 * np.pi)
        with np.errstate(divide="ignore"):
            joint: np.ndarray = np.log(self._prior(X)) + density
        return joint

    def _posterior(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        if not self.sigma_.all():
            return self._prior(X)
        joint = self._joint(X, y)
        posterior: np.ndarray = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        return posterior
