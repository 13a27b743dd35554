"""Calls that choose or test the number of components."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from laws.calls.elsewhere import N, some
from laws.calls.on_results import ALPHAS, SHAPES, SMALL, fit_of
from laws.calls.outcome import Refused, answer
from laws.calls.strange import things
from laws.calls.tables import table

import smmix


@st.composite
def order_calls(draw: Any) -> tuple[str, str, dict[str, Any]]:
    """A test of the number of components, the family of the null, and the other arguments."""
    which = draw(
        st.sampled_from(
            [
                "select_k",
                "select_k",
                "bootstrap_lrt",
                "sequential_lrt",
                "em_test",
                "vlmr_test",
                "confidence_set_k",
            ]
        )
    )
    family = draw(st.sampled_from(["gaussian", "poisson", "gamma", "binomial", "student_t"]))
    common = {"rng": st.integers(0, 3), "threads": st.just(1), "alpha": ALPHAS}
    own = {
        "select_k": {
            "k": st.sampled_from([range(1, 3), [1, 2], 2, [], [0], "auto", "many", (2, 1)]),
            "criterion": st.sampled_from(["bic", "icl", "cv", "aicc", "BIC", "nothing"]),
            "folds": SMALL,
            "concomitant": st.just("~ z1"),
            "orders": st.one_of(
                st.sampled_from([(0, 2), (1, 2), {"x1": (1, 2)}, (2, 1), {"x2": (1, 2)}, (1, 99)]),
                things,
            ),
            "on_fit": st.just(lambda fit: None),
            "missing": st.just("raise"),
            "cov_type": st.sampled_from(["HC0", "none"]),
        },
        "bootstrap_lrt": {**common, "n_boot": SMALL, "stop_early": st.booleans()},
        "sequential_lrt": {**common, "n_boot": SMALL, "max_k": SMALL},
        "em_test": {
            **common,
            "n_boot": SMALL,
            "n_steps": SMALL,
            "proportions": st.sampled_from([(0.5,), (0.1, 0.3), (), (0.7,), (2.0,)]),
        },
        "vlmr_test": {"alternative": st.sampled_from(["plain", "one", "saved", "groups"])},
        "confidence_set_k": {**common, "max_k": SMALL, "n_splits": SMALL},
    }[which]
    given = draw(some(own, most=3))
    given["null"] = draw(st.one_of(st.sampled_from(["one", "one", "plain", "saved"]), things))
    return which, family, given


def check_order_call(call: tuple[str, str, dict[str, Any]]) -> str:
    which, family, given = call
    given = dict(given)
    null = given.pop("null")
    null = fit_of(family, null) if isinstance(null, str) and null in SHAPES else null
    function = getattr(smmix, which)
    if which == "select_k":
        options = {"n_starts": 2, "maxiter": 60, "k": [1, 2], "family": family, **given}
        data = table(family, 3, N)
        if family == "binomial":
            options["trials"] = "t"
        out = answer(function, "y ~ x1", data, **options)
        if not isinstance(out, Refused):
            assert out.best_k in out.fits
            assert not out.table.drop(columns="warning").isna().all(axis=None)
            assert str(out.summary())
    elif which == "vlmr_test":
        other = given.get("alternative", "plain")
        known = isinstance(other, str) and other in SHAPES
        given["alternative"] = fit_of(family, other) if known else other
        out = answer(function, null, **given)
    elif which == "confidence_set_k":
        out = answer(function, getattr(null, "model", null), **{"n_splits": 1, "max_k": 2, **given})
    else:
        sizes = {"n_boot": 2, "max_k": 2} if which == "sequential_lrt" else {"n_boot": 2}
        out = answer(function, null, **{**sizes, **given})
    if isinstance(out, Refused):
        return "refused"
    for test in out if isinstance(out, list) else [out]:
        p = getattr(test, "pvalue", None)
        assert p is None or 0.0 <= p <= 1.0
    return "answered"
