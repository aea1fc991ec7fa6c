"""Scores are read from five formats, whatever the file is called, and bad files are refused."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from harness.errors import InvalidSubmissionError, UsageError
from harness.sandbox import Workspace
from harness.scoring.score_files import read_score_file
from tests.firmware_bench import direct_step

N = 50
SCORES = np.random.default_rng(2).normal(size=N)
IDS = np.random.default_rng(3).permutation(N)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(run_step=direct_step, folder=tmp_path / "steps")


def csv(path, *, header=True):
    frame = pd.DataFrame({"id": IDS, "score": SCORES})
    frame.to_csv(path, index=False, header=header)


def write(save, path, *arrays, **named):
    """Save under exactly this name."""
    with path.open("wb") as stream:
        save(stream, *arrays, **named)


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["scores"], file["ids"] = SCORES, IDS
        file["other"] = np.zeros(3)


WRITERS = {
    "npz": lambda path: write(np.savez, path, scores=SCORES, ids=IDS),
    "HDF5": hdf5,
    "Parquet": lambda path: pd.DataFrame({"id": IDS, "score": SCORES}).to_parquet(path),
    "CSV": csv,
    "CSV without names": lambda path: csv(path, header=False),
}


@pytest.mark.parametrize("form", WRITERS)
def test_scores_and_ids_are_read(form, tmp_path, workspace):
    path = tmp_path / "scores.dat"
    WRITERS[form](path)

    found = read_score_file(path, N, workspace)

    assert np.array_equal(found.scores, SCORES)
    assert np.array_equal(found.ids, IDS)


def test_one_array_of_any_name_is_the_scores(tmp_path, workspace):
    np.save(tmp_path / "a.npy", SCORES.astype(np.float32))
    np.savez(tmp_path / "b.npz", loss=SCORES)

    narrow = read_score_file(tmp_path / "a.npy", N, workspace)
    named = read_score_file(tmp_path / "b.npz", N, workspace)

    assert np.array_equal(narrow.scores, SCORES.astype(np.float32))
    assert narrow.ids is None
    assert np.array_equal(named.scores, SCORES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda path: write(np.save, path, SCORES[:-1]), "49 scores"),
        (lambda path: write(np.save, path, SCORES.reshape(5, 10)), "shape"),
        (lambda path: write(np.save, path, np.array([{}])), "cannot be read"),
        (lambda path: write(np.savez, path, a=SCORES, b=SCORES), "it holds a, b"),
        (lambda path: path.write_bytes(b"\x93NUMPY" + b"\0" * 40), "cannot be read"),
        (lambda path: path.write_bytes(b"PK\x03\x04 no archive"), "cannot be read"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\nno file"), "cannot be read"),
        (lambda path: path.write_bytes(b"PAR1 no table"), "cannot be read"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00text"), "cannot be read"),
        (lambda path: path.write_text("score\n" + "high\n" * N), "type"),
        (lambda path: path.write_bytes(b""), "0 bytes"),
    ],
)
def test_a_file_without_scores_is_refused(content, said, tmp_path, workspace):
    path = tmp_path / "scores.npz"
    content(path)

    with pytest.raises(InvalidSubmissionError, match=said) as caught:
        read_score_file(path, N, workspace)
    assert str(path) in str(caught.value)


def test_no_file_is_a_wrong_call(tmp_path, workspace):
    with pytest.raises(UsageError, match="No such file"):
        read_score_file(tmp_path / "none.npz", N, workspace)
