"""From formulas and a table of any kind to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smmix.errors import SmmixError
from smmix.formula import build_design
from smmix.large.build import build_large, is_large
from smmix.mixture.per_component import check_k, present_columns, union_formula
from smmix.support.frames import as_frame

if TYPE_CHECKING:
    from smmix.mixture.base import MixtureModel

__all__ = ["build_model"]


def build_model(
    model: MixtureModel,
    formula: Any,
    data: Any,
    k: int,
    *,
    variance: str,
    fixed: Any,
    hasconst: bool | None,
    eval_env: int,
    **options: Any,
) -> None:
    """Fill an empty model; ``eval_env`` counts from the caller of the calling function.

    ``options`` are those of `build_design`.
    """
    if not isinstance(eval_env, int):
        raise SmmixError(f"eval_env must be a number of frames, not {eval_env!r}.")
    check_k(k)
    whole, parts = union_formula(formula, k)
    if is_large(data):
        build_large(model, whole, parts, data, k, variance, fixed, hasconst, eval_env + 1, options)
    else:
        design = build_design(whole, data, env=eval_env + 2, **options)
        present = None
        if parts is not None:
            names = []
            for part in parts:
                names.append(build_design(part, design.frame, env=eval_env + 2).exog_names)
            present = present_columns(design, names)
        model._build(design, k, variance, fixed, present, hasconst)
        model._table = as_frame(data)
    model.formula = whole if parts is None else formula
    model.concomitant = options["concomitant"]
