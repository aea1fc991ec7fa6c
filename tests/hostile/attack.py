"""What an attack is, and the table of all of them.

An attack is a piece of Python that a participant could put into `model.py`. It sees ``request``
(where the victims are), ``inputs`` and ``outputs``, and leaves in ``found`` something true if it
got what it wanted. To add one, call `attack` in a module of `tests/hostile/attacks`::

    attack(
        "read-the-shadow-file",
        kind="files",
        claim="a sandbox holds no file of the host but the listed ones",
        code="found = open('/etc/shadow').read(1)",
    )

That one is run with the guard, where it must fail, and without it, where it must work: else the
test shows nothing. Where its lack of a guard would do harm, `control` says why it is not tried.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.sandbox.step import MIB, Limits

if TYPE_CHECKING:
    from tests.hostile.attempt import Attempt
    from tests.hostile.world import World

KINDS = {
    "files": "read or write what is not theirs",
    "network": "talk to someone",
    "processes": "live on, or reach other processes",
    "kernel": "calls that open the kernel",
    "resources": "take more than their share",
    "output": "what is printed",
    "report": "what is reported",
    "results": "the files that come back",
    "graph": "the exported network",
    "scores": "scores that know too much, or too little",
    "names": "names and texts of a submission",
}
# An attack costs some 50 ms; the wall clock is for machines that are busy with something else.
LIMITS = Limits(
    wall_s=60.0,
    cpu_s=20.0,
    memory_bytes=512 * MIB,
    n_processes=64,
    scratch_bytes=64 * MIB,
    log_bytes=8 * MIB,
)
PREAMBLE = """
import ctypes, errno, os, platform, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(x86_64, aarch64, *arguments):
    number = {"x86_64": x86_64, "aarch64": aarch64}[platform.machine()]
    # As long as a register: of a shorter one on the stack, half would be left to chance.
    whole = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    value = libc.syscall(ctypes.c_long(number), *whole)
    if value == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value
def rename_process(name):
    libc.prctl(15, name.encode(), 0, 0, 0)
"""


@dataclass(frozen=True, kw_only=True)
class Unguarded:
    """The control is the same code in mode ``none``."""

    needs_root: bool = False


@dataclass(frozen=True, kw_only=True)
class Loosened:
    """The control is the same code in the sandbox, with these limits."""

    limits: Limits


@dataclass(frozen=True, kw_only=True)
class NotTried:
    """There is no control, for this reason."""

    because: str


Control = Unguarded | Loosened | NotTried | Callable[["Attack", "World", Path], bool]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack on the scorer.

    Attributes
    ----------
    ends : type of exception, or a tuple of them, optional
        How the step has to end; without it, an attack that finds nothing or fails is stopped.
    says : str
        Regular expression that the error's text has to match.
    got_through : callable, optional
        Judges the attempt in the place of ``found``; gets the attempt and the world.
    prepare : callable, optional
        Fills the submission's folder before the attack.
    run : callable, optional
        Takes the place of code in a sandbox: returns whether it got through. For attacks on what
        the parent reads.
    """

    name: str
    kind: str
    claim: str
    code: str = ""
    ends: type[HarnessError] | tuple[type[HarnessError], ...] | None = None
    says: str = ""
    control: Control = field(default_factory=Unguarded)
    limits: Limits = LIMITS
    outputs: Mapping[str, int] = field(default_factory=dict)
    got_through: Callable[[Attempt, World], bool] | None = None
    prepare: Callable[[Path], None] | None = None
    run: Callable[[World, Path], bool] | None = None

    @property
    def source(self) -> str:
        """The Python file that a participant would have written."""
        return PREAMBLE + textwrap.dedent(self.code)


ATTACKS: dict[str, Attack] = {}


def attack(name: str, **fields: object) -> Attack:
    """Add an attack to the corpus."""
    made = Attack(name=name, **fields)  # type: ignore[arg-type]
    if name in ATTACKS or made.kind not in KINDS:
        raise ValueError(f"{name} is there already, or of no known kind")
    ATTACKS[name] = made
    return made
