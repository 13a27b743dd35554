"""Average marginal effects on the mean, through the components and the mixing model.

With m_i = sum_c pi_c(z_i) mu_c(x_i) the mean of y, a variable v of both designs has the effect

    dm_i/dv = sum_c pi_c dx_i/dv'b_c + sum_c pi_c (dz_i/dv'g_c) (mu_c - m_i),

averaged over the rows with their weights; its standard error is by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.inference.surface import component_slopes, mean_surface
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.prediction import Law
from smmix.mixture.rows import Rows, own_rows

__all__ = ["margins"]

#: Step of the differences of a design, in ranges of the variable.
STEP = 1e-5


#: Largest change of a linear predictor or logit by which gradients are differenced.
LONGEST_MOVE = 1e-2


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


class _Direction(NamedTuple):
    """How both designs (m, p) and (m, q), and the offset (m,), move with a variable."""

    dx: np.ndarray
    dz: np.ndarray
    shift: np.ndarray | None = None


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
        mean, jacobian = mean_surface(self.fitted.specification, self.params, rows)
        return _Effect(float(self.weight @ mean), self.weight @ jacobian)

    def slope(self, rows: Rows, along: _Direction) -> _Effect:
        """Average derivative of the mean when designs and offset move along a direction.

        Its gradient in the parameters is the derivative of the mean's gradient along the same
        direction, by differences of high order.
        """
        specification, params = self.fitted.specification, self.params
        dx, dz, shift = along
        law = Law.of(specification, params, rows)
        by_eta = component_slopes(law)
        gamma = np.vstack([np.zeros(params.mixing.shape[2]), params.mixing[0]])
        direct, pull = dx @ params.coef[0].T, dz @ gamma.T
        if shift is not None:
            direct = direct + shift[:, None]
        centred = law.means - law.mean[:, None]
        values = (law.prior * (by_eta * direct + pull * centred)).sum(axis=1)
        longest = max(float(np.nanmax(np.abs(part), initial=0.0)) for part in (direct, pull))
        step = LONGEST_MOVE / longest if longest > 0.0 else 1.0

        def gradient(share: float) -> np.ndarray:
            moved = replace(rows, exog=rows.exog + share * dx)
            if shift is not None and rows.offset is not None:
                moved = replace(moved, offset=rows.offset + share * shift)
            if rows.concomitant is not None:
                moved = replace(moved, concomitant=rows.concomitant + share * dz)
            jacobian = mean_surface(specification, params, moved).jacobian
            return np.asarray(self.weight @ jacobian)

        near, far = ((gradient(h) - gradient(-h)) / (2.0 * h) for h in (0.5 * step, step))
        return _Effect(float(self.weight @ values), (4.0 * near - far) / 3.0)


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
        effects[name] = surface.slope(rows, _Direction(dx, dz))
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
            effects[name] = surface.slope(rows, _design_slopes(formulas, frame, name))
            continue
        levels = levels or tuple(sorted(frame[name].dropna().unique()))
        at = [surface.level(_with_level(design, frame, name, level, rows)) for level in levels]
        for level, effect in zip(levels[1:], at[1:], strict=True):
            effects[f"{name}: {level} - {levels[0]}"] = _Effect(
                effect.value - at[0].value, effect.gradient - at[0].gradient
            )
    return effects


def _design_slopes(formulas: Any, frame: pd.DataFrame, name: str) -> _Direction:
    """Derivatives of both designs, and of an offset, in one column.

    By differences whose step is a share of each value, inside the range of the column: splines
    have no value beyond it, so a row at its edge has a one-sided difference.

    Raises
    ------
    SmmixError
        If the column enters through a step function, which has no slope.
    """
    value = frame[name].to_numpy(dtype=float)
    unit = np.maximum(np.abs(value), 1e-3 * np.abs(value).mean())
    slopes = [_difference(formulas, frame, name, value, share * unit) for share in (STEP, 2 * STEP)]
    near, far = slopes
    size = max(float(np.abs(part).max(initial=0.0)) for part in near if part is not None)
    apart = max(
        float(np.abs(one - two).max(initial=0.0))
        for one, two in zip(near, far, strict=True)
        if one is not None and two is not None
    )
    if size == 0.0 or apart > 0.05 * size:
        raise SmmixError(
            f"{name!r} enters the formula through a step function, which has no slope; make a "
            "category of it, as in C(..), to have its levels compared."
        )
    dz = np.zeros((len(value), 1)) if near.dz is None else near.dz
    return _Direction(near.dx, dz, near.shift)


def _difference(
    formulas: Any, frame: pd.DataFrame, name: str, value: np.ndarray, step: np.ndarray
) -> _Direction:
    upper = np.minimum(value + step, value.max())
    lower = np.maximum(value - step, value.min())
    high, low = (formulas.transform(frame.assign(**{name: moved})) for moved in (upper, lower))
    gap = np.where(upper > lower, upper - lower, 1.0)

    def slope(one: np.ndarray | None, two: np.ndarray | None) -> Any:
        if one is None or two is None:
            return None
        return (one - two) / (gap if one.ndim == 1 else gap[:, None])

    return _Direction(
        slope(high.exog, low.exog),
        slope(high.concomitant, low.concomitant),
        slope(high.offset, low.offset),
    )


def _with_level(design: Any, frame: pd.DataFrame, name: str, level: Any, rows: Rows) -> Rows:
    copy = frame.copy()
    values = pd.Series([level] * len(frame), index=frame.index)
    if isinstance(frame[name].dtype, pd.CategoricalDtype):
        values = values.astype(frame[name].dtype)
    copy[name] = values
    made = design.formulas.transform(copy)
    offset = rows.offset if made.offset is None else made.offset
    return Rows(made.exog, made.concomitant, offset, rows.endog, None, rows.index, aux=rows.aux)
