"""Predictions for tables that are not in memory: made slab by slab, when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from smmix.core.params import MixtureParams
from smmix.errors import SmmixError
from smmix.formula.design import Design
from smmix.formula.incremental import SlabDesigner
from smmix.large.build import is_dask
from smmix.large.tables import ParquetTable, frame_of
from smmix.mixture.kind import as_read
from smmix.mixture.observed import Observed
from smmix.mixture.prediction import WHICH, predict_rows
from smmix.mixture.rows import Rows, new_rows
from smmix.mixture.specification import Specification
from smmix.mixture.units import Units, log_indicators
from smmix.sources.duckdb import RelationScan, is_relation
from smmix.sources.parquet import ParquetScan
from smmix.sources.streamed import in_order
from smmix.support.checks import check_choice

__all__ = ["LazyPrediction", "SlabPredictor", "predict_large"]


@dataclass(frozen=True)
class SlabPredictor:
    """Predicts for a frame; small enough to be sent elsewhere.

    Attributes
    ----------
    specification : Specification
    params : MixtureParams
    which : str
    q : float or sequence of float
    designer : SlabDesigner or None
        Makes the rows of the fit; None for new data.
    token : str
        Tells predictors apart where Dask looks for equal tasks.
    """

    specification: Specification
    params: MixtureParams
    which: str
    q: Any
    designer: SlabDesigner | None
    token: str = field(default_factory=lambda: uuid4().hex)

    def __dask_tokenize__(self) -> str:
        return self.token

    @classmethod
    def of(
        cls,
        specification: Specification,
        params: MixtureParams,
        which: str,
        q: Any,
        designer: SlabDesigner | None = None,
    ) -> SlabPredictor:
        """The predictor of a model of formulas, refused for models of arrays."""
        check_choice("which", which, WHICH)
        if specification.formulas is None:
            raise SmmixError(
                "A model of arrays predicts for arrays; build it with from_formula to predict for "
                "tables that are not in memory."
            )
        return cls(specification, params, which, q, designer)

    @property
    def columns(self) -> list[str]:
        """Columns that may be of use, those of the response last."""
        if self.designer is not None:
            return self.designer.rules.needed
        formulas = self.specification.formulas
        assert formulas is not None, "models of arrays have no predictor"
        used = [*formulas.columns, *self.specification.column_names.values()]
        return list(dict.fromkeys(used))

    @property
    def names(self) -> list[str]:
        """Columns of the predictions."""
        if self.which in ("components", "prob", "posterior"):
            return [f"{self.which}_{c}" for c in range(self.specification.k)]
        if self.which == "quantile" and np.ndim(self.q):
            return [f"quantile_{float(q)}" for q in self.q]
        return ["component" if self.which == "label" else self.which]

    def __call__(self, frame: pd.DataFrame, where: str) -> pd.DataFrame:
        """Predictions, a column for each value of a row; missing where a row is not used."""
        rows = self._rows(frame, where)
        made = predict_rows(self.specification, self.params, rows, self.which, self.q)
        if isinstance(made, pd.Series):
            made = made.astype("Int64" if self.which == "label" else float).to_frame()
        made.columns = self.names
        return made if len(made) == len(frame) else made.reindex(frame.index)

    def _rows(self, frame: pd.DataFrame, where: str) -> Rows:
        if self.designer is None:
            return new_rows(self.specification, frame)
        design = self.designer(frame, where) or self.designer.template
        return own_slab(as_read(design, self.specification.family), self.specification.k)


def own_slab(design: Design, k: int) -> Rows:
    """Rows of a slab of the data of the fit."""
    units = Units.of(design.groups)
    z = design.concomitant
    if z is not None and units.first is not None:
        z = units.to_rows(z[units.first])
    known = design.known
    return Rows(
        design.exog,
        z,
        design.offset,
        design.endog,
        units.codes,
        design.index,
        design.freq_weights,
        None if known is None else log_indicators(known, k, design.index),
        design.aux,
    )


@dataclass(frozen=True)
class LazyPrediction:
    """Predictions for Parquet files, in the order of their rows; nothing is read until asked for.

    Iterate over it for frames of some thousand rows each, whose index counts the rows of all
    files, or write them with `to_parquet`. Rows in which something is missing are missing.

    Attributes
    ----------
    predictor : SlabPredictor
    data : ParquetScan
    """

    predictor: SlabPredictor
    data: ParquetScan

    def __iter__(self) -> Iterator[pd.DataFrame]:
        wanted = self.predictor.columns
        columns = [name for name in wanted if name in self.data.columns]
        group = self.predictor.specification.column_names.get("groups")
        group = group if group in self.data.columns else None
        table = ParquetTable.of(self.data)

        def work(_: int, raw: Any) -> pd.DataFrame:
            return self.predictor(*frame_of(raw))

        first = 0
        slabs = in_order(
            lambda: self.data.slabs(columns, table.rows, group), work, os.cpu_count() or 1
        )
        for made in slabs:
            made.index = pd.RangeIndex(first, first + len(made))
            first += len(made)
            yield made

    def to_parquet(self, path: str | Path) -> None:
        """Write the predictions to one Parquet file, row for row with the data.

        Parameters
        ----------
        path : str or Path

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import pandas as pd
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> data = sm.datasets.engel.load_pandas().data
        >>> data.to_parquet(folder / "data.parquet")
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> lazy = results.predict(smmix.scan_parquet(folder / "data.parquet"))
        >>> lazy.to_parquet(folder / "mean.parquet")
        >>> list(pd.read_parquet(folder / "mean.parquet"))
        ['mean']
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        writer = None
        try:
            for made in self:
                table = pa.Table.from_pandas(made, preserve_index=False)
                if writer is None:
                    writer = pq.ParquetWriter(path, table.schema)
                writer.write_table(table.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()


def predict_large(
    specification: Specification,
    observed: Observed,
    params: MixtureParams,
    data: Any,
    which: str,
    q: Any,
) -> Any:
    """Predictions for a table that is not in memory, as lazy as the table.

    Parameters
    ----------
    specification : Specification
    observed : Observed
    params : MixtureParams
    data : ParquetScan or Dask frame
        By default the data of the fit: rows that it left out are missing.
    which : str
    q : float or sequence of float

    Returns
    -------
    LazyPrediction, or a Dask frame for a Dask frame
    """
    designer = None
    if data is None:
        assert observed.slabs is not None, "rows in memory are predicted for at once"
        designer, data = observed.slabs.learnt.designer, observed.slabs.data
    data = RelationScan.of(data) if is_relation(data) else data
    predictor = SlabPredictor.of(specification, params, which, q, designer)
    if is_dask(data):
        return predict_dask(predictor, data)
    return LazyPrediction(predictor, data)


def predict_dask(predictor: SlabPredictor, data: Any) -> Any:
    """Predictions as a Dask frame with the partitions and the index of ``data``."""
    columns = [name for name in predictor.columns if name in data.columns]
    kind = "Int64" if predictor.which == "label" else "float64"
    meta = pd.DataFrame({name: pd.Series(dtype=kind) for name in predictor.names})
    meta.index = data._meta.index
    return data[columns].map_partitions(_predicted, predictor, meta=meta)


def _predicted(frame: pd.DataFrame, predictor: SlabPredictor) -> pd.DataFrame:
    made = predictor(frame.reset_index(drop=True), "the data")
    made.index = frame.index
    return made
