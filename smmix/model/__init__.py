"""Mixtures of regressions as statsmodels models."""

from smmix.model.mixture_glm import MixtureGLM, from_formula
from smmix.model.mixture_ols import MixtureOLS
from smmix.model.regression import MixtureRegression

__all__ = ["MixtureGLM", "MixtureOLS", "MixtureRegression", "from_formula"]
