"""Looking around in a sandbox, from inside and from outside, whether each guard holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, RootModel

from harness.challenge import Value
from harness.files import write_whole
from harness.sandbox import bindings, bubblewrap, outside, seccomp
from harness.sandbox.bindings import Place
from harness.sandbox.inside_calls import Untried
from harness.sandbox.run import resource_limits
from harness.sandbox.start import stand_ins
from harness.sandbox.step import MIB, Limits, Step
from harness.sandbox.workspace import Workspace

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
    "limits": "the kernel's limits of each process are in force",
}
# What has to happen may take its time on a busy machine.
LOOKING = Limits(
    wall_s=300.0, cpu_s=60.0, memory_bytes=512 * MIB, n_processes=4096, scratch_bytes=16 * MIB
)
WRITTEN = b"written"
LOOKS = Step(
    name="look around",
    entry=f"{INSIDE}:look_around",
    outputs={"output": len(WRITTEN)},
    limits=LOOKING,
)
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
        What was seen, or why it was not tried.
    is_tried : bool
        Whether it was seen to hold or not to hold. What was not tried does not hold.
    """

    guard: str
    claim: str
    is_held: bool
    detail: str = ""
    is_tried: bool = True


class Seen(Value):
    """What was seen of one guard.

    Attributes
    ----------
    found : tuple of str
        What got through it.
    untried : tuple of str
        What could not be tried, and is not needed for the guard to hold.
    failed : tuple of str
        Why the guard as a whole was not tried.
    """

    found: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class LookedAround(RootModel[dict[str, Seen]]):
    """What a step reports that looked around in its sandbox."""


def look_around(workspace: Workspace) -> list[TriedGuard]:
    """Try what a step should not see or do, and look at it from outside."""
    folder = workspace.new_folder("host")
    readable, secret = folder / "input", folder / "secret"
    for path in (readable, secret):
        write_whole(path, b"x")
    places = _places()
    outside_view = _OutsideView(places)
    done = workspace.run(
        "look around",
        f"{INSIDE}:look_around",
        LookedAround,
        request=_request(places, secret),
        inputs={"input": readable},
        outputs={"output": len(WRITTEN)},
        limits=LOOKING,
        observe=outside_view.look,
    )
    seen = {**done.report.root, **outside_view.seen}
    if seen["outputs"] == Seen() and done.outputs["output"].read_bytes() != WRITTEN:
        seen["outputs"] = Seen(found=("what was written did not arrive",))
    return [judge(guard, claim, seen.get(guard)) for guard, claim in LOOKED_FOR.items()]


class _OutsideView:
    """What is seen from outside while a step lives; the last look counts."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self.seen: dict[str, Seen] = {}

    def look(self, root: int, command: Sequence[str]) -> None:
        """Look at the step whose first process is `root`."""
        try:
            found = outside.look(root, command, self._places)
        except OSError as error:
            # It has ended since the last look, or this machine does not let us look at all.
            failed = Seen(failed=(str(error),))
            self.seen = self.seen or dict.fromkeys(("command", "namespaces", "mounts"), failed)
        else:
            self.seen = {guard: _sorted(faults) for guard, faults in found.items()}


def _sorted(faults: Sequence[str]) -> Seen:
    untried = tuple(str(it) for it in faults if isinstance(it, Untried))
    return Seen(found=tuple(it for it in faults if it not in untried), untried=untried)


def judge(guard: str, claim: str, seen: Seen | None) -> TriedGuard:
    """Say whether a guard holds, from what was seen of it."""
    if seen is None or seen.failed:
        why = "" if seen is None else ", ".join(seen.failed)
        return TriedGuard(guard=guard, claim=claim, is_held=False, is_tried=False, detail=why)
    found = seen.found
    if not found:
        untried = f"not tried: {', '.join(seen.untried)}" if seen.untried else ""
        return TriedGuard(guard=guard, claim=claim, is_held=True, detail=untried)
    more = f" and {len(found) - MAX_SHOWN} more" if len(found) > MAX_SHOWN else ""
    detail = ", ".join(found[:MAX_SHOWN]) + more
    return TriedGuard(guard=guard, claim=claim, is_held=False, detail=detail)


def _places() -> tuple[Place, ...]:
    """Return all places of the step that looks around."""
    host = bubblewrap.host_paths(LOOKS, bubblewrap.unprivileged_uid())
    return bindings.layout(host, {"input": Path("input")}, {"output": Path("output")})


def _request(places: Sequence[Place], secret: Path) -> dict[str, JsonValue]:
    contents = {name: hashlib.sha256(data).hexdigest() for name, data in stand_ins().items()}
    return {
        "places": [[place.path, place.kind, _detail(place, contents)] for place in places],
        "hidden": ["/etc/passwd", str(secret)],
        "parent": os.getpid(),
        "users": list(bubblewrap.users()),
        "groups": list(bubblewrap.groups()),
        "host": bubblewrap.HOST_NAME,
        "scratch": bindings.SCRATCH,
        "scratch_bytes": LOOKING.scratch_bytes,
        "environment": dict(bindings.environment(bindings.SCRATCH)),
        "calls": _calls(),
        "rlimits": {name: [*most] for name, most in resource_limits("bwrap", LOOKS).items()},
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
