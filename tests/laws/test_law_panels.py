"""Trajectories of every family on panels with gaps and drop-outs, against scipy's densities."""

import warnings

import numpy as np
import pytest
from helpers_panel import panel
from laws.families_data import family_named, names
from scipy import special, stats
from statsmodels.tools.numdiff import approx_hess3

import smmix

pytestmark = pytest.mark.slow
TERMS = {"Intercept": lambda age: np.ones_like(age), "age": lambda age: age,
         "I(age ** 2)": lambda age: age**2}  # fmt: skip


def censored(y, eta, p):
    inside = stats.norm.logpdf(y, eta, p["sigma"])
    return np.where(y == 0.0, stats.norm.logcdf(0.0, eta, p["sigma"]), inside)


def inflated(y, eta, p):
    counts = stats.poisson.pmf(y, np.exp(eta)) * (1.0 - p["inflate"])
    return np.log(counts + p["inflate"] * (y == 0.0))


def ordered(y, eta, p):
    cuts = np.r_[-np.inf, [v for name, v in p.items() if name.startswith("below")], np.inf]
    upper, lower = (special.expit(cuts[y.astype(int) + i] - eta) for i in (1, 0))
    return np.log(upper - lower)


def weibull(y, eta, p, ended):
    law = stats.weibull_min(p.get("shape", 1.0), scale=np.exp(eta))
    return np.where(ended, law.logpdf(y), law.logsf(y))


def beta(y, eta, p):
    mean = special.expit(eta)
    return stats.beta.logpdf(y, mean * p["precision"], (1.0 - mean) * p["precision"])


def inverse_gaussian(y, eta, p):
    return stats.invgauss.logpdf(y, np.exp(eta) * p["scale"], scale=1.0 / p["scale"])


DENSITIES = {
    "gaussian": lambda y, eta, p: stats.norm.logpdf(y, eta, p["sigma"]),
    "student_t": lambda y, eta, p: stats.t.logpdf(y, p["df"], eta, p["sigma"]),
    "laplace": lambda y, eta, p: stats.laplace.logpdf(y, eta, p["scale"]),
    "censored_gaussian": censored,
    "poisson": lambda y, eta, p: stats.poisson.logpmf(y, np.exp(eta)),
    "negative_binomial": lambda y, eta, p: stats.nbinom.logpmf(
        y, 1 / p["alpha"], 1 / (1 + p["alpha"] * np.exp(eta))
    ),
    "zero_truncated_poisson": lambda y, eta, p: (
        stats.poisson.logpmf(y, np.exp(eta)) - np.log1p(-np.exp(-np.exp(eta)))
    ),
    "zero_inflated_poisson": inflated,
    "binomial": lambda y, eta, p: stats.bernoulli.logpmf(y, special.expit(eta)),
    "gamma": lambda y, eta, p: stats.gamma.logpdf(
        y, 1 / p["scale"], scale=np.exp(eta) * p["scale"]
    ),
    "inverse_gaussian": inverse_gaussian,
    "beta": beta,
    "ordered": ordered,
}


def log_likelihood(name, data, param_names):
    """The log-likelihood of a panel by its definition, of parameters (V,)."""
    owner, first = np.unique(data["id"], return_index=True)
    rows = np.searchsorted(owner, data["id"])
    y, age, risk = (data[column].to_numpy(dtype=float) for column in ("y", "age", "risk"))

    def value(params):
        given = dict(zip(param_names, params, strict=True))
        logit = given["mixing.Intercept[1]"] + given["mixing.risk[1]"] * risk[first]
        parts = np.stack([-np.logaddexp(0.0, logit), -np.logaddexp(0.0, -logit)], axis=1)
        for c in (0, 1):
            own = {n.removesuffix(f"[{c}]"): v for n, v in given.items() if n.endswith(f"[{c}]")}
            eta = sum(own[t] * column(age) for t, column in TERMS.items() if t in own)
            if "event" in options(name):
                density = weibull(y, eta, own, data["ended"].to_numpy())
            else:
                density = DENSITIES[name](y, eta, own)
            parts[:, c] += np.bincount(rows, density)
        return special.logsumexp(parts, axis=1).sum()

    return value


def options(name):
    return {"event": "ended"} if name in ("weibull", "exponential") else {}


@pytest.mark.parametrize("name", [name for name in names() if name != "measured_gaussian"])
def test_an_order_for_each_component_risk_factors_gaps_and_drop_outs(name):
    data = panel(name)
    level = "y ~ age" if name == "ordered" else "y ~ 1"
    model = smmix.from_formula(
        {0: level, 1: "y ~ age + I(age**2)"}, data, k=2, groups="id", concomitant="~ risk",
        family=family_named(name), **options(name),
    )  # fmt: skip
    with warnings.catch_warnings():
        if name == "laplace":
            # Its likelihood has kinks, which the fit says.
            warnings.simplefilter("ignore")
        results = model.fit(n_starts=20)
    assert results.converged
    assert (results.labels == data["truth"]).mean() > 0.85
    value = log_likelihood(name, data, model.param_names)
    params = results.params.to_numpy()
    assert results.llf == pytest.approx(value(params), rel=1e-8)
    if name == "laplace":
        return
    expected = np.sqrt(np.diag(np.linalg.inv(-approx_hess3(params, value))))
    assert results.bse.to_numpy() == pytest.approx(expected, rel=2e-3)
    for sign in (-1.0, 1.0):
        for i, error in enumerate(results.bse):
            move = 0.02 * sign * error * (np.arange(params.size) == i)
            assert value(params + move) < results.llf
