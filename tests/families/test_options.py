"""Options, identity, refusals and starting values of families."""

import copy
import pickle

import numpy as np
import pytest
from helpers_families import CASES, problem

from smmix.errors import SmmixError
from smmix.families.binomial import Binomial
from smmix.families.gamma import Gamma
from smmix.families.inverse_gaussian import InverseGaussian
from smmix.families.negative_binomial import NegativeBinomial
from smmix.families.poisson import Poisson
from smmix.families.zero_inflated_poisson import ZeroInflatedPoisson
from smmix.families.zero_truncated_poisson import ZeroTruncatedPoisson

FAMILIES = [Poisson, Gamma, InverseGaussian, Binomial]


@pytest.mark.parametrize("name", CASES)
def test_a_family_is_its_name_and_plain_options(name):
    family = CASES[name].family
    again = type(family)(**family.to_plain())
    assert again == family
    assert hash(again) == hash(family)
    assert pickle.loads(pickle.dumps(family)) == family
    assert copy.deepcopy(family) == family
    options = ", ".join(f"{key}={value!r}" for key, value in family.to_plain().items())
    assert repr(family) == f"{type(family).__name__}({options})"
    assert family.bound(problem(CASES[name]).y) is family


@pytest.mark.parametrize("kind", FAMILIES)
def test_links_default_to_the_first_and_others_differ(kind):
    assert kind().link.name == kind.links[0]
    assert len({kind(link) for link in kind.links}) == len(kind.links)


@pytest.mark.parametrize("kind", FAMILIES)
def test_an_unknown_link_is_refused_with_the_known(kind):
    with pytest.raises(SmmixError, match=rf"link is 'cauchit'.*{kind.links[-1]}"):
        kind("cauchit")


@pytest.mark.parametrize("name", CASES)
def test_possible_responses_pass_and_start(name):
    case = CASES[name]
    at = problem(case)
    assert case.family.refuse(at.y, at.aux) is None
    start = case.family.start_response(at.y, at.aux)
    assert start.shape == at.y.shape
    assert np.isfinite(start).all()
    nuisance = case.family.start_nuisance(at.y, at.aux)
    assert nuisance.shape == (len(case.family.nuisance),)
    assert np.all(nuisance > 0.0)
    constant = case.family.start_nuisance(np.full(9, 2.5), None)
    assert np.all((constant > 0.0) & np.isfinite(constant))


@pytest.mark.parametrize(
    ("family", "y", "trials", "row", "words"),
    [
        (Poisson(), [0, 3, -1, 0.5], None, 2, "whole number from 0 up"),
        (Poisson(), [0, 0.5], None, 1, "whole number from 0 up"),
        (Poisson(), [np.inf], None, 0, "whole number"),
        (Gamma(), [1.0, 0.0], None, 1, "positive number"),
        (Gamma(), [np.nan], None, 0, "positive number"),
        (InverseGaussian(), [-1.0], None, 0, "positive number"),
        (NegativeBinomial(), [0, -1], None, 1, "whole number from 0 up"),
        (ZeroTruncatedPoisson(), [1, 0], None, 1, "whole number from 1 up"),
        (ZeroInflatedPoisson(), [0, 1.5], None, 1, "whole number from 0 up"),
        (Binomial(), [0, 1, 2], None, 2, "0 or 1"),
        (Binomial(), [0, 1, 6], [3, 3, 5], 2, "number of trials"),
        (Binomial(), [0, 1.5], [3, 3], 1, "whole number"),
        (Binomial(), [0, 1], [3, 3.5], 1, "number of trials of a row is a whole number"),
    ],
)
def test_impossible_responses_are_named(family, y, trials, row, words):
    aux = None if trials is None else np.array(trials, dtype=float)[:, None]
    found = family.refuse(np.array(y, dtype=float), aux)
    assert found is not None
    assert found[0] == row
    assert words in found[1]
