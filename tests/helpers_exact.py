"""Least squares in rational arithmetic: the answer that no rounding has touched."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

NIST = Path(__file__).parent / "reference" / "nist"
CERTIFIED = json.loads((NIST / "certified.json").read_text())

Number = Fraction | Decimal


class ExactFit(NamedTuple):
    """Coefficients, diagonal of (X'WX)^-1 and weighted residual sum of squares."""

    coef: list[Fraction]
    inverse_diagonal: list[Fraction]
    rss: Fraction
    nobs: int

    @property
    def variance(self) -> Fraction:
        return self.rss / (self.nobs - len(self.coef))

    @property
    def bse(self) -> list[Decimal]:
        return [root(v * self.variance) for v in self.inverse_diagonal]


def exact_least_squares(x, y, weights=None) -> ExactFit:
    """Solve the normal equations of numbers taken as they are, doubles or decimal strings."""
    x = [[_exact(value) for value in row] for row in x]
    y = [_exact(value) for value in y]
    w = [Fraction(1)] * len(y) if weights is None else [_exact(value) for value in weights]
    p = len(x[0])
    gram = [[sum(v * r[i] * r[j] for v, r in zip(w, x, strict=True)) for j in range(p)]
            for i in range(p)]  # fmt: skip
    target = [sum(v * r[i] * t for v, r, t in zip(w, x, y, strict=True)) for i in range(p)]
    unit = [[Fraction(int(i == j)) for j in range(p)] for i in range(p)]
    solved = _gauss([[*gram[i], target[i], *unit[i]] for i in range(p)])
    coef = [row[0] for row in solved]
    rss = sum(
        v * (t - sum(a * b for a, b in zip(r, coef, strict=True))) ** 2
        for v, r, t in zip(w, x, y, strict=True)
    )
    return ExactFit(coef, [solved[i][1 + i] for i in range(p)], Fraction(rss), len(y))


def _gauss(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    p = len(rows)
    for i in range(p):
        pivot = next(r for r in range(i, p) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(p):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[p:] for row in rows]


def _exact(value) -> Fraction:
    if isinstance(value, Fraction):
        return value
    return Fraction(Decimal(value)) if isinstance(value, str) else Fraction(float(value))


def root(value: Fraction) -> Decimal:
    with localcontext(prec=50):
        return (Decimal(value.numerator) / Decimal(value.denominator)).sqrt()


def digits(value, exact: Number) -> float:
    """Number of decimal digits in which a value (a double or a printed number) is right."""
    with localcontext(prec=50):
        if isinstance(exact, Fraction):
            exact = Decimal(exact.numerator) / Decimal(exact.denominator)
        error = abs(Decimal(value if isinstance(value, str) else float(value)) - exact)
        if not error:
            return 99.0
        return -float((error / abs(exact)).log10()) if exact else -np.inf


def nist_strings(name: str) -> tuple[list[list[str]], list[str]]:
    """Columns other than y, and y, as printed by NIST."""
    rows = [line.split(",") for line in (NIST / f"{name}.csv").read_text().split()[1:]]
    return [row[1:] for row in rows], [row[0] for row in rows]


def nist_design(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Design and response in doubles, powers of x rounded as any program would round them."""
    x, y = nist_strings(name)
    case, columns = CERTIFIED[name], np.array(x, dtype=float)
    if case["degree"]:
        columns = np.column_stack([columns[:, 0] ** j for j in range(case["degree"] + 1)])
    elif case["intercept"]:
        columns = np.column_stack([np.ones(len(y)), columns])
    return columns, np.array(y, dtype=float)


def nist_exact(name: str) -> tuple[list[list[Fraction]], list[Fraction]]:
    """Design and response without any rounding."""
    x, y = nist_strings(name)
    case = CERTIFIED[name]
    rows = [[_exact(value) for value in row] for row in x]
    if case["degree"]:
        rows = [[row[0] ** j for j in range(case["degree"] + 1)] for row in rows]
    elif case["intercept"]:
        rows = [[Fraction(1), *row] for row in rows]
    return rows, [_exact(value) for value in y]
