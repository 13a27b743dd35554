"""Growth mixtures against MixedLM, nlme, flexmix and lcmm, and fits that they must equal."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import smmix
from smmix.errors import BoundaryWarning, SmmixError

FOLDER = Path(__file__).parents[1] / "reference" / "growth"
GROWTH = pd.read_csv(FOLDER / "growth.csv")
PEERS = json.loads((FOLDER / "peers.json").read_text())
NEW = pd.DataFrame({"id": [0, 0, 999], "age": [9.0, 17.0, 9.0]})


def growth(formula="y ~ age", data=GROWTH, **options):
    given = {"k": 2, "groups": "id", "random": "~ 1 + age", **options}
    return smmix.from_formula(formula, data, **given)


@pytest.fixture(scope="module")
def single():
    return growth(k=1).fit()


@pytest.fixture(scope="module")
def fit():
    return growth().fit()


def covariances(results, c=0):
    cov = results.random_cov.loc[c].to_numpy()
    return cov[np.tril_indices(len(cov))]


# -- one component --------------------------------------------------------------------------------


def mixed(formula, data, groups, re_formula):
    with warnings.catch_warnings():
        # MixedLM warns of its own optimiser on the way.
        warnings.simplefilter("ignore")
        model = smf.mixedlm(formula, data, groups=groups, re_formula=re_formula)
        return model.fit(reml=False, method="bfgs", gtol=1e-9)


def grunfeld():
    data = sm.datasets.grunfeld.load_pandas().data
    return data.assign(invest=data["invest"] / 100.0, value=data["value"] / 1000.0)


@pytest.mark.parametrize(
    ("formula", "data", "groups", "random"),
    [
        ("y ~ age", lambda: GROWTH, "id", "~ 1"),
        ("y ~ age", lambda: GROWTH, "id", "~ 1 + age"),
        ("invest ~ value + capital", grunfeld, "firm", "~ 1"),
    ],
)
def test_one_component_is_mixed_lm(formula, data, groups, random):
    data = data()
    ours = smmix.from_formula(formula, data, k=1, groups=groups, random=random).fit()
    theirs = mixed(formula, data, groups, random)
    assert ours.llf == pytest.approx(theirs.llf, abs=1e-6)
    np.testing.assert_allclose(ours.coef[0], theirs.fe_params, rtol=1e-6)
    np.testing.assert_allclose(ours.sigma[0] ** 2, theirs.scale, rtol=1e-5)
    cov_re = np.asarray(theirs.cov_re)
    np.testing.assert_allclose(covariances(ours), cov_re[np.tril_indices(len(cov_re))], rtol=2e-5)
    effects = pd.DataFrame(theirs.random_effects).T.to_numpy()
    own = ours.random_effects.loc[list(theirs.random_effects), 0].to_numpy()
    np.testing.assert_allclose(own, effects, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.bse.iloc[: len(theirs.fe_params)], theirs.bse_fe, rtol=1e-4)


def test_one_component_is_nlme(single):
    # nlme ends where its steps are small, a few millionths below the maximum.
    reference = PEERS["nlme"]
    assert 0.0 <= single.llf - reference["llf"] < 1e-5
    np.testing.assert_allclose(single.coef[0], reference["coef"], rtol=1e-5)
    assert single.sigma[0] == pytest.approx(reference["sigma"], rel=1e-4)
    np.testing.assert_allclose(covariances(single), reference["random_cov"], rtol=1e-3)
    effects = np.reshape(reference["effects"], (-1, 2))
    np.testing.assert_allclose(single.random_effects[0], effects, rtol=1e-2, atol=1e-3)


def test_units_of_the_data_do_not_matter(fit):
    # A response a thousand times as large at an age in days.
    data = GROWTH.assign(y=1000.0 * GROWTH["y"] + 1e6, age=365.25 * GROWTH["age"])
    other = growth(data=data).fit()
    assert other.llf == pytest.approx(fit.llf - len(data) * np.log(1000.0), abs=1e-6)
    expected = fit.random_cov.to_numpy() * 1e6 / np.tile([[1, 365.25], [365.25, 365.25**2]], (2, 1))
    np.testing.assert_allclose(other.random_cov, expected, rtol=1e-5)


# -- several components ---------------------------------------------------------------------------


def test_flexmix_is_met_or_exceeded(fit):
    assert fit.converged
    assert fit.llf >= PEERS["flexmix"]["llf"] - 1e-6


def test_equal_covariances_are_those_of_hlme():
    reference = PEERS["lcmm"]
    ours = growth(random_cov="equal", variance="equal").fit()
    assert 0.0 <= ours.llf - reference["llf"] < 1e-4
    logit, first, second, slope_1, slope_2, *entries, sigma = reference["params"]
    order = [1, 0] if logit < 0 else [0, 1]
    coef = np.array([[first, second], [slope_1, slope_2]])[:, order]
    np.testing.assert_allclose(ours.coef, coef, rtol=1e-4)
    np.testing.assert_allclose(covariances(ours), entries, rtol=1e-3)
    assert ours.params["sigma"] == pytest.approx(abs(sigma), rel=1e-4)
    errors = np.array(reference["errors"])[1:5].reshape(2, 2)[:, order]
    np.testing.assert_allclose(ours.bse.iloc[:4], errors.T.ravel(), rtol=1e-3)
    posterior = ours.posterior.groupby(GROWTH["id"]).first()[order.index(0)]
    np.testing.assert_allclose(posterior, reference["posterior"], atol=1e-4)


def test_names_are_those_of_the_contract(fit):
    effects = ["Intercept:Intercept", "Intercept:age", "age:age"]
    free = [f"random.{effect}[{c}]" for effect in effects for c in range(2)]
    assert [name for name in fit.params.index if name.startswith("random.")] == free
    names = growth(random_cov="equal").param_names
    assert [n for n in names if n.startswith("random.")] == [f"random.{e}" for e in effects]
    assert not any("Intercept:age" in n for n in growth(random_cov="diagonal").param_names)


@pytest.mark.parametrize("random_cov", ["free", "equal", "diagonal"])
@pytest.mark.filterwarnings("ignore::smmix.errors.BoundaryWarning")
def test_score_and_hessian_are_derivatives(random_cov):
    model = growth(random_cov=random_cov)
    params = model.fit().params.to_numpy() * 1.1
    params = np.where(params == 0.0, 0.1, params)
    size = params.size

    def richardson(function, i, step=1e-3):
        def difference(h):
            move = np.zeros(size)
            move[i] = h * max(abs(params[i]), 0.1)
            return (function(params + move) - function(params - move)) / (2 * move[i])

        one, half, quarter = (difference(step / d) for d in (1, 2, 4))
        return (64 * quarter - 20 * half + one) / 45

    score = [richardson(model.loglike, i) for i in range(size)]
    np.testing.assert_allclose(model.score(params), score, rtol=1e-6, atol=1e-6)
    hessian = np.array([richardson(model.score, i) for i in range(size)])
    np.testing.assert_allclose(model.hessian(params), hessian, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(model.score_obs(params).sum(axis=0), model.score(params), rtol=1e-9)


def test_plain_em_ends_where_newton_does(fit):
    em = growth().fit(method="em", gtol=1e-6, start_params=fit.params * 1.05)
    assert em.llf == pytest.approx(fit.llf, abs=1e-5)
    assert (np.diff(em.history["llf"]) > -1e-8).all()


def test_weights_of_two_are_persons_twice(fit):
    twice = pd.concat([GROWTH, GROWTH.assign(id=GROWTH["id"] + 1000)])
    doubled = growth(data=twice).fit(fit.params)
    assert doubled.llf == pytest.approx(2 * fit.llf, rel=1e-10)
    np.testing.assert_allclose(doubled.bse * np.sqrt(2.0), fit.bse, rtol=1e-6)


# -- the boundary ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_effects():
    plain = growth(random=None).fit()
    rng = np.random.default_rng(2)
    component = plain.labels.to_numpy()
    mean = np.take_along_axis(plain.predict(which="components").to_numpy(), component[:, None], 1)
    return GROWTH.assign(y=mean[:, 0] + 0.5 * rng.standard_normal(len(mean)))


def test_variances_of_zero_are_told_and_the_rest_has_the_errors_of_the_fit_without(without_effects):
    plain = growth(data=without_effects, random=None).fit()
    with pytest.warns(BoundaryWarning, match="no random effect"):
        ours = growth(data=without_effects, random="~ 1", random_cov="equal").fit()
    assert ours.converged
    assert "boundary" in ours.status
    assert ours.params["random.Intercept:Intercept"] == 0.0
    assert np.isnan(ours.bse["random.Intercept:Intercept"])
    assert ours.llf == pytest.approx(plain.llf, abs=1e-8)
    shared = plain.params.index
    np.testing.assert_allclose(ours.params[shared], plain.params, rtol=1e-6)
    np.testing.assert_allclose(ours.bse[shared], plain.bse, rtol=1e-6)
    with pytest.raises(SmmixError, match="has no answer"):
        ours.wald_test("random.Intercept:Intercept = 0")


def test_a_singular_matrix_is_told_and_has_the_errors_of_one_effect():
    # One effect, whose size is the age's: the matrix of intercept and slope has rank one.
    rng = np.random.default_rng(3)
    effect = rng.standard_normal(80)[GROWTH["id"]]
    data = GROWTH.assign(y=1.0 + effect * (1.0 + 0.2 * GROWTH["age"]))
    data["y"] += 0.7 * rng.standard_normal(len(data))
    with pytest.warns(BoundaryWarning, match="singular covariance matrix"):
        ours = growth(data=data, k=1).fit()
    matrix = ours.random_cov.loc[0].to_numpy()
    assert np.linalg.eigvalsh(matrix)[0] == pytest.approx(0.0, abs=1e-12)
    assert np.linalg.eigvalsh(matrix)[1] > 0.1
    # The same model, with the one effect written out.
    slope = matrix[1, 0] / matrix[0, 0]
    one = growth(data=data.assign(z=1.0 + slope * data["age"]), k=1, random="~ 0 + z").fit()
    assert ours.llf == pytest.approx(one.llf, abs=1e-7)
    np.testing.assert_allclose(ours.coef, one.coef, rtol=1e-5)
    assert np.isfinite(ours.bse).all()
    # Errors on the surface of such matrices: differences of the likelihood of (a, slope).
    at = ours.params.to_numpy()

    def height(free):
        root, ratio = free[3:]
        entries = root**2 * np.array([1.0, ratio, ratio**2])
        return ours.model.loglike(np.r_[free[:3], entries])

    free = np.r_[at[:3], np.sqrt(matrix[0, 0]), slope]
    steps = 1e-3 * np.maximum(np.abs(free), 0.1)
    hessian = np.empty((5, 5))
    for i in range(5):
        for j in range(5):
            moves = np.diag(steps)[[i, j]]
            hessian[i, j] = (
                height(free + moves[0] + moves[1])
                - height(free + moves[0] - moves[1])
                - height(free - moves[0] + moves[1])
                + height(free - moves[0] - moves[1])
            ) / (4 * steps[i] * steps[j])
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    np.testing.assert_allclose(ours.bse.iloc[:3], errors[:3], rtol=1e-3)
    assert ours.bse.iloc[3] == pytest.approx(2 * free[3] * errors[3], rel=1e-3)


# -- prediction -----------------------------------------------------------------------------------


def test_known_and_new_persons(fit):
    person = GROWTH[GROWTH["id"] == 0]
    known, far, new = fit.predict(NEW, which="conditional")
    # By the definition of the conditional mean, from the joint normal of each component.
    posterior = fit.posterior[GROWTH["id"] == 0].iloc[0]
    expected = np.zeros(2)
    for c in range(2):
        d = fit.random_cov.loc[c].to_numpy()
        z = sm.add_constant(person["age"].to_numpy())
        ahead = np.array([[1.0, 9.0], [1.0, 17.0]])
        v = z @ d @ z.T + fit.sigma[c] ** 2 * np.eye(len(z))
        left = person["y"] - z @ fit.coef[c].to_numpy()
        effects = d @ z.T @ np.linalg.solve(v, left.to_numpy())
        np.testing.assert_allclose(fit.random_effects.loc[0, c], effects, rtol=1e-9)
        expected += posterior[c] * ahead @ (fit.coef[c].to_numpy() + effects)
    np.testing.assert_allclose([known, far], expected, rtol=1e-9)
    assert new == pytest.approx(fit.predict(NEW)[2], rel=1e-12)
    average = fit.random_effects.loc[0, "average"]
    by_component = np.array([fit.random_effects.loc[0, c] for c in range(2)])
    np.testing.assert_allclose(average, posterior @ by_component, rtol=1e-12)


def test_responses_given_count_in_place_of_the_fits_rows(fit):
    # A stranger with the rows of person 0, and a row to predict for.
    rows = GROWTH[GROWTH["id"] == 0].assign(id=999)
    rows = pd.concat([rows, pd.DataFrame({"id": [999], "age": [17.0]})], ignore_index=True)
    told = fit.predict(rows, which="conditional").iloc[-1]
    assert told == pytest.approx(fit.predict(NEW, which="conditional")[1], rel=1e-10)
    posterior = fit.predict(rows, which="posterior").iloc[-1]
    np.testing.assert_allclose(posterior, fit.posterior.iloc[0], atol=1e-12)


def test_conditional_means_need_random_effects():
    with pytest.raises(SmmixError, match="which='mean'"):
        growth(random=None).fit().predict(which="conditional")


def test_rows_by_themselves_have_the_variance_of_both(fit):
    rows = GROWTH.iloc[:5]
    law = fit.predict(rows, which="variance")
    share = fit.mixing_weights.to_numpy()
    means = fit.predict(rows, which="components").to_numpy()
    z = np.column_stack([np.ones(5), rows["age"]])
    within = [
        np.einsum("mi,ij,mj->m", z, fit.random_cov.loc[c].to_numpy(), z) + fit.sigma[c] ** 2
        for c in range(2)
    ]
    expected = share @ within + (means**2) @ share - (means @ share) ** 2
    np.testing.assert_allclose(law, expected, rtol=1e-10)
    level = fit.predict(rows, which="quantile", q=0.3)
    np.testing.assert_allclose(
        fit.model.predict(fit.params, rows, which="cdf", endog=level), 0.3, atol=1e-10
    )


def test_draws_of_a_person_differ_together(fit):
    rows = pd.DataFrame({"id": np.repeat(np.arange(20000), 2), "age": np.tile([9.0, 15.0], 20000)})
    drawn = fit.simulate(rows, rng=1)
    for c in range(2):
        pairs = drawn.loc[drawn["component"] == c, "y"].to_numpy().reshape(-1, 2)
        z = np.array([[1.0, 9.0], [1.0, 15.0]])
        v = z @ fit.random_cov.loc[c].to_numpy() @ z.T + fit.sigma[c] ** 2 * np.eye(2)
        np.testing.assert_allclose(np.cov(pairs.T), v, rtol=0.06)
        np.testing.assert_allclose(pairs.mean(axis=0), z @ fit.coef[c], atol=0.06)


# -- everything else ------------------------------------------------------------------------------


def test_a_file_predicts_as_the_fit(fit):
    saved = smmix.read_json(fit.to_json())
    for which in ("mean", "posterior", "conditional", "quantile", "variance"):
        np.testing.assert_allclose(
            saved.predict(GROWTH, which=which), fit.predict(GROWTH, which=which), rtol=1e-12
        )
    pd.testing.assert_frame_equal(saved.random_cov, fit.random_cov)
    assert saved.params.equals(fit.params)
    assert pickle.loads(pickle.dumps(fit)).predict(NEW).equals(fit.predict(NEW))


def test_the_summary_names_the_effects(fit):
    text = " ".join(str(fit.summary()).split())
    assert "random.Intercept:age" in text
    assert "random effects: Intercept + age, covariance: free" in text
    assert "Intervals of sigma and variances are symmetric on the log scale" in text


def test_intervals_of_variances_are_positive_and_covariances_alone_have_a_test(fit):
    name = "random.age:age[0]"
    ratio = np.exp(1.959963984540054 * fit.bse[name] / fit.params[name])
    limits = [fit.params[name] / ratio, fit.params[name] * ratio]
    found = fit.tidy().loc[name, ["conf.low", "conf.high"]].astype(float)
    np.testing.assert_allclose(found, limits, rtol=1e-9)
    assert np.isnan(fit.pvalues[name])
    assert fit.pvalues["random.Intercept:age[0]"] < 1.0


def test_replicates_are_of_whole_persons(fit):
    boot = fit.bootstrap(n_boot=9, rng=0)
    assert boot.params.shape == (9, fit.params.size)
    ratio = boot.bse / fit.bse
    assert ratio.between(0.2, 4.0).all()


REFUSED = [
    ({"groups": None}, "groups='id'"),
    ({"random": None, "random_cov": "equal"}, "random='~ 1'"),
    ({"random_cov": "full"}, "'free', 'equal' or 'diagonal'"),
    ({"family": "poisson"}, "Gaussian"),
    ({"family": smmix.families.Gaussian("log")}, "identity"),
    ({"random": "~ 0"}, "no columns"),
    ({"random": "y ~ 1"}, "one-sided"),
    ({"random": "~ weight"}, "'weight'"),
    ({"random": 1}, "such as '~ 1"),
    ({"fixed": {"random.age:age[0]": 1.0}}, "as a whole"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(options, words):
    with pytest.raises(SmmixError, match=words):
        growth(**options)


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (GROWTH.groupby("id").head(1), {"k": 1, "random": "~ 1"}, "too few rows to tell"),
        (GROWTH[GROWTH["id"] < 5], {}, "at least 6 are needed"),
        (GROWTH, {"random": "~ age + I(2 * age)"}, "combination"),
    ],
)
def test_effects_that_rows_cannot_tell_are_refused(rows, options, words):
    with pytest.raises(SmmixError, match=words):
        growth(data=rows, **options).fit()


def test_questions_without_an_answer_say_so(fit):
    with pytest.raises(SmmixError, match="no single entry"):
        fit.profile_likelihood_ci("random.age:age[0]")
    with pytest.raises(SmmixError, match="boundary"):
        fit.compare_lr_test(growth(random="~ 1").fit())
    with pytest.raises(SmmixError, match="use bootstrap_lrt"):
        smmix.em_test(fit)
    with pytest.raises(SmmixError, match="no random effects"):
        _ = growth(random=None).fit().random_cov
    wrong = fit.params.copy()
    wrong["random.age:age[0]"] = -1.0
    with pytest.raises(SmmixError, match="of no distribution"):
        growth().fit(wrong)
    assert growth().loglike(wrong) == -np.inf
    with pytest.raises(SmmixError, match="transform=False"):
        fit.predict(GROWTH[["age"]], transform=False)


def test_rows_missing_in_the_random_formula_are_left_out():
    data = GROWTH.assign(z=GROWTH["age"].where(GROWTH.index != 3))
    model = growth(data=data, random="~ z", k=1)
    assert model.nobs == len(data) - 1
    assert model.fit().predict(data.head(5), which="variance").isna().tolist() == [
        False, False, False, True, False,
    ]  # fmt: skip
