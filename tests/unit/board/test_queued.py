"""What queues wrote down is read, and nothing that is broken, silent or of another challenge."""

from __future__ import annotations

from datetime import timedelta

from harness.board.queued import FOLDER, SILENT_AFTER, QueuedEntry, QueueState, listed, read_queues
from harness.challenge import instant
from harness.files import write_json

AT = "2026-03-01T12:00:00Z"
LATER = "2026-03-01T12:05:00Z"


def state(*entries: tuple[str, str], started: str = AT, ended: str | None = None) -> QueueState:
    return QueueState(
        challenge="sample",
        started=started,
        written=started,
        ended=ended,
        entries=tuple(QueuedEntry(team=team, state=word, since=started) for team, word in entries),
    )


def test_queues_are_read_the_last_begun_first_and_a_broken_file_is_none(tmp_path):
    folder = tmp_path / FOLDER
    for name, one in {"sample@a": state(), "sample@b": state(started=LATER)}.items():
        write_json(folder / f"{name}.state", one)
    write_json(folder / "jets@a.state", state().model_copy(update={"challenge": "jets"}))
    (folder / "sample@c.state").write_text('{"schema_version": 9}')
    (folder / "sample@d.state").symlink_to(folder / "nowhere")

    found = read_queues(tmp_path)

    assert {name: [one.started for one in found[name]] for name in found} == {
        "jets": [AT],
        "sample": [LATER, AT],
    }
    assert read_queues(tmp_path / "none") == {}


def test_a_queue_is_silent_when_it_was_not_heard_of_and_has_not_ended():
    now = instant(AT) + SILENT_AFTER + timedelta(seconds=1)
    assert state().is_silent(now)
    assert not state().is_silent(instant(AT) + SILENT_AFTER)
    assert not state(ended=AT).is_silent(now)


def test_of_two_words_about_a_team_the_newer_counts():
    old = state(("a", "running"), ("b", "failed"))
    new = state(("a", "scored"), ("c", "queued"), started=LATER)
    said = [(one.team, one.state) for one in listed([new, old])]
    assert said == [("c", "queued"), ("b", "failed"), ("a", "scored")]
