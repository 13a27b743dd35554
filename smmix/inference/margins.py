"""Average marginal effects on the mean, through the components and the mixing model.

With m_i = sum_c pi_c(z_i) mu_c(x_i) the mean of y, a variable v of both designs has the effect

    dm_i/dv = sum_c pi_c dx_i/dv'b_c + sum_c pi_c (dz_i/dv'g_c) (mu_c - m_i),

averaged over the rows with their weights; its standard error is by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.prediction import component_means, prior_probabilities
from smmix.mixture.rows import Rows, own_rows

__all__ = ["margins"]

#: Step of the differences of a design, in ranges of the variable.
STEP = 1e-6


class _Effect(NamedTuple):
    """An average effect and its derivatives in the full parameter vector."""

    value: float
    gradient: np.ndarray


def margins(results: Fit, alpha: float = 0.05) -> pd.DataFrame:
    """Average marginal effects of the variables on the mean of the response.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    alpha : float
        The intervals have the level 1 - alpha.

    Returns
    -------
    DataFrame
        A row per variable, in units of the response: the average derivative for a number, the
        average difference to the first level for each other level of a category. A variable
        that stands in several terms, or in both formulas, moves them all. Columns: dy/dx,
        std err, z (or t), P>|z|, and the limits. For a model of arrays each column is a
        variable, and columns of the same name in both designs are one.

    Raises
    ------
    SmmixError
        If there is no variable, or one enters a formula through a comparison, which has no
        derivative.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.margins().loc["income"].round(3).tolist()[:2]
    [0.554, 0.018]
    """
    fitted = fitted_of(results)
    of_formulas = fitted.specification.formulas is not None
    effects = _formula_effects(fitted) if of_formulas else _array_effects(fitted)
    if not effects:
        raise SmmixError("The model has no variable besides the constant, so no margins.")
    value = np.array([effect.value for effect in effects.values()])
    gradient = np.array([effect.gradient for effect in effects.values()])
    error = fitted.errors_of(gradient @ fitted.specification.expand.basis)
    letter, reach = fitted.letter, fitted.quantile(alpha) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((error == 0.0) & (value == 0.0), 0.0, value / error)
    table = {
        "dy/dx": value,
        "std err": error,
        letter: ratio,
        f"P>|{letter}|": fitted.two_sided(ratio),
        f"[{alpha / 2:g}": value - reach,
        f"{1 - alpha / 2:g}]": value + reach,
    }
    return pd.DataFrame(table, index=pd.Index(list(effects), name="variable"))


@dataclass(frozen=True)
class _Surface:
    """The mean of the mixture over rows, as a function of designs and parameters."""

    fitted: Fitted
    weight: np.ndarray

    @classmethod
    def of(cls, fitted: Fitted) -> _Surface:
        design = fitted.data.rows()
        weight = np.ones(len(design.endog))
        for given in (design.freq_weights, design.prob_weights):
            weight = weight if given is None else weight * given
        return cls(fitted, weight / weight.sum())

    @property
    def params(self) -> MixtureParams:
        return self.fitted.unpacked

    def mixing_rows(self, rows: Rows) -> np.ndarray:
        """Design of the mixing model, an intercept when there is no covariate."""
        return np.ones((len(rows.exog), 1)) if rows.concomitant is None else rows.concomitant

    def level(self, rows: Rows) -> _Effect:
        """Average mean of the response over the rows."""
        prior = prior_probabilities(self.fitted.specification, self.params, rows)
        means = component_means(self.fitted.specification, self.params, rows)
        overall = (prior * means).sum(axis=1)
        weight = self.weight
        coef = np.einsum("n,nc,np->cp", weight, prior, rows.exog)
        slope = prior[:, 1:] * (means[:, 1:] - overall[:, None])
        mixing = np.einsum("n,nc,nq->cq", weight, slope, self.mixing_rows(rows))
        return _Effect(float(weight @ overall), self._gradient(coef, mixing))

    def slope(self, rows: Rows, dx: np.ndarray, dz: np.ndarray) -> _Effect:
        """Average derivative of the mean when the designs move by ``dx`` and ``dz``."""
        params, weight, x, z = self.params, self.weight, rows.exog, self.mixing_rows(rows)
        prior = prior_probabilities(self.fitted.specification, params, rows)
        gamma = np.vstack([np.zeros(params.mixing.shape[2]), params.mixing[0]])
        means = component_means(self.fitted.specification, params, rows)
        means = means - (prior * means).sum(axis=1)[:, None]
        direct, pull = dx @ params.coef[0].T, dz @ gamma.T
        pull = pull - (prior * pull).sum(axis=1)[:, None]
        overall, joint = (prior * direct).sum(axis=1), (prior * pull * means).sum(axis=1)
        coef = np.einsum("n,nc,np->cp", weight, prior, dx)
        coef += np.einsum("n,nc,np->cp", weight, prior * pull, x)
        change = prior * (direct - overall[:, None] + pull * means - joint[:, None])
        mixing = np.einsum("n,nc,nq->cq", weight, change[:, 1:], z)
        mixing += np.einsum("n,nc,nq->cq", weight, (prior * means)[:, 1:], dz)
        return _Effect(float(weight @ (overall + joint)), self._gradient(coef, mixing))

    def _gradient(self, coef: np.ndarray, mixing: np.ndarray) -> np.ndarray:
        layout = self.fitted.specification.layout
        gradient = np.zeros(layout.size)
        gradient[layout.coef] = coef.ravel()
        gradient[layout.mixing] = mixing.ravel()
        return gradient


def _array_effects(fitted: Fitted) -> dict[str, _Effect]:
    """Effects of the columns of the designs, constants left out."""
    specification, surface = fitted.specification, _Surface.of(fitted)
    rows = own_rows(fitted.data)
    x, z = rows.exog, surface.mixing_rows(rows)
    x_names = list(specification.exog_names)
    z_names = list(specification.concomitant_names or [])
    varying = [n for i, n in enumerate(x_names) if np.ptp(x[:, i]) > 0.0]
    varying += [n for i, n in enumerate(z_names) if np.ptp(z[:, i]) > 0.0]
    effects = {}
    for name in dict.fromkeys(varying):
        dx = np.zeros_like(x) + np.array([float(n == name) for n in x_names])
        dz = np.zeros_like(z)
        if z_names:
            dz += np.array([float(n == name) for n in z_names])
        effects[name] = surface.slope(rows, dx, dz)
    return effects


def _formula_effects(fitted: Fitted) -> dict[str, _Effect]:
    """Effects of the columns of the data that the formulas use."""
    surface = _Surface.of(fitted)
    design = fitted.data.rows()
    frame, formulas, rows = design.frame, design.formulas, own_rows(fitted.data)
    assert frame is not None, "models of formulas keep the columns that these use"
    assert formulas is not None, "models of arrays have effects of columns"
    effects: dict[str, _Effect] = {}
    for name, levels in formulas.variables().items():
        if levels is None:
            dx, dz = _design_slopes(formulas, frame, name, rows)
            effects[name] = surface.slope(rows, dx, dz)
            continue
        levels = levels or tuple(sorted(frame[name].dropna().unique()))
        at = [surface.level(_with_level(design, frame, name, level, rows)) for level in levels]
        for level, effect in zip(levels[1:], at[1:], strict=True):
            effects[f"{name}: {level} - {levels[0]}"] = _Effect(
                effect.value - at[0].value, effect.gradient - at[0].gradient
            )
    return effects


def _design_slopes(
    formulas: Any, frame: pd.DataFrame, name: str, rows: Rows
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of both designs in one column, by differences inside its range.

    Splines have no value beyond the range of the data, so a row at its edge has a one-sided
    difference.
    """
    value = frame[name].to_numpy(dtype=float)
    step = STEP * max(float(np.ptp(value)), float(np.abs(value).max()) * 1e-6, 1e-12)
    upper = np.minimum(value + step, value.max())
    lower = np.maximum(value - step, value.min())
    parts = []
    for moved in (upper, lower):
        copy = frame.copy()
        copy[name] = moved
        made = formulas.transform(copy)
        parts.append((made.exog, made.concomitant))
    gap = np.where(upper > lower, upper - lower, 1.0)[:, None]
    dx = (parts[0][0] - parts[1][0]) / gap
    if rows.concomitant is None:
        return dx, np.zeros((len(value), 1))
    return dx, (parts[0][1] - parts[1][1]) / gap


def _with_level(design: Any, frame: pd.DataFrame, name: str, level: Any, rows: Rows) -> Rows:
    copy = frame.copy()
    values = pd.Series([level] * len(frame), index=frame.index)
    if isinstance(frame[name].dtype, pd.CategoricalDtype):
        values = values.astype(frame[name].dtype)
    copy[name] = values
    made = design.formulas.transform(copy)
    return Rows(made.exog, made.concomitant, rows.offset, rows.endog, None, rows.index)
