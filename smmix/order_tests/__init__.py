"""Tests of the number of components, and a confidence set for it."""

from smmix.order_tests.em import em_test
from smmix.order_tests.lrt import bootstrap_lrt, sequential_lrt
from smmix.order_tests.monte_carlo import MonteCarloTest
from smmix.order_tests.universal import ConfidenceSetK, confidence_set_k
from smmix.order_tests.vlmr import VLMRTest, vlmr_test

__all__ = [
    "ConfidenceSetK",
    "MonteCarloTest",
    "VLMRTest",
    "bootstrap_lrt",
    "confidence_set_k",
    "em_test",
    "sequential_lrt",
    "vlmr_test",
]
