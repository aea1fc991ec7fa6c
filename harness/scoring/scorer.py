"""What scores events: a submission's network or its own Python, run by a sandboxed step.

Sandbox A turns the plugin into a network and sees no event; sandbox B scores events without
labels and, in the trigger division, sees no plugin.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.challenge import ADC2021_BYTES, Challenge, EventLayout, Target, events_within
from harness.errors import InvalidSubmissionError, Problem
from harness.sandbox import EarlyStep, Workspace
from harness.sandbox.log import show_printed
from harness.sandbox.scores import BYTES_PER_SCORE, read_scores
from harness.sandbox.step import GIB, Limits, StepResult
from harness.scoring.early import EarlySteps
from harness.scoring.integrity import Batch, other_batch
from harness.submission.export import FUNCTION, ExportReport
from harness.submission.graph import MAX_GRAPH_BYTES, MAX_WEIGHTS_BYTES
from harness.submission.inference import CHUNK_EVENTS, ScoreReport
from harness.submission.layers import WITHOUT_FIRMWARE
from harness.submission.network import model_digest
from harness.submission.open_scores import OPEN_CHUNK_EVENTS

_EXPORT = "harness.submission.export:export_submission"
_EXPORTED = {"graph": MAX_GRAPH_BYTES, "weights": MAX_WEIGHTS_BYTES}
_IMPORT_KERAS = "harness.submission.network:load_keras"
_EXPORT_LIMITS = Limits(wall_s=300.0, memory_bytes=6 * GIB)
SCORE_LIMITS = Limits(wall_s=1800.0, cpu_s=7200.0, memory_bytes=8 * GIB)
# A line of progress this often.
PROGRESS_SECONDS = 10.0


# The steps that score.
_ENTRIES = {
    "score_network": "harness.submission.inference:score_network",
    "score_open": "harness.submission.open_scores:score_open",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedNetwork:
    """An exported network and its digest.

    Attributes
    ----------
    has_unrounded : bool
        Whether the plugin also has the network before it was rounded.
    other_scales : tuple of str
        The quantisers of an ONNX file whose scales are no powers of two.
    """

    graph: Path
    weights: Path
    digest: str
    has_unrounded: bool = False
    other_scales: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorer:
    """What scores events: a step's function, and its inputs beside the events.

    Attributes
    ----------
    at_once : int
        Events that it is given at once; fewer where they are larger than those of ADC2021.
    other_batch : int
        Events at once of the checks.
    early : EarlySteps, optional
        Holds the steps of this scorer that are started, by name; each serves once.
    """

    function: Literal["score_network", "score_open"]
    inputs: Mapping[str, Path]
    at_once: int
    other_batch: int
    early: EarlySteps | None = None

    @classmethod
    def of_network(
        cls, network: ExportedNetwork, layout: EventLayout, early: EarlySteps | None = None
    ) -> Scorer:
        """Return what scores by an exported network."""
        most = min(CHUNK_EVENTS, events_within(CHUNK_EVENTS * ADC2021_BYTES, layout.shape))
        inputs = {"graph": network.graph, "weights": network.weights}
        return cls(
            function="score_network",
            inputs=inputs,
            at_once=most,
            other_batch=other_batch(layout),
            early=early,
        )

    @classmethod
    def of_open(cls, staged: Path, layout: EventLayout) -> Scorer:
        """Return what scores by ``score(events)`` of a submission of the open division."""
        within = events_within(OPEN_CHUNK_EVENTS * ADC2021_BYTES, layout.shape)
        most = min(OPEN_CHUNK_EVENTS, within)
        inputs = {"submission": staged}
        return cls(
            function="score_open", inputs=inputs, at_once=most, other_batch=other_batch(layout)
        )

    @property
    def is_plugin(self) -> bool:
        """Whether the code of the submission sees the events that it scores."""
        return self.function == "score_open"

    @property
    def turned_at_once(self) -> int:
        """Events at once of the symmetric variants.

        A network is compiled for each number of events at once, which takes longer than to score
        them in the batches of the other checks; other scorers are faster with many.
        """
        return self.other_batch if self.function == "score_network" else self.at_once


def start_export(workspace: Workspace, staged: Path) -> AbstractContextManager[EarlyStep]:
    """Start sandbox A early: it has the submission, whose code runs when `extract_network` asks."""
    return workspace.start(
        "export",
        _EXPORT,
        warm_up=_IMPORT_KERAS,
        inputs={"submission": staged},
        outputs=_EXPORTED,
        limits=_EXPORT_LIMITS,
    )


def start_scoring(
    workspace: Workspace,
    name: Literal["score", "checks"],
    events: Sequence[Path],
    n_later: int = 0,
    n_events: int = 0,
) -> AbstractContextManager[EarlyStep]:
    """Start sandbox B early, before there is a network: no file of a participant is in it.

    Parameters
    ----------
    events : sequence of Path
        The events of the first batches.
    n_later : int
        Most batches whose events are made later.
    n_events : int
        Most events of one batch.
    """
    given = {f"events{index}": path for index, path in enumerate(events)}
    n_batches = len(events) + n_later
    return workspace.start(
        name,
        _ENTRIES["score_network"],
        warm_up="harness.submission.inference:warm_up",
        inputs=given,
        later=("graph", "weights", *(f"events{index}" for index in range(len(events), n_batches))),
        outputs={f"scores{index}": BYTES_PER_SCORE * n_events for index in range(n_batches)},
        limits=SCORE_LIMITS,
    )


def extract_network(
    workspace: Workspace,
    staged: Path,
    challenge: Challenge,
    tell: Callable[[str], None] = lambda _: None,
    model: str | None = None,
    function: str = FUNCTION,
    early: EarlySteps | None = None,
) -> ExportedNetwork:
    """Sandbox A: turn the plugin of a staged submission into a graph and weights.

    Parameters
    ----------
    tell : callable
        Receives what the plugin printed, line by line.
    model : str, optional
        The ONNX file of the submission that is its network, in place of a plugin.
    function : str
        The function of the plugin that makes the network.
    early : EarlySteps, optional
        May hold the step "export" of `start_export`; those that come next start meanwhile.

    Raises
    ------
    InvalidSubmissionError
        A layer has no firmware, and the gate of the challenge is an FPGA.
    HarnessError
        The step failed; see `harness.sandbox.step.RunStep`.
    """
    early = early or EarlySteps(stack=contextlib.ExitStack())
    started = early.take("export")
    with contextlib.ExitStack() as stack:
        made = workspace.finish(
            started or stack.enter_context(start_export(workspace, staged)),
            ExportReport,
            request={
                "event_shape": list(challenge.layout.shape),
                "model": model,
                "function": function,
            },
            progress=lambda _: early.advance(),
            printed=show_printed(tell, "model.py"),
        )
    if isinstance(challenge.target, Target) and function == FUNCTION:
        _refuse_without_firmware(made.report, challenge)
    graph, weights = made.outputs["graph"], made.outputs["weights"]
    return ExportedNetwork(
        graph=graph,
        weights=weights,
        digest=model_digest(graph, weights),
        has_unrounded=made.report.has_unrounded,
        other_scales=made.report.other_scales,
    )


def _refuse_without_firmware(report: ExportReport, challenge: Challenge) -> None:
    problems = [
        Problem(
            what=f"layer {name!r} ({kind}) has no firmware",
            where="model.py, network()",
            expected=f"layers that become firmware: the gate of {challenge.name} is an FPGA",
            fix=f"use {WITHOUT_FIRMWARE[kind]}, or hand in to the open division",
        )
        for name, kind in report.layers
        if kind in WITHOUT_FIRMWARE
    ]
    if problems:
        raise InvalidSubmissionError(*problems)


def score_batches(
    workspace: Workspace,
    scorer: Scorer,
    batches: Sequence[Batch],
    name: Literal["score", "checks", "stress", "shard"],
    tell: Callable[[str], None] = lambda _: None,
    show: Callable[[str], None] | None = None,
    *,
    is_one_thread: bool = False,
) -> tuple[list[NDArray[np.float64]], StepResult[ScoreReport]]:
    """Sandbox B: score batches one after the other in one fresh process.

    Scores that are all the same are refused in the scoring itself only. The checks compare them
    like any others: a rank within the batch, for one, is constant for events by themselves.

    Parameters
    ----------
    tell : callable
        Receives a line of text now and then: how many events are scored.
    show : callable, optional
        Receives what a plugin printed, at the end, line by line; by default `tell` does.
    is_one_thread : bool
        Whether the process keeps to one core.

    Returns
    -------
    list of float64 array, StepResult
        The scores of each batch, shape (n_events,); and what came back from the step.
    """
    files = {f"scores{index}": batch for index, batch in enumerate(batches)}
    request: dict[str, JsonValue] = {
        "jobs": _jobs(batches, may_be_constant=name != "score"),
        "is_one_thread": is_one_thread,
    }
    inputs = {
        **scorer.inputs,
        **{f"events{index}": batch.events for index, batch in enumerate(batches)},
    }
    count = count_events(tell, sum(batch.n_events for batch in batches))
    # The libraries of a step that waits have their threads already.
    early = None if is_one_thread else scorer.early
    started = None if early is None else early.take(name)
    if early is not None and started is not None and started.fits(inputs, files.keys()):
        result = workspace.finish(
            started,
            ScoreReport,
            request=request,
            contents={place: path for place, path in inputs.items() if place in started.step.later},
            progress=partial(_count_and_advance, count, early),
        )
    else:
        result = workspace.run(
            name,
            _ENTRIES[scorer.function],
            ScoreReport,
            request=request,
            inputs=inputs,
            outputs={place: BYTES_PER_SCORE * batch.n_events for place, batch in files.items()},
            limits=SCORE_LIMITS,
            progress=count,
            printed=show_printed(show or tell, "model.py") if scorer.is_plugin else None,
        )
    scores = [read_scores(result.outputs[place], batch.n_events) for place, batch in files.items()]
    return scores, result


def _count_and_advance(count: Callable[[int], None], early: EarlySteps, n_bytes: int) -> None:
    count(n_bytes)
    early.advance()


def _jobs(batches: Sequence[Batch], *, may_be_constant: bool) -> list[JsonValue]:
    """Return what the step is asked for each batch; see `harness.submission.jobs`."""
    return [
        {
            "events": f"events{index}",
            "scores": f"scores{index}",
            "chunk": batch.at_once,
            "may_be_constant": may_be_constant,
        }
        for index, batch in enumerate(batches)
    ]


def count_events(
    tell: Callable[[str], None], n_events: int, *, now: Callable[[], float] = time.monotonic
) -> Callable[[int], None]:
    """Return what turns the written bytes of scores into a line, once in `PROGRESS_SECONDS`.

    Parameters
    ----------
    n_events : int
        Events to be scored.
    now : callable
        The clock, in seconds.
    """
    last = now()

    def show(n_bytes: int) -> None:
        nonlocal last
        if now() - last >= PROGRESS_SECONDS:
            last = now()
            n_done = min(n_bytes // BYTES_PER_SCORE, n_events)
            tell(f"{n_done:,} of {n_events:,} events scored ({n_done / n_events:.0%})")

    return show
