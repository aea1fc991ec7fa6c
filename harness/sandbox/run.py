"""The parent's side: the one function by which untrusted work is run.

The rule: whoever handles a participant's code, model or anything made from it describes the work
as a `Step` and hands it to `Sandbox.run`. What comes back is one JSON object that was parsed with
distrust, regular files of bounded size, and text that is safe to show. Nothing else crosses.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from harness.card.records import IsolationRecord
from harness.errors import (
    EnvironmentFaultError,
    InvalidSubmissionError,
    LimitError,
    Problem,
    SubmissionError,
    UsageError,
)
from harness.sandbox import bindings, bubblewrap, outputs
from harness.sandbox.advice import advise, read_text
from harness.sandbox.child import Child, Pipes
from harness.sandbox.outputs import OutputFile
from harness.sandbox.report import read_answer
from harness.sandbox.scratch import scratch_folder
from harness.sandbox.seccomp import filter_program
from harness.sandbox.step import MIB, Limits, Step, StepResult
from harness.sandbox.usage import Watch

Kind = Literal["bwrap", "none"]
WORKER = "sandbox/worker.py"
LEAST_FREE_BYTES = 16 * MIB
MAX_LOCKED_BYTES = 64 * 1024
ENTRY_PREFIX = "harness."
READABLE = 0o004
SEARCHABLE = 0o005


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """Runs steps; `open_sandbox` makes one.

    Attributes
    ----------
    kind : str
        ``bwrap``, or ``none``: no isolation at all.
    detail : mapping
        How steps are isolated, for the score card.
    """

    kind: Kind
    detail: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def record(self) -> IsolationRecord:
        """How untrusted code was kept apart, for the score card."""
        return IsolationRecord(kind=self.kind, detail=dict(self.detail))

    def run(self, step: Step, folder: Path) -> StepResult[dict[str, JsonValue]]:
        """Run `step`; its outputs are written into `folder`.

        Parameters
        ----------
        step : Step
            The work.
        folder : Path
            Exists, and holds none of the outputs' names.

        Raises
        ------
        SubmissionError
            The entry raised; the message holds the end of the participant's own traceback.
        InvalidSubmissionError
            The entry reported problems of the submission, or its report or outputs are not what
            was agreed.
        LimitError
            A limit was reached.
        EnvironmentFaultError
            The sandbox could not be set up.
        HarnessError
            One of the step's `may_raise`, as the entry raised it.
        UsageError
            The step is no step.
        """
        _check(step)
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(scratch_folder())
            uid = bubblewrap.unprivileged_uid() if self.kind == "bwrap" else None
            inputs = _inputs(step, scratch if uid is not None else None)
            files = outputs.create(folder, step.outputs, uid)
            stack.callback(outputs.close, files)
            start = _start_sandboxed if self.kind == "bwrap" else _start_plain
            child = start(step, inputs, files, uid, scratch)
            stack.callback(child.pipes.close)
            with _blame_on_a_full_disk(folder):
                return _finish(step, child, _request(self.kind, step, inputs, files), files)


@contextlib.contextmanager
def _blame_on_a_full_disk(folder: Path) -> Iterator[None]:
    """Turn the failure of a step whose outputs had no room into a fault of the environment.

    A step can't bring it about: its outputs are limited, and it can write nothing else there.
    """
    try:
        yield
    except (SubmissionError, InvalidSubmissionError, LimitError) as error:
        found = os.statvfs(folder)
        free = found.f_bavail * found.f_frsize
        if free >= LEAST_FREE_BYTES:
            raise
        raise EnvironmentFaultError(
            Problem(
                what=f"the disk is full: {free / MIB:.1f} MiB are left; the step failed with: "
                f"{str(error).splitlines()[0]}",
                where=str(folder),
                expected=f"at least {LEAST_FREE_BYTES / MIB:.0f} MiB",
                fix="make room, or set TMPDIR to a folder on another disk",
            )
        ) from error


def _finish(
    step: Step, child: Child, request: bytes, files: list[OutputFile]
) -> StepResult[dict[str, JsonValue]]:
    """Follow a started step to its end, and check what it left."""
    watch = Watch(step.name, step.limits, time.monotonic())
    try:
        line = child.follow(request, watch, lambda: _tell_progress(step, files))
        usage = watch.usage(time.monotonic())
    finally:
        # Also on Ctrl-C: from here on nothing of the step is alive to change its outputs.
        child.kill()
    log = child.finish_log()
    report = read_answer(line, step.name, step.may_raise)
    return StepResult(
        report=report, outputs=outputs.collect(files, step.name), usage=usage, log=log
    )


def _tell_progress(step: Step, files: list[OutputFile]) -> None:
    """Report how much is written: a size that the kernel gives, whatever the step says."""
    if step.progress is not None:
        step.progress(outputs.written_bytes(files))


def open_sandbox(kind: Kind) -> Sandbox:
    """Return a sandbox of `kind` after a step that shows that it works here.

    Parameters
    ----------
    kind : {"bwrap", "none"}
        ``none`` runs participants' code as an ordinary child process that can do all that you
        can; only for code that you trust.

    Raises
    ------
    EnvironmentFaultError
        This machine can't give the isolation; it says what to set.
    """
    if kind == "none":
        return Sandbox(kind="none", detail={"reason": "asked for by --unsafe"})
    if sys.platform != "linux":
        raise EnvironmentFaultError(
            Problem(
                what=f"there is no sandbox on {platform.system()}",
                expected="Linux",
                fix="use the container image (see docs/security.md), or --unsafe for code that "
                "you trust",
            )
        )
    bwrap = bubblewrap.find_bwrap()
    sandbox = Sandbox(kind="bwrap", detail=_detail(bwrap))
    _try(sandbox)
    return sandbox


def _detail(bwrap: Path) -> dict[str, JsonValue]:
    is_root = os.geteuid() == 0
    return {
        "program": bubblewrap.version(bwrap),
        "user": "one of its own for each step" if is_root else "in a user namespace",
        "network": "none",
        "system_call_filter": f"{len(filter_program()) // 8} instructions",
        "kernel": platform.release(),
    }


def _try(sandbox: Sandbox) -> None:
    """Run an empty step.

    Raises
    ------
    EnvironmentFaultError
        It says what to set.
    """
    step = Step(name="try", entry="harness.sandbox.trial:nothing", limits=Limits(wall_s=60.0))
    with scratch_folder() as folder:
        try:
            sandbox.run(step, folder)
        except EnvironmentFaultError as error:
            raise EnvironmentFaultError(*error.problems, *advise(str(error))) from error


# --- What a step is made of ---


def _check(step: Step) -> None:
    """Refuse a step that the harness itself described wrongly."""
    module, colon, function = step.entry.partition(":")
    if not (module.startswith(ENTRY_PREFIX) and colon and function.isidentifier()):
        raise UsageError(
            Problem(
                what=f"{step.entry!r} is no entry of a step",
                expected="harness.some.module:function",
            )
        )
    outputs.check_names({**step.inputs, **step.outputs})


def _inputs(step: Step, staging: Path | None) -> dict[str, Path]:
    """Return the host paths of the inputs, as regular files or folders.

    A step of root runs as another user: an input that this user can't read is copied to
    `staging`.
    """
    found = {}
    for name, path in step.inputs.items():
        mode = path.lstat().st_mode if os.path.lexists(path) else 0
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InvalidSubmissionError(
                Problem(
                    what=f"the input {name} is {'no file or folder' if mode else 'missing'}",
                    where=str(path),
                    expected="a regular file or a folder, no link",
                )
            )
        path = path.resolve()  # noqa: PLW2901
        if staging is not None and not all(_is_readable(place) for place in _walk(path)):
            copy = staging / "inputs" / name
            _copy_readable(path, copy)
            path = copy  # noqa: PLW2901
        found[name] = path
    return found


def _walk(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for place in sorted(path.iterdir()):
            yield from _walk(place)


def _is_readable(path: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return mode & SEARCHABLE == SEARCHABLE
    return not stat.S_ISREG(mode) or bool(mode & READABLE)


def _copy_readable(path: Path, copy: Path) -> None:
    """Copy files, folders and links from `path` so that everyone can read them; skip the rest."""
    mode = path.lstat().st_mode
    copy.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(mode):
        copy.mkdir()
        for place in path.iterdir():
            _copy_readable(place, copy / place.name)
        copy.chmod(0o755)
    elif stat.S_ISLNK(mode):
        copy.symlink_to(path.readlink())
    elif stat.S_ISREG(mode):
        shutil.copyfile(path, copy, follow_symlinks=False)
        copy.chmod(0o444 | (mode & 0o111))


def _request(kind: Kind, step: Step, inputs: Mapping[str, Path], files: list[OutputFile]) -> bytes:
    """Return the line that the worker reads."""
    if kind == "bwrap":
        package_root = bindings.PACKAGE_ROOT
        in_places = {name: f"{bindings.INPUTS}/{name}" for name in inputs}
        out_places = {name: f"{bindings.OUTPUTS}/{name}" for name in step.outputs}
    else:
        package_root = str(bindings.package_folder().parent)
        in_places = {name: str(path) for name, path in inputs.items()}
        out_places = {file.path.name: str(file.path) for file in files}
    message = {
        "package_root": package_root,
        "is_plain": kind == "none",
        "entry": step.entry,
        "request": dict(step.request),
        "inputs": in_places,
        "outputs": out_places,
        "rlimits": _resource_limits(kind, step),
    }
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def _resource_limits(kind: Kind, step: Step) -> dict[str, tuple[int, int]]:
    """Return the kernel's limits for each process of `step`, soft and hard.

    Memory is limited by RLIMIT_DATA, which counts a process's private writable memory. RLIMIT_AS
    would count address space, of which TensorFlow, sanitisers and memory-mapped events reserve
    many times what they use.
    """
    limits = step.limits
    cpu_s = math.ceil(limits.cpu_s)
    largest_file = max((limits.scratch_bytes, *step.outputs.values()))
    chosen = {
        "RLIMIT_DATA": (limits.memory_bytes, limits.memory_bytes),
        "RLIMIT_CPU": (cpu_s, cpu_s + 1),
        "RLIMIT_FSIZE": (largest_file, largest_file),
        "RLIMIT_NOFILE": (limits.n_open_files, limits.n_open_files),
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_MSGQUEUE": (0, 0),
        "RLIMIT_MEMLOCK": (MAX_LOCKED_BYTES, MAX_LOCKED_BYTES),
        "RLIMIT_RTPRIO": (0, 0),
    }
    if kind == "bwrap":
        # Without a user of its own, a step would be counted together with all else of that user.
        chosen["RLIMIT_NPROC"] = (limits.n_processes, limits.n_processes)
    return chosen


# --- Starting it ---


@dataclass(frozen=True, kw_only=True, slots=True)
class _ChildEnds:
    """The child's ends of the pipes."""

    log: int
    report: int
    request: int
    info: int

    def close(self) -> None:
        for fd in (self.log, self.report, self.request, self.info):
            os.close(fd)


def _pipes() -> tuple[Pipes, _ChildEnds]:
    (log, log_end), (report, report_end), (info, info_end) = (
        os.pipe2(os.O_CLOEXEC) for _ in range(3)
    )
    request_end, request = os.pipe2(os.O_CLOEXEC)
    return (
        Pipes(log=log, report=report, request=request, info=info),
        _ChildEnds(log=log_end, report=report_end, request=request_end, info=info_end),
    )


def _worker_command(package_root: str, ends: _ChildEnds) -> list[str]:
    options = [sys.executable, "-I", "-B", f"{package_root}/harness/{WORKER}"]
    return [*options, str(ends.report), str(ends.request)]


def _start_sandboxed(
    step: Step,
    inputs: Mapping[str, Path],
    files: list[OutputFile],
    uid: int | None,
    _scratch: Path,
) -> Child:
    pipes, ends = _pipes()
    contents = {
        "seccomp": filter_program(),
        "cmdline": b"python\0",
        "cpuinfo": bindings.cpu_description(read_text(Path("/proc/cpuinfo"))).encode(),
    }
    with contextlib.ExitStack() as stack:
        stack.callback(ends.close)
        fds = {name: stack.enter_context(_readable(data)) for name, data in contents.items()}
        command = bubblewrap.command(
            step,
            bwrap=bubblewrap.find_bwrap(),
            inputs=inputs,
            outputs={file.path.name: file.path for file in files},
            uid=uid,
            fds={**fds, "info": ends.info},
            arguments=_worker_command(bindings.PACKAGE_ROOT, ends),
        )
        inherited = (ends.report, ends.request, ends.info, *fds.values())
        process = _popen(command, ends.log, inherited, bindings.SCRATCH, Path("/"))
    return Child(name=step.name, process=process, pipes=pipes, limits=step.limits)


def _start_plain(
    step: Step,
    _inputs: Mapping[str, Path],
    _files: list[OutputFile],
    _uid: int | None,
    scratch: Path,
) -> Child:
    pipes, ends = _pipes()
    with contextlib.ExitStack() as stack:
        stack.callback(ends.close)
        command = _worker_command(str(bindings.package_folder().parent), ends)
        process = _popen(command, ends.log, (ends.report, ends.request), str(scratch), scratch)
    pipes.forget_info()
    return Child(name=step.name, process=process, pipes=pipes, limits=step.limits, root=process.pid)


def _popen(
    command: Sequence[str], log: int, inherited: tuple[int, ...], home: str, folder: Path
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=inherited,
            env=bindings.environment(home),
            cwd=folder,
            start_new_session=True,
        )
    except OSError as error:
        raise EnvironmentFaultError(
            Problem(what=f"can't start {command[0]}: {error}", fix="run `harness doctor`")
        ) from error


@contextlib.contextmanager
def _readable(data: bytes) -> Iterator[int]:
    """Yield a descriptor from which a child can read `data`."""
    fd = os.memfd_create("harness", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
