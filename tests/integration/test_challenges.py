"""What `challenges` of a submission decides: where commands score it, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness.card.files import read_card
from harness.cli import cli
from harness.data.events import is_packaged
from harness.data.manifest import load_manifest
from harness.submission.validate import validate
from tests.cards import make_card, make_challenge
from tests.integration.conftest import OPEN_MODEL, write_submission
from tests.integration.test_working_point import manifest
from tests.main_branch import MainBranch
from tests.outputs import harness as command_line
from tests.outputs import refused
from tests.repositories import GitRepository, submission


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
@pytest.mark.parametrize("challenge", ["sample", "adc2021"])
def test_a_new_submission_says_what_it_is_scored_on(tmp_path, is_open, challenge):
    given = ("--submissions", tmp_path, "--challenge", challenge, *["--open"][:is_open])
    command_line("new", "team", *given)
    declared = yaml.safe_load((tmp_path / "team" / "submission.yaml").read_text(encoding="utf-8"))
    assert declared["challenges"] == [challenge]
    assert f'training_events("{challenge}")' in (tmp_path / "team" / "train.py").read_text("utf-8")


def test_a_new_submission_for_a_challenge_that_is_not_there_is_not_written(tmp_path):
    error = refused("new", "team", "--submissions", tmp_path, "--challenge", "adc2012")
    assert error.exit_code == 2
    assert "did you mean adc2021?" in error.problems[0].fix
    assert not (tmp_path / "team").exists()


DECLARED = {
    "one": {},
    "both": {"challenges": ["second", "sample"]},
    "real": {"challenges": ["adc2021"]},
    "wrong": {"challenges": ["secund"]},
}


@pytest.fixture
def main(tmp_path, monkeypatch) -> MainBranch:
    """A main branch with a team for each way of declaring challenges, and one more manifest."""
    branch = MainBranch(tmp_path, monkeypatch, teams=())
    files = {}
    for team, fields in DECLARED.items():
        files |= submission(team, **fields) | {f"submissions/{team}/note.txt": b""}
    branch.repository.commit("main", files)
    return branch


@pytest.fixture
def second(tmp_path) -> Path:
    """A manifest of a challenge ``second`` whose events are here: those of the sample."""
    return manifest(tmp_path, 1e-5, name="second")


def statuses(summaries: list[dict]) -> dict[tuple[str, str], str]:
    return {
        (one["challenge"], one["team"]): one["status"]
        for made in summaries
        for one in made["scorings"]
    }


def test_the_main_branch_scores_each_entry_on_what_it_declares(main, second):
    summaries = json.loads(command_line(*main.command("publish", "--manifest", second, "--json")))
    assert statuses(summaries) == {
        ("sample", "one"): "scored",
        ("sample", "both"): "scored",
        ("second", "both"): "scored",
        ("adc2021", "real"): "waiting",
        ("sample", "wrong"): "failed",
    }
    told = {one["team"]: one["message"] for made in summaries for one in made["scorings"]}
    assert "run `harness fetch adc2021`" in told["real"]
    assert "there is no challenge 'secund'" in told["wrong"]
    assert "did you mean second?" in told["wrong"]
    boards = {path.parent.name for path in (main.board / "docs").glob("*/board.json")}
    assert boards == {"sample", "second"}


@pytest.mark.parametrize("is_variable", [False, True])
def test_a_stated_challenge_holds_for_all_whatever_they_declare(
    main, second, monkeypatch, is_variable
):
    monkeypatch.setenv("HARNESS_CHALLENGE", "second" if is_variable else "")
    stated = () if is_variable else ("--challenge", "second")
    asked = main.command("publish", "--manifest", second, "--json", *stated)
    found = statuses(json.loads(command_line(*asked)))
    assert found == {("second", team): "scored" for team in DECLARED}


def test_a_pull_request_is_scored_on_each_challenge_and_its_comment_shows_every_card(
    main, second, tmp_path
):
    git = ("--repository", main.repository.folder)
    files = submission("both", challenges=["second", "sample", "adc2021"], title="Better")
    main.repository.commit("fork", files)
    plan, out = tmp_path / "plan.json", tmp_path / "artefact"
    given = (*git, "--manifest", second)
    command_line("ci", "plan", *given, "--base", "main", "--head", "fork", "--out", plan)
    asked = (*given, "--results", tmp_path / "results", "--out", out, "--json")
    summary = json.loads(command_line("ci", "score", "--plan", plan, *asked))
    assert statuses([summary]) == {
        ("second", "both"): "scored",
        ("sample", "both"): "scored",
        ("adc2021", "both"): "waiting",
    }
    assert {path.name for path in (out / "cards").iterdir()} == {"both.json", "both@sample.json"}
    shown = ("--manifest", second, "--results", tmp_path / "results")
    text = command_line("ci", "comment", "--artefact", out, *shown)
    assert text.count("## `both`: ") == 3
    assert "not scored on adc2021" in text
    assert "was not read" not in text
    assert "not what its name says" not in text


def test_a_pull_request_that_names_no_challenge_is_not_scored(main, tmp_path):
    files = submission("one", challenges=["sampel"])
    main.repository.commit("fork", files)
    git = ("ci", "plan", "--repository", main.repository.folder, "--base", "main", "--head", "fork")
    plan = tmp_path / "plan.json"
    run_to_the_end(*git, "--out", plan)
    made = json.loads(plan.read_text(encoding="utf-8"))
    assert made["kind"] == "refused"
    (problem,) = made["problems"]
    assert problem["where"] == "submissions/one/submission.yaml, field challenges"
    assert "did you mean sample?" in problem["fix"]
    run_to_the_end(*git, "--out", plan, "--challenge", "sample")
    assert json.loads(plan.read_text(encoding="utf-8"))["kind"] == "submissions"


def run_to_the_end(*arguments: str | Path) -> None:
    """Run the command line; its exit code is for the workflow."""
    CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_a_folder_of_submissions_is_scored_on_what_each_declares(main, second, tmp_path):
    inbox = tmp_path / "inbox"
    for team in ("one", "both"):
        folder = write_submission(inbox / team, model=OPEN_MODEL, division="open", **DECLARED[team])
        (folder / "note.txt").write_text("", encoding="utf-8")
    results = ("--results", tmp_path / "results", "--manifest", second, "--json")
    summary = json.loads(command_line("ci", "score", "--all", "--submissions", inbox, *results))
    scored = {("sample", "one"), ("sample", "both"), ("second", "both")}
    assert statuses([summary]) == dict.fromkeys(scored, "scored")


def test_cards_of_every_declared_challenge_are_made_again(main, second):
    given = ("--manifest", second, "--json")
    command_line(*main.command("publish", *given))
    redone = json.loads(command_line(*main.command("rescore-all", *given)))
    found = {(one["challenge"], one["card"].partition("/")[0]) for one in redone}
    assert found == {("sample", "one"), ("sample", "both"), ("second", "both")}


def test_one_manifest_fault_of_a_declared_challenge_stops_no_other(main, tmp_path):
    broken = manifest(tmp_path, 1e-5, name="second", ranking={"signal_weights": {"none": 1.0}})
    asked = main.command("publish", "--manifest", broken, "--json")
    summaries = json.loads(command_line(*asked))
    assert statuses(summaries)["second", "both"] == "waiting"
    assert statuses(summaries)["sample", "both"] == "scored"


def test_a_declared_challenge_that_hides_a_signal_is_left_to_the_organiser(main, tmp_path):
    hiding = manifest(tmp_path, 1e-5, name="second")
    document = yaml.safe_load(hiding.read_text(encoding="utf-8"))
    document["challenges"][0]["files"][-1]["role"] = "hidden"
    hiding.write_text(yaml.safe_dump(document), encoding="utf-8")
    summaries = json.loads(command_line(*main.command("publish", "--manifest", hiding, "--json")))
    assert statuses(summaries)["second", "both"] == "waiting"
    assert not (main.board / "results" / "second").exists()


def test_git_keeps_the_cards_of_every_embedded_challenge_and_no_other_result(tmp_path):
    root = Path(__file__).parents[2]
    ignored = (root / ".gitignore").read_bytes()
    repository = GitRepository.init(tmp_path / "clone", {".gitignore": ignored})
    embedded = [one.name for one in load_manifest().challenges if all(map(is_packaged, one.files))]
    assert "sample" in embedded
    kept = {f"results/{name}/team/card.json" for name in embedded}
    others = {"results/mine/team/card.json", "results/sample/team/card.scores.zst"}
    for path in kept | others:
        file = repository.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    found = repository.git("ls-files", "--others", "--exclude-standard").splitlines()
    assert set(found) == kept
