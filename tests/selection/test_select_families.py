"""Scans over k for other families than the Gaussian, beside statsmodels at one component."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import logsumexp

import smmix
from smmix.errors import BoundaryWarning, SmmixError


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"age": rng.normal(size=500), "months": rng.integers(1, 13, 500)})
    level = np.where(rng.random(500) < 0.5, -1.0, 1.0)
    rate = np.exp(level + 0.3 * frame["age"]) * frame["months"]
    return frame.assign(visits=rng.poisson(rate))


def test_a_scan_of_poisson_components(counts):
    scan = smmix.select_k("visits ~ age", counts, k=[1, 2, 3], family="poisson", exposure="months")
    exog = sm.add_constant(counts[["age"]])
    theirs = sm.Poisson(counts["visits"], exog, exposure=counts["months"]).fit(disp=False)
    assert scan.best_k == 2
    assert scan.table.loc[1, "llf"] == pytest.approx(theirs.llf)
    assert scan.table.loc[1, "bic"] == pytest.approx(theirs.bic)
    best = scan.best
    mean = np.exp(exog.to_numpy() @ best.coef.to_numpy()) * counts["months"].to_numpy()[:, None]
    law = stats.poisson.logpmf(counts["visits"].to_numpy()[:, None], mean)
    joint = law + np.log(best.mixing_weights.to_numpy())
    assert best.llf == pytest.approx(logsumexp(joint, axis=1).sum())
    # Two components of two coefficients, and one weight.
    assert scan.table.loc[2, "df"] == 5
    assert f"{theirs.bic:.1f}"[:-2] in scan.summary().as_text()


def test_a_model_brings_its_family(counts):
    model = smmix.from_formula(
        "visits ~ age", counts, k=1, family="nb2", exposure="months", shared=["alpha"]
    )
    # The counts of each component are Poisson, so that alpha has nothing to do there.
    with pytest.warns(BoundaryWarning, match="alpha has its maximum at 0"):
        scan = smmix.select_k(model, k=[1, 2], n_starts=5, criterion="aic")
    exog = sm.add_constant(counts[["age"]])
    theirs = sm.NegativeBinomial(counts["visits"], exog, exposure=counts["months"])
    theirs = theirs.fit(disp=False, maxiter=200)
    assert scan.table.loc[1, "aic"] == pytest.approx(theirs.aic, rel=1e-6)
    assert [name for name in scan.fits[2].params.index if "alpha" in name] == ["alpha"]


def test_cross_validation_scores_the_family(counts):
    scan = smmix.select_k(
        "visits ~ age", counts, k=[1, 2], family="poisson", exposure="months",
        criterion="cv", folds=3, n_starts=5,
    )  # fmt: skip
    assert scan.best_k == 2


def test_a_list_of_families_has_one_number_of_components(counts):
    with pytest.raises(SmmixError, match="lists 2 families but k=1"):
        smmix.select_k("visits ~ age", counts, k=[1, 2], family=["poisson", "zero"])
