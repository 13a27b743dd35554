"""The rule on sharp components: what they cost, and which are there without an estimate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy

__all__ = ["CHANCE", "Clause", "Judged", "judged", "reason", "sharpest"]

#: A component of a kind that is expected in fewer than one of twenty data sets without it is no
#: matter of chance.
CHANCE = 0.05
#: With fewer rows than coefficients and this many besides there is no estimate of a spread.
ROWS_BESIDES = 2
#: A spread below this share of the largest: the likelihood has no maximum there, or none that
#: can be told from an exact fit.
VANISHING = 1e-3
#: A spread below this share of what rounding of the response makes is that of rows picked for
#: having been rounded alike.
FINER = 0.5


class Clause(NamedTuple):
    """What the rule says of a mode, in words; of none it says nothing.

    Attributes
    ----------
    words : str
        With "{c}" for the number of the component that they are about.
    component : int or None
        That component, as the mode numbers it.
    """

    words: str = ""
    component: int | None = None

    def __str__(self) -> str:
        return self.numbered(None)

    def numbered(self, order: np.ndarray | None) -> str:
        """The words when component ``order[c]`` of the mode is called c."""
        if self.component is None:
            return self.words
        number = self.component if order is None else order.tolist().index(self.component)
        return self.words.replace("{c}", str(number))


class Judged(NamedTuple):
    """What the rule says of ``S`` parameter sets with ``K`` components.

    Attributes
    ----------
    price : ndarray, (S, K)
        By how much the log-likelihood is too high because a sharp line was looked for.
    too_few, collapsed : ndarray of bool, (S, K)
        Components on too few rows, and without a spread.
    """

    price: np.ndarray
    too_few: np.ndarray
    collapsed: np.ndarray

    @property
    def degenerate(self) -> np.ndarray:
        """Which components (S, K) are no estimates."""
        return self.too_few | self.collapsed

    @property
    def total(self) -> np.ndarray:
        """Price of each parameter set, (S,)."""
        return np.asarray(self.price.sum(axis=1))


def judged(
    spread: np.ndarray,
    sizes: np.ndarray,
    p: int,
    reference: Any = 1.0,
    bounded: bool = False,
    least: float = 0.0,
    rounding: float = 0.0,
) -> Judged:
    """Judge components by their spreads and sizes: a price for sharpness that chance can make.

    Parameters
    ----------
    spread : ndarray, (S, K)
        Spread of each component's errors, such as sigma.
    sizes : ndarray, (S, K)
        Sums of posteriors, in rows.
    p : int
        Coefficients of a component.
    reference : float or ndarray, (1, K)
        Spread of one regression of all rows.
    bounded : bool
        Whether the likelihood is bounded (equal variances, no free scale): nothing is priced then,
        nor is a single component.
    least : float
        Rows that a component needs for its random effects.
    rounding : float
        Spread of the errors that rounding the response has made.

    Returns
    -------
    Judged

    Notes
    -----
    BIC charges a parameter with half the log of the information that the data hold on it, in
    units of that of one row: log(n) / 2 [1]_. On the p coefficients and the spread of component c,
    of m_c rows and spread s_c, they hold m_c / s_c^2 (and 2 m_c / s_c^2), and a row of the one
    regression beside which components are to prove themselves holds 1 / s^2 (and 2 / s^2), with s
    its spread, the ``reference``. So BIC forgets

        price_c = (p + 1) / 2 log(m_c s^2 / (n s_c^2)), zero where this is negative,

    the log of the number of lines and spreads that only sharpness tells apart: among so many the
    best was looked for. Priced BIC is Laplace's approximation of the integrated likelihood under a
    prior worth one row of the single regression.

    What sharpness alone adds to the log-likelihood is G_c = m_c log(r_c / s_c) - n_c H(m_c / n_c),
    where n_c are the rows of c and of the wider components, H is the entropy of a share and 1 / r_c
    the mean of 1 / s_j over the rows of the wider components: at m_c rows the density rises from
    1 / r_c, at most, to 1 / s_c, once it is told which m_c of the n_c they are. Rows that agree
    beyond what the response was rounded to show nothing by it: no s_j here is less than the
    ``rounding``. The log of the
    number of such components that chance is expected to make of the rows of wider ones is no more
    than [2]_

        log N_c = (p + 2) / 2 log n + price_c - G_c,

    as a likelihood ratio reaches exp(G) by chance with probability exp(-G) at most. Where N_c is
    below 0.05 chance is no explanation, and nothing is paid. The widest component, of which chance
    says nothing, always pays.

    References
    ----------
    .. [1] Kass, R. E. and Wasserman, L. (1995). A reference Bayesian test for nested hypotheses
       and its relationship to the Schwarz criterion. JASA 90, 928-934.
    .. [2] Desolneux, A., Moisan, L. and Morel, J.-M. (2000). Meaningful alignments. International
       Journal of Computer Vision 40, 7-23.

    Examples
    --------
    Eight of 60 rows within a fiftieth of the spread of one line, of four coefficients, are found
    by looking for them; 56 of 150 rows, with two coefficients, are not.

    >>> import numpy as np
    >>> from smmix.search.rule import judged
    >>> judged(np.array([[1.0, 0.02]]), np.array([[52.0, 8.0]]), p=4).price.round(1)
    array([[ 0. , 14.5]])
    >>> judged(np.array([[1.0, 0.02]]), np.array([[94.0, 56.0]]), p=2).price.round(1)
    array([[0., 0.]])
    """
    if bounded or spread.shape[1] == 1:
        never = np.zeros(spread.shape, dtype=bool)
        return Judged(np.zeros(spread.shape), never, never)
    n = sizes.sum(axis=1, keepdims=True)
    wider = spread[:, None, :] > spread[:, :, None]
    rest = np.where(wider, sizes[:, None, :], 0.0)
    blunt = np.maximum(spread, rounding)
    density = (rest / blunt[:, None, :]).sum(axis=2)
    rest = rest.sum(axis=2)
    # An empty component costs nothing, and beside it nothing is sharp.
    with np.errstate(divide="ignore", invalid="ignore"):
        price = 0.5 * (p + 1) * np.log(sizes / n * (reference / spread) ** 2)
        gain = sizes * np.log(rest / (density * blunt)) - _which(sizes, rest)
        beyond_chance = 0.5 * (p + 2) * np.log(n) + price - gain < np.log(CHANCE)
    price = np.where((price > 0.0) & ~(beyond_chance & (rest > 0.0)), price, 0.0)
    return Judged(
        price,
        sizes < max(p + ROWS_BESIDES, least),
        (spread < VANISHING * spread.max(axis=1, keepdims=True)) | (spread < FINER * rounding),
    )


def _which(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What it takes to tell which rows are ``some`` among these and ``others``."""
    both = some + others
    return np.asarray(xlogy(both, both) - xlogy(some, some) - xlogy(others, others))


def reason(told: Judged, ratio: np.ndarray, sizes: np.ndarray, s: int) -> Clause:
    """The clause that rejects parameter set ``s``, with its figure; empty when none does.

    ``ratio`` (S, K) holds the spreads over the largest.
    """
    if not told.degenerate[s].any():
        return Clause()
    c = int(np.argmin(np.where(told.degenerate[s], sizes[s], np.inf)))
    if told.too_few[s, c]:
        return Clause(f"too few rows: component {{c}} rests on {sizes[s, c]:.1f}", c)
    size = f"{ratio[s, c]:.2g} times the largest"
    if ratio[s, c] >= VANISHING:
        size += f", less than {FINER} times what rounding makes"
    return Clause(f"collapsed: component {{c}} has a spread {size}", c)


def sharpest(told: Judged, ratio: np.ndarray, sizes: np.ndarray, s: int) -> Clause:
    """The component of parameter set ``s`` that is priced most, in words; empty without any."""
    c = int(np.argmax(told.price[s]))
    if not told.price[s, c] > 0.0:
        return Clause()
    share = f"a spread {ratio[s, c]:.2g} times the largest"
    return Clause(f"component {{c}} holds {sizes[s, c]:.1f} rows with {share}", c)
