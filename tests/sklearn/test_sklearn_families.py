"""Estimators of any family: scikit-learn's conventions, and statsmodels at one component."""

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

import smmix
from smmix.errors import SmmixError
from smmix.families import Ordered

pytest.importorskip("sklearn")

from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import estimator_checks_generator

from smmix.sklearn import MixtureClassifier, MixtureRegressor, mean_log_density

RNG = np.random.default_rng(8)
X = pd.DataFrame({"age": RNG.normal(size=300).round(3)})
MONTHS = RNG.integers(1, 13, 300)
COUNTS = RNG.poisson(np.exp(np.where(RNG.random(300) < 0.5, -1.0, 1.0) + 0.3 * X["age"]) * MONTHS)
SPECTOR = sm.datasets.spector.load_pandas().data
GRADES, GRADE = SPECTOR[["GPA", "TUCE", "PSI"]], SPECTOR["GRADE"].astype(int)
LATENT = X["age"] + RNG.logistic(size=300)
LEVELS = np.array(["low", "middle", "high"])[np.digitize(LATENT, [-1.0, 1.0])]

# Three heaps of points in the plane have no order.
NO_ORDER = {"check_classifiers_train": "the classes are not ordered along a line"}
CHECKS = [
    case
    for estimator in (MixtureClassifier(), MixtureClassifier(family="ordered"))
    for case in estimator_checks_generator(
        estimator,
        expected_failed_checks=NO_ORDER if estimator.family == "ordered" else {},
        mark="xfail",
    )
]


def name_of(part):
    """The name of a test case's estimator or check, as in the output of pytest."""
    return getattr(part, "func", part).__name__ if callable(part) else str(part)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=name_of)
def test_scikit_learn_checks_of_the_classifier(estimator, check):
    check(estimator)


def test_one_poisson_component_is_that_of_statsmodels():
    theirs = sm.Poisson(COUNTS, sm.add_constant(X), exposure=MONTHS).fit(disp=False)
    ours = MixtureRegressor(family="poisson").fit(X, COUNTS, exposure=MONTHS)
    np.testing.assert_allclose([ours.intercept_[0], ours.coef_[0, 0]], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.predict(X, exposure=MONTHS), theirs.predict(), rtol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict() / MONTHS, rtol=1e-6)
    law = stats.poisson(theirs.predict())
    density = ours.log_density(X, COUNTS, exposure=MONTHS)
    np.testing.assert_allclose(density, law.logpmf(COUNTS), rtol=1e-6)
    assert ours.bic(X, COUNTS, exposure=MONTHS) == pytest.approx(theirs.bic)
    assert ours.aic(X, COUNTS, exposure=MONTHS) == pytest.approx(theirs.aic)
    assert ours.nuisance_ == {}
    assert not hasattr(ours, "sigma_")


def test_several_components_are_those_of_the_model():
    ours = MixtureRegressor(2, family="poisson").fit(X, COUNTS, exposure=MONTHS)
    data = X.assign(y=COUNTS, months=MONTHS)
    theirs = smmix.from_formula("y ~ age", data, k=2, family="poisson", exposure="months").fit()
    np.testing.assert_allclose(ours.coef_[:, 0], theirs.coef.loc["age"], rtol=1e-6)
    posterior = ours.predict_proba(X, COUNTS, exposure=MONTHS)
    np.testing.assert_allclose(posterior, theirs.posterior, atol=1e-8)
    means = np.exp(ours.intercept_ + X.to_numpy() * ours.coef_[:, 0]) * MONTHS[:, None]
    joint = ours.weights_ * stats.poisson.pmf(COUNTS[:, None], means)
    np.testing.assert_allclose(posterior, joint / joint.sum(axis=1, keepdims=True), atol=1e-10)
    assert clone(ours).get_params() == ours.get_params()
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))


def test_negative_binomial_with_a_shared_parameter():
    ours = MixtureRegressor(2, family="nb2", shared=["alpha"], n_starts=5)
    ours.fit(X, COUNTS, exposure=MONTHS)
    assert ours.nuisance_["alpha"][0] == ours.nuisance_["alpha"][1]


def test_times_that_were_cut_off():
    time = stats.expon.rvs(scale=3.0, size=300, random_state=1)
    event = (time < 4.0).astype(int)
    time = np.minimum(time, 4.0)
    ours = MixtureRegressor(family="exponential").fit(np.zeros((300, 1)), time, event=event)
    mean = time.sum() / event.sum()
    assert ours.intercept_[0] == pytest.approx(np.log(mean))
    law = stats.expon(scale=mean)
    want = np.where(event == 1, law.logpdf(time), law.logsf(time))
    got = ours.log_density(np.zeros((300, 1)), time, event=event)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert ours.collinear_ == ["x0"]


def test_an_exposure_must_not_be_forgotten():
    ours = MixtureRegressor(family="poisson").fit(X, COUNTS, exposure=MONTHS)
    for call in (ours.log_density, ours.bic, ours.score):
        with pytest.raises(SmmixError, match="give exposure as well"):
            call(X, COUNTS)
    with pytest.raises(SmmixError, match="say nothing without y"):
        MixtureRegressor(2, family="poisson").fit(X, COUNTS).predict_proba(X, exposure=MONTHS)


def test_cross_validation_hands_on_the_exposure():
    with config_context(enable_metadata_routing=True):
        model = MixtureRegressor(family="poisson").set_fit_request(exposure=True)
        scores = cross_val_score(
            model, X, COUNTS, cv=KFold(3), params={"exposure": MONTHS},
            scoring=mean_log_density.set_score_request(exposure=True),
        )  # fmt: skip
    for score, (rest, out) in zip(scores, KFold(3).split(X), strict=True):
        design = sm.add_constant(X)
        fit = sm.Poisson(COUNTS[rest], design.iloc[rest], exposure=MONTHS[rest]).fit(disp=False)
        mean = np.exp(design.iloc[out] @ fit.params) * MONTHS[out]
        assert score == pytest.approx(stats.poisson.logpmf(COUNTS[out], mean).mean(), rel=1e-5)


def test_collinear_dummies_are_reported():
    frame = X.assign(region=np.array(["a", "b", "c"])[np.arange(300) % 3])
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["region"]), ("passthrough", ["age"])
    ).set_output(transform="pandas")
    pipe = make_pipeline(encode, MixtureRegressor(family="poisson")).fit(frame, COUNTS)
    assert pipe[-1].collinear_ == ["onehotencoder__region_c"]
    theirs = smmix.from_formula("y ~ region + age", frame.assign(y=COUNTS), k=1, family="poisson")
    np.testing.assert_allclose(pipe.predict(frame), theirs.fit().predict(), rtol=1e-6)


def test_one_binomial_component_is_the_logit_of_statsmodels():
    theirs = sm.Logit(GRADE, sm.add_constant(GRADES)).fit(disp=False)
    ours = MixtureClassifier().fit(GRADES, GRADE)
    np.testing.assert_allclose(ours.coef_[0], theirs.params.iloc[1:], rtol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(GRADES)[:, 1], theirs.predict(), rtol=1e-6)
    np.testing.assert_array_equal(ours.predict(GRADES), (theirs.predict() > 0.5).astype(int))
    accuracy = ((theirs.predict() > 0.5) == GRADE).mean()
    assert ours.score(GRADES, GRADE) == pytest.approx(accuracy)
    assert ours.bic(GRADES, GRADE) == pytest.approx(theirs.bic)
    assert ours.aic(GRADES, GRADE) == pytest.approx(theirs.aic)
    assert log_loss(GRADE, ours.predict_proba(GRADES)) == pytest.approx(-theirs.llf / len(GRADE))
    unpenalised = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(GRADES, GRADE)
    np.testing.assert_allclose(ours.coef_, unpenalised.coef_, rtol=1e-3)


def test_probit_and_names_of_classes():
    named = np.where(GRADE == 1, "up", "down")
    theirs = sm.Probit(GRADE, sm.add_constant(GRADES)).fit(disp=False)
    ours = MixtureClassifier(family=smmix.families.Binomial(link="probit")).fit(GRADES, named)
    assert ours.classes_.tolist() == ["down", "up"]
    np.testing.assert_allclose(ours.coef_[0], theirs.params.iloc[1:], rtol=1e-6)
    assert mean_log_density(ours, GRADES, named) == pytest.approx(theirs.llf / len(GRADE))


def test_ordered_levels_in_the_order_given_and_classes_sorted():
    family = Ordered(levels=("low", "middle", "high"))
    ours = MixtureClassifier(family=family).fit(X, LEVELS)
    y = pd.Series(pd.Categorical(LEVELS, categories=["low", "middle", "high"], ordered=True))
    theirs = OrderedModel(y, X, distr="logit").fit(disp=False)
    assert ours.classes_.tolist() == ["high", "low", "middle"]
    assert ours.coef_[0, 0] == pytest.approx(theirs.params["age"], rel=1e-4)
    probability = np.asarray(theirs.predict())[:, [2, 0, 1]]
    np.testing.assert_allclose(ours.predict_proba(X), probability, atol=1e-5)
    assert set(ours.nuisance_) == {"below.middle", "below.high"}
    assert ours.log_density(X, LEVELS).sum() == pytest.approx(theirs.llf, rel=1e-6)
    # A level that no row has is left out.
    rest = LEVELS != "middle"
    two = MixtureClassifier(family=family).fit(X[rest], LEVELS[rest])
    logit = sm.Logit(LEVELS[rest] == "high", sm.add_constant(X[rest])).fit(disp=False)
    np.testing.assert_allclose(two.predict_proba(X[rest])[:, 0], logit.predict(), rtol=1e-5)


def test_two_ordered_components_and_what_they_say_of_rows():
    rng = np.random.default_rng(9)
    x, z = rng.normal(size=(2, 1200))
    slope = np.where(rng.random(1200) < 1 / (1 + np.exp(-2 * z)), 3.0, -3.0)
    y = np.digitize(slope * x + rng.logistic(size=1200), [-2.0, -0.5, 0.5, 2.0])
    frame = pd.DataFrame({"x": x, "z": z})
    ours = MixtureClassifier(2, family="ordered", concomitant="z", n_starts=5).fit(frame, y)
    slopes = np.sort(ours.coef_[:, 0])
    np.testing.assert_allclose(slopes, [-3.0, 3.0], atol=0.8)
    np.testing.assert_allclose(ours.predict_proba(frame).sum(axis=1), 1.0)
    prior = ours.component_proba(frame)
    cuts = np.column_stack([ours.nuisance_[f"below.{j}"] for j in (1, 2, 3, 4)])
    eta = frame.to_numpy() @ ours.coef_.T
    below = 1 / (1 + np.exp(-(cuts[None] - eta[..., None])))
    edges = np.concatenate([np.zeros((1200, 2, 1)), below, np.ones((1200, 2, 1))], axis=2)
    within = np.diff(edges, axis=2)
    np.testing.assert_allclose(
        ours.predict_proba(frame), (prior[..., None] * within).sum(axis=1), atol=1e-10
    )
    joint = prior * within[np.arange(1200), :, y]
    np.testing.assert_allclose(
        ours.component_proba(frame, y), joint / joint.sum(axis=1, keepdims=True), atol=1e-10
    )


def test_grid_search_over_families():
    search = GridSearchCV(
        MixtureRegressor(n_starts=5), {"family": ["gaussian", "poisson", "nb2"]},
        scoring=mean_log_density, cv=KFold(3),
    )  # fmt: skip
    counts = stats.nbinom.rvs(1.0, 0.2, size=300, random_state=2)
    assert search.fit(X, counts).best_params_ == {"family": "nb2"}


def refuse(estimator, X, y, **options):
    with pytest.raises(SmmixError) as caught:
        estimator.fit(X, y, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_makes_no_sense_is_refused_in_a_sentence():
    assert "for MixtureClassifier" in refuse(MixtureRegressor(family="binomial"), X, COUNTS > 3)
    assert "for MixtureRegressor" in refuse(MixtureClassifier(family="poisson"), X, COUNTS > 3)
    assert "use family='ordered'" in refuse(MixtureClassifier(), X, LEVELS)
    assert "one class only" in refuse(MixtureClassifier(), X, np.ones(300, dtype=int))
    ordered = MixtureClassifier(family="ordered", fit_intercept=False)
    assert "whose cuts take the place" in refuse(ordered, X, LEVELS)
    named = MixtureClassifier(family=Ordered(levels=("low", "high")))
    assert "'middle'" in refuse(named, X, LEVELS)
    both = MixtureClassifier(2, family=["ordered", "zero"])
    assert "all of one family" in refuse(both, X, LEVELS)
    negative = refuse(MixtureRegressor(family="poisson"), X, COUNTS - 10)
    assert "a Poisson response" in negative
    assert "event means nothing" in refuse(MixtureRegressor(), X, COUNTS, event=MONTHS > 3)
    assert "exposure" in refuse(MixtureRegressor(family="poisson"), X, COUNTS, exposure=-MONTHS)
    seen = MixtureClassifier().fit(GRADES, GRADE)
    with pytest.raises(SmmixError, match="row 0, a class that the fit has not seen"):
        seen.log_density(GRADES, GRADE + 5)
