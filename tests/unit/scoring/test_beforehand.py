"""What is done of the firmware while the events are scored."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import nullcontext
from types import SimpleNamespace

import psutil
import pytest

from harness.board.queued import stage_in
from harness.errors import LimitError
from harness.firmware.backend import FirmwareSettings
from harness.firmware.rtl import build as rtl
from harness.scoring import pipeline, with_firmware
from harness.scoring.stages import StageClock

SETTINGS = FirmwareSettings()


@pytest.fixture
def looked(monkeypatch):
    """Look for firmware; `begin` notes that it was called, and does as it is asked."""
    called: list[object] = []

    def look(*, made=None, backend="rtl", has_room=True, begin=lambda request: "begun"):
        def note(request):
            called.append(request)
            return begin(request)

        request = SimpleNamespace(settings=SETTINGS)
        monkeypatch.setattr(with_firmware, "_firmware_request", lambda *_: request)
        monkeypatch.setattr(with_firmware, "find_made", lambda *_, **__: made)
        monkeypatch.setattr(rtl, "begin", note)
        free = SETTINGS.memory_bytes - (0 if has_room else 1)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
        run = SimpleNamespace(
            stage=lambda *_, **__: nullcontext("workspace"),
            clock=SimpleNamespace(settle=lambda _: None),
            backend=backend,
        )
        monkeypatch.setattr(with_firmware, "_firmware_cache", lambda _: None)
        return with_firmware.find_firmware(run, "network", "fpga", None), called

    return look


def test_firmware_that_is_not_there_is_begun(looked):
    found, called = looked()

    assert (found.made, found.begun, len(called)) == (None, "begun", 1)


@pytest.mark.parametrize(
    "given", [{"made": "firmware"}, {"backend": "estimate"}, {"has_room": False}]
)
def test_nothing_is_begun_of_what_is_there_without_room_and_for_others(looked, given):
    found, called = looked(**given)

    assert (found.made, found.begun, called) == (given.get("made"), None, [])


def test_what_fails_beside_the_scoring_is_left_for_its_turn(looked):
    def fail(_):
        raise LimitError("too slow")

    found, called = looked(begin=fail)

    assert (found.made, found.begun, len(called)) == (None, None, 1)


def test_a_fault_of_ours_is_not_hidden(looked):
    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        looked(begin=fail)


def test_a_queue_shows_that_all_waits_for_the_firmware(tmp_path):
    begun: Future[tuple[str, str]] = Future()
    lines, seen = ["score: events", "score: done in 1.0 s"], []

    def hear(line):
        lines.append(line)
        if not begun.done():
            seen.append(stage_in("\n".join(lines)))
            begun.set_result(("cost", "beforehand"))

    clock = StageClock(progress=hear, history=tmp_path / "timings.json", kind="any")
    run = SimpleNamespace(clock=clock)

    assert pipeline._result_of_looking(run, begun, "fpga") == ("cost", "beforehand")
    assert seen == ["firmware"]
    assert lines[-1].startswith("firmware: done in")
    # The work is timed where it is done.
    assert clock.usage == {}
    n_lines = len(lines)
    assert pipeline._result_of_looking(run, begun, "fpga") == ("cost", "beforehand")
    assert len(lines) == n_lines
