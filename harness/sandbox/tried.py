"""The trial of the isolation before a scoring: its result is kept for a day."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import harness
from harness.card.records import IsolationKind, IsolationTrial, NotMeasured
from harness.challenge import Value, utc
from harness.errors import DataError, EnvironmentFaultError
from harness.files import read_json, write_json
from harness.sandbox.bindings import package_folder
from harness.sandbox.bubblewrap import find_bwrap
from harness.sandbox.doctor import faults_of, try_isolation
from harness.sandbox.seccomp import filter_program
from harness.sandbox.workspace import Workspace

FILE_NAME = "isolation.json"
MAX_AGE = timedelta(days=1)
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
    held = {tried.guard: tried.claim for tried in guards}
    trial = IsolationTrial(tried=utc(now), guards=held)
    # The scoring does not need it.
    with suppress(EnvironmentFaultError):
        write_json(path, KeptTrial(machine=machine, trial=trial))
    return trial


def _machine() -> str:
    """Return a digest of what a trial depends on: bubblewrap, kernel, user and harness."""
    bwrap = find_bwrap()
    status = bwrap.stat()
    found = {
        "bwrap": [str(bwrap), status.st_size, status.st_mtime_ns, status.st_ctime_ns],
        "kernel": [platform.release(), platform.version(), platform.node()],
        "user": os.geteuid(),
        "harness": [harness.__version__, str(package_folder()), filter_program().hex()],
    }
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _read(path: Path) -> KeptTrial | None:
    with suppress(DataError):
        return read_json(path, KeptTrial)
    return None


def _is_recent(trial: IsolationTrial, now: datetime) -> bool:
    return now - MAX_AGE < datetime.fromisoformat(trial.tried) <= now
