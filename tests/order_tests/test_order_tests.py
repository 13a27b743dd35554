"""Tests of the number of components: references, exact distributions, laws of Monte Carlo tests."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_reference import load_frame
from scipy import special, stats

import smmix
from smmix import (
    bootstrap_lrt,
    confidence_set_k,
    em_test,
    sequential_lrt,
    simulate_mixture,
)
from smmix.errors import SmmixError
from smmix.order_tests.batches import BatchSearch
from smmix.order_tests.monte_carlo import exceedances_needed, null_statistics
from smmix.resampling.samples import member_rows, resampling
from smmix.search.policy import ORDER_TEST

QUICK = {"n_boot": 19, "n_starts": 10, "threads": 1}


def npreg(k):
    return smmix.from_formula("yn ~ x + I(x ** 2)", load_frame("NPreg.csv"), k=k).fit()


@pytest.fixture(scope="module")
def one():
    return npreg(1)


@pytest.fixture(scope="module")
def two():
    return npreg(2)


@pytest.fixture(scope="module")
def homogeneous():
    """A fit with k = 1 to data that have one component."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=100)
    frame = pd.DataFrame({"x": x, "y": 1 + x + rng.normal(size=100)})
    return smmix.from_formula("y ~ x", frame, k=1).fit()


@pytest.fixture(scope="module")
def engel():
    return sm.datasets.engel.load_pandas().data


# -- the bootstrap likelihood ratio test ----------------------------------------------------------


@pytest.mark.slow
def test_bootstrap_of_npreg(one, two):
    test = bootstrap_lrt(one, n_boot=49, threads=1)
    assert test.statistic == pytest.approx(171.543, abs=5e-4)
    assert test.replicates.size == 49
    assert test.pvalue == 1 / 50
    assert test.rejected
    assert not test.stopped
    assert test.mc_error == pytest.approx(np.sqrt(test.pvalue * (1 - test.pvalue) / 49))
    assert test.alternative.llf == pytest.approx(two.llf, rel=1e-9)
    pd.testing.assert_series_equal(test.alternative.params, two.params, rtol=1e-5)
    assert "171.543" in str(test.summary())


def test_pvalue_is_the_share_of_replicates(homogeneous):
    test = bootstrap_lrt(homogeneous, n_boot=39, stop_early=False, threads=1)
    assert test.replicates.size == 39
    above = (test.replicates >= test.statistic).sum()
    assert test.pvalue == (1 + above) / 40
    assert (test.replicates >= 0.0).all()
    assert np.isfinite(test.replicates).all()


def test_stopping_early_keeps_the_decision(homogeneous):
    whole = bootstrap_lrt(homogeneous, n_boot=99, stop_early=False, threads=1, n_starts=20)
    early = bootstrap_lrt(homogeneous, n_boot=99, threads=1, n_starts=20)
    assert early.stopped
    assert early.replicates.size < 99
    np.testing.assert_allclose(
        early.replicates, whole.replicates[: early.replicates.size], atol=1e-5
    )
    assert early.rejected == whole.rejected
    # Besag and Clifford: the last replicate drawn is the one that settles it.
    above = early.replicates >= early.statistic
    assert above[-1]
    assert above.sum() == exceedances_needed(0.05, 99) == 5


def test_too_few_replicates_to_refuse_are_all_drawn(one):
    # With 9 replicates no p-value is below 0.1: there is no decision to stop for.
    test = bootstrap_lrt(one, n_boot=9)
    assert test.replicates.size == 9
    assert test.pvalue == pytest.approx(0.1)
    assert not test.rejected
    assert "too few to refuse at this level" in str(test.summary())


@pytest.mark.parametrize(("alpha", "n_boot"), [(0.05, 99), (0.05, 199), (0.1, 19), (0.01, 50)])
def test_the_exceedances_that_settle_it(alpha, n_boot):
    """So many exceedances make a p-value above alpha certain, one fewer does not."""
    enough = exceedances_needed(alpha, n_boot)
    assert (1 + enough) / (1 + n_boot) > alpha
    assert enough == 0 or enough / (1 + n_boot) <= alpha


@pytest.mark.slow
def test_sequential_pvalues_are_valid():
    """With statistics that are uniform, P(p <= alpha) is alpha, stopped early or not."""

    def draw(generators):
        return np.array([g.random() for g in generators])

    def pvalues(alpha):
        out = []
        for seed in range(1500):
            observed = np.random.default_rng([seed, 1]).random()
            found = null_statistics(observed, draw, 39, 8, alpha, seed, 1, False)
            out.append((1 + (found >= observed).sum()) / (1 + found.size))
        return np.array(out)

    stopped, whole = pvalues(0.1), pvalues(None)
    assert ((stopped <= 0.1) == (whole <= 0.1)).all()
    for level in (0.05, 0.1, 0.3, 0.6):
        error = np.sqrt(level * (1 - level) / 1500)
        assert (whole <= level).mean() <= level + 3.5 * error
        assert (stopped <= level).mean() <= level + 3.5 * error


def test_outcome_depends_on_the_seed_alone(homogeneous):
    first = bootstrap_lrt(homogeneous, **QUICK)
    second = bootstrap_lrt(homogeneous, **(QUICK | {"threads": 2}))
    np.testing.assert_allclose(first.replicates, second.replicates, atol=1e-6)
    other = bootstrap_lrt(homogeneous, **QUICK, rng=1)
    assert not np.allclose(first.replicates[:1], other.replicates[:1])


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2])
def test_fits_of_a_batch_are_those_of_the_models_by_themselves(one, two, k):
    """Fits to drawn data reach the mode that most starts of the full search reach, or a higher."""
    null = (one if k == 1 else two)._results
    search = BatchSearch(null, ORDER_TEST)
    generators = np.random.default_rng(1).spawn(4)
    source = resampling(null, "parametric")(generators)
    pairs = search.pair_fits(source, generators)
    for b in range(4):
        rows = member_rows(source, b)
        small = smmix.MixtureOLS(rows.y, rows.x, k=k).fit()
        large = smmix.MixtureOLS(rows.y, rows.x, k=k + 1).fit()
        sound = large.starts[~large.starts["degenerate"]]
        common = sound.loc[sound["hits"].idxmax(), "llf"]
        assert pairs.gain[b] <= large.llf - small.llf + 1e-5
        assert pairs.gain[b] >= common - small.llf - 1e-5


def test_gain_is_never_negative_and_twins_stand_where_nothing_is_gained():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"y": rng.uniform(size=16), "x": rng.normal(size=16)})
    null = smmix.from_formula("y ~ x", frame, k=1, variance="equal").fit()._results
    search = BatchSearch(null, replace(ORDER_TEST, n_starts=5))
    generators = np.random.default_rng(1).spawn(20)
    pairs = search.pair_fits(resampling(null, "parametric")(generators),
                             generators)  # fmt: skip
    assert (pairs.gain >= 0.0).all()
    assert np.isfinite(pairs.gain).all()


@pytest.mark.slow
def test_groups_concomitants_weights_and_offsets_are_tested():
    sim = simulate_mixture(n=300, coef=[[0, 1], [4, -1]], mixing=[[0.3, 1.5]], n_groups=100, rng=2)
    frame = sim.frame.assign(w=1 + (sim.frame.index % 4 == 0), shift=np.arange(300.0))
    frame["y"] += frame["shift"]
    options = {"groups": "group", "freq_weights": "w", "offset": "shift", "concomitant": "~ z1"}
    single = smmix.from_formula("y ~ x1", frame, k=1, **options).fit()
    double = smmix.from_formula("y ~ x1", frame, k=2, **options).fit()
    test = bootstrap_lrt(single, **QUICK)
    assert test.statistic == pytest.approx(2 * (double.llf - single.llf), rel=1e-7)
    assert test.pvalue == 0.05
    # Observations that stand for two are drawn twice, each with a response of its own.
    rows = resampling(single, "parametric")([np.random.default_rng(0)])
    assert rows.n_rows == frame["w"].sum()
    assert np.unique(rows.y).size == rows.n_rows
    unweighted = options | {"freq_weights": None}
    again = bootstrap_lrt(smmix.from_formula("y ~ x1", frame, k=2, **unweighted).fit(), **QUICK)
    assert again.k == 2
    assert not again.rejected


@pytest.mark.parametrize("options", [{"variance": "equal"}, {"common": ["x"]}])
def test_restrictions_shared_by_all_components_are_kept(engel, options):
    frame = engel.rename(columns={"income": "x", "foodexp": "y"})
    single = smmix.from_formula("y ~ x", frame, k=1, **options).fit()
    double = smmix.from_formula("y ~ x", frame, k=2, **options).fit()
    test = bootstrap_lrt(single, n_boot=19, threads=1)
    assert test.statistic == pytest.approx(2 * (double.llf - single.llf), rel=1e-7)
    assert test.alternative.params.index.tolist() == double.params.index.tolist()


def test_the_statistic_is_that_of_the_fits_where_the_higher_modes_are_sharp():
    data = load_frame("CO2data.csv")
    two, three = (smmix.from_formula("CO2 ~ GNP", data, k=k).fit() for k in (2, 3))
    test = bootstrap_lrt(two, n_boot=1, n_starts=5, threads=1)
    assert test.statistic == pytest.approx(2 * (three.llf - two.llf), rel=1e-7)
    assert test.alternative.llf == pytest.approx(three.llf, rel=1e-9)


def test_many_rows_are_searched_on_a_sample():
    sim = simulate_mixture(n=5000, coef=[[0, 3], [5, -3]], rng=1)
    single = smmix.from_formula("y ~ x1", sim.frame, k=1).fit()
    double = smmix.from_formula("y ~ x1", sim.frame, k=2).fit()
    test = bootstrap_lrt(single, n_boot=2, alpha=0.4, threads=1)
    assert test.statistic == pytest.approx(2 * (double.llf - single.llf), rel=1e-9)


@pytest.mark.slow
def test_one_test_after_the_other_finds_the_number_of_components():
    sim = simulate_mixture(n=150, coef=[[0, 3], [6, -3]], sigma=0.7, rng=4)
    single = smmix.from_formula("y ~ x1", sim.frame, k=1).fit()
    tests = sequential_lrt(single, n_boot=39, threads=1, rng=2)
    assert [test.k for test in tests] == [1, 2]
    assert [test.rejected for test in tests] == [True, False]
    assert [test.k for test in sequential_lrt(single, n_boot=19, max_k=1)] == [1]
    with pytest.raises(SmmixError, match="max_k is 1"):
        sequential_lrt(tests[0].alternative, max_k=1)


# -- the EM test ----------------------------------------------------------------------------------


def test_em_test_of_npreg(one, two):
    test = em_test(one, n_boot=49, threads=1)
    # Its few steps end near the maximum, but below.
    full = 2 * (two.llf - one.llf)
    assert 0.98 * full < test.statistic <= full + 1e-6
    assert test.pvalue == 1 / 50
    again = em_test(two, n_boot=39, threads=1)
    assert not again.rejected
    assert again.replicates.size <= 39


def test_em_test_statistics_are_never_negative(homogeneous):
    test = em_test(homogeneous, n_boot=39, stop_early=False, threads=1)
    assert (test.replicates >= 0.0).all()
    assert test.pvalue == (1 + (test.replicates >= test.statistic).sum()) / 40
    assert not test.rejected


def test_em_test_by_plain_arithmetic():
    """The statistic for one proportion equals a textbook EM written out here."""
    rng = np.random.default_rng(2)
    y = np.r_[rng.normal(size=30), rng.normal(3.0, 0.7, size=20)]
    n = y.size
    null = smmix.MixtureOLS(y, np.ones(n), k=1).fit()
    test = em_test(null, n_boot=1, proportions=[0.3], threads=1)
    mean, sd = y.mean(), y.std()
    best = -np.inf
    for shift, ratio in [(0.3, 1.0), (-0.3, 1.0), (0.0, np.exp(0.3)), (0.0, np.exp(-0.3))]:
        mu = np.array([mean + shift * sd, mean - shift * sd])
        sigma = np.array([sd * ratio, sd / ratio])
        share = np.array([0.3, 0.7])
        for step in range(53):
            joint = share * stats.norm.pdf(y[:, None], mu, sigma)
            tau = joint / joint.sum(axis=1, keepdims=True)
            count = tau.sum(axis=0)
            mu = tau.T @ y / count
            left = (tau * (y[:, None] - mu) ** 2).sum(axis=0)
            pull = 2.0 / np.sqrt(n)
            sigma = np.sqrt((left + pull * sd**2) / (count + pull))
            if step >= 50:
                share = count / n
        best = max(best, np.log((share * stats.norm.pdf(y[:, None], mu, sigma)).sum(axis=1)).sum())
    assert test.statistic == pytest.approx(2 * (best - null.llf), rel=1e-8)


def test_em_test_of_grouped_and_restricted_models(engel):
    frame = engel.assign(g=np.arange(len(engel)) // 3)
    for options in ({"groups": "g"}, {"variance": "equal"}, {"common": ["income"]}):
        fit = smmix.from_formula("foodexp ~ income", frame, k=1, **options).fit()
        test = em_test(fit, n_boot=9, threads=1)
        assert test.statistic > 0.0
        assert np.isfinite(test.replicates).all()


# -- the confidence set ---------------------------------------------------------------------------


@pytest.mark.slow
def test_confidence_set_of_separated_components():
    sim = simulate_mixture(n=240, coef=[[0, 3], [8, -3]], rng=1)
    model = smmix.from_formula("y ~ x1", sim.frame)
    found = confidence_set_k(model, max_k=3, n_splits=2, n_starts=20)
    assert found.lower == 2
    assert 1 not in found
    assert 2 in found
    assert 5 in found
    assert found.table.index.tolist() == [1, 2, 3]
    assert (np.diff(found.table["log_e"]) <= 0.0).all()
    np.testing.assert_allclose(found.table["pvalue"], np.minimum(1, np.exp(-found.table["log_e"])))
    assert "k >= 2" in str(found.summary())


def test_evidence_of_one_component_is_the_ratio_of_densities():
    """With max_k=1 both densities are regressions by statsmodels, on the halves of the seed."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": rng.normal(size=40), "y": rng.normal(size=40)})
    model = smmix.from_formula("y ~ x", frame)
    found = confidence_set_k(model, max_k=1, n_splits=1, rng=3)
    x, y = sm.add_constant(frame["x"]).to_numpy(), frame["y"].to_numpy()
    halves = np.array_split(np.random.default_rng(3).permutation(40), 2)
    evidence = []
    for one, other in (halves, halves[::-1]):
        fit = sm.OLS(y[one], x[one]).fit()
        sigma = np.sqrt(fit.ssr / one.size)
        density = stats.norm.logpdf(y[other], x[other] @ fit.params, sigma).sum()
        evidence.append(density - sm.OLS(y[other], x[other]).fit().llf)
    expected = special.logsumexp(evidence) - np.log(2)
    assert found.table.loc[1, "log_e"] == pytest.approx(expected, rel=1e-9)
    assert found.lower == 1


def test_confidence_set_takes_weighted_rows_apart():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": rng.normal(size=40), "y": rng.normal(size=40)})
    twice = frame.loc[np.repeat(frame.index, 2)]
    weighted = smmix.from_formula("y ~ x", frame.assign(w=2), freq_weights="w")
    whole = smmix.from_formula("y ~ x", twice)
    first, second = (confidence_set_k(m, max_k=1, n_splits=2) for m in (weighted, whole))
    np.testing.assert_allclose(first.table["log_e"], second.table["log_e"], rtol=1e-9)


# -- bad input ------------------------------------------------------------------------------------


def test_requests_that_make_no_sense_are_refused(one, two, engel):
    for test in (bootstrap_lrt, em_test):
        with pytest.raises(SmmixError, match="n_boot must be a whole number"):
            test(one, n_boot=0)
        with pytest.raises(SmmixError, match="alpha must be a number between 0 and 1"):
            test(one, alpha=5)
        with pytest.raises(SmmixError, match="results of a mixture"):
            test(sm.OLS(engel["foodexp"], engel["income"]).fit())
    with pytest.raises(SmmixError, match="each of proportions"):
        em_test(one, proportions=[0.5, 1.0])
    with pytest.raises(SmmixError, match="proportions is empty"):
        em_test(one, proportions=[])
    fixed = smmix.from_formula("foodexp ~ income", engel, k=2).fit_constrained(
        "income[0] = income[1]"
    )
    with pytest.raises(SmmixError, match="single components"):
        bootstrap_lrt(fixed)
    gated = smmix.from_formula("foodexp ~ income", engel, k=2, concomitant="~ income").fit()
    with pytest.raises(SmmixError, match="concomitant"):
        em_test(gated)
    small = smmix.from_formula("foodexp ~ income", engel.iloc[:12], k=3, variance="equal").fit()
    with pytest.raises(SmmixError, match="too few for k=4"):
        bootstrap_lrt(small)
    with pytest.raises(SmmixError, match="needs a MixtureOLS model"):
        confidence_set_k(one)
    with pytest.raises(SmmixError, match="Half of the data has too few rows"):
        confidence_set_k(smmix.from_formula("foodexp ~ income", engel.iloc[:20]), max_k=3)
