"""Relations of DuckDB as data: the same fits as of the frame that they hold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import smmix
from smmix import SmmixError

duckdb = pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 6000
    group = np.repeat(np.arange(n // 4), 4)
    data = pd.DataFrame({"x": rng.normal(size=n), "id": group, "c": rng.choice(["a", "b"], n)})
    first = (rng.random(n // 4) < 0.4)[group]
    data["y"] = np.where(first, 1 + data["x"], -2 - data["x"]) + rng.normal(size=n)
    data.loc[17, "x"] = np.nan
    return data


@pytest.fixture
def relation(frame):
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute("create table t as select * from frame")
        yield connection.sql('select y, x as "the x", c, id from t')


@pytest.mark.parametrize("options", [{}, {"groups": "id"}])
def test_fit_is_that_of_the_frame(frame, relation, options):
    ours = smmix.from_formula("y ~ Q('the x') + c", relation, k=2, **options).fit()
    data = frame.rename(columns={"x": "the x"})
    theirs = smmix.from_formula("y ~ Q('the x') + c", data, k=2, **options).fit()
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-6)
    made = pd.concat(list(ours.predict(relation)))["mean"]
    np.testing.assert_allclose(made, theirs.predict(data), rtol=1e-8)


def test_slabs_have_the_rows_asked_for(frame, relation):
    from smmix.sources.duckdb import RelationScan

    scan = RelationScan.of(relation)
    assert scan.n_rows == len(frame)
    slabs = list(scan.slabs(["the x"], 700))
    assert [len(slab.table) for slab in slabs] == [700] * 8 + [400]
    got = np.concatenate([slab.table.column("the x").to_numpy() for slab in slabs])
    np.testing.assert_array_equal(np.nan_to_num(got), frame["x"].fillna(0.0))
    assert [slab.first for slab in slabs] == [700 * i for i in range(9)]
    # A group is never cut.
    ids = [slab.table.column("id").to_numpy() for slab in scan.slabs(["id"], 701, "id")]
    assert all(a[-1] != b[0] for a, b in pairwise(ids))


def test_relations_that_make_no_sense_are_refused(relation, tmp_path):
    with pytest.raises(SmmixError, match="has no rows"):
        smmix.from_formula("y ~ c", relation.filter("y > 1000"))
    with pytest.raises(SmmixError, match="several columns named 'y'; give them aliases"):
        smmix.from_formula("y ~ c", relation.project("y, c, y"))
    with pytest.raises(SmmixError, match=r"DuckDB cannot make the rows of the relation: .*'[ab]'"):
        smmix.from_formula("y ~ z", relation.project("y, cast(c as double) as z"))
    results = smmix.from_formula("y ~ c", relation, k=1).fit()
    with pytest.raises(SmmixError, match="save the results with to_json"):
        results.save(tmp_path / "fit.pickle")
