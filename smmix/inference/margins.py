"""Average marginal effects on the mean, through the components and the mixing model.

With m = sum_c pi_c(z) mu_c(eta_c) the mean of y in a row, a variable v of both designs, and of the
offset o, has the effect

    dm/dv = sum_c pi_c mu_c'(eta_c) (dx/dv'b_c + do/dv) + sum_c pi_c (dz/dv'g_c) (mu_c - m),

averaged over the rows with their weights; its standard error is by the delta method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.slopes import design_slopes
from smmix.inference.surface import STEP, mean_slopes, mean_surface
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.mixture.outcomes import one_response
from smmix.mixture.prediction import Law, of_units, unit_concomitant
from smmix.mixture.rows import Rows, own_rows
from smmix.support.checks import check_alpha, check_flag, shown
from smmix.support.frames import is_single

__all__ = ["margins"]

AVERAGES = ("mean", "median")


class _Effect(NamedTuple):
    """An average effect and its derivatives in the full parameter vector."""

    value: float
    gradient: np.ndarray


class _Direction(NamedTuple):
    """How designs and offset change with a variable."""

    exog: np.ndarray
    concomitant: np.ndarray | None = None
    offset: np.ndarray | None = None
    ancillary: np.ndarray | None = None


def margins(
    results: Fit, alpha: float = 0.05, *, at: Any = None, dummy: bool = False
) -> pd.DataFrame:
    """Average marginal effects of the variables on the mean of the response.

    Parameters
    ----------
    results : MixtureResults
        Of a model that still has its data.
    alpha : float
        The intervals have the level 1 - alpha.
    at : dict, "mean" or "median", optional
        Values of variables that all rows are given, the others as they are; or one row with all
        numbers, the offset among them, at their (weighted) mean or median, and categories at their
        most frequent value. By default the rows as they are.
    dummy : bool
        Whether numbers that are 0 or 1 in every row have the effect of a change from 0 to 1, and
        not that of a derivative.

    Returns
    -------
    DataFrame
        A row per variable, in units of the response: the average derivative for a number, the
        average difference to the first level for each other level of a category. A variable
        that stands in several terms, in both formulas, or in the offset, moves them all. Columns:
        dy/dx, std err, z (or t), P>|z|, and the limits. For a model of arrays each column is a
        variable, and columns of the same name in both designs are one. ``summary()`` prints it.

    Raises
    ------
    SmmixError
        If there is no variable, one enters a formula through a comparison or a function with
        steps, which have no derivative, or ``at`` names none.

    Notes
    -----
    Columns are differentiated by the rules of calculus where the formula is made of arithmetic and
    NumPy's functions, by differences relative to the value where not (splines). In groups the
    first row's concomitants count, as in the fit.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> results.margins().loc["income"].round(3).tolist()[:2]
    [0.554, 0.018]
    """
    check_alpha(alpha)
    check_flag("dummy", dummy)
    fitted = one_response(fitted_of(results), "margins")
    place = _Place.of(fitted, at)
    of_formulas = fitted.specification.formulas is not None
    effects = (_formula_effects if of_formulas else _array_effects)(place, dummy)
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
class _Place:
    """The rows at which effects are taken.

    Attributes
    ----------
    fitted : Fitted
    rows : Rows
    weight : ndarray, (m,)
        Sums to one.
    frame : DataFrame or None
        Their variables; None for a model of arrays.
    """

    fitted: Fitted
    rows: Rows
    weight: np.ndarray
    frame: pd.DataFrame | None

    @classmethod
    def of(cls, fitted: Fitted, at: Any) -> _Place:
        design = fitted.data.rows()
        weight = np.ones(len(design.endog))
        for given in (design.freq_weights, design.prob_weights):
            weight = weight if given is None else weight * given
        own = cls(fitted, own_rows(fitted.data), weight / weight.sum(), design.frame)
        if at is None:
            return own
        if isinstance(at, Mapping):
            return own._with(at)
        if not isinstance(at, str) or at not in AVERAGES:
            raise SmmixError(
                f"at={shown(at)} must be 'mean', 'median', or a dict of variables and their values."
            )
        return own._typical(at)

    def _with(self, at: Mapping[str, Any]) -> _Place:
        """The same rows with values of some variables held."""
        known = self._names()
        for name, value in at.items():
            if name not in known:
                raise SmmixError(
                    f"at names {name!r}, which is no variable of the model; it has "
                    f"{', '.join(map(str, known))}."
                )
            if not is_single(value):
                raise SmmixError(f"at[{name!r}] must be one value; call margins once for each.")
        if self.frame is not None:
            return self.moved(at)
        return replace(self, rows=self._with_columns(at))

    def _names(self) -> list[str]:
        specification = self.fitted.specification
        formulas = specification.formulas
        if formulas is not None:
            extra = (formulas.offset_name, formulas.exposure_name)
            return [*formulas.variables(), *(name for name in extra if name is not None)]
        return list(
            dict.fromkeys([*specification.exog_names, *(specification.concomitant_names or [])])
        )

    def _with_columns(self, at: Mapping[str, Any]) -> Rows:
        specification, rows = self.fitted.specification, self.rows
        parts = []
        for array, names in (
            (rows.exog, specification.exog_names),
            (rows.concomitant, specification.concomitant_names or []),
        ):
            if array is not None:
                array = array.copy()
                for j, name in enumerate(names):
                    if name in at:
                        array[:, j] = _number(at[name], f"at[{name!r}]")
            parts.append(array)
        assert parts[0] is not None, "every model has a design"
        return replace(rows, exog=parts[0], concomitant=parts[1])

    def _typical(self, kind: str) -> _Place:
        """One row, whose numbers are averages."""

        def average(values: np.ndarray) -> np.ndarray:
            return _average(np.asarray(values, dtype=float), self.weight, kind)

        rows, one = self.rows, np.ones(1)
        single = Rows(
            average(rows.exog)[None],
            None if rows.concomitant is None else average(rows.concomitant)[None],
            None if rows.offset is None else average(rows.offset)[None],
            None,
            None,
            pd.RangeIndex(1),
            aux=None if rows.aux is None else average(rows.aux)[None],
        )
        if self.frame is None:
            return _Place(self.fitted, single, one, None)
        columns = {
            name: (
                [float(average(column.to_numpy()))]
                if column.dtype.kind in "iuf" and not self._levels(str(name))
                else _most_frequent(column, self.weight)
            )
            for name, column in self.frame.items()
        }
        return _Place(self.fitted, single, one, pd.DataFrame(columns)).moved({})

    def _levels(self, name: str) -> bool:
        formulas = self.fitted.specification.formulas
        assert formulas is not None, "called for formulas"
        return formulas.variables().get(name) is not None

    def moved(self, values: Mapping[str, Any]) -> _Place:
        """The same with other values of some variables of the formulas."""
        frame, formulas = self.frame, self.fitted.specification.formulas
        assert frame is not None, "models of formulas keep the columns that these use"
        assert formulas is not None, "models of arrays have no variables"
        frame = frame.copy()
        for name, value in values.items():
            column = pd.Series([value] * len(frame), index=frame.index)
            if isinstance(frame[name].dtype, pd.CategoricalDtype):
                column = column.astype(frame[name].dtype)
            elif frame[name].dtype.kind in "iuf":
                column = column.map(lambda v, n=name: _number(v, f"at[{n!r}]")).astype(float)
            frame[name] = column
        made = formulas.transform(frame)
        offset = self.rows.offset if made.offset is None else made.offset
        aux = self.rows.aux if made.ancillary is None else made.ancillary
        rows = replace(
            self.rows, exog=made.exog, concomitant=made.concomitant, offset=offset, aux=aux
        )
        return replace(self, rows=rows, frame=frame)

    def level(self) -> _Effect:
        """Average mean of the response."""
        found = mean_surface(self.fitted.specification, self.fitted.unpacked, self.rows)
        return _Effect(float(self.weight @ found.value), self.weight @ found.jacobian)

    def _by_differences(self, direction: _Direction) -> _Effect:
        """The slope where a parameter of the family moves too, by differences of `level`.

        One step of Richardson's extrapolation leaves an error of the fourth order in the step,
        which moves no predictor by more than `STEP`.
        """
        params = self.fitted.unpacked
        moves = (
            (direction.exog, params.coef),
            (direction.concomitant, params.mixing),
            (direction.ancillary, params.nuisance),
            (direction.offset, np.ones(1)),
        )
        sizes = [np.abs(m).max() * np.abs(by).sum() for m, by in moves if m is not None and by.size]
        step = STEP / max(sizes) if max(sizes) > 0.0 else STEP

        def quotient(h: float) -> np.ndarray:
            up, down = self._along(direction, h).level(), self._along(direction, -h).level()
            return np.append(up.gradient - down.gradient, up.value - down.value) / (2.0 * h)

        found = (4.0 * quotient(0.5 * step) - quotient(step)) / 3.0
        return _Effect(float(found[-1]), found[:-1])

    def _along(self, direction: _Direction, step: float) -> _Place:
        """Rows a ``step`` further."""

        def ahead(values: np.ndarray | None, move: np.ndarray | None) -> Any:
            return values if move is None else (0.0 if values is None else values) + step * move

        moved = {
            "exog": ahead(self.rows.exog, direction.exog),
            "concomitant": ahead(self.rows.concomitant, direction.concomitant),
            "offset": ahead(self.rows.offset, direction.offset),
            "aux": ahead(self.rows.aux, direction.ancillary),
        }
        return replace(self, rows=replace(self.rows, **moved))

    def slope(self, direction: _Direction) -> _Effect:
        """Average derivative of the mean along a change of designs and offset."""
        if direction.ancillary is not None:
            return self._by_differences(direction)
        fitted, rows, weight = self.fitted, self.rows, self.weight
        params, law = fitted.unpacked, Law.of(fitted.specification, fitted.unpacked, rows)
        dx, z = direction.exog, unit_concomitant(rows)
        z = np.ones((len(dx), 1)) if z is None else z
        dz = np.zeros_like(z)
        if direction.concomitant is not None:
            dz = of_units(direction.concomitant, rows)
        gamma = np.vstack([np.zeros(params.mixing.shape[2]), params.mixing[0]])
        prior, first = law.prior, mean_slopes(law)
        pull = dz @ gamma.T
        pull = pull - (prior * pull).sum(axis=1)[:, None]
        along = dx @ params.coef[0].T
        if direction.offset is not None:
            along = along + direction.offset[:, None]
        means = law.means - law.mean[:, None]
        direct = first.by_eta * along
        overall, joint = (prior * direct).sum(axis=1), (prior * pull * means).sum(axis=1)
        bend = prior * (first.bends[0] * along + pull * first.by_eta)
        layout = fitted.specification.layout
        gradient = np.zeros(layout.size)
        coef = np.einsum("n,nc,np->cp", weight, bend, rows.exog)
        coef += np.einsum("n,nc,np->cp", weight, prior * first.by_eta, dx)
        gradient[layout.coef] = coef.ravel()
        own = [
            weight @ (prior * (bent * along + pull * by))
            for by, bent in zip(first.by_nuisance, first.bends[1:], strict=True)
        ]
        if own:
            gradient[layout.nuisance] = np.stack(own, axis=1).ravel()
        change = prior * (direct - overall[:, None] + pull * means - joint[:, None])
        mixing = np.einsum("n,nc,nq->cq", weight, change[:, 1:], z)
        mixing += np.einsum("n,nc,nq->cq", weight, (prior * means)[:, 1:], dz)
        gradient[layout.mixing] = mixing.ravel()
        return _Effect(float(weight @ (overall + joint)), gradient)


def _number(value: Any, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise SmmixError(f"{what} must be a finite number, not {shown(value)}.")
    return number


def _average(values: np.ndarray, weight: np.ndarray, kind: str) -> np.ndarray:
    """Weighted mean or median of rows (m, ..)."""
    if kind == "mean":
        return np.asarray(weight @ values)
    if values.ndim == 2:
        return np.array([_average(column, weight, kind) for column in values.T])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    # Halfway between two rows where the weights split evenly.
    half = 0.5 * reached[-1]
    slack = 1e-12 * reached[-1]
    lower, upper = np.searchsorted(reached, [half - slack, half + slack])
    middle = values[order[[lower, min(int(upper), values.size - 1)]]]
    return np.asarray(middle.mean())


def _most_frequent(column: pd.Series, weight: np.ndarray) -> pd.Series:
    totals = pd.Series(weight).groupby(column.to_numpy(), sort=False, observed=True).sum()
    mode = column[(column == totals.idxmax()).to_numpy()].iloc[:1]
    return mode.reset_index(drop=True)


def _difference(after: _Effect, before: _Effect) -> _Effect:
    return _Effect(after.value - before.value, after.gradient - before.gradient)


def _is_dummy(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _array_effects(place: _Place, dummy: bool) -> dict[str, _Effect]:
    """Effects of the columns of the designs, constants left out."""
    specification = place.fitted.specification
    data = own_rows(place.fitted.data)
    x_names = list(specification.exog_names)
    z_names = list(specification.concomitant_names or [])
    columns = list(zip(x_names, data.exog.T, strict=True))
    if data.concomitant is not None:
        columns += zip(z_names, data.concomitant.T, strict=True)
    varying = {name: values for name, values in columns if np.ptp(values) > 0.0}
    effects = {}
    for name, values in varying.items():
        if dummy and _is_dummy(values):
            one, zero = (place._with({name: float(v)}).level() for v in (1, 0))
            effects[f"{name}: 1 - 0"] = _difference(one, zero)
            continue
        dx = np.tile([float(n == name) for n in x_names], (len(place.rows.exog), 1))
        dz = np.tile([float(n == name) for n in z_names], (len(dx), 1)) if z_names else None
        effects[name] = place.slope(_Direction(dx, dz))
    return effects


def _formula_effects(place: _Place, dummy: bool) -> dict[str, _Effect]:
    """Effects of the columns of the data that the formulas use."""
    formulas, frame = place.fitted.specification.formulas, place.frame
    data = place.fitted.data.rows().frame
    assert frame is not None, "models of formulas keep the columns that these use"
    assert data is not None, "as before"
    assert formulas is not None, "models of arrays have effects of columns"
    effects: dict[str, _Effect] = {}
    for name, levels in formulas.variables().items():
        if levels is None and dummy and _is_dummy(data[name].to_numpy(dtype=float)):
            levels = (0, 1)
        if levels is None:
            effects[name] = place.slope(_direction(place, name))
            continue
        levels = levels or tuple(sorted(data[name].dropna().unique()))
        base, *rest = (place.moved({name: level}).level() for level in levels)
        for level, effect in zip(levels[1:], rest, strict=True):
            effects[f"{name}: {level} - {levels[0]}"] = _difference(effect, base)
    return effects


def _direction(place: _Place, name: str) -> _Direction:
    """How designs and offset change with a number."""
    formulas, frame = place.fitted.specification.formulas, place.frame
    assert formulas is not None, "called for formulas"
    assert frame is not None, "as before"
    # Refuses terms that mean something else when rows are left out.
    formulas.transform(frame)
    dx, dz, further = design_slopes(formulas, frame, name)
    offset = np.zeros(len(frame))
    if formulas.offset_name == name:
        offset += 1.0
    if formulas.exposure_name == name:
        offset += 1.0 / frame[name].to_numpy(dtype=float)
    return _Direction(dx, dz, offset, further)
