"""The reference fits of families as smmix models."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import smmix
from smmix import families

HERE = Path(__file__).parent / "reference" / "families"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "reference" / "families"
NAMES = {
    "t": "student_t",
    "tobit": "censored_gaussian",
    "nb2": "negative_binomial",
    "tpoisson": "zero_truncated_poisson",
    "zip": "zero_inflated_poisson",
    "ordinal": "ordered",
}


def cases() -> list[str]:
    """Names of all cases, those whose data are not distributed too."""
    here = {path.stem for path in (HERE / "expected").glob("*.json")}
    away = {path.stem for path in (SHARED / "expected").glob("*.json")}
    return sorted(here | away)


def load(name: str) -> tuple[dict[str, Any], pd.DataFrame]:
    root = HERE if (HERE / "expected" / f"{name}.json").exists() else SHARED
    case = json.loads((root / "expected" / f"{name}.json").read_text())
    return case, pd.read_csv(root / case["data"])


def family_of(given: Any) -> Any:
    name, options = (given, {}) if isinstance(given, str) else (given[0], dict(given[1]))
    if name == "pointmass":
        return families.PointMass(np.inf if options.get("survival") else 0.0)
    if name == "tobit" and not options:
        return "gaussian"
    if options.get("link") == "inverse":
        options["link"] = "inverse_power"
    maker = families.REGISTRY[NAMES.get(name, name)]
    return maker(**options)


def model_of(case: dict[str, Any], data: pd.DataFrame, **more: Any) -> Any:
    """The model of a case, with further options."""
    given, k = case["model"], case["model"]["k"]
    kinds = given["families"]
    one = isinstance(kinds, str) or (isinstance(kinds[0], str) and isinstance(kinds[1], dict))
    family = family_of(kinds) if one else [family_of(kind) for kind in kinds]
    options: dict[str, Any] = {}
    for argument, key in (("trials", "trials"), ("event", "event"), ("groups", "group")):
        if given.get(key):
            options[argument] = given[key]
    if given.get("weights"):
        options["freq_weights"] = given["weights"]
    if given.get("offset"):
        options["exposure"] = given["offset"].removeprefix("log(").removesuffix(")")
    if given.get("concomitant"):
        options["concomitant"] = given["concomitant"]
    if given.get("common"):
        options["common"] = f"~ {given['common']}"
    if given.get("shared_nuisance"):
        options["shared"] = [parameter.name for parameter in families.read_family(family).nuisance]
    return smmix.from_formula(given["formula"], data, k, family=family, **options, **more)


def natural(component: dict[str, Any], suffix: str = "") -> dict[str, float]:
    """Nuisance parameters of a reference component as smmix names them, or their errors."""
    found = {}
    for key, value in component.items():
        if suffix and not key.endswith(suffix):
            continue
        name = key.removesuffix(suffix)
        if value is None or not isinstance(component.get(name), float):
            continue
        own = component[name]
        if name in ("sigma", "alpha", "df", "scale"):
            found[name] = value
        elif name == "shape":
            found["scale"] = value / own**2 if suffix else 1.0 / own
        elif name == "phi":
            found["precision"] = value
    if component["family"] == "weibull" and "sigma" in found:
        sigma = component["sigma"]
        found["shape"] = found.pop("sigma") / sigma**2 if suffix else 1.0 / sigma
    return found


def matched(results: Any, components: list[dict[str, Any]]) -> list[int]:
    """Component of the fit for each of the reference, by the weights and coefficients."""
    coef, weights = results.coef, results.mixing_weights
    frame = {c: {t: coef.loc[t, c] for t in coef.index} for c in coef.columns}

    def distance(order: tuple[int, ...]) -> float:
        total = 0.0
        for c, reference in zip(order, components, strict=True):
            total += abs(weights[c] - reference["weight"])
            for term, value in reference.get("coef", {}).items():
                total += abs(frame[c].get(term, np.nan) - value) / (1.0 + abs(value))
        return total if np.isfinite(total) else np.inf

    return list(min(permutations(range(len(components))), key=distance))
