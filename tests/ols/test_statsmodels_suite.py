"""statsmodels' own tests of OLS, where its package ships them, run with ours in OLS's place."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import smmix

NAMES = ("regression", "robustcov", "predict", "cov")
REGRESSION = [f"regression.tests.test_{name}" for name in NAMES]
GENERIC = ["base.tests.test_generic_methods", "base.tests.test_shrink_pickle"]
#: Tests that stand still for seconds and are not of least squares.
LEFT_OUT = "not conf_int_el and not TestRegularizedFit"
#: Tests of all models that are of least squares.
OF_OLS = "OLS or Formula or ttest_tvalues or RankDeficient"
#: What differs, and why.
DIFFERENCES = {
    "TestOLS::test_rsquared_adj_overfit": "a fit without degrees of freedom is refused",
    "test_summary_as_latex": "the title of the table has the name of the class",
    "test_ridge": "a private method of OLS",
    "test_regularized_refit": "weights are known, and statsmodels' WLS gives a refit no errors",
    "test_regularized_options": "an offset is subtracted from the response beforehand",
    "test_condition_number_nonpositive_eigval": "the condition number is not made of eigenvalues",
    "test_formula_missing_cat": "a missing value is an error of smmix, not of patsy",
    "TestOLSRobustClusterJK::test_hc3_vs_crv3": "fit() takes no argument that it would ignore",
}
GENERIC_DIFFERENCES = {
    "TestGenericOLS::test_zero_constrained": "fit() takes no argument that it would ignore",
    "TestPickleFormula::test_remove_data_pickle": "fewer copies of the data are held to begin with",
    "TestWaldAnovaRankDeficient::test_df_rank_adjusted": "the warning names the columns",
    "TestWaldAnovaRankDeficient::test_interaction_df_less_than_nominal": "the same warning",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modules", "chosen", "least", "differences"),
    [(REGRESSION, LEFT_OUT, 400, DIFFERENCES), (GENERIC, OF_OLS, 45, GENERIC_DIFFERENCES)],
    ids=["regression", "generic"],
)
def test_statsmodels_own_tests_hold_with_our_least_squares(
    tmp_path, modules, chosen, least, differences
):
    if importlib.util.find_spec("statsmodels.base.tests") is None:
        pytest.skip("this release of statsmodels ships no tests")
    outcomes = tmp_path / "outcomes.json"
    here = pathlib.Path(__file__).parent
    root = pathlib.Path(smmix.__file__).parents[1]
    environment = os.environ | {
        "OUTCOMES": str(outcomes),
        "PYTHONPATH": os.pathsep.join([str(root), str(here)]),
    }
    call = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path)]
    call += ["-p", "statsmodels_in_place", "-p", "no:cacheprovider", "-W", "ignore"]
    call += ["-k", chosen, "--pyargs", *(f"statsmodels.{module}" for module in modules)]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert outcomes.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(outcomes.read_text())
    failed = {name for name, outcome in found.items() if outcome == "failed"}
    assert sum(outcome == "passed" for outcome in found.values()) > least
    assert failed == differences.keys() & found.keys(), done.stdout[-3000:]
