"""Links: the mean as a function of the linear predictor, with its first two derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

__all__ = ["LINKS", "Link"]

Function = Callable[[np.ndarray], np.ndarray]

#: Linear predictors of links whose mean is an exponential are kept within these bounds, so that
#: no mean overflows.
LARGEST_LOG = 690.0


@dataclass(frozen=True)
class Link:
    """A link g: eta = g(mean).

    Attributes
    ----------
    name : str
    mean : callable
        Inverse of the link, of eta.
    slope, bend : callable
        First and second derivative of the mean in eta.
    inverse : callable
        Eta of a mean: the link itself.
    ratio : str
        What exp(coefficient) is a ratio of; empty where it is none.
    """

    name: str
    mean: Function = field(compare=False)
    slope: Function = field(compare=False)
    bend: Function = field(compare=False)
    inverse: Function = field(compare=False)
    ratio: str = field(default="", compare=False)

    def __reduce__(self) -> tuple[Callable[[str], Link], tuple[str]]:
        return _by_name, (self.name,)


def _by_name(name: str) -> Link:
    return LINKS[name]


def _exp(eta: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(eta, -LARGEST_LOG, LARGEST_LOG)) if np.isrealobj(eta) else np.exp(eta)


def _expit(eta: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * eta))


def _density(eta: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * eta * eta) / np.sqrt(2.0 * np.pi)


def _cloglog(eta: np.ndarray) -> np.ndarray:
    return -np.expm1(-_exp(eta))


def _cloglog_slope(eta: np.ndarray) -> np.ndarray:
    return np.exp(eta - _exp(eta))


LINKS = {
    link.name: link
    for link in (
        Link("identity", lambda e: e, np.ones_like, np.zeros_like, lambda m: m),
        Link("log", _exp, _exp, _exp, np.log, "mean"),
        Link("sqrt", lambda e: e * e, lambda e: 2.0 * e, lambda e: 2.0 + 0.0 * e, np.sqrt),
        Link(
            "logit",
            _expit,
            lambda e: _expit(e) * _expit(-e),
            lambda e: _expit(e) * _expit(-e) * (_expit(-e) - _expit(e)),
            lambda m: np.log(m) - np.log1p(-m),
            "odds",
        ),
        Link("probit", ndtr, _density, lambda e: -e * _density(e), ndtri),
        Link(
            "cloglog",
            _cloglog,
            _cloglog_slope,
            lambda e: _cloglog_slope(e) * -np.expm1(e),
            lambda m: np.log(-np.log1p(-m)),
            "hazard",
        ),
        Link(
            "inverse_power",
            lambda e: 1.0 / e,
            lambda e: -(e**-2.0),
            lambda e: 2.0 * e**-3.0,
            lambda m: 1.0 / m,
        ),
        Link(
            "inverse_squared",
            lambda e: 1.0 / np.sqrt(e),
            lambda e: -0.5 * e**-1.5,
            lambda e: 0.75 * e**-2.5,
            lambda m: m**-2.0,
        ),
    )
}
