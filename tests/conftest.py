"""Settings of the whole test suite: no screen, and the same random examples on every run."""

import contextlib
import os

os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np
import pytest
from helpers_parquet import make_rows
from hypothesis import settings

settings.register_profile("smmix", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("smmix")

with contextlib.suppress(ImportError):
    from hypothesis.internal.conjecture import providers

    # Else the examples change with the numbers in whatever modules are loaded by then.
    providers._get_local_constants = lambda: providers.Constants()


@pytest.fixture(scope="session")
def rows():
    """The rows that the tests of Parquet files and Dask frames share; copy before a change."""
    return make_rows(np.random.default_rng(3))


@pytest.fixture(scope="session")
def path(rows, tmp_path_factory):
    """A Parquet file of those rows."""
    pytest.importorskip("pyarrow")
    place = tmp_path_factory.mktemp("rows") / "rows.parquet"
    rows.to_parquet(place, row_group_size=70)
    return place
