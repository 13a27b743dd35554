"""What ``help()`` shows of public methods: every argument, what comes back, and an example."""

from __future__ import annotations

import inspect
import pydoc
import re
import types
from pathlib import Path

import pytest
from helpers_model import engel_fit

import smmix
from smmix import MixtureResults, order_tests
from smmix.inference import prediction
from smmix.inference.influence import Influence
from smmix.large import predict as lazy
from smmix.ols.results import NormalEquationResults
from smmix.reporting import components, saved
from smmix.reporting import tables as summary_format
from smmix.reporting.bootstrap import BootstrapResults
from smmix.reporting.outcome import OutcomeFit
from smmix.selection import Selection

CONTENTS = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
#: Methods that only say what to use instead, and what statsmodels needs inside.
UNLISTED = {"get_nlfun", "initialize", "normalized_cov_params", "t_test_pairwise"}
#: What a user gets in hand besides the results, and methods of it that are for other classes only.
OTHERS = {
    smmix.MixtureOLS: {"check_params", "column", "hessian_factor", "initialize", "unpack"},
    smmix.NormalEquationOLS: {"initialize"},
    BootstrapResults: set(),
    Influence: set(),
    NormalEquationResults: set(),
    Selection: set(),
    components.ComponentView: set(),
    prediction.MixturePrediction: set(),
    lazy.LazyPrediction: set(),
    OutcomeFit: set(),
    order_tests.ConfidenceSetK: set(),
    order_tests.MonteCarloTest: {"of"},
    order_tests.VLMRTest: set(),
    saved.SavedFit: {"of"},
    summary_format.MixtureSummary: set(),
}


def methods(cls) -> list[str]:
    """Names of the public methods of a class."""
    static = {n: inspect.getattr_static(cls, n) for n in dir(cls) if not n.startswith("_")}
    return [n for n, v in static.items() if isinstance(v, types.FunctionType | classmethod)]


def sections(method) -> dict[str, str]:
    """Text of each section of a numpydoc docstring, by title."""
    text = inspect.getdoc(method) or ""
    parts = re.split(r"^([A-Z][\w ]+)\n-+$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def arguments(section: str) -> set[str]:
    """Names that a section on parameters explains."""
    heads = re.findall(r"^(\S.*?)(?: : .*)?$", section, re.M)
    return {name.strip("* ") for head in heads for name in head.split(",")}


def own(cls) -> list[str]:
    """Public methods that are not those of statsmodels or scikit-learn."""
    return [n for n in methods(cls) if getattr(cls, n).__module__.startswith("smmix")]


def check(method) -> None:
    """A docstring explains what the signature has, and nothing else."""
    signature, found = inspect.signature(method), sections(method)
    assert arguments(found.get("Parameters", "")) == set(signature.parameters) - {"self"}
    assert ("Returns" in found) == (signature.return_annotation not in (None, "None"))
    assert ">>>" in found["Examples"]


RESULTS = [name for name in methods(MixtureResults) if name not in UNLISTED]


@pytest.mark.parametrize("name", RESULTS)
def test_method_of_results(name):
    check(getattr(MixtureResults, name))
    assert f"   MixtureResults.{name}\n" in CONTENTS


@pytest.mark.parametrize("name", RESULTS)
def test_what_fit_returns_shows_the_same(name):
    shown, method = getattr(engel_fit(), name), getattr(MixtureResults, name)
    assert inspect.getdoc(shown) == inspect.getdoc(method)
    assert list(inspect.signature(shown).parameters) == [
        part for part in inspect.signature(method).parameters if part != "self"
    ]
    assert "Examples" in pydoc.render_doc(shown)


@pytest.mark.parametrize(
    ("cls", "name"), [(c, n) for c, inner in OTHERS.items() for n in own(c) if n not in inner]
)
def test_method_of_other_classes(cls, name):
    check(getattr(cls, name))


def test_methods_for_scikit_learn():
    package = pytest.importorskip("smmix.sklearn")
    check(package.MixtureRegressor(2).predict_proba)
    for cls in (package.MixtureRegressor, type(package.mean_log_density)):
        for name in own(cls):
            check(getattr(cls, name))
