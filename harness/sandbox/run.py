"""The parent's side: the one function by which untrusted work is run.

The rule: whoever handles a participant's code, model or anything made from it describes the work
as a `Step`, which `Sandbox.run` runs. What comes back is one JSON object that was parsed with
distrust, regular files of bounded size, and text that is safe to show. Nothing else crosses.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from harness.card.run import IsolationKind, IsolationRecord
from harness.errors import (
    EnvironmentFaultError,
    HarnessError,
    InvalidSubmissionError,
    LimitError,
    SubmissionError,
    UsageError,
)
from harness.sandbox import bindings, bubblewrap, outputs
from harness.sandbox.advice import advise
from harness.sandbox.child import Child, NotStartedError
from harness.sandbox.control_group import ControlGroup, control_group, find_base, settings
from harness.sandbox.inputs import create_later, fill_later, find_inputs
from harness.sandbox.outputs import OutputFile
from harness.sandbox.report import read_answer
from harness.sandbox.scratch import scratch_folder
from harness.sandbox.seccomp import filter_program
from harness.sandbox.start import start_plain, start_sandboxed
from harness.sandbox.step import MAY_SEE_HOST, MIB, Limits, Step, StepResult
from harness.sandbox.usage import Watch, check_procfs

LEAST_FREE_BYTES = 16 * MIB
MAX_LOCKED_BYTES = 64 * 1024
# No picture of a process that crashed: with 0, a kernel that hands it to a program still makes one.
CORE_BYTES = 1
# Timers and signals that wait for their receiver; by default, a machine allows as many as it has
# room for.
MAX_SIGNALS = 1024
# Who counts the memory of all processes of a step.
COUNTED = "counted by the kernel, in a control group for each step"
MEASURED = "measured from outside: this machine gives no control group"
ENTRY_PREFIX = "harness."


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """Runs steps; `open_sandbox` makes one.

    Attributes
    ----------
    kind : str
        ``bwrap``, or ``none``: no isolation at all.
    detail : mapping
        How steps are isolated, for the score card.
    groups : Path or None
        The control group in which each step gets one of its own, where this machine gives any.
    """

    kind: IsolationKind
    detail: Mapping[str, JsonValue] = field(default_factory=dict)
    groups: Path | None = None

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
        with self.start(step, folder) as started:
            return started.finish(step, {})

    @contextlib.contextmanager
    def start(self, step: Step, folder: Path) -> Iterator[Started]:
        """Start `step` before its request is known; on leaving, nothing of it is alive.

        Its sandbox is the same as that of any other step. It has its limits, calls its `warm_up`
        and waits: no participant's code runs in it, and nothing that comes from one is in it,
        unless it is among the `inputs`. The kernel ends it with the thread that calls this.

        Raises
        ------
        HarnessError
            As for `run`.
        """
        _check(step)
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(scratch_folder())
            uid = bubblewrap.unprivileged_uid() if self.kind == "bwrap" else None
            inputs = find_inputs(step, scratch if uid is not None else None)
            later = create_later(step.later, scratch)
            files = outputs.create(folder, step.outputs, uid)
            stack.callback(outputs.close, files)
            inputs = {**inputs, **later}
            if self.kind == "bwrap":
                group = stack.enter_context(_group(self.groups, step.limits))
                child = start_sandboxed(step, inputs, files, uid, group)
            else:
                child = start_plain(step, scratch)
            stack.callback(child.pipes.close)
            stack.callback(child.abandon)
            child.send(setup_line(self.kind, step))
            yield Started(
                kind=self.kind, child=child, inputs=inputs, files=files, folder=folder, later=later
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A step in its sandbox, that waits for its request; `Sandbox.start` makes one."""

    kind: IsolationKind
    child: Child
    inputs: Mapping[str, Path]
    files: list[OutputFile]
    folder: Path
    later: Mapping[str, Path]

    def is_warm(self) -> bool:
        """Whether it has nothing to do before it has its request: `StartedStep.is_warm`."""
        return self.child.look_whether_ready()

    def has_ended(self) -> bool:
        """Whether it ended before its turn: `StartedStep.has_ended`."""
        return self.child.has_ended

    def finish(self, step: Step, contents: Mapping[str, Path]) -> StepResult[dict[str, JsonValue]]:
        """Give it its request and its later inputs; follow it to its end: `StartedStep.finish`."""
        if unknown := contents.keys() - self.later.keys():
            raise UsageError(
                f"the step {step.name} was started without these inputs",
                where=", ".join(sorted(unknown)),
                expected=f"only {', '.join(self.later) or 'none'} can come later",
            )
        for name, path in contents.items():
            fill_later(self.later[name], name, path)
        request = request_line(self.kind, step, self.inputs, self.files)
        try:
            with _blame_on_a_full_disk(self.folder):
                return _finish(step, self.child, request, self.files)
        finally:
            for place in self.later.values():
                place.unlink(missing_ok=True)


@contextlib.contextmanager
def _blame_on_a_full_disk(folder: Path) -> Iterator[None]:
    """Turn the failure of a step whose outputs had no room into a fault of the environment.

    A step cannot cause that: its outputs are limited, and it can write nothing else there.
    """
    try:
        yield
    except (SubmissionError, InvalidSubmissionError, LimitError) as error:
        found = os.statvfs(folder)
        free = found.f_bavail * found.f_frsize
        if free >= LEAST_FREE_BYTES:
            raise
        raise EnvironmentFaultError(
            f"the disk is full: {free / MIB:.1f} MiB are left; the step failed with: "
            f"{str(error).splitlines()[0]}",
            where=str(folder),
            expected=f"at least {LEAST_FREE_BYTES / MIB:.0f} MiB",
            fix="make room, or set TMPDIR to a folder on another disk",
        ) from error


def _finish(
    step: Step, child: Child, request: bytes, files: list[OutputFile]
) -> StepResult[dict[str, JsonValue]]:
    """Follow a started step to its end, and check what it left."""
    watch = Watch(step.name, step.limits, time.monotonic())
    try:
        line = child.follow(request, watch, lambda: _tell(step, child, files))
        usage = watch.usage(time.monotonic())
    finally:
        # Also on Ctrl-C: from here on nothing of the step is alive to change its outputs.
        child.kill()
        log = child.finish_log()
        if step.printed is not None and log.strip():
            step.printed(log)
    report = read_answer(line, step.name, step.may_raise)
    return StepResult(
        report=report, outputs=outputs.collect(files, step.name), usage=usage, log=log
    )


def _tell(step: Step, child: Child, files: list[OutputFile]) -> None:
    """Report how much is written, a size that the kernel gives, and which process does it."""
    if step.progress is not None:
        step.progress(outputs.written_bytes(files))
    if step.observe is not None and child.root is not None and child.is_ready:
        step.observe(child.root, child.command)


def open_sandbox(kind: IsolationKind) -> Sandbox:
    """Return a sandbox of `kind` after a step that shows that it works here.

    Parameters
    ----------
    kind : {"bwrap", "none"}
        ``none`` runs participants' code as an ordinary child process that can do all that you
        can; only for code that you trust.

    Raises
    ------
    EnvironmentFaultError
        This machine cannot give the isolation; it says what to set.
    """
    if kind == "none":
        return Sandbox(kind="none", detail={"reason": "asked for by --unsafe"})
    if sys.platform != "linux":
        raise EnvironmentFaultError(
            f"there is no sandbox on {platform.system()}",
            expected="Linux",
            fix="use the container image (see docs/security.md), or --unsafe for code that "
            "you trust",
        )
    check_procfs()
    bwrap = bubblewrap.find_bwrap()
    groups = find_base()
    sandbox = Sandbox(kind="bwrap", detail=_detail(bwrap, groups), groups=groups)
    _try(sandbox)
    return sandbox


def _group(
    base: Path | None, limits: Limits
) -> contextlib.AbstractContextManager[ControlGroup | None]:
    return contextlib.nullcontext() if base is None else control_group(base, settings(limits))


def _detail(bwrap: Path, groups: Path | None) -> dict[str, JsonValue]:
    is_root = os.geteuid() == 0
    return {
        "program": bubblewrap.version(bwrap),
        "user": "one of its own for each step" if is_root else "in a user namespace",
        "network": "none",
        "system_call_filter": f"{len(filter_program()) // 8} instructions",
        "memory": MEASURED if groups is None else COUNTED,
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
        except NotStartedError as error:
            causes = advise(str(error), is_root=os.geteuid() == 0)
            raise EnvironmentFaultError(*error.problems, *causes) from error
        except HarnessError as error:
            # No participant's code has run: whatever failed, this machine did.
            raise EnvironmentFaultError(*error.problems) from error


def _check(step: Step) -> None:
    """Refuse a step that the harness itself described wrongly."""
    for entry in (step.entry, *filter(None, [step.warm_up])):
        module, colon, function = entry.partition(":")
        if not (module.startswith(ENTRY_PREFIX) and colon and function.isidentifier()):
            raise UsageError(
                f"{entry!r} is no entry of a step", expected="harness.some.module:function"
            )
    if step.sees_host and step.entry not in MAY_SEE_HOST:
        raise UsageError(
            f"the step {step.name} asks for the machine's name and network",
            where=step.entry,
            expected=f"only {' or '.join(MAY_SEE_HOST)} may have them, for a licence",
        )
    outputs.check_names({**step.inputs, **dict.fromkeys(step.later), **step.outputs})


def setup_line(kind: IsolationKind, step: Step) -> bytes:
    """Return the line that the worker reads first: nothing of it comes from a participant."""
    outer = str(bindings.package_folder().parent)
    message = {
        "package_root": bindings.PACKAGE_ROOT if kind == "bwrap" else outer,
        "is_plain": kind == "none",
        "rlimits": resource_limits(kind, step),
        "warm_up": step.warm_up,
    }
    return json.dumps(message).encode() + b"\n"


def request_line(
    kind: IsolationKind, step: Step, inputs: Mapping[str, Path], files: list[OutputFile]
) -> bytes:
    """Return the line that the worker reads then: its work."""
    if kind == "bwrap":
        in_places = {name: f"{bindings.INPUTS}/{name}" for name in inputs}
        out_places = {name: f"{bindings.OUTPUTS}/{name}" for name in step.outputs}
    else:
        in_places = {name: str(path) for name, path in inputs.items()}
        out_places = {file.path.name: str(file.path) for file in files}
    message = {
        "entry": step.entry,
        "request": dict(step.request),
        "inputs": in_places,
        "outputs": out_places,
    }
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def resource_limits(kind: IsolationKind, step: Step) -> dict[str, tuple[int, int]]:
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
        "RLIMIT_CORE": (CORE_BYTES, CORE_BYTES),
        "RLIMIT_MSGQUEUE": (0, 0),
        "RLIMIT_MEMLOCK": (MAX_LOCKED_BYTES, MAX_LOCKED_BYTES),
        "RLIMIT_RTPRIO": (0, 0),
        "RLIMIT_SIGPENDING": (MAX_SIGNALS, MAX_SIGNALS),
    }
    if kind == "bwrap":
        # Without a user of its own, a step would be counted together with all else of that user.
        chosen["RLIMIT_NPROC"] = (limits.n_processes, limits.n_processes)
    return chosen
