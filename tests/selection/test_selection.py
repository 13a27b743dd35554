"""Choosing k: fits that are those of fit(), criteria of the references, rules that always hold."""

import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_reference import load_case, load_frame
from scipy import stats

import smmix
from smmix import select_k, simulate_mixture
from smmix.errors import DegenerateComponentWarning, SmmixError
from smmix.selection.options import CHOICES

COLUMNS = [
    "llf", "df", "aic", "bic", "icl", "entropy_r2", "min_weight", "converged", "hits", "price",
]  # fmt: skip
SEED_COEF = [[0.5, 1.5, 2, 3], [1, 2, 3, 4], [2, 3, 4, 6]]


@pytest.fixture(scope="module")
def npreg():
    return load_frame("NPreg.csv")


@pytest.fixture(scope="module")
def selection(npreg):
    return select_k("yn ~ x + I(x ** 2)", npreg, k=range(1, 5))


@pytest.mark.slow
def test_criteria_of_the_table_are_the_reference_values(selection):
    optimum = load_case("npreg_k2").optimum
    row = selection.table.loc[2]
    expected = {
        "llf": optimum["loglik"],
        "df": optimum["df"],
        "aic": optimum["aic"],
        "bic": optimum["bic"],
        "icl": optimum["icl_hard"],
        "icl_soft": optimum["icl_soft"],
        "entropy": optimum["entropy"],
        "entropy_r2": optimum["relative_entropy"],
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, abs=1e-6), name


def test_one_component_is_ordinary_least_squares(selection, npreg):
    ols = sm.OLS.from_formula("yn ~ x + I(x ** 2)", npreg).fit()
    row = selection.table.loc[1]
    assert row["llf"] == pytest.approx(ols.llf, rel=1e-12)
    assert row["df"] == 4
    assert row["bic"] == pytest.approx(-2 * ols.llf + 4 * np.log(200), rel=1e-12)


def test_table_and_parts_are_as_documented(selection):
    table = selection.table
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    assert table.columns[-1] == "warning"
    assert table.index.tolist() == [1, 2, 3, 4]
    assert table.index.name == "k"
    assert set(CHOICES) - {"cv", "bic_groups"} <= set(table.columns)
    assert table["df"].dtype.kind == "i"
    assert table["converged"].dtype == bool
    assert selection.best_k == 2
    assert selection.best is selection.fits[2]
    assert isinstance(selection.best, smmix.MixtureResults)
    assert selection.best.k == 2


def test_fits_are_those_of_the_model_by_itself(selection, npreg):
    alone = smmix.from_formula("yn ~ x + I(x ** 2)", npreg, k=2).fit()
    pd.testing.assert_series_equal(selection.fits[2].params, alone.params, rtol=1e-7)
    assert selection.fits[2].model.formula == alone.model.formula
    newer = selection.fits[2].predict(npreg.iloc[:3])
    np.testing.assert_allclose(newer, alone.predict(npreg.iloc[:3]), rtol=1e-7)


@pytest.mark.slow
def test_the_scan_of_the_seed_example_is_never_above_the_program_it_replaces():
    record = load_case_seed()
    frame = load_frame("seed_example.csv")
    found = select_k("y ~ x1 + x2 + x3", frame, k=range(1, 5))
    for k, bic in record["honest_bic_of_that_program_from_one_start"].items():
        assert found.table.loc[int(k), "bic"] <= bic + 1e-3, k
    assert found.best_k == 3


def load_case_seed():
    import json

    from helpers_reference import locate

    return json.loads(locate("expected", "seed_example.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "options"), [(0, {}), (1, {"variance": "equal"}), (2, {"maxiter": 5})]
)
def test_log_likelihood_never_falls_with_k(seed, options):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=80), "y": rng.standard_t(2, size=80)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = select_k("y ~ x", frame, k=range(1, 5), n_starts=6, **options).fits
    # Where the fit is below the one before, the modes that are not are listed as chance lines.
    highest = []
    for fit in fits.values():
        kept = fit.starts["reason"].str.match("$|chance line")
        highest += [fit.starts["llf"][kept].max()] if kept.any() else []
    assert (np.diff(highest) >= -1e-8 * np.abs(highest[0])).all()


@pytest.mark.parametrize("n", [500, 6000])
def test_auto_stops_two_past_the_best(n):
    sim = simulate_mixture(n=n, coef=[[0, 3], [5, -3]], rng=1)
    found = select_k("y ~ x1", sim.frame, k="auto")
    assert found.best_k == 2
    assert found.table.index.tolist() == [1, 2, 3, 4]


def test_auto_ends_where_the_rows_are_too_few():
    sim = simulate_mixture(n=13, coef=[[0, 3], [50, -3]], sigma=0.5, rng=3)
    found = select_k("y ~ x1", sim.frame, k="auto", criterion="aic")
    assert found.table.index.max() <= 3
    with pytest.raises(SmmixError, match="too few for k=4"):
        select_k("y ~ x1", sim.frame, k=range(1, 5))


@pytest.mark.parametrize(
    "k", [np.arange(1, 3), pd.Series([1, 2]), pd.Index([2, 1]), [np.int8(1), np.int64(2)]]
)
def test_the_numbers_may_be_of_any_kind(npreg, k):
    chosen = select_k("yn ~ x", npreg, k=k, n_starts=5)
    assert list(chosen.table.index) == [1, 2]
    assert select_k("yn ~ x", npreg, k=np.max(k), n_starts=5).best_k == 2


@pytest.mark.slow
def test_many_rows_are_searched_on_a_sample_and_reach_the_same_modes():
    sim = simulate_mixture(n=9000, coef=SEED_COEF, weights=[0.4, 0.3, 0.3], rng=11)
    found = select_k("y ~ x1 + x2 + x3", sim.frame, k=range(1, 5))
    assert found.best_k == 3
    assert (np.diff(found.table["llf"]) >= 0.0).all()
    alone = smmix.from_formula("y ~ x1 + x2 + x3", sim.frame, k=3).fit()
    assert found.best.llf == pytest.approx(alone.llf, rel=1e-10)
    assert found.table["converged"].all()


def test_groups_weights_and_concomitants_are_passed_on():
    sim = simulate_mixture(n=600, coef=[[0, 1], [4, -1]], mixing=[[0.3, 1.5]], n_groups=150, rng=2)
    frame = sim.frame.assign(w=1 + (sim.frame.index % 3 == 0))
    found = select_k(
        "y ~ x1", frame, k=range(1, 4), concomitant="~ z1", groups="group", freq_weights="w"
    )
    assert found.best_k == 2
    alone = smmix.from_formula(
        "y ~ x1", frame, k=2, concomitant="~ z1", groups="group", freq_weights="w"
    ).fit()
    assert found.best.llf == pytest.approx(alone.llf, rel=1e-10)
    assert (np.diff(found.table["llf"]) >= 0.0).all()
    n_groups = 150
    expected = -2.0 * alone.llf + found.table.loc[2, "df"] * np.log(n_groups)
    assert found.table.loc[2, "bic_groups"] == pytest.approx(expected, rel=1e-10)


def test_functions_of_the_caller_are_found_in_the_formula(npreg):
    def doubled(x):
        return 2.0 * x

    found = select_k("yn ~ doubled(x)", npreg, k=[1])
    assert found.best.model.exog_names == ["Intercept", "doubled(x)"]
    plain = select_k("yn ~ x", npreg, k=1)
    assert found.best.llf == pytest.approx(plain.best.llf, rel=1e-12)


def test_a_model_may_stand_in_place_of_formula_and_data(selection, npreg):
    design = sm.add_constant(np.column_stack([npreg["x"], npreg["x"] ** 2]))
    model = smmix.MixtureOLS(npreg["yn"], design, k=3)
    found = select_k(model, k=[1, 2])
    np.testing.assert_allclose(found.table["llf"], selection.table["llf"][:2], rtol=1e-10)
    with pytest.raises(SmmixError, match="variance is part of the model"):
        select_k(model, k=[1, 2], variance="equal")
    with pytest.raises(SmmixError, match="data is part of the model"):
        select_k(model, npreg, k=[1, 2])


def test_cross_validation_is_the_held_out_density_and_prefers_the_truth():
    sim = simulate_mixture(n=300, coef=[[0, 3], [5, -3]], rng=4)
    found = select_k("y ~ x1", sim.frame, k=[1, 2, 3], criterion="cv", folds=3, n_starts=10)
    assert found.best_k == 2
    # One component by statsmodels and scipy, on the folds that the seed gives.
    x, y = sm.add_constant(sim.frame["x1"]).to_numpy(), sim.frame["y"].to_numpy()
    order = np.random.default_rng(0).permutation(300)
    total = 0.0
    for i in range(3):
        out = order[i::3]
        rest = np.setdiff1d(order, out)
        ols = sm.OLS(y[rest], x[rest]).fit()
        sigma = np.sqrt(ols.ssr / rest.size)
        total += stats.norm.logpdf(y[out], x[out] @ ols.params, sigma).sum()
    assert found.table.loc[1, "cv"] == pytest.approx(total, rel=1e-10)


def test_cross_validation_leaves_out_whole_groups():
    sim = simulate_mixture(n=240, coef=[[0, 3], [5, -3]], n_groups=60, rng=4)
    found = select_k("y ~ x1", sim.frame, k=[1, 2], criterion="cv", groups="group")
    assert found.best_k == 2
    with pytest.raises(SmmixError, match="number of rows \\(or groups\\), 60"):
        select_k("y ~ x1", sim.frame, k=[1], criterion="cv", groups="group", folds=61)


def test_folds_that_cannot_estimate_are_named():
    frame = pd.DataFrame({"y": np.arange(30.0) ** 1.5, "rare": np.r_[1.0, np.zeros(29)]})
    with pytest.raises(SmmixError, match=r"without part \d of 5 cannot tell the column 'rare'"):
        select_k("y ~ rare", frame, k=[1], criterion="cv")


@pytest.mark.slow
def test_doubtful_fits_are_named_in_the_table_and_never_chosen():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = 1 + x + rng.normal(size=60)
    y[:6] = 1 + x[:6]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        found = select_k("y ~ x", pd.DataFrame({"x": x, "y": y}), k=range(1, 5), criterion="aic")
    bad = found.table[found.table["warning"].str.contains("Every mode found is degenerate")]
    assert found.best_k not in bad.index
    assert bad.index.size == sum(fit.mode_found.degenerate for fit in found.fits.values())


def test_fits_that_did_not_converge_are_named():
    frame = load_frame("sim_sep_k3.csv")
    columns = [name for name in frame.columns if name.startswith("x")]
    formula = f"y ~ {' + '.join(columns)}"
    with pytest.warns(sm.tools.sm_exceptions.ConvergenceWarning):
        found = select_k(formula, frame, k=[3], method="em", maxiter=1)
    assert not found.table.loc[3, "converged"]
    assert "did not converge: stopped at the limit" in found.table.loc[3, "warning"]
    assert "k=3: The fit did not converge" in str(found.summary())


def test_tiny_components_are_pointed_out():
    sim = simulate_mixture(n=2000, coef=[[0, 1], [40, 1]], weights=[0.98, 0.02], rng=0)
    found = select_k("y ~ x1", sim.frame, k=[1, 2])
    assert found.best_k == 2
    share = 100 * found.best.mixing_weights.min()
    assert found.table.loc[2, "warning"] == f"A component has {share:.1f} % of the rows."


def test_every_fit_is_reported_as_it_comes(npreg):
    seen = []
    found = select_k("yn ~ x", npreg, k=[1, 2, 3], on_fit=lambda fit: seen.append(fit.k))
    assert seen == [1, 2, 3] == found.table.index.tolist()


def test_an_interrupt_keeps_the_fits_made(npreg):
    def stop(fit):
        if fit.k == 2:
            raise KeyboardInterrupt

    def interrupt_third(stage, done, total, best):
        if len(seen) == 2:
            raise KeyboardInterrupt

    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sm.tools.sm_exceptions.ConvergenceWarning)
        # Where a search is cut short the information need not be that of a maximum.
        warnings.simplefilter("ignore", sm.tools.sm_exceptions.HessianInversionWarning)
        found = select_k(
            "yn ~ x", npreg, k=range(1, 5), on_fit=lambda fit: seen.append(fit.k),
            callback=interrupt_third,
        )  # fmt: skip
    assert found.interrupted
    assert found.table.index.max() <= 3
    assert "interrupted" in str(found.summary())
    with pytest.raises(KeyboardInterrupt):
        select_k("yn ~ x", npreg, k=range(1, 5), on_fit=stop)


def test_same_seed_same_selection_whatever_the_threads(npreg):
    first = select_k("yn ~ x", npreg, k=[2, 3], rng=5, threads=1)
    second = select_k("yn ~ x", npreg, k=[2, 3], rng=5, threads=2)
    pd.testing.assert_frame_equal(first.table, second.table)


def test_summary_in_all_formats(selection):
    text = str(selection.summary())
    assert "Number of Components" in text
    assert f"{selection.table.loc[2, 'bic']:.2f}" in text
    assert "2*" in text
    assert "<table" in selection.summary().as_html()
    assert selection._repr_html_().startswith("<table")
    assert "tabular" in selection.summary().as_latex()


def test_plot_shows_criteria_and_separation(selection):
    ax = selection.plot()
    drawn = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    np.testing.assert_array_equal(drawn["BIC"], selection.table["bic"])
    np.testing.assert_array_equal(drawn["ICL"], selection.table["icl"])
    right = next(other for other in ax.figure.axes if other is not ax)
    np.testing.assert_array_equal(right.get_lines()[0].get_ydata(), selection.table["entropy_r2"])
    _, mine = plt.subplots()
    assert selection.plot(mine) is mine
    plt.close("all")


def test_matplotlib_is_loaded_when_something_is_drawn_only():
    code = "import sys, smmix; assert 'matplotlib' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


REFUSED = {
    "criterion='bics' must be one of": {"criterion": "bics"},
    "criterion='entropy'": {"criterion": "entropy"},
    "criterion='bic_groups'": {"criterion": "bic_groups"},
    "k must be whole numbers": {"k": "many"},
    "k is empty": {"k": []},
    "at least 1, not 0": {"k": range(3)},
    "at least 1, not 1.5": {"k": np.array([1.5, 2.0])},
    "starts belongs to one number": {"k": [2], "starts": np.zeros(200)},
    "start_params belongs": {"k": [2], "start_params": [1.0]},
    "n_starts must be a whole number": {"n_starts": 0},
    "cov_type": {"cov_type": "HC9"},
}


@pytest.mark.parametrize("message", REFUSED)
def test_requests_that_make_no_sense_are_refused(npreg, message):
    with pytest.raises(SmmixError, match=message):
        select_k("yn ~ x", npreg, **REFUSED[message])


def test_unknown_options_and_formulas_by_component_are_refused(npreg):
    with pytest.raises(TypeError, match=r"concomitnt.*concomitant"):
        select_k("yn ~ x", npreg, concomitnt="~ x")
    with pytest.raises(SmmixError, match="one formula for all components"):
        select_k(["yn ~ x", "yn ~ 1"], npreg)


def test_models_with_restrictions_of_single_components_are_refused(npreg):
    model = smmix.from_formula("yn ~ x", npreg, k=2, fixed={"x[0]": 0.0})
    with pytest.raises(SmmixError, match="single components"):
        select_k(model, k=[1, 2])


@pytest.mark.slow
def test_tables_that_are_not_in_memory(tmp_path):
    sim = simulate_mixture(n=4000, coef=[[0, 1], [4, -1]], mixing=[[0.3, 1.5]], rng=2)
    path = tmp_path / "sim.parquet"
    sim.frame.to_parquet(path)
    options = {"concomitant": "~ z1", "k": range(1, 4)}
    found = select_k("y ~ x1", smmix.scan_parquet(path), **options)
    whole = select_k("y ~ x1", sim.frame, **options)
    assert found.best_k == whole.best_k == 2
    np.testing.assert_allclose(found.table["bic"][:2], whole.table["bic"][:2], rtol=1e-9)
    assert (np.diff(found.table["llf"]) >= 0.0).all()
    with pytest.raises(SmmixError, match="needs the rows in memory"):
        select_k("y ~ x1", smmix.scan_parquet(path), criterion="cv")


def test_known_components_are_kept(npreg):
    told = (np.arange(200) < 20) | (np.arange(200) >= 180)
    known = np.where(told, npreg["class"] - 1.0, np.nan)
    found = select_k("yn ~ x + I(x ** 2)", npreg, k=[2, 3], known=known)
    alone = smmix.from_formula("yn ~ x + I(x ** 2)", npreg, k=2, known=known).fit()
    assert found.fits[2].llf == pytest.approx(alone.llf, rel=1e-10)
    for fit in found.fits.values():
        np.testing.assert_array_equal(fit.labels[told], known[told])
    with pytest.raises(SmmixError, match="known is 1"):
        select_k("yn ~ x", npreg, k=[1, 2], known=known)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::smmix.errors.DegenerateComponentWarning")
def test_no_fit_is_below_the_plain_fit_with_the_same_seed():
    # Lines through 28 countries: most starts end in a mode that is not the highest.
    data = load_frame("CO2data.csv")
    for rng in range(2):
        found = select_k("CO2 ~ GNP", data, k=range(1, 4), rng=rng, n_starts=3).table["llf"]
        for k in (2, 3):
            model = smmix.from_formula("CO2 ~ GNP", data, k=k)
            assert found[k] >= model.fit(rng=rng, n_starts=3).llf - 1e-8


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::smmix.errors.DegenerateComponentWarning")
def test_the_chosen_fit_of_many_rows_is_not_below_the_plain_fit():
    coef = [[0, 1], [2, -1], [4, 2], [6, 0]]
    frame = simulate_mixture(2500, coef=coef, weights=[0.25] * 4, rng=3).frame
    found = select_k("y ~ x1", frame, k=range(1, 6), criterion="aic", rng=1, n_starts=10)
    assert found.best_k > 3
    plain = smmix.from_formula("y ~ x1", frame, k=found.best_k).fit(rng=1, n_starts=10)
    assert found.best.llf >= plain.llf - 1e-6


def test_the_guide_says_what_the_study_of_the_criteria_found():
    root = Path(__file__).resolve().parents[2]
    study = pd.read_csv(root / "tests/reference/selection/seed_example.csv", index_col="criterion")
    page = (root / "docs" / "guide" / "how_many.md").read_text(encoding="utf-8")
    lines = page.split("### What they choose")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    shown = {row[0].replace('`bic` with `k="auto"`', "auto").strip("`"): row[1:] for row in rows}
    assert set(shown) - {"criterion"} - {rows[1][0]} == set(study.index)
    for name, counts in study.drop(columns="data_sets").iterrows():
        assert list(map(int, shown[name])) == counts.tolist()
    assert (study["data_sets"] == 100).all()


def test_the_guide_says_what_the_study_of_the_tests_found():
    root = Path(__file__).resolve().parents[2]
    study = pd.read_csv(root / "tests/reference/selection/tests_of_k.csv")
    page = (root / "docs" / "guide" / "how_many.md").read_text(encoding="utf-8")
    shown = {}
    for line in page.split("| test | one line")[1].splitlines()[2:6]:
        name, *figures = (cell.strip() for cell in line.strip("|").split("|"))
        shown[name.replace("`", "").replace("vlmr_test", "vlmr").replace(",", "")] = figures
    assert set(shown) == set(study["test"])
    for name, figures in shown.items():
        refused = 100 * study.loc[study["test"] == name, "refused"].to_numpy()
        np.testing.assert_allclose(np.array(figures, dtype=float), refused, atol=0.501)
    level = study[study["study"] == "level"].set_index("test")
    assert level.loc[["bootstrap_lrt", "em_test"], "refused"].between(0.02, 0.09).all()
    assert level.loc["bootstrap_lrt", "data_sets"] == 200
