"""Mixtures of regressions as statsmodels models."""

from smmix.model.mixture_glm import MixtureGLM, from_formula
from smmix.model.mixture_ols import MixtureOLS

__all__ = ["MixtureGLM", "MixtureOLS", "from_formula"]
