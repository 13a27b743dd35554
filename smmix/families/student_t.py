"""Student t components: errors sigma times a t distribution, with its df estimated or held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from smmix.core.family import Derivatives, Nuisance, Penalty, Working
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import LOG
from smmix.errors import SmmixError
from smmix.families.degrees_of_freedom import (
    SERIES_DF,
    bend_remainder,
    df_information,
    log_constant,
    mixed_information,
    slope,
)
from smmix.families.location_scale import (
    LOG_SQRT_2PI,
    SIGMA,
    LocationScale,
    is_finite_number,
    sigma_score,
    spread,
    updated_sigma,
)
from smmix.families.scoring import scored_update
from smmix.support.checks import shown

__all__ = ["StudentT"]

DF = Nuisance("df", LOG, 0)
FIRST_DF = 8.0
#: No step of EM leads beyond it: the distribution is normal there to the last digit.
LARGEST_DF = 1e8
#: What is larger differs from the normal distribution in no digit.
MOST_DF = 1e20
#: Largest e^2 / df that is told apart, so that no row is infinitely far away.
FARTHEST = 1e306
#: Below this u its logarithm's remainder comes from a series.
SMALL_SHARE = 0.03


class _State(NamedTuple):
    square: np.ndarray  # e^2 / v
    log: np.ndarray  # log(1 + e^2 / v)


@dataclass(frozen=True)
class StudentT(LocationScale):
    """Robust regressions with Student t errors.

    The coefficients are moved by least squares with the weights (df + 1) / (df + e^2) of the
    scale mixture [1]_, sigma by what squares are left, and df by one scoring step of the
    likelihood itself at that sigma [2]_.

    Parameters
    ----------
    df : float, optional
        Degrees of freedom of every component; estimated for each when None.

    Raises
    ------
    SmmixError
        If ``df`` is not a positive finite number.

    Notes
    -----
    With df <= 1 the distribution has no mean: what is given is its centre, the median. The
    variance is infinite with df <= 2.

    References
    ----------
    .. [1] Lange, K. L., Little, R. J. A. and Taylor, J. M. G. (1989). Robust statistical modeling
       using the t distribution. Journal of the American Statistical Association 84, 881-896.
    .. [2] Liu, C. and Rubin, D. B. (1995). ML estimation of the t distribution using EM and its
       extensions, ECM and ECME. Statistica Sinica 5, 19-39.

    Examples
    --------
    >>> from smmix.families.student_t import StudentT
    >>> [parameter.name for parameter in StudentT().nuisance]
    ['sigma', 'df']
    >>> [parameter.name for parameter in StudentT(df=4).nuisance]
    ['sigma']
    """

    df: float | None = None
    name = "student_t"
    becomes: ClassVar[dict[tuple[str, float], str]] = {
        ("df", np.inf): "a regression with normal errors"
    }
    label = "Student t regressions"

    def __post_init__(self) -> None:
        if self.df is None:
            return
        if not is_finite_number(self.df) or self.df <= 0.0:
            raise SmmixError(f"df is {shown(self.df)}; give a positive finite number, or None.")
        if self.df > MOST_DF:
            raise SmmixError(f"df is {self.df:g}; that is Gaussian(), to the last digit.")
        object.__setattr__(self, "df", float(self.df))

    @property
    def nuisance(self) -> tuple[Nuisance, ...]:
        return (SIGMA, DF) if self.df is None else (SIGMA,)

    def to_plain(self) -> dict[str, Any]:
        return {} if self.df is None else {"df": self.df}

    def _df(self, nuisance: np.ndarray) -> np.ndarray:
        return nuisance[..., 1:] if self.df is None else np.full((1, 1, 1), self.df)

    def start_nuisance(self, y: np.ndarray, aux: np.ndarray | None) -> np.ndarray:
        """Sigma from the median deviation, which heavy tails do not carry away."""
        deviation = y - np.median(y)
        sigma = float(np.median(np.abs(deviation))) / 0.6745
        return np.array(
            [sigma if sigma > 0.0 else spread(deviation), FIRST_DF][: len(self.nuisance)]
        )

    def evaluate(
        self, y: np.ndarray, aux: np.ndarray | None, eta: np.ndarray, nuisance: np.ndarray
    ) -> Working:
        sigma, df = nuisance[..., :1], self._df(nuisance)
        residual = np.subtract(y, eta, out=eta)
        square = residual * (1.0 / (sigma * np.sqrt(df)))
        square *= square
        np.minimum(square, FARTHEST, out=square)
        log = np.log1p(square)
        log_density = log * (-0.5 * (df + 1.0))
        log_density += log_constant(df) - LOG_SQRT_2PI - np.log(sigma)
        weight = square + 1.0
        np.divide((df + 1.0) / df, weight, out=weight)
        return Working(log_density, residual, weight, _State(square, log))

    def sums(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> list[np.ndarray]:
        """The derivative of the log-density in df, where that is estimated."""
        return [] if self.df is not None else [_in_df(working.state, nuisance[..., 1:])]

    def derivatives(
        self, y: np.ndarray, aux: np.ndarray | None, working: Working, nuisance: np.ndarray
    ) -> Derivatives:
        sigma, df = nuisance[..., :1], self._df(nuisance)
        weight = working.weight
        assert weight is not None, "evaluate gives weights"
        precision = 1.0 / sigma
        e = working.residual * precision
        share = working.state.square / (1.0 + working.state.square)  # e^2 / (v + e^2)
        pull = weight * e
        in_sigma = pull * e
        first = [pull * precision, (in_sigma - 1.0) * precision]
        rest = 1.0 - share
        in_eta = (share - rest) * weight
        in_both = rest * pull * -2.0
        twice = 1.0 - in_sigma + e * in_both
        second = [[in_eta * precision**2], [in_both * precision**2, twice * precision**2]]
        information = (df + 1.0) / (df + 3.0) * precision**2
        expected = [[2.0 * df / (df + 3.0) * precision**2]]
        if self.df is None:
            first.append(_in_df(working.state, df))
            inverse = weight / (df + 1.0)  # 1 / (v + e^2)
            mixed = e * inverse * (share - inverse) * precision
            curvature = (share**2 - share * (2.0 - share) / df) / (2.0 * df)
            curvature += bend_remainder(df) - 0.5 / df**3
            second.append([mixed, mixed * e, curvature])
            expected.append([mixed_information(sigma, df), df_information(df)])
        return Derivatives(first, second, information, expected)

    def update_nuisance(
        self,
        stats: ComponentStats,
        deviance: np.ndarray,
        nuisance: np.ndarray,
        penalty: Penalty,
        shared: frozenset[str],
    ) -> np.ndarray:
        sigma = updated_sigma(deviance, stats, penalty, shared)
        if self.df is not None:
            return sigma
        assert stats.extra is not None, "sums gives the score of df"
        before, df = nuisance[..., :1], nuisance[..., 1:]
        # A larger sigma asks for lighter tails: the score of df where sigma has gone, to first
        # order; over more than a doubling that order is no guide.
        change = np.clip(sigma - before, -0.5 * before, before)
        counts = stats.nobs[..., None]
        score = stats.extra[..., :1] - counts * mixed_information(before, df) * change
        sums = np.concatenate([score, counts * df_information(df)], axis=-1)
        df = scored_update(stats._replace(extra=sums), df, (DF,), Penalty(), shared & {"df"}, None)
        return np.concatenate([sigma, np.minimum(df, LARGEST_DF)], axis=-1)

    def score(self, stats: ComponentStats, nuisance: np.ndarray) -> np.ndarray:
        score = sigma_score(stats.rwr, stats.nobs, nuisance)
        if self.df is not None:
            return score
        assert stats.extra is not None, "sums gives the score of df"
        return np.concatenate([score, stats.extra[..., :1]], axis=-1)

    def standard_variance(self, nuisance: np.ndarray) -> np.ndarray:
        df = self._df(nuisance)
        return np.where(df > 2.0, df / np.where(df > 2.0, df - 2.0, 1.0), np.inf)

    def standard_cdf(self, error: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        return np.asarray(stdtr(self._df(nuisance), error))

    def standard_quantile(self, q: float, nuisance: np.ndarray) -> np.ndarray:
        return np.asarray(stdtrit(self._df(nuisance), q))

    def standard_sample(
        self, shape: tuple[int, ...], nuisance: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        return rng.standard_t(np.broadcast_to(self._df(nuisance), shape))


def _in_df(state: _State, df: np.ndarray) -> np.ndarray:
    """Derivative of the log-density in df."""
    share = state.square / (1.0 + state.square)
    remainder = state.log - share
    if df.real.max() > SERIES_DF:
        # -log(1 - u) - u = u^2 (1 / 2 + u / 3 + ..): the difference would lose what df needs.
        series = np.zeros_like(share)
        for power in range(12, 1, -1):
            series = series * share + 1.0 / power
        remainder = np.where(share.real < SMALL_SHARE, series * share**2, remainder)
    return np.asarray(slope(df) - 0.5 * remainder + share / (2.0 * df))
