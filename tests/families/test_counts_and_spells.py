"""Counts with more zeros or spread than Poisson's, shares, ordered levels and times until events.

Densities and probabilities against scipy, derivatives against complex steps, one component against
statsmodels.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers_families import Problem, curvature, derivatives, gradient, log_density
from scipy import integrate, special, stats

from smmix.core.family import Penalty
from smmix.core.statistics import ComponentStats
from smmix.errors import SmmixError
from smmix.families.beta import Beta
from smmix.families.exponential_times import Exponential
from smmix.families.negative_binomial import NegativeBinomial
from smmix.families.ordered import Ordered
from smmix.families.point_mass import PointMass
from smmix.families.poisson import Poisson
from smmix.families.weibull import Weibull
from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
from smmix.families.zero_truncated_poisson import ZeroTruncatedPoisson

SETS, COMPONENTS, ROWS = 2, 2, 60


class Table:
    """A distribution on 0, 1 .. by its probabilities (S, K, m, N)."""

    def __init__(self, pmf):
        self.pmf, self.values = pmf, np.arange(pmf.shape[-1])

    def _at(self, table, y):
        index = np.broadcast_to(np.floor(y), table.shape[:-1]).astype(int)
        found = np.take_along_axis(table, np.maximum(index, 0)[..., None], -1)[..., 0]
        return np.where(index < 0, 0.0, found)

    def logpmf(self, y):
        return np.log(self._at(self.pmf, y))

    def cdf(self, y):
        return self._at(np.cumsum(self.pmf, axis=-1), np.minimum(y, self.values[-1]))

    def mean(self):
        return (self.pmf * self.values).sum(-1)

    def var(self):
        return (self.pmf * (self.values - self.mean()[..., None]) ** 2).sum(-1)

    def rvs(self, size, random_state):
        drawn = random_state.random(size)[..., None]
        return (np.cumsum(self.pmf, axis=-1)[..., :-1] < drawn).sum(-1)


COUNTS = np.arange(400)


def truncated(eta, aux):
    pmf = stats.poisson(np.exp(eta)[..., None]).pmf(COUNTS)
    pmf[..., 0] = 0.0
    return Table(pmf / -np.expm1(-np.exp(eta))[..., None])


def inflated(eta, inflate):
    pmf = (1.0 - inflate)[..., None] * stats.poisson(np.exp(eta)[..., None]).pmf(COUNTS)
    pmf[..., 0] += inflate
    return Table(pmf)


def ordered(kind):
    def reference(eta, *cuts_and_aux):
        cuts = np.broadcast_arrays(eta, *cuts_and_aux[:-1])[1:]
        tails = [kind.sf(cut - eta) for cut in cuts]
        ones = np.ones_like(eta)
        return Table(-np.diff(np.stack([ones, *tails, 0.0 * ones], axis=-1), axis=-1))

    return reference


def beta(mean, precision):
    return stats.beta(mean * precision, (1.0 - mean) * precision)


class Case(NamedTuple):
    family: Any
    reference: Callable[..., Any]  # of eta, each nuisance parameter, and aux
    etas: tuple[float, float]
    nuisance: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    terms: int = 0


def nb2(e, a, aux):
    return stats.nbinom(1.0 / a, 1.0 / (1.0 + a * np.exp(e)))


def nb1(e, a, aux):
    return stats.nbinom(np.exp(e) / a, 1.0 / (1.0 + a))


CASES = {
    "nb2": Case(NegativeBinomial(), nb2, (-2, 3), ((0.4,), (1.7,))),
    "nb2-nearly-poisson": Case(NegativeBinomial(), nb2, (-2, 3), ((2e-3,), (0.03,))),
    "nb1": Case(NegativeBinomial(kind=1), nb1, (-2, 3), ((0.4,), (1.7,))),
    "nb1-nearly-poisson": Case(NegativeBinomial(kind=1), nb1, (-2, 3), ((2e-3,), (0.03,))),
    "truncated": Case(ZeroTruncatedPoisson(), truncated, (-4, 4)),
    "zip": Case(
        ZeroInflatedPoisson(), lambda e, p, aux: inflated(e, p + 0.0 * e), (-2, 3), ((0.3,), (0.6,))
    ),
    "zip-terms": Case(
        ZeroInflatedPoisson("~ t", ("Intercept", "t")),
        lambda e, a, b, aux: inflated(e, special.expit(a * aux[:, 0] + b * aux[:, 1])),
        (-2, 3),
        ((-0.5, 1.0), (0.3, -0.7)),
        terms=2,
    ),
    "beta-logit": Case(
        Beta(), lambda e, p, aux: beta(special.expit(e), p), (-2, 3), ((3.0,), (40.0,))
    ),
    "beta-probit": Case(
        Beta("probit"), lambda e, p, aux: beta(special.ndtr(e), p), (-1, 1.5), ((3.0,), (400.0,))
    ),
    "beta-cloglog": Case(
        Beta("cloglog"),
        lambda e, p, aux: beta(-np.expm1(-np.exp(e)), p),
        (-2, 1),
        ((1.0,), (9.0,)),
    ),
    "ordered-logit": Case(
        Ordered(levels=("a", "b", "c", "d")),
        ordered(stats.logistic),
        (-3, 3),
        ((-1.0, 0.2, 1.5), (-2.0, -1.9, 0.4)),
    ),
    "ordered-probit": Case(
        Ordered("probit", levels=("a", "b", "c", "d")),
        ordered(stats.norm),
        (-3, 3),
        ((-1.0, 0.2, 1.5), (-2.0, -1.9, 0.4)),
    ),
    "ordered-two": Case(
        Ordered(levels=("no", "yes")), ordered(stats.logistic), (-3, 3), ((0.2,), (-0.4,))
    ),
    "weibull": Case(
        Weibull(),
        lambda e, k, aux: stats.weibull_min(k, scale=np.exp(e)),
        (-2, 3),
        ((0.7,), (2.5,)),
    ),
    "exponential": Case(
        Exponential(), lambda e, aux: stats.weibull_min(1.0, scale=np.exp(e)), (-2, 3)
    ),
}


def problem(name, rows=ROWS, seed=0):
    case = CASES[name]
    rng = np.random.default_rng(seed)
    eta = rng.uniform(*case.etas, (SETS, COMPONENTS, rows))
    nuisance = np.array(case.nuisance, dtype=float) * rng.uniform(0.9, 1.1, (SETS, 1, 1))
    aux = np.column_stack([np.ones(rows), rng.normal(size=(rows, 1))]) if case.terms else None
    parameters = [nuisance[..., j, None] for j in range(nuisance.shape[-1])]
    reference = case.reference(eta, *parameters, aux)
    y = reference.rvs(size=eta.shape, random_state=rng)[0, 0].astype(float)
    return case.family, Problem(y, aux, eta, nuisance, reference)


def cut_off(name, at):
    """Every third time censored."""
    if name not in ("weibull", "exponential"):
        return at
    return at._replace(y=np.where(np.arange(at.y.size) % 3 == 0, -at.y, at.y))


every = pytest.mark.parametrize("name", CASES)


@every
def test_log_density_is_that_of_scipy(name):
    family, at = problem(name)
    expected = (at.reference.logpmf if family.discrete else at.reference.logpdf)(at.y)
    found = log_density(family, at, at.eta, at.nuisance)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["weibull", "exponential"])
def test_a_time_that_is_cut_off_has_the_probability_of_living_longer(name):
    family, at = problem(name)
    found = log_density(family, at._replace(y=-at.y), at.eta, at.nuisance)
    np.testing.assert_allclose(found, at.reference.logsf(at.y), rtol=1e-10)


@every
def test_a_response_of_its_own_for_each_parameter_set(name):
    family, at = problem(name)
    both = np.stack([at.y, at.y[::-1]])[:, None, :]
    together = family.evaluate(both, at.aux, at.eta.copy(), at.nuisance).log_density
    for s in range(2):
        alone = family.evaluate(
            both[s, 0], at.aux, at.eta[s : s + 1].copy(), at.nuisance[s : s + 1]
        ).log_density
        np.testing.assert_array_equal(together[s : s + 1], alone)


@every
def test_first_derivatives_are_complex_steps(name):
    family, at = problem(name)
    at = cut_off(name, at)
    working, found = derivatives(family, at)
    steps = gradient(family, at, at.eta, at.nuisance)
    for mine, step in zip(found.first, steps, strict=True):
        wide = np.broadcast_to(mine, at.eta.shape)
        np.testing.assert_allclose(wide, step, rtol=1e-8, atol=1e-9 * np.abs(step).max())
    score = working.weight * working.residual * family.precision(at.nuisance)[..., None]
    np.testing.assert_allclose(score, steps[0], rtol=1e-8, atol=1e-9 * np.abs(steps[0]).max())
    assert np.all(working.weight >= 0.0)


@every
def test_second_derivatives_are_differences_of_complex_steps(name):
    family, at = problem(name)
    at = cut_off(name, at)
    _, found = derivatives(family, at)
    for mine, steps in zip(found.second, curvature(family, at), strict=True):
        for entry, step in zip(mine, steps, strict=True):
            wide = np.broadcast_to(entry, at.eta.shape)
            np.testing.assert_allclose(wide, step, rtol=1e-6, atol=1e-7 * np.abs(step).max() + 1e-9)


@every
def test_information_of_nuisance_parameters_is_expected_or_positive(name):
    """Either E over y of minus the second derivatives, or a product of first ones."""
    family, at = problem(name)
    at = cut_off(name, at)
    working, found = derivatives(family, at)
    d = at.nuisance.shape[-1]
    matrix = np.zeros((*at.eta.shape, d, d))
    for i in range(d):
        for j in range(i + 1):
            matrix[..., i, j] = matrix[..., j, i] = found.nuisance_information[i][j]
    total = matrix.sum(axis=2)
    assert np.all(np.linalg.eigvalsh(total) > -1e-9 * np.abs(total).max(initial=1.0))
    assert np.all(found.information > 0.0)
    sums = family.sums(at.y, at.aux, working, at.nuisance)
    assert len(sums) == d + d * (d + 1) // 2
    for mine, first in zip(sums, found.first[1:], strict=False):
        np.testing.assert_array_equal(mine, np.broadcast_to(first, at.eta.shape))


@pytest.mark.parametrize("name", ["nb2", "truncated", "zip", "zip-terms", "beta-probit"])
def test_information_is_its_expectation(name):
    family, at = problem(name)
    steps = np.linspace(-30.0, 30.0, 6001)
    values = np.arange(1.0 if name == "truncated" else 0.0, 2000.0)
    measure = 1.0
    if "beta" in name:
        values = special.expit(steps)
        measure = (steps[1] - steps[0]) * values * special.expit(-steps)
        at = at._replace(eta=0.1 * at.eta)
    one = at._replace(
        y=values,
        aux=None if at.aux is None else np.repeat(at.aux[:1], len(values), axis=0),
        eta=np.repeat(at.eta[..., :1], len(values), axis=-1),
    )
    working, found = derivatives(family, one)
    density = np.exp(working.log_density) * measure
    np.testing.assert_allclose(density.sum(-1), 1.0, rtol=1e-6)

    def held(claimed, second):
        claimed = np.broadcast_to(claimed, density.shape)[..., 0]
        np.testing.assert_allclose(claimed, -(second * density).sum(-1), rtol=1e-5, atol=1e-9)

    held(found.information, found.second[0][0])
    if name != "nb2":
        for i, row in enumerate(found.nuisance_information):
            for j, entry in enumerate(row):
                held(entry, found.second[i + 1][j + 1])


# -- what users read ------------------------------------------------------------------------------


@every
def test_mean_and_variance_are_those_of_scipy(name):
    family, at = problem(name)
    point = (at.aux, at.eta, at.nuisance)
    np.testing.assert_allclose(family.mean(*point), at.reference.mean(), rtol=1e-10)
    np.testing.assert_allclose(family.variance(*point), at.reference.var(), rtol=1e-9)


@every
def test_derivatives_of_the_mean_are_differences(name):
    family, at = problem(name)
    found = family.mean_derivatives(at.aux, at.eta, at.nuisance)
    assert len(found) == 1 + at.nuisance.shape[-1]
    step = 1e-6
    for i, mine in enumerate(found):
        ahead, behind = at.nuisance.copy(), at.nuisance.copy()
        shift = step if i == 0 else 0.0
        if i:
            ahead[..., i - 1] += step
            behind[..., i - 1] -= step
        difference = family.mean(at.aux, at.eta + shift, ahead)
        difference = (difference - family.mean(at.aux, at.eta - shift, behind)) / (2.0 * step)
        wide = np.broadcast_to(mine, at.eta.shape)
        np.testing.assert_allclose(wide, difference, rtol=1e-6, atol=1e-7)


@every
def test_probabilities_are_those_of_scipy(name):
    family, at = problem(name)
    point = (at.aux, at.eta, at.nuisance)
    around = [at.y, np.zeros_like(at.y)]
    if family.discrete:
        around += [at.y - 0.5, at.y + 1.0, np.full_like(at.y, -1.0)]
    for y in around:
        expected = at.reference.cdf(y)
        np.testing.assert_allclose(family.cdf(y, *point), expected, rtol=1e-8, atol=1e-13)
        below = at.reference.cdf(np.ceil(y) - 1.0) if family.discrete else expected
        np.testing.assert_allclose(family.cdf_below(y, *point), below, rtol=1e-8, atol=1e-13)
        low, high = (np.exp(tail) for tail in family.log_tails(y, *point))
        np.testing.assert_allclose(low, expected, rtol=1e-8, atol=1e-13)
        np.testing.assert_allclose(high, 1.0 - expected, rtol=1e-8, atol=1e-12)


@every
@pytest.mark.parametrize("q", [1e-6, 0.025, 0.31, 0.5, 0.9, 0.999999])
def test_quantile_is_the_smallest_value_that_reaches(name, q):
    family, at = problem(name)
    point = (at.aux, at.eta, at.nuisance)
    value = family.quantile(q, *point)
    if family.discrete:
        assert np.all(family.cdf(value, *point) >= q)
        assert np.all((family.cdf_below(value, *point) < q) | (value == 0.0))
    else:
        # Near 1 the next number may have another probability.
        top = 1.0 if family.name == "beta" else np.inf
        below = family.cdf(np.nextafter(value, 0.0), *point)
        assert np.all(below <= q * (1.0 + 1e-8))
        assert np.all(family.cdf(np.nextafter(value, top), *point) >= q * (1.0 - 1e-8))


@every
def test_draws_have_the_distribution(name):
    family, at = problem(name)
    n = 20_000
    wide = np.repeat(at.eta[:1, :, :1], n, axis=-1)
    aux = None if at.aux is None else np.repeat(at.aux[:1], n, axis=0)
    nuisance = at.nuisance[:1]
    drawn = family.sample(aux, wide, nuisance, np.random.default_rng(3))
    assert drawn.shape == wide.shape
    assert drawn.dtype == float
    assert family.refuse(drawn[0, 0], aux) is None
    for c in range(COMPONENTS):
        values = np.unique(drawn[0, c])[:200]
        y = np.broadcast_to(values, (1, COMPONENTS, len(values))).copy()
        expected = family.cdf(
            values,
            None if aux is None else aux[: len(values)],
            np.broadcast_to(wide[..., :1], y.shape),
            nuisance,
        )[0, c]
        found = np.searchsorted(np.sort(drawn[0, c]), values, side="right") / n
        error = np.sqrt(expected * (1.0 - expected) / n)
        assert np.all(np.abs(found - expected) <= 5.0 * error + 1e-9 + 2.0 / n)


# -- identity, refusals, starts -------------------------------------------------------------------


@every
def test_a_family_is_its_name_and_plain_options(name):
    family, at = problem(name)
    again = type(family)(**family.to_plain())
    assert again == family
    assert hash(again) == hash(family)
    assert pickle.loads(pickle.dumps(family)) == family
    assert family.bound(at.y) == family
    assert repr(family).startswith(type(family).__name__)


@every
def test_possible_responses_pass_and_start(name):
    family, at = problem(name)
    assert family.refuse(at.y, at.aux) is None
    start = family.start_response(at.y, at.aux)
    assert np.isfinite(start).all()
    nuisance = family.start_nuisance(at.y, at.aux)
    assert nuisance.shape == (len(family.nuisance),)
    for value, parameter in zip(nuisance, family.nuisance, strict=True):
        assert parameter.transform.allows(value)
    assert np.isfinite(log_density(family, at, at.eta[:1, :1], nuisance[None, None])).all()


@pytest.mark.parametrize(
    ("family", "y", "row"),
    [
        (NegativeBinomial(), [1, 2, -1], 2),
        (NegativeBinomial(), [1, 2.5, 1], 1),
        (ZeroTruncatedPoisson(), [1, 0, 1], 1),
        (ZeroInflatedPoisson(), [1, 0, np.inf], 2),
        (Beta(), [0.5, 1.0], 1),
        (Ordered(levels=("a", "b")), [0, 1, 2], 2),
        (Ordered(), [0, 1.5, 2], 1),
        (Weibull(), [3.0, 0.0], 1),
        (PointMass(), [0, 0, 1], 2),
        (PointMass(np.inf), [-1.0, 1.0], 1),
    ],
)
def test_impossible_responses_are_refused(family, y, row):
    position, words = family.refuse(np.array(y, dtype=float), None)
    assert position == row
    assert words


def test_options_out_of_range_are_refused_in_a_sentence():
    with pytest.raises(SmmixError, match="kind is 3"):
        NegativeBinomial(kind=3)
    with pytest.raises(SmmixError, match="one level only, 'a'"):
        Ordered(levels=("a",))
    with pytest.raises(SmmixError, match="one level only, 0"):
        Ordered().bound(np.zeros(4))
    with pytest.raises(SmmixError, match="No row has the level 1"):
        Ordered().bound(np.array([0.0, 2.0]))
    with pytest.raises(SmmixError, match="give a tuple"):
        ZeroInflatedPoisson("~ t", "t")
    with pytest.raises(SmmixError, match="terms Intercept, t"):
        ZeroInflatedPoisson("~ t", ("Intercept", "t")).mean(
            None, np.zeros((1, 1, 3)), np.zeros((1, 1, 2))
        )
    for value in (np.nan, "zero", True, -np.inf):
        with pytest.raises(SmmixError, match="value is"):
            PointMass(value)


def test_levels_are_learnt():
    learnt = Ordered("probit").bound(np.array([2.0, 0.0, 1.0]))
    assert learnt == Ordered("probit", levels=(0, 1, 2))
    assert [parameter.name for parameter in learnt.nuisance] == ["below.1", "below.2"]


# -- far away -------------------------------------------------------------------------------------

FAR = np.array([-1e300, -1e8, -690.0, -40.0, -1e-300, 0.0, 1e-8, 40.0, 690.0, 1e8, 1e300])


@every
def test_no_linear_predictor_gives_nan(name):
    family, at = problem(name)
    for value in np.unique(cut_off(name, at).y)[[0, 1, -1]]:
        y = np.full(len(FAR), value)
        aux = None if at.aux is None else np.repeat(at.aux[:1], len(FAR), axis=0)
        far = Problem(y, aux, np.broadcast_to(FAR, (2, 2, len(FAR))), at.nuisance, None)
        working, found = derivatives(family, far)
        assert np.all(working.log_density < np.inf)
        if family.discrete:
            assert np.all(working.log_density <= 1e-9)
        pieces = [working.weight, working.residual, working.weight * working.residual**2]
        pieces += [found.information, *found.first, *(e for line in found.second for e in line)]
        pieces += family.sums(y, aux, working, far.nuisance)
        assert all(np.isfinite(piece).all() for piece in pieces)
        point = (aux, far.eta, far.nuisance)
        for told in (family.mean(*point), family.cdf(y, *point), family.variance(*point)):
            assert not np.isnan(told).any()


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].family.nuisance])
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e6, 1e12])
def test_no_nuisance_parameter_gives_nan(name, size):
    family, at = problem(name)
    if family.name == "ordered":
        nuisance = at.nuisance * size
    elif name == "zip":
        nuisance = np.full_like(at.nuisance, min(size, 1.0 - 1e-12))
    else:
        nuisance = np.full_like(at.nuisance, size)
    far = cut_off(name, at)._replace(nuisance=nuisance)
    working, found = derivatives(family, far)
    if family.discrete:
        assert np.all(working.log_density <= 1e-9)
    assert np.all(working.log_density < np.inf)
    assert not np.isnan(working.log_density).any()
    pieces = [working.weight, working.residual, found.information, *found.first]
    pieces += [e for line in found.second for e in line]
    assert all(np.isfinite(piece).all() for piece in pieces)


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("alpha", [1e-200, 1e-15, 1e-12])
def test_without_overdispersion_the_negative_binomial_is_poisson(kind, alpha):
    rng = np.random.default_rng(0)
    eta = rng.uniform(-3.0, 6.0, (1, 1, 300))
    y = rng.poisson(np.exp(eta[0, 0])).astype(float)
    nuisance = np.full((1, 1, 1), alpha)
    family = NegativeBinomial(kind=kind)
    found = family.evaluate(y, None, eta.copy(), nuisance)
    expected = Poisson().evaluate(y, None, eta.copy(), np.empty((1, 1, 0)))
    mean = np.exp(eta)
    np.testing.assert_allclose(found.log_density, stats.poisson(mean).logpmf(y), rtol=1e-9)
    np.testing.assert_allclose(
        found.weight * found.residual, expected.weight * expected.residual, rtol=1e-7, atol=1e-9
    )
    # Cox (1983): the score of overdispersion at none
    score = ((y - mean) ** 2 - y) / 2.0 / (1.0 if kind == 2 else mean)
    in_alpha = family.derivatives(y, None, found, nuisance).first[1]
    np.testing.assert_allclose(in_alpha, score, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        family.cdf(y, None, eta, nuisance), stats.poisson(mean).cdf(y), rtol=1e-9
    )


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_ordered_levels_far_in_a_tail_keep_their_digits(link):
    """Log-probabilities of an interval against an integral of the density over its largest."""
    kind = stats.logistic if link == "logit" else stats.norm
    family = Ordered(link, levels=(0, 1, 2))
    cuts = np.array([[[0.3, 0.9]]])
    for eta in (-30.0, -9.0, 0.6, 8.0, 31.0):
        found = family.evaluate(np.ones(1), None, np.full((1, 1, 1), eta), cuts).log_density
        peak = kind.logpdf(np.clip(0.0, 0.3 - eta, 0.9 - eta))
        area, _ = integrate.quad(
            lambda x, peak=peak: np.exp(kind.logpdf(x) - peak), 0.3 - eta, 0.9 - eta, epsrel=1e-13
        )
        np.testing.assert_allclose(found[0, 0, 0], np.log(area) + peak, rtol=1e-11)


def test_cuts_out_of_order_have_density_zero():
    family = Ordered(levels=(0, 1, 2))
    nuisance = np.array([[[0.5, 0.5], [1.0, -1.0], [-1.0, 1.0]]])
    y = np.array([0.0, 1.0, 2.0])
    at = Problem(y, None, np.zeros((1, 3, 3)), nuisance, None)
    working, found = derivatives(family, at)
    assert np.all(working.log_density[0, :2] == -np.inf)
    assert np.isfinite(working.log_density[0, 2]).all()
    pieces = [*found.first, *(entry for row in found.second for entry in row)]
    assert all(np.all(np.broadcast_to(piece, (1, 3, 3))[0, :2] == 0.0) for piece in pieces)


def test_a_step_of_cuts_leaves_them_in_order():
    family = Ordered(levels=(0, 1, 2))
    nuisance = np.array([[[-0.1, 0.1], [-1.0, 1.0]]])
    extra = np.array([[[50.0, -50.0, 10.0, 0.0, 10.0], [0.5, 0.5, 10.0, 0.0, 10.0]]])
    zero = np.zeros((1, 2))
    stats_ = ComponentStats(zero + 9.0, zero[..., None, None], zero[..., None], zero, extra)
    for shared in (frozenset(), frozenset({"below.1"})):
        moved = family.update_nuisance(stats_, zero, nuisance, Penalty(), shared)
        assert np.all(np.diff(moved, axis=-1) > 0.0)


# -- point masses ---------------------------------------------------------------------------------


def test_a_point_mass_has_one_value():
    eta, nuisance = np.zeros((1, 1, 4)), np.empty((1, 1, 0))
    family = PointMass()
    y = np.array([0.0, 1.0, 0.0, -2.0])
    working, found = derivatives(family, Problem(y, None, eta, nuisance, None))
    np.testing.assert_array_equal(working.log_density[0, 0], [0.0, -np.inf, 0.0, -np.inf])
    assert not working.residual.any()
    assert not working.weight.any()
    assert not found.first[0].any()
    point = (None, eta, nuisance)
    np.testing.assert_array_equal(family.cdf(y, *point)[0, 0], [1.0, 1.0, 1.0, 0.0])
    np.testing.assert_array_equal(family.cdf_below(y, *point)[0, 0], [0.0, 1.0, 0.0, 0.0])
    for value in (
        family.mean(*point),
        family.variance(*point),
        family.quantile(0.3, *point),
        family.sample(*point, np.random.default_rng(0)),
    ):
        np.testing.assert_array_equal(value, eta)
    assert family.discrete
    assert not PointMass(0.5).discrete


def test_who_never_fails_is_cut_off():
    eta, nuisance = np.zeros((1, 1, 2)), np.empty((1, 1, 0))
    family = PointMass(np.inf)
    y = np.array([-3.0, 3.0])
    working = family.evaluate(y, None, eta, nuisance)
    np.testing.assert_array_equal(working.log_density[0, 0], [0.0, -np.inf])
    np.testing.assert_array_equal(family.cdf(y, None, eta, nuisance)[0, 0], [1.0, 0.0])
    np.testing.assert_array_equal(family.cdf_below(y, None, eta, nuisance)[0, 0], [0.0, 0.0])
    assert PointMass(**family.to_plain()) == family


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("eta", [12.0, 30.0, 100.0])
def test_a_negative_binomial_of_a_huge_mean_keeps_its_density(kind, eta):
    """P(0) is known in closed form; its derivatives come from complex steps of that."""
    family, alpha = NegativeBinomial(kind=kind), 1.5
    at = Problem(np.zeros(1), None, np.full((1, 1, 1), eta), np.full((1, 1, 1), alpha), None)
    working, found = derivatives(family, at)

    def log_zero(e, a):
        return -np.log(1.0 + a * np.exp(e)) / a if kind == 2 else -np.exp(e) * np.log(1.0 + a) / a

    np.testing.assert_allclose(working.log_density, log_zero(eta, alpha), rtol=1e-12)
    steps = [log_zero(eta + 1e-30j, alpha).imag, log_zero(eta, alpha + 1e-30j).imag]
    np.testing.assert_allclose([v.item() for v in found.first], np.divide(steps, 1e-30), rtol=1e-10)
