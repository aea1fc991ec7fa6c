"""The trial of the isolation before a scoring: its result is kept for a day."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import harness
from harness.card.figures import NotMeasured
from harness.card.run import IsolationKind, IsolationTrial
from harness.challenge import Value, utc
from harness.errors import DataError, EnvironmentFaultError
from harness.files import file_checksum, read_json, write_json
from harness.sandbox.advice import read_text
from harness.sandbox.bindings import package_folder
from harness.sandbox.bubblewrap import find_bwrap, find_setpriv
from harness.sandbox.doctor import faults_of, try_isolation
from harness.sandbox.seccomp import filter_program
from harness.sandbox.usage import PROC
from harness.sandbox.workspace import Workspace, open_workspace

FILE_NAME = "isolation.json"
MAX_AGE = timedelta(days=1)
# Another one after each start of the machine.
BOOT = PROC / "sys/kernel/random/boot_id"
# The namespaces that tell a container from its host.
AROUND = ("mnt", "pid", "user")
_NO_SANDBOX = NotMeasured(not_measured="there was no sandbox (--unsafe)")


class KeptTrial(Value):
    """A trial in the cache.

    Attributes
    ----------
    machine : str
        Digest of what was tried: the trial holds for nothing else.
    """

    machine: str
    trial: IsolationTrial


@contextmanager
def open_tried_workspace(kind: IsolationKind, cache: Path) -> Iterator[Workspace]:
    """Open a workspace, as `open_workspace` does, whose sandbox was tried within a day.

    Raises
    ------
    EnvironmentFaultError
        This machine cannot give the isolation, or a guard does not hold.
    """
    with open_workspace(kind) as workspace:
        tried_isolation(kind, workspace, cache)
        yield workspace


def tried_isolation(
    kind: IsolationKind, workspace: Workspace, cache: Path, now: datetime | None = None
) -> IsolationTrial | NotMeasured:
    """Return which guards of the sandbox hold on this machine; try them if that is not known.

    Parameters
    ----------
    kind : str
        The isolation of the scoring.
    workspace : Workspace
        Where the trial's steps run.
    cache : Path
        The folder in which the result is kept.
    now : datetime, optional
        The time, if it is not the clock's.

    Raises
    ------
    EnvironmentFaultError
        A guard does not hold. That is never kept.
    """
    if kind == "none":
        return _NO_SANDBOX
    now, machine, path = now or datetime.now(UTC), _machine(), cache / FILE_NAME
    kept = _read(path)
    if kept is not None and kept.machine == machine and _is_recent(kept.trial, now):
        return kept.trial
    guards = try_isolation(workspace)
    if faults := faults_of(guards):
        raise EnvironmentFaultError(*faults)
    held = {
        tried.guard: f"{tried.claim}; {tried.detail}" if tried.detail else tried.claim
        for tried in guards
    }
    trial = IsolationTrial(tried=utc(now), guards=held)
    # The scoring does not need it.
    with suppress(EnvironmentFaultError):
        write_json(path, KeptTrial(machine=machine, trial=trial))
    return trial


def _machine() -> str:
    """Return a digest of what a trial depends on: programs, kernel, surroundings, user, harness."""
    programs = [find_bwrap(), *([find_setpriv()] if os.geteuid() == 0 else [])]
    sources = sorted((package_folder() / "sandbox").glob("*.py"))
    found = {
        "programs": [[str(path), _digest(path)] for path in programs],
        "kernel": [platform.release(), platform.version(), platform.node(), read_text(BOOT)],
        "around": [_namespace(name) for name in AROUND],
        "user": os.geteuid(),
        "harness": [harness.__version__, str(package_folder()), filter_program().hex()],
        "sandbox": [_digest(path) for path in sources],
    }
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _namespace(name: str) -> str:
    with suppress(OSError):
        return str((PROC / "self" / "ns" / name).readlink())
    return "this kernel has none"


def _digest(path: Path) -> str:
    try:
        return file_checksum(path)
    except OSError:
        # A program may be closed to its readers.
        return str(path.stat())


def _read(path: Path) -> KeptTrial | None:
    with suppress(DataError):
        return read_json(path, KeptTrial)
    return None


def _is_recent(trial: IsolationTrial, now: datetime) -> bool:
    return now - MAX_AGE < datetime.fromisoformat(trial.tried) <= now
