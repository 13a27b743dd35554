"""The scikit-learn estimator: its conventions, and its numbers beside those of the model."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers_model import engel, engel_fit
from scipy import stats

import smmix
from smmix.errors import DegenerateComponentWarning, SmmixError

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from smmix.sklearn import MixtureRegressor, mean_log_density

X, Y = engel()[["income"]], engel()["foodexp"]


def allowed_failures(estimator):
    """What scikit-learn's checks ask that a mixture of several components must not do."""
    if estimator.n_components == 1:
        return {}
    return {
        "check_regressors_no_decision_function": "the probabilities of components are the point",
    }


# A list: parametrize_with_checks of older versions passes a generator, of which pytest warns.
CHECKS = [
    case
    for estimator in (
        MixtureRegressor(),
        MixtureRegressor(fit_intercept=False),
        MixtureRegressor(n_components=2, variance="equal", n_starts=3),
    )
    for case in estimator_checks_generator(
        estimator, expected_failed_checks=allowed_failures(estimator), mark="xfail"
    )
]


def name_of(part):
    """The name of a test case's estimator or check, as in the output of pytest."""
    return getattr(part, "func", part).__name__ if callable(part) else str(part)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=name_of)
def test_scikit_learn_checks(estimator, check):
    try:
        check(estimator)
    except SmmixError as error:
        # Some checks fit 10 rows, which one component must manage and two cannot.
        if estimator.n_components == 1 or "too few for k=2" not in str(error):
            raise
        pytest.xfail(str(error))


def test_the_fit_is_that_of_the_model():
    fitted, results = MixtureRegressor(n_components=2).fit(X, Y), engel_fit(2)
    np.testing.assert_allclose(fitted.coef_[:, 0], results.coef.loc["income"])
    np.testing.assert_allclose(fitted.intercept_, results.coef.loc["Intercept"])
    np.testing.assert_allclose(fitted.sigma_, results.sigma)
    np.testing.assert_allclose(fitted.weights_, results.mixing_weights)
    np.testing.assert_array_equal(fitted.labels_, results.labels)
    np.testing.assert_allclose(fitted.predict(X), results.predict())
    np.testing.assert_allclose(fitted.predict_components(X), results.predict(which="components"))
    np.testing.assert_allclose(fitted.predict_proba(X), results.predict(which="prob"))
    np.testing.assert_allclose(fitted.predict_proba(X, Y), results.posterior, atol=1e-12)
    assert fitted.log_density(X, Y).sum() == pytest.approx(results.llf)
    assert list(fitted.results_.coef.index) == ["Intercept", "income"]


def test_one_component_is_linear_regression():
    ours, theirs = MixtureRegressor().fit(X, Y), LinearRegression().fit(X, Y)
    np.testing.assert_allclose(ours.coef_[0], theirs.coef_, rtol=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)
    assert ours.score(X, Y) == pytest.approx(theirs.score(X, Y), rel=1e-9)
    density = stats.norm.logpdf(
        Y, theirs.predict(X), np.sqrt(np.mean((Y - theirs.predict(X)) ** 2))
    )
    np.testing.assert_allclose(ours.log_density(X, Y), density, rtol=1e-8)


def test_posterior_and_density_from_their_definition():
    fitted = MixtureRegressor(n_components=2).fit(X, Y)
    means = fitted.intercept_ + X.to_numpy() * fitted.coef_[:, 0]
    joint = fitted.weights_ * stats.norm.pdf(Y.to_numpy()[:, None], means, fitted.sigma_)
    np.testing.assert_allclose(fitted.log_density(X, Y), np.log(joint.sum(axis=1)), rtol=1e-9)
    posterior = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X, Y), posterior, atol=1e-12)


def test_weights_are_repetitions():
    weight = np.arange(235) % 4
    weighted = MixtureRegressor(n_components=2).fit(X, Y, sample_weight=weight)
    repeated = MixtureRegressor(n_components=2).fit(np.repeat(X, weight, 0), np.repeat(Y, weight))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
    assert len(weighted.labels_) == 235


def test_concomitant_columns_drive_the_probabilities():
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(2, 800))
    second = rng.random(800) < 1 / (1 + np.exp(-2 * z))
    y = np.where(second, 4 + x, -2 * x) + 0.5 * rng.normal(size=800)
    frame = pd.DataFrame({"x": x, "z": z})
    fitted = MixtureRegressor(n_components=2, concomitant=["z"], n_starts=10).fit(frame, y)
    results = smmix.from_formula("y ~ x + z", frame.assign(y=y), k=2, concomitant="z").fit()
    np.testing.assert_allclose(
        fitted.predict_proba(frame), results.predict(which="prob"), rtol=1e-5, atol=1e-9
    )
    np.testing.assert_allclose(fitted.predict_proba(frame, y), results.posterior, atol=1e-6)
    single = MixtureRegressor(n_components=2, concomitant="z", n_starts=10).fit(frame, y)
    np.testing.assert_array_equal(single.coef_, fitted.coef_)
    by_position = MixtureRegressor(n_components=2, concomitant=[1], n_starts=10)
    np.testing.assert_allclose(by_position.fit(frame.to_numpy(), y).coef_, fitted.coef_, rtol=1e-6)


def test_collinear_columns_get_zero_and_predictions_do_not_mind():
    twice = np.column_stack([X, 3.0 - 2.0 * X, np.ones(235)])
    ours = MixtureRegressor(n_components=2).fit(twice, Y)
    assert (ours.coef_[:, 1:] == 0.0).all()
    np.testing.assert_allclose(ours.predict(twice), engel_fit(2).predict(), rtol=1e-8)


def test_pipeline_with_one_hot_encoding():
    rng = np.random.default_rng(1)
    frame = X.assign(region=rng.choice(["a", "b", "c"], 235))
    y = Y + 100.0 * (frame["region"] == "b")
    encode = make_column_transformer(
        (OneHotEncoder(), ["region"]), (StandardScaler(), ["income"]), sparse_threshold=0
    )
    pipe = make_pipeline(encode, MixtureRegressor(n_components=2)).fit(frame, y)
    results = smmix.from_formula("y ~ region + income", frame.assign(y=y), k=2).fit()
    np.testing.assert_allclose(pipe.predict(frame), results.predict(), rtol=1e-5)
    assert mean_log_density(pipe, frame, y) == pytest.approx(results.llf / 235)
    assert pipe.predict_proba(frame).shape == (235, 2)


def test_grid_search_chooses_the_number_of_components():
    frame = smmix.simulate_mixture(400, coef=[[0, 2], [6, -1]], rng=1).frame
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MixtureRegressor(n_starts=10)),
        {"mixtureregressor__n_components": [1, 2, 3]},
        scoring=mean_log_density,
        cv=KFold(3, shuffle=True, random_state=0),
    )
    search.fit(frame[["x1"]], frame["y"])
    assert search.best_params_ == {"mixtureregressor__n_components": 2}


def test_default_score_is_r_squared():
    scores = cross_val_score(MixtureRegressor(), X, Y, cv=3)
    theirs = cross_val_score(LinearRegression(), X, Y, cv=3)
    np.testing.assert_allclose(scores, theirs, rtol=1e-8)


def test_the_same_seed_gives_the_same_fit():
    fits = [
        MixtureRegressor(n_components=2, random_state=state).fit(X, Y).coef_
        for state in (7, 7, np.random.RandomState(7), np.random.RandomState(7))
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    np.testing.assert_array_equal(fits[2], fits[3])


def test_clone_and_pickle():
    fitted = MixtureRegressor(n_components=2, concomitant=["income"]).fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X, Y), fitted.predict_proba(X, Y))
    assert clone(fitted).get_params() == fitted.get_params()


def test_an_exact_fit_is_said_and_predicts_exactly():
    y = 3.0 - 2.0 * X["income"]
    with pytest.warns(DegenerateComponentWarning, match="fit y exactly"):
        fitted = MixtureRegressor(n_components=2).fit(X, y)
    np.testing.assert_allclose(fitted.predict(X), y, rtol=1e-12)
    np.testing.assert_array_equal(fitted.sigma_, [0.0, 0.0])
    np.testing.assert_allclose(fitted.predict_proba(X, y), 0.5)
    with pytest.raises(SmmixError, match="y has no density"):
        fitted.log_density(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components must be"),
        ({"n_components": 2, "tol": "small"}, "^tol must be"),
        ({"n_components": 2, "max_iter": 0}, "^max_iter must be"),
        ({"n_components": 2, "method": "newton"}, "^method must be"),
        ({"n_components": 2, "concomitant": "age"}, "'age', which X has not"),
        ({"variance": "diag"}, "variance must be 'free' or 'equal'"),
        ({"n_components": 2, "concomitant": ["age"]}, "'age', which X has not"),
        ({"n_components": 2, "concomitant": [1]}, "the column 1, which X has not"),
    ],
)
def test_options_that_make_no_sense_are_named(options, message):
    with pytest.raises(SmmixError, match=message):
        MixtureRegressor(**options).fit(X, Y)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(235), "zero in every row"),
        (np.full(235, -1.0), "-1 in row 0"),
        (np.ones(3), "one weight for each of the 235 rows"),
    ],
)
def test_weights_that_make_no_sense_are_named(weight, message):
    with pytest.raises(SmmixError, match=message):
        MixtureRegressor().fit(X, Y, sample_weight=weight)


def test_without_scikit_learn_one_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try:\n    import smmix.sklearn\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'pip install "smmix[sklearn]"' in done.stdout, done.stderr
