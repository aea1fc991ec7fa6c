"""The steps that score events: they run in a sandbox, on memory-mapped events without labels.

How the network runs was chosen by `benchmarks/inference.py`: compiled by XLA for one fixed chunk
of `CHUNK_EVENTS` events, the last chunk filled up with empty events, two chunks at a time.
Networks whose widths leave every sum exact in float32 (those that HGQ2 quantises to 24 bits or
fewer) give the same bits in every chunking and order; others differ by the order of their sums.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import JsonValue, NonNegativeInt

from harness.challenge import Value
from harness.errors import InvalidSubmissionError, Problem
from harness.submission.network import load_keras, rebuild
from harness.submission.plugin import blamed_on_submission, find_function, load_plugin
from harness.submission.words import input_overflow

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

# Of XLA's chunks of 2,048 to 65,536 events the fastest whose memory stays small. XLA spreads one
# over the cores, but for the time that it takes to call it; a second one at a time fills that.
CHUNK_EVENTS = 32_768
CHUNKS_AT_A_TIME = 2
OPEN_CHUNK_EVENTS = 65_536
# Events on which the input words are tried, and inputs that are named.
OVERFLOW_EVENTS = 100_000
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
        ``graph``, ``weights``, and the events of each job: float32 .npy of shape
        ``(n, n_objects, n_features)``.
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
        overflow = overflow or _report_overflow(model, events[:OVERFLOW_EVENTS])
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
    function = find_function(load_plugin(folder), "score")
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
    """Say which events the input words of a network cannot hold.

    Returns
    -------
    dict or None
        ``n_events`` looked at, ``n_outside`` of these, and ``inputs``: up to ten pairs of an
        input's index and the share of events in which it lies outside, largest first. None for a
        network whose input is not quantised.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One file of events to be scored into one file of scores."""

    events: str
    scores: str
    chunk: int
    may_be_constant: bool = False


def _jobs(request: Mapping[str, JsonValue], chunk: int) -> list[Job]:
    entries = request.get("jobs") or [{}]
    return [
        Job(
            events=str(entry.get("events", "events")),
            scores=str(entry.get("scores", "scores")),
            chunk=int(cast("int", entry.get("chunk", chunk))),
            may_be_constant=entry.get("may_be_constant") is True,
        )
        for entry in cast("list[dict[str, JsonValue]]", entries)
    ]


def open_events(path: Path) -> NDArray[np.float32]:
    """Map events into memory, read-only.

    Returns
    -------
    ndarray of float32, shape (n, n_objects, n_features)
        Backed by the file.
    """
    events = np.load(path, mmap_mode="r", allow_pickle=False)
    if events.dtype != np.float32 or events.ndim != 3:
        raise ValueError(
            f"events are {events.dtype} {events.shape}, not float32 (n, rows, columns)"
        )
    return cast("NDArray[np.float32]", events)


def forget_read(events: NDArray[np.float32]) -> None:
    """Give back the memory of what was read of mapped events.

    A map that is read through counts as resident memory to its end, though the disk has it.
    """
    base: object = events.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def _check_fits(model: keras.Model, events: NDArray[np.float32]) -> None:
    from harness.submission.network import check_network

    if problems := check_network(model, (events.shape[1], events.shape[2])):
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
        ``(chunk,)`` or ``(chunk, 1)``; and how it computes: ``xla``, or ``graph`` where XLA does
        not know one of the operations.
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
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        return compiled(jit_compile=False), "graph"


@dataclass(slots=True)
class _OpenScorer:
    """A participant's ``score``, held to its contract."""

    function: Callable[..., object]
    folder: Path
    is_input_modified: bool = field(default=False, init=False)

    def __call__(self, events: NDArray[np.float32]) -> NDArray[np.generic]:
        given = np.array(events)
        with blamed_on_submission(self.folder, "in score()"):
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


def score_job(
    scorer: Scorer, events: NDArray[np.float32], job: Job, outputs: Mapping[str, Path]
) -> None:
    """Score events chunk by chunk into a file, and look at the scores on the way."""
    survey = _Survey(n_events=len(events), may_be_constant=job.may_be_constant)
    chunks = [events[start : start + job.chunk] for start in range(0, len(events), job.chunk)]
    done = 0
    with outputs[job.scores].open("wb") as file:
        for given, scores in zip(chunks, _score_chunks(scorer, chunks, job.chunk), strict=True):
            survey.add(scores, given, done)
            file.write(scores.astype("<f8").tobytes())
            done += len(given)
            forget_read(events)
    if problems := survey.problems():
        raise InvalidSubmissionError(*problems)


def _score_chunks(
    scorer: Scorer, chunks: list[NDArray[np.float32]], size: int
) -> Iterator[NDArray[np.generic]]:
    """Score chunks, in their order; a network's two at a time, a participant's one by one."""
    if isinstance(scorer, _OpenScorer):
        yield from (scorer(chunk).reshape(len(chunk)) for chunk in chunks)
        return
    with ThreadPoolExecutor(CHUNKS_AT_A_TIME) as pool:
        yield from pool.map(lambda chunk: _score_padded(scorer, chunk, size), chunks)


def _score_padded(scorer: Scorer, events: NDArray[np.float32], size: int) -> NDArray[np.generic]:
    """Score a chunk, filled up with empty events to the size that the network is compiled for."""
    n_events = len(events)
    if n_events < size:
        padded = np.zeros((size, *events.shape[1:]), np.float32)
        padded[:n_events] = events
        events = padded
    return scorer(events).reshape(size)[:n_events]


@dataclass(slots=True)
class _Survey:
    """What is wrong with the scores, gathered chunk by chunk."""

    n_events: int
    may_be_constant: bool
    n_nan: int = 0
    n_infinite: int = 0
    first: dict[str, str] = field(default_factory=dict)
    dtype: str = ""
    lowest: float = np.inf
    highest: float = -np.inf

    def add(self, scores: NDArray[np.generic], events: NDArray[np.float32], start: int) -> None:
        values = scores.astype(np.float64)
        self.dtype = str(scores.dtype)
        finite = np.isfinite(values)
        if finite.all():
            self.lowest = min(self.lowest, float(values.min()))
            self.highest = max(self.highest, float(values.max()))
            return
        nan = np.isnan(values)
        self.n_nan += int(nan.sum())
        self.n_infinite += int((~finite & ~nan).sum())
        for kind, bad in (("NaN", nan), ("infinite", ~finite & ~nan)):
            if bad.any() and kind not in self.first:
                index = int(np.argmax(bad))
                self.first[kind] = _describe_event(events[index], start + index)

    def problems(self) -> list[Problem]:
        found = []
        for kind, count in (("NaN", self.n_nan), ("infinite", self.n_infinite)):
            if count:
                found.append(
                    Problem(
                        what=f"the score of {count} of {self.n_events} events is {kind}; the "
                        f"first is {self.first[kind]}",
                        where="scores",
                        expected="finite scores",
                        fix=_remedy(kind, self.dtype),
                    )
                )
        is_constant = self.n_events > 1 and self.lowest == self.highest
        if not found and is_constant and not self.may_be_constant:
            found.append(
                Problem(
                    what=f"all {self.n_events} events have the score {self.lowest:g}",
                    where="scores",
                    expected="scores that differ",
                    fix="load the trained weights; check that no quantiser has lost all its bits",
                )
            )
        return found


def _remedy(kind: str, dtype: str) -> str:
    if dtype == "float16":
        return "the output is float16, which ends at 65,504: compute the score in float32"
    if kind == "NaN":
        return "look for 0/0, the logarithm of 0 and infinity minus infinity, for empty objects too"
    return "keep the scale of the inputs in the network, and look for division by 0 and exp"


def _describe_event(event: NDArray[np.float32], index: int) -> str:
    n_objects = int(np.count_nonzero(np.any(event != 0, axis=1)))
    largest = float(np.max(np.abs(event)))
    return f"event {index} ({n_objects} objects, largest value {largest:.6g})"
