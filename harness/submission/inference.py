"""The steps that score events: they run in a sandbox, on memory-mapped events without labels.

`benchmarks/inference.py` showed how a network runs fastest: compiled by XLA for a fixed chunk of
`CHUNK_EVENTS` events, the last chunk filled with empty events, two chunks at a time. Networks
whose sums are all exact in float32 (those that HGQ2 quantises to 24 bits or fewer) give the same
bits for every chunk size and order; others differ by the order of their sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import JsonValue, NonNegativeInt

from harness.challenge import ADC2021_BYTES, Value, events_within
from harness.errors import InvalidSubmissionError, Problem
from harness.submission.contract import check_network
from harness.submission.events import Events, forget_read, open_events
from harness.submission.network import load_keras, rebuild
from harness.submission.plugin import blamed_on_submission, find_function, load_plugin
from harness.submission.survey import ScoreSurvey
from harness.submission.words import input_overflow

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

# The fastest chunk from 2,048 to 65,536 events whose memory stays small. XLA uses all cores for one
# chunk, but not while it is called; a second chunk fills that time.
CHUNK_EVENTS = 32_768
CHUNKS_AT_A_TIME = 2
OPEN_CHUNK_EVENTS = 65_536
# Events on which the input words are checked (fewer large ones), and inputs that are named.
OVERFLOW_EVENTS = 100_000
OVERFLOW_BYTES = OVERFLOW_EVENTS * ADC2021_BYTES
MAX_OVERFLOWING_INPUTS = 10

Scorer = Callable[["NDArray[np.float32]"], "NDArray[np.generic]"]


class OverflowReport(Value):
    """Which events the input words of a network cannot hold; see `_report_overflow`."""

    n_events: NonNegativeInt
    n_outside: NonNegativeInt
    inputs: tuple[tuple[int, float], ...]


class ScoreReport(Value):
    """What `score_network` and `score_open` report."""

    n_events: NonNegativeInt
    score_s: float
    load_s: float = 0.0
    arithmetic: Literal["xla", "graph", ""] = ""
    input_overflow: OverflowReport | None = None
    is_input_modified: bool = False


def score_network(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Score events with an exported network.

    Parameters
    ----------
    request : mapping
        ``jobs``, optional: a list of ``{"events": name of an input, "scores": name of an output,
        "chunk": events at once, "may_be_constant": whether scores may be all the same}``, all
        scored by the one network; by default one job from ``events`` to ``scores`` in chunks of
        `CHUNK_EVENTS`.
    inputs : mapping
        ``graph``, ``weights``, and the events of each job: see `harness.submission.events`.
    outputs : mapping
        The scores of each job: exactly n little-endian float64, higher = more anomalous.

    Returns
    -------
    dict
        ``n_events``, ``arithmetic`` (``xla`` or ``graph``), ``load_s``, ``score_s``, and
        ``input_overflow``: see `_report_overflow`.

    Raises
    ------
    InvalidSubmissionError
        The graph is not allowed, or the scores are not finite or all the same.
    """
    start = time.monotonic()
    model = rebuild(inputs["graph"], inputs["weights"])
    scorers: dict[int, tuple[Scorer, str]] = {}
    loaded = time.monotonic()
    n_events = 0
    arithmetic = ""
    overflow: JsonValue = None
    for job in _jobs(request, CHUNK_EVENTS):
        events = open_events(inputs[job.events])
        _check_fits(model, events)
        n_looked_at = min(OVERFLOW_EVENTS, events_within(OVERFLOW_BYTES, events.shape[1:]))
        overflow = overflow or _report_overflow(model, events[:n_looked_at])
        if job.chunk not in scorers:
            scorers[job.chunk] = compile_network(model, job.chunk)
        scorer, arithmetic = scorers[job.chunk]
        score_job(scorer, events, job, outputs)
        n_events += len(events)
    return {
        "n_events": n_events,
        "arithmetic": arithmetic,
        "input_overflow": overflow,
        "load_s": round(loaded - start, 3),
        "score_s": round(time.monotonic() - loaded, 3),
    }


def score_open(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Score events with ``score(events)`` of an open-division submission.

    Parameters
    ----------
    request : mapping
        ``jobs`` as for `score_network`; chunks are of `OPEN_CHUNK_EVENTS` by default.
    inputs : mapping
        ``submission``: the folder; and the events of each job.
    outputs : mapping
        As for `score_network`.

    Returns
    -------
    dict
        ``n_events``, ``is_input_modified`` (whether ``score`` wrote into what it was given) and
        ``score_s``.

    Raises
    ------
    InvalidSubmissionError
        ``score`` is missing, or returned what is no score of each event.
    SubmissionError
        The participant's code failed.
    """
    folder = inputs["submission"].resolve()
    function = find_function(load_plugin(folder, "open"), "score")
    start = time.monotonic()
    scorer = _OpenScorer(function, folder)
    n_events = 0
    for job in _jobs(request, OPEN_CHUNK_EVENTS):
        events = open_events(inputs[job.events])
        score_job(scorer, events, job, outputs)
        n_events += len(events)
    return {
        "n_events": n_events,
        "is_input_modified": scorer.is_input_modified,
        "score_s": round(time.monotonic() - start, 3),
    }


def _report_overflow(model: keras.Model, events: NDArray[np.float32]) -> JsonValue:
    """Report which events the input words of a network cannot hold.

    Returns
    -------
    dict or None
        ``n_events`` that were checked, ``n_outside`` of these, and ``inputs``: up to ten pairs of
        an input's index and the share of events in which it lies outside, largest first. None for
        a network whose input is not quantised.
    """
    found = input_overflow(model, events)
    if found is None:
        return None
    order = np.argsort(-found.share_by_input, kind="stable")[:MAX_OVERFLOWING_INPUTS]
    inputs: list[JsonValue] = [
        [int(index), float(found.share_by_input[index])]
        for index in order
        if found.share_by_input[index] > 0
    ]
    return {"n_events": found.n_events, "n_outside": found.n_outside, "inputs": inputs}


class Job(Value):
    """One file of events to be scored into one file of scores, `chunk` events at once."""

    events: str = "events"
    scores: str = "scores"
    chunk: int
    may_be_constant: bool = False


def _jobs(request: Mapping[str, JsonValue], chunk: int) -> list[Job]:
    entries = cast("list[dict[str, JsonValue]]", request.get("jobs") or [{}])
    return [Job.model_validate({"chunk": chunk, **entry}) for entry in entries]


def _check_fits(model: keras.Model, events: Events) -> None:
    if problems := check_network(model, events.shape[1:]):
        raise InvalidSubmissionError(*problems)


def compile_network(model: keras.Model, chunk: int) -> tuple[Scorer, str]:
    """Compile a network for chunks of one size.

    Parameters
    ----------
    model : keras.Model
        One input, one output.
    chunk : int
        Events at once.

    Returns
    -------
    callable, str
        Function from ``chunk`` float32 events, of whatever shape, to scores of shape
        ``(chunk,)`` or ``(chunk, 1)``; and how it computes: ``xla``, or ``graph`` if XLA does not
        support one of the operations, or cannot compile it for this processor.
    """
    import tensorflow as tf

    load_keras()
    shape = (chunk, *model.input_shape[1:])

    def call(events: tf.Tensor) -> tf.Tensor:
        return model(events, training=False)

    def compiled(*, jit_compile: bool) -> Scorer:
        signature = [tf.TensorSpec(shape, tf.float32)]
        traced = tf.function(call, input_signature=signature, jit_compile=jit_compile)
        function = traced.get_concrete_function()

        def score(events: NDArray[np.float32]) -> NDArray[np.generic]:
            return cast("NDArray[np.generic]", function(tf.constant(events.reshape(shape))).numpy())

        score(np.zeros(shape, np.float32))
        return score

    try:
        return compiled(jit_compile=True), "xla"
    except (
        tf.errors.InvalidArgumentError,
        tf.errors.UnimplementedError,
        # float16 on a processor without the instructions that convert it.
        tf.errors.InternalError,
    ):
        return compiled(jit_compile=False), "graph"


@dataclass(slots=True)
class _OpenScorer:
    """A participant's ``score``, whose results are checked."""

    function: Callable[..., object]
    folder: Path
    is_input_modified: bool = field(default=False, init=False)

    def __call__(self, events: NDArray[np.float32]) -> NDArray[np.generic]:
        given = np.array(events)
        with blamed_on_submission(self.folder, "in score()", "open"):
            scores = np.asarray(self.function(given))
        self.is_input_modified = self.is_input_modified or not np.array_equal(
            given, events, equal_nan=True
        )
        if problem := _open_problem(scores, len(events)):
            raise InvalidSubmissionError(problem)
        return scores


def _open_problem(scores: NDArray[np.generic], n_events: int) -> Problem | None:
    where = "model.py, score()"
    expected = f"({n_events},) real numbers, one for each event"
    if scores.shape not in ((n_events,), (n_events, 1)):
        return Problem(
            what=f"returned shape {scores.shape} for {n_events} events",
            where=where,
            expected=expected,
            fix="return one score for each event, in the order of the events",
        )
    if scores.dtype.kind not in "fiub":
        return Problem(
            what=f"returned numbers of type {scores.dtype}", where=where, expected=expected
        )
    return None


def score_job(scorer: Scorer, events: Events, job: Job, outputs: Mapping[str, Path]) -> None:
    """Score events chunk by chunk into a file, and check the scores on the way."""
    survey = ScoreSurvey(n_events=len(events), may_be_constant=job.may_be_constant)
    chunks = [slice(at, at + job.chunk) for at in range(0, len(events), job.chunk)]
    with outputs[job.scores].open("wb") as file:
        for chunk, scores in zip(chunks, _score_chunks(scorer, events, chunks, job), strict=True):
            survey.add(scores, events, chunk)
            file.write(scores.astype("<f8").tobytes())
            forget_read(events)
    if problems := survey.problems():
        raise InvalidSubmissionError(*problems)


def _score_chunks(
    scorer: Scorer, events: Events, chunks: list[slice], job: Job
) -> Iterator[NDArray[np.generic]]:
    """Score chunks in their order: two at a time by a network, one at a time by a plugin.

    Sparse events are made dense here, a chunk at a time.
    """
    if isinstance(scorer, _OpenScorer):
        yield from (scorer(events[chunk]).reshape(-1) for chunk in chunks)
        return
    with ThreadPoolExecutor(CHUNKS_AT_A_TIME) as pool:
        yield from pool.map(lambda chunk: _score_padded(scorer, events[chunk], job.chunk), chunks)


def _score_padded(scorer: Scorer, events: NDArray[np.float32], size: int) -> NDArray[np.generic]:
    """Score a chunk, filled with empty events to the size that the network is compiled for."""
    n_events = len(events)
    if n_events < size:
        padded = np.zeros((size, *events.shape[1:]), np.float32)
        padded[:n_events] = events
        events = padded
    return scorer(events).reshape(size)[:n_events]
