"""Calls beside a fit: least squares, simulation, estimators of scikit-learn."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from hypothesis import strategies as st
from laws.calls.on_results import SMALL
from laws.calls.outcome import Refused, answer
from laws.calls.strange import per_row, things
from laws.calls.tables import DAMAGES, table
from laws.families_data import names

import smmix
from smmix import families as fam
from smmix.sklearn import MixtureClassifier, MixtureRegressor

N = 30


@st.composite
def some(draw: Any, sound: dict[str, Any], odd: Any = things, most: int = 4) -> dict[str, Any]:
    """Some of the arguments; one call in three has an odd one."""
    given = {
        name: draw(sound[name])
        for name in draw(st.lists(st.sampled_from(sorted(sound)), unique=True, max_size=most))
    }
    kind = draw(st.integers(0, 8))
    if kind < 2:
        given[draw(st.sampled_from(sorted(sound)))] = draw(odd)
    elif kind == 2:
        given[draw(st.sampled_from(["weight", "rngs", "n_stars", "alfa"]))] = draw(things)
    return given


# -- least squares -------------------------------------------------------------------------------


@st.composite
def least_squares_calls(draw: Any) -> tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """The door, the data, the arguments of the model and those of its fit."""
    frame = table("gaussian", draw(st.integers(0, 9)), N)
    door = draw(st.sampled_from(["arrays", "formula", "solve"]))
    kind = draw(st.integers(0, 5))
    if door == "formula":
        data = DAMAGES[draw(st.sampled_from(sorted(DAMAGES)))](frame) if kind < 3 else frame
        formula = draw(st.sampled_from(["y ~ x1", "y ~ x1 + g", "y ~ 1", "y ~ nosuch", "y ~", ""]))
        args: list[Any] = [formula, data]
        model = draw(some({"missing": st.sampled_from(["drop", "none"])}))
        model.pop("missing", None) if draw(st.booleans()) else None
    else:
        y, x = frame["y"], sm.add_constant(frame[["x1", "x2"]])
        args = [y, x] if draw(st.booleans()) else [y.to_numpy(), x.to_numpy()]
        if kind < 2:
            args[kind] = draw(per_row(N))
        elif kind == 2:
            args = [y * draw(st.sampled_from([0.0, 1e-300, 1e200, np.inf])), x]
        elif kind == 3:
            scale = draw(st.sampled_from([1e-160, 1e160, 0.0, np.nan]))
            args = [y, x.assign(x1=x["x1"] * scale)]
        possible = {"weights": st.one_of(st.just(np.ones(N)), st.just(frame["pw"]), per_row(N))}
        if door == "arrays":
            possible["missing"] = st.sampled_from(["none", "drop", "raise"])
            possible["hasconst"] = st.booleans()
        model = draw(some(possible))
    options = draw(
        some(
            {
                "method": st.sampled_from(["auto", "cholesky", "qr", "lu"]),
                "cov_type": st.sampled_from(["nonrobust", "HC0", "HC3", "HAC", "cluster", "none"]),
                "cov_kwds": st.sampled_from(
                    [{}, {"groups": np.arange(N) // 3}, {"maxlags": 2}, {"a": 1}]
                ),
                "use_t": st.booleans(),
            }
        )
    )
    return door, tuple(args), model, options


def check_least_squares(call: Any) -> str:
    door, args, given, options = call
    if door == "solve":
        found = answer(smmix.solve_normal_equations, *args, **given)
        if isinstance(found, Refused):
            return "refused"
        assert np.isfinite(found.coef).all()
        assert found.rss >= 0
        return "answered"
    maker = smmix.NormalEquationOLS
    model = answer(maker.from_formula if door == "formula" else maker, *args, **given)
    results = model if isinstance(model, Refused) else answer(model.fit, **options)
    if isinstance(results, Refused):
        return "refused"
    params = np.asarray(results.params)
    assert np.isfinite(params).all()
    if not given and not options and "cov_type" not in options:
        fitted = np.asarray(results.fittedvalues)
        own = np.asarray(results.model.exog) @ params
        np.testing.assert_allclose(fitted, own, rtol=1e-7, atol=1e-9 * (1 + np.abs(own).max()))
        y = np.asarray(results.model.endog)
        expected = np.linalg.lstsq(results.model.exog, y, rcond=None)[0]
        best = np.sum((y - results.model.exog @ expected) ** 2)
        assert results.ssr <= best * (1 + 1e-6) + 1e-12 * np.sum(y**2)
    str(answer(results.summary))
    return "answered"


# -- simulation ----------------------------------------------------------------------------------


@st.composite
def simulation_calls(draw: Any) -> dict[str, Any]:
    """Arguments of simulate_mixture."""
    return draw(
        some(
            {
                "n": SMALL,
                "coef": st.sampled_from(
                    [[[0.0, 1.0], [2.0, -1.0]], [[1.0], [2.0], [3.0]], [[0, 800], [0, 1]]]
                ),
                "sigma": st.sampled_from([1.0, [1.0, 2.0], 0.0, -1.0, np.nan]),
                "weights": st.sampled_from([[0.4, 0.6], [1.0], [0.5, 0.6], [1, 0]]),
                "family": st.sampled_from(
                    [
                        *names(),
                        ["poisson", "zero"],
                        fam.StudentT(df=3),
                        fam.Ordered(levels=["a", "b"]),
                    ]
                ),
                "nuisance": st.sampled_from(
                    [
                        {"alpha": 0.5},
                        {"scale": [1.0, 2.0]},
                        {"df": 3, "sigma": 1},
                        {"shape": -1},
                        {"no": 1},
                        {"precision": 5.0},
                        {"inflate": 2.0},
                        {"below.b": 0.0},
                        {"scale": 1.0},
                        {"sigma": 1.0},
                    ]
                ),
                "trials": SMALL,
                "mixing": st.sampled_from([[[0.5, 1.0]], [[1.0]], [], [[900.0, 1e6]]]),
                "n_groups": SMALL,
                "n_features": SMALL,
                "k": SMALL,
                "rng": things,
            }
        )
    )


def check_simulation(given: dict[str, Any]) -> str:
    found = answer(smmix.simulate_mixture, **{"n": 7, **given})
    if isinstance(found, Refused):
        return "refused"
    frame = found.frame
    assert len(frame) == given.get("n", 7)
    assert not frame.isna().any(axis=None)
    assert abs(np.sum(found.weights) - 1) < 1e-9
    return "answered"


# -- scikit-learn --------------------------------------------------------------------------------


@st.composite
def estimator_calls(draw: Any) -> tuple[Any, dict[str, Any], tuple[Any, Any], dict[str, Any]]:
    """An estimator, its parameters, the data, and the method that is called after the fit."""
    maker = draw(st.sampled_from([MixtureRegressor, MixtureRegressor, MixtureClassifier]))
    parameters = {
        "n_components": SMALL,
        "concomitant": st.sampled_from([0, "x1", [1], None, 9]),
        "fit_intercept": st.booleans(),
        "method": st.sampled_from(["em-newton", "em"]),
        "random_state": st.sampled_from([0, None, np.random.RandomState(0)]),
        "tol": st.just(1e-6),
    }
    if maker is MixtureRegressor:
        parameters["variance"] = st.sampled_from(["free", "equal", "none"])
        parameters["family"] = st.sampled_from(["gaussian", "student_t", "poisson", "none"])
    frame = table("gaussian", draw(st.integers(0, 5)), N)
    y: Any = frame["flag"] if maker is MixtureClassifier else frame["y"]
    X: Any = frame[["x1", "x2"]]
    kind = draw(st.integers(0, 4))
    if kind == 0:
        X = draw(per_row(N))
    elif kind == 1:
        y = draw(per_row(N))
    elif kind == 2:
        X = X.to_numpy()
    after = draw(some({"sample_weight": st.one_of(st.just(np.ones(N)), per_row(N))}))
    return maker, draw(some(parameters)), (X, y), after


def check_estimator(call: Any) -> str:
    """scikit-learn's own checks of arrays speak for themselves; ours in a sentence."""
    maker, parameters, (X, y), given = call
    estimator = answer(lambda: maker(**{"n_starts": 2, "max_iter": 50, **parameters}))
    if isinstance(estimator, Refused):
        return "refused"
    try:
        fit = answer(estimator.fit, X, y, **given)
    except (ValueError, TypeError) as error:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        if any("site-packages/sklearn" in file for file in files):
            return "refused by scikit-learn"
        raise
    if isinstance(fit, Refused):
        return "refused"
    predicted = answer(estimator.predict, X)
    assert len(predicted) == len(np.asarray(y))
    assert not pd.isna(predicted).any()
    if maker is MixtureClassifier:
        np.testing.assert_allclose(estimator.predict_proba(X).sum(axis=1), 1.0)
    return "answered"
