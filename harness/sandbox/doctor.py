"""What isolation this machine gives, found out by trying each guard."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, LimitError, Problem
from harness.sandbox.bubblewrap import find_bwrap, version
from harness.sandbox.run import Sandbox, open_sandbox
from harness.sandbox.scratch import scratch_folder
from harness.sandbox.step import GIB, MIB, Limits, Step

TRIAL = "harness.sandbox.trial"
# What `trial.look_around` tries, in words.
LOOKED_FOR = {
    "user": "a step is not root",
    "files": "the host's files are not there",
    "writes": "nothing but the outputs and a scratch folder can be written",
    "devices": "no devices but null, zero and urandom",
    "processes": "no processes but its own",
    "network": "no sockets",
    "calls": "ptrace, unshare, mount and chroot are denied",
}
SMALL = Limits(wall_s=30.0, cpu_s=30.0, memory_bytes=512 * MIB, n_processes=32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
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
    sandbox : Sandbox or None
        None where there can be none.
    findings : tuple of Finding
        Each guard that was tried.
    problems : tuple of Problem
        Why there is no sandbox, and what to set.
    """

    sandbox: Sandbox | None
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether there is a sandbox, and every guard held."""
        return self.sandbox is not None and all(finding.is_held for finding in self.findings)


def probe() -> Isolation:
    """Try every guard of the sandbox on this machine; takes about two seconds."""
    try:
        sandbox = open_sandbox("bwrap")
        findings = (
            _find_program(),
            *_look_around(sandbox),
            *_try_limits(sandbox),
            _try_start(sandbox),
        )
    except HarnessError as error:
        return Isolation(sandbox=None, problems=tuple(error.problems))
    return Isolation(sandbox=sandbox, findings=findings)


def _find_program() -> Finding:
    bwrap = find_bwrap()
    detail = f"{version(bwrap)}: {bwrap}"
    return Finding(guard="program", claim="bubblewrap is there", is_held=True, detail=detail)


def _look_around(sandbox: Sandbox) -> list[Finding]:
    with scratch_folder() as folder:
        readable, secret = folder / "input", folder / "secret"
        readable.write_text("x")
        secret.write_text("x")
        step = Step(
            name="look around",
            entry=f"{TRIAL}:look_around",
            request={"parent": os.getpid(), "secret": str(secret)},
            inputs={"input": readable},
            limits=SMALL,
        )
        found = sandbox.run(step, folder).report
    return [
        Finding(
            guard=guard,
            claim=claim,
            is_held=found.get(guard) == [],
            detail="" if found.get(guard) == [] else f"got through: {found.get(guard)}",
        )
        for guard, claim in LOOKED_FOR.items()
    ]


def _try_limits(sandbox: Sandbox) -> list[Finding]:
    too_much = {
        "memory": ("allocate", {"n_bytes": 2 * GIB}, SMALL, "memory is limited"),
        "process count": ("multiply", {"n_processes": 64}, SMALL, "processes are limited"),
        "time": (
            "loiter",
            {"wall_s": 20},
            Limits(wall_s=0.5, memory_bytes=512 * MIB),
            "a step that takes too long is killed",
        ),
    }
    return [
        _expect_limit(
            sandbox,
            Step(name=guard, entry=f"{TRIAL}:{function}", request=request, limits=limits),
            claim,
        )
        for guard, (function, request, limits, claim) in too_much.items()
    ]


def _expect_limit(sandbox: Sandbox, step: Step, claim: str) -> Finding:
    said = _failure(lambda folder: sandbox.run(step, folder))
    if isinstance(said, LimitError):
        first = str(said).splitlines()[0]
        return Finding(guard=step.name, claim=claim, is_held=True, detail=first)
    detail = f"expected a limit, got {said or 'no error'}"
    return Finding(guard=step.name, claim=claim, is_held=False, detail=detail)


def _failure(run: Callable[[Path], object]) -> HarnessError | None:
    with scratch_folder() as folder:
        try:
            run(folder)
        except HarnessError as error:
            return error
    return None


def _try_start(sandbox: Sandbox) -> Finding:
    started_s = time.monotonic()
    with scratch_folder() as folder:
        sandbox.run(Step(name="start", entry=f"{TRIAL}:nothing", limits=SMALL), folder)
    took_ms = 1000 * (time.monotonic() - started_s)
    return Finding(
        guard="start", claim="a step starts and ends", is_held=True, detail=f"{took_ms:.0f} ms"
    )
