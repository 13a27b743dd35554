"""Calls of fit(), and what must hold of every fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from laws.calls.models import model_calls
from laws.calls.outcome import Refused, answer
from laws.calls.strange import per_row, things

import smmix

#: Few and short runs: these are calls by the thousand.
SHORT = {"n_starts": 3, "maxiter": 60, "threads": 1}


def sound(n: int, k: int) -> dict[str, list[Any]]:
    labels = np.arange(n) % k
    posterior = np.full((n, k), 0.5 / k) + 0.5 * np.eye(k)[labels]
    return {
        "method": ["em-newton", "em"],
        "n_starts": [1, 2, 5],
        "starts": [labels, labels.tolist(), posterior, "default"],
        "maxiter": [1, 3, 100],
        "gtol": [1e-6, 1e-8, 0.1],
        "rng": [0, 3, None, np.random.default_rng(1), np.random.SeedSequence(2)],
        "cov_type": ["nonrobust", "oim", "opg", "HC0", "HC1", "cluster", "bootstrap"],
        "cov_kwds": [
            {},
            {"groups": np.arange(n) // 4},
            {"groups": "id"},
            {"n_boot": 3, "rng": 1},
            {"use_correction": False, "groups": "g"},
            {"groups": "none"},
            {"cov_kwds": 1},
        ],
        "use_t": [True, False],
        "order": ["weight", None, "Intercept", "const", "x1", "sigma"],
        "threads": [1, 2],
        "progress": [False, None],
        "callback": [lambda *told: None],
    }


@st.composite
def fit_calls(draw: Any, odd: bool = True) -> tuple[Any, dict[str, Any]]:
    """A call that builds a model, and the arguments of its fit."""
    call = draw(model_calls(odd=False))
    n, k = len(call[1][1]), int(call[1][2])
    options = dict(SHORT)
    if not odd:
        return call, options
    possible = sound(n, k)
    for name in draw(st.lists(st.sampled_from(sorted(possible)), unique=True, max_size=3)):
        options[name] = draw(st.sampled_from(possible[name]))
    kind = draw(st.integers(0, 5))
    if kind < 2:
        name = draw(st.sampled_from([*possible, "start_params", "checkpoint"]))
        options[name] = draw(per_row(n))
    elif kind == 2:
        options[draw(st.sampled_from(["n_start", "seed", "tol", "disp", "max_iter"]))] = draw(
            things
        )
    elif kind == 3:
        options["start_params"] = draw(
            st.one_of(st.just("as many ones as parameters"), st.lists(st.floats(-3, 3), max_size=9))
        )
    return call, options


def fitted(call: tuple[Any, tuple[Any, ...], dict[str, Any]], options: dict[str, Any]) -> Any:
    function, args, given = call
    model = answer(function, *args, **given)
    if isinstance(model, Refused):
        return model
    options = dict(options)
    if isinstance(options.get("start_params"), str):
        options["start_params"] = np.full(len(model.param_names), 0.5)
    # Numbers of replicates are for people who have time.
    if options.get("cov_type") == "bootstrap":
        options.setdefault("cov_kwds", {"n_boot": 3, "threads": 1})
    return answer(model.fit, **options)


def check_fit(results: Any, given: dict[str, Any]) -> None:
    """What holds of every fit, whether it converged or not, of a model with these arguments."""
    model, params = results.model, np.asarray(results.params)
    assert np.isfinite(params).all()
    assert np.isfinite(results.llf)
    np.testing.assert_allclose(model.loglike(params), results.llf, rtol=1e-8, atol=1e-8)
    posterior = results.posterior
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0, rtol=1e-9)
    assert (results.labels.to_numpy() == posterior.to_numpy().argmax(axis=1)).all()
    np.testing.assert_allclose(results.mixing_weights.sum(), 1.0, rtol=1e-9)
    assert isinstance(results.status, str)
    assert results.status
    if results.converged:
        assert results.score_norm <= 0.1
    criteria = results.info_criteria()
    assert np.isfinite(criteria[["aic", "bic", "icl"]]).all()
    lost = [entry.parameter for entry in results.boundary]
    bse = results.bse.drop(lost, errors="ignore")
    assert (bse.dropna() >= 0).all()
    for text in (results.summary().as_text(), results.summary().as_html()):
        assert "object at 0x" not in text
    check_rows_of_the_fit(results, given)


def check_rows_of_the_fit(results: Any, given: dict[str, Any]) -> None:
    own = results.predict()
    if results.fittedvalues is not None:
        np.testing.assert_allclose(own, results.fittedvalues, rtol=1e-9)
    assert (own.index == results.posterior.index).all()
    read = smmix.read_json(results.to_json())
    np.testing.assert_array_equal(np.asarray(read.params), np.asarray(results.params))
    frame = getattr(results.model.data, "frame", None)
    if not isinstance(frame, pd.DataFrame) or results.model.design.formulas is None:
        return
    if any(isinstance(value, np.ndarray) for value in given.values()):
        # What is not in the table is not known of its rows when they come as new ones.
        return
    for which in ("mean", "components", "prob", "posterior"):
        new = results.predict(frame, which=which)
        # A row of weight zero is not one of the fit.
        used, fitted = new.loc[own.index], results.predict(which=which)
        np.testing.assert_allclose(used, fitted, rtol=1e-6, atol=1e-8)
        np.testing.assert_array_equal(read.predict(frame, which=which), new)
