"""Write ``outcomes.csv``: 90 persons of two kinds, three outcomes at 4 ages, made up for tests.

Run ``python tests/reference/outcomes/simulate.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def main() -> None:
    rng = np.random.default_rng(2018)
    person, age = np.repeat(np.arange(90), 4), np.tile(np.arange(4), 90)
    late = (np.arange(90) < 35)[person]
    bp = np.where(late, 128.0 - 2.0 * age, 121.0 + 2.5 * age) + 7.0 * rng.standard_normal(age.size)
    visits = rng.poisson(np.exp(np.where(late, 0.9 + 0.15 * age, 0.1 + 0.2 * age)))
    smokes = rng.random(age.size) < 1.0 / (1.0 + np.exp(np.where(late, -0.5, 0.9)))
    table = pd.DataFrame({"id": person, "age": age, "bp": bp.round(3), "visits": visits})
    table.assign(smokes=smokes.astype(int)).to_csv(
        Path(__file__).parent / "outcomes.csv", index=False
    )


if __name__ == "__main__":
    main()
