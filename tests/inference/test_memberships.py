"""Adequacy, members and profiles of components against definitions, refits and scipy."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers_model import refusal
from helpers_panel import panel
from scipy import optimize, stats

import smmix


def fit(data, prob_weights=None, **options):
    model = smmix.from_formula(
        "y ~ age + I(age**2)", data, k=2, groups="id", family="binomial", prob_weights=prob_weights
    )
    return model.fit(n_starts=10, **options)


@pytest.fixture(scope="module")
def results():
    return fit(panel("binomial"))


def persons(data, results):
    """One row per person in the order of the membership table."""
    return data.drop_duplicates("id").set_index("id").loc[results.membership_table().index]


def test_adequacy_by_definition(results):
    table = results.adequacy_table(alpha=0.1)
    rows = results.posterior.assign(id=panel("binomial")["id"])
    posterior = rows.groupby("id").first()
    label, largest = posterior.to_numpy().argmax(axis=1), posterior.max(axis=1).to_numpy()
    weights, interval = results.mixing_weights, results.proportions(0.1)
    for c in (0, 1):
        row, own = table.loc[c], largest[label == c]
        assert row["assigned_share"] == pytest.approx(len(own) / len(label))
        assert row["mismatch"] == pytest.approx(len(own) / len(label) - weights[c])
        assert row["avepp"] == pytest.approx(own.mean())
        assert row["smallest_posterior"] == own.min()
        odds = own.mean() / (1 - own.mean()) / (weights[c] / (1 - weights[c]))
        assert row["occ"] == pytest.approx(odds)
        assert row[["ci_lower", "ci_upper"]].tolist() == pytest.approx(
            interval.loc[c, ["ci_lower", "ci_upper"]].tolist()
        )
        assert row["fails"] == ""


def test_adequacy_names_the_rules_that_are_broken():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": np.r_[rng.normal(size=150), rng.normal(2.0, 1.0, 50)]})
    table = smmix.from_formula("y ~ 1", frame, k=2, variance="equal").fit().adequacy_table()
    assert table.loc[0, "avepp"] > 0.7
    assert table.loc[0, "occ"] < 5.0
    assert table.loc[0, "fails"] == "occ"


def test_members_are_one_row_per_group(results):
    data, table = panel("binomial"), results.membership_table()
    assert table.index.name == "id"
    assert sorted(table.index) == sorted(data["id"].unique())
    sizes = data.groupby("id").size()
    assert (table["n_rows"] == sizes.loc[table.index]).all()
    assert (table["component"] == results.labels.groupby(data["id"]).first()[table.index]).all()
    both = table[["posterior[0]", "posterior[1]"]]
    assert both.sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert (both.max(axis=1) == table["probability"]).all()


def test_members_without_groups_are_the_rows():
    data = sm.datasets.engel.load_pandas().data
    results = smmix.from_formula("foodexp ~ income", data, k=2).fit(n_starts=5)
    table = results.membership_table()
    assert table["component"].tolist() == results.labels.tolist()
    assert "n_rows" not in table


def errors_of_assignment(results):
    table = results.membership_table()
    posterior = table[["posterior[0]", "posterior[1]"]].to_numpy()
    modal = np.eye(2)[table["component"]]
    return posterior.T @ modal / posterior.sum(axis=0)[:, None], table["component"].to_numpy()


def test_bch_solves_the_totals_of_the_assigned(results):
    errors, label = errors_of_assignment(results)
    z = persons(panel("binomial"), results)["income"].to_numpy()
    totals = np.array([z[label == c].sum() for c in (0, 1)])
    counts = np.bincount(label)
    expected = np.linalg.solve(errors.T, totals) / np.linalg.solve(errors.T, counts)
    assert results.profiles("income")["mean"].to_numpy() == pytest.approx(expected, rel=1e-10)


def test_ml_is_the_maximum_of_the_likelihood_of_step_three(results):
    errors, label = errors_of_assignment(results)
    z = persons(panel("binomial"), results)["income"].to_numpy()

    def loss(at):
        share = 1 / (1 + np.exp(-at[4]))
        density = stats.norm.pdf(z[:, None], at[:2], np.exp(at[2:4]))
        return -np.log((density * [1 - share, share] * errors[:, label].T).sum(axis=1)).sum()

    found = optimize.minimize(loss, [0.0, 1.0, 0.0, 0.0, 0.0], tol=1e-10)
    mean = results.profiles("income", method="ml")["mean"].to_numpy()
    assert mean == pytest.approx(found.x[:2], abs=1e-4)


def test_shares_are_those_of_a_mixture_of_bernoullis(results):
    # Step three is saturated for a level, so both corrections have one answer.
    bch, ml = (results.profiles("sex", method=m) for m in ("bch", "ml"))
    assert ml.to_numpy() == pytest.approx(bch.to_numpy(), rel=1e-5)
    assert bch["mean"].groupby("component").sum().to_numpy() == pytest.approx(1.0)


@pytest.mark.slow
def test_errors_are_those_of_the_jackknife_of_infinitesimal_weights():
    """Each unit's influence is what refits with a little more weight of it show."""
    everyone = panel("binomial", 40)
    data = everyone.assign(w=1.0, income=everyone["income"].where(everyone["id"] % 7 > 0))
    whole, influence, step = fit(data), [], 1e-4

    def tables(results):
        methods = ("bch", "ml", "posterior")
        return pd.concat({m: results.profiles(["income", "sex"], method=m) for m in methods})

    def means(weighted):
        refit = fit(weighted, prob_weights="w", start_params=whole.params, gtol=1e-11)
        return tables(refit)["mean"]

    for person in data["id"].unique():
        more, less = (
            means(data.assign(w=1.0 + sign * step * (data["id"] == person))) for sign in (1, -1)
        )
        influence.append((more - less) / (2 * step))
    expected = np.sqrt((np.array(influence) ** 2).sum(axis=0))
    assert tables(whole)["std_err"].to_numpy() == pytest.approx(expected, rel=1e-4)


def test_of_components_far_apart_profiles_are_means_of_groups():
    data = panel("gaussian")
    results = smmix.from_formula("y ~ age + I(age**2)", data, k=2, groups="id").fit(n_starts=5)
    one = persons(data, results)
    dummies = np.eye(2)[results.membership_table()["component"]]
    plain = sm.OLS(one["income"], dummies).fit(cov_type="HC0")
    table = results.profiles(one[["income"]])
    assert table["mean"].to_numpy() == pytest.approx(plain.params.to_numpy(), rel=1e-6)
    assert table["std_err"].to_numpy() == pytest.approx(plain.bse.to_numpy(), rel=1e-6)
    test = plain.f_test([1.0, -1.0])
    assert table["p_equal"].iloc[0] == pytest.approx(stats.chi2.sf(test.fvalue, 1), rel=1e-5)


def test_of_persons_and_of_rows_alike(results):
    data = panel("binomial")
    one = data.drop_duplicates("id").set_index("id")[["income", "sex"]]
    expected = results.profiles(["income", "sex"])
    for given in (one, one.sample(frac=1.0, random_state=2), data[["income", "sex"]]):
        pd.testing.assert_frame_equal(results.profiles(given), expected)
    some = one.iloc[20:]
    rows = data[["income", "sex"]].where(data["id"].isin(some.index))
    pd.testing.assert_frame_equal(results.profiles(some), results.profiles(rows))


def test_a_point_mass_has_a_profile_too():
    data = panel("poisson")
    data = data.assign(y=data["y"].where(data["id"] % 4 > 0, 0.0))
    model = smmix.from_formula(
        "y ~ age", data, k=3, groups="id", family=["poisson", "poisson", "zero"]
    )
    results = model.fit(n_starts=10)
    bch, ml = (results.profiles("sex", method=method) for method in ("bch", "ml"))
    assert ml["mean"].to_numpy() == pytest.approx(bch["mean"].to_numpy(), abs=1e-6)
    assert results.profiles("income", method="ml").notna().all(axis=None)


def test_frequency_weights_are_repeated_units():
    rng = np.random.default_rng(4)
    y = np.where(rng.random(120) < 0.5, rng.normal(size=120), rng.normal(2.5, 1.0, 120))
    frame = pd.DataFrame({"y": y, "z": y + rng.normal(size=120), "f": rng.integers(1, 4, 120)})
    twice = frame.loc[frame.index.repeat(frame["f"])].reset_index(drop=True)
    # With free variances rows that are repeated make a component of their own.
    weighted = smmix.from_formula("y ~ 1", frame, 2, freq_weights="f", variance="equal").fit()
    repeated = smmix.from_formula("y ~ 1", twice, 2, variance="equal").fit()
    for method in ("bch", "ml", "posterior"):
        ours, theirs = (r.profiles("z", method=method) for r in (weighted, repeated))
        assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), rel=1e-5)


def test_profiles_refuse_what_has_no_answer(results):
    assert "no column 'wages'" in refusal(lambda: results.profiles("wages"))
    assert "'bch', 'ml' or 'posterior'" in refusal(lambda: results.profiles("income", method="em"))
    empty = panel("binomial")[["income"]] * np.nan
    assert "has no values" in refusal(lambda: results.profiles(empty))
    twice = panel("binomial").set_index("id")
    assert "several rows of group" in refusal(lambda: results.profiles(twice[["income"]]))
    assert "variables must be" in refusal(lambda: results.profiles(3))
    assert "variables is empty" in refusal(lambda: results.profiles([]))
    assert "no column [1, 2]" in refusal(lambda: results.profiles([[1, 2], [3]]))
