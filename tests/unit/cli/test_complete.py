"""A shell is offered challenges, folders of submissions and cards, and never an error."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from harness.cli import cli


def offered(*typed: str) -> list[str]:
    """What is offered for the last word that was typed."""
    *before, last = typed
    found = ShellComplete(cli, {}, "harness", "_HARNESS_COMPLETE").get_completions(before, last)
    return [item.value for item in found]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for team in ("alpha", "beta"):
        (tmp_path / "submissions" / team).mkdir(parents=True)
        (tmp_path / "submissions" / team / "submission.yaml").touch()
        (tmp_path / "results" / "sample" / team).mkdir(parents=True)
        (tmp_path / "results" / "sample" / team / "card.json").touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["score", "evaluate", "leaderboard", "validate"])
def test_challenges_are_known(command):
    assert offered(command, "--challenge", "sam") == ["sample"]
    assert "adc2021" in offered(command, "--challenge", "")


def test_folders_and_cards_are_found_by_path_or_team(folder):
    assert offered("score", "") == ["submissions/alpha", "submissions/beta"]
    assert offered("validate", "submissions/b") == ["submissions/beta"]
    assert offered("show", "results/sample/a") == ["results/sample/alpha/card.json"]
    assert offered("compare", "be") == ["results/sample/beta/card.json"]
    assert offered("evaluate", "--against", "al") == ["results/sample/alpha/card.json"]


def test_where_nothing_fits_the_shell_offers_files(folder):
    assert offered("score", "../somewhere") == ["../somewhere"]


def test_a_broken_manifest_is_no_message_while_somebody_types(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("schema: [", encoding="utf-8")

    assert offered("score", "--manifest", str(broken), "--challenge", "s") == []


def test_the_package_is_a_command_and_completes():
    done = subprocess.run(
        [sys.executable, "-m", "harness", "--help"], capture_output=True, text=True, check=True
    )
    assert "evaluate" in done.stdout
    code = "import sys; sys.argv[0] = 'harness'; from harness.cli import main; main()"
    asked = {"_HARNESS_COMPLETE": "bash_complete", "COMP_WORDS": "harness comp", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "plain,compare" in done.stdout.splitlines()
