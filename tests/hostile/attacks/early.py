"""Attacks on a step that is started early, before a network is there for it.

Its later inputs are files of the parent's that are empty until the export has ended. What an export
leaves must not become anything else there, and the step itself must not change them.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, JsonValue

from harness.card.run import IsolationKind
from harness.errors import HarnessError
from harness.sandbox import Sandbox, Workspace, open_sandbox
from harness.sandbox.step import Limits
from tests.hostile.attack import LIMITS, PREAMBLE, Attack, attack
from tests.hostile.world import World

EXECUTE = "harness.sandbox.trial:execute"
READ = "found = inputs['graph'].read_text()"


class _Found(BaseModel):
    found: JsonValue


def _finish(
    sandbox: Sandbox, world: World, folder: Path, code: str, graph: Path, limits: Limits = LIMITS
) -> JsonValue:
    """Start a step early, give it `graph`, and return what its code found."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "code.py"
    place.write_text(PREAMBLE + textwrap.dedent(code))
    workspace = Workspace(run_step=sandbox.run, start_step=sandbox.start, folder=folder / "steps")
    with workspace.start(
        "early", EXECUTE, warm_up="", inputs={"code": place}, later=("graph",), limits=limits
    ) as early:
        request: dict[str, JsonValue] = dict(world.request())  # type: ignore[arg-type]
        return workspace.finish(
            early, _Found, request=request, contents={"graph": graph}
        ).report.found


def _left_in_its_place(leave: Callable[[World, Path], None]) -> Callable[[World, Path], bool]:
    """Return what gives a waiting step whatever `leave` put in the place of an exported graph."""

    def run(world: World, folder: Path) -> bool:
        graph = folder / "graph"
        folder.mkdir(parents=True, exist_ok=True)
        leave(world, graph)
        try:
            return bool(_finish(open_sandbox("bwrap"), world, folder, READ, graph))
        except HarnessError:
            return False

    return run


def _link(world: World, graph: Path) -> None:
    graph.symlink_to(world.folder / "cache/labels.json")


def _fifo(world: World, graph: Path) -> None:
    os.mkfifo(graph)


def _copied_without_care(attack_: Attack, world: World, folder: Path) -> bool:
    """Copy a file as the standard library does: it follows the link."""
    _link(world, folder / "graph")
    shutil.copyfile(folder / "graph", folder / "copy")
    return world.secret in (folder / "copy").read_text()


def _opened_without_care(attack_: Attack, world: World, folder: Path) -> bool:
    """Open a pipe as the standard library does: without a writer it would wait for ever."""
    _fifo(world, folder / "graph")
    writer = os.open(folder / "graph", os.O_RDWR)
    os.write(writer, b"x")
    with (folder / "graph").open("rb") as file:
        return file.read(1) == b"x"


attack(
    "link-in-the-place-of-a-later-input",
    kind="files",
    claim="a later input is a copy of a regular file: no link of an export leads out of it",
    run=_left_in_its_place(_link),
    control=_copied_without_care,
)
attack(
    "pipe-in-the-place-of-a-later-input",
    kind="files",
    claim="a later input is a copy of a regular file: no pipe makes the scorer wait",
    run=_left_in_its_place(_fifo),
    control=_opened_without_care,
)

# What the step does with its later input; `found` is what worked.
CHANGES = """
    found = []
    place = inputs['graph']
    for act in (
        lambda: open(place, 'r+').write('other'),
        lambda: os.truncate(place, 0),
        lambda: os.chmod(place, 0o666),
        lambda: os.rename(place, str(place) + '.old'),
        lambda: os.unlink(place),
        lambda: os.symlink('/etc/passwd', str(place) + '.link'),
        lambda: os.mkfifo(str(place) + '.pipe'),
    ):
        try:
            act()
            found.append(1)
        except OSError:
            continue
"""
# Whether any other process can be seen, or any path of the host.
LOOKS_OUT = """
    found = []
    for pid in range(2, 5000):
        try:
            os.kill(pid, 0)
        except OSError:
            continue
        if pid != os.getpid():
            found.append(pid)
    found += [path for path in request['places'] if os.path.lexists(path)]
"""


def _changes_it(kind: IsolationKind, world: World, folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph").write_text("a network")
    return bool(_finish(open_sandbox(kind), world, folder, CHANGES, folder / "graph"))


attack(
    "change-a-later-input",
    kind="files",
    claim="a step reads its later inputs and cannot change, move or replace them",
    run=lambda world, folder: _changes_it("bwrap", world, folder),
    control=lambda attack_, world, folder: _changes_it("none", world, folder),
)


def _export_reaches_the_waiting(kind: IsolationKind, world: World, folder: Path) -> bool:
    """Run a plugin's export while another step waits; whether it sees that step or its files."""
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = open_sandbox(kind)
    code = folder / "plugin.py"
    code.write_text(PREAMBLE + textwrap.dedent(LOOKS_OUT))
    workspace = Workspace(run_step=sandbox.run, start_step=sandbox.start, folder=folder / "steps")
    with workspace.start("waits", EXECUTE, warm_up="", later=("graph",)) as waits:
        started = waits.started
        places = [str(path) for path in started.later.values()]  # type: ignore[union-attr]
        done = workspace.run(
            "export",
            EXECUTE,
            _Found,
            request={"places": places},  # type: ignore[dict-item]
            inputs={"code": code},
            limits=LIMITS,
        )
    return bool(done.report.found)


attack(
    "export-reaches-the-step-that-waits",
    kind="processes",
    claim="a plugin that is exported sees neither the step that waits for it nor its files",
    run=lambda world, folder: _export_reaches_the_waiting("bwrap", world, folder),
    control=lambda attack_, world, folder: _export_reaches_the_waiting("none", world, folder),
)
