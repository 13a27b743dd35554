"""The results of a fit, in the manner of statsmodels."""

from smmix.mixture.fitted import FitRecord
from smmix.results.results import MixtureResults, MixtureResultsWrapper

__all__ = ["FitRecord", "MixtureResults", "MixtureResultsWrapper"]
