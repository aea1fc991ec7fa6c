"""`harness leaderboard`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

import leaderboard_app
from harness.board.boards import Boards
from harness.board.decisions import Decision, add_decision
from harness.board.formats import to_json
from harness.board.reveal import reveal_signals
from harness.card.hardware import NO_SECOND_TRANSLATOR, SECOND_TRANSLATOR, Agreement
from harness.challenge import RankingRules
from harness.cli import main
from harness.cli.board import leaderboard, settings_of
from harness.cli.cards import show
from harness.data.manifest import load_manifest
from harness.errors import EnvironmentFaultError, UsageError
from tests.cards import make_board, make_card, make_challenge, make_firmware, write_board


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    write_board([*make_board(6, n_teams=4), make_card("eve", title="=1+1 <b>")], folder)
    return folder


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch, capfd) -> Run:
    """The command line, in this process."""

    def call(results: Path, *arguments: str) -> Done:
        given = ["harness", "leaderboard", "--results", str(results), *arguments]
        monkeypatch.setattr(sys, "argv", given)
        capfd.readouterr()
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as ended:
            main()
        # It ends as a process would, deaf to a late Ctrl-C; this one goes on.
        signal.signal(signal.SIGINT, before)
        told = capfd.readouterr()
        return Done(int(ended.value.code or 0), told.out, told.err)

    return call


def test_every_form_holds_every_team(run, results):
    teams = sorted(folder.name for folder in (results / "sample").iterdir())
    for form in ("--json", "--csv", "--markdown", "--challenge=sample"):
        done = run(results, form)
        assert done.exit_code == 0, done.stderr
        for team in teams:
            told = team.replace("_", "&#95;") if form == "--markdown" else team
            assert told in done.stdout, form


def test_json_is_json_and_a_formula_in_csv_is_text(run, results):
    board = json.loads(run(results, "--json").stdout)
    assert board["n_ranked"] == sum(row["rank"] is not None for row in board["rows"])
    assert "\n" in run(results, "--csv").stdout
    assert "'=1+1 <b>" in run(results, "--csv").stdout
    assert "<b>" not in run(results, "--markdown").stdout


def test_a_file_that_is_no_card_is_told_beside_the_board(run, results):
    (results / "sample" / "team_001" / "later.json").write_text('{"schema_version": 99}')
    done = run(results, "--json")
    assert done.exit_code == 0
    json.loads(done.stdout)
    assert "sample/team_001/later.json could not be read: made by a newer harness" in done.stderr


def test_no_card_is_a_usage_error_that_says_what_to_run(run, tmp_path):
    done = run(tmp_path, "--challenge", "adc2021")
    assert done.exit_code == 2
    assert "harness score submissions/team_x --challenge adc2021" in done.stderr


def test_an_unknown_challenge_is_told_with_those_that_are_known(run, tmp_path):
    done = run(tmp_path, "--challenge", "nobody")
    assert done.exit_code == 2
    assert "no challenge 'nobody'" in done.stderr
    assert all(name in done.stderr for name in ("adc2021", "adc2021-v1", "sample"))


def test_two_forms_at_once_are_a_usage_error(run, results):
    done = run(results, "--json", "--markdown")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "--json and --markdown" in done.stderr


def test_all_cards_of_a_team_are_shown_one_after_the_other(results):
    paths = sorted(map(str, (results / "sample" / "team_000").glob("*.json")))
    shown = CliRunner().invoke(show, paths)
    assert len(paths) > 1
    assert shown.exit_code == 0
    assert shown.output.count("score card") == len(paths)


def test_the_site_is_written_and_opens_from_its_folder(run, results, tmp_path):
    done = run(results, "--export", str(tmp_path / "site"))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    assert "index.html" in done.stderr


def test_a_contest_that_asks_for_a_second_translator_ranks_no_entry_without_one(run, tmp_path):
    def board(folder: Path, **asked: bool) -> dict[str, tuple[int | None, str]]:
        challenge = make_challenge(name="finals", rules=RankingRules(**asked))
        firmware = make_firmware()
        seen = Agreement(
            witnesses=("da4ml's interpreter", SECOND_TRANSLATOR),
            n_events=9,
            n_different=0,
            is_independent=True,
        )
        checked = firmware.model_copy(update={"agreements": (*firmware.agreements, seen)})
        note = f"{NO_SECOND_TRANSLATOR}: hls4ml says KeyError: 'x'"
        alone = firmware.model_copy(update={"notes": (note,)})
        made = {"checked": checked, "alone": alone}
        cards = [make_card(name, challenge=challenge, firmware=one) for name, one in made.items()]
        write_board(cards, folder)
        rows = json.loads(run(folder, "--challenge", "finals", "--json").stdout)["rows"]
        return {row["team"]: (row["rank"], "; ".join(row["reasons"])) for row in rows}

    assert {rank for rank, _ in board(tmp_path / "lax").values()} == {1}
    strict = board(tmp_path / "strict", require_second_translator=True)
    assert strict["checked"] == (1, "")
    assert strict["alone"] == (None, f"{NO_SECOND_TRANSLATOR}: hls4ml says KeyError: 'x'")


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_port_that_is_none_is_a_usage_error(run, results, port):
    done = run(results, "--serve", "--port", str(port))
    assert done.exit_code == 2
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_a_usage_error(run, results):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = run(results, "--serve", "--port", str(other.getsockname()[1]))
    assert done.exit_code == 2
    assert "cannot listen there" in done.stderr


def test_what_is_served_is_told_and_handed_over(run, results, monkeypatch):
    from leaderboard_app import serve

    asked = {}
    monkeypatch.setattr(serve, "check_place", lambda address, port: None)
    monkeypatch.setattr(serve, "serve", lambda settings, **place: asked.update(place))
    done = run(results, "--serve", "--port", "8123", "--base-path", "/board/", "--private")
    assert done.exit_code == 0, done.stderr
    assert asked == {"port": 8123, "address": "127.0.0.1", "base_path": "/board/"}
    assert "http://127.0.0.1:8123/board/" in done.stderr
    assert "for the organiser alone" in done.stderr


def test_an_app_that_ends_by_itself_is_a_fault_of_the_environment(monkeypatch):
    from leaderboard_app import serve
    from leaderboard_app.settings import Settings

    monkeypatch.setattr(serve, "command", lambda **_: ["false"])
    with pytest.raises(EnvironmentFaultError, match="status 1"):
        serve.serve(Settings())
    with pytest.raises(UsageError, match="cannot listen"):
        serve.check_place("203.0.113.1", 8501)


NOW = "2026-04-01T12:00:00Z"


def hidden_manifest():
    """A challenge whose rules weigh a signal that is hidden."""
    (sample,) = (one for one in load_manifest().challenges if one.name == "sample")
    files = tuple(
        file.model_copy(update={"role": "hidden"}) if file.process == "h0" else file
        for file in sample.files
    )
    weights = {"ato4l": 1.0, "lq": 1.0, "h0": 2.0, "hplus": 1.0}
    rules = sample.ranking.model_copy(update={"signal_weights": weights})
    return sample.model_copy(update={"files": files, "ranking": rules})


def test_the_public_ranking_neither_weighs_nor_names_a_hidden_signal(tmp_path):
    from leaderboard_app.state import Shelf

    write_board([make_card("team_a", challenge=make_challenge(hidden=("h0",)))], tmp_path)
    manifest = load_manifest().model_copy(update={"challenges": (hidden_manifest(),)})

    for is_private in (False, True):
        shelf = Shelf(settings_of(tmp_path, manifest, is_private=is_private))
        snapshot = shelf.snapshot()
        made = shelf.ranking(snapshot, "sample")
        assert [item.reasons for item in made.unranked] == []
        assert ("h0" in made.contest.signals) is is_private
        assert ("h0" in made.contest.rules.model_dump_json()) is is_private
        assert ('"h0"' in to_json(shelf.board(snapshot, "sample", 1e-5))) is is_private


def test_an_open_board_follows_what_is_decided_and_revealed(tmp_path):
    (path,) = write_board([make_card("team_a", challenge=make_challenge(hidden=("h0",)))], tmp_path)
    boards = Boards(tmp_path, [hidden_manifest()])

    def made():
        return boards.ranking(boards.refresh(), "sample")

    assert "h0" not in made().contest.signals
    reveal_signals(tmp_path, "sample", ("h0",), reason="the end", decided=NOW)
    assert "h0" in made().contest.signals
    assert made().contest.rules.signal_weights["h0"] == 2.0
    assert len(made().ranked) == 1
    card = f"team_a/{path.stem}"
    add_decision(tmp_path, "sample", Decision(kind="retract", decided=NOW, reason="why", card=card))
    assert made().ranked == ()


DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "leaderboard.md").read_text(encoding="utf-8")


def test_the_documented_commands_are_those_of_the_command_line():
    known = {name for option in leaderboard.params for name in option.opts}
    lines = [line.partition("#")[0].split() for line in PAGE.splitlines()]
    commands = [line[2:] for line in lines if line[:2] == ["harness", "leaderboard"]]
    assert len(commands) >= 6
    for words in commands:
        assert {word for word in words if word.startswith("-")} <= known, words


def test_the_documented_addresses_are_read_by_the_pages():
    pages = Path(leaderboard_app.__file__).parent
    sources = "".join(path.read_text("utf-8") for path in pages.rglob("*.py"))
    rows = re.findall(r"^\| \w[\w-]* \| `/(\w*)` \| (.*) \|$", PAGE, re.MULTILINE)
    paths = ["", "trade_off", "submission", "compare", "data", "status"]
    assert [path for path, _ in rows] == paths
    for path, told in rows:
        assert not path or f'"{path}": "' in sources
        for name in re.findall(r"`([a-z]+)`(?! rising)", told.replace("`lut` rising", "")):
            assert f'"{name}"' in sources, name


def test_every_picture_of_the_page_is_there_small_and_has_words():
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", PAGE)
    assert len(pictures) == 4
    for words, path in pictures:
        assert len(words) > 20
        picture = (DOCS / path).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 200_000


def test_the_committed_results_make_a_board_and_tell_the_events():
    from harness.board.index import CardIndex
    from harness.data.observables import observables_of

    snapshot = CardIndex(DOCS.parent / "results").refresh()
    assert snapshot.unreadable == ()
    teams = {entry.card.submission.team for entry in snapshot.entries["sample"]}
    assert {"team_x", "isolation_forest"} < teams
    assert len(teams) >= 12
    (sample,) = (one for one in load_manifest().challenges if one.name == "sample")
    told = {one.name: one.edges for one in snapshot.summaries["sample"].distributions}
    assert told == {one.name: one.edges for one in observables_of(sample.layout)}
