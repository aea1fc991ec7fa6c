"""The scans of the autoencoders of jets: which settings, and what is copied for each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tools import jets_study as study

TOPS = study.Setting(model="dense_ae", n_latent=2, share=0.1)


def test_the_scans_meet_where_six_values_saw_no_top():
    shared = set(study.latent_scan()) & set(study.contamination_scan())
    assert shared == {study.Setting(model=model) for model in study.MODELS}
    names = [one.team for one in study.settings()]
    assert len(set(names)) == len(names)
    assert {(study.SUBMISSIONS / one.base).is_dir() for one in study.settings()} == {True}


def test_an_entry_of_the_study_is_the_shipped_one_without_its_weights(tmp_path):
    entry = study.make_entry(tmp_path, TOPS)
    assert "team: jets_dense_ae_d02_s10\n" in (entry / "submission.yaml").read_text()
    assert json.loads((entry / "size.json").read_text()) == {"widths": [32, 2, 32]}
    for name in ("model.py", "train.py"):
        assert (entry / name).read_text() == (study.SUBMISSIONS / TOPS.base / name).read_text()
    assert not list(entry.glob("*.h5"))
    assert (entry.parent / "_kit" / "kit.py").exists()


def test_a_run_goes_on_at_the_first_setting_without_a_card(tmp_path, monkeypatch):
    done = study.Setting(model="pca")
    folder = tmp_path / "results" / done.challenge / done.team
    folder.mkdir(parents=True)
    kept = max((study.ROOT / "results" / done.challenge / "jets_pca").glob("*.json"))
    (folder / kept.name).write_bytes(kept.read_bytes())
    asked = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))

    study.run(tmp_path, [done, TOPS])

    named = [Path(command[-1]).name for command in asked if "train.py" not in command]
    training = next(command for command in asked if "train.py" in command)
    assert named == ["anomaly_top.h5", "results"]
    assert training[-2:] == ["--share", "0.1"]


def test_a_report_names_the_settings_that_have_no_card(tmp_path):
    with pytest.raises(SystemExit, match="jets_pca_d02_s00"):
        study.report(tmp_path, tmp_path)
