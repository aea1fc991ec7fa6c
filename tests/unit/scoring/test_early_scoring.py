"""A step that was started early scores only what it was started for."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from harness.sandbox import Workspace
from harness.sandbox.step import Step, StepResult, Usage
from harness.scoring.early import EarlySteps
from harness.scoring.integrity import Batch
from harness.scoring.scorer import Scorer, score_batches, start_scoring

N_EVENTS = 3


@pytest.mark.parametrize(
    ("events", "is_one_thread", "is_early"),
    [
        (["mixture"], False, True),
        (["other"], False, False),
        (["mixture", "other"], False, False),
        (["mixture"], True, False),
    ],
    ids=["its events", "other events", "more events", "one thread"],
)
def test_an_early_step_serves_for_what_it_was_started_for(
    tmp_path, events, is_one_thread, is_early
):
    ran: list[Step] = []

    def run(step: Step, folder: Path) -> StepResult:
        ran.append(step)
        outputs = {name: folder / name for name in step.outputs}
        for path in outputs.values():
            np.zeros(N_EVENTS).tofile(path)
        usage = Usage(wall_s=1.0, cpu_s=1.0, peak_memory_bytes=1)
        report = {"n_events": N_EVENTS, "score_s": 1.0}
        return StepResult(report=report, outputs=outputs, usage=usage, log="")

    workspace = Workspace(run_step=run, folder=tmp_path)
    folders: list[Path] = []
    with ExitStack() as stack:
        early = EarlySteps(stack=stack, has_room=lambda: True)
        early.planned["score"] = partial(
            start_scoring, workspace, "score", [tmp_path / "mixture"], n_events=N_EVENTS
        )
        early.advance()
        folders.extend(tmp_path.iterdir())
        network = {"graph": tmp_path / "graph", "weights": tmp_path / "weights"}
        scorer = Scorer(
            function="score_network", inputs=network, at_once=8, other_batch=4, early=early
        )
        batches = [Batch(events=tmp_path / name, n_events=N_EVENTS, at_once=8) for name in events]
        score_batches(workspace, scorer, batches, "score", is_one_thread=is_one_thread)

    (step,) = ran
    given = {f"events{index}": tmp_path / name for index, name in enumerate(events)}
    assert step.inputs == {**network, **given}
    assert (len([*tmp_path.iterdir()]) == len(folders)) is is_early
