"""Data drawn from mixtures of any family, beside scipy's distributions and statsmodels' fits."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

import smmix
from smmix.errors import SmmixError
from smmix.families import Ordered, StudentT

N = 4000


def uniform_in_law(below, upto, rng):
    """Uniform numbers between P(Y < y) and P(Y <= y), which are uniform if y is of that law."""
    return below + rng.random(below.size) * (upto - below)


LAWS = {
    "poisson": (None, lambda mu, v: stats.poisson(mu)),
    "negative_binomial": (
        {"alpha": 0.7},
        lambda mu, v: stats.nbinom(1 / 0.7, 1 / (1 + 0.7 * mu)),
    ),
    "gamma": ({"scale": 0.4}, lambda mu, v: stats.gamma(1 / 0.4, scale=0.4 * mu)),
    "inverse_gaussian": ({"scale": 0.4}, lambda mu, v: stats.invgauss(0.4 * mu, scale=1 / 0.4)),
    "exponential": (None, lambda mu, v: stats.expon(scale=mu)),
}


@pytest.mark.parametrize("name", LAWS)
def test_draws_of_each_component_follow_the_law_of_scipy(name):
    nuisance, law = LAWS[name]
    coef = np.array([[0.2, 0.5], [2.0, -0.3]])
    sim = smmix.simulate_mixture(N, coef, family=name, nuisance=nuisance, weights=[0.3, 0.7])
    rows = sim.frame
    mean = np.exp(coef[rows["component"], 0] + coef[rows["component"], 1] * rows["x1"]).to_numpy()
    own, y = law(mean, None), rows["y"].to_numpy()
    below = own.cdf(y - 1) if hasattr(own, "pmf") else own.cdf(y)
    uniform = uniform_in_law(below, own.cdf(y), np.random.default_rng(1))
    for c in (0, 1):
        assert stats.kstest(uniform[rows["component"] == c], "uniform").pvalue > 1e-3
    assert stats.binomtest(int((rows["component"] == 0).sum()), N, 0.3).pvalue > 1e-3


def test_successes_of_trials_give_the_estimates_of_statsmodels():
    sim = smmix.simulate_mixture(N, [[0.3, 0.8]], family="binomial", trials=5, rng=2)
    assert list(sim.frame) == ["x1", "trials", "y", "component"]
    y = np.column_stack([sim.frame["y"], 5 - sim.frame["y"]])
    fit = sm.GLM(y, sm.add_constant(sim.frame["x1"]), sm.families.Binomial()).fit()
    assert (np.abs(fit.params - sim.coef[0]) < 4 * fit.bse).all()


def test_ordered_levels_are_named_and_have_no_intercept():
    cuts = {"below.b": -0.5, "below.c": 1.0}
    sim = smmix.simulate_mixture(
        N, [[0.8]], family=Ordered(levels=("a", "b", "c")), nuisance=cuts, rng=3
    )
    assert list(sim.frame["y"].cat.categories) == ["a", "b", "c"]
    assert sim.frame["y"].cat.ordered
    fit = OrderedModel(sim.frame["y"], sim.frame[["x1"]], distr="logit").fit(disp=False)
    found = np.array([fit.params.iloc[0], *fit.model.transform_threshold_params(fit.params)[1:-1]])
    np.testing.assert_allclose(found, [0.8, -0.5, 1.0], atol=0.15)


def test_a_list_of_families_draws_each_component_from_its_own():
    sim = smmix.simulate_mixture(
        N,
        [[1.0, 0.2], [0.0, 0.0], [2.0, 0.0]],
        family=["poisson", "zero", "nb2"],
        nuisance={"alpha": [np.nan, np.nan, 0.5]},
        rng=4,
    )
    y, component = sim.frame["y"], sim.frame["component"]
    assert (y[component == 1] == 0).all()
    last = y[component == 2].to_numpy()
    mean = np.exp(2.0)
    assert abs(last.mean() - mean) < 4 * np.sqrt((mean + 0.5 * mean**2) / last.size)
    assert np.isnan(sim.nuisance["alpha"][:2]).all()
    assert sim.sigma is None


def test_sigma_is_that_of_every_family_that_has_one():
    sim = smmix.simulate_mixture(N, [[0.0, 1.0]], 2.0, family=StudentT(df=5), rng=5)
    resid = sim.frame["y"] - sim.frame["x1"]
    assert stats.kstest(resid / 2.0, stats.t(5).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(sim.sigma, [2.0])


def test_what_is_drawn_can_be_fitted():
    sim = smmix.simulate_mixture(1000, [[0.0, 0.5], [2.5, -0.5]], family="poisson", rng=6)
    fit = smmix.from_formula("y ~ x1", sim.frame, k=2, family="poisson").fit(order="Intercept")
    assert (np.abs(fit.coef.to_numpy().T - sim.coef).ravel() < 4 * fit.bse[:4].to_numpy()).all()


def test_drawn_coefficients_suit_the_link():
    sim = smmix.simulate_mixture(500, family="poisson", k=2, n_features=2, rng=7)
    assert sim.coef.shape == (2, 3)
    assert sim.frame["y"].max() < 1e4


REFUSED = {
    "need a value of 'alpha'": {"family": "nb2"},
    "sigma means nothing for Poisson": {"family": "poisson", "sigma": 2.0},
    "no parameter of Poisson": {"family": "poisson", "nuisance": {"alpha": 1}},
    "alpha is -1 in component 0": {"family": "nb2", "nuisance": {"alpha": -1}},
    "scale has the shape (3,)": {"family": "gamma", "nuisance": {"scale": [1, 1, 1]}},
    "trials means nothing": {"family": "gamma", "nuisance": {"scale": 1}, "trials": 3},
    "given levels": {"family": "ordered"},
    "of point masses, which have no coefficients": {"family": ["poisson", "zero"]},
    "no such parameter; give NaN": {"family": ["poisson", "nb2"], "nuisance": {"alpha": [1, 1]}},
    "lists 3 families": {"family": ["poisson"] * 3},
    "not both": {"sigma": 1.0, "nuisance": {"sigma": 1.0}},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_makes_no_sense_is_refused_in_a_sentence(message):
    with pytest.raises(SmmixError) as caught:
        smmix.simulate_mixture(20, [[0.0, 1.0], [1.0, 2.0]], **REFUSED[message])
    assert message in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_means_that_a_link_cannot_have_are_refused():
    for link in ("identity", "inverse_power"):
        family = smmix.families.Gamma(link=link)
        with pytest.raises(SmmixError, match=r"component 0 in row \d+, where the linear predictor"):
            smmix.simulate_mixture(50, [[0.0, 1.0]], family=family, nuisance={"scale": 1.0})
    with pytest.raises(SmmixError, match="give smaller ones"):
        smmix.simulate_mixture(50, [[90.0, 1.0]], family="poisson")
    falling = {"below.b": 1.0, "below.c": -1.0}
    with pytest.raises(SmmixError, match="no distribution"):
        smmix.simulate_mixture(50, [[1.0]], family=Ordered(levels=list("abc")), nuisance=falling)
