"""Families of a real response: Gaussian, Student t, Laplace and censored Gaussian."""

import pickle

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import integrate, optimize, stats
from statsmodels.miscmodels.tmodel import TLinearModel

from smmix.core.family import Penalty
from smmix.core.statistics import ComponentStats
from smmix.errors import SmmixError
from smmix.families.censored_gaussian import CensoredGaussian
from smmix.families.gaussian import Gaussian
from smmix.families.laplace import KINK, Laplace
from smmix.families.student_t import StudentT

SIGMAS = np.array([[[0.7], [2.0]], [[1.3], [0.4]]])  # (S, K, 1)
DFS = np.array([[[2.5], [6.0]], [[45.0], [0.8]]])
BOTH = np.concatenate([SIGMAS, DFS], axis=2)
FAMILIES = {
    "gaussian": (Gaussian(), SIGMAS),
    "gaussian_log": (Gaussian("log"), SIGMAS),
    "t": (StudentT(), BOTH),
    "t_held": (StudentT(df=4), SIGMAS),
    "laplace": (Laplace(), SIGMAS),
    "tobit_below": (CensoredGaussian(lower=-0.5), SIGMAS),
    "tobit_above": (CensoredGaussian(upper=0.8), SIGMAS),
    "tobit_both": (CensoredGaussian(lower=-0.5, upper=0.8), SIGMAS),
}
EVERY = pytest.mark.parametrize("name", FAMILIES)
SMOOTH = pytest.mark.parametrize("name", [name for name in FAMILIES if name != "laplace"])
# df, error, log-density of the standard t distribution and its first two derivatives in df; and
# z, phi(z) / Phi(z) and minus the derivative of that: by mpmath with 80 digits.
T_VALUES = [
    (0.3, 1.5, -2.86368313532924, 2.000386899350419, -9.275165994962228),
    (0.3, 1e3, -11.235304509545271, -4.18442053926202, -8.98297168546493),
    (0.3, 1e150, -451.25931558570744, -342.66442840938697, -8.98297068546588),
    (4, 1.5, -2.096547009582775, 0.01704260145917827, -0.009644077686997894),
    (4, 1e3, -32.053879745102684, -5.574426445634804, 0.08635492231950206),
    (4, 1e150, -1724.4539130957462, -344.0544306157735, 0.08635592231300211),
    (29.9, 1.5, -2.048257021491772, 0.00016503018263414214, -1.2322959262433455e-05),
    (29.9, 1e3, -161.88048472707166, -4.691854547189045, 0.016143446119267595),
    (29.9, 1e150, -10620.91229068583, -343.1718328179992, 0.016144446073919412),
    (30.1, 1.5, -2.0482242601188725, 0.00016259245960908623, -1.2055557184489413e-05),
    (30.1, 1e3, -162.81853345869482, -4.6886362135307325, 0.016040111047233307),
    (30.1, 1e150, -10689.546335051618, -343.16861428435, 0.01604111100158515),
    (500, 1.5, -2.04415980372078, 4.475606780215532e-07, -1.8102360739239153e-09),
    (500, 1e3, -1905.0707233460967, -3.2999505421064605, 0.0009969967500158125),
    (500, 1e150, -171483.42984838065, -341.77945889989775, 0.000997996000016),
    (1e5, 1.5, -2.0439396270179526, 1.0938765584595751e-11, -2.1878796713384032e-16),
    (1e5, 1e3, -119896.88152858813, -0.7443976363741853, 4.132181817681818e-06),
    (1e5, 1e150, -33963470.67190442, -339.13129621659675, 4.9999499995e-06),
    (1e8, 1.5, -2.0439385342984226, 1.0937501265624959e-17, -2.187500379687484e-25),
    (1e8, 1e3, -497517.4665721053, -2.4670327574115436e-05, 4.901470395054308e-13),
    (1e8, 1e150, -33617742694.80943, -335.6774235721307, 4.999999949999999e-09),
]
MILLS_VALUES = [
    (-1e300, 1e300, 1.0),
    (-1e8, 100000000.00000001, 0.9999999999999999),
    (-300.0, 300.0033332592634, 0.999988889629561),
    (-20.1, 20.149507950077545, 0.9975608336795057),
    (-19.9, 19.95000061430202, 0.997512286040774),
    (-5.0, 5.186503967125842, 0.9673035653828878),
    (0.0, 0.7978845608028654, 0.6366197723675814),
    (5.0, 1.4867199409049056e-06, 7.433601914860711e-06),
    (37.0, 2.1200065515246056e-298, 7.84402424064104e-297),
]
CONTINUOUS = [name for name in FAMILIES if "tobit" not in name]


def example(name, m=40):
    family, nuisance = FAMILIES[name]
    rng = np.random.default_rng(3)
    eta = rng.normal(0.2, 0.8, (2, 2, m))
    y = rng.normal(0.2, 1.5, m)
    return family, recorded(family, y), eta, nuisance


def recorded(family, y):
    return np.clip(y, *family._limits) if isinstance(family, CensoredGaussian) else y


def log_density(family, y, eta, nuisance):
    return family.evaluate(y, None, np.array(eta), nuisance).log_density


def by_scipy(name, y, eta, nuisance):
    sigma, family = nuisance[..., :1], FAMILIES[name][0]
    if name == "gaussian":
        return stats.norm.logpdf(y, eta, sigma)
    if name == "gaussian_log":
        return stats.norm.logpdf(y, np.exp(eta), sigma)
    if name == "t":
        return stats.t.logpdf(y, nuisance[..., 1:], eta, sigma)
    if name == "t_held":
        return stats.t.logpdf(y, 4, eta, sigma)
    if name == "laplace":
        return stats.laplace.logpdf(y, eta, sigma)
    low, high = family._limits
    value = stats.norm.logpdf(y, eta, sigma)
    value = np.where(y <= low, stats.norm.logcdf(low, eta, sigma), value)
    return np.where(y >= high, stats.norm.logsf(high, eta, sigma), value)


# -- densities ------------------------------------------------------------------------------------


@EVERY
def test_log_densities_are_those_of_scipy(name):
    family, y, eta, nuisance = example(name)
    expected = by_scipy(name, y, eta, nuisance)
    np.testing.assert_allclose(log_density(family, y, eta, nuisance), expected, rtol=1e-12)
    own = np.broadcast_to(y, (2, 1, y.size))
    np.testing.assert_allclose(log_density(family, own, eta, nuisance), expected, rtol=1e-12)


@EVERY
def test_a_response_far_away_has_a_density_that_is_a_number(name):
    family, _, _, nuisance = example(name)
    y = np.array([1e150, -1e200, 1e8, 0.0])
    with np.errstate(all="ignore"):
        working = family.evaluate(y, None, np.zeros((2, 2, 4)), nuisance)
        family.derivatives(y, None, working, nuisance)
    assert not np.isnan(working.log_density).any()
    assert (working.log_density[..., 3] > working.log_density[..., 2]).all() or "tobit" in name
    assert np.isfinite(working.residual).all()


@pytest.mark.parametrize(("df", "error", "value", "slope", "bend"), T_VALUES)
def test_a_t_density_has_all_its_digits_at_any_df_and_distance(df, error, value, slope, bend):
    family, nuisance = StudentT(), np.array([[[1.0, df]]])
    y = np.array([error])
    working = family.evaluate(y, None, np.zeros((1, 1, 1)), nuisance)
    found = family.derivatives(y, None, working, nuisance)
    np.testing.assert_allclose(working.log_density.item(), value, rtol=2e-14)
    np.testing.assert_allclose(found.first[2].item(), slope, rtol=2e-11)
    np.testing.assert_allclose(found.second[2][2].item(), bend, rtol=2e-10)


def test_with_many_degrees_of_freedom_a_t_is_normal():
    y = np.linspace(-6, 6, 25)
    eta, nuisance = np.zeros((1, 1, 25)), np.array([[[1.5, 1e8]]])
    found = StudentT().evaluate(y, None, eta.copy(), nuisance)
    expected = Gaussian().evaluate(y, None, eta.copy(), nuisance[..., :1])
    np.testing.assert_allclose(found.log_density, expected.log_density, atol=1e-6)
    np.testing.assert_allclose(found.weight, 1.0, atol=1e-6)


@pytest.mark.parametrize(("z", "mills", "curvature"), [*MILLS_VALUES, (1e300, 0.0, 0.0)])
def test_a_censored_row_keeps_its_digits_far_from_the_limit(z, mills, curvature):
    family, nuisance = CensoredGaussian(lower=0.0), np.ones((1, 1, 1))
    with np.errstate(over="ignore"):
        working = family.evaluate(np.zeros(1), None, np.full((1, 1, 1), -z), nuisance)
        found = family.derivatives(np.zeros(1), None, working, nuisance)
    np.testing.assert_allclose(found.first[0].item(), -mills, rtol=1e-12)
    np.testing.assert_allclose(-found.second[0][0].item(), curvature, rtol=1e-12, atol=1e-300)


# -- derivatives ----------------------------------------------------------------------------------


def moved(eta, nuisance, which, step):
    """Complex eta and nuisance parameters, with ``step`` added to parameter ``which``."""
    eta, nuisance = eta.astype(complex), nuisance.astype(complex)
    if which == 0:
        return eta + step, nuisance
    nuisance[..., which - 1] += step
    return eta, nuisance


def at(family, y, eta, nuisance):
    working = family.evaluate(y, None, np.array(eta), nuisance)
    return family.derivatives(y, None, working, nuisance)


@SMOOTH
def test_first_derivatives_are_those_of_a_complex_step(name):
    family, y, eta, nuisance = example(name)
    first = at(family, y, eta, nuisance).first
    assert len(first) == 1 + nuisance.shape[2]
    for which, derivative in enumerate(first):
        value = log_density(family, y, *moved(eta, nuisance, which, 1e-30j))
        np.testing.assert_allclose(derivative, value.imag / 1e-30, rtol=1e-10, atol=1e-12)


@SMOOTH
def test_second_derivatives_are_those_of_a_complex_step_of_the_first(name):
    family, y, eta, nuisance = example(name)
    found = at(family, y, eta, nuisance)
    for i, row in enumerate(found.second):
        for j, derivative in enumerate(row):
            if j < 2 and not isinstance(family, StudentT):
                slope = at(family, y, *moved(eta, nuisance, j, 1e-30j)).first[i].imag / 1e-30
                rtol = 1e-10
            else:  # the trigamma function is a real one
                up, down = (moved(eta, nuisance, j, step) for step in (1e-5, -1e-5))
                slope = at(family, y, *(v.real for v in up)).first[i]
                slope = (slope - at(family, y, *(v.real for v in down)).first[i]) / 2e-5
                rtol = 1e-6
            full = np.broadcast_to(derivative, slope.shape)
            np.testing.assert_allclose(full, slope, rtol=rtol, atol=1e-7 if rtol > 1e-8 else 1e-11)


def test_derivatives_of_a_laplace_density_off_its_kink():
    family, y, eta, nuisance = example("laplace")
    found, sign = at(family, y, eta, nuisance), np.sign(y - eta)
    np.testing.assert_allclose(found.first[0], sign / nuisance, rtol=1e-12)
    for j in range(2):
        up, down = (moved(eta, nuisance, j, step) for step in (1e-6, -1e-6))
        up, down = ([v.real for v in up], [v.real for v in down])
        slope = (log_density(family, y, *up) - log_density(family, y, *down)) / 2e-6
        np.testing.assert_allclose(found.first[j], slope, rtol=1e-7, atol=1e-8)
    up, down = (at(family, y, eta, nuisance + step) for step in (1e-6, -1e-6))
    for j in range(2):
        slope = (up.first[j] - down.first[j]) / 2e-6
        np.testing.assert_allclose(found.second[1][j], slope, rtol=1e-6, atol=1e-7)


@EVERY
def test_the_working_regression_is_the_derivative_in_eta(name):
    family, y, eta, nuisance = example(name)
    working = family.evaluate(y, None, eta.copy(), nuisance)
    weight = 1.0 if working.weight is None else working.weight
    product = weight * working.residual * family.precision(nuisance)[..., None]
    found = family.derivatives(y, None, working, nuisance)
    np.testing.assert_allclose(product, found.first[0], rtol=1e-12)


@EVERY
def test_the_score_of_a_pass_is_the_sum_of_first_derivatives(name):
    family, y, eta, nuisance = example(name)
    found = at(family, y, eta, nuisance)
    score = family.score(sums_of(family, y, eta, nuisance), nuisance)
    expected = np.stack([d.sum(axis=2) for d in found.first[1:]], axis=2)
    np.testing.assert_allclose(score, expected, rtol=1e-9, atol=1e-10)


def mean_over_y(family, eta, nuisance, function):
    """Expectation of ``function(y)`` over the density at one eta, by quadrature."""
    eta = np.full((1, 1, 1), eta)

    def density(y):
        return np.exp(log_density(family, np.array([y]), eta, nuisance).item())

    low, high = family._limits if isinstance(family, CensoredGaussian) else (-np.inf, np.inf)
    total = sum(density(limit) * function(limit) for limit in (low, high) if np.isfinite(limit))
    inner = (np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
    centre = float(np.clip(family.link.mean(eta).item(), *inner))
    for a, b in (
        (inner[0] if np.isfinite(low) else -np.inf, centre),
        (centre, inner[1] if np.isfinite(high) else np.inf),
    ):
        if a < b:
            total += integrate.quad(
                lambda y: density(y) * function(y), a, b, epsabs=1e-11, limit=200
            )[0]
    return total


@SMOOTH
def test_informations_are_expectations(name):
    family, _, _, nuisance = example(name)
    nuisance, eta = nuisance[:1, :1], 0.3

    def expected(pick):
        def value(y):
            found = at(family, np.array([y]), np.full((1, 1, 1), eta), nuisance)
            return np.asarray(pick(found)).item()

        return mean_over_y(family, eta, nuisance, value)

    second = expected(lambda found: -found.second[0][0])
    np.testing.assert_allclose(expected(lambda found: found.information), second, rtol=1e-6)
    d = nuisance.shape[2]
    for i in range(d):
        for j in range(i + 1):
            second = expected(lambda found, i=i, j=j: -found.second[i + 1][j + 1])
            given = expected(lambda found, i=i, j=j: found.nuisance_information[i][j])
            np.testing.assert_allclose(given, second, rtol=1e-6)


def test_the_information_of_a_laplace_density_is_the_mean_product_of_its_scores():
    family, nuisance = Laplace(), np.full((1, 1, 1), 0.7)
    for pick, entry in ((0, "information"), (1, "nuisance_information")):

        def square(y, pick=pick):
            return at(family, np.array([y]), np.zeros((1, 1, 1)), nuisance).first[pick].item() ** 2

        found = getattr(at(family, np.ones(1), np.zeros((1, 1, 1)), nuisance), entry)
        expected = mean_over_y(family, 0.0, nuisance, square)
        np.testing.assert_allclose(np.ravel(found)[0], expected, rtol=1e-6)


# -- meaning --------------------------------------------------------------------------------------


@EVERY
def test_the_mean_and_variance_are_moments_of_the_density(name):
    family, _, _, nuisance = example(name)
    nuisance = nuisance[:1, :1]
    eta = np.full((1, 1, 1), 0.3)
    first = mean_over_y(family, 0.3, nuisance, lambda y: y)
    np.testing.assert_allclose(family.mean(None, eta, nuisance).item(), first, atol=1e-6)
    if name != "t":  # with df of 2.5 the integral of squares hardly converges
        second = mean_over_y(family, 0.3, nuisance, lambda y: (y - first) ** 2)
        variance = family.variance(None, eta, nuisance).item()
        np.testing.assert_allclose(variance, second, rtol=1e-6)


def test_the_variance_of_a_t_is_that_of_scipy():
    eta = np.zeros((2, 2, 1))
    found = StudentT().variance(None, eta, BOTH)
    expected = stats.t.var(DFS, scale=SIGMAS)
    np.testing.assert_allclose(found[DFS > 2], expected[DFS > 2])
    assert np.isinf(found[DFS <= 2]).all()


@EVERY
def test_slopes_of_the_mean(name):
    family, _, eta, nuisance = example(name)
    found = family.mean_derivatives(None, eta, nuisance)
    assert len(found) == 1 + nuisance.shape[2]
    for j, derivative in enumerate(found):
        up, down = (moved(eta, nuisance, j, step) for step in (1e-6, -1e-6))
        slope = family.mean(None, *(v.real for v in up))
        slope = (slope - family.mean(None, *(v.real for v in down))) / 2e-6
        full = np.broadcast_to(derivative, eta.shape)
        np.testing.assert_allclose(full, slope, rtol=1e-7, atol=1e-8)


@EVERY
def test_draws_have_the_mean_variance_and_distribution(name):
    family, nuisance = FAMILIES[name]
    nuisance = nuisance[:1]
    if name == "t":
        nuisance = np.array([[[0.7, 7.0], [2.0, 6.0]]])
    eta = np.broadcast_to([[[0.1], [-0.4]]], (1, 2, 100_000)).copy()
    y = family.sample(None, eta, nuisance, np.random.default_rng(5))
    assert y.shape == eta.shape
    mean, variance = family.mean(None, eta, nuisance), family.variance(None, eta, nuisance)
    assert variance.shape == eta.shape
    z = (y.mean(axis=2) - mean[..., 0]) / np.sqrt(variance[..., 0] / y.shape[2])
    assert (np.abs(z) < 4).all()
    np.testing.assert_allclose(y.var(axis=2), variance[..., 0], rtol=0.05)
    for q in (0.1, 0.5, 0.9):
        below = (y <= family.quantile(q, None, eta, nuisance)).mean(axis=2)
        cdf = family.cdf(family.quantile(q, None, eta, nuisance), None, eta, nuisance)[..., 0]
        assert (np.abs(below - cdf) < 4 * np.sqrt(0.25 / y.shape[2])).all()


@EVERY
def test_quantiles_are_the_smallest_values_with_that_probability(name):
    family, _, eta, nuisance = example(name)
    for q in (1e-6, 0.02, 0.5, 0.7, 0.999):
        value = family.quantile(q, None, eta, nuisance)
        above = family.cdf(value, None, eta, nuisance)
        below = family.cdf_below(value, None, eta, nuisance)
        if name in CONTINUOUS:
            np.testing.assert_allclose(above, q, rtol=1e-8)
            np.testing.assert_array_equal(above, below)
        else:
            assert (above >= q * (1 - 1e-8)).all()
            assert (below <= q * (1 + 1e-8)).all()


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_cdf_is_that_of_scipy(name):
    family, y, eta, nuisance = example(name)
    sigma = nuisance[..., :1]
    expected = {
        "gaussian": lambda: stats.norm.cdf(y, eta, sigma),
        "gaussian_log": lambda: stats.norm.cdf(y, np.exp(eta), sigma),
        "t": lambda: stats.t.cdf(y, nuisance[..., 1:], eta, sigma),
        "t_held": lambda: stats.t.cdf(y, 4, eta, sigma),
        "laplace": lambda: stats.laplace.cdf(y, eta, sigma),
    }[name]()
    np.testing.assert_allclose(family.cdf(y, None, eta, nuisance), expected, rtol=1e-12)


def test_a_censored_cdf_jumps_at_its_limits():
    family, nuisance = CensoredGaussian(lower=0.0, upper=1.0), np.ones((1, 1, 1))
    eta = np.full((1, 1, 5), 0.4)
    y = np.array([-0.1, 0.0, 0.5, 1.0, 1.1])
    inner = stats.norm.cdf(y, 0.4)
    np.testing.assert_allclose(
        family.cdf(y, None, eta, nuisance)[0, 0], [0, inner[1], inner[2], 1, 1]
    )
    np.testing.assert_allclose(
        family.cdf_below(y, None, eta, nuisance)[0, 0], [0, 0, inner[2], inner[3], 1]
    )


@pytest.mark.parametrize("eta", [-1e9, -50.0, 0.5, 50.0, 1e9])
def test_the_mean_of_a_censored_response_stays_within_its_limits(eta):
    family, nuisance = CensoredGaussian(lower=0.0, upper=1.0), np.ones((1, 1, 1))
    eta = np.full((1, 1, 1), eta)
    assert 0.0 <= family.mean(None, eta, nuisance).item() <= 1.0
    assert 0.0 <= family.variance(None, eta, nuisance).item() <= 0.25
    one = CensoredGaussian(lower=0.0)
    if eta.item() > 40:
        assert one.mean(None, eta, nuisance).item() == eta.item()
        np.testing.assert_allclose(one.variance(None, eta, nuisance), 1.0, rtol=1e-12)


# -- steps ----------------------------------------------------------------------------------------


def sums_of(family, y, eta, nuisance, weight=1.0):
    """The statistics of a pass, the design being one constant."""
    working = family.evaluate(y, None, np.array(eta), nuisance)
    w = np.broadcast_to(weight * (1.0 if working.weight is None else working.weight), eta.shape)
    rows = [np.broadcast_to(v, eta.shape) for v in family.sums(y, None, working, nuisance)]
    return ComponentStats(
        np.broadcast_to(weight, eta.shape).sum(axis=2),
        w.sum(axis=2)[..., None, None],
        (w * working.residual).sum(axis=2)[..., None],
        (w * working.residual**2).sum(axis=2),
        np.stack([(weight * v).sum(axis=2) for v in rows], axis=2) if rows else None,
    )


def climbed(family, y, x, passes=2000, tolerance=1e-11, coef=None, nuisance=None):
    """EM of one component, by the steps that a family gives and halving as the engine does.

    Returns coefficients, nuisance parameters, log-likelihoods of the passes and halvings.
    """
    if coef is None:
        coef = np.linalg.lstsq(x, family.start_response(y, None), rcond=None)[0]
    if nuisance is None:
        nuisance = family.start_nuisance(y, None)[None, None]
    values, halvings, last, scores = [], 0, None, None
    while len(values) < passes:
        with np.errstate(all="ignore"):
            working = family.evaluate(y, None, (x @ coef)[None, None], nuisance)
        value = working.log_density.sum()
        if last is not None and value < values[-1] - 1e-12 * abs(values[-1]):
            halvings += 1
            assert halvings < passes, "the step does not ascend however short"
            coef, nuisance = (coef + last[0]) / 2, np.sqrt(nuisance * last[1])
            continue
        values.append(value)
        weight = np.ones(y.size) if working.weight is None else working.weight[0, 0]
        residual = working.residual[0, 0]
        xwr = x.T @ (weight * residual)
        gram = (x.T * weight) @ x
        step = np.linalg.solve(gram, xwr)
        rows = family.sums(y, None, working, nuisance)
        rwr = weight @ residual**2
        stats_ = ComponentStats(
            np.full((1, 1), float(y.size)),
            gram[None, None],
            xwr[None, None],
            np.full((1, 1), rwr),
            np.stack([v.sum(axis=2) for v in rows], axis=2) if rows else None,
        )
        scores = np.concatenate(
            [
                xwr * family.precision(nuisance).item() * nuisance[0, 0, 0],
                (family.score(stats_, nuisance) * nuisance).ravel(),
            ]
        )
        if np.abs(scores).max() < tolerance * y.size:
            break
        last = coef, nuisance
        nuisance = family.update_nuisance(
            stats_, np.full((1, 1), max(rwr - step @ xwr, 0.0)), nuisance, Penalty(), frozenset()
        )
        coef = coef + step
    return coef, nuisance[0, 0], np.array(values), halvings


def regression(seed, family, n=150, df=4.0):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=n), rng.uniform(-1, 1, n)])
    eta = x @ [0.3, 0.8, -0.5]
    if family == Gaussian("log"):
        eta = np.exp(eta)
    return x, recorded(family, eta + 0.7 * rng.standard_t(df, n))


@pytest.mark.parametrize("seed", range(4))
@EVERY
def test_em_of_one_component_ascends_and_ends_where_the_score_is_zero(name, seed):
    family = FAMILIES[name][0]
    x, y = regression(seed, family)
    _, _, values, halvings = climbed(family, y, x, tolerance=1e-9)
    assert (np.diff(values) >= -1e-12 * np.abs(values[1:])).all()
    assert len(values) < 2000
    assert halvings <= 2


@pytest.mark.parametrize("df", [1.2, 3.0, 12.0])
def test_one_t_component_is_statsmodels_tlinearmodel(df):
    x, y = regression(11, StudentT(), 400, df)
    coef, nuisance, values, _ = climbed(StudentT(), y, x)
    reference = TLinearModel(y, x).fit(disp=False, method="bfgs", maxiter=2000, gtol=1e-7)
    assert values[-1] >= reference.llf - 1e-8
    np.testing.assert_allclose(values[-1], reference.llf, rtol=1e-9)
    expected = np.asarray(reference.params)  # coefficients, df, scale
    np.testing.assert_allclose(coef, expected[:3], atol=1e-4)
    np.testing.assert_allclose(nuisance, np.abs(expected[[4, 3]]), rtol=2e-3)


def test_one_t_component_with_held_df_is_statsmodels_tlinearmodel():
    x, y = regression(12, StudentT(), 400)
    coef, nuisance, values, _ = climbed(StudentT(df=3), y, x)
    model = TLinearModel(y, x, fix_df=3)
    assert model.loglike(np.r_[coef, nuisance]) == pytest.approx(values[-1], rel=1e-12)
    reference = model.fit(disp=False, method="bfgs", maxiter=2000, gtol=1e-7)
    np.testing.assert_allclose(coef, np.asarray(reference.params)[:3], atol=1e-5)


def test_on_normal_errors_df_goes_to_its_limit_and_the_fit_to_least_squares():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(200), rng.normal(size=200)])
    y = x @ [1.0, 2.0] + rng.uniform(-1, 1, 200)
    coef, nuisance, values, _ = climbed(StudentT(), y, x, passes=300)
    ols = sm.OLS(y, x).fit()
    np.testing.assert_allclose(coef, ols.params, rtol=1e-6)
    np.testing.assert_allclose(values[-1], ols.llf, rtol=1e-8)
    assert nuisance[1] > 1e6


def linear_program(y, x):
    """Coefficients of the median regression, a vertex, by linear programming."""
    n, p = x.shape
    cost = np.r_[np.zeros(p), np.ones(2 * n)]
    equal = np.hstack([x, np.eye(n), -np.eye(n)])
    limits = [(None, None)] * p + [(0, None)] * (2 * n)
    return optimize.linprog(cost, A_eq=equal, b_eq=y, bounds=limits, method="highs-ds").x[:p]


@pytest.mark.parametrize("seed", range(5))
def test_one_laplace_component_is_the_median_regression(seed):
    x, y = regression(seed + 20, Laplace(), 201)
    coef, nuisance, values, halvings = climbed(Laplace(), y, x, tolerance=1e-9)
    exact = linear_program(y, x)
    # What the parabola at the kink moves; through the rows that it holds goes the exact plane.
    np.testing.assert_allclose(coef, exact, atol=5 * KINK * nuisance[0])
    zero = np.abs(y - x @ coef) <= KINK * nuisance[0]
    assert zero.sum() == x.shape[1]
    np.testing.assert_allclose(np.linalg.solve(x[zero], y[zero]), exact, rtol=1e-10)
    absolute = np.abs(y - x @ exact).mean()
    np.testing.assert_allclose(nuisance[0], absolute, rtol=1e-7)
    expected = stats.laplace.logpdf(y, x @ exact, absolute).sum()
    np.testing.assert_allclose(values[-1], expected, rtol=1e-8)
    reference = sm.QuantReg(y, x).fit(q=0.5)
    np.testing.assert_allclose(coef, reference.params, atol=1e-4)
    assert halvings == 0
    assert len(values) < 1000


@pytest.mark.parametrize("limits", [{"lower": 0.0}, {"upper": 1.0}, {"lower": 0.0, "upper": 1.0}])
def test_one_censored_component_is_the_tobit_model(limits):
    family = CensoredGaussian(**limits)
    x, y = regression(31, family, 300, 30.0)
    low, high = limits.get("lower", -np.inf), limits.get("upper", np.inf)

    def negative(params):
        eta, sigma = x @ params[:3], np.exp(params[3])
        value = stats.norm.logpdf(y, eta, sigma)
        value = np.where(y <= low, stats.norm.logcdf(low, eta, sigma), value)
        return -np.where(y >= high, stats.norm.logsf(high, eta, sigma), value).sum()

    coef, nuisance, values, _ = climbed(family, y, x)
    best = optimize.minimize(negative, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(values[-1], -best.fun, rtol=1e-10)
    assert values[-1] >= -best.fun - 1e-9
    np.testing.assert_allclose(np.r_[coef, np.log(nuisance)], best.x, atol=1e-5)


def test_one_gaussian_component_with_a_log_link_is_statsmodels_glm():
    x, y = regression(41, Gaussian("log"))
    family = sm.families.Gaussian(sm.families.links.Log())
    reference = sm.GLM(y, x, family=family).fit(tol=1e-14, maxiter=200)
    coef, nuisance, _, _ = climbed(Gaussian("log"), y, x)
    np.testing.assert_allclose(coef, reference.params, rtol=1e-6)
    residual = y - np.exp(x @ coef)
    np.testing.assert_allclose(nuisance[0] ** 2, np.mean(residual**2), rtol=1e-8)


# -- updates of the scale -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gaussian", "t_held", "tobit_both", "laplace"])
def test_the_scale_maximises_the_penalised_likelihood(name):
    family, y, eta, nuisance = example(name)
    penalty = Penalty(3.0, 1.7)
    found = sums_of(family, y, eta, nuisance)
    sigma = family.update_nuisance(found, found.rwr, nuisance, penalty, frozenset())
    extra = found.extra[..., 0] if found.extra is not None else 0.0
    for s in range(2):
        for c in range(2):
            n = found.nobs[s, c]
            squares = (found.rwr + extra)[s, c]

            def negative(log_t, n=n, squares=squares, before=nuisance[s, c, 0]):
                t = np.exp(log_t)
                fit = squares / before / t if name == "laplace" else squares / (2 * t * t)
                ratio = (penalty.reference / t) ** 2
                return n * log_t + fit + penalty.strength * (ratio - np.log(ratio) - 1.0)

            best = optimize.minimize_scalar(negative, bracket=(-1, 1), options={"xtol": 1e-12})
            np.testing.assert_allclose(np.log(sigma[s, c, 0]), best.x, atol=1e-6)


@pytest.mark.parametrize("name", ["gaussian", "t", "tobit_both", "laplace"])
def test_shared_parameters_stay_equal_and_pool_the_components(name):
    family, y, eta, nuisance = example(name)
    nuisance = np.broadcast_to(nuisance[:, :1], nuisance.shape)
    names = frozenset(parameter.name for parameter in family.nuisance)
    found = sums_of(family, y, eta, nuisance)
    shared = family.update_nuisance(found, found.rwr, nuisance, Penalty(), names)
    np.testing.assert_array_equal(shared[:, 0], shared[:, 1])
    whole = ComponentStats(*(None if v is None else v.sum(axis=1, keepdims=True) for v in found))
    one = family.update_nuisance(whole, whole.rwr, nuisance[:, :1], Penalty(), frozenset())
    np.testing.assert_allclose(shared[:, :1], one, rtol=1e-7)


def test_a_component_without_residuals_keeps_a_positive_scale():
    zero = np.zeros((1, 1))
    found = ComponentStats(zero, zero[..., None, None], zero[..., None], zero, zero[..., None])
    for name, (family, nuisance) in FAMILIES.items():
        with np.errstate(all="ignore"):
            scale = family.update_nuisance(found, zero, nuisance[:1, :1], Penalty(), frozenset())
        assert (scale > 0.0).all(), name
        assert np.isfinite(scale).all(), name


# -- identity -------------------------------------------------------------------------------------


@EVERY
def test_families_compare_by_value_and_come_back_from_their_options(name):
    family = FAMILIES[name][0]
    assert pickle.loads(pickle.dumps(family)) == family
    assert type(family)(**family.to_plain()) == family
    assert hash(type(family)(**family.to_plain())) == hash(family)
    others = [other for key, (other, _) in FAMILIES.items() if key != name]
    assert family not in others


def test_which_families_are_equivariant_in_the_response():
    assert Gaussian().location_scale
    assert StudentT().location_scale
    assert Laplace().location_scale
    assert not Gaussian("log").location_scale
    assert not pickle.loads(pickle.dumps(Gaussian("log"))).location_scale
    assert not CensoredGaussian(upper=1).location_scale


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gaussian("probit"), "'identity' and 'log', not 'probit'"),
        (lambda: StudentT(df=-1), "df is -1; give a positive finite number, or None"),
        (lambda: StudentT(df=np.inf), "df is inf"),
        (lambda: StudentT(df="many"), "df is 'many'"),
        (lambda: StudentT(df=1e30), r"df is 1e\+30; that is Gaussian\(\)"),
        (lambda: CensoredGaussian(upper="ten"), "The limit upper is 'ten'; give a finite number"),
        (CensoredGaussian, "needs a limit; give lower, upper or both"),
        (lambda: CensoredGaussian(lower=np.nan), "The limit lower is nan"),
        (lambda: CensoredGaussian(lower=1, upper=0), "lower=1.0 is not below upper=0.0"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(make, words):
    with pytest.raises(SmmixError, match=words):
        make()
