"""Which names a formula uses, and what each of them may stand for.

A name in a formula is a column of the data, a function, or a constant of the caller's program.
patsy also takes arrays from the caller's program as if they were columns, so that a misspelt
column quietly becomes another variable; here that is refused.
"""

import ast
import builtins
import keyword
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.support.frames import similar_names

__all__ = ["NameUse", "category_column", "name_use", "resolve"]


@dataclass
class NameUse:
    """The names of one expression by how they are used.

    ``values`` stand where data may stand, ``options`` within keyword arguments, ``calls`` are
    called as functions, ``columns`` are quoted by ``Q("..")``.
    """

    code: str
    values: set[str] = field(default_factory=set)
    options: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)


def name_use(code: str, columns: Iterable[Any] = ()) -> NameUse:
    """Return the names that an expression uses.

    Parameters
    ----------
    code : str
        A Python expression: one factor of a formula.
    columns : iterable
        Columns of the data, of which the text may mean one that has to be quoted.

    Returns
    -------
    NameUse

    Raises
    ------
    SmmixError
        If the expression cannot be parsed, or defines names of its own.

    Examples
    --------
    >>> from smmix.formula.names import name_use
    >>> sorted(name_use("np.log(x1 + x2)").values)
    ['np', 'x1', 'x2']
    """
    try:
        tree = ast.parse(code, mode="eval")
    except SyntaxError as error:
        raise SmmixError(
            f"The formula term {code!r} is not a valid expression ({error.msg})"
            f"{_quote_hint(code, columns)}."
        ) from error
    use = NameUse(code)
    _visit(tree.body, use, use.values)
    return use


def _visit(node: ast.AST, use: NameUse, place: set[str]) -> None:
    if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        raise SmmixError(
            f"The formula term {use.code!r} has a lambda or comprehension; "
            "define a function and call it in the formula."
        )
    if isinstance(node, ast.Name):
        place.add(node.id)
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        use.calls.add(node.func.id)
        if node.func.id == "Q":
            use.columns.add(_quoted_column(node, use.code))
            return
        for argument in node.args:
            _visit(argument, use, place)
        for keyword in node.keywords:
            _visit(keyword.value, use, use.options)
        return
    for child in ast.iter_child_nodes(node):
        _visit(child, use, use.options if isinstance(node, ast.keyword) else place)


def category_column(code: str) -> str | None:
    """Return the column whose own values are a factor's: of ``g``, ``Q("g")`` and ``C(g, ..)``."""
    node: ast.expr = ast.parse(code, mode="eval").body
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        if node.func.id == "C":
            node = node.args[0]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q":
            return _quoted_column(node, code)
    return node.id if isinstance(node, ast.Name) else None


def _quoted_column(call: ast.Call, code: str) -> str:
    named = call.args[0] if len(call.args) == 1 else None
    if isinstance(named, ast.Constant) and isinstance(named.value, str):
        return named.value
    raise SmmixError(f"The formula term {code!r} must give Q one column name as text: Q('name').")


def resolve(
    uses: Iterable[NameUse],
    columns: pd.Index,
    caller: Mapping[str, Any],
    provided: Mapping[str, Any],
    n_rows: int,
) -> tuple[list[str], dict[str, Any]]:
    """Find what the names of some expressions stand for.

    Parameters
    ----------
    uses : iterable of NameUse
        The factors of the formulas.
    columns : Index
        Column names of the data.
    caller : mapping
        Names of the caller's program.
    provided : mapping
        Names that formulas always know, such as ``C`` and ``bs``; a name of the caller's wins
        only if it can be called too.
    n_rows : int
        Rows of the data: an array of that length is taken for a column left out of the data.

    Returns
    -------
    columns : list of str
        The columns used.
    scope : dict
        Value of every other name, Python's built-in functions excepted.

    Raises
    ------
    SmmixError
        If a name is unknown, or is an array that is no column.

    Examples
    --------
    >>> import math
    >>> import pandas as pd
    >>> from smmix.formula.names import name_use, resolve
    >>> resolve([name_use("f(x)")], pd.Index(["x"]), {"f": math.exp}, {}, 10)
    (['x'], {'f': <built-in function exp>})
    """
    used: dict[str, None] = {}
    scope: dict[str, Any] = {}
    for use in uses:
        for name in sorted(use.columns):
            if name not in columns:
                raise _unknown_column(use, name, columns, caller)
        found = [name for name in sorted(use.values | use.options) if name in columns]
        if not found and not use.columns:
            _refuse_no_column(use, columns, caller)
        used.update(dict.fromkeys([*found, *sorted(use.columns)]))
        for name in sorted(use.values | use.options):
            if name not in columns:
                scope.update(_constant(use, name, columns, caller, provided, n_rows))
        for name in sorted(use.calls):
            scope.update(_function(use, name, found, caller, provided))
    return list(used), scope


def _function(
    use: NameUse,
    name: str,
    columns_used: list[str],
    caller: Mapping[str, Any],
    provided: Mapping[str, Any],
) -> dict[str, Any]:
    if name in columns_used:
        raise SmmixError(
            f"The formula term {use.code!r} uses {name!r} both as a function and as a column; "
            "rename the column."
        )
    own: Callable[..., Any] | None = caller.get(name)
    if callable(own):
        return {name: own}
    if name in provided:
        return {name: provided[name]}
    if hasattr(builtins, name):
        return {}
    hint = f"; write np.{name}" if isinstance(getattr(np, name, None), np.ufunc) else ""
    raise SmmixError(f"The formula term {use.code!r} calls {name!r}, which is not known{hint}.")


def _constant(
    use: NameUse,
    name: str,
    columns: pd.Index,
    caller: Mapping[str, Any],
    provided: Mapping[str, Any],
    n_rows: int,
) -> dict[str, Any]:
    if name not in caller:
        if name in provided:
            return {name: provided[name]}
        if hasattr(builtins, name):
            return {}
        raise _unknown_column(use, name, columns, caller)
    value = caller[name]
    # A local variable named like a contrast, such as Sum, is not meant by C(g, Sum).
    if isinstance(provided.get(name), type) and not callable(value):
        return {name: provided[name]}
    if name in use.values and _is_array(value) and len(value) == n_rows:
        raise _unknown_column(use, name, columns, caller)
    return {name: value}


def _refuse_no_column(use: NameUse, columns: pd.Index, caller: Mapping[str, Any]) -> None:
    names = sorted(use.values | use.options)
    modules = {name for name in names if isinstance(caller.get(name), types.ModuleType)}
    unknown = [name for name in names if name not in modules and name != "np"]
    if unknown:
        raise _unknown_column(use, unknown[0], columns, caller)
    advice = _quote_hint(use.code, columns) or "; put the values into a column and name that"
    raise SmmixError(f"The formula term {use.code!r} uses no column of the data{advice}.")


def _is_array(value: object) -> bool:
    return (
        hasattr(value, "__len__")
        and hasattr(value, "__iter__")
        and not isinstance(value, str | bytes | Mapping | set | frozenset)
        and not callable(value)
        and getattr(value, "ndim", 1) > 0
    )


def _unknown_column(
    use: NameUse, name: str, columns: pd.Index, caller: Mapping[str, Any]
) -> SmmixError:
    where = "" if use.code == name else f" (in {use.code!r})"
    if _is_array(caller.get(name)):
        return SmmixError(
            f"{name!r}{where} is a variable of the program, not a column of the data; "
            f"put it into the data, as in data[{name!r}] = {name}."
        )
    unnamed = [column for column in columns if not isinstance(column, str) and str(column) == name]
    if unnamed:
        return SmmixError(
            f"The column {unnamed[0]!r} is not named by text, so a formula cannot name it{where}; "
            "convert the names with data.columns = data.columns.map(str)."
        )
    # A column that differs in case alone is meant rather than one that has to be quoted.
    same = name.lower() in {str(column).lower() for column in columns}
    hint = "" if same else _quote_hint(use.code, columns)
    return SmmixError(
        f"The formula names {name!r}{where}, which is not a column of the data"
        f"{hint or similar_names(name, columns)}."
    )


def _quote_hint(code: str, columns: Iterable[Any]) -> str:
    """How to write the column that a text means, if its name is no Python name."""
    typed, letters, word = _close(code), _letters(code), code.lower()
    found = [
        column
        for column in columns
        if isinstance(column, str)
        and (keyword.iskeyword(column) or not column.isidentifier())
        and re.search(r"[^\W\d_]", column)
        and (
            _close(column) in typed
            or _letters(column) == letters
            or word in re.findall(r"[^\W_]+", column.lower())
        )
    ]
    if not found:
        return ""
    column = max(found, key=len)
    quoted = repr(column) if '"' in column or "\\" in column else f'"{column}"'
    return f"; write Q({quoted}) for the column {column!r}"


def _close(text: str) -> str:
    """A text without spaces and case."""
    return "".join(text.lower().split())


def _letters(text: str) -> str:
    """A text without spaces, signs and case."""
    return re.sub(r"[\W_]+", "", text).lower()
