"""What is done of the firmware while the events are scored."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from harness.errors import LimitError
from harness.firmware.rtl import build as rtl
from harness.scoring import with_firmware


@pytest.fixture
def looked(monkeypatch):
    """Look for firmware; `begin` notes that it was called, and does as it is asked."""
    called: list[object] = []

    def look(*, made=None, backend="rtl", has_room=True, begin=lambda request: "begun"):
        def note(request):
            called.append(request)
            return begin(request)

        monkeypatch.setattr(with_firmware, "_firmware_request", lambda *_: "request")
        monkeypatch.setattr(with_firmware, "find_made", lambda *_, **__: made)
        monkeypatch.setattr(rtl, "begin", note)
        run = SimpleNamespace(
            stage=lambda *_, **__: nullcontext("workspace"),
            clock=SimpleNamespace(settle=lambda _: None),
            early=SimpleNamespace(has_room=lambda: has_room),
            backend=backend,
        )
        monkeypatch.setattr(with_firmware, "_firmware_cache", lambda _: None)
        return with_firmware.find_firmware(run, "network", "fpga", None), called

    return look


def test_firmware_that_is_not_there_is_begun(looked):
    found, called = looked()

    assert (found.made, found.begun, called) == (None, "begun", ["request"])


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

    assert (found.made, found.begun, called) == (None, None, ["request"])


def test_a_fault_of_ours_is_not_hidden(looked):
    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        looked(begin=fail)
