"""Steps start early one at a time, in the order in which they are needed; each serves once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import psutil
import pytest

from harness.errors import EnvironmentFaultError
from harness.sandbox import EarlyStep
from harness.sandbox.step import GIB
from harness.scoring.beside import beside
from harness.scoring.early import EarlySteps, has_room


@dataclass
class Step:
    """Stands for a step that was started."""

    name: str
    is_warm: bool = False
    has_ended: bool = False


@dataclass
class Starts:
    """Notes which steps were started, and which were ended."""

    made: dict[str, Step] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    @contextmanager
    def start(self, name: str) -> Iterator[Step]:
        self.made[name] = Step(name)
        yield self.made[name]
        self.ended.append(name)

    def plan(self, stack: ExitStack, *names: str) -> EarlySteps:
        planned = {name: partial(self.start, name) for name in names}
        return EarlySteps(stack=stack, planned=planned, has_room=lambda: True)  # type: ignore[arg-type]


def test_one_step_at_a_time_imports_and_all_end_with_the_run():
    starts = Starts()
    with ExitStack() as stack:
        early = starts.plan(stack, "score", "cost", "checks")
        early.advance()
        early.advance()
        assert [*starts.made] == ["score"]

        starts.made["score"].is_warm = True
        early.advance()
        assert [*starts.made] == ["score", "cost"]
        assert starts.ended == []

    assert starts.ended == ["cost", "score"]


def test_a_step_that_is_taken_serves_once_and_holds_up_no_other():
    starts = Starts()
    with ExitStack() as stack:
        early = starts.plan(stack, "score", "cost")
        early.advance()

        assert early.take("score") is starts.made["score"]
        assert early.take("score") is None
        early.advance()
        assert [*starts.made] == ["score", "cost"]


def test_a_step_that_was_not_started_at_its_turn_never_is():
    starts = Starts()
    with ExitStack() as stack:
        early = starts.plan(stack, "score", "cost")

        assert early.take("score") is None
        early.advance()
        assert [*starts.made] == ["cost"]


def test_a_step_that_the_machine_ended_while_it_waited_is_started_at_its_turn():
    starts = Starts()
    with ExitStack() as stack:
        early = starts.plan(stack, "score")
        early.advance()
        starts.made["score"].has_ended = True

        assert early.take("score") is None

    assert starts.ended == ["score"]


@pytest.mark.parametrize(
    "fault", [EnvironmentFaultError("cannot start"), OSError(24, "Too many open files")]
)
def test_a_machine_without_room_for_an_early_start_goes_on_without(fault):
    starts = Starts()

    def fail() -> AbstractContextManager[EarlyStep]:
        raise fault

    with ExitStack() as stack:
        early = starts.plan(stack, "score", "cost")
        early.planned["score"] = fail
        early.advance()
        early.advance()

        assert early.take("score") is None
        assert early.take("cost") is None
    assert starts.made == {}


def test_nothing_waits_on_a_machine_that_is_short_of_memory():
    starts = Starts()
    rooms = iter([False, True])
    with ExitStack() as stack:
        early = starts.plan(stack, "score")
        early.has_room = lambda: next(rooms)
        early.advance()
        assert starts.made == {}

        early.advance()
        assert [*starts.made] == ["score"]


@pytest.mark.parametrize(("n_bytes", "is_enough"), [(2 * GIB, True), (2 * GIB - 1, False)])
def test_room_is_the_memory_that_the_machine_can_give(monkeypatch, n_bytes, is_enough):
    seen = SimpleNamespace(available=n_bytes)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: seen)

    assert has_room() is is_enough


def test_work_beside_gives_its_result_or_what_it_raised():
    def fail() -> None:
        raise ValueError("broken")

    with beside(n_threads=2) as others:
        right, wrong = others.start(pow, 2, 3), others.start(fail)

        assert right.result() == 8
        with pytest.raises(ValueError, match="broken"):
            wrong.result()


def test_work_beside_a_run_that_fails_is_stopped():
    stopped = []

    def run() -> None:
        with beside(n_threads=1) as others:
            others.start(lambda: stopped.append(others.stop.wait(60)))
            never = others.start(stopped.append, False)
            assert not never.done()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()

    assert stopped == [True]
    assert threading.active_count() < 50
