"""Formulas and arrays to the design of a model; the only part of smmix that knows patsy.

All formulas of a model are built together on one set of complete rows, so that the levels,
means and knots that a formula remembers come from the rows the model uses and from no others.
"""

from smmix.formula.arrays import validate_arrays
from smmix.formula.build import build_design
from smmix.formula.design import Design, refuse_extreme, refuse_extreme_response
from smmix.formula.engine import environment, linear_constraint
from smmix.formula.spec import FormulaSpec, NewRows

__all__ = [
    "Design",
    "FormulaSpec",
    "NewRows",
    "build_design",
    "environment",
    "linear_constraint",
    "refuse_extreme",
    "refuse_extreme_response",
    "validate_arrays",
]
