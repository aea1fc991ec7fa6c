"""What a running step uses, seen from outside: its processes' time and memory in /proc."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import LimitError
from harness.sandbox.step import MIB, Limits, Usage

PROC = Path("/proc")
KIB = 1024
# Fields of /proc/PID/stat after the name: user and system time, own and of ended children.
CPU_FIELDS = slice(11, 15)
# A file takes about 1 KiB of the kernel's memory that no size limit of a tmpfs counts.
MAX_SCRATCH_FILES = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What all processes of a step use at one moment.

    Attributes
    ----------
    cpu_s : float
        Processor time of all processes, with that of ended ones.
    memory_bytes : int
        Anonymous and shared memory, resident or swapped, of all processes. Files on a tmpfs that
        are mapped count too, unless that would exceed the limit.
    resident_bytes : int
        Resident memory of all processes, with mapped files; pages shared by two count twice.
    largest_data_bytes : int
        Largest private data memory of one process: what RLIMIT_DATA limits.
    n_processes : int
        Processes alive.
    """

    cpu_s: float = 0.0
    memory_bytes: int = 0
    resident_bytes: int = 0
    largest_data_bytes: int = 0
    n_processes: int = 0


def process_tree(root: int) -> Iterator[int]:
    """Yield `root` and all its living descendants, parents first."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting.extend(_children(pid))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            text = (task / "children").read_text()
            found.extend(int(child) for child in text.split())
    except OSError:
        # The process has ended since its parent was read.
        return found
    return found


def take_sample(root: int, max_memory_bytes: float = math.inf) -> Sample:
    """Measure `root` and its descendants; a process that ends meanwhile is left out.

    Parameters
    ----------
    root : int
        The first process.
    max_memory_bytes : float
        Beyond this, memory is measured again, in a slower and exact way.
    """
    processes = [found for pid in process_tree(root) if (found := _read_process(pid))]
    memory = sum(process.memory_bytes for process in processes)
    if memory > max_memory_bytes:
        memory = sum(process.without_mapped_files() for process in processes)
    return Sample(
        cpu_s=sum(process.cpu_s for process in processes),
        memory_bytes=memory,
        resident_bytes=sum(process.resident_bytes for process in processes),
        largest_data_bytes=max((process.data_bytes for process in processes), default=0),
        n_processes=len(processes),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """What one process uses."""

    pid: int
    cpu_s: float
    private_bytes: int
    shared_bytes: int
    resident_bytes: int
    data_bytes: int

    @property
    def memory_bytes(self) -> int:
        return self.private_bytes + self.shared_bytes

    def without_mapped_files(self) -> int:
        """Return the memory without what lies in files: inputs on a tmpfs are nobody's memory."""
        if not self.shared_bytes:
            return self.private_bytes
        try:
            smaps = (PROC / str(self.pid) / "smaps").read_text()
        except OSError:
            return self.memory_bytes
        return self.private_bytes + shared_anonymous_bytes(smaps)


def shared_anonymous_bytes(smaps: str) -> int:
    """Return the shared memory in a /proc/PID/smaps that is in no file.

    The kernel names it ``/dev/zero (deleted)``. Memory that several processes share is divided
    among them.
    """
    n_bytes, is_counted = 0, False
    for line in smaps.splitlines():
        name, _, value = line.partition(":")
        if " " in name:
            # The head of a mapping: addresses, permissions, offset, device, inode, path.
            is_counted = line.endswith(" /dev/zero (deleted)")
        elif is_counted and name in ("Pss", "SwapPss"):
            n_bytes += int(value.split()[0]) * KIB
    return n_bytes


def _read_process(pid: int) -> _Process | None:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return None
    sizes = _sizes(status)
    ticks = sum(int(value) for value in stat.rpartition(")")[2].split()[CPU_FIELDS])
    return _Process(
        pid=pid,
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
        private_bytes=sizes.get("RssAnon", 0) + sizes.get("VmSwap", 0),
        shared_bytes=sizes.get("RssShmem", 0),
        resident_bytes=sizes.get("VmRSS", 0),
        data_bytes=sizes.get("VmData", 0),
    )


def _sizes(status: str) -> dict[str, int]:
    """Return the sizes in a /proc/PID/status, in bytes."""
    sizes = {}
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            sizes[name] = int(value[:-3]) * KIB
    return sizes


class Watch:
    """Follows one step and says when it reaches a limit.

    Parameters
    ----------
    step : str
        The step's name, for messages.
    limits : Limits
        What it may use.
    started_s : float
        Its start, on the clock that `check` is given.
    """

    def __init__(self, step: str, limits: Limits, started_s: float) -> None:
        self._step = step
        self._limits = limits
        self._started_s = started_s
        self._cpu_s = 0.0
        self._peak_bytes = 0
        self.largest_data_bytes = 0

    def take(self, sample: Sample) -> None:
        """Remember a sample."""
        # Time of a process that its parent never waited for drops out of later samples.
        self._cpu_s = max(self._cpu_s, sample.cpu_s)
        self._peak_bytes = max(self._peak_bytes, sample.resident_bytes)
        self.largest_data_bytes = max(self.largest_data_bytes, sample.largest_data_bytes)

    def usage(self, now_s: float) -> Usage:
        """Return what was used until `now_s`."""
        return Usage(
            wall_s=max(0.0, now_s - self._started_s),
            cpu_s=self._cpu_s,
            peak_memory_bytes=self._peak_bytes,
        )

    def check(self, sample: Sample, n_log_bytes: int, n_scratch_files: int, now_s: float) -> None:
        """Raise if the step has reached one of its limits.

        Raises
        ------
        LimitError
            It names the limit, its value and the use.
        """
        limits = self._limits
        self.check_wall(now_s)
        if self._cpu_s > limits.cpu_s:
            self._raise("processor time", f"{limits.cpu_s:g} s", f"{self._cpu_s:.1f} s", now_s)
        if sample.memory_bytes > limits.memory_bytes:
            used = f"{sample.memory_bytes / MIB:,.0f} MiB"
            self._raise("memory", f"{limits.memory_bytes / MIB:,.0f} MiB", used, now_s)
        if n_log_bytes > limits.log_bytes:
            used = f"{n_log_bytes / MIB:,.0f} MiB"
            self._raise("printed output", f"{limits.log_bytes / MIB:,.0f} MiB", used, now_s)
        if n_scratch_files > MAX_SCRATCH_FILES:
            limit = f"{MAX_SCRATCH_FILES:,}"
            self._raise("temporary files", limit, f"{n_scratch_files:,}", now_s)

    def check_wall(self, now_s: float) -> None:
        """Raise if the step has run too long."""
        wall_s = now_s - self._started_s
        if wall_s > self._limits.wall_s:
            self._raise("wall time", f"{self._limits.wall_s:g} s", f"{wall_s:.1f} s", now_s)

    def _raise(self, limit: str, allowed: str, used: str, now_s: float) -> None:
        usage = self.usage(now_s)
        raise LimitError(
            f"reached the limit on {limit}: {used} used, {allowed} allowed",
            where=f"step {self._step}",
            fix=f"use less; so far it took {usage.wall_s:.1f} s of wall time, "
            f"{usage.cpu_s:.1f} s of processor time and "
            f"{usage.peak_memory_bytes / MIB:,.0f} MiB at its peak",
        )
