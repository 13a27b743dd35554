"""A plugin of pytest: the tests of statsmodels run with our least squares in OLS's place."""

import json
import os
import pathlib

import statsmodels.api
import statsmodels.formula.api

from smmix import NormalEquationOLS

OUTCOMES: dict[str, str] = {}

# Tests that take the class from where users take it find ours there.
statsmodels.api.OLS = NormalEquationOLS
statsmodels.formula.api.ols = NormalEquationOLS.from_formula


def pytest_collection_modifyitems(items):
    for module in {item.module for item in items}:
        if hasattr(module, "OLS"):
            module.OLS = NormalEquationOLS


def pytest_runtest_logreport(report):
    name = report.nodeid.rpartition(".py")[2].strip(":")
    if report.when == "call" or report.outcome != "passed":
        OUTCOMES[name] = report.outcome


def pytest_sessionfinish():
    pathlib.Path(os.environ["OUTCOMES"]).write_text(json.dumps(OUTCOMES))
