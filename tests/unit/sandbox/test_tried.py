"""The isolation is tried before the first scoring of a day; what was tried is kept and recorded."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from harness.card.figures import NotMeasured
from harness.card.run import IsolationRecord, IsolationTrial
from harness.errors import EnvironmentFaultError
from harness.sandbox import Workspace, bubblewrap, look, tried
from harness.sandbox.look import TriedGuard
from harness.sandbox.tried import FILE_NAME, tried_isolation
from tests.broken_bwrap import write_bwrap

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELD = (TriedGuard(guard="files", claim="nothing is there", is_held=True),)


@pytest.fixture
def trials(monkeypatch):
    """Take the place of the trial; return the list of those that were made."""
    made = []

    def note(workspace):
        made.append(workspace)
        return HELD

    monkeypatch.setattr(tried, "try_isolation", note)
    return made


@pytest.fixture
def workspace(bwrap, tmp_path):
    return Workspace(run_step=bwrap.run, folder=tmp_path / "steps")


def test_this_machine_s_guards_hold_and_are_named_in_the_record(workspace, tmp_path):
    trial = tried_isolation("bwrap", workspace, tmp_path / "cache", NOW)

    assert isinstance(trial, IsolationTrial)
    assert {*trial.guards} == {*look.LOOKED_FOR, "end"}
    assert trial.tried == "2026-03-01T12:00:00Z"
    record = IsolationRecord(kind="bwrap", detail={"memory": "counted"}, trial=trial)
    assert IsolationRecord.model_validate_json(record.model_dump_json()) == record
    assert record.summary == (
        f"bwrap; {len(trial.guards)} guards tried at 2026-03-01T12:00:00Z, all hold; memory counted"
    )


def test_it_is_tried_once_a_day(workspace, trials, tmp_path):
    first = tried_isolation("bwrap", workspace, tmp_path, NOW)

    assert tried_isolation("bwrap", workspace, tmp_path, NOW + timedelta(hours=23)) == first
    assert len(trials) == 1
    later = tried_isolation("bwrap", workspace, tmp_path, NOW + timedelta(hours=25))
    assert later.tried == "2026-03-02T13:00:00Z"
    tried_isolation("bwrap", workspace, tmp_path, NOW)  # the clock was set back
    assert len(trials) == 3


@pytest.mark.parametrize(
    "change", ["bwrap", "kernel", "boot", "namespace", "user", "harness", "filter"]
)
def test_it_is_tried_again_where_something_is_another(
    workspace, trials, tmp_path, monkeypatch, change
):
    tried_isolation("bwrap", workspace, tmp_path, NOW)
    other = write_bwrap(tmp_path, "")
    {
        "bwrap": lambda: monkeypatch.setattr(tried, "find_bwrap", lambda: other),
        "kernel": lambda: monkeypatch.setattr(tried.platform, "release", lambda: "7.0"),
        "boot": lambda: monkeypatch.setattr(tried, "BOOT", other),
        "namespace": lambda: monkeypatch.setattr(tried, "AROUND", ("mnt", "moon")),
        "user": lambda: monkeypatch.setattr(os, "geteuid", lambda: 4711),
        "harness": lambda: monkeypatch.setattr(tried.harness, "__version__", "9"),
        "filter": lambda: monkeypatch.setattr(tried, "filter_program", lambda: b"another"),
    }[change]()

    tried_isolation("bwrap", workspace, tmp_path, NOW)

    assert len(trials) == 2


def test_a_bubblewrap_that_is_written_over_is_tried_again(workspace, trials, tmp_path, monkeypatch):
    program = write_bwrap(tmp_path, "")
    monkeypatch.setattr(tried, "find_bwrap", lambda: program)
    tried_isolation("bwrap", workspace, tmp_path, NOW)
    before = program.stat()
    write_bwrap(tmp_path, "drop('--seccomp')")
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))

    tried_isolation("bwrap", workspace, tmp_path, NOW)

    assert len(trials) == 2


def test_a_guard_that_does_not_hold_ends_the_scoring_and_is_never_kept(
    workspace, tmp_path, monkeypatch
):
    broken = TriedGuard(guard="network", claim="no sockets", is_held=False, detail="internet")
    monkeypatch.setattr(tried, "try_isolation", lambda workspace: (*HELD, broken))

    with pytest.raises(EnvironmentFaultError, match="no sockets: internet") as caught:
        tried_isolation("bwrap", workspace, tmp_path, NOW)

    assert caught.value.problems[-1].fix
    assert not (tmp_path / FILE_NAME).exists()


def test_a_record_from_the_future_is_not_trusted(workspace, trials, tmp_path):
    tried_isolation("bwrap", workspace, tmp_path, NOW + timedelta(days=400))

    tried_isolation("bwrap", workspace, tmp_path, NOW)
    tried_isolation("bwrap", workspace, tmp_path, NOW)

    assert len(trials) == 2  # once more, and that one is kept


@pytest.mark.parametrize("place", ["folder", "pipe", "link to nowhere", "closed"])
def test_whatever_lies_in_the_place_of_the_record_the_scoring_goes_on(
    workspace, trials, tmp_path, place
):
    path = tmp_path / FILE_NAME
    {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "link to nowhere": lambda: path.symlink_to(tmp_path / "none" / "x"),
        "closed": lambda: path.touch(mode=0),
    }[place]()

    tried_isolation("bwrap", workspace, tmp_path, NOW)

    assert len(trials) == 1


def test_what_was_not_tried_is_named_on_the_card(workspace, tmp_path, monkeypatch):
    held = TriedGuard(guard="calls", claim="denied", is_held=True, detail="not tried: 32-bit calls")
    monkeypatch.setattr(tried, "try_isolation", lambda workspace: (held,))

    trial = tried_isolation("bwrap", workspace, tmp_path, NOW)

    assert trial.guards == {"calls": "denied; not tried: 32-bit calls"}


def test_what_is_kept_is_read_with_distrust_and_written_if_it_can_be(workspace, trials, tmp_path):
    (tmp_path / FILE_NAME).write_text(json.dumps({"machine": "x"}))
    tried_isolation("bwrap", workspace, tmp_path, NOW)
    (tmp_path / "file").write_text("no folder")

    tried_isolation("bwrap", workspace, tmp_path / "file" / "cache", NOW)

    assert len(trials) == 2


def test_without_a_sandbox_nothing_is_tried(workspace, trials, tmp_path):
    found = tried_isolation("none", workspace, tmp_path, NOW)

    assert isinstance(found, NotMeasured)
    assert trials == []
    record = IsolationRecord(kind="none", trial=found)
    assert record.summary == "none; guards not tried: there was no sandbox (--unsafe)"


def test_a_record_of_an_old_card_says_that_nothing_was_recorded():
    record = IsolationRecord.model_validate({"kind": "bwrap", "detail": {}})

    assert record.summary == "bwrap; guards not tried: not recorded by this scoring"


def test_a_broken_bubblewrap_is_found_before_anything_is_scored(tmp_path, monkeypatch, bwrap):
    broken = write_bwrap(tmp_path, "drop('--unshare-net')")
    monkeypatch.setattr(bubblewrap, "find_bwrap", lambda: broken)
    workspace = Workspace(run_step=bwrap.run, folder=tmp_path / "steps")

    with pytest.raises(EnvironmentFaultError, match="the net namespace is the harness's"):
        tried_isolation("bwrap", workspace, tmp_path, NOW)
