"""The static check finds all that can be found without a run, and runs nothing."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.errors import ExitCode, InvalidSubmissionError, UsageError
from harness.submission.validate import read_submission, validate

DECLARATION = """\
team: team_a
title: A title
authors: [Ada Lovelace]
division: {division}
description: What it does.
training_data: training part of the background
is_supervised: false
licence: Apache-2.0
"""
MODEL = "import keras\n\ndef network():\n    return keras.Model()\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a submission without faults."""
    path = tmp_path / "mémoire de thèse" / "team_a"
    path.mkdir(parents=True)
    (path / "submission.yaml").write_text(DECLARATION.format(division="trigger"))
    (path / "model.py").write_text(MODEL)
    return path


def told(folder: Path) -> str:
    return "\n".join(str(problem) for problem in validate(folder))


def test_a_good_submission_has_no_problem(folder):
    assert validate(folder) == []


def test_a_good_submission_is_read(folder):
    submission = read_submission(folder)
    assert submission.spec.team == "team_a"
    assert submission.digest.startswith("sha256:")
    assert [str(path) for path in submission.files] == ["model.py", "submission.yaml"]


def test_a_submission_is_staged_under_its_team(folder, tmp_path):
    copy = read_submission(folder).stage(tmp_path)
    assert copy == tmp_path / "team_a"
    assert (copy / "model.py").read_text() == MODEL


def test_no_such_folder_is_a_fault_of_usage(tmp_path):
    with pytest.raises(UsageError, match="no such folder") as caught:
        read_submission(tmp_path / "nowhere")
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_file_in_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is no folder"):
        read_submission(tmp_path / "file")


def test_everything_wrong_is_told_at_once(folder):
    (folder / "submission.yaml").write_text("team: team_b\n")
    (folder / "model.py").write_text(
        "import nowhere_to_be_found\nload_weights('lost.weights.h5')\n"
    )
    (folder / "train.py").write_text("def (:\n")
    (folder / "cut.npz").write_bytes(b"PK\x03\x04")
    (folder / "link").symlink_to("model.py")
    with pytest.raises(InvalidSubmissionError) as caught:
        read_submission(folder)
    text = str(caught.value)
    for part in (
        "field title: is missing",
        "the team is 'team_b'",
        "defines no network()",
        "model.py, line 1: imports nowhere_to_be_found",
        "model.py, line 2: reads 'lost.weights.h5'",
        "train.py, line 1: syntax error",
        "cut.npz: is no whole .npz file",
        "link: is a symbolic link",
    ):
        assert part in text


@pytest.mark.parametrize(
    "source",
    [
        "def network(): ...\n",
        "from parts import network\n",
        "from parts import *\n",
        "from parts import build as network\n",
        "network = lambda: 1\n",
        "def network(units=3, *, seed=1): ...\n",
        "if True:\n    def network(): ...\n",
        "try:\n    import nowhere_to_be_found\nexcept ImportError:\n    pass\ndef network(): ...\n",
    ],
)
def test_every_way_to_define_the_function_is_accepted(folder, source):
    (folder / "parts.py").write_text("def network(): ...\n")
    (folder / "model.py").write_text(source)
    assert validate(folder) == []


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (b"def network(:\n", "model.py, line 1: syntax error"),
        (b"x = 1\n", "defines no network()"),
        (b"def score(events): ...\n", "set `division: open`"),
        (b"def network(units): ...\n", "cannot be called with 0 arguments"),
        (b"def network(*, units): ...\n", "cannot be called with 0 arguments"),
        (b"async def network(): ...\n", "is asynchronous"),
        (b"x = 1\0\n", "null bytes"),
        (b"x = '\xff'\n", "invalid or missing encoding"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "model.py"),
        (b"x = " + b"-" * 500_000 + b"1", "cannot be read as Python"),
        (b"#" * (1024**2 + 1), "larger than 1 MiB"),
        (b"raise SystemExit\n", "defines no network()"),
    ],
)
def test_faults_of_the_source_are_told(folder, source, part):
    (folder / "model.py").write_bytes(source)
    assert part in told(folder)


def test_a_missing_model_is_told(folder):
    (folder / "model.py").unlink()
    assert "model.py: no such file" in told(folder)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("def score(events): ...\n", ""),
        ("def score(events, batch=3): ...\n", ""),
        ("def score(): ...\n", "cannot be called with 1 arguments"),
        ("def score(a, b): ...\n", "cannot be called with 1 arguments"),
        ("def network(): ...\n", "set `division: trigger`"),
    ],
)
def test_the_open_division_wants_a_score(folder, source, part):
    (folder / "submission.yaml").write_text(DECLARATION.format(division="open"))
    (folder / "model.py").write_text(source)
    assert (part in told(folder)) if part else not validate(folder)


def test_pickles_are_refused_in_the_trigger_division_alone(folder):
    (folder / "weights.pkl").write_bytes(b"\x80\x04.")
    assert "weights.pkl: is a pickle" in told(folder)
    (folder / "submission.yaml").write_text(DECLARATION.format(division="open"))
    (folder / "model.py").write_text("def score(events): ...\n")
    assert validate(folder) == []


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_truncated_hdf5_file_is_found_a_whole_one_passes(folder, libver):
    path = folder / "encoder.weights.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["kernel"] = np.arange(1000.0)
    assert validate(folder) == []
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert f"is truncated: {len(whole) // 2} bytes of {len(whole)}" in told(folder)
    path.write_bytes(whole[:20])
    assert "is truncated" in told(folder)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_hdf5_file_is_told(folder, content):
    (folder / "encoder.weights.h5").write_bytes(content)
    assert "is no HDF5 file" in told(folder)


def test_it_imports_neither_tensorflow_nor_keras_nor_h5py(folder):
    code = (
        "import sys; from pathlib import Path; from harness.submission.validate import validate;"
        f"print(len(validate(Path({str(folder)!r}))));"
        "print([m for m in ('tensorflow', 'keras', 'h5py') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split("\n")[:2] == ["0", "[]"]


def test_nothing_of_a_submission_is_run(folder):
    (folder / "model.py").write_text("open('ran', 'w')\nraise SystemExit\ndef network(): ...\n")
    (folder / "keras.py").write_text("open('ran', 'w')\n")
    assert validate(folder) == []
    assert not Path("ran").exists()
    assert not (folder / "ran").exists()


# --- sources and archives that make work ---------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["rot13", "hex", "zlib", "bz2", "uu", "base64", "punycode", "latin-1", "utf-16"]
)
@pytest.mark.parametrize("line", [1, 2])
def test_only_utf8_is_source(folder, encoding, line):
    """The decoder of another encoding never sees the file: punycode takes 17 s for 240 kB."""
    text = "\n" * (line - 1) + f"# coding: {encoding}\n" + "a" * 240_000
    (folder / "model.py").write_text(text)
    (folder / "part.py").write_text(f"# -*- coding: {encoding} -*-\n")
    before = time.process_time()

    found = told(folder)

    assert time.process_time() - before < 1.0
    assert found.count("expected: UTF-8") == 2
    assert "line 1 or 2" in found


@pytest.mark.parametrize("mark", ["", "# coding: utf-8\n", "# coding: utf8\n", "\ufeff"])
def test_utf8_is_source_however_it_is_said(folder, mark):
    (folder / "model.py").write_text(mark + MODEL + "# Gerät\n", encoding="utf-8")
    assert validate(folder) == []


def test_an_archive_of_a_version_that_is_not_known_is_told(folder):
    np.savez(folder / "weights.npz", a=np.zeros(3))
    content = bytearray((folder / "weights.npz").read_bytes())
    at = content.rfind(b"PK\x01\x02")
    content[at + 6] = 99
    (folder / "weights.npz").write_bytes(content)

    assert "is no whole .npz file: zip file version 9.9" in told(folder)


def test_an_archive_with_a_long_list_of_files_is_not_read(folder):
    with zipfile.ZipFile(folder / "weights.npz", "w") as archive:
        for number in range(200):
            archive.writestr(f"{number:0200}.npy", b"")
    assert validate(folder) == []
    content = bytearray((folder / "weights.npz").read_bytes())
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = (64 * 2**20).to_bytes(4, "little")
    (folder / "weights.npz").write_bytes(content)

    assert "its list of files has 67,108,864 bytes" in told(folder)


# --- A network in an ONNX file --------------------------------------------------------------------


@pytest.fixture
def onnx_folder(folder) -> Path:
    """Return a submission whose network is an ONNX file; its first bytes alone are right."""
    (folder / "model.py").unlink()
    declaration = DECLARATION.format(division="trigger") + "model: model.onnx\n"
    (folder / "submission.yaml").write_text(declaration)
    (folder / "model.onnx").write_bytes(b"\x08\x0aall else is read in a sandbox")
    return folder


def test_an_onnx_file_takes_the_place_of_model_py_and_is_not_parsed(onnx_folder):
    assert validate(onnx_folder) == []
    assert read_submission(onnx_folder).source == "model.onnx"


def test_model_py_beside_an_onnx_file_is_not_asked_for_a_network(onnx_folder):
    (onnx_folder / "model.py").write_text("import torch\n\nclass Net:\n    pass\n")
    assert validate(onnx_folder) == []


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1", b"PK\x03\x04", b"<html>"]
)
def test_what_does_not_begin_as_onnx_does_is_told(onnx_folder, content):
    (onnx_folder / "model.onnx").write_bytes(content)
    assert "Git LFS" in told(onnx_folder)


def test_a_missing_onnx_file_is_told_with_the_way_to_make_it(onnx_folder):
    (onnx_folder / "model.onnx").unlink()
    assert "torch.onnx.export(..., external_data=False)" in told(onnx_folder)


@pytest.mark.parametrize("name", ["../model.onnx", "model.pt", "/model.onnx", "a/b.onnx"])
def test_the_onnx_file_lies_in_the_folder_itself(onnx_folder, name):
    path = onnx_folder / "submission.yaml"
    path.write_text(path.read_text().replace("model.onnx", name))
    assert "field model" in told(onnx_folder)


def test_the_open_division_is_sent_to_onnxruntime(onnx_folder):
    path = onnx_folder / "submission.yaml"
    path.write_text(path.read_text().replace("trigger", "open"))
    assert "onnxruntime" in told(onnx_folder)
