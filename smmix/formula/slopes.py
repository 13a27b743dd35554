"""Derivatives of the columns of a design in one variable of the data.

A column is a product of factors. A factor made of arithmetic, NumPy's elementary functions,
``I(..)``, ``center(..)`` and ``standardize(..)`` is differentiated by the rules of calculus; any
other (a spline, a function of one's own) by differences whose steps are a share of the value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.engine import PROVIDED, DesignInfo, by_role
from smmix.formula.names import name_use
from smmix.formula.spec import FormulaSpec
from smmix.support.frames import row_name

__all__ = ["design_slopes"]

Array = np.ndarray

#: Smallest step of the differences, in units of the value; the largest, of the variable's range;
#: and how many are tried.
STEP, WIDEST, RUNGS = 1e-5, 1e-3, 6

#: Derivatives of NumPy's elementary functions.
DERIVATIVES: dict[Any, Callable[[Array], Array]] = {
    np.log: lambda v: 1.0 / v,
    np.log2: lambda v: 1.0 / (v * np.log(2.0)),
    np.log10: lambda v: 1.0 / (v * np.log(10.0)),
    np.log1p: lambda v: 1.0 / (1.0 + v),
    np.exp: np.exp,
    np.exp2: lambda v: np.exp2(v) * np.log(2.0),
    np.expm1: np.exp,
    np.sqrt: lambda v: 0.5 / np.sqrt(v),
    np.cbrt: lambda v: np.cbrt(v) / (3.0 * v),
    np.square: lambda v: 2.0 * v,
    np.reciprocal: lambda v: -1.0 / v**2,
    np.negative: lambda v: -np.ones_like(v),
    np.sin: np.cos,
    np.cos: lambda v: -np.sin(v),
    np.tan: lambda v: 1.0 / np.cos(v) ** 2,
    np.arctan: lambda v: 1.0 / (1.0 + v**2),
    np.sinh: np.cosh,
    np.cosh: np.sinh,
    np.tanh: lambda v: 1.0 / np.cosh(v) ** 2,
    np.arcsinh: lambda v: 1.0 / np.sqrt(1.0 + v**2),
}


class _NoRuleError(Exception):
    """An expression that the rules of calculus here do not cover."""


def design_slopes(
    formulas: FormulaSpec, frame: pd.DataFrame, name: str
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Derivatives of the columns of the mean, of the mixing model and of the family's design.

    Parameters
    ----------
    formulas : FormulaSpec
    frame : DataFrame
        Complete rows.
    name : str
        A column of numbers.

    Returns
    -------
    exog : ndarray, (m, p)
    concomitant : ndarray, (m, q), or None
    ancillary : ndarray, (m, a), or None

    Raises
    ------
    SmmixError
        If the variable enters through a function that has steps, or has an infinite slope.
    """
    infos, scope = formulas._ready()
    columns = {str(n): column.reset_index(drop=True) for n, column in frame.items()}
    columns[name] = columns[name].astype(float)
    table = pd.DataFrame(columns)
    slopes = [_slopes_of(info, table, name, scope, frame.index) for info in infos]
    return by_role(slopes, formulas.concomitant_names is not None)[1:]


def _slopes_of(
    info: DesignInfo, table: pd.DataFrame, name: str, scope: Mapping[str, Any], rows: pd.Index
) -> np.ndarray:
    moving = {
        factor: _factor_slope(factor, known, table, name, scope, rows)
        for factor, known in info.factor_infos.items()
        if _uses(factor.code, name)
    }
    result = np.zeros((len(table), len(info.column_names)))
    values: dict[Any, np.ndarray] = {}
    first = 0
    for parts in info.term_codings.values():
        for part in parts:
            place = slice(first, first + part.num_columns)
            first += part.num_columns
            for factor in part.factors:
                if factor in moving:
                    result[:, place] += _product(
                        info, part, table, values, {factor: moving[factor]}
                    )
    return result


def _product(
    info: DesignInfo,
    part: Any,
    table: pd.DataFrame,
    values: dict[Any, np.ndarray],
    instead: Mapping[Any, np.ndarray],
) -> np.ndarray:
    """Columns of a part of a term, with some factors replaced."""
    blocks = []
    for factor in part.factors:
        known = info.factor_infos[factor]
        if factor in instead:
            blocks.append(instead[factor])
            continue
        if factor not in values:
            values[factor] = _values(factor, known, table)
        block = values[factor]
        if known.type == "categorical":
            block = part.contrast_matrices[factor].matrix[block]
        blocks.append(block)
    # As in patsy the columns of the first factor change fastest.
    picks = product(*(range(block.shape[1]) for block in reversed(blocks)))
    columns = [
        np.prod([block[:, i] for block, i in zip(blocks, pick[::-1], strict=True)], axis=0)
        for pick in picks
    ]
    return np.column_stack(columns)


def _values(factor: Any, known: Any, table: pd.DataFrame) -> np.ndarray:
    """Values (m, j) of a factor of numbers, or the numbers (m,) of a category's levels."""
    value = factor.eval(known.state, table)
    if known.type == "categorical":
        data = np.asarray(getattr(value, "data", value), dtype=object)
        return np.asarray(pd.Categorical(data, categories=known.categories).codes)
    return np.asarray(value, dtype=float).reshape(len(table), -1)


def _uses(code: str, name: str) -> bool:
    use = name_use(code)
    return name in use.values | use.options | use.columns


def _factor_slope(
    factor: Any,
    known: Any,
    table: pd.DataFrame,
    name: str,
    scope: Mapping[str, Any],
    rows: pd.Index,
) -> np.ndarray:
    """Derivative (m, j) of one factor in a variable."""
    state = known.state
    names = {**scope, **{str(n): c.to_numpy() for n, c in table.items()}, **state["transforms"]}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        try:
            tree = ast.parse(state["eval_code"], mode="eval").body
            slope = _Calculus(name, names, factor, state, table).slope(tree)
        except _NoRuleError:
            return _by_differences(factor, known, table, name)
    slope = np.broadcast_to(np.asarray(slope, dtype=float), len(table))
    wrong = ~np.isfinite(slope)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise SmmixError(
            f"{factor.code!r} has no finite slope in {name!r} in {row_name(rows, row)}, where that "
            f"is {table[name].iloc[row]:g}; ask for the effect at another value with "
            f"at={{{name!r}: ..}}."
        )
    return slope[:, None]


class _Calculus:
    """The slope of an expression in one name, by the rules of calculus."""

    def __init__(
        self, name: str, names: dict[str, Any], factor: Any, state: Any, table: pd.DataFrame
    ):
        self.name, self.names, self.factor, self.state, self.table = (
            name, names, factor, state, table
        )  # fmt: skip

    def value(self, node: ast.expr) -> Any:
        inner = {**{str(n): c for n, c in self.table.items()}, **self.state["transforms"]}
        found = self.state["eval_env"].eval(ast.unparse(node), inner_namespace=inner)
        return found if np.ndim(found) == 0 else np.asarray(found, dtype=float)

    def slope(self, node: ast.expr) -> Any:
        """Derivative of a node; zero where the name is not in it."""
        if not self._has_name(node):
            return 0.0
        if isinstance(node, ast.Name):
            return 1.0
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.slope(node.operand)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            return self.slope(node.operand)
        if isinstance(node, ast.BinOp):
            return self._operation(node.op, node.left, node.right)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise _NoRuleError

    def _has_name(self, node: ast.expr) -> bool:
        return _uses(ast.unparse(node), self.name)

    def _operation(self, op: ast.operator, left: ast.expr, right: ast.expr) -> Any:
        a, b = self.slope(left), self.slope(right)
        if isinstance(op, ast.Add):
            return a + b
        if isinstance(op, ast.Sub):
            return a - b
        if isinstance(op, ast.Mult):
            return a * self.value(right) + self.value(left) * b
        if isinstance(op, ast.Div):
            below = self.value(right)
            return a / below - self.value(left) * b / below**2
        if isinstance(op, ast.Pow):
            return self._power(left, right, a, b)
        raise _NoRuleError

    def _power(self, left: ast.expr, right: ast.expr, a: Any, b: Any) -> Any:
        base, exponent = self.value(left), self.value(right)
        result = 0.0
        if self._has_name(left):
            base = np.asarray(base, dtype=float)
            result = exponent * base ** (exponent - 1.0) * a
        if self._has_name(right):
            result = result + np.asarray(base, dtype=float) ** exponent * np.log(base) * b
        return result

    def _call(self, node: ast.Call) -> Any:
        plain = len(node.args) == 1 and not node.keywords
        function = node.func
        if isinstance(function, ast.Name) and function.id == "Q":
            return 1.0
        if isinstance(function, ast.Attribute) and function.attr == "transform" and node.args:
            return self.slope(node.args[0]) * self._linear(function.value, node)
        called = self._function(function)
        if plain and called is PROVIDED["I"]:
            return self.slope(node.args[0])
        if called is np.power and len(node.args) == 2 and not node.keywords:
            return self._operation(ast.Pow(), *node.args)
        if plain and any(called is known for known in DERIVATIVES):
            inner = np.asarray(self.value(node.args[0]), dtype=float)
            return DERIVATIVES[called](inner) * self.slope(node.args[0])
        raise _NoRuleError

    def _function(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            return getattr(self._function(node.value), node.attr, None)
        return None

    def _linear(self, node: ast.expr, call: ast.Call) -> Any:
        """Slope of what patsy's ``center`` and ``standardize`` make of a variable."""
        known: Any = self.state["transforms"].get(node.id) if isinstance(node, ast.Name) else None
        kind = type(known).__name__
        if kind == "Center":
            return 1.0
        if kind != "Standardize" or len(call.args) > 1:
            raise _NoRuleError
        given = {word.arg: self.value(word.value) for word in call.keywords}
        if not given.get("rescale", True):
            return 1.0
        count = known.current_n - given.get("ddof", 0)
        return 1.0 / np.sqrt(known.current_M2 / count)


def _by_differences(factor: Any, known: Any, table: pd.DataFrame, name: str) -> np.ndarray:
    """Derivative (m, j) by differences, at each row's best of several steps.

    The smallest is a share of the value, as suits a logarithm of skewed numbers, the largest a
    share of the range, as suits a spline, whose values lose their digits over smaller ones. The
    best is where two in succession agree.
    """
    value = table[name].to_numpy()
    nonzero, reach = np.abs(value[value != 0.0]), float(np.ptp(value))
    least = STEP * np.maximum(np.abs(value), nonzero.min() if nonzero.size else 1.0)
    if reach > 0.0:
        least = np.minimum(least, 0.1 * WIDEST * reach)
    growth = (np.maximum(WIDEST * reach, 10.0 * least) / least) ** (1.0 / (RUNGS - 1))
    steps = [least * growth**i for i in range(RUNGS)]
    quotients = np.stack([_quotient(factor, known, table, name, step) for step in steps])
    apart = np.abs(np.diff(quotients, axis=0)).max(axis=2)
    best = apart.argmin(axis=0)
    rows = np.arange(value.size)
    slope: np.ndarray = quotients[best, rows]
    size = np.abs(slope).max(axis=1)
    jumps = (apart[best, rows] > 0.5 * size) & (size > 1e-6 * size.max(initial=0.0))
    here = _values(factor, known, table)
    flat = size.max(initial=0.0) == 0.0 and np.ptp(here, axis=0).max(initial=0.0) > 0.0
    if jumps.any() or flat:
        raise SmmixError(
            f"{name!r} enters the formula through {factor.code!r}, which has steps and so no "
            f"slope; make {factor.code!r} a column of the data and use that."
        )
    return slope


def _quotient(
    factor: Any, known: Any, table: pd.DataFrame, name: str, step: np.ndarray
) -> np.ndarray:
    """Slope of the parabola through three values, which stay inside the variable's range."""
    value = table[name].to_numpy()
    low, high = value.min(), value.max()
    centre = np.clip(value, low + step, high - step) if low < high else value
    below, above = centre - step, centre + step
    if low < high:
        below, above = np.maximum(below, low), np.minimum(above, high)
    at = [_values(factor, known, table.assign(**{name: v})) for v in (below, centre, above)]
    first, second = (above - centre)[:, None], (centre - below)[:, None]
    rise, fall = (at[2] - at[1]) / first, (at[1] - at[0]) / second
    bend = (rise - fall) / (first + second)
    # The value itself is an end of the range or the centre.
    return (rise * second + fall * first) / (first + second) + 2.0 * bend * (value - centre)[
        :, None
    ]
