"""What commands print."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.card.figures import NotMeasured
from harness.cli import output
from harness.cli.output import print_error, print_json
from harness.errors import InvalidSubmissionError, Problem


@dataclass(frozen=True)
class _Found:
    path: Path
    reasons: tuple[str, ...]


def test_a_problem_is_shown_with_place_expectation_and_remedy():
    stream = io.StringIO()
    problem = Problem(what="is [b]17[/b]", where="model.py", expected="16", fix="subtract")
    print_error(InvalidSubmissionError(problem, "and more"), Console(file=stream, width=40))

    assert stream.getvalue().splitlines() == [
        "error: model.py: is [b]17[/b]",
        "  expected: 16",
        "  to do: subtract",
        "error: and more",
    ]


def test_json_of_dataclasses_and_documents_anywhere_in_a_result(capsys):
    found = _Found(Path("a/b"), ("one", "two"))
    print_json({"found": [found], "missing": NotMeasured(not_measured="no tool")})

    assert json.loads(capsys.readouterr().out) == {
        "found": [{"path": "a/b", "reasons": ["one", "two"]}],
        "missing": {"not_measured": "no tool"},
    }


def test_json_of_a_document_is_its_own(capsys):
    print_json(NotMeasured(not_measured="kein Gerät"))

    assert capsys.readouterr().out == '{\n "not_measured": "kein Ger\\u00e4t"\n}\n'


HOSTILE = "\x1b[2J\x9b31mA\u202eB\x1b]0;title\x07C"


def test_nothing_that_a_console_prints_steers_the_terminal(capsys):
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE, style="red")

    for is_error in (False, True):
        output.console(is_error=is_error).print(Text(HOSTILE), table, HOSTILE)
    output.tell(HOSTILE)
    output.progress()(HOSTILE)
    print_error(InvalidSubmissionError(HOSTILE, where=HOSTILE), output.console(is_error=True))
    print_json(NotMeasured(not_measured=HOSTILE))
    print_json({"a": HOSTILE})

    printed = "".join(capsys.readouterr())
    assert "ABC" in printed
    assert not set(printed) & {"\x1b", "\x9b", "\u202e", "\x07"}


def test_colours_of_the_console_itself_stay(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")

    output.console().print(Text(f"{HOSTILE}", style="red"))

    assert "\x1b[31mAB" in capsys.readouterr().out
