"""Scores for cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest

from smmix.sklearn.inputs import checked_weight

__all__ = ["MeanLogDensity", "mean_log_density"]


class MeanLogDensity:
    """Average log density of y, to be used as ``scoring=mean_log_density`` [1]_.

    It is called with an estimator, X, y, and perhaps weights; larger is better.

    Parameters
    ----------
    sample_weight, exposure, event : bool or str, optional
        Whether scikit-learn's metadata routing hands them on, or the name that they are to have
        there; None makes it ask. `set_score_request` sets it.

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

    def __init__(
        self,
        sample_weight: bool | str | None = None,
        exposure: bool | str | None = None,
        event: bool | str | None = None,
    ):
        self._requests = {"sample_weight": sample_weight, "exposure": exposure, "event": event}

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        exposure: Any = None,
        event: Any = None,
    ) -> float:
        """Score an estimator of smmix, or a Pipeline that ends in one, on the rows given."""
        steps = getattr(estimator, "steps", None)
        if steps is not None:
            X, estimator = estimator[:-1].transform(X), steps[-1][1]
        # Classes have neither, so that their estimator takes neither.
        given = {"exposure": exposure, "event": event}
        density = estimator.log_density(
            X, y, **{name: values for name, values in given.items() if values is not None}
        )
        weight = None if sample_weight is None else checked_weight(sample_weight, density)
        return float(np.average(density, weights=weight))

    def set_score_request(
        self,
        *,
        sample_weight: bool | str | None = None,
        exposure: bool | str | None = None,
        event: bool | str | None = None,
    ) -> MeanLogDensity:
        """The scorer with other requests, for scikit-learn's metadata routing.

        Parameters
        ----------
        sample_weight, exposure, event : bool, str or None
            True: what is given to the search goes into its scores; False: it does not; text: the
            name that it has there.

        Returns
        -------
        MeanLogDensity
            Another scorer; this one keeps its request.

        Examples
        --------
        >>> from smmix.sklearn import mean_log_density
        >>> mean_log_density.set_score_request(sample_weight=True)
        mean_log_density.set_score_request(sample_weight=True)
        """
        return MeanLogDensity(sample_weight, exposure, event)

    def get_metadata_routing(self) -> MetadataRequest:
        """What the scorer asks of scikit-learn's metadata routing.

        Returns
        -------
        MetadataRequest

        Examples
        --------
        >>> from smmix.sklearn import mean_log_density
        >>> mean_log_density.get_metadata_routing()
        {'score': {'sample_weight': None, 'exposure': None, 'event': None}}
        """
        request = MetadataRequest(owner="mean_log_density")
        for name, alias in self._requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def __repr__(self) -> str:
        asked = {name: alias for name, alias in self._requests.items() if alias is not None}
        if not asked:
            return "mean_log_density"
        words = ", ".join(f"{name}={alias!r}" for name, alias in asked.items())
        return f"mean_log_density.set_score_request({words})"


mean_log_density = MeanLogDensity()
