"""Linear predictors far away or without a mean: finite working terms, never a NaN."""

import numpy as np
import pytest
from helpers_families import CASES, Problem, derivatives, problem

FAR = np.array([-1e300, -1e8, -700.0, -40.0, -1e-300, 0.0, 1e-300, 1e-8, 40.0, 700.0, 1e8, 1e300])
NARROW = [
    (name, case)
    for name, case in CASES.items()
    if case.family.link.name in ("identity", "inverse_power", "inverse_squared")
    or name == "binomial-log"
]


@pytest.mark.parametrize("name", CASES)
def test_no_linear_predictor_gives_nan(name):
    family, at = CASES[name].family, problem(CASES[name], rows=200)
    rows = np.unique(at.y, return_index=True)[1][[0, -1]]
    for row in rows:
        aux = None if at.aux is None else np.repeat(at.aux[[row]], len(FAR), axis=0)
        eta = np.broadcast_to(FAR, (2, 2, len(FAR)))
        far = Problem(np.full(len(FAR), at.y[row]), aux, eta, at.nuisance, None)
        working, found = derivatives(family, far)
        assert not np.isnan(working.log_density).any()
        assert np.all(working.log_density < np.inf)
        weight = np.ones(1) if working.weight is None else working.weight
        assert np.all(weight >= 0.0)
        pieces = [weight, working.residual, weight * working.residual**2, found.information]
        pieces += found.first + [entry for line in found.second for entry in line]
        pieces += family.sums(far.y, far.aux, working, far.nuisance)
        assert all(np.isfinite(piece).all() for piece in pieces)


@pytest.mark.parametrize(("name", "case"), NARROW)
def test_no_mean_is_density_zero_and_weight_zero(name, case):
    at = problem(case)
    lost = np.arange(at.eta.shape[-1]) % 3 == 0
    eta = np.where(lost, -at.eta, at.eta)
    working, found = derivatives(case.family, at._replace(eta=eta))
    whole, expected = derivatives(case.family, at)
    assert np.all(working.log_density[..., lost] == -np.inf)
    assert np.all(working.weight[..., lost] == 0.0)
    assert np.all(found.first[0][..., lost] == 0.0)
    np.testing.assert_array_equal(working.log_density[..., ~lost], whole.log_density[..., ~lost])
    np.testing.assert_array_equal(found.first[0][..., ~lost], expected.first[0][..., ~lost])
    point = (at.aux, eta, at.nuisance)
    drawn = case.family.sample(*point, np.random.default_rng(0))
    quantile = case.family.quantile(0.5, *point)
    for value in (case.family.mean(*point), case.family.cdf(at.y, *point), quantile, drawn):
        np.testing.assert_array_equal(np.isnan(value), np.broadcast_to(lost, eta.shape))


@pytest.mark.parametrize("dispersion", [1e-12, 1e-6, 99e-4, 101e-4, 1.0, 1e3])
def test_gamma_density_of_any_dispersion(dispersion):
    """At y = mu the density is known to many digits from Stirling's series or from scipy."""
    from scipy import special

    from smmix.families.gamma import Gamma

    y, nuisance = np.array([2.0]), np.array([[[dispersion]]])
    found = Gamma().evaluate(y, None, np.full((1, 1, 1), np.log(2.0)), nuisance).log_density
    shape = 1.0 / dispersion
    exact = (
        shape * np.log(shape) - shape - special.gammaln(shape)
        if shape < 1e4
        else 0.5 * np.log(shape / (2.0 * np.pi)) - 1.0 / (12.0 * shape)
    ) - np.log(2.0)
    np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.family.scale])
def test_an_exact_fit_shrinks_its_dispersion_to_a_positive_number(name):
    from smmix.core.family import Penalty
    from smmix.core.statistics import ComponentStats

    family, at = CASES[name].family, problem(CASES[name])
    exact = at._replace(y=family.mean(None, at.eta[:1, :1], at.nuisance[:1, :1])[0, 0])
    exact = exact._replace(eta=at.eta[:1, :1], nuisance=at.nuisance[:1, :1])
    zero = np.zeros((1, 1))
    for _ in range(60):
        working, found = derivatives(family, exact)
        extra = np.stack(
            [v.sum(-1) for v in family.sums(exact.y, None, working, exact.nuisance)], axis=-1
        )
        stats = ComponentStats(
            zero + exact.y.size, zero[..., None, None], zero[..., None], zero, extra
        )
        nuisance = family.update_nuisance(stats, zero, exact.nuisance, Penalty(), frozenset())
        exact = exact._replace(nuisance=nuisance)
        assert np.isfinite(working.log_density).all()
        entries = found.first + [entry for line in found.second for entry in line]
        assert all(np.isfinite(entry).all() for entry in entries)
    assert 0.0 < exact.nuisance[0, 0, 0] < 1e-14
