"""Small symmetric systems, many at once, and the columns of a design that carry nothing new.

Columns are always scaled to unit length first: whether a matrix is singular must not depend on
the units in which its columns are measured (van der Sluis 1969, Numer. Math. 14:14-23).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

#: Smallest squared pivot, per column, of the unit-diagonal Cholesky factor that is solved with:
#: what rounding leaves of a pivot that is zero in exact arithmetic stays far below it.
SMALLEST_PIVOT = 1e-13

#: A column whose part orthogonal to the earlier ones is shorter than this is a combination of them.
DEPENDENT = 1e-11

#: Entries of the slab of rows that is factored at a time.
SLAB_ENTRIES = 1 << 17


def diagonals(matrices: np.ndarray) -> np.ndarray:
    """Writable view (..., p) of the diagonals of contiguous square matrices (..., p, p)."""
    p = matrices.shape[-1]
    return matrices.reshape(*matrices.shape[:-2], p * p, copy=False)[..., :: p + 1]


def solve_gram(gram: np.ndarray, rhs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve a batch of symmetric positive semi-definite systems.

    Parameters
    ----------
    gram : ndarray, (..., p, p)
        Symmetric positive semi-definite matrices, such as weighted Gram matrices x'Wx.
    rhs : ndarray, (..., p)
        Right-hand sides.

    Returns
    -------
    solution : ndarray, (..., p)
        The solution; the one of minimum norm for a member that is singular to working precision.
    rank_ok : ndarray of bool, (...)
        False for the members that were found singular.

    Notes
    -----
    The diagonal is scaled to one, which comes within a factor p of the best conditioning that any
    diagonal scaling gives. Finite input never raises and never yields NaN; a member that is not
    finite has no solution but NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.core.linalg import solve_gram
    >>> gram = np.array([[[4.0, 2.0], [2.0, 3.0]], [[1.0, 1.0], [1.0, 1.0]]])
    >>> solution, rank_ok = solve_gram(gram, np.array([[2.0, 5.0], [2.0, 2.0]]))
    >>> solution.round(12).tolist(), rank_ok.tolist()
    ([[-0.5, 2.0], [1.0, 1.0]], [True, False])
    """
    diagonal = np.diagonal(gram, axis1=-2, axis2=-1)
    present = diagonal > 0.0
    width = present / np.sqrt(np.where(present, diagonal, 1.0))
    with np.errstate(invalid="ignore"):
        scaled = gram * width[..., :, None] * width[..., None, :]
    target = rhs * width
    if not np.isfinite(scaled).all():
        lost = np.asarray(~np.isfinite(scaled).all(axis=(-2, -1)))
        # LAPACK may raise at one lost member, and the others would be lost with it.
        scaled = np.where(lost[..., None, None], np.eye(scaled.shape[-1]), scaled)
        target = np.where(lost[..., None], np.nan, target)
    good = _positive_definite(scaled)
    if good.all():
        return np.linalg.solve(scaled, target[..., None])[..., 0] * width, good
    solution = np.empty(np.broadcast_shapes(target.shape, diagonal.shape))
    solution[good] = np.linalg.solve(scaled[good], target[good][..., None])[..., 0] * width[good]
    for member in np.argwhere(~good):
        at = tuple(member)
        solution[at] = _minimum_norm(scaled[at], target[at], width[at])
    return solution, good


def _positive_definite(scaled: np.ndarray) -> np.ndarray:
    """Which unit-diagonal members of a batch have no pivot that is zero to working precision."""
    floor = SMALLEST_PIVOT * scaled.shape[-1]
    try:
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        # One member without a factor hides the factors of all the others.
        return np.asarray(np.linalg.eigvalsh(scaled)[..., 0] > floor)
    return np.asarray((diagonals(factor) > np.sqrt(floor)).all(axis=-1))


def _minimum_norm(scaled: np.ndarray, target: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Shortest solution, in the units of the unscaled system, of one singular member."""
    values, vectors = np.linalg.eigh(scaled)
    kept = values > SMALLEST_PIVOT * len(values)
    inner = (vectors[:, kept].T @ target) / values[kept]
    solution = width * (vectors[:, kept] @ inner)
    return remove_span(solution, np.where(width > 0.0, width, 1.0)[:, None] * vectors[:, ~kept])


def scaled_inverse(covariance: np.ndarray) -> tuple[np.ndarray, int]:
    """Pseudo-inverse (r, r) of a covariance, and its rank, whatever the units of its entries.

    The diagonal is scaled to one first: in other units the same hypotheses make the same test.
    """
    size = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    size = np.where(size > 0.0, size, 1.0)
    scaled = covariance / size[:, None] / size
    rank = int(np.linalg.matrix_rank(scaled, hermitian=True))
    return np.linalg.pinv(scaled, hermitian=True) / size[:, None] / size, rank


def remove_span(vector: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Part of ``vector``, (p,) or (p, m), that is orthogonal to the columns of ``span`` (p, d)."""
    if not span.shape[1]:
        return vector
    basis = np.linalg.qr(span / np.linalg.norm(span, axis=0))[0]
    for _ in range(2):
        vector = vector - basis @ (basis.T @ vector)
    return vector


def row_slabs(x: np.ndarray) -> Iterator[np.ndarray]:
    """Views of successive slabs of the rows of ``x`` (n, p)."""
    step = max(SLAB_ENTRIES // max(x.shape[1], 1), 2 * x.shape[1], 1)
    for start in range(0, len(x), step):
        yield x[start : start + step]


def merge_r(r_factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """R of the QR factorisation of the rows that ``r_factor`` (m, p) stands for and further ones.

    Householder QR of a stack of rows needs only the R of those seen before (Demmel, Grigori,
    Hoemmen & Langou 2012, SIAM J. Sci. Comput. 34:A206), so one pass in little memory is enough.
    """
    return np.asarray(np.linalg.qr(np.concatenate([r_factor, rows]), mode="r"))


def dependent_columns(
    x: np.ndarray | Iterable[np.ndarray], *, tolerance: float = DEPENDENT
) -> list[int]:
    """Columns that are linear combinations of earlier columns.

    Parameters
    ----------
    x : ndarray, (n, p), or iterable of ndarray, (m, p)
        A design, whole or in blocks of rows; an upper triangular factor R will do as well.
    tolerance : float
        A column scaled to unit length depends on the earlier ones when what they leave of it is
        no longer than this.

    Returns
    -------
    list of int
        Positions of the dependent columns, ascending; a column of zeros is one of them.

    Examples
    --------
    >>> import numpy as np
    >>> from smmix.core.linalg import dependent_columns
    >>> x1 = np.arange(5.0)
    >>> dependent_columns(np.column_stack([np.ones(5), x1, x1**2, 3.0 - x1]))
    [3]
    """
    r_factor: np.ndarray | None = None
    for rows in row_slabs(x) if isinstance(x, np.ndarray) else x:
        r_factor = merge_r(rows[:0] if r_factor is None else r_factor, rows)
    if r_factor is None:
        return []
    dependent: list[int] = []
    basis = np.zeros((r_factor.shape[0], 0))
    for position, column in enumerate(r_factor.T):
        length = np.linalg.norm(column)
        rest = remove_span(column / length if length > 0.0 else column, basis)
        left = np.linalg.norm(rest)
        if left > tolerance:
            basis = np.column_stack([basis, rest / left])
        else:
            dependent.append(position)
    return dependent
