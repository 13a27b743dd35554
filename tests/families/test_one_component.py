"""One component, fitted by the working regression alone, is the model of statsmodels."""

from functools import partial

import numpy as np
import pytest
import statsmodels.api as sm
from helpers_families import CASES, fitted

LINKS = sm.families.links
#: Family and link of statsmodels; made inside the test, where its warnings are heard.
PEERS = {
    "poisson-log": (sm.families.Poisson, LINKS.Log),
    "poisson-identity": (sm.families.Poisson, LINKS.Identity),
    "poisson-sqrt": (sm.families.Poisson, LINKS.Sqrt),
    "gamma-log": (sm.families.Gamma, LINKS.Log),
    "gamma-inverse": (sm.families.Gamma, LINKS.InversePower),
    "gamma-identity": (sm.families.Gamma, LINKS.Identity),
    "inverse-gaussian-log": (sm.families.InverseGaussian, LINKS.Log),
    "inverse-gaussian-squared": (sm.families.InverseGaussian, LINKS.InverseSquared),
    "bernoulli": (sm.families.Binomial, LINKS.Logit),
    "binomial-logit": (sm.families.Binomial, LINKS.Logit),
    "binomial-probit": (sm.families.Binomial, LINKS.Probit),
    "binomial-cloglog": (sm.families.Binomial, LINKS.CLogLog),
    "binomial-log": (sm.families.Binomial, LINKS.Log),
    "negative-binomial-held": (partial(sm.families.NegativeBinomial, alpha=0.7), LINKS.Log),
}


@pytest.mark.filterwarnings("ignore:The .* link function does not respect:UserWarning")
@pytest.mark.parametrize("name", PEERS)
def test_equals_statsmodels(name):
    case, (kind, link) = CASES[name], PEERS[name]
    rng = np.random.default_rng(5)
    n = 300
    x = np.column_stack([np.ones(n), rng.uniform(-1.0, 1.0, n)])
    low, high = case.etas
    middle = low + 0.6 * (high - low) if name != "binomial-log" else -0.9
    beta = np.array([middle, 0.1 * (high - low)])
    if family_is_signed(name):
        beta = np.array([2.5, 0.6])
    trials = rng.integers(1, 9, n)
    parameters = case.nuisance[0]
    y = case.reference(x @ beta, *parameters, trials).rvs(size=n, random_state=rng).astype(float)
    aux = trials[:, None].astype(float) if case.trials else None
    weights = rng.integers(1, 4, n).astype(float)
    endog = np.column_stack([y, trials - y]) if case.trials else y
    expected = sm.GLM(endog, x, family=kind(link()), freq_weights=weights).fit(
        tol=1e-13, maxiter=200, start_params=beta
    )
    found, nuisance, llf, score = fitted(case.family, y, aux, x, beta, weights)
    np.testing.assert_allclose(found, expected.params, rtol=1e-7)
    np.testing.assert_allclose(score, 0.0, atol=1e-6 * weights.sum())
    scale = nuisance[0] if nuisance.size else 1.0
    np.testing.assert_allclose(llf, expected.llf_scaled(scale=scale), rtol=1e-10)
    if nuisance.size:
        around = [expected.llf_scaled(scale=scale * by) for by in (0.999, 1.001)]
        assert max(around) < llf


def family_is_signed(name):
    return name == "poisson-sqrt"
