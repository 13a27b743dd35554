"""What leaving out one unit would change: one-step deletion.

The estimate without a unit is approximated by one Newton step from the fit, on the likelihood of
the other units [1]_.

References
----------
.. [1] Pregibon, D. (1981). Logistic regression diagnostics. Annals of Statistics 9, 705-724.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from smmix.core.blocks import Block
from smmix.core.information import information
from smmix.core.memory import MemorySource
from smmix.core.params import MixtureParams
from smmix.core.statistics import InfoStats
from smmix.errors import SmmixError
from smmix.mixture.evaluate import information_at
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.parameters import NUISANCE
from smmix.support.callers import user_level
from smmix.support.frames import counted

__all__ = ["Influence", "influence"]

#: Units that are worked on together.
UNITS_AT_ONCE = 16
#: Share of the information in some direction that must be left without a unit.
SMALLEST_REST = 1e-6


class Influence:
    """What leaving out one unit would change, by one Newton step from the fit.

    Signs are those of statsmodels: the fit minus the estimate without the unit. A unit is a row
    with all its weight, or a group when rows are grouped.

    Attributes
    ----------
    d_params : DataFrame, (units, V)
        Change of each parameter. NaN, with a SingularMatrixWarning, for a unit without which
        the information is not positive definite.
    dfbetas : DataFrame, (units, V)
        The same in standard errors (observed information); zero for parameters held fixed.
    cooks_distance : Series
        Squared length of the change in the metric of the observed information, per free
        parameter; infinite for a unit without which the information is not positive definite.
    """

    def __init__(self, fitted: Fitted):
        self._fitted = fitted
        specification, data = fitted.specification, fitted.data
        rows, labels = data.rows().index, data.units.labels
        self._index = rows if labels is None else pd.Index(labels)
        full, visible = specification.tangent
        observed = -full.T @ information_at(specification, data, fitted.params).hessian @ full
        try:
            half = np.linalg.inv(np.linalg.cholesky(observed))
        except np.linalg.LinAlgError:
            raise SmmixError(
                "The observed information is not positive definite, so no step towards the "
                "estimates without a unit can be made; simplify the model or fit it again."
            ) from None
        scaled = self._scaled_steps(half @ full.T)
        self.d_params = pd.DataFrame(
            scaled @ (visible @ half.T).T, self._index, specification.param_names
        )
        error = np.linalg.norm(visible @ half.T, axis=1)
        self.dfbetas = self.d_params.div(np.where(error > 0.0, error, 1.0), axis=1)
        distance = (scaled**2).sum(axis=1) / full.shape[1]
        distance[np.isnan(distance)] = np.inf
        self.cooks_distance = pd.Series(distance, self._index, name="cooks_distance")

    def _scaled_steps(self, whiten: np.ndarray) -> np.ndarray:
        """Steps (units, R) in coordinates where the observed information is one."""
        spec, fit = self._fitted.specification.spec, self._fitted.unpacked
        steps = []
        for chosen, source in _single_units(self._fitted.data.source):
            batch = MixtureParams(*(np.repeat(part, chosen.size, axis=0) for part in fit))

            def of_units(block: Block, batch: MixtureParams = batch) -> InfoStats:
                return information(spec, batch, block)

            own = source.reduce(of_units, 3 * batch.size * batch.k)
            score = own.score @ whiten.T
            rest = np.eye(whiten.shape[0]) + whiten @ own.hessian @ whiten.T
            values, vectors = np.linalg.eigh(0.5 * (rest + np.swapaxes(rest, 1, 2)))
            lost = values[:, 0] < SMALLEST_REST
            values[lost] = np.nan
            rotated = np.einsum("uij,ui->uj", vectors, score) / values
            steps.append(np.einsum("uij,uj->ui", vectors, rotated))
        found = np.concatenate(steps)
        self._warn_of_lost(np.isnan(found[:, 0]))
        return found

    def _warn_of_lost(self, lost: np.ndarray) -> None:
        if lost.any():
            first, others = self._index.tolist()[int(np.argmax(lost))], int(lost.sum()) - 1
            more = f" (as it is without {counted(others, 'other')})" if others else ""
            warnings.warn(
                f"Without unit {first!r} the information is not positive definite{more}: a "
                "parameter rests on it, and its influence is infinite.",
                SingularMatrixWarning,
                stacklevel=user_level(),
            )

    @cached_property
    def d_posterior(self) -> pd.DataFrame:
        """Change (units, k) of the unit's own membership when it does not count in the fit."""
        return self._membership[0]

    @cached_property
    def moved(self) -> pd.Series:
        """Expected number of other units (by weight) whose membership the unit changes.

        Half the sum of absolute changes of their posteriors; its cost grows with the square of
        the number of units.
        """
        return self._membership[1]

    @cached_property
    def _membership(self) -> tuple[pd.DataFrame, pd.Series]:
        fitted = self._fitted
        own, moved = [], []
        known = ~self.d_params.isna().any(axis=1).to_numpy()
        units = np.arange(len(known))
        for start in range(0, len(units), UNITS_AT_ONCE):
            chosen = units[start : start + UNITS_AT_ONCE]
            without = self._without(np.where(known[chosen, None], self._steps_of(chosen), 0.0))
            change, total = _membership_change(fitted, without, chosen)
            change[~known[chosen]], total[~known[chosen]] = np.nan, np.nan
            own.append(change)
            moved.append(total)
        return (
            pd.DataFrame(np.concatenate(own), self._index, fitted.components),
            pd.Series(np.concatenate(moved), self._index, name="moved"),
        )

    def _steps_of(self, chosen: np.ndarray) -> np.ndarray:
        steps: np.ndarray = self.d_params.to_numpy()[chosen]
        return steps

    def _without(self, steps: np.ndarray) -> MixtureParams:
        """Parameters without each of some units; nuisance parameters stay inside their range."""
        specification, params = self._fitted.specification, self._fitted.params
        moved = params - steps
        for i in specification.parameters.positions(NUISANCE):
            transform = specification.parameters.rows[i].transform
            step = -steps[:, i] / transform.slope(params[i])
            moved[:, i] = transform.natural(transform.working(params[i]) + step)
        unpacked = specification.layout.unpack(specification.expand.full(moved))
        random = specification.spec.random
        if random is not None:
            # The nearest covariances where a step has left them.
            unpacked.nuisance[..., 1:] = random.moved(unpacked.nuisance[..., 1:], np.zeros(1))
        return unpacked

    def summary_frame(self) -> pd.DataFrame:
        """Everything that leaving out a unit would change.

        Returns
        -------
        DataFrame
            One row per unit: dfb_ of every parameter, Cook's distance, and both effects on
            membership.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> frame = results.get_influence().summary_frame()
        >>> list(frame)[-4:]
        ['cooks_distance', 'd_posterior[0]', 'd_posterior[1]', 'moved']
        """
        table: pd.DataFrame = self.dfbetas.rename(columns=lambda name: f"dfb_{name}")
        table["cooks_distance"] = self.cooks_distance
        for c, change in self.d_posterior.items():
            table[f"d_posterior[{c}]"] = change
        table["moved"] = self.moved
        return table


def influence(results: Fit) -> Influence:
    """Influence of every unit on the coefficients and on membership, by one-step deletion.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.

    Returns
    -------
    Influence

    Raises
    ------
    SmmixError
        If the observed information is not positive definite.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.get_influence().cooks_distance.idxmax()
    137
    """
    return Influence(fitted_of(results))


def _single_units(source: MemorySource) -> Iterator[tuple[np.ndarray, MemorySource]]:
    """Positions of a few units, and a source whose parameter set s counts only unit s of them."""
    for start in range(0, source.n_units, UNITS_AT_ONCE):
        chosen = np.arange(start, min(start + UNITS_AT_ONCE, source.n_units))
        few = source.take_units(chosen)
        weight = np.ones(chosen.size) if few.weight is None else few.weight
        yield chosen, replace(few, weight=np.diag(weight)[:, None, :], threads=1)


def _membership_change(
    fitted: Fitted, without: MixtureParams, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Change (S, K) of each chosen unit's own posterior, and of all others' together (S,)."""
    spec, source, fit = fitted.specification.spec, fitted.data.source, fitted.unpacked
    sets = np.arange(without.size)

    def total(block: Block) -> np.ndarray:
        before = spec.posterior(fit, block)[0]
        change = np.abs(before - spec.posterior(without, block)[0]).sum(axis=1)
        return 0.5 * (change if block.weight is None else change * block.weight).sum(axis=1)

    few = source.take_units(chosen)
    own = np.concatenate(
        [
            spec.posterior(fit, block)[0] - spec.posterior(without, block)[0]
            for block in few.blocks(without.size * without.k)
        ],
        axis=2,
    )[sets, :, sets]
    weight = np.ones(chosen.size) if few.weight is None else few.weight
    others = source.reduce(total, without.size * without.k) - 0.5 * weight * np.abs(own).sum(axis=1)
    return own, np.maximum(others, 0.0)
