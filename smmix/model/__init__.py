"""Mixtures of regressions as statsmodels models."""

from smmix.model.mixture_ols import MixtureOLS, from_formula

__all__ = ["MixtureOLS", "from_formula"]
