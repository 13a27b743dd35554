"""Clusters of a robust covariance: from what the user gives to the units of the likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.formula.rows import by_label
from smmix.mixture.observed import Observed
from smmix.support.checks import shown
from smmix.support.frames import codes_of

__all__ = ["unit_clusters"]


def unit_clusters(observed: Observed, groups: Any) -> tuple[np.ndarray, int]:
    """Cluster of each unit, numbered from 0, and how many clusters there are."""
    if not observed.in_memory:
        raise SmmixError(
            "cov_type='cluster' needs the rows in memory; make the clusters the groups= of the "
            "model, or use 'HC0'."
        )
    labels = _cluster_labels(observed, groups)
    missing = pd.isna(labels)
    if missing.any():
        raise SmmixError(
            f"The clusters are missing in row {int(np.argmax(missing))} of the rows used; "
            "give every row a cluster."
        )
    codes, values = codes_of(labels, "The clusters")
    if len(values) < 2:
        raise SmmixError("cov_type='cluster' needs at least two clusters.")
    group = observed.units.codes
    if group is None:
        return codes, len(values)
    first = np.unique(group, return_index=True)[1]
    if (codes[first][group] != codes).any():
        row = int(np.argmax(codes[first][group] != codes))
        raise SmmixError(
            f"The rows of {observed.units.name(row)} are in different clusters; "
            "a cluster must hold whole groups."
        )
    return codes[first], len(values)


def _cluster_labels(observed: Observed, groups: Any) -> np.ndarray:
    """Labels of the rows used, from a column name or an array.

    A Series is matched by its labels; an array has an entry for each row used, or for each row
    of the data as given.
    """
    if isinstance(groups, str):
        column = observed.column(groups)
        if column is None:
            raise SmmixError(
                f"cov_kwds['groups']={shown(groups)} is not a column of the data; give the name of "
                "a "
                "column or an array of labels."
            )
        return np.asarray(column, dtype=object)
    design, (index, first, which) = observed.rows(), observed.rows_of_data()
    positions, n_rows = design.positions[first], len(index)
    n_given = n_rows + design.n_dropped
    if isinstance(groups, pd.Series):
        whole = len(groups) == n_given and positions.max() < n_given
        if not (whole and groups.index[positions].equals(index)):
            groups = by_label(groups, index, "cov_kwds['groups']")
    labels = np.asarray(groups, dtype=object)
    if labels.ndim == 1 and len(labels) == n_given and positions.max() < n_given:
        return labels[positions][which]
    if labels.ndim != 1 or len(labels) != n_rows:
        raise SmmixError(
            f"cov_kwds['groups'] has the shape {labels.shape}; it needs one label for each of the "
            f"{n_rows} rows used."
        )
    return labels[which]
