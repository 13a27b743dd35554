"""Families at the command line, beside the models of statsmodels that one component equals."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from smmix.cli import main

COUNTS = ["--coef", "0,0.4;2,-0.3", "--weights", "0.4,0.6"]


@pytest.fixture
def run(capsys):
    """Run a command that must succeed, and return what it prints."""

    def call(*args: str) -> str:
        status = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        assert status == 0, err
        return out

    return call


@pytest.fixture
def refusal(capsys):
    """Run a command that must be refused, and return its one line."""

    def call(*args: str) -> str:
        assert main([str(arg) for arg in args]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        return err

    return call


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Counts of two components with the months in which they were counted."""
    rng = np.random.default_rng(3)
    n = 300
    frame = pd.DataFrame({"age": rng.normal(size=n).round(3), "months": rng.integers(1, 13, n)})
    rate = np.exp(np.where(rng.random(n) < 0.5, -1.0, 1.0) + 0.3 * frame["age"])
    frame["visits"] = rng.poisson(rate * frame["months"])
    path = tmp_path_factory.mktemp("data") / "counts.csv"
    frame.to_csv(path, index=False)
    return path


def fitted(run, *args):
    return json.loads(run("fit", *args, "--json", "--quiet"))


def test_one_component_is_the_poisson_regression_of_statsmodels(run, counts):
    frame = pd.read_csv(counts)
    exog = sm.add_constant(frame[["age"]])
    theirs = sm.Poisson(frame["visits"], exog, exposure=frame["months"]).fit(disp=False)
    ours = fitted(run, "visits ~ age", counts, "-k", "1", "--family", "poisson",
                  "--exposure", "months")  # fmt: skip
    assert ours["family"] == "poisson"
    assert "sigma" not in ours
    assert ours["llf"] == pytest.approx(theirs.llf)
    np.testing.assert_allclose(list(ours["params"].values()), theirs.params, rtol=1e-6)
    np.testing.assert_allclose(list(ours["bse"].values()), theirs.bse, rtol=1e-5)
    np.testing.assert_allclose(list(ours["conf_int"].values()), theirs.conf_int(), rtol=1e-5)


def test_one_component_is_the_negative_binomial_regression_of_statsmodels(run, counts):
    frame = pd.read_csv(counts)
    exog = sm.add_constant(frame[["age"]])
    model = sm.NegativeBinomial(frame["visits"], exog, exposure=frame["months"])
    theirs = model.fit(disp=False, maxiter=200)
    ours = fitted(run, "visits ~ age", counts, "-k", "1", "--family", "nb2",
                  "--exposure", "months")  # fmt: skip
    np.testing.assert_allclose(list(ours["params"].values()), theirs.params, rtol=1e-4)
    assert ours["alpha"] == [pytest.approx(theirs.params["alpha"], rel=1e-4)]
    # The interval of a positive parameter is symmetric in its log, as the printed table has it.
    log = np.log(ours["alpha"][0])
    reach = stats.norm.ppf(0.975) * ours["bse"]["alpha[0]"] / ours["alpha"][0]
    np.testing.assert_allclose(np.log(ours["conf_int"]["alpha[0]"]), [log - reach, log + reach])


def test_successes_of_trials(run, tmp_path):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"x": rng.normal(size=200).round(3), "t": rng.integers(2, 9, 200)})
    frame["s"] = rng.binomial(frame["t"], 1 / (1 + np.exp(-frame["x"])))
    frame.to_csv(tmp_path / "trials.csv", index=False)
    y = np.column_stack([frame["s"], frame["t"] - frame["s"]])
    link = sm.families.links.Probit()
    theirs = sm.GLM(y, sm.add_constant(frame[["x"]]), sm.families.Binomial(link)).fit()
    ours = fitted(run, "s ~ x", tmp_path / "trials.csv", "-k", "1", "--trials", "t",
                  "--family", "binomial(link=probit)")  # fmt: skip
    np.testing.assert_allclose(list(ours["params"].values()), theirs.params, rtol=1e-6)


def test_times_that_were_cut_off(run, tmp_path):
    # With no regressor the exponential rate is events over time, whatever was cut off.
    rng = np.random.default_rng(5)
    time = rng.exponential(3.0, 200)
    frame = pd.DataFrame({"time": np.minimum(time, 4.0), "died": (time < 4.0).astype(int)})
    frame.to_csv(tmp_path / "times.csv", index=False)
    ours = fitted(run, "time ~ 1", tmp_path / "times.csv", "-k", "1", "--event", "died",
                  "--family", "exponential")  # fmt: skip
    mean = frame["time"].sum() / frame["died"].sum()
    assert ours["params"]["Intercept[0]"] == pytest.approx(np.log(mean))


def test_a_list_of_families_is_the_zero_inflated_model_of_statsmodels(run, tmp_path):
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"x": rng.normal(size=400).round(3)})
    positive = rng.random(400) < 0.7
    frame["y"] = np.where(positive, rng.poisson(np.exp(1.0 + 0.3 * frame["x"])), 0)
    frame.to_csv(tmp_path / "zeros.csv", index=False)
    exog = sm.add_constant(frame[["x"]])
    theirs = sm.ZeroInflatedPoisson(frame["y"], exog).fit(disp=False, maxiter=200)
    ours = fitted(run, "y ~ x", tmp_path / "zeros.csv", "--family", "poisson,zero")
    assert ours["llf"] == pytest.approx(theirs.llf)
    logit = ours["params"]["mixing.Intercept[1]"]
    assert logit == pytest.approx(theirs.params["inflate_const"], rel=1e-4)


def test_limits_of_a_censored_response(run, tmp_path):
    # Far from its limits the censored regression is least squares.
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": rng.normal(size=100).round(3)})
    frame["y"] = 1 + frame["x"] + 0.1 * rng.normal(size=100)
    frame.to_csv(tmp_path / "near.csv", index=False)
    theirs = sm.OLS(frame["y"], sm.add_constant(frame[["x"]])).fit()
    ours = fitted(run, "y ~ x", tmp_path / "near.csv", "-k", "1",
                  "--family", "tobit(lower=-50)")  # fmt: skip
    assert ours["llf"] == pytest.approx(theirs.llf)


def test_shared_parameters_and_the_printed_summary(run, counts):
    printed = run("fit", "visits ~ age", counts, "--family", "negative-binomial", "--shared",
                  "alpha", "--exposure", "months", "--quiet", "--starts", "5")  # fmt: skip
    assert "alpha " in printed
    assert "alpha[0]" not in printed
    assert "sigma" not in printed


def test_select_compares_the_likelihoods_of_statsmodels(run, counts):
    frame = pd.read_csv(counts)
    out = run("select", "--response", "visits", counts, "-k", "1:2", "--family", "poisson",
              "--exposure", "months", "--json", "--quiet")  # fmt: skip
    chosen = json.loads(out)
    exog = sm.add_constant(frame[["age"]])
    theirs = sm.Poisson(frame["visits"], exog, exposure=frame["months"]).fit(disp=False)
    assert chosen["best_k"] == 2
    assert chosen["table"][0]["bic"] == pytest.approx(theirs.bic)
    # The column of the exposure is no regressor.
    assert [name for name in chosen["best"]["params"] if "months" in name] == []


@pytest.mark.parametrize("which", ["linear", "variance", "mean", "prob"])
def test_predictions_of_a_saved_fit(run, counts, tmp_path, which):
    frame = pd.read_csv(counts)
    save = tmp_path / "fit.json"
    record = fitted(run, "visits ~ age", counts, "-k", "1", "--family", "poisson",
                    "--exposure", "months", "--save", save)  # fmt: skip
    got = pd.read_csv(io.StringIO(run("predict", save, counts, "--which", which)))
    params = record["params"]
    linear = params["Intercept[0]"] + params["age[0]"] * frame["age"] + np.log(frame["months"])
    want = {"linear": linear, "prob": np.ones(len(frame))}.get(which, np.exp(linear))
    np.testing.assert_allclose(got.iloc[:, 0], want, rtol=1e-8)


def test_simulated_counts_have_the_mean_and_variance_asked_for(run):
    out = run("simulate", "--n", "20000", "--family", "nb2", "--nuisance", "alpha=0.5,2",
              "--coef", "1;2", "--seed", "2")  # fmt: skip
    frame = pd.read_csv(io.StringIO(out))
    for c, (log_mean, alpha) in enumerate([(1.0, 0.5), (2.0, 2.0)]):
        y, mean = frame["y"][frame["component"] == c], np.exp(log_mean)
        variance = mean + alpha * mean**2
        assert abs(y.mean() - mean) < 4 * np.sqrt(variance / len(y))
        assert y.var() == pytest.approx(variance, rel=0.15)


def test_the_truth_of_a_simulation_is_printed(run, tmp_path):
    out = run("simulate", "--family", "poisson", *COUNTS, "-o", tmp_path / "sim.csv")
    assert "sigma" not in out
    assert out.split()[:4] == ["Intercept", "x1", "weight", "component"]
    levels = run("simulate", "--family", "ordered(levels=[low, high])", "--coef", "1",
                 "--nuisance", "below.high=0", "--n", "50")  # fmt: skip
    assert set(pd.read_csv(io.StringIO(levels))["y"]) == {"low", "high"}


REFUSED = {
    "did you mean 'poisson'": ["--family", "poison"],
    "is not like poisson": ["--family", "poisson +"],
    "student_t has no option 'nu'": ["--family", "student_t(nu=4)"],
    "name the options": ["--family", "student_t(4)"],
    "df is -1; give a positive": ["--family", "student_t(df=-1)"],
    "did you mean 'student_t'": ["--family", "studentt(df=4)"],
    "lists 3 families but k=2": ["--family", "poisson,poisson,zero"],
    "--exposure: ": ["--family", "poisson", "--exposure", "weeks"],
    "trials means nothing": ["--family", "poisson", "--trials", "months"],
    "shared names 'alpha'": ["--family", "poisson", "--shared", "alpha"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_wrong_calls_are_refused_in_a_line(refusal, counts, message):
    assert message in refusal("fit", "visits ~ age", counts, "-k", "2", *REFUSED[message])


@pytest.mark.parametrize("text", ["alpha", "alpha=x", "=1"])
def test_unreadable_parameters_are_refused(refusal, text):
    said = refusal("simulate", "--family", "nb2", "--nuisance", text, "--coef", "1")
    assert "is not like alpha=0.5" in said
    twice = ["--nuisance", "alpha=1", "--nuisance", "alpha=2"]
    assert "twice" in refusal("simulate", "--family", "nb2", *twice, "--coef", "1")
