"""One component of counts, shares, levels or times against statsmodels or scipy.

The maximum is theirs, and the steps of the contract climb to it.
"""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, special, stats
from statsmodels.discrete.count_model import ZeroInflatedPoisson as PeerZIP
from statsmodels.discrete.truncated_model import TruncatedLFPoisson
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel

from smmix.core.family import Penalty
from smmix.core.statistics import ComponentStats
from smmix.families.beta import Beta
from smmix.families.exponential_times import Exponential
from smmix.families.negative_binomial import NegativeBinomial
from smmix.families.ordered import Ordered
from smmix.families.weibull import Weibull
from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
from smmix.families.zero_truncated_poisson import ZeroTruncatedPoisson

N = 400


def design(seed=5):
    rng = np.random.default_rng(seed)
    return rng, np.column_stack([np.ones(N), rng.normal(size=N), rng.integers(0, 2, N)])


def counts(rng, x, alpha=0.6):
    mean = np.exp(x @ [0.9, 0.4, -0.5])
    return rng.poisson(mean * rng.gamma(1.0 / alpha, alpha, N)).astype(float)


def negative_binomial(kind):
    rng, x = design()
    y = counts(rng, x)
    peer = sm.NegativeBinomial(y, x, loglike_method=f"nb{kind}").fit(
        method="bfgs", maxiter=500, gtol=1e-9, disp=False
    )
    return NegativeBinomial(kind=kind), y, x, None, peer.params, peer.llf


def truncated():
    rng, x = design()
    y = counts(rng, x, 1e-3)
    y, x = y[y > 0.0], x[y > 0.0]
    peer = TruncatedLFPoisson(y, x).fit(method="newton", maxiter=100, tol=1e-12, disp=False)
    return ZeroTruncatedPoisson(), y, x, None, peer.params, peer.llf


def inflated(terms):
    rng, x = design()
    z = x[:, : len(terms)] if terms else np.ones((N, 1))
    extra = special.expit(z @ [-0.5, 0.8][: z.shape[1]])
    y = np.where(rng.random(N) < extra, 0.0, counts(rng, x, 1e-3))
    peer = PeerZIP(y, x, exog_infl=z).fit(method="bfgs", maxiter=500, gtol=1e-9, disp=False)
    logits = peer.params[: z.shape[1]]
    tail = logits if terms else special.expit(logits)
    params = np.concatenate([peer.params[z.shape[1] :], tail])
    return (
        ZeroInflatedPoisson("~ t" if terms else None, terms),
        y,
        x,
        z if terms else None,
        params,
        peer.llf,
    )


def beta():
    rng, x = design()
    mean = special.expit(x @ [0.9, 0.4, -0.5])
    y = rng.beta(8.0 * mean, 8.0 * (1.0 - mean))
    peer = BetaModel(y, x).fit(method="bfgs", maxiter=500, gtol=1e-9, disp=False)
    params = np.append(peer.params[:-1], np.exp(peer.params[-1]))
    return Beta(), y, x, None, params, peer.llf


def ordered(link):
    rng, x = design()
    x = x[:, 1:]
    latent = x @ [0.8, -0.7] + (rng.logistic(size=N) if link == "logit" else rng.normal(size=N))
    y = np.digitize(latent, [-1.0, 0.1, 1.2]).astype(float)
    model = OrderedModel(y, x, distr=link)
    peer = model.fit(method="bfgs", maxiter=500, gtol=1e-9, disp=False)
    cuts = model.transform_threshold_params(peer.params)[1:-1]
    return Ordered(link).bound(y), y, x, None, np.concatenate([peer.params[:2], cuts]), peer.llf


def exponential():
    """Events are Poisson with the time as exposure; its likelihood has log(time) besides."""
    rng, x = design()
    time = np.exp(x @ [0.9, 0.4, -0.5]) * rng.exponential(size=N)
    event, time = (time < 3.0) * 1.0, np.minimum(time, 3.0)
    peer = sm.GLM(event, x, family=sm.families.Poisson(), offset=np.log(time)).fit(tol=1e-13)
    llf = peer.llf - event @ np.log(time)
    return Exponential(), np.where(event == 1.0, time, -time), x, None, -peer.params, llf


def weibull():
    rng, x = design()
    time = 2.0 * rng.weibull(1.7, N)
    event, time = time < 3.0, np.minimum(time, 3.0)
    data = stats.CensoredData(uncensored=time[event], right=time[~event])
    shape, _, scale = stats.weibull_min.fit(
        data, floc=0, optimizer=lambda f, x0, args, disp: polished(f, x0, args)
    )
    law = stats.weibull_min(shape, scale=scale)
    llf = law.logpdf(time[event]).sum() + law.logsf(time[~event]).sum()
    params = np.array([np.log(scale), shape])
    return Weibull(), np.where(event, time, -time), x[:, :1], None, params, llf


def polished(function, start, args):
    return optimize.fmin(function, start, args=args, disp=False, xtol=1e-11, ftol=1e-13)


PROBLEMS = {
    "nb2": lambda: negative_binomial(2),
    "nb1": lambda: negative_binomial(1),
    "truncated": truncated,
    "zip": lambda: inflated(()),
    "zip-terms": lambda: inflated(("Intercept", "t")),
    "beta": beta,
    "ordered-logit": lambda: ordered("logit"),
    "ordered-probit": lambda: ordered("probit"),
    "exponential": exponential,
    "weibull": weibull,
}


def at(family, y, x, aux, beta, nuisance):
    return family.evaluate(y, aux, (x @ beta)[None, None], nuisance[None, None])


def loglike(family, y, x, aux, params):
    working = at(family, y, x, aux, params[: x.shape[1]], params[x.shape[1] :])
    return float(working.log_density.sum())


def score(family, y, x, aux, params):
    nuisance = params[x.shape[1] :]
    working = at(family, y, x, aux, params[: x.shape[1]], nuisance)
    first = family.derivatives(y, aux, working, nuisance[None, None]).first
    return np.concatenate([first[0][0, 0] @ x, [part.sum() for part in first[1:]]])


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_maximum_is_that_of_another_program(name):
    """By quasi-Newton steps on this log-density and this gradient."""
    family, y, x, aux, params, llf = PROBLEMS[name]()
    np.testing.assert_allclose(loglike(family, y, x, aux, params), llf, rtol=1e-9)
    found = optimize.minimize(
        lambda p: -loglike(family, y, x, aux, p) / N,
        params + 0.01,
        jac=lambda p: -score(family, y, x, aux, p) / N,
        method="BFGS",
        options={"gtol": 1e-9},
    ).x
    np.testing.assert_allclose(found, params, rtol=1e-4, atol=1e-4)
    assert loglike(family, y, x, aux, found) >= llf - 1e-9 * abs(llf)


@pytest.mark.parametrize("name", PROBLEMS)
def test_updates_climb_to_the_maximum(name):
    """The steps of the engine, halved where they overshoot, from the starts of the family."""
    family, y, x, aux, _, llf = PROBLEMS[name]()
    one = np.ones((1, 1))
    beta = np.linalg.lstsq(x, family.start_response(y, aux), rcond=None)[0]
    nuisance = family.start_nuisance(y, aux)
    value = loglike(family, y, x, aux, np.concatenate([beta, nuisance]))
    for _ in range(300):
        working = at(family, y, x, aux, beta, nuisance)
        weight, residual = working.weight[0, 0], working.residual[0, 0]
        gram, moment = (x.T * weight) @ x, (x.T * weight) @ residual
        sums = [part[0, 0].sum() for part in family.sums(y, aux, working, nuisance[None, None])]
        stats_ = ComponentStats(
            one * len(y),
            gram[None, None],
            moment[None, None],
            one * (weight @ residual**2),
            np.array(sums)[None, None] if sums else None,
        )
        scores = np.concatenate([moment, family.score(stats_, nuisance[None, None])[0, 0]])
        expected = score(family, y, x, aux, np.concatenate([beta, nuisance]))
        np.testing.assert_allclose(scores, expected, rtol=1e-8, atol=1e-8 * N)
        step = np.linalg.solve(gram, moment)
        moved = family.update_nuisance(stats_, one, nuisance[None, None], Penalty(), frozenset())[
            0, 0
        ]
        length = 1.0
        for _ in range(30):
            trial = np.concatenate([beta + length * step, nuisance + length * (moved - nuisance)])
            reached = loglike(family, y, x, aux, trial)
            if reached >= value - 1e-9 * abs(value):
                break
            length /= 2.0
        else:
            pytest.fail("no step rises")
        gained, value = reached - value, reached
        beta, nuisance = trial[: x.shape[1]], trial[x.shape[1] :]
        if abs(gained) < 1e-10 * abs(value):
            break
    np.testing.assert_allclose(value, llf, rtol=1e-7)
