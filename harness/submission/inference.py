"""The step that scores events with a network, in a sandbox, on memory-mapped events without labels.

`benchmarks/inference.py` showed how a network runs fastest: compiled by XLA for a fixed chunk of
`CHUNK_EVENTS` events, the last chunk filled with empty events, two chunks at a time. Networks
whose sums are all exact in float32 (those that HGQ2 quantises to 24 bits or fewer) give the same
bits for every chunk size and order; others differ by the order of their sums.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import JsonValue, NonNegativeInt

from harness.challenge import ADC2021_BYTES, Value, events_within
from harness.errors import InvalidSubmissionError
from harness.submission.contract import check_network
from harness.submission.events import Events, open_events
from harness.submission.jobs import Scorer, jobs_of, keep_to_threads, score_job
from harness.submission.network import load_keras, rebuild
from harness.submission.words import input_overflow

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

# The fastest chunk from 2,048 to 65,536 events whose memory stays small. XLA uses all cores for one
# chunk, but not while it is called; a second chunk fills that time.
CHUNK_EVENTS = 32_768
CHUNKS_AT_A_TIME = 2
# Events on which the input words are checked (fewer large ones), and inputs that are named.
OVERFLOW_EVENTS = 100_000
OVERFLOW_BYTES = OVERFLOW_EVENTS * ADC2021_BYTES
MAX_OVERFLOWING_INPUTS = 10


class OverflowReport(Value):
    """Which events the input words of a network cannot hold; see `_report_overflow`."""

    n_events: NonNegativeInt
    n_outside: NonNegativeInt
    inputs: tuple[tuple[int, float], ...]


class ScoreReport(Value):
    """What `score_network` and `harness.submission.open_scores.score_open` report."""

    n_events: NonNegativeInt
    score_s: float
    load_s: float = 0.0
    arithmetic: Literal["xla", "graph", ""] = ""
    input_overflow: OverflowReport | None = None
    is_input_modified: bool = False


def warm_up() -> None:
    """Do what `score_network` needs before any file: import Keras, start TensorFlow and XLA."""
    # First: it keeps from TensorFlow, too, what `harness.sandbox.lean_imports` leaves out.
    load_keras()
    import tensorflow as tf

    signature = [tf.TensorSpec((1,), tf.float32)]
    # Where XLA cannot compile, `compile_network` says so.
    with contextlib.suppress(tf.errors.OpError):
        tf.function(tf.negative, input_signature=signature, jit_compile=True)(tf.zeros((1,)))


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
        `CHUNK_EVENTS`. ``is_one_thread``, optional: on one core.
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
    keep_to_threads(request)
    start = time.monotonic()
    model = rebuild(inputs["graph"], inputs["weights"])
    scorers: dict[int, tuple[Scorer, str]] = {}
    loaded = time.monotonic()
    n_events = 0
    arithmetic = ""
    overflow: JsonValue = None
    for job in jobs_of(request, CHUNK_EVENTS):
        events = open_events(inputs[job.events])
        _check_fits(model, events)
        n_looked_at = min(OVERFLOW_EVENTS, events_within(OVERFLOW_BYTES, events.shape[1:]))
        overflow = overflow or _report_overflow(model, events[:n_looked_at])
        if job.chunk not in scorers:
            scorers[job.chunk] = compile_network(model, job.chunk)
        scorer, arithmetic = scorers[job.chunk]
        score_job(scorer, events, job, outputs, chunks_at_a_time=CHUNKS_AT_A_TIME)
        n_events += len(events)
    return {
        "n_events": n_events,
        "arithmetic": arithmetic,
        "input_overflow": overflow,
        "load_s": round(loaded - start, 3),
        "score_s": round(time.monotonic() - loaded, 3),
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
