"""Trying an attack: with the guard, and without it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.sandbox import Sandbox, open_sandbox
from harness.sandbox.step import Step, StepResult
from tests.hostile.attack import Attack, Loosened, NotTried, Unguarded
from tests.hostile.world import World

ENTRY = "harness.sandbox.trial:execute"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How an attack went: its result, or the error with which the step ended.

    Attributes
    ----------
    folder : Path
        Where its outputs lie.
    """

    folder: Path
    result: StepResult | None = None
    error: HarnessError | None = None

    @property
    def found(self) -> object:
        """What the attack says that it got."""
        return self.result.report.get("found") if self.result else None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether an attack got through, and what there is to say of it."""

    got_through: bool
    detail: str


def run_attack(
    attack: Attack,
    sandbox: Sandbox,
    world: World,
    folder: Path,
    may_raise: tuple[type[HarnessError], ...] = (),
) -> Attempt:
    """Run an attack's code in `sandbox`; `folder` is empty."""
    submission, made = folder / "submission", folder / "outputs"
    submission.mkdir(parents=True)
    made.mkdir()
    code = submission / "model.py"
    code.write_text(attack.source)
    if attack.prepare is not None:
        attack.prepare(submission)
    step = Step(
        name="attack",
        entry=ENTRY,
        request=world.request(),  # type: ignore[arg-type]
        inputs={"code": code, "submission": submission},
        outputs=attack.outputs,
        limits=attack.limits,
        may_raise=may_raise,
    )
    try:
        return Attempt(folder=made, result=sandbox.run(step, made))
    except HarnessError as error:
        return Attempt(folder=made, error=error)


def try_guarded(attack: Attack, sandbox: Sandbox, world: World, folder: Path) -> Verdict:
    """Try an attack on the guard; getting through is a hole."""
    if attack.run is not None:
        got_through = attack.run(world, folder)
        return Verdict(got_through=got_through, detail="accepted" if got_through else "refused")
    attempt = run_attack(attack, sandbox, world, folder)
    for harm in _harms(attack, attempt, world):
        return Verdict(got_through=True, detail=harm)
    return Verdict(got_through=False, detail=str(attempt.error or "found nothing").splitlines()[0])


def _harms(attack: Attack, attempt: Attempt, world: World) -> list[str]:
    """Return all the ways in which the attack succeeded."""
    harms = []
    if attack.got_through is not None:
        if attack.got_through(attempt, world):
            harms.append("it did what it wanted")
    elif attempt.found:
        harms.append(f"it found {attempt.found!r}")
    if attack.ends is not None and not isinstance(attempt.error, attack.ends):
        harms.append(f"the step ended with {attempt.error or attempt.result!r}")
    if attack.says and not re.search(attack.says, str(attempt.error)):
        harms.append(f"the step said {attempt.error!r}")
    if not world.is_untouched():
        harms.append("a victim's file has changed")
    if world.survivors():
        harms.append("a process is still alive")
    return harms


def control_is_skipped(attack: Attack) -> str:
    """Return why there is no control of this attack here, or nothing if there is one."""
    if isinstance(attack.control, NotTried):
        return attack.control.because
    if isinstance(attack.control, Unguarded) and attack.control.needs_root and os.geteuid() != 0:
        return "works without the guard for root only"
    return ""


def try_control(attack: Attack, sandbox: Sandbox, world: World, folder: Path) -> bool:
    """Try an attack with the guard off; return whether it works there, as it should."""
    control = attack.control
    if isinstance(control, NotTried):
        raise TypeError(f"{attack.name} has no control")
    if isinstance(control, Loosened):
        looser = dataclasses.replace(attack, limits=control.limits)
        return _succeeds(looser, run_attack(looser, sandbox, world, folder), world)
    if isinstance(control, Unguarded):
        return _succeeds(attack, run_attack(attack, open_sandbox("none"), world, folder), world)
    return control(attack, world, folder)


def _succeeds(attack: Attack, attempt: Attempt, world: World) -> bool:
    if attack.got_through is not None:
        return attack.got_through(attempt, world)
    return bool(attempt.found) or bool(world.survivors())


def plain_python(attack: Attack, world: World, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an attack's code in a bare interpreter: what a harness without any care would do."""
    code = folder / "attack.py"
    made = {name: str(folder / name) for name in attack.outputs}
    names = (
        f"import pathlib\nrequest = {world.request()!r}\n"
        f"outputs = {{name: pathlib.Path(place) for name, place in {made!r}.items()}}\n"
    )
    code.write_text(names + textwrap.dedent(attack.source))
    done = subprocess.run(
        [sys.executable, code], capture_output=True, check=False, timeout=60, cwd=folder
    )
    # Decoded here: text=True would turn carriage returns into newlines.
    stdout, stderr = (said.decode(errors="replace") for said in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, stdout, stderr)


def naively(attack: Attack, world: World, folder: Path) -> bool:
    """Return whether the attack finds something in a bare interpreter; serves as a control."""
    told = dataclasses.replace(attack, code=textwrap.dedent(attack.code) + "\nprint('GOT', found)")
    printed = plain_python(told, world, folder).stdout
    return "GOT" in printed and "GOT False" not in printed and "GOT []" not in printed
