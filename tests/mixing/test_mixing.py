"""Prior probabilities from logits, also from logits whose exponentials overflow."""

import numpy as np
import pytest
from scipy import special

from smmix.mixing.constant import softmax


@pytest.mark.parametrize("size", [1.0, 30.0, 600.0, 5000.0])
def test_probabilities_and_their_logs_are_those_of_scipy(size):
    logits = size * np.random.default_rng(2).standard_normal((3, 2, 7))
    logits[0, 0, 0], logits[1, :, 3] = size, -size
    prior = softmax(logits)
    full = np.concatenate([np.zeros((3, 1, 7)), logits], axis=1)
    np.testing.assert_allclose(prior.probability, special.softmax(full, axis=1), rtol=1e-12)
    # A difference of two logits has the rounding error of the larger.
    rounding = 4 * np.finfo(float).eps * np.abs(full).max()
    log = full - prior.log_total
    np.testing.assert_allclose(log, special.log_softmax(full, axis=1), rtol=1e-12, atol=rounding)


def test_one_component_is_certain():
    prior = softmax(np.zeros((2, 0, 1)))
    assert prior.probability.tolist() == [[[1.0]], [[1.0]]]
    assert prior.log_total.tolist() == [[[0.0]], [[0.0]]]
