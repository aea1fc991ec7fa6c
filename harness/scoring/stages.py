"""The stages of a scoring: announced as they start, timed, with the time of the last run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.board.queued import Stage
from harness.card.run import StepUsage
from harness.challenge import Challenge
from harness.data.mix import Mixture
from harness.errors import EnvironmentFaultError
from harness.files import write_whole
from harness.sandbox import Workspace
from harness.sandbox.step import Usage


class StageClock:
    """Announces and times the stages of one run.

    Parameters
    ----------
    progress : callable
        Receives one line of text for each stage.
    history : Path
        JSON file with the seconds that each stage took last time on this machine; from it comes
        the estimate of the time that a stage will take. Unreadable history is no history.
    kind : str
        Runs of one kind take about as long as each other, such as "sample" or "sample-quick".
    """

    def __init__(self, *, progress: Callable[[str], None], history: Path, kind: str) -> None:
        self.usage: dict[str, StepUsage] = {}
        self._progress = progress
        self._history = history
        self._kind = kind
        self._before = _read_history(history).get(kind, {})
        # Stages of which a part is done: the rest of their time is still to come.
        self._open: set[str] = set()

    @contextmanager
    def stage(self, name: Stage, what: str, *, is_part: bool = False) -> Iterator[list[Usage]]:
        """Time a stage; the block appends the usage of each sandboxed step that it ran.

        Parameters
        ----------
        is_part : bool
            Whether the rest of the stage comes later, unless `settle` says that there is none. It
            is not announced: the scoring is still at the stage beside which it runs.
        """
        if is_part:
            self._open.add(name)
            self.tell(f"{name}: {what}")
        else:
            self._progress(f"{name}: {what}{self._expected(name)}")
        started = time.monotonic()
        steps: list[Usage] = []
        yield steps
        wall_s = time.monotonic() - started
        if not is_part:
            self._open.discard(name)
        # A stage may come in two parts.
        before = self.usage.get(name) or StepUsage(wall_s=0.0, cpu_s=0.0, peak_memory_bytes=0)
        peaks = (step.peak_memory_bytes for step in steps)
        self.usage[name] = StepUsage(
            wall_s=round(before.wall_s + wall_s, 3),
            cpu_s=round(before.cpu_s + sum(step.cpu_s for step in steps), 3),
            peak_memory_bytes=max((before.peak_memory_bytes, *peaks)),
        )
        if not is_part:
            self._progress(f"{name}: done in {wall_s:.1f} s{self._left(name)}")

    @contextmanager
    def waiting(self, name: Stage, what: str) -> Iterator[None]:
        """Announce that all else waits for the part of a stage that was done beside others."""
        self._progress(f"{name}: {what}")
        started = time.monotonic()
        yield
        self._progress(f"{name}: done in {time.monotonic() - started:.1f} s")

    def settle(self, name: Stage) -> None:
        """Say that a stage of which a part is done needs no more."""
        self._open.discard(name)

    def tell(self, line: str) -> None:
        """Report something within a stage."""
        self._progress(f"  {line}")

    def keep(self) -> None:
        """Remember how long the stages took, for the next run's estimates.

        An estimate is worth no failure: a full disk, or another run that does the same at the
        same moment, leaves the history as it is or unreadable.
        """
        seconds = {name: usage.wall_s for name, usage in self.usage.items()}
        history = {**_read_history(self._history), self._kind: seconds}
        with suppress(EnvironmentFaultError):
            write_whole(self._history, json.dumps(history).encode())

    def _expected(self, name: str) -> str:
        before = self._before.get(name)
        return f" (took {before:.0f} s last time)" if before and before >= 1 else ""

    def _left(self, name: str) -> str:
        later = sum(self._to_come(stage, seconds) for stage, seconds in self._before.items())
        return f"; about {later:.0f} s left" if name in self._before and later >= 1 else ""

    def _to_come(self, name: str, before_s: float) -> float:
        done = self.usage.get(name)
        if done is None:
            return before_s
        return max(before_s - done.wall_s, 0.0) if name in self._open else 0.0


def _read_history(path: Path) -> dict[str, dict[str, float]]:
    try:
        history = json.loads(path.read_text())
        return {
            str(kind): {str(stage): float(seconds) for stage, seconds in stages.items()}
            for kind, stages in history.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringRun:
    """What the stages of one scoring share: the events, where steps run, and the clock."""

    challenge: Challenge
    mixture: Mixture
    workspace: Workspace
    clock: StageClock

    @contextmanager
    def stage(self, name: Stage, what: str, *, is_part: bool = False) -> Iterator[Workspace]:
        """Time a stage; it receives the workspace whose steps are counted for it."""
        with self.clock.stage(name, what, is_part=is_part) as usages:
            yield replace(self.workspace, usages=usages)
