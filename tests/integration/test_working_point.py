"""The manifest in force says at which rate a board ranks; a card of another one says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from harness.board.public import public_part
from harness.card.figures import NotMeasured
from harness.card.files import read_card, write_card
from harness.data.manifest import load_manifest
from tests.cards import make_card, make_challenge
from tests.integration.conftest import OPEN_MODEL, CommandLine, write_submission
from tests.outputs import check, printed
from tests.outputs import harness as command_line
from tests.repositories import GitRepository

pytestmark = pytest.mark.whole

CHALLENGE = "finals"
RATES = {"first": 2e-2, "second": 1e-3, "odd": 1e-1}


def manifest(folder: Path, working_point: float, **changes: object) -> Path:
    """A manifest of the data that made-up cards are of."""
    document = load_manifest().challenge("sample").model_dump(mode="json", exclude_defaults=True)
    for file in document["files"]:
        file.pop("checksum", None)
    document |= {"name": CHALLENGE, "version": "1", "seed": 20211, "working_point": working_point}
    document["split"] = {"key": "sample-1", "train": 0.4, "validation": 0.1, "test": 0.5}
    path = folder / f"{working_point}.yaml"
    if "target" in changes:
        del document["targets"]
    document |= changes
    path.write_text(yaml.safe_dump({"schema": 1, "challenges": [document]}), encoding="utf-8")
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three cards, the newest of which was scored at another working point."""
    for day, (team, rate) in enumerate(RATES.items(), start=1):
        challenge = make_challenge(name=CHALLENGE)
        if team == "odd":
            challenge = challenge.model_copy(update={"working_point": 1e-4})
        rates = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), rate)
        made = {"rates": rates, "created": f"2026-03-0{day}T12:00:00Z", "challenge": challenge}
        write_card(make_card(team, **made), tmp_path / "results")
    return tmp_path / "results"


def rows(results: Path, manifest: Path) -> dict[str, dict]:
    asked = ("leaderboard", "--results", results, "--challenge", CHALLENGE, "--json")
    board = json.loads(command_line(*asked, "--manifest", manifest))
    return {row["team"]: row for row in board["rows"]}


def test_one_card_of_another_working_point_takes_no_rank_from_the_others(results, tmp_path):
    in_force = manifest(tmp_path, 1e-5)
    given = ("--manifest", in_force)
    check(printed(results, CHALLENGE, *given), {"first": 1, "second": 2, "odd": None})
    found = rows(results, in_force)
    told = "scored at FPR 1e-4; this board ranks 1e-5: run `harness ci rescore-all`"
    assert found["odd"]["reasons"] == [told]
    # Its replicates are of another rate: they give no interval here.
    assert found["odd"]["merit"]["lower"] is None
    assert found["first"]["merit"]["lower"] < found["first"]["merit"]["value"]


def test_the_manifest_in_force_ranks_even_where_most_cards_are_of_another_point(results, tmp_path):
    in_force = manifest(tmp_path, 1e-4)
    found = rows(results, in_force)
    assert {team: row["rank"] for team, row in found.items()} == {
        "first": None,
        "second": None,
        "odd": 1,
    }
    assert "scored at FPR 1e-5; this board ranks 1e-4" in found["first"]["reasons"][0]


def test_the_newest_card_of_other_data_takes_no_rank_from_those_of_the_manifest(results, tmp_path):
    other = make_challenge(name=CHALLENGE, version="0")
    write_card(make_card("late", created="2026-03-09T12:00:00Z", challenge=other), results)
    given = ("--manifest", manifest(tmp_path, 1e-5))
    ranks = {"first": 1, "second": 2, "odd": None, "late": None}
    check(printed(results, CHALLENGE, *given), ranks)


# --- Rescored -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scored(harness: CommandLine) -> Path:
    """Results with one official card of the challenge ``toy``."""
    folder = write_submission(
        harness.folder / "points" / "team_sum", model=OPEN_MODEL, division="open"
    )
    where = ("--results", harness.folder / "points" / "results")
    toy = ("--challenge", "toy", "--manifest", harness.manifest)
    done = harness("score", folder, *toy, *where)
    assert done.returncode == 0, done.stderr
    return harness.folder / "points" / "results"


@pytest.fixture
def board(scored: Path, tmp_path: Path) -> Path:
    shutil.copytree(scored, tmp_path / "board" / "results")
    GitRepository.init(tmp_path / "clone", {"README.md": b"x"})
    return tmp_path / "board"


def changed(harness: CommandLine, folder: Path, **changes: object) -> Path:
    document = yaml.safe_load(harness.manifest.read_text(encoding="utf-8"))
    document["challenges"][0] |= changes
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def rescore(
    harness: CommandLine, board: Path, manifest: Path, *more: str | Path
) -> list[dict[str, str]]:
    done = harness.here(
        *("ci", "rescore-all", "--repository", board.parent / "clone", "--commit", "main"),
        *("--board", board, "--challenge", "toy", "--manifest", manifest, "--json", *more),
    )
    return json.loads(done.stdout)


def ranking(harness: CommandLine, board: Path, manifest: Path) -> dict:
    asked = ("--results", board / "results", "--challenge", "toy", "--manifest", manifest)
    done = harness.here("leaderboard", *asked, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_rescoring_changes_all_that_hangs_on_the_working_point_together(harness, board, tmp_path):
    (old,) = (board / "results" / "toy" / "team_sum").glob("*.json")
    before, new_rules = read_card(old), changed(harness, tmp_path, working_point=1e-1)
    (row,) = ranking(harness, board, new_rules)["rows"]
    assert any("scored at FPR 1e-2; this board ranks 1e-1" in one for one in row["reasons"])

    (redone,) = rescore(harness, board, new_rules)
    assert redone["outcome"] == "rescored"
    card = read_card(board / "results" / "toy" / f"{redone['made']}.json")
    # A card has no secret of the split.
    assert card.challenge.split_key.startswith("sha256:")
    assert card.challenge.working_point == 1e-1
    assert card.float_physics.replicates != before.float_physics.replicates
    assert isinstance(card.accepted, NotMeasured)
    assert card.submission.received == before.created

    made = ranking(harness, board, new_rules)
    (row,) = made["rows"]
    assert made["working_point"] == 1e-1
    assert not any("this board ranks" in one for one in row["reasons"])
    assert row["merit"]["lower"] <= row["merit"]["value"] <= row["merit"]["upper"]
    assert row["merit"]["value"] > 0.1
    # It is as the manifest says now: once more changes nothing.
    assert [one["outcome"] for one in rescore(harness, board, new_rules)] == ["unchanged"]


def test_a_warning_of_the_old_working_point_does_not_stay(harness, board, tmp_path):
    (old,) = (board / "results" / "toy" / "team_sum").glob("*.json")
    told = "at FPR 0.01 only 1 of the 23 background events pass that may"
    card = json.loads(old.read_text())
    point = next(one for one in card["float_physics"]["working_points"] if one["fpr"] == 1e-2)
    point |= {"n_passing": 1, "n_allowed": 23}
    told += ": the next ones share one score, and pass all or none"
    card["warnings"] = [told, "another one"]
    old.write_text(json.dumps(card))
    (redone,) = rescore(harness, board, changed(harness, tmp_path, working_point=1e-1))
    card = read_card(board / "results" / "toy" / f"{redone['made']}.json")
    assert card.warnings == ("another one",)


def test_private_cards_are_rescored_without_their_folder_and_without_a_quota(
    harness, board, tmp_path
):
    private = tmp_path / "own" / "toy"
    shutil.copytree(board / "results" / "toy", private)
    shutil.rmtree(board)
    (old,) = private.glob("team_sum/*.json")
    card = json.loads(old.read_text())
    for file in card["challenge"]["files"]:
        file["role"] = "hidden" if file["process"] == "alike" else file["role"]
    old.write_text(json.dumps(card))
    write_card(public_part(read_card(old)), board / "results")

    document = yaml.safe_load(harness.manifest.read_text(encoding="utf-8"))
    for file in document["challenges"][0]["files"]:
        file["role"] = "hidden" if file["process"] == "alike" else file["role"]
    document["challenges"][0] |= {"working_point": 1e-1}
    new_rules = tmp_path / "hiding.yaml"
    new_rules.write_text(yaml.safe_dump(document), encoding="utf-8")
    (redone,) = rescore(harness, board, new_rules, "--private-results", tmp_path / "own")
    assert (redone["outcome"], redone["detail"]) == ("rescored", "")
    assert not list((tmp_path / "own").rglob("attempts.jsonl"))

    whole = read_card(private / f"{redone['made']}.json")
    assert whole.challenge.working_point == 1e-1
    assert "alike" in whole.float_physics.auc
    (row,) = ranking(harness, board, new_rules)["rows"]
    assert row["rates"]["heavy"]["tpr"] == whole.float_physics.at(1e-1).rates["heavy"].tpr
    # A script of the pages has that word for itself.
    files = [path for path in board.rglob("*") if path.is_file() and path.name != "table.js"]
    assert len(list((board / "results" / "toy" / "team_sum").glob("*.json"))) == 2
    assert [path for path in files if b"alike" in path.read_bytes()] == []


def test_other_events_are_not_rescored_from_old_scores(harness, board, tmp_path):
    split = {"key": "another", "train": 0.5, "validation": 0.1, "test": 0.4}
    (redone,) = rescore(harness, board, changed(harness, tmp_path, split=split))
    assert redone["outcome"] == "failed"
    assert "split" in redone["detail"]


def test_a_retraction_follows_the_rescored_card(harness, board, tmp_path):
    (old,) = (board / "results" / "toy" / "team_sum").glob("*.json")
    toy = ("--challenge", "toy", "--manifest", harness.manifest, "--board", board)
    key = f"team_sum/{old.stem}"
    assert harness.here("ci", "retract", key, *toy, "--reason", "a bug").returncode == 0

    new_rules = changed(harness, tmp_path, working_point=1e-1)
    (redone,) = rescore(harness, board, new_rules)
    (row,) = ranking(harness, board, new_rules)["rows"]
    assert f"team_sum/{row['card']}" == redone["made"] != key
    assert "taken back by the organiser: a bug" in row["reasons"]
    page = board / "docs" / "toy" / "entries" / "team_sum.html"
    assert "taken back by the organiser: a bug" in page.read_text(encoding="utf-8")

    undo = ("ci", "retract", redone["made"], "--undo", *toy, "--reason", "it was none")
    assert harness.here(*undo).returncode == 0
    (row,) = ranking(harness, board, new_rules)["rows"]
    assert not any("taken back" in one for one in row["reasons"])


def test_rescoring_keeps_the_card_that_counts_where_it_is_not_the_last_one(
    harness, board, tmp_path
):
    (old,) = (board / "results" / "toy" / "team_sum").glob("*.json")
    card = read_card(old)
    said = {"digest": f"sha256:{'0' * 64}", "received": "2100-01-01T00:00:00Z"}
    later = card.model_copy(update={"submission": card.submission.model_copy(update=said)})
    packed = old.with_suffix(".scores.zst").read_bytes()
    key = f"team_sum/{write_card(later, board / 'results', scores=packed).stem}"
    toy = ("--challenge", "toy", "--manifest", harness.manifest, "--board", board)
    assert harness.here("ci", "retract", key, *toy, "--reason", "a bug").returncode == 0

    new_rules = changed(harness, tmp_path, working_point=1e-1)
    made = {one["card"]: one["made"] for one in rescore(harness, board, new_rules)}
    (row,) = ranking(harness, board, new_rules)["rows"]
    assert f"team_sum/{row['card']}" == made[f"team_sum/{old.stem}"]
    assert not any("taken back" in one for one in row["reasons"])

    undo = ("ci", "retract", key, "--undo", *toy, "--reason", "it was none")
    assert harness.here(*undo).returncode == 0
    (row,) = ranking(harness, board, new_rules)["rows"]
    assert f"team_sum/{row['card']}" == made[key]
