"""Write ``growth.csv``: 80 persons of two kinds at 3 to 7 ages each, made up for these tests.

Run ``python tests/reference/growth/simulate.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def main() -> None:
    rng = np.random.default_rng(16)
    waves = rng.integers(3, 8, 80)
    person = np.repeat(np.arange(80), waves)
    age = np.concatenate([np.sort(rng.uniform(8.0, 16.0, n)) for n in waves]).round(2)
    late = (np.arange(80) < 30)[person]
    effects = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.06], [0.06, 0.02]], 80)[person]
    mean = np.where(late, 2.0 + 0.7 * age, 10.0 - 0.1 * age)
    y = mean + effects[:, 0] + effects[:, 1] * (age - 12.0) + 0.7 * rng.standard_normal(age.size)
    table = pd.DataFrame({"id": person, "age": age, "y": y.round(4)})
    table.to_csv(Path(__file__).parent / "growth.csv", index=False)


if __name__ == "__main__":
    main()
