"""Statistics of data sets drawn from the null fit, no more of them than the decision needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from smmix.fit.run import one_blas_thread
from smmix.reporting.tables import MixtureSummary
from smmix.support.checks import generator
from smmix.support.frames import counted
from smmix.support.processes import shared
from smmix.support.progress import progress_bar

__all__ = ["MonteCarloTest", "exceedances_needed", "null_statistics"]

#: From one generator per data set to the statistic of each.
Draw = Callable[[Sequence[np.random.Generator]], np.ndarray]


@dataclass(frozen=True, eq=False)
class MonteCarloTest:
    """Outcome of a test whose null distribution is simulated.

    Attributes
    ----------
    statistic : float
    pvalue : float
        (1 + b) / (1 + B), b of the B replicates being at or above the statistic.
    mc_error : float
        Standard error of the p-value from the finite number of replicates.
    replicates : ndarray, (B,)
        Statistics of the data sets drawn from the null fit, in the order in which they were drawn.
    k : int
        Components under the null hypothesis; the alternative has one more.
    alpha : float
        Level of the decision.
    stopped : bool
        Whether the decision was certain before all replicates were drawn.
    alternative : MixtureResults or None
        The fit with k + 1 components.
    title : str
    """

    statistic: float
    pvalue: float
    mc_error: float
    replicates: np.ndarray
    k: int
    alpha: float
    stopped: bool
    alternative: Any
    title: str

    @property
    def rejected(self) -> bool:
        """Whether k components are refused at level ``alpha``."""
        return self.pvalue <= self.alpha

    @classmethod
    def of(
        cls,
        title: str,
        statistic: float,
        replicates: np.ndarray,
        k: int,
        alpha: float,
        asked: int,
        alternative: Any = None,
    ) -> MonteCarloTest:
        """The test with ``asked`` replicates, of which perhaps fewer were drawn."""
        number = replicates.size
        pvalue = (1.0 + float((replicates >= statistic).sum())) / (number + 1.0)
        error = float(np.sqrt(pvalue * (1.0 - pvalue) / number))
        stopped = number < asked
        return cls(statistic, pvalue, error, replicates, k, alpha, stopped, alternative, title)

    def summary(self) -> MixtureSummary:
        """The outcome of the test.

        Returns
        -------
        MixtureSummary
            Prints as text, HTML, LaTeX or CSV.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=1).fit()
        >>> test = smmix.bootstrap_lrt(results, n_boot=19)
        >>> test.summary().as_text().splitlines()[0].strip()
        'Bootstrap Likelihood Ratio Test'
        """
        left = [
            ("Components, H0:", str(self.k)),
            ("Components, H1:", str(self.k + 1)),
            ("Replicates:", str(self.replicates.size)),
        ]
        right = [
            ("Statistic:", f"{self.statistic:.3f}"),
            ("p-value:", f"{self.pvalue:.4f}"),
            ("Monte Carlo error:", f"{self.mc_error:.4f}"),
        ]
        verdict = "refused" if self.rejected else "not refused"
        notes = [f"k={self.k} is {verdict} at the level {self.alpha:g}."]
        if not exceedances_needed(self.alpha, self.replicates.size) and not self.stopped:
            notes.append(
                f"{counted(self.replicates.size, 'replicate')}, too few to refuse at this level: "
                f"no p-value is below {1.0 / (1.0 + self.replicates.size):.3g}."
            )
        if self.stopped:
            notes.append(
                "The replicates ended when no further ones could have changed the decision."
            )
        return MixtureSummary(self.title, left, right, [], notes)

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())


def exceedances_needed(alpha: float, n_boot: int) -> int:
    """Replicates at or above the statistic that make a rejection impossible.

    (1 + b) / (1 + n_boot) <= alpha asks for b <= alpha (1 + n_boot) - 1.
    """
    return int(np.floor(alpha * (1 + n_boot) * (1.0 + 1e-12)))


def null_statistics(
    statistic: float,
    draw: Draw,
    n_boot: int,
    batch_size: int,
    alpha: float | None,
    rng: Any,
    processes: int,
    progress: bool | None,
) -> np.ndarray:
    """Statistics of up to ``n_boot`` data sets drawn from the null fit.

    With ``alpha``, and ``n_boot`` large enough to refuse at it, they end when so many are at or
    above ``statistic`` that the p-value of all ``n_boot`` would exceed ``alpha``, whatever the
    others are [1]_. Each data set has a generator of its own, so that the outcome depends neither
    on the processes that share the batches nor on the size of a batch.

    References
    ----------
    .. [1] Besag, J. and Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika 78,
       301-304.
    """
    generators = generator(rng).spawn(n_boot)
    # Where even the smallest p-value is above alpha there is no decision to wait for.
    decided = 0 if alpha is None else exceedances_needed(alpha, n_boot)
    enough = decided or n_boot + 1
    if decided:
        # Small batches first: the decision may fall after few replicates.
        batch_size = min(batch_size, enough)
    batches = [generators[i : i + batch_size] for i in range(0, n_boot, batch_size)]
    waiting: dict[int, np.ndarray] = {}
    found: list[float] = []
    with (
        progress_bar(progress) as report,
        one_blas_thread(),
        closing(shared(draw, batches, processes)) as drawn,
    ):
        coming = 0
        for number, values in drawn:
            waiting[number] = values
            while coming in waiting:
                found.extend(waiting.pop(coming).tolist())
                coming += 1
            if report is not None:
                report("replicates", len(found), n_boot, np.nan)
            above = np.cumsum(np.array(found) >= statistic)
            if above.size and above[-1] >= enough:
                return np.array(found[: int(np.argmax(above >= enough)) + 1])
    return np.array(found)
