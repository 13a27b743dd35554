"""Scores for cross-validation."""

from __future__ import annotations

from typing import Any

__all__ = ["mean_log_density"]


def mean_log_density(estimator: Any, X: Any, y: Any) -> float:
    """Average log density of y, to be used as ``scoring=`` in cross-validation.

    Parameters
    ----------
    estimator : MixtureRegressor, or a Pipeline that ends in one
    X : array_like, (n_samples, n_features)
    y : array_like, (n_samples,)

    Returns
    -------
    float
        Larger is better.

    References
    ----------
    .. [1] Smyth, P. (2000). Model selection for probabilistic clustering using cross-validated
       likelihood. Statistics and Computing 10, 63-72.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from sklearn.model_selection import GridSearchCV, KFold
    >>> from smmix.sklearn import MixtureRegressor, mean_log_density
    >>> data = sm.datasets.engel.load_pandas().data
    >>> search = GridSearchCV(
    ...     MixtureRegressor(n_starts=10),
    ...     {"n_components": [1, 2]},
    ...     scoring=mean_log_density,
    ...     cv=KFold(5, shuffle=True, random_state=0),
    ... )
    >>> search.fit(data[["income"]], data["foodexp"]).best_params_
    {'n_components': 2}
    """
    steps = getattr(estimator, "steps", None)
    if steps is not None:
        X, estimator = estimator[:-1].transform(X), steps[-1][1]
    return float(estimator.log_density(X, y).mean())
