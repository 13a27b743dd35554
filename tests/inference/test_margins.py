"""Marginal effects against statsmodels, and against differences of predict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from helpers_model import refusal
from scipy.differentiate import derivative
from statsmodels.stats._delta_method import NonlinearDeltaCov

import smmix


def counts(n=400, seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "w": np.exp(rng.normal(size=n)),
            "d": rng.integers(0, 2, n),
            "g": rng.choice(["a", "b", "c"], n),
            "z": rng.normal(size=n),
            "months": rng.integers(1, 13, n).astype(float),
            "f": rng.integers(1, 4, n).astype(float),
        }
    )
    second = rng.random(n) < 1 / (1 + np.exp(-frame["z"]))
    eta = np.where(second, 1.5 + 0.4 * frame["x"], -0.5 - 0.3 * frame["x"]) + 0.3 * frame["d"]
    frame["y"] = rng.poisson(np.exp(eta))
    frame["cost"] = rng.gamma(2.0, np.exp(eta) / 2.0)
    frame["b"] = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    return frame


DATA = counts()
ONE = {
    "poisson": ("y", lambda f: smf.poisson(f, DATA).fit(disp=0, gtol=1e-12)),
    "binomial": ("b", lambda f: smf.logit(f, DATA).fit(disp=0, gtol=1e-12)),
}


def average_slope(fit, name, frame=DATA, weight=None, model=None):
    """The derivative of the average prediction as one number is added to the column."""

    def average(shift):
        moved = [fit.predict(frame.assign(**{name: frame[name] + s})) for s in np.ravel(shift)]
        means = [np.average(m, weights=weight) for m in moved]
        return np.reshape(means, np.shape(shift))

    return float(derivative(average, 0.0, initial_step=1e-3).df)


class TestOneComponent:
    @pytest.mark.parametrize("family", list(ONE))
    @pytest.mark.parametrize("at", [None, "mean", "median"])
    @pytest.mark.parametrize("dummy", [False, True])
    def test_is_statsmodels(self, family, at, dummy):
        response, theirs = ONE[family]
        formula = f"{response} ~ x + w + d"
        fit = smmix.from_formula(formula, DATA, k=1, family=family).fit()
        table = fit.margins(at=at, dummy=dummy)
        place = "overall" if at is None else at
        expected = theirs(formula).get_margeff(at=place, dummy=dummy).summary_frame()
        assert table.index.tolist() == ["x", "w", "d: 1 - 0" if dummy else "d"]
        np.testing.assert_allclose(table["dy/dx"], expected["dy/dx"], rtol=1e-6)
        np.testing.assert_allclose(table["std err"], expected["Std. Err."], rtol=1e-6)

    def test_gamma(self):
        """The mean of the log link is its own derivative: margins are b times the mean."""
        fit = smmix.from_formula("cost ~ x + w", DATA, k=1, family="gamma").fit()
        family = sm.families.Gamma(sm.families.links.Log())
        glm = smf.glm("cost ~ x + w", DATA, family=family).fit(tol=1e-13, maxiter=200)
        expected = glm.params[["x", "w"]] * glm.fittedvalues.mean()
        np.testing.assert_allclose(fit.margins()["dy/dx"], expected, rtol=1e-6)

    @pytest.mark.parametrize("link", ["probit", "cloglog"])
    def test_other_links(self, link):
        links = {"probit": sm.families.links.Probit, "cloglog": sm.families.links.CLogLog}
        family = sm.families.Binomial(links[link]())
        fit = smmix.from_formula("b ~ x + w", DATA, k=1, family=family).fit()
        glm = smf.glm("b ~ x + w", DATA, family=family).fit(tol=1e-13, maxiter=200)
        expected = glm.get_margeff().summary_frame()
        np.testing.assert_allclose(fit.margins()["dy/dx"], expected["dy/dx"], rtol=1e-6)


CASES = {
    "poisson": ("y ~ x + np.log(w) + d", {"family": "poisson", "concomitant": "z + x"}),
    "sqrt": (
        "y ~ x + d",
        {"family": smmix.families.Poisson(link="sqrt"), "concomitant": "z"},
    ),
    "gamma": ("cost ~ x * w + C(g)", {"family": "gamma", "freq_weights": "f"}),
    "binomial": ("b ~ x + w", {"family": "binomial", "concomitant": "z"}),
    "inverse gaussian": ("cost ~ x + center(w)", {"family": "inverse_gaussian"}),
    "student": ("cost ~ x + I(x ** 2)", {"family": "student_t", "concomitant": "x"}),
    "censored": (
        "cost ~ x + standardize(w)",
        {"family": smmix.families.CensoredGaussian(lower=0.1), "concomitant": "z"},
    ),
    "exposure": ("y ~ x + np.sqrt(months)", {"family": "poisson", "exposure": "months"}),
    "list": ("y ~ x + w", {"family": ["poisson", "binomial"]}),
}


class TestMixtures:
    @pytest.fixture(scope="class", params=[name for name in CASES if name != "list"])
    @classmethod
    def fit(cls, request):
        formula, options = CASES[request.param]
        return smmix.from_formula(formula, DATA, k=2, **options).fit(n_starts=8)

    def test_derivatives_of_predict(self, fit):
        weight = DATA["f"] if fit.model.freq_weights is not None else None
        table = fit.margins()
        for name in table.index:
            if ":" not in name:
                expected = average_slope(fit, name, weight=weight)
                assert table.loc[name, "dy/dx"] == pytest.approx(expected, rel=1e-6, abs=1e-10)

    def test_errors_by_numerical_delta_method(self, fit):
        """The margins of the same model at other parameters, differentiated numerically."""
        weight = DATA["f"].to_numpy() if fit.model.freq_weights is not None else np.ones(len(DATA))
        h = 1e-4
        up, down = (DATA.assign(x=DATA["x"] + s) for s in (h, -h))

        def effect(vector):
            gap = fit.model.predict(vector, up) - fit.model.predict(vector, down)
            return np.array([np.average(gap / (2 * h), weights=weight)])

        delta = NonlinearDeltaCov(effect, fit.params.to_numpy(), np.asarray(fit.cov_params()))
        assert fit.margins().loc["x", "std err"] == pytest.approx(
            delta.se_vectorized()[0], rel=1e-4
        )


class TestFormulas:
    @pytest.mark.parametrize(
        "term",
        [
            "np.log(w)", "np.exp(-w)", "np.sqrt(w)", "I(w ** 2)", "I(1 / w)", "np.log1p(w / 3)",
            "center(w)", "standardize(np.log(w))", "standardize(w, ddof=1)", "np.power(w, 1.5)",
            "scale(w, rescale=False)", "w:x", "w * C(g)", "I(2 ** w)", "np.log(w) * center(x)",
            "bs(w, df=5)", "cr(w, df=4)", "np.maximum(w, 2)", "Q('w')", "poly(w, 2)",
        ],
    )  # fmt: skip
    def test_slopes_of_skewed_numbers(self, term):
        data = DATA.assign(w=np.exp(2.0 * np.log(DATA["w"])))
        if term.startswith("poly"):
            pytest.skip("patsy has no poly")
        fit = smmix.from_formula(f"cost ~ {term}", data, k=1).fit()
        table = fit.margins()
        h = 1e-6 * data["w"]
        edge = [data["w"].idxmax(), data["w"].idxmin()]
        inner = data.drop(index=edge)
        up, down = (fit.predict(inner.assign(w=inner["w"] + s)) for s in (h, -h))
        expected = ((up - down) / (2 * h[inner.index])).sum()
        # One-sided at the ends, beyond which a spline has no value.
        for row, sign in zip(edge, (-1, 1), strict=True):
            one = data.loc[[row]]
            at = [fit.predict(one.assign(w=one["w"] + sign * s * h[row])).item() for s in (0, 1, 2)]
            expected += sign * (-1.5 * at[0] + 2 * at[1] - 0.5 * at[2]) / h[row]
        assert table.loc["w", "dy/dx"] == pytest.approx(expected / len(data), rel=2e-5)

    def test_logarithm_exactly(self):
        data = DATA.assign(w=np.exp(3.0 * np.log(DATA["w"])))
        fit = smmix.from_formula("cost ~ np.log(w)", data, k=1).fit()
        expected = fit.coef.loc["np.log(w)", 0] * (1.0 / data["w"]).mean()
        assert fit.margins().loc["w", "dy/dx"] == pytest.approx(expected, rel=1e-13)

    @pytest.mark.parametrize(
        "term", ["np.round(x / 2)", "np.floor(w)", "np.where(x > 0, 1, 0)", "I((x > 0) * 1 + x)"]
    )
    def test_steps_get_a_sentence(self, term):
        data = DATA.assign(x=np.round(DATA["x"] * 4), w=np.round(DATA["w"] * 8))
        fit = smmix.from_formula(f"y ~ {term}", data, k=1).fit()
        if term.startswith("I("):
            # Zero lies on the jump.
            data["x"] = np.where(data["x"] == 0, 1e-300, data["x"])
        refusal(fit.margins, "has steps and so no slope", repr(term))

    def test_infinite_slopes_get_a_sentence(self):
        data = DATA.assign(w=np.where(DATA.index == 7, 0.0, DATA["w"]))
        fit = smmix.from_formula("cost ~ np.sqrt(w)", data, k=1).fit()
        refusal(fit.margins, "no finite slope in 'w' in row 7")
        found = fit.margins(at={"w": 4.0}).loc["w", "dy/dx"]
        assert found == pytest.approx(fit.coef.loc["np.sqrt(w)", 0] / 4.0, rel=1e-12)

    def test_offset_that_is_a_regressor(self):
        fit = smmix.from_formula("y ~ x + d", DATA, k=1, offset="x").fit()
        assert fit.margins().loc["x", "dy/dx"] == pytest.approx(
            fit.coef.loc["x", 0] + 1.0, rel=1e-12
        )
        fit = smmix.from_formula("y ~ x", DATA, k=2, family="poisson", offset="x").fit(n_starts=5)
        expected = average_slope(fit, "x")
        assert fit.margins().loc["x", "dy/dx"] == pytest.approx(expected, rel=1e-7)

    def test_category_in_the_mixing_model_alone(self):
        fit = smmix.from_formula("y ~ x", DATA, k=2, family="poisson", concomitant="g").fit(
            n_starts=5
        )
        levels = [fit.predict(DATA.assign(g=g)).mean() for g in "abc"]
        table = fit.margins()
        assert table.loc["g: c - a", "dy/dx"] == pytest.approx(levels[2] - levels[0], rel=1e-10)

    def test_after_pickling(self):
        import pickle

        fit = smmix.from_formula("cost ~ standardize(np.log(w))", DATA, k=1).fit()
        again = pickle.loads(pickle.dumps(fit))
        np.testing.assert_array_equal(again.margins(), fit.margins())


class TestAt:
    @pytest.fixture(scope="class")
    @classmethod
    def fit(cls):
        model = smmix.from_formula("y ~ x + d + C(g)", DATA, family="poisson", concomitant="z")
        return model.fit(n_starts=8)

    def test_values(self, fit):
        held = DATA.assign(x=1.0, g="b")
        table = fit.margins(at={"x": 1.0, "g": "b"})
        for name in ("x", "d", "z"):
            expected = average_slope(fit, name, held)
            assert table.loc[name, "dy/dx"] == pytest.approx(expected, rel=1e-7)

    def test_dummy(self, fit):
        table = fit.margins(dummy=True)
        one, zero = (fit.predict(DATA.assign(d=d)).mean() for d in (1, 0))
        assert table.loc["d: 1 - 0", "dy/dx"] == pytest.approx(one - zero, rel=1e-10)
        assert "d" not in table.index

    @pytest.mark.parametrize("kind", ["mean", "median"])
    def test_one_typical_row(self, fit, kind):
        typical = DATA[["x", "d", "z"]].agg(kind).to_frame().T.assign(g=DATA["g"].mode()[0])
        expected = average_slope(fit, "x", typical)
        assert fit.margins(at=kind).loc["x", "dy/dx"] == pytest.approx(expected, rel=1e-7)

    def test_arrays(self):
        x = sm.add_constant(DATA[["x", "d"]])
        fit = smmix.MixtureGLM(DATA["y"], x, k=2, family="poisson").fit(n_starts=5)
        formula = smmix.from_formula("y ~ x + d", DATA, k=2, family="poisson").fit(n_starts=5)
        for options in ({}, {"dummy": True}, {"at": "mean"}, {"at": {"x": 0.5}, "dummy": True}):
            np.testing.assert_allclose(
                fit.margins(**options), formula.margins(**options), rtol=1e-6, atol=1e-10
            )

    @pytest.mark.parametrize(
        ("at", "words"),
        [
            ("zero", "'mean', 'median'"),
            ({"q": 1.0}, "no variable"),
            ({"x": [1.0, 2.0]}, "one value"),
            ({"x": "a"}, "finite number"),
            ({"g": "q"}, "'q'"),
            (3, "'mean', 'median'"),
        ],
    )
    def test_sentences(self, fit, at, words):
        refusal(lambda: fit.margins(at=at), words)


class TestSummary:
    def test_prints(self):
        fit = smmix.from_formula("y ~ x + d", DATA, k=2, family="poisson").fit(n_starts=5)
        table = fit.margins(at={"d": 1})
        assert isinstance(table, pd.DataFrame)
        text = str(table.summary())
        assert "Marginal Effects" in text
        assert "d=1" in text
        assert "dy/dx" in text
        assert "<table" in table.summary().as_html()
        assert type(table.loc[["x"]]) is pd.DataFrame


class TestGroups:
    def test_effect_of_a_concomitant_that_varies_within_groups(self):
        data = DATA.assign(id=np.arange(len(DATA)) // 4)
        with pytest.warns(UserWarning, match="first row of each group"):
            model = smmix.from_formula(
                "y ~ x", data, family="poisson", groups="id", concomitant="z"
            )
        fit = model.fit(n_starts=8)
        expected = average_slope(fit, "z", data)
        assert fit.margins().loc["z", "dy/dx"] == pytest.approx(expected, rel=1e-7)
