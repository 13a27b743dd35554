"""The rule on sharp components: its price by hand, what it must not do, what it is for."""

import math

import numpy as np
import pandas as pd
import pytest
from helpers_reference import load_frame

import smmix
from smmix.core.memory import MemorySource
from smmix.search.coordinates import rounding
from smmix.search.rule import judged


def test_price_by_hand():
    # One regression has a spread of 1.2: the wide component costs, as the sharp one does.
    found = judged(np.array([[1.0, 0.1]]), np.array([[80.0, 20.0]]), p=4, reference=1.2).price[0]
    forgotten = 2.5 * math.log(20.0 * 1.44 / (100.0 * 0.01))
    assert found == pytest.approx([2.5 * math.log(0.8 * 1.44), forgotten])


def test_price_is_what_laplace_adds_to_bic():
    # Integrated over coefficients and sigma with a prior worth one row of the single regression.
    rng = np.random.default_rng(3)
    n, m, p, sigma = 400, 60, 3, 0.3
    x = np.column_stack([np.ones(m), rng.normal(size=(m, p - 1))])
    data_holds = np.zeros((p + 1, p + 1))
    data_holds[:p, :p], data_holds[p, p] = x.T @ x / sigma**2, 2.0 * m / sigma**2
    row_holds = np.zeros((p + 1, p + 1))
    row_holds[:p, :p], row_holds[p, p] = x.T @ x / m, 2.0
    evidence = 0.5 * (np.linalg.slogdet(data_holds)[1] - np.linalg.slogdet(row_holds)[1])
    bic = 0.5 * (p + 1) * math.log(n)
    price = judged(np.array([[1.0, sigma]]), np.array([[n - m, m]]), p=p).price[0, 1]
    assert bic + price == pytest.approx(evidence)


def test_what_chance_does_not_make_costs_nothing():
    # Rows within 0.06 of a line, of 300: the log of what is expected is 2 log n + price - gain.
    n, ratio = 300.0, 0.06

    def expected(m):
        price = 1.5 * math.log(m / n / ratio**2)
        which = n * math.log(n) - m * math.log(m) - (n - m) * math.log(n - m)
        return price, 2.0 * math.log(n) + price - (m * math.log(1.0 / ratio) - which)

    for m in (20.0, 40.0, 60.0, 80.0, 100.0, 120.0):
        price, chance = expected(m)
        found = judged(np.array([[1.0, ratio]]), np.array([[n - m, m]]), p=2).price[0, 1]
        assert found == pytest.approx(price if chance > math.log(0.05) else 0.0)
    assert expected(20.0)[1] > math.log(0.05) > expected(120.0)[1]


def test_rows_that_agree_beyond_their_rounding_show_nothing_by_it():
    # Eight of 51 whole numbers on one line: sharp by their rounding, as the aphids' are.
    sharp, sizes = np.array([[1.0, 0.002]]), np.array([[43.0, 8.0]])
    assert judged(sharp, sizes, p=2).price[0, 1] == 0.0
    price = 1.5 * math.log(8.0 / 51.0 / 0.002**2)
    assert judged(sharp, sizes, p=2, rounding=0.05).price[0, 1] == pytest.approx(price)


@pytest.mark.parametrize("step", [1.0, 0.1, 1e-7])
def test_rounding_is_read_off_a_response_that_ties(step):
    rng = np.random.default_rng(0)
    raw = 40.0 * rng.random(500)
    for y, expected in ((np.round(raw), 1.0), (raw, 0.0)):
        found = rounding(MemorySource(step * y, np.ones((500, 1))))
        assert found == pytest.approx(step * expected / math.sqrt(12.0), rel=1e-6)
    errors = raw - np.round(raw)
    assert errors.std() == pytest.approx(1.0 / math.sqrt(12.0), rel=0.05)


def test_units_do_not_count_nor_the_order_of_components():
    rng = np.random.default_rng(0)
    spread, sizes = np.exp(rng.normal(size=(50, 4))), rng.uniform(1.0, 100.0, (50, 4))
    told = judged(spread, sizes, p=3)
    assert (told.price >= 0.0).all()
    scaled = judged(1e9 * spread, sizes, p=3, reference=1e9)
    assert scaled.price == pytest.approx(told.price)
    turned = judged(spread[:, ::-1], sizes[:, ::-1], p=3)
    assert turned.price[:, ::-1] == pytest.approx(told.price)


def test_equal_spreads_empty_components_and_bounded_likelihoods_cost_nothing():
    sizes = np.array([[90.0, 10.0], [100.0, 0.0]])
    assert not judged(np.ones((2, 2)), sizes, p=3).price.any()
    assert not judged(np.full((2, 1), 0.5), sizes[:, :1], p=3).price.any()
    assert not judged(np.array([[1.0, 0.5], [0.5, 1.0]]), sizes, p=3, bounded=True).price.any()
    told = judged(np.array([[1.0, 0.01]]), np.array([[100.0, 0.0]]), p=3)
    assert told.price.tolist() == [[0.0, 0.0]]
    assert told.too_few.tolist() == [[False, True]]


def test_spreads_finer_than_rounding_are_no_estimates():
    # Whole numbers have errors of standard deviation 1 / sqrt(12), those of 0.15 half of it.
    rounding, sizes = 1.0 / math.sqrt(12.0), np.array([[50.0, 20.0]])
    fine, coarse = (
        judged(np.array([[2.0, s]]), sizes, 2, 2.0, rounding=rounding) for s in (0.14, 0.15)
    )
    assert fine.collapsed.tolist() == [[False, True]]
    assert not coarse.degenerate.any()
    assert not judged(np.array([[2.0, 0.14]]), sizes, 2, 2.0).degenerate.any()


@pytest.mark.filterwarnings("ignore::smmix.errors.DegenerateComponentWarning")
def test_rows_that_were_rounded_alike_are_no_component():
    # Fifteen of sixty whole numbers are in line exactly where the line itself rises by whole ones.
    rng = np.random.default_rng(4)
    x = rng.integers(0, 20, 60).astype(float)
    y = np.round(2.0 + 0.5 * x + 3.0 * rng.normal(size=60))
    y[:15] = x[:15] - 3.0
    frame = pd.DataFrame({"x": x, "y": y})
    near = frame.assign(y=y + 1e-2 * rng.normal(size=60))
    rounded, spread = (smmix.from_formula("y ~ x", rows, k=2).fit() for rows in (frame, near))
    assert rounded.sigma.min() > 0.5 / math.sqrt(12.0)
    assert spread.sigma.min() < 0.02


@pytest.mark.filterwarnings("ignore::smmix.errors.DegenerateComponentWarning")
def test_noise_around_one_regression_is_one_component():
    rng = np.random.default_rng(900060)
    x = rng.uniform(-2.0, 2.0, (60, 3))
    y = 3.0 - x.sum(axis=1) + rng.normal(size=60)
    found = smmix.select_k(
        "y ~ a + b + c", pd.DataFrame(x, columns=list("abc")).assign(y=y), k=[1, 2], n_starts=20
    )
    assert found.best_k == 1
    # BIC alone prefers chance: modes with enough rows that are higher than the fit.
    starts = found.fits[2].starts
    chance = starts[starts["reason"].str.startswith("chance line")]
    alone = -2.0 * chance["llf"].max() + found.table.loc[2, "df"] * math.log(60.0)
    assert alone < found.table.loc[1, "bic"]
    assert (chance["llf"] > found.table.loc[2, "llf"]).all()


@pytest.mark.filterwarnings("ignore::smmix.errors.DegenerateComponentWarning")
def test_modes_above_the_fit_are_named_chance_lines():
    rng = np.random.default_rng(900060)
    x = rng.uniform(-2.0, 2.0, (60, 3))
    data = pd.DataFrame(x, columns=list("abc")).assign(y=3.0 - x.sum(axis=1) + rng.normal(size=60))
    fit = smmix.from_formula("y ~ a + b + c", data, k=2).fit(n_starts=20)
    starts, row = fit.starts, fit.record.modes.selected
    above = starts.iloc[:row]
    price = [mode.price for mode in fit.record.modes.modes]
    assert row > 0
    assert above["reason"].str.contains("chance line|too few rows|collapsed").all()
    worth = (starts["llf"] - price)[~starts["degenerate"]]
    assert worth.idxmax() == row


@pytest.mark.filterwarnings("ignore::smmix.errors.DegenerateComponentWarning")
def test_the_sharp_line_of_the_tone_data_stays():
    fit = smmix.from_formula("tuned ~ stretchratio", load_frame("tonedata.csv"), k=3).fit()
    assert fit.sigma.min() / fit.sigma.max() < 0.03
    assert fit.llf > 238.79
