"""The one way to run a step: in a folder of its own, with a report that is checked."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from harness.card.records import IsolationKind
from harness.errors import HarnessError, HarnessFaultError, SubmissionError, harness_fault
from harness.files import make_folder
from harness.sandbox.report import read_report
from harness.sandbox.run import open_sandbox
from harness.sandbox.scratch import scratch_folder
from harness.sandbox.step import Limits, MalformedError, RunStep, Step, StepResult, Usage

Report = TypeVar("Report", bound=BaseModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """Runs steps, each in a folder of its own; safe in threads.

    Attributes
    ----------
    run_step : RunStep
        Runs one step: `Sandbox.run`.
    folder : Path
        Holds the folders of the steps, and what the parent makes for them.
    usages : list of Usage
        What the steps used so far.
    """

    run_step: RunStep
    folder: Path
    usages: list[Usage] = field(default_factory=list)

    def run(
        self,
        name: str,
        entry: str,
        model: type[Report],
        *,
        request: Mapping[str, JsonValue] | None = None,
        inputs: Mapping[str, Path] | None = None,
        outputs: Mapping[str, int] | None = None,
        limits: Limits | None = None,
        tools: tuple[Path, ...] = (),
        sees_host: bool = False,
        may_raise: tuple[type[HarnessError], ...] = (),
        progress: Callable[[int], None] | None = None,
        observe: Callable[[int, Sequence[str]], None] | None = None,
        printed: Callable[[str], None] | None = None,
    ) -> StepResult[Report]:
        """Run one step and check its report.

        Parameters
        ----------
        model : type
            The pydantic model of the report; unknown types and fields are refused.
        name, entry, request, inputs, outputs, limits, tools, sees_host, may_raise, progress, \
        observe, printed
            See `harness.sandbox.step.Step`.

        Raises
        ------
        MalformedError
            The report is malformed.
        HarnessFaultError
            A step in which no participant's code runs broke off, or left something malformed.
        HarnessError
            The step failed; see `harness.sandbox.step.RunStep`.
        """
        step = Step(
            name=name,
            entry=entry,
            request=request or {},
            inputs=inputs or {},
            outputs=outputs or {},
            limits=limits or Limits(),
            tools=tools,
            sees_host=sees_host,
            may_raise=may_raise,
            progress=progress,
            observe=observe,
            printed=printed,
        )
        with _own_faults(step):
            result = self.run_step(step, self.new_folder(name))
            self.usages.append(result.usage)
            report = read_report(result.report, model, name)
        return StepResult(report=report, outputs=result.outputs, usage=result.usage, log=result.log)

    def new_folder(self, name: str) -> Path:
        """Make an empty folder: `name` and a random ending.

        Raises
        ------
        EnvironmentFaultError
            It cannot be made.
        """
        folder = self.folder / f"{name}-{secrets.token_hex(4)}"
        make_folder(folder)
        return folder


@contextmanager
def _own_faults(step: Step) -> Iterator[None]:
    """Blame the harness for what a step without any participant's code did not expect."""
    try:
        yield
    except (SubmissionError, MalformedError) as error:
        if HarnessFaultError not in step.may_raise:
            raise
        faults = (harness_fault(_told(p.what), where=p.where) for p in error.problems)
        raise HarnessFaultError(*(fault.problems[0] for fault in faults)) from error


def _told(what: str) -> str:
    """Return the line that names the fault: of a traceback the last one, else the first."""
    lines = what.strip().splitlines()
    return lines[-1 if lines[0] == "failed:" else 0]


@contextmanager
def open_workspace(kind: IsolationKind) -> Iterator[Workspace]:
    """Open a sandbox, and a folder for its steps that is removed at the end.

    Raises
    ------
    EnvironmentFaultError
        This machine cannot give the isolation.
    """
    sandbox = open_sandbox(kind)
    with scratch_folder() as folder:
        yield Workspace(run_step=sandbox.run, folder=folder)
