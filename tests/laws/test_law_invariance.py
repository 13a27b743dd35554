"""Laws: what a fit must not depend on, and how it must change with its data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from laws.density import Problem
from laws.problems import all_problems, draw_params, draw_problem, seeds, two_lines

import smmix

few = settings(derandomize=True, max_examples=6, deadline=None)
VARIANCES = pytest.mark.parametrize("variance", ["free", "equal"])


def fit(frame, formula="y ~ x", k=2, variance="free", rng=0, **options):
    return smmix.from_formula(formula, frame, k=k, variance=variance, **options).fit(rng=rng)


def assert_same_fit(a, b, rtol=1e-10):
    """Estimates agree relative to the larger of the estimate and its error; the rest relatively."""
    assert a.llf == pytest.approx(b.llf, rel=rtol)
    scale = np.maximum(np.abs(b.params.to_numpy()), b.bse.to_numpy())
    assert np.max(np.abs(a.params.to_numpy() - b.params.to_numpy()) / scale) <= rtol
    np.testing.assert_allclose(a.bse, b.bse, rtol=10 * rtol)


@few
@given(problem=all_problems, seed=seeds)
def test_weight_two_is_the_row_twice_at_any_point(problem, seed):
    weight = np.random.default_rng(seed).integers(0, 3, len(problem.y))
    rows = np.repeat(np.arange(len(problem.y)), weight)

    def take(values):
        if values is None:
            return None
        return values.iloc[rows].reset_index(drop=True) if hasattr(values, "iloc") else values[rows]

    options = {"k": problem.k, "variance": problem.variance, "common": problem.common}
    weighted = Problem(
        problem.y, problem.x, z=problem.z, groups=problem.groups, offset=problem.offset,
        freq_weights=weight.astype(float), **options,
    )  # fmt: skip
    repeated = Problem(
        take(problem.y), take(problem.x), z=take(problem.z), groups=take(problem.groups),
        offset=take(problem.offset), **options,
    )  # fmt: skip
    first, second = weighted.model(), repeated.model()
    point = draw_params(problem, first.param_names, seed)
    assert first.loglike(point) == pytest.approx(second.loglike(point), rel=1e-11)
    for method in ("score", "hessian"):
        expected = getattr(second, method)(point)
        ours = getattr(first, method)(point)
        np.testing.assert_allclose(ours, expected, atol=1e-10 * np.abs(expected).max())


@VARIANCES
def test_weight_two_is_the_row_twice(variance):
    frame = two_lines(1).assign(w=lambda f: 1 + (np.arange(len(f)) % 3 == 0))
    weighted = fit(frame, variance=variance, freq_weights="w")
    repeated = fit(frame.loc[frame.index.repeat(frame["w"])], variance=variance)
    assert_same_fit(weighted, repeated)
    assert weighted.nobs == repeated.nobs
    assert weighted.bic == pytest.approx(repeated.bic, rel=1e-10)
    for cov_type in ("HC0", "opg"):
        np.testing.assert_allclose(
            weighted.get_robustcov_results(cov_type=cov_type).bse,
            repeated.get_robustcov_results(cov_type=cov_type).bse,
            rtol=1e-7,
        )


@VARIANCES
def test_weight_zero_is_the_row_absent(variance):
    frame = two_lines(2).assign(w=lambda f: (np.arange(len(f)) % 5 > 0).astype(float))
    weighted = fit(frame, variance=variance, freq_weights="w")
    absent = fit(frame[frame["w"] > 0], variance=variance)
    assert_same_fit(weighted, absent)
    assert weighted.nobs == absent.nobs


@VARIANCES
def test_row_order_does_not_matter(variance):
    frame = two_lines(3)
    shuffled = frame.sample(frac=1, random_state=5)
    first, second = fit(frame, variance=variance), fit(shuffled, variance=variance)
    assert_same_fit(first, second)
    posterior = second.posterior.loc[first.posterior.index]
    np.testing.assert_allclose(posterior, first.posterior, atol=1e-9)


def test_order_of_rows_within_and_across_groups_does_not_matter():
    problem = draw_problem(4, n=80, groups=True, concomitant=True)
    shuffle = np.random.default_rng(1).permutation(80)
    other = Problem(
        problem.y[shuffle], problem.x.iloc[shuffle], 2, z=problem.z.iloc[shuffle],
        groups=problem.groups[shuffle],
    )  # fmt: skip
    first, second = problem.model(), other.model()
    point = draw_params(problem, first.param_names, 0)
    assert second.loglike(point) == pytest.approx(first.loglike(point), rel=1e-12)
    np.testing.assert_allclose(second.hessian(point), first.hessian(point), rtol=1e-9, atol=1e-9)


def test_number_of_threads_does_not_matter():
    model = smmix.from_formula("y ~ x", two_lines(4, n=20_000), k=2)
    first = model.fit(threads=1)
    second = model.fit(threads=2)
    assert_same_fit(second, first)


def test_two_calls_give_identical_results():
    frame = two_lines(5, k=3)
    first, second = fit(frame, k=3), fit(frame.copy(), k=3)
    assert first.params.tolist() == second.params.tolist()
    assert first.bse.tolist() == second.bse.tolist()
    assert first.llf == second.llf
    pd.testing.assert_frame_equal(first.starts, second.starts)


def test_second_fit_of_the_same_model_is_identical():
    model = smmix.from_formula("y ~ x", two_lines(5, k=3), k=3)
    first, second = model.fit(), model.fit()
    assert first.params.tolist() == second.params.tolist()
    assert first.df_model == second.df_model


def test_relabelled_start_gives_the_relabelled_fit():
    frame = two_lines(6, k=3)
    model = smmix.from_formula("y ~ x", frame, k=3)
    base = model.fit()
    order = [2, 0, 1]
    logits = np.r_[0.0, base.params.filter(like="mixing").to_numpy()][order]
    start = np.r_[
        base.coef[order].to_numpy().T.ravel(),
        base.sigma[order].to_numpy(),
        (logits - logits[0])[1:],
    ]
    other = model.fit(start_params=start)
    assert other.llf == pytest.approx(base.llf, rel=1e-12)
    np.testing.assert_allclose(other.coef.to_numpy(), base.coef[order].to_numpy(), rtol=1e-8)
    np.testing.assert_allclose(
        other.posterior.to_numpy(), base.posterior.to_numpy()[:, order], atol=1e-9
    )


@VARIANCES
@pytest.mark.parametrize("b", [2.0**26, 2.0**-26, -1.0, 1e8, 1e-8])
def test_scaling_the_response(variance, b):
    frame = two_lines(7)
    base = fit(frame, variance=variance)
    scaled = fit(frame.assign(y=frame["y"] * b), variance=variance)
    assert scaled.llf == pytest.approx(base.llf - len(frame) * np.log(abs(b)), rel=1e-10)
    np.testing.assert_allclose(scaled.coef, base.coef * b, rtol=1e-9)
    np.testing.assert_allclose(scaled.sigma, base.sigma * abs(b), rtol=1e-9)
    np.testing.assert_allclose(scaled.posterior, base.posterior, atol=1e-9)


@VARIANCES
@pytest.mark.parametrize("a", [1e4, 1e8, -1e8])
def test_shifting_the_response(variance, a):
    frame = two_lines(8)
    base = fit(frame, variance=variance)
    shifted = fit(frame.assign(y=frame["y"] + a), variance=variance)
    assert shifted.llf == pytest.approx(base.llf, rel=1e-9)
    np.testing.assert_allclose(shifted.coef.loc["x"], base.coef.loc["x"], rtol=1e-7)
    np.testing.assert_allclose(shifted.sigma, base.sigma, rtol=1e-7)
    np.testing.assert_allclose(shifted.posterior, base.posterior, atol=1e-7)
    np.testing.assert_allclose(shifted.bse, base.bse, rtol=1e-6)


@VARIANCES
@pytest.mark.parametrize("c", [2.0**26, 2.0**-26, 1e8, 1e-8, -3.0])
def test_scaling_a_regressor(variance, c):
    frame = two_lines(9)
    base = fit(frame, variance=variance)
    scaled = fit(frame.assign(x=frame["x"] * c), variance=variance)
    assert scaled.llf == pytest.approx(base.llf, rel=1e-10)
    np.testing.assert_allclose(scaled.coef.loc["Intercept"], base.coef.loc["Intercept"], rtol=1e-8)
    np.testing.assert_allclose(scaled.coef.loc["x"] * c, base.coef.loc["x"], rtol=1e-8)
    slope = [f"x[{j}]" for j in range(2)]
    np.testing.assert_allclose(scaled.bse[slope] * abs(c), base.bse[slope], rtol=1e-7)


def test_scaling_a_concomitant_variable():
    frame = two_lines(10).assign(z=lambda f: f["component"] + np.sin(np.arange(len(f)) * 1.7))
    base = fit(frame, concomitant="~ z")
    scaled = fit(frame.assign(z=frame["z"] * 1e8), concomitant="~ z")
    assert scaled.llf == pytest.approx(base.llf, rel=1e-10)
    assert scaled.params["mixing.z[1]"] * 1e8 == pytest.approx(base.params["mixing.z[1]"], rel=1e-6)


@pytest.mark.parametrize("shift", [1e3, 1e6])
def test_shifting_a_regressor(shift):
    """A date in days or a sensor reading far from zero: only the intercept may notice."""
    frame = two_lines(9).assign(x=lambda f: np.round(f["x"] * 2**16) / 2**16)
    base, shifted = fit(frame), fit(frame.assign(x=frame["x"] + shift))
    assert shifted.llf == pytest.approx(base.llf, rel=1e-12)
    slopes = ["x[0]", "x[1]", "sigma[0]", "sigma[1]", "mixing.Intercept[1]"]
    np.testing.assert_allclose(shifted.params[slopes], base.params[slopes], rtol=1e-8)
    np.testing.assert_allclose(shifted.bse[slopes], base.bse[slopes], rtol=1e-6)


def test_year_and_its_square():
    """The columns of a trend in the year 2000 are collinear to seven digits, and identified."""
    frame = two_lines(9).assign(year=lambda f: np.round(f["x"] * 2**10) / 2**10 + 2000)
    years = fit(frame, "y ~ year + I(year**2)")
    centred = fit(frame, "y ~ I(year - 2000) + I((year - 2000)**2)")
    assert years.llf == pytest.approx(centred.llf, rel=1e-10)
    np.testing.assert_allclose(years.coef.iloc[2], centred.coef.iloc[2], rtol=1e-5)
    square = [f"I(year ** 2)[{c}]" for c in range(2)]
    centred_square = [f"I((year - 2000) ** 2)[{c}]" for c in range(2)]
    np.testing.assert_allclose(years.bse[square], centred.bse[centred_square], rtol=1e-5)
