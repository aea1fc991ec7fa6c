"""A step: the one form in which a sandbox receives untrusted work.

`harness.sandbox.workspace.Workspace` makes the steps and checks what they report; `Sandbox.run`
runs one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import JsonValue

from harness.errors import HarnessError, InvalidSubmissionError

MIB = 1024**2
GIB = 1024**3

# The only entry that may have the machine's name and network: a vendor's tool checks its licence by
# them. It works on C++ and Tcl that harness wrote; no code or file of a participant is in it.
MAY_SEE_HOST = ("harness.firmware.vendor.tool:run_vendor_tool",)

Report = TypeVar("Report")


class MalformedError(InvalidSubmissionError):
    """The report or an output of a step is not what was agreed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one step may use before everything in it is killed.

    Attributes
    ----------
    wall_s, cpu_s : float
        Wall-clock and processor seconds (all processes of the step together count for the first).
    memory_bytes : int
        Private data memory of each process, and anonymous memory of all of them together, with
        page tables (memory maps of input files do not count).
    n_processes, n_open_files : int
        Processes and threads; file descriptors of each process.
    scratch_bytes : int
        Size of the step's temporary file system.
    log_bytes : int
        What the step may print; only its head and tail are kept.
    """

    wall_s: float = 600.0
    cpu_s: float = 2400.0
    memory_bytes: int = 8 * GIB
    n_processes: int = 256
    n_open_files: int = 1024
    scratch_bytes: int = 256 * MIB
    log_bytes: int = 64 * MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One piece of work for a sandbox.

    Attributes
    ----------
    name : str
        Shown to the user and recorded in the card: "export", "score", ...
    entry : str
        ``package.module:function`` of the harness; called in the sandbox as
        ``function(request, inputs, outputs)`` and returns the report.
    request : mapping
        JSON that the entry receives.
    inputs : mapping of str to Path
        Files or folders bound read-only; the entry receives where they lie in the sandbox.
    outputs : mapping of str to int
        Files that the entry may write, with the most bytes that each may hold.
    later : tuple of str
        Further inputs, regular files whose contents do not exist yet when the step is started.
    warm_up : str
        ``package.module:function`` of the harness, called without arguments before the step has
        its request: what can be imported and made without any participant's file.
    tools : tuple of Path
        Further host paths bound read-only at their own place (compilers, netlist tools).
    limits : Limits
        What the step may use.
    sees_host : bool
        Whether it has the machine's name and network, for a licence. `Sandbox.run` refuses this to
        every entry but those of `MAY_SEE_HOST`.
    may_raise : tuple of HarnessError classes
        Faults that the step may report besides those of the submission and its limits, such as a
        fault of this machine. Only for a step in which no participant's code runs: such code
        could blame the machine for its own failure. With `HarnessFaultError` among them, whatever
        such a step fails of without saying so is a fault of the harness.
    progress : callable, optional
        Receives how many bytes of the outputs are written, several times a second.
    observe : callable, optional
        Receives the first process of a sandboxed step and the command that made the sandbox,
        while the step lives, at least once.
    printed : callable, optional
        Receives what the step printed, if anything, when it has ended in whatever way.
    """

    name: str
    entry: str
    request: Mapping[str, JsonValue] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    outputs: Mapping[str, int] = field(default_factory=dict)
    later: tuple[str, ...] = ()
    warm_up: str = ""
    tools: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)
    sees_host: bool = False
    may_raise: tuple[type[HarnessError], ...] = ()
    progress: Callable[[int], None] | None = None
    observe: Callable[[int, Sequence[str]], None] | None = None
    printed: Callable[[str], None] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a step used: seconds of wall clock and processor, peak resident bytes."""

    wall_s: float
    cpu_s: float
    peak_memory_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult(Generic[Report]):
    """What came back from a step; nothing of it is trusted beyond its form.

    Attributes
    ----------
    report : dict or pydantic model
        The JSON object that the entry returned, of bounded size and depth; `Workspace.run`
        returns it as a checked model.
    outputs : mapping of str to Path
        The regular files that the entry wrote, in a folder that belongs to the caller.
    usage : Usage
        What the step used.
    log : str
        What it printed (standard output and error together), capped and stripped of controls.
    """

    report: Report
    outputs: Mapping[str, Path]
    usage: Usage
    log: str


class RunStep(Protocol):
    """The function that runs a step in a sandbox and reads back what it made."""

    def __call__(self, step: Step, folder: Path) -> StepResult[dict[str, JsonValue]]:
        """Run `step`; its outputs are written below `folder`, which exists and is empty.

        Raises
        ------
        SubmissionError
            The entry raised; the message holds the end of the participant's own traceback.
        InvalidSubmissionError
            The entry reported problems of the submission.
        LimitError
            A limit was reached.
        EnvironmentFaultError
            The sandbox could not be set up.
        HarnessError
            One of the step's `may_raise`, as the entry raised it.
        """
        ...


class StartedStep(Protocol):
    """A step that was started before its request and its later inputs are known."""

    def is_warm(self) -> bool:
        """Whether it has nothing to do before it has its request."""
        ...

    def has_ended(self) -> bool:
        """Whether it ended before its turn, as a machine short of memory may do to it."""
        ...

    def finish(self, step: Step, contents: Mapping[str, Path]) -> StepResult[dict[str, JsonValue]]:
        """Give it its request and the `contents` of its later inputs; follow it to its end.

        Parameters
        ----------
        step : Step
            The step that was started, with its request; nothing else of it may differ but who is
            informed (`progress`, `observe`, `printed`).
        contents : mapping of str to Path
            Regular files by names of `Step.later`, which are copied; others stay empty.

        Raises
        ------
        HarnessError
            As for `RunStep`.
        """
        ...


class StartStep(Protocol):
    """The function that starts a step early, and ends what it started on leaving."""

    def __call__(self, step: Step, folder: Path) -> AbstractContextManager[StartedStep]:
        """Start `step`; the process that calls must be the one that goes on."""
        ...
