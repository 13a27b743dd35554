"""The likelihood of a mixture of regressions at any parameters, and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from smmix.core.statistics import InfoStats
from smmix.errors import SmmixError
from smmix.mixture.evaluate import information_at, own_blocks, posterior_at, score_obs_at
from smmix.mixture.prediction import predict_rows
from smmix.mixture.rows import new_rows, own_rows
from smmix.model.base import MixtureModel

__all__ = ["MixtureLikelihood"]


class MixtureLikelihood(MixtureModel):
    """A mixture's likelihood, its derivatives and its predictions as functions of the parameters.

    The part of `MixtureOLS` that needs no fit; users meet it there. Derivatives are analytic.
    """

    def _derivatives(self, params: Any) -> InfoStats:
        """Score and Hessian in the core's full parameter vector."""
        vector = self.check_params(params)
        with np.errstate(all="ignore"):
            found = information_at(self.specification, self.observed, vector)
        _refuse_impossible(found.score)
        return found

    def information(self, params: Any) -> np.ndarray:
        """Observed information, minus the `hessian`.

        Parameters
        ----------
        params : array_like, (V,)

        Returns
        -------
        ndarray, (V, V)

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3], [1.0, 1, 1], k=1)
        >>> model.information([1.0, 1.0]).round(6).tolist()
        [[3.0, 2.0], [2.0, 12.0]]
        """
        return -self.hessian(params)

    def loglikeobs(self, params: Any) -> np.ndarray:
        """Log-likelihood of each row (of each group, when rows are grouped), weights included.

        Parameters
        ----------
        params : array_like, (V,)

        Returns
        -------
        ndarray, (n,) or (n_groups,)

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3], [1.0, 1, 1], k=1)
        >>> model.loglikeobs([1.0, 1.0]).round(3)
        array([-1.419, -0.919, -2.919])
        """
        unpacked = self.unpack(self.check_params(params))
        parts = []
        for block in own_blocks(self.observed, self.k):
            with np.errstate(all="ignore"):
                units = self.spec.posterior(unpacked, block)[1][0, 0]
            units = np.where(np.isnan(units), -np.inf, units)
            parts.append(units if block.weight is None else units * block.weight)
        return np.concatenate(parts)

    def loglike(self, params: Any) -> float:
        """Log-likelihood.

        Parameters
        ----------
        params : array_like, (V,)

        Returns
        -------
        float
            -inf where a sigma is not positive or a row is impossible, so that optimisers turn back.

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3], [1.0, 1, 1], k=1)
        >>> round(float(model.loglike([1.0, 1.0])), 3)
        -5.257
        """
        vector = self.check_params(params, positive=False)
        if not self.specification.allowed(vector).all():
            return -np.inf
        unpacked, spec = self.unpack(vector), self.spec
        with np.errstate(all="ignore"):
            value = self.source.reduce(lambda b: spec.e_step(unpacked, b).loglike, self.k)[0]
        return -np.inf if np.isnan(value) else value

    def score(self, params: Any) -> np.ndarray:
        """Gradient of the log-likelihood.

        Parameters
        ----------
        params : array_like, (V,)

        Returns
        -------
        ndarray, (V,)

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3], [1.0, 1, 1], k=1)
        >>> model.score([1.0, 1.0]).round(6).tolist()
        [1.0, 2.0]
        """
        return self._derivatives(params).score @ self.expand.basis

    def score_obs(self, params: Any) -> np.ndarray:
        """Gradient of each row (of each group, when rows are grouped), weights included.

        Parameters
        ----------
        params : array_like, (V,)

        Returns
        -------
        ndarray, (n, V) or (n_groups, V)

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3], [1.0, 1, 1], k=1)
        >>> model.score_obs([1.0, 1.0]).round(6).tolist()
        [[-1.0, 0.0], [0.0, -1.0], [2.0, 3.0]]
        """
        vector = self.check_params(params)
        with np.errstate(all="ignore"):
            found = score_obs_at(self.specification, self.observed, vector)
        _refuse_impossible(found)
        return found

    def hessian(self, params: Any) -> np.ndarray:
        """Second derivatives of the log-likelihood.

        Parameters
        ----------
        params : array_like, (V,)

        Returns
        -------
        ndarray, (V, V)

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3], [1.0, 1, 1], k=1)
        >>> model.hessian([1.0, 1.0]).round(6).tolist()
        [[-3.0, -2.0], [-2.0, -12.0]]
        """
        basis = self.expand.basis
        return basis.T @ self._derivatives(params).hessian @ basis

    def hessian_factor(self, params: Any, scale: Any = None, observed: bool = True) -> None:
        """Not defined: the Hessian of a mixture is no weighted cross product of ``exog``."""
        raise NotImplementedError(
            "The Hessian of a mixture is no weighted cross product of exog; use hessian(params)."
        )

    def _deriv_score_obs_dendog(self, params: Any) -> None:
        """Not defined: what statsmodels' MLEInfluence asks for."""
        raise NotImplementedError(
            "MLEInfluence knows models of one mean; results.get_influence() tells what each unit "
            "of a mixture moves."
        )

    _deriv_mean_dparams = _deriv_score_obs_dendog

    def posterior(self, params: Any) -> np.ndarray:
        """Posterior probabilities of the components, by row, or by group when rows are grouped.

        Parameters
        ----------
        params : array_like, (V,)

        Returns
        -------
        ndarray, (n, k) or (n_groups, k)
            Rows sum to 1.

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3, 4], [1.0, 1, 1, 1], k=2)
        >>> model.posterior([0.0, 4.0, 1.0, 1.0, 0.0]).round(3)[0].tolist()
        [1.0, 0.0]
        """
        vector = self.check_params(params)
        with np.errstate(all="ignore"):
            found = posterior_at(self.specification, self.observed, vector)
        _refuse_impossible(found)
        return found

    def predict(
        self,
        params: Any,
        exog: Any = None,
        *,
        which: str = "mean",
        endog: Any = None,
        q: Any = 0.5,
        exog_concomitant: Any = None,
        offset: Any = None,
        groups: Any = None,
        transform: bool = True,
    ) -> np.ndarray:
        """Predictions at any parameters, as arrays.

        Parameters
        ----------
        params : array_like, (V,)
        exog : DataFrame or array_like, (m, p), optional
            New rows; by default the rows of the model. An array is a design, also where the model
            has formulas.
        which, endog, q, exog_concomitant, offset, groups, transform : optional
            As in `MixtureResults.predict`.

        Returns
        -------
        ndarray, (m,) or (m, k)

        Raises
        ------
        SmmixError
            If a column is absent or a length does not fit.

        Examples
        --------
        >>> from smmix import MixtureOLS
        >>> model = MixtureOLS([0.0, 1, 3, 4], [1.0, 1, 1, 1], k=2)
        >>> float(model.predict([0.0, 4.0, 1.0, 1.0, 0.0], [[1.0]])[0])
        2.0
        """
        rows = (
            own_rows(self.observed)
            if exog is None
            else new_rows(
                self.specification,
                exog,
                exog_concomitant=exog_concomitant,
                endog=endog,
                offset=offset,
                groups=groups,
                transform=transform and not isinstance(exog, np.ndarray),
            )
        )
        unpacked = self.unpack(self.check_params(params))
        observed = self.observed
        return predict_rows(self.specification, unpacked, rows, which, q, observed).to_numpy()


def _refuse_impossible(values: np.ndarray) -> None:
    """Refuse parameters at which the likelihood is zero and has neither slope nor posterior."""
    if not np.isfinite(values).all():
        raise SmmixError(
            "At these params no component allows some of the rows, or numbers overflow; loglike is "
            "-inf there: give other params."
        )
