"""Checkpoints: a killed fit that goes on arrives at the identical result."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import smmix
from smmix.sources.streamed import StreamedSource

pytest.importorskip("pyarrow")

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("params", "bse", "normalized_cov_params")


def make_rows(n=6000):
    rng = np.random.default_rng(12)
    x = rng.normal(size=n)
    second = rng.random(n) < 0.4
    y = np.where(second, 1.0 + 2.0 * x, -x) + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z": rng.normal(size=n), "w": rng.integers(1, 3, n)})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "rows.parquet"
    make_rows().to_parquet(place, row_group_size=1000)
    return smmix.scan_parquet(place, rows_per_slab=700, memory=1)


def identical(left, right):
    for name in PARTS:
        assert np.array_equal(np.asarray(getattr(left, name)), np.asarray(getattr(right, name)))
    assert (left.llf, left.n_passes, left.n_iter) == (right.llf, right.n_passes, right.n_iter)
    pd.testing.assert_frame_equal(left.starts, right.starts, check_exact=True)
    pd.testing.assert_frame_equal(left.history, right.history, check_exact=True)


def fit(data, checkpoint=None, **options):
    model = smmix.from_formula("y ~ x", data, concomitant="z", freq_weights="w")
    return model.fit(checkpoint=checkpoint, **options)


@pytest.mark.parametrize("lost", [0.0, 0.3, 0.9, 1.0])
def test_a_record_cut_anywhere_leads_to_the_identical_result(data, tmp_path, lost):
    plain = fit(data)
    place = tmp_path / "fit.ckpt"
    identical(fit(data, place), plain)
    whole = place.read_bytes()
    header = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    place.write_bytes(whole[: int(len(whole) - lost * (len(whole) - header))])
    identical(fit(data, place), plain)
    assert place.read_bytes() == whole


def test_what_is_recorded_is_not_computed_again(data, tmp_path, monkeypatch):
    passes, searching = [], ("smmix.search.em", "smmix.search.modes")
    plain = StreamedSource.reduce

    def counted(self, step, width=1):
        passes.append(step)
        return plain(self, step, width)

    monkeypatch.setattr(StreamedSource, "reduce", counted)
    fit(data)
    without, passes[:] = len(passes), []
    fit(data, tmp_path / "fit.ckpt")
    assert len(passes) == without
    assert any(step.__module__ in searching for step in passes)
    passes.clear()
    fit(data, tmp_path / "fit.ckpt")
    assert len(passes) < without
    assert not any(step.__module__ in searching for step in passes)


def test_a_fit_in_memory_has_checkpoints_too(tmp_path):
    frame = make_rows(3000)
    plain = fit(frame)
    first = fit(frame, tmp_path / "fit.ckpt")
    second = fit(frame, str(tmp_path / "fit.ckpt"))
    assert np.array_equal(first.params, plain.params)
    identical(second, first)


@pytest.mark.slow
def test_from_given_parameters(data, tmp_path):
    start = np.asarray(fit(data).params) * 1.01
    plain = fit(data, start_params=start)
    for _ in range(2):
        identical(fit(data, tmp_path / "fit.ckpt", start_params=start), plain)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_process_resumes(data, tmp_path):
    script = textwrap.dedent(
        f"""
        import os, signal, smmix
        data = smmix.scan_parquet({data.paths[0]!r}, rows_per_slab=700, memory=1)
        model = smmix.from_formula("y ~ x", data, concomitant="z", freq_weights="w")
        def kill(stage, done, total, best):
            if stage == "convergence" and done >= 2:
                os.kill(os.getpid(), signal.SIGKILL)
        model.fit(checkpoint={str(tmp_path / "fit.ckpt")!r}, callback=kill)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=os.environ.copy())
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "fit.ckpt").stat().st_size > 1000
    identical(fit(data, tmp_path / "fit.ckpt"), fit(data))


@pytest.mark.parametrize(
    "other",
    [
        lambda data, place: fit(data, place, rng=1),
        lambda data, place: fit(data, place, n_starts=9),
        lambda data, place: smmix.from_formula("y ~ x", data).fit(checkpoint=place),
        lambda data, place: fit(make_rows(5999), place),
        lambda data, place: fit(make_rows().assign(y=lambda rows: rows["y"] * 1.0000001), place),
        lambda data, place: fit(data, place, method="em"),
        lambda data, place: smmix.from_formula("y ~ x", data, k=3).fit(checkpoint=place),
    ],
)
def test_another_fit_is_refused(data, tmp_path, other):
    place = tmp_path / "fit.ckpt"
    fit(data, place)
    before = place.read_bytes()
    with pytest.raises(smmix.SmmixError, match="belongs to another fit"):
        other(data, place)
    assert place.read_bytes() == before


def test_a_checkpoint_of_another_version_is_refused(data, tmp_path, monkeypatch):
    # Another version may ask other questions, to which the answers would not belong.
    fit(data, tmp_path / "fit.ckpt")
    monkeypatch.setattr(smmix, "__version__", "0.0.1")
    with pytest.raises(smmix.SmmixError, match=r"another fit.*version of smmix"):
        fit(data, tmp_path / "fit.ckpt")


def test_files_that_are_no_checkpoints_are_refused(data, tmp_path):
    place = tmp_path / "letter.txt"
    place.write_text("Dear reader,\n" * 100)
    with pytest.raises(smmix.SmmixError, match="something else"):
        fit(data, place)
    with pytest.raises(smmix.SmmixError, match="cannot be opened"):
        fit(data, tmp_path / "no" / "folder")
    with pytest.raises(smmix.SmmixError, match="checkpoint must name a file"):
        fit(data, 3)
