"""What `challenges` of a submission decides: where commands score it, and what they refuse."""

from __future__ import annotations

import pytest
import yaml

from harness.card.files import read_card
from harness.submission.skeleton import new_submission
from harness.submission.validate import validate
from tests.cards import make_card, make_challenge
from tests.integration.conftest import OPEN_MODEL, write_submission
from tests.outputs import harness as command_line
from tests.outputs import refused


@pytest.fixture
def scored(monkeypatch) -> list[str]:
    """Names of the challenges that something was scored on, in the place of any scoring."""
    names: list[str] = []

    def score(folder, challenge, **_):
        names.append(challenge)
        return make_card(folder.name, challenge=make_challenge(name=challenge))

    monkeypatch.setattr("harness.scoring.pipeline.score", score)
    return names


@pytest.mark.parametrize(
    ("declared", "stated", "expected"),
    [
        ({}, (), ["sample"]),
        ({"challenges": ["adc2021", "sample"]}, (), ["adc2021", "sample"]),
        ({"challenges": ["adc2021", "sample"]}, ("--challenge", "adc2021-v1"), ["adc2021-v1"]),
    ],
)
def test_an_entry_is_scored_on_what_it_declares_unless_the_command_says_otherwise(
    tmp_path, scored, declared, stated, expected
):
    folder = write_submission(tmp_path / "team", **declared)
    command_line("score", folder, "--results", tmp_path / "results", *stated)
    assert scored == expected


def test_a_scoring_without_challenge_is_of_the_declared_one(harness):
    folder = write_submission(
        harness.folder / "declares", model=OPEN_MODEL, division="open", challenges=["toy"]
    )
    done = harness("score", folder, "--manifest", harness.manifest)
    assert done.returncode == 0, done.stderr
    (card,) = (harness.folder / "results" / "toy" / "declares").glob("*.json")
    assert read_card(card).challenge.name == "toy"


@pytest.mark.parametrize("command", [("score",), ("validate",), ("validate", "--deep"), ("synth",)])
def test_a_challenge_that_is_not_there_is_refused_before_anything_runs(tmp_path, command, scored):
    folder = write_submission(tmp_path / "team", challenges=["sample", "adc2012"])
    error = refused(command[0], folder, *command[1:])
    assert error.exit_code == 3
    (problem,) = error.problems
    assert problem.where == "submission.yaml, field challenges"
    assert problem.what == "there is no challenge 'adc2012'"
    assert "did you mean adc2021?" in problem.fix
    assert scored == []


@pytest.mark.parametrize("command", ["score", "validate"])
def test_a_stated_challenge_that_is_not_there_is_a_wrong_command(tmp_path, command, scored):
    error = refused(command, write_submission(tmp_path / "team"), "--challenge", "sampel")
    assert error.exit_code == 2
    assert scored == []


@pytest.mark.parametrize("challenges", [[], ["sample", "sample"], "sample", ["Sample X"]])
def test_a_list_of_challenges_that_is_none_is_told(tmp_path, challenges):
    (problem,) = validate(write_submission(tmp_path / "team", challenges=challenges))
    assert "field challenges" in problem.where


@pytest.mark.parametrize("is_open", [False, True])
def test_a_new_submission_says_what_it_is_scored_on(tmp_path, is_open):
    folder = new_submission("team", tmp_path, open_division=is_open)
    declared = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))
    assert declared["challenges"] == ["sample"]
