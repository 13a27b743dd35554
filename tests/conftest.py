"""Settings of the whole test suite: no screen, and the same random examples on every run."""

import os

os.environ.setdefault("MPLBACKEND", "agg")

from hypothesis import settings

settings.register_profile("smmix", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("smmix")
