"""Where formulas of the command line look up names: a module that has none to offer.

Formulas may call functions of the program that builds the model. A name typed on the command
line is a column or one of the functions that every formula knows, never a variable of `smmix.cli`.
"""

from collections.abc import Mapping as _Mapping
from typing import Any as _Any

import smmix as _smmix

__all__ = ["build_model"]


def build_model(_formula: str, _table: _Any, _options: _Mapping[str, _Any]) -> _smmix.MixtureOLS:
    """Return the model of a formula, with nothing but the columns of the table in sight."""
    return _smmix.from_formula(_formula, _table, **_options)
