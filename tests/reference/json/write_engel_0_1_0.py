"""Writes a fit as smmix 0.1.0 wrote it; run with that version, never again with a later one.

>>> python write_engel_0_1_0.py engel_0_1_0.json
"""

import sys

import statsmodels.api as sm

import smmix

if not smmix.__version__.startswith("0.1.0"):
    sys.exit(f"This is smmix {smmix.__version__}; the file is to be written by 0.1.0.")
data = sm.datasets.engel.load_pandas().data
results = smmix.from_formula("foodexp ~ income", data, k=2, concomitant="income").fit()
results.to_json(sys.argv[1])
