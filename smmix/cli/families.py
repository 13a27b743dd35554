"""Families and their parameters as they are written on the command line."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from typing import Any

from smmix.errors import SmmixError
from smmix.families import ALIASES, REGISTRY, family_from_plain, read_family
from smmix.support.checks import reason
from smmix.support.frames import quoted

__all__ = ["read_family_text", "read_nuisance"]

#: Names that stand for numbers in the options of a family.
NUMBERS = {"inf": float("inf"), "nan": float("nan")}


def read_family_text(text: str) -> Any:
    """A family, or a list with one for each component, from its text.

    Parameters
    ----------
    text : str
        ``poisson``, with options ``student_t(df=4)``, or several with commas between them.

    Raises
    ------
    SmmixError
        If the text cannot be read, or there is no such family or option.

    Examples
    --------
    >>> from smmix.cli.families import read_family_text
    >>> read_family_text("binomial(link=probit)").link.name
    'probit'
    >>> [family.name for family in read_family_text("poisson, zero")]
    ['poisson', 'point_mass']
    """
    # A name with hyphens would be read as a difference.
    plain = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", "_", text.strip())
    try:
        parsed = ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise _unreadable(text) from error
    if isinstance(parsed, ast.Tuple):
        return [_one(part, text) for part in parsed.elts]
    return _one(parsed, text)


def _one(part: ast.expr, text: str) -> Any:
    if isinstance(part, ast.Name):
        return read_family(part.id)
    if not isinstance(part, ast.Call) or not isinstance(part.func, ast.Name):
        raise _unreadable(text)
    name = part.func.id
    if part.args or any(keyword.arg is None for keyword in part.keywords):
        raise SmmixError(f"--family {text!r}: name the options of a family, as in student_t(df=4).")
    options = {str(keyword.arg): _value(keyword.value, text) for keyword in part.keywords}
    maker = REGISTRY.get(ALIASES.get(name.lower(), name.lower()))
    if maker is None:
        # Says which families there are.
        return read_family(name)
    known = [field.name for field in fields(maker)]  # type: ignore[arg-type]
    strange = [option for option in options if option not in known]
    if strange:
        raise SmmixError(
            f"--family {text!r}: {name} has no option {strange[0]!r}; it has {quoted(known)}."
        )
    try:
        return family_from_plain({"name": name, **options})
    except TypeError as error:
        raise SmmixError(
            f"--family {text!r}: an option has a value of no use ({reason(error)})."
        ) from error


def _value(node: ast.expr, text: str) -> Any:
    """A number, a text (a bare name is one), or a list of them."""
    if isinstance(node, ast.Name):
        return NUMBERS.get(node.id, node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_value(entry, text) for entry in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand, text)
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.Constant):
        return node.value
    raise _unreadable(text)


def _unreadable(text: str) -> SmmixError:
    return SmmixError(
        f"--family {text!r} is not like poisson, student_t(df=4), or poisson,zero for a family in "
        "each component."
    )


def read_nuisance(texts: list[str]) -> dict[str, float | list[float]]:
    """Parameters of a family from texts such as ``alpha=0.5`` and ``scale=1,2``.

    Raises
    ------
    SmmixError
        If a text cannot be read, or a parameter is given twice.

    Examples
    --------
    >>> from smmix.cli.families import read_nuisance
    >>> read_nuisance(["alpha=0.5", "scale=1,2"])
    {'alpha': 0.5, 'scale': [1.0, 2.0]}
    """
    found: dict[str, float | list[float]] = {}
    for text in texts:
        name, equals, numbers = text.partition("=")
        name = name.strip()
        try:
            values = [float(number) for number in numbers.split(",")]
        except ValueError as error:
            raise SmmixError(f"--nuisance {text!r} is not like alpha=0.5 or scale=1,2.") from error
        if not equals or not name:
            raise SmmixError(f"--nuisance {text!r} is not like alpha=0.5 or scale=1,2.")
        if name in found:
            raise SmmixError(f"--nuisance gives {name!r} twice; give it once.")
        found[name] = values[0] if len(values) == 1 else values
    return found
