"""Shares, ordered levels, times until events and point masses, where digits are at stake.

Densities are held to decimals of 80 digits and more, one component to statsmodels and scipy, and
components of different families to likelihoods that come apart into pieces.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import integrate, optimize, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel

from smmix.core.family_list import FamilyList
from smmix.core.memory import MemorySource
from smmix.core.mixture import MixtureSpec
from smmix.core.params import LinearMap, ParamLayout
from smmix.core.possible import possible_rows
from smmix.families.beta import Beta
from smmix.families.exponential_times import Exponential
from smmix.families.gamma import Gamma
from smmix.families.ordered import Ordered
from smmix.families.point_mass import PointMass
from smmix.families.poisson import Poisson
from smmix.families.weibull import Weibull
from smmix.mixing.constant import ConstantMixing
from smmix.search.control import SearchControl
from smmix.search.policy import SearchPolicy
from smmix.search.search import find_modes

# B_2, B_4 .. of Abramowitz & Stegun (1964), table 23.2, as fractions
BERNOULLI = (
    (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510),
    (43867, 798), (-174611, 330),
)  # fmt: skip
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
MANY = 400


def log_gamma(z: Decimal) -> Decimal:
    """By Stirling's series, from 200 up right to more than 40 digits."""
    shift = Decimal(0)
    while z < 200:
        shift -= z.ln()
        z += 1
    total = (z - Decimal("0.5")) * z.ln() - z + (2 * PI).ln() / 2
    for k, (above, below) in enumerate(BERNOULLI, start=1):
        total += Decimal(above) / below / (2 * k * (2 * k - 1)) / z ** (2 * k - 1)
    return total + shift


def normal_interval(low: Decimal, high: Decimal) -> Decimal:
    """Phi(high) - Phi(low) by the power series of Phi, whose terms alternate up to e^(x^2 / 2)."""

    def series(x: Decimal) -> Decimal:
        term, total, n = x, x, 0
        while abs(term) > Decimal(10) ** -(MANY - 20):
            n += 1
            term *= -x * x / (2 * n)
            total += term / (2 * n + 1)
        return total

    return (series(high) - series(low)) / (2 * PI).sqrt()


def log_density(family, y, eta, nuisance=()):
    shape = (1, 1, len(nuisance))
    found = family.evaluate(
        np.array([y]), None, np.full((1, 1, 1), eta), np.reshape(nuisance, shape).astype(float)
    )
    return found.log_density.item()


@pytest.mark.parametrize("precision", [2.0**-20, 0.5, 7.0, 2.0**12, 2.0**30, 2.0**44])
@pytest.mark.parametrize("y", [2.0**-30, 0.25, 0.5 + 2.0**-20, 1.0 - 2.0**-30])
def test_a_beta_density_keeps_its_digits(precision, y):
    with localcontext() as context:
        context.prec = 80
        phi, share = Decimal(precision), Decimal(y)
        a = phi / 2
        expected = log_gamma(phi) - 2 * log_gamma(a)
        expected += (a - 1) * (share.ln() + (1 - share).ln())
    found = log_density(Beta(), y, 0.0, [precision])
    # A share near the mean has an exponent of phi (log 2 + log y), known to an ulp of each log.
    size = abs(float(expected)) + precision * 2.0**-52 + 1.0
    assert abs(found - float(expected)) <= 1e-13 * size + 2e-16 * precision


@pytest.mark.parametrize("gap", [2.0**-40, 2.0**-10, 1.0, 40.0])
@pytest.mark.parametrize("eta", [-300.0, -30.0, -1.0, 0.0, 0.5, 30.0, 300.0])
def test_an_ordered_logit_level_keeps_its_digits(eta, gap):
    with localcontext() as context:
        context.prec = 300
        low, high = Decimal(0) - Decimal(eta), Decimal(gap) - Decimal(eta)
        between = 1 / (1 + (-high).exp()) - 1 / (1 + (-low).exp())
        expected = float(between.ln())
    found = log_density(Ordered(levels=(0, 1, 2)), 1.0, eta, [0.0, gap])
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("gap", [2.0**-40, 2.0**-10, 1.0, 8.0])
@pytest.mark.parametrize("eta", [-20.0, -6.0, -1.0, 0.0, 0.5, 6.0, 20.0])
def test_an_ordered_probit_level_keeps_its_digits(eta, gap):
    with localcontext() as context:
        context.prec = MANY
        low, high = Decimal(0) - Decimal(eta), Decimal(gap) - Decimal(eta)
        # pi is known to 80 digits, which scale the logs alone
        expected = float(normal_interval(low, high).ln())
    found = log_density(Ordered("probit", levels=(0, 1, 2)), 1.0, eta, [0.0, gap])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("time", [1e-60, 0.37, 1.0, 12.5, -0.37, -12.5, -1e-60])
@pytest.mark.parametrize("shape", [0.01, 1.0, 3.0])
def test_a_weibull_density_keeps_its_digits(time, shape):
    with localcontext() as context:
        context.prec = 60
        size = abs(Decimal(time))
        z = Decimal(shape) * (size.ln() - Decimal("0.5"))
        expected = -z.exp()
        if time > 0:
            expected += Decimal(shape).ln() + z - size.ln()
    found = log_density(Weibull(), time, 0.5, [shape])
    np.testing.assert_allclose(found, float(expected), rtol=1e-13, atol=1e-15)
    if shape == 1.0:
        np.testing.assert_allclose(log_density(Exponential(), time, 0.5), found, rtol=1e-15)


@pytest.mark.parametrize("eta", [-1e300, -800.0, 800.0, 1e300])
@pytest.mark.parametrize("time", [1e-60, -1e-60, 1e60, -1e60])
@pytest.mark.parametrize("shape", [1e-6, 1.0, 1e12])
def test_hazards_beyond_all_numbers_leave_finite_terms(time, eta, shape):
    y, at, nuisance = np.array([time]), np.full((1, 1, 1), eta), np.full((1, 1, 1), shape)
    working = Weibull().evaluate(y, None, at, nuisance)
    found = Weibull().derivatives(y, None, working, nuisance)
    pieces = [working.log_density, working.residual, working.weight, *found.first]
    pieces += [entry for row in found.second for entry in row]
    assert all(np.isfinite(piece).all() for piece in pieces)
    score = working.weight * working.residual
    np.testing.assert_allclose(score, found.first[0], rtol=1e-12)


def test_the_information_of_a_beta_density_is_its_expectation():
    nuisance, eta = np.full((1, 1, 1), 6.0), np.full((1, 1, 1), 0.3)

    def term(y, pick):
        working = Beta().evaluate(np.array([y]), None, eta.copy(), nuisance)
        found = Beta().derivatives(np.array([y]), None, working, nuisance)
        return np.exp(working.log_density.item()) * np.asarray(pick(found)).item()

    for mine, second in (
        (lambda f: f.information, lambda f: -f.second[0][0]),
        (lambda f: f.nuisance_information[0][0], lambda f: -f.second[1][1]),
    ):
        found = integrate.quad(lambda y, mine=mine: term(y, mine), 0.0, 1.0)[0]
        expected = integrate.quad(lambda y, second=second: term(y, second), 0.0, 1.0)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-7)


# -- fits -----------------------------------------------------------------------------------------


def best_mode(families, y, x, bare=()):
    """The best mode; components numbered in ``bare`` have no coefficients."""
    k, p = len(families), x.shape[1]
    family = families[0] if k == 1 else FamilyList(tuple(families))
    layout = ParamLayout(k, p, len(family.nuisance), 1)
    restriction = basis = None
    if k > 1:
        columns = np.eye(layout.size)
        kept = np.ones(layout.size, dtype=bool)
        origin = np.zeros(layout.size)
        for c in bare:
            kept[c * p : (c + 1) * p] = False
        for c, i in np.argwhere(~family.present):
            place = layout.nuisance.start + c * len(family.nuisance) + i
            kept[place], origin[place] = False, family.neutral[i]
        restriction = LinearMap(columns[:, kept], origin)
        of_coef = restriction.basis[layout.coef]
        basis = of_coef[:, of_coef.any(axis=0)] if bare else None
    spec = MixtureSpec(family, ConstantMixing(), layout, restriction, basis, shared=frozenset())
    found = find_modes(
        spec,
        MemorySource(y, np.asfortranarray(x)),
        SearchControl(SearchPolicy(n_starts=20)),
        np.random.default_rng(0),
    )
    return found.modes[found.selected]


def rows(n=250, seed=3):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.uniform(-1.0, 1.0, n)])
    return rng, x


def test_one_beta_component_is_the_regression_of_statsmodels():
    rng, x = rows()
    mean = stats.logistic.cdf(x @ [0.4, 1.1])
    y = rng.beta(12.0 * mean, 12.0 * (1.0 - mean))
    peer = BetaModel(y, x).fit(method="newton", disp=False)
    mode = best_mode([Beta()], y, x)
    np.testing.assert_allclose(mode.loglike, peer.llf, rtol=1e-9)
    np.testing.assert_allclose(mode.params.coef.ravel(), peer.params[:2], rtol=1e-4)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_one_ordered_component_is_the_model_of_statsmodels(link):
    rng, x = rows()
    latent = 1.2 * x[:, 1] + rng.logistic(size=len(x))
    y = np.digitize(latent, [-1.0, 0.3, 1.5]).astype(float)
    peer = OrderedModel(y, x[:, 1:], distr=link).fit(method="bfgs", gtol=1e-8, disp=False)
    mode = best_mode([Ordered(link).bound(y)], y, x[:, 1:])
    np.testing.assert_allclose(mode.loglike, peer.llf, rtol=1e-9)
    cuts = peer.model.transform_threshold_params(peer.params)[1:-1]
    np.testing.assert_allclose(mode.params.nuisance.ravel(), cuts, rtol=1e-4)


def weibull_loglike(y, eta, shape):
    at = stats.weibull_min(shape, scale=np.exp(eta))
    return np.where(y > 0.0, at.logpdf(np.abs(y)), at.logsf(np.abs(y)))


@pytest.mark.parametrize("family", [Weibull(), Exponential()])
def test_one_component_of_censored_times_is_the_optimum_by_scipy(family):
    rng, x = rows()
    time = np.exp(x @ [0.5, -0.7]) * rng.weibull(1.6, len(x))
    limit = rng.uniform(0.5, 4.0, len(x))
    y = np.where(time < limit, time, -limit)
    free = len(family.nuisance)

    def loss(v):
        return -weibull_loglike(y, x @ v[:2], np.exp(v[2]) if free else 1.0).sum()

    found = optimize.minimize(loss, np.zeros(2 + free), method="BFGS", options={"gtol": 1e-4})
    mode = best_mode([family], y, x)
    np.testing.assert_allclose(mode.loglike, -found.fun, rtol=1e-9)
    np.testing.assert_allclose(mode.params.coef.ravel(), found.x[:2], atol=1e-4)


# -- components of different families -------------------------------------------------------------


def test_zeros_beside_a_gamma_component_come_apart():
    """A share of zeros, and a gamma regression of the others by statsmodels."""
    rng, x = rows()
    y = np.where(
        rng.random(len(x)) < 0.3, 0.0, np.exp(x @ [0.4, 0.8]) * rng.gamma(4.0, 0.25, len(x))
    )
    some = y > 0.0
    peer = sm.GLM(y[some], x[some], sm.families.Gamma(sm.families.links.Log())).fit(tol=1e-12)

    def loss(log_scale):
        scale = np.exp(log_scale)
        return -stats.gamma.logpdf(y[some], 1.0 / scale, scale=peer.mu * scale).sum()

    gamma = -optimize.minimize_scalar(loss, bounds=(-5.0, 2.0), options={"xatol": 1e-9}).fun
    share = some.mean()
    parts = some.sum() * np.log(share) + (~some).sum() * np.log(1.0 - share)
    for families, bare in (([PointMass(), Gamma()], 0), ([Gamma(), PointMass()], 1)):
        mode = best_mode(families, y, x, (bare,))
        np.testing.assert_allclose(mode.loglike, gamma + parts, rtol=1e-9)
        np.testing.assert_allclose(mode.params.coef[0, 1 - bare], peer.params, rtol=1e-6)


def test_gamma_beside_weibull_is_a_maximum_of_the_likelihood_by_scipy():
    """Their updates ask a pass for different sums."""
    rng, x = rows()
    first = rng.random(len(x)) < 0.5
    y = np.exp(x @ [0.5, 1.0]) * rng.gamma(5.0, 0.2, len(x))
    y = np.where(first, y, np.exp(x @ [1.5, -1.0]) * rng.weibull(3.0, len(x)))
    mode = best_mode([Gamma(), Weibull()], y, x)
    coef, nuisance = mode.params.coef[0], mode.params.nuisance[0]
    names = [parameter.name for parameter in FamilyList((Gamma(), Weibull())).nuisance]
    scale, shape = nuisance[0, names.index("scale")], nuisance[1, names.index("shape")]
    logit = np.ravel(mode.params.mixing)[0]

    def loglike(v, share):
        gamma = stats.gamma(1.0 / v[4], scale=np.exp(x @ v[:2]) * v[4]).pdf(y)
        weibull = stats.weibull_min(v[5], scale=np.exp(x @ v[2:4])).pdf(y)
        return np.log(share * gamma + (1.0 - share) * weibull).sum()

    at = np.array([*coef[0], *coef[1], scale, shape])
    shares = [1.0 / (1.0 + np.exp(sign * logit)) for sign in (-1.0, 1.0)]
    share = min(shares, key=lambda s: abs(loglike(at, s) - mode.loglike))
    np.testing.assert_allclose(loglike(at, share), mode.loglike, rtol=1e-11)
    score = optimize.approx_fprime(at, lambda v: loglike(v, share), 1e-6)
    np.testing.assert_allclose(score, 0.0, atol=0.02)


def test_a_row_that_no_family_can_have_is_found_behind_rows_of_either():
    family = FamilyList((PointMass(), Gamma()))
    assert family.refuse(np.array([0.0, 5.0, 0.0, 2.0]), None) is None
    row, words = family.refuse(np.array([0.0, 5.0, 0.0, -1.0, 2.0]), None)
    assert row == 3
    assert "gamma" in words
    cured = FamilyList((PointMass(np.inf), Weibull()))
    assert cured.refuse(np.array([-1.0, 2.0]), None) is None
    assert cured.refuse(np.array([-1.0, 0.0]), None)[0] == 1


@pytest.mark.parametrize(
    "y", [np.array([0.0, 2.0, 0.0, 3.5]), np.array([[[0.0, 2.0]], [[1.0, 0.0]]])]
)
def test_rows_that_a_family_cannot_have_have_density_zero_and_finite_terms(y):
    family = FamilyList((PointMass(), Gamma()))
    np.testing.assert_array_equal(possible_rows(Gamma(), y, None), y > 0.0)
    assert possible_rows(Poisson(), np.floor(y), None) is None
    eta, nuisance = np.zeros((2, 2, y.shape[-1])), np.ones((2, 2, 1))
    working = family.evaluate(y, None, eta, nuisance)
    zero = np.broadcast_to(y == 0.0, (2, 1, y.shape[-1]))
    assert (working.log_density[:, 1:][zero] == -np.inf).all()
    np.testing.assert_allclose(
        working.log_density[:, 1:][~zero],
        stats.expon.logpdf(np.broadcast_to(y, zero.shape)[~zero]),
    )
    found = family.derivatives(y, None, working, nuisance)
    pieces = [
        working.residual,
        working.weight,
        *found.first,
        *family.sums(y, None, working, nuisance),
    ]
    assert all(np.isfinite(piece).all() for piece in pieces)
    flat = np.ravel(y)
    assert np.isfinite(family.start_response(flat, None)).all()
    assert np.isfinite(family.start_nuisance(flat, None)).all()
