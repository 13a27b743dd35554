"""Mixtures of regressions as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from smmix.errors import DegenerateComponentWarning, SmmixError
from smmix.families import read_family
from smmix.families.gaussian import Gaussian
from smmix.fit.estimable import EXACT_FIT
from smmix.mixture.per_component import check_k
from smmix.sklearn.inputs import (
    checked_column,
    checked_response,
    checked_weight,
    column_names,
    own_names,
)
from smmix.sklearn.shell import Columns, MixtureFit, Rows, fit_rows

__all__ = ["MixtureRegressor"]


def _has_several(estimator: MixtureRegressor) -> bool:
    k = estimator.n_components
    return isinstance(k, int | np.integer) and k > 1


class MixtureRegressor(RegressorMixin, BaseEstimator):
    """Finite mixture of regressions that follows scikit-learn's conventions.

    A thin shell around `smmix.MixtureGLM`: ``results_`` is the statsmodels-like results object
    with standard errors, tests, criteria and plots.

    Parameters
    ----------
    n_components : int
        One by default, as in scikit-learn's GaussianMixture: plain least squares.
    family : str, family, or list of these
        As in `smmix.from_formula`, Gaussian by default; `MixtureClassifier` is for binomial and
        ordered responses.
    shared : list of str, optional
        Parameters beside the coefficients, such as "alpha", that all components share.
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
    collinear_ : list of str
        Names of those columns.
    intercept_, weights_ : ndarray, (n_components,)
        Intercepts, and (average) mixing weights.
    nuisance_ : dict of ndarray, (n_components,)
        Parameters of the family beside the coefficients, such as "sigma" or "alpha", by name.
    sigma_ : ndarray, (n_components,)
        Where the family has one, as the Gaussian.
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
        family: Any = "gaussian",
        shared: Sequence[str] | None = None,
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
        self.family = family
        self.shared = shared
        self.concomitant = concomitant
        self.fit_intercept = fit_intercept
        self.variance = variance
        self.method = method
        self.n_starts = n_starts
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.threads = threads

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        exposure: Any = None,
        event: Any = None,
    ) -> MixtureRegressor:
        """Fit by maximum likelihood.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        sample_weight : array_like, (n_samples,), optional
            A weight of 2 is the row twice; rows of weight 0 are left out.
        exposure : array_like, (n_samples,), optional
            Its log is added to the linear predictor.
        event : array_like, (n_samples,), optional
            1 where a time ended with the event, 0 where it was cut off.

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
        rows = Rows(
            X, y, checked_column("exposure", exposure, X), checked_column("event", event, X)
        )
        used = slice(None) if weight is None else weight > 0.0
        names = column_names(self)
        columns = Columns.of(X, names, bool(self.fit_intercept), self.concomitant, used)
        with own_names():
            check_k(self.n_components)
            family = read_family(self.family, self.n_components)
            if family.reads != "numbers":
                raise SmmixError(
                    f"{family.label[:1].upper()}{family.label[1:]} are for MixtureClassifier; for "
                    "successes of several trials use smmix.from_formula."
                )
            plain = family == Gaussian() and exposure is None and event is None
            coef = _exact(columns.design(X)[used][:, columns.kept], y[used]) if plain else None
            if coef is not None:
                self._take_exact(columns, coef)
                self.labels_ = np.zeros(len(y), dtype=int)
                return self
            results = fit_rows(self, family, columns, rows, weight, self.variance)
        self.results_: Any = results
        self._exposed = exposure is not None
        self._take(MixtureFit.of(results, columns), results.mixing_weights.to_numpy())
        self.n_iter_ = max(int(results.n_iter), 1)
        self.converged_ = bool(results.converged)
        self.labels_ = self._fit.posterior(rows).argmax(axis=1)
        return self

    def _take_exact(self, columns: Columns, coef: np.ndarray) -> None:
        """Take one regression without residuals for all components."""
        k = self.n_components
        warnings.warn(
            "The columns of X fit y exactly: every component is that regression, with a sigma of "
            "zero, and there are no standard errors.",
            DegenerateComponentWarning,
            stacklevel=3,
        )
        full = np.zeros((k, len(columns.labels)))
        full[:, columns.kept] = coef
        mixing = np.zeros((k - 1, 1 + len(columns.gating)))
        fit = MixtureFit(columns, Gaussian(), full, np.zeros((k, 1)), mixing, 0)
        self.results_, self.n_iter_, self.converged_, self._exposed = None, 1, True, False
        self._take(fit, np.full(k, 1.0 / k))

    def _take(self, fit: MixtureFit, weights: np.ndarray) -> None:
        """Hold estimates as scikit-learn's attributes."""
        constant = int(fit.columns.constant)
        self._fit = fit
        self.coef_ = fit.coef[:, constant:]
        self.intercept_ = fit.coef[:, 0].copy() if constant else np.zeros(len(fit.coef))
        self.collinear_ = fit.columns.dependent
        self.weights_ = weights
        self.nuisance_ = fit.nuisance_by_name
        if "sigma" in self.nuisance_:
            self.sigma_ = self.nuisance_["sigma"]

    def predict(self, X: Any, exposure: Any = None) -> np.ndarray:
        """Mean of y under the mixture.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        exposure : array_like, (n_samples,), optional
            One each by default.

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
        rows = self._rows(X, None, exposure)
        return self._fit.law(rows).mean

    def predict_components(self, X: Any, exposure: Any = None) -> np.ndarray:
        """Mean of y within each component.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        exposure : array_like, (n_samples,), optional
            One each by default.

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
        rows = self._rows(X, None, exposure)
        return self._fit.law(rows).means

    @available_if(_has_several)
    def predict_proba(
        self, X: Any, y: Any = None, exposure: Any = None, event: Any = None
    ) -> np.ndarray:
        """Probabilities of the components: before y is known, or given y.

        With a single component there is nothing to tell apart, and the method is absent, as
        scikit-learn asks of regressors.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,), optional
            With y the posterior probabilities, whose largest tells the cluster of a row.
        exposure, event : array_like, (n_samples,), optional
            As in `fit`; they go with y.

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
        if y is None and not (exposure is None and event is None):
            raise SmmixError("exposure and event say nothing without y; give y as well.")
        rows = self._rows(X, y, exposure, event)
        if y is None or self.results_ is None:
            return self._fit.prior(rows.X)
        return self._fit.posterior(rows)

    def log_density(self, X: Any, y: Any, exposure: Any = None, event: Any = None) -> np.ndarray:
        """Log density of each y under the mixture at its row of X.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        exposure, event : array_like, (n_samples,), optional
            As in `fit`.

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
        rows = self._rows(X, y, exposure, event)
        self._require_density()
        return self._fit.log_density(rows)

    def bic(self, X: Any, y: Any, sample_weight: Any = None, exposure: Any = None) -> float:
        """Bayesian information criterion of the fit on some rows; the lower, the better.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        sample_weight, exposure : array_like, (n_samples,), optional

        Returns
        -------
        float

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureRegressor
        >>> data = sm.datasets.engel.load_pandas().data
        >>> model = MixtureRegressor(2).fit(data[["income"]], data["foodexp"])
        >>> round(model.bic(data[["income"]], data["foodexp"]), 1)
        2795.3
        """
        return self._criterion(X, y, sample_weight, exposure, None)

    def aic(self, X: Any, y: Any, sample_weight: Any = None, exposure: Any = None) -> float:
        """Akaike information criterion of the fit on some rows; the lower, the better.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        sample_weight, exposure : array_like, (n_samples,), optional

        Returns
        -------
        float

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.sklearn import MixtureRegressor
        >>> data = sm.datasets.engel.load_pandas().data
        >>> model = MixtureRegressor(2).fit(data[["income"]], data["foodexp"])
        >>> round(model.aic(data[["income"]], data["foodexp"]), 1)
        2771.1
        """
        return self._criterion(X, y, sample_weight, exposure, 2.0)

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, exposure: Any = None) -> float:
        """R squared of the mean of y under the mixture.

        Parameters
        ----------
        X : array_like, (n_samples, n_features)
        y : array_like, (n_samples,)
        sample_weight, exposure : array_like, (n_samples,), optional

        Returns
        -------
        float

        Examples
        --------
        >>> from smmix.sklearn import MixtureRegressor
        >>> model = MixtureRegressor().fit([[0], [1], [2], [3]], [1, 3, 2, 6])
        >>> round(model.score([[0], [1], [2], [3]], [1, 3, 2, 6]), 3)
        0.7
        """
        rows = self._rows(X, y, exposure)
        return float(r2_score(y, self._fit.law(rows).mean, sample_weight=sample_weight))

    # -- parts ----------------------------------------------------------------------------------

    def _rows(self, X: Any, y: Any = None, exposure: Any = None, event: Any = None) -> Rows:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        if y is not None and exposure is None and self._exposed:
            raise SmmixError("The fit has an exposure, which y depends on; give exposure as well.")
        return Rows(
            X,
            None if y is None else checked_response(X, y),
            checked_column("exposure", exposure, X),
            checked_column("event", event, X),
        )

    def _criterion(
        self, X: Any, y: Any, sample_weight: Any, exposure: Any, price: float | None
    ) -> float:
        rows = self._rows(X, y, exposure)
        self._require_density()
        weight = None if sample_weight is None else checked_weight(sample_weight, rows.X)
        return self._fit.criterion(rows, weight, price)

    def _require_density(self) -> None:
        if self.results_ is None:
            raise SmmixError("The fit is exact (sigma_ is zero), so y has no density.")


def _exact(design: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Coefficients of one regression that leaves no residuals; None where it leaves some."""
    coef: np.ndarray = np.linalg.lstsq(design, y, rcond=None)[0]
    resid = y - design @ coef
    exact = np.sqrt(np.mean(resid**2)) <= EXACT_FIT * np.abs(y).max()
    return coef if exact else None
