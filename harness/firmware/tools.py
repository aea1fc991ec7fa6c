"""The external programs of a step: where they are, how they are run, what their failure means.

Everything here runs inside a step. What fails for want of a tool, of disk space or of time is no
fault of the submission; a step says so in its report by `Fault`, and the parent raises it.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from harness.errors import (
    EnvironmentFaultError,
    HarnessError,
    IntegrityError,
    LimitError,
    Problem,
    SubmissionError,
)

__all__ = [
    "EXTRA",
    "Fault",
    "build_folder",
    "compiler",
    "native_versions",
    "no_space",
    "raise_fault",
    "require_package",
    "run_tool",
    "step_entry",
    "system_tools",
]

EXTRA = "pip install 'harness[firmware]'"
Kind = Literal["environment", "limit", "submission", "integrity", "untranslatable"]
# Signals by which the kernel or a person ends a program that uses too much.
_KILLED = (-9, 137)
_LOG_TAIL = 1500

# Folders that hold a C++ compiler, make and perl on Linux; their links point within them.
SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/etc/alternatives")


class Fault(Exception):  # noqa: N818 it is passed on as a report, not raised to the user
    """Why a step could not do its work, in a form that passes through its report."""

    def __init__(self, kind: Kind, problem: Problem) -> None:
        self.kind = kind
        self.problem = problem
        super().__init__(str(problem))

    def report(self) -> dict[str, JsonValue]:
        """Return the report of a step that ended with this."""
        problem = self.problem
        return {
            "fault": self.kind,
            "what": problem.what[-2000:],
            "where": problem.where[:500],
            "expected": problem.expected[:500],
            "fix": problem.fix[:500],
        }


Entry = Callable[
    [Mapping[str, JsonValue], Mapping[str, Path], Mapping[str, Path]], dict[str, JsonValue]
]


def step_entry(entry: Entry) -> Entry:
    """Decorate the entry of a step: a `Fault`, and a full disk, become its report."""

    @wraps(entry)
    def wrapped(
        request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
    ) -> dict[str, JsonValue]:
        try:
            return entry(request, inputs, outputs)
        except Fault as fault:
            return fault.report()
        except MemoryError:
            return Fault(
                "limit", Problem(what="the memory limit was reached", fix="raise the limit")
            ).report()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                return no_space(str(error)).report()
            raise

    return wrapped


def raise_fault(report: Mapping[str, JsonValue], step: str) -> None:
    """Raise what a step reported as its fault; do nothing if it reported none.

    Raises
    ------
    EnvironmentFaultError, LimitError, SubmissionError, IntegrityError
        By the kind of the fault.
    """
    kind = report.get("fault")
    if kind is None:
        return
    errors: dict[str, type[HarnessError]] = {
        "environment": EnvironmentFaultError,
        "limit": LimitError,
        "submission": SubmissionError,
        "integrity": IntegrityError,
    }
    problem = Problem(
        what=str(report.get("what", "")),
        where=str(report.get("where", "")) or f"firmware, step {step}",
        expected=str(report.get("expected", "")),
        fix=str(report.get("fix", "")),
    )
    raise errors.get(str(kind), SubmissionError)(problem)


def no_space(detail: str) -> Fault:
    """Say that a build ran out of disk space."""
    return Fault(
        "environment",
        Problem(
            what=f"no space left for the build: {detail.strip()[-300:]}",
            expected="room for the build in the step's scratch folder",
            fix="free disk space, or raise scratch_bytes of the firmware settings",
        ),
    )


def require_package(*names: str) -> None:
    """Make sure that Python packages are installed.

    Raises
    ------
    Fault
        It names the extra to install.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise Fault(
            "environment",
            Problem(
                what=f"the package {', '.join(missing)} is not installed",
                expected="the extra `firmware`",
                fix=EXTRA,
            ),
        )


@contextmanager
def build_folder(name: str) -> Iterator[Path]:
    """Give a folder to build in, below the step's scratch folder, and remove it afterwards.

    ABC and make can't work below a path with spaces; then it lies in the system's own folder.
    """
    scratch = tempfile.gettempdir() if "TMPDIR" not in os.environ else os.environ["TMPDIR"]
    has_space = any(character.isspace() for character in scratch)
    parent = "/tmp" if has_space else scratch  # noqa: S108 the folder in it is a new one
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=parent) as folder:
        yield Path(folder)


def system_tools() -> tuple[Path, ...]:
    """Return the host folders that a step needs for its compiler and its netlist tools."""
    folders = [Path(folder) for folder in SYSTEM_FOLDERS]
    native = [shutil.which(name) for name in ("yosys", "verilator", "g++", "make")]
    homes = [Path(os.path.realpath(path)).parent.parent for path in native if path]
    return tuple(path for path in dict.fromkeys([*folders, *homes]) if path.exists())


def native_versions() -> dict[str, str]:
    """Return the versions of the programs on PATH that can change a result."""
    found = {}
    for name, option in (("yosys", "-V"), ("verilator", "--version"), ("g++", "--version")):
        path = shutil.which(name)
        if path:
            done = subprocess.run(
                [path, option], capture_output=True, text=True, timeout=60, check=False
            )
            lines = done.stdout.splitlines()
            found[name] = lines[0] if lines else ""
    return found


def compiler() -> str:
    """Return the C++ compiler.

    Raises
    ------
    Fault
        There is none.
    """
    found = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
    if found is None:
        raise Fault(
            "environment",
            Problem(
                what="no C++ compiler was found",
                expected="g++ on PATH",
                fix="apt-get install g++ make (the firmware is simulated as compiled C++)",
            ),
        )
    return found


def run_tool(
    command: Sequence[str | Path],
    *,
    name: str,
    folder: Path,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return what it printed (both streams).

    Raises
    ------
    Fault
        It is missing, failed, was killed, ran out of time or out of disk space.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            # Tools keep their own temporary files beside the build.
            env={**os.environ, "TMPDIR": str(folder), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Fault(
            "limit",
            Problem(
                what=f"{name} did not end within {timeout_s:.0f} s",
                fix="raise the time limit of the firmware settings, or make the network smaller",
            ),
        ) from error
    except FileNotFoundError as error:
        raise Fault(
            "environment", Problem(what=f"{name} was not found: {command[0]}", fix=EXTRA)
        ) from error
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise _failure(name, done.returncode, text)
    return text


def _failure(name: str, code: int, text: str) -> Fault:
    if "No space left on device" in text:
        return no_space(f"{name} said so")
    tail = text[-_LOG_TAIL:].strip()
    if code in _KILLED or "Killed" in tail or "bad_alloc" in tail:
        return Fault(
            "limit",
            Problem(
                what=f"{name} was killed (exit status {code}), most likely for want of memory",
                fix="raise the memory limit of the firmware settings, or make the network smaller",
            ),
        )
    return Fault(
        "environment",
        Problem(
            what=f"{name} failed with exit status {code}:\n{tail}",
            fix="see the end of its output above",
        ),
    )


def python_environment() -> dict[str, str]:
    """Return the environment by which a child Python finds the packages of this one."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
