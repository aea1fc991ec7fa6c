"""What isolation this machine gives: each guard is tried."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from pydantic import JsonValue, RootModel

from harness.errors import HarnessError, LimitError, Problem
from harness.sandbox.bubblewrap import find_bwrap, version
from harness.sandbox.step import GIB, MIB, Limits
from harness.sandbox.workspace import Workspace, open_workspace

TRIAL = "harness.sandbox.trial"
# What `trial.look_around` tries, in words.
LOOKED_FOR = {
    "user": "a step is not root",
    "files": "the host's files are not there",
    "writes": "nothing but the outputs and a scratch folder can be written",
    "devices": "no devices but null and urandom",
    "processes": "no processes but its own",
    "network": "no sockets",
    "calls": "ptrace, unshare, mount and chroot are denied",
}
SMALL = Limits(wall_s=30.0, cpu_s=30.0, memory_bytes=512 * MIB, n_processes=32)


@dataclass(frozen=True, kw_only=True, slots=True)
class TriedGuard:
    """One guard that was tried.

    Attributes
    ----------
    guard : str
        A word, such as ``network``.
    claim : str
        What should hold.
    is_held : bool
        Whether it did.
    detail : str
        What was seen.
    """

    guard: str
    claim: str
    is_held: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """What isolation this machine gives.

    Attributes
    ----------
    guards : tuple of TriedGuard
        Each guard that was tried; none where there can be no sandbox.
    problems : tuple of Problem
        Why there is no sandbox, and what to set.
    """

    guards: tuple[TriedGuard, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether there is a sandbox, and every guard held."""
        return bool(self.guards) and all(tried.is_held for tried in self.guards)


class TrialReport(RootModel[dict[str, JsonValue]]):
    """What the steps of `TRIAL` report: one value for each thing that was tried."""


def probe() -> Isolation:
    """Try every guard of the sandbox on this machine; takes about two seconds."""
    try:
        with open_workspace("bwrap") as workspace:
            guards = (
                _find_program(),
                *look_around(workspace),
                *_try_limits(workspace),
                _try_start(workspace),
            )
    except HarnessError as error:
        return Isolation(problems=tuple(error.problems))
    return Isolation(guards=guards)


def _find_program() -> TriedGuard:
    bwrap = find_bwrap()
    detail = f"{version(bwrap)}: {bwrap}"
    return TriedGuard(guard="program", claim="bubblewrap is there", is_held=True, detail=detail)


def look_around(workspace: Workspace) -> list[TriedGuard]:
    """Try what a step should not see or do."""
    folder = workspace.new_folder("host")
    readable, secret = folder / "input", folder / "secret"
    readable.write_text("x")
    secret.write_text("x")
    found = workspace.run(
        "look around",
        f"{TRIAL}:look_around",
        TrialReport,
        request={"parent": os.getpid(), "secret": str(secret)},
        inputs={"input": readable},
        limits=SMALL,
    ).report.root
    return [
        TriedGuard(
            guard=guard,
            claim=claim,
            is_held=found.get(guard) == [],
            detail="" if found.get(guard) == [] else f"got through: {found.get(guard)}",
        )
        for guard, claim in LOOKED_FOR.items()
    ]


def _try_limits(workspace: Workspace) -> list[TriedGuard]:
    short = Limits(wall_s=0.5, memory_bytes=512 * MIB)
    too_much: tuple[tuple[str, str, dict[str, JsonValue], Limits, str], ...] = (
        ("memory", "allocate", {"n_bytes": 2 * GIB}, SMALL, "memory is limited"),
        ("process count", "multiply", {"n_processes": 64}, SMALL, "processes are limited"),
        ("time", "loiter", {"wall_s": 20}, short, "a step that takes too long is killed"),
    )
    return [_expect_limit(workspace, *trial) for trial in too_much]


def _expect_limit(
    workspace: Workspace,
    guard: str,
    function: str,
    request: dict[str, JsonValue],
    limits: Limits,
    claim: str,
) -> TriedGuard:
    entry = f"{TRIAL}:{function}"
    detail = "expected a limit, got no error"
    try:
        workspace.run(guard, entry, TrialReport, request=request, limits=limits)
    except LimitError as error:
        first = str(error).splitlines()[0]
        return TriedGuard(guard=guard, claim=claim, is_held=True, detail=first)
    except HarnessError as error:
        detail = f"expected a limit, got {error}"
    return TriedGuard(guard=guard, claim=claim, is_held=False, detail=detail)


def _try_start(workspace: Workspace) -> TriedGuard:
    started_s = time.monotonic()
    workspace.run("start", f"{TRIAL}:nothing", TrialReport, limits=SMALL)
    took_ms = 1000 * (time.monotonic() - started_s)
    return TriedGuard(
        guard="start", claim="a step starts and ends", is_held=True, detail=f"{took_ms:.0f} ms"
    )
