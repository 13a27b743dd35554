"""Counts that are not Poisson: against statsmodels, and exact arithmetic in the limits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from helpers_families import (
    Problem,
    curvature,
    derivatives,
    fitted,
    gradient,
    zero_inflated,
    zero_truncated,
)
from scipy import special, stats
from statsmodels.discrete.count_model import ZeroInflatedPoisson as PeerInflated
from statsmodels.discrete.discrete_model import NegativeBinomial as PeerNegativeBinomial
from statsmodels.discrete.truncated_model import TruncatedLFPoisson as PeerTruncated
from statsmodels.genmod import families as peer_families

from smmix import from_formula
from smmix.errors import SmmixError
from smmix.families import read_family
from smmix.families.negative_binomial import NegativeBinomial
from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
from smmix.families.zero_truncated_poisson import ZeroTruncatedPoisson

BETA = np.array([0.9, 0.5])
INFLATION = np.array([-0.6, 0.8])


def example(name, n=250):
    """Family, y, aux, x, nuisance parameters and the model of statsmodels.

    The last value orders our coefficients and nuisance parameters as statsmodels does.
    """
    rng = np.random.default_rng(11)
    x = np.column_stack([np.ones(n), rng.uniform(-1.0, 1.0, n)])
    mean = np.exp(x @ BETA)
    if name in ("nb1", "nb2"):
        size = 1.0 / 0.7 if name == "nb2" else mean / 0.7
        y = rng.negative_binomial(size, size / (size + mean)).astype(float)
        peer = PeerNegativeBinomial(y, x, loglike_method=name)
        peer._transparams = False  # the log of alpha is an argument of its own fit alone
        return NegativeBinomial(kind=int(name[2])), y, None, x, [0.7], peer, np.concatenate
    if name == "truncated":
        y = zero_truncated(mean).rvs(n, rng).astype(float)
        return ZeroTruncatedPoisson(), y, None, x, [], PeerTruncated(y, x), np.concatenate
    z = np.column_stack([np.ones(n), rng.normal(size=n)])
    inflate = special.expit(z @ INFLATION) if name == "inflated-terms" else np.full(n, 0.35)
    y = zero_inflated(mean, inflate).rvs(n, rng).astype(float)
    if name == "inflated":
        peer = PeerInflated(y, x, exog_infl=np.ones((n, 1)))
        return (
            ZeroInflatedPoisson(), y, None, x, [0.35], peer,
            lambda both: np.concatenate([special.logit(both[1]), both[0]]),
        )  # fmt: skip
    family, peer = ZeroInflatedPoisson("~ one + z", ("one", "z")), PeerInflated(y, x, exog_infl=z)
    return family, y, z, x, INFLATION, peer, lambda both: np.concatenate(both[::-1])


NAMES = pytest.mark.parametrize("name", ["nb2", "nb1", "truncated", "inflated", "inflated-terms"])


@NAMES
def test_log_density_is_that_of_statsmodels(name):
    family, y, aux, x, nuisance, peer, ordered = example(name)
    nuisance = np.array(nuisance)
    working = family.evaluate(y, aux, (x @ BETA)[None, None], nuisance[None, None])
    expected = peer.loglikeobs(ordered((BETA, nuisance)))
    np.testing.assert_allclose(working.log_density[0, 0], expected, rtol=1e-9, atol=1e-11)


@NAMES
def test_one_component_ends_at_the_optimum_of_statsmodels(name):
    family, y, aux, x, _, peer, ordered = example(name)
    beta, nuisance, llf, score = fitted(family, y, aux, x, np.zeros(2), np.ones(len(y)), passes=600)
    mine = ordered((beta, nuisance))
    np.testing.assert_allclose(peer.score(mine), 0.0, atol=1e-4)
    np.testing.assert_allclose(score, 0.0, atol=1e-6)
    best = peer.fit(start_params=mine, method="bfgs", gtol=1e-7, disp=False)
    np.testing.assert_allclose(mine, best.params, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(llf, best.llf, rtol=1e-11)


# -- an inflation with terms ------------------------------------------------------------------


def with_terms(rows=30):
    rng = np.random.default_rng(2)
    aux = np.column_stack([np.ones(rows), rng.normal(size=rows)])
    y = np.where(rng.random(rows) < 0.4, 0.0, rng.poisson(2.0, rows)).astype(float)
    nuisance = rng.normal(size=(2, 2, 2)) + 0.3
    family = ZeroInflatedPoisson("~ one + z", ("one", "z"))
    return family, Problem(y, aux, rng.uniform(-1.0, 2.0, (2, 2, rows)), nuisance, None)


def test_derivatives_of_an_inflation_with_terms_are_complex_steps():
    family, at = with_terms()
    working, found = derivatives(family, at)
    for mine, step in zip(found.first, gradient(family, at, at.eta, at.nuisance), strict=True):
        np.testing.assert_allclose(mine, step, rtol=1e-9, atol=1e-11)
    for mine, steps in zip(found.second, curvature(family, at), strict=True):
        for entry, step in zip(mine, steps, strict=True):
            wide = np.broadcast_to(entry, at.eta.shape)
            np.testing.assert_allclose(wide, step, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(working.weight * working.residual, found.first[0], rtol=1e-12)
    assert np.all(working.weight >= 0.0)
    sums = [v.sum(axis=-1) for v in family.sums(at.y, at.aux, working, at.nuisance)]
    assert np.all(sums[2] * sums[4] >= sums[3] ** 2)  # d = 2: two scores, then the triangle


def test_meaning_of_an_inflation_with_terms():
    family, at = with_terms()
    point = (at.aux, at.eta, at.nuisance)
    reference = zero_inflated(np.exp(at.eta), special.expit(at.nuisance @ at.aux.T))
    np.testing.assert_allclose(family.mean(*point), reference.mean(), rtol=1e-11)
    np.testing.assert_allclose(family.variance(*point), reference.var(), rtol=1e-10)
    np.testing.assert_allclose(family.cdf(at.y, *point), reference.cdf(at.y), rtol=1e-10)
    for j, mine in enumerate(family.mean_derivatives(*point)):
        by = np.zeros(2) if j == 0 else 1e-6 * np.eye(2)[j - 1]
        step = 1e-6 if j == 0 else 0.0
        ahead = family.mean(at.aux, at.eta + step, at.nuisance + by)
        behind = family.mean(at.aux, at.eta - step, at.nuisance - by)
        np.testing.assert_allclose(mine, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)


def test_an_inflation_with_terms_takes_their_design():
    family = ZeroInflatedPoisson("~ one + z", ("one", "z"))
    assert family.ancillary == "~ one + z"
    assert ZeroInflatedPoisson("~ one + z").with_terms(["one", "z"]) == family
    assert [n.name for n in family.nuisance] == ["inflate.one", "inflate.z"]
    assert ZeroInflatedPoisson().ancillary is None
    assert ZeroInflatedPoisson(**family.to_plain()) == family
    assert hash(ZeroInflatedPoisson("~ one + z", ["one", "z"])) == hash(family)
    y, nuisance = np.zeros(3), np.zeros((1, 1, 2))
    with pytest.raises(SmmixError, match="one, z"):
        family.evaluate(y, np.ones((3, 1)), np.zeros((1, 1, 3)), nuisance)


# -- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [1, 2])
def test_a_negative_binomial_without_overdispersion_is_poisson(kind):
    rng = np.random.default_rng(0)
    eta = rng.uniform(-6.0, 6.0, (1, 1, 300))
    y, mean = rng.poisson(np.exp(eta[0, 0])).astype(float), np.exp(eta)
    nuisance = np.full((1, 1, 1), 1e-12)
    family = NegativeBinomial(kind=kind)
    working = family.evaluate(y, None, eta.copy(), nuisance)
    np.testing.assert_allclose(working.log_density, stats.poisson.logpmf(y, mean), rtol=1e-9)
    # The score of no overdispersion, which tests of it are made of (Dean and Lawless 1989).
    score = ((y - mean) ** 2 - y) / 2.0 / (mean if kind == 1 else 1.0)
    found = family.derivatives(y, None, working, nuisance).first[1]
    np.testing.assert_allclose(found, score, rtol=1e-6, atol=1e-6)


def exact_negative_binomial(kind, y, eta, log_alpha):
    """The log-density in decimals, by sums over the counts below y."""
    mean, alpha = eta.exp(), log_alpha.exp()
    own = alpha if kind == 2 else alpha / mean
    log = (1 + own * mean).ln()
    rising = sum(((1 + own * j).ln() for j in range(y)), Decimal(0))
    return rising + y * (eta - log) - log / own - Decimal(math.factorial(y)).ln()


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("eta", [-225.0, -20.0, 3.0, 33.0, 45.0, 120.0, 225.0])
@pytest.mark.parametrize("log_alpha", [-90.0, -25.0, -3.4, 1.0, 60.0])
def test_a_negative_binomial_of_any_mean_has_its_digits(kind, eta, log_alpha):
    """No mean is so large that a density exceeds one, or loses the way back in its derivatives."""
    family, alpha = NegativeBinomial(kind=kind), np.exp(log_alpha)
    for y in (0, 1, 9):
        with localcontext() as context:
            context.prec = 260
            centre = (Decimal(eta), Decimal(alpha).ln())
            h = Decimal(10) ** -30

            def at(i, j, y=y, centre=centre, h=h):
                return exact_negative_binomial(kind, y, centre[0] + i * h, centre[1] + j * h)

            value = at(0, 0)
            exact = [
                value,
                (at(1, 0) - at(-1, 0)) / (2 * h),
                (at(0, 1) - at(0, -1)) / (2 * h),
                (at(1, 0) - 2 * value + at(-1, 0)) / h**2,
                (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h**2),
                (at(0, 1) - 2 * value + at(0, -1)) / h**2,
            ]
        counts, nuisance = np.array([float(y)]), np.full((1, 1, 1), alpha)
        working = family.evaluate(counts, None, np.full((1, 1, 1), eta), nuisance)
        first, second, *_ = family.derivatives(counts, None, working, nuisance)
        found = [
            working.log_density,
            first[0],
            first[1] * alpha,
            second[0][0],
            second[1][0] * alpha,
            second[1][1] * alpha**2 + first[1] * alpha,
        ]
        for mine, truth in zip(found, exact, strict=True):
            assert mine.item() == pytest.approx(float(truth), rel=1e-8, abs=1e-12)
        assert working.log_density.item() <= 0.0


@pytest.mark.parametrize("eta", [-12.0, 0.0, 20.0, 36.0, 45.0, 200.0])
def test_probabilities_of_a_geometric_distribution_of_any_mean(eta):
    """With alpha one, P(Y > y) is (mu / (1 + mu))^(y + 1)."""
    family, mean = NegativeBinomial(), np.exp(eta)
    y = np.floor(np.array([0.0, 0.1, 1.0, 3.0]) * mean)
    point = (None, np.full((1, 1, 4), eta), np.ones((1, 1, 1)))
    log_above = -(y + 1.0) * np.log1p(1.0 / mean)
    np.testing.assert_allclose(family.cdf(y, *point)[0, 0], -np.expm1(log_above), rtol=1e-10)
    found = family.log_tails(y, *point)[1][0, 0]
    np.testing.assert_allclose(found, log_above, rtol=1e-10, atol=1e-15)
    for q in (0.1, 0.999):
        exact = max(np.ceil(np.log1p(-q) / -np.log1p(1.0 / mean)) - 1.0, 0.0)
        np.testing.assert_allclose(family.quantile(q, *point), exact, rtol=1e-10)


@pytest.mark.parametrize("eta", [-220.0, -40.0, -12.0, -3.0, -2.0, 1.0, 40.0])
def test_a_zero_truncated_poisson_of_any_rate_has_its_digits(eta):
    family, none = ZeroTruncatedPoisson(), np.empty((1, 1, 0))
    y = np.array([1.0, 2.0, 5.0])
    with localcontext() as context:
        context.prec = 260
        rate = Decimal(eta).exp()
        kept = 1 - (-rate).exp()
        mean = rate / kept
        variance = mean * (1 + rate - mean)
        density = [
            n * Decimal(eta) - rate - kept.ln() - Decimal(math.factorial(n)).ln() for n in (1, 2, 5)
        ]
        score = [float(n - mean) for n in (1, 2, 5)]
    working = family.evaluate(y, None, np.full((1, 1, 3), eta), none)
    np.testing.assert_allclose(
        working.log_density[0, 0], [float(d) for d in density], rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose((working.weight * working.residual)[0, 0], score, rtol=1e-9)
    np.testing.assert_allclose(working.weight, float(variance), rtol=1e-11)
    point = (None, np.full((1, 1, 3), eta), none)
    np.testing.assert_allclose(family.mean(*point), float(mean), rtol=1e-14)
    np.testing.assert_allclose(family.variance(*point), float(variance), rtol=1e-11)


# -- names ------------------------------------------------------------------------------------


def test_names():
    assert read_family("nb2") == NegativeBinomial()
    assert read_family("zip") == ZeroInflatedPoisson()
    assert read_family("zero_truncated_poisson") == ZeroTruncatedPoisson()
    assert NegativeBinomial(kind=1) != NegativeBinomial()
    for kind in (3, True, "nb1"):
        with pytest.raises(SmmixError, match=f"kind is {kind!r}"):
            NegativeBinomial(kind=kind)
    for alpha in (0.0, -1.0, np.inf, "one", True):
        with pytest.raises(SmmixError, match=f"alpha is {alpha!r}"):
            NegativeBinomial(alpha=alpha)
    with pytest.raises(SmmixError, match="terms is 'z'"):
        ZeroInflatedPoisson("~ z", "z")
    with pytest.raises(SmmixError, match="the columns that inflate= makes"):
        ZeroInflatedPoisson(terms=("z",))
    with pytest.raises(SmmixError, match="inflate is 3"):
        ZeroInflatedPoisson(3)


def test_extra_zeros_with_regressors_may_be_a_component_of_their_own():
    design = {"y": [0.0, 0.0, 2.0, 3.0, 1.0, 0.0], "t": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    model = from_formula("y ~ 1", design, k=2, family=["poisson", "zero"], concomitant="~ t")
    y = np.array(design["y"])
    z = np.column_stack([np.ones(6), design["t"]])
    peer = PeerInflated(y, np.ones((6, 1)), exog_infl=z)
    logit, level = np.array([0.4, -0.2]), 0.6
    at = dict(zip(model.param_names, [level, *logit], strict=True))
    assert list(at) == ["Intercept[0]", "mixing.Intercept[1]", "mixing.t[1]"]
    np.testing.assert_allclose(model.loglike([*at.values()]), peer.loglike([*logit, level]))


def test_a_negative_binomial_of_statsmodels_has_the_log_link_and_holds_alpha():
    family = peer_families.NegativeBinomial(alpha=0.7)
    assert read_family(family) == NegativeBinomial(alpha=0.7)
    other = peer_families.NegativeBinomial(link=peer_families.links.Identity(), alpha=1.0)
    with pytest.raises(SmmixError, match="link is 'identity'"):
        read_family(other)
