"""Law: likelihood, score and Hessian of every family and link are those of scipy's density.

In random combinations with what a mixture is made of: components, groups, concomitants, weights,
offsets, common coefficients, shared parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import smmix
from smmix import families

ROWS, SEEDS = 24, (0, 1, 2)
RANGES = {"sigma": (0.6, 1.4), "df": (3, 9), "scale": (0.3, 0.9), "alpha": (0.3, 1.2),
          "inflate": (0.2, 0.6), "precision": (2, 9), "shape": (0.7, 2.0)}  # fmt: skip


class Case(NamedTuple):
    """A family, and scipy's log-density of a row at a mean and parameters."""

    family: Any
    density: Callable[..., np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray] = np.exp
    draw: str = "count"
    negative: bool = False


def censored(y, mean, sigma):
    inside = stats.norm.logpdf(y, mean, sigma)
    return np.where(y <= 0.0, stats.norm.logcdf(0.0, mean, sigma), inside)


def inflated(y, mean, inflate):
    count = np.log1p(-inflate) + stats.poisson.logpmf(y, mean)
    return np.where(y == 0, np.log(inflate + (1 - inflate) * np.exp(-mean)), count)


def binomial(y, mean):
    return stats.binom.logpmf(y, 9, mean)


def beta(y, mean, precision):
    return stats.beta.logpdf(y, mean * precision, (1 - mean) * precision)


def gamma(y, mean, scale):
    return stats.gamma.logpdf(y, 1 / scale, scale=mean * scale)


def inverse_gaussian(y, mean, scale):
    return stats.invgauss.logpdf(y, mean * scale, scale=1 / scale)


def weibull(y, mean, shape=1.0):
    law = stats.weibull_min(shape, scale=mean)
    return np.where(y > 0, law.logpdf(np.abs(y)), law.logsf(np.abs(y)))


def identity(eta):
    return eta


def cloglog(eta):
    return -np.expm1(-np.exp(eta))


def ordered(cdf):
    def density(y, eta, *cuts):
        edges = np.array([-np.inf, *cuts, np.inf])
        level = y.astype(int)
        return np.log(cdf(edges[level + 1] - eta) - cdf(edges[level] - eta))

    return density


def nb(y, mean, size):
    return stats.nbinom.logpmf(y, size, size / (size + mean))


B, G, IG = families.Binomial, families.Gamma, families.InverseGaussian
CASES = {
    "gaussian": Case("gaussian", stats.norm.logpdf, identity, "real"),
    "gaussian-log": Case(families.Gaussian(link="log"), stats.norm.logpdf, np.exp, "real"),
    "t": Case("t", lambda y, m, s, df: stats.t.logpdf(y, df, m, s), identity, "real"),
    "t-held": Case(
        families.StudentT(df=4), lambda y, m, s: stats.t.logpdf(y, 4, m, s), identity, "real"
    ),
    "laplace": Case("laplace", stats.laplace.logpdf, identity, "real"),
    "tobit": Case(families.CensoredGaussian(lower=0), censored, identity, "limited"),
    "poisson": Case("poisson", stats.poisson.logpmf),
    "poisson-identity": Case(families.Poisson(link="identity"), stats.poisson.logpmf, identity),
    "poisson-sqrt": Case(families.Poisson(link="sqrt"), stats.poisson.logpmf, np.square),
    "nb2": Case("nb2", lambda y, m, a: nb(y, m, 1 / a)),
    "nb1": Case(families.NegativeBinomial(kind=1), lambda y, m, a: nb(y, m, m / a)),
    "truncated": Case(
        "zero_truncated_poisson",
        lambda y, m: stats.poisson.logpmf(y, m) - np.log(-np.expm1(-m)),
        draw="positive",
    ),
    "zip": Case("zip", inflated),
    "logit": Case(B(), binomial, special.expit, "trials"),
    "probit": Case(B(link="probit"), binomial, special.ndtr, "trials"),
    "cloglog": Case(B(link="cloglog"), binomial, cloglog, "trials"),
    "binomial-log": Case(B(link="log"), binomial, np.exp, "trials", True),
    "gamma": Case("gamma", gamma, np.exp, "time"),
    "gamma-inverse": Case(G(link="inverse_power"), gamma, np.reciprocal, "time"),
    "gamma-identity": Case(G(link="identity"), gamma, identity, "time"),
    "inverse-gaussian": Case("inverse_gaussian", inverse_gaussian, np.exp, "time"),
    "inverse-squared": Case(
        IG(link="inverse_squared"), inverse_gaussian, lambda eta: eta**-0.5, "time"
    ),
    "beta": Case("beta", beta, special.expit, "share"),
    "beta-probit": Case(families.Beta(link="probit"), beta, special.ndtr, "share"),
    "beta-cloglog": Case(families.Beta(link="cloglog"), beta, cloglog, "share"),
    "ordered": Case("ordered", ordered(special.expit), identity, "level"),
    "ordered-probit": Case(
        families.Ordered(link="probit"), ordered(special.ndtr), identity, "level"
    ),
    "weibull": Case("weibull", weibull, np.exp, "event"),
    "exponential": Case("exponential", weibull, np.exp, "event"),
}


def response(draw, rng):
    count = rng.poisson(3.0, ROWS)
    return {
        "real": lambda: rng.normal(2.0, 1.5, ROWS),
        "limited": lambda: np.maximum(rng.normal(0.8, 1.5, ROWS), 0.0),
        "count": lambda: count,
        "positive": lambda: np.maximum(count, 1),
        "trials": lambda: rng.binomial(9, 0.5, ROWS),
        "time": lambda: rng.gamma(2.0, 1.0, ROWS) + 0.05,
        "event": lambda: rng.gamma(2.0, 1.0, ROWS) + 0.05,
        "share": lambda: rng.uniform(0.05, 0.95, ROWS),
        "level": lambda: np.arange(ROWS) % 4,
    }[draw]()


def problem(case, seed):
    """A model with options at random, and a point."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"y": response(case.draw, rng), "x": rng.uniform(0.5, 1.5, ROWS)})
    frame["v"], frame["z"] = rng.uniform(0.2, 1.0, (2, ROWS))
    frame["id"] = np.arange(ROWS) // 3
    frame["w"] = rng.integers(1, 4, ROWS)
    frame["o"] = rng.uniform(0.0, 0.3, ROWS) * (-1.0 if case.negative else 1.0)
    frame["n"], frame["ended"] = 9, rng.integers(0, 2, ROWS)
    frame["z"] = frame.groupby("id")["z"].transform("first")
    # Every option both ways over the seeds, and k = 1, 2, 3.
    options: dict[str, Any] = {"k": seed % 3 + 1, "family": case.family}
    picked = rng.permutation(["groups", "freq_weights", "offset", "concomitant", "common"])[:3]
    values = {"groups": "id", "freq_weights": "w", "offset": "o", "concomitant": "~ z",
              "common": ["v"]}  # fmt: skip
    options |= {name: values[name] for name in picked}
    extra = {"trials": {"trials": "n"}, "event": {"event": "ended"}}
    options |= extra.get(case.draw, {})
    model = smmix.from_formula("y ~ x + v", frame, **options)
    shared = [n.name for n in model.specification.family.nuisance][:1] if seed % 2 else []
    if shared:
        model = smmix.from_formula("y ~ x + v", frame, shared=shared, **options)
    point = []
    for name in model.param_names:
        stem = name.partition("[")[0]
        if stem in RANGES:
            point.append(rng.uniform(*RANGES[stem]))
        elif stem.startswith("below."):
            point.append(float(stem[-1]) + rng.uniform(-0.4, 0.4))
        elif stem.startswith("mixing."):
            point.append(rng.normal())
        else:
            point.append(rng.uniform(0.15, 0.45) * (-1.0 if case.negative else 1.0))
    return model, frame, options, np.array(point)


def log_likelihood(case, model, frame, options):
    names, k = model.param_names, options["k"]
    y = frame["y"].to_numpy(float)
    if case.draw == "event":
        y = np.where(frame["ended"] == 1, y, -y)
    own = [n.name for n in model.specification.family.nuisance]
    weight = frame["w"].to_numpy(float) if "freq_weights" in options else np.ones(ROWS)

    def function(point):
        values = dict(zip(names, point, strict=True))

        def of(term, c):
            return values.get(f"{term}[{c}]", values.get(term, 0.0))

        joint = []
        for c in range(k):
            eta = of("Intercept", c) + of("x", c) * frame["x"] + of("v", c) * frame["v"]
            eta = (eta + (frame["o"] if "offset" in options else 0.0)).to_numpy()
            rows = case.density(y, case.inverse(eta), *(of(name, c) for name in own))
            logit = of("mixing.Intercept", c) + of("mixing.z", c) * frame["z"].to_numpy()
            joint.append((rows, logit if c else np.zeros(ROWS)))
        rows, logits = np.array([r for r, _ in joint]), np.array([z for _, z in joint])
        prior = special.log_softmax(logits, axis=0)
        if "groups" not in options:
            return weight @ special.logsumexp(rows + prior, axis=0)
        starts = np.arange(0, ROWS, 3)
        units = np.add.reduceat(rows * weight, starts, axis=1) + prior[:, starts]
        return special.logsumexp(units, axis=0).sum()

    return function


def slopes(function, point):
    """Derivatives by differences of the sixth order."""
    found = []
    for i, value in enumerate(point):
        h = np.zeros(point.size)
        h[i] = 2e-3 * max(abs(value), 0.3)
        parts = [
            c * (function(point + j * h) - function(point - j * h))
            for j, c in ((1, 0.75), (2, -0.15), (3, 1 / 60))
        ]
        found.append(sum(parts) / h[i])
    return np.array(found)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CASES)
def test_likelihood_score_and_hessian(name, seed):
    case = CASES[name]
    model, frame, options, point = problem(case, seed)
    function = log_likelihood(case, model, frame, options)
    assert model.loglike(point) == pytest.approx(function(point), rel=1e-10)
    if name == "laplace":
        # Its density has a kink in every row; beside that the derivatives of a sum of logs.
        at = np.array([n.startswith(("scale", "mixing")) for n in model.param_names])
        score = slopes(function, point)
        np.testing.assert_allclose(model.score(point)[at], score[at], rtol=1e-6, atol=1e-6)
        return
    score = model.score(point)
    np.testing.assert_allclose(score, slopes(function, point), atol=1e-7 * np.abs(score).max())
    hessian = model.hessian(point)
    close = 1e-7 * np.abs(hessian).max()
    np.testing.assert_allclose(hessian, slopes(model.score, point), atol=close)
