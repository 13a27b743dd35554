"""The bootstrap: replicates against fits made one by one, laws, and what it reports."""

from __future__ import annotations

import copy
import functools
import itertools
import pickle
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import EVERYTHING, engel, engel_fit, everything_fit, panel
from scipy import stats

import smmix
from smmix.errors import SmmixError
from smmix.resampling import bootstrap, replicates
from smmix.resampling.replicates import Replicator, Stop, best_order
from smmix.resampling.samples import resampling
from smmix.search.newton import diagonalise


@functools.cache
def separated(n: int = 2000) -> pd.DataFrame:
    return smmix.simulate_mixture(
        n, coef=[[0, 3], [6, -2]], sigma=[1.0, 0.7], weights=[0.6, 0.4], rng=11
    ).frame


@functools.cache
def separated_fit(n: int = 2000):
    return smmix.from_formula("y ~ x1", separated(n)).fit()


@functools.cache
def boot(kind: str = "parametric", n_boot: int = 199):
    return separated_fit().bootstrap(n_boot, kind)


def data_sets(results, kind: str, n_boot: int, rng=0):
    """The data sets of a bootstrap: y or weights, (B, n) each, in the order of the source."""
    seeds = bootstrap._seeds(np.random.default_rng(rng), n_boot)
    make = resampling(results, kind)
    source = make([np.random.default_rng(seed) for seed in seeds])
    weight = None if source.weight is None else source.weight
    return np.asarray(source.y), weight


# -- against fits made one by one ---------------------------------------------------------------


def test_parametric_replicates_are_the_fits_to_their_data():
    results = separated_fit(300)
    found = results.bootstrap(6)
    responses, _ = data_sets(results, "parametric", 6)
    for b, y in enumerate(responses[:, 0]):
        frame = separated(300).assign(y=y)
        alone = smmix.from_formula("y ~ x1", frame).fit(start_params=results.params)
        np.testing.assert_allclose(found.params.loc[b], alone.params, rtol=1e-5, atol=1e-6)
        assert found.replicates.loc[b, "llf"] == pytest.approx(alone.llf, abs=1e-6)


def test_replicates_of_rows_are_the_fits_to_rows_written_out():
    results = separated_fit(300)
    found = results.bootstrap(6, "rows")
    _, counts = data_sets(results, "rows", 6)
    assert (counts.sum(axis=2) == 300).all()
    for b, count in enumerate(counts[:, 0].astype(int)):
        frame = separated(300).loc[np.repeat(np.arange(300), count)]
        alone = smmix.from_formula("y ~ x1", frame).fit(start_params=results.params)
        np.testing.assert_allclose(found.params.loc[b], alone.params, rtol=1e-5, atol=1e-6)
        assert found.replicates.loc[b, "llf"] == pytest.approx(alone.llf, abs=1e-6)


def plain_em(y, x, weight, params, n_iter: int = 400) -> np.ndarray:
    """Two Gaussian regressions by EM with statsmodels' WLS, from ``params`` in smmix's order."""
    coef, sigma = params[:4].reshape(2, 2), params[4:6]
    share = np.array([1.0, np.exp(params[6])]) / (1 + np.exp(params[6]))
    for _ in range(n_iter):
        density = share * stats.norm.pdf(y[:, None], x @ coef.T, sigma)
        tau = weight[:, None] * density / density.sum(axis=1, keepdims=True)
        fits = [sm.WLS(y, x, weights=tau[:, c]).fit() for c in range(2)]
        coef = np.array([fit.params for fit in fits])
        sigma = np.sqrt([fit.ssr / tau[:, c].sum() for c, fit in enumerate(fits)])
        share = tau.sum(axis=0) / weight.sum()
    return np.array([*coef.ravel(), *sigma, np.log(share[1] / share[0])])


@pytest.mark.parametrize("kind", ["parametric", "rows"])
def test_replicates_are_those_of_em_by_weighted_least_squares(kind):
    results = separated_fit(300)
    x, y = results.model.exog, results.model.endog
    responses, weights = data_sets(results, kind, 2)
    found = results.bootstrap(2, kind)
    for b in range(2):
        response = responses[b, 0] if kind == "parametric" else y
        weight = np.ones(300) if weights is None else weights[b, 0]
        expected = plain_em(response, x, weight, results.params.to_numpy())
        np.testing.assert_allclose(found.params.loc[b], expected, rtol=1e-5, atol=1e-6)


def test_replicates_of_groups_are_the_fits_to_groups_written_out():
    results, frame = everything_fit(), panel()
    found = results.bootstrap(3, "groups")
    _, weight = data_sets(results, "groups", 3)
    labels = results.model.group_labels
    sampling = np.array([frame.loc[frame["id"] == label, "w"].iloc[0] for label in labels])
    for b in range(3):
        ratio = weight[b, 0] / sampling
        counts = np.rint(ratio / ratio[ratio > 0].min()).astype(int)
        assert counts.sum() == len(labels)
        copies = [
            frame[frame["id"] == label].assign(id=1000 * (i + 1) + c)
            for i, label in enumerate(labels)
            for c in range(counts[i])
        ]
        model = smmix.from_formula("y ~ x1 + x2", pd.concat(copies), k=2, **EVERYTHING)
        alone = model.fit(start_params=results.params)
        np.testing.assert_allclose(found.params.loc[b], alone.params, rtol=1e-5, atol=1e-6)


def test_parametric_replicates_of_a_model_with_everything():
    results, frame = everything_fit(), panel()
    found = results.bootstrap(3)
    responses, _ = data_sets(results, "parametric", 3)
    order = results.model.units.order
    rows = frame.iloc[np.repeat(order, frame["f"].astype(int).to_numpy()[order])]
    options = {name: value for name, value in EVERYTHING.items() if name != "freq_weights"}
    for b, y in enumerate(responses[:, 0]):
        model = smmix.from_formula("y ~ x1 + x2", rows.assign(y=y), k=2, **options)
        alone = model.fit(start_params=results.params)
        np.testing.assert_allclose(found.params.loc[b], alone.params, rtol=1e-5, atol=1e-6)


def test_known_components_keep_their_name_in_the_draws():
    frame = separated(300)[["x1", "y", "component"]].rename(columns={"component": "known"})
    results = smmix.from_formula("y ~ x1", frame, known="known").fit()
    responses, _ = data_sets(results, "parametric", 40)
    means = results.predict(which="components").to_numpy()
    own = means[np.arange(300), frame["known"]]
    spread = results.sigma.to_numpy()[frame["known"]] / np.sqrt(40)
    assert (np.abs(responses[:, 0].mean(axis=0) - own) < 5 * spread).all()


def test_one_component_equals_least_squares_of_statsmodels():
    results = smmix.from_formula("foodexp ~ income", engel(), k=1).fit()
    design = sm.add_constant(engel()["income"])
    responses, _ = data_sets(results, "parametric", 5)
    _, counts = data_sets(results, "rows", 5)
    drawn, rows = results.bootstrap(5), results.bootstrap(5, "rows")
    for b in range(5):
        plain = sm.OLS(responses[b, 0], design).fit()
        weighted = sm.WLS(engel()["foodexp"], design, weights=counts[b, 0]).fit()
        for params, fit in ((drawn.params.loc[b], plain), (rows.params.loc[b], weighted)):
            sigma = np.sqrt(fit.ssr / len(engel()))
            np.testing.assert_allclose(params, [*fit.params, sigma], rtol=1e-7)


def test_one_component_has_the_exact_errors_of_least_squares():
    results = smmix.from_formula("foodexp ~ income", engel(), k=1).fit()
    x = sm.add_constant(engel()["income"]).to_numpy()
    exact = results.sigma[0] * np.sqrt(np.diag(np.linalg.inv(x.T @ x)))
    found = results.bootstrap(999).bse[:2]
    # The standard deviation of B normal replicates has the relative error 1 / sqrt(2 B).
    assert np.abs(found / exact - 1).max() < 4 / np.sqrt(2 * 999)
    expected_sigma = results.sigma[0] * np.sqrt(233 / 235)
    assert results.bootstrap(999).params["sigma[0]"].mean() == pytest.approx(
        expected_sigma, rel=4 / np.sqrt(2 * 235 * 999)
    )


# -- against theory -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parametric", "rows"])
def test_errors_of_a_large_separated_sample_are_those_of_the_information(kind):
    found = boot(kind)
    assert found.n_failed == 0
    assert np.abs(found.bse / separated_fit().bse - 1).max() < 4.5 / np.sqrt(2 * 199)
    assert np.abs(found.bias / separated_fit().bse).max() < 0.5


def test_errors_agree_with_those_of_flexmix():
    # 199 replicates of reference/r/boot.R; the second component of flexmix is component 0.
    theirs = {
        "Intercept[1]": 1.18878695, "x[1]": 0.56951192, "I(x ** 2)[1]": 0.05343989,
        "sigma[1]": 0.30011586, "Intercept[0]": 1.05585445, "x[0]": 0.51569153,
        "I(x ** 2)[0]": 0.05040137, "sigma[0]": 0.28848558,
    }  # fmt: skip
    frame = pd.read_csv(Path(__file__).parents[1] / "reference" / "data" / "NPreg.csv")
    results = smmix.from_formula("yn ~ x + I(x ** 2)", frame).fit()
    mine = results.bootstrap(999).bse[list(theirs)]
    # flexmix divides by n_c - p where maximum likelihood divides by n_c, about 100 here.
    flexmix = pd.Series(theirs) * np.where(mine.index.str.startswith("sigma"), np.sqrt(0.97), 1.0)
    assert np.abs(mine / flexmix - 1).max() < 4 * np.sqrt(1 / (2 * 199) + 1 / (2 * 999))


def test_rows_see_the_heteroscedasticity_that_the_sandwich_sees():
    rng = np.random.default_rng(4)
    x = rng.normal(size=1500)
    y = 1 + 2 * x + (0.3 + np.abs(x)) * rng.normal(size=1500)
    results = smmix.MixtureOLS(y, sm.add_constant(x), k=1).fit()
    robust = results.get_robustcov_results("HC0").bse
    ratio = results.bootstrap(399, "rows").bse / robust
    assert np.abs(ratio - 1).max() < 4.5 / np.sqrt(2 * 399)
    assert robust["x1[0]"] > 1.3 * results.bse["x1[0]"]


# -- laws ---------------------------------------------------------------------------------------


def test_a_replicate_depends_on_the_seed_and_its_number_alone():
    results = separated_fit(300)
    many, few = results.bootstrap(60), results.bootstrap(7)
    np.testing.assert_allclose(many.params.iloc[:7], few.params, rtol=1e-7, atol=1e-9)
    again = results.bootstrap(60, threads=3)
    pd.testing.assert_frame_equal(many.params, again.params, check_exact=True)
    other = results.bootstrap(7, rng=1)
    assert (other.params != few.params).all(axis=None)
    generator = results.bootstrap(7, rng=np.random.default_rng(0))
    pd.testing.assert_frame_equal(generator.params, few.params, check_exact=True)


@pytest.mark.parametrize("kind", ["parametric", "rows"])
def test_another_process_gets_what_it_needs_for_the_same_digits(kind):
    results = separated_fit(300)
    replicator = Replicator(results, resampling(results, kind), 0, Stop().check)
    seeds = np.random.SeedSequence(1).spawn(5)
    here, there = replicator.run(seeds), pickle.loads(pickle.dumps(replicator)).run(seeds)
    np.testing.assert_array_equal(here.params, there.params)


def test_the_size_of_a_batch_does_not_matter(monkeypatch):
    results = engel_fit()
    whole = results.bootstrap(12, "rows")
    monkeypatch.setattr(replicates, "BATCH", 5)
    parts = results.bootstrap(12, "rows")
    np.testing.assert_allclose(parts.params, whole.params, rtol=1e-5)
    assert parts.replicates["start"].tolist() == whole.replicates["start"].tolist()


@pytest.mark.parametrize("kind", ["parametric", "rows"])
def test_a_weight_is_so_many_rows(kind):
    frame = separated(300).assign(w=np.random.default_rng(3).integers(0, 4, 300).astype(float))
    written_out = frame.loc[np.repeat(frame.index, frame["w"].astype(int))]
    weighted = smmix.from_formula("y ~ x1", frame, freq_weights="w").fit()
    plain = smmix.from_formula("y ~ x1", written_out).fit()
    one, other = weighted.bootstrap(99, kind), plain.bootstrap(99, kind)
    if kind == "parametric":
        np.testing.assert_allclose(one.params, other.params, rtol=1e-5, atol=1e-6)
    else:
        ratio = one.bse / other.bse
        assert np.abs(np.log(ratio)).max() < 4.5 / np.sqrt(99)


def test_weights_that_are_not_whole_can_be_drawn_from():
    frame = separated(300).assign(w=np.random.default_rng(3).uniform(0.5, 2.5, 300))
    results = smmix.from_formula("y ~ x1", frame, freq_weights="w").fit()
    with pytest.raises(SmmixError, match=r"whole numbers; use kind='rows'"):
        results.bootstrap(5)
    _, counts = data_sets(results, "rows", 400)
    assert (counts.sum(axis=2) == round(frame["w"].sum())).all()
    error = np.sqrt(frame["w"] / 400)
    assert (np.abs(counts[:, 0].mean(axis=0) - frame["w"]) < 5 * error).all()


def test_sampling_weights_stay_with_their_rows():
    frame = separated(300).assign(w=np.random.default_rng(3).uniform(0.5, 2.5, 300))
    results = smmix.from_formula("y ~ x1", frame, prob_weights="w").fit()
    found = results.bootstrap(3, "rows")
    _, weight = data_sets(results, "rows", 3)
    scaled = frame["w"].to_numpy() / frame["w"].mean()
    counts = np.rint(weight[:, 0] / scaled).astype(int)
    np.testing.assert_allclose(weight[:, 0], counts * scaled)
    for b in range(3):
        rows = frame.loc[np.repeat(np.arange(300), counts[b])]
        alone = smmix.from_formula("y ~ x1", rows, prob_weights="w").fit(
            start_params=results.params
        )
        np.testing.assert_allclose(found.params.loc[b], alone.params, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_best_order_is_the_best_of_all_permutations(seed):
    table = np.random.default_rng(seed).random((4, 4))
    order = best_order(table, [np.arange(4)])
    worth = {p: table[list(p), range(4)].sum() for p in itertools.permutations(range(4))}
    assert table[order, range(4)].sum() == pytest.approx(max(worth.values()))
    apart = best_order(table, [np.array([0]), np.array([1, 3]), np.array([2])])
    assert apart[[0, 2]].tolist() == [0, 2]


def test_relabelling_undoes_any_permutation():
    frame = smmix.simulate_mixture(
        400, coef=[[0, 3], [6, -2], [-5, 0]], sigma=[1, 0.7, 1.5], mixing=[[0.5, 1], [0, -1]], rng=1
    ).frame
    results = smmix.from_formula("y ~ x1", frame, k=3, concomitant="z1").fit()
    make = resampling(results, "rows")
    replicator = Replicator(results, make, 0, lambda *_: None)
    for order in itertools.permutations(range(3)):
        switched = replicator.fit.permute(np.array(order))
        restored = replicator._relabelled(copy.deepcopy(switched))
        for mine, theirs in zip(restored, replicator.fit, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-12)


def test_searches_number_the_components_as_the_climb_from_the_fit_does():
    results = separated_fit(300)
    climbed, searched = results.bootstrap(8), results.bootstrap(8, n_starts=10)
    np.testing.assert_allclose(searched.params, climbed.params, rtol=1e-5, atol=1e-6)


def test_a_search_of_every_replicate_never_ends_lower():
    climbed = engel_fit().bootstrap(8, "rows")
    searched = engel_fit().bootstrap(8, "rows", n_starts=30)
    assert (searched.replicates["llf"] > climbed.replicates["llf"] - 1e-5).all()


def test_components_told_apart_by_a_restriction_keep_their_numbers():
    results = smmix.from_formula("foodexp ~ income", engel(), fixed={"Intercept[0]": 0.0}).fit()
    found = results.bootstrap(30, "rows")
    assert (found.params["Intercept[0]"] == 0.0).all()
    assert found.bse["Intercept[0]"] == 0.0


def test_restrictions_hold_in_every_replicate():
    model = smmix.from_formula("y ~ x1", separated(300))
    results = model.fit_constrained("x1[0] = -1.5 * x1[1], sigma[0] = sigma[1]")
    found = results.bootstrap(20)
    params = found.params
    np.testing.assert_array_equal(params["sigma[0]"], params["sigma[1]"])
    np.testing.assert_allclose(params["x1[0]"], -1.5 * params["x1[1]"], rtol=1e-12)
    equal = smmix.from_formula("y ~ x1", separated(300), variance="equal", common=["x1"]).fit()
    drawn = equal.bootstrap(20)
    assert list(drawn.params) == equal.model.param_names
    assert np.abs(drawn.bse / equal.bse - 1).max() < 4.5 / np.sqrt(2 * 20)


def test_a_rival_mode_is_bootstrapped_by_itself():
    results = engel_fit()
    rival = results.mode(1)
    found = rival.bootstrap(20)
    assert set(found.replicates["start"]) <= {"fit", "search"}
    pd.testing.assert_series_equal(found.estimate, rival.params, check_names=False)


def test_close_rivals_of_the_fit_are_tried():
    starts = engel_fit().bootstrap(60, "rows").replicates["start"]
    assert {"fit", "rival mode"} <= set(starts)


# -- what is reported ---------------------------------------------------------------------------


def test_intervals_are_order_statistics():
    found = boot()
    ordered = np.sort(found.params.to_numpy(), axis=0)
    estimate = separated_fit().params
    limits = found.conf_int()
    np.testing.assert_allclose(limits[0], ordered[4])
    np.testing.assert_allclose(limits[1], ordered[194])
    # The other intervals are made on the log of a sigma.
    scale = [name.startswith("sigma") for name in estimate.index]
    spread = np.where(scale, np.log(found.params.abs()).std(), found.bse)
    basic, normal = found.conf_int(method="basic"), found.conf_int(0.1, "normal")
    for end, rank in ((0, 194), (1, 4)):
        expected = 2 * estimate - ordered[rank]
        np.testing.assert_allclose(
            basic[end], np.where(scale, estimate**2 / ordered[rank], expected)
        )
        reach = (2 * end - 1) * stats.norm.ppf(0.95) * spread
        expected = np.where(scale, estimate * np.exp(reach), estimate + reach)
        np.testing.assert_allclose(normal[end], expected)
    assert limits.index.tolist() == separated_fit().model.param_names


def test_table_of_the_replicates():
    found = boot()
    frame = found.summary_frame()
    np.testing.assert_allclose(frame["bias"], found.params.mean() - separated_fit().params)
    np.testing.assert_allclose(frame["std_err"] ** 2, np.diag(found.cov))
    np.testing.assert_allclose(found.cov, np.cov(found.params.to_numpy().T))
    assert frame["ci_lower"].equals(found.conf_int()[0].rename("ci_lower"))
    text = str(found)
    assert re.search(r"Replicates: +199 of 199 +Intervals: +percentile", text)
    # What is printed is what conf_int() gives.
    lower, upper = found.conf_int().loc["sigma[0]"]
    row = next(line for line in text.splitlines() if line.startswith("sigma[0]"))
    np.testing.assert_allclose([float(w) for w in row.split()[-2:]], [lower, upper], rtol=1e-3)
    assert not found.interrupted
    assert found.failures.empty


def test_covariance_of_the_fit_from_the_replicates():
    found = boot()
    robust = separated_fit().get_robustcov_results("bootstrap", replicates=found.params)
    np.testing.assert_allclose(robust.cov_params(), np.cov(found.params.to_numpy().T), rtol=1e-12)
    again = separated_fit().model.fit(
        cov_type="bootstrap", cov_kwds={"replicates": found.params}, n_starts=5
    )
    np.testing.assert_allclose(again.bse, found.bse, rtol=1e-12)


def test_failed_replicates_are_counted_and_named():
    frame = separated(300).iloc[:80].assign(rare=0.0)
    frame.loc[frame.index[5], "rare"] = 1.0
    results = smmix.from_formula("y ~ x1 + rare", frame, common=["rare"]).fit()
    with pytest.warns(RuntimeWarning, match=r"of 40 bootstrap replicates could not be fitted"):
        found = results.bootstrap(40, "rows")
    _, counts = data_sets(results, "rows", 40)
    absent = np.flatnonzero(counts[:, 0, 5] == 0)
    assert absent.size > 0
    assert found.failures.index.tolist() == absent.tolist()
    assert set(found.failures) == {"a coefficient is not identified"}
    assert found.n_failed == absent.size
    assert len(found.params) == 40 - absent.size
    assert f"{absent.size} failed: a coefficient is not identified." in str(found)


def test_a_climb_that_collapses_is_followed_by_a_search():
    results = smmix.from_formula("y ~ x1", separated(300).iloc[:26]).fit()
    found = results.bootstrap(20, "rows")
    searched = found.replicates.index[found.replicates["start"] == "search"]
    assert searched.size > 0
    # What is kept is sound by the rule of the fit.
    sigma = found.params.loc[searched, ["sigma[0]", "sigma[1]"]]
    assert (sigma.min(axis=1) / sigma.max(axis=1) > 1e-3).all()
    assert re.search(rf"{searched.size} replicates? fitted from a search", str(found))


def test_degenerate_replicates_are_reported_as_one_reason():
    reasons = pd.Series(
        ["too few rows: component 0 rests on 3.0",
         "collapsed: component 1 has a spread 0.0002 times the largest", "interrupted"]
    )  # fmt: skip
    counted = bootstrap.counted_reasons(reasons)
    assert counted["a degenerate component (too few rows, or hardly any variance)"] == 2
    assert counted["interrupted"] == 1


def test_information_that_rounding_made_indefinite_does_not_stop_a_batch():
    # What is left of four logits that separate the data, beside a member that is sound.
    noise = np.array([[1.0, -0.972, -0.984], [-0.972, 1.0, 0.9999], [-0.984, 0.9999, 1.0]])
    complete = np.stack([1e-13 * noise, np.diag([1.0, 2.0, 4.0])])
    assert np.linalg.eigvalsh(noise)[0] < -1e-5
    observed = 0.5 * complete
    root, curvature = diagonalise(observed, complete)
    assert np.isfinite(root).all()
    np.testing.assert_allclose(curvature[1], 0.5, rtol=1e-4)
    turned = np.swapaxes(root, 1, 2) @ observed @ root
    np.testing.assert_allclose(np.einsum("sii->si", turned), curvature, atol=1e-9)


def test_ctrl_c_keeps_what_is_done(monkeypatch):
    results = separated_fit(300)
    monkeypatch.setattr(replicates, "BATCH", 10)
    whole = results.bootstrap(60)

    def interrupting(after: int):
        @contextmanager
        def bar(progress):
            calls = itertools.count(1)

            def report(stage, done, total, best):
                if next(calls) == after:
                    raise KeyboardInterrupt

            yield report

        return bar

    monkeypatch.setattr(bootstrap, "progress_bar", interrupting(2))
    with pytest.warns(RuntimeWarning, match=r"interrupted after \d+ of 60 replicates"):
        found = results.bootstrap(60, threads=1)
    assert found.interrupted
    assert 20 <= len(found.params) < 60
    pd.testing.assert_frame_equal(found.params, whole.params.loc[found.params.index])
    assert "Interrupted before all 60" in str(found)


def test_ctrl_c_before_anything_is_done_is_an_interrupt(monkeypatch):
    monkeypatch.setattr(Replicator, "run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        separated_fit(300).bootstrap(5)


def test_a_bar_is_shown_when_asked_for(capsys):
    separated_fit(300).bootstrap(5, progress=True)
    assert "replicates" in capsys.readouterr().err
    separated_fit(300).bootstrap(5)
    assert capsys.readouterr().err == ""


def test_results_survive_pickling():
    found = pickle.loads(pickle.dumps(boot()))
    pd.testing.assert_frame_equal(found.params, boot().params)


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_boot": 1}, "n_boot must be a whole number of at least 2, not 1"),
        ({"n_boot": 9.5}, r"n_boot must be a whole number of at least 2, not 9\.5"),
        ({"n_boot": 10**12}, "n_boot must be at most 1,000,000, not 10"),
        ({"threads": 0}, "threads must be a whole number of at least 1, not 0"),
        ({"n_starts": -1}, "n_starts must be a whole number of at least 0, not -1"),
        ({"kind": "residual"}, "kind must be 'parametric', 'rows' or 'groups', not 'residual'"),
        ({"kind": "groups"}, "kind='groups' needs a model with groups; use kind='rows'"),
        ({"rng": "seed"}, "rng='seed' cannot seed"),
    ],
)
def test_arguments_that_make_no_sense(options, message):
    with pytest.raises(SmmixError, match=message):
        separated_fit(300).bootstrap(**options)


def test_intervals_that_make_no_sense():
    found = separated_fit(300).bootstrap(19)
    with pytest.raises(SmmixError, match="need at least 39 replicates; there are 19"):
        found.conf_int()
    assert "need at least 39 replicates" in str(found)
    row = next(line for line in str(found).splitlines() if line.startswith("sigma[0]"))
    assert len(row.split()) == 4
    assert "Intervals of quantiles" not in str(found.summary(method="normal"))
    found.conf_int(0.1)
    with pytest.raises(SmmixError, match="method must be"):
        found.conf_int(method="bca")
    with pytest.raises(SmmixError, match="alpha=5 must be"):
        found.conf_int(5)


def test_data_taken_away_cannot_be_bootstrapped():
    results = smmix.from_formula("y ~ x1", separated(300)).fit()
    results.remove_data()
    with pytest.raises(SmmixError, match="remove_data"):
        results.bootstrap(5)


def test_intervals_stay_inside_the_ranges_of_the_parameters():
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    y = np.where(rng.random(80) < 0.3, 0, rng.poisson(np.exp(0.3 * x + 0.5)))
    found = smmix.from_formula("y ~ x", {"x": x, "y": y}, 1, family="zero_inflated_poisson")
    found = found.fit().bootstrap(39)
    share = found.estimate["inflate[0]"]
    spread = (np.log(found.params["inflate[0]"]) - np.log1p(-found.params["inflate[0]"])).std()
    for method in ("percentile", "basic", "normal"):
        lower, upper = found.conf_int(method=method).loc["inflate[0]"]
        assert 0.0 < lower < share < upper < 1.0
    reach = stats.norm.ppf(0.975) * spread * np.array([-1.0, 1.0])
    odds = share / (1 - share) * np.exp(reach)
    np.testing.assert_allclose([lower, upper], odds / (1 + odds))


def test_a_fit_that_has_the_bootstrap_is_not_sent_to_it():
    results = separated_fit(300).get_robustcov_results("bootstrap", n_boot=3)
    assert "compare with results.bootstrap()" not in str(results.summary())
    with pytest.raises(SmmixError, match="options of the covariance here by name"):
        results.get_robustcov_results("HC0", cov_kwds={"groups": "id"})
