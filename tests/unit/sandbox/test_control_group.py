"""Where the machine gives control groups, each step has one; nothing is left of it."""

from __future__ import annotations

import dataclasses
import subprocess

import pytest

from harness.errors import EnvironmentFaultError, LimitError
from harness.sandbox import control_group, open_sandbox
from harness.sandbox import run as run_module
from harness.sandbox.control_group import ControlGroup, find_base, remove_abandoned, settings
from harness.sandbox.step import MIB, Limits, Step

# Groups of version 2 exist on most machines, with controllers or without.
ANY_BASE = find_base(controllers=())
needs_groups = pytest.mark.skipif(ANY_BASE is None, reason="no control groups can be made here")
needs_counting = pytest.mark.skipif(find_base() is None, reason="no control group counts here")


@pytest.fixture
def machine(tmp_path):
    """Return a function that makes groups as folders, and the /proc of a process in the last."""

    def make(offered, *, own="/user.slice/session", shown="/"):
        mount, proc = tmp_path / "groups", tmp_path / "proc"
        for path, controllers in offered.items():
            folder = mount / path
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cgroup.subtree_control").write_text(f"{controllers}\n")
        proc.mkdir()
        (proc / "cgroup").write_text(f"4:memory:/elsewhere\n0::{own}\n")
        (proc / "mountinfo").write_text(
            f"25 1 0:22 / /proc rw - proc proc rw\n"
            f"30 1 0:26 {shown} {mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
        )
        return mount, proc

    return make


@pytest.fixture
def entered(monkeypatch):
    """Let every folder be entered: the files of the kernel are not there."""
    monkeypatch.setattr(control_group, "_lets_enter", lambda folder: True)


def test_the_nearest_group_that_limits_memory_and_processes_is_taken(machine, entered):
    mount, proc = machine(
        {"": "cpu memory pids", "user.slice": "memory pids", "user.slice/session": ""}
    )

    assert find_base(proc=proc) == mount / "user.slice"


@pytest.mark.parametrize("offered", ["", "memory", "pids hugetlb"])
def test_a_group_that_counts_only_some_is_none(machine, entered, offered):
    _, proc = machine({"": offered, "user.slice": "", "user.slice/session": ""})

    assert find_base(proc=proc) is None


def test_within_a_container_the_group_is_found_below_what_is_shown(machine, entered):
    mount, proc = machine({"": "memory pids", "b": ""}, own="/docker/a/b", shown="/docker/a")

    assert find_base(proc=proc) == mount


@pytest.mark.parametrize("own", ["/../above", "/elsewhere"])
def test_a_group_that_cannot_be_seen_is_none(machine, entered, own):
    _, proc = machine({"": "memory pids"}, own=own, shown="/docker")

    assert find_base(proc=proc) is None


@needs_groups
def test_a_group_that_no_process_can_enter_is_none(monkeypatch):
    monkeypatch.setattr(control_group, "ENTER", "exit 1")

    assert find_base(controllers=()) is None


def test_where_there_is_no_procfs_there_is_no_group(tmp_path):
    assert find_base(proc=tmp_path) is None


def test_a_step_s_group_limits_memory_scratch_and_processes():
    limits = Limits(memory_bytes=100 * MIB, scratch_bytes=20 * MIB, n_processes=10)

    assert settings(limits) == {
        "memory.max": str(120 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "12",
    }


@needs_groups
def test_a_program_begins_in_its_group_and_the_group_is_gone_afterwards():
    with control_group.control_group(ANY_BASE, {"cgroup.max.depth": "0"}) as group:
        said = subprocess.run(
            [*group.entering(), "/bin/cat", "/proc/self/cgroup"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert (group.folder / "cgroup.max.depth").read_text() == "0\n"

    assert f"0::/{group.folder.name}" in said or f"/{group.folder.name}\n" in said
    assert not group.folder.exists()


@needs_groups
def test_the_group_of_a_run_that_was_killed_is_removed_by_the_next():
    left = ANY_BASE / f"{control_group.PREFIX}left"
    left.mkdir()

    with control_group.control_group(ANY_BASE, {}) as used:
        remove_abandoned(ANY_BASE)
        assert used.folder.exists()

    assert not left.exists()


@needs_groups
def test_a_step_runs_in_its_group_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "find_base", lambda: ANY_BASE)
    sandbox = open_sandbox("bwrap")
    before = set(ANY_BASE.glob(f"{control_group.PREFIX}*"))
    seen = []

    step = Step(
        name="x",
        entry="harness.sandbox.trial:loiter",
        request={"wall_s": 0.2},
        outputs={"a": 1},
        progress=lambda _: seen.extend(_members(ANY_BASE)),
    )
    sandbox.run(step, tmp_path)

    assert len(set(seen)) == 3  # bubblewrap, the first process of its namespace, the worker
    assert set(ANY_BASE.glob(f"{control_group.PREFIX}*")) <= before
    assert sandbox.record.detail["memory"] == run_module.COUNTED


def _members(base):
    groups = base.glob(f"{control_group.PREFIX}*/cgroup.procs")
    return [pid for group in groups for pid in group.read_text().split()]


def test_without_groups_steps_run_and_the_record_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "find_base", lambda: None)

    sandbox = open_sandbox("bwrap")

    assert sandbox.groups is None
    assert sandbox.record.detail["memory"] == run_module.MEASURED


def test_a_group_that_cannot_be_made_is_a_fault_of_the_environment(tmp_path, bwrap):
    broken = dataclasses.replace(bwrap, groups=tmp_path / "gone")

    with pytest.raises(EnvironmentFaultError, match="control group"):
        broken.run(Step(name="x", entry="harness.sandbox.trial:nothing"), tmp_path)


def test_what_the_kernel_ended_for_want_of_memory_is_told_from_the_rest(tmp_path):
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 40\noom 1\noom_kill 3\n")
    assert ControlGroup(folder=tmp_path).ran_out_of_memory()

    events.write_text("low 0\nhigh 0\nmax 40\noom 0\noom_kill 0\n")
    assert not ControlGroup(folder=tmp_path).ran_out_of_memory()

    events.unlink()
    assert not ControlGroup(folder=tmp_path).ran_out_of_memory()


@needs_counting
def test_memory_between_two_measurements_is_limited_by_the_kernel(execute, bwrap, monkeypatch):
    monkeypatch.setattr("harness.sandbox.child.FIRST_TICK_S", 60.0)
    monkeypatch.setattr("harness.sandbox.child.LAST_TICK_S", 60.0)
    code = """
import os, time
for n in range(4):
    if os.fork() == 0:
        memory = b'x' * (200 * 2 ** 20)
        time.sleep(30)
os.wait()
"""
    with pytest.raises(LimitError, match="memory: the kernel ended it; 512 MiB are allowed"):
        execute(bwrap, code, limits=Limits(memory_bytes=512 * MIB, wall_s=30))
