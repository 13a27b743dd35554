"""Simulated data against the truth they are drawn from."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import smmix
from smmix.errors import SmmixError
from smmix.resampling.draws import simulate
from smmix.resampling.simulate import simulate_mixture

COEF = [[0.5, 1.5, 2, 3], [1, 2, 3, 4], [2, 3, 4, 6]]
WEIGHTS = [0.4, 0.3, 0.3]


def test_frame_and_truth_are_as_asked():
    sim = simulate_mixture(n=1000, coef=COEF, sigma=1.0, weights=WEIGHTS, rng=42)
    assert list(sim.frame) == ["x1", "x2", "x3", "y", "component"]
    assert sim.frame.shape == (1000, 5)
    np.testing.assert_array_equal(sim.coef, COEF)
    np.testing.assert_array_equal(sim.sigma, [1.0, 1.0, 1.0])
    np.testing.assert_allclose(sim.weights, WEIGHTS, rtol=1e-15)
    assert sim.mixing is None
    assert set(sim.frame["component"]) == {0, 1, 2}


def test_without_noise_the_rows_lie_on_the_lines_of_their_components():
    sim = simulate_mixture(n=200, coef=COEF, sigma=0.0, rng=1)
    frame = sim.frame
    design = sm.add_constant(frame[["x1", "x2", "x3"]]).to_numpy()
    expected = (design * np.array(COEF)[frame["component"]]).sum(axis=1)
    np.testing.assert_allclose(frame["y"], expected, rtol=1e-13)


def test_errors_shares_and_regressors_have_the_distributions_asked_for():
    sigma = np.array([0.5, 1.0, 3.0])
    sim = simulate_mixture(n=20000, coef=COEF, sigma=sigma, weights=WEIGHTS, rng=3)
    frame, label = sim.frame, sim.frame["component"].to_numpy()
    design = sm.add_constant(frame[["x1", "x2", "x3"]]).to_numpy()
    error = (frame["y"] - (design * np.array(COEF)[label]).sum(axis=1)) / sigma[label]
    assert stats.kstest(error, "norm").pvalue > 1e-3
    for column in ("x1", "x2", "x3"):
        assert stats.kstest(frame[column], "norm").pvalue > 1e-3
    counts = np.bincount(label)
    assert stats.chisquare(counts, 20000 * np.array(WEIGHTS)).pvalue > 1e-3


def test_rows_of_a_group_share_component_and_concomitant():
    mixing = [[0.5, 1.0, -1.0]]
    sim = simulate_mixture(n=9000, coef=[[0, 1], [1, 2]], mixing=mixing, n_groups=4000, rng=5)
    frame = sim.frame
    assert list(frame) == ["x1", "z1", "z2", "group", "y", "component"]
    by_group = frame.groupby("group")
    assert by_group[["component", "z1", "z2"]].nunique().eq(1).all(axis=None)
    assert set(by_group.size()) == {2, 3}
    unit = by_group.first()
    logit = sm.Logit(unit["component"], sm.add_constant(unit[["z1", "z2"]])).fit(disp=0)
    assert (np.abs(logit.params - mixing[0]) < 4 * logit.bse).all()
    share = stats.logistic.cdf(unit[["z1", "z2"]] @ [1.0, -1.0] + 0.5).mean()
    np.testing.assert_allclose(sim.weights, [1 - share, share], rtol=1e-12)


def test_drawn_coefficients_have_the_standard_deviation_of_the_program_it_replaces():
    sim = simulate_mixture(n=1, n_features=199, k=50, rng=0)
    assert sim.coef.shape == (50, 200)
    assert stats.kstest(sim.coef.ravel() / 3.0, "norm").pvalue > 1e-3
    assert simulate_mixture(n=10, rng=0).coef.shape == (3, 4)
    assert list(simulate_mixture(n=10, n_features=0, rng=0).frame) == ["y", "component"]


def test_the_same_seed_gives_the_same_data():
    first = simulate_mixture(rng=7)
    pd.testing.assert_frame_equal(first.frame, simulate_mixture(rng=7).frame)
    generator = np.random.default_rng(7)
    pd.testing.assert_frame_equal(first.frame, simulate_mixture(rng=generator).frame)
    assert not first.frame.equals(simulate_mixture(rng=8).frame)


def test_estimates_of_a_fit_can_be_simulated_from(engel_fit):
    sim = simulate_mixture(
        n=50, coef=engel_fit.coef, sigma=engel_fit.sigma, weights=engel_fit.mixing_weights
    )
    np.testing.assert_array_equal(sim.coef, engel_fit.coef.T)


BAD = {
    "coef has 3 rows but k is 2": {"coef": COEF, "k": 2},
    "n_features is 2": {"coef": COEF, "n_features": 2},
    "must be \\(k, p\\)": {"coef": [1.0, 2.0]},
    "rows of one length": {"coef": [[1.0, 2.0], [1.0]]},
    "not finite": {"coef": [[1.0, np.nan]]},
    "sigma has the shape \\(2,\\)": {"coef": COEF, "sigma": [1.0, 2.0]},
    "sigma must not be negative": {"coef": COEF, "sigma": -1.0},
    "weights has the shape": {"coef": COEF, "weights": [0.5, 0.5]},
    "add up to 1.2": {"coef": COEF, "weights": [0.4, 0.4, 0.4]},
    "one is negative": {"coef": COEF, "weights": [-0.5, 0.5, 1.0]},
    "Give weights or mixing": {"coef": COEF, "weights": WEIGHTS, "mixing": [[0.0], [0.0]]},
    "k - 1 = 2": {"coef": COEF, "mixing": [[0.0, 1.0]]},
    "11 groups of 10 rows": {"n": 10, "n_groups": 11},
    "n must be a whole number": {"n": 0},
    "n must be at most 1,000,000,000, not 10": {"n": 10**30},
    "rng='x' cannot seed": {"rng": "x"},
    "SeedSequence expects [^@]* not <object object>": {"rng": object()},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    with pytest.raises(SmmixError, match=message):
        simulate_mixture(**{"n": 10} | BAD[message])


@pytest.fixture(scope="module")
def engel():
    return sm.datasets.engel.load_pandas().data


@pytest.fixture(scope="module")
def engel_fit(engel):
    return smmix.from_formula("foodexp ~ income", engel, k=2).fit()


def test_draws_from_a_fit_have_its_distribution(engel, engel_fit):
    rows = pd.concat([engel] * 40, ignore_index=True)
    drawn = simulate(engel_fit, rows[["income"]], rng=1)
    assert list(drawn) == ["income", "foodexp", "component"]
    level = engel_fit.predict(drawn[["income"]], which="cdf", endog=drawn["foodexp"])
    assert stats.kstest(level, "uniform").pvalue > 1e-3
    share = drawn["component"].mean()
    expected = engel_fit.mixing_weights[1]
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / len(rows))


def test_simulated_rows_can_be_fitted_again(engel_fit):
    drawn = simulate(engel_fit, nobs=3000, rng=2)
    assert len(drawn) == 3000
    again = smmix.from_formula("foodexp ~ income", drawn, k=2).fit()
    assert (np.abs(again.params - engel_fit.params) < 5 * again.bse).all()


def test_a_row_of_frequency_weight_two_gives_two_draws(engel):
    weighted = engel.assign(w=np.where(np.arange(len(engel)) < 10, 2, 1))
    fit = smmix.from_formula("foodexp ~ income", weighted, k=1, freq_weights="w").fit()
    drawn = simulate(fit)
    assert len(drawn) == fit.nobs == 245
    assert drawn["foodexp"].nunique() == 245


def test_groups_and_concomitants_are_simulated():
    sim = simulate_mixture(n=1200, coef=[[0, 1], [3, -1]], mixing=[[0.5, 2.0]], n_groups=300)
    model = smmix.from_formula("y ~ x1", sim.frame, concomitant="z1", groups="group")
    fit = model.fit()
    own = simulate(fit, rng=1)
    assert own.groupby("group")["component"].nunique().eq(1).all()
    new = simulate(fit, sim.frame, rng=1)
    assert new.groupby("group")["component"].nunique().eq(1).all()
    unit = new.groupby("group").first()
    prior = fit.predict(unit.reset_index(), which="prob")[1].to_numpy()
    expected = prior.sum()
    assert abs(unit["component"].sum() - expected) < 4 * np.sqrt((prior * (1 - prior)).sum())


def test_known_components_are_kept(engel):
    known = np.full(len(engel), np.nan)
    known[:20], known[20:40] = 0, 1
    fit = smmix.from_formula("foodexp ~ income", engel, known=known).fit()
    component = simulate(fit, rng=0)["component"].to_numpy()
    assert (component[:20] == 0).all()
    assert (component[20:40] == 1).all()


def test_incomplete_new_rows_stay_missing(engel_fit):
    drawn = simulate(engel_fit, pd.DataFrame({"income": [500.0, np.nan]}))
    assert drawn["foodexp"].isna().tolist() == [False, True]
    assert drawn["component"].isna().tolist() == [False, True]


def test_models_of_arrays_are_simulated(engel):
    fit = smmix.MixtureOLS(engel["foodexp"], sm.add_constant(engel["income"]), k=2).fit()
    assert list(simulate(fit)) == ["const", "income", "foodexp", "component"]
    assert simulate(fit, [[1.0, 500.0]]).shape == (1, 4)


def test_requests_that_make_no_sense_are_refused(engel_fit):
    with pytest.raises(SmmixError, match="nobs must be a whole number"):
        simulate(engel_fit, nobs=2.5)
    with pytest.raises(SmmixError, match="nobs must be at most"):
        simulate(engel_fit, nobs=10**12)
    with pytest.raises(SmmixError, match="go with the rows of exog"):
        simulate(engel_fit, offset=1.0)
    sim = simulate_mixture(n=60, coef=[[0, 1]], n_groups=20)
    grouped = smmix.from_formula("y ~ x1", sim.frame, k=1, groups="group").fit()
    with pytest.raises(SmmixError, match="cannot be taken one by one"):
        simulate(grouped, nobs=5)
