"""What users of statsmodels expect to find, where they expect it."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
from helpers_model import engel, engel_fit, everything_fit, refusal
from statsmodels.iolib.summary import summary_params, summary_params_frame
from statsmodels.stats.outliers_influence import MLEInfluence

import smmix

X = sm.add_constant(engel()["income"])


def test_wald_tests_of_terms_are_numbers_or_arrays():
    table = engel_fit().wald_test_terms(scalar=True).table
    arrays = engel_fit().wald_test_terms(scalar=False).table
    assert isinstance(table["statistic"].iloc[0], float)
    assert arrays["statistic"].iloc[0].shape == (1, 1)
    assert [value.item() for value in arrays["statistic"]] == table["statistic"].tolist()


def test_names_of_a_summary():
    results = engel_fit()
    names = [f"theta{i}" for i in range(len(results.params))]
    text = str(results.summary(yname="food", xname=names))
    assert "Dep. Variable:                   food" in text
    told = [line.split()[0] for line in text.splitlines() if line.startswith("theta")]
    assert told == [names[i] for i in (0, 1, 4, 2, 3, 5)]
    assert str(results.summary()).count("income") == 3
    refusal(lambda: results.summary(xname=["a"]), "xname has 1 names for 7 parameters")


def test_a_design_predicts_at_any_parameters_of_a_formula_model():
    results = engel_fit()
    model, rows = results.model, engel().iloc[:4]
    design = np.column_stack([np.ones(4), rows["income"]])
    for which in ("mean", "components", "prob"):
        expected = model.predict(results.params, rows, which=which)
        np.testing.assert_allclose(model.predict(results.params, design, which=which), expected)


def test_one_number_is_a_row_of_one_regressor():
    results = smmix.MixtureOLS(engel()["foodexp"], engel()["income"]).fit(n_starts=3)
    expected = results.predict([[500.0]]).iloc[0]
    assert results.predict(500.0).tolist() == [expected]
    two = smmix.MixtureOLS(engel()["foodexp"], X).fit(n_starts=3)
    refusal(lambda: two.predict(500.0), "2 columns")


def test_a_model_is_made_again_with_other_columns():
    columns = np.column_stack([X, X["income"] ** 2 / 1e3])
    weights = np.tile([1.0, 2.0], 118)[:235]
    model = smmix.MixtureOLS(
        engel()["foodexp"].to_numpy(), columns, variance="equal", freq_weights=weights
    )
    given = model._get_init_kwds()
    again = type(model)(model.endog, model.exog[:, :2], **given)
    narrow = smmix.MixtureOLS(model.endog, columns[:, :2], variance="equal", freq_weights=weights)
    assert again.param_names == narrow.param_names
    assert again.fit(n_starts=3).llf == narrow.fit(n_starts=3).llf
    assert engel_fit().model._get_init_kwds()["freq_weights"] is None


@pytest.mark.parametrize("family", ["weibull", "binomial", "poisson"])
def test_a_model_of_a_family_is_made_again(family):
    income = engel()["income"].to_numpy() / 1e3
    ended = (np.arange(235) % 3 > 0).astype(float)
    times, counts = engel()["foodexp"].to_numpy() / 1e3, np.arange(235) % 4
    column, option = {
        "weibull": (times, {"event": ended}),
        "binomial": (counts, {"trials": np.full(235, 5)}),
        "poisson": (counts, {"freq_weights": 1.0 + ended}),
    }[family]
    frame = pd.DataFrame({"y": column, "income": income})
    model = smmix.from_formula("y ~ income", frame, family=family, **option)
    np.testing.assert_array_equal(model.endog, column)
    again = type(model)(model.endog, model.exog, **model._get_init_kwds())
    point = np.linspace(0.2, 0.7, len(model.param_names))
    assert again.loglike(point) == model.loglike(point)
    arrays = smmix.MixtureGLM(column, model.exog, 2, family=family, **option)
    assert arrays.loglike(point) == model.loglike(point)
    assert arrays._get_init_kwds().keys() == model._get_init_kwds().keys()


def test_information_is_minus_the_hessian():
    results = everything_fit()
    information = results.model.information(results.params)
    np.testing.assert_array_equal(information, -results.model.hessian(results.params))
    step = 1e-6 * np.eye(len(results.params))
    score, params = results.model.score, results.params.to_numpy()
    slopes = [(score(params + h) - score(params - h)) / 2e-6 for h in step]
    np.testing.assert_allclose(information, -np.array(slopes), rtol=1e-4, atol=1e-3)


def test_influence_of_statsmodels_moves_parameters_by_score_and_covariance():
    results = engel_fit()
    theirs = MLEInfluence(results)
    scores = results.model.score_obs(results.params)
    expected = scores @ results.cov_params().to_numpy()
    with pytest.warns(UserWarning, match="hat matrix is not available"):
        moved = np.asarray(theirs.d_params)
    np.testing.assert_allclose(moved, expected, rtol=1e-8, atol=1e-12)
    with pytest.raises(NotImplementedError, match="get_influence"):
        _ = theirs.d_fittedvalues


def test_the_table_of_parameters_of_statsmodels_takes_our_names():
    results = engel_fit()
    frame = summary_params_frame(results, xname=results.model.param_names, use_t=False)
    np.testing.assert_allclose(frame["coef"], results.params)
    np.testing.assert_allclose(frame["P>|z|"], results.pvalues)
    # As with MixedLM, whose parameters are more than its columns, too, it asks for the names.
    text = str(summary_params(results, xname=results.model.param_names, use_t=False))
    for name in results.params.index:
        assert name in text
    with pytest.raises(ValueError, match="xnames and params do not have the same length"):
        summary_params(results)


def test_names_of_a_formula_come_from_an_environment_of_patsy():
    def halved(values):
        return values / 2

    here = patsy.EvalEnvironment.capture(0)
    found = smmix.from_formula("foodexp ~ halved(income)", engel(), eval_env=here)
    assert found.exog[0, 1] == engel()["income"].iloc[0] / 2
    alone = "halved"
    refusal(lambda: smmix.from_formula("foodexp ~ halved(income)", engel(), eval_env=-1), alone)
    for wrong in (-2, True, "here", None, 1.5):
        refusal(
            lambda wrong=wrong: smmix.from_formula("foodexp ~ income", engel(), eval_env=wrong),
            "eval_env",
        )


def test_the_frame_is_where_statsmodels_keeps_it_and_not_in_pickles():
    model = smmix.from_formula("foodexp ~ income", engel())
    assert model.data.frame is engel()
    more = pd.DataFrame(np.ones((235, 200))).add_prefix("c")
    wide = pd.concat([engel(), more], axis=1)
    small = pickle.dumps(smmix.from_formula("foodexp ~ income", wide))
    assert len(small) < 1.5 * len(pickle.dumps(model))
    assert pickle.loads(small).data.frame is None
    model.remove_data()
    assert getattr(model.data, "frame", None) is None
