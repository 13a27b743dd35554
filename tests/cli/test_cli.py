"""The command line: numbers against the references, streams, exit status, one line per error."""

import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_reference import load_case, load_frame, locate, reference_params
from scipy.stats import norm

import smmix
from smmix import simulate_mixture
from smmix.cli import main

ENGEL = ["fit", "foodexp ~ income", "--dataset", "engel", "-k", "2"]


@pytest.fixture
def stdin(monkeypatch):
    """Give bytes as standard input."""

    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))

    return give


def process(*args: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smmix", *args], capture_output=True, text=True, **options
    )


def refusal(capsys, *args: str) -> str:
    """The one line on standard error with which a call is refused."""
    status = main(list(args))
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("smmix: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err.removeprefix("smmix: error: ")


@pytest.mark.slow
def test_fit_of_a_data_set_prints_the_summary():
    done = process(*ENGEL)
    assert (done.returncode, done.stderr) == (0, "")
    optimum = load_case("engel_k2").optimum
    assert f"{optimum['loglik']:.5g}" in done.stdout
    for component in optimum["components"]:
        assert f"{component['coef']['income']:.4f}" in done.stdout


@pytest.mark.parametrize(
    ("case", "source"),
    [("engel_k2", "engel.csv"), ("npreg_k2", "NPreg.csv"), ("sim_freqw_k2", "sim_freqw_k2.csv")],
)
def test_json_holds_the_reference_numbers(capsys, case, source):
    reference = load_case(case)
    model = reference.model
    options = ["--weights", model["weights"]] if model["weights"] else []
    path = str(locate("data", source))
    assert main(["fit", model["formula"], path, "-k", str(reference.k), "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    params, bse = reference_params(reference)
    assert found["llf"] == pytest.approx(reference.optimum["loglik"], abs=1e-6)
    assert found["converged"] is True
    assert found["k"] == reference.k
    for name in params.index:
        assert found["params"][name] == pytest.approx(params[name], rel=1e-5)
        assert found["bse"][name] == pytest.approx(bse[name], rel=1e-4)
    for name, key in {"aic": "aic", "bic": "bic", "icl": "icl_hard"}.items():
        assert found["criteria"][name] == pytest.approx(reference.optimum[key], abs=1e-5)


def test_json_has_no_nan(capsys):
    assert main([*ENGEL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["pvalues"]["sigma[0]"] is None


def test_clustered_standard_errors_are_those_of_statsmodels(tmp_path, capsys):
    data = load_frame("engel.csv").assign(town=lambda frame: np.arange(len(frame)) % 30)
    path = tmp_path / "towns.csv"
    data.to_csv(path, index=False)
    call = ["fit", "foodexp ~ income", str(path), "-k", "1", "--cluster", "town", "--json"]
    assert main(call) == 0
    bse = json.loads(capsys.readouterr().out)["bse"]
    model = sm.OLS(data["foodexp"], sm.add_constant(data["income"]))
    ols = model.fit(cov_type="cluster", cov_kwds={"groups": data["town"], "use_correction": False})
    n_towns = 30
    expected = ols.bse * np.sqrt(n_towns / (n_towns - 1))
    assert bse["income[0]"] == pytest.approx(expected["income"], rel=1e-6)


def test_one_component_is_ordinary_least_squares(capsys):
    assert main([*ENGEL[:-1], "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    data = load_frame("engel.csv")
    ols = sm.OLS(data["foodexp"], sm.add_constant(data["income"])).fit()
    assert found["llf"] == pytest.approx(ols.llf, rel=1e-12)
    assert found["params"]["income[0]"] == pytest.approx(ols.params["income"], rel=1e-10)


def test_options_may_stand_between_formula_and_file(capsys):
    path = str(locate("data", "engel.csv"))
    assert main(["fit", "foodexp ~ income", "-k", "1", path, "--json"]) == 0
    between = capsys.readouterr().out
    assert main(["fit", "foodexp ~ income", path, "--k", "1", "--json"]) == 0
    assert capsys.readouterr().out == between


def test_standard_input_and_parquet_are_read_like_csv(capsys, stdin, tmp_path):
    path = locate("data", "engel.csv")
    parquet = tmp_path / "engel.parquet"
    pd.read_csv(path).to_parquet(parquet)
    stdin(path.read_bytes())
    found = []
    for source in (str(path), str(parquet), "-"):
        assert main(["fit", "foodexp ~ income", source, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out) | {"data": ""})
    assert found[0] == found[1] == found[2]


@pytest.fixture(scope="module")
def saved_fit(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("saved") / "fit.json")
    assert process(*ENGEL, "--save", path).returncode == 0
    return path


def test_column_of_clusters_is_no_regressor(tmp_path, capsys):
    table = tmp_path / "data.csv"
    sim = simulate_mixture(80, coef=[[0, 2], [9, -2]], n_groups=20, rng=1)
    sim.frame.to_csv(table, index=False)
    call = ["select", str(table), "--response", "y", "--k", "1", "--cluster", "group", "--json"]
    assert main([*call, "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["best"]["formula"] == "y ~ x1"


def test_plot_of_several_panels_is_written(tmp_path, capsys):
    table, picture = tmp_path / "data.csv", tmp_path / "fit.png"
    simulate_mixture(60, coef=[[0, 2, 1], [9, -2, 1]], rng=1).frame.to_csv(table, index=False)
    assert main(["fit", "y ~ x1 + x2", str(table), "--plot", str(picture), "--quiet"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_bootstrap_errors_are_those_of_the_bootstrap(capsys):
    assert main([*ENGEL, "--cov-type", "bootstrap", "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    data = sm.datasets.engel.load_pandas().data
    boot = smmix.from_formula("foodexp ~ income", data).fit().bootstrap()
    assert record["bse"] == pytest.approx(boot.params.std().to_dict())


def test_plot_is_written(tmp_path, capsys):
    picture = tmp_path / "fit.png"
    assert main([*ENGEL, "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_predicted_lines_are_those_of_the_reference(saved_fit, capsys):
    assert main(["predict", saved_fit, "--dataset", "engel", "--which", "components"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    params, _ = reference_params(load_case("engel_k2"))
    income = load_frame("engel.csv")["income"]
    for component in range(2):
        line = params[f"Intercept[{component}]"] + params[f"income[{component}]"] * income
        np.testing.assert_allclose(found[f"mean[{component}]"], line, rtol=1e-6)


def test_predicted_posteriors_are_those_of_the_reference(saved_fit, capsys):
    assert main(["predict", saved_fit, "--dataset", "engel", "--which", "posterior"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    case = load_case("engel_k2")
    head = np.array(case.optimum["posterior_head"])[:, case.order]
    np.testing.assert_allclose(found.to_numpy()[: len(head)], head, atol=1e-6)


def test_predicted_quantiles_have_their_probability(saved_fit, tmp_path, capsys):
    call = ["predict", saved_fit, "--dataset", "engel", "--which", "quantile", "--q", "0.1,0.9"]
    assert main(call) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    params, _ = reference_params(load_case("engel_k2"))
    share = 1 / (1 + np.exp(params["mixing.Intercept[1]"]))
    income = load_frame("engel.csv")["income"]
    for q in (0.1, 0.9):
        below = sum(
            weight
            * norm.cdf(
                (
                    found[f"quantile[{q}]"]
                    - params[f"Intercept[{c}]"]
                    - params[f"income[{c}]"] * income
                )
                / params[f"sigma[{c}]"]
            )
            for c, weight in enumerate((share, 1 - share))
        )
        np.testing.assert_allclose(below, q, atol=1e-6)


def test_prediction_has_a_row_for_each_row(saved_fit, tmp_path, capsys):
    path, out = tmp_path / "new.csv", tmp_path / "predicted.csv"
    path.write_text("income,foodexp\n400,300\n,300\n1000,\n")
    assert main(["predict", saved_fit, str(path), "--intervals", "-o", str(out)]) == 0
    found = pd.read_csv(out, skip_blank_lines=False)
    assert found.shape == (3, 6)
    assert found["mean"].isna().tolist() == [False, True, False]
    assert capsys.readouterr().err == (
        f"smmix: note: {path}: 1 of 3 rows have missing values and no prediction.\n"
    )


def test_fit_that_does_not_converge_exits_with_1(capsys):
    assert main([*ENGEL, "--maxiter", "1", "--method", "em"]) == 1
    out, err = capsys.readouterr()
    assert "foodexp" in out
    assert err.startswith("smmix: warning: ConvergenceWarning: ")
    assert err.count("\n") == 1


def test_positions_in_messages_count_incomplete_rows(tmp_path, capsys):
    path = tmp_path / "data.csv"
    lines = [f"{i},{2 * i + i % 3}" for i in range(1, 31)]
    lines[1], lines[2], lines[11] = "2,", ",7", "inf,3"
    path.write_text("\n".join(["x,y", *lines]) + "\n")
    assert "row 12 (position 11)" in refusal(capsys, "fit", "y ~ x", str(path), "-k", "1")


def test_rows_with_missing_values_are_counted_on_standard_error(tmp_path, capsys):
    path = tmp_path / "gaps.csv"
    data = load_frame("engel.csv").copy()
    data.loc[[3, 5], "income"] = np.nan
    data.to_csv(path, index=False)
    assert main(["fit", "foodexp ~ income", str(path), "-k", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["nobs"] == 233
    assert err == (
        f"smmix: note: {path}: 2 of 235 rows have missing values and are left out, "
        "the first is row 4.\n"
    )


CONTENTS = {
    "x,y\n1,2\n2,3,4\n": ("line 3", "3 fields where 2 were expected"),
    "x,y,z\n1,2,3\n2,3\n4,5,6\n": ("row 2", "2 fields where the header has 3"),
    "x,y\n1,2,3\n2,3,4\n": ("row 1", "more fields than the header"),
    "x,y,x\n1,2,3\n": ("'x' more than once",),
    'x,y\n1,"2\n3,4\n': ("never closed",),
    "x;y|z\n1;2\n": ("read with ';' between fields", "'y'"),
    "": ("the file is empty",),
    "x,y\n": ("no rows",),
    "x,y\n1,2\n2,3\n3,5\nn.b.,7\n": ("row 4", "'x'", "'n.b.'"),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_malformed_csv_names_file_and_place(tmp_path, capsys, content):
    path = tmp_path / "data.csv"
    path.write_text(content)
    message = refusal(capsys, "fit", "y ~ x", str(path))
    assert message.startswith(str(path))
    for part in CONTENTS[content]:
        assert part in message


def test_a_column_marked_as_factor_may_mix_numbers_and_text(tmp_path, capsys):
    path = tmp_path / "codes.csv"
    rng = np.random.default_rng(0)
    code = rng.choice(["1", "2", "3", "X"], size=80, p=[0.3, 0.3, 0.3, 0.1])
    pd.DataFrame({"y": rng.normal(size=80), "code": code}).to_csv(path, index=False)
    assert "write C(code)" in refusal(capsys, "fit", "y ~ code", str(path))
    assert main(["fit", "y ~ C(code)", str(path), "-k", "1", "--json"]) == 0
    assert "C(code)[T.X][0]" in json.loads(capsys.readouterr().out)["params"]


WRONG_CALLS = {
    (): "a command is missing",
    ("frobnicate",): "'frobnicate'",
    ("fit",): "FORMULA",
    ("fit", "y ~ x"): "give one table",
    ("fit", "y ~ x", "a.csv", "--dataset", "engel"): "give one table",
    ("fit", "y ~ x", "no-such-file.csv"): "no-such-file.csv: No such file",
    ("fit", "y ~ x", "--dataset", "angel"): "engel",
    ("fit", "y ~ x", "--dataset", "engel", "--kk", "3"): "--kk",
    ("fit", "y ~ x", "--dataset", "engel", "-k", "two"): "'two'",
    ("fit", "foodexp ~ income", "--dataset", "engel", "-k", "0"): "-k",
    ("fit", "foodexp ~ incom", "--dataset", "engel"): "'incom'",
    ("fit", "foodexp ~ income +", "--dataset", "engel"): "income +",
    ("fit", "foodexp ~ income", "--dataset", "engel", "--groups", "id"): "--groups",
    ("fit", "foodexp ~ income", "--dataset", "engel", "--weights", "w"): "income, foodexp",
    ("fit", "foodexp ~ income", "--dataset", "engel", "--plot", "fit.docx"): ".png",
    ("fit", "foodexp ~ income", "--dataset", "engel", "--save", "no/such/fit.json"): "no folder",
    ("fit", "foodexp ~ income", "--dataset", "engel", "--cov-type", "HC9"): "HC9",
    ("select", "--dataset", "engel"): "--response",
    ("select", "--dataset", "engel", "--response", "food"): "--response",
    ("select", "y ~ x", "--dataset", "engel", "--k", "3:1"): "empty range",
    ("select", "y ~ x", "--dataset", "engel", "--k", "many"): "'many'",
    ("simulate", "--coef", "1,2;3"): "differ in length",
    ("simulate", "--coef", "1,b"): "'1,b'",
    ("predict", "no-such-fit.json", "--dataset", "engel"): "no-such-fit.json",
}


@pytest.mark.parametrize("args", WRONG_CALLS, ids=" ".join)
def test_wrong_call_is_refused_in_one_line(capsys, args):
    assert WRONG_CALLS[args] in refusal(capsys, *args)


@pytest.mark.parametrize("command", ["fit", "select", "simulate", "predict", "ols"])
def test_every_command_has_help(capsys, command):
    assert main([command, "--help"]) == 0
    assert f"usage: smmix {command}" in capsys.readouterr().out


def test_help_lists_the_commands_and_shows_calls(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: smmix [--help] [--version] COMMAND")
    for command in ("fit", "select", "predict", "simulate", "ols"):
        assert f"\n  {command} " in text
    assert ">>>" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("smmix 0.")


@pytest.mark.slow
def test_a_reader_that_stops_early_is_no_error():
    command = f"{sys.executable} -m smmix simulate --n 100000 | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_failure_of_a_function_in_the_formula_is_one_line(capsys):
    assert "income" in refusal(
        capsys, "fit", "foodexp ~ np.linalg.inv(income)", "--dataset", "engel"
    )


SIMULATE = ["simulate", "--n", "600", "--coef", "0.5,1.5,2,3; 1,2,3,-4", "--seed", "42"]


def test_simulation_prints_its_truth(tmp_path, capsys):
    path = str(tmp_path / "sim.csv")
    assert main([*SIMULATE, "--weights", "0.4,0.6", "-o", path]) == 0
    truth = pd.read_csv(io.StringIO(capsys.readouterr().out), sep=r"\s+", skiprows=[1])
    assert truth["x3"].tolist() == [3, -4]
    assert truth["weight"].tolist() == [0.4, 0.6]
    frame = pd.read_csv(path)
    assert list(frame.columns) == ["x1", "x2", "x3", "y", "component"]
    for component, coef in enumerate([[0.5, 1.5, 2, 3], [1, 2, 3, -4]]):
        rows = frame[frame["component"] == component]
        ols = sm.OLS(rows["y"], sm.add_constant(rows[["x1", "x2", "x3"]])).fit()
        assert (np.abs(ols.params.to_numpy() - coef) < 4 * ols.bse.to_numpy()).all()


def test_select_takes_all_columns_but_the_true_label(tmp_path, capsys):
    path, picture = str(tmp_path / "sim.csv"), tmp_path / "k.png"
    assert main([*SIMULATE, "-o", path]) == 0
    capsys.readouterr()
    call = ["select", path, "--response", "y", "--k", "1:3", "--json", "--plot", str(picture)]
    assert main(call) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["best"]["formula"] == "y ~ x1 + x2 + x3"
    assert found["best_k"] == 2
    assert [row["k"] for row in found["table"]] == [1, 2, 3]
    lines = err.splitlines()
    assert lines[0] == (
        "smmix: note: column 'component' is taken for the true label and is no regressor."
    )
    assert lines[1:] == [f"smmix: k={row['k']}: bic {row['bic']:.2f}" for row in found["table"]]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_select_finds_the_reference_values(capsys):
    path = str(locate("data", "NPreg.csv"))
    assert main(["select", "yn ~ x + I(x**2)", path, "--k", "1,2", "--quiet", "--json"]) == 0
    out, err = capsys.readouterr()
    table = json.loads(out)["table"]
    reference = load_case("npreg_k2").optimum
    data = load_frame("NPreg.csv")
    design = sm.add_constant(np.column_stack([data["x"], data["x"] ** 2]))
    assert err == ""
    assert table[0]["llf"] == pytest.approx(sm.OLS(data["yn"], design).fit().llf, abs=1e-8)
    assert table[1]["llf"] == pytest.approx(reference["loglik"], abs=1e-6)
    assert table[1]["bic"] == pytest.approx(reference["bic"], abs=1e-5)


def test_select_prints_the_criteria_and_the_best_fit(capsys):
    assert main(["select", "foodexp ~ income", "--dataset", "engel", "--k", "1:2"]) == 0
    out, err = capsys.readouterr()
    assert out.index("Number of Components") < out.index("Mixture of Linear Regressions Results")
    assert err.count("\n") == 2


def test_select_quotes_names_that_are_no_identifiers(tmp_path, capsys):
    path = tmp_path / "names.csv"
    data = load_frame("engel.csv").rename(columns={"income": "net income", "foodexp": "class"})
    data.assign(id=range(len(data))).to_csv(path, index=False)
    call = ["select", str(path), "--response", "class", "--exclude", "id", "--k", "1"]
    assert main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["best"]["formula"] == "Q('class') ~ Q('net income')"


@pytest.mark.slow
def test_ols_is_the_filter_on_standard_input():
    done = process("ols", input="1 3\n1 3\n2 5\n3 7\n\n2\n4\n0.5\n")
    assert (done.returncode, done.stdout) == (0, "9.00\n2.00\n")
