"""What is hidden never reaches a board, whatever command writes it; typing errors write nothing."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.board.public import public_part
from harness.card.files import read_card, write_card
from harness.ci.git import Repository
from harness.ci.history import commit_board, open_board
from harness.ci.process import ScoringOutcome, ScoringRequest
from harness.data.manifest import load_manifest
from harness.errors import ExitCode, IntegrityError
from tests import ci_stand_in
from tests.cards import make_card, make_challenge
from tests.integration.conftest import MODEL, CommandLine
from tests.main_branch import MainBranch
from tests.outputs import check, harness, json_ranks, printed, refused, site_ranks
from tests.repositories import GitRepository, submission

pytestmark = pytest.mark.whole

CHALLENGE = "secret-2027"
# Name, title and checksum of the file of the hidden signal; the key of the split.
HIDDEN = make_challenge(name=CHALLENGE, hidden=("h0",))
WORDS = (
    word
    for file in HIDDEN.files
    if file.role == "hidden"
    for word in (file.name, file.title, file.checksum, '"h0"', "tpr_h0")
)
SECRETS = tuple(word.encode() for word in (*WORDS, HIDDEN.split_key))


@pytest.fixture(name="command_line")
def _command_line(request: pytest.FixtureRequest) -> CommandLine:
    """The command line in a process of its own; `harness` is that in this one."""
    return request.getfixturevalue("harness")


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainBranch:
    """A main branch whose cards have figures of a hidden signal."""
    teams = ("anna", "bert", "carl")
    return MainBranch(tmp_path, monkeypatch, teams=teams, challenge=HIDDEN)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The organiser's manifest: the sample, with one of its signals hidden."""
    document = load_manifest().challenge("sample").model_dump(mode="json", exclude_defaults=True)
    for file in document["files"]:
        file["role"] = "hidden" if file["process"] == "h0" else file["role"]
    document |= {"name": CHALLENGE, "version": "1"}
    path = tmp_path / "secret.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "challenges": [document]}), encoding="utf-8")
    return path


@pytest.fixture
def silent(manifest: Path) -> Path:
    """The same, of a challenge that shows nothing before it is opened."""
    document = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    document["challenges"][0]["private"] = "until_open"
    path = manifest.with_name("silent.yaml")
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def of_secret(manifest: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return ("--challenge", CHALLENGE, "--manifest", manifest, *more)


def leaks(folder: Path) -> list[Path]:
    """Files below a folder that say something of the hidden signal."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(word in path.read_bytes() for word in SECRETS)]


@pytest.mark.parametrize("command", ["publish", "rescore-all"])
def test_whole_cards_of_a_challenge_that_hides_signals_do_not_go_to_a_board(
    main, manifest, command
):
    error = refused(*main.command(command, *of_secret(manifest)))
    assert error.exit_code == ExitCode.USAGE
    assert "hides 1 signals, and a board is public" in str(error)
    assert "--private-results" in str(error)
    assert "h0" not in str(error)
    assert not list(main.board.rglob("*.json"))


def test_their_public_parts_do_and_the_whole_ones_to_the_organiser(main, manifest, tmp_path):
    kept = of_secret(manifest, "--private-results", tmp_path / "private")
    for command in ("publish", "rescore-all", "publish"):
        told = harness(*main.command(command, *kept, "--json"))
        assert "h0" not in told
    public = list((main.board / "results" / CHALLENGE).glob("*/*.json"))
    whole = list((tmp_path / "private" / CHALLENGE).glob("*/*.json"))

    assert len(public) == len(whole) >= 6
    assert all("h0" in read_card(path).firmware_physics.auc for path in whole)
    assert all("h0" not in read_card(path).firmware_physics.auc for path in public)
    assert leaks(main.board) == []
    assert leaks(tmp_path / "private") != []

    # What is decided on the public card holds for the whole one, from the next run on.
    harness("ci", "withdraw", "anna", *of_secret(manifest), "--board", main.board, "--reason", "x")
    harness(*main.command("publish", *kept))
    own = ("leaderboard", "--private", "--results", tmp_path / "private", *of_secret(manifest))
    assert json_ranks(harness(*own, "--json"))["anna"] is None

    opening = ("ci", "open", *of_secret(manifest), "--board", main.board)
    harness(*opening, "--private-results", tmp_path / "private")
    assert leaks(main.board / "docs") != []


def test_a_challenge_shows_nothing_until_it_is_opened_and_then_what_was_decided(
    main, silent, tmp_path
):
    error = refused(*main.command("publish", *of_secret(silent)))
    assert "shows nothing until it is opened" in str(error)
    assert "--private-results" in str(error)

    private = tmp_path / "own" / "results"
    kept = of_secret(silent, "--private-results", private)
    for command in ("publish", "rescore-all"):
        harness(*main.command(command, *kept))
    main.rename("anna", "dora")
    harness(*main.command("publish", *kept))
    assert not list(main.board.rglob("*.json"))
    assert "shows nothing until" in str(
        refused("leaderboard", "--results", private, *of_secret(silent))
    )

    # Until then the organiser decides beside the whole cards.
    (card, *_) = (private / CHALLENGE / "bert").glob("*.json")
    own = ("--challenge", CHALLENGE, "--reason", "a bug")
    harness("ci", "retract", f"bert/{card.stem}", *own, "--board", tmp_path / "own")
    opening = ("ci", "open", *of_secret(silent), "--board", main.board)
    made = json_ranks(harness(*opening, "--private-results", private, "--json"))
    assert made["bert"] is None
    assert sorted(rank for rank in made.values() if rank) == [1, 2]
    assert set(made) == {"dora", "bert", "carl"}
    check(site_ranks(main.board / "docs", CHALLENGE), made)
    check(printed(main.board / "results", CHALLENGE), made)

    # And after it beside the public ones, as of any challenge.
    harness("ci", "withdraw", "carl", *own, "--board", main.board)
    check(site_ranks(main.board / "docs", CHALLENGE), {"dora": 1, "bert": None, "carl": None})


def test_a_challenge_that_hides_all_its_signals_ranks_for_the_organiser_alone(tmp_path):
    private, board = tmp_path / "private", tmp_path / "board"
    challenge = make_challenge(name=CHALLENGE, hidden=("ato4l", "lq", "h0", "hplus"))
    for day, team in enumerate(("anna", "bert"), start=1):
        rates = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), 10.0**-day)
        made = {"challenge": challenge, "rates": rates, "created": f"2026-03-0{day}T12:00:00Z"}
        write_card(make_card(team, **made), private)
        write_card(public_part(make_card(team, **made)), board / "results")
    none, ranks = {"anna": None, "bert": None}, {"anna": 1, "bert": 2}
    check(printed(board / "results", CHALLENGE), none)
    listed = json.loads(
        harness("leaderboard", "--results", private, "--challenge", CHALLENGE, "--json")
    )
    assert "its signals are hidden until" in listed["rows"][0]["reasons"][0]
    check(printed(private, CHALLENGE, "--private"), ranks)
    opening = ("ci", "open", "--challenge", CHALLENGE, "--board", board)
    harness(*opening, "--private-results", private)
    check(site_ranks(board / "docs", CHALLENGE), ranks)


def test_a_board_refuses_to_commit_a_figure_of_a_hidden_signal(main, tmp_path):
    main.repository.git("clone", "--quiet", str(main.repository.folder), str(tmp_path / "own"))
    board = open_board(Repository(tmp_path / "own", has_own_settings=True), main.board)
    card = make_card("anna", challenge=HIDDEN)
    path = write_card(card, board.results)
    with pytest.raises(IntegrityError, match="holds figures of a hidden signal") as caught:
        commit_board(board, "whole")
    assert "h0" not in str(caught.value)
    path.unlink()
    write_card(public_part(card), board.results)
    assert commit_board(board, "public") is not None


def test_the_artefact_of_a_pull_request_has_public_parts_alone(tmp_path, main, manifest):
    head = main.repository.commit("pr", main.files("dora"))
    where = ("--repository", main.repository.folder, *of_secret(manifest))
    harness(*("ci", "plan", *where, "--base", "main", "--head", head, "--out", tmp_path / "plan"))
    out = ("--out", tmp_path / "artefact", "--results", tmp_path / "results")
    harness("ci", "score", "--plan", tmp_path / "plan", *where, *out)
    assert leaks(tmp_path / "results") != []
    assert leaks(tmp_path / "artefact") == []


def test_decisions_in_the_organisers_own_results_hold_on_the_opened_board(tmp_path):
    board, private = tmp_path / "board", tmp_path / "own" / "results"
    for day, team in enumerate(("anna", "bert"), start=1):
        rates = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), 10.0**-day)
        made = {"challenge": HIDDEN, "rates": rates, "created": f"2026-03-0{day}T12:00:00Z"}
        card = make_card(team, **made)
        path = write_card(card, private)
        write_card(public_part(card), board / "results")
    key = f"bert/{path.stem}"
    reason = ("--challenge", CHALLENGE, "--reason", "a bug")
    harness("ci", "retract", key, *reason, "--board", tmp_path / "own")

    opening = ("ci", "open", "--challenge", CHALLENGE, "--board", board)
    opening += ("--private-results", private, "--json")
    ranks = {"anna": 1, "bert": None}
    check({"json": json_ranks(harness(*opening))}, ranks)
    check(site_ranks(board / "docs", CHALLENGE), ranks)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("freeze", "--reason", "x"), "did you mean secret-2027?"),
        (("thaw", "--reason", "x"), "there is no challenge 'secret-2072'"),
        (("retract", "anna/20260301T120000Z-00000000", "--reason", "x"), "no challenge"),
        (("rename", "anna", "b", "--reason", "x"), "no challenge"),
        (("withdraw", "anna", "--reason", "x"), "no challenge"),
        (("open", "--private-results", "own"), "there is no private card of secret-2072"),
        (("open", "--private-results", "owm"), "there is no such folder"),
        (("publish",), "there is no challenge"),
        (("rescore-all",), "there is no challenge"),
    ],
)
def test_a_typing_error_in_the_challenge_ends_at_once(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    card = make_card("anna", challenge=HIDDEN)
    write_card(card, tmp_path / "own")
    write_card(public_part(card), tmp_path / "board" / "results")
    before = sorted(tmp_path.rglob("*"))
    error = refused("ci", *arguments, "--challenge", "secret-2072", "--board", tmp_path / "board")
    assert error.exit_code == ExitCode.USAGE
    assert told in str(error)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_wrong_private_challenge_is_found_before_anything_is_scored(main, manifest, tmp_path):
    places = ("--private-manifest", manifest, "--private-results", tmp_path / "private")
    wrong = ("--challenge", "sample", *places, "--private-challenge", "finale")
    error = refused(*main.command("publish", *wrong))
    assert error.exit_code == ExitCode.USAGE
    assert not list(main.board.rglob("*.json"))


# --- A budget of time -----------------------------------------------------------------------------


def slow(request: ScoringRequest) -> ScoringOutcome:
    """Score as a worker does: not after the budget; each takes longer than half of it."""
    if request.deadline is not None and time.time() > request.deadline:
        return ScoringOutcome(exit_code=4, message="no time", wall_s=0.0, is_cut=True)
    made = ci_stand_in.score(request)
    time.sleep(1.1 if request.deadline else 0.0)
    return replace(made)


def test_what_the_budget_leaves_waits_and_the_next_run_goes_on(tmp_path, monkeypatch):
    main = MainBranch(tmp_path, monkeypatch, teams=("anna", "bert", "carl"))
    main.score = slow
    on_sample = ("--challenge", "sample", "--json")

    def run(name: str, key: str, word: str, *more: str) -> dict[str, str]:
        made = json.loads(harness(*main.command(name, *on_sample, *more)))
        listed = made[0]["scorings"] if name == "publish" else made
        return {one[key].partition("/")[0]: one[word] for one in listed}

    first = run("publish", "team", "status", "--budget-s", "1")
    assert first == {"anna": "scored", "bert": "waiting", "carl": "waiting"}
    log = (main.board / "results" / "sample" / "attempts.jsonl").read_text(encoding="utf-8")
    assert len(log.splitlines()) == 1
    run("publish", "team", "status")

    begun = run("rescore-all", "card", "outcome", "--budget-s", "1")
    assert sorted(begun.values()) == ["scored again", "waiting", "waiting"]
    ended = [team for team, outcome in begun.items() if outcome == "scored again"]
    again = run("rescore-all", "card", "outcome", "--budget-s", "1")
    assert [team for team, outcome in again.items() if outcome == "scored again"] != ended


# --- Scored with all signals hidden ---------------------------------------------------------------


def test_a_challenge_whose_signals_are_all_hidden_is_published_and_ranked_in_private(
    command_line, tmp_path
):
    document = yaml.safe_load(command_line.manifest.read_text(encoding="utf-8"))
    for file in document["challenges"][0]["files"]:
        file["role"] = "hidden" if file["role"] == "signal" else file["role"]
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    GitRepository.init(
        tmp_path / "clone", submission("team_a", model=MODEL.encode(), division="trigger")
    )
    toy = ("--challenge", "toy", "--manifest", path)
    done = command_line(
        *("ci", "publish", "--repository", tmp_path / "clone", "--board", tmp_path / "board"),
        *(*toy, "--private-results", tmp_path / "private", "--no-firmware", "--json"),
    )
    assert done.returncode == 0, done.stderr
    (scoring,) = json.loads(done.stdout)[0]["scorings"]
    assert scoring["status"] == "scored"

    def row(results: Path, *more: str) -> dict[str, object]:
        asked = ("leaderboard", "--results", results, *toy, "--json", *more)
        return json.loads(harness(*asked))["rows"][0]

    public = row(tmp_path / "board" / "results")
    assert public["rates"] == {}
    assert any("no firmware" in reason for reason in public["reasons"])
    whole = row(tmp_path / "private", "--private")
    assert set(whole["rates"]) == {"heavy", "alike"}
    assert 0 < whole["merit"]["value"] <= 1
    pages = [one for one in (tmp_path / "board").rglob("*.*") if one.name != "table.js"]
    assert [one for one in pages if one.is_file() and b"alike" in one.read_bytes()] == []
