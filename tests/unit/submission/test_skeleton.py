"""A fresh skeleton lacks nothing but its weights, and scores once its `train.py` has run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness.challenge import EventLayout
from harness.cli import cli
from harness.data.manifest import load_manifest
from harness.errors import EnvironmentFaultError, UsageError
from harness.submission.contract import check_network
from harness.submission.export import export_submission
from harness.submission.inference import score_network
from harness.submission.network import load_keras
from harness.submission.open_scores import score_open
from harness.submission.skeleton import declaration_text, new_declared_submission, new_submission
from harness.submission.validate import read_spec, validate

SAMPLE = load_manifest().challenge("sample")
FILES = ["README.md", "model.py", "submission.yaml", "train.py"]


@pytest.mark.parametrize("is_open", [False, True])
def test_a_skeleton_lacks_its_weights_alone(tmp_path, is_open):
    folder = new_submission("team_a", tmp_path / "mémoire de thèse", SAMPLE, open_division=is_open)
    assert folder == tmp_path / "mémoire de thèse" / "team_a"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert "TEAM_NAME" not in "".join(path.read_text("utf-8") for path in folder.iterdir())
    problems = validate(folder)
    assert len(problems) == (1 if is_open else 2)
    assert all("run train.py" in str(problem) for problem in problems)


@pytest.mark.parametrize("team", ["", "Team", "a b", "../a", ".a", "a/b", "a" * 65, "é", "a\n"])
def test_a_name_that_is_no_folder_for_everybody_is_refused(tmp_path, team):
    with pytest.raises(UsageError, match="is no name for a team"):
        new_submission(team, tmp_path / "submissions", SAMPLE)
    assert not (tmp_path / "submissions").exists()


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "team_a").mkdir()
    (tmp_path / "team_a" / "model.py").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        new_submission("team_a", tmp_path, SAMPLE)
    (tmp_path / "team_b").symlink_to("nowhere")
    with pytest.raises(UsageError, match="is there already"):
        new_submission("team_b", tmp_path, SAMPLE)
    assert (tmp_path / "team_a" / "model.py").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFaultError, match="cannot be written"):
        new_submission("team_a", tmp_path / "file", SAMPLE)


def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(EnvironmentFaultError, match="No space"):
        new_submission("team_a", tmp_path, SAMPLE)
    assert list(tmp_path.iterdir()) == []


def train(folder: Path) -> None:
    """Run `train.py` as its README says."""
    subprocess.run(
        [sys.executable, "train.py"],
        cwd=folder,
        check=True,
        timeout=280,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert validate(folder) == []


@pytest.mark.slow
def test_a_trigger_skeleton_scores_after_training(tmp_path, events, monkeypatch):
    folder = new_submission("team_a", tmp_path, SAMPLE)
    train(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "events.npy", events)
    paths = {name: tmp_path / name for name in ("graph", "weights", "scores")}
    export_submission({"event_shape": [19, 3]}, {"submission": folder}, paths)
    report = score_network({}, {**paths, "events": tmp_path / "events.npy"}, paths)
    assert report["n_events"] == len(events)


@pytest.mark.slow
def test_an_open_skeleton_scores_after_training(tmp_path, events, monkeypatch):
    folder = new_submission("team_a", tmp_path, SAMPLE, open_division=True)
    train(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "events.npy", events)
    inputs = {"submission": folder, "events": tmp_path / "events.npy"}
    assert score_open({}, inputs, {"scores": tmp_path / "scores"})["n_events"] == len(events)


def test_the_network_of_a_skeleton_keeps_the_contract(tmp_path, monkeypatch):
    """Its weights are missing until `train.py` has run; its graph is complete."""
    load_keras()
    import keras

    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: None)
    source = (new_submission("team_a", tmp_path, SAMPLE) / "model.py").read_text("utf-8")
    np.save(tmp_path / "team_a" / "exponents.npy", np.full(57, -3))
    names: dict = {"__name__": "model", "__file__": str(tmp_path / "team_a" / "model.py")}
    exec(source, names)

    assert check_network(names["network"](), (19, 3)) == []


def test_the_shape_is_that_of_the_challenge(tmp_path, monkeypatch):
    load_keras()
    import keras

    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: None)
    layout = EventLayout.model_validate(
        {"objects": [{"name": "hit", "n_slots": 6}], "features": ["amplitude", "x", "y", "time"]}
    )
    hits = SAMPLE.model_copy(update={"name": "hits", "layout": layout})
    manifest = tmp_path / "mine.yaml"
    folder = new_submission("team_a", tmp_path, hits, manifest=manifest)
    text = "".join(path.read_text("utf-8") for path in sorted(folder.iterdir()))
    assert f'training_events("hits", manifest="{manifest}")' in text
    assert "19" not in text
    assert "57" not in text
    assert "pT" not in text
    np.save(folder / "exponents.npy", np.zeros(24, int))
    names: dict = {"__name__": "model", "__file__": str(folder / "model.py")}
    exec((folder / "model.py").read_text("utf-8"), names)
    assert check_network(names["network"](), (6, 4)) == []
    assert len(validate(folder)) == 1


def test_an_unknown_challenge_leaves_nothing(tmp_path):
    done = CliRunner().invoke(
        cli, ["new", "team_a", "--challenge", "none", "--submissions", str(tmp_path)]
    )
    assert isinstance(done.exception, UsageError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mine.npz", 'a "quoted": name.csv', "README.md", "no_ending"])
def test_scores_in_a_file_become_a_declared_entry_without_faults(tmp_path, name):
    (tmp_path / name).write_bytes(b"1\n2\n")

    folder = new_declared_submission("mine", tmp_path / "submissions", SAMPLE, tmp_path / name)

    assert validate(folder) == []
    spec, problems = read_spec(folder)
    assert problems == []
    assert spec is not None
    assert (spec.division, spec.method) == ("declared", None)
    assert (folder / str(spec.scores)).read_bytes() == b"1\n2\n"


def test_scores_that_are_not_there_leave_nothing(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        new_declared_submission("mine", tmp_path / "submissions", SAMPLE, tmp_path / "no.npz")
    assert not (tmp_path / "submissions").exists()


def test_an_entry_around_a_model_declares_no_method_that_nobody_chose(tmp_path):
    title = 'The network in my "best": #1.h5'
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "submission.yaml").write_text(declaration_text("mine", SAMPLE, title))

    spec, problems = read_spec(folder)

    assert problems == []
    assert spec is not None
    assert (spec.title, spec.method) == (title, None)
