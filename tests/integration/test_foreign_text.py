"""Text that others wrote gives no orders, wherever a command shows it."""

from __future__ import annotations

import html
import json
import re
import sys
import unicodedata
from pathlib import Path

import h5py
import pytest

from harness.card.files import write_card
from harness.ci.comment import comment_text
from harness.ci.documents import Scoring, Summary
from harness.ci.intake import write_artefact
from harness.cli import main
from harness.cli.progress import progress_bars
from tests.cards import make_card
from tests.repositories import GitRepository, declaration, submission

ORDERS = "\n::add-mask::a\n  ::set-output name=x::y\r::error::z ##[add-mask]b ##\x00[group]"
ESCAPES = "\x1b[2J\x1b]0;t\x07\x9b31m\u202e\u2066\u200b"
HOSTILE = f"x{ORDERS}{ESCAPES}"
# Neither the command line nor git takes a zero.
TYPED = HOSTILE.replace("\x00", "")
# A runner obeys a line that begins so, and ##[ anywhere.
OBEYED = re.compile(r"^\s*::|##\[", re.MULTILINE)


def harmless(text: str) -> None:
    assert not OBEYED.search(text), text
    odd = {sign for sign in text if unicodedata.category(sign) in {"Cc", "Cf"} and sign != "\n"}
    assert odd == set()


@pytest.fixture
def harness(capfd, monkeypatch):
    """Run the whole command line; return its exit code and what it printed."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return run


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", TYPED), 5),
        (("validate", f"./{TYPED}"), 2),
        (("score", ".", "--challenge", TYPED), 3),
        (("leaderboard", "--results", "r", "--challenge", TYPED), 2),
        (("ci", "plan", "--base", TYPED, "--head", "x"), 2),
        (("ci", "freeze", "--reason", "x", "--deadline", TYPED), 2),
        (("ci", "retract", TYPED, "--reason", "x"), 2),
        ((TYPED,), 2),
        (("show", f"--{TYPED}"), 2),
        (("ci", "score", "--all", "--jobs", TYPED), 2),
        (("fetch", "--from", TYPED), 2),
    ],
)
def test_what_was_typed_or_named_is_repeated_without_harm(harness, arguments, code, tmp_path):
    shown = harness(*arguments)
    assert shown[0] == code
    harmless(shown[1])


def test_names_of_files_and_branches_and_authors_of_a_pull_request(harness, tmp_path):
    repository = GitRepository.init(tmp_path / "r", submission("team_a"))
    name = f"submissions/mine/a{ORDERS}".replace("\x00", "")
    head = "pr\u202e##x"
    files = {**submission("mine"), name: b"x", f"submissions/mine/{ESCAPES[:5]}": b"x"}
    repository.commit(head, files, message=TYPED)
    code, shown = harness(
        *("ci", "plan", "--repository", repository.folder, "--base", "main"),
        *("--head", head, "--author", TYPED[:40]),
    )
    assert code in {2, 3}
    harmless(shown)
    code, shown = harness(
        *("ci", "plan", "--repository", repository.folder, "--base", "main"),
        *("--head", head, "--author", "mallory", "--out", tmp_path / "plan.json"),
    )
    assert code == 3
    harmless(shown)
    plan = json.loads(shown)
    assert any("::add-mask::a" in problem["where"] for problem in plan["problems"])
    harness("ci", "score", "--plan", tmp_path / "plan.json", "--out", tmp_path / "left")
    _, shown = harness("ci", "comment", "--artefact", tmp_path / "left", "--results", tmp_path)
    harmless(shown.replace("\u200b", ""))


def test_texts_of_readers_that_repeat_what_they_read(harness, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.py").write_text(f"def score(events): return '{ESCAPES}\n::add-mask::x'\n")
    for content in (
        declaration("mine", title=HOSTILE, division=HOSTILE),
        f'team: "x\n\n::add-mask::y"\n##[x]: !!{HOSTILE[1:4]}'.encode(),
        f"{ESCAPES}".encode(),
    ):
        (folder / "submission.yaml").write_bytes(content)
        code, shown = harness("validate", folder)
        assert code == 3
        harmless(shown)
    result = tmp_path / "result.h5"
    with h5py.File(result, "w") as file:
        file[HOSTILE.replace("\x00", "").replace("/", "")] = [1]
    code, shown = harness("simulate", "manifest", result)
    assert code != 0
    harmless(shown)


def test_a_card_and_its_title_on_every_output(harness, tmp_path):
    card = make_card("mine", title=HOSTILE, warnings=(HOSTILE,), unofficial_because=(HOSTILE,))
    path = write_card(card, tmp_path / "results")
    (path.parent / f"{HOSTILE[:9]}.json".replace("\n", " ")).write_text("{")
    asked = ("leaderboard", "--results", tmp_path / "results", "--challenge", "sample")
    for arguments in (("show", path), ("show", path, "--json"), asked, (*asked, "--json")):
        code, shown = harness(*arguments)
        assert code == 0
        harmless(shown)
    told = json.loads(harness("show", path, "--json")[1])
    assert told["submission"]["title"] == HOSTILE


INJECTIONS = (
    "</pre></details><!-- x --> --> ",
    "```\n# title\n```",
    "[x](http://e.example) ![i](http://e.example/p.png) <http://e.example> www.e.example",
    "@all @org/team #1 GH-1 a/b#2 deadbeef",
    "| a | b |\n| - | - |",
    "<img src=x onerror=alert(1)> <a href=javascript:1>",
    "$x$ `code` **b** ~~s~~ :boom:",
    ESCAPES,
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_log_in_a_comment_is_neither_markup_nor_link_nor_mention(text, tmp_path):
    shown = comment_text(text)
    rest = re.sub(r"&#\d+;", "", shown).replace("\u200b", "").replace("\ufffd", "")
    assert not set(rest) & set("<>[]()`*_#@|!~$:&\n\x1b"), rest
    assert not re.search("@[a-z]|#[0-9]", html.unescape(shown))


def test_the_log_of_a_failure_ends_no_fence_and_no_element(harness, tmp_path):
    scoring = Scoring(
        team="mine",
        challenge="sample",
        status="failed",
        exit_code=1,
        message="\n".join(INJECTIONS) + HOSTILE,
    )
    summary = Summary(challenge="sample", plan=None, scorings=(scoring,))
    write_artefact(summary, tmp_path, tmp_path / "left")
    code, shown = harness("ci", "comment", "--artefact", tmp_path / "left", "--results", tmp_path)
    assert code == 0
    harmless(shown)
    assert shown.count("</pre>") == shown.count("</details>") == 1
    assert shown.count("<!--") == 1
    for sign in ("http://", "](", "@all", "```", "onerror=alert"):
        assert sign not in shown
    assert not re.search("@[a-z]|#[0-9]", html.unescape(shown))


def test_the_label_of_a_bar_gives_no_orders(capfd):
    with progress_bars() as show:
        show(f"checksum of {HOSTILE}", 1, 2, "bytes")
        show(f"checksum of {HOSTILE}", 2, 2, "bytes")
    shown = capfd.readouterr().err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert not re.search(r"^\s*::", shown.replace("\r", "\n"), re.MULTILINE)
