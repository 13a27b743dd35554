"""Docstrings of methods whose work a function does, made from that function's."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["documented_by"]

Method = TypeVar("Method", bound=Callable[..., Any])


def documented_by(function: Any, *supplied: str) -> Callable[[Method], Method]:
    """Give a method the docstring of the function that it hands its work to.

    So ``help(results.bootstrap)`` says all that there is to say, which is written down once.

    Parameters
    ----------
    function : callable
        With a numpydoc docstring.
    *supplied : str
        Arguments that the method supplies itself, and whose description it therefore leaves out;
        by default ``results``.

    Returns
    -------
    callable
        A decorator of the method.

    Examples
    --------
    >>> def scale(results, by):
    ...     '''Scale results.
    ...
    ...     Parameters
    ...     ----------
    ...     results : list
    ...         What to scale.
    ...     by : float
    ...     '''
    >>> class Results:
    ...     @documented_by(scale)
    ...     def scale(self, by):
    ...         return scale(self, by)
    >>> Results.scale.__doc__.splitlines()[2:]
    ['Parameters', '----------', 'by : float']
    """
    # Without docstrings (python -OO) there is none to give.
    text = inspect.cleandoc(function.__doc__ or "")
    for name in supplied or ("results",):
        text = re.sub(rf"^{name} : .*\n(?: {{4}}.*\n|\n(?= {{4}}))*", "", text, flags=re.M)
    text = re.sub(r"^Parameters\n-+\n(\n|\Z)", "", text, flags=re.M)

    def decorate(method: Method) -> Method:
        method.__doc__ = text
        return method

    return decorate
