"""Finite mixtures of regressions in the manner of statsmodels."""

__version__ = "0.1.0"

__all__ = ["__version__"]
