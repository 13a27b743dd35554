"""Weights that scikit-learn's metadata routing hands on, beside fits and scores made by hand."""

import pickle

import numpy as np
import pytest
from helpers_model import engel

from smmix.errors import SmmixError

pytest.importorskip("sklearn")

from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from smmix.sklearn import MixtureRegressor, mean_log_density

X, Y = engel()[["income"]].to_numpy(), engel()["foodexp"].to_numpy()
WEIGHT = np.arange(235) % 4
FOLDS = KFold(3, shuffle=True, random_state=0)


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def regressor(**requests):
    made = MixtureRegressor(n_components=2, n_starts=5).set_fit_request(sample_weight=True)
    return made.set_score_request(**requests) if requests else made


def by_hand():
    """A fit to the weighted rows of each fold, and the rows left out."""
    for rest, left_out in FOLDS.split(X):
        model = MixtureRegressor(n_components=2, n_starts=5)
        yield model.fit(X[rest], Y[rest], sample_weight=WEIGHT[rest]), left_out


def test_what_goes_with_each_row_can_be_asked_for():
    routed = MixtureRegressor().get_metadata_routing()
    assert routed.fit.requests == dict.fromkeys(["sample_weight", "exposure", "event"])
    assert routed.score.requests == dict.fromkeys(["sample_weight", "exposure"])
    assert clone(regressor()).get_metadata_routing().fit.requests["sample_weight"] is True


def test_pipeline():
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipe = make_pipeline(scaler, regressor()).fit(X, Y, sample_weight=WEIGHT)
    alone = MixtureRegressor(n_components=2, n_starts=5).fit(X, Y, sample_weight=WEIGHT)
    assert pipe[-1].results_.nobs == WEIGHT.sum()
    np.testing.assert_allclose(pipe.predict(X), alone.predict(X), rtol=1e-8)
    undecided = make_pipeline(scaler, MixtureRegressor())
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        undecided.fit(X, Y, sample_weight=WEIGHT)


def test_weights_by_another_name():
    renamed = MixtureRegressor(n_components=2, n_starts=5).set_fit_request(sample_weight="mass")
    pipe = make_pipeline(StandardScaler(), renamed).fit(X, Y, mass=WEIGHT)
    assert pipe[-1].results_.nobs == WEIGHT.sum()


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("scoring", ["density", "density in a dict", None])
def test_cross_validation(scoring, asked):
    estimator = regressor() if scoring else regressor(sample_weight=asked)
    scorer = mean_log_density.set_score_request(sample_weight=asked)
    found = cross_validate(
        estimator,
        X,
        Y,
        cv=FOLDS,
        params={"sample_weight": WEIGHT},
        scoring={None: None, "density": scorer, "density in a dict": {"score": scorer}}[scoring],
    )
    expected = []
    for model, rows in by_hand():
        weight = WEIGHT[rows] if asked else None
        if scoring:
            expected.append(np.average(model.log_density(X[rows], Y[rows]), weights=weight))
        else:
            expected.append(r2_score(Y[rows], model.predict(X[rows]), sample_weight=weight))
    np.testing.assert_allclose(found["test_score"], expected, rtol=1e-10)


def test_a_score_that_was_not_decided_upon_is_asked_for():
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        cross_validate(
            regressor(), X, Y, params={"sample_weight": WEIGHT}, scoring=mean_log_density
        )


@pytest.mark.parametrize("weighted", [True, False])
def test_grid_search_in_a_pipeline(weighted):
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), regressor())
    scorer = mean_log_density.set_score_request(sample_weight=weighted)
    grid = {"mixtureregressor__n_components": [1, 2]}
    search = GridSearchCV(pipe, grid, scoring=scorer, cv=FOLDS)
    search.fit(X, Y, sample_weight=WEIGHT)
    assert search.best_params_ == {"mixtureregressor__n_components": 2}
    assert search.best_estimator_[-1].results_.nobs == WEIGHT.sum()
    scores = [
        np.average(m.log_density(X[r], Y[r]), weights=WEIGHT[r] if weighted else None)
        for m, r in by_hand()
    ]
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(scores), rel=1e-7)


def test_other_wrappers():
    wrapped = TransformedTargetRegressor(regressor()).fit(X, Y, sample_weight=WEIGHT)
    assert wrapped.regressor_.results_.nobs == WEIGHT.sum()
    predicted = cross_val_predict(regressor(), X, Y, cv=FOLDS, params={"sample_weight": WEIGHT})
    for model, rows in by_hand():
        np.testing.assert_allclose(predicted[rows], model.predict(X[rows]), rtol=1e-10)


def test_the_scorer_by_itself():
    model = MixtureRegressor(n_components=2, n_starts=5).fit(X, Y)
    repeated = mean_log_density(model, np.repeat(X, WEIGHT, 0), np.repeat(Y, WEIGHT))
    assert mean_log_density(model, X, Y, WEIGHT) == pytest.approx(repeated, rel=1e-12)
    with pytest.raises(SmmixError, match="must not be negative"):
        mean_log_density(model, X, Y, sample_weight=-1.0)
    asked = mean_log_density.set_score_request(sample_weight="mass")
    again = pickle.loads(pickle.dumps(asked))
    assert again.get_metadata_routing().score.requests["sample_weight"] == "mass"
    assert set(mean_log_density.get_metadata_routing().score.requests.values()) == {None}
    assert eval(repr(asked)).get_metadata_routing().score.requests["sample_weight"] == "mass"
