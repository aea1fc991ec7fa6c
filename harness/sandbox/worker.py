"""The child's side: the program that runs in a sandbox and calls one function of the harness.

It is started by its path, not as a module, and imports nothing but the standard library and
`harness.errors` until the step begins, so that a step costs little more than its own work. It reads
two lines: one that sets it up, with its limits and what it should import, and one with its work. A
step that is started early waits between the two.
Nothing here is a guard: the participant's code may replace every line of it while it runs. What
guards is the sandbox around it, and the parent, which checks all that it says.
"""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from harness.errors import HarnessError

# The parent takes a start that never gets this far for a fault of the environment.
READY = b"ready\n"
# The parent keeps 6,000 characters of a text.
MAX_TRACEBACK_CHARACTERS = 5900
MAX_PROBLEMS = 100
# From include/uapi/linux/prctl.h.
PR_SET_PDEATHSIG = 1
# What the kernel says when a process runs into one of its limits.
LIMIT_OF_ERRNO = {
    errno.EAGAIN: "processes",
    errno.EMFILE: "open files",
    errno.ENOMEM: "memory",
    errno.ENOSPC: "scratch space",
    errno.EDQUOT: "scratch space",
    errno.EFBIG: "file size",
}
TO_DO_ABOUT_LIMITS = "use less of it; the rules list the limits"

Entry = Callable[[Mapping[str, Any], Mapping[str, Path], Mapping[str, Path]], dict[str, Any]]
Message = dict[str, Any]


def set_limits(limits: Mapping[str, tuple[int, int]]) -> None:
    """Lower the resource limits named in `limits`, soft and hard; none is ever raised."""
    for name, (soft, hard) in limits.items():
        kind = getattr(resource, name)
        present = resource.getrlimit(kind)[1]
        ceiling = hard if present == resource.RLIM_INFINITY else min(hard, present)
        resource.setrlimit(kind, (min(soft, ceiling), ceiling))


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies; bubblewrap does it by itself."""
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def load_entry(entry: str) -> Entry:
    """Import ``package.module:function`` of the harness and return the function."""
    module, _, function = entry.partition(":")
    return cast("Entry", getattr(importlib.import_module(module), function))


def _paths(places: Mapping[str, str]) -> dict[str, Path]:
    return {name: Path(place) for name, place in places.items()}


def call(message: Message) -> Message:
    """Call the entry that `message` names; return the answer for the parent."""
    inputs = _paths(message["inputs"])
    try:
        entry = load_entry(message["entry"])
        report = entry(message["request"], inputs, _paths(message["outputs"]))
    except BaseException as error:  # noqa: BLE001 the edge: SystemExit, too, is reported
        return describe(error, message["inputs"].values())
    return {"report": report}


def describe(error: BaseException, own_places: Iterable[str]) -> Message:
    """Turn an exception into the answer that names its kind and its problems.

    A participant sees the end of their own traceback: from the first frame that lies in one of
    `own_places`, if there is such a frame.
    """
    # Loaded by `main`: a step that fails for want of descriptors could not load it now.
    known = sys.modules["harness.errors"].HarnessError
    if isinstance(error, known):
        return {"kind": type(error).__name__, "problems": _problems(error)}
    lines = _traceback(error, tuple(own_places))
    if limit := _limit(error):
        last = (lines.strip().splitlines() or [""])[-1]
        return _failure("LimitError", f"ran into the limit on {limit}: {last}", TO_DO_ABOUT_LIMITS)
    return _failure("SubmissionError", f"failed:\n{lines}")


def _problems(error: HarnessError) -> list[dict[str, str]]:
    fields = ("what", "where", "expected", "fix")
    return [
        {field: str(getattr(problem, field)) for field in fields}
        for problem in error.problems[:MAX_PROBLEMS]
    ]


def _failure(kind: str, what: str, fix: str = "") -> Message:
    return {"kind": kind, "problems": [{"what": what, "fix": fix}]}


def _limit(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "processes"
    if isinstance(error, OSError) and error.errno is not None:
        return LIMIT_OF_ERRNO.get(error.errno, "")
    return ""


def _traceback(error: BaseException, own_places: tuple[str, ...]) -> str:
    try:
        report = traceback.TracebackException.from_exception(error, compact=True)
        first = next(
            (i for i, frame in enumerate(report.stack) if frame.filename.startswith(own_places)), 0
        )
        report.stack = traceback.StackSummary.from_list(report.stack[first:])
        return "".join(report.format())[-MAX_TRACEBACK_CHARACTERS:]
    except BaseException:  # noqa: BLE001 an exception whose own methods raise
        return f"{type(error).__name__} (its text could not be read)"


def encode(message: Message) -> bytes:
    """Return `message` as one line of JSON; one that is no JSON becomes a failure that says so."""
    try:
        return json.dumps(message, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"failed:\nthe report of this step is not JSON: {type(error).__name__}: {error}"
        return json.dumps(_failure("SubmissionError", reason)).encode() + b"\n"


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S112 may have been closed or replaced
            continue


def set_up(setup: Mapping[str, Any]) -> None:
    """Prepare this process for any step: what it can import, how it ends, and its limits."""
    sys.path.insert(0, setup["package_root"])
    importlib.import_module("harness.errors")
    importlib.import_module("harness.sandbox.lean_imports").import_lean_keras()
    if setup["is_plain"]:
        die_with_parent()
    set_limits(setup["rlimits"])
    # A line reaches the parent when it is printed, also if this process is killed later.
    cast("io.TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)


def warm_up(entry: str) -> Message | None:
    """Call the function of the harness that makes the step's start; return how it failed."""
    try:
        if entry:
            cast("Callable[[], object]", load_entry(entry))()
    except BaseException as error:  # noqa: BLE001 the edge: it is reported for the step
        return describe(error, ())
    return None


def main(report_fd: int, request_fd: int) -> None:
    """Read the request, run the step, answer the parent, and wait to be killed by it."""
    os.set_inheritable(report_fd, False)
    os.set_inheritable(request_fd, False)
    with os.fdopen(os.dup(request_fd), "rb") as stream:
        setup = json.loads(stream.readline())
        set_up(setup)
        failure = warm_up(setup["warm_up"])
        _write(report_fd, READY)
        line = stream.readline()
    if not line:
        # The parent has gone on without this step.
        os._exit(0)
    answer = encode(failure or call(json.loads(line)))
    _flush()
    _write(report_fd, answer)
    # The parent measures what was used while this process still lives, then ends it: no exit
    # handler or destructor of the participant runs after the report.
    os.read(request_fd, 1)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
