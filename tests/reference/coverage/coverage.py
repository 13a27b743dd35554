"""How often 95 % intervals cover the truth: the study behind docs/coverage.md.

Run ``python tests/reference/coverage/coverage.py FOLDER`` (half an hour on one core); it writes
``coverage.csv`` beside itself. The intervals of each data set are kept in FOLDER as they are
found, so that a run cut short goes on where it ended. Each row of the table is one parameter of
one design by one method: the share of data sets whose interval covers the truth, its Monte Carlo
error, the mean standard error over the standard deviation of the estimates, and the mean width.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

import smmix

N_ROWS = 300
N_DATA_SETS = 1000
N_BOOT = 199
#: Clusters of five rows each; the rows are independent, so that these errors are right as well.
CLUSTER_SIZE = 5
COV_TYPES = ["nonrobust", "opg", "HC0", "HC1", "cluster"]


@dataclass(frozen=True)
class Design:
    """A mixture of two lines, the lower intercept first; x is standard normal."""

    name: str
    coef: tuple[tuple[float, float], tuple[float, float]]
    sigma: tuple[float, float]
    weights: tuple[float, float]

    @property
    def truth(self) -> dict[str, float]:
        named = {"intercept": 0, "slope": 1}
        values = {f"{n}[{c}]": self.coef[c][j] for c in range(2) for n, j in named.items()}
        values |= {f"sigma[{c}]": self.sigma[c] for c in range(2)}
        return values | {f"weight[{c}]": self.weights[c] for c in range(2)}


DESIGNS = [
    Design("separated", ((0.0, 1.0), (6.0, -1.0)), (1.0, 0.8), (0.6, 0.4)),
    Design("overlapping", ((0.0, 1.0), (3.0, -1.0)), (1.0, 0.8), (0.6, 0.4)),
    Design("small component", ((0.0, 1.0), (3.0, -1.0)), (1.0, 0.8), (0.9, 0.1)),
]

#: Estimates, standard errors, lower and upper limits by parameter.
Intervals = pd.DataFrame


def wald(results: smmix.MixtureResults) -> Intervals:
    """Coefficients on their own scale, sigma on the log and weights on the logit scale."""
    limits = results.conf_int()
    coef = pd.DataFrame(
        {
            "estimate": results.params,
            "std_err": results.bse,
            "ci_lower": limits[0],
            "ci_upper": limits[1],
        }
    ).iloc[:4]
    columns = list(coef.columns)
    tables = [coef]
    for name, table in (("sigma", results.sigmas()), ("weight", results.proportions())):
        tables.append(table.rename(columns={name: "estimate"}, index=lambda c, n=name: f"{n}[{c}]"))
    return renamed(pd.concat(tables)[columns])


def renamed(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(lambda name: name.replace("Intercept", "intercept").replace("x1", "slope"))


def percentile(boot: smmix.bootstrap.BootstrapResults) -> Intervals:
    """Quantiles of the replicates, those of the weights from those of the logit."""
    table = boot.summary_frame()
    logit = table.loc["mixing.Intercept[1]"]
    share = special.expit(boot.params["mixing.Intercept[1]"])
    ends = special.expit(logit[["estimate", "ci_lower", "ci_upper"]].to_numpy(float))
    kept = table.drop(index="mixing.Intercept[1]").drop(columns="bias")
    kept.loc["weight[0]"] = [1 - ends[0], share.std(), 1 - ends[2], 1 - ends[1]]
    kept.loc["weight[1]"] = [ends[0], share.std(), ends[1], ends[2]]
    return renamed(kept)


def intervals(design: Design, number: int) -> dict[str, Intervals] | None:
    """All intervals of one data set; None when its fit is not to be used."""
    frame = smmix.simulate_mixture(
        N_ROWS, coef=design.coef, sigma=design.sigma, weights=design.weights, rng=number
    ).frame
    model = smmix.from_formula("y ~ x1", frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = model.fit(order="Intercept", threads=1)
    if not results.converged or results.mode_found.degenerate:
        return None
    clusters = {"groups": np.arange(N_ROWS) // CLUSTER_SIZE}
    found = {}
    for cov_type in COV_TYPES:
        options = clusters if cov_type == "cluster" else {}
        found[cov_type] = wald(results.get_robustcov_results(cov_type, **options))
    for kind in ("parametric", "rows"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            boot = results.bootstrap(N_BOOT, kind, rng=number, threads=1)
        again = results.get_robustcov_results("bootstrap", replicates=boot.params)
        found[f"bootstrap ({kind}), Wald"] = wald(again)
        found[f"bootstrap ({kind}), percentile"] = percentile(boot)
    return found


def kept(design: Design, number: int, folder: Path) -> dict[str, Intervals] | None:
    """The intervals of one data set, from the folder where it holds them."""
    path = folder / f"{design.name.replace(' ', '_')}_{number:04d}.pkl"
    if not path.exists():
        part = path.with_suffix(".part")
        part.write_bytes(pickle.dumps(intervals(design, number)))
        part.rename(path)
    found: dict[str, Intervals] | None = pickle.loads(path.read_bytes())
    return found


def study(design: Design, folder: Path) -> pd.DataFrame:
    """The table of one design."""
    found = [kept(design, number, folder) for number in range(N_DATA_SETS)]
    used = [tables for tables in found if tables is not None]
    estimates = pd.DataFrame([tables["nonrobust"]["estimate"] for tables in used])
    spread = estimates.std()
    rows = []
    for method in dict.fromkeys(name for tables in used for name in tables):
        tables = [t[method] for t in used if method in t]
        for name, value in design.truth.items():
            lower = np.array([t.loc[name, "ci_lower"] for t in tables])
            upper = np.array([t.loc[name, "ci_upper"] for t in tables])
            error = np.array([t.loc[name, "std_err"] for t in tables])
            coverage = float(((lower <= value) & (value <= upper)).mean())
            rows.append(
                {
                    "design": design.name,
                    "method": method,
                    "parameter": name,
                    "data_sets": len(tables),
                    "coverage": coverage,
                    "mc_error": np.sqrt(coverage * (1 - coverage) / len(tables)),
                    "se_over_sd": error.mean() / spread[name],
                    "width": (upper - lower).mean(),
                }
            )
    print(f"{design.name}: {len(found) - len(used)} fits not used", file=sys.stderr)
    return pd.DataFrame(rows)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(__file__).with_suffix(".csv")
    table = pd.DataFrame()
    for design in DESIGNS:
        table = pd.concat([table, study(design, folder)])
        table.to_csv(path, index=False, float_format="%.4f")
    kind = table["parameter"].str.replace(r"\[.*", "", regex=True)
    shown = 100 * table.pivot_table("coverage", ["design", "method"], kind, sort=False)
    print(shown.round(1).to_string())


if __name__ == "__main__":
    main()
