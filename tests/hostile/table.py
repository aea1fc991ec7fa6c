"""Prints how the corpus fared: ``python -m tests.hostile.table``, or ``make hostile``."""

# ruff: noqa: T201 a program that prints

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tests.hostile.attacks  # noqa: F401 fills the table
from harness.sandbox import open_sandbox
from tests.hostile.as_user import USER, command_as_user
from tests.hostile.attack import ATTACKS, KINDS
from tests.hostile.attempt import control_is_skipped, try_control, try_guarded
from tests.hostile.world import make_world

Outcome = dict[str, str]
# Root's steps run as the user nobody; the kernel counts the processes of each user together, so
# the attacks that go on meanwhile have a user of their own.
ORDINARY_USER = USER - 1


def try_all(*, with_controls: bool) -> dict[str, Outcome]:
    """Try every attack on this machine as the present user.

    Returns
    -------
    dict of str to dict
        For each attack: ``hole``, what it did if it got through, else empty; and ``control``:
        ``works``, ``fails`` or why it was not tried.
    """
    sandbox = open_sandbox("bwrap")
    outcomes = {}
    with tempfile.TemporaryDirectory() as name, make_world(Path(name) / "world") as world:
        for attack in ATTACKS.values():
            place = Path(name) / attack.name
            (place / "control").mkdir(parents=True)
            verdict = try_guarded(attack, sandbox, world, place / "guarded")
            world.end_survivors()
            control = control_is_skipped(attack) or "not asked for"
            if with_controls and not control_is_skipped(attack):
                works = try_control(attack, sandbox, world, place / "control")
                control = "works" if works else "fails"
                world.end_survivors()
            hole = f"{attack.claim}: {verdict.detail}" if verdict.got_through else ""
            outcomes[attack.name] = {"hole": hole, "control": control}
    return outcomes


def try_as_user() -> dict[str, Outcome] | str:
    """Try every attack as an ordinary user, from root; or say why that was not possible."""
    arguments = [sys.executable, "-m", "tests.hostile.table", "--json"]
    done = subprocess.run(
        command_as_user(arguments, ORDINARY_USER),
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    try:
        found: dict[str, Outcome] = json.loads(done.stdout)
    except json.JSONDecodeError:
        last = [*done.stderr.strip().splitlines(), "no word of why"][0]
        return f"not possible here: {last}"
    return found


def table(columns: dict[str, dict[str, Outcome]]) -> list[str]:
    """Return the lines of the table: for each kind, how many attacks and how many got through."""
    numbers = Counter(attack.kind for attack in ATTACKS.values())
    lines = [f"{'kind':<11}{'attacks':>8}" + "".join(f"{name:>26}" for name in columns)]
    for kind, told in KINDS.items():
        if numbers[kind]:
            cells = "".join(f"{_holes(column, kind):>18} through" for column in columns.values())
            lines.append(f"{kind:<11}{numbers[kind]:>8}{cells}   {told}")
    cells = "".join(f"{_holes(column, None):>18} through" for column in columns.values())
    return [*lines, f"{'all':<11}{sum(numbers.values()):>8}{cells}"]


def _holes(outcomes: dict[str, Outcome], kind: str | None) -> int:
    return sum(
        bool(outcome["hole"])
        for name, outcome in outcomes.items()
        if kind in (None, ATTACKS[name].kind)
    )


def _controls(outcomes: dict[str, Outcome]) -> str:
    counts = Counter(outcome["control"] for outcome in outcomes.values())
    not_tried = sum(counts.values()) - counts["works"] - counts["fails"]
    return (
        f"with the guard off: {counts['works']} work, {counts['fails']} fail, "
        f"{not_tried} not tried (harmful, or not possible on this machine)"
    )


def main(arguments: Sequence[str]) -> int:
    """Try everything that can be tried here; return 1 if anything got through."""
    started = time.monotonic()
    if "--json" in arguments:
        print(json.dumps(try_all(with_controls=False)))
        return 0
    is_root = os.geteuid() == 0
    with ThreadPoolExecutor(1) as other:
        # Each column has its own world: its own victims, and its own mark on what outlives a step.
        as_user = other.submit(try_as_user) if is_root else None
        first = try_all(with_controls=True)
    columns = {"as root" if is_root else "as an ordinary user": first}
    notes = [_controls(first)]
    if as_user is not None:
        second = as_user.result()
        if isinstance(second, str):
            notes.append(f"as an ordinary user: {second}")
        else:
            columns["as an ordinary user"] = second
    else:
        notes.append("as root: not tried; run `make hostile` as root for that")
    print("\n".join([*table(columns), "", *notes]))
    broken = [name for name, outcome in first.items() if outcome["control"] == "fails"]
    for name in broken:
        print(f"NO TEST  {name}: fails with the guard off, too")
    holes = [
        f"THROUGH  {name} ({who}): {outcome['hole']}"
        for who, column in columns.items()
        for name, outcome in column.items()
        if outcome["hole"]
    ]
    print("\n".join([*holes, f"took {time.monotonic() - started:.0f} s"]))
    return 1 if holes or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
