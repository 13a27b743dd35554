"""What users read of a component's distribution: mean, variance, probabilities, draws."""

import numpy as np
import pytest
from helpers_families import CASES, problem

pytestmark = pytest.mark.parametrize("name", CASES)


def of(name):
    return CASES[name].family, problem(CASES[name])


def test_mean_and_variance_are_those_of_scipy(name):
    family, at = of(name)
    point = (at.aux, at.eta, at.nuisance)
    np.testing.assert_allclose(family.mean(*point), at.reference.mean(), rtol=1e-11)
    np.testing.assert_allclose(family.variance(*point), at.reference.var(), rtol=1e-10)


def test_derivatives_of_the_mean_are_differences(name):
    family, at = of(name)

    def mean(by, j=None):
        nuisance = at.nuisance.copy()
        if j is None:
            return family.mean(at.aux, at.eta + by, nuisance)
        nuisance[..., j] += by
        return family.mean(at.aux, at.eta, nuisance)

    found = family.mean_derivatives(at.aux, at.eta, at.nuisance)
    assert len(found) == 1 + at.nuisance.shape[-1]
    for i, mine in enumerate(found):
        j = None if i == 0 else i - 1
        step = 1e-5 if i == 0 else 1e-5 * at.nuisance.min()
        difference = (mean(step, j) - mean(-step, j)) / (2.0 * step)
        wide = np.broadcast_to(mine, at.eta.shape)
        np.testing.assert_allclose(wide, difference, rtol=1e-6, atol=1e-8)


def test_probabilities_are_those_of_scipy(name):
    family, at = of(name)
    point = (at.aux, at.eta, at.nuisance)
    for y in (at.y, at.y - 0.5, at.y + 1.0, np.full_like(at.y, -1.0), np.zeros_like(at.y)):
        expected = at.reference.cdf(y)
        np.testing.assert_allclose(family.cdf(y, *point), expected, rtol=1e-8, atol=1e-13)
        below = at.reference.cdf(np.ceil(y) - 1.0) if family.discrete else expected
        np.testing.assert_allclose(family.cdf_below(y, *point), below, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("q", [1e-6, 0.025, 0.31, 0.5, 0.9, 0.999999])
def test_quantile_is_the_smallest_value_that_reaches(name, q):
    family, at = of(name)
    point = (at.aux, at.eta, at.nuisance)
    value = family.quantile(q, *point)
    if family.discrete:
        assert np.all(family.cdf(value, *point) >= q)
        assert np.all((family.cdf_below(value, *point) < q) | (value == 0.0))
    else:
        np.testing.assert_allclose(family.cdf(value, *point), q, rtol=1e-8)


def test_quantile_returns_the_value_whose_probability_it_is_given(name):
    family, at = of(name)
    one = (None if at.aux is None else at.aux[:1], at.eta[:1, :1, :1], at.nuisance[:1, :1])
    top = 1.0 if at.aux is None and family.name == "binomial" else at.y[0]
    least = 1.0 if family.name == "zero_truncated_poisson" else 0.0
    for y in np.unique([top, max(top - 1.0, least)] if family.discrete else at.y[:3]):
        q = float(family.cdf(np.array([y]), *one)[0, 0, 0])
        if q < 1.0:
            np.testing.assert_allclose(family.quantile(q, *one), y, rtol=1e-8)


def test_draws_have_the_mean_and_variance(name):
    family, at = of(name)
    n = 40_000
    wide = np.repeat(at.eta[..., :1], n, axis=-1)
    aux = None if at.aux is None else np.repeat(at.aux[:1], n, axis=0)
    drawn = family.sample(aux, wide, at.nuisance, np.random.default_rng(3))
    assert drawn.shape == wide.shape
    assert family.refuse(drawn[0, 0], aux) is None
    mean, variance, kurtosis = (v[..., 0] for v in at.reference.stats("mvk"))
    np.testing.assert_array_less(np.abs(drawn.mean(-1) - mean), 5.0 * np.sqrt(variance / n))
    spread = variance * np.sqrt((kurtosis + 2.0) / n)
    np.testing.assert_array_less(np.abs(drawn.var(-1) - variance), 6.0 * spread)
