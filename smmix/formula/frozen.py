"""Designs of patsy as plain values, and back."""

from collections import OrderedDict
from typing import Any

import patsy
from patsy.desc import Term
from patsy.design_info import DesignInfo, FactorInfo, SubtermInfo
from patsy.eval import EvalEnvironment, EvalFactor

__all__ = ["freeze", "thaw"]


def freeze(info: DesignInfo) -> dict[str, Any]:
    """Return a design as plain values: no patsy object, no data."""
    factors = [
        {
            "code": factor.code,
            "type": known.type,
            "num_columns": known.num_columns,
            "categories": known.categories,
            "memory": {name: dict(vars(t)) for name, t in known.state["transforms"].items()},
        }
        for factor, known in info.factor_infos.items()
    ]
    terms = [
        (
            [factor.code for factor in term.factors],
            [
                (
                    [factor.code for factor in part.factors],
                    {
                        f.code: (c.matrix, c.column_suffixes)
                        for f, c in part.contrast_matrices.items()
                    },
                    part.num_columns,
                )
                for part in parts
            ],
        )
        for term, parts in info.term_codings.items()
    ]
    return {"column_names": list(info.column_names), "factors": factors, "terms": terms}


def thaw(frozen: dict[str, Any], scope: dict[str, Any]) -> DesignInfo:
    """Return the patsy design that `freeze` took apart."""
    factors, known = {}, {}
    for item in frozen["factors"]:
        factor = EvalFactor(item["code"])
        state: dict[str, Any] = {}
        factor.memorize_passes_needed(state, EvalEnvironment([scope]))
        for name, memory in item["memory"].items():
            state["transforms"][name].__dict__.update(memory)
        factors[item["code"]] = factor
        known[factor] = FactorInfo(
            factor, item["type"], state, item["num_columns"], item["categories"]
        )
    codings = {}
    for codes, parts in frozen["terms"]:
        codings[Term([factors[code] for code in codes])] = [
            SubtermInfo(
                [factors[code] for code in part_codes],
                {factors[c]: patsy.ContrastMatrix(*given) for c, given in contrasts.items()},
                num_columns,
            )
            for part_codes, contrasts, num_columns in parts
        ]
    return DesignInfo(frozen["column_names"], known, OrderedDict(codings))
