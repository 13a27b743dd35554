"""A list of equal families is the plain mixture, whatever way it takes through the program."""

import numpy as np
import pytest
from laws.families_data import data_for, family_named, names

import smmix
from smmix.core.family_list import FamilyList
from smmix.families import NegativeBinomial, StudentT, read_family


@pytest.mark.parametrize("name", names())
def test_a_hybrid_of_two_equal_families_is_the_plain_mixture(name):
    data, options = data_for(name)
    family = read_family(family_named(name))
    plain = smmix.from_formula("y ~ x", data, k=2, family=family, **options)
    listed = smmix.from_formula("y ~ x", data, k=2, family=[family, family], **options)
    assert listed.param_names == plain.param_names
    joined = FamilyList((family, family)).bound(plain.design.endog)
    hybrid = smmix.from_formula("y ~ x", data, k=2, family=joined, **options)
    assert hybrid.param_names == plain.param_names
    rng = np.random.default_rng(1)
    point = rng.uniform(0.3, 0.7, len(plain.param_names))
    cuts = [i for i, n in enumerate(plain.param_names) if n.startswith("below.")]
    point[cuts] += np.arange(len(cuts)) // 2
    for of in ("loglike", "score", "hessian"):
        expected = getattr(plain, of)(point)
        for other in (listed, hybrid):
            np.testing.assert_allclose(getattr(other, of)(point), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("families", "limit", "name"),
    [
        ([NegativeBinomial(alpha=1e-13), "poisson"], "poisson", "poisson"),
        ([StudentT(df=1e10), "gaussian"], "gaussian", "gaussian"),
    ],
)
def test_a_hybrid_with_a_limit_is_the_mixture_of_it(families, limit, name):
    """Two implementations of one density, side by side in one mixture."""
    data, _ = data_for(name)
    plain = smmix.from_formula("y ~ x", data, k=2, family=limit)
    hybrid = smmix.from_formula("y ~ x", data, k=2, family=families)
    point = np.random.default_rng(2).uniform(0.2, 0.6, len(plain.param_names))
    for of in ("loglike", "score", "hessian"):
        expected = getattr(plain, of)(point)
        np.testing.assert_allclose(getattr(hybrid, of)(point), expected, rtol=1e-6, atol=1e-6)


def test_ordered_families_of_two_links_learn_the_levels_together():
    data, options = data_for("ordered")
    grades = data.assign(y=data["y"].map({0: "a", 1: "b", 2: "c"}))
    logit, probit = (smmix.families.Ordered(link=link) for link in ("logit", "probit"))
    model = smmix.from_formula("y ~ x", grades, k=2, family=[logit, probit], **options)
    assert [n for n in model.param_names if n.startswith("below.b")] == ["below.b[0]", "below.b[1]"]
    # As unlikely as a component may be, the other is the plain model.
    one = smmix.from_formula("y ~ x", grades, k=1, family=logit, **options)
    values = {"x[0]": 0.4, "x[1]": 0.1, "below.b[0]": -0.3, "below.c[0]": 0.8, "below.b[1]": 0.0,
              "below.c[1]": 1.0, "mixing.Intercept[1]": -200.0}  # fmt: skip
    point = [values[name] for name in model.param_names]
    alone = [values[name] for name in one.param_names]
    assert model.loglike(point) == pytest.approx(one.loglike(alone), rel=1e-12)
