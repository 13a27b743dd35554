"""Fits that are pickled, copied, sent to workers, or stripped of their data."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers_model import engel, engel_fit, everything_fit, panel

import smmix
from smmix import SmmixError, from_formula

FORMULA = "foodexp ~ center(np.log(income)) + bs(income, df=4)"


@pytest.fixture
def fit():
    """A fit that nothing else uses, for its data will be taken away."""
    return from_formula("foodexp ~ income", engel()).fit()


@pytest.fixture(scope="module")
def spline():
    return from_formula(FORMULA, engel()).fit(n_starts=10)


def same(one, two):
    np.testing.assert_array_equal(one.params, two.params)
    np.testing.assert_array_equal(one.bse, two.bse)
    np.testing.assert_array_equal(one.predict(engel().head(4)), two.predict(engel().head(4)))
    np.testing.assert_array_equal(one.posterior, two.posterior)
    assert list(one.params.index) == list(two.params.index)
    assert isinstance(two, smmix.MixtureResults)


@pytest.mark.parametrize(
    "round_trip",
    [
        lambda r: pickle.loads(pickle.dumps(r)),
        copy.copy,
        copy.deepcopy,
        lambda r: pickle.loads(pickle.dumps(r, protocol=2)),
    ],
)
def test_round_trips(spline, round_trip):
    again = round_trip(spline)
    same(spline, again)
    assert str(again.summary())[-400:] == str(spline.summary())[-400:]
    assert again.model.fit(n_starts=10).llf == pytest.approx(spline.llf, abs=1e-9)


def test_everything_at_once():
    again = pickle.loads(pickle.dumps(everything_fit()))
    np.testing.assert_array_equal(again.posterior, everything_fit().posterior)
    np.testing.assert_array_equal(again.predict(panel()), everything_fit().predict(panel()))


def test_cloudpickle(spline):
    cloudpickle = pytest.importorskip("cloudpickle")
    same(spline, pickle.loads(cloudpickle.dumps(spline)))


def test_joblib(spline, tmp_path):
    joblib = pytest.importorskip("joblib")
    joblib.dump(spline, tmp_path / "fit.joblib")
    same(spline, joblib.load(tmp_path / "fit.joblib"))


def test_statsmodels_save_and_load(spline, tmp_path):
    path = str(tmp_path / "fit.pickle")
    spline.save(path)
    same(spline, type(spline).load(path))


def test_a_model_without_results():
    model = pickle.loads(pickle.dumps(from_formula("foodexp ~ income", engel())))
    np.testing.assert_array_equal(model.fit().params, engel_fit().params)


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same(spline, tmp_path):
    path = tmp_path / "fit.pickle"
    path.write_bytes(pickle.dumps(spline))
    code = textwrap.dedent(
        f"""
        import pickle
        with open({str(path)!r}, "rb") as file:
            fit = pickle.load(file)
        print(repr(fit.predict({{"income": [500.0, 900.0]}}).tolist()))
        """
    )
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == repr(spline.predict({"income": [500.0, 900.0]}).tolist())


class TestRemoveData:
    def test_summary_and_predictions_remain(self, fit):
        before = str(fit.summary()).splitlines()
        table = fit.classification_table()
        prediction = fit.predict(engel().head(3))
        criteria = fit.info_criteria()
        fit.remove_data()
        changed = [
            b for b, a in zip(before, str(fit.summary()).splitlines(), strict=True) if a != b
        ]
        assert all(line.startswith("Time:") for line in changed)
        np.testing.assert_array_equal(fit.predict(engel().head(3)), prediction)
        np.testing.assert_array_equal(fit.info_criteria(), criteria)
        np.testing.assert_array_equal(fit.classification_table(), table)
        assert len(fit.starts) >= 1
        assert fit.proportions().shape == (2, 4)
        assert fit.components[0].nobs > 0
        assert fit.t_test("income[0] = income[1]").pvalue < 0.01

    def test_no_value_of_the_data_is_left(self, fit):
        values = engel()["foodexp"].to_numpy()
        assert values[:4].tobytes() in pickle.dumps(fit)
        fit.remove_data()
        stripped = pickle.dumps(fit)
        for column in engel().columns:
            values = engel()[column].to_numpy()
            assert not any(value.tobytes() in stripped for value in values)
        again = pickle.loads(stripped)
        np.testing.assert_array_equal(again.predict(engel()), fit.predict(engel()))

    def test_labels_of_groups_are_gone(self):
        frame = panel().assign(id="patient-" + panel()["id"].astype(str))
        fit = from_formula("y ~ x1", frame, groups="id").fit()
        fit.remove_data()
        assert b"patient-" not in pickle.dumps(fit)
        assert f"No. Groups:{frame['id'].nunique():>27}"[:11] in str(fit.summary())

    @pytest.mark.parametrize(
        "call",
        [
            lambda fit: fit.posterior,
            lambda fit: fit.fittedvalues,
            lambda fit: fit.resid,
            lambda fit: fit.model.loglike(fit.params),
            lambda fit: fit.model.fit(),
            lambda fit: fit.predict(),
            lambda fit: fit.get_robustcov_results("HC0"),
        ],
    )
    def test_what_needs_them_says_so(self, fit, call):
        fit.remove_data()
        with pytest.raises(SmmixError, match="remove_data"):
            call(fit)

    def test_twice_is_once(self, fit):
        fit.remove_data()
        fit.remove_data()
        assert fit.predict({"income": [500.0]}).notna().all()

    def test_saving_without_data(self, fit, tmp_path):
        path = str(tmp_path / "fit.pickle")
        expected = fit.predict({"income": [500.0]})
        fit.save(path, remove_data=True)
        assert type(fit).load(path).predict({"income": [500.0]}).equals(expected)

    def test_other_columns_of_the_table_are_not_pickled(self):
        frame = engel().assign(secret=np.arange(235) + 0.123456789)
        model = from_formula("foodexp ~ income", frame)
        assert frame["secret"].to_numpy()[100].tobytes() not in pickle.dumps(model)
