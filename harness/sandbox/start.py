"""How the worker of a step is started: in a sandbox, or plainly for code that is trusted."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import EnvironmentFaultError
from harness.sandbox import bindings, bubblewrap
from harness.sandbox.advice import read_text
from harness.sandbox.child import Child, Pipes
from harness.sandbox.control_group import ControlGroup
from harness.sandbox.outputs import OutputFile
from harness.sandbox.seccomp import filter_program
from harness.sandbox.step import Step

WORKER = "sandbox/worker.py"


def _open_pipes() -> tuple[Pipes, Pipes]:
    """Return the parent's ends and the child's."""
    (log, log_end), (report, report_end) = (os.pipe2(os.O_CLOEXEC) for _ in range(2))
    request_end, request = os.pipe2(os.O_CLOEXEC)
    return (
        Pipes(log=log, report=report, request=request),
        Pipes(log=log_end, report=report_end, request=request_end),
    )


def _worker_command(package_root: str, ends: Pipes) -> list[str]:
    options = [sys.executable, "-I", "-B", f"{package_root}/harness/{WORKER}"]
    return [*options, str(ends.report), str(ends.request)]


@functools.cache
def stand_ins() -> Mapping[str, bytes]:
    """Return the contents of the files that stand for a procfs, and for what needs one.

    They are read once: a processor may be taken away meanwhile.
    """
    processors = bindings.cpu_description(read_text(Path("/proc/cpuinfo")))
    return {"cmdline": b"python\0", "cpuinfo": processors.encode(), "refusal": bindings.REFUSAL}


def start_sandboxed(
    step: Step,
    inputs: Mapping[str, Path],
    files: list[OutputFile],
    uid: int | None,
    group: ControlGroup | None = None,
    before: Sequence[str] = (),
) -> Child:
    """Start the worker of `step` in a sandbox of bubblewrap, as the user `uid`.

    Parameters
    ----------
    group : ControlGroup, optional
        Where it begins.
    before : sequence of str
        Words before the command: a program that runs the rest of it.
    """
    pipes, ends = _open_pipes()
    pipes.info, info_end = os.pipe2(os.O_CLOEXEC)
    unused = contextlib.ExitStack()
    unused.callback(pipes.close)
    contents = {"seccomp": filter_program(has_network=step.sees_host), **stand_ins()}
    if not bindings.refused(bubblewrap.host_paths(step, uid)):
        # No place would take it, and the step would inherit it.
        del contents["refusal"]
    with unused, contextlib.ExitStack() as stack:
        stack.callback(ends.close)
        stack.callback(os.close, info_end)
        fds = {name: stack.enter_context(_readable(data)) for name, data in contents.items()}
        command = bubblewrap.command(
            step,
            bwrap=bubblewrap.find_bwrap(),
            inputs=inputs,
            outputs={file.path.name: file.path for file in files},
            uid=uid,
            fds={**fds, "info": info_end},
            arguments=_worker_command(bindings.PACKAGE_ROOT, ends),
        )
        inherited = (ends.report, ends.request, info_end, *fds.values())
        entering = [] if group is None else group.entering()
        words = [*before, *entering, *command]
        process = _popen(words, ends.log, inherited, bindings.SCRATCH, Path("/"))
        unused.pop_all()
    return Child(
        name=step.name,
        process=process,
        pipes=pipes,
        limits=step.limits,
        command=command,
        group=group,
    )


def start_plain(step: Step, scratch: Path) -> Child:
    """Start the worker of `step` as an ordinary process, in the folder `scratch`."""
    pipes, ends = _open_pipes()
    with contextlib.ExitStack() as unused, contextlib.ExitStack() as stack:
        unused.callback(pipes.close)
        stack.callback(ends.close)
        command = _worker_command(str(bindings.package_folder().parent), ends)
        process = _popen(command, ends.log, (ends.report, ends.request), str(scratch), scratch)
        unused.pop_all()
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
            f"cannot start {command[0]}: {error}", fix="run `harness doctor`"
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
