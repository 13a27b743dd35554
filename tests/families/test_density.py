"""Densities against scipy, their derivatives against complex steps, information by definition."""

import numpy as np
import pytest
from helpers_families import (
    CASES,
    Problem,
    curvature,
    derivatives,
    gradient,
    log_density,
    problem,
)

pytestmark = pytest.mark.parametrize("name", CASES)


def of(name):
    return CASES[name].family, problem(CASES[name])


def density_of(reference, discrete):
    return reference.logpmf if discrete else reference.logpdf


def test_log_density_is_that_of_scipy(name):
    family, at = of(name)
    expected = density_of(at.reference, family.discrete)(at.y)
    np.testing.assert_allclose(
        log_density(family, at, at.eta, at.nuisance), expected, rtol=1e-9, atol=1e-11
    )


def test_a_response_of_its_own_for_each_parameter_set(name):
    family, at = of(name)
    both = np.stack([at.y, at.y[::-1]])[:, None, :]
    aux = None if at.aux is None else np.full_like(at.aux, 12.0)
    together = family.evaluate(both, aux, at.eta.copy(), at.nuisance).log_density
    for s in range(2):
        alone = family.evaluate(
            both[s, 0], aux, at.eta[s : s + 1].copy(), at.nuisance[s : s + 1]
        ).log_density
        np.testing.assert_array_equal(together[s : s + 1], alone)


def test_first_derivatives_are_complex_steps(name):
    family, at = of(name)
    _, found = derivatives(family, at)
    for mine, step in zip(found.first, gradient(family, at, at.eta, at.nuisance), strict=True):
        np.testing.assert_allclose(mine, step, rtol=1e-9, atol=1e-11 * np.abs(step).max())


def test_second_derivatives_are_differences_of_complex_steps(name):
    family, at = of(name)
    _, found = derivatives(family, at)
    for mine, steps in zip(found.second, curvature(family, at), strict=True):
        for entry, step in zip(mine, steps, strict=True):
            wide = np.broadcast_to(entry, at.eta.shape)
            np.testing.assert_allclose(wide, step, rtol=1e-7, atol=1e-8 * np.abs(step).max())


def test_weight_times_residual_times_precision_is_the_score(name):
    family, at = of(name)
    working, _ = derivatives(family, at)
    weight = 1.0 if working.weight is None else working.weight
    score = weight * working.residual * family.precision(at.nuisance)[..., None]
    step = gradient(family, at, at.eta, at.nuisance)[0]
    np.testing.assert_allclose(score, step, rtol=1e-9, atol=1e-11 * np.abs(step).max())
    assert np.all(weight >= 0.0)


def test_information_is_its_expectation(name):
    """E over y of minus the second derivatives, by a sum or an integral over log(y)."""
    family, at = of(name)
    values = np.arange(2000.0) if family.discrete else np.exp(np.linspace(-40.0, 14.0, 4001))
    measure = 1.0 if family.discrete else values * np.log(values[1] / values[0])
    if family.name == "zero_truncated_poisson":
        values = values[1:]
    if family.name == "binomial":
        values = np.arange(1.0 + (1.0 if at.aux is None else at.aux[0, 0]))
    everywhere = Problem(
        values,
        None if at.aux is None else np.repeat(at.aux[:1], len(values), axis=0),
        np.repeat(at.eta[..., :1], len(values), axis=-1),
        at.nuisance,
        None,
    )
    density = np.exp(log_density(family, everywhere, everywhere.eta, at.nuisance)) * measure
    np.testing.assert_allclose(density.sum(axis=-1), 1.0, rtol=1e-7)
    _, found = derivatives(family, everywhere)

    def held(claimed, second, bound=False):
        mean = -(second * density).sum(axis=-1)
        # A claim that is a product of scores has its expectation too.
        claimed = (np.broadcast_to(claimed, density.shape) * density).sum(axis=-1)
        if bound:
            assert np.all((claimed > 0.0) & (claimed <= mean))
        else:
            np.testing.assert_allclose(claimed, mean, rtol=1e-5)

    # The information of kind 1 has no closed form: the working weight is below it.
    held(found.information, found.second[0][0], bound=name.startswith("negative-binomial-1"))
    for i, row in enumerate(found.nuisance_information):
        held(row[i], found.second[i + 1][i + 1])
