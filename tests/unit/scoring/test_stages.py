"""The clock of the stages tells what it saw, and its history never stops a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.board.queued import stage_in
from harness.sandbox.step import Usage
from harness.scoring.stages import StageClock


def _run(history: Path, lines: list[str]) -> StageClock:
    clock = StageClock(progress=lines.append, history=history, kind="sample")
    with clock.stage("export", "the network") as steps:
        steps.append(Usage(wall_s=1.0, cpu_s=2.0, peak_memory_bytes=10))
        steps.append(Usage(wall_s=1.0, cpu_s=3.0, peak_memory_bytes=30))
    with clock.stage("score", "all events"):
        pass
    clock.keep()
    return clock


def test_usage_of_a_stage_is_the_sum_of_its_steps_and_their_largest_peak(tmp_path):
    clock = _run(tmp_path / "timings.json", [])

    assert clock.usage["export"].cpu_s == 5.0
    assert clock.usage["export"].peak_memory_bytes == 30


def test_the_second_run_estimates_from_the_first(tmp_path):
    history = tmp_path / "timings.json"
    history.write_text('{"sample": {"export": 4.0, "score": 7.0}}')
    lines: list[str] = []

    _run(history, lines)

    assert lines[0] == "export: the network (took 4 s last time)"
    assert lines[1].endswith("about 7 s left")


@pytest.mark.parametrize("is_settled", [False, True])
def test_the_rest_of_a_stage_is_still_to_come_when_a_part_is_done(tmp_path, is_settled):
    history = tmp_path / "timings.json"
    history.write_text('{"sample": {"firmware": 600, "cost": 4}}')
    lines: list[str] = []
    clock = StageClock(progress=lines.append, history=history, kind="sample")

    with clock.stage("firmware", "look", is_part=True):
        pass
    if is_settled:
        clock.settle("firmware")
    with clock.stage("cost", "count"):
        pass
    with clock.stage("firmware", "make"):
        pass

    assert [stage_in("\n".join(lines[:n])) for n in (1, 2, 4)] == [None, "cost", "firmware"]
    assert ("about 600 s left" in lines[2]) is not is_settled
    assert lines[3] == "firmware: make (took 600 s last time)"
    assert "left" not in lines[4]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sample": 3}', '{"sample": {"a": "x"}}'])
def test_broken_history_is_no_history(content, tmp_path):
    history = tmp_path / "timings.json"
    history.write_text(content)
    lines: list[str] = []

    _run(history, lines)

    assert lines[0] == "export: the network"


def test_a_history_that_cannot_be_kept_stops_no_run(tmp_path):
    lines: list[str] = []

    _run(tmp_path / "no such folder" / "timings.json", lines)

    assert lines[-1].startswith("score: done")
