"""The doctor tries each guard, and says what to set where there is no sandbox."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import wsgiref
from pathlib import Path

import pytest

from harness.errors import EnvironmentFaultError, LimitError
from harness.sandbox import bubblewrap, doctor, inside, look, outside, probe, run, start
from harness.sandbox.advice import advise
from harness.sandbox.bindings import Place
from harness.sandbox.control_group import find_base
from harness.sandbox.look import Seen, TriedGuard
from harness.sandbox.run import COUNTED, MEASURED
from harness.sandbox.workspace import open_workspace
from tests.broken_bwrap import FULL_OF_HOLES, environment_with, write_bwrap
from tests.surroundings import surroundings

LIMITS = run.resource_limits("bwrap", look.LOOKS)
SHORT_TRIAL = """
from harness.sandbox import doctor, open_workspace
with open_workspace("bwrap") as workspace:
    for tried in doctor.try_isolation(workspace):
        print(tried.guard, "holds" if tried.is_held else "FAILS", tried.detail)
"""


def test_on_this_machine_every_guard_holds():
    found = probe()

    assert found.problems == ()
    assert [tried for tried in found.guards if not tried.is_held] == []
    assert found.is_complete
    (counting,) = [tried.detail for tried in found.guards if tried.guard == "counting"]
    assert counting == (MEASURED if find_base() is None else COUNTED)


@pytest.mark.parametrize("name", surroundings())
def test_in_other_surroundings_every_guard_is_seen_to_hold_as_well(name):
    done = subprocess.run(
        [*surroundings()[name], sys.executable, "-c", SHORT_TRIAL],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0
    assert "user holds" in done.stdout
    assert "FAILS" not in done.stdout
    is_closed = "calls holds not tried: 32-bit calls: [Errno 1] Operation not permitted"
    assert (is_closed in done.stdout) == (name == "another filter")


def test_without_isolation_the_guards_are_seen_to_be_open():
    """The doctor's own trials can fail: in mode none, most do."""
    with open_workspace("none") as workspace:
        guards = {tried.guard: tried for tried in look.look_around(workspace)}

    open_ones = {guard for guard, tried in guards.items() if not tried.is_held}
    assert {"files", "devices", "processes", "network", "calls"} <= open_ones


@pytest.fixture
def try_with(monkeypatch, tmp_path):
    """Return a function that tries the isolation with a bubblewrap that is changed."""

    def run(change):
        broken = write_bwrap(tmp_path, change)
        monkeypatch.setattr(bubblewrap, "find_bwrap", lambda: broken)
        with open_workspace("bwrap") as workspace:
            guards = doctor.try_isolation(workspace)
        return {tried.guard: tried.detail for tried in guards if not tried.is_held}

    return run


@pytest.mark.parametrize(
    ("change", "guard", "detail"),
    [
        ("drop('--unshare-ipc')", "namespaces", "the ipc namespace is the harness's"),
        ("drop('--die-with-parent')", "end", "it went on after"),
        ("drop('--size')", "scratch", "/tmp has"),
        ("drop('--remount-ro', '/')", "writes", "/ is not mounted read-only"),
        ("add('--bind', '/var/tmp', '/root2')", "files", "/root2 is not on the list"),
        ("drop('--seccomp')", "calls", "no filter is in force"),
    ],
)
def test_what_bubblewrap_leaves_out_or_adds_is_seen(try_with, change, guard, detail):
    """What is tried is the sandbox; that the command is another one is seen as well.

    `tests/hostile/test_doctor.py` does it for every word of the command.
    """
    found = try_with(change)

    assert detail in found[guard]
    assert "command" in found


def test_a_bubblewrap_that_changes_nothing_passes(try_with):
    assert try_with("") == {}


def test_a_mount_below_a_bound_folder_is_seen(try_with):
    """No listing of the root shows it."""
    deep = Path(wsgiref.__file__).parent
    found = try_with(f"add('--bind', '/var/tmp', {str(deep)!r})")

    assert f"{deep} is mounted writable" in found["mounts"]


def test_the_command_names_what_is_missing_and_whose_fault_it_is(tmp_path):
    broken = write_bwrap(tmp_path, FULL_OF_HOLES)

    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "doctor"],
        env={**environment_with(broken), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 5, done.stderr
    for seen in (
        "it lacks --unshare-ipc --unshare-net --die-with-parent",
        "the ipc namespace is the harness's, the net namespace is the harness's",
        "/host is not on the list, /root2 is not on the list",
        "/proc/self is no folder",
        "/proc is mounted, but not on the list",
        "scratch: it does not hold that the scratch folder has its size",
        "it went on after the process that started it was killed",
        f"{broken} (bubblewrap 0",
        "install it again",
    ):
        assert seen in done.stderr
    assert "Traceback" not in done.stderr


def test_in_a_control_group_every_guard_is_seen_to_hold_as_well(monkeypatch):
    """A shell enters it first, which adds to the environment and hands over its descriptors."""
    base = find_base(controllers=())
    if base is None:
        pytest.skip("no control groups can be made here")
    monkeypatch.setattr(run, "find_base", lambda: base)

    with open_workspace("bwrap") as workspace:
        guards = doctor.try_isolation(workspace)

    assert [tried for tried in guards if not tried.is_held] == []


def is_lower_already(name):
    hard = resource.getrlimit(getattr(resource, name))[1]
    return hard != resource.RLIM_INFINITY and hard <= LIMITS[name][1]


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_is_not_set_is_seen(monkeypatch, name):
    if is_lower_already(name):
        pytest.skip("this machine limits it anyway")
    others = {other: most for other, most in LIMITS.items() if other != name}
    monkeypatch.setattr(run, "resource_limits", lambda kind, step: others)

    with open_workspace("bwrap") as workspace:
        guards = {tried.guard: tried for tried in look.look_around(workspace)}

    assert guards["limits"].detail.startswith(name)
    assert [guard for guard, tried in guards.items() if not tried.is_held] == ["limits"]


def test_a_filter_without_rules_is_seen_in_what_the_kernel_itself_does_not_deny(monkeypatch):
    # BPF: return "allow".
    monkeypatch.setattr(start, "filter_program", lambda **_: bytes.fromhex("060000000000ff7f"))
    monkeypatch.setattr(look, "MAX_SHOWN", inside.MAX_FOUND)

    with open_workspace("bwrap") as workspace:
        guards = {tried.guard: tried for tried in look.look_around(workspace)}

    seen = {*guards["calls"].detail.partition(" and ")[0].split(", ")}
    assert {"ptrace", "bpf", "add_key", "sync", "syncfs", "mount", "unshare", "setns"} <= seen
    assert {"socket", "bind", "clone3", "io_uring_setup", "memfd_create", "shmget"} <= seen
    assert {"epoll_create1", "seccomp", "fsync", "msync", "clone with 0x10000000"} <= seen
    assert {"mmap with 0x21", "mmap with 0x100", "fcntl with 0x25", "prctl with 0x16"} <= seen
    assert guards["network"].detail == "internet, unix, netlink"


def test_a_processor_that_is_taken_away_meanwhile_is_no_fault(monkeypatch):
    texts = iter(["processor: 0\nprocessor: 1\n", *["processor: 0\n"] * 9])
    start.stand_ins.cache_clear()
    monkeypatch.setattr(start, "read_text", lambda path: next(texts))

    with open_workspace("bwrap") as workspace:
        guards = look.look_around(workspace)

    start.stand_ins.cache_clear()
    assert [tried for tried in guards if not tried.is_held] == []


def test_the_groups_of_an_ordinary_user_have_one_number_in_a_step(monkeypatch):
    """Only root can drop them; the kernel shows what is not in the namespace as one number."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert len(bubblewrap.groups()) == 1
    own = (os.getuid(), os.getuid())
    monkeypatch.setattr(os, "getgroups", lambda: [4711])

    assert [*inside._strange_ids(own, [4711])] == []
    assert [*inside._strange_ids(own, [])] == ["user or group 4711"]


def test_strange_names_of_mounts_are_read_as_they_are():
    places = [Place(path="/lib", kind="read-only"), Place(path="/in/a b", kind="read-only")]
    mountinfo = "".join(
        f"1 1 0:1 / {path} ro,nosuid - x x ro\n"
        for path in ("/", "/lib", "/lib/\x85\x1c", "/in/a\\040b")
    )

    assert [*outside._strange_mounts(mountinfo, places)] == []


def test_a_namespace_that_this_kernel_does_not_have_is_not_tried(monkeypatch):
    monkeypatch.setattr(outside, "NAMESPACES", (*outside.NAMESPACES, "moon"))

    with open_workspace("bwrap") as workspace:
        guards = {tried.guard: tried for tried in look.look_around(workspace)}

    assert guards["namespaces"].is_held
    assert guards["namespaces"].detail == "not tried: moon: this kernel has no such namespace"


def test_a_step_that_cannot_be_looked_at_from_outside_was_not_tried(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(outside, "look", refuse)

    with open_workspace("bwrap") as workspace:
        guards = {tried.guard: tried for tried in look.look_around(workspace)}

    untried = {guard for guard, tried in guards.items() if not tried.is_tried}
    assert untried == {"command", "namespaces", "mounts"}
    assert not any(guards[guard].is_held for guard in untried)
    assert "Permission denied" in guards["mounts"].detail


def test_what_was_not_tried_is_no_fault_of_bubblewrap_s():
    full = look.judge("outputs", "it can be written", Seen(failed=("No space left on device",)))

    (problem, remedy) = doctor.faults_of([full])

    assert not full.is_held
    assert problem.what == "it was not tried that it can be written: No space left on device"
    assert "room in its temporary folder" in remedy.fix


def test_what_bubblewrap_was_asked_for_and_is_not_there_is_no_fault_of_the_installation():
    broken = TriedGuard(guard="host", claim="it is hidden", is_held=False, detail="x")

    (_, remedy) = doctor.faults_of([broken])

    assert "received the whole command; this kernel" in remedy.what
    assert "install" not in remedy.fix


def test_a_step_that_never_begins_is_no_step_that_outlives_its_parent(try_with):
    with pytest.raises(EnvironmentFaultError, match="did not start"):
        try_with("if '/in/input' not in words: drop('--ro-bind', '/lib64')")


def test_a_limit_that_is_reached_holds_also_where_the_disk_is_nearly_full(monkeypatch):
    monkeypatch.setattr(run, "LEAST_FREE_BYTES", 2**62)

    with open_workspace("bwrap") as workspace:
        guards = doctor._try_limits(workspace)

    assert [tried for tried in guards if not tried.is_held] == []


def test_a_trial_that_fails_is_the_fault_of_the_machine(monkeypatch):
    """No participant's code runs in it: neither a limit nor a report can be a team's fault."""

    def fail(*_, **__):
        raise LimitError("reached the limit on memory")

    monkeypatch.setattr(doctor, "look_around", fail)
    with open_workspace("bwrap") as workspace, pytest.raises(EnvironmentFaultError, match="limit"):
        doctor.try_isolation(workspace)


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


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("bwrap: Unknown option --unshare-moon", "too old: it does not know --unshare-moon"),
        ("bwrap: Can't find source path /root/x: Permission denied", "cannot see /root/x: Perm"),
        ("bwrap: execvp /venv/bin/python: Permission denied", "/venv/bin/python cannot be started"),
        ("setpriv: failed to execute /a/python: No such file or directory", "/a/python cannot be"),
        ("setpriv: setresuid failed: Operation not permitted", "root cannot become another user"),
        (
            "bwrap: Unable to set up system call filtering as requested: it reported EINVAL",
            "takes no filter of system calls",
        ),
        ("bwrap: Creating new namespace failed: No space left on device", "no more namespaces"),
        ("bwrap: Creating new namespace failed: nesting depth (ENOSPC)", "no more namespaces"),
        ("bwrap: loopback: Failed RTM_NEWADDR: No child processes", "cannot bring up the loopback"),
    ],
)
@pytest.mark.parametrize("mark", ["", ".dockerenv"])
def test_the_cause_is_the_one_that_was_seen_in_a_container_too(tmp_path, said, what, mark):
    if mark:
        (tmp_path / mark).touch()

    (advice,) = advise(said, tmp_path)

    assert what in advice.what
    assert advice.fix


@pytest.mark.parametrize("said", ["bwrap: Can't open /x: Too many open files", "killed", ""])
def test_in_a_container_too_what_was_not_refused_is_not_blamed_on_it(tmp_path, said):
    (tmp_path / ".dockerenv").touch()

    assert advise(said, tmp_path) == ()


def test_what_keeps_others_from_making_namespaces_is_not_blamed_for_root(tmp_path):
    place = tmp_path / "proc/sys/kernel/unprivileged_userns_clone"
    place.parent.mkdir(parents=True)
    place.write_text("0\n")
    said = "bwrap: Creating new namespace failed: Operation not permitted"

    assert "only root" in advise(said, tmp_path)[0].what
    assert "only root" not in advise(said, tmp_path, is_root=True)[0].what


def test_a_package_that_is_not_there_leaves_no_descriptor_open_in_a_step(monkeypatch):
    monkeypatch.setattr("harness.sandbox.bindings.NEEDS_PROC", "no_package_of_this_name")

    found = probe()

    (tried,) = (tried for tried in found.guards if tried.guard == "environment")
    assert tried.is_held, tried.detail
