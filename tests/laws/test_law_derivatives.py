"""Law: likelihood, score and Hessian are those of the density, at any point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from laws.density import complex_step_gradient, numerical_hessian, vector_log_likelihood
from laws.problems import all_problems, draw_params, plain_problems, seeds

fast = settings(derandomize=True, max_examples=12, deadline=None)


def check(problem, seed):
    model = problem.model()
    names = model.param_names
    point = draw_params(problem, names, seed)
    log_likelihood = vector_log_likelihood(problem, names)

    assert model.loglike(point) == pytest.approx(log_likelihood(point).real, rel=1e-11)

    gradient = complex_step_gradient(log_likelihood, point)
    close(model.score(point), gradient)

    hessian = numerical_hessian(log_likelihood, point, np.maximum(np.abs(point), 0.5))
    close(model.hessian(point), hessian)

    np.testing.assert_allclose(
        np.asarray(model.score_obs(point)).sum(axis=0), gradient, atol=1e-9 * np.abs(gradient).max()
    )


def close(ours, oracle):
    np.testing.assert_allclose(ours, oracle, atol=1e-9 * np.abs(oracle).max())


@pytest.mark.slow
@fast
@given(problem=plain_problems, seed=seeds)
def test_free_and_equal_variances_with_weights_and_offsets(problem, seed):
    check(problem, seed)


@fast
@given(problem=all_problems, seed=seeds)
def test_every_combination_of_options(problem, seed):
    check(problem, seed)
