"""Mixtures that no data tell apart are refused, and those that some data do are not."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import smmix
from smmix.errors import SmmixError

ROWS = 400
UNTOLD = "is not identified when each unit is one yes or no"
TOO_FEW = "more than the probabilities of the response"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    x = rng.normal(size=ROWS)
    eta = np.where(rng.random(ROWS) < 0.5, -1.5, 1.5) + x
    return pd.DataFrame(
        {
            "x": x,
            "z": rng.normal(size=ROWS),
            "arm": rng.integers(0, 2, ROWS),
            "dose": rng.integers(0, 9, ROWS),
            "y": (rng.random(ROWS) < special.expit(eta)).astype(int),
            "s": rng.binomial(5, special.expit(eta)),
            "five": 5,
            "two": 2,
            "s2": rng.binomial(2, special.expit(eta)),
            "grade": rng.integers(0, 4, ROWS),
            "id": np.arange(ROWS) // 4,
            "alone": np.arange(ROWS),
            "told": np.where(np.arange(ROWS) < 20, 0.0, np.nan),
        }
    )


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ x", {}, UNTOLD),
        ("y ~ x", {"family": "bernoulli", "k": 3}, UNTOLD),
        ("y ~ x", {"groups": "alone"}, UNTOLD),
        ("y ~ x", {"freq_weights": "five"}, UNTOLD),
        ("y ~ x", {"concomitant": "~ 1"}, UNTOLD),
        ("y ~ x", {"common": ["Intercept"]}, UNTOLD),
        ("y ~ x", {"family": smmix.families.Binomial(link="probit")}, UNTOLD),
        ("y ~ x", {"family": ["binomial", "binomial", "zero"], "k": 3}, UNTOLD),
        ("y ~ x", {"family": "ordered"}, UNTOLD),
        ("y ~ arm", {"common": ["arm"]}, TOO_FEW),
        ("y ~ 1", {"concomitant": "~ arm"}, TOO_FEW),
        ("y ~ 1", {"family": ["binomial", "zero"]}, TOO_FEW),
        ("s2 ~ 1", {"trials": "two"}, TOO_FEW),
        ("grade ~ 1", {"family": "ordered"}, TOO_FEW),
    ],
)
def test_what_is_not_identified_is_refused(data, formula, options, words):
    with pytest.raises(SmmixError, match=words):
        smmix.from_formula(formula, data, **{"k": 2, "family": "binomial", **options})


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ x", {"k": 1}),
        ("y ~ x", {"common": ["x"]}),
        ("y ~ dose", {"common": ["dose"]}),
        ("y ~ x", {"concomitant": "~ z"}),
        ("y ~ x", {"groups": "id"}),
        ("y ~ x", {"offset": "z"}),
        ("y ~ x", {"known": "told"}),
        ("y ~ x", {"fixed": {"x[0]": 1.0, "x[1]": 1.0}}),
        ("y ~ x", {"family": ["binomial", "zero"]}),
        ("s ~ x", {"trials": "five"}),
        ("s ~ 1", {"trials": "five"}),
        ("s2 ~ x", {"trials": "two"}),
        ("grade ~ x", {"family": "ordered"}),
        ("grade ~ 1", {"family": "ordered", "groups": "id"}),
    ],
)
def test_what_is_identified_is_not(data, formula, options):
    smmix.from_formula(formula, data, **{"k": 2, "family": "binomial", **options})


def test_a_formula_for_each_component_is_a_restriction(data):
    smmix.from_formula({0: "y ~ 1", 1: "y ~ x"}, data, k=2, family="binomial")


@pytest.mark.parametrize(("levels", "accepted"), [(3, False), (4, True), (9, True)])
def test_there_are_as_many_probabilities_as_parameters_where_the_jacobian_has_full_rank(
    levels, accepted
):
    """Four parameters, two intercepts beside a common slope, by the probability of each dose."""
    dose = np.arange(float(levels))

    def probability(theta):
        share = special.expit(theta[3])
        return share * special.expit(theta[0] + theta[2] * dose) + (1 - share) * special.expit(
            theta[1] + theta[2] * dose
        )

    at, step = np.array([-1.3, 0.9, 0.4, 0.2]), 1e-6
    jacobian = [(probability(at + h) - probability(at - h)) / (2 * step) for h in step * np.eye(4)]
    singular = np.linalg.svd(np.array(jacobian), compute_uv=False)
    assert (singular.size == 4 and singular[-1] > 1e-8 * singular[0]) == accepted
    table = pd.DataFrame({"dose": np.tile(dose, 40), "y": np.tile([0, 1], 20 * levels)})

    def build():
        return smmix.from_formula("y ~ dose", table, k=2, family="binomial", common=["dose"])

    if accepted:
        build()
    else:
        with pytest.raises(SmmixError, match=TOO_FEW):
            build()


def test_a_scan_of_components_is_told_at_the_second(data):
    with pytest.raises(SmmixError, match=UNTOLD):
        smmix.select_k("y ~ x", data, k=range(1, 3), family="binomial", progress=False)
    single = smmix.from_formula("y ~ x", data, k=1, family="binomial").fit()
    with pytest.raises(SmmixError, match=UNTOLD):
        smmix.bootstrap_lrt(single, n_boot=9, progress=False)


def test_rows_that_are_not_in_memory_are_refused_as_well(data, tmp_path):
    data.to_parquet(tmp_path / "data.parquet")
    rows = smmix.scan_parquet(tmp_path / "data.parquet")
    with pytest.raises(SmmixError, match=UNTOLD):
        smmix.from_formula("y ~ x", rows, k=2, family="binomial")
    smmix.from_formula("y ~ x", rows, k=2, family="binomial", concomitant="~ z")
