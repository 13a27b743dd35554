"""Every door of the package: what calls it gets, and what must hold of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st
from laws.calls import command_line, elsewhere, fits, models, on_results, orders, saved
from laws.calls.outcome import Refused, answer


class Door(NamedTuple):
    """Calls and their check, how often they are made, and whether they fit a model (and are slow).

    ``share`` is the number of calls of this door in a thousand of all.
    """

    calls: st.SearchStrategy[Any]
    check: Callable[[Any], str]
    share: int
    fits: bool = False


def _model(call: Any) -> str:
    function, args, options = call
    model = answer(function, *args, **options)
    if isinstance(model, Refused):
        return "refused"
    models.check_model(model, 0)
    return "answered"


def _fit(call: Any) -> str:
    results = fits.fitted(*call)
    if isinstance(results, Refused):
        return "refused"
    fits.check_fit(results, call[0][2])
    return "answered"


DOORS = {
    "models": Door(models.model_calls(), _model, 300),
    "least squares": Door(elsewhere.least_squares_calls(), elsewhere.check_least_squares, 150),
    "simulation": Door(elsewhere.simulation_calls(), elsewhere.check_simulation, 130),
    "fits": Door(fits.fit_calls(), _fit, 35, fits=True),
    "results": Door(on_results.result_calls(), on_results.check_result_call, 220, fits=True),
    "command line": Door(
        command_line.command_lines(), command_line.check_command_line, 60, fits=True
    ),
    "orders": Door(orders.order_calls(), orders.check_order_call, 15, fits=True),
    "estimators": Door(elsewhere.estimator_calls(), elsewhere.check_estimator, 30, fits=True),
    "json": Door(saved.json_calls(), saved.check_json, 60, fits=True),
}
