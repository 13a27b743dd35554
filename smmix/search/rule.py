"""The rule on sharp components: what they cost, and which are there without an estimate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Judged", "judged", "reason", "sharpest"]

#: With fewer rows than coefficients and this many besides there is no estimate of a spread.
ROWS_BESIDES = 2
#: A spread below this share of the largest: the likelihood has no maximum there, or none that
#: can be told from an exact fit.
VANISHING = 1e-3


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
    spread: np.ndarray, sizes: np.ndarray, p: int, reference: Any = 1.0, bounded: bool = False
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
    prior worth one row of the single regression. Through p rows a line passes exactly, so that a
    component of m_c rows gains (m_c - p - 1) log(1 / s_c) at most as it sharpens, price deducted:
    what chance explains is found out, and a sharp line of many rows stays.

    References
    ----------
    .. [1] Kass, R. E. and Wasserman, L. (1995). A reference Bayesian test for nested hypotheses
       and its relationship to the Schwarz criterion. JASA 90, 928-934.

    Examples
    --------
    Eight of 60 rows within a fiftieth of the spread of one line, of four coefficients, cost more
    than 56 of 150 on a line of two, which are worth far more.

    >>> import numpy as np
    >>> from smmix.search.rule import judged
    >>> judged(np.array([[1.0, 0.02]]), np.array([[52.0, 8.0]]), p=4).price.round(1)
    array([[ 0. , 14.5]])
    >>> judged(np.array([[1.0, 0.02]]), np.array([[94.0, 56.0]]), p=2).price.round(1)
    array([[ 0. , 10.3]])
    """
    if bounded or spread.shape[1] == 1:
        never = np.zeros(spread.shape, dtype=bool)
        return Judged(np.zeros(spread.shape), never, never)
    share = sizes / sizes.sum(axis=1, keepdims=True)
    # An empty component costs nothing.
    with np.errstate(divide="ignore", invalid="ignore"):
        price = 0.5 * (p + 1) * np.log(share * (reference / spread) ** 2)
    price = np.where(price > 0.0, price, 0.0)
    return Judged(
        price,
        sizes < p + ROWS_BESIDES,
        spread < VANISHING * spread.max(axis=1, keepdims=True),
    )


def reason(told: Judged, spread: np.ndarray, sizes: np.ndarray, s: int) -> str:
    """The clause that rejects parameter set ``s``, with its figure; empty when none does."""
    if not told.degenerate[s].any():
        return ""
    c = int(np.argmin(np.where(told.degenerate[s], sizes[s], np.inf)))
    if told.too_few[s, c]:
        return f"too few rows: component {c} rests on {sizes[s, c]:.1f}"
    ratio = spread[s, c] / spread[s].max()
    return f"collapsed: component {c} has a spread {ratio:.2g} times the largest"


def sharpest(told: Judged, spread: np.ndarray, sizes: np.ndarray, s: int) -> str:
    """The component of parameter set ``s`` that is priced most, in words; empty without any."""
    c = int(np.argmax(told.price[s]))
    if not told.price[s, c] > 0.0:
        return ""
    ratio = spread[s, c] / spread[s].max()
    return f"component {c} holds {sizes[s, c]:.1f} rows with a spread {ratio:.2g} times the largest"
