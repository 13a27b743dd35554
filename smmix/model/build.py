"""From formulas and a table of any kind to a model."""

from __future__ import annotations

from typing import Any

from smmix.errors import SmmixError
from smmix.formula import build_design, environment
from smmix.large.build import build_large, is_large
from smmix.mixture.kind import Kind
from smmix.mixture.per_component import check_k, present_columns, union_formula
from smmix.mixture.response import read_response
from smmix.model.base import Parts
from smmix.support.checks import check_flag
from smmix.support.frames import as_frame

__all__ = ["build_parts"]


def build_parts(
    formula: Any,
    data: Any,
    k: int,
    *,
    kind: Kind,
    fixed: Any,
    hasconst: bool | None,
    eval_env: Any,
    **options: Any,
) -> Parts:
    """The parts of a model; ``eval_env`` counts from the caller of the calling function.

    ``options`` are those of `build_design`, and ``random_cov``.
    """
    env = environment(eval_env, 3)
    check_k(k)
    random = options.pop("random")
    kind = kind.with_random(random, options.pop("random_cov"), options.get("groups"))
    whole, parts = union_formula(formula, k)
    given = {
        "fixed": fixed,
        "hasconst": hasconst,
        "formula": whole if parts is None else parts,
        "concomitant": options["concomitant"],
    }
    check_flag("hasconst", hasconst, optional=True)
    if is_large(data) and random is not None:
        raise SmmixError(
            "Random effects need the rows in memory; fit a sample of the groups, or leave random "
            "out."
        )
    if is_large(data):
        return Parts(*build_large(whole, parts, data, k, kind, env, options, given))
    read = read_response(whole, as_frame(data), kind.family)
    if read.trials is not None:
        if options.get("trials") is not None:
            raise SmmixError("The formula gives failures and trials= the trials; leave one out.")
        options = {**options, "trials": read.trials}
    kind = kind._replace(family=read.family)
    options = {**options, "ancillary": kind.family.ancillary}
    design = build_design(read.formula, read.frame, env=env, **options)
    present = None
    if parts is not None:
        names = []
        for part in parts:
            names.append(build_design(part, design.frame, env=env).exog_names)
        present = present_columns(design, names)
    return Parts.of(design, k, kind=kind, present=present, table=read.frame, **given)
