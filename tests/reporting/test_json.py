"""Fits as JSON: they predict as before, hold no data, and run no code."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_density import lines

import smmix
from smmix.formula.safety import check_factor
from smmix.reporting import json_file as persistence
from smmix.reporting.json_file import read_json, to_json

DATA = lines().assign(
    g=lambda d: np.array(list("abc"))[d["cluster"] % 3],
    b=lambda d: d["cluster"] % 2 == 0,
    day=lambda d: pd.Timestamp("2020-01-01") + pd.to_timedelta(d["id"] % 2, unit="D"),
    level=lambda d: d["id"] % 4,
    **{"a b": lambda d: d["x2"] ** 2},
)
WHICH = ["mean", "components", "prob", "posterior", "label", "cdf", "quantile"]
PLAIN = "y ~ x1"


def double(x):
    return 2 * x


def fitted(formula=PLAIN, data=DATA, **options):
    model = smmix.from_formula(formula, data, k=2, eval_env=1, **options)
    return model.fit(n_starts=5)


@pytest.fixture(scope="module")
def text():
    return to_json(fitted("y ~ np.log(x2 + 2) + C(g)"))


FORMULAS = [
    "y ~ x1",
    "y ~ 0 + x1 + g",
    "y ~ center(x1) + standardize(x2) + scale(z)",
    "y ~ bs(x1, df=5) + x2",
    "y ~ bs(x1, knots=[-0.5, 0.5], degree=2)",
    "y ~ 0 + cr(x1, df=4) + x2",
    "y ~ 0 + te(cr(x1, df=3), cc(x2, df=3))",
    "y ~ C(g, Treatment('b')) * x1",
    "y ~ C(g, Sum) + C(level, Poly)",
    "y ~ b + C(day)",
    "y ~ I(x1 ** 2) + np.exp(x2) + Q('a b')",
    "np.log(y + 20) ~ x1 + np.minimum(x2, 1.0)",
]


class TestRoundTrip:
    @pytest.mark.parametrize("formula", FORMULAS)
    def test_predictions_are_identical(self, formula):
        results = fitted(formula, concomitant="~ center(z)")
        saved = read_json(to_json(results))
        new = DATA.iloc[20:50]
        for which in WHICH:
            expected, found = results.predict(new, which=which), saved.predict(new, which=which)
            assert type(found) is type(expected)
            assert found.equals(expected), which
        frame = results.get_prediction(new).summary_frame()
        assert saved.get_prediction(new).summary_frame().equals(frame)

    @pytest.mark.parametrize(
        "options",
        [
            {"variance": "equal"},
            {"common": ["x1"]},
            {"freq_weights": "w"},
            {"prob_weights": "w"},
            {"offset": "x2"},
            {"groups": "id"},
            {"fixed": {"x1[0]": 1.5}},
        ],
    )
    def test_options(self, options):
        results = fitted(**options)
        saved = read_json(to_json(results))
        for which in WHICH:
            assert saved.predict(DATA, which=which).equals(results.predict(DATA, which=which))

    def test_estimates(self):
        results = fitted(concomitant="z")
        saved = read_json(to_json(results))
        assert saved.params.equals(results.params)
        assert saved.bse.equals(results.bse)
        assert saved.cov_params().equals(results.cov_params())
        np.testing.assert_allclose(saved.pvalues, results.pvalues, rtol=1e-12)
        np.testing.assert_allclose(saved.conf_int(), results.conf_int(), rtol=1e-12)
        assert saved.coef.equals(results.coef)
        assert saved.sigma.equals(results.sigma)
        assert saved.mixing_weights.to_numpy() == pytest.approx(results.mixing_weights.to_numpy())
        assert saved.proportions().equals(results.proportions())
        assert saved.sigmas().equals(results.sigmas())
        assert saved.info_criteria.equals(results.info_criteria())
        assert (saved.llf, saved.nobs, saved.k) == (results.llf, results.nobs, results.k)
        assert (saved.converged, saved.status) == (results.converged, results.status)
        assert saved.summary().splitlines()[-3:] == str(results.summary()).splitlines()[-3:]
        assert "k=2" in repr(saved)

    def test_one_component(self):
        results = smmix.from_formula("y ~ x1", DATA, k=1).fit()
        saved = read_json(to_json(results))
        assert saved.predict(DATA).equals(results.predict(DATA))
        assert np.isnan(saved.info_criteria["entropy_r2"])

    def test_arrays(self):
        x = pd.DataFrame({"const": 1.0, "x1": DATA["x1"]})
        z = pd.DataFrame({"const": 1.0, "z": DATA["z"]})
        results = smmix.MixtureOLS(DATA["y"], x, k=2, exog_concomitant=z).fit(n_starts=5)
        saved = read_json(to_json(results))
        expected = results.predict(x, exog_concomitant=z)
        assert saved.predict(x, exog_concomitant=z).equals(expected)
        with pytest.raises(smmix.SmmixError, match="exog_concomitant"):
            saved.predict(x)

    def test_without_covariance(self):
        results = fitted()
        results._results._fitted = replace(results.fitted, covariance=None)
        saved = read_json(to_json(results))
        assert saved.bse.isna().all()
        assert saved.predict(DATA).equals(results.predict(DATA))
        with pytest.raises(smmix.SmmixError, match="no covariance"):
            saved.cov_params()

    @pytest.mark.slow
    def test_file_in_a_fresh_process(self, tmp_path):
        """The reader has neither the data of the fit nor the program that made it."""
        results = fitted("y ~ center(x1) + bs(x2, df=4) + C(g)", concomitant="standardize(z)")
        results.to_json(tmp_path / "fit.json")
        new = DATA.iloc[5:25]
        new.to_csv(tmp_path / "new.csv")
        script = (
            "import json, sys, pandas as pd, smmix\n"
            "fit = smmix.read_json(sys.argv[1])\n"
            "new = pd.read_csv(sys.argv[2], index_col=0, float_precision='round_trip')\n"
            "print(json.dumps(fit.predict(new).tolist()))\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", script, "fit.json", "new.csv"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(smmix.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(run.stdout) == results.predict(new).tolist()

    def test_holds_no_data(self, text):
        """Only the range of a variable could leave a value, as the knots of a spline do."""
        values = [repr(float(v)) for v in DATA[["y", "x1", "x2", "z"]].to_numpy().ravel()]
        assert not any(value in text for value in values)

    def test_is_standard_json(self, text):
        def refuse(constant):
            raise AssertionError(constant)

        json.loads(text, parse_constant=refuse)

    def test_unseen_level(self, text):
        with pytest.raises(smmix.SmmixError, match="'d'"):
            read_json(text).predict(DATA.assign(g="d"))

    def test_numpy_under_another_name(self):
        numpy, log1p = np, np.log1p
        results = fitted("y ~ numpy.exp(x1) + log1p(x2 + 2)")
        del numpy, log1p
        assert read_json(to_json(results)).predict(DATA).equals(results.predict(DATA))

    def test_constants_of_the_program(self):
        middle, knots = 0.25, np.array([-0.3, 0.4])
        results = fitted("y ~ I(x1 - middle) + bs(x2, knots=knots)")
        del middle, knots
        assert read_json(to_json(results)).predict(DATA).equals(results.predict(DATA))


class TestTrust:
    def test_own_function_needs_trust(self):
        text = to_json(fitted("y ~ double(x1)"))
        with pytest.raises(smmix.SmmixError, match=r"'double'.*trust=True"):
            read_json(text)

    def test_own_function_with_trust(self):
        results = fitted("y ~ x1 + double(x1 ** 2)")
        saved = read_json(to_json(results), trust=True)
        assert saved.predict(DATA).equals(results.predict(DATA))

    def test_local_function_cannot_be_written(self):
        shift = {"value": 1.0}
        results = fitted("y ~ I(x1 + shift['value'])")
        del shift
        with pytest.raises(smmix.SmmixError, match="'shift', a dict"):
            to_json(results)


def forged(text, change):
    """A file with other content and a checksum to match, as an attacker would write."""
    document = json.loads(text)
    document["content"] = json.loads(change(json.dumps(document["content"])))
    canonical = json.dumps(document["content"], sort_keys=True)
    document["checksum"] = hashlib.sha256(canonical.encode()).hexdigest()
    return json.dumps(document)


ATTACKS = [
    "open('MARK', 'w')",
    "__import__('os').system('touch MARK')",
    "np.lib.npyio.os.system('touch MARK')",
    "np.fromfile('MARK')",
    "np.load('MARK', allow_pickle=True)",
    "np.save('MARK', x2)",
    "x2.to_csv('MARK')",
    "x2.__class__",
    "(lambda: open('MARK', 'w'))()",
    "[open('MARK', 'w') for i in [1]]",
    "eval('1')",
    "exec('1')",
    "Q('np').save('MARK', x2)",
    "Q('np')",
    "getattr(np, 'save')('MARK', x2)",
    "C.__globals__['patsy']",
    "center.__globals__",
    "np.vectorize(print)(x2)",
    "np.frompyfunc(print, 1, 1)(x2)",
    "np.log(x2, out=open('MARK', 'w'))",
    "np.log(*x2)",
    "bs(**x2)",
    "x2 if x2 else x2",
    "f'{x2}'",
    "(y := x2)",
    "x2[0]",
    "9 ** 9 ** 9 ** 9",
    "'a' * 10 ** 10",
    "I('a') * 10 ** 10",
    "[0] * 10 ** 10",
    "1 << 10 ** 10",
    "x2 @ x2",
    "C(g, open)",
    "C(g, [open('MARK', 'w')])",
    "_patsy_stobj0__center__",
    "print",
    "Treatment",
    "np",
    "log(x2)",
    "-" * 1500 + "x2",
    "(" * 300 + "x2" + ")" * 300 + ".a",
    "x2 +",
]


class TestNothingRuns:
    @pytest.mark.parametrize("code", ATTACKS)
    def test_factor_is_refused(self, code, text, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        def change(content):
            old = json.dumps("np.log(x2 + 2)")
            assert old in content
            return content.replace(old, json.dumps(code))

        with pytest.raises(smmix.SmmixError) as caught:
            read_json(forged(text, change)).predict(DATA)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "code",
        [
            "x1", "-x1 + 2 * x2 / 3", "x1 ** 2", "2 ** x1", "10 ** 6 * x1", "np.log(x1)",
            "np.where(x1 > 0, x1, 0.0)", "(x1 > 0) & (g == 'a')", "np.pi * x1", "x1 // 2",
            "bs(x1, df=4, include_intercept=True)", "te(cr(x1, df=3), cc(x2, df=3))",
            "C(g, Treatment(reference='b'))", "C(g, levels=['a', 'b'])", "Q('a b')", "abs(x1)",
            "I(x1 / x2)", "np.round(x1, decimals=2)", "not x1",
        ],
    )  # fmt: skip
    def test_what_formulas_are_made_of_passes(self, code):
        check_factor(code, {"x1", "x2", "g", "a b"})

    def test_a_column_cannot_pose_as_a_function(self):
        with pytest.raises(smmix.SmmixError):
            check_factor("abs(x1)", {"x1", "abs"})
        with pytest.raises(smmix.SmmixError):
            check_factor("np.log(x1)", {"x1", "np"})

    def test_unknown_function_of_numpy(self):
        text = to_json(fitted("y ~ double(x1)"))

        def change(content):
            address = json.dumps([double.__module__, "double"])
            assert address in content
            return content.replace(address, json.dumps(["numpy", "load"]))

        with pytest.raises(smmix.SmmixError, match=r"numpy\.load"):
            read_json(forged(text, change))

    def test_memory_may_not_replace_methods(self):
        text = to_json(fitted("y ~ center(x1)"))

        def change(content):
            assert '"_count"' in content
            return content.replace('"_count"', '"transform"')

        with pytest.raises(smmix.SmmixError):
            read_json(forged(text, change)).predict(DATA)


class TestDamage:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("nowhere.json", "'nowhere.json' cannot be read: No such file"),
            ("{", "not JSON"),
            ("{}", "no fit of smmix"),
            ("[1, 2]", "no fit of smmix"),
            ('{"format": "smmix-fit", "version": 99}', "version 99"),
            ('{"format": "smmix-fit", "version": 1, "content": 3}', "checksum"),
            (3, "a path or the text itself, not int"),
        ],
    )
    def test_foreign_input(self, given, message):
        with pytest.raises(smmix.SmmixError, match=message):
            read_json(given)

    def test_binary_file(self, tmp_path):
        path = tmp_path / "fit.json"
        path.write_bytes(b"\x80\x04\x95\xff\xfe")
        with pytest.raises(smmix.SmmixError, match="not text"):
            read_json(path)

    def test_directory(self, tmp_path):
        with pytest.raises(smmix.SmmixError, match="cannot be read"):
            read_json(tmp_path)

    def test_unwritable(self, tmp_path):
        with pytest.raises(smmix.SmmixError, match="cannot be written"):
            to_json(fitted(), tmp_path / "no" / "fit.json")

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
    def test_cut_off(self, text, share):
        with pytest.raises(smmix.SmmixError, match="not JSON"):
            read_json(text[: int(share * len(text))])

    def test_without_its_beginning(self, text):
        with pytest.raises(smmix.SmmixError, match="cannot be read") as caught:
            read_json(text[1:])
        assert len(str(caught.value)) < 300

    def test_edited_number(self, text):
        at = text.index('"params"')
        digit = next(i for i in range(at, len(text)) if text[i] in "12345678")
        edited = text[:digit] + str(int(text[digit]) + 1) + text[digit + 1 :]
        with pytest.raises(smmix.SmmixError, match="damaged or was edited"):
            read_json(edited)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('"k", 2', '"k", 3'),
            ('"params"', '"parms"'),
            ('"$array"', '"$code"'),
            ('"float64"', '"S8"'),
            ('"places"', '"spaces"'),
            ('"exog_names"', '"names"'),
        ],
    )
    def test_wrong_content_with_a_right_checksum(self, text, old, new):
        def change(content):
            assert old in content
            return content.replace(old, new)

        with pytest.raises(smmix.SmmixError):
            read_json(forged(text, change))

    def test_formatting_is_no_damage(self, text):
        assert read_json(json.dumps(json.loads(text))).k == 2


@pytest.mark.parametrize(
    "value",
    [
        0.1, -0.0, 1e-320, np.inf, -np.inf, 3, True, None, "text", (1, (2.5, "a")), [1, [2]],
        {"a": 1, 2: (3,)}, np.float64(0.1), np.int64(3), np.bool_(True),
        np.array([[0.1, np.inf]]), np.array(["a", None], dtype=object), np.array(3),
        pd.Timestamp("2020-01-01 10:00:00.123456789"), np.array([1, 2, 3]),
    ],
)  # fmt: skip
def test_values_return_as_they_were(value):
    found = persistence._decode(json.loads(json.dumps(persistence._encode(value))))
    if isinstance(value, np.ndarray):
        assert found.dtype == value.dtype
        assert found.shape == value.shape
        assert (found == value).all()
    else:
        assert found == value
        assert isinstance(found, type(value.item() if isinstance(value, np.generic) else value))


def test_extended_precision_returns():
    value = np.longdouble(1) / 3
    found = persistence._decode(json.loads(json.dumps(persistence._encode(value))))
    assert found == value


def test_a_saved_fit_can_be_pickled_and_written_again():
    results = fitted("y ~ center(x1) + double(x2 ** 2)")
    saved = read_json(to_json(results), trust=True)
    again = pickle.loads(pickle.dumps(saved))
    assert again.predict(DATA).equals(results.predict(DATA))


def test_no_module_named_by_the_file_is_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "smmix_trap.py").write_text("raise SystemExit('imported')")
    constant = 0.5
    text = to_json(fitted("y ~ I(x1 - constant)"))
    del constant

    def change(content):
        home = json.dumps(["offset_name", None])
        assert home in content
        return content.replace(home, f'{home}, ["home", "smmix_trap"]')

    saved = read_json(forged(text, change))
    assert pickle.loads(pickle.dumps(saved)).predict(DATA).equals(saved.predict(DATA))
    assert "smmix_trap" not in sys.modules


def test_fits_of_0_1_0_are_read():
    engel = sm.datasets.engel.load_pandas().data
    saved = smmix.read_json(Path(__file__).parents[1] / "reference" / "json" / "engel_0_1_0.json")
    fit = smmix.from_formula("foodexp ~ income", engel, k=2, concomitant="income").fit()
    for name in ("params", "bse", "pvalues"):
        pd.testing.assert_series_equal(getattr(saved, name), getattr(fit, name), rtol=1e-5)
    assert_frames = pd.testing.assert_frame_equal
    assert_frames(saved.sigmas(), fit.sigmas(), rtol=1e-5)
    assert_frames(saved.proportions(), fit.proportions(), rtol=1e-5)
    for which in ("posterior", "quantile", "mean"):
        np.testing.assert_allclose(
            saved.predict(engel, which=which), fit.predict(engel, which=which), rtol=1e-5
        )


def test_what_is_fitted_comes_back_whole():
    model = smmix.from_formula(
        "y ~ x1 + C(g)", DATA, k=2, concomitant="x2", common="C(g)", fixed={"x1[1]": 0.5}
    )
    fit = model.fit_constrained("Intercept[0] = 2 * Intercept[1]", n_starts=3)
    given, found = fit.fitted.specification, read_json(fit.to_json()).fitted.specification
    assert found.parameters == given.parameters
    for name in ("n_free", "df_model", "k_extra", "exog_terms", "common", "fixed", "told_apart"):
        assert getattr(found, name) == getattr(given, name)
    np.testing.assert_array_equal(found.spec.restriction.basis, given.spec.restriction.basis)
    np.testing.assert_array_equal(found.spec.restriction.origin, given.spec.restriction.origin)
