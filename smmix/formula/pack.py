"""The names a formula uses, packed so that loading a model never fails for want of a function."""

import functools
import importlib
import pickle
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from smmix.errors import SmmixError

__all__ = ["is_plain", "pack_names", "unpack_names"]


def pack_names(scope: Mapping[str, Any], home: str) -> dict[str, tuple[str, ...] | bytes]:
    """Return names in a form that can always be pickled and unpickled.

    Modules and functions go by their address and other values as bytes; both are looked up
    only by `unpack_names`, so that loading a model never fails for want of a function.

    Parameters
    ----------
    scope : dict
        Name to value.
    home : str
        Module in which the formula was written.

    Returns
    -------
    dict

    Examples
    --------
    >>> import math
    >>> from smmix.formula.pack import pack_names, unpack_names
    >>> unpack_names(pack_names({"f": math.exp}, "__main__"))["f"](0)
    1.0
    """
    return {name: _pack(name, value, home) for name, value in scope.items()}


def _pack(name: str, value: Any, home: str) -> tuple[str, ...] | bytes:
    if isinstance(value, types.ModuleType):
        return (value.__name__,)
    own = (str(getattr(value, "__module__", "")), str(getattr(value, "__qualname__", "")))
    for address in (own, (home, name)) if callable(value) else ():
        try:
            if _look_up(address) is value:
                return address
        except (ImportError, AttributeError, ValueError):
            continue
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001 - what pickle raises depends on the object
        # The address says, when it is needed, what was lost.
        return (home, name)


def _look_up(address: tuple[str, ...]) -> Any:
    module = importlib.import_module(address[0])
    return functools.reduce(getattr, address[1].split("."), module) if address[1:] else module


def unpack_names(packed: Mapping[str, tuple[str, ...] | bytes]) -> dict[str, Any]:
    """Return the values that `pack_names` packed; a name that is lost raises SmmixError."""
    scope = {}
    for name, value in packed.items():
        try:
            if isinstance(value, bytes):
                # These bytes are part of a pickle that the user has already chosen to trust.
                scope[name] = pickle.loads(value)  # noqa: S301
            else:
                scope[name] = _look_up(value)
        except Exception as error:
            address = "" if isinstance(value, bytes) else f" ({'.'.join(value)})"
            raise SmmixError(
                f"The formula uses {name!r}{address}, which this program does not have; "
                "define or import it at the top level of the program."
            ) from error
    return scope


def is_plain(value: Any) -> bool:
    """Return whether a value is text, a number, an array of numbers, or a list or tuple of such."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, str | bool | int | float | np.number | np.bool_)
