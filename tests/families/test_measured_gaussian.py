"""Responses measured with errors of known variance: meta-analysis, and lines with error bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import smmix
from smmix import BoundaryWarning, MixtureGLM, SmmixError
from smmix.cli import main
from smmix.families import MeasuredGaussian

#: Table 1 of Hogg, Bovy & Lang (2010), arXiv 1008.4686: x, y and the standard error of y.
HOGG = pd.DataFrame(
    [
        (201, 592, 61), (244, 401, 25), (47, 583, 38), (287, 402, 15), (203, 495, 21),
        (58, 173, 15), (210, 479, 27), (202, 504, 14), (198, 510, 30), (158, 416, 16),
        (165, 393, 14), (201, 442, 25), (157, 317, 52), (131, 311, 16), (166, 400, 34),
        (160, 337, 31), (186, 423, 42), (125, 334, 26), (218, 533, 16), (146, 344, 22),
    ],
    columns=["x", "y", "se"],
    dtype=float,
)  # fmt: skip
#: Colditz et al. (1994), JAMA 271, 698-702: tuberculosis with and without BCG vaccination; cases
#: and others of the vaccinated, of the controls, and the latitude of the trial.
BCG = np.array(
    [
        (4, 119, 11, 128, 44), (6, 300, 29, 274, 55), (3, 228, 11, 209, 42),
        (62, 13536, 248, 12619, 52), (33, 5036, 47, 5761, 13), (180, 1361, 372, 1079, 44),
        (8, 2537, 10, 619, 19), (505, 87886, 499, 87892, 13), (29, 7470, 45, 7232, 27),
        (17, 1699, 65, 1600, 42), (186, 50448, 141, 27197, 18), (5, 2493, 3, 2338, 33),
        (27, 16886, 29, 17825, 33),
    ],
    dtype=float,
)  # fmt: skip


def trials() -> pd.DataFrame:
    """Log risk ratios and their variances."""
    cases, others, control, rest, latitude = BCG.T
    y = np.log(cases / (cases + others)) - np.log(control / (control + rest))
    v = 1 / cases - 1 / (cases + others) + 1 / control - 1 / (control + rest)
    return pd.DataFrame({"y": y, "v": v, "latitude": latitude})


def normal_loglike(params, x, y, v):
    """Log-likelihood of y ~ N(x'b, v + sigma^2); params may be complex."""
    variance = v + params[-1] ** 2
    return -0.5 * (np.log(2 * np.pi * variance) + (y - x @ params[:-1]) ** 2 / variance).sum()


def complex_step(function, params):
    steps = 1e-30j * np.eye(len(params))
    return np.array([function(params + step).imag / 1e-30 for step in steps])


@pytest.mark.parametrize(
    ("rows", "line", "errors"),
    [
        # Solutions of exercises 1 and 2 of the article.
        (slice(4, None), (34, 2.24), (18, 0.11)),
        (slice(None), (213.3, 1.08), (14.4, 0.08)),
    ],
)
def test_lines_of_hogg_bovy_and_lang(rows, line, errors):
    family = MeasuredGaussian("se**2", sigma=0)
    fit = smmix.from_formula("y ~ x", HOGG[rows], k=1, family=family).fit()
    np.testing.assert_allclose(fit.params, line, rtol=5e-3)
    np.testing.assert_allclose(fit.bse, errors, rtol=0.05)


def test_meta_analysis_of_bcg_trials():
    data = trials()
    y, v, one = data["y"].to_numpy(), data["v"].to_numpy(), np.ones((13, 1))

    def profile(log_variance, restricted):
        weight = 1 / (v + np.exp(log_variance))
        mean = weight @ y / weight.sum()
        best = normal_loglike([mean, np.exp(log_variance / 2)], one, y, v)
        return -best + restricted * 0.5 * np.log(weight.sum())

    def tau2(restricted):
        found = optimize.minimize_scalar(
            profile, bounds=(-6, 2), args=(restricted,), method="bounded", options={"xatol": 1e-10}
        )
        return np.exp(found.x)

    # Published: 0.3132 by restricted likelihood (Viechtbauer 2010, J. Stat. Software 36 (3)), which
    # says that the data are the same.
    assert round(tau2(1), 4) == 0.3132
    fit = smmix.from_formula("y ~ 1", data, k=1, error_variance="v").fit()
    np.testing.assert_allclose(fit.params["sigma[0]"] ** 2, tau2(0), rtol=1e-6)
    np.testing.assert_allclose(fit.llf, -profile(np.log(tau2(0)), 0), rtol=1e-10)

    # Standard errors: the inverse of the closed form's information.
    def score(params):
        return complex_step(lambda p: normal_loglike(p, one, y, v), params)

    at, h = fit.params.to_numpy(), 1e-5
    hessian = [(score(at + h * e) - score(at - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(fit.cov_params(), -np.linalg.inv(hessian), rtol=1e-6)


def test_derivatives_are_those_of_the_density():
    family, rng = MeasuredGaussian("v"), np.random.default_rng(2)
    y, aux, eta, sigma = rng.normal(size=6), rng.uniform(0.1, 2, (6, 1)), rng.normal(size=6), 0.7

    def log_f(e, s):
        at = np.full((1, 1, 1), s)
        return family.evaluate(y, aux, (eta + e)[None, None], at).log_density[0, 0]

    nuisance = np.full((1, 1, 1), sigma)
    working = family.evaluate(y, aux, eta[None, None].copy(), nuisance)
    exact = family.derivatives(y, aux, working, nuisance)
    h = 1e-30
    first = [log_f(h * 1j, sigma + 0j).imag / h, log_f(0j, sigma + h * 1j).imag / h]
    np.testing.assert_allclose(np.stack(exact.first)[:, 0, 0], first, rtol=1e-12)
    np.testing.assert_allclose((working.weight * working.residual)[0, 0], first[0], rtol=1e-12)
    np.testing.assert_allclose(
        working.log_density[0, 0], stats.norm.logpdf(y, eta, np.sqrt(aux[:, 0] + sigma**2))
    )
    d = 1e-5
    for row, (e, s) in enumerate([(d, 0), (0, d)]):
        at = [
            family.derivatives(
                y, aux, family.evaluate(y, aux, (eta + z * e)[None, None], nuisance + z * s),
                nuisance + z * s,
            ).first
            for z in (1, -1)
        ]  # fmt: skip
        slopes = [(up - down)[0, 0] / (2 * d) for up, down in zip(*at, strict=True)]
        for column in range(row + 1):
            got = np.broadcast_to(exact.second[row][column], (1, 1, 6))[0, 0]
            np.testing.assert_allclose(got, slopes[column], rtol=1e-7, atol=1e-9)


def test_points_off_the_line():
    """The article's mixture: a line with the known errors, and points that are anything."""
    families = [MeasuredGaussian("se**2", sigma=0), MeasuredGaussian("se**2")]
    model = smmix.from_formula({0: "y ~ x", 1: "y ~ 1"}, HOGG, k=2, family=families)
    x, y, v = HOGG["x"].to_numpy(), HOGG["y"].to_numpy(), HOGG["se"].to_numpy() ** 2

    def loglike(p):
        good = np.exp(-0.5 * (y - p[0] - p[1] * x) ** 2 / v) / np.sqrt(2 * np.pi * v)
        wide = v + p[3] ** 2
        bad = np.exp(-0.5 * (y - p[2]) ** 2 / wide) / np.sqrt(2 * np.pi * wide)
        share = 1 / (1 + np.exp(-p[4]))
        return np.log((1 - share) * good + share * bad).sum()

    results = model.fit()
    at = results.params.to_numpy() * 1.03
    np.testing.assert_allclose(model.loglike(at), loglike(at), rtol=1e-12)
    np.testing.assert_allclose(model.score(at), complex_step(loglike, at), rtol=1e-10)
    best = optimize.minimize(lambda p: -loglike(p), at, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(results.llf, -best.fun, rtol=1e-9)
    # The article's figure: these points are off the line, whose slope is that without them.
    assert (results.labels.iloc[[2, 3]] == 1).all()
    np.testing.assert_allclose(results.params["x[0]"], 2.24, atol=0.11)


def test_no_variance_beyond_the_errors():
    data = trials().assign(v=lambda d: 20 * d["v"])
    with pytest.warns(BoundaryWarning, match="a regression with the known errors alone"):
        fit = smmix.from_formula("y ~ latitude", data, k=1, error_variance="v").fit()
    fixed = smmix.from_formula("y ~ latitude", data, k=1, family=MeasuredGaussian("v", sigma=0))
    weight = 1 / data["v"]
    x = np.column_stack([np.ones(13), data["latitude"]])
    want = np.linalg.solve(x.T @ (x * weight.to_numpy()[:, None]), x.T @ (weight * data["y"]))
    np.testing.assert_allclose(fit.params.iloc[:2], want, rtol=1e-8)
    np.testing.assert_allclose(fixed.fit().params, want, rtol=1e-10)


def two_kinds() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    x, v = rng.normal(size=300), rng.uniform(0.05, 1.0, 300)
    y = np.where(rng.random(300) < 0.4, 3 + x, -1 - x) + np.sqrt(0.2 + v) * rng.normal(size=300)
    return pd.DataFrame({"y": y, "x": x, "v": v})


def test_the_argument_is_the_family_and_goes_everywhere(tmp_path, capsys):
    data = two_kinds()
    plain = smmix.from_formula("y ~ x", data, family=MeasuredGaussian("v")).fit()
    fit = smmix.from_formula("y ~ x", data, error_variance="v", variance="equal").fit()
    assert plain.params.equals(smmix.from_formula("y ~ x", data, error_variance="v").fit().params)
    assert "sigma" in fit.params.index
    again = smmix.read_json(plain.to_json())
    new = data.head(5)
    for which in ("mean", "posterior", "quantile"):
        np.testing.assert_array_equal(
            again.predict(new, which=which), plain.predict(new, which=which)
        )
    # The interval of a row of less error is narrower.
    new = pd.DataFrame({"x": [0.0, 0.0], "v": [0.0, 1.0]})
    frame = plain.get_prediction(new, which="components").summary_frame()[0]
    width = frame["obs_ci_upper"] - frame["obs_ci_lower"]
    want = 2 * stats.norm.ppf(0.975) * np.sqrt(plain.params["sigma[0]"] ** 2 + new["v"])
    np.testing.assert_allclose(width, want, rtol=1e-8)
    data.to_csv(tmp_path / "d.csv", index=False)
    path = str(tmp_path / "d.csv")
    assert main(["fit", "y ~ x", path, "--error-variance", "v", "-k", "2", "--quiet"]) == 0
    assert f"{plain.params['sigma[0]']:.4f}" in capsys.readouterr().out


def test_rows_on_disk(tmp_path):
    pytest.importorskip("pyarrow")
    data = two_kinds()
    data.to_parquet(tmp_path / "d.parquet")
    scan = smmix.scan_parquet(tmp_path / "d.parquet")
    far = smmix.from_formula("y ~ x", scan, error_variance="v").fit()
    near = smmix.from_formula("y ~ x", data, error_variance="v").fit()
    np.testing.assert_allclose(far.params, near.params, rtol=1e-8)


def test_variances_that_make_no_sense_are_refused():
    data = two_kinds()
    data.loc[7, "v"] = 0.0
    with pytest.raises(SmmixError, match="in row 7; the variance of its error is 0 and must be"):
        smmix.from_formula("y ~ x", data, error_variance="v")
    data = two_kinds()
    with pytest.raises(SmmixError, match="error_variance is for Gaussian components, not for Pois"):
        smmix.from_formula("y ~ x", data, family="poisson", error_variance="v")
    with pytest.raises(SmmixError, match="error_variance is a Series; give the name of a column"):
        smmix.from_formula("y ~ x", data, error_variance=data["v"])
    with pytest.raises(SmmixError, match="give one column of numbers"):
        smmix.from_formula("y ~ x", data, error_variance="~ v")
    with pytest.raises(SmmixError, match="sigma is -1; give a finite number"):
        MeasuredGaussian("v", sigma=-1)
    with pytest.raises(SmmixError, match="build the model from a formula"):
        MixtureGLM(data["y"], data[["x"]], family=MeasuredGaussian("v"))
    with pytest.raises(SmmixError, match="names 'v', which is not a column"):
        smmix.from_formula("y ~ x", data.drop(columns="v"), error_variance="v")
