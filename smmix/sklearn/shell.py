"""What the estimators share: the columns of a fit, the fit itself, and what it says of new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from smmix.core.family import Family
from smmix.core.family_list import FamilyList
from smmix.core.linalg import dependent_columns
from smmix.errors import SmmixError
from smmix.families.gaussian import Gaussian
from smmix.mixing.constant import softmax
from smmix.mixture.prediction import Law
from smmix.model import MixtureGLM, MixtureOLS
from smmix.sklearn.inputs import column_positions, constant_name, seed_of

__all__ = ["Columns", "MixtureFit", "Options", "Rows", "fit_rows"]


class Options(Protocol):
    """The parameters that every estimator has."""

    n_components: int
    shared: Any
    method: str
    n_starts: int
    max_iter: int
    tol: float
    random_state: Any
    threads: int | None


@dataclass(frozen=True)
class Columns:
    """Which columns of X go where.

    Attributes
    ----------
    names : list of str
    constant : bool
        Whether a column of ones comes first in the design.
    kept : list of int
        Columns of the design that do not depend on earlier ones.
    gating : list of int
        Columns of X on which the probabilities of the components depend.
    """

    names: list[str]
    constant: bool
    kept: list[int]
    gating: list[int]

    @classmethod
    def of(
        cls, X: np.ndarray, names: list[str], constant: bool, concomitant: Any, used: Any
    ) -> Columns:
        """The columns of a fit to the rows ``used``."""
        every = cls(names, constant, [], column_positions(concomitant, names))
        design = every.design(X)
        left_out = set(dependent_columns(design[used]))
        kept = [i for i in range(design.shape[1]) if i not in left_out]
        return cls(names, constant, kept, every.gating)

    @property
    def labels(self) -> list[str]:
        """Names of the columns of the design."""
        return [constant_name(self.names)] * self.constant + self.names

    @property
    def dependent(self) -> list[str]:
        """Names of those that are left out."""
        kept = set(self.kept)
        return [name for i, name in enumerate(self.labels) if i not in kept]

    def design(self, X: np.ndarray) -> np.ndarray:
        """The design, (m, p), with the columns that are left out."""
        return np.column_stack([np.ones(len(X)), X]) if self.constant else X

    def mixing_design(self, X: np.ndarray) -> np.ndarray:
        """The constant and the gating columns, (m, q)."""
        return np.column_stack([np.ones(len(X)), X[:, self.gating]])


@dataclass(frozen=True)
class Rows:
    """Rows as a family reads them.

    Attributes
    ----------
    X : ndarray, (m, features)
    y : ndarray, (m,), or None
    exposure, event : ndarray, (m,), or None
    """

    X: np.ndarray
    y: np.ndarray | None = None
    exposure: np.ndarray | None = None
    event: np.ndarray | None = None

    @property
    def response(self) -> np.ndarray:
        """The response as the family stores it: a time that was cut off is negative."""
        assert self.y is not None, "only asked for where y is given"
        return self.y if self.event is None else np.where(self.event == 0.0, -self.y, self.y)


@dataclass(frozen=True)
class MixtureFit:
    """Estimates, and the law of any rows under them.

    Attributes
    ----------
    columns : Columns
    family : Family
    coef : ndarray, (k, p)
        Zero for columns that are left out.
    nuisance : ndarray, (k, d)
    mixing : ndarray, (k - 1, q)
    n_free : int
        Number of free parameters.
    """

    columns: Columns
    family: Family
    coef: np.ndarray
    nuisance: np.ndarray
    mixing: np.ndarray
    n_free: int

    @classmethod
    def of(cls, results: Any, columns: Columns) -> MixtureFit:
        """The estimates of results."""
        params = results.unpacked
        k = results.k
        coef = np.zeros((k, len(columns.labels)))
        coef[:, columns.kept] = params.coef[0]
        return cls(
            columns,
            results.model.specification.family,
            coef,
            params.nuisance[0],
            params.mixing[0],
            int(results.n_free),
        )

    @property
    def nuisance_by_name(self) -> dict[str, np.ndarray]:
        """Parameters beside the coefficients, (k,) each; NaN where a component has none."""
        values = self.nuisance.copy()
        if isinstance(self.family, FamilyList):
            values[~self.family.present] = np.nan
        return {p.name: values[:, i] for i, p in enumerate(self.family.nuisance)}

    def law(self, rows: Rows) -> Law:
        """The distribution of y in rows."""
        eta = self.coef @ self.columns.design(rows.X).T
        if rows.exposure is not None:
            eta = eta + np.log(rows.exposure)
        return Law(self.family, None, eta[None], self.nuisance[None], self.prior(rows.X))

    def prior(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of the components before y is known, (m, k)."""
        z = self.columns.mixing_design(X)
        prior: np.ndarray = softmax((self.mixing @ z.T)[None]).probability[0].T
        return np.ascontiguousarray(prior)

    def joint(self, rows: Rows) -> np.ndarray:
        """Log of prior times density, (m, k)."""
        law = self.law(rows)
        with np.errstate(divide="ignore"):
            joint: np.ndarray = np.log(law.prior) + law.log_density(rows.response)
        return joint

    def log_density(self, rows: Rows) -> np.ndarray:
        """Log density of y under the mixture, (m,)."""
        density: np.ndarray = logsumexp(self.joint(rows), axis=1)
        return density

    def posterior(self, rows: Rows) -> np.ndarray:
        """Probabilities of the components given y, (m, k)."""
        joint = self.joint(rows)
        posterior: np.ndarray = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        return posterior

    def criterion(self, rows: Rows, weight: np.ndarray | None, price: float | None) -> float:
        """-2 log-likelihood plus ``price``, or log n where it is None, for each parameter."""
        weight = np.ones(len(rows.X)) if weight is None else weight
        each = np.log(weight.sum()) if price is None else price
        # A row of weight zero is no row, whatever its density.
        used = weight > 0.0
        return float(-2.0 * weight[used] @ self.log_density(rows)[used] + each * self.n_free)


def fit_rows(
    options: Options,
    family: Family,
    columns: Columns,
    rows: Rows,
    weight: np.ndarray | None,
    variance: str = "free",
) -> Any:
    """Results of the mixture that an estimator's parameters ask for.

    Raises
    ------
    SmmixError
        If the data or the options allow no fit.
    """
    labels = columns.labels
    names = [labels[i] for i in columns.kept]
    if not names and family.intercept:
        raise SmmixError("X leaves no column to regress on; use fit_intercept=True.")
    design = pd.DataFrame(columns.design(rows.X)[:, columns.kept], columns=names)
    z = None
    if columns.gating:
        gates = ["const", *(columns.names[i] for i in columns.gating)]
        z = pd.DataFrame(columns.mixing_design(rows.X), columns=gates)
    y = pd.Series(rows.y, name="y")
    common: dict[str, Any] = {"exog_concomitant": z, "freq_weights": weight, "variance": variance}
    model: Any
    further = (options.shared, rows.exposure, rows.event)
    if family == Gaussian() and all(given is None for given in further):
        model = MixtureOLS(y, design, options.n_components, **common)
    else:
        model = MixtureGLM(
            y,
            design,
            options.n_components,
            family=family,
            shared=options.shared,
            exposure=rows.exposure,
            event=rows.event,
            **common,
        )
    return model.fit(
        method=options.method,
        n_starts=options.n_starts,
        maxiter=options.max_iter,
        gtol=options.tol,
        rng=seed_of(options.random_state),
        threads=options.threads,
        progress=False,
    )
