"""Finite mixtures of regressions in the manner of statsmodels.

Examples
--------
>>> import statsmodels.api as sm
>>> import smmix
>>> data = sm.datasets.engel.load_pandas().data
>>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
>>> results.converged
True
"""

from smmix.errors import (
    ArgumentError,
    BoundaryWarning,
    DegenerateComponentWarning,
    SmmixError,
    UnavailableError,
)
from smmix.model import MixtureGLM, MixtureOLS, from_formula
from smmix.ols import NormalEquationOLS, solve_normal_equations
from smmix.order_tests import (
    bootstrap_lrt,
    confidence_set_k,
    em_test,
    sequential_lrt,
    vlmr_test,
)
from smmix.reporting.json_file import read_json
from smmix.resampling.simulate import simulate_mixture
from smmix.results import MixtureResults
from smmix.selection import select_k
from smmix.sources.parquet import scan_parquet

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "BoundaryWarning",
    "DegenerateComponentWarning",
    "MixtureGLM",
    "MixtureOLS",
    "MixtureResults",
    "NormalEquationOLS",
    "SmmixError",
    "UnavailableError",
    "__version__",
    "bootstrap_lrt",
    "confidence_set_k",
    "em_test",
    "from_formula",
    "read_json",
    "scan_parquet",
    "select_k",
    "sequential_lrt",
    "simulate_mixture",
    "solve_normal_equations",
    "vlmr_test",
]
