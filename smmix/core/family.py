"""The contract of a family: p(y | x, component), known to the rest through these methods alone.

Arrays carry the batch of parameter sets ``S``, the components ``K`` and the rows ``m``: linear
predictors ``eta`` are (S, K, m), nuisance parameters (S, K, d). A response ``y`` is (m,), or
(S, 1, m) where each parameter set of a batch has its own; ``aux`` (m, a) holds what a family must
know of a row besides (the trials of a binomial response, the design of an inflation), or is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from smmix.core.statistics import ComponentStats
from smmix.core.transforms import Transform

__all__ = ["Derivatives", "Family", "Nuisance", "Penalty", "Working"]


class Nuisance(NamedTuple):
    """A parameter of a component's distribution beside its coefficients.

    Attributes
    ----------
    name : str
        As users read it, such as ``sigma``.
    transform : Transform
        Coordinates in which it moves.
    unit : int
        Its power of the unit of y: 1 for a standard deviation, 0 for a shape.
    """

    name: str
    transform: Transform
    unit: int = 0


class Working(NamedTuple):
    """Log-density and the working regression of one block."""

    log_density: np.ndarray  # (S, K, m)
    residual: np.ndarray  # (S, K, m) working residual at the current coefficients
    weight: np.ndarray | None = None  # (S, K, m) working weight, >= 0; None is one everywhere
    state: Any = None  # what the family needs again for ``sums`` and ``derivatives``


class Derivatives(NamedTuple):
    """Derivatives of the log-density in the linear predictor (0) and nuisance parameters (1..d).

    Nuisance parameters are on their natural scale.
    """

    first: list[np.ndarray]  # 1 + d arrays (S, K, m)
    second: list[list[np.ndarray]]  # lower triangle, rows 0..d, arrays that broadcast to (S, K, m)
    information: np.ndarray  # broadcasts to (S, K, m): expected -second[0][0], positive
    #: lower triangle, rows 0..d-1, arrays that broadcast to (S, K, m) and sum to a positive
    #: semidefinite matrix: the expected information of the nuisance parameters, or products of
    #: their first derivatives
    nuisance_information: list[list[np.ndarray]]


class Penalty(NamedTuple):
    """Chen & Tan's penalty on small scales: -strength (s^2 / t^2 + log(t^2 / s^2) - 1).

    ``t`` is the spread of a component (see `Family.scale`), ``s`` that of one regression of all
    rows.
    """

    strength: float = 0.0
    reference: Any = 1.0  # float, or (1 or S, K)


class Family(Protocol):
    """What a component distribution must offer. Families are immutable and compare by value."""

    # -- identity ---------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name in the registry."""

    @property
    def label(self) -> str:
        """What a summary calls components of this kind, such as "Poisson regressions"."""

    @property
    def location_scale(self) -> bool:
        """Whether y -> (y - x'b) / s maps the family to itself, with b and s known."""

    @property
    def discrete(self) -> bool:
        """Whether y takes whole numbers only."""

    @property
    def intercept(self) -> bool:
        """Whether a constant regressor means something; beside thresholds it does not."""

    @property
    def reads(self) -> str:
        """What the response is: "numbers", "successes" or "levels"."""

    @property
    def takes(self) -> tuple[str, ...]:
        """Arguments of the model that fill ``aux``, among "trials" and "event"."""

    @property
    def ancillary(self) -> str | None:
        """One-sided formula of a nuisance parameter, whose design fills ``aux``; None without."""

    @property
    def scale(self) -> tuple[Any, Any] | None:
        """(i, power): the spread of the errors is nuisance parameter i to that power.

        The likelihood grows without limit as it vanishes; None where the likelihood is bounded.
        """

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:
        """The nuisance parameters that are estimated, in the order of ``params``."""

    @property
    def link(self) -> Any:
        """The link (see `smmix.families.links`); None where nothing depends on the regressors."""

    @property
    def stages(self) -> tuple[Family, ...]:
        """Families with second derivatives that approach one without, bluntest first."""

    @property
    def becomes(self) -> dict[tuple[str, float], str]:
        """What the family becomes where a nuisance parameter reaches the end of its range."""

    def to_plain(self) -> dict[str, Any]:
        """Options as JSON values, for ``family(name, **options)``."""

    # -- engine -----------------------------------------------------------------------------------

    def refuse(self, y: np.ndarray, aux: np.ndarray | None) -> tuple[int, str] | None:
        """Position of the first row that this family cannot have, and what it needs instead.

        The words continue "the response 'y' is -1 in row 3; ", as in "a Poisson response is a
        whole number from 0 up". None when all rows are possible.
        """

    def outcomes(self, aux: np.ndarray | None) -> Any:
        """How many probabilities of a row's response are free, (m,) or one number for all.

        A binomial response of n trials has n, one of L levels L - 1; None where their number has
        no limit.
        """

    def uncensored(self, y: np.ndarray) -> np.ndarray | None:
        """Which rows, (m,) or (K, m), are no censored ones; None where none can be.

        A censored row says nothing of a spread, so that it does not count towards sharpness.
        """

    def with_terms(self, names: Sequence[str]) -> Family:
        """The family for the columns of the ancillary design; without one what it was."""

    def bound(self, y: np.ndarray) -> Family:
        """The family for a response: most are what they were, an ordered one learns its levels."""

    def start_response(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        """The response on the scale of the linear predictor, finite, to make starts from."""

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        """Nuisance parameters (d,) from which one regression of all rows may begin."""

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        """Log-density and working regression; ``eta`` may be overwritten.

        weight * residual * precision is the derivative of the log-density in eta.
        """

    def sums(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        """Further row values (S, K, m) whose weighted sums the update needs, maybe none.

        The sums begin ``stats.extra``; beside other families there may be more columns behind.
        """

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        """Analytic first and second derivatives of the log-density that ``evaluate`` gave."""

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        """Nuisance parameters (S, K, d) that raise the penalised complete-data likelihood.

        ``deviance`` (S, K) is the weighted sum of squares left after the coefficients' update;
        parameters named in ``shared`` are the same in all components. The engine halves the
        step where it overshoots.
        """

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        """Scores (S, K, d) of the nuisance parameters, natural scale, from a pass's sums."""

    def precision(self, nuisance: np.ndarray) -> np.ndarray:
        """Factor (S, K) that turns sums of weight * residual * x into scores of coefficients."""

    # -- meaning: what users read, nothing of it is used by the engine ----------------------------

    def mean(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """E[y], (S, K, m)."""

    def mean_derivatives(
        self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        """Derivatives of the mean in eta and each nuisance parameter; they broadcast."""

    def variance(self, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """Var[y], (S, K, m)."""

    def cdf(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        """P(Y <= y), (S, K, m)."""

    def cdf_below(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        """P(Y < y), (S, K, m): the cdf itself where y is continuous."""

    def log_tails(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logs of P(Y <= y) and of P(Y > y), (S, K, m), each with the digits of a small tail."""

    def quantile(
        self, q: float, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> np.ndarray:
        """The smallest value with cdf >= q, (S, K, m)."""

    def sample(
        self,
        aux: np.ndarray | None,
        eta: np.ndarray,
        nuisance: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Draws of y, (S, K, m)."""
