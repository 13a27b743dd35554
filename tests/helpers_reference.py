"""Reference cases: data, model and published optimum, put into smmix's parameterisation."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import smmix

FOLDER = Path(__file__).parent / "reference"
# Data whose licence is unclear is kept beside the repository, not in it.
OUTSIDE = Path(__file__).resolve().parents[2] / "shared" / "reference"
OUTSIDE_DATA = {"aphids.csv", "mus03sub.csv"}

PLAIN = [
    "aphids_k2", "cars_k1", "co2_k2", "engel_k2", "faithful_k2", "npreg_k2", "randhie_k2_equal",
    "sim_collinear_k2", "sim_cross_k2", "sim_equal_k3", "sim_hetero_k2", "sim_noint_k2",
    "sim_p10_n5000_k3", "sim_sep_k3", "sim_tiny_n30_k2", "star98_k2", "tonedata_k2",
]  # fmt: skip
EXTENDED = ["npreg_id2_k2", "nregfix_k3_conc", "sim_common_k2", "sim_conc_k2", "sim_freqw_k2",
            "sim_group_k2"]  # fmt: skip
SHORT = ["galaxies_k3_equal", "mus03_k2"]


@dataclass(frozen=True)
class Case:
    """One reference case: what is fitted, and the optimum found by independent means."""

    name: str
    data: str
    model: dict
    optimum: dict
    record: dict

    @property
    def k(self) -> int:
        return self.model["k"]

    @property
    def order(self) -> np.ndarray:
        """Reference component called ``c`` in smmix: by falling weight."""
        weights = [component["weight"] for component in self.optimum["components"]]
        return np.argsort(-np.array(weights), kind="stable")

    @property
    def counts_groups(self) -> bool:
        return self.model["group"] is not None


def locate(kind: str, name: str) -> Path:
    """The file in the repository or, failing that, beside it; skips without either."""
    for root in (FOLDER, OUTSIDE):
        path = root / kind / name
        if path.exists():
            return path
    pytest.skip(f"{name} is not distributed with the tests")


@functools.cache
def load_case(name: str) -> Case:
    record = json.loads(locate("expected", f"{name}.json").read_text())
    return Case(name, Path(record["data"]).name, record["model"], record["optimum"], record)


@functools.cache
def load_frame(name: str) -> pd.DataFrame:
    """The data of a case; two sets come from statsmodels, as the case's note says."""
    if name == "randhie.csv":
        frame = sm.datasets.randhie.load_pandas().data
        return frame.assign(lmdvis=np.log(1 + frame["mdvis"]))
    if name == "star98.csv":
        frame = sm.datasets.star98.load_pandas().data
        return frame.assign(lgt=np.log((frame["NABOVE"] + 0.5) / (frame["NBELOW"] + 0.5)))
    return pd.read_csv(locate("data", name))


def build_model(case: Case):
    """The case as a user would write it."""
    model = case.model
    options = {
        "concomitant": model["concomitant"],
        "groups": model["group"],
        "freq_weights": model["weights"],
        "common": None if model["common"] is None else [model["common"]],
    }
    options = {key: value for key, value in options.items() if value is not None}
    return smmix.from_formula(
        model["formula"], load_frame(case.data), k=case.k, variance=model["variance"], **options
    )


def default_fit(name: str, seed: int = 0):
    return _default_fit(name, seed)


@functools.cache
def _default_fit(name: str, seed: int):
    return build_model(load_case(name)).fit(rng=seed)


def translate(
    names: list[str], values: np.ndarray, order: np.ndarray
) -> tuple[pd.Series, np.ndarray]:
    """Reference parameters under smmix's names, and the Jacobian of the translation.

    Weights w1..w(k-1) become log(w_c / w_0), gating coefficients differences to the new base.
    """
    position = {name: i for i, name in enumerate(names)}
    k = len(order)
    rows: dict[str, np.ndarray] = {}
    found: dict[str, float] = {}

    def copy(new: str, old: str) -> None:
        rows[new] = np.eye(len(names))[position[old]]
        found[new] = values[position[old]]

    for name in names:
        head, _, term = name.partition(".")
        if head == "common":
            copy(term, name)
        elif head == "sigma":
            copy("sigma", name)
        elif head[0] == "c":
            copy(f"{term}[{list(order).index(int(head[1:]) - 1)}]", name)

    logits, jacobian = reference_logits(names, values, k)
    for term in logits:
        for c in range(1, k):
            new, base = order[c], order[0]
            rows[f"mixing.{term}[{c}]"] = jacobian[term][new] - jacobian[term][base]
            found[f"mixing.{term}[{c}]"] = logits[term][new] - logits[term][base]
    return pd.Series(found), np.array(list(rows.values()))


def reference_logits(names: list[str], values: np.ndarray, k: int):
    """Per mixing term, the logits of the k reference components (up to a constant)."""
    logits: dict[str, np.ndarray] = {}
    jacobian: dict[str, np.ndarray] = {}
    weights = [i for i, name in enumerate(names) if name[0] == "w" and name[1:].isdigit()]
    if weights:
        free = values[weights]
        full = np.append(free, 1 - free.sum())
        logits["Intercept"] = np.log(full)
        rows = np.zeros((k, len(names)))
        rows[np.arange(k - 1), weights] = 1 / free
        rows[k - 1, weights] = -1 / full[-1]
        jacobian["Intercept"] = rows
    for i, name in enumerate(names):
        head, _, term = name.partition(".")
        if head[0] == "g" and head[1:].isdigit():
            logits.setdefault(term, np.zeros(k))[int(head[1:]) - 1] = values[i]
            jacobian.setdefault(term, np.zeros((k, len(names))))[int(head[1:]) - 1, i] = 1
    return logits, jacobian


def reference_params(case: Case) -> tuple[pd.Series, pd.Series]:
    """The optimum's parameters and standard errors under smmix's names."""
    params = case.optimum["params"]
    values, jacobian = translate(params["names"], np.array(params["values"]), case.order)
    variance = np.einsum("ij,jk,ik->i", jacobian, np.array(params["vcov"]), jacobian)
    return values, pd.Series(np.sqrt(variance), index=values.index)
