"""What a fit that was read from a file cannot do is said in one sentence."""

from __future__ import annotations

import pytest
from helpers_model import engel_fit, refusal

import smmix
from smmix.errors import UnavailableError


@pytest.fixture(scope="module")
def saved():
    return [smmix.read_json(engel_fit(k).to_json()) for k in (1, 2)]


def test_tests_of_the_number_of_components_need_the_rows(saved):
    one, two = saved
    for test in (smmix.bootstrap_lrt, smmix.sequential_lrt, smmix.em_test):
        refusal(lambda test=test: test(one, n_boot=2), "read from a file", "fit the model again")
    refusal(lambda: smmix.vlmr_test(one, two), "read from a file")
    refusal(lambda: smmix.vlmr_test(engel_fit(1), two), "read from a file")
    refusal(lambda: engel_fit().compare_lr_test(two), "read from a file")


def test_what_is_absent_is_said_as_python_expects(saved):
    refusal(lambda: saved[1].compare_lr_test(engel_fit()), "no compare_lr_test", "results.save()")
    with pytest.raises(UnavailableError):
        _ = saved[1].posterior
    assert not hasattr(saved[1], "bootstrap")
    assert hasattr(saved[1], "predict")
