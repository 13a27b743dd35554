"""Groups with random effects against dense normal densities, and against complex steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from smmix.core.blocks import Block
from smmix.core.information import information
from smmix.core.mixture import MixtureSpec
from smmix.core.params import MixtureParams, ParamLayout
from smmix.core.random_effects import RandomEffects
from smmix.families.gaussian import Gaussian
from smmix.families.mixed_gaussian import MixedGaussian
from smmix.mixing.constant import ConstantMixing

FULL = RandomEffects(("Intercept", "age"))
KINDS = [
    FULL,
    RandomEffects(FULL.names, diagonal=True),
    RandomEffects(("Intercept",)),
    RandomEffects((*FULL.names, "square")),
]
STEP = 1e-30


def mixture(random: RandomEffects) -> MixtureSpec:
    family = MixedGaussian(random=random)
    return MixtureSpec(family, ConstantMixing(), ParamLayout(2, 2, len(family.nuisance), 1))


def block(n_groups=12, repeat=False, q=2) -> Block:
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 6, n_groups)
    n = sizes.sum()
    x = np.column_stack([np.ones(n), rng.uniform(-2, 3, n)])
    y = 1.0 + x[:, 1] + np.repeat(rng.normal(size=n_groups), sizes) + rng.normal(size=n)
    count = rng.integers(1, 4, n).astype(float) if repeat else None
    weight = rng.uniform(0.5, 2.0, n_groups)
    first = np.r_[0, np.cumsum(sizes)[:-1]]
    return Block(y, x, group=first, aux=x[:, 1:] ** np.arange(q), repeat=count, weight=weight)


def parameters(random: RandomEffects, d=((1.2, -0.1, 0.4), (2.0, 0.3, 0.3))) -> MixtureParams:
    entries = []
    for a, b, c in d:
        matrix = np.diag([a, c, 0.2])
        matrix[0, 1] = matrix[1, 0] = b
        matrix[0, 2] = matrix[2, 0] = 0.1 * b
        entries.append(random.values(matrix[: random.q, : random.q]))
    nuisance = [np.append(s, e) for s, e in zip((0.6, 0.9), entries, strict=True)]
    coef = np.array([[[0.5, 1.2], [2.0, 0.3]]])
    return MixtureParams(coef, np.array([nuisance]), np.array([[[0.3]]]))


def dense(spec: MixtureSpec, params: MixtureParams, data: Block) -> float:
    """Log-likelihood by the density of each group's whole vector."""
    stops = np.append(data.group[1:], data.y.size)
    prior = np.array([0.0, params.mixing[0, 0, 0]])
    prior -= np.log(np.exp(prior).sum())
    total = 0.0
    for start, stop, weight in zip(data.group, stops, data.weight, strict=True):
        rows = np.arange(start, stop)
        if data.repeat is not None:
            rows = np.repeat(rows, data.repeat[rows].astype(int))
        x, y, z = data.x[rows], data.y[rows], data.aux[rows]
        each = []
        for c in range(2):
            d = spec.random.matrix(params.nuisance[0, c, 1:])
            v = z @ d @ z.T + params.nuisance[0, c, 0] ** 2 * np.eye(rows.size)
            each.append(multivariate_normal.logpdf(y, x @ params.coef[0, c], v))
        total += weight * np.logaddexp(*(prior + each))
    return total


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("random", KINDS)
def test_the_likelihood_is_that_of_the_groups_whole_vectors(random, repeat):
    spec, params = mixture(random), parameters(random)
    data = block(repeat=repeat, q=random.q)
    assert spec.e_step(params, data).loglike[0] == pytest.approx(
        dense(spec, params, data), rel=1e-12
    )


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("random", KINDS)
def test_score_and_hessian_are_complex_steps(random, repeat):
    spec, data = mixture(random), block(repeat=repeat, q=random.q)
    vector = spec.layout.pack(parameters(random))[0]
    found = information(spec, parameters(random), data)

    def moved(i):
        step = np.zeros(vector.size)
        step[i] = STEP
        params = spec.layout.unpack(vector + 1j * step)
        stats = spec.e_step(params, data)
        return stats.loglike[0].imag / STEP, spec.score(params, stats)[0].imag / STEP

    score, hessian = (np.array(part) for part in zip(*map(moved, range(vector.size)), strict=True))
    np.testing.assert_allclose(found.score[0], score, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(found.hessian[0], hessian, rtol=1e-9, atol=1e-10)


def test_a_singular_covariance_has_a_likelihood_and_derivatives():
    params = parameters(FULL, ((0.0, 0.0, 0.5), (1.0, 0.5, 0.25)))
    spec, data = mixture(FULL), block()
    assert spec.e_step(params, data).loglike[0] == pytest.approx(
        dense(spec, params, data), rel=1e-12
    )
    assert np.isfinite(information(spec, params, data).hessian).all()


def test_without_variances_groups_are_their_rows():
    spec, data = mixture(FULL), block(repeat=True)
    params = parameters(FULL, ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    rows = MixtureSpec(Gaussian(), ConstantMixing(), ParamLayout(2, 2, 1, 1))
    plain = params._replace(nuisance=params.nuisance[..., :1])
    assert spec.e_step(params, data).loglike[0] == pytest.approx(
        rows.e_step(plain, data).loglike[0], rel=1e-13
    )


def test_steps_of_em_raise_the_likelihood():
    spec, params, data = mixture(FULL), parameters(FULL), block(60)
    last = -np.inf
    for _ in range(40):
        stats = spec.e_step(params, data)
        assert stats.loglike[0] >= last - 1e-9
        last = stats.loglike[0]
        params = spec.m_step(params, stats)


@pytest.mark.parametrize("diagonal", [False, True])
def test_derivatives_in_the_factor_are_differences(diagonal):
    random = RandomEffects(("a", "b", "c"), diagonal)
    rng = np.random.default_rng(0)
    values = random.values(np.cov(rng.normal(size=(3, 9))))
    factor = random.factor(values)
    np.testing.assert_allclose(random.values(factor @ factor.T), values, rtol=1e-12)
    entries = random.values(factor)

    def covariances(at):
        row, column = random.entries
        lower = np.zeros((3, 3), complex)
        lower[row, column] = at
        return random.values(lower @ lower.T)

    size = values.size
    jacobian = np.stack(
        [covariances(entries + 1j * STEP * e).imag / STEP for e in np.eye(size)], axis=1
    )
    np.testing.assert_allclose(random.jacobian(values), jacobian, atol=1e-14)
    score = rng.normal(size=size)
    # Quadratic in the factor, so that second differences are exact up to rounding.
    second = [
        [
            score
            @ (
                covariances(entries + a + b)
                - covariances(entries + a)
                - covariances(entries + b)
                + covariances(entries)
            ).real
            for a in np.eye(size)
        ]
        for b in np.eye(size)
    ]
    np.testing.assert_allclose(random.bend(score), second, atol=1e-12)
