"""The doctor tries each guard, and says what to set where there is no sandbox."""

from __future__ import annotations

import pytest

from harness.errors import EnvironmentFaultError
from harness.sandbox import doctor, probe
from harness.sandbox.advice import advise
from harness.sandbox.workspace import open_workspace


def test_on_this_machine_every_guard_holds():
    found = probe()

    assert found.problems == ()
    assert [tried for tried in found.guards if not tried.is_held] == []
    assert found.is_complete


def test_without_isolation_the_guards_are_seen_to_be_open():
    """The doctor's own trials can fail: in mode none, most do."""
    with open_workspace("none") as workspace:
        guards = {tried.guard: tried for tried in doctor.look_around(workspace)}

    open_ones = {guard for guard, tried in guards.items() if not tried.is_held}
    assert {"files", "devices", "processes", "network", "calls"} <= open_ones


def test_a_machine_without_a_sandbox_is_told_why(monkeypatch):
    def refuse(kind):
        raise EnvironmentFaultError("bubblewrap is not installed")

    monkeypatch.setattr(doctor, "open_workspace", refuse)

    found = doctor.probe()

    assert not found.is_complete
    assert found.problems[0].what == "bubblewrap is not installed"


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict"),
        ("kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "max_user_namespaces=15000"),
    ],
)
def test_each_obstacle_has_its_remedy(tmp_path, setting, value, remedy):
    place = tmp_path / "proc/sys" / setting
    place.parent.mkdir(parents=True)
    place.write_text(f"{value}\n")

    (advice,) = advise("Permission denied", tmp_path)

    assert remedy in advice.fix


def test_in_a_container_its_flags_are_named(tmp_path):
    (tmp_path / ".dockerenv").touch()

    (advice,) = advise("Operation not permitted", tmp_path)

    assert "--security-opt seccomp=unconfined" in advice.fix


def test_a_refusal_without_a_known_cause_still_says_what_to_do(tmp_path):
    (advice,) = advise("bwrap: Creating new namespace failed: Operation not permitted", tmp_path)

    assert "--unsafe" in advice.fix


def test_no_advice_where_nothing_was_refused(tmp_path):
    assert advise("No space left on device", tmp_path) == ()
