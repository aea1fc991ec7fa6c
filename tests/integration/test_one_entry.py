"""An entry that fails, in whatever way, is one entry's failure: all others are published."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.card import files as cards
from harness.card.files import MAX_CARD_BYTES
from harness.card.physics import Physics, WorkingPoint
from harness.card.records import ScoreCard
from harness.ci.process import ScoringOutcome, ScoringRequest
from harness.cli import cli
from leaderboard_app import static_site
from tests import ci_stand_in
from tests.cards import make_card
from tests.main_branch import MainBranch
from tests.outputs import site_ranks
from tests.repositories import GitRepository

TEAMS = ("ant", "bad", "cow")
Spoil = Callable[[ScoringOutcome], ScoringOutcome]


def run(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def with_card(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda made: replace(made, card=change(made.card or b""))


def with_fields(*way: str, value: object) -> Spoil:
    """Change one field of the card, whether the schema allows it or not."""

    def change(content: bytes) -> bytes:
        card = place = json.loads(content)
        for name in way[:-1]:
            place = place[name]
        place[way[-1]] = value
        return json.dumps(card).encode()

    return with_card(change)


def without(made: ScoringOutcome) -> ScoringOutcome:
    return replace(made, card=None, exit_code=5, message="the run left no card")


def raising(error: BaseException) -> Spoil:
    def spoil(_: ScoringOutcome) -> ScoringOutcome:
        raise error

    return spoil


SPOILED: dict[str, tuple[Spoil, str]] = {
    "missing": (without, "the run left no card"),
    "empty": (with_card(lambda _: b""), "Invalid JSON"),
    "truncated": (with_card(lambda content: content[:-9]), "Invalid JSON"),
    "too-large": (with_card(lambda content: content + b" " * MAX_CARD_BYTES), "larger than"),
    "no-json": (with_card(lambda _: b"\x80\xff" * 9), "Invalid JSON"),
    "deep": (with_card(lambda _: b"[" * 100_000), "Invalid JSON"),
    "no-object": (with_card(lambda _: b"[]"), "the whole file"),
    "nan": (with_fields("usage", value={"x": {"wall_s": float("nan")}}), "finite"),
    "infinite": (with_fields("float_physics", "auc", value={"h0": {"value": 1e999}}), "auc"),
    "wrong-schema": (with_fields("schema_version", value=2), "schema_version"),
    "no-schema": (with_fields("schema_version", value="1.0"), "schema_version"),
    "another-teams": (with_fields("submission", "team", value="ant"), "a card of ('ant'"),
    "no-teams": (with_fields("submission", "team", value="../ant"), "submission.team"),
    "other-files": (
        with_fields("submission", "digest", value="sha256:" + 64 * "0"),
        "a card of ('other-files'",
    ),
    "another-challenges": (with_fields("challenge", "name", value="finals"), "'finals'"),
    "an-artefact-without-a-name": (lambda made: replace(made, artefacts={"..": b"x"}), ".."),
    "an-artefact-with-a-long-name": (
        lambda made: replace(made, artefacts={"x" * 300: b"x"}),
        "File name too long",
    ),
    "an-artefact-with-a-zero": (lambda made: replace(made, artefacts={"a\0b": b"x"}), "null byte"),
    "a-worker-that-raises": (raising(ValueError("its own\x1b[31m fault")), "ValueError"),
    "a-worker-without-memory": (raising(MemoryError()), "MemoryError"),
}


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainBranch:
    return MainBranch(tmp_path, monkeypatch, teams=TEAMS)


def spoil(main: MainBranch, how: dict[str, Spoil]) -> None:
    def score(request: ScoringRequest) -> ScoringOutcome:
        made = ci_stand_in.score(request)
        return how[request.team](made) if request.team in how else made

    main.score = score


def publish(main: MainBranch, *more: str | Path) -> tuple[int, dict[str, dict]]:
    done = run(*main.command("publish", "--challenge", "sample", "--json", *more))
    (made,) = json.loads(done.stdout)
    return done.exit_code, {one["team"]: one for one in made["scorings"]}


def check_others(main: MainBranch, told: dict[str, dict]) -> dict[str, dict]:
    """Check that `ant` and `cow` are on the board, and nobody else; return what failed."""
    assert [told[team]["status"] for team in ("ant", "cow")] == ["scored", "scored"]
    assert set(site_ranks(main.board / "docs", "sample")["board.json"]) == {"ant", "cow"}
    return {team: one for team, one in told.items() if one["status"] == "failed"}


def test_what_a_worker_gives_for_one_entry_stops_no_other(tmp_path, monkeypatch):
    main = MainBranch(tmp_path, monkeypatch, teams=("ant", *SPOILED, "cow"))
    spoil(main, {team: how for team, (how, _) in SPOILED.items()})
    remote = tmp_path / "remote.git"
    main.repository.git("clone", "--quiet", "--bare", str(main.repository.folder), str(remote))
    main.repository.git("remote", "add", "origin", str(remote))
    code, told = publish(main, "--push")

    pushed = GitRepository(remote).git("ls-tree", "-r", "--name-only", "board", "results/")
    assert {Path(path).parent.name for path in pushed.splitlines()} == {"sample", "ant", "cow"}
    failed = check_others(main, told)
    assert failed.keys() == SPOILED.keys()
    for team, (_, what) in SPOILED.items():
        assert what in failed[team]["message"]
        assert failed[team]["exit_code"] in {5, 7}
    assert code == 5


FOLDERS: dict[str, tuple[dict[str, bytes | None], str]] = {
    "long-name": ({"x" * 300 + ".py": b""}, "over 200 bytes"),
    "no-declaration": ({"submission.yaml": None}, "submission.yaml"),
    "no-text": ({"submission.yaml": b"\xff"}, "UTF-8"),
    "bomb": ({"submission.yaml": b"a: &a [*a]"}, "anchors"),
    "no-model": ({"model.py": None}, "model.py"),
    "escapes": ({"a\nb\x1b[31m.py": b""}, "characters that are no text"),
    "many": ({f"f{number}": b"" for number in range(300)}, "files"),
    "hollow": (
        {"submission.yaml": None, "model.py": None, "note.txt": None, "a/b": b""},
        "submission",
    ),
}


def test_what_one_folder_holds_stops_no_other_entry(tmp_path, monkeypatch):
    main = MainBranch(tmp_path, monkeypatch, teams=("ant", *FOLDERS, "cow"))
    for team, (files, _) in FOLDERS.items():
        placed = {f"submissions/{team}/{name}": content for name, content in files.items()}
        main.repository.commit("main", placed)
    code, told = publish(main)

    failed = check_others(main, told)
    assert failed.keys() == FOLDERS.keys()
    for team, (_, what) in FOLDERS.items():
        assert what in failed[team]["message"]
        assert failed[team]["exit_code"] == 3
    # A submission that failed is no fault of the board: the run is green, the reason is told.
    assert code == 0


def test_a_card_that_cannot_be_written_stops_no_other_entry(main):
    folder = main.board / "results" / "sample"
    folder.mkdir(parents=True)
    (folder / "bad").write_text("a file in the place of the team's folder")
    code, told = publish(main)

    assert "cannot be written" in check_others(main, told)["bad"]["message"]
    assert code == 5
    (folder / "bad").unlink()
    code, told = publish(main)
    assert {one["status"] for one in told.values()} == {"scored"}
    assert code == 0


def test_the_terminal_names_the_one_that_failed_and_why(main):
    spoil(main, {"bad": raising(ValueError("its own\x1b[31m \u202efault"))})
    done = run(*main.command("publish", "--challenge", "sample"))
    assert "| the worker failed: ValueError: its own fault" in done.stdout
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output


def score_all(main: MainBranch, place: Path) -> Result:
    return run(
        *("ci", "score", "--all", "--submissions", main.repository.folder / "submissions"),
        *("--challenge", "sample", "--results", place / "results", "--out", place / "left"),
    )


def test_scoring_a_folder_goes_on_after_one_that_cannot_be_read(main, tmp_path):
    folder = main.repository.folder / "submissions"
    (folder / "bad" / "model.py").unlink()
    os.mkfifo(folder / "bad" / "model.py")
    (folder / "Not A \x1b[31mTeam").mkdir()
    (folder / "hollow").mkdir()
    done = score_all(main, tmp_path)

    assert done.exit_code == 3
    told = json.loads((tmp_path / "left" / "summary.json").read_text())["scorings"]
    assert {one["team"]: one["exit_code"] for one in told} == {
        "ant": 0,
        "bad": 3,
        "cow": 0,
        "hollow": 3,
    }
    assert "is left out: no team can have this name" in done.stderr
    assert "\x1b" not in done.output


def test_a_card_that_is_gone_before_it_is_laid_out_is_told(main, tmp_path, monkeypatch):
    def vanish(card, results, **beside):
        path = written(card, results, **beside)
        if card.submission.team == "bad":
            path.unlink()
        return path

    written = cards.write_card
    monkeypatch.setattr(cards, "write_card", vanish)
    done = score_all(main, tmp_path)

    assert done.exit_code == 5
    assert sorted(path.stem for path in (tmp_path / "left" / "cards").iterdir()) == ["ant", "cow"]
    comment = run("ci", "comment", "--artefact", tmp_path / "left", "--challenge", "sample").stdout
    assert "`bad`: not scored" in comment
    assert "not readable" in comment
    assert "## `ant`: Variational encoder" in comment


def forge(card: Path, how: str) -> None:
    content = card.read_bytes()
    card.unlink()
    match how:
        case "truncated":
            card.write_bytes(content[:-9])
        case "too large":
            card.write_bytes(content + b" " * MAX_CARD_BYTES)
        case "another team's":
            card.write_bytes(content.replace(b'"bad"', b'"ant"'))
        case "NaN":
            card.write_bytes(content.replace(b'"seed":', b'"seed": NaN, "x":'))
        case "a pipe":
            os.mkfifo(card)
        case "a folder":
            card.mkdir()
        case "a link":
            card.symlink_to(card.with_name("ant.json"))


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("missing", "is not among what the run left"),
        ("truncated", "Invalid JSON"),
        ("too large", "larger than 4,194,304 bytes"),
        ("another team's", "it is of another team or challenge"),
        ("NaN", "challenge.seed"),
        ("a pipe", "is no regular file"),
        ("a folder", "Is a directory"),
        ("a link", "Too many levels"),
    ],
)
def test_one_card_of_an_artefact_hides_no_other_and_the_comment_says_why(main, tmp_path, how, what):
    assert score_all(main, tmp_path).exit_code == 0
    forge(tmp_path / "left" / "cards" / "bad.json", how)
    done = run(
        *("ci", "comment", "--artefact", tmp_path / "left", "--challenge", "sample"),
        *("--results", tmp_path / "none"),
    )

    assert done.exit_code == 0
    shown = readable_text(done.stdout)
    assert "## `bad`: not scored" in shown
    assert what in shown
    assert "## `ant`: Variational encoder" in shown
    assert "## `cow`: Variational encoder" in shown
    assert "did not fit" not in shown


def readable_text(comment: str) -> str:
    from harness.ci.comment import readable

    return readable(comment)


def contradicting(how: str) -> ScoreCard:
    """A card of the right form whose parts do not fit together."""
    card = make_card("bad", seed=3)
    physics = card.firmware_physics
    assert isinstance(physics, Physics)
    (signal, values), *_ = physics.replicates.items()
    match how:
        case "replicates":
            physics = physics.model_copy(
                update={"replicates": {**physics.replicates, signal: values[:-1]}}
            )
        case "roc":
            cut = physics.roc[signal].model_copy(update={"fpr": ()})
            physics = physics.model_copy(update={"roc": {**physics.roc, signal: cut}})
        case "rates":
            points = tuple(
                point.model_copy(update={"rates": {}}) if isinstance(point, WorkingPoint) else point
                for point in physics.working_points
            )
            physics = physics.model_copy(update={"working_points": points})
    return card.model_copy(update={"firmware_physics": physics})


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("replicates", "different numbers of bootstrap replicates"),
        ("roc", "a ROC curve has not one TPR for each FPR"),
        ("rates", "a signal has no rate"),
    ],
)
def test_a_card_whose_parts_contradict_each_other_stops_no_board(main, how, what):
    spoil(main, {"bad": lambda made: replace(made, card=None, exit_code=5)})
    cards.write_card(contradicting(how), main.board / "results")
    _, told = publish(main)

    check_others(main, told)
    done = run("leaderboard", "--results", main.board / "results", "--challenge", "sample")
    assert what in " ".join(done.stderr.split())
    # Nor is such a card kept where a worker gives it.
    spoil(main, {"bad": with_card(lambda _: contradicting(how).model_dump_json().encode())})
    main.repository.commit("main", {"submissions/bad/note.txt": b"again"})
    _, told = publish(main)
    assert told["bad"]["status"] == "failed"


def test_a_card_with_another_number_of_replicates_is_not_ranked_and_stops_nobody(tmp_path):
    for team in ("ant", "cow"):
        cards.write_card(make_card(team, seed=ord(team[0])), tmp_path / "results")
    card = make_card("bad", seed=3)
    changes = {}
    for name in ("float_physics", "firmware_physics"):
        physics = getattr(card, name)
        fewer = {signal: values[:7] for signal, values in physics.replicates.items()}
        changes[name] = physics.model_copy(update={"replicates": fewer})
    cards.write_card(card.model_copy(update=changes), tmp_path / "results")

    done = run("leaderboard", "--results", tmp_path / "results", "--challenge", "sample", "--json")
    rows = {row["team"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["bad"]["rank"] is None
    assert "7 bootstrap replicates; this board compares 500" in rows["bad"]["reasons"]
    assert {rows["ant"]["rank"], rows["cow"]["rank"]} <= {1, 2}


def test_a_page_that_cannot_be_drawn_stops_no_other(main, monkeypatch):
    def sections(subject):
        if subject.team == "bad":
            raise KeyError("\x1b[31m<b>hplus")
        return drawn(subject)

    drawn = static_site.submission_sections
    monkeypatch.setattr(static_site, "submission_sections", sections)
    publish(main)

    entries = main.board / "docs" / "sample" / "entries"
    page = (entries / "bad.html").read_text(encoding="utf-8")
    assert "This entry cannot be drawn" in page
    assert "<b>hplus" not in page
    assert "cannot be drawn" not in (entries / "ant.html").read_text(encoding="utf-8")
