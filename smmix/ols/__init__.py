"""Ordinary and weighted least squares by the normal equations: one regression, one pass.

Read this first: a mixture of regressions repeats what it does, once per component and iteration,
with posterior probabilities for weights.
"""

from smmix.ols.model import NormalEquationOLS
from smmix.ols.results import NormalEquationResults
from smmix.ols.solve import NormalSolution, solve_normal_equations

__all__ = ["NormalEquationOLS", "NormalEquationResults", "NormalSolution", "solve_normal_equations"]
