"""Attacks by names and texts, which become file names, pages and comments."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from harness.card.html import text_html
from harness.card.text import markdown_text, spreadsheet_text
from harness.errors import HarnessError
from harness.submission.declaration import parse_spec
from harness.submission.digest import scan
from harness.submission.validate import read_submission
from tests.hostile.attack import Attack, NotTried, attack
from tests.hostile.world import World

DECLARATION = """\
team: {team}
title: {title}
authors: [{author}]
division: trigger
description: A sum.
training_data: none
is_supervised: false
licence: Apache-2.0
"""
BENIGN = {"team": "team_a", "title": "A title", "author": "A. Tester"}


def _declared(**changed: str) -> Callable[[World, Path], bool]:
    """Return an attack: whether a declaration with `changed` fields is taken."""

    def run(world: World, folder: Path) -> bool:
        fields = {name: _quoted(value) for name, value in {**BENIGN, **changed}.items()}
        spec, _ = parse_spec(DECLARATION.format(**fields), changed.get("team", BENIGN["team"]))
        return spec is not None

    return run


def _quoted(text: str) -> str:
    escaped = "".join(
        character if character.isascii() and character.isprintable() else f"\\U{ord(character):08x}"
        for character in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'


def _yaml_takes(attack_: Attack, world: World, folder: Path) -> bool:
    """Return a control: the same declaration with nothing changed is taken."""
    return _declared()(world, folder)


for name, team in {
    "climbs": "../x",
    "absolute": "/tmp/x",
    "of-windows": "CON",
    "of-300-letters": "a" * 300,
    "case-twin": "Team_A",
    "hidden": ".git",
    "option": "-rf",
    "newline": "team\n",
    "nul": "team\0",
    "full-width": "\uff54eam",
    "right-to-left": "team\u202e",
    "html": "<b>team</b>",
    "empty": "",
}.items():
    attack(
        f"team-name-{name}",
        kind="names",
        claim="a team's name is a plain file name in lower case",
        run=_declared(team=team),
        control=_yaml_takes,
    )
for name, title in {
    "escape-sequence": "\x1b[2Jfirst",
    "right-to-left": "safe \u202egnp.exe",
    "isolate": "a \u2066b\u2069",
    "newline": "one\n\n# two",
    "nul": "a\0b",
    "line-separator": "a\u2028b",
    "zero-width": "a\u200bb",
    "endless": "x" * 100_000,
}.items():
    attack(
        f"title-{name}",
        kind="names",
        claim="titles and names of authors are one line of printable text",
        run=_declared(title=title, author=title),
        control=_yaml_takes,
    )


def _yaml_builds(text: str) -> Callable[[World, Path], bool]:
    def run(world: World, folder: Path) -> bool:
        spec, _ = parse_spec(text, "team_a")
        return spec is not None

    return run


GOOD = DECLARATION.format(**BENIGN)
for name, text in {
    "python-object": GOOD.replace("A. Tester", "!!python/object/apply:os.getcwd []"),
    "billion-laughs": "a: &a [x]\nb: &b [*a, *a]\n" + GOOD,
    "merge-key": "base: &base {team: other}\n<<: *base\n" + GOOD,
    "double-key": GOOD + "team: team_b\n",
    "nested-deep": GOOD + "references: " + "[" * 1000 + "]" * 1000 + "\n",
    "unknown-field": GOOD + "rank: 1\n",
    "two-documents": GOOD + "---\n" + GOOD,
}.items():
    attack(
        f"declaration-{name}",
        kind="names",
        claim="a declaration is plain fields of known names, nothing that is evaluated or repeated",
        run=_yaml_builds(text),
        control=_yaml_takes,
    )


# --- where texts are shown ---

MARKUP = {
    "script": "<script>alert(1)</script>",
    "event-handler": '"><img src=x onerror=alert(1)>',
    "entity": "&lt;script&gt;",
    "style": "</title><style>*{display:none}</style>",
}
MARKDOWN = {
    "link": "[click](javascript:alert(1))",
    "image": "![](http://example.org/?leak)",
    "mention": "@everyone see #1",
    "table-cell": "a | 1.0 | first",
    "code-fence": "```\n# heading\n```",
    "html": "<details open>",
}
FORMULAS = {
    "formula": "=HYPERLINK(A1)",
    "plus": "+1+cmd|' /C calc'!A0",
    "at-sign": "@SUM(A1)",
    "tab": "\t=1+1",
    "minus": "-2+3",
}


def _is_markup(text: str) -> bool:
    shown = text_html(text)
    return any(sign in shown.replace("<bdi>", "").replace("</bdi>", "") for sign in '<>"')


def _is_markdown(text: str) -> bool:
    return any(sign in markdown_text(text) for sign in "[]()<>@|`!*_\n")


def _is_formula(text: str) -> bool:
    return spreadsheet_text(text).lstrip()[:1] in "=+-@"


for kind, texts, is_obeyed, claim in (
    ("page", MARKUP, _is_markup, "a page shows texts as they are, and obeys none"),
    ("comment", MARKDOWN, _is_markdown, "a comment shows texts as they are, and obeys none"),
    ("csv", FORMULAS, _is_formula, "no spreadsheet takes a text for a formula"),
):
    for name, text in texts.items():
        attack(
            f"{kind}-with-{name}",
            kind="names",
            claim=claim,
            run=lambda world, folder, obeyed=is_obeyed, text=text: obeyed(text),
            control=lambda attack_, world, folder, text=text: any(
                sign in text for sign in '<>&"[]()@|`=+-'
            ),
        )


def _handed_in(make: Callable[[Path], None]) -> Callable[[World, Path], bool]:
    """Return an attack: whether a submission with what `make` adds is taken."""

    def run(world: World, folder: Path) -> bool:
        submission = _write(folder)
        make(submission)
        try:
            read_submission(submission)
        except HarnessError:
            return False
        return True

    return run


def _write(folder: Path) -> Path:
    submission = folder / "team_a"
    submission.mkdir(parents=True)
    (submission / "submission.yaml").write_text(GOOD)
    (submission / "model.py").write_text("def network():\n    return None\n")
    return submission


def _benign_is_taken(attack_: Attack, world: World, folder: Path) -> bool:
    return _handed_in(lambda submission: None)(world, folder)


def _make_socket(submission: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(submission)
        try:
            server.bind("s")
        finally:
            os.chdir(here)


for name, make in {
    "link-to-a-file": lambda place: (place / "weights.npz").symlink_to("/etc/passwd"),
    "link-to-a-folder": lambda place: (place / "data").symlink_to("/"),
    "link-as-model": lambda place: (
        (place / "model.py").unlink(),
        (place / "model.py").symlink_to("/etc/passwd"),
    ),
    "link-as-declaration": lambda place: (
        (place / "submission.yaml").rename(place.parent / "elsewhere.yaml"),
        (place / "submission.yaml").symlink_to(place.parent / "elsewhere.yaml"),
    ),
    "hard-link": lambda place: os.link(place / "model.py", place / "twin.py"),
    "fifo": lambda place: os.mkfifo(place / "pipe"),
    "socket": _make_socket,
    "sparse-terabyte": lambda place: (
        (place / "weights.npz").touch(),
        os.truncate(place / "weights.npz", 2**40),
    ),
    "300-files": lambda place: [(place / f"f{n}").touch() for n in range(300)],
    "deep-folders": lambda place: (place / "/".join("abcdefghijk")).mkdir(parents=True),
    "pickle": lambda place: (place / "weights.pkl").write_bytes(b"\x80\x04N."),
    "joblib": lambda place: (place / "weights.joblib").write_bytes(b"\x80\x04N."),
    "compiled-python": lambda place: (place / "secret.pyc").write_bytes(bytes(16)),
    "name-with-newline": lambda place: (place / "a\nb").touch(),
    "name-that-turns-around": lambda place: (place / "a\u202eb").touch(),
    "broken-archive": lambda place: (place / "weights.npz").write_bytes(b"PK\3\4" + bytes(99)),
    "broken-hdf5": lambda place: (place / "weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n"),
}.items():
    attack(
        f"folder-with-{name}",
        kind="names",
        claim="a submission is some regular files of its own, and says so before any of it runs",
        run=_handed_in(make),
        control=_benign_is_taken,
    )


def _submission_is_a_link(world: World, folder: Path) -> bool:
    submission = _write(folder)
    link = submission.with_name("team_b")
    link.symlink_to(submission)
    try:
        return read_submission(link).spec.team == "team_b"
    except HarnessError:
        return False


attack(
    "folder-that-is-a-link",
    kind="names",
    claim="a link does not give a submission a second name",
    run=_submission_is_a_link,
    control=_benign_is_taken,
)


def _changes_after_the_digest(world: World, folder: Path) -> bool:
    read = read_submission(_write(folder))
    (read.folder / "model.py").write_text("def network():\n    return 'another'\n")
    (folder / "staged").mkdir()
    try:
        staged = read.stage(folder / "staged")
    except HarnessError:
        return False
    return "another" in (staged / "model.py").read_text()


attack(
    "folder-that-changes-after-its-digest",
    kind="names",
    claim="what runs is a copy that has the digest of the card",
    run=_changes_after_the_digest,
    control=NotTried(because="without a copy there would be nothing to compare"),
)


def _unlisted_file_is_seen(world: World, folder: Path) -> bool:
    submission = _write(folder)
    (submission / "__pycache__").mkdir()
    (submission / "__pycache__/model.cpython-311.pyc").write_bytes(b"x")
    read = read_submission(submission)
    (folder / "staged").mkdir()
    staged = read.stage(folder / "staged")
    seen = {path.name for path in staged.rglob("*") if path.is_file()}
    return seen != {path.name for path in scan(submission).files}


attack(
    "compiled-code-in-an-ignored-folder",
    kind="names",
    claim="what is not in the digest is not in the copy that runs",
    run=_unlisted_file_is_seen,
    control=NotTried(because="without a copy there would be nothing to compare"),
)
