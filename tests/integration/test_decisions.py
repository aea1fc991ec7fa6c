"""What the organiser decided holds on every output: terminal, CSV, JSON, pages, opened board."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness.board.public import public_part
from harness.card.files import write_card
from harness.card.records import ScoreCard
from harness.cli import cli
from harness.data.manifest import load_manifest
from tests.cards import make_card, make_challenge
from tests.outputs import check, harness, json_ranks, printed, site_ranks, terminal_ranks

CHALLENGE = "finals"
REASON = "trained on the test events"
DEADLINE = "2026-03-02T23:59:59Z"
# The card of the team whose retraction is tested would be the first without it.
TEAMS = {"first": 2e-2, "second": 1e-3, "third": 1e-4}


def card_of(team: str, day: int) -> ScoreCard:
    challenge = make_challenge(name=CHALLENGE, hidden=("h0",))
    rates = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), TEAMS[team])
    return make_card(team, challenge=challenge, rates=rates, created=f"2026-03-0{day}T12:00:00Z")


@pytest.fixture
def organiser(tmp_path: Path) -> Path:
    """The organiser's whole cards, their public parts on a board, and no manifest with either."""
    for day, team in enumerate(TEAMS, start=1):
        card = card_of(team, day)
        write_card(card, tmp_path / "private")
        write_card(public_part(card), tmp_path / "board" / "results")
    return tmp_path


@pytest.fixture
def board(organiser: Path) -> Path:
    return organiser / "board"


def key_of(board: Path, team: str) -> str:
    (path,) = (board / "results" / CHALLENGE / team).glob("*.json")
    return f"{team}/{path.stem}"


def decide(board: Path, command: str, *arguments: str | Path) -> None:
    where = ("--challenge", CHALLENGE, "--board", board)
    harness("ci", command, *arguments, *where, "--reason", REASON)


RETRACTED = {"first": None, "second": 1, "third": 2}
FROZEN = {"first": 1, "second": 2, "third": None}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest that holds the challenge."""
    sample = load_manifest().challenge("sample").model_dump(mode="json", exclude_defaults=True)
    path = tmp_path_factory.mktemp("manifest") / "finals.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "challenges": [{**sample, "name": CHALLENGE}]}))
    return path


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    ("command", "ranks"),
    [(("retract", "first"), RETRACTED), (("freeze", "--deadline", DEADLINE), FROZEN)],
)
def test_a_decision_holds_on_every_output_whatever_manifest_is_given(
    board, manifest, command, ranks, is_known
):
    given = ("--manifest", manifest) if is_known else ()
    arguments = [key_of(board, one) if one in TEAMS else one for one in command]
    decide(board, *arguments, *given)
    check(site_ranks(board / "docs", CHALLENGE), ranks)
    check(printed(board / "results", CHALLENGE, *given), ranks)
    check(printed(board / "results", CHALLENGE), ranks)


def test_a_card_retracted_before_or_after_the_opening_is_unranked_on_all_of_it(organiser):
    board = organiser / "board"
    final = board / "docs"
    opening = ("ci", "open", "--challenge", CHALLENGE, "--board", board)
    opening += ("--private-results", organiser / "private")

    decide(board, "retract", key_of(board, "first"))
    check({"terminal": terminal_ranks(harness(*opening))}, RETRACTED)
    check(site_ranks(final, CHALLENGE), RETRACTED)
    check(printed(board / "results", CHALLENGE), RETRACTED)
    check(printed(board / "opened", CHALLENGE, "--private"), RETRACTED)

    decide(board, "retract", key_of(board, "second"))
    only = {"first": None, "second": None, "third": 1}
    check(site_ranks(final, CHALLENGE), only)
    check(printed(board / "opened", CHALLENGE, "--private"), only)

    decide(board, "retract", key_of(board, "first"), "--undo")
    back = {"first": 1, "second": None, "third": 2}
    before = contents(board)
    check({"json": json_ranks(harness(*opening, "--json"))} | site_ranks(final, CHALLENGE), back)
    assert contents(board) == before


def test_a_deadline_of_another_zone_is_the_same_instant_on_every_output(board):
    # 13:00 in Geneva is noon in UTC, when the third card was received; as text it is later.
    for deadline, ranks in (
        ("2026-03-03T12:59:59+01:00", FROZEN),
        ("2026-03-03T13:00:00+01:00", {"first": 1, "second": 2, "third": 3}),
        ("2026-03-02T23:00:00-12:59", FROZEN),
    ):
        decide(board, "freeze", "--deadline", deadline)
        check(site_ranks(board / "docs", CHALLENGE), ranks)
        check(printed(board / "results", CHALLENGE), ranks)


def test_an_impossible_time_in_an_old_list_is_named_and_the_board_stays(board):
    path = board / "results" / CHALLENGE / "decisions.json"
    decide(board, "freeze", "--deadline", DEADLINE)
    old = json.loads(path.read_text(encoding="utf-8"))
    frozen = {"kind": "freeze", "decided": DEADLINE, "reason": REASON, "card": None}
    retracted = {**frozen, "kind": "retract", "card": key_of(board, "first")}
    old["decisions"] += [
        {**frozen, "deadline": "2026-02-31T00:00:00Z"},
        {**retracted, "decided": "2026-03-01T25:61:61Z", "deadline": None},
    ]
    path.write_text(json.dumps(old), encoding="utf-8")

    told = "decision 2: deadline '2026-02-31T00:00:00Z' is no time"
    decided = "decision 3: decided '2026-03-01T25:61:61Z' is no time"
    ranks = {"first": None, "second": 1, "third": None}
    asked = ("leaderboard", "--results", board / "results", "--challenge", CHALLENGE)
    done = CliRunner().invoke(cli, [str(one) for one in asked], catch_exceptions=False)
    check(printed(board / "results", CHALLENGE), ranks)
    written = [harness(*asked, form) for form in ("--json", "--markdown")]
    for text in (done.stdout, done.stderr, *written):
        plain = " ".join(html.unescape(text).split())
        assert told in plain
        assert decided in plain
    assert told in html.unescape((board / "exported" / "index.html").read_text(encoding="utf-8"))

    # Deciding it once more is all that there is to do; what was written stays as it was.
    decide(board, "freeze", "--deadline", "2026-03-01T12:00:00Z")
    check(site_ranks(board / "docs", CHALLENGE), {"first": None, "second": None, "third": None})
    assert json.loads(path.read_text(encoding="utf-8"))["decisions"][:3] == old["decisions"]


def test_a_card_with_an_impossible_deadline_in_its_rules_is_still_read(board):
    (path,) = (board / "results" / CHALLENGE / "third").glob("*.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    card["challenge"]["ranking"]["deadline"] = "2026-02-31T00:00:00Z"
    path.write_text(json.dumps(card), encoding="utf-8")
    check(printed(board / "results", CHALLENGE), {"first": 1, "second": 2, "third": 3})


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
