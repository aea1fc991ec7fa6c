"""What a scoring needs is asked for before any work is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data.beside import mass_file
from harness.data.cache import process_folder
from harness.data.manifest import load_manifest
from harness.errors import EnvironmentFaultError
from harness.jets import clustering
from harness.scoring.needs import require_jets
from harness.scoring.pipeline import score
from harness.submission.validate import read_submission
from tools.sizes import SUBMISSIONS

RULES = load_manifest().challenge("lhco-sample")


@pytest.fixture
def _without_fastjet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "find_spec", lambda name: None)


@pytest.mark.usefixtures("_without_fastjet")
def test_a_scoring_without_fastjet_says_what_to_install_and_does_nothing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFaultError, match="lhco_tau21, which uses dijet_features") as no:
        score(SUBMISSIONS / "lhco_tau21", RULES.name, results=tmp_path, cache=tmp_path / "cache")
    assert "simulate" in str(no.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_without_fastjet")
def test_masses_need_fastjet_until_they_are_in_the_cache(tmp_path: Path) -> None:
    other = read_submission(SUBMISSIONS / "team_x")
    with pytest.raises(EnvironmentFaultError, match="mass of the events of lhco-sample needs"):
        require_jets(other, RULES, tmp_path)
    assert RULES.mass is not None
    for file in RULES.files:
        folder = process_folder(RULES, file.process, tmp_path)
        folder.mkdir(parents=True)
        (folder / mass_file(RULES.mass)).touch()
    require_jets(other, RULES, tmp_path)


def test_where_fastjet_is_installed_nothing_is_said(tmp_path: Path) -> None:
    require_jets(read_submission(SUBMISSIONS / "lhco_tau21"), RULES, tmp_path)
