"""Mixtures of regressions for scikit-learn (the extra ``sklearn``)."""

try:
    import sklearn  # noqa: F401 - this is scikit-learn, not the package here
except ImportError as missing:
    raise ImportError(
        'smmix.sklearn needs scikit-learn; install it with: pip install "smmix[sklearn]".'
    ) from missing

from smmix.sklearn.classifier import MixtureClassifier
from smmix.sklearn.regressor import MixtureRegressor
from smmix.sklearn.scoring import mean_log_density

__all__ = ["MixtureClassifier", "MixtureRegressor", "mean_log_density"]
