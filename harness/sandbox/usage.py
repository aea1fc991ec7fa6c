"""What a running step uses, seen from outside: its processes' time and memory in /proc."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EnvironmentFaultError, LimitError
from harness.sandbox.step import MIB, Limits, Usage

PROC = Path("/proc")
KIB = 1024
# Fields of /proc/PID/stat after the name: user and system time, own and of ended children.
CPU_FIELDS = slice(11, 15)
# A file takes about 1 KiB of the kernel's memory that no size limit of a tmpfs counts.
MAX_SCRATCH_FILES = 100_000
# A locked range of a file takes some 200 bytes of it.
MAX_FILE_LOCKS = 10_000
# A line of /proc/locks, such as "1: POSIX  ADVISORY  WRITE 4711 fe:00:2491040 0 EOF"; one that is
# waited for has an arrow before its kind. Twice the locks that are allowed fit into the text.
OWNER_OF_LOCK = re.compile(r"^\d+: \w+ +\w+ +\w+ (\d+) ", re.MULTILINE)
MAX_LOCKS_TEXT = 200 * MAX_FILE_LOCKS
# A descriptor can be of a pipe that is full: of a user with many pipes each holds two pages.
DESCRIPTOR_BYTES = 8 * KIB
MOUNT_A_PROCFS = (
    "mount one: `mount -t proc proc /proc`; `unshare --mount-proc` and `bwrap --proc /proc` do it"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What all processes of a step use at one moment.

    Attributes
    ----------
    cpu_s : float
        Processor time of all processes, with that of ended ones.
    memory_bytes : int
        Anonymous memory of all processes, resident or swapped, their page tables, and what their
        descriptors can hold. What processes share counts for each, unless that would exceed the
        limit: then it is divided among them.
    resident_bytes : int
        Resident memory of all processes, with mapped files; pages shared by two count twice.
    largest_data_bytes : int
        Largest private data memory of one process: what RLIMIT_DATA limits.
    n_processes : int
        Processes alive.
    n_file_locks : int
        Ranges of files that they hold locked, those of threads as well.
    """

    cpu_s: float = 0.0
    memory_bytes: int = 0
    resident_bytes: int = 0
    largest_data_bytes: int = 0
    n_processes: int = 0
    n_file_locks: int = 0


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


def check_procfs() -> None:
    """Check that /proc shows the processes of this namespace.

    Raises
    ------
    EnvironmentFaultError
        What a step uses would be looked up under the numbers of other processes.
    """
    try:
        shown = (PROC / "self").readlink()
    except OSError:
        shown = Path("nothing")
    if str(shown) != str(os.getpid()):
        raise EnvironmentFaultError(
            f"/proc does not show this process: its number is {os.getpid()}, there it is {shown}",
            where="/proc",
            expected="the procfs of this process namespace",
            fix=MOUNT_A_PROCFS,
        )


def check_descent(pid: int, ancestor: int) -> None:
    """Check that the process `pid` descends from `ancestor`.

    Raises
    ------
    ProcessLookupError
        It has ended.
    EnvironmentFaultError
        It does not, so it is none of ours.
    """
    found = pid
    while found > 1 and found != ancestor:
        try:
            status = (PROC / str(found) / "status").read_text()
        except FileNotFoundError as error:
            raise ProcessLookupError from error
        found = int(status.partition("PPid:")[2].split(maxsplit=1)[0])
    if found != ancestor:
        raise EnvironmentFaultError(
            f"the process {pid}, which bubblewrap says that it started, is none of its own",
            where="/proc",
            expected="a bubblewrap and a /proc of this process namespace",
            fix=MOUNT_A_PROCFS,
        )


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
        memory = sum(process.memory_of_its_own() for process in processes)
    return Sample(
        cpu_s=sum(process.cpu_s for process in processes),
        memory_bytes=memory,
        resident_bytes=sum(process.resident_bytes for process in processes),
        largest_data_bytes=max((process.data_bytes for process in processes), default=0),
        n_processes=len(processes),
        n_file_locks=_count_locks({process.pid for process in processes}),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """What one process uses.

    Attributes
    ----------
    place : Path
        The folder in /proc of a thread that is alive.
    kernel_bytes : int
        Page tables, and what its descriptors can hold.
    """

    pid: int
    place: Path
    cpu_s: float
    private_bytes: int
    kernel_bytes: int
    resident_bytes: int
    data_bytes: int

    @property
    def memory_bytes(self) -> int:
        return self.private_bytes + self.kernel_bytes

    def memory_of_its_own(self) -> int:
        """Return the memory with each page divided among the processes that share it."""
        try:
            sizes = _sizes((self.place / "smaps_rollup").read_text())
            return sizes["Pss_Anon"] + sizes["SwapPss"] + self.kernel_bytes
        except (OSError, KeyError):
            return self.memory_bytes


def _read_process(pid: int) -> _Process | None:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
        place, status = _living_thread(PROC / str(pid))
    except OSError:
        return None
    sizes = _sizes(status)
    ticks = sum(int(value) for value in stat.rpartition(")")[2].split()[CPU_FIELDS])
    return _Process(
        pid=pid,
        place=place,
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
        private_bytes=sizes.get("RssAnon", 0) + sizes.get("VmSwap", 0),
        kernel_bytes=sizes.get("VmPTE", 0) + DESCRIPTOR_BYTES * _n_descriptors(status),
        resident_bytes=sizes.get("VmRSS", 0),
        data_bytes=sizes.get("VmData", 0),
    )


def _living_thread(process: Path) -> tuple[Path, str]:
    """Return the folder and the status of a process, or of a thread that goes on without it.

    A process whose first thread has ended shows no memory, though its other threads have it.
    """
    status = (process / "status").read_text()
    if "VmRSS:" in status:
        return process, status
    for thread in (process / "task").iterdir():
        found = (thread / "status").read_text()
        if "VmRSS:" in found:
            return thread, found
    return process, status


def _n_descriptors(status: str) -> int:
    r"""Return for how many descriptors a process has room: as many as it ever had, or up to twice.

    Examples
    --------
    >>> _n_descriptors("Name: python\nFDSize: 64\n")
    64
    """
    _, _, rest = status.partition("FDSize:")
    return int(rest.split(maxsplit=1)[0]) if rest else 0


def _count_locks(pids: Collection[int]) -> int:
    """Return how many ranges of files these processes hold locked."""
    with contextlib.suppress(OSError), (PROC / "locks").open() as file:
        return sum(int(owner) in pids for owner in OWNER_OF_LOCK.findall(file.read(MAX_LOCKS_TEXT)))
    return 0


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
        if sample.n_file_locks > MAX_FILE_LOCKS:
            self._raise("file locks", f"{MAX_FILE_LOCKS:,}", f"{sample.n_file_locks:,}", now_s)
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
