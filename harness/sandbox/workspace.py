"""The one way to run a step: in a folder of its own, with a report that is checked."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from harness.card.run import IsolationKind
from harness.errors import HarnessError, HarnessFaultError, SubmissionError, harness_fault
from harness.files import make_folder
from harness.sandbox.report import read_report
from harness.sandbox.run import open_sandbox
from harness.sandbox.scratch import scratch_folder
from harness.sandbox.step import (
    Limits,
    MalformedError,
    RunStep,
    StartedStep,
    StartStep,
    Step,
    StepResult,
    Usage,
)

Report = TypeVar("Report", bound=BaseModel)


class StoppedError(Exception):
    """A step was ended because the run that it belongs to has failed; nobody is informed of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlyStep:
    """A step that waits for its request, or whose turn has to come first.

    Attributes
    ----------
    started : StartedStep or None
        None where steps are not started early.
    folder : Path
        Where its outputs are.
    """

    step: Step
    started: StartedStep | None
    folder: Path

    @property
    def is_warm(self) -> bool:
        """Whether it has nothing to do before it has its request."""
        return self.started is None or self.started.is_warm()

    @property
    def has_ended(self) -> bool:
        """Whether it ended before its turn: it is of no use any more."""
        return self.started is not None and self.started.has_ended()

    def fits(self, inputs: Mapping[str, Path], outputs: AbstractSet[str]) -> bool:
        """Whether it has these inputs, or they can come later, and these outputs."""
        return outputs <= self.step.outputs.keys() and all(
            self.step.inputs.get(name) == path or name in self.step.later
            for name, path in inputs.items()
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """Runs steps, each in a folder of its own; safe in threads.

    Attributes
    ----------
    run_step : RunStep
        Runs one step: `Sandbox.run`.
    start_step : StartStep, optional
        Starts one early: `Sandbox.start`. Without it, every step is started at its turn.
    stop : Event, optional
        Ends the step that runs as soon as it is set, from another thread.
    folder : Path
        Holds the folders of the steps, and what the parent makes for them.
    usages : list of Usage
        What the steps used so far.
    """

    run_step: RunStep
    folder: Path
    usages: list[Usage] = field(default_factory=list)
    start_step: StartStep | None = None
    stop: Event | None = None

    @contextmanager
    def start(
        self,
        name: str,
        entry: str,
        *,
        warm_up: str,
        inputs: Mapping[str, Path] | None = None,
        later: tuple[str, ...] = (),
        outputs: Mapping[str, int] | None = None,
        limits: Limits | None = None,
        may_raise: tuple[type[HarnessError], ...] = (),
    ) -> Iterator[EarlyStep]:
        """Start a step before its turn; `run` gives it its request. On leaving it is ended.

        Parameters
        ----------
        name, entry, warm_up, inputs, later, outputs, limits, may_raise
            See `harness.sandbox.step.Step`.

        Raises
        ------
        HarnessError
            It cannot be started; see `harness.sandbox.step.RunStep`.
        """
        step = Step(
            name=name,
            entry=entry,
            warm_up=warm_up,
            inputs=inputs or {},
            later=later,
            outputs=outputs or {},
            limits=limits or Limits(),
            may_raise=may_raise,
        )
        folder = self.new_folder(name)
        if self.start_step is None:
            yield EarlyStep(step=step, started=None, folder=folder)
            return
        with self.start_step(step, folder) as started:
            yield EarlyStep(step=step, started=started, folder=folder)

    def finish(
        self,
        early: EarlyStep,
        model: type[Report],
        *,
        request: Mapping[str, JsonValue] | None = None,
        contents: Mapping[str, Path] | None = None,
        progress: Callable[[int], None] | None = None,
        printed: Callable[[str], None] | None = None,
    ) -> StepResult[Report]:
        """Give a step of `start` its request and its later inputs; check its report.

        Parameters
        ----------
        contents : mapping of str to Path
            Regular files by names of the later inputs; others stay empty.
        model, request, progress, printed
            As for `run`.

        Raises
        ------
        HarnessError
            As for `run`.
        """
        step = replace(early.step, request=request or {}, progress=progress, printed=printed)
        contents = contents or {}
        step = self._stoppable(step)
        with _own_faults(step):
            if early.started is not None:
                return self._checked(step, model, early.started.finish(step, contents))
            step = replace(step, inputs={**step.inputs, **contents}, later=(), warm_up="")
            return self._checked(step, model, self.run_step(step, early.folder))

    def _stoppable(self, step: Step) -> Step:
        """Let `stop` end a step: its progress is asked for several times a second."""
        stop, tell = self.stop, step.progress
        if stop is None:
            return step

        def progress(n_bytes: int) -> None:
            if stop.is_set():
                raise StoppedError
            if tell is not None:
                tell(n_bytes)

        return replace(step, progress=progress)

    def _checked(
        self, step: Step, model: type[Report], result: StepResult[dict[str, JsonValue]]
    ) -> StepResult[Report]:
        """Count what a step used, and check its report."""
        self.usages.append(result.usage)
        report = read_report(result.report, model, step.name)
        return StepResult(report=report, outputs=result.outputs, usage=result.usage, log=result.log)

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
        step = self._stoppable(step)
        with _own_faults(step):
            return self._checked(step, model, self.run_step(step, self.new_folder(name)))

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
        yield Workspace(run_step=sandbox.run, start_step=sandbox.start, folder=folder)
